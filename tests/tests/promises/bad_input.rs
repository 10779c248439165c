//! Devices and servers that misbehave towards a subscriber: each meets a stated bound and the right error, and
//! a well-behaved device in the same world is served all along.
//!
//! The same over sockets, for what only sockets can do wrong, is in `tests/tests/hostile_sockets.rs`.

use std::time::Duration;

use ntf_core::client::effect::Event;
use ntf_core::link::event::{DownReason, LinkAction};
use ntf_core::model::server::{Fingerprint, Protocol, ServerAddress};
use ntf_core::sim::{Config, Fault, Heard, Reading};
use ntf_core::subscriber::meters::Counters;
use ntf_core::wire::ntf::command::Command;
use ntf_tests::by_hand::{RawDevice, ntf_command};
use ntf_tests::simulated::{Device, Network, Peer, Plan, Queue};
use ntf_tests::voice::{Auth, Speaks};

#[test]
fn a_flood_of_commands_is_answered_item_by_item_and_leaves_nothing_behind() {
    let mut scene = Scene::new(Plan::default());
    let mut flooder = scene.stranger();
    let signature = flooder.voice.rng.bytes::<64>();
    for round in 0..200 {
        let mut talk = scene.network.over(&mut flooder);
        let [forged, ping] =
            [(Auth::Bytes(&signature), &[7; 24][..], &b"TCHK"[..]), (Auth::None, b"", b"PING")]
                .map(|(auth, entity, command)| talk.item(auth, entity, command).bytes);
        talk.send(&[&forged, &ping, &forged]);
        for expected in ["ERR AUTH", "PONG", "ERR AUTH"] {
            assert_eq!(talk.read().text(), expected, "round {round}");
        }
        if round % 50 == 0 {
            scene.expect_served(&format!("in round {round}"));
        }
    }
    assert_eq!(scene.counters().links.unauthorized.total(), 400);
    scene.expect_nothing_left(0);
}

#[test]
fn a_flood_beyond_the_budget_of_a_link_is_refused_unread() {
    let mut scene = Scene::new(Plan { subscriber: |config| config.commands.burst = 50, ..Plan::default() });
    let mut flooder = scene.stranger();
    let mut talk = scene.network.over(&mut flooder);
    let pings = [(); 10].map(|()| talk.item(Auth::None, b"", b"PING").bytes);
    for _ in 0..20 {
        let items: Vec<_> = pings.iter().map(Vec::as_slice).collect();
        talk.send(&items);
    }
    let answers: Vec<_> = (0..200).map(|_| talk.read().text()).collect();
    let refused = answers.iter().filter(|answer| *answer == "ERR QUOTA").count();
    assert!(refused >= 140, "{refused} of 200 at once");
    assert!(scene.counters().links.flooded.total() >= 140);
    scene.expect_served("meanwhile");
    scene.network.over(&mut flooder).expect_alive();
    scene.expect_nothing_left(0);
}

#[test]
fn one_address_registers_a_bounded_number_of_devices_and_others_register_all_the_same() {
    let mut scene =
        Scene::new(Plan { subscriber: |config| config.sources.registrations.burst = 20, ..Plan::default() });
    let mut attacker = scene.stranger();
    let mut refused = 0;
    for number in 0..60 {
        let fresh = RawDevice::new(&mut attacker.voice.rng);
        let answer = fresh_registration(&mut scene.network, &mut attacker, &fresh, &format!("ab{number:02}"));
        refused += usize::from(answer == "ERR QUOTA");
        assert!(answer.starts_with("IDTKN") || answer == "ERR QUOTA", "{answer}");
    }
    // Each answer takes a tenth of a second, and each second brings one more.
    assert!((25..=40).contains(&refused), "{refused} of 60");
    assert_eq!(scene.counters().tokens.refused_source.total(), u64::try_from(refused).expect("few"));
    scene.network.active_device("cc03");
    scene.expect_served("in spite of it");
}

