//! What a subscriber counts, and what its tables hold. Numbers only.

use crate::base::meter::{Counter, meters};
use crate::delivery::meters::DeliveryCounters;

/// What happened so far.
///
/// Every notice received ends in one of `unwanted`, `delivery.taken_in` and `delivery.refused_full`, and
/// what was taken in as [`DeliveryCounters`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Links with devices.
    pub links: LinkCounters,
    /// Registrations.
    pub tokens: TokenCounters,
    /// Subscriptions and SMP servers.
    pub subscriptions: SubscriptionCounters,
    /// Being a service to SMP servers.
    pub services: ServiceCounters,
    /// Work with other shards.
    pub shards: ShardCounters,
    /// Notices that came from SMP servers.
    pub received: Counter,
    /// Notices for no subscription of ours, or for a token that is not verified. The reference counts
    /// them as `ntfReceivedAuth`.
    pub unwanted: Counter,
    /// Notices and pushes.
    pub delivery: DeliveryCounters,
}

/// Links with devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Accepted.
    pub accepted: Counter,
    /// Closed at once because too many devices were connected, none of them silent.
    pub refused_full: Counter,
    /// Closed for another device, after some silence, because too many were connected.
    pub displaced: Counter,
    /// Closed because too many links were open from the same source address.
    pub refused_source: Counter,
    /// Closed because the peer broke the protocol of links.
    pub faults: Counter,
    /// Closed for silence, or for hellos that took too long.
    pub timed_out: Counter,
    /// Closed because the peer asked without reading the answers.
    pub congested: Counter,
    /// Authorized commands.
    pub commands: Counter,
    /// Commands refused unverified because the link had sent too many.
    pub flooded: Counter,
    /// Commands of unknown entities, or with a wrong authorization.
    pub unauthorized: Counter,
}

/// Registrations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCounters {
    /// Made by TNEW.
    pub created: Counter,
    /// Asked for again by TNEW.
    pub repeated: Counter,
    /// Verified for the first time, or again.
    pub verified: Counter,
    /// Codes that did not verify.
    pub not_verified: Counter,
    /// Moved to another device token.
    pub replaced: Counter,
    /// Deleted by TDEL.
    pub deleted: Counter,
    /// Dropped because another registration of the device token was verified.
    pub superseded: Counter,
    /// Dropped, never verified, because the device token had too many such registrations, or the table was full.
    pub displaced: Counter,
    /// Dropped because they were never verified in time.
    pub unverified_ended: Counter,
    /// Dropped some time after the provider had refused them.
    pub invalid_ended: Counter,
    /// Dropped because nobody had asked for anything for too long.
    pub idle_ended: Counter,
    /// Found invalid by the provider.
    pub invalid: Counter,
    /// Called invalid by the provider as of a date before the device proved the opposite.
    pub invalid_outdated: Counter,
    /// Refused because the table was full, or as many registrations of the device token as may wait for their codes.
    pub refused_full: Counter,
    /// TNEW and TRPL refused because too much had come from the same source address.
    pub refused_source: Counter,
    /// Codes not looked at because too many wrong ones had come for the device token or from the source
    /// address; also counted as not verified.
    pub guesses_refused: Counter,
    /// Verification pushes put off because the device token had enough of them.
    pub verification_paced: Counter,
}

/// Subscriptions and SMP servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionCounters {
    /// Made by SNEW.
    pub created: Counter,
    /// Asked for again by SNEW.
    pub repeated: Counter,
    /// Brought back by SNEW after they were over.
    pub revived: Counter,
    /// Deleted by SDEL.
    pub deleted: Counter,
    /// Dropped with their token.
    pub dropped: Counter,
    /// Refused because a table was full.
    pub refused_full: Counter,
    /// NSUB sent.
    pub asked: Counter,
    /// NSUB confirmed.
    pub confirmed: Counter,
    /// NSUB without answer in time.
    pub unanswered: Counter,
    /// NSUB refused for now, by a server in trouble.
    pub put_off: Counter,
    /// NSUB refused, for good or for long.
    pub failed: Counter,
    /// NSUB that were refused for long and are to be sent again.
    pub retried: Counter,
    /// Dropped with their server, which was never reached, because there were too many servers.
    pub displaced: Counter,
    /// Taken over by another client.
    pub ended: Counter,
    /// Gone from their SMP server.
    pub gone: Counter,
    /// END for a subscription that is not of the session.
    pub stale_ends: Counter,
    /// Sessions with SMP servers that were opened.
    pub sessions: Counter,
    /// Sessions that were lost.
    pub sessions_lost: Counter,
    /// Attempts to open a session that failed.
    pub unreachable: Counter,
    /// Of these, because the server has no public address.
    pub not_public: Counter,
    /// Messages from SMP servers that nobody waits for.
    pub strays: Counter,
}

