//! One role with its end of the relay link, on a runtime of its own, for the adapter that the parent module
//! names. Killing it drops the runtime with everything on it, as the end of a process does: sockets close, and
//! nobody says goodbye.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use futures_lite::future::block_on;
use ntf_core::host::mailbox::{self, Receiver};
use ntf_core::model::server::Protocol;
use ntf_core::push::Push;
use ntf_core::relay::push_end::{self, PushEnd};
use ntf_core::relay::subscriber_end::{self, SubscriberEnd};
use ntf_core::subscriber::{self, Subscriber};
use ntf_core::tls::ServerEndpoint;

use super::adapter::clock::Clock;
use super::adapter::http2::{Endpoint, ProviderConfig, Providers, Roots};
use super::adapter::relay;
use super::adapter::rt;
use super::adapter::service::os_seed;
use crate::town::{Apple, End, Process};

/// A subscriber. Gives the process and where it listens.
pub(crate) fn run_subscriber(
    listen: SocketAddr,
    config: subscriber::Config,
    end: subscriber_end::Config,
) -> Process<subscriber_end::Counters> {
    start(move |tell, mut end_asked| async move {
        let clock = Clock::start();
        let tls = ServerEndpoint::new(Protocol::Ntf.into(), &config.credentials).expect("its own key");
        let seed = os_seed().expect("randomness");
        let end = SubscriberEnd::new(end, &seed, clock.now());
        let role = Subscriber::new(config, os_seed().expect("randomness"), clock.now());
        let side = relay::run_subscriber(role, end, clock, listen, tls, |_| {})
            .await
            .expect("loopback can be bound");
        tell.send(side.subscriber.address().expect("it listens")).expect("the test waits");
        match end_asked.recv().await {
            Some(End::Stop(within, answer)) => {
                let (subscriber, end) = side.stop(within).await;
                subscriber.expect("it lived to its end");
                let _ = answer.send(end.expect("it lived to its end").counters());
            }
            Some(End::Kill) | None => {}
        }
    })
}

/// A push server. Gives the process and where it listens.
pub(crate) fn run_push(
    listen: SocketAddr,
    credentials: ntf_core::crypto::cert::ServerCredentials,
    apple: Apple,
    end: push_end::Config,
) -> Process<push_end::Counters> {
    start(move |tell, mut end_asked| async move {
        let clock = Clock::start();
        let tls = ServerEndpoint::asking_clients(Protocol::Relay.into(), &credentials).expect("its own key");
        let mut config = ProviderConfig { roots: Roots::Pem(apple.ca_pem), ..ProviderConfig::default() };
        let endpoint = Endpoint::parse(&apple.endpoint).expect("the stand-in's");
        config.endpoint_overrides.insert(ntf_core::model::token::Provider::ApnsTest, endpoint);
        let providers = Providers::new(&config).expect("the stand-in's CA");
        let role = Push::new(apple.config, os_seed().expect("randomness"), clock.now());
        let end = PushEnd::new(end, clock.now());
        let side = relay::run_push_server(role, end, clock, listen, tls, providers)
            .await
            .expect("loopback can be bound");
        tell.send(side.end.address().expect("it listens")).expect("the test waits");
        match end_asked.recv().await {
            Some(End::Stop(within, answer)) => {
                let (push, end) = side.stop(within).await;
                push.expect("it lived to its end");
                let _ = answer.send(end.expect("it lived to its end").counters());
            }
            Some(End::Kill) | None => {}
        }
    })
}

fn start<C: Send + 'static, F: Future<Output = ()>>(
    work: impl FnOnce(mpsc::Sender<SocketAddr>, Receiver<End<C>>) -> F + Send + 'static,
) -> Process<C> {
    let (ends, end_asked) = mailbox::bounded(1);
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || rt::run(2, work(tell, end_asked)).expect("threads"));
    let address = told.recv_timeout(Duration::from_secs(30)).expect("it starts");
    Process::new(address, Box::new(move |end| block_on(async { _ = ends.send(end).await })), thread)
}
