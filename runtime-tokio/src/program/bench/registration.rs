//! `ntf bench registration`: devices come to a server and register.
//!
//! Two processes: `ntf server`, which is measured, and this one, with all devices and the stand-in for Apple. First each
//! device opens a link, which is TCP, TLS 1.3 and the hellos of NTF; that gives what a handshake takes, and by how much
//! the server's memory grows for each link that stays open. Then each registers over its link: from TNEW until the
//! stand-in has read and checked the push with the code. So many do so at a time, and the next one as soon as one is done.

mod crowd;
mod load;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_lite::future::or;
use serde_json::json;

use crate::clock::Clock;
use crate::program::announce::{print, randomness, sentence};
use crate::program::bench::figures::{count, rounded};
use crate::program::bench::measured::{Measured, Wanted};
use crate::program::bench::yardstick::Yardstick;
use crate::program::cli::BenchRegistration;
use crate::program::failure::Failure;
use crate::program::signals::stop_asked;
use crate::program::usage::{ThreadTime, cpu_time};
use crate::rt::NAME;
use crate::service::links_max;
use crate::standin::Trial;

use load::{Load, Run};

/// All devices come from one address, which is granted far less than this bench asks for.
const SETTINGS: &str = "\
[devices]
links_per_source_max = 50000
registrations_at_once = 1000000
verification_pushes_at_once = 1000000
";

/// Devices before those that count: connections to the provider are made, tables and allocators begin to grow.
const WARM_UP: u32 = 100;

/// Runs `ntf bench registration`.
///
/// # Errors
///
/// When a part does not start, a device cannot connect or register, or SIGINT or SIGTERM comes before the end.
pub(super) async fn run(options: BenchRegistration) -> Result<(), Failure> {
    let stop = stop_asked()?;
    let stopped = async { Err(Failure::failed(format!("{}: nothing is measured.", stop.await))) };
    let figures = or(stopped, measure(&options)).await?;
    figures.tell(&options);
    if options.json {
        print(&figures.json());
    }
    Ok(())
}

async fn measure(options: &BenchRegistration) -> Result<Figures, Failure> {
    let c = Yardstick::measure();
    let all = WARM_UP + options.links;
    if links_max() < usize::try_from(all).unwrap_or(usize::MAX) {
        return Err(Failure::failed(format!("The system lets a process have fewer than {all} connections.")));
    }
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let trial = Trial::start(loopback, "chat.simplex.app")
        .await
        .map_err(|fault| Failure::failed(sentence(&fault)))?;
    let wanted = Wanted { settings: Some(SETTINGS), ..Wanted::default() };
    let server = Measured::start(options.threads, &trial, wanted).await?;
    let mut load = Load::new(server.address.clone(), Clock::start(), &randomness()?, all, options.at_once);

    load.connect(0..WARM_UP).await?;
    load.register(0..WARM_UP, trial.stand_in()).await?;
    let links = phase(&server, load.connect(WARM_UP..all)).await?;
    let registrations = phase(&server, load.register(WARM_UP..all, trial.stand_in())).await?;
    load.stop().await;
    drop(server);
    trial.stop().await;
    Ok(Figures { c, links, registrations })
}

/// One run, and what it took.
struct Phase {
    run: Run,
    /// Of the server.
    server: Duration,
    /// Of this process.
    beside: Duration,
    /// By how much the server's memory has grown, in bytes.
    growth: u64,
}

async fn phase(
    server: &Measured,
    work: impl Future<Output = Result<Run, Failure>>,
) -> Result<Phase, Failure> {
    let resident = || {
        server.resident().ok_or_else(|| Failure::failed("This system does not tell how much memory is used."))
    };
    let (threads, memory, beside) = (server.threads(), resident()?, cpu_time());
    let run = work.await?;
    let beside = cpu_time().saturating_sub(beside);
    let threads = ThreadTime::since(server.threads(), &threads);
    Ok(Phase {
        run,
        server: threads.iter().map(|thread| thread.time).sum(),
        beside,
        growth: resident()?.saturating_sub(memory),
    })
}

impl Phase {
    fn rate(&self) -> f64 {
        f64::from(self.run.count) / self.run.took.as_secs_f64().max(1e-6)
    }

    /// Of a time or a number for all, the part of one.
    fn each(&self, all: f64) -> f64 {
        all / f64::from(self.run.count.max(1))
    }

    /// Processor time of the server for each, in µs.
    fn server_us(&self) -> f64 {
        self.each(self.server.as_secs_f64() * 1e6)
    }

    fn bytes(&self) -> f64 {
        self.each(count(self.growth))
    }
}

struct Figures {
    c: Yardstick,
    links: Phase,
    registrations: Phase,
}

impl Figures {
    fn in_c(&self, micros: f64) -> f64 {
        micros / self.c.micros().max(1e-9)
    }

    fn tell(&self, options: &BenchRegistration) {
        eprintln!("{}.", self.c);
        eprintln!(
            "A server on {NAME} with {} shards, and {} devices, {} at a time:",
            options.threads, options.links, options.at_once,
        );
        eprintln!(
            "{:24}{:>10}{:>12}{:>8}{:>10}{:>10}{:>14}{:>14}",
            "", "a second", "server, µs", "in C", "p50, ms", "p99, ms", "memory, bytes", "devices, µs",
        );
        for (name, phase) in
            [("link, with its handshake", &self.links), ("registration", &self.registrations)]
        {
            eprintln!(
                "{name:24}{:>10.0}{:>12.1}{:>8.1}{:>10.1}{:>10.1}{:>14.0}{:>14.1}",
                phase.rate(),
                phase.server_us(),
                self.in_c(phase.server_us()),
                phase.run.times.percentile_ms(50),
                phase.run.times.percentile_ms(99),
                phase.bytes(),
                phase.each(phase.beside.as_secs_f64() * 1e6),
            );
        }
        eprintln!(
            "Times are from being asked to be done, with the wait for others; devices and stand-in share the processors."
        );
    }

    fn json(&self) -> String {
        let (links, registrations) = (&self.links, &self.registrations);
        json!({
            "links": links.run.count,
            "handshakes_per_s": rounded(links.rate()),
            "cpu_us_per_handshake": rounded(links.server_us()),
            "c_per_handshake": rounded(self.in_c(links.server_us())),
            "handshake_p50_ms": rounded(links.run.times.percentile_ms(50)),
            "handshake_p99_ms": rounded(links.run.times.percentile_ms(99)),
            "bytes_per_link": rounded(links.bytes()),
            "registrations": registrations.run.count,
            "registrations_per_s": rounded(registrations.rate()),
            "cpu_us_per_registration": rounded(registrations.server_us()),
            "c_per_registration": rounded(self.in_c(registrations.server_us())),
            "p50_ms": rounded(registrations.run.times.percentile_ms(50)),
            "p99_ms": rounded(registrations.run.times.percentile_ms(99)),
            "bytes_per_registration": rounded(registrations.bytes()),
            "c_us": rounded(self.c.micros()),
            "c_source": self.c.source(),
        })
        .to_string()
    }
}
