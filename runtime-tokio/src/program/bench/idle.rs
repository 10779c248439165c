//! `ntf bench idle`: what a server costs that has nothing to do.
//!
//! First the question whether there is anything to do, which a driver asks after every input, of machines with few to
//! very many subscriptions: the answer should take the same time. Then `ntf server` as a process of its own
//! without any link: its processor time, and how often its threads were woken.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::announce::print;
use crate::program::bench::figures::{count, median, rounded};
use crate::program::bench::population::Population;
use crate::program::bench::process::Process;
use crate::program::cli::{BenchIdle, Size};
use crate::program::failure::Failure;
use crate::program::usage::threads_of;
use crate::wait::sleep;

/// Polls that are timed together; one alone is shorter than a look at the clock.
const POLLS: u32 = 1000;

/// Such groups, of which the middle one counts.
const GROUPS: usize = 200;

/// Tokens have this many subscriptions, as far as there are so many.
const PER_TOKEN: u64 = 100;

/// Runs `ntf bench idle`.
///
/// # Errors
///
/// When a population cannot be made, a machine has something to do when it should have nothing, or the server does
/// not start.
pub(super) async fn run(options: BenchIdle) -> Result<(), Failure> {
    let mut polls = Vec::new();
    let sizes = BTreeSet::from([10, 1000, (options.subscriptions / 10).max(1), options.subscriptions]);
    for subscriptions in sizes {
        polls.push((subscriptions, poll_nanos(subscriptions)?));
    }
    let process = Idle::measure(Duration::from_secs(options.seconds)).await?;
    for (subscriptions, nanos) in &polls {
        eprintln!("{subscriptions} subscriptions: a poll of the idle machine takes {nanos:.1} ns.");
    }
    eprintln!(
        "An idle server without links in {} s: {} ms of processor time, woken {} times.",
        options.seconds,
        process.cpu.as_millis(),
        process.wake_ups,
    );
    if options.json {
        print(&json(&polls, &process, options.seconds).to_string());
    }
    Ok(())
}

fn json(polls: &[(u64, f64)], process: &Idle, seconds: u64) -> Value {
    let polls: Vec<_> = polls
        .iter()
        .map(|(subscriptions, nanos)| json!({ "subscriptions": subscriptions, "poll_ns": rounded(*nanos) }))
        .collect();
    json!({
        "polls": polls,
        "seconds": seconds,
        "cpu_ms": u64::try_from(process.cpu.as_millis()).unwrap_or(u64::MAX),
        "wake_ups": process.wake_ups,
        "wake_ups_per_s": rounded(count(process.wake_ups) / count(seconds.max(1))),
    })
}

fn poll_nanos(subscriptions: u64) -> Result<f64, Failure> {
    let tokens = u32::try_from(subscriptions.div_ceil(PER_TOKEN)).unwrap_or(u32::MAX);
    let size = Size { subscriptions, tokens, servers: 20 };
    let mut population = Population::new(&size, false, 0)?;
    population.register()?;
    population.subscribe()?;
    population.town.settle();
    let mut nanos = Vec::with_capacity(GROUPS);
    for _ in 0..GROUPS {
        let begin = Instant::now();
        for _ in 0..POLLS {
            if std::hint::black_box(population.town.poll()) {
                return Err(Failure::failed("A machine that was idle has something to do."));
            }
        }
        nanos.push(begin.elapsed().as_secs_f64() * 1e9 / f64::from(POLLS));
    }
    Ok(median(nanos))
}

/// What a server did that had nothing to do.
struct Idle {
    cpu: Duration,
    wake_ups: u64,
}

impl Idle {
    async fn measure(for_so_long: Duration) -> Result<Self, Failure> {
        let (server, _) = Process::start(1, |command| _ = command.stderr(Stdio::null())).await?;
        // What it does to start is not what it does when idle.
        sleep(Duration::from_secs(1)).await;
        let look = || (cpu_of(server.id()), wake_ups_of(server.id()));
        let (cpu, wake_ups) = look();
        sleep(for_so_long).await;
        let (cpu_now, wake_ups_now) = look();
        Ok(Self { cpu: cpu_now.saturating_sub(cpu), wake_ups: wake_ups_now.saturating_sub(wake_ups) })
    }
}

fn cpu_of(process: u32) -> Duration {
    threads_of(process).into_iter().map(|thread| thread.time).sum()
}

/// How often the threads of a process have waited and were woken.
fn wake_ups_of(process: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return 0 };
    let statuses =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    statuses.filter_map(|status| waits(&status)).sum()
}

/// The line `voluntary_ctxt_switches: 12` of a thread's status.
fn waits(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read() {
        for (status, expected) in [
            ("Name:\tntf\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t7\n", Some(12)),
            ("nonvoluntary_ctxt_switches:\t7\n", None),
            ("voluntary_ctxt_switches:\tmany", None),
        ] {
            assert_eq!(waits(status), expected, "{status}");
        }
    }
}
