//! The worked examples of `smp-transport` 9 and `ntf-protocol` 8, as far as they concern bytes.

use alloc::string::String;
use alloc::vec::Vec;

use crate::base::id::EntityId;
use crate::crypto::auth::authorize;
use crate::crypto::keys::{AuthPrivateKey, AuthPublicKey, Ed25519Private, X25519Private, X25519Public};
use crate::crypto::sha::sha256;
use crate::model::notification::Notice;
use crate::model::server::{Fingerprint, NotifierAddress, Protocol, ServerAddress};
use crate::wire::batch::{BatchReader, BatchWriter};
use crate::wire::block::{self, Layout};
use crate::wire::cursor::Writer;
use crate::wire::error_code::{CommandError, ErrorCode};
use crate::wire::hello::smp::ClientHello;
use crate::wire::ntf::command::Command as NtfCommand;
use crate::wire::ntf::response::Response;
use crate::wire::payload::{self, MessageBody, NmsgMeta};
use crate::wire::smp::command::Command;
use crate::wire::smp::queue::{NewQueue, QueueRequest, SubscribeMode};
use crate::wire::smp::response::Message;
use crate::wire::text::base64;
use crate::wire::transmission::{Format, Outgoing, Transmission, write_authorized, write_body};
use crate::wire::version::{NtfVersion, SmpVersion, VersionRange};

/// Bytes counted up from `first`: the ids of section 9.2.
fn run<const N: usize>(first: u8) -> [u8; N] {
    core::array::from_fn(|at| first + u8::try_from(at).unwrap())
}

fn ids() -> ([u8; 32], [u8; 24], [u8; 24]) {
    (run(0), run(0xa0), run(0xc0))
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    encode(&mut out);
    hex::encode(out)
}

fn body(corr_id: &[u8], entity_id: &[u8], command: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write_body(corr_id, entity_id, &mut out, command);
    out
}

#[test]
fn smp_9_1_primitives() {
    assert_eq!(
        encoded(|out| {
            Writer::new(out).u16(18);
        }),
        "0012"
    );
    assert_eq!(
        encoded(|out| {
            Writer::new(out).i64(1_234_567_890_123_456_789);
        }),
        "112210f47de98115"
    );
    assert_eq!(
        encoded(|out| {
            Writer::new(out).i64(1_700_000_000);
        }),
        "000000006553f100"
    );
    assert_eq!(
        encoded(|out| {
            Writer::new(out).short(b"abc");
        }),
        "03616263"
    );
    assert_eq!(
        encoded(|out| {
            Writer::new(out).large(b"abc");
        }),
        "0003616263"
    );
    let maybe = |value: Option<&[u8]>| {
        encoded(|out| {
            Writer::new(out).maybe(value, |writer, bytes| {
                writer.short(bytes);
            });
        })
    };
    assert_eq!(maybe(None), "30");
    assert_eq!(maybe(Some(b"abc")), "3103616263");
    assert_eq!(encoded(|out| VersionRange::SMP.encode(&mut Writer::new(out))), "00060012");
    let fingerprint =
        hex::decode("2dc25431f561c03f32c6302249a0f3cc6177fa42c6e14874165fd9223ad1c232").unwrap();
    assert_eq!(base64::encode(&fingerprint), "LcJUMfVhwD8yxjAiSaDzzGF3-kLG4Uh0Fl_ZIjrRwjI=");
}

#[test]
fn smp_9_4_client_hellos() {
    let hello = |version, session_key| ClientHello {
        version: SmpVersion(version),
        identity: Fingerprint::new(run(0xe0)),
        session_key,
        is_proxy: false,
        service: None,
    };
    let identity = "20e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
    let key = "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20";
    let public = X25519Private::from_bytes([0x22; 32]).public();
    for (hello, expected) in [
        (hello(18, Some(public)), alloc::format!("0012{identity}2c302a300506032b656e032100{key}4630")),
        (hello(6, None), alloc::format!("0006{identity}")),
    ] {
        assert_eq!(encoded(|out| hello.encode(out)), expected);
        assert_eq!(ClientHello::decode(&hex::decode(expected).unwrap()), Ok(hello));
    }
    // Without a key the next byte, "F", would be a length of 70.
    let without = hello(18, None);
    let mut out = Vec::new();
    without.encode(&mut out);
    assert_eq!(ClientHello::decode(&out), Ok(without));
}

