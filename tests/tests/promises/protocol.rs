//! The subscriber as a device of another make sees it: `ntf-protocol` 6.1, items 1 to 9, command by command.
//!
//! The device is a stranger, so that the exact bytes are asked for and answered; SMP server, subscriber, push
//! server and provider are real.

use ntf_core::crypto::keys::AuthPrivateKey;
use ntf_core::model::notification::Notice;
use ntf_core::model::server::NotifierAddress;
use ntf_core::model::token::Provider;
use ntf_core::sim::NodeId;
use ntf_core::wire::ntf::command::{Command, Device};
use ntf_tests::by_hand::{Pushed, RawDevice, RawQueue};
use ntf_tests::simulated::{Network, Peer, Plan, Talk};
use ntf_tests::voice::{Answer, Auth, Speaks};

#[test]
fn an_unknown_word_is_answered_with_the_ids_it_came_with() {
    answers(|talk, _| {
        let transmission = talk.voice().transmission(Auth::None, b"abcd", b"1234", b"CREATE");
        talk.send(&[&transmission]);
        let (corr, entity, command) = (b"abcd".to_vec(), b"1234".to_vec(), b"ERR CMD UNKNOWN".to_vec());
        assert_eq!(talk.read(), Answer { corr, entity, command });
    });
}

#[test]
fn a_registration_without_parameters_is_a_syntax_error() {
    answers(|talk, device| {
        assert_eq!(talk.ask_text(Auth::Key(&device.key), b"", b"TNEW"), "ERR CMD SYNTAX");
    });
}

#[test]
fn a_registration_with_bytes_too_many_is_a_syntax_error() {
    answers(|talk, device| {
        let tnew = device.tnew("aa01");
        let (word, parameters) = tnew.split_at(b"TNEW ".len());
        let with_stray = [word, b"\x01A", parameters].concat();
        assert_eq!(talk.ask_text(Auth::Key(&device.key), b"", &with_stray), "ERR CMD SYNTAX");
    });
}

#[test]
fn a_registration_must_be_signed() {
    answers(|talk, device| {
        assert_eq!(talk.ask_text(Auth::None, b"", &device.tnew("aa01")), "ERR CMD NO_AUTH");
    });
}

#[test]
fn a_registration_names_no_token() {
    answers(|talk, device| {
        let answer = talk.ask_text(Auth::Key(&device.key), b"1234", &device.tnew("aa01"));
        assert_eq!(answer, "ERR CMD HAS_AUTH");
    });
}

#[test]
fn a_message_is_pushed_from_registration_to_a_server_outage() {
    whole_way(|talk| {
        let mut queue = RawQueue::create(talk);
        queue.set_notifier(talk);
        queue
    });
}

#[test]
fn a_message_is_pushed_for_notifiers_made_with_their_queue() {
    whole_way(|talk| RawQueue::create_with_notifier(talk));
}

#[test]
fn a_message_without_the_flag_is_not_pushed() {
    let mut scene = Scene::new();
    scene.verify();
    let queue = scene.queue(|talk| RawQueue::create_with_notifier(talk));
    scene.watch(&queue);
    queue.send(&mut scene.smp_talk(), "nobody needs to know", false);
    scene.network.settle();
    assert_eq!(scene.network.pushes_waiting(scene.phone), 0);
    scene.send(&queue, "this one matters");
    assert_eq!(scene.pushed().last().map(|(address, _)| address.clone()), Some(scene.address(&queue)));
}

