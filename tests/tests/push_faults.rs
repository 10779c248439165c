//! What a provider can do to a push server, over real sockets: after each of it nothing is lost and nothing is
//! doubled. Orders that were put off are made again, as a subscriber would.

#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ntf_core::base::backoff::BackoffPlan;
use ntf_core::base::rng::Seed;
use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::model::push::{PushId, PushOrder, PushOutcome, PushPayload, PushResult, Sealed};
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::push::{Config, Push};
use ntf_core::wire::text::base64;
use ntf_runtime_tokio::clock::Clock;
use ntf_runtime_tokio::driver::Letter;
use ntf_runtime_tokio::http2::{Endpoint, ProviderConfig, Providers};
use ntf_runtime_tokio::roles::PushMail;
use ntf_runtime_tokio::service::{Running, run_push};
use ntf_runtime_tokio::standin::{AcceptedPush, Fault, Trial};
use ntf_tests::raw::PATIENCE;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

const DEVICE: &str = "00c0ffee00c0ffee00c0ffee00c0ffee";

#[tokio::test]
async fn storms_of_429_and_503() {
    for (status, reason) in
        [(429, "TooManyRequests"), (503, "ServiceUnavailable"), (500, "InternalServerError")]
    {
        let mut rig = Rig::start().await;
        rig.trial.stand_in().fail_next(60, Fault::answer(status, reason));
        let put_off = rig.deliver(40).await;
        assert_eq!(put_off, 60, "{status}: each refusal put one order off");
        rig.assert_each_once(40);
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_limited_device_is_left_alone_and_the_others_are_not() {
    let mut rig = Rig::start().await;
    rig.trial.stand_in().fail_next(
        1,
        Fault::Answer {
            status: 429,
            reason: "TooManyRequests".into(),
            retry_after_secs: Some(3600),
            timestamp_millis: None,
        },
    );
    rig.order(1);
    rig.expect_put_off(1).await;
    rig.order(5);
    rig.expect_put_off(6).await;
    assert_eq!(rig.trial.stand_in().counts().requests, 1, "the provider is not asked again");
    let device = DeviceToken { provider: Provider::ApnsTest, token: b"00facade".as_slice().into() };
    let payload = PushPayload::CheckMessages;
    assert!(rig.push.send(PushMail::Order(PushOrder { id: PushId(1000), device, payload })));
    let letter = timeout(PATIENCE, rig.outcomes.recv()).await.expect("an outcome in time").unwrap();
    let Letter::Mail(outcome) = letter else { panic!("an outcome") };
    assert_eq!(outcome, PushOutcome { id: PushId(1000), result: PushResult::Accepted });
    let push = rig.stop().await;
    assert_eq!(push.counters().device_limited.total(), 5);
}

#[tokio::test]
async fn goodbyes_and_refused_streams_amid_a_load() {
    let mut rig = Rig::start().await;
    rig.trial.stand_in().fail_next(5, Fault::RefuseStream);
    for fault in [Fault::GoAway, Fault::LastAnswer, Fault::RefuseStream, Fault::LastAnswer, Fault::GoAway] {
        rig.trial.stand_in().fail_next(10, Fault::Delay(Duration::from_millis(20)));
        rig.trial.stand_in().fail_next(1, fault);
    }
    rig.deliver(200).await;
    rig.assert_each_once(200);
    assert!(rig.trial.stand_in().counts().connections > 1, "it was said goodbye to");
    rig.stop().await;
}

#[tokio::test]
async fn a_goodbye_with_the_request_processed_is_an_answer() {
    let mut rig = Rig::start().await;
    for connections in 1..=5 {
        rig.trial.stand_in().fail_next(1, Fault::LastAnswer);
        assert_eq!(rig.deliver(1).await, 0);
        assert_eq!(rig.trial.stand_in().counts().connections, connections);
    }
    rig.assert_each_once(5);
    rig.stop().await;
}

#[tokio::test]
async fn connections_that_close_in_the_middle_of_a_request() {
    let mut rig = Rig::start().await;
    rig.trial.stand_in().fail_next(20, Fault::Delay(Duration::from_millis(20)));
    rig.trial.stand_in().fail_next(1, Fault::Drop);
    let put_off = rig.deliver(30).await;
    assert!(put_off > 0, "what was on the connection may have been pushed, so it was not sent again");
    let (pushed, orders) = (rig.pushed(), 30 + put_off);
    assert_eq!(pushed.len(), 30, "nothing is lost");
    assert!(pushed.values().sum::<usize>() <= orders, "at most one push for each order: {pushed:?}");
    rig.stop().await;
}

#[tokio::test]
async fn a_push_that_was_made_and_not_confirmed_is_made_again_by_another_order_only() {
    let mut rig = Rig::start().await;
    rig.trial.stand_in().fail_next(3, Fault::DropAnswer);
    let put_off = rig.deliver(1).await;
    assert_eq!(put_off, 3);
    assert_eq!(rig.pushed().into_values().collect::<Vec<_>>(), [4], "one for each order");
    rig.stop().await;
}

#[tokio::test]
async fn provider_tokens_that_expire_under_a_load() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.deliver(1).await, 0);
    rig.trial.stand_in().fail_next(50, Fault::answer(403, "ExpiredProviderToken"));
    assert_eq!(rig.deliver(50).await, 0, "each was sent again, none was put off");
    rig.assert_each_once(51);
    let push = rig.stop().await;
    assert_eq!(push.counters().jwt_signed.total(), 2, "one new token for all");
}