#[test]
fn smp_9_5_a_block_with_one_ping() {
    let (_, corr_id, _) = ids();
    let ping = body(&corr_id, &[], |out| Command::Ping.encode(SmpVersion::MAX, out));
    let ping = Outgoing { authorization: &[], service_signature: None, session_id: &[], body: &ping };
    let format = Format::smp(SmpVersion::MAX);
    assert_eq!(
        encoded(|out| ping.encode(format, out)),
        "0018a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b70050494e47"
    );
    let mut batch = BatchWriter::new(Layout::plain(Protocol::Smp), format);
    batch.push_with(|out| ping.encode(format, out)).unwrap();
    let block = batch.finish().unwrap();
    assert_eq!(
        hex::encode(block::content(&block).unwrap()),
        "01001f0018a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b70050494e47"
    );
    assert_eq!(hex::encode(&block[..6]), "002201001f00");
    assert!(block[2 + 34..].iter().all(|byte| *byte == b'#'));
    let read: Vec<_> = BatchReader::new(block::content(&block).unwrap(), format).unwrap().collect();
    assert_eq!(read[0].map(|read| read.corr_id), Ok(corr_id.as_slice()));
    let pong = body(&corr_id, &[], |out| Message::Pong.encode(SmpVersion::MAX, out));
    assert_eq!(hex::encode(pong), "18a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b700504f4e47");
}

const NSUB_BODY: &str = "18a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b718c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d74e535542";

#[test]
fn smp_9_6_nsub_in_every_form() {
    let (session_id, corr_id, notifier) = ids();
    let body = body(&corr_id, &notifier, |out| Command::Nsub.encode(SmpVersion::MAX, out));
    assert_eq!(hex::encode(&body), NSUB_BODY);
    let mut authorized = Vec::new();
    write_authorized(&session_id, &body, &mut authorized);
    let session = "20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    assert_eq!(hex::encode(&authorized), alloc::format!("{session}{NSUB_BODY}"));

    let key = AuthPrivateKey::Ed25519(Ed25519Private::from_seed([0x33; 32]));
    let signature = authorize(&key, None, &corr_id, &authorized).unwrap();
    let signature_hex = "728dcd64361c1478166e2411da3ab01349f5863a6dfab976aacc83c72560c81b4c7dea6f297366536dbed7e096b66c5e12e22040255d6ad8c38ffb916bc25a01";
    assert_eq!(hex::encode(signature.as_bytes()), signature_hex);
    for (version, expected) in [
        (18, alloc::format!("40{signature_hex}30{NSUB_BODY}")),
        (16, alloc::format!("40{signature_hex}30{NSUB_BODY}")),
        (15, alloc::format!("40{signature_hex}{NSUB_BODY}")),
        (7, alloc::format!("40{signature_hex}{NSUB_BODY}")),
        (6, alloc::format!("40{signature_hex}{session}{NSUB_BODY}")),
    ] {
        let format = Format::smp(SmpVersion(version));
        let nsub = Outgoing {
            authorization: signature.as_bytes(),
            service_signature: None,
            session_id: &session_id,
            body: &body,
        };
        assert_eq!(encoded(|out| nsub.encode(format, out)), expected, "v{version}");
        let bytes = hex::decode(expected).unwrap();
        let read = Transmission::decode(&bytes, format).unwrap();
        assert_eq!(read.body, body, "v{version}");
        assert!(Command::decode(read.command, SmpVersion(version)) == Ok(Command::Nsub), "v{version}");
    }

    let server = X25519Private::from_bytes([0x11; 32]).public();
    let key = AuthPrivateKey::X25519(X25519Private::from_bytes([0x44; 32]));
    let authenticator = authorize(&key, Some(&server), &corr_id, &authorized).unwrap();
    let nsub = Outgoing {
        authorization: authenticator.as_bytes(),
        service_signature: None,
        session_id: &session_id,
        body: &body,
    };
    let transmission = encoded(|out| nsub.encode(Format::smp(SmpVersion(16)), out));
    assert_eq!(
        transmission,
        alloc::format!(
            "50abddbb3a3c8b21d1e00f2bf2aa56b6212a760a22f1dd5e15117bcc4a2779f908858e8e55d191e27d69438000fd438735aca73eb41aa68b3306d21ff670e5884e94e2e2308a0252237ec6181a27973fe530{NSUB_BODY}"
        )
    );
    assert_eq!(transmission.len(), 2 * 136);
}