#[test]
fn who_asks_and_never_reads_is_closed_and_costs_a_bounded_window() {
    let mut scene = Scene::new(Plan::default());
    let mut greedy = scene.stranger();
    scene.network.world.set_reading(greedy.node, Reading::Nothing);
    let mut rounds = 0;
    while scene.network.end_of(greedy.node, greedy.link).is_none() {
        let mut talk = scene.network.over(&mut greedy);
        let ping = talk.item(Auth::None, b"", b"PING").bytes;
        talk.send(&[&ping[..]; 10]);
        scene.network.world.run_for(Duration::from_millis(200));
        rounds += 1;
        assert!(rounds < 1000, "answers pile up without end");
    }
    assert_eq!(scene.network.end_of(greedy.node, greedy.link), Some(DownReason::Closed));
    assert_eq!(scene.counters().links.congested.total(), 1);
    scene.expect_served("in spite of it");
    scene.expect_nothing_left(0);
}

#[test]
fn silent_connections_are_closed_in_time_and_hinder_nobody() {
    let mut scene = Scene::new(Plan::default());
    let server = scene.network.subscriber_address().clone();
    let silent = scene.network.world.add_stranger();
    let links: Vec<_> = (0..200).map(|_| scene.network.connect(silent, Protocol::Ntf, &server)).collect();
    scene.expect_served("beside them");
    scene.network.world.run_for(Duration::from_secs(60));
    for link in links {
        assert_eq!(scene.network.end_of(silent, link), Some(DownReason::Closed));
    }
    assert_eq!(scene.counters().links.timed_out.total(), 200);
    scene.expect_nothing_left(0);
}

#[test]
fn silent_connections_up_to_the_bound_keep_new_ones_out_for_the_hello_timeout_only() {
    let mut scene = Scene::new(Plan { subscriber: |config| config.links = 20, ..Plan::default() });
    let server = scene.network.subscriber_address().clone();
    let silent = scene.network.world.add_stranger();
    for _ in 0..40 {
        scene.network.connect(silent, Protocol::Ntf, &server);
    }
    scene.network.world.run_for(Duration::from_secs(10));
    assert_eq!(scene.network.subscriber().gauges().links, 20);
    assert!(scene.counters().links.refused_full.total() >= 20);
    // Those who are known are served: what comes from SMP servers needs no link with a device.
    scene.expect_served("meanwhile");
    // A new device gets in as soon as the silent ones are closed, by trying again.
    scene.network.active_device("cc03");
}

#[test]
fn registering_somebody_elses_device_token_costs_its_owner_a_bounded_number_of_pushes() {
    let mut scene = Scene::new(Plan::default());
    let mut attacker = scene.stranger();
    let before = scene.pushes_received();
    for _ in 0..100 {
        let fresh = RawDevice::new(&mut attacker.voice.rng);
        let tnew = fresh.tnew(TOKEN);
        let mut talk = scene.network.over(&mut attacker);
        // Granted, like any registration: whether it proves itself is seen later.
        let answer = talk.ask(Auth::Key(&fresh.key), b"", &tnew);
        assert!(answer.text().starts_with("IDTKN"), "{}", answer.text());
    }
    scene.network.world.run_for(Duration::from_secs(10));
    let gauges = scene.network.subscriber().gauges();
    assert_eq!(gauges.tokens, 1 + 8, "the owner's, and those the device token may have unverified");
    let burst = scene.pushes_received() - before;
    assert!(burst <= 10, "{burst} verification pushes at once");
    scene.network.world.run_for(Duration::from_secs(24 * 3600));
    let in_a_day = scene.pushes_received() - before;
    // Each of eight registrations is pushed to five times at most, and then only if asked again.
    assert!(in_a_day <= 10 + 8 * 5, "{in_a_day} verification pushes in a day");
    assert!(scene.counters().tokens.verification_paced.total() > 0, "which is counted");
    scene.expect_served("its owner is served");
}

