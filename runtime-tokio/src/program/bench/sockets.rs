//! `ntf bench sockets`: the way of a notification, from the socket it comes by to the push that leaves.
//!
//! Two processes: `ntf server`, which is measured, and this one, with the SMP server and the stand-in for
//! Apple. Between them are TLS and HTTP/2 on loopback. First as much as goes through, which gives the rate and the
//! processor time of the server's process; then a tenth, half and nine tenths of that, which gives the time each took. A
//! notification begins when its block is handed to the SMP server's socket, and ends when the stand-in has read and
//! checked the push.

mod devices;
mod load;
mod source;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::smp::server::{Config, Server};
use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::connect::Connector;
use crate::driver::Driver;
use crate::identity::Identity;
use crate::link::Traffic;
use crate::listen::Listener;
use crate::program::announce::{print, randomness, sentence};
use crate::program::bench::figures::{count, rounded};
use crate::program::bench::measured::{Measured, Wanted};
use crate::program::bench::yardstick::Yardstick;
use crate::program::cli::BenchSockets;
use crate::program::failure::Failure;
use crate::program::signals::stop_asked;
use crate::program::usage::{ThreadTime, cpu_time};
use crate::rt::{NAME, spawn};
use crate::service::{Running, links_max};
use crate::standin::Trial;

use devices::{Device, register};
use load::{Load, Pace, Run, Sight, sights};
use source::Source;

/// Pause between rounds of notifications: as short as a round may be without being the load itself.
const ROUND: Duration = Duration::from_millis(1);

/// Parts of the most that goes through, in percent, at which it is measured how long each takes.
const SHARES: [u8; 3] = [10, 50, 90];

/// The part that stands for all.
const HALF: u8 = 50;

/// Devices that register at a time.
const REGISTERING: usize = 16;

/// Runs `ntf bench sockets`.
///
/// # Errors
///
/// When a part does not start, a notification leads to no push, or SIGINT or SIGTERM comes before the end.
pub(super) async fn run(options: BenchSockets) -> Result<(), Failure> {
    let stop = stop_asked()?;
    let stopped = async { Err(Failure::failed(format!("{}: nothing is measured.", stop.await))) };
    or(stopped, measure(options)).await
}

async fn measure(options: BenchSockets) -> Result<(), Failure> {
    let c = Yardstick::measure();
    let clock = Clock::start();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let trial = Trial::start(loopback, "chat.simplex.app")
        .await
        .map_err(|fault| Failure::failed(sentence(&fault)))?;
    let sights = sights(options.devices);
    let tell = sights.0.clone();
    let (source, smp) = start_source(clock, loopback, move |told| {
        // Full only when this process is at its end.
        let _ = tell.try_send(Sight::Told(told, Instant::now()));
    })
    .await?;
    let server = Measured::start(options.threads, &trial, Wanted::default()).await?;
    let devices = register_all(options.devices, &trial, clock, &server.address, &smp).await?;
    let mut load = Load::new(devices, trial.stand_in(), source.mailbox(), sights);

    load.run(options.notifications.div_ceil(5), Pace::Full).await?;
    let full = phase(&server, &mut load, options.notifications, Pace::Full).await?;
    let mut parts = Vec::new();
    for percent in SHARES {
        // Each takes about as long as all did.
        let notifications = (options.notifications * u64::from(percent)).div_ceil(100);
        let pace = Pace::PerSecond(full.rate() * f64::from(percent) / 100.0);
        parts.push(Part { percent, phase: phase(&server, &mut load, notifications, pace).await? });
    }
    let resident = server.resident();
    drop(server);
    source.stop().await;
    trial.stop().await;

    let figures = Figures { c, full, parts, resident };
    figures.tell(&options);
    if options.json {
        print(&figures.json(options.devices));
    }
    Ok(())
}

async fn start_source(
    clock: Clock,
    listen: SocketAddr,
    mut tell: impl FnMut(source::Told) + Send + 'static,
) -> Result<(Running<Source>, ServerAddress), Failure> {
    let unbound = |error| Failure::failed(format!("Cannot listen on {listen}: {error}."));
    let identity = Identity::make("localhost", Protocol::Smp)?;
    let mut config = Config { nmsg_round: ROUND, ..Config::new(identity.credentials()) };
    // Nobody fetches these messages.
    config.limits.queue_quota = usize::MAX;
    let role = Server::new(config, randomness()?, clock.now());
    let traffic = Arc::new(Traffic::default());
    let address = identity.address("localhost", listen)?;
    let chain = identity.credentials().chain;
    let role = Source::new(role, chain, address, &randomness()?, clock.now());
    let driver = Driver::new(role, clock, Connector::new(clock, traffic.clone()));
    let tls = identity.endpoint(Protocol::Smp)?;
    let listener = Listener::start(listen, tls, clock, driver.link_mailbox(), traffic.clone(), links_max())
        .await
        .map_err(unbound)?;
    let address = identity.address("localhost", listener.address())?;
    let mailbox = driver.mailbox();
    let task = spawn(driver.run(move |_, told| tell(told)));
    Ok((Running { mailbox, task, listener: Some(listener), traffic }, address))
}

