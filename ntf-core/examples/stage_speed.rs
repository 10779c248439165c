//! How fast the stage plays natively: the native half of `runtime-wasm/bench/run.sh`, which plays the same in a page's
//! engine.
//!
//! `cargo run --release -p ntf-core --features sim,std --example stage_speed [HOURS]`

#![expect(clippy::disallowed_methods, reason = "it takes the time of a run, and hands none to a machine")]

use ntf_core::Mono;
use ntf_core::sim::stage::{Deed, Options, Stage};
use std::time::Instant;

fn main() {
    let hours: u64 = std::env::args().nth(1).and_then(|hours| hours.parse().ok()).unwrap_or(8);
    let mut stage = Stage::new(Options::default()).expect("the usual options are lawful");
    let go_on = |stage: &mut Stage, until: Mono| {
        while stage.now() < until {
            stage.run(until, 100);
        }
    };
    go_on(&mut stage, Mono::from_micros(120_000_000));
    stage.act(Deed::Autoplay(true)).expect("it makes sense at any time");
    let (began, busy_before, before) = (Instant::now(), busy(), stage.steps());
    go_on(&mut stage, Mono::from_micros(hours * 3_600_000_000));
    let (seconds, steps) = (began.elapsed().as_secs_f64(), stage.steps() - before);
    // Where there is no such count, the clock has to do.
    let busy = busy().zip(busy_before).map_or(seconds, |(after, before)| after - before);
    let hash = stage.trace_hash();
    println!("{{\"steps\":{steps},\"seconds\":{seconds:.3},\"busy\":{busy:.3},\"hash\":\"{hash}\"}}");
}

/// Seconds for which a processor has run this thread, where Linux counts them.
fn busy() -> Option<f64> {
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    counts.split_whitespace().next()?.parse::<f64>().ok().map(|nanos| nanos / 1e9)
}
