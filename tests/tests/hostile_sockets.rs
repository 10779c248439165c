//! Peers that misbehave, over real sockets: each gets the error that the specification says, keeps its
//! connection where the specification says so, and costs nobody else anything.
//!
//! Every test ends by registering a well-behaved device on the same servers and sending it a message.

#![allow(clippy::panic, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::future::Future;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command as Wish, RequestTag};
use ntf_core::crypto::keys::{AuthPrivateKey, X25519Private};
use ntf_core::link::event::DownReason;
use ntf_core::model::server::{Fingerprint, Protocol, ServerAddress};
use ntf_core::tls::{Alert, TlsFault};
use ntf_core::wire::block::Layout;
use ntf_core::wire::cursor::Writer;
use ntf_core::wire::hello::{ntf as ntf_hellos, smp as smp_hellos};
use ntf_core::wire::ntf::command::Command as NtfCommand;
use ntf_core::wire::smp::command::Command as SmpCommand;
use ntf_core::wire::text::address;
use ntf_core::wire::version::{NtfVersion, SmpVersion, VersionRange};
use ntf_tests::by_hand::{RawDevice, RawQueue, ntf_command, smp_command};
use ntf_tests::raw::{
    Answer, Auth, End, FakeSmp, PATIENCE, Pipe, Talk, junk, ntf_hello, randomness, read_to_close, smp_hello,
    tcp, write_anyway,
};
use ntf_tests::sockets::{Device, Network};
use ntf_tests::voice::Speaks;
use tokio::runtime::Runtime;
use tokio::time::timeout;

const BOTH: [Protocol; 2] = [Protocol::Smp, Protocol::Ntf];

#[test]
fn a_wrong_code_key_or_signature_verifies_nothing() {
    let world = World::start();
    let mut talk = world.ntf();
    let device = world.register(&mut talk, "aa01");
    let stranger = talk.key();
    let x25519 = AuthPrivateKey::X25519(X25519Private::generate(&mut talk.voice().rng));
    let tvfy = |code: &[u8]| ntf_command(&NtfCommand::Tvfy { code });
    let right = tvfy(&device.code);
    for (what, auth, entity, command) in [
        ("a wrong code", Auth::Key(&device.key), &device.id[..], tvfy(&[7; 32])),
        ("a short code", Auth::Key(&device.key), &device.id, tvfy(&device.code[..31])),
        ("no code", Auth::Key(&device.key), &device.id, tvfy(b"")),
        ("another key", Auth::Key(&stranger), &device.id, right.clone()),
        ("an authenticator of another key", Auth::Key(&x25519), &device.id, right.clone()),
        ("a signature of nothing", Auth::Bytes(&[0; 64]), &device.id, right.clone()),
        ("an authenticator of nothing", Auth::Bytes(&[0; 80]), &device.id, right.clone()),
        ("a longer signature of nothing", Auth::Bytes(&[0; 114]), &device.id, right.clone()),
        ("an unknown token", Auth::Key(&device.key), &[9; 24], right.clone()),
        ("a token id of another size", Auth::Key(&device.key), &[9; 255], right.clone()),
        ("a check with another key", Auth::Key(&stranger), &device.id, b"TCHK".to_vec()),
        ("a deletion with another key", Auth::Key(&stranger), &device.id, b"TDEL".to_vec()),
        ("a subscription id that is a token's", Auth::Key(&device.key), &device.id, b"SCHK".to_vec()),
        ("an unknown subscription", Auth::Key(&device.key), &[9; 24], b"SDEL".to_vec()),
    ] {
        assert_eq!(talk.ask_text(auth, entity, &command), "ERR AUTH", "{what}");
        talk.expect_alive();
    }
    let snew = device.snew(&nowhere(), &mut talk);
    assert_eq!(talk.ask_text(Auth::Key(&device.key), b"", &snew), "ERR AUTH", "before the code");
    assert_eq!(talk.ask_text(Auth::Key(&device.key), &device.id, b"TCHK"), "TKN CONFIRMED");
    device.verify(&mut talk);
    assert_eq!(talk.ask_text(Auth::Key(&device.key), &device.id, b"TCHK"), "TKN ACTIVE");
    assert_eq!(talk.ask_text(Auth::Key(&stranger), b"", &snew), "ERR AUTH", "with another key");
    world.finish();
}

