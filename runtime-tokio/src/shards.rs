//! A notification server on several threads, which share nothing: each has a runtime, a shard of the subscriber,
//! and connections of its own.
//!
//! Each thread also has a push server of its own, which takes the orders of its shard alone, over connections of
//! its own. The first thread accepts connections for all, one for each thread in turn. A socket of its own in
//! each thread (`SO_REUSEPORT`) would let another process of the same user listen beside us without a word, and
//! spread connections by chance.
//!
//! Threads end together. When one dies, by a panic of ours or of a callback, the others close their links and
//! stop, and [`Sharded::ended`] and [`Sharded::stop`] tell which it was.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::zip;
use ntf_core::base::meter::Meters as _;
use ntf_core::base::rng::Seed;
use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::host::oneshot;
use ntf_core::host::stop::{Cause, Member, Stage, Stop};
use ntf_core::model::knowledge::Fact;
use ntf_core::model::shard::ShardPlan;
use ntf_core::push::{self, Push};
use ntf_core::subscriber::effect::Milestone;
use ntf_core::subscriber::shard::Sharding;
use ntf_core::subscriber::{self, Config, Subscriber};
use ntf_core::tls::ServerEndpoint;

use crate::clock::Clock;
use crate::connect::Connector;
use crate::driver::{Driver, Letter};
use crate::http2::Providers;
use crate::link::Traffic;
use crate::listen::{Door, Listener, Visitor, door};
use crate::peers::{Peers, shard_name};
use crate::roles::{PushMail, SubscriberMail, SubscriberReport};
use crate::rt::{self, TcpListener, spawn};
use crate::service::{links_max, os_seed, push_telling};

/// A notification server on threads of its own.
///
/// Dropped, it stops as if it had died: [`stop`](Self::stop) is the orderly way.
pub struct Sharded {
    address: SocketAddr,
    shards: Vec<Sender<Letter<SubscriberMail>>>,
    pushes: Vec<Sender<Letter<PushMail>>>,
    providers: Vec<Providers>,
    traffic: Vec<Arc<Traffic>>,
    stop: Stop,
    owner: Member,
    totals: Receiver<Totals>,
}

/// What a server counted from its start to its end, all threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All shards of the subscriber.
    pub subscriber: subscriber::meters::Counters,
    /// All push servers.
    pub push: push::Counters,
}

impl fmt::Debug for Sharded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sharded({} shards)", self.shards.len())
    }
}

/// What [`run_sharded_server`] needs.
pub struct Plan<W> {
    /// Of the subscriber as a whole.
    pub config: Config,
    /// Shards, a thread for each.
    pub threads: NonZeroU8,
    /// Of the push servers.
    pub push: push::Config,
    /// What both read.
    pub clock: Clock,
    /// Where to listen.
    pub address: SocketAddr,
    /// As whom.
    pub tls: ServerEndpoint,
    /// Where pushes go; each shard makes connections of its own.
    pub providers: Providers,
    /// How long pushes that are under way may take at the end: [`DRAIN`] unless somebody knows better.
    pub drain: Duration,
    /// Sees every step of a notice, in the thread of its shard; must not block.
    pub watch: W,
}

impl<W> fmt::Debug for Plan<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({} shards at {})", self.threads, self.address)
    }
}

