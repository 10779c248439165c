//! Chains built here, with one fault each; a chain made by OpenSSL with the reference's recipe; and the
//! signed key of `smp-transport` 9.3.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use alloc::vec;

use super::*;
use crate::base::fault::PeerFault;
use crate::crypto::examples::{ed25519, unhex, x25519};
use crate::crypto::keys::{Ed25519Public, LeafPublicKey};

/// 2026-11-22 22:07:17 UTC, the second from which the chain of OpenSSL is valid.
const NOW: i64 = 1_795_385_237;

#[test]
fn a_chain_made_with_openssl() {
    let chain = [unhex(OPENSSL_LEAF), unhex(OPENSSL_CA)];
    let fingerprint = "1d4091653873a782419561668f738eec17c815837e5fae6135e2ba4ff5be3149";
    let identity = Fingerprint::new(unhex(fingerprint).try_into().unwrap());
    let key = leaf_public_key(&chain[0]).unwrap();
    assert_eq!(identity_of(&chain), Ok(identity));
    // The dates include their own seconds; the end is 4764-10-18 22:07:17.
    for (now, expected) in [
        (NOW - 1, Err(ChainFault::Validity)),
        (NOW, Ok(key)),
        (NOW + 999_999 * 86_400, Ok(key)),
        (NOW + 999_999 * 86_400 + 1, Err(ChainFault::Validity)),
        (-1, Err(ChainFault::Validity)),
    ] {
        assert_eq!(validate_server_chain(&chain, &identity, now), expected, "now = {now}");
    }
    assert_eq!(validate_service_chain(&chain, NOW), Ok((key, identity)));
}

#[test]
fn every_shape_of_chain() {
    let (root, network, identity, leaf) = (root(), authority(2, 1, None), authority(3, 2, None), leaf(4, 3));
    let key = LeafPublicKey::Ed25519(ed25519(4).public());
    let under_root = Spec { issuer: 1, signer: 1, ..leaf.clone() };
    let identity_under_root = Spec { issuer: 1, signer: 1, ..identity.clone() };
    for (chain, server, service) in [
        (vec![], Err(ChainFault::Shape), Err(ChainFault::Shape)),
        (vec![&root], Err(ChainFault::Shape), Ok(1)),
        (vec![&under_root, &root], Ok(key), Ok(4)),
        (vec![&leaf, &identity_under_root, &root], Ok(key), Ok(4)),
        (vec![&leaf, &identity, &network, &root], Ok(key), Ok(4)),
        (vec![&leaf, &identity, &network, &root, &root], Err(ChainFault::Shape), Err(ChainFault::Shape)),
    ] {
        let chain = build(&chain);
        let identity = chain.get(1).map_or(Fingerprint::new([0; 32]), |der| fingerprint(der));
        assert_eq!(validate_server_chain(&chain, &identity, NOW), server, "{} certificates", chain.len());
        let service = service.map(|subject| LeafPublicKey::Ed25519(ed25519(subject).public()));
        assert_eq!(validate_service_chain(&chain, NOW).map(|(key, _)| key), service, "{}", chain.len());
    }
}

