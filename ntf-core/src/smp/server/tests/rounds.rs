//! Rounds of notifications and of endings, expiry, and the deadlines of links.

use super::*;

#[test]
fn notifications_come_within_one_round_oldest_first() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let watch = world.notifier(link, &mailbox);
    for _ in 0..3 {
        world.send(link, &mailbox, true, b"stored while nobody watches");
        world.advance(Duration::from_secs(7));
    }
    assert_eq!(world.take_events(link), []);
    world.watch(link, &watch);
    world.advance(Duration::from_millis(1500));
    let times: Vec<_> = world.take_events(link).iter().map(|(_, nmsg)| watch.open(nmsg).1).collect();
    assert_eq!(times, [1_700_000_000, 1_700_000_007, 1_700_000_014]);
}

#[test]
fn an_idle_server_sets_no_round() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let watch = world.notifier(link, &mailbox);
    world.watch(link, &watch);
    let reason = |world: &mut World| match world.server.poll() {
        Step::Idle(deadline) => deadline.map(|deadline| deadline.reason),
        Step::Do(effect) => panic!("not drained: {effect:?}"),
    };
    assert_eq!(reason(&mut world), Some("link deadline"));
    world.send(link, &mailbox, true, b"x");
    assert_eq!(reason(&mut world), Some("notification round"));
    world.advance(Duration::from_secs(2));
    assert_eq!(reason(&mut world), Some("expiry sweep"));
}

#[test]
fn a_taken_subscription_ends_at_once_and_is_told_in_the_event_round() {
    for version in [9, 10, 18] {
        let mut world = World::new();
        let [first, second] = [(); 2].map(|()| world.client_of(version, BlockEncryption::WherePossible));
        let mailbox = world.mailbox(first, SubscribeMode::Subscribe);
        let watch = world.notifier(first, &mailbox);
        world.advance(Duration::from_secs(1));
        world.watch(first, &watch);
        world.watch(second, &watch);
        world.ask(second, Some(&mailbox.key), &mailbox.recipient, Command::Sub);
        world.send(first, &mailbox, true, b"x");
        world.advance(Duration::from_secs(13));
        assert_eq!(world.take_events(first), [], "neither messages nor endings");
        assert_eq!(world.take_events(second).len(), 2);
        world.advance(Duration::from_secs(1));
        let mut ended = world.take_events(first);
        ended.sort();
        let mut expected = [(mailbox.recipient, b"END".to_vec()), (watch.id, b"END".to_vec())];
        expected.sort();
        assert_eq!(ended, expected, "version {version}");
        assert_eq!(world.take_events(second), []);
    }
}

#[test]
fn what_deletes_a_notifier_id_is_told_with_deld_or_end() {
    for (version, expected) in [(9, b"END".as_slice()), (10, b"DELD"), (18, b"DELD")] {
        for command in [
            Command::Ndel,
            Command::Del,
            Command::Nkey {
                notifier: AuthPublicKey::Ed25519(Ed25519Private::from_seed([1; 32]).public()),
                dh: X25519Private::from_bytes([2; 32]).public(),
            },
        ] {
            let mut world = World::new();
            let [recipient, notifier] =
                [(); 2].map(|()| world.client_of(version, BlockEncryption::WherePossible));
            let mailbox = world.mailbox(recipient, SubscribeMode::Subscribe);
            let watch = world.notifier(recipient, &mailbox);
            world.watch(notifier, &watch);
            world.send(notifier, &mailbox, true, b"never told");
            let word = command.word();
            world.ask(recipient, Some(&mailbox.key), &mailbox.recipient, command);
            world.advance(Duration::from_secs(14));
            assert_eq!(world.take_events(notifier), [], "{word}");
            world.advance(Duration::from_secs(1));
            assert_eq!(world.take_events(notifier), [(watch.id.clone(), expected.to_vec())], "{word}");
            let auth = err(ErrorCode::Auth);
            assert_eq!(world.ask(notifier, Some(&watch.key), &watch.id, Command::Nsub), auth, "{word}");
        }
    }
}

