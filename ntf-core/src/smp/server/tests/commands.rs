//! A table for each rule about single commands and batches: which error, with which ids.

use super::*;
use crate::crypto::work;
use crate::model::server::ServerAddress;
use crate::smp::server::delivery::Refusal;
use crate::wire::error_code::{CommandError, ProxyError};
use crate::wire::smp::queue::LinkData;

#[test]
fn credentials_are_checked_before_anything_else() {
    use CommandError::{HasAuth, NoAuth, NoEntity};
    let mut world = World::new();
    let link = world.client();
    let key = world.ed25519();
    for command in every_command() {
        // With neither, with an entity only, with an authorization only, with both.
        let expected = match command {
            Command::New(_) => [Some(NoAuth), Some(NoAuth), None, Some(HasAuth)],
            Command::Send { .. } => [Some(NoEntity), None, Some(NoEntity), None],
            Command::Lget | Command::Pfwd { .. } => [Some(NoEntity), None, Some(NoEntity), Some(HasAuth)],
            Command::Ping | Command::Prxy { .. } | Command::Rfwd { .. } => {
                [None, Some(HasAuth), Some(HasAuth), Some(HasAuth)]
            }
            _ => [Some(NoAuth), Some(NoAuth), Some(NoAuth), None],
        };
        for ((key, entity), expected) in
            [(None, b"".as_slice()), (None, &[7; 24]), (Some(&key), b""), (Some(&key), &[7; 24])]
                .into_iter()
                .zip(expected)
        {
            let answer = world.ask(link, key, entity, command.clone());
            let complaints = [HasAuth, NoAuth, NoEntity].map(|error| err(ErrorCode::Cmd(error)));
            let context = (command.word(), key.is_some(), !entity.is_empty());
            match expected {
                Some(error) => assert_eq!(answer, err(ErrorCode::Cmd(error)), "{context:?}"),
                None => assert!(!complaints.contains(&answer), "{context:?}"),
            }
        }
    }
}

#[test]
fn an_id_that_does_not_exist_or_is_of_another_kind_is_answered_auth() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let watch = world.notifier(link, &mailbox);
    let ids = [&[9; 24][..], &[9; 1], &[9; 255], &mailbox.recipient, &mailbox.sender, &watch.id];
    for command in every_command() {
        let (own, key) = match command {
            Command::New(_)
            | Command::Ping
            | Command::Prxy { .. }
            | Command::Rfwd { .. }
            | Command::Pfwd { .. }
            | Command::Subs
            | Command::Nsubs => continue,
            Command::Send { .. } | Command::Lget => (&mailbox.sender, None),
            Command::Skey { .. } | Command::Lkey { .. } => (&mailbox.sender, Some(&mailbox.key)),
            Command::Nsub => (&watch.id, Some(&watch.key)),
            _ => (&mailbox.recipient, Some(&mailbox.key)),
        };
        for id in ids {
            if id != own {
                let answer = world.ask(link, key, id, command.clone());
                assert_eq!(answer, err(ErrorCode::Auth), "{} {id:?}", command.word());
            }
        }
    }
}

#[test]
fn a_wrong_key_is_as_much_work_as_an_id_that_does_not_exist() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let watch = world.notifier(link, &mailbox);
    for key in [world.ed25519(), world.x25519()] {
        for command in every_command() {
            let id = match command {
                Command::New(_)
                | Command::Ping
                | Command::Lget
                | Command::Prxy { .. }
                | Command::Rfwd { .. }
                | Command::Pfwd { .. } => continue,
                Command::Send { .. } | Command::Skey { .. } | Command::Lkey { .. } => &mailbox.sender,
                Command::Nsub => &watch.id,
                _ => &mailbox.recipient,
            };
            // The answer, and the work that it was.
            let mut work_for =
                |entity: &[u8]| work::of(|| world.ask(link, Some(&key), entity, command.clone()));
            let wrong = work_for(id);
            assert!(!wrong.1.is_empty());
            assert_eq!(wrong, work_for(&[9; 24]), "{}", command.word());
        }
    }
}

