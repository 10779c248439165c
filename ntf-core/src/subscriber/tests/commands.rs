//! Each command, each refusal, and where its error is put.

use super::app::{App, Device, Reply};
use super::world::World;
use crate::base::budget::BudgetPlan;
use crate::base::time::Mono;
use crate::crypto::keys::{AuthPrivateKey, X25519Private};
use crate::crypto::work;
use crate::link::event::LinkEvent;
use crate::model::push::PushResult;
use crate::model::token::{InvalidReason, Provider};
use crate::subscriber::input::Input;
use crate::wire::ntf::command::{Command, Device as DeviceField};
use crate::wire::version::{NtfVersion, VersionRange};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

fn encoded(command: &Command<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    command.encode(NtfVersion::MAX, &mut bytes);
    bytes
}

fn tnew(app: &App) -> Vec<u8> {
    let auth = app.key.public().unwrap();
    encoded(&Command::Tnew { device: DeviceField::of(&app.token), auth, dh: app.dh.public() })
}

fn reply(corr: &[u8], entity: &[u8], text: &str) -> Reply {
    Reply { corr: corr.into(), entity: entity.into(), command: text.as_bytes().into() }
}

/// Checklist items 1 to 5 of `ntf-protocol` 6.1, and the rest of 1.5 to 1.7.
#[test]
fn errors_are_put_where_the_protocol_says() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::new(1, "abcd");
    let (key, tnew) = (Some(&app.key), tnew(&app));
    let stray = [b"xx".as_slice(), &tnew].concat();
    let (corr, entity) = (b"abcd".as_slice(), b"1234".as_slice());
    for (key, entity, command, error) in [
        (None, entity, b"CREATE".as_slice(), "ERR CMD UNKNOWN"),
        (key, entity, b"OK", "ERR CMD UNKNOWN"),
        (key, entity, b"TCHK=", "ERR CMD UNKNOWN"),
        (key, &[], b"TNEW", "ERR CMD SYNTAX"),
        (key, &[], b"TNEW ", "ERR CMD SYNTAX"),
        (key, &[], &[&tnew[..], b"x"].concat(), "ERR CMD SYNTAX"),
        (key, entity, b"TCHK ", "ERR CMD SYNTAX"),
        (key, entity, b"TCRN \0", "ERR CMD SYNTAX"),
        (key, entity, b"TVFY \x05abcd", "ERR CMD SYNTAX"),
        (None, &[], &tnew, "ERR CMD NO_AUTH"),
        (None, entity, &tnew, "ERR CMD NO_AUTH"),
        (key, entity, &tnew, "ERR CMD HAS_AUTH"),
        (None, entity, b"TCHK", "ERR CMD NO_AUTH"),
        (key, &[], b"TCHK", "ERR CMD NO_AUTH"),
        (None, &[], b"SDEL", "ERR CMD NO_AUTH"),
        (key, &[], b"PING", "ERR CMD HAS_AUTH"),
        (None, entity, b"PING", "ERR CMD HAS_AUTH"),
        (None, &[], b"PING", "PONG"),
        (key, entity, b"TCHK", "ERR AUTH"),
        (key, entity, b"TDEL", "ERR AUTH"),
        (key, entity, b"TCRN \0\x14", "ERR AUTH"),
        (key, &[9; 24], b"TVFY \x04abcd", "ERR AUTH"),
        (key, &[9; 24], b"SCHK", "ERR AUTH"),
        (key, entity, b"SDEL", "ERR AUTH"),
    ] {
        let transmission = device.write(key, corr, entity, command);
        let told = device.send(&mut world, &[transmission]);
        let what = String::from_utf8_lossy(command).to_string();
        assert_eq!(told, [reply(corr, entity, error)], "{what}");
    }
    // Item 3: bytes before the entity shift the fields.
    let transmission = device.write(key, corr, &[], &stray);
    assert_eq!(device.send(&mut world, &[transmission]), [reply(corr, &[], "ERR CMD UNKNOWN")]);
    assert!(world.orders.is_empty());
    assert_eq!(world.subscriber.gauges().tokens, 0);
}

