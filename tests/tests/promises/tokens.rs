//! Tokens between the client of this project and the subscriber: `ntf-protocol` 6.2, items 10 to 23.
//!
//! Where the reference's server remembers tokens over a restart (items 13 to 17), ours promises otherwise: it
//! forgets, and its clients notice and register again by themselves.

use std::time::Duration;

use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::link::event::DownReason;
use ntf_core::model::server::Fingerprint;
use ntf_core::model::token::TokenStatus;
use ntf_core::sim::{Fault, Weather};
use ntf_core::subscriber::meters::TokenCounters;
use ntf_core::wire::ntf::command::Command as NtfCommand;
use ntf_tests::by_hand::RawDevice;
use ntf_tests::simulated::{Device, Network, device_token, is_active};

use crate::protocol::Scene;

#[test]
fn a_token_lives_from_registration_to_deletion() {
    let mut network = Network::new();
    let device = network.active_device("aa01");
    network.world.command(device.node, Command::Check);
    assert!(network.wait_for(&device, 2, is_active), "a check says so again");
    network.world.command(device.node, Command::Unregister);
    assert!(network.wait_for(&device, 1, |event| *event == Event::Unregistered));
    network.settle();
    assert_eq!(network.subscriber().gauges().tokens, 0);
    network.world.command(device.node, Command::Check);
    let refused = |event: &Event| matches!(event, Event::Failed { why, .. } if why.contains("no token"));
    assert!(network.wait_for(&device, 1, refused), "there is nothing left to check");
}

#[test]
fn registering_twice_sends_two_pushes_and_the_first_code_verifies() {
    let mut scene = Scene::new();
    scene.register();
    let first = scene.device.code.clone();
    scene.register();
    scene.device.code = first;
    scene.verify();
    assert_eq!(scene.ask(&NtfCommand::Tchk), "TKN ACTIVE");
}

#[test]
fn the_registration_that_proves_itself_last_has_the_device_token() {
    let mut scene = Scene::new();
    scene.verify();
    // Another app on the same device.
    let mut second = RawDevice::new(&mut scene.ntf.voice.rng);
    second.ask_to_register(&mut scene.ntf_talk(), "aa01");
    let body = scene.network.next_push(scene.phone);
    second.take_code(&body);
    scene.network.settle();
    assert_eq!(scene.ask(&NtfCommand::Tchk), "TKN ACTIVE", "the first one is not touched yet");
    assert_eq!(second.ask(&mut scene.ntf_talk(), &NtfCommand::Tchk), "TKN CONFIRMED");
    second.verify(&mut scene.ntf_talk());
    assert_eq!(second.ask(&mut scene.ntf_talk(), &NtfCommand::Tchk), "TKN ACTIVE");
    assert_eq!(scene.ask(&NtfCommand::Tchk), "ERR AUTH", "the first one is gone");
}

#[test]
fn a_code_that_comes_after_a_restart_leads_to_another_registration() {
    let mut network = Network::new();
    let device = network.device("aa01");
    network.register(&device);
    until_pushed(&mut network);
    restart(&mut network);
    // The app does nothing: the code is refused, and the client knows what that means. It does not wait until a
    // verification push would seem lost, which takes a minute.
    network.world.run_for(Duration::from_secs(25));
    assert_eq!(network.count(&device, is_active), 1);
    assert_eq!(counters(&network).verified.total(), 1);
}

#[test]
fn a_code_that_finds_the_subscriber_away_is_said_when_it_is_back() {
    let mut network = Network::new();
    let device = network.device("aa01");
    network.register(&device);
    until_pushed(&mut network);
    let subscriber = network.subscribers[0].0;
    network.world.apply(Fault::Partition(device.node, subscriber));
    network.world.cut_links(device.node);
    network.world.run_for(Duration::from_secs(600));
    let came = network.world.client(device.node).expect("a client").counters().pushes.total();
    assert!(came >= 1, "the code has come");
    assert_eq!(network.count(&device, is_active), 0, "and cannot be said");
    network.world.apply(Fault::Heal(device.node, subscriber));
    // An attempt that is out times out first, and the pause after it may have grown to three minutes.
    network.world.run_for(Duration::from_secs(240));
    assert_eq!(network.count(&device, is_active), 1, "by itself");
    assert_eq!(counters(&network).created.total(), 1, "it is the same token");
}

#[test]
fn a_code_whose_answer_is_lost_is_said_again() {
    let mut network = Network::new();
    let device = network.device("aa01");
    network.register(&device);
    until(&mut network, "the code is accepted", |counters| counters.verified.total() == 1);
    network.world.cut_links(device.node);
    assert_eq!(network.count(&device, is_active), 0, "the answer is lost");
    assert!(network.wait_for(&device, 1, is_active));
    let counters = counters(&network);
    assert_eq!((counters.verified.total(), counters.not_verified.total()), (2, 0));
    assert_eq!(counters.created.total(), 1, "it is the same token");
}

