//! `ntf bench idle`: what a server costs that has nothing to do.
//!
//! First the question whether there is anything to do, which a driver asks after every input, of machines with few to
//! very many subscriptions: the answer should take the same time. Then `ntf server` as a process of its own with as many,
//! made over sockets, and its links to twenty SMP servers and a device, all at rest: its processor time, and how often
//! its threads were woken.

mod device;
mod grants;
mod process;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::announce::print;
use crate::program::bench::figures::{count, median, rounded};
use crate::program::bench::population::Population;
use crate::program::cli::{BenchIdle, Size};
use crate::program::failure::Failure;

use process::Idle;

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
    let process = Idle::measure(options.subscriptions, Duration::from_secs(options.seconds)).await?;
    for (subscriptions, nanos) in &polls {
        eprintln!("{subscriptions} subscriptions: a poll of the idle machine takes {nanos:.1} ns.");
    }
    eprintln!(
        "An idle server with {} subscriptions at {} SMP servers, in {} s: {} ms of processor time, woken {} times; {:.1} MB.",
        options.subscriptions,
        process::SERVERS,
        options.seconds,
        process.cpu.as_millis(),
        process.wake_ups,
        count(process.memory.unwrap_or(0)) / 1e6,
    );
    if options.json {
        print(&json(&polls, &process, &options).to_string());
    }
    Ok(())
}

fn json(polls: &[(u64, f64)], process: &Idle, options: &BenchIdle) -> Value {
    let polls: Vec<_> = polls
        .iter()
        .map(|(subscriptions, nanos)| json!({ "subscriptions": subscriptions, "poll_ns": rounded(*nanos) }))
        .collect();
    json!({
        "polls": polls,
        "subscriptions": options.subscriptions,
        "smp_servers": process::SERVERS,
        "seconds": options.seconds,
        "cpu_ms": u64::try_from(process.cpu.as_millis()).unwrap_or(u64::MAX),
        "wake_ups": process.wake_ups,
        "memory_bytes": process.memory,
        "wake_ups_per_s": rounded(count(process.wake_ups) / count(options.seconds.max(1))),
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