#[test]
fn each_fault_has_its_name() {
    let (root, leaf) = (root(), leaf(4, 3));
    let identity = authority(3, 1, None);
    for (what, chain, expected) in [
        ("nothing", vec![leaf.clone(), identity.clone(), root.clone()], None),
        (
            "a leaf of version 1",
            vec![
                Spec { version_3: false, extensions: vec![], ..leaf.clone() },
                identity.clone(),
                root.clone(),
            ],
            Some(ChainFault::LeafVersion),
        ),
        (
            "a leaf named as if issued by another",
            vec![Spec { issuer: 9, ..leaf.clone() }, identity.clone(), root.clone()],
            Some(ChainFault::Issuer),
        ),
        (
            "a leaf signed by another key than the identity's",
            vec![Spec { signer: 9, ..leaf.clone() }, identity.clone(), root.clone()],
            Some(ChainFault::Signature),
        ),
        (
            "an identity not signed by the root",
            vec![leaf.clone(), Spec { signer: 9, ..identity.clone() }, root.clone()],
            Some(ChainFault::Signature),
        ),
        (
            "a foreign root over a foreign leaf, with the true identity between",
            vec![Spec { issuer: 9, signer: 9, ..leaf.clone() }, identity.clone(), authority(9, 9, None)],
            Some(ChainFault::Issuer),
        ),
        (
            "an identity that is no authority",
            vec![leaf.clone(), Spec { extensions: vec![], ..identity.clone() }, root.clone()],
            Some(ChainFault::NotAuthority),
        ),
        (
            "an identity whose constraint says no",
            vec![leaf.clone(), Spec { extensions: vec![not_ca()], ..identity.clone() }, root.clone()],
            Some(ChainFault::NotAuthority),
        ),
        (
            "an identity that may not sign certificates",
            vec![
                leaf.clone(),
                Spec { extensions: vec![ca(None), key_usage(DIGITAL_SIGNATURE)], ..identity.clone() },
                root.clone(),
            ],
            Some(ChainFault::NotAuthority),
        ),
        (
            "an identity that may sign certificates",
            vec![
                leaf.clone(),
                Spec { extensions: vec![ca(None), key_usage(KEY_CERT_SIGN)], ..identity.clone() },
                root.clone(),
            ],
            None,
        ),
        (
            "a constraint that is no constraint",
            vec![
                leaf.clone(),
                Spec { extensions: vec![extension("551d13", b"?")], ..identity.clone() },
                root.clone(),
            ],
            Some(ChainFault::Malformed),
        ),
        (
            "an expired identity below the root",
            vec![leaf.clone(), Spec { not_after: b"250101000000Z", ..identity.clone() }, root.clone()],
            Some(ChainFault::Validity),
        ),
        (
            "an expired root, of which only the key counts",
            vec![leaf.clone(), identity.clone(), Spec { not_after: b"250101000000Z", ..root.clone() }],
            None,
        ),
        (
            "a root without a constraint",
            vec![leaf.clone(), identity.clone(), Spec { extensions: vec![], ..root.clone() }],
            None,
        ),
        (
            "a key that does not sign",
            vec![Spec { spki: x25519(1).public().to_spki().into(), ..leaf.clone() }, identity, root],
            Some(ChainFault::Algorithm),
        ),
    ] {
        let chain = build(&chain.iter().collect::<Vec<_>>());
        let identity = identity_of(&chain).unwrap();
        let fault = validate_server_chain(&chain, &identity, NOW).err();
        assert_eq!(fault, expected, "{what}");
        assert_eq!(validate_service_chain(&chain, NOW).err(), expected, "{what}, as a service");
    }
}

#[test]
fn a_path_may_be_bounded() {
    for (len, expected) in [(0, Some(ChainFault::NotAuthority)), (1, None)] {
        // The network certificate has one other between itself and the leaf.
        let chain = build(&[&leaf(4, 3), &authority(3, 2, Some(0)), &authority(2, 1, Some(len)), &root()]);
        assert_eq!(validate_service_chain(&chain, NOW).err(), expected, "len = {len}");
    }
}

#[test]
fn only_the_identity_of_the_address_will_do() {
    let chain = build(&[&leaf(4, 1), &root()]);
    for wrong in [fingerprint(&chain[0]), Fingerprint::new([0; 32])] {
        assert_eq!(validate_server_chain(&chain, &wrong, NOW), Err(ChainFault::WrongIdentity));
    }
}

#[test]
fn the_only_certificate_of_a_service_must_have_signed_itself() {
    for (signer, issuer, expected) in
        [(1, 1, None), (9, 1, Some(ChainFault::Signature)), (1, 9, Some(ChainFault::Issuer))]
    {
        let chain = build(&[&Spec { signer, issuer, ..root() }]);
        assert_eq!(
            validate_service_chain(&chain, NOW).err(),
            expected,
            "signed by {signer}, issued by {issuer}"
        );
        assert_eq!(identity_of(&chain), Ok(fingerprint(&chain[0])));
    }
}

#[test]
fn a_changed_or_cut_leaf_is_refused() {
    let chain = build(&[&leaf(4, 1), &root()]);
    let identity = identity_of(&chain).unwrap();
    let check = |leaf: &[u8]| validate_server_chain(&[leaf, &chain[1]], &identity, NOW);
    assert!(check(&chain[0]).is_ok());
    for at in 0..chain[0].len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = chain[0].clone();
            changed[at] ^= bit;
            assert!(check(&changed).is_err(), "at {at}, bit {bit:#x}");
        }
        assert_eq!(check(&chain[0][..at]), Err(ChainFault::Malformed), "cut at {at}");
    }
    assert_eq!(check(&[chain[0].as_slice(), &[0]].concat()), Err(ChainFault::Malformed));
}

#[cfg(not(feature = "ed448"))]
#[test]
fn without_ed448_its_chains_are_not_supported() {
    let spki = crate::crypto::keys::Ed448Public::new([9; 57]).to_spki();
    let chain = build(&[&leaf(4, 1), &Spec { spki: spki.into(), ..root() }]);
    assert_eq!(validate_service_chain(&chain, NOW), Err(ChainFault::Algorithm));
}