#[test]
fn malformed_commands_to_the_subscriber_get_their_error() {
    let world = World::start();
    let mut talk = world.ntf();
    let device = world.register(&mut talk, "aa02");
    let (key, id) = (Auth::Key(&device.key), &device.id[..]);
    let tnew = |token: &str| device.tnew(token);
    let mut bad_key = tnew("aa02");
    // The first byte of the verify key's object: no SEQUENCE any more.
    let at = b"TNEW TAT".len() + 1 + b"aa02".len() + 1;
    bad_key[at] ^= 0xff;
    let mut longer = tnew("aa02");
    longer.push(0);
    let shorter = longer[..longer.len() - 2].to_vec();
    let mut fcm = tnew("aa02");
    fcm[6..8].copy_from_slice(b"FC");
    let long_token = "a/".repeat(127);
    let mut no_host = b"SNEW S".to_vec();
    Writer::new(&mut no_host).short(id).u8(0).short(b"").short(&[1; 32]).short(&[2; 24]).short(b"key");
    for (what, auth, entity, command, expected) in [
        ("a word nobody knows", key, id, b"TNOW".to_vec(), "ERR CMD UNKNOWN"),
        ("no word at all", key, id, b"".to_vec(), "ERR CMD UNKNOWN"),
        ("small letters", key, id, b"tchk".to_vec(), "ERR CMD UNKNOWN"),
        ("a response", key, id, b"PONG".to_vec(), "ERR CMD UNKNOWN"),
        ("a word that begins right", key, id, b"TCHK=".to_vec(), "ERR CMD UNKNOWN"),
        ("junk", key, id, vec![0xff; 40], "ERR CMD UNKNOWN"),
        ("a space too many", key, id, b"TCHK ".to_vec(), "ERR CMD SYNTAX"),
        ("parameters too many", key, id, b"TDEL all".to_vec(), "ERR CMD SYNTAX"),
        ("no parameters", key, id, b"TVFY".to_vec(), "ERR CMD SYNTAX"),
        ("a length beyond the end", key, id, b"TVFY \x20abc".to_vec(), "ERR CMD SYNTAX"),
        ("half a number", key, id, b"TCRN \x00".to_vec(), "ERR CMD SYNTAX"),
        ("a provider nobody knows", key, b"", fcm, "ERR CMD SYNTAX"),
        ("a device token that is a path", key, b"", tnew(&long_token), "ERR CMD SYNTAX"),
        ("an empty device token", key, b"", tnew(""), "ERR CMD SYNTAX"),
        ("a key that is none", key, b"", bad_key, "ERR CMD SYNTAX"),
        ("a byte too many", key, b"", longer, "ERR CMD SYNTAX"),
        ("a byte too few", key, b"", shorter, "ERR CMD SYNTAX"),
        ("a server without hosts", key, b"", no_host, "ERR CMD SYNTAX"),
        ("no signature", Auth::None, id, b"TCHK".to_vec(), "ERR CMD NO_AUTH"),
        ("no entity", key, b"", b"TCHK".to_vec(), "ERR CMD NO_AUTH"),
        ("neither", Auth::None, b"", b"TDEL".to_vec(), "ERR CMD NO_AUTH"),
        ("a registration without signature", Auth::None, b"", tnew("aa02"), "ERR CMD NO_AUTH"),
        ("a registration with entity", key, id, tnew("aa02"), "ERR CMD HAS_AUTH"),
        ("a registration with only an entity", Auth::None, id, tnew("aa02"), "ERR CMD NO_AUTH"),
        ("a signed ping", key, b"", b"PING".to_vec(), "ERR CMD HAS_AUTH"),
        ("a ping to an entity", Auth::None, id, b"PING".to_vec(), "ERR CMD HAS_AUTH"),
        ("a ping with a space", Auth::None, b"", b"PING ".to_vec(), "ERR CMD SYNTAX"),
        ("an interval that is too short", key, id, b"TCRN \x00\x13".to_vec(), "ERR QUOTA"),
    ] {
        assert_eq!(talk.ask_text(auth, entity, &command), expected, "{what}");
        talk.expect_alive();
    }
    world.finish();
}

