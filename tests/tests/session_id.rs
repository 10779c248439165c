//! The session id and the TLS profile against an independent library: OpenSSL in either role.
//!
//! What SimpleX calls the session id is what OpenSSL gives as `SSL_get_finished` on the client and
//! `SSL_get_peer_finished` on the server. Source: `smp-transport` 2.6.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use ntf_core::Wall;
use ntf_core::base::rng::{Seed, Stream};
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::crypto::keys::SigningKey;
use ntf_core::model::server::{Fingerprint, Protocol};
use ntf_core::tls::credentials::{Generated, PemFile, ServerFiles, generate, load};
use ntf_core::tls::{Profile, ServerEndpoint, Session, TlsFault};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    AlpnError, ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslRef, SslStream, SslVerifyMode,
    SslVersion,
};
use openssl::x509::extension::BasicConstraints;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509NameBuilder};

/// Its first eight bytes as the random of a ServerHello make it a HelloRetryRequest. Source: RFC 8446
/// 4.1.3.
const RETRY: [u8; 8] = [0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11];

#[test]
fn our_server_and_an_openssl_client_agree() {
    let made = generated(1);
    for (groups, has_retry) in
        [("X25519", false), ("X25519:X448", false), ("X448:X25519", true), ("P-256:X25519", true)]
    {
        let mut client = Foreign::client(&trusting(&made.ca_crt, groups));
        let mut server = Session::accept(&endpoint(&made.credentials), now());
        let bytes = client.shake_hands(&mut server).unwrap();
        assert_eq!(contains(&bytes, &RETRY), has_retry, "groups = {groups}");
        let transport = server.take_transport().unwrap();
        assert_eq!(transport.session_id.as_slice(), own_finished(client.stream.ssl()), "groups = {groups}");
        assert!(transport.has_alpn);
        assert_eq!(client.stream.ssl().selected_alpn_protocol(), Some(b"smp/1".as_slice()));
        assert_eq!(client.stream.ssl().version_str(), "TLSv1.3");
        assert!(!client.stream.ssl().session_reused());
        client.exchange_blocks(&mut server);
    }
}

#[test]
fn our_client_and_an_openssl_server_agree() {
    let made = generated(1);
    let ca = X509::from_pem(made.ca_crt.as_bytes()).unwrap();
    let leaf = X509::from_pem(made.server_crt.as_bytes()).unwrap();
    let key = PKey::private_key_from_pem(made.server_key.as_bytes()).unwrap();
    for has_retry in [false, true] {
        let mut server = Foreign::server(&serving(&leaf, &ca, &key));
        let mut client = connect(&made.credentials.identity().unwrap());
        if has_retry {
            server.ask_for_a_cookie(&mut client);
        }
        server.shake_hands(&mut client).unwrap();
        let transport = client.take_transport().unwrap();
        assert_eq!(transport.session_id.as_slice(), peer_finished(server.stream.ssl()), "retry: {has_retry}");
        assert!(transport.has_alpn);
        assert_eq!(transport.peer_chain, made.credentials.chain);
        // OpenSSL sends tickets after the handshake; they are passed over.
        server.exchange_blocks(&mut client);
    }
}

#[test]
fn certificates_of_clients_leave_the_session_id_alone() {
    let (made, client_made) = (generated(1), generated(2));
    let (identity, profile) = (made.credentials.identity().unwrap(), Profile::from(Protocol::Smp));
    let pem = |text: &str| X509::from_pem(text.as_bytes()).unwrap();
    let key = |text: &str| PKey::private_key_from_pem(text.as_bytes()).unwrap();

    // An OpenSSL server that asks, as the reference's SMP servers do.
    let (leaf, ca) = (pem(&made.server_crt), pem(&made.ca_crt));
    let mut context = serving_builder(&leaf, &ca, &key(&made.server_key));
    context.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    let context = context.build();
    for shown in [None, Some(&client_made.credentials)] {
        let mut server = Foreign::server(&context);
        let mut client = match shown {
            None => connect(&identity),
            Some(own) => Session::connect_showing(&profile, own, &identity, now()).unwrap(),
        };
        server.shake_hands(&mut client).unwrap();
        let transport = client.take_transport().unwrap();
        assert_eq!(transport.session_id.as_slice(), peer_finished(server.stream.ssl()));
        assert_eq!(transport.showed_certificate, shown.is_some());
        let seen = server.stream.ssl().peer_certificate().map(|leaf| leaf.to_der().unwrap());
        assert_eq!(seen, shown.map(|own| own.chain[0].to_vec()));
    }

    // A server of ours that asks.
    let endpoint = ServerEndpoint::asking_clients(profile, &made.credentials).unwrap();
    for shows in [false, true] {
        let mut context = trusting_builder(&made.ca_crt, "X448:X25519");
        if shows {
            context.set_certificate(&pem(&client_made.server_crt)).unwrap();
            context.add_extra_chain_cert(pem(&client_made.ca_crt)).unwrap();
            context.set_private_key(&key(&client_made.server_key)).unwrap();
        }
        let mut client = Foreign::client(&context.build());
        let mut server = Session::accept(&endpoint, now());
        client.shake_hands(&mut server).unwrap();
        let transport = server.take_transport().unwrap();
        assert_eq!(transport.session_id.as_slice(), own_finished(client.stream.ssl()));
        let expected = if shows { client_made.credentials.chain.clone() } else { Vec::new() };
        assert_eq!(transport.peer_chain, expected);
    }
}