#[test]
fn a_wrong_key_is_answered_auth_whatever_its_kind() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let watch = world.notifier(link, &mailbox);
    for key in [world.ed25519(), world.x25519(), watch.key] {
        for command in every_command() {
            let entity = match command {
                Command::Send { .. } | Command::Skey { .. } => &mailbox.sender,
                Command::Nsub => continue,
                Command::New(_) => &Vec::new(),
                Command::Sub
                | Command::Get
                | Command::Ack { .. }
                | Command::Key { .. }
                | Command::Rkey { .. }
                | Command::Nkey { .. }
                | Command::Ndel
                | Command::Lset { .. }
                | Command::Ldel
                | Command::Off
                | Command::Del
                | Command::Que => &mailbox.recipient,
                _ => continue,
            };
            let answer = world.ask(link, Some(&key), entity, command.clone());
            assert_eq!(answer, err(ErrorCode::Auth), "{}", command.word());
        }
    }
    let stranger = world.ed25519();
    assert_eq!(world.ask(link, Some(&stranger), &watch.id, Command::Nsub), err(ErrorCode::Auth));
    assert_eq!(world.server.gauges().queues, 1);
}

#[test]
fn an_authorization_is_for_its_own_session_and_ids_only() {
    let mut world = World::new();
    let [link, other] = [(); 2].map(|()| world.client());
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let make = |world: &mut World, link| {
        let session = world.client_mut(link).session.as_ref().unwrap();
        transmit(session, Some(&mailbox.key), &[1; 24], &mailbox.recipient, |version, out| {
            Command::Sub.encode(version, out);
        })
    };
    let good = make(&mut world, link);
    let foreign = make(&mut world, other);
    world.send_raw(link, &foreign);
    assert_eq!(world.take_answer(link, &[1; 24]).message, err(ErrorCode::Auth));
    let mut changed = good.clone();
    let last = changed.len() - 1;
    changed[last - 60] ^= 1;
    world.send_raw(link, &changed);
    let heard = core::mem::take(&mut world.client_mut(link).heard);
    assert_eq!(heard[0].message, err(ErrorCode::Auth));
    world.send_raw(link, &good);
    assert_eq!(world.take_answer(link, &[1; 24]).message, b"SOK 0");
}

#[test]
fn words_and_parameters() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    for (command, error) in [
        (b"".as_slice(), CommandError::Unknown),
        (b"FOO", CommandError::Unknown),
        (b"sub", CommandError::Unknown),
        (b"SUB=", CommandError::Unknown),
        (b"OK", CommandError::Unknown),
        (b"PONG", CommandError::Unknown),
        (b"MSG \x01a", CommandError::Unknown),
        (b"SUB ", CommandError::Syntax),
        (b"SUB x", CommandError::Syntax),
        (b"PING ", CommandError::Syntax),
        (b"ACK", CommandError::Syntax),
        (b"ACK ", CommandError::Syntax),
        (b"ACK \x02a", CommandError::Syntax),
        (b"ACK \x01ab", CommandError::Syntax),
        (b"KEY \x00", CommandError::Syntax),
        (b"RKEY \x00", CommandError::Syntax),
        (b"NKEY ", CommandError::Syntax),
        (b"NEW ", CommandError::Syntax),
        (b"SEND T", CommandError::Syntax),
        (b"SEND X hello", CommandError::Syntax),
        (b"SEND T1234567 hello", CommandError::Syntax),
    ] {
        let session = world.client_mut(link).session.as_ref().unwrap();
        let (key, entity) = (Some(&mailbox.key), &mailbox.recipient);
        let raw = transmit(session, key, &[2; 24], entity, |_, out| out.extend_from_slice(command));
        world.send_raw(link, &raw);
        let answer = world.take_answer(link, &[2; 24]);
        assert_eq!(answer.message, err(ErrorCode::Cmd(error)), "{command:?}");
        assert_eq!(answer.entity, mailbox.recipient, "{command:?}");
    }
}

#[test]
fn flags_after_the_first_are_read_over() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::Subscribe);
    let session = world.client_mut(link).session.as_ref().unwrap();
    let raw = transmit(session, None, &[2; 24], &mailbox.sender, |_, out| {
        out.extend_from_slice(b"SEND T123456 hello");
    });
    world.send_raw(link, &raw);
    assert_eq!(world.take_answer(link, &[2; 24]).message, b"OK");
    assert_eq!(mailbox.open(&world.take_events(link)[0].1).1, b"hello");
}

#[test]
fn correlation_ids_of_any_length_are_echoed() {
    let mut world = World::new();
    let link = world.client();
    for len in [0, 1, 24, 255] {
        let corr = vec![3; len];
        let session = world.client_mut(link).session.as_ref().unwrap();
        let raw = transmit(session, None, &corr, b"", |version, out| Command::Ping.encode(version, out));
        world.send_raw(link, &raw);
        assert_eq!(world.take_answer(link, &corr).message, b"PONG", "{len}");
    }
}

