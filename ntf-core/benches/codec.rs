//! What the codec costs, beside the cryptography that comes with it.
//!
//! Three things are done for every notification: an NSUB is written and signed, a block is opened, and the
//! NMSGs in it are read. Each is measured with and without its cryptography, in the same run, so that the
//! share printed at the end means the same on every machine. The goal is [`SHARE_MAX`].
//!
//! `cargo bench -p ntf-core --bench codec`

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod fastest;

use core::cell::RefCell;
use core::hint::black_box;
use std::process::ExitCode;

use ntf_core::crypto::auth::authorize;
use ntf_core::crypto::boxed::BoxKey;
use ntf_core::crypto::keys::{AuthPrivateKey, Ed25519Private};
use ntf_core::model::server::Protocol;
use ntf_core::wire::batch::{BatchReader, BatchWriter};
use ntf_core::wire::block::{self, Layout};
use ntf_core::wire::smp::command::Command;
use ntf_core::wire::smp::response::Message;
use ntf_core::wire::transmission::{self, Format, Outgoing, Transmission};
use ntf_core::wire::version::SmpVersion;

use fastest::Bench;

/// Most that the codec may cost of its cryptography, in percent.
const SHARE_MAX: f64 = 5.0;

/// NMSGs that fill a block.
const NMSGS: usize = 80;

const VERSION: SmpVersion = SmpVersion::MAX;
const FORMAT: Format = Format::smp(VERSION);
const SESSION_ID: [u8; 32] = [1; 32];
const CORR_ID: [u8; 24] = [2; 24];
const ENTITY_ID: [u8; 24] = [3; 24];
const SIGNATURE: [u8; 64] = [4; 64];
const NONCE: [u8; 24] = [5; 24];

fn main() -> ExitCode {
    let bench = Bench::new();
    // Without `--bench` each is run once, to see that it works.
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let encode = bench.encode_nsub();
    let sign = bench.sign_nsub();
    let decode = bench.decode_nmsg();
    let decode_block = bench.decode_block();
    let open = bench.open_block();

    println!("{:24}{:>12}{:>12}{:>8}", "", "codec", "crypto", "share");
    let mut is_lean = true;
    for (name, codec, crypto) in [
        ("NSUB encode, sign", encode, sign),
        ("NMSG decode, open", decode, open.map(|open| open / 80.0)),
        ("block of 80 NMSG", decode_block, open),
    ] {
        // A filter may have left one of them out.
        let (Some(codec), Some(crypto)) = (codec, crypto) else { continue };
        let share = codec / crypto * 100.0;
        println!("{name:24}{codec:>9.1} ns{crypto:>9.1} ns{share:>6.2} %");
        is_lean &= share < SHARE_MAX;
    }
    println!("goal: below {SHARE_MAX} %");
    if is_lean || !is_measured { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The bytes that the signature of an NSUB covers, and the transmission with it.
fn write_nsub(to_auth: &mut Vec<u8>, out: &mut Vec<u8>) {
    to_auth.clear();
    transmission::write_authorized(&SESSION_ID, &[], to_auth);
    let prefix_len = to_auth.len();
    transmission::write_body(&CORR_ID, &ENTITY_ID, to_auth, |out| Command::Nsub.encode(VERSION, out));
    let body = to_auth.get(prefix_len..).unwrap();
    Outgoing { authorization: &SIGNATURE, service_signature: None, session_id: &SESSION_ID, body }
        .encode(FORMAT, out);
}

fn write_nmsg(out: &mut Vec<u8>) {
    let nmsg = Message::Nmsg { nonce: NONCE, meta: &[6; 144] };
    let mut body = Vec::new();
    transmission::write_body(&[], &ENTITY_ID, &mut body, |out| nmsg.encode(VERSION, out));
    Outgoing { authorization: &[], service_signature: None, session_id: &SESSION_ID, body: &body }
        .encode(FORMAT, out);
}

/// Reads an NMSG; one, if it is one. What is read is used where it lies: moving it is not the codec's cost.
fn read_nmsg(transmission: &Transmission<'_>) -> usize {
    match &Message::decode(transmission.command, VERSION) {
        Ok(Message::Nmsg { nonce, meta }) => {
            black_box((transmission.entity_id, nonce, *meta));
            1
        }
        _ => 0,
    }
}

/// A block with room for the tag, full of NMSGs.
fn full_block() -> Vec<u8> {
    let mut writer = BatchWriter::new(Layout::sealed(Protocol::Smp), FORMAT);
    for _ in 0..NMSGS {
        writer.push_with(write_nmsg).unwrap();
    }
    let mut nmsg = Vec::new();
    write_nmsg(&mut nmsg);
    assert!(writer.push(&nmsg).is_err(), "80 NMSGs fill a block");
    writer.finish().unwrap()
}

impl Bench {
    fn encode_nsub(&self) -> Option<f64> {
        let (mut to_auth, mut out) = (Vec::with_capacity(256), Vec::with_capacity(256));
        self.measure(
            "NSUB/encode",
            256,
            || {},
            || {
                out.clear();
                write_nsub(black_box(&mut to_auth), black_box(&mut out));
            },
        )
    }

    fn sign_nsub(&self) -> Option<f64> {
        let key = AuthPrivateKey::from(Ed25519Private::from_seed([7; 32]));
        let (mut to_auth, mut out) = (Vec::new(), Vec::new());
        write_nsub(&mut to_auth, &mut out);
        self.measure(
            "NSUB/sign",
            1,
            || {},
            || {
                black_box(authorize(&key, None, &CORR_ID, black_box(&to_auth)).unwrap());
            },
        )
    }

    fn decode_nmsg(&self) -> Option<f64> {
        let mut bytes = Vec::new();
        write_nmsg(&mut bytes);
        self.measure(
            "NMSG/decode",
            256,
            || {},
            || {
                let transmission = Transmission::decode(black_box(&bytes), FORMAT).unwrap();
                assert_eq!(read_nmsg(&transmission), 1);
            },
        )
    }

    fn decode_block(&self) -> Option<f64> {
        let block = full_block();
        let padded = block.get(Layout::sealed(Protocol::Smp).head()..).unwrap();
        self.measure(
            "block/decode",
            16,
            || {},
            || {
                let content = block::content(black_box(padded)).unwrap();
                let batch = BatchReader::new(content, FORMAT).unwrap();
                let read: usize = batch.map(|item| read_nmsg(&item.unwrap())).sum();
                assert_eq!(read, NMSGS);
            },
        )
    }

    /// The bare box; the key chain of block encryption would come on top.
    fn open_block(&self) -> Option<f64> {
        let key = BoxKey::of_key(&[8; 32]);
        let mut sealed = full_block();
        key.seal(&NONCE, &mut sealed);
        let block = RefCell::new(sealed.clone());
        // A block is opened where it lies, so each round needs a sealed one.
        let seal = || block.borrow_mut().copy_from_slice(&sealed);
        self.measure("block/open", 1, seal, || {
            black_box(key.open(&NONCE, black_box(&mut *block.borrow_mut())).unwrap());
        })
    }
}
