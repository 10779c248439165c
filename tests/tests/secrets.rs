//! Nothing secret in output: runs the whole path with every input, effect and role printed, with all that the
//! program would log when asked for everything, and with its metrics read, and looks for device tokens, codes, ids, keys, message
//! texts, addresses with fingerprints, host names of watched servers and addresses of peers.

use std::fmt::Debug;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ntf_core::base::meter::Readings;
use ntf_core::base::reach::Reach;
use ntf_core::base::rng::Stream;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, Input as ClientInput, RequestTag};
use ntf_core::client::{Client, Config as ClientConfig};
use ntf_core::crypto::keys::{X25519Private, X25519Public};
use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::host::wake::block_on;
use ntf_core::link::event::LinkEvent;
use ntf_core::model::knowledge::Fact;
use ntf_core::model::push::{PushOrder, PushOutcome};
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::model::shard::ShardId;
use ntf_core::model::token::{DeviceToken, Provider, TokenStatus};
use ntf_core::push::effect::Effect as PushEffect;
use ntf_core::push::input::Answer;
use ntf_core::push::{Config as PushConfig, Push};
use ntf_core::relay::push_end::{self, Admitted, Limits, PushEnd};
use ntf_core::relay::sealed_token::OpeningKey;
use ntf_core::relay::subscriber_end::{self, SubscriberEnd};
use ntf_core::smp::server::{Config as SmpConfig, Server};
use ntf_core::subscriber::config::SealedTokens;
use ntf_core::subscriber::{Config as SubscriberConfig, Subscriber};
use ntf_core::{Machine, Now, Step};
use ntf_runtime_tokio::clock::Clock;
use ntf_runtime_tokio::connect::Connector;
use ntf_runtime_tokio::driver::{Driver, LETTERS_MAX, Letter, Role, Sorted};
use ntf_runtime_tokio::http2::Providers;
use ntf_runtime_tokio::identity::Identity;
use ntf_runtime_tokio::link::Traffic;
use ntf_runtime_tokio::listen::Listener;
use ntf_runtime_tokio::metrics::Sources;
use ntf_runtime_tokio::metrics::server::MetricsServer;
use ntf_runtime_tokio::program::logging;
use ntf_runtime_tokio::roles::{
    ClientMail, PushEndMail, PushMail, SubscriberEndReport, SubscriberMail, SubscriberReport,
};
use ntf_runtime_tokio::service::os_seed;
use ntf_runtime_tokio::standin::{Fault, Trial};
use ntf_tests::by_hand::{RawDevice, RawQueue, smp_command};
use ntf_tests::leaks::{Secrets, suspicious};
use ntf_tests::raw::{Auth, PATIENCE, Talk};
use ntf_tests::voice::Speaks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{interval, timeout};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// What a message says, and nothing else does.
const MESSAGE: &str = "the eagle has landed on marmalade";

/// Where the SMP server is, and nobody else: all of 127/8 is this host.
const SMP_HOST: Ipv4Addr = Ipv4Addr::new(127, 77, 66, 55);

/// Where the subscriber is.
const NTF_HOST: Ipv4Addr = Ipv4Addr::new(127, 44, 33, 22);

/// Where the push server is.
const RELAY_HOST: Ipv4Addr = Ipv4Addr::new(127, 99, 88, 77);

