//! `ntf sim`: towns in simulated time, each from one number, on all cores.
//!
//! People see on standard error how far it is, and of each run that broke a promise what was broken and how
//! to repeat it. A run depends on nothing but its number.

use std::fs;
use std::num::NonZeroU8;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ntf_core::host::mailbox;
use ntf_core::host::wake::block_on;
use ntf_core::sim::{EXCUSES, Phase, Recording, Report, Run, Scenario, Size};
use serde_json::json;

use crate::program::cli::Sim;
use crate::program::days;
use crate::program::failure::Failure;
use crate::program::usage::cpu_time;

/// Lines of the trace that are shown of a run that broke a promise.
const LINES: usize = 60;

/// Pause between two lines about how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// What all runs came to.
#[derive(Default)]
struct Total {
    runs: u64,
    failed: Vec<u64>,
    simulated: Duration,
    sent: u64,
    learned: u64,
    excuses: [u64; EXCUSES.len()],
}

/// Runs `ntf sim`.
///
/// # Errors
///
/// When a run broke a promise, or the trace cannot be written.
pub fn run(options: &Sim) -> Result<(), Failure> {
    if options.speed {
        return measure(options.from, options.shards);
    }
    if options.direct {
        return days::run(options.from, options.json);
    }
    let started = Instant::now();
    let size = options.hours.map_or(Size::SHORT, Size::long);
    let draw = |seed| Scenario::draw(seed, size).sharded(options.shards);
    let total = play(options.from, options.seeds, draw, started);
    if let Some(first) = total.failed.first() {
        eprintln!("{}", Run::explain(draw(*first), LINES));
        let hours = options.hours.map(|hours| format!(" --hours {hours}")).unwrap_or_default();
        let shards = match options.shards {
            NonZeroU8::MIN => String::new(),
            several => format!(" --shards {several}"),
        };
        for seed in &total.failed {
            eprintln!("Repeat with: ntf sim --seeds 1 --from {seed}{hours}{shards}");
        }
    }
    if let Some(path) = &options.trace {
        let seed = total.failed.first().copied().unwrap_or(options.from);
        record(path, draw(seed))?;
        eprintln!("The run of seed {seed} is recorded; play it again with ntf replay.");
    }
    let wall = started.elapsed();
    tell(&total, wall);
    if options.json {
        let hours = (total.simulated.as_secs_f64() / 36.0).round() / 100.0;
        let wall_s = (wall.as_secs_f64() * 100.0).round() / 100.0;
        let line = json!({
            "seeds": total.runs, "failed": total.failed.len(), "simulated_hours": hours, "wall_s": wall_s
        });
        println!("{line}");
    }
    match total.failed.len() {
        0 => Ok(()),
        failed => Err(Failure::failed(format!("{failed} of {} runs broke a promise.", total.runs))),
    }
}

/// Hours of the town that is measured.
const HOURS_MEASURED: u32 = 24;

/// Measures how fast simulated time goes by in a town where something happens: the beginning, and the half day of
/// silence at the end, do not count.
fn measure(seed: u64, shards: NonZeroU8) -> Result<(), Failure> {
    let mut run = Run::new(Scenario::steady(seed, 10, 20, HOURS_MEASURED).sharded(shards));
    while run.phase() == Phase::Opening && run.step() {}
    let (began, cpu_before, before) = (Instant::now(), cpu_time(), run.report());
    while run.phase() == Phase::Busy && run.step() {}
    let (wall, cpu, after) = (began.elapsed(), cpu_time().saturating_sub(cpu_before), run.report());
    let simulated = after.simulated.saturating_sub(before.simulated);
    while run.step() {}
    let times = |took: Duration| simulated.as_secs_f64() / took.as_secs_f64().max(0.001);
    println!(
        "{} messages to 10 devices with 20 queues each, {} steps: {:.1} hours in {:.2} s, {:.0} times as fast as real \
         time; {:.2} s of processor time, {:.0} times",
        after.sent,
        after.steps - before.steps,
        simulated.as_secs_f64() / 3600.0,
        wall.as_secs_f64(),
        times(wall),
        cpu.as_secs_f64(),
        times(cpu),
    );
    match run.report().violations.first() {
        None => Ok(()),
        Some(violation) => Err(Failure::failed(format!("A promise was broken: {violation}."))),
    }
}

/// Reports that may wait to be added up; whoever plays waits when there are more.
const REPORTS_WAITING: usize = 64;

/// Plays the scenarios of a range of numbers on all cores.
fn play(from: u64, seeds: u64, draw: impl Fn(u64) -> Scenario + Sync, started: Instant) -> Total {
    let end = from.saturating_add(seeds);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (sender, mut reports) = mailbox::bounded(REPORTS_WAITING);
    let mut total = Total::default();
    let draw = &draw;
    thread::scope(|scope| {
        for first in (from..end).take(threads) {
            let sender = sender.clone();
            scope.spawn(move || {
                for seed in (first..end).step_by(threads) {
                    let report = Run::of(draw(seed));
                    if block_on(sender.send((seed, report))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut told = started;
        while let Some((seed, report)) = block_on(reports.recv()) {
            total.add(seed, &report);
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                eprintln!("{} of {seeds} runs, {} failed", total.runs, total.failed.len());
            }
        }
    });
    total.failed.sort_unstable();
    total
}

impl Total {
    fn add(&mut self, seed: u64, report: &Report) {
        self.runs += 1;
        self.simulated += report.simulated;
        self.sent += report.sent;
        self.learned += report.learned;
        for (sum, count) in self.excuses.iter_mut().zip(report.excuses) {
            *sum += count;
        }
        if !report.violations.is_empty() {
            self.failed.push(seed);
        }
    }
}

fn tell(total: &Total, wall: Duration) {
    let times = total.simulated.as_secs_f64() / wall.as_secs_f64().max(0.001);
    eprintln!(
        "{} runs, {} failed; {} messages, {} learned; {:.0} hours in {:.1} s, {times:.0} times as fast as real time",
        total.runs,
        total.failed.len(),
        total.sent,
        total.learned,
        total.simulated.as_secs_f64() / 3600.0,
        wall.as_secs_f64(),
    );
    for (excuse, count) in EXCUSES.iter().zip(total.excuses).filter(|(_, count)| *count > 0) {
        eprintln!("  {count:>6} messages not learned when faults had ended: {excuse:?}");
    }
}

fn record(path: &Path, scenario: Scenario) -> Result<(), Failure> {
    let report = Run::of(scenario.clone());
    let recording = Recording::of(scenario, &report).encode();
    let bytes = recording.map_err(|error| Failure::failed(format!("Cannot record the run: {error}.")))?;
    fs::write(path, bytes)
        .map_err(|error| Failure::failed(format!("Cannot write {}: {error}.", path.display())))
}