#[test]
fn what_cannot_be_read_is_answered_block_and_the_link_goes_on() {
    let mut world = World::new();
    let mut device = world.device();
    let body = [b"\x04abcd\x041234".as_slice(), b"TCHK"].concat();
    for len in [1_usize, 63, 65, 79, 81, 113, 115, 255] {
        let transmission = device.write_signed(&vec![7; len], &body);
        let replies = device.send(&mut world, &[transmission]);
        assert_eq!(replies, [reply(b"abcd", &[], "ERR BLOCK")], "an authorization of {len} bytes");
    }
    let nobody = [reply(&[], &[], "ERR BLOCK")];
    assert_eq!(device.send(&mut world, &[vec![200, 1]]), nobody, "fields that end early");
    let ping = device.write(None, b"p", &[], b"PING");
    let mut replies = device.send(&mut world, &[vec![0, 9], ping]);
    replies.sort_by_key(|reply| reply.corr.clone());
    assert_eq!(replies, [reply(&[], &[], "ERR BLOCK"), reply(b"p", &[], "PONG")], "the others go on");
    for (what, content) in [
        ("too long a content", [&[2, 0][..], &[0; 510]].concat()),
        ("no transmission", [&[0, 1, 0][..], &[b'#'; 509]].concat()),
        ("an item beyond the content", [&[0, 4, 1, 0, 9, 0][..], &[b'#'; 506]].concat()),
        ("bytes after the last item", [&[0, 6, 1, 0, 1, 0, 0, 0][..], &[b'#'; 504]].concat()),
    ] {
        let mut block = content;
        assert_eq!(block.len(), 512);
        assert_eq!(device.send_block(&mut world, &mut block), nobody, "{what}");
    }
    assert_eq!(device.ask(&mut world, None, &[], &Command::Ping).text(), "PONG");
}

#[test]
fn a_wrong_signature_is_answered_like_a_token_that_does_not_exist() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    let stranger = App::new(2, "abcd");
    for command in [
        Command::Tchk,
        Command::Tdel,
        Command::Tvfy { code: &[0; 32] },
        Command::Tcrn { minutes: 20 },
        Command::Trpl { device: DeviceField::of(&stranger.token) },
    ] {
        let wrong_key = device.ask(&mut world, Some(&stranger.key), &app.id, &command);
        let nobody = device.ask(&mut world, Some(&stranger.key), &[9; 24], &command);
        assert_eq!((wrong_key.text().as_str(), nobody.text().as_str()), ("ERR AUTH", "ERR AUTH"));
    }
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tchk), "TKN ACTIVE");
    assert_eq!(world.subscriber.counters().links.unauthorized.total(), 10);
}

#[test]
fn a_wrong_key_is_as_much_work_as_an_id_that_does_not_exist() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    let queue = world.queue(50);
    let subscription = app.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    let notifier = queue.at(world.smp_address("smp.example.org"));
    for key in [App::new(2, "abcd").key, AuthPrivateKey::X25519(X25519Private::from_bytes([8; 32]))] {
        for (command, id) in [
            (Command::Tchk, &app.id),
            (Command::Tdel, &app.id),
            (Command::Tvfy { code: &[0; 32] }, &app.id),
            (Command::Tcrn { minutes: 20 }, &app.id),
            (Command::Trpl { device: DeviceField::of(&app.token) }, &app.id),
            (Command::Schk, &subscription),
            (Command::Sdel, &subscription),
        ] {
            let mut work_for =
                |entity: &[u8]| work::of(|| device.ask(&mut world, Some(&key), entity, &command)).1;
            let work = work_for(id);
            assert!(!work.is_empty());
            assert_eq!(work, work_for(&[9; 24]), "{command:?}");
        }
        let mut work_for = |token: &[u8]| {
            let command = Command::Snew { token, notifier: notifier.clone(), key: queue.key.clone() };
            work::of(|| device.ask(&mut world, Some(&key), &[], &command)).1
        };
        assert_eq!(work_for(&app.id), work_for(&[9; 24]));
    }
}