#[test]
fn unreadable_transmissions_are_answered_where_the_specification_says() {
    let ping = |authorization: &[u8], rest: &[u8]| {
        let mut out = vec![u8::try_from(authorization.len()).unwrap()];
        out.extend_from_slice(authorization);
        out.extend_from_slice(rest);
        out
    };
    let body = b"\x01c\x01ePING".as_slice();
    let (block, auth) = (err(ErrorCode::Block), err(ErrorCode::Cmd(CommandError::HasAuth)));
    let signed = |signature: &[u8]| {
        let len = u8::try_from(signature.len()).unwrap();
        [&b"1"[..], &[len], signature, body].concat()
    };
    for (what, bytes, corr, entity, expected) in [
        ("nothing", vec![], &b""[..], &b""[..], &block),
        ("a short authorization field", vec![9, 1, 2], b"", b"", &block),
        ("no entity id", ping(b"", b"\x01c"), b"", b"", &block),
        ("an authorization of 63 bytes", ping(&[1; 63], &[b"0", body].concat()), b"c", b"", &block),
        ("an authorization of 65 bytes", ping(&[1; 65], &[b"0", body].concat()), b"c", b"", &block),
        ("an authorization of 64 bytes", ping(&[1; 64], &[b"0", body].concat()), b"c", b"e", &auth),
        ("an authorization of 80 bytes", ping(&[1; 80], &[b"0", body].concat()), b"c", b"e", &auth),
        ("an authorization of 114 bytes", ping(&[1; 114], &[b"0", body].concat()), b"c", b"e", &auth),
        ("no sign of a second signature", ping(&[1; 64], body), b"", b"", &block),
        ("a second signature of 63 bytes", ping(&[1; 64], &signed(&[1; 63])), b"", b"", &block),
        ("a second signature of 64 bytes", ping(&[1; 64], &signed(&[1; 64])), b"c", b"e", &auth),
    ] {
        let mut world = World::new();
        let link = world.client();
        world.send_raw(link, &bytes);
        let heard = core::mem::take(&mut world.client_mut(link).heard);
        assert_eq!(heard.len(), 1, "{what}");
        assert_eq!(
            heard[0],
            Heard { corr: corr.into(), entity: entity.into(), message: expected.clone() },
            "{what}"
        );
        assert_eq!(world.ask(link, None, b"", Command::Ping), b"PONG", "{what}");
    }
}

#[test]
fn version_6_names_its_session_in_every_transmission() {
    let mut world = World::new();
    let link = world.client_of(6, BlockEncryption::WherePossible);
    let other = [9; 32];
    let mut raw = vec![0, 32];
    raw.extend_from_slice(&other);
    raw.extend_from_slice(b"\x01c\x00PING");
    world.send_raw(link, &raw);
    let expected = Heard { corr: b"c".into(), entity: Vec::new(), message: err(ErrorCode::Session) };
    assert_eq!(core::mem::take(&mut world.client_mut(link).heard), [expected]);
    assert_eq!(world.ask(link, None, b"", Command::Ping), b"PONG");
}

#[test]
fn services_and_proxies_are_refused() {
    let mut world = World::new();
    let link = world.client();
    let key = world.ed25519();
    for (command, signed, entity, expected) in [
        (Command::Subs, true, &[7; 24][..], ErrorCode::Service),
        (Command::Nsubs, true, &[7; 24], ErrorCode::Service),
        (
            Command::Prxy { server: address(), password: None },
            false,
            b"",
            ErrorCode::Proxy(ProxyError::BasicAuth),
        ),
        (pfwd(), false, &[7; 24], ErrorCode::Proxy(ProxyError::NoSession)),
        (Command::Rfwd { transmission: b"x" }, false, b"", ErrorCode::Cmd(CommandError::Prohibited)),
    ] {
        let word = command.word();
        let key = signed.then_some(&key);
        assert_eq!(world.ask(link, key, entity, command), err(expected), "{word}");
    }
}

#[test]
fn a_second_signature_without_a_service_session_is_refused() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let session = world.client_mut(link).session.as_ref().unwrap();
    let (key, entity) = (Some(&mailbox.key), &mailbox.recipient);
    let mut raw = transmit(session, key, &[2; 24], entity, |version, out| Command::Sub.encode(version, out));
    // The byte after the 64 of the signature says that there is no second one.
    assert_eq!(raw[65], b'0');
    raw.splice(65..66, [b"1\x40".as_slice(), &[5; 64]].concat());
    world.send_raw(link, &raw);
    assert_eq!(world.take_answer(link, &[2; 24]).message, err(ErrorCode::Service));
}

