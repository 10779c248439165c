//! What a subscriber needs to be told.

use crate::base::backoff::BackoffPlan;
use crate::base::budget::BudgetPlan;
use crate::base::reach::Reach;
use crate::crypto::cert::ServerCredentials;
use crate::delivery::limits::DeliveryLimits;
use crate::smp::client::SmpPlan;
use crate::subscriber::shard::Sharding;
use crate::subscriber::sources::SourceLimits;
use crate::subscription::limits::SubscriptionLimits;
use crate::token::limits::TokenLimits;
use crate::wire::version::{NtfVersion, VersionRange};
use core::time::Duration;

/// Smallest padded length: a code and the shortest notice of a server with a long host fit.
///
/// Source: ours.
pub const PADDED_LEN_MIN: usize = 512;

/// Largest padded length; a provider that takes longer pushes is not known. Source: ours.
pub const PADDED_LEN_MAX: usize = 16384;

/// What a subscriber does about device tokens that only its push server can read.
///
/// They are of use where the push server is another process, reached over a relay link. Source:
/// `docs/protocol/sealed-tokens.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SealedTokens {
    /// It knows none, as servers of the reference: `ERR CMD SYNTAX`.
    #[default]
    Refused,
    /// It takes them beside plain ones.
    Taken,
    /// It takes nothing else: a plain one is answered `ERR CMD PROHIBITED`. Stock apps cannot use it.
    Demanded,
}

/// Settings of a subscriber. [`Config::new`] has everything but the credentials.
#[derive(Clone, Debug)]
pub struct Config {
    /// Certificates and key that prove us to devices.
    pub credentials: ServerCredentials,
    /// NTF versions offered to devices that agreed on an ALPN name. Default: all.
    pub versions: VersionRange<NtfVersion>,
    /// Bytes to which the contents of pushes are padded before encryption, between [`PADDED_LEN_MIN`] and
    /// [`PADDED_LEN_MAX`]. Default 2880, so that a push stays below Apple's 4096 bytes; the reference has
    /// 3072. Source: `ntf-protocol` 3.2 and defect D15.
    pub padded_len: usize,
    /// Whether device tokens of the stand-in provider (`AT`) are taken. Default no: `ERR CMD PROHIBITED`.
    /// Source: `ntf-protocol` 2.2 and H31.
    pub allow_test_provider: bool,
    /// Whether sealed device tokens (`SL`) are taken, and whether plain ones are. Default: plain ones only.
    pub sealed_tokens: SealedTokens,
    /// Bounds of the token table.
    pub tokens: TokenLimits,
    /// Bounds of the subscription table.
    pub subscriptions: SubscriptionLimits,
    /// Bounds and delays of pushes.
    pub delivery: DeliveryLimits,
    /// How connections to SMP servers behave; `reach` says which addresses they may have. Default: that of background work,
    /// public addresses only, because devices name the servers, and pauses of up to five minutes for servers that have never
    /// answered, because their names may be anything. How much is asked of them is bounded by [`asked_max`](Self::asked_max);
    /// `requester.in_flight_max` is far above it, and where it is set below, it bounds each server.
    pub smp: SmpPlan,
    /// The window of subscribing: queues that all SMP servers of a shard together are asked for at a time; beyond it a
    /// server is asked for 16 at a time. Default 680, half of what the reference asks one server for when it is back (`ntf-protocol` 4.7).
    /// Source: ours; each answer leads to a signature, and what comes for
    /// others waits in line behind all of these, some 25 ms. Without it twenty servers that restart together would hold up
    /// every push for a second. A server that takes 100 ms to answer is asked for 6800 queues a second.
    pub asked_max: usize,
    /// Whether SMP servers that ask for it are shown a certificate, a different one each, so that they
    /// remember which queues are ours and one command brings all of them back after a reconnect. It is made
    /// from the seed and lasts as long as this subscriber. Servers older than version 16, and those that ask
    /// for none, are used as without it. Default no, as in the reference: the server stores which queues have
    /// the same subscriber, which it otherwise sees while they are watched. Source: `ntf-protocol` 4.8.
    pub use_service_certificates: bool,
    /// Which shard of a subscriber this is; `None` when it is the whole. Bounds are each shard's own, see
    /// [`for_shard`](Self::for_shard).
    pub sharding: Option<Sharding>,
    /// Devices connected at a time; beyond it the one that has been silent for the longest gives way, if that is
    /// half a minute or more, and else the further one is closed. Default 50,000.
    pub links: usize,
    /// Commands on one link; beyond it they are answered `ERR QUOTA`, unverified. Default 20,000 at once, as many
    /// as a token has subscriptions, then 100 a second. Source: ours; verifying a command takes about a tenth
    /// of a millisecond, so a flood costs a hundredth of a processor.
    pub commands: BudgetPlan,
    /// What may come from one source address.
    pub sources: SourceLimits,
    /// From TLS to the end of the hellos; then a device is closed. Default 30 s.
    pub hello_timeout: Duration,
    /// Silence after which a device is closed; it keeps nothing alive by staying. Default 12 h.
    /// Source: `ntf-protocol` 4.10.
    pub idle_timeout: Duration,
}

impl Config {
    /// The defaults, for a server with these credentials.
    #[must_use]
    pub fn new(credentials: ServerCredentials) -> Self {
        let mut smp = SmpPlan::default();
        smp.reach = Reach::Public;
        smp.unreached_backoff = Some(BackoffPlan { max: Duration::from_secs(300), ..smp.backoff });
        Self {
            credentials,
            versions: VersionRange::NTF,
            padded_len: 2880,
            allow_test_provider: false,
            sealed_tokens: SealedTokens::Refused,
            tokens: TokenLimits::default(),
            subscriptions: SubscriptionLimits::default(),
            delivery: DeliveryLimits::default(),
            smp,
            asked_max: 680,
            use_service_certificates: false,
            sharding: None,
            links: 50_000,
            commands: BudgetPlan { burst: 20_000, period: Duration::from_millis(10) },
            sources: SourceLimits::default(),
            hello_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(43_200),
        }
    }

    /// The settings of one shard: as these, with its share of the bounds on what all shards hold together. What one
    /// token or link may do is counted on the shard it is on. What one device token or source address may do is booked
    /// on all shards, so it is the same for any number of them.
    #[must_use]
    pub fn for_shard(&self, sharding: Sharding) -> Self {
        let shards = sharding.plan().count();
        let share = |bound: usize| bound.div_ceil(shards.get().into());
        let mut config = self.clone();
        config.tokens.tokens = self.tokens.tokens.div_ceil(shards.get().into());
        config.subscriptions.subscriptions = self.subscriptions.subscriptions.div_ceil(shards.get().into());
        config.delivery.notices = share(self.delivery.notices);
        config.delivery.orders = share(self.delivery.orders);
        config.links = share(self.links);
        config.subscriptions.servers = self.subscriptions.servers.div_ceil(shards.get().into());
        config.sharding = Some(sharding);
        config
    }
}
