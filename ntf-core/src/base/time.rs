//! Time as the core sees it: handed in, never read.
//!
//! [`Mono`] orders events and drives timers; [`Wall`] is what peers and providers read as a date. The
//! two are never compared. Spans are [`core::time::Duration`].

use core::ops::Add;
use core::time::Duration;

/// Microseconds since the machine's driver started, on a clock that never goes back.
///
/// The driver's clock must count time spent suspended, or timers run late after a laptop's sleep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(u64);

impl Mono {
    /// The start of the driver's clock.
    pub const ZERO: Self = Self(0);

    /// A point `micros` microseconds after the start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The span from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;

    /// Saturates at the end of time, 584,000 years after the start.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(u64);

impl Wall {
    /// A date in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// A date in whole seconds since the Unix epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, as the SimpleX protocols write a time (Int64).
    ///
    /// Source: `smp-transport` 1.1, SystemTime.
    #[must_use]
    pub const fn unix_secs(self) -> i64 {
        (self.0 / 1000).cast_signed()
    }
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Orders events and drives timers.
    pub mono: Mono,
    /// A date for peers and providers.
    pub wall: Wall,
}

/// When a machine wants to be woken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// Hand in the role's tick at this time or soon after.
    pub at: Mono,
    /// The timer that fires, for logs and for tests of the deadline law.
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_saturate_at_both_ends() {
        assert_eq!(Mono::from_micros(5).since(Mono::from_micros(9)), Duration::ZERO);
        assert_eq!(Mono::from_micros(u64::MAX) + Duration::from_secs(1), Mono::from_micros(u64::MAX));
        assert_eq!(Mono::ZERO + Duration::MAX, Mono::from_micros(u64::MAX));
    }

    #[test]
    fn wall_time_is_cut_to_whole_seconds_on_the_wire() {
        assert_eq!(Wall::from_millis(1_700_000_000_999).unix_secs(), 1_700_000_000);
    }
}