async fn register_all(
    count: u32,
    trial: &Trial,
    clock: Clock,
    ntf: &ServerAddress,
    smp: &ServerAddress,
) -> Result<Vec<Device>, Failure> {
    let mut devices = Vec::new();
    let mut left = usize::try_from(count).unwrap_or(0);
    while left > 0 {
        let group = left.min(REGISTERING);
        let registered =
            (0..group).map(|_| register(trial.stand_in(), clock, ntf.clone(), smp.clone())).collect();
        for device in all(registered).await {
            devices.push(device?);
        }
        left -= group;
    }
    Ok(devices)
}

/// The results of all, side by side.
async fn all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        if results.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    results.into_iter().flatten().collect()
}

/// One run, and what it took.
struct Phase {
    notifications: u64,
    run: Run,
    /// Of the server.
    threads: Vec<ThreadTime>,
    /// Of this process.
    beside: Duration,
}

async fn phase(server: &Measured, load: &mut Load, notifications: u64, pace: Pace) -> Result<Phase, Failure> {
    let (before, beside) = (server.threads(), cpu_time());
    let run = load.run(notifications, pace).await?;
    let threads = ThreadTime::since(server.threads(), &before);
    Ok(Phase { notifications, run, threads, beside: cpu_time().saturating_sub(beside) })
}

impl Phase {
    fn rate(&self) -> f64 {
        count(self.notifications) / self.run.took.as_secs_f64().max(1e-6)
    }

    /// Processor time of the server, in µs for each notification.
    fn server_us(&self) -> f64 {
        self.each_us(self.threads.iter().map(|thread| thread.time).sum())
    }

    fn each_us(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / count(self.notifications)
    }
}

/// A run at a part of the most that goes through.
struct Part {
    percent: u8,
    phase: Phase,
}

impl Part {
    /// The median, and what all but one in a hundred and one in a thousand stay below, with their names.
    fn times_ms(&self) -> [(&'static str, f64); 3] {
        let times = &self.phase.run.times;
        [("p50_ms", 500), ("p99_ms", 990), ("p999_ms", 999)]
            .map(|(name, per_mille)| (name, times.per_mille_ms(per_mille)))
    }
}

struct Figures {
    c: Yardstick,
    full: Phase,
    parts: Vec<Part>,
    resident: Option<u64>,
}

impl Figures {
    /// One level deep, so that a script without a parser can read it.
    fn json(&self, devices: u32) -> String {
        let (cpu, c) = (self.full.server_us(), self.c.micros());
        let mut all = Map::from_iter([
            ("devices".to_owned(), devices.into()),
            ("notifications_per_s".to_owned(), rounded(self.full.rate())),
            ("cpu_us_per_notification".to_owned(), rounded(cpu)),
            ("c_us".to_owned(), rounded(c)),
            ("c_source".to_owned(), self.c.source().into()),
            ("c_per_notification".to_owned(), rounded(cpu / c.max(1e-9))),
        ]);
        for part in &self.parts {
            for (name, ms) in part.times_ms() {
                all.insert(format!("{name}_at_{}", part.percent), rounded(ms));
                if part.percent == HALF {
                    all.insert(name.to_owned(), rounded(ms));
                }
            }
        }
        Value::Object(all).to_string()
    }

    fn tell(&self, options: &BenchSockets) {
        let full = &self.full;
        eprintln!(
            "{} notifications of {} devices through a server on {NAME} with {} shards: {:.0} a second.",
            full.notifications,
            options.devices,
            options.threads,
            full.rate(),
        );
        eprintln!(
            "Processor time of the server: {:.1} µs for each, {:.1} C. {}. SMP server and stand-in beside it: {:.1} µs.",
            full.server_us(),
            full.server_us() / self.c.micros().max(1e-9),
            self.c,
            full.each_us(full.beside),
        );
        for thread in full.threads.iter().filter(|thread| !thread.time.is_zero()) {
            eprintln!("    {:16} {:.1} µs", thread.name, full.each_us(thread.time));
        }
        eprintln!(
            "{:16}{:>10}{:>10}{:>10}{:>10}{:>14}{:>10}",
            "at", "a second", "p50, ms", "p99, ms", "p99.9, ms", "server, µs", "held up"
        );
        for part in &self.parts {
            let Part { percent, phase } = part;
            let [(_, p50), (_, p99), (_, p999)] = part.times_ms();
            eprintln!(
                "{:16}{:>10.0}{p50:>10.1}{p99:>10.1}{p999:>10.1}{:>14.1}{:>10}",
                format!("{percent} % of that"),
                phase.rate(),
                phase.server_us(),
                phase.run.held_up,
            );
        }
        eprintln!("Held up: how often all devices were busy when one was due.");
        if let Some(resident) = self.resident {
            eprintln!("Memory of the server: {:.1} MB.", count(resident) / 1e6);
        }
    }
}