#[test]
fn smp_9_6_nsub_of_a_service() {
    let queue_signature = hex::decode("aeb39a86e3dd29632149df72f0269084df6a3f376cfc2fb42d4bef90527caf901cc9b828186055a83002e4cf1ddd9eea4204409bff1da9d9a7d3ee2b0f2f3b03").unwrap();
    let service_signature = hex::decode("02ae4a2fd94f208e8e6b9893b033c4ec5c309fbc859ac1e8a6972800d574fbd61e2375da1d9be68b76021722cd8ea676697874dac1829525336fdfcce75e2708").unwrap();
    let body = hex::decode(NSUB_BODY).unwrap();
    let nsub = Outgoing {
        authorization: &queue_signature,
        service_signature: Some(&service_signature),
        session_id: &[],
        body: &body,
    };
    let mut out = Vec::new();
    let format = Format::smp(SmpVersion(16));
    nsub.encode(format, &mut out);
    assert_eq!(out.len(), 185);
    assert_eq!(out, [&[0x40][..], &queue_signature, &[0x31, 0x40], &service_signature, &body].concat());
    let read = Transmission::decode(&out, format).unwrap();
    assert_eq!(read.service_signature, Some(service_signature.as_slice()));
    assert_eq!(read.authorization, queue_signature);
}

#[test]
fn smp_9_6_responses() {
    let (_, corr_id, notifier) = ids();
    let response = |corr_id: &[u8], message: &Message<'_>| {
        let body = body(corr_id, &notifier, |out| message.encode(SmpVersion::MAX, out));
        encoded(|out| {
            Outgoing { authorization: &[], service_signature: None, session_id: &[], body: &body }
                .encode(Format::smp(SmpVersion::MAX), out);
        })
    };
    let ids = "0018a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b718c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7";
    assert_eq!(response(&corr_id, &Message::Sok { service: None }), alloc::format!("{ids}534f4b2030"));
    assert_eq!(response(&corr_id, &Message::Ok), alloc::format!("{ids}4f4b"));
    assert_eq!(response(&[], &Message::End), "000018c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7454e44");
    for (message, expected) in [
        (Message::Soks { count: 2 }, "534f4b53200000000000000002"),
        (Message::Err(ErrorCode::Cmd(CommandError::Syntax)), "45525220434d442053594e544158"),
    ] {
        assert_eq!(encoded(|out| message.encode(SmpVersion::MAX, out)), expected);
        assert!(Message::decode(&hex::decode(expected).unwrap(), SmpVersion::MAX) == Ok(message));
    }
}

