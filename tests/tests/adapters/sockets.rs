//! A ground of real servers on loopback sockets, for the adapter that the parent module names.

use std::future::Future;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::num::NonZeroU8;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use ntf_core::base::reach::Reach;
use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::client::{self, Client};
use ntf_core::delivery::policy::PushPolicy;
use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::host::stop::{Cause, Stop};
use ntf_core::model::knowledge::Fact;
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::model::token::DeviceToken;
use ntf_core::push::{self, Push};
use ntf_core::relay::subscriber_end::{self, SubscriberEnd};
use ntf_core::smp::server::{self as smp, Server};
use ntf_core::subscriber::effect::Milestone;
use ntf_core::subscriber::{self, Subscriber};

use super::adapter::clock::Clock;
use super::adapter::driver::Letter;
use super::adapter::http2::Providers;
use super::adapter::identity::Identity;
use super::adapter::relay::{SubscriberSide, run_subscriber};
use super::adapter::roles::ClientMail;
use super::adapter::rt;
use super::adapter::service::{Both, Running, os_seed, run_client, run_server, run_smp_server};
use super::adapter::shards::{DRAIN, Plan, Sharded, run_sharded_server};
use super::adapter::standin::{Fault, Trial};
use crate::apart::{PushPlan, PushProcess};
use crate::ground::{Ground, Mishap};

/// Nothing on loopback takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What is out at the end of the two ends of a relay link is waited for so long.
pub(crate) const GRACE: Duration = Duration::from_millis(200);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Servers on a runtime of their own, seen from a thread that has none.
pub(crate) struct Sockets {
    jobs: Sender<Job>,
    runtime: thread::JoinHandle<()>,
    addresses: Addresses,
    devices: Vec<Device>,
    milestones: Milestones,
}

/// What subscribers have reported, from whichever thread they are on.
#[derive(Clone, Default)]
struct Milestones(Arc<Mutex<Vec<Milestone>>>);

impl Milestones {
    fn add(&self, milestone: Milestone) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(milestone);
    }

    fn all(&self) -> Vec<Milestone> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Device {
    mailbox: Sender<Letter<ClientMail>>,
    events: mpsc::Receiver<Event>,
    seen: Vec<Event>,
}

#[derive(Clone)]
struct Addresses {
    smp: ServerAddress,
    ntf: ServerAddress,
    sockets: [SocketAddr; 2],
}

/// What is done on the runtime; the answer is an empty one where there is nothing to tell.
#[derive(Debug)]
enum Job {
    AddDevice(mpsc::Sender<Event>, mpsc::Sender<Sender<Letter<ClientMail>>>),
    Install(usize, DeviceToken, mpsc::Sender<()>),
    Fail(Mishap, mpsc::Sender<()>),
    Restart(PushPolicy, mpsc::Sender<()>),
    Look(mpsc::Sender<Vec<Fact>>),
    Drain(mpsc::Sender<Vec<&'static str>>),
    Ended(mpsc::Sender<Cause>),
    End(mpsc::Sender<Stop>),
    Abandon(mpsc::Sender<()>),
}

/// Where the notification server runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Where {
    /// Both roles in tasks of the runtime that the test runs on.
    Here,
    /// On so many threads of its own.
    Threads(u8),
    /// The subscriber as in `Here`, and a push server that this starts elsewhere.
    Apart(fn(PushPlan) -> PushProcess),
}

/// The notification server.
enum Notifier {
    Here(Box<Both>),
    Threads(Sharded),
    Apart(Box<(SubscriberSide, PushProcess)>),
}

impl Notifier {
    fn address(&self) -> SocketAddr {
        match self {
            Self::Here(both) => both.subscriber.address().expect("it listens"),
            Self::Threads(sharded) => sharded.address(),
            Self::Apart(sides) => sides.0.subscriber.address().expect("it listens"),
        }
    }

    async fn look(&self) -> Vec<Fact> {
        match self {
            Self::Here(both) => both.subscriber.look().await,
            Self::Threads(sharded) => sharded.look().await,
            Self::Apart(sides) => sides.0.subscriber.look().await,
        }
        .expect("it runs")
    }

