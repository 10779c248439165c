//! The push server over real sockets: the machine, the HTTP/2 adapter and the stand-in for Apple.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ntf_core::base::backoff::BackoffPlan;
use ntf_core::base::rng::Seed;
use ntf_core::base::time::{Mono, Now, Wall};
use ntf_core::crypto::es256::Es256Key;
use ntf_core::machine::{Machine as _, Step};
use ntf_core::model::push::{PushId, PushOrder, PushPayload, PushResult, Sealed};
use ntf_core::model::token::{DeviceToken, InvalidReason, Provider};
use ntf_core::push::effect::{Effect, RequestId};
use ntf_core::push::input::Input;
use ntf_core::push::{Config, Counters, Push};
use ntf_runtime_tokio::http2::{Endpoint, OwnedAnswer, ProviderConfig, Providers, Roots};
use ntf_runtime_tokio::standin::{Counts, Fault, StandIn, StandInConfig, make_provider_key};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

const DEVICE: &str = "00c0ffee00c0ffee00c0ffee00c0ffee";
const TOPIC: &str = "chat.simplex.app";

/// Longer than any test should take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_push_reaches_its_device_as_it_was_ordered() {
    let mut rig = Rig::start().await;
    let mut device = rig.stand_in.subscribe(DEVICE);
    assert_eq!(rig.push(message(5)).await, PushResult::Accepted);
    let push = timeout(PATIENCE, device.recv()).await.unwrap().unwrap();
    let body: Value = serde_json::from_slice(&push.body).unwrap();
    assert_eq!(body["aps"]["mutable-content"], 1);
    assert_eq!(body["notificationData"]["message"], "BQUFBQ==");
    let header = |name: &str| push.headers.iter().find(|(header, _)| header == name).map(|(_, v)| v.as_str());
    assert_eq!(header("apns-topic"), Some(TOPIC));
    assert_eq!(header("apns-push-type"), Some("alert"));
    assert_eq!(header("apns-priority"), None);
    let counts = rig.counts();
    assert_eq!((counts.requests, counts.accepted, counts.refused), (1, 1, 0));
    assert_eq!(rig.stand_in.knowledge()[0].count, 1);
    rig.stop().await;
}

