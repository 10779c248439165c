//! Whole towns in simulated time, each from one number. A run that fails prints how to repeat it.

use ntf_core::sim::{Run, Scenario, Size};

#[test]
fn short_seeds() {
    let from: u64 = std::env::var("FROM").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::var("COUNT").ok().and_then(|s| s.parse().ok()).unwrap_or(20);
    for seed in from..from + count {
        let start = std::time::Instant::now();
        let report = Run::of(Scenario::draw(seed, Size::SHORT));
        println!(
            "{seed} {:?} {:?} {} {}/{}/{} {:?}",
            report.simulated,
            start.elapsed(),
            report.steps,
            report.sent,
            report.taken,
            report.learned,
            report.excuses
        );
        for violation in &report.violations {
            println!("   seed {seed} {violation}");
        }
    }
}