#[tokio::test]
async fn a_provider_that_refuses_connections_and_comes_back() {
    let mut rig = Rig::start().await;
    rig.path.send_replace(Path::Close);
    rig.order(10);
    rig.expect_put_off(10).await;
    rig.path.send_replace(Path::Open);
    rig.finish().await;
    rig.assert_each_once(10);
    rig.stop().await;
}

#[tokio::test]
async fn a_provider_that_takes_connections_and_never_answers() {
    let mut rig = Rig::start().await;
    rig.path.send_replace(Path::Hold);
    rig.order(10);
    rig.expect_put_off(10).await;
    rig.path.send_replace(Path::Open);
    rig.finish().await;
    rig.assert_each_once(10);
    rig.stop().await;
}

#[tokio::test]
async fn a_connection_that_dies_without_a_sign() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.deliver(1).await, 0);
    rig.path.send_replace(Path::Hold);
    rig.order(10);
    rig.expect_put_off(10).await;
    assert_eq!(rig.providers.meters().open, 0, "nobody asks it again");
    rig.path.send_replace(Path::Open);
    rig.finish().await;
    rig.assert_each_once(11);
    rig.stop().await;
}

#[tokio::test]
async fn a_provider_that_shows_a_wrong_certificate_and_then_its_own() {
    let mut rig = Rig::start().await;
    let other = Trial::start(loopback(), "chat.simplex.app").await.unwrap();
    rig.path.send_replace(Path::To(other.stand_in().address()));
    rig.order(10);
    rig.expect_put_off(10).await;
    assert_eq!(other.stand_in().counts().requests, 0, "an impostor hears of nobody");
    rig.path.send_replace(Path::Open);
    rig.finish().await;
    rig.assert_each_once(10);
    other.stop().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_slow_provider_gets_more_connections_and_never_more_than_the_bound() {
    let mut rig = Rig::with(|config| config.connections_max = 3, |_| {}).await;
    // Answers that take their time keep the thousand streams of a connection in use.
    rig.trial.stand_in().fail_next(3500, Fault::Delay(Duration::from_millis(300)));
    assert_eq!(rig.deliver(3500).await, 0);
    rig.assert_each_once(3500);
    let meters = rig.providers.meters();
    assert_eq!((meters.open, meters.streams, meters.waiting), (3, 0, 0));
    assert_eq!(rig.trial.stand_in().counts().connections, 3);
    rig.stop().await;
}

#[tokio::test]
async fn a_request_that_is_never_answered_raises_suspicion_and_the_others_go_on() {
    let later = Duration::from_millis(300);
    let mut rig = Rig::with(|_| {}, |config| config.order_deadline = later).await;
    rig.trial.stand_in().fail_next(5, Fault::Silence);
    let put_off = rig.deliver(20).await;
    assert_eq!(put_off, 5, "those alone");
    rig.assert_each_once(20);
    assert_eq!(rig.trial.stand_in().counts().connections, 1, "it gave its sign of life");
    rig.stop().await;
}

/// How the push server's bytes get to the stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// As they should.
    Open,
    /// Connections are closed at once.
    Close,
    /// Connections are taken and no byte passes.
    Hold,
    /// To somebody else.
    To(SocketAddr),
}

/// A push server, a path that can be blocked, and a stand-in; and a subscriber that makes orders again.
struct Rig {
    trial: Trial,
    push: Running<Push>,
    providers: Providers,
    outcomes: Receiver<Letter<PushOutcome>>,
    device: Receiver<AcceptedPush>,
    path: watch::Sender<Path>,
    /// What is owed to the device under each order that is out, or was put off.
    out: BTreeMap<PushId, u64>,
    put_off: BTreeSet<u64>,
    orders_made: u64,
    wanted: u64,
}

impl Rig {
    async fn start() -> Self {
        Self::with(|_| {}, |_| {}).await
    }