#[test]
fn a_token_of_an_x25519_key_is_authorized_by_authenticators() {
    let mut world = World::new();
    let mut device = world.device();
    let mut app = App::new(1, "abcd");
    app.key = AuthPrivateKey::X25519(X25519Private::from_bytes([9; 32]));
    app.register(&mut world, &mut device);
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tchk), "TKN CONFIRMED");
    let stranger = AuthPrivateKey::X25519(X25519Private::from_bytes([8; 32]));
    assert_eq!(device.ask(&mut world, Some(&stranger), &app.id, &Command::Tchk).text(), "ERR AUTH");
    let signer = App::new(3, "abcd").key;
    let other_kind = device.ask(&mut world, Some(&signer), &app.id, &Command::Tchk);
    assert_eq!(other_kind.text(), "ERR AUTH");
}

#[test]
fn tokens_through_their_statuses() {
    let mut world = World::new();
    world.accepts_pushes = false;
    let mut device = world.device();
    let mut app = App::new(1, "abcd");
    app.register(&mut world, &mut device);
    let check = |world: &mut World, device: &mut Device, app: &App| app.ask(world, device, &Command::Tchk);
    assert_eq!(check(&mut world, &mut device, &app), "TKN REGISTERED");

    let order = world.take_order();
    let code = app.code(&order);
    let wrong: Vec<u8> = code.iter().map(|byte| byte ^ 1).collect();
    for code in [&wrong[..], &code[..31], &[]] {
        assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code }), "ERR AUTH");
    }
    world.outcome(order.id, PushResult::Accepted);
    assert_eq!(check(&mut world, &mut device, &app), "TKN CONFIRMED");
    for _ in 0..2 {
        assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");
        assert_eq!(check(&mut world, &mut device, &app), "TKN ACTIVE");
    }

    // Registering again leaves the token active and pushes the same code.
    app.register(&mut world, &mut device);
    assert_eq!(check(&mut world, &mut device, &app), "TKN ACTIVE");
    let order = world.take_order();
    assert_eq!(app.code(&order), code);
    let result = PushResult::TokenInvalid { reason: InvalidReason::Unregistered, since_millis: None };
    world.outcome(order.id, result);
    assert_eq!(check(&mut world, &mut device, &app), "TKN INVALID,UNREGISTERED");
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "ERR AUTH");

    // What the provider refused starts over.
    app.register(&mut world, &mut device);
    assert_eq!(check(&mut world, &mut device, &app), "TKN REGISTERED");
    assert_eq!(app.code(&world.take_order()), code);
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");

    assert_eq!(app.ask(&mut world, &mut device, &Command::Tdel), "OK");
    assert_eq!(check(&mut world, &mut device, &app), "ERR AUTH");
    assert_eq!(world.subscriber.gauges().tokens, 0);
}

#[test]
fn a_verification_push_that_is_never_echoed_is_sent_again_so_often() {
    let mut world = World::new();
    let mut device = world.device();
    let mut app = App::new(1, "abcd");
    app.register(&mut world, &mut device);
    world.advance(Duration::from_secs(120));
    assert_eq!(world.orders.len(), 2);
    world.advance(Duration::from_secs(100_000));
    assert_eq!(world.orders.len(), 5);
    let codes: Vec<_> = world.orders.iter().map(|order| app.code(order)).collect();
    assert!(codes.iter().all(|code| *code == codes[0]));
}

/// Defect D20 of the reference: anyone could push to any device token without end.
#[test]
fn verification_pushes_to_one_device_token_are_paced() {
    let plan = BudgetPlan { burst: 3, period: Duration::from_secs(60) };
    let mut world = World::alone(|config| config.tokens.verification_pushes = plan);
    let mut device = world.device();
    for number in 0..8 {
        let mut app = App::new(number, "abcd");
        app.register(&mut world, &mut device);
        app.ask(&mut world, &mut device, &Command::Tdel);
    }
    assert_eq!(world.orders.len(), 3);
    App::new(9, "other").register(&mut world, &mut device);
    assert_eq!(world.orders.len(), 4, "other device tokens are not held up");
    let mut last = App::new(10, "abcd");
    last.register(&mut world, &mut device);
    world.advance(Duration::from_secs(60));
    last.code(world.orders.last().unwrap());
    assert!(world.subscriber.counters().tokens.verification_paced.total() > 0);
}

