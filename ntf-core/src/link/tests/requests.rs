//! Commands and replies between the two ends of an open link.

use super::*;
use crate::crypto::keys::AuthPublicKey;
use crate::crypto::work;
use crate::link::dialect::{Ntf, Smp};
use crate::link::requester::NotSent;
use crate::link::responder::Credential;
use crate::wire::block::Layout;
use crate::wire::error_code::{CommandError, ErrorCode};
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use crate::wire::{ntf, transmission};
use alloc::string::String;

/// The keys that can authorize in a version.
fn usable_keys(version: u16) -> Vec<AuthPrivateKey> {
    let mut keys = vec![ed25519_key(7)];
    if version >= 7 {
        keys.push(x25519_key(8));
    }
    #[cfg(feature = "ed448")]
    keys.push(AuthPrivateKey::Ed448(crate::crypto::keys::Ed448Private::from_bytes([9; 57])));
    keys
}

/// Hands the client's blocks to the server; `answer` is asked for the key of each request and what to say.
fn serve<D: Dialect>(pair: &mut Pair<D>, key: Option<&AuthPublicKey>, answer: &D::Message<'_>) -> usize {
    let mut authorized = 0;
    for mut block in pair.client_blocks() {
        let mut requests = pair.server.on_block(&mut block).unwrap();
        while let Some(request) = pair.server.next_request(&mut requests) {
            let credential = key.map_or(Credential::Unknown, Credential::Key);
            if let Ok(done) = pair.server.verify(request, credential) {
                authorized += 1;
                pair.server.reply(done.reply_to(), answer);
            }
        }
    }
    authorized
}

#[test]
fn an_authorized_command_is_answered_in_every_version() {
    for version in each(Smp::VERSIONS) {
        for encryption in [BlockEncryption::WherePossible, BlockEncryption::Never] {
            for key in usable_keys(version) {
                let mut pair = Pair::<Smp>::new(version, encryption);
                let subscribe = (Some(&entity(1)), Some(&key), &Command::Nsub);
                pair.client.request(now(0).mono, subscribe.0, subscribe.1, subscribe.2, 5).unwrap();
                let authorized = serve(&mut pair, key.public().as_ref(), &Message::Sok { service: None });
                assert_eq!(authorized, 1, "version {version}, {encryption:?}");
                let word = if version >= 16 { "SOK" } else { "OK" };
                assert_eq!(pair.answers(), [alloc::format!("5 InTime Ok({word})")], "version {version}");
                assert_eq!(pair.client.in_flight(), 0);
            }
        }
    }
    for version in each(Ntf::VERSIONS) {
        for key in usable_keys(if version >= 2 { 7 } else { 6 }) {
            let mut pair = Pair::<Ntf>::new(version, BlockEncryption::WherePossible);
            let command = ntf::command::Command::Schk;
            pair.client.request(now(0).mono, Some(&entity(1)), Some(&key), &command, 5).unwrap();
            assert_eq!(serve(&mut pair, key.public().as_ref(), &ntf::response::Response::Ok), 1);
            assert_eq!(pair.answers(), ["5 InTime Ok(OK)"], "version {version}");
        }
    }
}

#[test]
fn an_x25519_key_needs_a_server_with_a_session_key() {
    let mut pair = Pair::<Smp>::new(6, BlockEncryption::WherePossible);
    let result = pair.client.request(now(0).mono, Some(&entity(1)), Some(&x25519_key(8)), &Command::Nsub, 5);
    assert!(matches!(result, Err(NotSent::CannotAuthorize(_))));
    assert_eq!((pair.client.in_flight(), pair.client.take_block()), (0, None));
}

#[test]
fn wrong_and_missing_keys_are_refused_alike() {
    for key in usable_keys(18) {
        let others = [ed25519_key(1).public(), x25519_key(1).public(), None];
        for other in others {
            let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
            pair.client.request(now(0).mono, Some(&entity(1)), Some(&key), &Command::Nsub, 5).unwrap();
            assert_eq!(serve(&mut pair, other.as_ref(), &Message::Ok), 0);
            assert_eq!(pair.answers(), ["5 InTime Ok(ERR)"]);
        }
    }
}