#[test]
fn smp_9_7_nmsg() {
    let message_id: [u8; 24] = run(0x80);
    let meta = NmsgMeta { message: &message_id, sent_at: 1_700_000_000 };
    let expected = "18808182838485868788898a8b8c8d8e8f9091929394959697000000006553f100";
    assert_eq!(encoded(|out| meta.encode(out)), expected);
    assert_eq!(NmsgMeta::decode(&hex::decode(expected).unwrap()), Ok(meta));

    let encrypted = hex::decode("6ff040ccac01d9e7b146c05d23a2f4a12f612f44000f8e4bf2003a8e08d00e1d122d844873bc758aa66f2dc9d9192c26918effdb8151f30aa02f1b328f8641e642363847e2d50506b5e149c85a2b22e9074f57e50ec41c60b2c1644193c3b728e04c79d14d21d2cef62dd780f3468950c4c7fee37c6b98627261a0b038124d01739fc6b60761390a01c6889d177a5f50").unwrap();
    let (nonce, notifier): ([u8; 24], [u8; 24]) = (run(1), run(0xc0));
    let nmsg = Message::Nmsg { nonce, meta: &encrypted };
    let body = body(&[], &notifier, |out| nmsg.encode(SmpVersion::MAX, out));
    let mut out = Vec::new();
    Outgoing { authorization: &[], service_signature: None, session_id: &[], body: &body }
        .encode(Format::smp(SmpVersion::MAX), &mut out);
    assert_eq!(out.len(), 201);
    let head = [&[0, 0, 0x18][..], &notifier, b"NMSG ", &nonce, &[0x90], &encrypted].concat();
    assert_eq!(out, head);
    let read = Transmission::decode(&out, Format::smp(SmpVersion::MAX)).unwrap();
    assert!(Message::decode(read.command, SmpVersion::MAX) == Ok(nmsg));
}

#[test]
fn smp_9_8_message_bodies() {
    for (body, expected) in [
        (
            MessageBody::Message { sent_at: 1_700_000_000, notify: true, message: b"hello" },
            "000000006553f100542068656c6c6f",
        ),
        (MessageBody::Quota { at: 1_700_000_000 }, "51554f544120000000006553f100"),
    ] {
        assert_eq!(encoded(|out| body.encode(out)), expected);
        assert_eq!(MessageBody::decode(&hex::decode(expected).unwrap()), Ok(body));
    }
}

#[test]
fn smp_9_9_new_in_every_form() {
    let new = Command::New(NewQueue {
        auth: AuthPublicKey::Ed25519(Ed25519Private::from_seed([0x33; 32]).public()),
        dh: X25519Private::from_bytes([0x22; 32]).public(),
        password: None,
        subscribe: SubscribeMode::Subscribe,
        request: Some(QueueRequest::Messaging(None)),
        notifier: None,
    });
    let keys = "4e4557202c302a300506032b657003210017cb79fb2b4120f2b1ec65e4198d6e08b28e813feb01e4a400839b85e18080ce2c302a300506032b656e0321000faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20";
    for (version, end) in [
        (18, "3053314d3030"),
        (17, "3053314d3030"),
        (16, "3053314d30"),
        (15, "3053314d30"),
        (14, "305354"),
        (9, "305354"),
        (8, "53"),
        (6, "53"),
    ] {
        let expected = alloc::format!("{keys}{end}");
        assert_eq!(encoded(|out| new.encode(SmpVersion(version), out)), expected, "v{version}");
        let bytes = hex::decode(expected).unwrap();
        let read = Command::decode(&bytes, SmpVersion(version)).unwrap();
        assert_eq!(read == new, version >= 9, "v{version}: before v9 a queue has no mode");
    }
}

#[test]
fn ntf_8_message_text() {
    let notice = |hosts: &[&str], port: &str, notifier: u8, received_at| {
        let server = ServerAddress {
            hosts: hosts.iter().map(|host| (*host).into()).collect(),
            port: port.into(),
            identity: Fingerprint::new([1; 32]),
        };
        let notifier = NotifierAddress { server, notifier: EntityId::new(&[notifier; 24]).unwrap() };
        (notifier, Notice { received_at, nonce: [3; 24], meta: [4; 144].into() })
    };
    let mut notices = alloc::vec![notice(&["smp1.example.org"], "", 2, 1_700_000_000)];
    let text = |notices: &[(NotifierAddress, Notice)]| {
        let mut out = Vec::new();
        payload::encode_notices(notices.iter().map(|(notifier, notice)| (notifier, notice)), &mut out);
        assert_eq!(payload::decode_notices(&out).as_deref(), Ok(notices));
        String::from_utf8(out).unwrap()
    };
    let one = text(&notices);
    assert_eq!(one.len(), 337);
    assert_eq!(payload::notice_len(&notices[0].0, &notices[0].1), 337);
    assert!(one.starts_with("smp://AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=@smp1.example.org/AgICAgICAgICAgICAgICAgICAgICAgIC 1700000000 AwMDAwMD"));
    notices.push(notice(&["smp2.example.org", "abc.onion"], "5224", 5, 1_700_000_001));
    let two = text(&notices);
    assert_eq!(two.len(), 690);
    assert!(two.starts_with(&one) && two[337..].starts_with(';'));
}

