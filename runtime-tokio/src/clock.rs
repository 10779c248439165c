//! The clocks that machines are handed.

use std::future::pending;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ntf_core::{Mono, Now, Wall};

use crate::wait::sleep;

/// The timers of a runtime stand still while the machine is suspended, so nobody sleeps longer than this
/// without a look at the clock. Source: ours; a wake-up every half minute costs nothing.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// Reads both clocks. The monotonic one counts time spent suspended where the system has such a clock
/// (Linux: `CLOCK_BOOTTIME`), so that a deadline which passed meanwhile is met within half a minute of
/// waking.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start_micros: u64,
}

impl Clock {
    /// A clock that starts at zero.
    #[must_use]
    pub fn start() -> Self {
        Self { start_micros: suspend_aware_micros() }
    }

    /// Both clocks at this moment.
    #[must_use]
    pub fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            mono: Mono::from_micros(suspend_aware_micros().saturating_sub(self.start_micros)),
            wall: Wall::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// Waits until the monotonic clock shows this, or for ever.
    pub(crate) async fn reach(self, at: Option<Mono>) {
        reach(at, SLEEP_MAX, || self.now().mono).await;
    }
}

async fn reach(at: Option<Mono>, sleep_max: Duration, now: impl Fn() -> Mono) {
    let Some(at) = at else { return pending().await };
    loop {
        let left = at.since(now());
        if left == Duration::ZERO {
            return;
        }
        sleep(left.min(sleep_max)).await;
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn suspend_aware_micros() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    secs.saturating_mul(1_000_000).saturating_add(nanos / 1000)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn suspend_aware_micros() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::rt::run;
    use crate::wait::timeout;

    #[test]
    fn a_deadline_that_passed_while_suspended_is_met_at_the_next_look() {
        run(1, async {
            // An hour goes by between the first look and the second, and no timer has noticed.
            let shown = Cell::new(0);
            let clock = || Mono::from_micros(shown.replace(3_600_000_000));
            let reached = reach(Some(Mono::from_micros(3_600_000_000)), Duration::from_millis(1), clock);
            timeout(Duration::from_secs(30), reached).await.expect("it looks again");
        })
        .unwrap();
    }

    #[test]
    fn a_deadline_is_not_met_early() {
        run(1, async {
            let clock = Clock::start();
            let at = clock.now().mono + Duration::from_millis(20);
            reach(Some(at), Duration::from_millis(1), || clock.now().mono).await;
            assert!(clock.now().mono >= at);
            clock.reach(Some(at)).await;
        })
        .unwrap();
    }
}
