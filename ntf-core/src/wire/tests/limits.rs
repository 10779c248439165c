//! The edges of every message: one byte less, one byte more, and each field's own bound.

use alloc::vec;
use alloc::vec::Vec;

use crate::base::fault::PeerFault;
use crate::wire::cursor::{Reader, Writer};
use crate::wire::error_code::{CommandError, ErrorCode};
use crate::wire::hello::{ntf, smp};
use crate::wire::ntf::command::{Command as NtfCommand, Device};
use crate::wire::ntf::response::Response;
use crate::wire::server;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use crate::wire::tests::samples::{
    End, ID, auth, dh, ntf_commands, ntf_responses, smp_commands, smp_messages,
};
use crate::wire::transmission::Transmission;
use crate::wire::version::{NtfVersion, SmpVersion};

/// Checks that `good` decodes, and what becomes of it with a byte less, a byte more, or cut anywhere.
fn edges(good: &[u8], end: End, is_same: impl Fn(&[u8]) -> bool, is_ok: impl Fn(&[u8]) -> bool) {
    let text = alloc::string::String::from_utf8_lossy(good);
    assert!(is_same(good), "{text}");
    let tail_len = if end == End::Tail { 1 } else { 0 };
    // What a shorter word means is not this message's business.
    let word_len = good.iter().position(|byte| *byte == b' ').unwrap_or(good.len());
    for len in word_len..good.len() {
        let is_whole = len >= good.len() - tail_len;
        assert_eq!(is_ok(&good[..len]), is_whole, "{text}: {len} of {} bytes", good.len());
    }
    for more in [b'x', b' ', 0] {
        let longer = [good, &[more]].concat();
        assert_eq!(is_ok(&longer), end == End::Tail, "{text} and {more}");
        assert!(!is_same(&longer), "{text} and {more}");
    }
}

#[test]
fn every_smp_command_has_its_exact_length() {
    for (command, end) in smp_commands() {
        let mut good = Vec::new();
        command.encode(SmpVersion::MAX, &mut good);
        edges(
            &good,
            end,
            |bytes| Command::decode(bytes, SmpVersion::MAX).as_ref() == Ok(&command),
            |bytes| Command::decode(bytes, SmpVersion::MAX).is_ok(),
        );
    }
}

#[test]
fn every_smp_message_has_its_exact_length() {
    // Any text is some error, so ERR has no length to keep.
    for (message, end) in smp_messages().into_iter().filter(|(message, _)| message.word() != "ERR") {
        let mut good = Vec::new();
        message.encode(SmpVersion::MAX, &mut good);
        edges(
            &good,
            end,
            |bytes| Message::decode(bytes, SmpVersion::MAX).as_ref() == Ok(&message),
            |bytes| Message::decode(bytes, SmpVersion::MAX).is_ok(),
        );
    }
}

#[test]
fn every_ntf_command_has_its_exact_length() {
    for (command, end) in ntf_commands() {
        let mut good = Vec::new();
        command.encode(NtfVersion::MAX, &mut good);
        edges(
            &good,
            end,
            |bytes| NtfCommand::decode(bytes, NtfVersion::MAX).as_ref() == Ok(&command),
            |bytes| NtfCommand::decode(bytes, NtfVersion::MAX).is_ok(),
        );
    }
}

#[test]
fn every_ntf_response_has_its_exact_length() {
    // Any text is some error, so ERR has no length to keep.
    for (response, end) in ntf_responses().into_iter().filter(|(response, _)| response.word() != "ERR") {
        let mut good = Vec::new();
        response.encode(NtfVersion::MAX, &mut good);
        edges(
            &good,
            end,
            |bytes| Response::decode(bytes, NtfVersion::MAX).as_ref() == Ok(&response),
            |bytes| Response::decode(bytes, NtfVersion::MAX).is_ok(),
        );
    }
}