/// A device token.
const DEVICE: &str = "feedface00112233445566778899aabbccddeeff";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_printed_or_logged_names_anybody() {
    let (printed, logged, unfiltered) = (Capture::default(), Capture::default(), Capture::default());
    let subscriber = tracing_subscriber::registry()
        .with(log_to(&logged).with_filter(logging::filter("trace")))
        .with(log_to(&unfiltered).with_filter(EnvFilter::new("trace")));
    tracing::subscriber::set_global_default(subscriber).expect("nobody else logs in this process");

    let mut secrets = Secrets::default();
    let mut pages = Vec::new();
    for shape in [Shape::Together, Shape::Apart] {
        pages.push(run_everything(shape, &printed, &mut secrets).await);
    }
    // As a library might log a request: let through by one of the filters, and not by ours.
    tracing::trace!(target: "h2::codec", path = format!("/3/device/{DEVICE}"));

    // The captures hold what they should hold, and the search finds what is there to be found.
    let (printed, logged, unfiltered) = (printed.take(), logged.take(), unfiltered.take());
    for word in
        ["Link(Up", "Link(Block", "Push(PushOrder", "Register", "Event(Message)", "Subscriber {", "Server {"]
    {
        assert!(printed.contains(word), "{word} was printed");
    }
    assert!(logged.contains("ntf_runtime_tokio"), "our own code logs something: {logged}");
    let told = secrets.found_in(&unfiltered);
    assert!(
        told.iter().any(|found| found.starts_with("device token")),
        "what a library logs when it is let is found: {told:?}"
    );

    let roles = ["ntf_subscriber_received_total", "ntf_push_accepted_total", "ntf_connections_made_total"];
    let ends = ["ntf_subscriber_end_answered_total", "ntf_push_end_orders_handed_on_total"];
    for (page, counted) in pages.iter().zip([&roles[..], &[roles.as_slice(), &ends].concat()]) {
        for counted in counted {
            let line = page.lines().find(|line| line.starts_with(counted)).expect("it is counted");
            assert!(!line.ends_with(" 0"), "the page shows what happened: {line}");
        }
        assert!(!page.contains("acceptance_ms_count 0\n"), "and how long it took");
    }
    let page = pages.concat();

    let found = secrets.found_in(&printed);
    assert!(found.is_empty(), "Debug output holds {found:#?}");
    // The stand-in's own address is in its Debug output, as it may be.
    secrets.text("peer address", "127.0.0.1");
    for (where_, text) in [("the log", &logged), ("the metrics page", &page)] {
        let found = secrets.found_in(text);
        assert!(found.is_empty(), "{where_} holds {found:#?}");
    }
    for (where_, text) in [("Debug output", &printed), ("the log", &logged), ("the metrics page", &page)] {
        let found = suspicious(text);
        assert!(
            found.is_empty(),
            "{where_} holds what looks like a secret: {:#?}",
            found.get(..found.len().min(20))
        );
    }
}

fn log_to<S>(capture: &Capture) -> impl Layer<S> + use<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_subscriber::fmt::layer().with_ansi(false).with_writer(capture.clone())
}

/// Where the two roles of a notification server are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// In one process.
    Together,
    /// In two, with a relay link between them, and device tokens that are sealed to the push server.
    Apart,
}

