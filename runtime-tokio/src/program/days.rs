//! `ntf sim --direct`: simulated days of a device with direct connections, what was learned beside fixed
//! intervals on the same networks.

use std::time::Duration;

use ntf_core::client::Pace;
use ntf_core::sim::{Day, DayReport, Ground};
use serde_json::json;

use crate::program::announce::print;
use crate::program::failure::Failure;

/// SMP servers of the device, each with two queues.
const SERVERS: u8 = 3;

/// What is lived through on each ground. 45 s is the default of ntfy's servers.
const PACES: [(&str, Pace); 4] = [
    ("learned", Pace::Learned),
    ("45 s", Pace::Fixed(Duration::from_secs(45))),
    ("60 s", Pace::Fixed(Duration::from_secs(60))),
    ("20 min", Pace::Fixed(Duration::from_secs(1200))),
];

/// Lives through every day and prints a table, or a JSON object for each day.
///
/// # Errors
///
/// When a message was lost, came later than the client says it may, or a machine broke a law.
pub(super) fn run(seed: u64, as_json: bool) -> Result<(), Failure> {
    if !as_json {
        print(&format!(
            "{:<9} {:<8} {:>8} {:>8} {:>9} {:>9} {:>11} {:>8} {:>5} {:>4} {:>10}",
            "network",
            "pings",
            "last",
            "TCP",
            "idle KB/h",
            "wakes/h",
            "radio/h",
            "day MB",
            "sent",
            "lost",
            "latest"
        ));
    }
    let mut failures = Vec::new();
    for ground in Ground::ALL {
        for (name, pace) in PACES {
            let report = Day { seed, ground, pace, servers: SERVERS }.live();
            print(&line(ground, name, &report, as_json));
            if let Some(why) = failure(&report) {
                failures.push(format!("{ground}, {name}: {why}"));
            }
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(Failure::failed(format!("A promise was broken. {}.", failures.join("; ")))),
    }
}

fn line(ground: Ground, pace: &str, report: &DayReport, as_json: bool) -> String {
    let (idle, day) = (&report.idle_hour, &report.day);
    let idle_bytes = idle.bytes_in + idle.bytes_out;
    let day_bytes = day.bytes_in + day.bytes_out;
    if as_json {
        let object = json!({
            "network": ground.to_string(),
            "pings": pace,
            "interval_s": report.interval.as_secs(),
            "idle_bytes_per_hour": idle_bytes,
            "probes_s": report.probes.map(|after| after.as_secs()),
            "idle_wake_ups_per_hour": idle.wake_ups,
            "idle_radio_wake_ups_per_hour": report.idle_radio,
            "day_bytes": day_bytes,
            "day_wake_ups": day.wake_ups,
            "sent": report.sent,
            "lost": report.lost,
            "latest_ms": u64::try_from(report.late_max.as_millis()).unwrap_or(u64::MAX),
        });
        return object.to_string();
    }
    format!(
        "{:<9} {:<8} {:>6} s {:>8} {:>9} {:>9} {:>11} {:>8.1} {:>5} {:>4} {:>8.1} s",
        ground.to_string(),
        pace,
        report.interval.as_secs(),
        report.probes.map_or_else(|| "off".to_owned(), |after| format!("{} s", after.as_secs())),
        idle_bytes / 1000,
        idle.wake_ups,
        report.idle_radio,
        f64::from(u32::try_from(day_bytes / 1000).unwrap_or(u32::MAX)) / 1000.0,
        report.sent,
        report.lost,
        report.late_max.as_secs_f64(),
    )
}

fn failure(report: &DayReport) -> Option<String> {
    if report.lost > 0 {
        return Some(format!("{} messages are lost", report.lost));
    }
    if report.margin.is_none() {
        return Some("a message came later than the client says".to_owned());
    }
    report.violations.first().cloned()
}
