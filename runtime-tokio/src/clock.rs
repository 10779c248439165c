//! The clocks that machines are handed.

use std::time::{SystemTime, UNIX_EPOCH};

use ntf_core::{Mono, Now, Wall};

/// Reads both clocks. The monotonic one counts time spent suspended where the system has such a clock
/// (Linux: `CLOCK_BOOTTIME`), so that timers are due at once when a laptop wakes.
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