#[test]
fn guessing_codes_comes_to_an_end() {
    let mut world = World::with(|config| config.tokens.verification_attempts = 3);
    let mut device = world.device();
    let mut app = App::new(1, "abcd");
    app.register(&mut world, &mut device);
    let code = app.code(&world.take_order());
    for _ in 0..3 {
        assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &[0; 32] }), "ERR AUTH");
    }
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "ERR AUTH");
    app.register(&mut world, &mut device);
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");
    assert_eq!(world.subscriber.counters().tokens.not_verified.total(), 4);
}

#[test]
fn registering_with_another_agreement_is_refused() {
    let mut world = World::new();
    let mut device = world.device();
    let mut app = App::verified(&mut world, &mut device, 1, "abcd");
    app.dh = X25519Private::from_bytes([99; 32]);
    assert_eq!(app.try_register(&mut world, &mut device).text(), "ERR AUTH");
    assert!(world.orders.is_empty());
}

/// Checklist item 9, and defect D19 of the reference.
#[test]
fn device_tokens_have_the_shape_of_their_provider() {
    for (allowed, provider, token, answer) in [
        (true, Provider::ApnsTest, "xyzw", "IDTKN"),
        (false, Provider::ApnsTest, "xyzw", "ERR CMD PROHIBITED"),
        (false, Provider::ApnsProd, "00ffAA", "IDTKN"),
        (false, Provider::ApnsDev, "00ffAA", "IDTKN"),
        (false, Provider::ApnsNull, "test_ntf_token", "IDTKN"),
        (true, Provider::ApnsProd, "xyzw", "ERR CMD SYNTAX"),
        (true, Provider::ApnsDev, "../3/device", "ERR CMD SYNTAX"),
        (true, Provider::ApnsTest, "a b", "ERR CMD SYNTAX"),
    ] {
        let mut world = World::with(|config| config.allow_test_provider = allowed);
        let mut device = world.device();
        let mut app = App::new(1, token);
        app.token.provider = provider;
        let reply = app.try_register(&mut world, &mut device).text();
        assert!(reply.starts_with(answer), "{provider:?} {token}: {reply}");
        // TRPL is held to the same.
        let mut other = App::new(2, "00ff");
        other.token.provider = Provider::ApnsProd;
        other.register(&mut world, &mut device);
        let replaced =
            other.ask(&mut world, &mut device, &Command::Trpl { device: DeviceField::of(&app.token) });
        let expected = if answer == "IDTKN" { "OK" } else { answer };
        assert_eq!(replaced, expected, "{provider:?} {token}");
    }
}

#[test]
fn periodic_intervals_have_a_smallest_one() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    for (minutes, answer) in [(0, "OK"), (1, "ERR QUOTA"), (19, "ERR QUOTA"), (20, "OK"), (u16::MAX, "OK")] {
        assert_eq!(app.ask(&mut world, &mut device, &Command::Tcrn { minutes }), answer, "{minutes}");
    }
}

/// Checklist item 8.
#[test]
fn subscribing_again_gives_the_same_id_and_others_are_refused() {
    let mut world = World::new();
    let mut device = world.device();
    let queue = world.queue(50);
    let address = queue.at(world.smp_address("smp.example.org"));
    let mut app = App::new(1, "abcd");
    app.register(&mut world, &mut device);
    let early = app.try_subscribe(&mut world, &mut device, address.clone(), &queue.key);
    assert_eq!(early.text(), "ERR AUTH", "not verified yet");
    let code = app.code(&world.take_order());
    app.ask(&mut world, &mut device, &Command::Tvfy { code: &code });

    let id = app.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    assert_eq!(app.subscribe(&mut world, &mut device, "smp.example.org", &queue), id);
    let other_key = world.queue(51).key;
    let reply = app.try_subscribe(&mut world, &mut device, address.clone(), &other_key);
    assert_eq!(reply.text(), "ERR AUTH", "another notifier key");
    let other = App::verified(&mut world, &mut device, 2, "efgh");
    let reply = other.try_subscribe(&mut world, &mut device, address, &queue.key);
    assert_eq!(reply.text(), "ERR AUTH", "another token");
    assert_eq!(other.status(&mut world, &mut device, &id), "ERR AUTH");
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE");

    let deleted = device.ask(&mut world, Some(&app.key), &id, &Command::Sdel);
    assert_eq!(deleted.text(), "OK");
    assert_eq!(app.status(&mut world, &mut device, &id), "ERR AUTH");
    let free = other.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    assert_ne!(free, id);
}

