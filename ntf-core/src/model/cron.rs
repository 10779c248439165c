//! The interval of periodic notifications.

/// Shortest interval between periodic notifications, in minutes.
///
/// Zero is not an interval: it switches them off and never meets this bound.
///
/// Source: `ntf-protocol` 4.2, TCRN.
pub const CRON_INTERVAL_MINUTES_MIN: u16 = 20;

/// How often a device wants to be woken to look for messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cron {
    /// Never.
    #[default]
    Off,
    /// Every so many minutes, [`CRON_INTERVAL_MINUTES_MIN`] or more.
    Every {
        /// The interval in minutes.
        minutes: u16,
    },
}

/// The interval asked for is not zero and below [`CRON_INTERVAL_MINUTES_MIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CronTooShort;

impl Cron {
    /// The TCRN parameter of this meaning: zero for off.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        match self {
            Self::Off => 0,
            Self::Every { minutes } => minutes,
        }
    }

    /// The meaning of a TCRN parameter.
    ///
    /// # Errors
    ///
    /// [`CronTooShort`] for 1 to 19 minutes; the answer on the wire is `QUOTA`.
    pub const fn from_minutes(minutes: u16) -> Result<Self, CronTooShort> {
        match minutes {
            0 => Ok(Self::Off),
            1..CRON_INTERVAL_MINUTES_MIN => Err(CronTooShort),
            minutes => Ok(Self::Every { minutes }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_interval_bounds() {
        for (minutes, expected) in [
            (0, Ok(Cron::Off)),
            (1, Err(CronTooShort)),
            (19, Err(CronTooShort)),
            (20, Ok(Cron::Every { minutes: 20 })),
            (u16::MAX, Ok(Cron::Every { minutes: u16::MAX })),
        ] {
            assert_eq!(Cron::from_minutes(minutes), expected, "minutes = {minutes}");
        }
    }
}