#[test]
fn malformed_blocks_to_the_subscriber_get_their_error() {
    let world = World::start();
    let mut talk = world.ntf();
    misuse_blocks(&mut talk);
    // The first version has no batches, and names the session in each transmission.
    let mut old = Talk::ntf_in(world.net.ntf_socket(), world.net.ntf_address(), NtfVersion(1), &[]);
    old.expect_alive();
    old.send_content(b"");
    assert_eq!(old.read(), Answer::to_nobody("ERR BLOCK"));
    old.expect_alive();
    // no authorization, session id "x", correlation id "corr", no entity
    old.send_content(b"\x00\x01x\x04corr\x00PING");
    let answer = old.read();
    assert_eq!(
        (&answer.corr[..], &answer.entity[..], answer.text()),
        (&b"corr"[..], &b""[..], "ERR SESSION".into())
    );
    old.expect_alive();
    world.finish();
}

#[test]
fn malformed_blocks_to_the_smp_server_get_their_error() {
    let world = World::start();
    for version in [18, 10, 7] {
        let mut talk = world.smp_in(SmpVersion(version));
        misuse_blocks(&mut talk);
    }
    // What does not decrypt is answered and forgotten: the chain moves on with each block.
    let mut talk = world.smp();
    for _ in 0..3 {
        let block = junk(&mut talk.voice().rng, Protocol::Smp.block_len());
        // Sent past the cipher, whose chain therefore stays behind by one block.
        talk.pipe.write_block(&block);
        assert_eq!(talk.read(), Answer::to_nobody("ERR BLOCK"));
        talk.voice().skip_sealed();
        talk.expect_alive();
    }
    let mut old = Talk::smp_in(world.net.smp_socket(), world.net.smp_address(), SmpVersion(6), &[]);
    misuse_blocks(&mut old);
    old.send_content(b"\x01\x00\x0d\x00\x01x\x04corr\x00PING");
    let answer = old.read();
    assert_eq!(
        (&answer.corr[..], &answer.entity[..], answer.text()),
        (&b"corr"[..], &b""[..], "ERR SESSION".into())
    );
    old.expect_alive();
    world.finish();
}