#[test]
fn a_client_of_tls_1_2_is_refused() {
    let made = generated(1);
    let mut context = trusting_builder(&made.ca_crt, "X25519");
    context.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    let mut client = Foreign::client(&context.build());
    let mut server = Session::accept(&endpoint(&made.credentials), now());
    assert!(matches!(client.shake_hands(&mut server), Err(TlsFault::Protocol(_))));
    assert!(server.wants_write(), "the alert");
}

#[test]
fn an_ed448_server_is_recognised() {
    let authority = Signed::authority(&PKey::generate_ed448().unwrap());
    let leaf = authority.sign("localhost", PKey::generate_ed448().unwrap());
    let identity = Fingerprint::new(openssl::sha::sha256(&authority.certificate.to_der().unwrap()));

    let context = serving(&leaf.certificate, &authority.certificate, &leaf.key);
    let mut server = Foreign::server(&context);
    let mut client = connect(&identity);
    server.shake_hands(&mut client).unwrap();
    let transport = client.take_transport().unwrap();
    assert_eq!(transport.session_id.as_slice(), peer_finished(server.stream.ssl()));

    let mut server = Foreign::server(&context);
    let mut client = connect(&generated(1).credentials.identity().unwrap());
    assert_eq!(server.shake_hands(&mut client), Err(TlsFault::WrongIdentity));
}

