//! The rules of the stand-in one by one, and its tables, without sockets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use base64ct::{Base64UrlUnpadded, Encoding};
use http::request::{Builder, Parts};
use http::{Method, Request};
use ntf_core::crypto::es256::Es256Key;
use ntf_core::host::sync::Lock;

use crate::standin::check::{self, BODY_LEN_MAX};
use crate::standin::devices::{Delivery, Devices};
use crate::standin::fault::{Fault, FaultSwitch};
use crate::standin::provider_token::Verifier;
use crate::standin::{AcceptedPush, Counts, Inner, Shared, make_provider_key};

const AT: u64 = 1_764_000_000;
const TOPIC: &str = "chat.simplex.app";
const ALERT: &str = r#"{"aps":{"alert":"x","mutable-content":1,"category":"C"},"notificationData":{}}"#;
const HIDDEN: &str = r#"{"aps":{"content-available":1},"notificationData":{"checkMessages":true}}"#;

/// What the stand-in says to a request that is right but for one thing.
struct Checker {
    inner: Inner,
    authorization: String,
}

impl Checker {
    fn new() -> Self {
        let key = Es256Key::from_pkcs8_pem(&make_provider_key().unwrap()).unwrap();
        let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        let claims = format!(r#"{{"iss":"TEAM1","iat":{AT}}}"#);
        let signed = format!("{}.{}", encode(r#"{"alg":"ES256","kid":"KEY1"}"#), encode(&claims));
        let signature = Base64UrlUnpadded::encode_string(&key.sign(signed.as_bytes()));
        let mut devices = Devices::new(10, 10);
        devices.unregister("dead", 1_700_000_000_000);
        let inner = Inner {
            verifier: Verifier::new(&key.public_point(), "KEY1", "TEAM1").unwrap(),
            devices,
            faults: FaultSwitch::default(),
            holds: Vec::new(),
            counts: Counts::default(),
        };
        Self { inner, authorization: format!("bearer {signed}.{signature}") }
    }

    fn builder(&self) -> Builder {
        Request::builder()
            .method(Method::POST)
            .uri("https://localhost/3/device/00ff")
            .header("authorization", &self.authorization)
            .header("apns-topic", TOPIC)
    }

    fn check(&mut self, builder: Builder, body: &[u8]) -> Result<String, (u16, &'static str)> {
        let (head, ()) = builder.body(()).unwrap().into_parts();
        self.check_parts(&head, body)
    }

    fn check_parts(&mut self, head: &Parts, body: &[u8]) -> Result<String, (u16, &'static str)> {
        check::request(head, body, TOPIC, &mut self.inner, AT)
            .map(str::to_owned)
            .map_err(|refusal| (refusal.status, refusal.reason))
    }
}

fn alert(builder: Builder) -> Builder {
    builder.header("apns-push-type", "alert")
}

#[test]
fn what_is_right_passes() {
    let mut checker = Checker::new();
    for priority in [None, Some("5"), Some("10")] {
        let mut builder = alert(checker.builder());
        if let Some(priority) = priority {
            builder = builder.header("apns-priority", priority);
        }
        assert_eq!(checker.check(builder, ALERT.as_bytes()), Ok("00ff".to_owned()), "{priority:?}");
    }
    let hidden = checker.builder().header("apns-push-type", "background").header("apns-priority", "5");
    assert_eq!(checker.check(hidden, HIDDEN.as_bytes()), Ok("00ff".to_owned()));
    let full = alert(checker.builder())
        .header("apns-expiration", "0")
        .header("apns-collapse-id", "c")
        .header("apns-id", "01234567-89ab-cdef-0123-456789abcdef");
    assert_eq!(checker.check(full, ALERT.as_bytes()), Ok("00ff".to_owned()));
}

#[test]
fn each_wrong_head_has_its_status_and_reason() {
    type Spoil = fn(&mut Parts);
    fn header(head: &mut Parts, name: &'static str, value: &'static str) {
        head.headers.insert(name, value.parse().unwrap());
    }
    fn repeat(head: &mut Parts, name: &'static str) {
        let value = head.headers[name].clone();
        head.headers.append(name, value);
    }
    let cases: [(Spoil, u16, &str); 25] = [
        (|head| head.method = Method::GET, 405, "MethodNotAllowed"),
        (|head| head.method = Method::PUT, 405, "MethodNotAllowed"),
        (|head| head.uri = "https://localhost/".parse().unwrap(), 404, "BadPath"),
        (|head| head.uri = "https://localhost/2/device/00ff".parse().unwrap(), 404, "BadPath"),
        (|head| head.uri = "https://localhost/3/device/".parse().unwrap(), 400, "MissingDeviceToken"),
        (|head| head.uri = "https://localhost/3/device/xyzw".parse().unwrap(), 400, "BadDeviceToken"),
        (|head| head.uri = "https://localhost/3/device/00f".parse().unwrap(), 400, "BadDeviceToken"),
        (|head| head.uri = "https://localhost/3/device/00ff?x".parse().unwrap(), 400, "BadDeviceToken"),
        (|head| head.uri = "https://localhost/3/device/dead".parse().unwrap(), 410, "Unregistered"),
        (|head| drop(head.headers.remove("authorization")), 403, "MissingProviderToken"),
        (|head| header(head, "authorization", "bearer a.b.c"), 403, "InvalidProviderToken"),
        (|head| drop(head.headers.remove("apns-topic")), 400, "MissingTopic"),
        (|head| header(head, "apns-topic", ""), 400, "MissingTopic"),
        (|head| header(head, "apns-topic", "two words"), 400, "BadTopic"),
        (|head| header(head, "apns-topic", "chat.simplex.other"), 400, "TopicDisallowed"),
        (|head| drop(head.headers.remove("apns-push-type")), 400, "InvalidPushType"),
        (|head| header(head, "apns-push-type", "loud"), 400, "InvalidPushType"),
        (|head| header(head, "apns-priority", "7"), 400, "BadPriority"),
        (|head| header(head, "apns-push-type", "background"), 400, "BadPriority"),
        (
            |head| {
                header(head, "apns-push-type", "background");
                header(head, "apns-priority", "10");
            },
            400,
            "BadPriority",
        ),
        (|head| header(head, "apns-expiration", "soon"), 400, "BadExpirationDate"),
        (
            |head| {
                let long = "c".repeat(65).parse().unwrap();
                head.headers.insert("apns-collapse-id", long);
            },
            400,
            "BadCollapseId",
        ),
        (|head| header(head, "apns-id", "1"), 400, "BadMessageId"),
        (|head| repeat(head, "apns-topic"), 400, "DuplicateHeaders"),
        (|head| repeat(head, "apns-push-type"), 400, "DuplicateHeaders"),
    ];
    let mut checker = Checker::new();
    for (number, (spoil, status, reason)) in cases.into_iter().enumerate() {
        let (mut head, ()) = alert(checker.builder()).body(()).unwrap().into_parts();
        spoil(&mut head);
        let found = checker.check_parts(&head, ALERT.as_bytes());
        assert_eq!(found, Err((status, reason)), "case {number}, {reason}");
    }
}

#[test]
fn each_wrong_body_has_its_status_and_reason() {
    let bad = Err((400, "BadPayload"));
    let long = |len: usize| {
        let frame = r#"{"aps":{"alert":""}}"#.len();
        format!(r#"{{"aps":{{"alert":"{}"}}}}"#, "x".repeat(len - frame))
    };
    let ok = Ok("00ff".to_owned());
    let mut checker = Checker::new();
    for (body, expected) in [
        ("", Err((400, "PayloadEmpty"))),
        ("{", bad.clone()),
        ("[]", bad.clone()),
        ("{}", bad.clone()),
        (r#"{"aps":{}}"#, bad.clone()),
        (r#"{"aps":7}"#, bad.clone()),
        (r#"{"aps":{"alert":7}}"#, bad.clone()),
        (r#"{"aps":{"alert":"x","mutableContent":1}}"#, bad.clone()),
        (r#"{"aps":{"alert":"x","mutable-content":2}}"#, bad.clone()),
        (r#"{"aps":{"alert":"x","category":1}}"#, bad.clone()),
        (r#"{"aps":{"alert":{"title":"x"},"sound":"s","badge":1,"thread-id":"t"}}"#, ok.clone()),
        (&long(BODY_LEN_MAX), ok.clone()),
        (&long(BODY_LEN_MAX + 1), Err((413, "PayloadTooLarge"))),
    ] {
        let builder = alert(checker.builder());
        assert_eq!(checker.check(builder, body.as_bytes()), expected, "{} bytes: {body:.80}", body.len());
    }
    for (body, expected) in [
        (HIDDEN, ok),
        (r#"{"aps":{"content-available":0}}"#, bad.clone()),
        (r#"{"aps":{"content-available":1,"alert":"x"}}"#, bad.clone()),
        (r#"{"aps":{"content-available":1,"badge":1}}"#, bad.clone()),
        (ALERT, bad),
    ] {
        let builder = checker.builder().header("apns-push-type", "background").header("apns-priority", "5");
        assert_eq!(checker.check(builder, body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn faults_come_in_order_and_as_often_as_told() {
    let mut faults = FaultSwitch::default();
    assert_eq!(faults.take(), None);
    faults.add(2, Fault::GoAway);
    faults.add(0, Fault::Silence);
    faults.add(1, Fault::answer(500, "InternalServerError"));
    assert_eq!(faults.take(), Some(Fault::GoAway));
    assert_eq!(faults.take(), Some(Fault::GoAway));
    assert_eq!(faults.take(), Some(Fault::answer(500, "InternalServerError")));
    assert_eq!(faults.take(), None);
    faults.add(u32::MAX, Fault::Drop);
    faults.clear();
    assert_eq!(faults.take(), None);
}

fn push() -> AcceptedPush {
    AcceptedPush { body: "{}".into(), headers: Vec::new(), at: Instant::now() }
}

fn shared(devices: Devices) -> Shared {
    let inner = Inner { devices, ..Checker::new().inner };
    Shared { topic: TOPIC.to_owned(), streams_max: 1, inner: Lock::new(inner) }
}

#[test]
fn devices_have_a_bound_and_so_have_their_receivers() {
    let stand_in = shared(Devices::new(2, 2));
    let mut receiver = stand_in.subscribe("aa");
    for expected in [Delivery::Done, Delivery::Done, Delivery::Dropped] {
        assert_eq!(stand_in.deliver("aa", push()), expected);
    }
    assert_eq!(stand_in.deliver("bb", push()), Delivery::Done);
    assert_eq!(stand_in.deliver("cc", push()), Delivery::Dropped, "a third device");
    assert_eq!(stand_in.inner().devices.fact().count, 2);
    assert!(receiver.try_recv().is_ok() && receiver.try_recv().is_ok() && receiver.try_recv().is_err());
    // The latest push of a device for which nobody waits any more is kept for the next who does.
    drop(receiver);
    assert_eq!(stand_in.deliver("aa", push()), Delivery::Done);
    assert!(stand_in.subscribe("aa").try_recv().is_ok());
}

/// When it is woken, it says whether the tables are free then.
struct Looker(Arc<Shared>, mpsc::Sender<bool>);

impl Wake for Looker {
    fn wake(self: Arc<Self>) {
        let (shared, (tell, told)) = (self.0.clone(), mpsc::channel());
        thread::spawn(move || {
            let _ = tell.send(shared.inner().counts);
        });
        let _ = self.1.send(told.recv_timeout(Duration::from_secs(10)).is_ok());
    }
}

#[test]
fn whoever_waits_for_a_push_is_woken_without_the_lock() {
    let stand_in = Arc::new(shared(Devices::new(2, 2)));
    let (tell, told) = mpsc::channel();
    let waker = Waker::from(Arc::new(Looker(stand_in.clone(), tell)));
    let mut receiver = stand_in.subscribe("aa");
    assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(stand_in.deliver("aa", push()), Delivery::Done);
    assert_eq!(told.try_recv(), Ok(true), "by a push");
    assert!(receiver.try_recv().is_ok());

    assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    let _next = stand_in.subscribe("aa");
    assert_eq!(told.try_recv(), Ok(true), "by whoever waits next");
}
