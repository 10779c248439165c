//! `ntf bench soak`: everything at once for a long time, and whether the server is then as it was.
//!
//! `ntf server` runs in a process of its own; SMP servers, phones, senders, strangers and the stand-in for Apple are in
//! this one, and everything goes over TLS and HTTP/2 on loopback. There are tides. Phones come and register; messages go
//! to them while one thing after the other goes wrong ([`deeds`]); then trouble ends, every message has to arrive, and all
//! go. At each ebb the server should hold nothing: its gauges, its descriptors and its memory are looked at, and at the
//! end its counters of lost work ([`watch`], [`verdict`]).

mod deeds;
mod ledger;
mod phone;
mod post;
mod scene;
mod stranger;
mod verdict;
mod watch;

use std::time::{Duration, Instant};

use futures_lite::future::or;

use crate::program::announce::print;
use crate::program::bench::figures::count;
use crate::program::cli::BenchSoak;
use crate::program::failure::Failure;
use crate::program::signals::stop_asked;

use scene::Scene;
use verdict::{Record, TIDES_MIN};
use watch::Reading;

/// Runs `ntf bench soak`.
///
/// # Errors
///
/// When a part does not start, something is lost or left behind, or SIGINT or SIGTERM comes before the end.
pub(super) async fn run(options: BenchSoak) -> Result<(), Failure> {
    let stop = stop_asked()?;
    let stopped = async { Err(Failure::failed(format!("{}: nothing is concluded.", stop.await))) };
    or(stopped, soak(options)).await
}

async fn soak(options: BenchSoak) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut scene = Scene::start(&options).await?;
    let before = scene.look().await?;
    let mut record = Record { before, rate: options.rate, ..Record::default() };
    let time = Duration::from_secs(options.minutes.saturating_mul(60));
    while record.complaints().is_empty() && (begun.elapsed() < time || record.ebbs.len() < TIDES_MIN) {
        scene.rise(options.devices).await?;
        scene.high().await?;
        let ebb = scene.ebb(&record.before).await?;
        record.ebbs.push(ebb);
        (record.mail, record.done) = (scene.mail(), scene.done);
        tell(&record, begun.elapsed());
    }
    scene.stop().await;
    let complaints = record.complaints();
    if options.json {
        print(&record.json(begun.elapsed().as_secs_f64() / 60.0).to_string());
    }
    match complaints.as_slice() {
        [] => Ok(()),
        complaints => Err(Failure::failed(format!("The soak has failed: {}.", complaints.join("; ")))),
    }
}

/// One line for each tide.
fn tell(record: &Record, since: Duration) {
    let (mail, done) = (record.mail, record.done);
    let last = record.ebbs.last();
    eprintln!(
        "Tide {} is out after {:.1} min: {} registrations, {} messages, of which {} are fetched ({} without a push), \
         {} refused and {} gone with their queues; {} provider faults, {} restarts, {} strangers. Memory {:.1} MB, \
         {} descriptors.",
        record.ebbs.len(),
        since.as_secs_f64() / 60.0,
        done.registrations,
        mail.sent,
        mail.fetched,
        mail.found,
        mail.refused,
        mail.gone,
        done.provider_faults,
        done.restarts,
        done.strangers,
        last.map_or(0.0, |seen| count(seen.memory) / 1e6),
        last.map_or(0, Reading::files),
    );
}
