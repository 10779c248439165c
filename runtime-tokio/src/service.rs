//! Roles as running services: about ten lines each to embed.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ntf_core::base::rng::Seed;
use ntf_core::client::Client;
use ntf_core::client::effect::Event;
use ntf_core::host::mailbox::Sender;
use ntf_core::host::oneshot;
use ntf_core::model::knowledge::Fact;
use ntf_core::model::push::PushOutcome;
use ntf_core::push::Push;
use ntf_core::push::effect::Effect as PushEffect;
use ntf_core::smp::server::Server;
use ntf_core::subscriber::Subscriber;
use ntf_core::subscriber::effect::Milestone;
use ntf_core::tls::ServerEndpoint;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::clock::Clock;
use crate::connect::Connector;
use crate::driver::{Driver, Letter, Role};
use crate::http2::Providers;
use crate::link::Traffic;
use crate::listen::Listener;
use crate::roles::{PushMail, SubscriberReport};
use crate::rt::{Task, spawn};

/// Most connections a server holds at once, whatever the system allows.
///
/// Source: ours; some more than a subscriber takes, so that it is the role that says who gives way.
const LINKS_MAX: u64 = 51_000;

/// Files the process needs beside its connections, those to providers among them: up to four for each provider and
/// thread.
const FILES_SPARE: u64 = 256;

/// Fresh randomness from the operating system.
///
/// # Errors
///
/// When the system has none to give.
pub fn os_seed() -> io::Result<Seed> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(Seed::new(bytes))
}

/// Connections a server holds at once; more wait in the system's backlog. As many as the limit of open
/// files leaves, which is raised as far as the system lets us.
pub(crate) fn links_max() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(LINKS_MAX + FILES_SPARE);
    if limit.current.is_some_and(|current| current < wanted) {
        // Refused at worst; then the limit that is read next is the old one.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(allowed.saturating_sub(FILES_SPARE).clamp(1, LINKS_MAX)).unwrap_or(usize::MAX)
}

/// A role that runs in a task of its own. Dropping this tells it to stop, and does not wait for that: it
/// closes its links, for at most five seconds, and ends.
#[derive(Debug)]
pub struct Running<R: Role> {
    pub(crate) mailbox: Sender<Letter<R::Mail>>,
    pub(crate) task: Task<R>,
    pub(crate) listener: Option<Listener>,
    pub(crate) traffic: Arc<Traffic>,
}

impl<R: Role> Running<R> {
    /// Hands a letter to the role. `false` when it has ended, or has not read a million letters.
    pub fn send(&self, mail: R::Mail) -> bool {
        self.mailbox.try_send(Letter::Mail(mail)).is_ok()
    }

    /// Where letters for the role go.
    #[must_use]
    pub fn mailbox(&self) -> Sender<Letter<R::Mail>> {
        self.mailbox.clone()
    }

    /// Where it listens, if it does.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().map(Listener::address)
    }

    /// Bytes that crossed its sockets.
    #[must_use]
    pub fn traffic(&self) -> Arc<Traffic> {
        self.traffic.clone()
    }

    /// Stops accepting links. Those that are open stay open.
    pub fn stop_listening(&mut self) {
        if let Some(listener) = &mut self.listener {
            listener.stop();
        }
    }

    /// Asks the role what it knows. `None` when it has ended.
    pub async fn look(&self) -> Option<Vec<Fact>> {
        let (answer, facts) = oneshot::channel();
        self.mailbox.try_send(Letter::Look(answer)).ok()?;
        facts.await.ok()
    }

    /// Stops accepting, lets the role finish what is under way for so long at most, then as [`stop`](Self::stop).
    pub async fn drain(self, within: Duration) -> Option<R> {
        self.end(Letter::Drain(within)).await
    }

    /// Stops accepting, tells the role to stop, waits for its links to end, and gives the role back for a
    /// last look. `None` when its task had died.
    pub async fn stop(self) -> Option<R> {
        self.end(Letter::Stop).await
    }

    async fn end(mut self, letter: Letter<R::Mail>) -> Option<R> {
        if let Some(listener) = self.listener.take() {
            listener.close().await;
        }
        let _ = self.mailbox.send(letter).await;
        (&mut self.task).await.ok()
    }

    /// Completes when the role's task has ended, which it does not do by itself unless it died. What it left
    /// is for [`stop`](Self::stop) to give back.
    pub async fn ended(&mut self) {
        self.task.ended().await;
    }
}

impl<R: Role> Drop for Running<R> {
    fn drop(&mut self) {
        // Refused by a role that has ended. One that has a million letters to read gets to none of them.
        let _ = self.mailbox.try_send(Letter::Stop);
    }
}

/// Runs an SMP server.
///
/// # Errors
///
/// When the address cannot be bound.
pub async fn run_smp_server(
    role: Server,
    clock: Clock,
    address: SocketAddr,
    tls: ServerEndpoint,
) -> io::Result<Running<Server>> {
    let traffic = Arc::new(Traffic::default());
    let driver = Driver::new(role, clock, Connector::new(clock, traffic.clone()));
    let listener =
        Listener::start(address, tls, clock, driver.link_mailbox(), traffic.clone(), links_max()).await?;
    let mailbox = driver.mailbox();
    let task = spawn(driver.run(|_, report| match report {}));
    Ok(Running { mailbox, task, listener: Some(listener), traffic })
}