#[test]
fn an_empty_port_and_an_explicit_one_are_different_servers() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    let queue = world.queue(50);
    let id = app.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    let mut address = queue.at(world.smp_address("smp.example.org"));
    address.server.port = "5223".into();
    let reply = app.try_subscribe(&mut world, &mut device, address, &queue.key);
    assert!(reply.text().starts_with("IDSUB") && !reply.command.ends_with(&id));
    assert_eq!(world.subscriber.gauges().servers, 2);
}

/// Checklist item 12, and defect D7 of the reference.
#[test]
fn a_verified_token_ends_other_registrations_and_their_subscriptions() {
    let mut world = World::new();
    let mut device = world.device();
    let first = App::verified(&mut world, &mut device, 1, "abcd");
    let queue = world.queue(50);
    first.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    let link = *world.smp.links.last_key_value().unwrap().0;

    let mut second = App::new(2, "abcd");
    second.register(&mut world, &mut device);
    assert_eq!(first.ask(&mut world, &mut device, &Command::Tchk), "TKN ACTIVE");
    assert_eq!(second.ask(&mut world, &mut device, &Command::Tchk), "TKN CONFIRMED");
    let code = second.code(&world.take_order());
    assert_eq!(second.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");

    assert_eq!(first.ask(&mut world, &mut device, &Command::Tchk), "ERR AUTH");
    assert_eq!(second.ask(&mut world, &mut device, &Command::Tchk), "TKN ACTIVE");
    let gauges = world.subscriber.gauges();
    assert_eq!((gauges.tokens, gauges.subscriptions, gauges.servers), (1, 0, 0));
    assert!(world.closed.contains(&link), "nothing is watched there any more");
}

#[test]
fn bounds_of_tokens_and_subscriptions_are_answered_quota() {
    let mut world = World::alone(|config| {
        config.tokens.tokens = 2;
        config.subscriptions.per_token = 1;
        config.subscriptions.servers = 1;
    });
    let mut device = world.device();
    let first = App::verified(&mut world, &mut device, 1, "aa");
    let second = App::verified(&mut world, &mut device, 2, "bb");
    assert_eq!(App::new(3, "cc").try_register(&mut world, &mut device).text(), "ERR QUOTA");
    let (one, two) = (world.queue(50), world.queue(51));
    first.subscribe(&mut world, &mut device, "a.example.org", &one);
    let again = two.at(world.smp_address("a.example.org"));
    assert_eq!(first.try_subscribe(&mut world, &mut device, again, &two.key).text(), "ERR QUOTA");
    let elsewhere = two.at(world.smp_address("b.example.org"));
    assert_eq!(second.try_subscribe(&mut world, &mut device, elsewhere, &two.key).text(), "ERR QUOTA");
    let counters = world.subscriber.counters();
    assert_eq!(counters.tokens.refused_full.total(), 1);
    assert_eq!(counters.subscriptions.refused_full.total(), 2);
    assert_eq!(first.ask(&mut world, &mut device, &Command::Tdel), "OK");
    App::new(3, "cc").register(&mut world, &mut device);
}

#[test]
fn version_1_has_one_transmission_a_block_its_session_id_and_no_reasons() {
    let mut world = World::new();
    let mut device = world.device_of(VersionRange::NTF_WITHOUT_ALPN);
    assert_eq!(device.session.version(), NtfVersion(1));
    assert!(!device.session.has_server_key());
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    let mut again = App::new(1, "abcd");
    world.accepts_pushes = false;
    again.register(&mut world, &mut device);
    let order = world.take_order();
    let result = PushResult::TokenInvalid { reason: InvalidReason::Bad, since_millis: None };
    world.outcome(order.id, result);
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tchk), "TKN INVALID");

    let body = [b"\x04abcd\0".as_slice(), b"PING"].concat();
    let wrong = [&[0, 3][..], b"xyz", &body].concat();
    assert_eq!(device.send(&mut world, &[wrong]), [reply(b"abcd", &[], "ERR SESSION")]);
    assert_eq!(device.ask(&mut world, None, &[], &Command::Ping).text(), "PONG");
}