#[test]
fn the_files_of_an_existing_ed448_server_are_taken_over() {
    let authority = Signed::authority(&PKey::generate_ed448().unwrap());
    let leaf = authority.sign("localhost", PKey::generate_ed448().unwrap());
    let ca_crt = String::from_utf8(authority.certificate.to_pem().unwrap()).unwrap();
    let server_crt = String::from_utf8(leaf.certificate.to_pem().unwrap()).unwrap();
    let server_key = String::from_utf8(leaf.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let files = ServerFiles {
        server_crt: PemFile { name: "server.crt", text: &server_crt },
        ca_crt: PemFile { name: "ca.crt", text: &ca_crt },
        server_key: PemFile { name: "server.key", text: &server_key },
    };
    let credentials = load(&files, now()).unwrap();
    assert!(matches!(credentials.leaf_key, SigningKey::Ed448(_)));
    let mut client = Foreign::client(&trusting(&ca_crt, "X448:X25519"));
    let mut server = Session::accept(&endpoint(&credentials), now());
    client.shake_hands(&mut server).unwrap();
    let transport = server.take_transport().unwrap();
    assert_eq!(transport.session_id.as_slice(), own_finished(client.stream.ssl()));
}

#[test]
fn openssl_reads_our_certificates_as_the_reference_makes_them() {
    let made = generated(1);
    let ca = X509::from_pem(made.ca_crt.as_bytes()).unwrap();
    let leaf = X509::from_pem(made.server_crt.as_bytes()).unwrap();
    let ca_text = text(&ca);
    let leaf_text = text(&leaf);
    assert!(ca.verify(&ca.public_key().unwrap()).unwrap());
    assert!(leaf.verify(&ca.public_key().unwrap()).unwrap());
    assert_eq!(ca.issued(&leaf), openssl::x509::X509VerifyResult::OK);
    for expected in [
        "Subject: CN=SMP server CA, O=SimpleX\n",
        "X509v3 Basic Constraints: critical\n                CA:TRUE\n",
        "X509v3 Subject Key Identifier",
        "X509v3 Authority Key Identifier",
    ] {
        assert!(ca_text.contains(expected), "{expected:?} in {ca_text}");
    }
    for expected in [
        "Issuer: CN=SMP server CA, O=SimpleX\n",
        "Subject: CN=localhost\n",
        "CA:FALSE\n",
        "Digital Signature, Non Repudiation, Key Agreement\n",
        "TLS Web Server Authentication\n",
    ] {
        assert!(leaf_text.contains(expected), "{expected:?} in {leaf_text}");
    }
    // 999,999 days are 2737 years and some months.
    let centuries_from_now = Asn1Time::days_from_now(999_990).unwrap();
    assert!(ca.not_after() > centuries_from_now && leaf.not_after() > centuries_from_now);
    let now = Asn1Time::days_from_now(0).unwrap();
    assert!(ca.not_before() < now && leaf.not_before() < now);
}

/// An OpenSSL session over bytes in memory.
struct Foreign {
    stream: SslStream<Memory>,
    has_accepted: bool,
    role: Role,
}

#[derive(Clone, Copy)]
enum Role {
    Client,
    Server,
}

impl Foreign {
    fn client(context: &SslContext) -> Self {
        let stream = SslStream::new(Ssl::new(context).unwrap(), Memory::default()).unwrap();
        Self { stream, has_accepted: false, role: Role::Client }
    }

    fn server(context: &SslContext) -> Self {
        Self { role: Role::Server, ..Self::client(context) }
    }

    /// Runs both handshakes to their end. Gives all bytes that we sent.
    fn shake_hands(&mut self, ours: &mut Session) -> Result<Vec<u8>, TlsFault> {
        let mut sent = Vec::new();
        loop {
            let is_done = self.step();
            self.to(ours)?;
            let bytes = self.from(ours);
            if is_done && ours.is_up() && bytes.is_empty() {
                return Ok(sent);
            }
            sent.extend(bytes);
        }
    }

    /// Whether the handshake is complete on this side.
    fn step(&mut self) -> bool {
        if self.has_accepted {
            return true;
        }
        let outcome = match self.role {
            Role::Client => self.stream.connect(),
            Role::Server => self.stream.accept(),
        };
        match outcome {
            Ok(()) => self.has_accepted = true,
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::WANT_READ, "{error}");
                // Otherwise the two would wait for each other for ever.
                assert!(self.stream.get_ref().incoming.is_empty());
            }
        }
        self.has_accepted
    }

    /// Answers the first ClientHello with a HelloRetryRequest that carries a cookie.
    fn ask_for_a_cookie(&mut self, client: &mut Session) {
        self.from(client);
        assert!(!self.stream.stateless().unwrap(), "the first hello has no cookie");
        assert!(contains(&self.stream.get_ref().outgoing, &RETRY));
        self.to(client).unwrap();
        self.from(client);
        // A stateless OpenSSL takes nothing but hellos, so it does not get the ChangeCipherSpec that
        // goes before the second one for the sake of middleboxes, and that no transcript contains.
        let incoming = &mut self.stream.get_mut().incoming;
        assert_eq!(incoming.drain(..6).collect::<Vec<_>>(), [0x14, 3, 3, 0, 1, 1]);
        assert!(self.stream.stateless().unwrap(), "the second has it");
    }

    fn to(&mut self, ours: &mut Session) -> Result<(), TlsFault> {
        let bytes = std::mem::take(&mut self.stream.get_mut().outgoing);
        assert_eq!(ours.feed(&bytes)?, bytes.len());
        Ok(())
    }

    fn from(&mut self, ours: &mut Session) -> Vec<u8> {
        let mut bytes = Vec::new();
        while ours.wants_write() {
            ours.write_to(&mut bytes).unwrap();
        }
        self.stream.get_mut().incoming.extend(&bytes);
        bytes
    }

    fn exchange_blocks(&mut self, ours: &mut Session) {
        for number in 0..3 {
            let block = vec![number; 16384];
            self.stream.write_all(&block).unwrap();
            self.to(ours).unwrap();
            assert_eq!(ours.next_block().unwrap(), block);
            ours.queue_block(&block).unwrap();
            self.from(ours);
            let mut received = vec![0; 16384];
            self.stream.read_exact(&mut received).unwrap();
            assert_eq!(received, block);
        }
    }
}

/// A socket whose other end is the test.
#[derive(Debug, Default)]
struct Memory {
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
}