#[test]
fn registrations_of_others_do_not_keep_an_owner_out() {
    let mut scene = Scene::new(Plan::default());
    let mut attacker = scene.stranger();
    for _ in 0..50 {
        let fresh = RawDevice::new(&mut attacker.voice.rng);
        fresh_registration(&mut scene.network, &mut attacker, &fresh, "cc03");
    }
    // The owner comes last and is let in, however many were there before.
    let owner = scene.network.device("cc03");
    scene.network.register(&owner);
    let mut minutes = 0;
    while scene.network.count(&owner, ntf_tests::simulated::is_active) == 0 {
        minutes += 1;
        assert!(minutes < 30, "the owner is kept out");
        scene.network.world.run_for(Duration::from_secs(60));
    }
    assert_eq!(scene.network.subscriber().gauges().tokens, 2, "its proof has removed all the others");
}

#[test]
fn a_stranger_displaces_no_owner_who_has_yet_to_echo_its_code() {
    let mut scene = Scene::new(Plan::default());
    let phone = scene.network.stranger("cc03");
    let mut peer = scene.network.greet_subscriber(phone);
    let mut owner = RawDevice::new(&mut peer.voice.rng);
    owner.ask_to_register(&mut scene.network.over(&mut peer), "cc03");
    owner.take_code(&scene.network.next_push(phone));
    let mut attacker = scene.stranger();
    for _ in 0..50 {
        let fresh = RawDevice::new(&mut attacker.voice.rng);
        fresh_registration(&mut scene.network, &mut attacker, &fresh, "cc03");
    }
    assert_eq!(scene.counters().tokens.displaced.total(), 51 - 8, "what gave way was its own");
    owner.verify(&mut scene.network.over(&mut peer));
    assert_eq!(scene.counters().tokens.superseded.total(), 7, "and the proof has removed the rest");
}

#[test]
fn strangers_of_many_addresses_displace_no_owner_who_has_yet_to_echo_its_code() {
    let mut scene = Scene::new(Plan::default());
    let phone = scene.network.stranger("cc03");
    let mut peer = scene.network.greet_subscriber(phone);
    let mut owner = RawDevice::new(&mut peer.voice.rng);
    owner.ask_to_register(&mut scene.network.over(&mut peer), "cc03");
    owner.take_code(&scene.network.next_push(phone));
    let answers: Vec<_> = (0..20).map(|_| scene.another_address_registers("cc03").1).collect();
    let (let_in, refused) = answers.split_at(7);
    assert!(let_in.iter().all(|answer| answer.starts_with("IDTKN")), "{answers:?}");
    assert!(refused.iter().all(|answer| answer == "ERR QUOTA"), "{answers:?}");
    let again = scene.network.over(&mut peer).ask(Auth::Key(&owner.key), b"", &owner.tnew("cc03")).text();
    assert!(again.starts_with("IDTKN"), "who has a place may ask again: {again}");
    assert_eq!(scene.counters().tokens.displaced.total(), 0);
    owner.verify(&mut scene.network.over(&mut peer));
    assert_eq!(scene.counters().tokens.superseded.total(), 7, "and the proof has removed the rest");
    scene.expect_served("meanwhile");
}