    /// Who has come to an orderly end.
    async fn stop(self) -> Vec<&'static str> {
        match self {
            Self::Here(both) => {
                let subscriber = both.subscriber.stop().await.map(|_| "subscriber");
                subscriber.into_iter().chain(both.push.stop().await.map(|_| "push server")).collect()
            }
            Self::Threads(sharded) => match sharded.stop().await {
                Ok(_) => vec!["subscriber", "push server"],
                Err(_) => Vec::new(),
            },
            Self::Apart(sides) => {
                let (subscriber, push) = *sides;
                let (role, end) = subscriber.stop(GRACE).await;
                let subscriber = role.and(end).map(|_| "subscriber");
                subscriber.into_iter().chain(push.stop().then_some("push server")).collect()
            }
        }
    }

    fn threads(&self) -> &Sharded {
        match self {
            Self::Here(_) | Self::Apart(_) => panic!("a server on threads of its own"),
            Self::Threads(sharded) => sharded,
        }
    }
}

impl Sockets {
    /// Starts everything; `enter` runs it on a runtime, but for a notification server that is to be elsewhere. `probe` is called in the subscriber's own task
    /// whenever a notice comes in or goes out.
    pub(crate) fn start(enter: impl FnOnce(Work) + Send + 'static, probe: fn(), place: Where) -> Self {
        let (jobs, todo) = mailbox::bounded(16);
        let (tell, told) = mpsc::channel();
        let milestones = Milestones::default();
        let watched = milestones.clone();
        let runtime = thread::spawn(move || {
            enter(Box::pin(async move {
                let network = Network::start(Watch { probe, milestones: watched }, place).await;
                tell.send(network.addresses.clone()).expect("the test waits");
                network.work(todo).await;
            }));
        });
        let addresses = told.recv_timeout(PATIENCE).expect("the servers start");
        Self { jobs, runtime, addresses, devices: Vec::new(), milestones }
    }

    /// Waits until the notification server begins to end by itself; says why.
    pub(crate) fn ended(&self) -> Cause {
        self.job(Job::Ended)
    }

    /// Lets the runtime go while everything works; gives the end of the notification server's threads.
    pub(crate) fn abandon(self) -> Stop {
        let stop = self.job(Job::End);
        self.job(Job::Abandon);
        self.runtime.join().expect("the runtime ends");
        stop
    }

    fn job<T>(&self, job: impl FnOnce(mpsc::Sender<T>) -> Job) -> T {
        let (answer, answered) = mpsc::channel();
        self.jobs.try_send(job(answer)).expect("the servers run");
        answered.recv_timeout(PATIENCE).expect("it is done")
    }
}

impl Ground for Sockets {
    fn ntf_address(&self) -> ServerAddress {
        self.addresses.ntf.clone()
    }

    fn smp_address(&self) -> ServerAddress {
        self.addresses.smp.clone()
    }

    fn add_device(&mut self) -> usize {
        let (tell, events) = mpsc::channel();
        let mailbox = self.job(|answer| Job::AddDevice(tell, answer));
        self.devices.push(Device { mailbox, events, seen: Vec::new() });
        self.devices.len() - 1
    }

    fn install(&mut self, device: usize, token: &DeviceToken) {
        self.job(|answer| Job::Install(device, token.clone(), answer));
    }

    fn ask(&mut self, device: usize, command: Command) {
        self.devices[device].mailbox.try_send(Letter::Mail(ClientMail::Command(command))).expect("it runs");
    }

    fn forge_push(&mut self, device: usize, body: &[u8]) {
        self.devices[device]
            .mailbox
            .try_send(Letter::Mail(ClientMail::Push(body.to_vec())))
            .expect("it runs");
    }

    fn next_event(&mut self, device: usize) -> Event {
        let Device { events, seen, .. } = &mut self.devices[device];
        let Ok(event) = events.recv_timeout(PATIENCE) else {
            panic!("device {device} is told nothing more than {seen:?}");
        };
        seen.push(event.clone());
        event
    }