/// What every protocol and version with batches says to blocks that are none.
fn misuse_blocks(talk: &mut Talk) {
    talk.expect_alive();
    for (what, content) in [
        ("nothing", b"".to_vec()),
        ("a count of nothing", vec![0]),
        ("a count without items", vec![3]),
        ("an item that is not there", vec![1, 0, 200, 1, 2, 3]),
        ("bytes behind the last item", vec![1, 0, 1, 0, 0xff]),
        ("an item cut in its fields", vec![1, 0, 2, 0, 24]),
        ("text", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ] {
        talk.send_content(&content);
        assert_eq!(talk.read(), Answer::to_nobody("ERR BLOCK"), "{what}");
        talk.expect_alive();
    }
    talk.send_bad_length();
    assert_eq!(talk.read(), Answer::to_nobody("ERR BLOCK"), "an inner length beyond the block");
    talk.expect_alive();

    for len in [1, 63, 65, 79, 81, 113, 115, 255] {
        let answer = talk.ask(Auth::Bytes(&vec![1; len]), b"entity", b"PING");
        assert_eq!(
            (&answer.entity[..], answer.text()),
            (&b""[..], "ERR BLOCK".into()),
            "{len} bytes sign nothing"
        );
    }
    talk.expect_alive();

    // One bad item does not spoil the others.
    let first = talk.item(Auth::None, b"", b"PING");
    let last = talk.item(Auth::None, b"", b"PING");
    talk.send(&[&first.bytes, &[0, 24, 1], &last.bytes]);
    let answers = [talk.read(), talk.read(), talk.read()];
    assert!(answers.contains(&Answer::to_nobody("ERR BLOCK")), "the bad one: {answers:?}");
    for item in [first, last] {
        let pong = Answer { corr: item.corr, entity: Vec::new(), command: b"PONG".to_vec() };
        assert!(answers.contains(&pong), "the good ones: {answers:?}");
    }
    talk.expect_alive();
}

#[test]
fn commands_to_the_smp_server_that_must_fail_do() {
    let world = World::start();
    let mut talk = world.smp();
    let queue = RawQueue::create(&mut talk);
    let stranger = talk.key();
    let sender = talk.key();
    let (key, recipient, to) = (Auth::Key(&queue.key), &queue.recipient[..], &queue.sender[..]);
    let new = smp_command(&queue.new_command());
    let public = |key: &AuthPrivateKey| key.public().expect("a key of this build");
    let skey = smp_command(&SmpCommand::Skey { sender: public(&sender) });
    let other_skey = smp_command(&SmpCommand::Skey { sender: public(&stranger) });
    let other_key = smp_command(&SmpCommand::Key { sender: public(&stranger) });
    let send = |len: usize| smp_command(&SmpCommand::Send { notify: true, message: &vec![b'm'; len] });
    let none = Auth::None;
    for (what, auth, entity, command, expected) in [
        ("a queue without signature", none, &b""[..], new.clone(), "ERR CMD NO_AUTH"),
        ("a queue with an entity", key, recipient, new.clone(), "ERR CMD HAS_AUTH"),
        ("a queue with only an entity", none, recipient, new.clone(), "ERR CMD NO_AUTH"),
        ("a queue signed by another", Auth::Key(&stranger), b"", new.clone(), "ERR AUTH"),
        ("a subscription without signature", none, recipient, b"SUB".to_vec(), "ERR CMD NO_AUTH"),
        ("a subscription to nothing", key, b"", b"SUB".to_vec(), "ERR CMD NO_AUTH"),
        ("a subscription to an unknown queue", key, &[5; 24], b"SUB".to_vec(), "ERR AUTH"),
        ("a subscription by the sender's id", key, to, b"SUB".to_vec(), "ERR AUTH"),
        ("a subscription of another", Auth::Key(&stranger), recipient, b"SUB".to_vec(), "ERR AUTH"),
        ("notifications by the recipient's id", key, recipient, b"NSUB".to_vec(), "ERR AUTH"),
        ("an acknowledgement of nothing", key, recipient, b"ACK \x00".to_vec(), "ERR NO_MSG"),
        ("a deletion by another", Auth::Key(&stranger), recipient, b"DEL".to_vec(), "ERR AUTH"),
        ("a message to nobody", none, b"", send(3), "ERR CMD NO_ENTITY"),
        ("a message to an unknown queue", none, &[5; 24], send(3), "ERR AUTH"),
        ("a message to the recipient's id", none, recipient, send(3), "ERR AUTH"),
        ("a signed message to an open queue", Auth::Key(&sender), to, send(3), "ERR AUTH"),
        ("a message a byte too long", none, to, send(16049), "ERR LARGE_MSG"),
        ("the longest message", none, to, send(16048), "OK"),
        ("a message without flags", none, to, b"SEND".to_vec(), "ERR CMD SYNTAX"),
        ("flags that are none", none, to, b"SEND x m".to_vec(), "ERR CMD SYNTAX"),
        ("too many flags", none, to, b"SEND T1234567 m".to_vec(), "ERR CMD SYNTAX"),
        ("the sender's key", Auth::Key(&sender), to, skey.clone(), "OK"),
        ("the sender's key again", Auth::Key(&sender), to, skey.clone(), "OK"),
        ("another sender's key", Auth::Key(&stranger), to, other_skey, "ERR AUTH"),
        ("a key signed by another", Auth::Key(&stranger), to, skey, "ERR AUTH"),
        ("the recipient's other sender", key, recipient, other_key, "ERR AUTH"),
        ("an unsigned message to a secured queue", none, to, send(3), "ERR AUTH"),
        ("a message of another sender", Auth::Key(&stranger), to, send(3), "ERR AUTH"),
        ("a message with a signature of nothing", Auth::Bytes(&[0; 64]), to, send(3), "ERR AUTH"),
        ("a message of the sender", Auth::Key(&sender), to, send(3), "OK"),
        ("a link without entity", none, b"", b"LGET".to_vec(), "ERR CMD NO_ENTITY"),
        ("a signed link", key, recipient, b"LGET".to_vec(), "ERR CMD HAS_AUTH"),
        ("a link that is none", none, &[5; 24], b"LGET".to_vec(), "ERR AUTH"),
        ("a signed ping", key, b"", b"PING".to_vec(), "ERR CMD HAS_AUTH"),
        ("a ping to an entity", none, recipient, b"PING".to_vec(), "ERR CMD HAS_AUTH"),
        ("a word nobody knows", none, b"", b"HELO".to_vec(), "ERR CMD UNKNOWN"),
        ("no word", none, b"", b"".to_vec(), "ERR CMD UNKNOWN"),
        ("a response", none, b"", b"OK".to_vec(), "ERR CMD UNKNOWN"),
        ("a word that begins right", key, recipient, b"SUB=".to_vec(), "ERR CMD UNKNOWN"),
        ("a space too many", key, recipient, b"SUB ".to_vec(), "ERR CMD SYNTAX"),
        ("a key that is none", key, recipient, b"KEY \x03abc".to_vec(), "ERR CMD SYNTAX"),
        ("half a NEW", key, b"", new[..new.len() - 3].to_vec(), "ERR CMD SYNTAX"),
        ("an empty list of keys", key, recipient, b"RKEY \x00".to_vec(), "ERR CMD SYNTAX"),
        ("a service's subscription", key, &[5; 24], b"NSUBS".to_vec(), "ERR SERVICE"),
    ] {
        assert_eq!(talk.ask_text(auth, entity, &command), expected, "{what}");
        talk.expect_alive();
    }
    world.finish();
}

#[test]
fn hellos_that_do_not_fit_end_the_connection_without_a_word() {
    let world = World::start();
    let (smp, ntf) = (world.net.smp_address(), world.net.ntf_address());
    let other = Fingerprint::new([3; 32]);
    for (what, version, identity) in [
        ("another server's fingerprint", 18, other),
        ("a version from before", 5, smp.identity),
        ("no version", 0, smp.identity),
        ("a version to come", 19, smp.identity),
        ("the largest version", u16::MAX, smp.identity),
    ] {
        let (mut pipe, offer) = smp_hello(world.net.smp_socket(), smp, &[b"smp/1"]);
        assert_eq!(offer.versions, VersionRange::SMP);
        let hello = smp_hellos::ClientHello {
            version: SmpVersion(version),
            identity,
            session_key: Some(X25519Private::generate(&mut randomness()).public()),
            is_proxy: false,
            service: None,
        };
        let mut content = Vec::new();
        hello.encode(&mut content);
        expect_refusal(&mut pipe, Protocol::Smp, &content, what);
    }
    for (what, version, identity) in [
        ("another server's fingerprint", 3, other),
        ("no version", 0, ntf.identity),
        ("a version to come", 4, ntf.identity),
    ] {
        let (mut pipe, offer) = ntf_hello(world.net.ntf_socket(), ntf, &[b"ntf/1"]);
        assert_eq!(offer.versions, VersionRange::NTF);
        let mut content = Vec::new();
        ntf_hellos::ClientHello { version: NtfVersion(version), identity }.encode(&mut content);
        expect_refusal(&mut pipe, Protocol::Ntf, &content, what);
    }
    for protocol in BOTH {
        for (what, content) in
            [("nothing", b"".to_vec()), ("half a version", vec![0]), ("junk", vec![0xff; 400])]
        {
            expect_refusal(&mut world.pipe(protocol), protocol, &content, what);
        }
        let mut pipe = world.pipe(protocol);
        pipe.write_block(&vec![0xff; protocol.block_len()]);
        pipe.expect_close();
    }
    world.finish();
}

fn expect_refusal(pipe: &mut Pipe, protocol: Protocol, content: &[u8], what: &str) {
    pipe.write_block(&Layout::plain(protocol).block(content).expect("it fits"));
    assert_eq!(pipe.read_block().err(), Some(End::Closed), "{what}");
}

#[test]
fn without_an_application_protocol_only_the_oldest_version_is_spoken() {
    let world = World::start();
    let (_, offer) = smp_hello(world.net.smp_socket(), world.net.smp_address(), &[]);
    assert_eq!(offer.versions, VersionRange::SMP_WITHOUT_ALPN);
    assert!(offer.key.is_none(), "the oldest version has no session keys");
    let (_, offer) = ntf_hello(world.net.ntf_socket(), world.net.ntf_address(), &[]);
    assert_eq!(offer.versions, VersionRange::NTF_WITHOUT_ALPN);
    assert!(offer.key.is_none(), "the oldest version has no session keys");
    // A whole registration in the oldest version.
    let mut talk = Talk::ntf_in(world.net.ntf_socket(), world.net.ntf_address(), NtfVersion(1), &[]);
    let device = world.register(&mut talk, "aa03");
    device.verify(&mut talk);
    assert_eq!(talk.ask_text(Auth::Key(&device.key), &device.id, b"TCHK"), "TKN ACTIVE");
    let mut talk = Talk::smp_in(world.net.smp_socket(), world.net.smp_address(), SmpVersion(6), &[]);
    talk.expect_alive();
    for protocol in BOTH {
        let (address, server) = world.of(protocol);
        for name in [&b"h2"[..], b"http/1.1"] {
            assert!(
                Pipe::connect(address, protocol, &server.identity, &[name]).is_ok(),
                "web names are known"
            );
        }
        let refused = Pipe::connect(address, protocol, &server.identity, &[b"spdy/3", b"xmpp"]).err();
        let alert = [TlsFault::Alert(Alert(120)), TlsFault::NoCommonProtocol].map(End::Tls);
        assert!(
            refused.as_ref().is_some_and(|end| alert.contains(end)),
            "no_application_protocol, not {refused:?}"
        );
    }
    world.finish();
}

#[test]
fn what_is_not_tls_is_shown_the_door() {
    let world = World::start();
    let mut rng = randomness();
    // A record header that announces a handshake of 16 KiB, and then the wrong kind of handshake.
    let mut no_hello = vec![0x16, 0x03, 0x01, 0x40, 0x00, 0x02];
    no_hello.extend(junk(&mut rng, 0x4000));
    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        ("junk", junk(&mut rng, 4096)),
        ("a TLS alert", vec![0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28]),
        ("another handshake message", no_hello),
        ("a record that is too long", vec![0x16, 0x03, 0x01, 0xff, 0xff, 0x01]),
    ] {
        for protocol in BOTH {
            let mut stream = tcp(world.of(protocol).0);
            write_anyway(&mut stream, &bytes);
            let said = read_to_close(&mut stream);
            assert!(said.len() < 64, "at most an alert in answer to {what}, not {} bytes", said.len());
        }
    }
    // Truncated: a ClientHello that stops, and a block that stops.
    for protocol in BOTH {
        let mut stream = tcp(world.of(protocol).0);
        write_anyway(&mut stream, &[0x16, 0x03, 0x01, 0x01, 0x00, 0x01, 0x00]);
        stream.shutdown(Shutdown::Write).expect("it is open");
        read_to_close(&mut stream);
        let mut pipe = world.pipe(protocol);
        pipe.cut_block(&vec![b'#'; protocol.block_len()]);
        pipe.expect_close();
    }
    let mut talk = world.smp();
    talk.expect_alive();
    let block = junk(&mut rng, Protocol::Smp.block_len());
    talk.pipe.cut_block(&block);
    talk.pipe.expect_close();
    world.finish();
}

