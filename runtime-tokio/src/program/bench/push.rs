//! `ntf bench push`: the way of a push, from a subscriber's order to the provider's answer.
//!
//! Orders come at an even rate, whatever becomes of those before, up to a bound of orders without an outcome. The
//! first part of them is not measured: connections are made, tables and allocators reach their size. Everything
//! runs in this process on the runtime's two threads, the stand-in included.

mod h2load;
mod scene;

use std::time::{Duration, Instant};

use ntf_core::model::push::{PushOutcome, PushResult};
use serde_json::json;

use crate::program::announce::print;
use crate::program::bench::bare::seal_cost;
use crate::program::bench::figures::count;
use crate::program::bench::push::scene::Scene;
use crate::program::cli::BenchPush;
use crate::program::failure::Failure;
use crate::program::usage::{cpu_time, resident_bytes};
use crate::wait::timeout;

/// Requests of `h2load`; enough for its figure to settle.
const H2LOAD_REQUESTS_MAX: u64 = 50_000;

/// Longer than any push may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at the memory in a run.
const LOOKS: u64 = 20;

impl BenchPush {
    /// How long the stand-in takes to answer.
    fn answer(&self) -> Duration {
        Duration::from_millis(self.answer_ms)
    }

    /// Pushes that are not measured.
    fn warm_up(&self) -> u64 {
        (self.pushes / 5).clamp(u64::from(self.outstanding), 20_000)
    }
}

/// What was measured.
struct Measured {
    pushes: u64,
    wall: Duration,
    cpu: Duration,
    own_ms: [f64; 2],
    growth: u64,
}

/// Runs `ntf bench push`.
///
/// # Errors
///
/// When a part cannot start, or a push is not accepted.
pub async fn run(options: BenchPush) -> Result<(), Failure> {
    let bare = seal_cost(usize::from(options.padded_length));
    let mut scene = Scene::start(&options).await?;
    let measured = measure(&mut scene, &options).await?;
    let (endpoint, request) = scene.example()?;
    let plan = h2load::Plan {
        endpoint,
        request,
        requests: u32::try_from(options.pushes.min(H2LOAD_REQUESTS_MAX)).unwrap_or(u32::MAX),
        streams: usize::try_from(options.outstanding).unwrap_or(usize::MAX),
    };
    let before = cpu_time();
    let requests = f64::from(plan.requests);
    let compared = h2load::measure(plan).await;
    let stand_in = (cpu_time().saturating_sub(before)).as_secs_f64() / requests;
    scene.stop().await;

    tell(&measured, bare, &options);
    match compared {
        Ok(rate) => eprintln!(
            "h2load against the same stand-in, with as many streams: {rate:.0} requests a second; the stand-in \
             took {:.0} µs of processor time for each.",
            stand_in * 1e6
        ),
        Err(sentence) => eprintln!("{sentence}"),
    }
    if options.json {
        print(&measured.json());
    }
    Ok(())
}

async fn measure(scene: &mut Scene, options: &BenchPush) -> Result<Measured, Failure> {
    let mut pace = Pace::new(options);
    for _ in 0..options.warm_up() {
        pace.one_ends(scene).await?;
    }
    scene.begin_times();
    let (began, cpu, memory) = (Instant::now(), cpu_time(), resident_bytes().unwrap_or(0));
    let mut growth = 0;
    for done in 1..=options.pushes {
        pace.one_ends(scene).await?;
        if done % options.pushes.div_ceil(LOOKS) == 0 || done == options.pushes {
            growth = growth.max(resident_bytes().unwrap_or(0).saturating_sub(memory));
        }
    }
    let (wall, cpu) = (began.elapsed(), cpu_time().saturating_sub(cpu));
    let own_ms = [50, 99].map(|percent| scene.own_ms(percent));
    for _ in 0..pace.out {
        succeeded(timeout(PATIENCE, scene.outcomes.recv()).await.ok().flatten())?;
    }
    Ok(Measured { pushes: options.pushes, wall, cpu, own_ms, growth })
}

/// When the next order is due.
struct Pace {
    gap: Duration,
    due: Instant,
    out: u32,
    out_max: u32,
}

impl Pace {
    /// Missed orders that are made up for at once, as a time.
    const BEHIND_MAX: Duration = Duration::from_millis(5);

    fn new(options: &BenchPush) -> Self {
        let gap = Duration::from_secs(1) / options.rate;
        Self { gap, due: Instant::now(), out: 0, out_max: options.outstanding }
    }

    /// Orders what is due until one that was ordered has ended.
    async fn one_ends(&mut self, scene: &mut Scene) -> Result<(), Failure> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let now = Instant::now();
            self.due = self.due.max(now.checked_sub(Self::BEHIND_MAX).unwrap_or(now));
            while self.out < self.out_max && self.due <= now {
                scene.order();
                self.out += 1;
                self.due += self.gap;
            }
            let until = if self.out < self.out_max { self.due } else { patience };
            match timeout(until.saturating_duration_since(now), scene.outcomes.recv()).await {
                Err(_) if now < patience => {}
                outcome => {
                    self.out = self.out.saturating_sub(1);
                    return succeeded(outcome.ok().flatten());
                }
            }
        }
    }
}

fn succeeded(outcome: Option<PushOutcome>) -> Result<(), Failure> {
    match outcome {
        Some(outcome) if outcome.result == PushResult::Accepted => Ok(()),
        Some(outcome) => {
            Err(Failure::failed(format!("A push was not accepted but ended as {:?}.", outcome.result)))
        }
        None => Err(Failure::failed("No push has ended for a minute.")),
    }
}

impl Measured {
    fn rate(&self) -> f64 {
        count(self.pushes) / self.wall.as_secs_f64().max(1e-6)
    }

    fn growth_mb(&self) -> f64 {
        count(self.growth) / 1e6
    }

    fn json(&self) -> String {
        let rounded = |value: f64| (value * 10.0).round() / 10.0;
        json!({
            "pushes_per_s": rounded(self.rate()),
            "own_p99_ms": rounded(self.own_ms[1]),
            "rss_growth_mb": rounded(self.growth_mb()),
        })
        .to_string()
    }
}

fn tell(measured: &Measured, bare: Duration, options: &BenchPush) {
    let cpu = measured.cpu.as_secs_f64() / count(measured.pushes);
    eprintln!(
        "{} pushes in {:.1} s, {} a second ordered, answered after {} ms: {:.0} a second.",
        measured.pushes,
        measured.wall.as_secs_f64(),
        options.rate,
        options.answer_ms,
        measured.rate(),
    );
    eprintln!(
        "From the order to its arrival at the provider: {:.1} ms at the median, {:.1} ms at the 99th percentile.",
        measured.own_ms[0], measured.own_ms[1],
    );
    eprintln!(
        "Processor time: {:.0} µs for each push, the stand-in included; {:.2} processors were busy on average.",
        cpu * 1e6,
        measured.cpu.as_secs_f64() / measured.wall.as_secs_f64().max(1e-6),
    );
    eprintln!("Memory grew by {:.1} MB at most.", measured.growth_mb());
    eprintln!(
        "XSalsa20-Poly1305 alone over payloads of {} bytes: {:.1} µs of processor time each, {:.1} % of a push.",
        options.padded_length,
        bare.as_secs_f64() * 1e6,
        bare.as_secs_f64() / cpu.max(1e-9) * 100.0,
    );
}