/// From the block of a command to the block of its answer.
#[test]
fn nothing_in_the_work_of_an_answer_tells_whether_the_entity_exists() {
    fn check<D: Dialect>(version: u16, command: &D::Command<'_>, answer: &D::Message<'_>) {
        for key in usable_keys(version) {
            let work_for = |known: Option<&AuthPublicKey>| {
                let mut pair = Pair::<D>::new(version, BlockEncryption::WherePossible);
                pair.client.request(now(0).mono, Some(&entity(1)), Some(&key), command, 5).unwrap();
                let mut blocks = pair.client_blocks();
                work::of(|| {
                    let mut requests = pair.server.on_block(&mut blocks[0]).unwrap();
                    let request = pair.server.next_request(&mut requests).unwrap();
                    let credential = known.map_or(Credential::Unknown, Credential::Key);
                    if let Ok(done) = pair.server.verify(request, credential) {
                        pair.server.reply(done.reply_to(), answer);
                    }
                    assert!(pair.server.take_block().is_some());
                })
                .1
            };
            let owner = key.public();
            let expected = work_for(owner.as_ref());
            assert!(!expected.is_empty());
            for known in [ed25519_key(1).public(), x25519_key(1).public(), None] {
                assert_eq!(work_for(known.as_ref()), expected, "version {version}, {known:?}");
            }
        }
    }
    for version in [6, 7, 18] {
        check::<Smp>(version, &Command::Nsub, &Message::Ok);
    }
    check::<Ntf>(3, &ntf::command::Command::Schk, &ntf::response::Response::Ok);
}

#[test]
fn what_entities_ask_for() {
    let key = ed25519_key(7);
    let (right, wrong) = (key.public().unwrap(), ed25519_key(1).public().unwrap());
    let send = Command::Send { notify: true, message: b"hello" };
    for (key, credential, expected) in [
        (Some(&key), Credential::AnyOf(&[wrong, right]), true),
        (Some(&key), Credential::AnyOf(&[wrong]), false),
        (Some(&key), Credential::AnyOf(&[]), false),
        (Some(&key), Credential::Key(&right), true),
        (Some(&key), Credential::Open, false),
        (Some(&key), Credential::Unknown, false),
        (None, Credential::Open, true),
        (None, Credential::Key(&right), false),
        (None, Credential::AnyOf(&[]), false),
        (None, Credential::Unknown, false),
    ] {
        let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
        pair.client.request(now(0).mono, Some(&entity(1)), key, &send, 5).unwrap();
        let mut block = pair.client.take_block().unwrap();
        let mut requests = pair.server.on_block(&mut block).unwrap();
        let request = pair.server.next_request(&mut requests).unwrap();
        assert_eq!(request.entity(), entity(1).as_bytes());
        let result = pair.server.verify(request, credential).map(|done| done.command().clone());
        assert_eq!(result.is_ok(), expected, "{credential:?} for {key:?}");
        assert_eq!(pair.server.take_block().is_some(), !expected);
        if let Ok(command) = result {
            assert_eq!(command, send);
        }
    }
}

#[test]
fn replies_find_their_requests_whatever_their_order_and_blocks() {
    let key = ed25519_key(7);
    let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
    for tag in 0..400 {
        let entity = EntityId::new(&u32::to_be_bytes(tag + 1)).unwrap();
        pair.client.request(now(0).mono, Some(&entity), Some(&key), &Command::Nsub, tag).unwrap();
    }
    let mut blocks = pair.client_blocks();
    assert_eq!(blocks.len(), 3, "about 160 short ones fit a block");
    let mut replies: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for block in &mut blocks {
        let mut requests = pair.server.on_block(block).unwrap();
        while let Some(request) = pair.server.next_request(&mut requests) {
            let done = pair.server.verify(request, Credential::Key(&key.public().unwrap())).unwrap();
            replies.push((done.reply_to().corr.to_vec(), done.entity().to_vec()));
        }
    }
    assert_eq!(replies.len(), 400);
    for (corr, entity) in replies.iter().rev() {
        let to = crate::link::responder::ReplyTo { corr, entity };
        pair.server.reply(to, &Message::Sok { service: None });
    }
    let mut expected: Vec<String> = (0..400).map(|tag| alloc::format!("{tag} InTime Ok(SOK)")).collect();
    expected.reverse();
    assert_eq!(pair.answers(), expected);
    assert_eq!(pair.client.in_flight(), 0);
}