/// Starts a notification server.
///
/// # Errors
///
/// When the address cannot be bound, or the system gives no randomness or no thread.
pub async fn run_sharded_server<W>(plan: Plan<W>) -> io::Result<Sharded>
where
    W: FnMut(Milestone) + Clone + Send + 'static,
{
    let Plan { mut config, threads, push, clock, address, tls, providers, drain, watch } = plan;
    let socket = TcpListener::bind(address).await?;
    let address = socket.local_addr()?;
    let stop = Stop::new();
    let places = links_max();
    // Some fewer than the listener lets in, so that it is the role that says who gives way.
    config.links = config.links.min(places - places / 51);
    let (tell, totals) = mailbox::bounded(threads.get().into());
    let mut entries = Vec::new();
    // Made before the threads: if one cannot be started, this goes, and with it those that were.
    let mut sharded = Sharded {
        address,
        shards: Vec::new(),
        pushes: Vec::new(),
        providers: Vec::new(),
        traffic: Vec::new(),
        owner: stop.join("the owner of the server"),
        stop: stop.clone(),
        totals,
    };
    let mut waiting = Vec::new();
    let shared: Seed = os_seed()?;
    for (sharding, peers) in Sharding::all(threads, &shared).zip(Peers::all(threads, &stop)) {
        let own = sharding.plan();
        let role = Subscriber::new(config.for_shard(sharding), os_seed()?, clock.now());
        let bytes = Arc::new(Traffic::default());
        let driver = Driver::among(role, clock, Connector::new(clock, bytes.clone()), peers);
        let (entry, door) = door(places.div_ceil(threads.get().into()));
        entries.push(entry);
        let outcomes = driver.mailbox();
        let push = Push::new(push.for_shard(threads), os_seed()?, clock.now());
        let providers = providers.apart();
        let (orders, _, pushing) = push_telling(push, clock, providers.clone(), move |outcome| {
            let _ = outcomes.try_send(Letter::Mail(outcome.into()));
        });
        sharded.shards.push(driver.mailbox());
        sharded.pushes.push(orders.clone());
        sharded.providers.push(providers);
        sharded.traffic.push(bytes.clone());
        let name = shard_name(own.own());
        waiting.push(Shard {
            plan: own,
            driver,
            door,
            tls: tls.clone(),
            clock,
            traffic: bytes,
            drain,
            totals: tell.clone(),
            orders,
            pushing: Box::pin(pushing),
            push_member: stop.join(&format!("the push server of {name}")),
            member: stop.join(&name),
        });
    }
    let mut first = Some(First { socket: socket.into_std()?, entries, places });
    for shard in waiting {
        shard.start(first.take(), watch.clone())?;
    }
    Ok(sharded)
}

impl Sharded {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes received so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.traffic.iter().map(|shard| shard.received()).sum()
    }

    /// Bytes sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.traffic.iter().map(|shard| shard.sent()).sum()
    }

    /// What the subscriber knows, all shards together. `None` when one has ended.
    pub async fn look(&self) -> Option<Vec<Fact>> {
        look(&self.shards).await
    }

    /// What the push servers know, all together. `None` when one has ended.
    pub async fn look_push(&self) -> Option<Vec<Fact>> {
        look(&self.pushes).await
    }

    /// Where letters for the subscriber go, shard by shard.
    #[must_use]
    pub fn shard_mailboxes(&self) -> &[Sender<Letter<SubscriberMail>>] {
        &self.shards
    }

    /// Where letters for the push servers go, shard by shard.
    #[must_use]
    pub fn push_mailboxes(&self) -> &[Sender<Letter<PushMail>>] {
        &self.pushes
    }

    /// The connections that pushes go over, shard by shard.
    #[must_use]
    pub fn providers(&self) -> &[Providers] {
        &self.providers
    }

    /// The end that the threads have in common: for whoever must know of it from elsewhere.
    #[must_use]
    pub const fn end(&self) -> &Stop {
        &self.stop
    }

    /// Waits until the threads begin to end, which they do only when one has died; says which.
    pub async fn ended(&self) -> Cause {
        self.stop.reached(Stage::Draining).await;
        self.stop.cause().unwrap_or(Cause::Asked)
    }

    /// Stops accepting, closes all links, finishes pushes that are under way within the time that [`Plan::drain`]
    /// gives them, waits until every thread has ended, and tells what was counted.
    ///
    /// # Errors
    ///
    /// When it did not end because of this: who died before.
    pub async fn stop(self) -> Result<Totals, Cause> {
        let Self { stop, owner, mut totals, .. } = self;
        stop.drain(Cause::Asked);
        owner.finished();
        stop.deserted().await;
        match stop.cause() {
            None | Some(Cause::Asked) => {
                let mut all = Totals::default();
                while let Ok(Totals { subscriber, push }) = totals.try_recv() {
                    all.subscriber.absorb(&subscriber);
                    all.push.absorb(&push);
                }
                Ok(all)
            }
            Some(cause) => Err(cause),
        }
    }
}

