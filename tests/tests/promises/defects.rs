//! What the reference gets wrong (`ntf-protocol` 7.2) and we promise to get right, where no test beside the code
//! shows it. `README.md` lists all of them.

use std::time::Duration;

use ntf_core::delivery::limits::DeliveryLimits;
use ntf_core::model::token::Provider;
use ntf_core::sim::{Fault, Weather};
use ntf_core::wire::ntf::command::{Command, Device};
use ntf_tests::by_hand::{Pushed, RawDevice, RawQueue};
use ntf_tests::simulated::Network;
use ntf_tests::voice::{Auth, Speaks};

use crate::protocol::Scene;

/// D1.
#[test]
fn a_device_that_asks_for_periodic_pushes_is_woken_every_interval() {
    let mut scene = Scene::new();
    scene.verify();
    assert_eq!(scene.ask(&Command::Tcrn { minutes: 20 }), "OK");
    let hours = 6;
    scene.network.world.run_for(Duration::from_secs(hours * 3600));
    let mut woken = 0;
    while scene.network.pushes_waiting(scene.phone) > 0 {
        let body = scene.network.next_push(scene.phone);
        assert_eq!(scene.device.open(&body), Pushed::CheckMessages);
        woken += 1;
    }
    assert!((hours * 3 - 2..=hours * 3).contains(&woken), "{woken} times in {hours} hours");
}

/// D3.
#[test]
fn a_provider_that_is_away_for_hours_stops_neither_the_reading_of_notices_nor_later_pushes() {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    network.world.apply(Fault::Provider(network.provider, Weather::Unreachable));
    for number in 0..100 {
        network.send(&queue.address, &format!("message {number}"));
        network.world.run_for(Duration::from_secs(120));
    }
    let counters = network.subscriber().counters();
    assert_eq!(counters.received.total(), 100, "every notice was read");
    assert_eq!(network.messages(&device), [], "and none was pushed");
    network.world.apply(Fault::Provider(network.provider, Weather::Fair));
    // The longest pause between two attempts.
    network.world.run_for(DeliveryLimits::default().retry.max);
    assert!(network.wait_until(|network| network.messages(&device).len() == 100), "one push brings all");
    network.expect_served(&device, &queue, "and then as ever");
}

/// D5.
#[test]
fn ten_devices_that_subscribe_in_the_same_moment_are_all_answered() {
    let mut network = Network::new();
    let server = network.smp_address(0).clone();
    let mut devices: Vec<_> = (0..10)
        .map(|number| {
            let token = format!("aa{number:02}");
            let phone = network.stranger(&token);
            let mut peer = network.greet_subscriber(phone);
            let mut device = RawDevice::new(&mut peer.voice.rng);
            device.ask_to_register(&mut network.over(&mut peer), &token);
            device.take_code(&network.next_push(phone));
            device.verify(&mut network.over(&mut peer));
            (peer, device)
        })
        .collect();
    for (peer, device) in &mut devices {
        let mut talk = network.over(peer);
        let snew = device.snew(&server, &mut talk);
        let item = talk.item(Auth::Key(&device.key), b"", &snew);
        talk.send(&[&item.bytes]);
    }
    for (peer, _) in &mut devices {
        assert!(network.over(peer).read().text().starts_with("IDSUB"));
    }
    assert_eq!(network.subscriber().gauges().subscriptions, 10);
}

/// D7.
#[test]
fn what_was_dropped_is_not_asked_for_again_in_the_next_session() {
    let mut scene = Scene::new();
    scene.verify();
    let mut queues: Vec<_> =
        (0..4).map(|_| scene.queue(|talk| RawQueue::create_with_notifier(talk))).collect();
    let kept = queues.pop().expect("four");
    for queue in &queues {
        scene.watch(queue);
    }
    // DELD for one: its notifier is replaced.
    queues[0].set_notifier(&mut scene.smp_talk());
    // A rival proves itself, which drops the first registration with all its queues.
    let mut rival = RawDevice::new(&mut scene.ntf.voice.rng);
    rival.ask_to_register(&mut scene.ntf_talk(), "aa01");
    let body = scene.network.next_push(scene.phone);
    rival.take_code(&body);
    rival.verify(&mut scene.ntf_talk());
    scene.device = rival;
    scene.watch(&kept);
    scene.network.settle();
    let asked = scene.network.subscriber().counters().subscriptions.asked.total();
    scene.network.world.cut_links(scene.network.smp[0].0);
    scene.network.settle();
    let asked = scene.network.subscriber().counters().subscriptions.asked.total() - asked;
    assert_eq!(asked, 1, "the one queue that is left");
}

/// D22.
#[test]
fn the_same_subscription_twice_in_one_moment_is_one() {
    let mut scene = Scene::new();
    scene.verify();
    let queue = scene.queue(|talk| RawQueue::create_with_notifier(talk));
    let snew = scene.device.snew_of(scene.address(&queue), queue.notifier_key());
    let key = scene.device.key.clone();
    let mut talk = scene.ntf_talk();
    let items = [(); 2].map(|()| talk.item(Auth::Key(&key), b"", &snew).bytes);
    talk.send(&[&items[0]]);
    talk.send(&[&items[1]]);
    let (first, second) = (talk.read(), talk.read());
    assert!(first.text().starts_with("IDSUB"));
    assert_eq!(first.command, second.command);
}

/// D22.
#[test]
fn a_token_replaced_by_one_of_the_same_key_is_refused_with_auth() {
    let mut scene = Scene::new();
    scene.verify();
    let (key, id) = (scene.device.key.clone(), scene.device.id.clone());
    // The same key registers another device token: a registration of its own.
    let other = scene.device.tnew("bb02");
    let mut talk = scene.ntf_talk();
    assert!(talk.ask(Auth::Key(&key), b"", &other).text().starts_with("IDTKN"));
    let device = Device { provider: Provider::ApnsTest, token: b"bb02" };
    assert_eq!(scene.ask(&Command::Trpl { device }), "ERR AUTH");
    assert_eq!(scene.device.id, id);
    assert_eq!(scene.ask(&Command::Tchk), "TKN ACTIVE", "the first one stays as it was");
}

/// D24.
#[test]
fn a_device_token_that_the_provider_does_not_know_is_told_and_counted() {
    let mut scene = Scene::new();
    scene.device.ask_to_register(&mut scene.network.over(&mut scene.ntf), "ee05");
    scene.network.settle();
    assert_eq!(scene.ask(&Command::Tchk), "TKN INVALID,BAD");
    assert_eq!(scene.network.subscriber().counters().tokens.invalid.total(), 1);
}