#[test]
fn connections_that_say_nothing_or_vanish_hinder_nobody() {
    let world = World::start();
    // Silent ones at every stage, held until the end.
    let mut silent = Vec::new();
    let mut pipes = Vec::new();
    for protocol in BOTH {
        for _ in 0..50 {
            silent.push(tcp(world.of(protocol).0));
        }
        for _ in 0..10 {
            pipes.push(world.pipe(protocol));
        }
    }
    for protocol in BOTH {
        for _ in 0..300 {
            drop(TcpStream::connect(world.of(protocol).0).expect("the server accepts"));
        }
        for _ in 0..20 {
            drop(world.pipe(protocol));
        }
    }
    world.behave("0b01");
    drop((silent, pipes));
    // All are forgotten but the subscriber's.
    world.rt.block_on(world.net.until_known(world.net.smp(), "connections", 1));
    world.finish();
}

#[test]
fn a_client_that_asks_and_never_reads_is_stopped_and_hinders_nobody() {
    let world = World::start();
    let mut deaf_ntf = world.ntf();
    let mut deaf_smp = world.smp_in(SmpVersion(10));
    let mut asked = [0_usize; 2];
    for (talk, asked) in [&mut deaf_ntf, &mut deaf_smp].into_iter().zip(&mut asked) {
        let pings: Vec<_> = (0..10).map(|_| talk.item(Auth::None, b"", b"PING").bytes).collect();
        let mut content = vec![10];
        for ping in &pings {
            Writer::new(&mut content).large(ping);
        }
        let block = talk.voice().layout().block(&content).expect("ten pings fit");
        while talk.pipe.write_block_within(&block, Duration::from_secs(1)) {
            *asked += block.len();
            assert!(*asked < 128 << 20, "the server goes on reading from a client that does not read");
        }
    }
    // What the kernel holds on the way is its business; the server holds a window of blocks.
    world.behave("0d01");
    let smp = world.rt.block_on(world.net.smp().look()).expect("the server runs");
    assert!(!smp.is_empty());
    // Also the servers stop in time though these two never take the last bytes.
    world.finish();
    drop((deaf_ntf, deaf_smp));
}

