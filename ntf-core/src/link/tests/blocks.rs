//! Blocks: encryption, packing, tampering.

use super::*;
use crate::crypto::chain::BlockChains;
use crate::crypto::sha::sha256;
use crate::link::dialect::{Ntf, Smp};
use crate::link::outgoing::{Outgoing, TooLong};
use crate::wire::block::Layout;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use crate::wire::transmission::Format;
use crate::wire::version::{NtfVersion, SmpVersion};

#[test]
fn the_encrypted_block_of_the_worked_example() {
    let session_id: [u8; 32] = core::array::from_fn(|at| u8::try_from(at).unwrap());
    let server = X25519Private::from_bytes([0x11; 32]);
    let client = X25519Private::from_bytes([0x22; 32]);
    let chains = BlockChains::derive(&session_id, &client.agree(&server.public()));
    let format = Format::smp(SmpVersion(18));
    let mut outgoing = Outgoing::new(Layout::sealed(Smp::PROTOCOL), format, Some(chains.client_to_server));
    let ping = hex::decode("0018a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b70050494e47").unwrap();
    outgoing.push(|out| out.extend_from_slice(&ping)).unwrap();
    let block = outgoing.take().unwrap();
    assert_eq!(block.len(), 16384);
    assert_eq!(hex::encode(&block[..32]), "8d3f7b668d92b85cd9e65dc724ec8a99d9f5e8f4a65c6d79d0a78a949f1faf23");
    assert_eq!(hex::encode(&block[16368..]), "e484c2821de88b4ba879398073ab7643");
    assert_eq!(
        hex::encode(sha256(&block)),
        "e7e7080b27578d620d033204be5188d23741026a4e06646dd93247b7b6920d42"
    );
}

#[test]
fn the_plain_block_of_the_worked_example() {
    let format = Format::smp(SmpVersion(7));
    let mut outgoing = Outgoing::new(Layout::plain(Smp::PROTOCOL), format, None);
    outgoing.push(|out| out.extend_from_slice(&[7; 31])).unwrap();
    let block = outgoing.take().unwrap();
    assert_eq!(block[..5], [0, 34, 1, 0, 31]);
    assert_eq!(block[5..36], [7; 31]);
    assert!(block[36..].iter().all(|filler| *filler == b'#'));
}

#[test]
fn transmissions_fill_blocks_to_the_limits_of_the_protocol() {
    for (format, protocol, len, per_block) in [
        (Format::smp(SmpVersion(18)), Smp::PROTOCOL, 120, 134),
        (Format::smp(SmpVersion(7)), Smp::PROTOCOL, 119, 135),
        (Format::smp(SmpVersion(6)), Smp::PROTOCOL, 152, 106),
        (Format::smp(SmpVersion(18)), Smp::PROTOCOL, 201, 80),
        (Format::smp(SmpVersion(18)), Smp::PROTOCOL, 29, 255),
        (Format::ntf(NtfVersion(3)), Ntf::PROTOCOL, 119, 4),
        (Format::ntf(NtfVersion(3)), Ntf::PROTOCOL, 61, 7),
        (Format::ntf(NtfVersion(1)), Ntf::PROTOCOL, 61, 1),
    ] {
        let mut outgoing = Outgoing::new(Layout::plain(protocol), format, None);
        for _ in 0..per_block {
            outgoing.push(|out| out.resize(out.len() + len, 1)).unwrap();
        }
        assert_eq!(outgoing.unsent(), 1, "{format:?} {len}");
        outgoing.push(|out| out.resize(out.len() + len, 1)).unwrap();
        assert_eq!(outgoing.unsent(), 2, "{format:?} {len}");
        assert!(outgoing.take().is_some() && outgoing.take().is_some());
        assert_eq!(outgoing.take(), None);
    }
}

#[test]
fn what_no_block_carries_is_refused_and_leaves_the_others_whole() {
    for (format, protocol, longest) in [
        (Format::smp(SmpVersion(18)), Smp::PROTOCOL, 16363),
        (Format::ntf(NtfVersion(3)), Ntf::PROTOCOL, 491),
        (Format::ntf(NtfVersion(1)), Ntf::PROTOCOL, 510),
    ] {
        let mut outgoing = Outgoing::new(Layout::plain(protocol), format, None);
        let mut push = |len: usize| outgoing.push(|out| out.resize(out.len() + len, 1));
        assert_eq!(push(longest + 1), Err(TooLong));
        assert_eq!(push(10), Ok(()));
        assert_eq!(push(longest + 1), Err(TooLong));
        assert_eq!(push(longest), Ok(()));
        assert_eq!(push(10), Ok(()));
        assert_eq!(core::iter::from_fn(|| outgoing.take()).count(), 3, "{format:?}");
    }
}