    async fn with(adapter: impl FnOnce(&mut ProviderConfig), role: impl FnOnce(&mut Config)) -> Self {
        let trial = Trial::start(loopback(), "chat.simplex.app").await.unwrap();
        let (path, seen) = watch::channel(Path::Open);
        let port = open_path(trial.stand_in().address(), seen).await;
        let mut config = ProviderConfig {
            connect_timeout: Duration::from_millis(500),
            ping_interval: Duration::from_millis(200),
            ping_timeout: Duration::from_millis(500),
            ..trial.provider_config().unwrap()
        };
        let endpoint = Endpoint::parse(&format!("https://localhost:{port}")).unwrap();
        config.endpoint_overrides.insert(Provider::ApnsTest, endpoint);
        adapter(&mut config);
        let providers = Providers::new(&config).unwrap();
        let mut config = Config {
            in_flight_max: 4000,
            retry: BackoffPlan { first: Duration::from_millis(20), max: Duration::from_millis(50) },
            ..trial.push_config()
        };
        role(&mut config);
        let clock = Clock::start();
        let push = Push::new(config, Seed::from_number(1), clock.now());
        let (sender, outcomes): (Sender<Letter<PushOutcome>>, _) = mailbox::bounded(10_000);
        let push = run_push(push, clock, providers.clone(), sender);
        let device = trial.stand_in().subscribe(DEVICE);
        Self {
            trial,
            push,
            providers,
            outcomes,
            device,
            path,
            out: BTreeMap::new(),
            put_off: BTreeSet::new(),
            orders_made: 0,
            wanted: 0,
        }
    }

    /// Orders pushes for so many notices.
    fn order(&mut self, notices: u64) {
        for _ in 0..notices {
            self.wanted += 1;
            self.make(self.wanted);
        }
    }

    fn make(&mut self, notice: u64) {
        self.orders_made += 1;
        let id = PushId(self.orders_made);
        let device = DeviceToken { provider: Provider::ApnsTest, token: DEVICE.as_bytes().into() };
        let ciphertext = notice.to_be_bytes().to_vec().into();
        let payload = PushPayload::Message(Sealed { nonce: [7; 24], ciphertext });
        self.out.insert(id, notice);
        assert!(self.push.send(PushMail::Order(PushOrder { id, device, payload })));
    }

    /// Waits for the next outcome.
    async fn land(&mut self) {
        let letter = timeout(PATIENCE, self.outcomes.recv()).await.expect("an outcome in time").unwrap();
        let Letter::Mail(outcome) = letter else { panic!("an outcome") };
        let notice = self.out.remove(&outcome.id).expect("one outcome for each order");
        match outcome.result {
            PushResult::Accepted => {}
            PushResult::TryLater { .. } => _ = self.put_off.insert(notice),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until so many are put off.
    async fn expect_put_off(&mut self, notices: usize) {
        while self.put_off.len() < notices {
            self.land().await;
        }
        assert!(self.out.is_empty(), "nothing was accepted meanwhile");
    }

    /// Makes orders again until nothing is owed. Gives how many were put off.
    async fn finish(&mut self) -> usize {
        let mut made_again = 0;
        loop {
            for notice in std::mem::take(&mut self.put_off) {
                made_again += 1;
                self.make(notice);
            }
            if self.out.is_empty() {
                return made_again;
            }
            self.land().await;
        }
    }

    async fn deliver(&mut self, notices: u64) -> usize {
        self.order(notices);
        self.finish().await
    }

    /// How often each notice was pushed to the device.
    fn pushed(&mut self) -> BTreeMap<String, usize> {
        let mut pushed = BTreeMap::new();
        while let Ok(push) = self.device.try_recv() {
            let body: serde_json::Value = serde_json::from_slice(&push.body).unwrap();
            let notice = body.pointer("/notificationData/message").unwrap().as_str().unwrap().to_owned();
            *pushed.entry(notice).or_default() += 1;
        }
        pushed
    }

    fn assert_each_once(&mut self, notices: u64) {
        let expected = (1..=notices).map(|notice| (base64::encode(&notice.to_be_bytes()), 1));
        assert_eq!(self.pushed(), expected.collect());
    }

    async fn stop(self) -> Push {
        let push = self.push.stop().await.expect("it lived to the end");
        self.trial.stop().await;
        push
    }
}

/// Carries connections to `target`, as long as the path is open. Gives the port.
async fn open_path(target: SocketAddr, path: watch::Receiver<Path>) -> u16 {
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(carry(tcp, target, path.clone()));
        }
    });
    port
}

async fn carry(mut tcp: TcpStream, target: SocketAddr, mut path: watch::Receiver<Path>) {
    let found = *path.borrow_and_update();
    let target = match found {
        Path::Open => Some(target),
        Path::To(other) => Some(other),
        Path::Hold => None,
        Path::Close => return,
    };
    if let Some(target) = target {
        let Ok(mut other) = TcpStream::connect(target).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut tcp, &mut other) => return,
            _ = path.changed() => {}
        }
    }
    // What is held is swallowed, and ends when the path changes once more.
    let _ = path.changed().await;
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}
