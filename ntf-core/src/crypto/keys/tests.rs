//! Keys: the worked examples of `smp-transport` 9.2 and the DER forms of 1.3.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use alloc::format;
use alloc::string::String;

use super::*;
use crate::base::fault::PeerFault;
use crate::base::rng::{Seed, Stream};
use crate::crypto::examples::{ed25519, unhex, x25519};

#[test]
fn public_halves_of_the_worked_examples() {
    // `smp-transport` 9.2, `ntf-protocol` 8.
    for (byte, public) in [
        (0x11, "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"),
        (0x22, "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20"),
        (0x44, "ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b"),
        (0x55, "38ab664bd86f77d7e66bdd9ae0792913a94fd8b33a1260027e4b46c1f4884c67"),
        (0x66, "219e4d800da968d2a5fcb009c784f4746c7138edb9ee4844b739e830b05cf424"),
        (0x77, "1cf579aba45a10ba1d1ef06d91fca2aa9ed0a1150515653155405d0b18cb9a67"),
        (0x88, "30d3c865a48fceb3d6118577cf2e5f228d6ff69866264757785b253cb7a4806a"),
    ] {
        assert_eq!(hex::encode(x25519(byte).public().as_bytes()), public);
    }
    for (byte, public) in [
        (0x33, "17cb79fb2b4120f2b1ec65e4198d6e08b28e813feb01e4a400839b85e18080ce"),
        (0x44, "d759793bbc13a2819a827c76adb6fba8a49aee007f49f2d0992d99b825ad2c48"),
        (0x77, "c853ad0f0cd2b619aea92ceec4fd56a24d6499d584ce79257e45cfd8139b60a7"),
        (0x88, "b2491d9502ae28630a2bacb2e0c74510ffcdd328c334ff3e1393e75b2d31e7dc"),
    ] {
        assert_eq!(hex::encode(ed25519(byte).public().as_bytes()), public);
    }
}

#[test]
fn both_sides_agree_on_the_secret() {
    let (server, client) = (x25519(0x11), x25519(0x22));
    let secret = "9e004098efc091d4ec2663b4e9f5cfd4d7064571690b4bea97ab146ab9f35056";
    assert_eq!(hex::encode(server.agree(&client.public()).expose()), secret);
    assert_eq!(hex::encode(client.agree(&server.public()).expose()), secret);
}

#[test]
fn public_keys_travel_in_their_constant_der() {
    for (der, key) in [
        (
            "302a300506032b657003210017cb79fb2b4120f2b1ec65e4198d6e08b28e813feb01e4a400839b85e18080ce".into(),
            AuthPublicKey::Ed25519(ed25519(0x33).public()),
        ),
        (
            "302a300506032b656e0321000faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20".into(),
            AuthPublicKey::X25519(x25519(0x22).public()),
        ),
        (
            format!("3043300506032b6571033a00{}", "09".repeat(57)),
            AuthPublicKey::Ed448(Ed448Public::new([9; 57])),
        ),
    ] {
        let der: String = der;
        assert_eq!(hex::encode(key.to_spki()), der);
        assert_eq!(key.spki_len(), key.to_spki().len());
        assert_eq!(AuthPublicKey::from_spki(&unhex(&der)), Ok(key));
    }
}

#[test]
fn anything_else_is_not_a_public_key() {
    let good = ed25519(0x33).public().to_spki();
    let refused = Err(PeerFault::Malformed { field: "public key" });
    for len in 0..good.len() {
        assert_eq!(AuthPublicKey::from_spki(&good[..len]), refused, "len = {len}");
    }
    assert_eq!(AuthPublicKey::from_spki(&[good.as_slice(), &[0]].concat()), refused);
    for at in 0..12 {
        let mut changed = good;
        changed[at] ^= 0x80;
        assert_eq!(AuthPublicKey::from_spki(&changed), refused, "at = {at}");
    }
    // X448 is a key of the protocol's world that authorizes nothing.
    assert_eq!(
        AuthPublicKey::from_spki(&unhex(&format!("3042300506032b656f033900{}", "09".repeat(56)))),
        refused
    );
}

#[test]
fn each_use_takes_its_own_algorithms() {
    let (x, ed, ed448) = (x25519(1).public(), ed25519(1).public(), Ed448Public::new([1; 57]));
    assert_eq!(X25519Public::from_spki(&x.to_spki()), Ok(x));
    assert!(X25519Public::from_spki(&ed.to_spki()).is_err());
    assert_eq!(Ed25519Public::from_spki(&ed.to_spki()), Ok(ed));
    assert!(Ed25519Public::from_spki(&x.to_spki()).is_err());
    assert_eq!(LeafPublicKey::from_spki(&ed.to_spki()), Ok(LeafPublicKey::Ed25519(ed)));
    assert_eq!(LeafPublicKey::from_spki(&ed448.to_spki()), Ok(LeafPublicKey::Ed448(ed448)));
    assert!(LeafPublicKey::from_spki(&x.to_spki()).is_err());
}