#[test]
fn subscribing_is_idempotent_and_a_queue_has_one_owner() {
    let mut scene = Scene::new();
    let queue = scene.queue(|talk| RawQueue::create_with_notifier(talk));
    let address = scene.address(&queue);
    let snew = |device: &RawDevice, key: AuthPrivateKey| device.snew_of(address.clone(), key);
    let ask = |scene: &mut Scene, command: &[u8]| {
        let key = scene.device.key.clone();
        scene.ntf_talk().ask_text(Auth::Key(&key), b"", command)
    };
    scene.register();
    let before = snew(&scene.device, queue.notifier_key());
    assert_eq!(ask(&mut scene, &before), "ERR AUTH", "the token is not verified");
    scene.verify();
    let first = scene.watch(&queue);
    assert_eq!(scene.watch(&queue), first, "the same subscription");
    let other_key = scene.ntf_talk().key();
    let other_key = snew(&scene.device, other_key);
    assert_eq!(ask(&mut scene, &other_key), "ERR AUTH", "another key for the queue");

    let mut other = Scene::beside(scene, "bb02");
    other.verify();
    let theirs = snew(&other.device, queue.notifier_key());
    assert_eq!(ask(&mut other, &theirs), "ERR AUTH", "the queue of another token");
    assert_eq!(other.network.subscriber().gauges().subscriptions, 1);
}

#[test]
fn tokens_of_the_test_provider_need_leave() {
    let mut network =
        Network::with(Plan { subscriber: |config| config.allow_test_provider = false, ..Plan::default() });
    let phone = network.stranger("aa01");
    let mut ntf = network.greet_subscriber(phone);
    let device = RawDevice::new(&mut ntf.voice.rng);
    let mut talk = network.over(&mut ntf);
    let answer = talk.ask_text(Auth::Key(&device.key), b"", &device.tnew("aa01"));
    assert_eq!(answer, "ERR CMD PROHIBITED");
    talk.expect_alive();
}

