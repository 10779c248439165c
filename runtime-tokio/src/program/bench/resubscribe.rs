//! `ntf bench resubscribe`: every SMP server restarts, and all queues are asked for again, while pushes of others go on.
//!
//! The subscriber and the servers are in this process and share a processor; the servers read every block and verify
//! no signature. Pauses before a reconnect are passed over and not counted. The others are devices of one more server
//! that stays: it tells of a message each millisecond, and what is measured is the time until the push is ordered.

use std::time::{Duration, Instant};

use ntf_core::base::id::EntityId;
use serde_json::{Value, json};

use crate::program::announce::print;
use crate::program::bench::figures::{count, rounded};
use crate::program::bench::population::Population;
use crate::program::bench::times::Times;
use crate::program::bench::town::{Queue, Town, notifier};
use crate::program::bench::yardstick::Yardstick;
use crate::program::cli::BenchResubscribe;
use crate::program::failure::Failure;

/// Devices whose server stays, with one queue each.
const OTHERS: u64 = 200;

/// Their numbers, and those of their queues, begin here.
const OTHERS_FROM: u64 = 1 << 32;

/// A message for one of them comes this often.
const GAP: Duration = Duration::from_millis(1);

/// Runs `ntf bench resubscribe`.
///
/// # Errors
///
/// When something is refused, or the subscriber stops asking before it has everything.
pub(super) fn run(options: &BenchResubscribe) -> Result<(), Failure> {
    let yardstick = Yardstick::measure();
    let mut population = Population::new(&options.size, options.services, 1)?;
    population.register()?;
    population.subscribe()?;
    let servers = usize::from(options.size.servers);
    let mut others = Others::new(&mut population.town, servers)?;
    let queues = population.subscriptions();
    let figures = resubscribe(&mut population.town, &mut others, servers, queues, options.services)?;
    figures.tell(&yardstick, options);
    if options.json {
        print(&figures.json(&yardstick, options).to_string());
    }
    Ok(())
}

fn resubscribe(
    town: &mut Town,
    others: &mut Others,
    servers: usize,
    queues: u64,
    services: bool,
) -> Result<Figures, Failure> {
    let before = granted(town, services);
    let wanted = if services { u64::try_from(servers).unwrap_or(0) } else { queues };
    let (begin, skipped) = (Instant::now(), town.skipped());
    let _ = town.take_busy();
    others.due = begin;
    town.restart(0..servers);
    while granted(town, services) - before < wanted {
        others.post(town);
        if !town.step() && !town.skip() {
            return Err(Failure::failed("The subscriber has stopped asking before it had everything."));
        }
        others.take_pushes(town);
    }
    let (wall, busy) = (begin.elapsed(), town.take_busy());
    // What is under way belongs to the measurement as well.
    town.settle();
    others.take_pushes(town);
    Ok(Figures { queues, wall, busy, paused: town.skipped() - skipped, times: others.times.take() })
}

/// Queues granted so far, or servers that have brought back all of theirs at once.
fn granted(town: &Town, services: bool) -> u64 {
    let counters = town.subscriber().counters();
    if services { counters.services.resumed.total() } else { counters.subscriptions.confirmed.total() }
}

/// Devices that go on getting pushes.
struct Others {
    server: usize,
    queues: Vec<EntityId>,
    /// When the message came whose push is not ordered yet.
    under_way: Vec<Option<Instant>>,
    next: usize,
    due: Instant,
    times: Option<Times>,
}

impl Others {
    fn new(town: &mut Town, server: usize) -> Result<Self, Failure> {
        let mut queues = Vec::new();
        for number in OTHERS_FROM..OTHERS_FROM + OTHERS {
            let device = town.register(number)?;
            town.subscribe(&device, &[Queue { number, server }])?;
            queues.extend(notifier(number));
        }
        town.hang_up();
        let under_way = queues.iter().map(|_| None).collect();
        Ok(Self { server, queues, under_way, next: 0, due: Instant::now(), times: Some(Times::new()) })
    }

    /// Has the server tell of what is due, in one block. A message whose device still waits for a push waits too,
    /// and counts from when it was due.
    fn post(&mut self, town: &mut Town) {
        let now = Instant::now();
        let mut told = Vec::new();
        while self.due <= now
            && let (Some(queue), Some(free @ None)) =
                (self.queues.get(self.next), self.under_way.get_mut(self.next))
        {
            *free = Some(self.due);
            told.push(queue.clone());
            self.due += GAP;
            self.next = (self.next + 1) % self.queues.len();
        }
        if !told.is_empty() {
            let blocks = town.notices(self.server, &told);
            town.post(blocks);
        }
    }

    fn take_pushes(&mut self, town: &mut Town) {
        let pushes = town.take_pushes();
        for order in &pushes {
            let number = std::str::from_utf8(&order.device.token).ok();
            let number = number.and_then(|number| u64::from_str_radix(number, 16).ok());
            let index = number.and_then(|number| usize::try_from(number.checked_sub(OTHERS_FROM)?).ok());
            let came = index.and_then(|index| self.under_way.get_mut(index)?.take());
            if let (Some(came), Some(times)) = (came, &mut self.times) {
                times.record(came.elapsed());
            }
        }
        town.accept(pushes.iter().map(|order| order.id));
    }
}

struct Figures {
    queues: u64,
    wall: Duration,
    busy: Duration,
    paused: Duration,
    times: Option<Times>,
}

impl Figures {
    fn each(&self) -> Duration {
        self.busy.checked_div(u32::try_from(self.queues).unwrap_or(u32::MAX)).unwrap_or_default()
    }

    fn percentile_ms(&self, percent: u64) -> f64 {
        self.times.as_ref().map_or(0.0, |times| times.percentile_ms(percent))
    }

    fn tell(&self, yardstick: &Yardstick, options: &BenchResubscribe) {
        eprintln!("{yardstick}.");
        eprintln!(
            "{} queues at {} servers {}: {:.2} s on one processor, servers included, beside pauses of {:.1} s before the \
             reconnects.",
            self.queues,
            options.size.servers,
            if options.services { "that know us as a service" } else { "without services" },
            self.wall.as_secs_f64(),
            self.paused.as_secs_f64(),
        );
        eprintln!(
            "The subscriber took {:.2} s of processor time: {:.2} µs or {:.2} C for each queue.",
            self.busy.as_secs_f64(),
            self.busy.as_secs_f64() * 1e6 / count(self.queues.max(1)),
            yardstick.times(self.each()),
        );
        eprintln!(
            "Pushes of others meanwhile: ordered after {:.1} ms at the median, {:.1} ms at the 99th percentile.",
            self.percentile_ms(50),
            self.percentile_ms(99),
        );
    }

    fn json(&self, yardstick: &Yardstick, options: &BenchResubscribe) -> Value {
        json!({
            "queues": self.queues,
            "services": options.services,
            "seconds": rounded(self.wall.as_secs_f64()),
            "cpu_seconds": rounded(self.busy.as_secs_f64()),
            "c_per_queue": rounded(yardstick.times(self.each())),
            "push_p50_ms": rounded(self.percentile_ms(50)),
            "push_p99_ms": rounded(self.percentile_ms(99)),
            "c_us": rounded(yardstick.micros()),
            "c_source": yardstick.source(),
        })
    }
}