#[test]
fn a_command_word_is_all_before_the_first_space() {
    let smp = |bytes| Command::decode(bytes, SmpVersion::MAX).map(|_| ()).map_err(ErrorCode::of);
    let ntf = |bytes| NtfCommand::decode(bytes, NtfVersion::MAX).map(|_| ()).map_err(ErrorCode::of);
    let unknown = Err(ErrorCode::Cmd(CommandError::Unknown));
    let syntax = Err(ErrorCode::Cmd(CommandError::Syntax));
    for (bytes, expected) in [
        (&b"SUB"[..], Ok(())),
        (b"SUB ", syntax),
        (b"SUB=", unknown),
        (b"SUBX", unknown),
        (b"sub", unknown),
        (b" SUB", unknown),
        (b"", unknown),
        (b" ", unknown),
        (b"OK", unknown),
        (b"MSG x", unknown),
        (b"ACK", syntax),
        (b"ACK ", syntax),
        (b"ACK \0", Ok(())),
        (b"TCHK", unknown),
    ] {
        assert_eq!(smp(bytes), expected, "{bytes:?}");
    }
    for (bytes, expected) in [
        (&b"TCHK"[..], Ok(())),
        (b"TCHK ", syntax),
        (b"tchk", unknown),
        (b"TNEW", syntax),
        (b"TNEWT", unknown),
        (b"SUB", unknown),
        (b"", unknown),
    ] {
        assert_eq!(ntf(bytes), expected, "{bytes:?}");
    }
}

#[test]
fn message_flags_have_one_to_seven_bytes() {
    let field = "message flags";
    for (bytes, expected) in [
        (&b"SEND T hello"[..], Ok(true)),
        (b"SEND F hello", Ok(false)),
        (b"SEND Txxxxx hello", Ok(true)),
        (b"SEND Txxxxxx hello", Ok(true)),
        (b"SEND Txxxxxxx hello", Err(PeerFault::TooLong { field })),
        (b"SEND  hello", Err(PeerFault::Truncated { field })),
        (b"SEND X hello", Err(PeerFault::Malformed { field })),
        (b"SEND T", Err(PeerFault::Truncated { field })),
        (b"SEND", Err(PeerFault::Truncated { field: "SEND" })),
    ] {
        let read = Command::decode(bytes, SmpVersion::MAX).map(|command| match command {
            Command::Send { notify, message: b"hello" } => notify,
            other => panic!("{other:?}"),
        });
        assert_eq!(read, expected, "{bytes:?}");
    }
}

#[test]
fn a_password_before_v9_has_a_letter_for_a_tag() {
    let mut new = Vec::new();
    let (queue, _) = smp_commands().remove(0);
    queue.encode(SmpVersion(8), &mut new);
    assert!(new.ends_with(b"A\x06secretS"));
    let Ok(Command::New(read)) = Command::decode(&new, SmpVersion(8)) else { panic!("not read") };
    assert_eq!((read.password, read.request), (Some(b"secret".as_slice()), None));
}

#[test]
fn a_key_of_another_kind_is_a_syntax_error() {
    let mut x448 = hex::decode("443042300506032b656f033900").unwrap();
    x448.resize(1 + 68, 1);
    let mut ed25519 = vec![44];
    ed25519.extend_from_slice(&auth().to_spki());
    let mut x25519 = vec![44];
    x25519.extend_from_slice(&dh().to_spki());
    for (bytes, is_one) in [
        ([b"KEY ", ed25519.as_slice()].concat(), true),
        ([b"KEY ", x25519.as_slice()].concat(), true),
        ([b"KEY ", x448.as_slice()].concat(), false),
        ([b"NKEY ".as_slice(), &ed25519, &x25519].concat(), true),
        ([b"NKEY ".as_slice(), &ed25519, &ed25519].concat(), false),
        ([b"KEY ".as_slice(), &[0]].concat(), false),
        ([b"RKEY ".as_slice(), &[0]].concat(), false),
        ([b"RKEY ".as_slice(), &[1], &ed25519].concat(), true),
    ] {
        assert_eq!(Command::decode(&bytes, SmpVersion::MAX).is_ok(), is_one, "{bytes:?}");
    }
}