/// Runs a push server that sends through `providers`; outcomes go to `outcomes`.
pub fn run_push<M: From<PushOutcome> + Send + 'static>(
    role: Push,
    clock: Clock,
    providers: Providers,
    outcomes: Sender<Letter<M>>,
) -> Running<Push> {
    let (mailbox, traffic, running) = push_telling(role, clock, providers, move |outcome| {
        let _ = outcomes.try_send(Letter::Mail(outcome.into()));
    });
    Running { mailbox, task: spawn(running), listener: None, traffic }
}

/// A push server that is yet to run, and tells `tell` its outcomes.
pub(crate) fn push_telling(
    role: Push,
    clock: Clock,
    providers: Providers,
    mut tell: impl FnMut(PushOutcome) + Send + 'static,
) -> (Sender<Letter<PushMail>>, Arc<Traffic>, impl Future<Output = Push> + Send + 'static) {
    let traffic = Arc::new(Traffic::default());
    let driver = Driver::new(role, clock, Connector::new(clock, traffic.clone()));
    let mailbox = driver.mailbox();
    let answers = mailbox.clone();
    let running = driver.run(move |_, effect| match effect {
        PushEffect::Request(request) => {
            let (providers, answers) = (providers.clone(), answers.clone());
            spawn(async move {
                let id = request.id;
                let answer = providers.send(request).await;
                let _ = answers.send(Letter::Mail(PushMail::Answer(id, answer))).await;
            });
        }
        PushEffect::Outcome(outcome) => tell(outcome),
    });
    (mailbox, traffic, running)
}

/// A subscriber and a push server in one process, without a socket between them.
#[derive(Debug)]
pub struct Both {
    /// The subscriber.
    pub subscriber: Running<Subscriber>,
    /// The push server.
    pub push: Running<Push>,
}

/// Runs both roles of a notification server. `watch` sees every step of a notice; it must not block.
///
/// # Errors
///
/// When the address cannot be bound.
pub async fn run_server(
    subscriber: Subscriber,
    push: Push,
    clock: Clock,
    address: SocketAddr,
    tls: ServerEndpoint,
    providers: Providers,
    mut watch: impl FnMut(Milestone) + Send + 'static,
) -> io::Result<Both> {
    let traffic = Arc::new(Traffic::default());
    let driver = Driver::new(subscriber, clock, Connector::new(clock, traffic.clone()));
    let listener =
        Listener::start(address, tls, clock, driver.link_mailbox(), traffic.clone(), links_max()).await?;
    let mailbox = driver.mailbox();
    let push = run_push(push, clock, providers, mailbox.clone());
    let orders = push.mailbox();
    let task = spawn(driver.run(move |_, report| match report {
        SubscriberReport::Push(order) => {
            let _ = orders.try_send(Letter::Mail(PushMail::Order(order)));
        }
        SubscriberReport::Milestone(milestone) => watch(milestone),
    }));
    Ok(Both { subscriber: Running { mailbox, task, listener: Some(listener), traffic }, push })
}

/// Runs a client. `tell` gets its events; it must not block.
pub fn run_client(
    mut role: Client,
    clock: Clock,
    mut tell: impl FnMut(Event) + Send + 'static,
) -> Running<Client> {
    let traffic = Arc::new(Traffic::default());
    // Its links do as they are told.
    role.let_tcp_ask();
    let driver = Driver::new(role, clock, Connector::new(clock, traffic.clone()));
    let mailbox = driver.mailbox();
    let task = spawn(driver.run(move |_, event| tell(event)));
    Running { mailbox, task, listener: None, traffic }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use ntf_core::client;
    use ntf_core::client::input::{Command, RequestTag};
    use ntf_core::host::mailbox::{self, Receiver};

    use super::*;
    use crate::connect::tests::BlackHole;
    use crate::roles::ClientMail;
    use crate::rt::run;
    use crate::wait::timeout;

    /// More than a role without links takes to end.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A client, and what ends with its task.
    fn start() -> (Running<Client>, Receiver<Event>) {
        let (clock, (tell, told)) = (Clock::start(), mailbox::bounded(16));
        let role = Client::new(client::Config::default(), os_seed().unwrap(), clock.now());
        (run_client(role, clock, move |event| drop(tell.try_send(event))), told)
    }

    #[test]
    fn a_role_that_has_ended_is_given_back_all_the_same() {
        run(1, async {
            let (mut running, _told) = start();
            running.mailbox().try_send(Letter::Stop).unwrap();
            for _ in 0..2 {
                timeout(PATIENCE, running.ended()).await.expect("it ends when told to");
            }
            assert!(running.stop().await.is_some());
        })
        .unwrap();
    }

    #[test]
    fn a_link_on_its_way_does_not_hold_up_the_end() {
        /// Less than a driver waits for its links.
        const SOON: Duration = Duration::from_secs(4);
        run(1, async {
            let hole = BlackHole::open(Ipv4Addr::LOCALHOST);
            let (running, _told) = start();
            let command = Command::CreateQueue { tag: RequestTag(1), server: hole.server(&["127.0.0.1"]) };
            assert!(running.send(ClientMail::Command(command)));
            let role = timeout(SOON, running.stop()).await.expect("the link is given up");
            assert!(role.is_some());
        })
        .unwrap();
    }

    #[test]
    fn a_role_that_nobody_holds_ends() {
        run(1, async {
            let (running, mut told) = start();
            let mailbox = running.mailbox();
            drop(running);
            let end = timeout(PATIENCE, told.recv()).await.expect("its task ends");
            assert_eq!(end, None);
            assert!(mailbox.is_closed());
        })
        .unwrap();
    }
}