/// The whole path, and what does not go well: a push that fails, wrong credentials, a device that is gone.
///
/// Gives what the metrics page says at its end.
async fn run_everything(shape: Shape, capture: &Capture, secrets: &mut Secrets) -> String {
    let clock = Clock::start();
    let trial = Trial::start(loopback(), "chat.simplex.app").await.expect("the stand-in starts");
    let smp_identity = Identity::make("localhost", Protocol::Smp).expect("certificates can be made");
    let config =
        SmpConfig { nmsg_round: Duration::from_millis(10), ..SmpConfig::new(smp_identity.credentials()) };
    capture.print(&config);
    let smp = Spied::new(Server::new(config, os_seed().expect("randomness"), clock.now()), capture);
    let (smp, _) = start(smp, clock, Some((&smp_identity, SMP_HOST)), Protocol::Smp, |_| {}).await;

    let ntf_identity = Identity::make("localhost", Protocol::Ntf).expect("certificates can be made");
    let mut config =
        SubscriberConfig { allow_test_provider: true, ..SubscriberConfig::new(ntf_identity.credentials()) };
    config.smp.reach = Reach::Anywhere;
    config.sealed_tokens = SealedTokens::Taken;
    capture.print(&config);
    let subscriber = Subscriber::new(config, os_seed().expect("randomness"), clock.now());
    let servers = match shape {
        Shape::Together => together(subscriber, &ntf_identity, &trial, clock, capture).await,
        Shape::Apart => apart(subscriber, &ntf_identity, &trial, clock, capture, secrets).await,
    };
    let ntf = &servers.subscriber;
    let smp_address = smp.address_of(&smp_identity);
    let ntf_address = ntf.address_of(&ntf_identity);
    secrets.text("host of a watched server", &SMP_HOST.to_string());
    for (identity, address) in [(&smp_identity, &smp_address), (&ntf_identity, &ntf_address)] {
        capture.print(identity);
        capture.print(address);
        secrets.bytes("fingerprint", address.identity.as_bytes());
        for certificate in &identity.credentials().chain {
            secrets.bytes("certificate", certificate);
        }
    }
    secrets.text("signing key", trial.key_pem().lines().nth(1).expect("PEM"));

    // A device and a sender of ours.
    let (mut device, mut sender) = (
        Person::start(clock, capture, DEVICE, servers.sealing).await,
        Person::start(clock, capture, "feedface99112233445566778899aabbccddeeff", servers.sealing).await,
    );
    for person in [&device, &sender] {
        secrets.text("device token", &String::from_utf8_lossy(&person.token.token));
        capture.print(&person.token);
    }
    secrets.text("message", MESSAGE);
    // Inputs that no driver hands over as they are.
    capture.print(&ClientInput::Push(MESSAGE.as_bytes()));
    capture.print(&Answer::Response { status: 400, body: MESSAGE.as_bytes(), retry_after: None });
    device.listen_to(&trial);
    device.ask(Command::Register { server: ntf_address.clone(), device: device.token.clone() });
    device.wait(|event| *event == Event::Token(TokenStatus::Active)).await;
    device.ask(Command::CreateQueue { tag: RequestTag(1), server: smp_address.clone() });
    let created = device.wait(|event| matches!(event, Event::QueueCreated { .. })).await;
    let Event::QueueCreated { address, queue, .. } = created else { return String::new() };
    capture.print(&address);
    secrets.bytes("sender id", address.sender.as_bytes());
    device.wait(|event| matches!(event, Event::Subscription { .. })).await;
    let send = |message: &str| Command::Send {
        tag: RequestTag(2),
        to: address.clone(),
        message: message.as_bytes().to_vec(),
    };
    sender.ask(send(MESSAGE));
    device.wait(|event| matches!(event, Event::Message { .. })).await;

    // The provider fails; the connection's end is logged.
    for fault in [Fault::Drop, Fault::GoAway, Fault::answer(503, "ServiceUnavailable")] {
        let before = trial.stand_in().counts().requests;
        trial.stand_in().fail_next(1, fault);
        sender.ask(send(MESSAGE));
        device.wait(|event| matches!(event, Event::Message { .. })).await;
        // The push that failed is made again, whatever the device fetched meanwhile.
        let mut looks = interval(Duration::from_millis(10));
        let again = async {
            while trial.stand_in().counts().requests < before + 2 {
                looks.tick().await;
            }
        };
        timeout(PATIENCE, again).await.expect("a push made again");
    }
    // Servers that cannot be reached.
    let nowhere = ServerAddress { port: "9".into(), ..smp_address.clone() };
    device.ask(Command::CreateQueue { tag: RequestTag(3), server: nowhere });
    device.wait(|event| matches!(event, Event::Unreachable { .. })).await;

    // Peers made by hand, whose ids, keys and codes are known here.
    let stand_in_pushes = trial.stand_in().subscribe("0123456789abcdef0123456789abcdef");
    let (smp_socket, ntf_socket) = (smp.socket(), ntf.socket());
    let by_hand =
        spawn_blocking(move || by_hand(smp_socket, &smp_address, ntf_socket, &ntf_address, stand_in_pushes));
    for (what, bytes) in
        timeout(PATIENCE, by_hand).await.expect("in time").expect("the peers by hand are content")
    {
        secrets.bytes(what, &bytes);
    }
    secrets.text("device token", "0123456789abcdef0123456789abcdef");

    device.ask(Command::Check);
    device.wait(|event| matches!(event, Event::Token(_))).await;
    device.ask(Command::DeleteQueue { queue });
    device.wait(|event| matches!(event, Event::QueueDeleted { .. })).await;
    sender.ask(send(MESSAGE));
    sender.wait(|event| matches!(event, Event::Failed { .. })).await;
    device.ask(Command::Unregister);
    device.wait(|event| *event == Event::Unregistered).await;
    capture.print(&trial);
    capture.print(trial.stand_in());
    let mut shown = String::new();
    for metrics in &servers.metrics {
        shown += &page(metrics.address()).await;
    }
    device.running.stop().await;
    sender.running.stop().await;
    servers.stop().await;
    smp.stop().await;
    trial.stop().await;
    shown
}