#[test]
fn a_hostile_smp_server_is_told_apart_by_the_client() {
    let world = World::start();
    let garbage = vec![0xff; Protocol::Smp.block_len()];
    let fake = FakeSmp::start(move |accepted| {
        let number = accepted.number;
        match number % 5 {
            // TCP, and then nothing that is TLS.
            0 => {
                let mut stream = accepted.stream;
                write_anyway(&mut stream, b"220 mail.example ESMTP\r\n");
                let _ = stream.shutdown(Shutdown::Both);
            }
            1 => {
                if let Ok((mut pipe, _, _)) = accepted.tls() {
                    pipe.write_block(&garbage);
                    pipe.expect_close();
                }
            }
            // A hello, and the door.
            2 => {
                if let Ok(mut pipe) = accepted.greet(VersionRange::SMP) {
                    pipe.close();
                }
            }
            // Blocks that do not decrypt.
            3 => {
                if let Ok(mut pipe) = accepted.greet(VersionRange::SMP) {
                    pipe.write_block(&garbage);
                    while pipe.read_block().is_ok() {}
                }
            }
            // Closes at once.
            _ => drop(accepted),
        }
    });
    let impostor = FakeSmp::start(|accepted| {
        assert!(accepted.tls().is_err(), "the client goes on with another server than it asked for");
    });
    let misnamed = impostor.under_another_name();
    let reasons = world.rt.block_on(async {
        let mut device = world.net.device(1);
        device.register(world.net.ntf_address()).await;
        device.ask(Wish::CreateQueue { tag: RequestTag(1), server: misnamed.clone() });
        let mut reasons = vec![unreachable_reason(&mut device, &misnamed).await];
        device.ask(Wish::CreateQueue { tag: RequestTag(2), server: fake.address.clone() });
        for _ in 0..3 {
            reasons.push(unreachable_reason(&mut device, &fake.address).await);
        }
        // And the other servers go on.
        let (queue, address) = device.create_queue(world.net.smp_address()).await;
        device.send(&address, "all the same").await;
        assert_eq!(device.receive().await, (queue, "all the same".into()));
        device.stop().await;
        reasons
    });
    let (first, others) = reasons.split_first().expect("four reasons");
    assert_eq!(*first, DownReason::WrongIdentity);
    assert!(!others.contains(&DownReason::WrongIdentity), "only a wrong certificate is one: {others:?}");
    world.finish();
}