/// Asks all at once, then waits for each.
async fn look<M>(mailboxes: &[Sender<Letter<M>>]) -> Option<Vec<Fact>> {
    let asked: Vec<_> = mailboxes.iter().map(ask).collect();
    let mut told = Vec::new();
    for facts in asked {
        told.push(facts?.await.ok()?);
    }
    Some(Fact::together(told))
}

fn ask<M>(mailbox: &Sender<Letter<M>>) -> Option<oneshot::Receiver<Vec<Fact>>> {
    let (answer, facts) = oneshot::channel();
    mailbox.try_send(Letter::Look(answer)).ok()?;
    Some(facts)
}

/// How long pushes that are under way may take at the end. Source: ours; an order takes a fraction of a second, and
/// container managers kill after ten seconds, of which links may need another five.
pub const DRAIN: Duration = Duration::from_secs(4);

/// A thread that is yet to start.
struct Shard {
    plan: ShardPlan,
    driver: Driver<Subscriber>,
    door: Door,
    tls: ServerEndpoint,
    clock: Clock,
    traffic: Arc<Traffic>,
    drain: Duration,
    totals: Sender<Totals>,
    member: Member,
    /// Where the shard's orders go.
    orders: Sender<Letter<PushMail>>,
    /// Its push server, yet to run.
    pushing: Pin<Box<dyn Future<Output = Push> + Send>>,
    push_member: Member,
}

/// What the first thread does besides.
struct First {
    socket: std::net::TcpListener,
    entries: Vec<Sender<Visitor>>,
    places: usize,
}

impl Shard {
    fn start(self, first: Option<First>, watch: impl FnMut(Milestone) + Send + 'static) -> io::Result<()> {
        let name = format!("ntf-shard-{}", self.plan.own().number());
        // Members have finished when their runtime is gone, with every socket in it.
        rt::thread(
            &name,
            || self.run(first, watch),
            |members| {
                members.into_iter().for_each(Member::finished);
            },
        )
    }

    /// Works until the common end; gives those who have come to their own in good order.
    async fn run(self, first: Option<First>, mut watch: impl FnMut(Milestone)) -> Vec<Member> {
        let Self { driver, door, tls, clock, traffic, drain, totals, member, .. } = self;
        let Self { orders, pushing, push_member, .. } = self;
        let (mailbox, drained) = (driver.mailbox(), member.stop().reached(Stage::Draining));
        let mut members = vec![member];
        let visitors = spawn(door.serve(tls, clock, driver.link_mailbox(), traffic));
        let mut listener = None;
        if let Some(First { socket, entries, places }) = first {
            // Without either there is nothing to do: the member goes, and that tells.
            let Ok(started) =
                TcpListener::from_std(socket).and_then(|socket| Listener::accepting(socket, entries, places))
            else {
                return Vec::new();
            };
            listener = Some(started);
        }
        // Dropped with its task when that panics, and that tells.
        let pushing = spawn(async move { (pushing.await, push_member) });
        let push_mailbox = orders.clone();
        let work = driver.run(move |_, report| match report {
            SubscriberReport::Push(order) => {
                let _ = orders.try_send(Letter::Mail(PushMail::Order(order)));
            }
            SubscriberReport::Milestone(milestone) => watch(milestone),
        });
        let end = async {
            drained.await;
            let until = Instant::now() + drain;
            if let Some(listener) = listener.take() {
                listener.close().await;
            }
            visitors.cancel().await;
            let _ = mailbox.send(Letter::Drain(drain)).await;
            until
        };
        let (subscriber, until) = zip(work, end).await;
        let mut counted = Totals { subscriber: subscriber.counters(), ..Totals::default() };
        // Of the same time: what the shard has waited for were outcomes of the same pushes.
        let left = until.saturating_duration_since(Instant::now());
        let _ = push_mailbox.send(Letter::Drain(left)).await;
        if let Ok((push, member)) = pushing.await {
            counted.push = push.counters();
            members.push(member);
        }
        // There is a place for each thread.
        let _ = totals.try_send(counted);
        members
    }
}