/// Subscriber and push server, in whatever shape.
struct Servers {
    subscriber: Running,
    /// Push server and ends of a relay link.
    others: Vec<Running>,
    metrics: Vec<MetricsServer>,
    /// What device tokens are sealed to.
    sealing: Option<X25519Public>,
}

impl Servers {
    async fn stop(self) {
        self.subscriber.stop().await;
        for other in self.others {
            other.stop().await;
        }
    }
}

async fn together(
    subscriber: Subscriber,
    identity: &Identity,
    trial: &Trial,
    clock: Clock,
    capture: &Capture,
) -> Servers {
    let mut outcomes = Once::<Letter<SubscriberMail>>::new();
    let (push, orders, sources) = start_push(trial, clock, capture, outcomes.sender()).await;
    let (subscriber, mailbox) = start_subscriber(subscriber, identity, clock, capture, move |order| {
        let _ = orders.try_send(Letter::Mail(PushMail::Order(order)));
    })
    .await;
    let sources = sources.with_role("subscriber", mailbox.clone());
    outcomes.forward_to(mailbox);
    let metrics = vec![show(sources, capture).await];
    Servers { subscriber, others: vec![push], metrics, sealing: None }
}

async fn apart(
    subscriber: Subscriber,
    identity: &Identity,
    trial: &Trial,
    clock: Clock,
    capture: &Capture,
    secrets: &mut Secrets,
) -> Servers {
    let relay_identity = Identity::make("localhost", Protocol::Relay).expect("certificates can be made");
    let private = X25519Private::generate(&mut os_seed().expect("randomness").stream(Stream::Keys));
    secrets.bytes("sealing key", private.expose());
    let key = OpeningKey::new(private);
    let sealing = Some(*key.public());
    let own = identity.credentials().identity().expect("it has one");
    let admitted = Admitted { name: "the subscriber".into(), identity: own, limits: Limits::default() };
    let config = push_end::Config { keys: vec![key], ..push_end::Config::new(vec![admitted]) };
    capture.print(&config);

    let mut outcomes = Once::<Letter<PushEndMail>>::new();
    let (push, orders, sources) = start_push(trial, clock, capture, outcomes.sender()).await;
    let role = Spied::new(PushEnd::new(config, clock.now()), capture);
    let listen = Some((&relay_identity, RELAY_HOST));
    let (push_end, mailbox) = start(role, clock, listen, Protocol::Relay, move |order| {
        let _ = orders.try_send(Letter::Mail(PushMail::Order(order)));
    })
    .await;
    let push_metrics = show(sources.with_role("push_end", mailbox.clone()), capture).await;
    outcomes.forward_to(mailbox);

    let address = push_end.address_of(&relay_identity);
    capture.print(&relay_identity);
    capture.print(&address);
    secrets.bytes("fingerprint", address.identity.as_bytes());
    secrets.text("host of the push server", &RELAY_HOST.to_string());
    let config = subscriber_end::Config::new(address, identity.credentials());
    capture.print(&config);
    let role = SubscriberEnd::new(config, &os_seed().expect("randomness"), clock.now());
    let mut reports = Once::<Letter<SubscriberMail>>::new();
    let tell = reports.sender();
    let (end, orders) = start(Spied::new(role, capture), clock, None, Protocol::Relay, move |report| {
        let mail = match report {
            SubscriberEndReport::Recognised(push, device) => SubscriberMail::Recognised(push, device),
            SubscriberEndReport::Outcome(outcome) => SubscriberMail::Outcome(outcome),
        };
        let _ = tell.try_send(Letter::Mail(mail));
    })
    .await;
    let sources = Sources::default().with_role("subscriber_end", orders.clone());
    let (subscriber, mailbox) = start_subscriber(subscriber, identity, clock, capture, move |order| {
        let _ = orders.try_send(Letter::Mail(order));
    })
    .await;
    let metrics = show(sources.with_role("subscriber", mailbox.clone()), capture).await;
    reports.forward_to(mailbox);
    Servers { subscriber, others: vec![end, push_end, push], metrics: vec![metrics, push_metrics], sealing }
}

