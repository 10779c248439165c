//! Keys, boxes, chains, authorizations and certificates against the vectors.

use ntf_core::crypto::auth::{authorize, verify};
use ntf_core::crypto::boxed::{BoxKey, Nonce, nonce_from};
use ntf_core::crypto::cert::{
    ChainFault, identity_of, leaf_public_key, validate_server_chain, validate_service_chain,
    verify_service_key, verify_session_key,
};
use ntf_core::crypto::chain::BlockChains;
use ntf_core::crypto::keys::{
    AuthPrivateKey, AuthPublicKey, DhSecret, Ed25519Public, X25519Private, X25519Public,
};
use ntf_core::crypto::pad::{pad, unpad};
use ntf_core::crypto::sha::{sha3_384, sha256, sha512};
use serde_json::Value;

use crate::{bytes, name, vectors};

/// 2026-11-22 22:07:17 UTC, hours after the certificates of the vectors were made.
const NOW: i64 = 1_795_385_237;

#[test]
fn primitives() {
    for vector in vectors("crypto.json") {
        let (name, inputs, outputs) = (name(&vector), &vector["inputs"], &vector["outputs"]);
        match name.split('/').next().unwrap() {
            "x25519_dh" => agrees(inputs, outputs),
            "cb_encrypt" | "sb_encrypt" | "verification_code" => padded_box(name, inputs, outputs),
            "cb_encrypt_no_pad" => bare_box(inputs, outputs),
            "cb_authenticator" => authenticates(inputs, outputs),
            "nonce_from_short_bytes" | "nonce_from_long_bytes" => {
                assert_eq!(nonce_from(&bytes(&inputs["bytes"])).as_slice(), bytes(&outputs["nonce"]));
            }
            "ed25519_sign" => {
                let key = private_key(&inputs["key"]);
                let signature = authorize(&key, None, b"", &bytes(&inputs["message"])).unwrap();
                assert_eq!(signature.as_bytes(), bytes(&outputs["signature"]));
            }
            "hkdf_chain" => chains(inputs, outputs),
            "pad" => pads(name, inputs, outputs),
            "sha3_384" => {
                assert_eq!(sha3_384(&bytes(&inputs["message"])).as_slice(), bytes(&outputs["hash"]))
            }
            "nmsg_meta" => notification_metadata(name, inputs, outputs),
            "rcv_msg_body" => message_body(name, inputs, outputs),
            // Of proxies and of the agent's address hashes, which are no part of this project.
            "reverse_nonce" | "sha3_256" => {}
            _ => panic!("nobody reads the vector {name}"),
        }
    }
}

/// Where blocks are encrypted several at a time, those at the ends are not; the stream must be one.
#[test]
fn the_key_stream_does_not_depend_on_the_length() {
    const LEN_MAX: usize = 1100;
    let (key, nonce) = (BoxKey::of_key(&[7; 32]), [9; 24]);
    let stream_of = |len| {
        let mut data = vec![0; len];
        let _tag = key.seal_detached(&nonce, &mut data);
        data
    };
    let longest = stream_of(LEN_MAX);
    assert_eq!(
        hex::encode(sha256(&longest)),
        "1f49871aab27eb3c5640636cf1459473836156315b4867aa7ba7b194f6186174"
    );
    for len in 0..LEN_MAX {
        assert_eq!(stream_of(len), longest[..len], "{len} bytes");
    }
}

#[test]
fn authorizations_of_ntf_commands() {
    let verified = vectors("ntf_blocks.json").iter().map(authorized).sum::<usize>();
    assert!(verified >= 80, "{verified} verified");
}

#[test]
fn authorizations_of_smp_commands() {
    let verified = vectors("smp_blocks.json").iter().map(authorized).sum::<usize>();
    assert!(verified >= 80, "{verified} verified");
}