#[test]
fn strangers_of_many_addresses_keep_an_owner_out_for_ten_minutes_and_no_longer() {
    let plan = |config: &mut ntf_core::subscriber::Config| config.delivery.resend.pushes_max = 1;
    let mut scene = Scene::new(Plan { subscriber: plan, ..Plan::default() });
    let phone = scene.network.stranger("cc03");
    for _ in 0..8 {
        let (_, answer) = scene.another_address_registers("cc03");
        assert!(answer.starts_with("IDTKN"), "{answer}");
    }
    let mut peer = scene.network.greet_subscriber(phone);
    let mut owner = RawDevice::new(&mut peer.voice.rng);
    let mut ask = |scene: &mut Scene, owner: &RawDevice| {
        scene.network.over(&mut peer).ask(Auth::Key(&owner.key), b"", &owner.tnew("cc03")).text()
    };
    assert_eq!(ask(&mut scene, &owner), "ERR QUOTA");
    scene.network.world.run_for(Duration::from_secs(9 * 60));
    assert_eq!(ask(&mut scene, &owner), "ERR QUOTA");
    scene.network.world.run_for(Duration::from_secs(60));
    for _ in 0..8 {
        scene.network.next_push(phone);
    }
    let mut peer = scene.network.greet_subscriber(phone);
    owner.ask_to_register(&mut scene.network.over(&mut peer), "cc03");
    owner.take_code(&scene.network.next_push(phone));
    owner.verify(&mut scene.network.over(&mut peer));
    assert_eq!(scene.counters().tokens.displaced.total(), 1, "one of theirs, which has had its time");
    scene.expect_served("meanwhile");
}

#[test]
fn guessed_codes_come_to_an_end_and_are_of_no_use_with_others() {
    let mut scene = Scene::new(Plan::default());
    let phone = scene.network.stranger("dd04");
    let mut peer = scene.network.greet_subscriber(phone);
    let mut device = RawDevice::new(&mut peer.voice.rng);
    device.ask_to_register(&mut scene.network.over(&mut peer), "dd04");
    device.take_code(&scene.network.next_push(phone));
    let tvfy = |code: &[u8]| ntf_command(&Command::Tvfy { code });
    let mut talk = scene.network.over(&mut peer);
    for guess in 0..10 {
        let answer = talk.ask_text(Auth::Key(&device.key), &device.id, &tvfy(&[guess; 32]));
        assert_eq!(answer, "ERR AUTH");
    }
    let answer = talk.ask_text(Auth::Key(&device.key), &device.id, &tvfy(&device.code));
    assert_eq!(answer, "ERR AUTH", "after ten wrong ones the right one is as good as wrong");
    // Asking to register again, with the key, opens the door again.
    device.ask_to_register(&mut talk, "dd04");
    device.take_code(&scene.network.next_push(phone));
    device.verify(&mut scene.network.over(&mut peer));
    assert_eq!(scene.counters().tokens.not_verified.total(), 11);
    scene.expect_served("the other device is served");
}

#[test]
fn dead_and_mute_servers_are_tried_with_growing_pauses_and_hinder_no_other() {
    let mut scene = Scene::new(Plan::default());
    let (mute, mute_address) = scene.network.world.add_strange_server("mute.sim", Protocol::Smp);
    let (cut_off, cut_off_address) = scene.network.world.add_strange_server("cut-off.sim", Protocol::Smp);
    let subscriber = scene.network.subscribers[0].0;
    scene.network.world.apply(Fault::Partition(subscriber, cut_off));
    let mut peer = scene.verified_stranger("dd04");
    let mut addresses: Vec<_> = (0..30).map(dead).collect();
    addresses.extend([mute_address, cut_off_address]);
    let mut ids = Vec::new();
    for address in &addresses {
        // There is nobody to ask, and the device has not done anything wrong.
        ids.push(peer.1.subscribe(address, &mut scene.network.over(&mut peer.0)));
    }
    scene.expect_served("at once");
    scene.network.world.run_for(Duration::from_secs(3600));
    scene.expect_served("an hour later");
    let tries = scene.counters().subscriptions.unreachable.total();
    // Pauses for servers that never answered grow to five minutes, and are shortened to half of that at most,
    // so that they are not all tried at once.
    let most = u64::try_from(addresses.len()).expect("few") * (3600 / 150 + 10);
    assert!(tries <= most, "{tries} attempts in an hour");
    assert!(scene.network.world.take_heard(mute).len() <= 3 * 120, "the mute one is given up each time");
    for id in &ids {
        let mut talk = scene.network.over(&mut peer.0);
        let status = talk.ask_text(Auth::Key(&peer.1.key), id, b"SCHK");
        assert!(["SUB NEW", "SUB PENDING", "SUB INACTIVE"].contains(&status.as_str()), "{status}");
    }
    // Deleting the token ends the attempts.
    let mut talk = scene.network.over(&mut peer.0);
    assert_eq!(peer.1.ask(&mut talk, &Command::Tdel), "OK");
    scene.network.settle();
    let tries = scene.counters().subscriptions.unreachable.total();
    scene.network.world.run_for(Duration::from_secs(3600));
    assert_eq!(scene.counters().subscriptions.unreachable.total(), tries, "nobody is tried any more");
    scene.expect_nothing_left(0);
}