async fn unreachable_reason(device: &mut Device, address: &ServerAddress) -> DownReason {
    let text = address::server(address, Protocol::Smp);
    device
        .wait_for("unreachable server", |event| match event {
            Event::Unreachable { server, reason } if *server == text => Some(*reason),
            _ => None,
        })
        .await
}

#[test]
fn a_hostile_smp_server_does_not_keep_the_subscriber_from_the_others() {
    let world = World::start();
    let garbage = vec![0xff; Protocol::Smp.block_len()];
    let fake = FakeSmp::start(move |accepted| match accepted.number % 4 {
        0 => drop(accepted),
        1 => {
            if let Ok((mut pipe, _, _)) = accepted.tls() {
                pipe.write_block(&garbage);
                pipe.expect_close();
            }
        }
        2 => {
            if let Ok(mut pipe) = accepted.greet(VersionRange::SMP) {
                pipe.close();
            }
        }
        _ => {
            if let Ok(mut pipe) = accepted.greet(VersionRange::SMP) {
                pipe.write_block(&garbage);
                while pipe.read_block().is_ok() {}
            }
        }
    });
    let mut talk = world.ntf();
    let device = world.register(&mut talk, "aa04");
    device.verify(&mut talk);
    let mut subscriptions = Vec::new();
    for server in [fake.address.clone(), fake.under_another_name(), nowhere()] {
        subscriptions.push(device.subscribe(&server, &mut talk));
    }
    fake.wait_for(5);
    world.behave("0e01");
    for id in &subscriptions {
        let status = talk.ask_text(Auth::Key(&device.key), id, b"SCHK");
        assert!(
            ["SUB NEW", "SUB PENDING", "SUB INACTIVE"].contains(&status.as_str()),
            "a server that cannot be reached leaves the subscription waiting, not {status}"
        );
    }
    world.finish();
}