#[test]
fn private_keys_travel_as_pkcs8() {
    for (prefix, len, key) in [
        ("302e020100300506032b657004220420", 32, AuthPrivateKey::from(ed25519(9))),
        ("302e020100300506032b656e04220420", 32, AuthPrivateKey::from(x25519(9))),
        ("3047020100300506032b6571043b0439", 57, AuthPrivateKey::from(Ed448Private::from_bytes([9; 57]))),
    ] {
        let der = format!("{prefix}{}", "09".repeat(len));
        assert_eq!(hex::encode(&*key.to_pkcs8()), der);
        assert_eq!(AuthPrivateKey::from_pkcs8(&unhex(&der)), Ok(key));
        assert!(AuthPrivateKey::from_pkcs8(&unhex(&der[2..])).is_err());
        assert!(AuthPrivateKey::from_pkcs8(&unhex(&format!("{der}00"))).is_err());
    }
}

#[test]
fn signatures_are_those_of_the_crate() {
    use ed25519_dalek::Signer as _;
    for (seed, len) in (0..).zip([0, 1, 47, 48, 111, 112, 200, 5000]) {
        let (seed, message) = ([seed; 32], alloc::vec![0x5a; len]);
        let theirs = ed25519_dalek::SigningKey::from_bytes(&seed).sign(&message).to_bytes();
        let key = Ed25519Private::from_seed(seed);
        assert_eq!(key.sign(&message), theirs, "{len} bytes");
    }
}

#[test]
fn keys_of_certificates_sign() {
    let ed25519_der = AuthPrivateKey::from(ed25519(0x88)).to_pkcs8();
    let key = SigningKey::from_pkcs8(&ed25519_der).unwrap();
    assert_eq!(key.public(), LeafPublicKey::Ed25519(ed25519(0x88).public()));
    let signature = key.sign(b"hello");
    assert_eq!(signature.as_bytes().len(), ED25519_SIGNATURE_LEN);
    assert!(key.public().verify(b"hello", signature.as_bytes()));
    assert!(!key.public().verify(b"hallo", signature.as_bytes()));
    assert!(!key.public().verify(b"hello", &signature.as_bytes()[1..]));
    assert!(SigningKey::from_pkcs8(&AuthPrivateKey::from(x25519(1)).to_pkcs8()).is_err());
}

#[cfg(feature = "ed448")]
#[test]
fn ed448_keys_of_certificates_sign() {
    // RFC 8032, 7.4, "1 octet".
    let seed = "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e";
    let public = "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480";
    let signature = "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd779805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adafd1d234441cf807c03a00";
    let der = unhex(&format!("3047020100300506032b6571043b0439{seed}"));
    let key = SigningKey::from_pkcs8(&der).unwrap();
    assert_eq!(key.public(), LeafPublicKey::Ed448(Ed448Public::new(unhex(public).try_into().unwrap())));
    assert_eq!(hex::encode(key.sign(&[0x03]).as_bytes()), signature);
    assert!(key.public().verify(&[0x03], &unhex(signature)));
    assert!(!key.public().verify(&[0x04], &unhex(signature)));
}

#[cfg(not(feature = "ed448"))]
#[test]
fn without_ed448_its_keys_are_kept_but_do_not_sign() {
    let key = AuthPrivateKey::from(Ed448Private::from_bytes([9; 57]));
    assert_eq!(key.public(), None);
    assert!(SigningKey::from_pkcs8(&key.to_pkcs8()).is_err());
}

#[test]
fn bytes_that_are_no_point_verify_nothing() {
    // y = 2 is not on the curve of Ed25519.
    let mut bytes = [0; 32];
    bytes[0] = 2;
    assert!(!Ed25519Public::new(bytes).verify(b"", &[0; 64]));
    assert!(!Ed448Public::new([0xff; 57]).verify(b"", &[0; 114]));
}

#[test]
fn the_dummies_are_points_so_that_verifying_under_them_takes_its_time() {
    let ed25519 = Ed25519Public::DUMMY;
    assert!(ed25519_dalek::VerifyingKey::from_bytes(ed25519.as_bytes()).is_ok());
    #[cfg(feature = "ed448")]
    assert!(ed448_goldilocks_plus::VerifyingKey::from_bytes(Ed448Public::DUMMY.as_bytes()).is_ok());
}

#[test]
fn generated_keys_come_from_the_seed() {
    let rng = || Seed::from_number(7).stream(Stream::Keys);
    assert_eq!(X25519Private::generate(&mut rng()), X25519Private::generate(&mut rng()));
    assert_eq!(Ed25519Private::generate(&mut rng()), Ed25519Private::generate(&mut rng()));
    let mut rng = rng();
    assert_ne!(X25519Private::generate(&mut rng), X25519Private::generate(&mut rng));
}

#[test]
fn keys_do_not_print() {
    let printed = format!(
        "{:?} {:?} {:?} {:?}",
        AuthPrivateKey::from(ed25519(0x41)),
        AuthPublicKey::X25519(X25519Public::new([0x41; 32])),
        SigningKey::Ed25519(ed25519(0x41)),
        DhSecret::new([0x41; 32]),
    );
    assert!(!printed.contains("41") && !printed.contains("65") && !printed.contains("AAA"), "{printed}");
}