#[test]
fn encrypted_blocks() {
    let vectors = vectors("smp_blocks.json");
    for direction in ["client", "server"] {
        let mut chains: Option<(BlockChains, BlockChains)> = None;
        for sequence in 1_u64.. {
            let prefix = format!("encrypted_block/{direction}/{sequence}");
            let Some(vector) = vectors.iter().find(|vector| name(vector) == prefix) else {
                assert!(sequence > 3, "{direction}: only {sequence} blocks");
                break;
            };
            let inputs = &vector["inputs"];
            let server = x25519(&inputs["server_session_key"]);
            let client =
                X25519Public::from_spki(&bytes(&inputs["client_session_key"]["public_spki"])).unwrap();
            let secret = server.agree(&client);
            assert_eq!(secret.expose().as_slice(), bytes(&inputs["dh_secret"]));
            let derive = || BlockChains::derive(&bytes(&inputs["session_id"]), &secret);
            let (sealing, opening) = chains.get_or_insert_with(|| (derive(), derive()));
            let (sealing, opening) = match direction {
                "client" => (&mut sealing.client_to_server, &mut opening.client_to_server),
                _ => (&mut sealing.server_to_client, &mut opening.server_to_client),
            };
            let content = bytes(&inputs["content"]);
            let mut block = [vec![0; 16], pad(&content, 16368).unwrap()].concat();
            sealing.seal_block(&mut block);
            assert_eq!(sha256(&block).as_slice(), bytes(&vector["outputs"]["block_sha256"]), "{prefix}");
            if vector["outputs"]["block"].is_string() {
                assert_eq!(block, bytes(&vector["outputs"]["block"]), "{prefix}");
            }
            assert_eq!(unpad(opening.open_block(&mut block).unwrap()).unwrap(), content, "{prefix}");
        }
    }
}

#[test]
fn certificate_chains_and_signed_keys_of_handshakes() {
    let (mut servers, mut services) = (0, 0);
    for vector in vectors("handshakes.json") {
        let (name, inputs) = (name(&vector), &vector["inputs"]);
        if inputs["cert_chain_der"].is_array() {
            servers += 1;
            let chain = chain(&inputs["cert_chain_der"]);
            let identity = identity_of(&chain).unwrap();
            assert_eq!(identity.as_bytes().as_slice(), bytes(&inputs["ca_fingerprint_sha256"]), "{name}");
            let leaf = validate_server_chain(&chain, &identity, NOW).unwrap();
            assert_eq!(Ok(leaf), leaf_public_key(&chain[0]));
            let key = X25519Public::from_spki(&bytes(&inputs["server_session_key"]["public_spki"])).unwrap();
            let object = bytes(&inputs["signed_key_der"]);
            assert_eq!(verify_session_key(&object, &leaf), Ok(key), "{name}");

            let mut changed = object;
            *changed.last_mut().unwrap() ^= 0x80;
            assert!(verify_session_key(&changed, &leaf).is_err(), "{name}");
            assert_eq!(validate_server_chain(&chain, &identity, NOW - 86_400), Err(ChainFault::Validity));
        }
        if inputs["service_cert_chain_der"].is_array() {
            services += 1;
            let mut chain = chain(&inputs["service_cert_chain_der"]);
            let (leaf, identity) = validate_service_chain(&chain, NOW).unwrap();
            assert_eq!(Ok(identity), identity_of(&chain));
            let key =
                Ed25519Public::from_spki(&bytes(&inputs["service_session_key"]["public_spki"])).unwrap();
            assert_eq!(
                verify_service_key(&bytes(&inputs["service_signed_key_der"]), &leaf),
                Ok(key),
                "{name}"
            );

            *chain[0].last_mut().unwrap() ^= 0x80;
            assert_eq!(validate_service_chain(&chain, NOW), Err(ChainFault::Signature), "{name}");
        }
    }
    assert_eq!((servers, services), (7, 6));
}

fn agrees(inputs: &Value, outputs: &Value) {
    let (a, b) = (x25519(&inputs["a"]), x25519(&inputs["b"]));
    for (public, key) in [(&inputs["a"], &a), (&inputs["b"], &b)] {
        assert_eq!(key.public().as_bytes().as_slice(), bytes(&public["public_raw"]));
        assert_eq!(key.public().to_spki().as_slice(), bytes(&public["public_spki"]));
    }
    assert_eq!(a.agree(&b.public()).expose().as_slice(), bytes(&outputs["secret"]));
    assert_eq!(b.agree(&a.public()).expose().as_slice(), bytes(&outputs["secret_other_side"]));
}

/// The box key of whichever secret a vector names.
fn box_key(inputs: &Value) -> BoxKey {
    let secret =
        ["dh_secret", "token_dh_secret"].iter().map(|field| &inputs[field]).find(|value| value.is_string());
    match secret {
        Some(secret) => BoxKey::of_dh(&DhSecret::new(array(secret))),
        None => BoxKey::of_key(&array(&inputs["key"])),
    }
}

