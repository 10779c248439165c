//! A town whose subscriber and push server are processes of their own.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use ntf_core::base::backoff::BackoffPlan;
use ntf_core::base::reach::Reach;
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::model::server::{Protocol, SenderAddress, ServerAddress};
use ntf_core::relay::push_end::{self, Admitted, Limits};
use ntf_core::relay::subscriber_end;
use ntf_core::{push, subscriber};
use ntf_runtime_tokio::identity::Identity;
use ntf_runtime_tokio::standin::{Counts, StandIn};
use ntf_tests::sockets::{Device, Network};

use crate::{on_smol, on_tokio};

/// Nothing on loopback takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing that is under way on loopback takes this long.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Which adapter a process runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tokio,
    Smol,
}

/// How a process is to end.
#[derive(Debug)]
pub(crate) enum End<C> {
    /// In order, with so much time for what is under way; tells its counters.
    Stop(Duration, mpsc::Sender<C>),
    /// At once.
    Kill,
}

/// A role on a runtime of its own.
pub(crate) struct Process<C> {
    address: SocketAddr,
    end: Box<dyn FnOnce(End<C>) + Send>,
    thread: JoinHandle<()>,
}

impl<C> fmt::Debug for Process<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({})", self.address)
    }
}

impl<C> Process<C> {
    pub(crate) fn new(
        address: SocketAddr,
        end: Box<dyn FnOnce(End<C>) + Send>,
        thread: JoinHandle<()>,
    ) -> Self {
        Self { address, end, thread }
    }

    fn stop(self, within: Duration) -> C {
        let (answer, answered) = mpsc::channel();
        (self.end)(End::Stop(within, answer));
        let counters = answered.recv_timeout(PATIENCE).expect("it stops");
        self.thread.join().expect("its runtime ends");
        counters
    }

    /// Gives the address, which is free again.
    fn kill(self) -> SocketAddr {
        (self.end)(End::Kill);
        self.thread.join().expect("its runtime ends");
        self.address
    }
}

/// How a push server of any adapter reaches the stand-in.
#[derive(Clone, Debug)]
pub(crate) struct Apple {
    pub(crate) config: push::Config,
    pub(crate) endpoint: String,
    pub(crate) ca_pem: String,
}

/// Subscriber, push server, and the network around them.
pub(crate) struct Town {
    net: Network,
    kinds: (Kind, Kind),
    subscriber: Option<Process<subscriber_end::Counters>>,
    push: Option<Process<push_end::Counters>>,
    identities: (Identity, Identity),
    listen: (SocketAddr, SocketAddr),
}