#[test]
fn the_window_counts_blocks_until_they_are_sent() {
    let format = Format::ntf(NtfVersion(1));
    let mut outgoing = Outgoing::new(Layout::plain(Ntf::PROTOCOL), format, None);
    for _ in 0..64 {
        assert!(!outgoing.is_congested());
        outgoing.push(|out| out.push(1)).unwrap();
    }
    assert!(outgoing.is_congested());
    assert_eq!(core::iter::from_fn(|| outgoing.take()).count(), 64);
    assert!(outgoing.is_congested(), "handed over is not sent");
    outgoing.on_sent(1);
    assert_eq!((outgoing.is_congested(), outgoing.unsent()), (false, 63));
}

#[test]
fn blocks_are_encrypted_from_version_11_on_if_both_sides_want() {
    for version in each(Smp::VERSIONS) {
        for encryption in [BlockEncryption::WherePossible, BlockEncryption::Never] {
            let mut pair = Pair::<Smp>::new(version, encryption);
            pair.client.ping(now(0).mono);
            let block = pair.client.take_block().unwrap();
            let is_readable = block.windows(4).any(|bytes| bytes == b"PING");
            let is_encrypted = version >= 11 && encryption == BlockEncryption::WherePossible;
            assert_eq!(is_readable, !is_encrypted, "version {version}, {encryption:?}");
        }
    }
}

#[test]
fn a_client_gives_up_on_a_tampered_block_and_a_server_says_so() {
    let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
    pair.server.event(&[1; 24], &Message::End);
    let mut block = pair.server.take_block().unwrap();
    block[100] ^= 1;
    assert_eq!(pair.read(block), ["Undecryptable"]);

    let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
    pair.client.request(now(0).mono, None, None, &Command::Ping, 1).unwrap();
    let mut block = pair.client.take_block().unwrap();
    block[16383] ^= 1;
    let mut requests = pair.server.on_block(&mut block).unwrap();
    assert!(pair.server.next_request(&mut requests).is_none());
    assert_eq!(pair.answers(), ["Error"]);

    // The chain has moved on with the bad block, so the next one opens.
    pair.client.request(now(0).mono, None, None, &Command::Ping, 2).unwrap();
    let mut block = pair.client.take_block().unwrap();
    let mut requests = pair.server.on_block(&mut block).unwrap();
    assert!(pair.server.next_request(&mut requests).is_some());
}

#[test]
fn a_repeated_or_reordered_block_does_not_open() {
    let mut pair = Pair::<Smp>::new(18, BlockEncryption::WherePossible);
    pair.server.event(&[1; 24], &Message::End);
    let first = pair.server.take_block().unwrap();
    pair.server.event(&[2; 24], &Message::End);
    let second = pair.server.take_block().unwrap();
    assert_eq!(pair.read(first.clone()), ["1 unasked END"]);
    assert_eq!(pair.read(first), ["Undecryptable"]);
    assert_eq!(pair.read(second), ["Undecryptable"]);
}

#[test]
fn a_client_survives_garbage_in_blocks_that_are_not_encrypted() {
    let mut pair = Pair::<Smp>::new(7, BlockEncryption::Never);
    for (content, expected) in [
        (&[][..], "Block(BadBlock)"),
        (&[0], "Block(BadBlock)"),
        (&[1, 0, 9, 1], "Block(BadBlock)"),
        (&[1, 0, 1, 0, 0], "Block(BadBlock)"),
        (&[1, 0, 2, 0, 9], "Message(Truncated { field: \"correlation id\" })"),
        (&[1, 0, 6, 0, 0, 0, b'X', b'Y', b'Z'], "Message(UnknownCommand)"),
        (&[1, 0, 6, 0, 0, 0, b'E', b'N', b'D'], "Message(Malformed { field: \"entity id\" })"),
        (&[1, 0, 8, 0, 1, 9, 0, b'P', b'O', b'N', b'G'], "Unknown"),
    ] {
        let block = Layout::plain(Smp::PROTOCOL).block(content).unwrap();
        assert_eq!(pair.read(block.into()), [expected]);
    }
    let bad_padding = vec![0xff; 16384];
    assert_eq!(pair.read(bad_padding.into()), ["Block(BadBlock)"]);
    assert_eq!(pair.read(vec![0; 512].into()), ["WrongBlockLen"]);
}
