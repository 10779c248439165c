//! Who is let in: both sides are pinned, and a name is one subscriber.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::host::mailbox::Sender;
use ntf_core::model::push::{PushId, PushOrder, PushPayload, PushResult};
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::push::Push;
use ntf_core::relay::push_end::{self, PushEnd};
use ntf_core::relay::subscriber_end::{Counters, SubscriberEnd};
use ntf_runtime_tokio::clock::Clock;
use ntf_runtime_tokio::connect::Connector;
use ntf_runtime_tokio::driver::{Driver, Letter};
use ntf_runtime_tokio::http2::{ProviderConfig, Providers};
use ntf_runtime_tokio::identity::Identity;
use ntf_runtime_tokio::relay::{PushSide, run_push_server};
use ntf_runtime_tokio::roles::SubscriberEndReport;
use ntf_runtime_tokio::service::os_seed;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::town::{PATIENCE, admitted, end_config, identity};

/// Long enough for many attempts to connect on loopback.
const WAIT_MAX: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_subscriber_that_is_not_on_the_list_is_not_served() {
    let (known, stranger) = (identity(Protocol::Ntf), identity(Protocol::Ntf));
    let server = Server::start(vec![admitted("known", &known.credentials())]).await;
    let mut end = End::start(server.address(), stranger.credentials());
    assert_eq!(end.push(1).await, PushResult::TryLater { after: Duration::ZERO });
    let ends = end.stop().await;
    assert_eq!((ends.welcomed.total(), ends.expired_unsent.total()), (0, 1));
    let counters = server.stop().await;
    assert!(counters.links.strangers.total() >= 1);
    assert_eq!((counters.links.accepted.total(), counters.orders.received.total()), (0, 0));
}

#[tokio::test]
async fn a_push_server_that_is_not_the_one_in_the_address_gets_no_orders() {
    let known = identity(Protocol::Ntf);
    let server = Server::start(vec![admitted("known", &known.credentials())]).await;
    let other = identity(Protocol::Relay).credentials().identity().expect("it has one");
    let address = ServerAddress { identity: other, ..server.address() };
    let mut end = End::start(address, known.credentials());
    assert_eq!(end.push(1).await, PushResult::TryLater { after: Duration::ZERO });
    let ends = end.stop().await;
    assert!(ends.wrong_identity.total() >= 1);
    assert_eq!((ends.welcomed.total(), ends.expired_unsent.total()), (0, 1));
    let counters = server.stop().await;
    assert_eq!((counters.links.accepted.total(), counters.orders.received.total()), (0, 0));
}

#[tokio::test]
async fn of_two_subscribers_with_one_certificate_the_newer_is_served() {
    let known = identity(Protocol::Ntf);
    let server = Server::start(vec![admitted("known", &known.credentials())]).await;
    let mut older = End::start(server.address(), known.credentials());
    assert_eq!(older.push(1).await, PushResult::Accepted);
    let mut newer = End::start(server.address(), known.credentials());
    assert_eq!(newer.push(1).await, PushResult::Accepted, "its numbers are its own");
    assert_eq!(newer.push(2).await, PushResult::Accepted);
    let (older, newer) = (older.stop().await, newer.stop().await);
    assert_eq!((older.welcomed.total(), newer.welcomed.total()), (1, 1));
    let counters = server.stop().await;
    assert_eq!((counters.links.replaced.total(), counters.orders.handed_on.total()), (1, 3));
}

#[tokio::test]
async fn two_certificates_of_one_name_are_one_subscriber() {
    let (old, new) = (identity(Protocol::Ntf), identity(Protocol::Ntf));
    let list = vec![admitted("known", &old.credentials()), admitted("known", &new.credentials())];
    let server = Server::start(list).await;
    for (identity, round) in [(&old, 1), (&new, 2)] {
        let mut end = End::start(server.address(), identity.credentials());
        assert_eq!(end.push(1).await, PushResult::Accepted, "certificate {round}");
        if round == 1 {
            // It stays until the other comes, as while an operator changes certificates.
            server.keep(end);
        } else {
            end.stop().await;
        }
    }
    let counters = server.stop().await;
    assert_eq!((counters.links.welcomed.total(), counters.links.replaced.total()), (2, 1));
}

/// A push server that knows no provider but the null one.
struct Server {
    side: PushSide,
    identity: Identity,
    kept: std::sync::Mutex<Vec<End>>,
}

impl Server {
    async fn start(list: Vec<push_end::Admitted>) -> Self {
        let (clock, identity) = (Clock::start(), identity(Protocol::Relay));
        let push = Push::new(ntf_core::push::Config::default(), os_seed().expect("randomness"), clock.now());
        let end = PushEnd::new(push_end::Config::new(list), clock.now());
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let tls = identity.endpoint(Protocol::Relay).expect("its own key");
        let providers = Providers::new(&ProviderConfig::default()).expect("the system's CAs");
        let side = run_push_server(push, end, clock, loopback, tls, providers).await.expect("loopback");
        Self { side, identity, kept: std::sync::Mutex::default() }
    }

    fn address(&self) -> ServerAddress {
        let address = self.side.end.address().expect("it listens");
        self.identity.address("localhost", address).expect("an identity")
    }

    fn keep(&self, end: End) {
        self.kept.lock().expect("nobody panics").push(end);
    }

    async fn stop(self) -> push_end::Counters {
        let (push, end) = self.side.stop(PATIENCE).await;
        assert!(push.is_some(), "it lived to its end");
        end.expect("it lived to its end").counters()
    }
}

/// A subscriber's end without a subscriber.
struct End {
    orders: Sender<Letter<PushOrder>>,
    outcomes: mpsc::UnboundedReceiver<PushResult>,
    task: JoinHandle<SubscriberEnd>,
}

impl End {
    fn start(server: ServerAddress, credentials: ServerCredentials) -> Self {
        let clock = Clock::start();
        let mut config = end_config(server, credentials);
        config.wait_max = WAIT_MAX;
        let seed = os_seed().expect("randomness");
        let machine = SubscriberEnd::new(config, &seed, clock.now());
        let driver = Driver::new(machine, clock, Connector::new(clock, Arc::default()));
        let orders = driver.mailbox();
        let (tell, outcomes) = mpsc::unbounded_channel();
        let task = tokio::spawn(driver.run(move |_, report| {
            if let SubscriberEndReport::Outcome(outcome) = report {
                let _ = tell.send(outcome.result);
            }
        }));
        Self { orders, outcomes, task }
    }

    async fn push(&mut self, id: u64) -> PushResult {
        let device =
            DeviceToken { provider: Provider::ApnsNull, token: b"0123456789abcdef".as_slice().into() };
        let order = PushOrder { id: PushId(id), device, payload: PushPayload::CheckMessages };
        assert!(self.orders.try_send(Letter::Mail(order)).is_ok(), "it runs");
        timeout(PATIENCE, self.outcomes.recv()).await.expect("it is answered").expect("it runs")
    }

    async fn stop(self) -> Counters {
        let _ = self.orders.send(Letter::Stop).await;
        timeout(PATIENCE, self.task).await.expect("it stops").expect("it lived to its end").counters()
    }
}
