//! `handshakes.json`: the hellos of both protocols.

use crate::blocks::sha256;
use crate::file::{Field, Vector, each};
use crate::values;
use ntf_core::model::server::Protocol;
use ntf_core::wire::block::Layout;
use ntf_core::wire::error_code::TransportError;
use ntf_core::wire::hello::{ntf, smp};
use ntf_core::wire::version::{NtfVersion, SmpVersion, VersionRange};

#[test]
fn hellos_are_written_and_read_as_the_reference_does() {
    each("handshakes", |vector| match vector.words()[0] {
        "smp_server_hello" => smp_server(vector),
        "smp_client_hello" | "smp_client_hello_service" => smp_client(vector),
        "smp_server_service_response" => {
            service_answer(
                vector,
                smp::ServiceAnswer::Accepted { service: &vector.input("service_id").hex() },
            );
        }
        "smp_server_service_error" => {
            let error = TransportError::decode(vector.input("error").text().as_bytes()).unwrap();
            assert!(!matches!(error, TransportError::Other(_)), "{}", vector.name);
            service_answer(vector, smp::ServiceAnswer::Refused(error));
        }
        "ntf_server_hello" => ntf_server(vector),
        "ntf_client_hello" => ntf_client(vector),
        other => panic!("{}: no hello is called {other}", vector.name),
    });
}

fn smp_server(vector: &Vector) {
    let (session_id, chain, signed_key) = signed(vector, "cert_chain_der", "signed_key_der");
    let hello = smp::ServerHello {
        versions: range(vector, SmpVersion),
        session_id: &session_id,
        key: Some(smp::SignedKey { chain: slices(&chain), signed_key: &signed_key }),
    };
    let mut out = Vec::new();
    hello.encode(&mut out);
    check(vector, &out, Protocol::Smp);
    let has_key = hello.versions.max().implies_session_id();
    let seen = smp::ServerHello { key: hello.key.clone().filter(|_| has_key), ..hello };
    assert_eq!(smp::ServerHello::decode(&out), Ok(seen.clone()), "{}", vector.name);
    out.extend_from_slice(b"later");
    assert_eq!(smp::ServerHello::decode(&out), Ok(seen), "{} with an extension", vector.name);
}

fn smp_client(vector: &Vector) {
    let (_, chain, signed_key) = signed(vector, "service_cert_chain_der", "service_signed_key_der");
    let service = vector.input("service_role").some().map(|role| smp::ServiceHello {
        role: match role.text() {
            "M" => smp::ServiceRole::Messaging,
            "N" => smp::ServiceRole::Notifier,
            "P" => smp::ServiceRole::Proxy,
            other => panic!("{}: role {other}", vector.name),
        },
        key: smp::SignedKey { chain: slices(&chain), signed_key: &signed_key },
    });
    for version in vector.versions().into_iter().map(SmpVersion) {
        let hello = smp::ClientHello {
            version,
            identity: values::fingerprint(vector.input("key_hash")),
            session_key: vector.input("client_session_key").some().map(values::dh_key),
            is_proxy: vector.input("proxy_server").bool(),
            service: service.clone(),
        };
        let mut out = Vec::new();
        hello.encode(&mut out);
        check(vector, &out, Protocol::Smp);
        let seen = smp::ClientHello {
            session_key: hello.session_key.filter(|_| version.implies_session_id()),
            is_proxy: hello.is_proxy && version.has_proxy_flag(),
            service: hello.service.clone().filter(|_| version.has_services()),
            ..hello
        };
        assert_eq!(smp::ClientHello::decode(&out), Ok(seen), "{}", vector.name);
    }
}

fn service_answer(vector: &Vector, answer: smp::ServiceAnswer<'_>) {
    let mut out = Vec::new();
    answer.encode(&mut out);
    check(vector, &out, Protocol::Smp);
    assert_eq!(smp::ServiceAnswer::decode(&out), Ok(answer), "{}", vector.name);
}

fn ntf_server(vector: &Vector) {
    let (session_id, _, signed_key) = signed(vector, "cert_chain_der", "signed_key_der");
    let hello = ntf::ServerHello {
        versions: range(vector, NtfVersion),
        session_id: &session_id,
        signed_key: Some(&signed_key),
    };
    let mut out = Vec::new();
    hello.encode(&mut out);
    check(vector, &out, Protocol::Ntf);
    let has_key = hello.versions.max().implies_session_id();
    let seen = ntf::ServerHello { signed_key: hello.signed_key.filter(|_| has_key), ..hello };
    assert_eq!(ntf::ServerHello::decode(&out), Ok(seen), "{}", vector.name);
    out.extend_from_slice(b"later");
    assert_eq!(ntf::ServerHello::decode(&out), Ok(seen), "{} with an extension", vector.name);
}

fn ntf_client(vector: &Vector) {
    for version in vector.versions().into_iter().map(NtfVersion) {
        let identity = values::fingerprint(vector.input("key_hash"));
        let hello = ntf::ClientHello { version, identity };
        let mut out = Vec::new();
        hello.encode(&mut out);
        check(vector, &out, Protocol::Ntf);
        assert_eq!(ntf::ClientHello::decode(&out), Ok(hello), "{}", vector.name);
    }
}

fn range<V: ntf_core::wire::version::Version>(vector: &Vector, version: fn(u16) -> V) -> VersionRange<V> {
    VersionRange::new(version(vector.input("min").u16()), version(vector.input("max").u16())).unwrap()
}

fn check(vector: &Vector, content: &[u8], protocol: Protocol) {
    assert_eq!(hex::encode(content), vector.output("encoded").text(), "{}", vector.name);
    let block = Layout::plain(protocol).block(content).unwrap();
    assert_eq!(sha256(&block), vector.output("block_sha256").text(), "{}", vector.name);
    if let Some(whole) = vector.output("block").some() {
        assert_eq!(hex::encode(&block), whole.text(), "{}", vector.name);
    }
}

fn signed(vector: &Vector, chain: &str, key: &str) -> (Vec<u8>, Vec<Vec<u8>>, Vec<u8>) {
    let bytes = |field: Field<'_>| field.some().map(|field| field.hex()).unwrap_or_default();
    let chain = vector.input(chain).some().map(|chain| chain.list()).unwrap_or_default();
    (
        bytes(vector.input("session_id")),
        chain.iter().map(|certificate| certificate.hex()).collect(),
        bytes(vector.input(key)),
    )
}

fn slices(chain: &[Vec<u8>]) -> Vec<&[u8]> {
    chain.iter().map(Vec::as_slice).collect()
}
