//! How direct connections are held.

use core::time::Duration;

/// How direct connections are held. All have defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectPlan {
    /// How long connections may be silent before their servers are asked for a sign of life. Default learned.
    pub pace: Pace,
    /// Whether [`Effect::Probe`](crate::client::effect::Effect::Probe) is performed, so that TCP asks in the place of most
    /// pings. Default no: whoever performs effects says that they do this one, as the adapters' `run_client` does.
    ///
    /// Source: ours; where nobody lets TCP ask, only a ping notices that a connection is dead.
    pub tcp_asks: bool,
    /// Shortest interval that is learned, and the one to begin with on a network that is not known.
    /// Default 30 s.
    ///
    /// Source: ours; carriers keep a mapping for 45 s and more, and RFC 5382 asks for two hours.
    pub interval_min: Duration,
    /// Longest interval that is learned. Default 20 min.
    ///
    /// Source: ours; a connection that is lost unnoticed is noticed within this time.
    pub interval_max: Duration,
    /// Least distance between wake-ups while the device dozes. Default 9 min.
    ///
    /// Source: Android's documentation of `setAndAllowWhileIdle`, which promises no more.
    pub doze_interval: Duration,
    /// How long what was learned of a network holds before longer intervals are tried again. Default 12 h.
    ///
    /// Source: ours; a router that was replaced is noticed within the day, for the price of an hour's pings.
    pub relearn: Duration,
    /// Most networks that something is remembered of. Default 64. Beyond, the one not used for longest is
    /// forgotten, and learned anew when it is met again. Source: ours; more than a week's.
    pub networks_max: usize,
}

/// How the interval of pings comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It is learned for each network.
    Learned,
    /// It is this one on every network, whatever is lost.
    Fixed(Duration),
}

impl Default for DirectPlan {
    fn default() -> Self {
        Self {
            pace: Pace::Learned,
            tcp_asks: false,
            interval_min: Duration::from_secs(30),
            interval_max: Duration::from_secs(20 * 60),
            doze_interval: Duration::from_secs(9 * 60),
            relearn: Duration::from_secs(12 * 3600),
            networks_max: 64,
        }
    }
}