#[test]
fn a_late_reply_is_recognised_and_a_third_is_not() {
    let key = ed25519_key(7);
    let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
    pair.client.request(now(0).mono, Some(&entity(1)), Some(&key), &Command::Nsub, 5).unwrap();
    serve(&mut pair, key.public().as_ref(), &Message::Ok);
    let reply = pair.server.take_block().unwrap();
    assert_eq!(pair.client.expire(now(29).mono), None);
    assert_eq!(pair.client.expire(now(30).mono).map(|expired| expired.tag), Some(Some(5)));
    assert_eq!(pair.read(reply), ["5 Late Ok(OK)"]);
    pair.server.reply(crate::link::responder::ReplyTo { corr: &[1; 24], entity: &[1] }, &Message::Ok);
    assert_eq!(pair.answers(), ["Unknown"]);
}

#[test]
fn replies_that_do_not_fit_their_request() {
    let answer = |named: Option<&[u8]>, message: &Message<'_>| -> Vec<String> {
        let key = ed25519_key(7);
        let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
        pair.client.request(now(0).mono, Some(&entity(1)), Some(&key), &Command::Nsub, 5).unwrap();
        let mut block = pair.client.take_block().unwrap();
        let mut requests = pair.server.on_block(&mut block).unwrap();
        let request = pair.server.next_request(&mut requests).unwrap();
        let to = request.reply_to();
        let to = crate::link::responder::ReplyTo { entity: named.unwrap_or(to.entity), ..to };
        pair.server.reply(to, message);
        pair.answers()
    };
    let malformed = "5 InTime Err(Malformed(Malformed { field: \"entity id\" }))";
    assert_eq!(answer(Some(&[2; 24]), &Message::Ok), ["5 InTime Err(WrongEntity)"]);
    assert_eq!(answer(Some(&[2; 24]), &Message::Err(ErrorCode::Auth)), ["5 InTime Err(WrongEntity)"]);
    assert_eq!(answer(Some(&[]), &Message::Ok), ["5 InTime Err(WrongEntity)"]);
    // BLOCK and SESSION come without the entity.
    assert_eq!(answer(Some(&[]), &Message::Err(ErrorCode::Block)), ["5 InTime Ok(ERR)"]);
    assert_eq!(answer(None, &Message::Pong), [malformed]);
    let unreadable = answer(None, &Message::Info { json: b"" });
    assert_eq!(unreadable, ["5 InTime Ok(INFO)"], "whether it fits the command is the role's to say");
}

#[test]
fn events_come_with_their_entity() {
    let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
    for number in 1..=81 {
        pair.server.event(&[number; 24], &Message::Nmsg { nonce: [0; 24], meta: &[0; 144] });
    }
    let blocks = pair.server_blocks();
    assert_eq!(blocks.len(), 2, "80 fit a block");
    let words: Vec<_> = blocks.into_iter().flat_map(|block| pair.read(block)).collect();
    let expected: Vec<String> = (1..=81).map(|number| alloc::format!("{number} unasked NMSG")).collect();
    assert_eq!(words, expected);
    pair.server.event(&[], &Message::Err(ErrorCode::Block));
    pair.server.event(&[3; 24], &Message::Err(ErrorCode::Auth));
    assert_eq!(pair.answers(), ["Error", "3 unasked ERR"]);
}