#[test]
fn a_batch_is_answered_item_by_item() {
    let mut world = World::new();
    let mut device = world.device();
    let pings: Vec<_> = (0..40_u8).map(|number| device.write(None, &[number], &[], b"PING")).collect();
    let mut replies = device.send(&mut world, &pings);
    replies.sort_by_key(|reply| reply.corr.clone());
    assert!(replies.iter().map(|reply| reply.corr[0]).eq(0..40));
    assert!(replies.iter().all(|reply| reply.text() == "PONG"));
}

#[test]
fn devices_that_do_not_greet_or_stay_silent_are_closed() {
    let mut world = World::new();
    let silent = world.open_link();
    world.advance(Duration::from_secs(30));
    assert!(!world.is_open(silent));

    let mut device = world.device();
    world.advance(Duration::from_secs(43_100));
    assert_eq!(device.ask(&mut world, None, &[], &Command::Ping).text(), "PONG");
    world.advance(Duration::from_secs(43_199));
    assert!(world.is_open(device.link));
    world.advance(Duration::from_secs(1));
    assert!(!world.is_open(device.link));
    assert_eq!(world.subscriber.counters().links.timed_out.total(), 2);
    assert_eq!(world.deadline(), None::<Mono>);
}

#[test]
fn a_device_that_greets_wrongly_is_closed_without_a_word() {
    let mut world = World::new();
    for (what, hello) in [
        ("another identity", [&[0, 35, 0, 3, 32][..], &[9; 32]].concat()),
        ("a version that was not offered", [&[0, 35, 0, 4, 32][..], &[9; 32]].concat()),
        ("rubbish", vec![0xff; 40]),
    ] {
        let link = world.open_link();
        let mut block = hello;
        block.resize(512, b'#');
        world.handle(Input::Link(LinkEvent::Block { link, block: &mut block }));
        assert!(!world.is_open(link), "{what}");
    }
    let counters = world.subscriber.counters();
    assert_eq!((counters.links.faults.total(), world.subscriber.gauges().links), (3, 0));
}

#[test]
fn so_many_devices_are_connected_at_a_time() {
    let mut world = World::alone(|config| config.links = 2);
    let (first, second) = (world.open_link(), world.open_link());
    let third = world.open_link();
    assert!(world.is_open(first) && world.is_open(second) && !world.is_open(third));
    assert_eq!(world.subscriber.counters().links.refused_full.total(), 1);
}

#[test]
fn who_is_silent_gives_way_when_too_many_are_connected() {
    let mut world = World::alone(|config| config.links = 2);
    let (silent, mut busy) = (world.device(), world.device());
    world.advance(Duration::from_secs(29));
    assert_eq!(busy.ask(&mut world, None, &[], &Command::Ping).text(), "PONG");
    let early = world.open_link();
    assert!(!world.is_open(early), "nobody has been silent for long");
    world.advance(Duration::from_secs(1));
    let third = world.open_link();
    assert!(world.is_open(third) && !world.is_open(silent.link));
    assert_eq!(busy.ask(&mut world, None, &[], &Command::Ping).text(), "PONG");
    let counters = world.subscriber.counters().links;
    assert_eq!((counters.refused_full.total(), counters.displaced.total()), (1, 1));
    assert_eq!(world.subscriber.gauges().links, 2);
}

#[test]
fn a_device_that_asks_without_reading_the_answers_is_closed() {
    let mut world = World::new();
    let mut device = world.device();
    world.devices_read = false;
    for sent in 1..=200_u32 {
        let ping = device.write(None, b"p", &[], b"PING");
        device.send(&mut world, &[ping]);
        if !world.is_open(device.link) {
            assert!(sent > 64, "not before the window is used up twice");
            break;
        }
    }
    assert!(!world.is_open(device.link));
    assert_eq!(world.subscriber.counters().links.congested.total(), 1);
}