#[test]
fn an_app_that_starts_again_gets_another_push() {
    let mut network = Network::new();
    let device = network.device("aa01");
    network.world.apply(Fault::Provider(network.provider, Weather::Losing(1)));
    network.register(&device);
    network.world.run_for(Duration::from_secs(5));
    restart(&mut network);
    network.world.apply(Fault::Provider(network.provider, Weather::Fair));
    network.world.apply(Fault::Restart(device.node));
    network.register(&device);
    assert!(network.wait_for(&device, 1, is_active));
}

#[test]
fn a_registration_whose_answer_is_lost_is_made_once() {
    let mut network = Network::new();
    let device = network.device("aa01");
    network.register(&device);
    until(&mut network, "the token is made", |counters| counters.created.total() == 1);
    network.world.cut_links(device.node);
    assert!(network.wait_for(&device, 1, is_active));
    let counters = counters(&network);
    assert_eq!(counters.created.total(), 1, "the same keys get the same token");
    assert!(counters.repeated.total() >= 1, "it was asked for again");
}

#[test]
fn a_token_that_the_provider_refused_is_registered_again_on_the_second_start() {
    let (mut network, device) = refused();
    network.register(&device);
    assert!(network.wait_for(&device, 1, is_invalid), "the first start learns of it");
    network.world.install(network.provider, b"aa01", device.node);
    network.register(&device);
    assert!(network.wait_for(&device, 2, is_active), "the second one mends it");
}

#[test]
fn a_token_that_the_provider_refused_is_found_by_a_check_as_well() {
    let (mut network, device) = refused();
    network.world.command(device.node, Command::Check);
    assert!(network.wait_for(&device, 1, is_invalid));
    network.world.install(network.provider, b"aa01", device.node);
    network.register(&device);
    assert!(network.wait_for(&device, 2, is_active));
}

#[test]
fn a_subscriber_of_another_identity_is_told_apart_at_once() {
    let mut network = Network::new();
    let device = network.device("aa01");
    let mut server = network.subscriber_address().clone();
    server.identity = Fingerprint::new([7; 32]);
    let register = Command::Register { server, device: device.token.clone() };
    network.world.command(device.node, register);
    let told = |event: &Event| matches!(event, Event::Unreachable { reason: DownReason::WrongIdentity, .. });
    assert!(network.wait_for(&device, 1, told));
    assert_eq!(network.subscriber().counters().links.accepted.total(), 0);
}

#[test]
fn another_device_token_moves_the_registration_and_its_queues() {
    let mut network = Network::new();
    let (mut device, queue) = network.watching_device("aa01");
    let before = network.subscriber().gauges();
    network.world.apply(Fault::Restart(device.node));
    let former = network.stranger("aa01");
    network.world.install(network.provider, b"bb02", device.node);
    device.token = device_token("bb02");
    network.activate(&device);
    network.expect_served(&device, &queue, "to the new token");
    assert_eq!(network.pushes_waiting(former), 0, "none to the old one");
    let after = network.subscriber().gauges();
    assert_eq!((after.tokens, after.subscriptions), (before.tokens, before.subscriptions));
}

/// A device that was active until its provider answered that the app is gone; its application was not told.
fn refused() -> (Network, Device) {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    network.world.uninstall(network.provider, b"aa01");
    network.send(&queue.address, "to nobody");
    until(&mut network, "the provider's answer is known", |counters| counters.invalid.total() == 1);
    (network, device)
}

fn is_invalid(event: &Event) -> bool {
    matches!(event, Event::Token(TokenStatus::Invalid(_)))
}

fn counters(network: &Network) -> TokenCounters {
    network.subscriber().counters().tokens
}

/// Stops in the very moment in which the subscriber has counted this.
fn until(network: &mut Network, what: &str, is_so: impl Fn(&TokenCounters) -> bool) {
    let subscriber = network.subscribers[0].0;
    let came = network.world.run_while(ntf_tests::simulated::PATIENCE, |world| {
        is_so(&world.subscriber(subscriber).expect("a subscriber").counters().tokens)
    });
    assert!(came, "{what}");
}

/// Stops in the moment in which the provider has the verification push and the device has not.
fn until_pushed(network: &mut Network) {
    let provider = network.provider;
    let came = network.world.run_while(ntf_tests::simulated::PATIENCE, |world| {
        world.provider(provider).expect("a provider").accepted() == 1
    });
    assert!(came, "the push is on its way");
}

fn restart(network: &mut Network) {
    network.world.apply(Fault::Restart(network.subscribers[0].0));
}