#[test]
fn a_server_at_a_private_address_is_never_connected_to_and_others_are_watched() {
    let mut scene = Scene::new(Plan::default());
    let (inside, address) = scene.network.world.add_strange_server("intranet.sim", Protocol::Smp);
    scene.network.world.move_inside(inside);
    let (mut peer, device) = scene.verified_stranger("dd04");
    let id = device.subscribe(&address, &mut scene.network.over(&mut peer));
    scene.expect_served("at once");
    scene.network.world.run_for(Duration::from_secs(3600));
    assert_eq!(scene.network.world.take_heard(inside).len(), 0, "nobody has knocked at its door");
    let counters = scene.counters().subscriptions;
    assert!(counters.not_public.total() > 0 && counters.not_public == counters.unreachable);
    let mut talk = scene.network.over(&mut peer);
    assert_eq!(talk.ask_text(Auth::Key(&device.key), &id, b"SCHK"), "SUB ERR NETWORK");
    scene.expect_served("an hour later");
}

#[test]
fn too_many_servers_subscriptions_and_tokens_are_refused_with_quota() {
    let mut scene = Scene::new(Plan {
        subscriber: |config| {
            config.subscriptions.servers_per_token = 3;
            config.subscriptions.per_token = 5;
            config.tokens.tokens = 2;
        },
        // Shards have a share of the table each, and two places are not to be shared.
        world: Config::default(),
        ..Plan::default()
    });
    let (mut peer, device) = scene.verified_stranger("dd04");
    let mut ask = |network: &mut Network, server: &ServerAddress| {
        let mut talk = network.over(&mut peer);
        let snew = device.snew(server, &mut talk);
        let answer = talk.ask(Auth::Key(&device.key), b"", &snew).text();
        if answer.starts_with("IDSUB") { "IDSUB".to_owned() } else { answer }
    };
    for (number, expected) in [(0, "IDSUB"), (1, "IDSUB"), (2, "IDSUB"), (3, "ERR QUOTA")] {
        assert_eq!(ask(&mut scene.network, &dead(number)), expected, "server {number}");
    }
    for (number, expected) in [(4, "IDSUB"), (5, "IDSUB"), (6, "ERR QUOTA")] {
        assert_eq!(ask(&mut scene.network, &dead(0)), expected, "subscription {number}");
    }
    // Both who are there have proved themselves, and stay.
    let fresh = RawDevice::new(&mut peer.voice.rng);
    let answer = fresh_registration(&mut scene.network, &mut peer, &fresh, "ee05");
    assert_eq!(answer, "ERR QUOTA");
    let counters = scene.counters();
    assert_eq!(counters.subscriptions.refused_full.total(), 2);
    assert_eq!(counters.tokens.refused_full.total(), 1);
    scene.expect_served("within the bounds");
}