/// Being a service to SMP servers; all zero where that is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounters {
    /// Sessions in which we were a service.
    pub sessions: Counter,
    /// Attempts at a session that failed because the server refused the service.
    pub refused: Counter,
    /// NSUB confirmed for a queue that the server ties to our service.
    pub tied: Counter,
    /// NSUBS sent.
    pub asked: Counter,
    /// NSUBS confirmed for all queues.
    pub resumed: Counter,
    /// NSUBS confirmed for fewer queues than are tied.
    pub short: Counter,
    /// Queues whose tie was given up, to be asked for one by one.
    pub untied: Counter,
    /// ENDS: another connection took the service.
    pub taken: Counter,
}

/// Work with other shards; all zero where there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardCounters {
    /// Links that went to another shard.
    pub links_given: Counter,
    /// Links that came from another shard.
    pub links_taken: Counter,
    /// Letters written.
    pub letters: Counter,
}

/// What the tables hold now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Devices connected.
    pub links: usize,
    /// Source addresses that have budgets to pay off; each counts on every shard.
    pub sources: usize,
    /// Registrations.
    pub tokens: u32,
    /// Subscriptions.
    pub subscriptions: u32,
    /// SMP servers watched.
    pub servers: u32,
    /// Of these, SMP servers that were never connected to.
    pub servers_unreached: u32,
    /// Commands to SMP servers that wait for an answer. Costs a walk over the servers.
    pub in_flight: usize,
    /// Notices held.
    pub notices: usize,
    /// Of these, notices that were in no order yet.
    pub fresh: usize,
    /// Links with SMP servers, those on their way out too.
    pub server_links: usize,
    /// SMP servers with something to send.
    pub servers_busy: usize,
    /// Orders without outcome.
    pub orders_out: usize,
    /// Tokens in line for an order.
    pub in_line: usize,
    /// Tokens to which verification pushes are owed.
    pub verifications: usize,
    /// Tokens with periodic notifications.
    pub periodics: usize,
    /// Devices whose budget of hidden pushes is used up in part.
    pub devices_paced: usize,
    /// Budgets of devices that only other shards have drawn on.
    pub devices_elsewhere: usize,
    /// Claims kept on queues, for all shards.
    pub claims: usize,
    /// Registrations that were never verified, on the rosters that shards keep for each other.
    pub unproved: usize,
    /// Commands that wait for other shards.
    pub waits: usize,
    /// Effects not polled yet.
    pub effects: usize,
}

meters!(Counters { links, tokens, subscriptions, services, shards, received, unwanted, delivery });

meters!(LinkCounters {
    accepted,
    refused_full,
    displaced,
    refused_source,
    faults,
    timed_out,
    congested,
    commands,
    flooded,
    unauthorized,
});

meters!(TokenCounters {
    created,
    repeated,
    verified,
    not_verified,
    replaced,
    deleted,
    superseded,
    displaced,
    unverified_ended,
    invalid_ended,
    idle_ended,
    invalid,
    invalid_outdated,
    refused_full,
    refused_source,
    guesses_refused,
    verification_paced,
});

meters!(SubscriptionCounters {
    created,
    repeated,
    revived,
    deleted,
    dropped,
    refused_full,
    asked,
    confirmed,
    unanswered,
    put_off,
    failed,
    retried,
    displaced,
    ended,
    gone,
    stale_ends,
    sessions,
    sessions_lost,
    unreachable,
    not_public,
    strays,
});

meters!(ServiceCounters { sessions, refused, tied, asked, resumed, short, untied, taken });

meters!(ShardCounters { links_given, links_taken, letters });

meters!(Gauges {
    links,
    sources,
    tokens,
    subscriptions,
    servers,
    servers_unreached,
    in_flight,
    notices,
    fresh,
    server_links,
    servers_busy,
    orders_out,
    in_line,
    verifications,
    periodics,
    devices_paced,
    devices_elsewhere,
    claims,
    unproved,
    waits,
    effects,
});