#[test]
fn every_refusal_has_its_word() {
    for (refusal, text) in [
        (Refusal::Auth, "ERR AUTH"),
        (Refusal::Prohibited, "ERR CMD PROHIBITED"),
        (Refusal::NoMessage, "ERR NO_MSG"),
        (Refusal::LargeMessage, "ERR LARGE_MSG"),
        (Refusal::Quota, "ERR QUOTA"),
        (Refusal::Internal, "ERR INTERNAL"),
        (Refusal::Service, "ERR SERVICE"),
        (Refusal::NoProxy, "ERR PROXY BASIC_AUTH"),
        (Refusal::NoProxySession, "ERR PROXY NO_SESSION"),
    ] {
        assert_eq!(err(refusal.code()), text.as_bytes());
    }
}

#[test]
fn the_message_length_depends_on_the_version() {
    for (version, len_max) in [(6, 16088), (7, 16088), (8, 16064), (10, 16064), (11, 16048), (18, 16048)] {
        let mut world = World::new();
        let link = world.client_of(version, BlockEncryption::WherePossible);
        let mailbox = world.mailbox(link, SubscribeMode::Subscribe);
        let mut longest = vec![b'x'; len_max];
        world.send(link, &mailbox, false, &longest);
        assert_eq!(mailbox.open(&world.take_events(link)[0].1).1, longest, "version {version}");
        longest.push(b'x');
        let send = Command::Send { notify: false, message: &longest };
        assert_eq!(
            world.ask(link, None, &mailbox.sender, send),
            err(ErrorCode::LargeMsg),
            "version {version}"
        );
    }
}

#[test]
fn a_batch_is_executed_from_last_to_first_and_answered_in_order() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let (key, stranger) = (Some(&mailbox.key), world.ed25519());
    let send = |message| Command::Send { notify: false, message };
    let corrs = world.send_all(
        link,
        &[
            (key, &mailbox.recipient, Command::Get),
            (key, &mailbox.recipient, Command::Off),
            (Some(&stranger), &mailbox.recipient, Command::Get),
            (None, &mailbox.sender, send(b"two")),
            (None, &mailbox.sender, send(b"one")),
        ],
    );
    let heard = core::mem::take(&mut world.client_mut(link).heard);
    let order: Vec<_> = heard.iter().map(|heard| heard.corr.as_slice()).collect();
    assert_eq!(order, [&corrs[2][..], &corrs[0], &corrs[1], &corrs[3], &corrs[4]]);
    assert_eq!(heard[0].message, err(ErrorCode::Auth));
    assert_eq!(mailbox.open(&heard[1].message).1, b"one");
    for done in &heard[2..] {
        assert_eq!(done.message, b"OK");
    }
}

#[test]
fn a_batch_is_verified_before_it_is_executed() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    let sender = world.ed25519();
    let key = Command::Key { sender: sender.public().unwrap() };
    let send = Command::Send { notify: false, message: b"x" };
    // KEY is executed first, yet the unsigned SEND was lawful when the batch was checked; the signed one
    // was not.
    let corrs = world.send_all(
        link,
        &[
            (None, &mailbox.sender, send.clone()),
            (Some(&sender), &mailbox.sender, send),
            (Some(&mailbox.key), &mailbox.recipient, key),
        ],
    );
    assert_eq!(world.take_answer(link, &corrs[0]).message, b"OK");
    assert_eq!(world.take_answer(link, &corrs[1]).message, err(ErrorCode::Auth));
    assert_eq!(world.take_answer(link, &corrs[2]).message, b"OK");

    let corrs = world.send_all(
        link,
        &[
            (Some(&mailbox.key), &mailbox.recipient, Command::Sub),
            (Some(&mailbox.key), &mailbox.recipient, Command::Del),
        ],
    );
    assert_eq!(world.take_answer(link, &corrs[0]).message, err(ErrorCode::Auth), "gone by then");
    assert_eq!(world.take_answer(link, &corrs[1]).message, b"OK");
    assert_eq!(world.take_events(link), []);
}

#[test]
fn a_whole_block_of_subscriptions_is_answered() {
    let mut world = World::new();
    let [recipient, notifier] = [(); 2].map(|()| world.client());
    let mut watches = Vec::new();
    for _ in 0..134 {
        let mailbox = world.mailbox(recipient, SubscribeMode::OnlyCreate);
        watches.push(world.notifier(recipient, &mailbox));
    }
    let commands: Vec<_> =
        watches.iter().map(|watch| (Some(&watch.key), watch.id.as_slice(), Command::Nsub)).collect();
    let corrs = world.send_all(notifier, &commands);
    let heard = core::mem::take(&mut world.client_mut(notifier).heard);
    assert!(heard.iter().map(|heard| heard.corr.as_slice()).eq(corrs.iter().map(<[u8; 24]>::as_slice)));
    assert!(heard.iter().all(|heard| heard.message == b"SOK 0"));
    assert_eq!(world.server.gauges().watched, 134);
}