#[test]
fn a_server_that_sends_rubbish_is_let_go_and_hinders_no_other() {
    let mut scene = Scene::new(Plan::default());
    let (liar, address) = scene.network.world.add_strange_server("liar.sim", Protocol::Smp);
    let (mut peer, device) = scene.verified_stranger("dd04");
    device.subscribe(&address, &mut scene.network.over(&mut peer));
    // Whenever the subscriber is there, it is told nothing that is a hello.
    for _ in 0..200 {
        scene.network.world.run_for(Duration::from_secs(10));
        for heard in scene.network.world.take_heard(liar) {
            if let Heard::Up { link, .. } = heard {
                let block = vec![0xff; Protocol::Smp.block_len()].into();
                scene.network.world.act(liar, LinkAction::Send { link, block });
            }
        }
    }
    scene.expect_served("beside the liar");
    assert_eq!(scene.network.world.violations(), &[] as &[String]);
}

/// The device token of the device that behaves.
const TOKEN: &str = "aa01";

/// A well-behaved device with a queue, and room for others.
struct Scene {
    network: Network,
    device: Device,
    queue: Queue,
}

impl Scene {
    fn new(plan: Plan) -> Self {
        let mut network = Network::with(plan);
        let (device, queue) = network.watching_device(TOKEN);
        let mut scene = Self { network, device, queue };
        scene.expect_served("before anything");
        scene
    }

    /// Somebody with a link and no token.
    fn stranger(&mut self) -> Peer {
        let node = self.network.world.add_stranger();
        self.network.greet_subscriber(node)
    }

    /// Somebody with a link and a verified token.
    fn verified_stranger(&mut self, token: &str) -> (Peer, RawDevice) {
        let phone = self.network.stranger(token);
        let mut peer = self.network.greet_subscriber(phone);
        let mut device = RawDevice::new(&mut peer.voice.rng);
        device.ask_to_register(&mut self.network.over(&mut peer), token);
        device.take_code(&self.network.next_push(phone));
        device.verify(&mut self.network.over(&mut peer));
        (peer, device)
    }

    /// Somebody at an address of their own registers a device token; gives them, and what came as text.
    fn another_address_registers(&mut self, token: &str) -> (Peer, String) {
        let mut peer = self.stranger();
        let device = RawDevice::new(&mut peer.voice.rng);
        let answer = fresh_registration(&mut self.network, &mut peer, &device, token);
        (peer, answer)
    }

    /// The well-behaved device gets a message by a push within seconds.
    fn expect_served(&mut self, message: &str) {
        let from = self.network.world.now().mono;
        self.network.expect_served(&self.device, &self.queue, message);
        let took = self.network.world.now().mono.since(from);
        assert!(took < Duration::from_secs(10), "{message}: served after {took:?}");
    }

    fn counters(&self) -> Counters {
        self.network.subscriber().counters()
    }

    fn pushes_received(&self) -> u64 {
        self.network.world.client(self.device.node).expect("a client").counters().pushes.total()
    }

    /// Besides the well-behaved device, the subscriber holds so many tokens and nothing else.
    fn expect_nothing_left(&mut self, others: u32) {
        self.network.world.run_for(Duration::from_secs(600));
        let gauges = self.network.subscriber().gauges();
        assert_eq!((gauges.tokens, gauges.subscriptions, gauges.servers), (1 + others, 1, 1));
        assert_eq!((gauges.orders_out, gauges.effects), (0, 0));
        assert_eq!(self.network.world.violations(), &[] as &[String]);
        let failed = |event: &Event| matches!(event, Event::Failed { .. } | Event::PushRejected { .. });
        assert_eq!(self.network.count(&self.device, failed), 0);
    }
}

/// TNEW of a device; what came as text.
fn fresh_registration(network: &mut Network, peer: &mut Peer, device: &RawDevice, token: &str) -> String {
    network.over(peer).ask(Auth::Key(&device.key), b"", &device.tnew(token)).text()
}

/// An SMP server that nobody runs.
fn dead(number: usize) -> ServerAddress {
    let host = format!("dead{number}.sim");
    ServerAddress { hosts: vec![host.into()], port: "".into(), identity: Fingerprint::new([9; 32]) }
}