#[test]
fn errors_are_placed_as_the_protocol_says() {
    let signature = [&[64][..], &[0; 64], b"0"].concat();
    let service = [&[64][..], &[0; 64], b"1", &[64], &[0; 64]].concat();
    let odd_service = [&[64][..], &[0; 64], b"1", &[63], &[0; 63]].concat();
    let (corr, entity) = (&[1, 0xc0][..], &[1, 0xe0][..]);
    let with = |parts: &[&[u8]]| parts.concat();
    for (transmission, corr_id, entity_id, code) in [
        (with(&[&[9]]), &[][..], &[][..], ErrorCode::Block),
        (with(&[&odd_service, corr, entity, b"NSUB"]), &[], &[], ErrorCode::Block),
        (with(&[&[63], &[0; 63], b"0", corr, entity, b"NSUB"]), &[0xc0], &[], ErrorCode::Block),
        (
            with(&[&signature, corr, entity, b"NSUBX"]),
            &[0xc0],
            &[0xe0],
            ErrorCode::Cmd(CommandError::Unknown),
        ),
        (
            with(&[&signature, corr, entity, b"SOK 0"]),
            &[0xc0],
            &[0xe0],
            ErrorCode::Cmd(CommandError::Unknown),
        ),
        (with(&[&signature, corr, entity, b"NSUB "]), &[0xc0], &[0xe0], ErrorCode::Cmd(CommandError::Syntax)),
        (with(&[&signature, corr, entity, b"KEY x"]), &[0xc0], &[0xe0], ErrorCode::Cmd(CommandError::Syntax)),
        (with(&[&[0], corr, entity, b"NSUB"]), &[0xc0], &[0xe0], ErrorCode::Cmd(CommandError::NoAuth)),
        (with(&[&signature, corr, &[0], b"NSUB"]), &[0xc0], &[], ErrorCode::Cmd(CommandError::NoAuth)),
        (with(&[&signature, corr, &[0], b"PING"]), &[0xc0], &[], ErrorCode::Cmd(CommandError::HasAuth)),
        (with(&[&[0], corr, &[0], b"SEND T x"]), &[0xc0], &[], ErrorCode::Cmd(CommandError::NoEntity)),
        (with(&[&signature, corr, entity, b"NSUB"]), &[0xc0], &[0xe0], ErrorCode::Auth),
        (with(&[&service, corr, entity, b"NSUB"]), &[0xc0], &[0xe0], ErrorCode::Service),
    ] {
        let key = ed25519_key(7).public().unwrap();
        let answer = refusal::<Smp>(16, &transmission, Some(&key));
        let mut expected = Vec::new();
        transmission::write_body(corr_id, entity_id, &mut expected, |out| {
            Message::Err(code).encode(crate::wire::version::SmpVersion(16), out);
        });
        assert_eq!(answer, [&[0][..], &expected].concat(), "{code:?} to {}", hex::encode(&transmission));
    }
    // To an entity that does not exist, a service's signature changes nothing.
    let transmission = with(&[&service, corr, entity, b"NSUB"]);
    assert!(refusal::<Smp>(16, &transmission, None).ends_with(b"ERR AUTH"));
}

#[test]
fn old_versions_name_the_session_and_are_held_to_it() {
    let signature = [&[64][..], &[0; 64]].concat();
    let (corr, entity) = (&[1, 0xc0][..], &[1, 0xe0][..]);
    let own = [&[32][..], &SESSION_ID].concat();
    let answered = |code: &[u8]| [&[0][..], &own, &[1, 0xc0, 0], code].concat();

    let foreign = [&signature[..], &[2, 1, 2], corr, entity, b"NSUB"].concat();
    assert_eq!(refusal::<Smp>(6, &foreign, None), answered(b"ERR SESSION"));
    let foreign = [&signature[..], &[2, 1, 2], corr, entity, b"SCHK"].concat();
    assert_eq!(refusal::<Ntf>(1, &foreign, None), answered(b"ERR SESSION"));

    let known = [&signature[..], &own, corr, entity, b"NSUB"].concat();
    assert!(refusal::<Smp>(6, &known, None).ends_with(b"ERR AUTH"));
    let known = [&signature[..], &own, corr, entity, b"SCHK"].concat();
    assert!(refusal::<Ntf>(1, &known, None).ends_with(b"ERR AUTH"));
    assert_eq!(refusal::<Ntf>(1, &[200], None), [&[0][..], &own, &[0, 0], b"ERR BLOCK"].concat());
}

#[test]
fn an_answer_that_names_another_session_is_none() {
    let mut pair = Pair::<Smp>::new(6, BlockEncryption::Never);
    let key = ed25519_key(7);
    pair.client.request(now(0).mono, Some(&entity(1)), Some(&key), &Command::Nsub, 5).unwrap();
    let mut block = pair.client.take_block().unwrap();
    let mut requests = pair.server.on_block(&mut block).unwrap();
    let request = pair.server.next_request(&mut requests).unwrap();
    pair.server.reply(request.reply_to(), &Message::Ok);
    pair.server.event(&[3; 24], &Message::End);
    let mut block = pair.server_blocks().remove(0).into_vec();
    for at in 0..block.len() - SESSION_ID.len() {
        if block[at..].starts_with(&SESSION_ID) {
            block[at] ^= 1;
        }
    }
    assert_eq!(
        pair.read(block.into()),
        [
            "5 InTime Err(Malformed(Malformed { field: \"session id\" }))",
            "Message(Malformed { field: \"session id\" })"
        ]
    );
}

