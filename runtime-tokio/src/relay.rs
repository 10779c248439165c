//! The two roles of a notification server as processes of their own, with a relay link between them.
//!
//! Each role has its end of the link beside it: a machine with a driver of its own, so that an order passes
//! from mailbox to mailbox as it does within one process. What is on the link is `ntf_core::relay`'s.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ntf_core::push::Push;
use ntf_core::relay::push_end::PushEnd;
use ntf_core::relay::subscriber_end::SubscriberEnd;
use ntf_core::subscriber::Subscriber;
use ntf_core::subscriber::effect::Milestone;
use ntf_core::tls::ServerEndpoint;

use crate::clock::Clock;
use crate::connect::Connector;
use crate::driver::{Driver, Letter};
use crate::http2::Providers;
use crate::link::Traffic;
use crate::listen::Listener;
use crate::roles::{PushMail, SubscriberEndReport, SubscriberMail, SubscriberReport};
use crate::rt::spawn;
use crate::service::{Running, links_max, run_push};

/// A subscriber with its end of the relay link.
#[derive(Debug)]
pub struct SubscriberSide {
    /// The subscriber.
    pub subscriber: Running<Subscriber>,
    /// What stands between it and its push server.
    pub end: Running<SubscriberEnd>,
}

impl SubscriberSide {
    /// Takes no further links and notices, gives the pushes that are under way and those that wait for them at most
    /// `grace`, says goodbye to the push server, and gives both machines back. `None` for one whose task had died.
    ///
    /// What has no outcome by then is dropped, which the end counts; notices that were put off are forgotten.
    pub async fn stop(self, grace: Duration) -> (Option<Subscriber>, Option<SubscriberEnd>) {
        // The end goes last: outcomes come through it.
        let subscriber = self.subscriber.drain(grace).await;
        (subscriber, self.end.stop().await)
    }
}

/// Runs a subscriber whose push server is another process. `watch` sees every step of a notice; it must not
/// block.
///
/// The push server need not be there: orders wait for it, and are put off when it does not come.
///
/// # Errors
///
/// When the address cannot be bound.
pub async fn run_subscriber(
    subscriber: Subscriber,
    end: SubscriberEnd,
    clock: Clock,
    address: SocketAddr,
    tls: ServerEndpoint,
    mut watch: impl FnMut(Milestone) + Send + 'static,
) -> io::Result<SubscriberSide> {
    let traffic = Arc::new(Traffic::default());
    let driver = Driver::new(subscriber, clock, Connector::new(clock, traffic.clone()));
    let listener =
        Listener::start(address, tls, clock, driver.link_mailbox(), traffic.clone(), links_max()).await?;
    let mailbox = driver.mailbox();

    let end_traffic = Arc::new(Traffic::default());
    let end = Driver::new(end, clock, Connector::new(clock, end_traffic.clone()));
    let orders = end.mailbox();
    let answers = mailbox.clone();
    let end_mailbox = orders.clone();
    let end_task = spawn(end.run(move |_, report| {
        let mail = match report {
            SubscriberEndReport::Recognised(push, device) => SubscriberMail::Recognised(push, device),
            SubscriberEndReport::Outcome(outcome) => SubscriberMail::Outcome(outcome),
        };
        let _ = answers.try_send(Letter::Mail(mail));
    }));
    let task = spawn(driver.run(move |_, report| match report {
        SubscriberReport::Push(order) => _ = orders.try_send(Letter::Mail(order)),
        SubscriberReport::Milestone(milestone) => watch(milestone),
    }));
    Ok(SubscriberSide {
        subscriber: Running { mailbox, task, listener: Some(listener), traffic },
        end: Running { mailbox: end_mailbox, task: end_task, listener: None, traffic: end_traffic },
    })
}

/// A push server with its end of the relay links.
#[derive(Debug)]
pub struct PushSide {
    /// The push server.
    pub push: Running<Push>,
    /// What stands between it and its subscribers.
    pub end: Running<PushEnd>,
}

impl PushSide {
    /// Takes no further links and orders, waits at most `grace` until providers have answered what is out, says
    /// goodbye to the subscribers, and gives both machines back. `None` for one whose task had died.
    pub async fn stop(self, grace: Duration) -> (Option<Push>, Option<PushEnd>) {
        let end = self.end.drain(grace).await;
        (self.push.stop().await, end)
    }
}

/// Runs a push server whose subscribers are other processes.
///
/// `tls` has to ask for certificates, as [`Identity::endpoint`](crate::identity::Identity::endpoint) does for
/// this protocol; a link without one is closed.
///
/// # Errors
///
/// When the address cannot be bound.
pub async fn run_push_server(
    push: Push,
    end: PushEnd,
    clock: Clock,
    address: SocketAddr,
    tls: ServerEndpoint,
    providers: Providers,
) -> io::Result<PushSide> {
    let traffic = Arc::new(Traffic::default());
    let driver = Driver::new(end, clock, Connector::new(clock, traffic.clone()));
    let listener =
        Listener::start(address, tls, clock, driver.link_mailbox(), traffic.clone(), links_max()).await?;
    let mailbox = driver.mailbox();
    let push = run_push(push, clock, providers, mailbox.clone());
    let orders = push.mailbox();
    let task = spawn(driver.run(move |_, order| {
        let _ = orders.try_send(Letter::Mail(PushMail::Order(order)));
    }));
    Ok(PushSide { push, end: Running { mailbox, task, listener: Some(listener), traffic } })
}