    fn fail(&mut self, mishap: Mishap) {
        self.job(|answer| Job::Fail(mishap, answer));
    }

    fn restart_subscriber(&mut self, policy: PushPolicy) {
        self.job(|answer| Job::Restart(policy, answer));
    }

    fn let_strangers_in(&mut self) {
        for address in self.addresses.sockets {
            // One says nothing, one has gone, one knows no TLS, one stops in the middle of a record.
            let mut silent = Vec::new();
            for words in [&b""[..], b"", b"GET / HTTP/1.1\r\n\r\n", &[22, 3, 1, 0xff, 0xff, 1]] {
                let mut stranger = TcpStream::connect(address).expect("it listens");
                stranger.write_all(words).expect("it takes bytes");
                silent.push(stranger);
            }
            silent.swap_remove(1);
        }
    }

    fn knowledge(&mut self) -> Vec<Fact> {
        self.job(Job::Look)
    }

    fn milestones(&self) -> Vec<Milestone> {
        self.milestones.all()
    }

    fn drain(self) -> Vec<&'static str> {
        let ended = self.job(Job::Drain);
        self.runtime.join().expect("the runtime ends");
        ended
    }
}

/// Who sees the subscriber's milestones.
#[derive(Clone)]
struct Watch {
    probe: fn(),
    milestones: Milestones,
}

/// The servers and devices, on their runtime.
struct Network {
    clock: Clock,
    watch: Watch,
    place: Where,
    identity: Identity,
    addresses: Addresses,
    smp: Running<Server>,
    notifier: Notifier,
    trial: Trial,
    clients: Vec<Running<Client>>,
}

impl Network {
    async fn start(watch: Watch, place: Where) -> Self {
        let clock = Clock::start();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let smp_identity = Identity::make("localhost", Protocol::Smp).expect("certificates");
        let config = smp::Config {
            nmsg_round: Duration::from_millis(10),
            ..smp::Config::new(smp_identity.credentials())
        };
        let role = Server::new(config, os_seed().expect("randomness"), clock.now());
        let tls = smp_identity.endpoint(Protocol::Smp).expect("its own key");
        let smp = run_smp_server(role, clock, loopback, tls).await.expect("loopback");
        let trial = Trial::start(loopback, "chat.simplex.app").await.expect("the stand-in");
        let identity = Identity::make("localhost", Protocol::Ntf).expect("certificates");
        let policy = PushPolicy::Mutable;
        let notifier = start_notifier(clock, watch.clone(), place, policy, &identity, &trial, loopback).await;

        let sockets = [smp.address().expect("it listens"), notifier.address()];
        let addresses = Addresses {
            smp: smp_identity.address("localhost", sockets[0]).expect("an identity"),
            ntf: identity.address("localhost", sockets[1]).expect("an identity"),
            sockets,
        };
        Self { clock, watch, place, identity, addresses, smp, notifier, trial, clients: Vec::new() }
    }

    /// Does what the script's thread wants, until it drains the network or is gone.
    async fn work(mut self, mut todo: Receiver<Job>) {
        while let Some(job) = todo.recv().await {
            match job {
                Job::AddDevice(tell, answer) => {
                    let seed = os_seed().expect("randomness");
                    let role = Client::new(client::Config::default(), seed, self.clock.now());
                    let running = run_client(role, self.clock, move |event| _ = tell.send(event));
                    let _ = answer.send(running.mailbox());
                    self.clients.push(running);
                }
                Job::Install(device, token, answer) => {
                    self.install(device, &token);
                    let _ = answer.send(());
                }
                Job::Fail(mishap, answer) => {
                    self.fail(mishap);
                    let _ = answer.send(());
                }
                Job::Restart(policy, answer) => {
                    assert_eq!(self.notifier.stop().await, ["subscriber", "push server"]);
                    let (address, watch) = (self.addresses.sockets[1], self.watch.clone());
                    let (identity, trial) = (&self.identity, &self.trial);
                    self.notifier =
                        start_notifier(self.clock, watch, self.place, policy, identity, trial, address).await;
                    let _ = answer.send(());
                }
                Job::Look(answer) => {
                    let _ = answer.send(self.notifier.look().await);
                }
                Job::Drain(answer) => {
                    let _ = answer.send(self.drain().await);
                    return;
                }
                Job::Ended(answer) => {
                    let _ = answer.send(self.notifier.threads().ended().await);
                }
                Job::End(answer) => {
                    let _ = answer.send(self.notifier.threads().end().clone());
                }
                Job::Abandon(answer) => {
                    let _ = answer.send(());
                    return;
                }
            }
        }
    }