#[test]
fn ntf_errors_are_placed_as_the_protocol_says() {
    let signature = [&[64][..], &[0; 64]].concat();
    let (corr, entity) = (&[1, 0xc0][..], &[1, 0xe0][..]);
    for (transmission, expected) in [
        (vec![9], [&[0, 0, 0][..], b"ERR BLOCK"]),
        ([&[3, 1, 2, 3][..], corr, entity, b"SCHK"].concat(), [&[0, 1, 0xc0, 0], b"ERR BLOCK"]),
        ([&signature[..], corr, entity, b"XXXX"].concat(), [&[0, 1, 0xc0, 1, 0xe0], b"ERR CMD UNKNOWN"]),
        ([&signature[..], corr, entity, b"TCRN x"].concat(), [&[0, 1, 0xc0, 1, 0xe0], b"ERR CMD SYNTAX"]),
        ([&[0][..], corr, entity, b"SCHK"].concat(), [&[0, 1, 0xc0, 1, 0xe0], b"ERR CMD NO_AUTH"]),
        ([&signature[..], corr, &[0], b"SCHK"].concat(), [&[0, 1, 0xc0, 0], b"ERR CMD NO_AUTH"]),
        ([&[0][..], corr, entity, b"PING"].concat(), [&[0, 1, 0xc0, 1, 0xe0], b"ERR CMD HAS_AUTH"]),
        ([&signature[..], corr, entity, b"SCHK"].concat(), [&[0, 1, 0xc0, 1, 0xe0], b"ERR AUTH"]),
    ] {
        assert_eq!(refusal::<Ntf>(3, &transmission, None), expected.concat());
    }
}

#[test]
fn one_bad_transmission_does_not_spoil_the_batch() {
    let mut pair = Pair::<Smp>::new(18, BlockEncryption::Never);
    let content = [&[3, 0, 1, 9, 0, 8, 0, 1, 7, 0][..], b"PING", &[0, 1, 9]].concat();
    let mut block = Layout::plain(Smp::PROTOCOL).block(&content).unwrap();
    let mut requests = pair.server.on_block(&mut block).unwrap();
    let request = pair.server.next_request(&mut requests).unwrap();
    let done = pair.server.verify(request, Credential::Open).unwrap();
    pair.server.reply(done.reply_to(), &Message::Pong);
    assert!(pair.server.next_request(&mut requests).is_none());
    assert_eq!(pair.answers(), ["Error", "Unknown", "Error"]);
}

#[test]
fn garbage_is_answered_and_never_panics() {
    let mut rng = keys(9);
    let mut pair = Pair::<Ntf>::new(3, BlockEncryption::WherePossible);
    for _ in 0..2000 {
        let mut block: Vec<u8> = rng.bytes::<512>().to_vec();
        // Mostly plausible lengths, so that the reader gets further than the padding.
        block[..2].copy_from_slice(&u16::try_from(rng.below(511)).unwrap().to_be_bytes());
        block[2] = u8::try_from(rng.below(4)).unwrap();
        block[3] = 0;
        let mut requests = pair.server.on_block(&mut block).unwrap();
        while let Some(request) = pair.server.next_request(&mut requests) {
            assert!(pair.server.verify(request, Credential::Unknown).is_err());
        }
        assert!(!pair.answers().is_empty());
    }
}

#[test]
fn a_reply_too_long_for_a_block_becomes_an_error_and_is_counted() {
    let key = ed25519_key(7);
    let mut pair = Pair::<Ntf>::new(3, BlockEncryption::WherePossible);
    let command = ntf::command::Command::Schk;
    pair.client.request(now(0).mono, Some(&entity(1)), Some(&key), &command, 5).unwrap();
    let text = "x".repeat(600);
    serve(&mut pair, key.public().as_ref(), &ntf::response::Response::Err(ErrorCode::Store(&text)));
    assert_eq!(pair.answers(), ["5 InTime Ok(ERR)"]);
    assert_eq!(pair.server.unsendable(), 1);
}

