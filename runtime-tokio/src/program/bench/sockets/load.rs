//! Notifications, as many as are asked for, and how long each was on its way.
//!
//! Each device has one notification on its way at most, so none merges with another, each has a push of
//! its own, and which push is whose needs no key.

use std::time::{Duration, Instant};

use ntf_core::host::mailbox::{self, Receiver, Sender};

use super::devices::Device;
use super::source::{Send, Told};
use crate::driver::Letter;
use crate::program::bench::times::Times;
use crate::program::failure::Failure;
use crate::rt::spawn;
use crate::standin::StandIn;
use crate::wait::timeout;

/// Nothing moves for this long: something is lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// At a pace, whatever has become due is sent this often.
const STEP: Duration = Duration::from_millis(1);

/// What is seen of notifications.
pub(super) enum Sight {
    Told(Told, Instant),
    Arrived(u32, Instant),
}

/// How fast notifications follow each other.
#[derive(Clone, Copy)]
pub(super) enum Pace {
    /// Each device's next one as soon as it had the last.
    Full,
    /// So many a second, as long as a device is free.
    PerSecond(f64),
}

/// All devices, and where their notifications are asked for and seen.
pub(super) struct Load {
    devices: Vec<Device>,
    source: Sender<Letter<Send>>,
    sights: Receiver<Sight>,
    left: Vec<Option<Instant>>,
    free: Vec<u32>,
}

/// What one run gave.
pub(super) struct Run {
    pub(super) took: Duration,
    pub(super) times: Times,
    /// Notifications that were due while every device was busy.
    pub(super) held_up: u64,
}

/// Where sights go.
pub(super) fn sights(devices: u32) -> (Sender<Sight>, Receiver<Sight>) {
    // Two of each notification, and what is refused.
    mailbox::bounded(usize::try_from(devices).unwrap_or(usize::MAX).saturating_mul(4))
}

impl Load {
    pub(super) fn new(
        devices: Vec<Device>,
        stand_in: &StandIn,
        source: Sender<Letter<Send>>,
        (tell, sights): (Sender<Sight>, Receiver<Sight>),
    ) -> Self {
        for (number, device) in (0..).zip(&devices) {
            let mut pushes = stand_in.subscribe(&String::from_utf8_lossy(&device.token.token));
            let tell = tell.clone();
            spawn(async move {
                while let Some(push) = pushes.recv().await {
                    if tell.send(Sight::Arrived(number, push.at)).await.is_err() {
                        return;
                    }
                }
            });
        }
        let left = devices.iter().map(|_| None).collect();
        let free = (0..).zip(&devices).map(|(number, _)| number).collect();
        Self { devices, source, sights, left, free }
    }

    /// Sends so many, and waits for the last.
    pub(super) async fn run(&mut self, notifications: u64, pace: Pace) -> Result<Run, Failure> {
        let begun = Instant::now();
        let mut run = Run { took: Duration::ZERO, times: Times::new(), held_up: 0 };
        let (mut sent, mut arrived) = (0, 0);
        let mut moved = begun;
        while arrived < notifications {
            let due = notifications.min(pace.due(begun.elapsed()));
            while sent < due
                && let Some(device) = self.free.pop()
            {
                self.send(device)?;
                sent += 1;
            }
            if matches!(pace, Pace::PerSecond(_)) && sent < due {
                run.held_up += 1;
            }
            match timeout(pace.patience(sent < notifications), self.sights.recv()).await {
                Ok(Some(sight)) => {
                    moved = Instant::now();
                    if let Some(took) = self.note(sight)? {
                        run.times.record(took);
                        arrived += 1;
                    }
                }
                Ok(None) => return Err(Failure::failed("The source of notifications has ended.")),
                Err(_) if moved.elapsed() < PATIENCE => {}
                Err(_) => {
                    return Err(Failure::failed(format!(
                        "{} of {sent} notifications have led to no push.",
                        sent - arrived
                    )));
                }
            }
        }
        run.took = begun.elapsed();
        Ok(run)
    }

    fn send(&self, device: u32) -> Result<(), Failure> {
        let to = usize::try_from(device).ok().and_then(|at| self.devices.get(at));
        let to =
            to.map(|device| device.sender.clone()).ok_or_else(|| Failure::failed("There is no device."))?;
        self.source
            .try_send(Letter::Mail(Send { device, to }))
            .map_err(|_| Failure::failed("The source of notifications has ended."))
    }

    /// How long a notification took, if this is its end.
    fn note(&mut self, sight: Sight) -> Result<Option<Duration>, Failure> {
        match sight {
            Sight::Told(Told::Left(devices), at) => {
                for device in devices {
                    if let Some(left) = usize::try_from(device).ok().and_then(|at| self.left.get_mut(at)) {
                        *left = Some(at);
                    }
                }
                Ok(None)
            }
            Sight::Told(Told::Refused(why), _) => {
                Err(Failure::failed(format!("The SMP server took no message: {why}.")))
            }
            Sight::Arrived(device, at) => {
                let left = usize::try_from(device).ok().and_then(|at| self.left.get_mut(at)?.take());
                let left =
                    left.ok_or_else(|| Failure::failed("A push came for which there was no message."))?;
                self.free.push(device);
                Ok(Some(at.saturating_duration_since(left)))
            }
        }
    }
}

impl Pace {
    /// Notifications that are due by now.
    fn due(self, since: Duration) -> u64 {
        match self {
            Self::Full => u64::MAX,
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count, far below 2^53"
            )]
            Self::PerSecond(rate) => (since.as_secs_f64() * rate) as u64,
        }
    }

    /// How long to wait for a sight, while there is more to send or not.
    const fn patience(self, has_more: bool) -> Duration {
        match self {
            Self::PerSecond(_) if has_more => STEP,
            Self::PerSecond(_) | Self::Full => PATIENCE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_over_time() {
        for (millis, expected) in [(0, 0), (1, 0), (10, 5), (1000, 500), (60_000, 30_000)] {
            assert_eq!(Pace::PerSecond(500.0).due(Duration::from_millis(millis)), expected, "{millis} ms");
        }
        assert_eq!(Pace::Full.due(Duration::ZERO), u64::MAX);
    }
}
