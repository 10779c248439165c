//! The laws of every machine, and what this one says of itself.

use super::*;
use std::format;

#[test]
fn a_second_drain_yields_nothing_and_stop_is_the_end() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::Subscribe);
    world.send(link, &mailbox, true, b"x");
    let first = format!("{:?}", world.server.poll());
    assert!(first.starts_with("Idle(Some("), "{first}");
    assert_eq!(format!("{:?}", world.server.poll()), first);

    world.handle(Input::Stop);
    assert!(world.client_mut(link).is_closed);
    let transport = Transport {
        session_id: [1; 32].into(),
        has_alpn: true,
        peer_chain: Vec::new(),
        showed_certificate: false,
        source: None,
    };
    world.handle(Input::Link(LinkEvent::Up { link: LinkId::accepted(9), transport }));
    world.handle(Input::Tick);
    assert!(matches!(world.server.poll(), Step::Idle(None)));
    assert_eq!(world.server.gauges(), meter::Gauges::default());
}

#[test]
fn the_same_seed_and_inputs_give_the_same_trace() {
    let run = || {
        let mut world = World::new();
        let [recipient, notifier] = [(); 2].map(|()| world.client());
        let mailbox = world.mailbox(recipient, SubscribeMode::Subscribe);
        let watch = world.notifier(recipient, &mailbox);
        world.watch(notifier, &watch);
        world.send(notifier, &mailbox, true, b"x");
        world.advance(Duration::from_secs(20));
        (world.take_events(recipient), world.take_events(notifier), mailbox.dh.public())
    };
    assert_eq!(run(), run());
}

#[test]
fn an_announced_deadline_makes_progress() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let watch = world.notifier(link, &mailbox);
    world.watch(link, &watch);
    for _ in 0..200 {
        world.send_all(link, &[(None, &mailbox.sender, Command::Send { notify: true, message: b"x" })]);
        let Step::Idle(Some(deadline)) = world.server.poll() else { panic!("something is due") };
        let start = world.now;
        world.set_time(start, world.now.mono.max(deadline.at));
        world.handle(Input::Tick);
        let Step::Idle(Some(next)) = world.server.poll() else { panic!("the link has a deadline") };
        assert!(next.at > deadline.at || next.reason != deadline.reason, "{next:?}");
    }
}

#[test]
fn times_of_zero_do_not_keep_the_server_busy() {
    let mut world = World::with(|config| {
        config.nmsg_round = Duration::ZERO;
        config.event_round = Duration::ZERO;
        config.sweep_every = Duration::ZERO;
        config.silence_max = Duration::ZERO;
    });
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::Subscribe);
    let watch = world.notifier(link, &mailbox);
    world.watch(link, &watch);
    world.send(link, &mailbox, true, b"x");
    world.ask(link, Some(&mailbox.key), &mailbox.recipient, Command::Ndel);
    world.advance(Duration::from_secs(60));
    let events = world.take_events(link);
    assert_eq!(events.len(), 2, "the message and the end of the notifier");
    assert!(!world.client_mut(link).is_closed, "it is subscribed");
}

#[test]
fn time_never_goes_back() {
    let mut world = World::new();
    let link = world.client();
    world.advance(Duration::from_secs(100));
    world.now.mono = Mono::ZERO;
    assert_eq!(world.ask(link, None, b"", Command::Ping), b"PONG");
    let Step::Idle(Some(deadline)) = world.server.poll() else { panic!("the link has a deadline") };
    assert!(deadline.at >= Mono::ZERO + Duration::from_secs(6 * 3600));
}

#[test]
fn knowledge_is_what_the_tables_hold() {
    let mut world = World::new();
    let [recipient, notifier] = [(); 2].map(|()| world.client());
    let mailbox = world.mailbox(recipient, SubscribeMode::OnlyCreate);
    let watch = world.notifier(recipient, &mailbox);
    world.watch(notifier, &watch);
    world.send(notifier, &mailbox, true, b"hello");
    let facts = world.server.knowledge();
    let count = |what| facts.iter().find(|fact| fact.what == what).map(|fact| fact.count);
    for (what, expected) in [
        ("queues", 1),
        ("notifier ids", 1),
        ("notifier ids watched", 1),
        ("encrypted messages held", 1),
        ("bytes of encrypted messages held", 5),
        ("times at which a message came", 1),
        ("connections", 2),
    ] {
        assert_eq!(count(what), Some(expected), "{what}");
    }
    world.handle(Input::Link(LinkEvent::Down { link: notifier, reason: DownReason::Broken }));
    assert_eq!(world.server.gauges().watched, 0);
}

#[test]
fn nothing_secret_is_printed() {
    let mut world = World::with(|config| {
        config.creation = config::Creation::WithPassword(config::Password::new(b"sesame".as_slice().into()));
    });
    world.client();
    let text = format!("{:?}", world.server);
    assert!(!text.contains("sesame"));
    let fingerprint = hex::encode(credentials().identity().unwrap().as_bytes());
    assert!(!text.contains(&fingerprint[..16]));
}