impl Town {
    /// Starts everything: the first kind is the subscriber's.
    pub(crate) async fn start(kinds: (Kind, Kind)) -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut town = Self {
            net: Network::start().await,
            kinds,
            subscriber: None,
            push: None,
            identities: (identity(Protocol::Ntf), identity(Protocol::Relay)),
            listen: (loopback, loopback),
        };
        town.start_push_server();
        town.start_subscriber();
        town
    }

    pub(crate) fn start_push_server(&mut self) {
        let run = match self.kinds.1 {
            Kind::Tokio => on_tokio::run_push,
            Kind::Smol => on_smol::run_push,
        };
        let subscriber = self.identities.0.credentials();
        let end = push_end::Config::new(vec![admitted("the only one", &subscriber)]);
        let push = run(self.listen.1, self.identities.1.credentials(), apple(&self.net), end);
        self.listen.1 = push.address;
        self.push = Some(push);
    }

    pub(crate) fn start_subscriber(&mut self) {
        let run = match self.kinds.0 {
            Kind::Tokio => on_tokio::run_subscriber,
            Kind::Smol => on_smol::run_subscriber,
        };
        let credentials = self.identities.0.credentials();
        let address = self.identities.1.address("localhost", self.listen.1).expect("an identity");
        let mut config =
            subscriber::Config { allow_test_provider: true, ..subscriber::Config::new(credentials.clone()) };
        config.smp.reach = Reach::Anywhere;
        let subscriber = run(self.listen.0, config, end_config(address, credentials));
        self.listen.0 = subscriber.address;
        self.subscriber = Some(subscriber);
    }

    pub(crate) fn kill_push_server(&mut self) {
        self.listen.1 = self.push.take().expect("it runs").kill();
    }

    pub(crate) fn kill_subscriber(&mut self) {
        self.listen.0 = self.subscriber.take().expect("it runs").kill();
    }

    /// As on SIGTERM.
    pub(crate) fn stop_push_server(&mut self, within: Duration) -> push_end::Counters {
        self.push.take().expect("it runs").stop(within)
    }

    /// As on SIGTERM.
    pub(crate) fn stop_subscriber(&mut self, within: Duration) -> subscriber_end::Counters {
        self.subscriber.take().expect("it runs").stop(within)
    }

    /// Stops what is around the two, which have stopped.
    pub(crate) async fn end(self) {
        self.net.stop().await;
    }

    pub(crate) const fn apple(&self) -> &StandIn {
        self.net.apple()
    }

    pub(crate) fn apple_accepted(&self) -> u64 {
        self.apple().counts().accepted
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(Counts) -> bool) {
        self.net.until(what, || is_so(self.apple().counts())).await;
    }

    fn ntf_address(&self) -> ServerAddress {
        self.identities.0.address("localhost", self.listen.0).expect("an identity")
    }

    /// A registered device with one queue, and who writes to it.
    pub(crate) async fn person(&self) -> Person {
        let mut device = self.net.device(0);
        device.register(&self.ntf_address()).await;
        let (_, queue) = device.create_queue(self.net.smp_address()).await;
        Person { device, sender: self.net.device(9), queue }
    }

    /// Stops both processes and the rest; gives what the two ends of the link counted, and the pushes that the
    /// provider accepted.
    pub(crate) async fn stop(mut self) -> (subscriber_end::Counters, push_end::Counters, u64) {
        let subscriber = self.stop_subscriber(GRACE);
        let push = self.stop_push_server(GRACE);
        let accepted = self.apple_accepted();
        self.end().await;
        (subscriber, push, accepted)
    }
}

pub(crate) fn identity(protocol: Protocol) -> Identity {
    Identity::make("localhost", protocol).expect("certificates can be made")
}

pub(crate) fn admitted(name: &str, credentials: &ServerCredentials) -> Admitted {
    let identity = credentials.identity().expect("it has one");
    Admitted { name: name.into(), identity, limits: Limits::default() }
}

/// With shorter pauses than usual.
pub(crate) fn end_config(server: ServerAddress, credentials: ServerCredentials) -> subscriber_end::Config {
    let millis = Duration::from_millis;
    subscriber_end::Config {
        retry: BackoffPlan { first: millis(20), max: millis(200) },
        ..subscriber_end::Config::new(server, credentials)
    }
}

pub(crate) fn apple(net: &Network) -> Apple {
    Apple {
        config: push::Config { later: Duration::from_secs(1), ..net.trial().push_config() },
        endpoint: net.apple().endpoint(),
        ca_pem: net.apple().ca_pem().to_owned(),
    }
}

/// A device with a queue, and who writes to it.
pub(crate) struct Person {
    device: Device,
    sender: Device,
    queue: SenderAddress,
}

impl Person {
    pub(crate) async fn is_sent(&mut self, message: &str) {
        self.sender.send(&self.queue, message).await;
    }

    pub(crate) async fn has(&mut self, message: &str) {
        assert_eq!(self.device.receive().await.1, message);
    }

    /// Waits for a message; gives all that came, in their order.
    pub(crate) async fn reads_up_to(&mut self, message: &str) -> Vec<String> {
        while self.device.receive().await.1 != message {}
        self.device.received().into_iter().map(|(_, message)| message).collect()
    }

    pub(crate) async fn hears(&mut self, message: &str) {
        self.is_sent(message).await;
        self.has(message).await;
    }

    pub(crate) async fn registers_again(&mut self, town: &Town) {
        self.device.register(&town.ntf_address()).await;
        self.device
            .wait_for("subscription", |event| {
                matches!(event, ntf_core::client::effect::Event::Subscription { .. }).then_some(())
            })
            .await;
    }

    pub(crate) async fn stop(self) {
        self.device.stop().await;
        self.sender.stop().await;
    }
}