#[test]
fn deletion_is_told_to_another_subscribed_link() {
    let mut world = World::new();
    let [first, second] = [(); 2].map(|()| world.client());
    let mailbox = world.mailbox(first, SubscribeMode::Subscribe);
    world.ask_ok(second, Some(&mailbox.key), &mailbox.recipient, Command::Del);
    world.advance(Duration::from_secs(15));
    assert_eq!(world.take_events(first), [(mailbox.recipient, b"DELD".to_vec())]);
    assert_eq!(world.take_events(second), []);
}

#[test]
fn what_nobody_fetches_expires() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let watch = world.notifier(link, &mailbox);
    world.watch(link, &watch);
    let other = world.client();
    world.watch(other, &watch);
    world.handle(Input::Link(LinkEvent::Down { link: other, reason: DownReason::Broken }));
    world.send(link, &mailbox, true, b"x");
    world.advance(Duration::from_secs(23 * 3600));
    assert_eq!(world.server.gauges().notifications, 1);
    world.advance(Duration::from_secs(3 * 3600));
    assert_eq!(world.server.gauges().notifications, 0);
    assert_eq!(world.server.counters().notifications_expired.total(), 1);
    assert_eq!(world.server.gauges().messages, 1);
    world.advance(Duration::from_secs(21 * 24 * 3600));
    assert_eq!(world.server.gauges().messages, 0);
    assert_eq!(world.server.counters().messages_expired.total(), 1);
    assert_eq!(world.take_events(link), [(watch.id, b"END".to_vec())]);
}

#[test]
fn a_handshake_that_takes_too_long_ends_the_link() {
    let mut world = World::new();
    let link = LinkId::accepted(77);
    let transport = Transport {
        session_id: [1; 32].into(),
        has_alpn: true,
        peer_chain: Vec::new(),
        showed_certificate: false,
        source: None,
    };
    let client = Client {
        greeting: None,
        session: None,
        heard: Vec::new(),
        stalled: Some(Vec::new()),
        is_closed: false,
    };
    world.clients.insert(link, client);
    world.handle(Input::Link(LinkEvent::Up { link, transport }));
    world.advance(Duration::from_secs(119));
    assert!(!world.client_mut(link).is_closed);
    world.advance(Duration::from_secs(1));
    assert!(world.client_mut(link).is_closed);
    assert_eq!(world.server.counters().handshakes_failed.total(), 1);
    assert_eq!(world.server.gauges().links, 0);
}

#[test]
fn a_silent_link_is_closed_unless_it_is_subscribed() {
    let mut world = World::new();
    let [silent, talking, subscribed] = [(); 3].map(|()| world.client());
    let mailbox = world.mailbox(subscribed, SubscribeMode::Subscribe);
    for _ in 0..7 {
        world.advance(Duration::from_secs(3600));
        assert_eq!(world.ask(talking, None, b"", Command::Ping), b"PONG");
    }
    assert!(world.client_mut(silent).is_closed);
    assert!(!world.client_mut(talking).is_closed);
    assert!(!world.client_mut(subscribed).is_closed);
    assert_eq!(world.server.counters().links_silent.total(), 1);
    world.ask(talking, Some(&mailbox.key), &mailbox.recipient, Command::Sub);
    world.advance(Duration::from_secs(13 * 3600));
    assert!(world.client_mut(subscribed).is_closed, "it lost its only subscription");
    assert!(!world.client_mut(talking).is_closed);
}

#[test]
fn a_round_over_many_links_comes_out_in_slices_and_reaches_all() {
    let mut world = World::new();
    let links: Vec<_> = (0..150).map(|_| world.client()).collect();
    let mut watches = Vec::new();
    for link in &links {
        let mailbox = world.mailbox(*link, SubscribeMode::OnlyCreate);
        let watch = world.notifier(*link, &mailbox);
        world.watch(*link, &watch);
        world.send(*link, &mailbox, true, b"x");
        watches.push(watch);
    }
    let Step::Idle(Some(deadline)) = world.server.poll() else { panic!("a round is due") };
    let start = world.now;
    world.set_time(start, deadline.at);
    world.handle(Input::Tick);
    let told = |world: &World| links.iter().filter(|link| !world.clients[link].heard.is_empty()).count();
    assert_eq!(told(&world), 64);
    world.handle(Input::Tick);
    assert_eq!(told(&world), 128);
    world.handle(Input::Tick);
    assert_eq!(told(&world), 150);
}