    fn install(&self, device: usize, token: &DeviceToken) {
        let mut pushes = self.trial.stand_in().subscribe(&String::from_utf8_lossy(&token.token));
        let mailbox = self.clients[device].mailbox();
        rt::spawn(async move {
            while let Some(push) = pushes.recv().await {
                let push = ClientMail::Push(push.body.to_vec());
                if mailbox.send(Letter::Mail(push)).await.is_err() {
                    return;
                }
            }
        });
    }

    fn fail(&self, mishap: Mishap) {
        let apple = self.trial.stand_in();
        match mishap {
            Mishap::Refuse(status, reason) => apple.fail_next(1, Fault::answer(status, reason)),
            // Long after the token was given out.
            Mishap::Uninstall(token) => {
                apple.unregister(&String::from_utf8_lossy(&token.token), u64::MAX / 2);
            }
            Mishap::Silence => apple.fail_next(u32::MAX, Fault::Silence),
        }
    }

    async fn drain(self) -> Vec<&'static str> {
        let mut ended = Vec::new();
        ended.extend(self.notifier.stop().await);
        ended.extend(self.smp.stop().await.map(|_| "SMP server"));
        let mut all_ended = true;
        for client in self.clients {
            all_ended &= client.stop().await.is_some();
        }
        ended.extend(all_ended.then_some("every device"));
        self.trial.stop().await;
        ended
    }
}

async fn start_notifier(
    clock: Clock,
    watch: Watch,
    place: Where,
    policy: PushPolicy,
    identity: &Identity,
    trial: &Trial,
    address: SocketAddr,
) -> Notifier {
    let mut config =
        subscriber::Config { allow_test_provider: true, ..subscriber::Config::new(identity.credentials()) };
    config.smp.reach = Reach::Anywhere;
    config.delivery.policy = policy;
    let push = push::Config { later: Duration::from_secs(1), ..trial.push_config() };
    let tls = identity.endpoint(Protocol::Ntf).expect("its own key");
    let watch = move |milestone| {
        watch.milestones.add(milestone);
        (watch.probe)();
    };
    let seed = || os_seed().expect("randomness");
    let providers = || trial.provider_config().and_then(|config| Providers::new(&config)).expect("its CA");
    match place {
        Where::Here => {
            let push = Push::new(push, seed(), clock.now());
            let subscriber = Subscriber::new(config, seed(), clock.now());
            let both = run_server(subscriber, push, clock, address, tls, providers(), watch).await;
            Notifier::Here(Box::new(both.expect("loopback")))
        }
        Where::Threads(threads) => {
            let threads = NonZeroU8::new(threads).expect("at least one");
            let providers = providers();
            let plan = Plan { config, threads, push, clock, address, tls, providers, drain: DRAIN, watch };
            Notifier::Threads(run_sharded_server(plan).await.expect("loopback"))
        }
        Where::Apart(start) => {
            let (endpoint, ca_pem) = (trial.stand_in().endpoint(), trial.stand_in().ca_pem().to_owned());
            let own = identity.credentials().identity().expect("it has one");
            let push = start(PushPlan { push, endpoint, ca_pem, subscriber: own });
            let end = subscriber_end::Config::new(push.address.clone(), identity.credentials());
            let end = SubscriberEnd::new(end, &seed(), clock.now());
            let subscriber = Subscriber::new(config, seed(), clock.now());
            let side = run_subscriber(subscriber, end, clock, address, tls, watch).await.expect("loopback");
            Notifier::Apart(Box::new((side, push)))
        }
    }
}