async fn start_subscriber(
    role: Subscriber,
    identity: &Identity,
    clock: Clock,
    capture: &Capture,
    mut order: impl FnMut(PushOrder) + Send + 'static,
) -> (Running, Mailbox<Subscriber>) {
    let listen = Some((identity, NTF_HOST));
    start(Spied::new(role, capture), clock, listen, Protocol::Ntf, move |report| {
        if let SubscriberReport::Push(asked) = report {
            order(asked);
        }
    })
    .await
}

/// A push server whose outcomes go to `outcomes`, and what it counts.
async fn start_push<M: From<PushOutcome> + Send + 'static>(
    trial: &Trial,
    clock: Clock,
    capture: &Capture,
    outcomes: Sender<Letter<M>>,
) -> (Running, Mailbox<Push>, Sources) {
    let config = PushConfig { later: Duration::from_secs(1), ..trial.push_config() };
    capture.print(&config);
    let push = Push::new(config, os_seed().expect("randomness"), clock.now());
    let config = trial.provider_config().expect("the stand-in's CA");
    capture.print(&config);
    let providers = Providers::new(&config).expect("the stand-in's CA");
    let sources = Sources::default().with_connections(providers.clone());
    let mut answers = Once::new();
    let answers_to = answers.sender();
    let (push, mailbox) =
        start(Spied::new(push, capture), clock, None, Protocol::Ntf, move |effect| match effect {
            PushEffect::Request(request) => {
                let (providers, answers) = (providers.clone(), answers_to.clone());
                tokio::spawn(async move {
                    let id = request.id;
                    let answer = providers.send(request).await;
                    let _ = answers.try_send(Letter::Mail(PushMail::Answer(id, answer)));
                });
            }
            PushEffect::Outcome(outcome) => {
                let _ = outcomes.try_send(Letter::Mail(outcome.into()));
            }
        })
        .await;
    answers.forward_to(mailbox.clone());
    let sources = sources.with_role("push", mailbox.clone());
    (push, mailbox, sources)
}

async fn show(sources: Sources, capture: &Capture) -> MetricsServer {
    let metrics = MetricsServer::start(loopback(), sources).await.expect("loopback can be bound");
    capture.print(&metrics);
    metrics
}

/// What a reader of the metrics gets.
async fn page(address: SocketAddr) -> String {
    let mut reader = TcpStream::connect(address).await.expect("it listens");
    reader.write_all(b"GET /metrics HTTP/1.1\r\nhost: here\r\n\r\n").await.expect("it reads");
    let mut text = String::new();
    timeout(PATIENCE, reader.read_to_string(&mut text)).await.expect("in time").expect("it answers");
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("# EOF\n"), "{text}");
    text
}

/// A registration and a queue by hand, right and wrong; gives everything that must stay unsaid.
fn by_hand(
    smp_socket: SocketAddr,
    smp_address: &ServerAddress,
    ntf_socket: SocketAddr,
    ntf_address: &ServerAddress,
    mut pushes: Receiver<ntf_runtime_tokio::standin::AcceptedPush>,
) -> Vec<(&'static str, Vec<u8>)> {
    use ntf_core::wire::smp::command::Command as SmpCommand;
    use ntf_core::wire::smp::response::Message;
    use ntf_core::wire::version::SmpVersion;

    let mut talk = Talk::ntf(ntf_socket, ntf_address);
    let device = RawDevice::register(&mut talk, "0123456789abcdef0123456789abcdef", || {
        block_on(pushes.recv()).expect("a verification push").body
    });
    assert_eq!(talk.ask_text(Auth::Bytes(&[1; 64]), &device.id, b"TCHK"), "ERR AUTH");
    device.verify(&mut talk);
    let subscription = device.subscribe(smp_address, &mut talk);
    let mut talk = Talk::smp(smp_socket, smp_address);
    let queue = RawQueue::create(&mut talk);
    let notifier_key = talk.key();
    let nkey = SmpCommand::Nkey { notifier: notifier_key.public().expect("a key"), dh: queue.dh.public() };
    let answer = talk.ask(Auth::Key(&queue.key), &queue.recipient, &smp_command(&nkey));
    let Ok(Message::Nid(notifier)) = Message::decode(&answer.command, SmpVersion::MAX) else {
        return Vec::new();
    };
    assert_eq!(talk.ask_text(Auth::Key(&notifier_key), notifier.notifier, b"NSUB"), "SOK 0");
    let key_bytes = |key: &ntf_core::crypto::keys::AuthPrivateKey| {
        let pkcs8 = key.to_pkcs8();
        pkcs8.get(pkcs8.len() - 32..).unwrap_or_default().to_vec()
    };
    vec![
        ("code", device.code.clone()),
        ("token id", device.id.clone()),
        ("subscription id", subscription),
        ("device key", key_bytes(&device.key)),
        ("device DH key", device.dh.expose().to_vec()),
        ("recipient id", queue.recipient.clone()),
        ("sender id", queue.sender.clone()),
        ("notifier id", notifier.notifier.to_vec()),
        ("queue key", key_bytes(&queue.key)),
        ("notifier key", key_bytes(&notifier_key)),
    ]
}