#[test]
fn requests_are_refused_at_the_bound_and_taken_again_after_replies() {
    let key = ed25519_key(7);
    let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
    let mut sent = 0;
    while pair.client.room() > 0 {
        pair.client.request(now(0).mono, Some(&entity(1)), Some(&key), &Command::Get, sent).unwrap();
        sent += 1;
    }
    assert_eq!((sent, pair.client.in_flight()), (4096, 4096));
    let result = pair.client.request(now(0).mono, Some(&entity(1)), Some(&key), &Command::Get, 9);
    assert_eq!(result, Err(NotSent::Full));
    let blocks = pair.client_blocks();
    pair.client.on_sent(u32::try_from(blocks.len()).unwrap());
    let mut block = blocks.into_iter().next().unwrap();
    let mut requests = pair.server.on_block(&mut block).unwrap();
    let request = pair.server.next_request(&mut requests).unwrap();
    pair.server.refuse(&request, ErrorCode::Auth);
    assert_eq!(pair.answers(), ["0 InTime Ok(ERR)"]);
    assert_eq!(pair.client.room(), 1);
}

#[test]
fn large_commands_are_bounded_by_the_window() {
    let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
    let message = vec![1; 16048];
    let send = Command::Send { notify: false, message: &message };
    let mut sent = 0;
    while pair.client.request(now(0).mono, Some(&entity(1)), None, &send, sent).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 64);
    pair.client.on_sent(3);
    assert_eq!(pair.client.room(), 0, "blocks that were not handed over cannot have been sent");
    assert_eq!(pair.client_blocks().len(), 64);
    pair.client.on_sent(3);
    assert_eq!(pair.client.room(), 4096 - 64);
    let message = vec![1; 16400];
    let send = Command::Send { notify: false, message: &message };
    let result = pair.client.request(now(0).mono, Some(&entity(1)), None, &send, 0);
    assert_eq!(result, Err(NotSent::TooLong));
}

#[test]
fn what_was_asked_is_given_back_when_the_link_is_lost() {
    let key = ed25519_key(7);
    let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
    for tag in [4, 8, 15] {
        pair.client.request(now(0).mono, Some(&entity(1)), Some(&key), &Command::Nsub, tag).unwrap();
    }
    pair.client.ping(now(0).mono);
    assert_eq!(pair.client.into_lost().collect::<Vec<_>>(), [4, 8, 15]);
}

#[test]
fn neither_keys_nor_ids_are_printed() {
    let key = ed25519_key(7);
    let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
    pair.client.request(now(0).mono, Some(&entity(0x41)), Some(&key), &Command::Nsub, 1).unwrap();
    let mut printed = alloc::format!("{:?}{:?}", pair.client, pair.server);
    let block = pair.client.take_block().unwrap();
    let link = crate::base::id::LinkId::opened(1);
    printed += &alloc::format!("{:?}", crate::link::event::LinkAction::Send { link, block });
    let block = &mut [65; 512];
    printed += &alloc::format!("{:?}", crate::link::event::LinkEvent::Block { link, block });
    for secret in ["65, 65, 65", "5, 5, 5, 5", "7, 7, 7"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

/// What the server says to one transmission on a link without block encryption, past authorization.
fn refusal<D: Dialect>(version: u16, transmission: &[u8], key: Option<&AuthPublicKey>) -> Vec<u8> {
    let mut pair = Pair::<D>::new(version, BlockEncryption::Never);
    let is_batched = D::format(pair.client.version()).batches();
    let head = |len: usize| [&[1][..], &u16::try_from(len).unwrap().to_be_bytes()].concat();
    let content = if is_batched {
        [&head(transmission.len())[..], transmission].concat()
    } else {
        transmission.to_vec()
    };
    let mut block = Layout::plain(D::PROTOCOL).block(&content).unwrap();
    let mut requests = pair.server.on_block(&mut block).unwrap();
    while let Some(request) = pair.server.next_request(&mut requests) {
        let credential = key.map_or(Credential::Unknown, Credential::Key);
        assert!(pair.server.verify(request, credential).is_err());
    }
    let block = pair.server.take_block().unwrap();
    assert_eq!(pair.server.take_block(), None);
    let content = crate::wire::block::content(&block).unwrap();
    content[if is_batched { 3 } else { 0 }..].to_vec()
}