impl Read for Memory {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            Err(io::ErrorKind::WouldBlock.into())
        } else {
            self.incoming.read(into)
        }
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// OpenSSL set up as the reference sets up its TLS. Source: `smp-transport` 2.1.
fn context() -> SslContextBuilder {
    let mut context = SslContext::builder(SslMethod::tls()).unwrap();
    context.set_min_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    context.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256").unwrap();
    context.set_cipher_list("ECDHE-ECDSA-CHACHA20-POLY1305").unwrap();
    context.set_sigalgs_list("ed448:ed25519").unwrap();
    context
}

fn trusting(ca_pem: &str, groups: &str) -> SslContext {
    trusting_builder(ca_pem, groups).build()
}

fn trusting_builder(ca_pem: &str, groups: &str) -> SslContextBuilder {
    let mut context = context();
    context.set_groups_list(groups).unwrap();
    context.set_alpn_protos(b"\x05smp/1").unwrap();
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(X509::from_pem(ca_pem.as_bytes()).unwrap()).unwrap();
    context.set_cert_store(store.build());
    context.set_verify(SslVerifyMode::PEER);
    context
}

fn serving(leaf: &X509, ca: &X509, key: &PKey<Private>) -> SslContext {
    serving_builder(leaf, ca, key).build()
}

fn serving_builder(leaf: &X509, ca: &X509, key: &PKey<Private>) -> SslContextBuilder {
    let mut context = context();
    context.set_groups_list("X448:X25519").unwrap();
    context.set_certificate(leaf).unwrap();
    context.add_extra_chain_cert(ca.clone()).unwrap();
    context.set_private_key(key).unwrap();
    context.set_alpn_select_callback(|_, offered| {
        openssl::ssl::select_next_proto(b"\x05smp/1", offered).ok_or(AlpnError::ALERT_FATAL)
    });
    context.set_stateless_cookie_generate_cb(|_, cookie| {
        cookie[..4].copy_from_slice(b"cake");
        Ok(4)
    });
    context.set_stateless_cookie_verify_cb(|_, cookie| cookie == b"cake");
    context
}

/// A certificate and its key, made with OpenSSL.
struct Signed {
    certificate: X509,
    key: PKey<Private>,
}

impl Signed {
    fn authority(key: &PKey<Private>) -> Self {
        Self { certificate: certificate("SMP server CA", key, "SMP server CA", key, true), key: key.clone() }
    }

    fn sign(&self, host: &str, key: PKey<Private>) -> Self {
        Self { certificate: certificate(host, &key, "SMP server CA", &self.key, false), key }
    }
}

fn certificate(
    subject: &str,
    key: &PKey<Private>,
    issuer: &str,
    issuer_key: &PKey<Private>,
    is_ca: bool,
) -> X509 {
    let name = |text| {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", text).unwrap();
        name.build()
    };
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(if is_ca { 1 } else { 2 }).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&name(subject)).unwrap();
    builder.set_issuer_name(&name(issuer)).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(999_999).unwrap()).unwrap();
    builder.set_pubkey(key).unwrap();
    let mut constraints = BasicConstraints::new();
    if is_ca {
        constraints.critical().ca();
    }
    builder.append_extension(constraints.build().unwrap()).unwrap();
    builder.sign(issuer_key, MessageDigest::null()).unwrap();
    builder.build()
}

fn generated(number: u64) -> Generated {
    let mut rng = Seed::from_number(number).stream(Stream::Keys);
    generate("SMP server CA", "localhost", now(), &mut rng).unwrap()
}

fn endpoint(credentials: &ServerCredentials) -> ServerEndpoint {
    ServerEndpoint::new(Profile::from(Protocol::Smp), credentials).unwrap()
}

fn connect(identity: &Fingerprint) -> Session {
    Session::connect(&Profile::from(Protocol::Smp), identity, now()).unwrap()
}

/// Real time: OpenSSL looks at its own clock.
fn now() -> Wall {
    Wall::from_secs(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

/// What `openssl x509 -text` prints. Versions differ in the spaces around an equals sign.
fn text(certificate: &X509) -> String {
    String::from_utf8(certificate.to_text().unwrap()).unwrap().replace(" = ", "=")
}

fn own_finished(ssl: &SslRef) -> Vec<u8> {
    let mut tag = vec![0; 64];
    let length = ssl.finished(&mut tag);
    tag.truncate(length);
    tag
}

fn peer_finished(ssl: &SslRef) -> Vec<u8> {
    let mut tag = vec![0; 64];
    let length = ssl.peer_finished(&mut tag);
    tag.truncate(length);
    tag
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