#[test]
fn a_server_address_has_a_host_and_32_bytes_of_identity() {
    let address = |hosts: &[&[u8]], port: &[u8], identity: usize| {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.list(hosts, |writer, host| {
            writer.short(host);
        });
        writer.short(port).short(&vec![7; identity]);
        server::decode(&mut Reader::new(&out)).map(|_| ())
    };
    let malformed = |field| Err(PeerFault::Malformed { field });
    for (hosts, port, identity, expected) in [
        (&[b"a".as_slice()][..], &b""[..], 32, Ok(())),
        (&[b"a", b"b"], b"5223", 32, Ok(())),
        (&[], b"", 32, malformed("hosts")),
        (&[b""], b"", 32, malformed("host")),
        (&[b"a b"], b"", 32, malformed("host")),
        (&[b"\xff"], b"", 32, malformed("host")),
        (&[&[b'a'; 254]], b"", 32, Ok(())),
        (&[&[b'a'; 255]], b"", 32, Ok(())),
        (&[b"a"], b"65535", 32, Ok(())),
        (&[b"a"], b"65536", 32, malformed("port")),
        (&[b"a"], b"x", 32, malformed("port")),
        (&[b"a"], b"", 31, malformed("fingerprint")),
        (&[b"a"], b"", 33, malformed("fingerprint")),
        (&[b"a"], b"", 0, malformed("fingerprint")),
    ] {
        assert_eq!(address(hosts, port, identity), expected, "{hosts:?} {port:?} {identity}");
    }
}

#[test]
fn a_device_token_has_one_to_255_bytes_and_a_known_provider() {
    for (provider, len, is_one) in [
        (b"AD", 0, false),
        (b"AD", 1, true),
        (b"AP", 254, true),
        (b"AT", 255, true),
        (b"AN", 14, true),
        (b"AX", 14, false),
        (b"ad", 14, false),
    ] {
        let mut bytes = provider.to_vec();
        Writer::new(&mut bytes).short(&vec![b'0'; len]);
        assert_eq!(Device::decode(&mut Reader::new(&bytes)).is_ok(), is_one, "{provider:?} {len}");
    }
}

#[test]
fn hellos_need_their_first_fields_and_take_more() {
    let identity = [&[32][..], &[7; 32]].concat();
    let client = [&[0, 3][..], &identity].concat();
    for len in 0..client.len() {
        assert!(ntf::ClientHello::decode(&client[..len]).is_err(), "{len} bytes");
    }
    assert!(ntf::ClientHello::decode(&client).is_ok());
    assert!(ntf::ClientHello::decode(&[client.as_slice(), b"more"].concat()).is_ok());

    let server = [0, 1, 0, 3, 2, 7, 7];
    for len in 0..server.len() {
        assert!(ntf::ServerHello::decode(&server[..len]).is_err(), "{len} bytes");
        assert!(smp::ServerHello::decode(&server[..len]).is_err(), "{len} bytes");
    }
    for (more, key) in
        [(&[][..], None), (&[0, 1], None), (&[0, 1, 9], Some(&[9][..])), (&[0, 1, 9, 9], Some(&[9]))]
    {
        let bytes = [&server, more].concat();
        let hello = ntf::ServerHello::decode(&bytes).unwrap();
        assert_eq!(hello.signed_key, key, "{more:?}");
    }
    // The oldest version alone has no key, whatever follows.
    let bytes = [0, 1, 0, 1, 2, 7, 7, 0, 1, 9];
    assert_eq!(ntf::ServerHello::decode(&bytes).unwrap().signed_key, None);

    for (version, more, is_one) in [
        (6, &b""[..], true),
        (13, b"", true),
        (14, b"", false),
        (14, b"F", true),
        (14, b"X", false),
        (16, b"F", false),
        (16, b"F0", true),
        (16, b"F2", false),
        (16, b"F1", false),
        (16, b"F1N", false),
        (16, b"F1X\x01\0\x01x\0\x01k", false),
        (16, b"F1N\0\0\x01k", false),
        (16, b"F1N\x01\0\x01x\0\x01", false),
        (16, b"F1N\x01\0\x01x\0\x01k", true),
        (18, b"F1N\x01\0\x01x\0\x01kmore", true),
    ] {
        let bytes = [&[0, version][..], &identity, more].concat();
        assert_eq!(smp::ClientHello::decode(&bytes).is_ok(), is_one, "v{version} {more:?}");
    }
}