#[tokio::test]
async fn every_kind_of_push_passes_the_strict_checks() {
    let mut rig = Rig::start().await;
    let sealed = || Sealed { nonce: [1; 24], ciphertext: vec![2; 2896].into() };
    for payload in
        [PushPayload::Verification(sealed()), PushPayload::Message(sealed()), PushPayload::CheckMessages]
    {
        let kind = payload.kind();
        assert_eq!(rig.push(payload).await, PushResult::Accepted, "{kind:?}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn many_pushes_share_one_connection_and_one_provider_token() {
    let mut rig = Rig::start().await;
    let mut device = rig.stand_in.subscribe(DEVICE);
    rig.order_many(500).await;
    for _ in 0..500 {
        assert_eq!(rig.outcome().await, PushResult::Accepted);
    }
    for _ in 0..500 {
        assert!(timeout(PATIENCE, device.recv()).await.unwrap().is_some());
    }
    let counts = rig.counts();
    assert_eq!((counts.connections, counts.provider_tokens, counts.accepted), (1, 1, 500));
    rig.stop().await;
}

#[tokio::test]
async fn a_provider_that_allows_one_stream_gets_one_at_a_time_on_each_connection() {
    let mut rig = Rig::with(|stand_in, _| stand_in.streams_max = 1).await;
    rig.order_many(50).await;
    for _ in 0..50 {
        assert_eq!(rig.outcome().await, PushResult::Accepted);
    }
    let counts = rig.counts();
    assert_eq!((counts.accepted, counts.requests), (50, 50), "no stream was refused");
    let bound = u64::try_from(ProviderConfig::default().connections_max).unwrap();
    assert!(counts.connections <= bound, "{}", counts.connections);
    rig.stop().await;
}

#[tokio::test]
async fn refusals_arrive_with_their_reasons() {
    let mut rig = Rig::start().await;
    let invalid = |reason| PushResult::TokenInvalid { reason, since_millis: None };
    for (status, reason, expected) in [
        (400, "BadDeviceToken", invalid(InvalidReason::Bad)),
        (400, "DeviceTokenNotForTopic", invalid(InvalidReason::Topic)),
        (400, "TopicDisallowed", PushResult::Refused),
        (400, "", PushResult::Refused),
        (403, "InvalidProviderToken", PushResult::Refused),
        (410, "ExpiredToken", invalid(InvalidReason::Expired)),
        (410, "Unregistered", invalid(InvalidReason::Unregistered)),
        (413, "PayloadTooLarge", PushResult::TooLarge),
    ] {
        rig.stand_in.fail_next(1, Fault::answer(status, reason));
        assert_eq!(rig.push(message(1)).await, expected, "{status} {reason}");
    }
    assert_eq!(rig.push(message(1)).await, PushResult::Accepted, "and the connection goes on");
    assert_eq!(rig.counts().connections, 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_limit_is_put_off_as_long_as_the_provider_says() {
    let mut rig = Rig::start().await;
    let fault = Fault::Answer {
        status: 429,
        reason: "TooManyRequests".to_owned(),
        retry_after_secs: Some(77),
        timestamp_millis: None,
    };
    rig.stand_in.fail_next(1, fault);
    let PushResult::TryLater { after } = rig.push(message(1)).await else { panic!("not put off") };
    assert!(after >= Duration::from_secs(77) && after <= Duration::from_secs(116), "{after:?}");
    rig.stop().await;
}

#[tokio::test]
async fn after_a_503_the_next_push_takes_another_connection() {
    let mut rig = Rig::start().await;
    for (status, connections) in [(500, 1), (503, 2)] {
        rig.stand_in.fail_next(1, Fault::answer(status, "Shutdown"));
        assert!(matches!(rig.push(message(1)).await, PushResult::TryLater { .. }), "{status}");
        assert_eq!(rig.push(message(1)).await, PushResult::Accepted, "{status}");
        assert_eq!(rig.counts().connections, connections, "{status}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn an_app_that_was_removed_is_told_with_its_date() {
    let mut rig = Rig::start().await;
    rig.stand_in.unregister(DEVICE, 1_700_000_000_123);
    let reason = InvalidReason::Unregistered;
    let since_millis = Some(1_700_000_000_123);
    assert_eq!(rig.push(message(1)).await, PushResult::TokenInvalid { reason, since_millis });
    rig.stop().await;
}

#[tokio::test]
async fn an_expired_provider_token_costs_one_more_request() {
    let mut rig = Rig::start().await;
    rig.stand_in.fail_next(1, Fault::answer(403, "ExpiredProviderToken"));
    assert_eq!(rig.push(message(1)).await, PushResult::Accepted);
    assert_eq!(rig.counts().requests, 2);
    assert_eq!(rig.counters().jwt_signed.total(), 2);
    rig.stop().await;
}

#[tokio::test]
async fn what_is_wrong_in_the_config_is_refused_by_the_provider() {
    type Spoil = fn(&mut Config);
    let cases: [(&str, Spoil); 3] = [
        ("topic", |config| config.topic = "org.example.other".to_owned()),
        ("team id", |config| config.team_id = "OTHERTEAM1".to_owned()),
        ("key", |config| config.key = Some(new_key())),
    ];
    for (what, spoil) in cases {
        let mut rig = Rig::with(|_, config| spoil(config)).await;
        assert_eq!(rig.push(message(1)).await, PushResult::Refused, "{what}");
        assert_eq!(rig.counts().refused, 1, "{what}");
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_body_above_4096_bytes_is_refused() {
    let mut rig = Rig::start().await;
    let sealed = |len| PushPayload::Message(Sealed { nonce: [1; 24], ciphertext: vec![2; len].into() });
    assert_eq!(rig.push(sealed(2928)).await, PushResult::Accepted);
    assert_eq!(rig.push(sealed(2931)).await, PushResult::TooLarge);
    rig.stop().await;
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_on_the_same_connection() {
    let mut rig = Rig::start().await;
    let mut device = rig.stand_in.subscribe(DEVICE);
    assert_eq!(rig.push(message(0)).await, PushResult::Accepted);
    rig.stand_in.fail_next(1, Fault::RefuseStream);
    assert_eq!(rig.push(message(1)).await, PushResult::Accepted);
    assert_eq!((rig.counts().requests, rig.counts().connections), (3, 1));
    assert!(device.recv().await.is_some() && device.recv().await.is_some());
    assert!(device.try_recv().is_err(), "one push for each order");
    rig.stop().await;
}

#[tokio::test]
async fn a_goodbye_loses_nothing_and_doubles_nothing() {
    let mut rig = Rig::start().await;
    let mut device = rig.stand_in.subscribe(DEVICE);
    // One is in flight when the goodbye comes, and is still answered.
    rig.stand_in.fail_next(1, Fault::Delay(Duration::from_millis(200)));
    rig.stand_in.fail_next(1, Fault::GoAway);
    rig.order_many(10).await;
    for _ in 0..10 {
        assert_eq!(rig.outcome().await, PushResult::Accepted);
    }
    for _ in 0..10 {
        assert!(timeout(PATIENCE, device.recv()).await.unwrap().is_some());
    }
    assert!(device.try_recv().is_err(), "one push for each order");
    assert_eq!((rig.counts().accepted, rig.counts().connections), (10, 2));
    rig.stop().await;
}

#[tokio::test]
async fn a_dropped_connection_puts_off_what_was_on_it_and_the_next_push_reconnects() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.push(message(0)).await, PushResult::Accepted);
    rig.stand_in.fail_next(1, Fault::Drop);
    assert!(matches!(rig.push(message(1)).await, PushResult::TryLater { .. }));
    assert_eq!(rig.counters().broken.total(), 1, "not sent again: it may have been pushed");
    assert_eq!(rig.push(message(2)).await, PushResult::Accepted);
    assert_eq!((rig.counts().requests, rig.counts().connections), (3, 2));
    rig.stop().await;
}

#[tokio::test]
async fn a_slow_answer_is_waited_for_and_a_missing_one_is_not() {
    let mut rig = Rig::with(|_, config| config.order_deadline = Duration::from_millis(1500)).await;
    rig.stand_in.fail_next(1, Fault::Delay(Duration::from_millis(50)));
    assert_eq!(rig.push(message(0)).await, PushResult::Accepted);
    rig.stand_in.fail_next(1, Fault::Silence);
    let begun = Instant::now();
    assert!(matches!(rig.push(message(1)).await, PushResult::TryLater { .. }));
    assert!(begun.elapsed() >= Duration::from_millis(1500), "{:?}", begun.elapsed());
    assert_eq!(rig.counters().timed_out.total(), 1);
    assert_eq!(rig.push(message(2)).await, PushResult::Accepted, "the connection goes on");
    assert_eq!(rig.counts().connections, 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_provider_that_never_answers_a_handshake_is_given_up() {
    // Accepts TCP and says nothing: the TLS handshake never ends.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let stand_in = StandIn::start(stand_in_config(&new_key())).await.unwrap();
    let ca_file = TempFile::new(stand_in.ca_pem());
    let config =
        ProviderConfig { connect_timeout: Duration::from_millis(100), ..provider_config(&address, &ca_file) };
    let providers = Providers::new(&config).unwrap();
    let text = providers.check(Provider::ApnsTest).await.unwrap_err().to_string();
    assert!(text.contains("no connection in time") && text.contains(&address), "{text}");
    stand_in.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_gone_is_tried_and_then_put_off() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.push(message(0)).await, PushResult::Accepted);
    let other = StandIn::start(stand_in_config(&new_key())).await.unwrap();
    let gone = std::mem::replace(&mut rig.stand_in, other);
    gone.stop().await;
    assert!(matches!(rig.push(message(1)).await, PushResult::TryLater { .. }));
    assert!(rig.counters().retried.total() > 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused_with_a_sentence() {
    let mut rig = Rig::start().await;
    let other = StandIn::start(stand_in_config(&new_key())).await.unwrap();
    let ca_file = TempFile::new(other.ca_pem());
    let providers = Providers::new(&provider_config(&rig.stand_in.endpoint(), &ca_file)).unwrap();
    let fault = providers.check(Provider::ApnsTest).await.unwrap_err().to_string();
    for part in ["refused the certificate", &rig.stand_in.endpoint(), "name the file of the CA"] {
        assert!(fault.contains(part), "{part:?} in {fault}");
    }
    rig.drive_with(providers);
    assert!(matches!(rig.push(message(0)).await, PushResult::TryLater { .. }));
    assert_eq!(rig.counts().requests, 0);
    assert_eq!(rig.counters().unreachable.total(), 1);
    other.stop().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_provider_without_an_address_is_unreachable() {
    let stand_in = StandIn::start(stand_in_config(&new_key())).await.unwrap();
    let ca_file = TempFile::new(stand_in.ca_pem());
    let config = ProviderConfig { roots: Roots::File(ca_file.path()), ..ProviderConfig::default() };
    let providers = Providers::new(&config).unwrap();
    let text = providers.check(Provider::ApnsTest).await.unwrap_err().to_string();
    assert!(text.contains("no address"), "{text}");
    stand_in.stop().await;
}

#[tokio::test]
async fn a_push_that_nobody_waited_for_is_kept_until_the_next() {
    let mut rig = Rig::start().await;
    for fill in [1, 2, 3] {
        assert_eq!(rig.push(message(fill)).await, PushResult::Accepted);
    }
    let mut device = rig.stand_in.subscribe(DEVICE);
    let push = timeout(PATIENCE, device.recv()).await.unwrap().unwrap();
    let body: Value = serde_json::from_slice(&push.body).unwrap();
    assert_eq!(body["notificationData"]["message"], "AwMDAw==", "the latest");
    assert!(device.try_recv().is_err());
    rig.stop().await;
}

#[tokio::test]
async fn a_stopped_stand_in_leaves_its_port_free() {
    let key = new_key();
    let stand_in = StandIn::start(stand_in_config(&key)).await.unwrap();
    let listen = stand_in.address();
    let taken = StandIn::start(StandInConfig { listen, ..stand_in_config(&key) }).await.unwrap_err();
    let text = taken.to_string();
    assert!(text.contains(&listen.to_string()) && text.contains("choose another port"), "{text}");
    stand_in.stop().await;
    let again = StandIn::start(StandInConfig { listen, ..stand_in_config(&key) }).await.unwrap();
    again.stop().await;
}

/// A push server driven over sockets, and the stand-in it pushes to.
struct Rig {
    stand_in: StandIn,
    config: Config,
    ca_file: TempFile,
    orders: mpsc::Sender<PushOrder>,
    outcomes: mpsc::Receiver<PushResult>,
    counters: tokio::sync::watch::Receiver<Counters>,
    next_id: u64,
}

impl Rig {
    async fn start() -> Self {
        Self::with(|_, _| {}).await
    }

    async fn with(adjust: impl FnOnce(&mut StandInConfig, &mut Config)) -> Self {
        let key = new_key();
        let mut for_stand_in = stand_in_config(&key);
        let mut config = Config {
            key: Some(key),
            key_id: "KEY1".to_owned(),
            team_id: "TEAM1".to_owned(),
            topic: TOPIC.to_owned(),
            allow_test_provider: true,
            retry: BackoffPlan { first: Duration::from_millis(20), max: Duration::from_millis(50) },
            ..Config::default()
        };
        adjust(&mut for_stand_in, &mut config);
        let stand_in = StandIn::start(for_stand_in).await.unwrap();
        let ca_file = TempFile::new(stand_in.ca_pem());
        let providers = Providers::new(&provider_config(&stand_in.endpoint(), &ca_file)).unwrap();
        let (orders, outcomes, counters) = drive(config.clone(), providers);
        Self { stand_in, config, ca_file, orders, outcomes, counters, next_id: 0 }
    }

    /// Drives a fresh machine over other connections.
    fn drive_with(&mut self, providers: Providers) {
        (self.orders, self.outcomes, self.counters) = drive(self.config.clone(), providers);
    }

    async fn order(&mut self, payload: PushPayload) {
        self.next_id += 1;
        let device = DeviceToken { provider: Provider::ApnsTest, token: DEVICE.as_bytes().into() };
        self.orders.send(PushOrder { id: PushId(self.next_id), device, payload }).await.unwrap();
    }

    async fn order_many(&mut self, count: u32) {
        for _ in 0..count {
            self.order(message(1)).await;
        }
    }

    async fn outcome(&mut self) -> PushResult {
        timeout(PATIENCE, self.outcomes.recv()).await.expect("an outcome in time").unwrap()
    }

    async fn push(&mut self, payload: PushPayload) -> PushResult {
        self.order(payload).await;
        self.outcome().await
    }

    fn counts(&self) -> Counts {
        self.stand_in.counts()
    }

    fn counters(&self) -> Counters {
        *self.counters.borrow()
    }

    async fn stop(self) {
        drop(self.orders);
        self.stand_in.stop().await;
        drop(self.ca_file);
    }
}

type Driven = (mpsc::Sender<PushOrder>, mpsc::Receiver<PushResult>, tokio::sync::watch::Receiver<Counters>);

/// The whole of what an adapter does for a push server.
fn drive(config: Config, providers: Providers) -> Driven {
    let (orders, mut orders_in) = mpsc::channel::<PushOrder>(1000);
    let (outcomes_out, outcomes) = mpsc::channel(1000);
    let (answers_out, mut answers) = mpsc::unbounded_channel::<(RequestId, OwnedAnswer)>();
    let (counters_out, counters) = tokio::sync::watch::channel(Counters::default());
    tokio::spawn(async move {
        let started = Instant::now();
        let now = || Now {
            mono: Mono::from_micros(started.elapsed().as_micros().try_into().unwrap()),
            wall: Wall::from_millis(
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap(),
            ),
        };
        let mut push = Push::new(config, Seed::from_number(1), now());
        let mut deadline = None;
        loop {
            let wait = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                order = orders_in.recv() => match order {
                    Some(order) => push.handle(now(), Input::Order(order)),
                    None => return,
                },
                Some((request, answer)) = answers.recv() => {
                    push.handle(now(), Input::Answer { request, answer: answer.as_answer() });
                }
                () = wait => push.handle(now(), Input::Tick),
            }
            deadline = loop {
                match push.poll() {
                    Step::Do(Effect::Request(request)) => {
                        let (providers, answers) = (providers.clone(), answers_out.clone());
                        tokio::spawn(async move {
                            let id = request.id;
                            let answer = providers.send(request).await;
                            let _ = answers.send((id, answer));
                        });
                    }
                    Step::Do(Effect::Outcome(outcome)) => {
                        counters_out.send_replace(push.counters());
                        let _ = outcomes_out.send(outcome.result).await;
                    }
                    Step::Idle(next) => {
                        break next.map(|next| started + Duration::from_micros(next.at.as_micros()));
                    }
                }
            };
        }
    });
    (orders, outcomes, counters)
}

fn new_key() -> Es256Key {
    Es256Key::from_pkcs8_pem(&make_provider_key().unwrap()).unwrap()
}

fn stand_in_config(key: &Es256Key) -> StandInConfig {
    StandInConfig::new(TOPIC, "TEAM1", "KEY1", key.public_point())
}

fn provider_config(endpoint: &str, ca_file: &TempFile) -> ProviderConfig {
    ProviderConfig {
        endpoint_overrides: BTreeMap::from([(Provider::ApnsTest, Endpoint::parse(endpoint).unwrap())]),
        roots: Roots::File(ca_file.path()),
        ..ProviderConfig::default()
    }
}

fn message(fill: u8) -> PushPayload {
    PushPayload::Message(Sealed { nonce: [fill; 24], ciphertext: vec![fill; 4].into() })
}

/// A file that is removed with its value.
struct TempFile {
    path: PathBuf,
}

impl TempFile {
    fn new(text: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ntf-push-{}-{number}.pem", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self { path }
    }

    fn path(&self) -> PathBuf {
        self.path.clone()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
