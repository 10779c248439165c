//! What devices are sent to do, so many of them at a time, and how long each took.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ntf_core::base::rng::Seed;
use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::model::server::ServerAddress;

use super::crowd::{Crowd, Errand, Told};
use crate::clock::Clock;
use crate::connect::Connector;
use crate::driver::Driver;
use crate::link::Traffic;
use crate::program::bench::times::Times;
use crate::program::bench::town::device_token;
use crate::program::failure::Failure;
use crate::rt::spawn;
use crate::service::Running;
use crate::standin::StandIn;
use crate::wait::timeout;

/// Nothing moves for this long: something is lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is seen of devices.
enum Sight {
    Told(Told, Instant),
    /// The stand-in has accepted a push to this device.
    Pushed(u32, Instant),
}

/// A crowd that does as it is told.
pub(super) struct Load {
    crowd: Running<Crowd>,
    tell: Sender<Sight>,
    sights: Receiver<Sight>,
    at_once: u32,
    /// When each device was told to do what it is at.
    begun: Vec<Option<Instant>>,
}

/// What one run gave.
pub(super) struct Run {
    pub(super) count: u32,
    pub(super) took: Duration,
    pub(super) times: Times,
}

impl Load {
    /// Nobody is connected yet. At most `devices` will be.
    pub(super) fn new(server: ServerAddress, clock: Clock, seed: &Seed, devices: u32, at_once: u32) -> Self {
        let devices = usize::try_from(devices).unwrap_or(usize::MAX);
        // A few things are told of each device.
        let (tell, sights) = mailbox::bounded(devices.saturating_mul(4));
        let traffic = Arc::new(Traffic::default());
        let driver = Driver::new(Crowd::new(server, seed), clock, Connector::new(clock, traffic.clone()));
        let (mailbox, told) = (driver.mailbox(), tell.clone());
        let task = spawn(driver.run(move |_, report| {
            // Full only where something was told again and again, of which nobody waits for more.
            let _ = told.try_send(Sight::Told(report, Instant::now()));
        }));
        let crowd = Running { mailbox, task, listener: None, traffic };
        Self { crowd, tell, sights, at_once, begun: vec![None; devices] }
    }

    /// Opens the links of these devices, each of which is the next one. Done with a device when the hellos are said.
    pub(super) async fn connect(&mut self, devices: Range<u32>) -> Result<Run, Failure> {
        self.run(devices, |_| Errand::Connect).await
    }

    /// Registers these devices. Done with a device when its push is accepted.
    pub(super) async fn register(&mut self, devices: Range<u32>, stand_in: &StandIn) -> Result<Run, Failure> {
        for device in devices.clone() {
            let mut pushes = stand_in.subscribe(&device_token(device.into()));
            let tell = self.tell.clone();
            spawn(async move {
                if let Some(push) = pushes.recv().await {
                    let _ = tell.try_send(Sight::Pushed(device, push.at));
                }
            });
        }
        self.run(devices, Errand::Register).await
    }

    async fn run(&mut self, devices: Range<u32>, errand: impl Fn(u32) -> Errand) -> Result<Run, Failure> {
        let begun = Instant::now();
        let count = u32::try_from(devices.len()).unwrap_or(u32::MAX);
        let mut run = Run { count, took: Duration::ZERO, times: Times::new() };
        let (mut waiting, mut out, mut done) = (devices, 0, 0);
        while done < count {
            while out < self.at_once
                && let Some(device) = waiting.next()
            {
                self.send(device, errand(device))?;
                out += 1;
            }
            let sight = match timeout(PATIENCE, self.sights.recv()).await {
                Ok(Some(sight)) => sight,
                Ok(None) | Err(_) => {
                    return Err(Failure::failed(format!("{out} of {count} devices are stuck.")));
                }
            };
            if let Some(took) = self.note(sight)? {
                run.times.record(took);
                out -= 1;
                done += 1;
            }
        }
        run.took = begun.elapsed();
        Ok(run)
    }

    fn send(&mut self, device: u32, errand: Errand) -> Result<(), Failure> {
        if let Some(begun) = self.begun(device) {
            *begun = Some(Instant::now());
        }
        let is_sent = self.crowd.send(errand);
        is_sent.then_some(()).ok_or_else(|| Failure::failed("The crowd of devices has ended."))
    }

    /// How long a device took for its errand, if this is its end.
    fn note(&mut self, sight: Sight) -> Result<Option<Duration>, Failure> {
        let (device, at) = match sight {
            Sight::Told(Told::Ready(device), at) | Sight::Pushed(device, at) => (device, at),
            Sight::Told(Told::Failed(why), _) => {
                return Err(Failure::failed(format!("Not measured: {why}.")));
            }
        };
        let begun = self.begun(device).and_then(Option::take);
        Ok(begun.map(|begun| at.saturating_duration_since(begun)))
    }

    fn begun(&mut self, device: u32) -> Option<&mut Option<Instant>> {
        usize::try_from(device).ok().and_then(|at| self.begun.get_mut(at))
    }

    /// Closes all links.
    pub(super) async fn stop(self) {
        self.crowd.stop().await;
    }
}
