//! What is made can be read again, and what cannot be read is called by its name.

use std::format;
use std::string::{String, ToString};

use base64ct::{Base64, Encoding};

use super::*;
use crate::base::rng::{Seed, Stream};
use crate::base::time::Wall;
use crate::crypto::cert::{ChainFault, fingerprint, validate_server_chain};

/// In the year 2033.
const NOW: Wall = Wall::from_secs(2_000_000_000);

/// What precedes the 57 bytes of an Ed448 key in PKCS#8.
const ED448_PKCS8_PREFIX: [u8; 16] = [0x30, 0x47, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x71, 4, 0x3b, 4, 0x39];

#[test]
fn clients_accept_what_is_made_for_centuries() {
    let made = made(1);
    let identity = made.credentials.identity().unwrap();
    assert_eq!(identity, fingerprint(&made.credentials.chain[1]));
    let day = 86_400;
    let validity = 999_999 * day;
    for (now, is_valid) in
        [(-day - 1, false), (-day, true), (0, true), (validity, true), (validity + 1, false)]
    {
        let outcome = validate_server_chain(&made.credentials.chain, &identity, NOW.unix_secs() + now);
        assert_eq!(outcome.is_ok(), is_valid, "{now} seconds from the making");
    }
}

#[test]
fn the_same_seed_makes_the_same_certificates() {
    assert_eq!(made(1).credentials.chain, made(1).credentials.chain);
    assert_ne!(made(1).credentials.chain, made(2).credentials.chain);
}

#[test]
fn what_is_made_can_be_read_again() {
    let made = made(1);
    for server_crt in [made.server_crt.clone(), format!("{}{}", made.server_crt, made.ca_crt)] {
        let loaded = load(&files(&server_crt, &made.ca_crt, &made.server_key), NOW).unwrap();
        assert_eq!(loaded.chain, made.credentials.chain);
        assert_eq!(loaded.leaf_key.public(), made.credentials.leaf_key.public());
    }
}

#[test]
fn only_hosts_that_fit_are_certified() {
    let longest = "h".repeat(64);
    let too_long = "h".repeat(65);
    for (host, is_fit) in [
        ("smp.example.com", true),
        ("2001:db8::1", true),
        (longest.as_str(), true),
        ("", false),
        (too_long.as_str(), false),
        ("two words", false),
        ("größe", false),
        ("line\n", false),
    ] {
        let mut rng = Seed::from_number(1).stream(Stream::Keys);
        let outcome = generate("NTF server CA", host, NOW, &mut rng).map(|_| ());
        let fault = CredentialsFault { file: "the server's host".into(), problem: Problem::Host };
        assert_eq!(outcome, if is_fit { Ok(()) } else { Err(fault) }, "host = {host:?}");
    }
}

#[test]
fn a_clock_far_off_does_no_harm() {
    let mut rng = Seed::from_number(1).stream(Stream::Keys);
    for now in [Wall::from_millis(0), Wall::from_millis(u64::MAX)] {
        assert!(generate("SMP server CA", "localhost", now, &mut rng).is_ok());
    }
}

#[test]
fn each_fault_names_the_file_and_the_problem() {
    let (made, other) = (made(1), made(2));
    let (crt, ca, key) = (made.server_crt.as_str(), made.ca_crt.as_str(), made.server_key.as_str());
    let damaged = crt.replace('M', "*");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let sec1 = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
    let unknown = pem(&[0x30, 0x00]);
    let rubbish_crt = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let rows = [
        (files("", ca, key), "server.crt", Problem::NoCertificate),
        (files(key, ca, key), "server.crt", Problem::NoCertificate),
        (files(&damaged, ca, key), "server.crt", Problem::NotPem),
        (files(crt, "", key), "ca.crt", Problem::NoCertificate),
        (files(crt, ca, ""), "server.key", Problem::NoKey),
        (files(crt, ca, crt), "server.key", Problem::NoKey),
        (files(crt, ca, sec1), "server.key", Problem::NoKey),
        (files(crt, ca, encrypted), "server.key", Problem::EncryptedKey),
        (files(crt, ca, &unknown), "server.key", Problem::KeyKind),
        (files(crt, ca, &other.server_key), "server.key", Problem::KeyMismatch),
        (files(crt, ca, &made.ca_key), "server.key", Problem::KeyMismatch),
        (files(rubbish_crt, ca, key), "server.crt", Problem::Chain(ChainFault::Malformed)),
        (files(crt, &other.ca_crt, key), "server.crt", Problem::Chain(ChainFault::Signature)),
        (files(crt, crt, key), "server.crt", Problem::Chain(ChainFault::Shape)),
    ];
    for (files, file, problem) in rows {
        let fault = load(&files, NOW).unwrap_err();
        assert_eq!(fault, CredentialsFault { file: file.into(), problem });
        assert!(fault.to_string().starts_with(file));
    }
    let late = Wall::from_secs(u64::MAX / 1_000_000);
    let expired = load(&files(crt, ca, key), late).unwrap_err();
    assert_eq!(expired.problem, Problem::Chain(ChainFault::Validity));
}

#[test]
fn an_ed448_key_is_used_or_refused_by_name() {
    let made = made(1);
    let mut der = ED448_PKCS8_PREFIX.to_vec();
    der.extend([7; 57]);
    let fault = load(&files(&made.server_crt, &made.ca_crt, &pem(&der)), NOW).unwrap_err();
    let expected = if cfg!(feature = "ed448") { Problem::KeyMismatch } else { Problem::Ed448Key };
    assert_eq!(fault.problem, expected);
}

#[test]
fn no_key_is_printed() {
    let made = made(1);
    let printed = format!("{made:?} {:?}", files(&made.server_crt, &made.ca_crt, &made.server_key));
    assert_eq!(
        printed,
        "Generated(redacted) ServerFiles { server_crt: PemFile(server.crt), ca_crt: PemFile(ca.crt), \
         server_key: PemFile(server.key) }"
    );
}

fn made(number: u64) -> Generated {
    let mut rng = Seed::from_number(number).stream(Stream::Keys);
    generate("SMP server CA", "smp.example.com", NOW, &mut rng).unwrap()
}

fn files<'a>(server_crt: &'a str, ca_crt: &'a str, server_key: &'a str) -> ServerFiles<'a> {
    ServerFiles {
        server_crt: PemFile { name: "server.crt", text: server_crt },
        ca_crt: PemFile { name: "ca.crt", text: ca_crt },
        server_key: PemFile { name: "server.key", text: server_key },
    }
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", Base64::encode_string(der))
}