#[test]
fn credentials_know_their_identity() {
    let chain = build(&[&leaf(4, 1), &root()]).into_iter().map(Vec::into_boxed_slice).collect::<Vec<_>>();
    let identity = fingerprint(&chain[1]);
    let credentials = ServerCredentials { chain, leaf_key: SigningKey::Ed25519(ed25519(4)) };
    assert_eq!(credentials.identity(), Ok(identity));
}

#[test]
fn the_signed_key_of_the_worked_examples() {
    // `smp-transport` 9.3.
    let leaf = SigningKey::Ed25519(ed25519(0x88));
    let key = x25519(0x11).public();
    let object = sign_session_key(&leaf, &key);
    assert_eq!(hex::encode(&object), SIGNED_KEY);
    assert_eq!(verify_session_key(&object, &leaf.public()), Ok(key));
}

#[test]
fn a_signed_key_is_of_its_kind_and_by_its_leaf() {
    let leaf = SigningKey::Ed25519(ed25519(0x88));
    let other = LeafPublicKey::Ed25519(ed25519(0x89).public());
    let service = ed25519(0x77).public();
    let object = sign_service_key(&leaf, &service);
    assert_eq!(verify_service_key(&object, &leaf.public()), Ok(service));
    assert!(verify_session_key(&object, &leaf.public()).is_err(), "an Ed25519 key is no session key");
    assert!(verify_service_key(&object, &other).is_err(), "another leaf");
    let object = sign_session_key(&leaf, &x25519(0x11).public());
    assert!(verify_service_key(&object, &leaf.public()).is_err(), "an X25519 key is no service key");
}

#[test]
fn a_changed_or_cut_signed_key_is_refused() {
    let leaf = LeafPublicKey::Ed25519(ed25519(0x88).public());
    let object = unhex(SIGNED_KEY);
    for at in 0..object.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = object.clone();
            changed[at] ^= bit;
            assert!(verify_session_key(&changed, &leaf).is_err(), "at {at}, bit {bit:#x}");
        }
        let cut = verify_session_key(&object[..at], &leaf);
        assert_eq!(cut, Err(PeerFault::Malformed { field: "signed key" }), "cut at {at}");
    }
    assert!(verify_session_key(&[object.as_slice(), &[0]].concat(), &leaf).is_err());
}

#[test]
fn a_key_wrapped_once_is_refused_though_it_was_signed() {
    let (leaf, key) = (ed25519(0x88), x25519(0x11).public());
    let spki = key.to_spki();
    let signature = tlv(0x03, &[&[0], &leaf.sign(&spki)]);
    let object = tlv(0x30, &[&spki, &tlv(0x30, &[&ed25519_oid()]), &signature]);
    let leaf = LeafPublicKey::Ed25519(leaf.public());
    assert!(verify_session_key(&object, &leaf).is_err());
}

#[cfg(feature = "ed448")]
#[test]
fn an_ed448_leaf_signs_keys() {
    let leaf =
        crate::crypto::keys::Ed448Private::from_bytes([9; 57]).signer().map(SigningKey::Ed448).unwrap();
    let key = x25519(0x11).public();
    let object = sign_session_key(&leaf, &key);
    assert_eq!((object.len(), &object[..3]), (173, [0x30, 0x81, 0xaa].as_slice()));
    assert_eq!(verify_session_key(&object, &leaf.public()), Ok(key));
}

/// A certificate to be made. Subjects, issuers and signers are numbers: the names and the keys of those
/// numbers.
#[derive(Clone)]
struct Spec {
    version_3: bool,
    issuer: u8,
    signer: u8,
    not_after: &'static [u8],
    subject: u8,
    spki: Vec<u8>,
    extensions: Vec<Vec<u8>>,
}

fn root() -> Spec {
    authority(1, 1, None)
}

fn authority(subject: u8, issuer: u8, path_len: Option<u8>) -> Spec {
    Spec { extensions: vec![ca(path_len)], ..leaf(subject, issuer) }
}

fn leaf(subject: u8, issuer: u8) -> Spec {
    Spec {
        version_3: true,
        issuer,
        signer: issuer,
        not_after: b"47640101000000Z",
        subject,
        spki: Ed25519Public::to_spki(&ed25519(subject).public()).into(),
        extensions: vec![not_ca()],
    }
}

fn build(specs: &[&Spec]) -> Vec<Vec<u8>> {
    specs.iter().map(|spec| spec.build()).collect()
}

