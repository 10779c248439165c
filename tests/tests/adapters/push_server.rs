//! A push server on a runtime of its own, of the adapter that the parent module names.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread;

use ntf_core::host::mailbox;
use ntf_core::model::server::Protocol;
use ntf_core::model::token::Provider;
use ntf_core::push::Push;
use ntf_core::relay::push_end::{self, Admitted, Limits, PushEnd};

use super::adapter::clock::Clock;
use super::adapter::http2::{Endpoint, ProviderConfig, Providers, Roots};
use super::adapter::identity::Identity;
use super::adapter::relay::run_push_server;
use super::adapter::rt;
use super::adapter::service::os_seed;
use super::sockets::{GRACE, PATIENCE};
use crate::apart::{PushPlan, PushProcess};

/// Runs it until it is stopped.
pub(crate) fn push_server(plan: PushPlan) -> PushProcess {
    let (tell, told) = mpsc::channel();
    let (stop, mut stopped) = mailbox::bounded::<()>(1);
    let thread = thread::spawn(move || {
        let running = async {
            let (clock, loopback) = (Clock::start(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            let identity = Identity::make("localhost", Protocol::Relay).expect("certificates");
            let name = "the one under test".into();
            let admitted = Admitted { name, identity: plan.subscriber, limits: Limits::default() };
            let end = PushEnd::new(push_end::Config::new(vec![admitted]), clock.now());
            let push = Push::new(plan.push, os_seed().expect("randomness"), clock.now());
            let mut config = ProviderConfig { roots: Roots::Pem(plan.ca_pem), ..ProviderConfig::default() };
            let endpoint = Endpoint::parse(&plan.endpoint).expect("the stand-in's address");
            config.endpoint_overrides.insert(Provider::ApnsTest, endpoint);
            let providers = Providers::new(&config).expect("its CA");
            let tls = identity.endpoint(Protocol::Relay).expect("its own key");
            let side = run_push_server(push, end, clock, loopback, tls, providers).await.expect("loopback");
            let address = side.end.address().expect("it listens");
            tell.send(identity.address("localhost", address).expect("an identity")).expect("the test waits");
            stopped.recv().await;
            let (push, end) = side.stop(GRACE).await;
            push.is_some() && end.is_some()
        };
        rt::run(1, running).expect("threads")
    });
    let address = told.recv_timeout(PATIENCE).expect("it starts");
    PushProcess::new(address, stop, thread)
}
