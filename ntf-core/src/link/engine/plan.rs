//! How an engine behaves.

use crate::base::backoff::BackoffPlan;
use crate::base::reach::Reach;
use crate::link::dialect::Dialect;
use crate::link::keepalive::KeepalivePlan;
use crate::link::requester::RequesterPlan;
use crate::link::state::BlockEncryption;
use crate::wire::version::VersionRange;
use core::time::Duration;

/// How a client behaves. The default is for background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnginePlan<D: Dialect> {
    /// The versions we offer. Default: all.
    pub versions: VersionRange<D::Version>,
    /// Whether blocks are encrypted inside TLS. Default: where possible.
    pub encryption: BlockEncryption,
    /// From asking for a link to the end of the hellos. Default 45 s. Source: `smp-transport` 7.1.
    pub connect_timeout: Duration,
    /// How requests wait.
    pub requester: RequesterPlan,
    /// When a silent server is asked and given up.
    pub keepalive: KeepalivePlan,
    /// Delays before connecting again. Default 1 s, growing to 30 s. The reference stays at 10 s; at
    /// thousands of servers, a longer pause for those that are gone costs little, as an SMP server keeps
    /// notifications for a day. Source: ours.
    pub backoff: BackoffPlan,
    /// The same for a server that has never answered. Default `None`: no other delays.
    pub unreached_backoff: Option<BackoffPlan>,
    /// Which addresses the server may have. Default: any.
    pub reach: Reach,
}

impl<D: Dialect> Default for EnginePlan<D> {
    fn default() -> Self {
        Self {
            versions: D::VERSIONS,
            encryption: BlockEncryption::default(),
            connect_timeout: Duration::from_secs(45),
            requester: RequesterPlan::default(),
            keepalive: KeepalivePlan::default(),
            backoff: BackoffPlan { first: Duration::from_secs(1), max: Duration::from_secs(30) },
            unreached_backoff: None,
            reach: Reach::Anywhere,
        }
    }
}