/// Text that many write.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    fn print(&self, value: &impl Debug) {
        // Both forms: {:#?} of a hand-written impl may differ.
        self.write(format!("{value:?}\n{value:#?}\n").as_bytes());
    }

    fn write(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }

    fn take(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::write(self, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Capture {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A role that prints all it takes in and gives out, and itself at each step.
struct Spied<R> {
    role: R,
    capture: Capture,
}

impl<R> Spied<R> {
    fn new(role: R, capture: &Capture) -> Self {
        Self { role, capture: capture.clone() }
    }
}

impl<R> Machine for Spied<R>
where
    R: Machine + Debug,
    R::Effect: Debug,
    for<'a> R::Input<'a>: Debug,
{
    type Input<'a> = R::Input<'a>;
    type Effect = R::Effect;

    fn handle(&mut self, now: Now, input: Self::Input<'_>) {
        self.capture.write(format!("{input:?}\n").as_bytes());
        self.role.handle(now, input);
        self.capture.write(format!("{:?}\n", self.role).as_bytes());
    }

    fn poll(&mut self) -> Step<R::Effect> {
        let step = self.role.poll();
        if let Step::Do(effect) = &step {
            self.capture.write(format!("{effect:?}\n").as_bytes());
        }
        step
    }
}

impl<R> Role for Spied<R>
where
    R: Role + Debug,
    R::Effect: Debug,
    R::Mail: Debug,
    for<'a> R::Input<'a>: Debug,
{
    type Mail = R::Mail;
    type Report = R::Report;
    type Word = R::Word;

    fn link_input(event: LinkEvent<'_>) -> Self::Input<'_> {
        R::link_input(event)
    }

    fn on_mail(&mut self, now: Now, mail: Self::Mail) {
        self.capture.write(format!("{mail:?}\n").as_bytes());
        self.role.on_mail(now, mail);
        self.capture.write(format!("{:?}\n", self.role).as_bytes());
    }

    fn tick_input() -> Self::Input<'static> {
        R::tick_input()
    }

    fn stop_input() -> Self::Input<'static> {
        R::stop_input()
    }

    fn facts(&self) -> Vec<Fact> {
        self.role.facts()
    }

    fn readings(&self) -> Readings {
        self.role.readings()
    }

    fn on_word(&mut self, now: Now, from: ShardId, word: Self::Word) {
        self.role.on_word(now, from, word);
    }

    fn sort(effect: Self::Effect) -> Sorted<Self> {
        match R::sort(effect) {
            Sorted::Link(action) => Sorted::Link(action),
            Sorted::Probe(link, after) => Sorted::Probe(link, after),
            Sorted::Tell(to, word) => Sorted::Tell(to, word),
            Sorted::HandOff(to, link, word) => Sorted::HandOff(to, link, word),
            Sorted::Report(report) => Sorted::Report(report),
        }
    }
}

/// A spied role that runs.
struct Running {
    listener: Option<Listener>,
    stop: Box<dyn FnOnce() + Send>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn socket(&self) -> SocketAddr {
        self.listener.as_ref().expect("it listens").address()
    }

    fn address_of(&self, identity: &Identity) -> ServerAddress {
        let host = self.socket().ip().to_string();
        identity.address(&host, self.socket()).expect("an identity")
    }

    async fn stop(self) {
        (self.stop)();
        self.task.await.expect("the role lived to the end");
    }
}

type Mailbox<R> = Sender<Letter<<R as Role>::Mail>>;

/// Runs a spied role, and listens for it if it has an identity.
async fn start<R>(
    role: Spied<R>,
    clock: Clock,
    identity: Option<(&Identity, Ipv4Addr)>,
    protocol: Protocol,
    mut perform: impl FnMut(R::Report) + Send + 'static,
) -> (Running, Mailbox<R>)
where
    R: Role + Debug + Send + 'static,
    R::Effect: Debug,
    R::Mail: Debug,
    R::Report: Send,
    for<'a> R::Input<'a>: Debug,
{
    let traffic = Arc::new(Traffic::default());
    let capture = role.capture.clone();
    let driver = Driver::new(role, clock, Connector::new(clock, traffic.clone()));
    capture.print(&driver);
    let mut listener = None;
    if let Some((identity, host)) = identity {
        let endpoint = identity.endpoint(protocol).expect("the key fits the chain");
        capture.print(&endpoint);
        let links = driver.link_mailbox();
        let started = Listener::start((host, 0).into(), endpoint, clock, links, traffic, 100).await;
        listener = Some(started.expect("loopback can be bound"));
    }
    let mailbox = driver.mailbox();
    let stopper = mailbox.clone();
    let task = tokio::spawn(async move {
        driver.run(move |_, report| perform(report)).await;
    });
    let stop = Box::new(move || {
        let _ = stopper.try_send(Letter::Stop);
    });
    (Running { listener, stop, task }, mailbox)
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A channel whose receiver is not known yet.
struct Once<T> {
    sender: Sender<T>,
    receiver: Option<Receiver<T>>,
}

impl<T: Send + 'static> Once<T> {
    fn new() -> Self {
        let (sender, receiver) = mailbox::bounded(LETTERS_MAX);
        Self { sender, receiver: Some(receiver) }
    }

    fn sender(&self) -> Sender<T> {
        self.sender.clone()
    }

    fn forward_to(&mut self, target: Sender<T>) {
        let mut receiver = self.receiver.take().expect("forwarded once");
        tokio::spawn(async move {
            while let Some(value) = receiver.recv().await {
                if target.send(value).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// A spied client.
struct Person {
    running: Running,
    mailbox: Mailbox<Client>,
    events: mpsc::UnboundedReceiver<Event>,
    token: DeviceToken,
}

impl Person {
    async fn start(clock: Clock, capture: &Capture, token: &str, seal_to: Option<X25519Public>) -> Self {
        let config = ClientConfig { seal_to, ..ClientConfig::default() };
        capture.print(&config);
        let role = Client::new(config, os_seed().expect("randomness"), clock.now());
        let (tell, events) = mpsc::unbounded_channel();
        let (running, mailbox) = start(Spied::new(role, capture), clock, None, Protocol::Ntf, move |event| {
            let _ = tell.send(event);
        })
        .await;
        let token = DeviceToken { provider: Provider::ApnsTest, token: token.as_bytes().into() };
        Self { running, mailbox, events, token }
    }

    fn listen_to(&self, trial: &Trial) {
        let mut pushes = trial.stand_in().subscribe(&String::from_utf8_lossy(&self.token.token));
        let mailbox = self.mailbox.clone();
        tokio::spawn(async move {
            while let Some(push) = pushes.recv().await {
                let _ = mailbox.try_send(Letter::Mail(ClientMail::Push(push.body.to_vec())));
            }
        });
    }

    fn ask(&self, command: Command) {
        self.mailbox.try_send(Letter::Mail(ClientMail::Command(command))).expect("the client runs");
    }

    async fn wait(&mut self, mut is_it: impl FnMut(&Event) -> bool) -> Event {
        loop {
            let event =
                timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("events");
            if is_it(&event) {
                return event;
            }
        }
    }
}