#[test]
fn ntf_8_signed_tchk() {
    let (session_id, corr_id, token) = ([0xaa; 32], [0x55; 24], [0x66; 24]);
    let body = body(&corr_id, &token, |out| NtfCommand::Tchk.encode(NtfVersion::MAX, out));
    let mut authorized = Vec::new();
    write_authorized(&session_id, &body, &mut authorized);
    let key = AuthPrivateKey::Ed25519(Ed25519Private::from_seed([0x44; 32]));
    let signature = authorize(&key, None, &corr_id, &authorized).unwrap();
    assert_eq!(
        hex::encode(signature.as_bytes()),
        "5a20b5cb689ecf9abb4406f4d5e5d95e4a64b73ee919728dad5488676fc097a2f0a4545755cc3a7cef93a0a4f4b53067e3ca6ef710e4d36dd35bbb8e16f5af0a"
    );
    for (version, head, transmission_len, hash) in [
        (3, "007a0100774040", 119, "029d2f385eb54a30c9553465e1de77c0151c6c31f2cf5b2fca891a09dffef223"),
        (2, "007a0100774040", 119, "029d2f385eb54a30c9553465e1de77c0151c6c31f2cf5b2fca891a09dffef223"),
        (1, "009840", 152, "0ee02e67dd49f1652846e872d9acb19f27ed46924ceb5026804cd3945ddc218f"),
    ] {
        let format = Format::ntf(NtfVersion(version));
        let tchk = Outgoing {
            authorization: signature.as_bytes(),
            service_signature: None,
            session_id: &session_id,
            body: &body,
        };
        let mut out = Vec::new();
        tchk.encode(format, &mut out);
        assert_eq!(out.len(), transmission_len, "v{version}");
        let mut batch = BatchWriter::new(Layout::plain(Protocol::Ntf), format);
        batch.push(&out).unwrap();
        let block = batch.finish().unwrap();
        assert!(hex::encode(&block).starts_with(&head[..6]), "v{version}");
        assert_eq!(hex::encode(sha256(&block)), hash, "v{version}");
        let read: Vec<_> = BatchReader::new(block::content(&block).unwrap(), format).unwrap().collect();
        assert!(NtfCommand::decode(read[0].unwrap().command, NtfVersion(version)) == Ok(NtfCommand::Tchk));
    }

    let key = AuthPrivateKey::X25519(X25519Private::from_bytes([0x77; 32]));
    let server: X25519Public = X25519Private::from_bytes([0x88; 32]).public();
    let authenticator = authorize(&key, Some(&server), &corr_id, &authorized).unwrap();
    assert_eq!(
        hex::encode(authenticator.as_bytes()),
        "ed08bfb70ad017d8a090a55c6427cadf9db796a17f224d2feabba20987204d157d26db056384ef7378fd091321b7876bbb0d356f855732c682b1b3bcdc1948350d2a2549459d7046686840f56b33cefa"
    );
}

#[test]
fn ntf_8_the_reply_to_an_unknown_command() {
    let fault = NtfCommand::decode(b"HELLO", NtfVersion::MAX).unwrap_err();
    let error = Response::Err(ErrorCode::of(fault));
    let body = body(b"abcd", b"1234", |out| error.encode(NtfVersion::MAX, out));
    let format = Format::ntf(NtfVersion::MAX);
    let mut batch = BatchWriter::new(Layout::plain(Protocol::Ntf), format);
    let reply = Outgoing { authorization: &[], service_signature: None, session_id: &[], body: &body };
    batch.push_with(|out| reply.encode(format, out)).unwrap();
    let block = batch.finish().unwrap();
    assert_eq!(hex::encode(&block[..31]), "001d01001a000461626364043132333445525220434d4420554e4b4e4f574e");
    assert!(block[31..].iter().all(|byte| *byte == b'#'));
}