#[test]
fn a_lying_smp_server_ends_only_its_own_subscriptions() {
    let world = World::start();
    let lies: [fn(&Answer) -> Answer; 6] = [
        |ask| Answer { command: b"ERR AUTH".to_vec(), ..ask.clone() },
        |ask| Answer { command: b"OK".to_vec(), ..ask.clone() },
        |ask| Answer { command: b"SOKS \xff".to_vec(), ..ask.clone() },
        |ask| Answer { command: b"OK".to_vec(), entity: vec![1; 24], ..ask.clone() },
        |ask| Answer { command: b"ERR CMD SYNTAX".to_vec(), ..ask.clone() },
        |ask| Answer { command: b"ERR \xff\xfe".to_vec(), ..ask.clone() },
    ];
    let mut talk = world.ntf();
    let device = world.register(&mut talk, "aa05");
    device.verify(&mut talk);
    let mut fakes = Vec::new();
    for lie in lies {
        let fake = FakeSmp::start(move |accepted| {
            let _ = accepted.answer(lie);
        });
        let id = device.subscribe(&fake.address, &mut talk);
        fakes.push((fake, id));
    }
    let mut statuses = Vec::new();
    for (_, id) in &fakes {
        statuses.push(settled_status(&mut talk, &device, id));
    }
    assert_eq!(statuses[0], "SUB AUTH");
    assert_eq!(statuses[1], "SUB ACTIVE");
    for status in &statuses[2..] {
        assert!(status.starts_with("SUB ERR "), "an answer that is none: {statuses:?}");
    }
    world.behave("0f01");
    // The servers go before the fakes, whose functions wait for the end of their links.
    world.finish();
    drop(fakes);
}

/// Asks until the subscriber has heard from the SMP server.
fn settled_status(talk: &mut Talk, device: &RawDevice, id: &[u8]) -> String {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let status = talk.ask_text(Auth::Key(&device.key), id, b"SCHK");
        if !["SUB NEW", "SUB PENDING"].contains(&status.as_str()) {
            return status;
        }
        assert!(std::time::Instant::now() < until, "still {status}");
    }
}

/// The servers, and a runtime that they run on while the test's own thread blocks.
struct World {
    rt: Runtime,
    net: Network,
}

impl World {
    fn start() -> Self {
        let rt = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let net = rt.block_on(Network::start());
        Self { rt, net }
    }

    fn of(&self, protocol: Protocol) -> (SocketAddr, &ServerAddress) {
        match protocol {
            Protocol::Smp => (self.net.smp_socket(), self.net.smp_address()),
            Protocol::Ntf => (self.net.ntf_socket(), self.net.ntf_address()),
            Protocol::Relay => unreachable!("no push server is listening"),
        }
    }

    /// TLS with the server's hello read, and nothing said.
    fn pipe(&self, protocol: Protocol) -> Pipe {
        let (address, server) = self.of(protocol);
        match protocol {
            Protocol::Smp => smp_hello(address, server, &[protocol.alpn()]).0,
            Protocol::Ntf => ntf_hello(address, server, &[protocol.alpn()]).0,
            Protocol::Relay => unreachable!("no push server is listening"),
        }
    }

    fn smp(&self) -> Talk {
        Talk::smp(self.net.smp_socket(), self.net.smp_address())
    }

    fn smp_in(&self, version: SmpVersion) -> Talk {
        let names = [Protocol::Smp.alpn()];
        Talk::smp_in(self.net.smp_socket(), self.net.smp_address(), version, &names)
    }

    fn ntf(&self) -> Talk {
        Talk::ntf(self.net.ntf_socket(), self.net.ntf_address())
    }

    /// A raw device, whose code has come.
    fn register(&self, talk: &mut Talk, token: &str) -> RawDevice {
        let mut pushes = self.net.apple().subscribe(token);
        RawDevice::register(talk, token, || {
            self.within("verification push", pushes.recv()).expect("the stand-in runs").body
        })
    }

    fn within<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        let outcome = self.rt.block_on(async { timeout(PATIENCE, future).await });
        outcome.unwrap_or_else(|_| panic!("not in time: {what}"))
    }

    /// A device does everything right and gets its message.
    fn behave(&self, word: &str) {
        self.rt.block_on(async {
            let mut device = self.net.device(77);
            device.register(self.net.ntf_address()).await;
            let (queue, address) = device.create_queue(self.net.smp_address()).await;
            let mut sender = self.net.device(78);
            sender.send(&address, word).await;
            assert_eq!(device.receive().await, (queue, word.to_owned()));
            device.stop().await;
            sender.stop().await;
        });
    }

    /// The servers still serve, and stop.
    fn finish(self) {
        self.behave("the last one");
        let Self { rt, net } = self;
        rt.block_on(net.stop());
    }
}

/// A server where nobody listens: port 9 discards, and on loopback refuses.
fn nowhere() -> ServerAddress {
    ServerAddress { hosts: vec!["127.0.0.1".into()], port: "9".into(), identity: Fingerprint::new([1; 32]) }
}