#[test]
fn link_data_goes_through_the_codec() {
    let mut world = World::new();
    let link = world.client();
    let key = world.ed25519();
    let corr: [u8; 24] = [0x55; 24];
    let sender = crate::crypto::sha::sha3_384(&corr);
    let data = LinkData { fixed: b"fixed", user: b"user" };
    let contact = crate::wire::smp::queue::ContactLink { link: &[4; 24], sender: &sender[..24], data };
    let new = Command::New(NewQueue {
        auth: key.public().unwrap(),
        dh: X25519Private::from_bytes([1; 32]).public(),
        password: None,
        subscribe: SubscribeMode::OnlyCreate,
        request: Some(QueueRequest::Contact(Some(contact))),
        notifier: None,
    });
    let session = world.client_mut(link).session.as_ref().unwrap();
    let raw = transmit(session, Some(&key), &corr, b"", |version, out| new.encode(version, out));
    world.send_raw(link, &raw);
    let answer = world.take_answer(link, &corr).message;
    let Message::Ids(ids) = Message::decode(&answer, SmpVersion(18)).unwrap() else { panic!("not created") };
    assert_eq!((ids.link, ids.sender), (Some(&[4; 24][..]), &sender[..24]));
    let changed = LinkData { fixed: b"fixed", user: b"changed" };
    let lset = Command::Lset { link: &[4; 24], data: changed };
    world.ask_ok(link, Some(&key), ids.recipient, lset);
    let expected = encoded(&Message::Lnk { sender: ids.sender, data: changed });
    assert_eq!(world.ask(link, None, &[4; 24], Command::Lget), expected);
    world.ask_ok(link, Some(&key), ids.recipient, Command::Ldel);
    assert_eq!(world.ask(link, None, &[4; 24], Command::Lget), err(ErrorCode::Auth));
    let empty = Command::Lset { link: b"", data };
    let prohibited = err(ErrorCode::Cmd(CommandError::Prohibited));
    assert_eq!(world.ask(link, Some(&key), ids.recipient, empty), prohibited);
}

#[test]
fn the_state_of_a_queue_is_told_in_json() {
    let mut world = World::new();
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::Subscribe);
    let expected = br#"INFO {"qiSnd":false,"qiNtf":false,"qiSub":{"qSubThread":"noSub"},"qiSize":0}"#;
    assert_eq!(world.ask(link, Some(&mailbox.key), &mailbox.recipient, Command::Que), expected);
}

/// One of each.
fn every_command() -> Vec<Command<'static>> {
    let auth = AuthPublicKey::Ed25519(Ed25519Private::from_seed([5; 32]).public());
    let dh = X25519Private::from_bytes([6; 32]).public();
    let data = LinkData { fixed: b"f", user: b"u" };
    let new = NewQueue {
        auth,
        dh,
        password: None,
        subscribe: SubscribeMode::OnlyCreate,
        request: None,
        notifier: None,
    };
    vec![
        Command::New(new),
        Command::Sub,
        Command::Subs,
        Command::Get,
        Command::Ack { message: b"" },
        Command::Key { sender: auth },
        Command::Rkey { recipients: vec![auth] },
        Command::Nkey { notifier: auth, dh },
        Command::Ndel,
        Command::Lset { link: b"l", data },
        Command::Ldel,
        Command::Off,
        Command::Que,
        Command::Skey { sender: auth },
        Command::Send { notify: true, message: b"m" },
        Command::Lkey { sender: auth },
        Command::Lget,
        Command::Nsub,
        Command::Nsubs,
        Command::Ping,
        Command::Prxy { server: address(), password: None },
        pfwd(),
        Command::Rfwd { transmission: b"x" },
        Command::Del,
    ]
}

fn pfwd() -> Command<'static> {
    let key = X25519Private::from_bytes([6; 32]).public();
    Command::Pfwd { version: SmpVersion(18), key, transmission: b"x" }
}

fn address() -> ServerAddress {
    let identity = credentials().identity().unwrap();
    ServerAddress { hosts: vec!["localhost".into()], port: "5223".into(), identity }
}