fn padded_box(name: &str, inputs: &Value, outputs: &Value) {
    let message = ["message", "code"].iter().map(|field| &inputs[field]).find(|value| value.is_string());
    seals_and_opens(
        name,
        inputs,
        &array(&inputs["nonce"]),
        &bytes(message.unwrap()),
        &bytes(&outputs["encrypted"]),
    );
}

fn seals_and_opens(name: &str, inputs: &Value, nonce: &Nonce, message: &[u8], expected: &[u8]) {
    let key = box_key(inputs);
    let mut sealed = key.seal_padded(nonce, message, padded_len(inputs)).unwrap();
    assert_eq!(sealed, expected, "{name}");
    assert_eq!(key.open_padded(nonce, &mut sealed), Ok(message), "{name}");
}

fn bare_box(inputs: &Value, outputs: &Value) {
    let message = bytes(&inputs["message"]);
    let mut buf = [[0; 16].as_slice(), &message].concat();
    box_key(inputs).seal(&array(&inputs["nonce"]), &mut buf);
    assert_eq!(buf, bytes(&outputs["encrypted"]));
    assert_eq!(box_key(inputs).open(&array(&inputs["nonce"]), &mut buf).unwrap(), message);
}

fn authenticates(inputs: &Value, outputs: &Value) {
    let (key, session) = (private_key(&inputs["client_key"]), x25519(&inputs["server_key"]));
    let (nonce, message) = (bytes(&inputs["nonce"]), bytes(&inputs["message"]));
    assert_eq!(sha512(&message).as_slice(), bytes(&outputs["sha512"]));
    let authenticator = authorize(&key, Some(&session.public()), &nonce, &message).unwrap();
    assert_eq!(authenticator.as_bytes(), bytes(&outputs["authenticator"]));
    assert!(verify(key.public().as_ref(), Some(&session), &nonce, &message, authenticator.as_bytes()));
}

/// The chain keys are no part of the API; what they box is.
fn chains(inputs: &Value, outputs: &Value) {
    let secret = DhSecret::new(array(&inputs["dh_secret"]));
    let mut chain = BlockChains::derive(&bytes(&inputs["session_id"]), &secret).server_to_client;
    let mut expected = vec![7; 100];
    let mut sealed = expected.clone();
    BoxKey::of_key(&array(&outputs["step1_key"])).seal(&array(&outputs["step1_nonce"]), &mut expected);
    chain.seal_block(&mut sealed);
    assert_eq!(sealed, expected);
}

fn pads(name: &str, inputs: &Value, outputs: &Value) {
    let message = bytes(&inputs["message"]);
    let padded = pad(&message, padded_len(inputs)).ok();
    assert_eq!(padded, outputs["padded"].as_str().map(|text| hex::decode(text).unwrap()), "{name}");
    if let Some(padded) = padded {
        assert_eq!(unpad(&padded), Ok(message.as_slice()), "{name}");
    }
}

/// short(message id) || Int64 time. `smp-transport` 6.1.
fn notification_metadata(name: &str, inputs: &Value, outputs: &Value) {
    let (ours, theirs) = (x25519(&inputs["rcv_ntf_dh_key"]), x25519(&inputs["srv_ntf_dh_key"]));
    assert_eq!(ours.agree(&theirs.public()).expose().as_slice(), bytes(&inputs["dh_secret"]));
    let id = bytes(&inputs["msg_id"]);
    let time = inputs["msg_ts"].as_i64().unwrap().to_be_bytes();
    let meta = [[u8::try_from(id.len()).unwrap()].as_slice(), &id, &time].concat();
    seals_and_opens(name, inputs, &array(&inputs["nonce"]), &meta, &bytes(&outputs["enc_nmsg_meta"]));
}

