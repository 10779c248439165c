//! What people see of the demonstration, and the one line that programs read.

use std::io::{self, IsTerminal, Write};

use ntf_core::Mono;
use ntf_core::delivery::policy::PushPolicy;
use serde_json::json;

use super::ledger::{Ledger, Summary, Way};
use super::scene::{Party, Scene};
use super::servers::QUIET;
use crate::program::announce::print;
use crate::program::cli;

/// Beyond this many messages a table is no longer read; a line that counts is.
const ROWS_MAX: u32 = 40;

/// The progress line is written anew after so many messages.
const PROGRESS_STEP: u64 = 50;

/// How the run is told: to people as a table on standard output, to programs as JSON there.
pub(super) struct Show {
    json: bool,
    table: bool,
    live: bool,
}

impl Show {
    pub(super) fn new(options: &cli::Demo) -> Self {
        Self {
            json: options.json,
            table: !options.json && options.messages <= ROWS_MAX,
            live: io::stderr().is_terminal(),
        }
    }

    pub(super) fn parties(&self, scene: &Scene, options: &cli::Demo) {
        tell("Everything below runs in this process and talks over real TLS sockets on loopback.");
        for (name, address) in scene.addresses() {
            if let Some(address) = address {
                tell(&format!("  {name:<28} {address}"));
            }
        }
        if options.policy != PushPolicy::Mutable {
            tell(&format!(
                "Devices learn of messages by the policy {}; alerts repeat after {} s instead of minutes, and are opened at once.",
                options.policy.name(),
                QUIET.as_secs()
            ));
        }
    }

    pub(super) fn registered(&self, options: &cli::Demo) {
        tell(&format!(
            "{} devices registered: each proved with a verification push that it receives ours.",
            options.devices
        ));
        if options.direct > 0 {
            tell(&format!(
                "{} more hold direct connections: nobody but the SMP server knows of them.",
                options.direct
            ));
        }
    }

    pub(super) fn ready(&self, options: &cli::Demo) {
        tell(&format!(
            "{} queues created and watched; sending {} messages.",
            u64::from(options.devices + options.direct) * u64::from(options.queues),
            options.messages
        ));
    }

    pub(super) fn table_head(&self) {
        if self.table {
            print(&format!(
                "\n{:>4}  {:<9} {:>12} {:>12} {:>12} {:>12} {:>12}   {}",
                "#", "to", "at SMP", "subscriber", "Apple", "device", "fetched", "message"
            ));
            print(&format!("{:>4}  {:<9} {}", "", "", "milliseconds after the sender's SEND"));
        }
    }

    pub(super) fn row(&self, way: &Way, ledger: &Ledger, scene: &Scene) {
        if self.table {
            let step = |at: Option<Mono>| {
                at.map_or_else(|| "merged".to_owned(), |at| format!("{:.1}", millis(way.asked, at)))
            };
            print(&format!(
                "{:>4}  {:<9} {:>12} {:>12} {:>12} {:>12} {:>12}   {}",
                way.number,
                format!("device {}", scene.device_of(way.queue) + 1),
                step(way.sent),
                step(way.noticed),
                step(way.accepted),
                step(way.opened),
                step(way.fetched),
                way.text
            ));
        } else if ledger.done().is_multiple_of(PROGRESS_STEP) || ledger.done() == ledger.messages() {
            self.progress(ledger);
        }
    }

    fn progress(&self, ledger: &Ledger) {
        let line = format!("{} of {} messages fetched and opened", ledger.done(), ledger.messages());
        if self.live {
            let end = if ledger.done() == ledger.messages() { "\n" } else { "" };
            let _ = write!(io::stderr(), "\r{line}{end}");
        } else {
            tell(&line);
        }
    }

    pub(super) fn summary(&self, summary: &Summary, parties: &[Party]) {
        if self.json {
            print(
                &json!({
                    "messages": summary.messages,
                    "pushed": summary.pushed,
                    "decrypted": summary.decrypted,
                    "lost": summary.lost,
                    "p50_ms": summary.p50_ms,
                    "p99_ms": summary.p99_ms,
                })
                .to_string(),
            );
            return;
        }
        print(&format!(
            "\n{} messages, carried by {} pushes after the verification pushes; {} fetched and opened, {} lost.",
            summary.messages, summary.pushed, summary.decrypted, summary.lost
        ));
        print(&format!(
            "From SEND accepted to opened on the device: {:.1} ms at the median, {:.1} ms at the 99th percentile.",
            summary.p50_ms, summary.p99_ms
        ));
        print("\nWho learned what (from each party's own tables and sockets, not from this text):");
        for party in parties {
            learned(party);
        }
    }
}

fn learned(party: &Party) {
    let traffic = match (party.received, party.sent) {
        (Some(received), Some(sent)) => format!("  ({} in, {} out)", bytes(received), bytes(sent)),
        _ => String::new(),
    };
    print(&format!("\n  {}{traffic}", party.name));
    for fact in &party.facts {
        // What is sealed is not text.
        let is_text = |sample: &str| !sample.contains(|char: char| char.is_control() || char == '\u{fffd}');
        let sample = match &fact.sample {
            Some(sample) if is_text(sample) => format!("   e.g. {sample}"),
            Some(_) => "   sealed".to_owned(),
            None => String::new(),
        };
        print(&format!("    {:>8}  {}{sample}", fact.count, fact.what));
    }
}

fn bytes(count: u64) -> String {
    if count < 10_000 { format!("{count} B") } else { format!("{} KB", count / 1000) }
}

fn millis(from: Mono, to: Mono) -> f64 {
    to.since(from).as_secs_f64() * 1e3
}

fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