impl Spec {
    fn build(&self) -> Vec<u8> {
        let algorithm = tlv(0x30, &[&ed25519_oid()]);
        // Two digits of the year make a UTCTime, four a GeneralizedTime.
        let time_tag = if self.not_after.len() == 13 { 0x17 } else { 0x18 };
        let validity = tlv(0x30, &[&tlv(0x17, &[b"200101000000Z"]), &tlv(time_tag, &[self.not_after])]);
        let version = if self.version_3 { tlv(0xa0, &[&[0x02, 0x01, 0x02]]) } else { vec![] };
        let extensions = match self.extensions.as_slice() {
            [] => vec![],
            list => tlv(0xa3, &[&tlv(0x30, &[&list.concat()])]),
        };
        let tbs = tlv(
            0x30,
            &[
                &version,
                &[0x02, 0x01, 0x07],
                &algorithm,
                &name(self.issuer),
                &validity,
                &name(self.subject),
                &self.spki,
                &extensions,
            ],
        );
        let signature = tlv(0x03, &[&[0], &ed25519(self.signer).sign(&tbs)]);
        tlv(0x30, &[&tbs, &algorithm, &signature])
    }
}

/// A distinguished name of one common name.
fn name(number: u8) -> Vec<u8> {
    tlv(0x30, &[&tlv(0x31, &[&tlv(0x30, &[&unhex("0603550403"), &tlv(0x0c, &[&[b'A' + number]])])])])
}

fn ed25519_oid() -> Vec<u8> {
    unhex("06032b6570")
}

fn extension(oid: &str, value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&tlv(0x06, &[&unhex(oid)]), &tlv(0x04, &[value])])
}

fn ca(path_len: Option<u8>) -> Vec<u8> {
    let path_len = path_len.map(|len| [0x02, 0x01, len]);
    let path_len = path_len.as_ref().map_or([].as_slice(), |field| field);
    extension("551d13", &tlv(0x30, &[&[0x01, 0x01, 0xff], path_len]))
}

fn not_ca() -> Vec<u8> {
    extension("551d13", &[0x30, 0x00])
}

const DIGITAL_SIGNATURE: [u8; 2] = [7, 0b1000_0000];
const KEY_CERT_SIGN: [u8; 2] = [2, 0b0000_0100];

fn key_usage(bits: [u8; 2]) -> Vec<u8> {
    extension("551d0f", &tlv(0x03, &[&bits]))
}

/// DER of one value of fewer than 65536 bytes.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match len {
        [0, low @ 0..0x80] => vec![tag, low],
        [0, low] => vec![tag, 0x81, low],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [header, content].concat()
}

/// `smp-transport` 9.3, the whole object.
const SIGNED_KEY: &str = "\
    3078302c302a300506032b656e0321007b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13\
    300506032b6570034100b7e67cfbd4fb4e165d8c255c891a2bb52f221f23e30660e104b9c777acfd22b236e48eeb2c8a\
    b39f7acbe772d134c5c76c19f54c9f8324c917b6b5d3dfdc860f";

/// Made with OpenSSL 3.0 as the reference's tool makes them: 999999 days, Ed25519.
const OPENSSL_LEAF: &str = "\
    3082017130820123a003020102021435ba6abd6f9fee1006bc7f550d309dc838f2f8af300506032b6570302a31163014\
    06035504030c0d534d50207365727665722043413110300e060355040a0c0753696d706c65583020170d323631313232\
    3232303731375a180f34373634313031383232303731375a30143112301006035504030c096c6f63616c686f7374302a\
    300506032b6570032100146531881ed7ba5a667459671246db31875380624e9d25eead9a79297682fb63a36f306d3009\
    0603551d1304023000300b0603551d0f0404030203c830130603551d25040c300a06082b06010505070301301d060355\
    1d0e041604148fc0370b256b6e3af56146c6f1afd54e3a0cf28d301f0603551d230418301680146e4f916d392f228686\
    3a12d29c65f8c6fc7e76dc300506032b6570034100e3ae3844b94f3870b6bfc708fba2b13e06c5435f3c3ef09d3cdbfc\
    d9a3f64aa673cd4ab718be8acf615fc4d98e7645c23a3894a6396ff58d5a2a5c2e6212cb03";
const OPENSSL_CA: &str = "\
    308201493081fca00302010202145655c98cc9e4e27360c16c24392f21882350f77e300506032b6570302a3116301406\
    035504030c0d534d50207365727665722043413110300e060355040a0c0753696d706c65583020170d32363131323232\
    32303731375a180f34373634313031383232303731375a302a3116301406035504030c0d534d50207365727665722043\
    413110300e060355040a0c0753696d706c6558302a300506032b6570032100d4f200b2fbaa1a732198c7d6b62abedf91\
    78604181eb58f6b892f42732955e1fa3323030301d0603551d0e041604146e4f916d392f2286863a12d29c65f8c6fc7e\
    76dc300f0603551d130101ff040530030101ff300506032b6570034100d3bd91f3a018298ab3cae2c9fee0f72c884750\
    fdce31c45d11891c40444f0e58a848fef1c5b521dfcb2f8c4020a969692496c4a7099800e56cc46198a7eb040b";