/// Int64 time || flag || space || body, boxed under the message id. `smp-transport` 5.5.
fn message_body(name: &str, inputs: &Value, outputs: &Value) {
    let time = inputs["msg_ts"].as_i64().unwrap().to_be_bytes();
    let flag = if inputs["notification"].as_bool().unwrap() { b"T " } else { b"F " };
    let body = [time.as_slice(), flag, &bytes(&inputs["body"])].concat();
    assert_eq!(body, bytes(&outputs["decrypted"]), "{name}");
    let nonce = nonce_from(&bytes(&inputs["msg_id"]));
    let sealed = box_key(inputs).seal_padded(&nonce, &body, padded_len(inputs)).unwrap();
    assert_eq!(sealed.len() as u64, outputs["encrypted_length"].as_u64().unwrap(), "{name}");
    assert_eq!(sha256(&sealed).as_slice(), bytes(&outputs["encrypted_sha256"]), "{name}");
}

/// Makes and verifies the authorizations of one vector, and gives their number.
fn authorized(vector: &Value) -> usize {
    let (name, inputs, outputs) = (name(vector), &vector["inputs"], &vector["outputs"]);
    match name.split('/').next().unwrap() {
        "client" if outputs["authorization"].is_null() => 0,
        "client" => {
            check(name, inputs, &inputs["auth_key"], &inputs["corr_id"], outputs, &[]);
            1
        }
        "client_service" => {
            check_service(name, inputs, outputs);
            1
        }
        "client_batch" => {
            let (sent, made) =
                (inputs["transmissions"].as_array().unwrap(), outputs["transmissions"].as_array());
            // Some batches are given by their blocks alone.
            let made = made.map(Vec::as_slice).unwrap_or_default();
            for (sent, made) in sent.iter().zip(made) {
                let key = &inputs[format!("{}_key", sent["key"].as_str().unwrap())];
                check(name, inputs, key, &sent["corr_id"], made, &[]);
            }
            made.len()
        }
        "server" | "server_batch" | "encrypted_block" => 0,
        _ => panic!("nobody reads the vector {name}"),
    }
}

/// Authorizes as `key` over `prefix || signed_bytes`, compares, and verifies as the server does.
fn check(name: &str, inputs: &Value, key: &Value, corr_id: &Value, outputs: &Value, prefix: &[u8]) {
    let expected = bytes(&outputs["authorization"]);
    let (corr_id, to_auth) = (bytes(corr_id), [prefix, &bytes(&outputs["signed_bytes"])].concat());
    let (key, public) = (private_key(key), AuthPublicKey::from_spki(&bytes(&key["public_spki"])).unwrap());
    let session = x25519(&inputs["server_session_key"]);
    let authorization = authorize(&key, Some(&session.public()), &corr_id, &to_auth).unwrap();
    assert_eq!(authorization.as_bytes(), expected, "{name}");
    assert!(verify(Some(&public), Some(&session), &corr_id, &to_auth, &expected), "{name}");
    assert!(!verify(None, Some(&session), &corr_id, &to_auth, &expected), "{name}");
}

/// A queue's key covers the service's fingerprint too, the service's key never does.
fn check_service(name: &str, inputs: &Value, outputs: &Value) {
    let service = &inputs["service_session_key"];
    if !outputs["service_signature"].is_string() {
        return check(name, inputs, service, &inputs["corr_id"], outputs, &[]);
    }
    check(
        name,
        inputs,
        &inputs["auth_key"],
        &inputs["corr_id"],
        outputs,
        &bytes(&inputs["service_cert_hash"]),
    );
    let signature = authorize(&private_key(service), None, b"", &bytes(&outputs["signed_bytes"])).unwrap();
    assert_eq!(signature.as_bytes(), bytes(&outputs["service_signature"]), "{name}");
}

fn chain(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().unwrap().iter().map(bytes).collect()
}

/// The private key of a vector, after its forms were compared.
fn private_key(value: &Value) -> AuthPrivateKey {
    let der = bytes(&value["private_pkcs8"]);
    let key = AuthPrivateKey::from_pkcs8(&der).unwrap();
    assert_eq!(*key.to_pkcs8(), der);
    assert_eq!(key.public().unwrap().to_spki(), bytes(&value["public_spki"]));
    key
}

fn x25519(value: &Value) -> X25519Private {
    match private_key(value) {
        AuthPrivateKey::X25519(key) => key,
        AuthPrivateKey::Ed25519(_) | AuthPrivateKey::Ed448(_) => panic!("{value} is not an X25519 key"),
    }
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn padded_len(inputs: &Value) -> usize {
    inputs["padded_length"].as_u64().unwrap().try_into().unwrap()
}
