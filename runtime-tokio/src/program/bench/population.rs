//! Many devices with many queues, made over the protocols in one process.

use std::time::{Duration, Instant};

use crate::program::bench::figures::count;
use crate::program::bench::town::{Plan, Queue, Registered, Town};
use crate::program::cli::Size;
use crate::program::failure::Failure;

/// A town in which each device has as many queues as the others, spread over the servers.
pub(super) struct Population {
    pub(super) town: Town,
    /// All places are there from the start, so that what a measurement sees growing is the subscriber.
    devices: Vec<Option<Registered>>,
    servers: u64,
    queues: u64,
}

/// What making something took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) count: u64,
    /// By the clock, with the work of devices and servers in it.
    pub(super) wall: Duration,
    /// Of the subscriber alone.
    pub(super) busy: Duration,
}

impl Made {
    /// Processor time of the subscriber for each.
    pub(super) fn each(&self) -> Duration {
        self.busy.checked_div(u32::try_from(self.count).unwrap_or(u32::MAX)).unwrap_or_default()
    }

    /// In seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.wall.as_secs_f64()
    }

    pub(super) fn each_us(&self) -> f64 {
        self.busy.as_secs_f64() * 1e6 / count(self.count.max(1))
    }
}

impl Population {
    /// Nobody, with room for so many. `more` servers are beside those that queues are spread over.
    pub(super) fn new(size: &Size, services: bool, more: usize) -> Result<Self, Failure> {
        let servers = usize::from(size.servers);
        let town = Town::new(Plan { servers: servers + more, services, ..Plan::default() })?;
        let tokens = usize::try_from(size.tokens).unwrap_or(0);
        let devices = vec![None; tokens];
        let queues = size.subscriptions / u64::from(size.tokens).max(1);
        Ok(Self { town, devices, servers: u64::from(size.servers), queues })
    }

    /// Queues that all devices have together.
    pub(super) fn subscriptions(&self) -> u64 {
        self.queues * u64::try_from(self.devices.len()).unwrap_or(0)
    }

    /// Registers and verifies everybody.
    pub(super) fn register(&mut self) -> Result<Made, Failure> {
        let (begin, _) = (Instant::now(), self.town.take_busy());
        for (number, device) in (0..).zip(&mut self.devices) {
            *device = Some(self.town.register(number)?);
        }
        self.town.hang_up();
        Ok(self.made(begin, u64::from(self.town.subscriber().gauges().tokens)))
    }

    /// Has everybody's queues watched, and waits until the servers have granted it.
    pub(super) fn subscribe(&mut self) -> Result<Made, Failure> {
        let (begin, _) = (Instant::now(), self.town.take_busy());
        for device in self.devices.iter().flatten() {
            let own = device.number * self.queues..(device.number + 1) * self.queues;
            let queues: Vec<_> = own
                .map(|number| Queue { number, server: usize::try_from(number % self.servers).unwrap_or(0) })
                .collect();
            self.town.dial()?;
            self.town.subscribe(device, &queues)?;
        }
        self.town.hang_up();
        let (held, granted) = {
            let subscriber = self.town.subscriber();
            (
                u64::from(subscriber.gauges().subscriptions),
                subscriber.counters().subscriptions.confirmed.total(),
            )
        };
        if held != self.subscriptions() || granted < held {
            return Err(Failure::failed(format!("{granted} of {held} subscriptions are granted.")));
        }
        Ok(self.made(begin, held))
    }

    fn made(&mut self, begin: Instant, count: u64) -> Made {
        Made { count, wall: begin.elapsed(), busy: self.town.take_busy() }
    }
}