#[test]
fn a_service_is_accepted_or_refused() {
    assert_eq!(smp::ServiceAnswer::decode(b"R\x02ab"), Ok(smp::ServiceAnswer::Accepted { service: b"ab" }));
    for bytes in [&b""[..], b"R", b"R\x02a", b"X"] {
        assert!(smp::ServiceAnswer::decode(bytes).is_err(), "{bytes:?}");
    }
}

/// A transmission with or without authorization and entity.
fn transmission(has_authorization: bool, has_entity: bool) -> Transmission<'static> {
    Transmission {
        authorization: if has_authorization { &[7; 64] } else { &[] },
        service_signature: None,
        session_id: None,
        corr_id: ID,
        entity_id: if has_entity { ID } else { &[] },
        command: &[],
        body: &[],
    }
}

const NO_AUTH: Result<(), CommandError> = Err(CommandError::NoAuth);
const HAS_AUTH: Result<(), CommandError> = Err(CommandError::HasAuth);
const NO_ENTITY: Result<(), CommandError> = Err(CommandError::NoEntity);

/// With neither, entity only, authorization only, both.
const CASES: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

#[test]
fn smp_commands_have_the_credentials_they_need() {
    for (command, _) in smp_commands() {
        let expected = match command.word() {
            "NEW" => [NO_AUTH, NO_AUTH, Ok(()), HAS_AUTH],
            "SEND" => [NO_ENTITY, Ok(()), NO_ENTITY, Ok(())],
            "LGET" | "PFWD" => [NO_ENTITY, Ok(()), NO_ENTITY, HAS_AUTH],
            "PING" | "PRXY" | "RFWD" => [Ok(()), HAS_AUTH, HAS_AUTH, HAS_AUTH],
            _ => [NO_AUTH, NO_AUTH, NO_AUTH, Ok(())],
        };
        for ((has_authorization, has_entity), expected) in CASES.into_iter().zip(expected) {
            let checked = command.check_credentials(&transmission(has_authorization, has_entity));
            assert_eq!(checked, expected, "{command:?} {has_authorization} {has_entity}");
        }
    }
}

#[test]
fn ntf_commands_have_the_credentials_they_need() {
    for (command, _) in ntf_commands() {
        let expected = match command.word() {
            "TNEW" | "SNEW" => [NO_AUTH, NO_AUTH, Ok(()), HAS_AUTH],
            "PING" => [Ok(()), HAS_AUTH, HAS_AUTH, HAS_AUTH],
            _ => [NO_AUTH, NO_AUTH, NO_AUTH, Ok(())],
        };
        for ((has_authorization, has_entity), expected) in CASES.into_iter().zip(expected) {
            let checked = command.check_credentials(&transmission(has_authorization, has_entity));
            assert_eq!(checked, expected, "{command:?} {has_authorization} {has_entity}");
        }
    }
}

#[test]
fn answers_stand_with_the_entity_ids_they_may_have() {
    for (message, _) in smp_messages() {
        let (without, with) = match message.word() {
            "IDS" | "ERR" => (true, true),
            "PONG" | "PKEY" | "RRES" => (true, false),
            _ => (false, true),
        };
        assert_eq!((message.allows_entity(&[]), message.allows_entity(ID)), (without, with), "{message:?}");
    }
    for (response, _) in ntf_responses() {
        let (without, with) = match response.word() {
            "ERR" => (true, true),
            "IDTKN" | "IDSUB" | "PONG" => (true, false),
            _ => (false, true),
        };
        assert_eq!(
            (response.allows_entity(&[]), response.allows_entity(ID)),
            (without, with),
            "{response:?}"
        );
    }
}

#[test]
fn nothing_but_words_is_printed() {
    for (command, _) in smp_commands() {
        assert_eq!(alloc::format!("{command:?}"), command.word());
    }
    for (message, _) in smp_messages() {
        assert_eq!(alloc::format!("{message:?}"), message.word());
    }
    for (command, _) in ntf_commands() {
        assert_eq!(alloc::format!("{command:?}"), command.word());
    }
    for (response, _) in ntf_responses() {
        assert_eq!(alloc::format!("{response:?}"), response.word());
    }
    assert_eq!(alloc::format!("{:?}", transmission(true, true)), "Transmission(0 bytes of body)");
}