/// What is asked is answered as `check` says, makes no token, and the link goes on.
fn answers(check: impl FnOnce(&mut Talk<'_>, &RawDevice)) {
    let mut scene = Scene::new();
    let mut talk = scene.network.over(&mut scene.ntf);
    check(&mut talk, &scene.device);
    talk.expect_alive();
    assert_eq!(scene.network.subscriber().gauges().tokens, 0);
    scene.network.settle();
    assert_eq!(scene.network.pushes_waiting(scene.phone), 0);
}

/// Items 6 and 7, which differ in how the notifier is made.
fn whole_way(make: fn(&mut Talk<'_>) -> RawQueue) {
    let mut scene = Scene::new();
    scene.register();
    let (id, server_dh, code) = (scene.device.id.clone(), scene.device.server_dh, scene.device.code.clone());
    scene.register();
    assert_eq!((&scene.device.id, scene.device.server_dh), (&id, server_dh), "the same token");
    assert_eq!(scene.device.code, code, "the same code in another push");
    scene.verify();
    assert_eq!(scene.ask(&Command::Tchk), "TKN ACTIVE");

    let queue = scene.queue(make);
    scene.watch(&queue);
    scene.expect_heard(&queue, "hello");

    // The app got another device token: the same registration, proved again, pushes to there.
    let former = scene.phone;
    scene.phone = scene.network.stranger("bb02");
    let device = Device { provider: Provider::ApnsTest, token: b"bb02" };
    assert_eq!(scene.ask(&Command::Trpl { device }), "OK");
    let body = scene.network.next_push(scene.phone);
    scene.device.take_code(&body);
    assert_eq!(scene.device.id, id, "the same token");
    assert_ne!(scene.device.code, code, "another code");
    let code = scene.device.code.clone();
    assert_eq!(scene.ask(&Command::Tvfy { code: &code }), "OK");
    scene.expect_heard(&queue, "to another phone");
    assert_eq!(scene.network.pushes_waiting(former), 0, "the former one hears nothing");

    // A queue is subscribed while its server is away, and heard when it is back.
    let later = scene.queue(make);
    let server = scene.network.smp[0].0;
    scene.network.world.switch_off(server);
    scene.network.settle();
    scene.watch(&later);
    scene.network.world.switch_on(server);
    scene.network.settle();
    scene.greet_smp();
    scene.expect_heard(&queue, "subscribed before");
    scene.expect_heard(&later, "subscribed meanwhile");
    assert_eq!(scene.network.world.violations(), &[] as &[String]);
}

/// A device of another make, and the owner and sender of its queues, each with a link of its own.
pub(crate) struct Scene {
    pub(crate) network: Network,
    /// Gets the pushes.
    pub(crate) phone: NodeId,
    pub(crate) ntf: Peer,
    smp: Peer,
    pub(crate) device: RawDevice,
    token: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(Plan::default())
    }

    pub(crate) fn with(plan: Plan) -> Self {
        Self::of(Network::with(plan), "aa01")
    }

    /// Another device in the same world.
    pub(crate) fn beside(other: Self, token: &str) -> Self {
        Self::of(other.network, token)
    }

    fn of(mut network: Network, token: &str) -> Self {
        let phone = network.stranger(token);
        let mut ntf = network.greet_subscriber(phone);
        let owner = network.world.add_stranger();
        let smp = network.greet_smp(owner, 0);
        let device = RawDevice::new(&mut ntf.voice.rng);
        Self { network, phone, ntf, smp, device, token: token.into() }
    }

    pub(crate) fn ntf_talk(&mut self) -> Talk<'_> {
        self.network.over(&mut self.ntf)
    }

    pub(crate) fn smp_talk(&mut self) -> Talk<'_> {
        self.network.over(&mut self.smp)
    }

    /// A new link to the SMP server.
    fn greet_smp(&mut self) {
        self.smp = self.network.greet_smp(self.smp.node, 0);
    }

    /// Registers and takes the code that is pushed.
    pub(crate) fn register(&mut self) {
        let mut talk = self.network.over(&mut self.ntf);
        self.device.ask_to_register(&mut talk, &self.token);
        let body = self.network.next_push(self.phone);
        self.device.take_code(&body);
    }

    /// Registers, unless that is done, and says the code.
    pub(crate) fn verify(&mut self) {
        if self.device.code.is_empty() {
            self.register();
        }
        self.device.verify(&mut self.network.over(&mut self.ntf));
    }

    /// A command about the token; what came as text.
    pub(crate) fn ask(&mut self, command: &Command<'_>) -> String {
        self.device.ask(&mut self.network.over(&mut self.ntf), command)
    }

    pub(crate) fn queue<Q>(&mut self, make: impl FnOnce(&mut Talk<'_>) -> Q) -> Q {
        make(&mut self.smp_talk())
    }

    pub(crate) fn address(&self, queue: &RawQueue) -> NotifierAddress {
        queue.notifier_at(self.network.smp_address(0))
    }

    /// Subscribes; the subscription id.
    pub(crate) fn watch(&mut self, queue: &RawQueue) -> Vec<u8> {
        let server = self.network.smp_address(0).clone();
        self.device.watch(queue, &server, &mut self.network.over(&mut self.ntf))
    }

    /// What the subscriber says of a subscription.
    pub(crate) fn status(&mut self, subscription: &[u8]) -> String {
        let mut talk = self.network.over(&mut self.ntf);
        talk.ask_text(Auth::Key(&self.device.key), subscription, b"SCHK")
    }

    pub(crate) fn send(&mut self, queue: &RawQueue, message: &str) {
        queue.send(&mut self.smp_talk(), message, true);
    }

    /// The notices of the next push, which stays below what Apple takes.
    pub(crate) fn pushed(&mut self) -> Vec<(NotifierAddress, Notice)> {
        let body = self.network.next_push(self.phone);
        assert!(body.len() <= 4096, "a push of {} bytes", body.len());
        match self.device.open(&body) {
            Pushed::Notices(notices) => notices,
            other => panic!("notices, not {other:?}"),
        }
    }

    /// Sends a message; the next push ends with its queue, and tells id and time under which it is fetched.
    fn expect_heard(&mut self, queue: &RawQueue, message: &str) {
        self.send(queue, message);
        let (address, notice) = self.pushed().pop().expect("a notice");
        assert_eq!(address, self.address(queue));
        let (id, sent_at, text) = queue.fetch(&mut self.smp_talk());
        assert_eq!(text, message);
        assert_eq!(queue.open_meta(&notice), (id, sent_at));
    }
}
