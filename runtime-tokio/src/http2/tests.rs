//! The client against a server whose frames are written by hand, and the files a person gets wrong.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_lite::future::zip;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use futures_rustls::TlsAcceptor;
use futures_rustls::server::TlsStream;
use ntf_core::model::token::Provider;
use ntf_core::push::effect::{Request, RequestId};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;

use crate::http2::{Endpoint, OwnedAnswer, ProviderConfig, Providers, Roots, SetUpFault, read_key_file};
use crate::rt::{TcpListener, TcpStream, run, spawn};
use crate::standin::make_provider_key;
use crate::wait::timeout;

/// Frames of HTTP/2 (RFC 9113, 4.1): length, type, flags, stream, payload.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const SETTINGS_ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
/// GOAWAY with last stream 0 and NO_ERROR: no request was processed.
const GOAWAY_NONE: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// GOAWAY with last stream 1 and INTERNAL_ERROR: the first request may have been processed.
const GOAWAY_FIRST: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
/// A PING that nobody else sends.
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, b'a', b'n', b's', b'w', b'e', b'r', b'm', b'e'];
/// RST_STREAM of stream 1 with REFUSED_STREAM, CANCEL and INTERNAL_ERROR.
const RESET_REFUSED: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
const RESET_CANCEL: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
const RESET_INTERNAL: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2];

#[test]
fn frames_tell_whether_a_request_was_processed() {
    run(1, async {
        for (what, frames, expected) in [
            ("goodbye before the request", GOAWAY_NONE, OwnedAnswer::NotProcessed),
            ("goodbye after the request", GOAWAY_FIRST, OwnedAnswer::Broken),
            ("refused stream", RESET_REFUSED, OwnedAnswer::NotProcessed),
            ("cancelled stream", RESET_CANCEL, OwnedAnswer::Broken),
            ("failed stream", RESET_INTERNAL, OwnedAnswer::Broken),
            ("closed connection", &[], OwnedAnswer::Broken),
            ("no HTTP/2 at all", b"HTTP/1.1 400 Bad Request\r\n\r\n", OwnedAnswer::Broken),
        ] {
            let server = RawServer::start(&[b"h2"]).await;
            let providers = server.providers(ProviderConfig::default());
            let (answer, ()) = zip(providers.send(request(5)), async {
                let mut tls = server.accept().await;
                read_request(&mut tls).await;
                tls.write_all(frames).await.unwrap();
                tls.close().await.unwrap();
            })
            .await;
            assert_eq!(answer, expected, "{what}");
        }
    })
    .unwrap();
}

#[test]
fn one_request_goes_ahead_until_the_settings_have_come() {
    run(1, async {
        let server = RawServer::start(&[b"h2"]).await;
        let providers = server.providers(ProviderConfig::default());
        for _ in 0..5 {
            let providers = providers.clone();
            spawn(async move { providers.send(request(20)).await });
        }
        let mut tls = server.try_accept().await.unwrap();
        let mut seen = Vec::new();
        read_until(&mut tls, &mut seen, |seen| bodies(seen) > 0).await;
        // The answer to a PING comes after everything that was sent before.
        tls.write_all(PING).await.unwrap();
        read_until(&mut tls, &mut seen, |seen| seen.windows(8).any(|window| window == &PING[9..])).await;
        assert_eq!(bodies(&seen), 1, "one, and nothing of those that wait");
        tls.write_all(SETTINGS).await.unwrap();
        read_until(&mut tls, &mut seen, |seen| bodies(seen) == 5).await;
        let meters = providers.meters();
        assert_eq!((meters.made.total(), meters.streams, meters.waiting), (1, 5, 0));
    })
    .unwrap();
}

#[test]
fn a_connection_that_gives_no_sign_of_life_is_broken() {
    run(1, async {
        let server = RawServer::start(&[b"h2"]).await;
        let providers = server.providers(ProviderConfig {
            ping_interval: Duration::from_millis(50),
            ping_timeout: Duration::from_millis(50),
            ..ProviderConfig::default()
        });
        let (answer, _kept_open) = zip(providers.send(request(20)), async {
            let mut tls = server.accept().await;
            read_request(&mut tls).await;
            tls
        })
        .await;
        assert_eq!(answer, OwnedAnswer::Broken);
    })
    .unwrap();
}

#[test]
fn a_server_that_speaks_no_http2_is_named_as_such() {
    run(1, async {
        let server = RawServer::start(&[b"http/1.1"]).await;
        let providers = server.providers(ProviderConfig::default());
        let (checked, _) = zip(providers.check(Provider::ApnsTest), server.try_accept()).await;
        let text = checked.unwrap_err().to_string();
        assert!(text.contains("no HTTP/2 at") && text.contains(&server.url()), "{text}");
    })
    .unwrap();
}

#[test]
fn requests_that_wait_for_one_connection_share_its_failure() {
    run(1, async {
        let server = RawServer::start(&[b"h2"]).await;
        let providers = server.providers(ProviderConfig::default());
        let sends = (0..20).map(|_| {
            let providers = providers.clone();
            spawn(async move { providers.send(request(5)).await })
        });
        let sends: Vec<_> = sends.collect();
        let (tcp, _) = server.listener.accept().await.unwrap();
        drop(tcp);
        for send in sends {
            assert_eq!(send.await.unwrap(), OwnedAnswer::Unreachable);
        }
        let another = timeout(Duration::ZERO, server.listener.accept()).await;
        assert!(another.is_err(), "one connection was tried");
    })
    .unwrap();
}

#[test]
fn a_request_that_runs_out_of_time_while_connecting_was_not_sent() {
    run(1, async {
        let server = RawServer::start(&[b"h2"]).await;
        let providers = server.providers(ProviderConfig::default());
        let mut hurried = request(0);
        hurried.timeout = Duration::from_millis(50);
        assert_eq!(providers.send(hurried).await, OwnedAnswer::Unreachable);
    })
    .unwrap();
}

#[test]
fn connections_are_closed_with_the_last_user() {
    run(1, async {
        let server = RawServer::start(&[b"h2"]).await;
        let providers = server.providers(ProviderConfig::default());
        let (checked, mut tls) = zip(providers.check(Provider::ApnsTest), server.accept()).await;
        checked.unwrap();
        drop(providers);
        let mut rest = Vec::new();
        let ended = timeout(Duration::from_secs(20), tls.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection stayed open");
    })
    .unwrap();
}

#[test]
fn nobody_listening_is_told_with_address_and_advice() {
    run(1, async {
        let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let endpoint = Endpoint::parse(&format!("https://127.0.0.1:{port}")).unwrap();
        let ca_file = TempFile::certificate();
        let mut config =
            ProviderConfig { roots: Roots::File(ca_file.0.clone()), ..ProviderConfig::default() };
        config.endpoint_overrides.insert(Provider::ApnsTest, endpoint);
        let text = Providers::new(&config).unwrap().check(Provider::ApnsTest).await.unwrap_err().to_string();
        for part in ["cannot connect to", &format!("https://127.0.0.1:{port}"), "check the address"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    })
    .unwrap();
}

#[test]
fn addresses_of_providers() {
    for (text, expected) in [
        ("https://api.push.apple.com", Some("https://api.push.apple.com:443")),
        ("https://localhost:8443", Some("https://localhost:8443")),
        ("https://127.0.0.1:1", Some("https://127.0.0.1:1")),
        ("https://[::1]:65535/", Some("https://[::1]:65535")),
        ("", None),
        ("localhost:8443", None),
        ("http://localhost", None),
        ("https://", None),
        ("https://localhost:0", None),
        ("https://localhost:65536", None),
        ("https://localhost:", None),
        ("https://localhost:port", None),
        ("https://localhost/3/device", None),
        ("https://localhost?x", None),
        ("https://user@localhost", None),
        ("https://two words", None),
    ] {
        let parsed = Endpoint::parse(text);
        assert_eq!(parsed.as_ref().ok().map(ToString::to_string).as_deref(), expected, "{text}");
        if let Err(fault) = parsed {
            let sentence = fault.to_string();
            assert!(sentence.contains("write https://host or https://host:port"), "{sentence}");
        }
    }
}

#[test]
fn a_bad_ca_file_is_one_sentence_with_name_and_advice() {
    let good = std::fs::read_to_string(&TempFile::certificate().0).unwrap();
    let damaged = good.replace("-----END", "----END");
    let not_a_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (content, part) in [
        (Some(""), "holds no certificate"),
        (Some("hello"), "holds no certificate"),
        (Some(&damaged), "is damaged PEM"),
        (Some(not_a_certificate), "cannot be read"),
        (None, "check the path"),
    ] {
        let file = content.map(TempFile::new);
        let path = file.as_ref().map_or_else(|| PathBuf::from("/nonexistent/ca.pem"), |file| file.0.clone());
        let config = ProviderConfig { roots: Roots::File(path.clone()), ..ProviderConfig::default() };
        let text = Providers::new(&config).map(|_| ()).unwrap_err().to_string();
        assert!(text.contains(part) && text.contains(path.to_str().unwrap()), "{part:?} in {text}");
        assert!(text.contains("CA file"), "{text}");
    }
}

#[test]
fn a_bad_key_file_is_one_sentence_with_name_and_advice() {
    let good = make_provider_key().unwrap();
    assert!(read_key_file(&TempFile::new(&good).0).is_ok());
    let encrypted = good.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
    for content in ["", "hello", &encrypted, &ed25519, &good[..good.len() / 2]] {
        let file = TempFile::new(content);
        let path = &file.0;
        let fault = read_key_file(path).unwrap_err();
        assert!(matches!(fault, SetUpFault::Malformed { .. }));
        let text = fault.to_string();
        assert!(text.contains(path.to_str().unwrap()) && text.contains("AuthKey_"), "{text}");
    }
    let text = read_key_file(&PathBuf::from("/nonexistent/key.p8")).unwrap_err().to_string();
    assert!(text.contains("/nonexistent/key.p8") && text.contains("check the path"), "{text}");
}

/// A TLS server whose HTTP/2 is written by the test, frame by frame.
struct RawServer {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    ca_file: TempFile,
}

impl RawServer {
    async fn start(protocols: &[&[u8]]) -> Self {
        let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let names = vec!["localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        Self { listener, acceptor, ca_file: TempFile::new(&certificate.pem()) }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.listener.local_addr().unwrap().port())
    }

    fn providers(&self, mut config: ProviderConfig) -> Providers {
        config.roots = Roots::File(self.ca_file.0.clone());
        config.endpoint_overrides.insert(Provider::ApnsTest, Endpoint::parse(&self.url()).unwrap());
        Providers::new(&config).unwrap()
    }

    async fn try_accept(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let (tcp, _) = self.listener.accept().await?;
        self.acceptor.accept(tcp).await
    }

    /// Accepts and says what every HTTP/2 server says first.
    async fn accept(&self) -> TlsStream<TcpStream> {
        let mut tls = self.try_accept().await.unwrap();
        tls.write_all(SETTINGS).await.unwrap();
        tls.write_all(SETTINGS_ACK).await.unwrap();
        tls
    }
}

/// Reads until the end of the first request's body.
async fn read_request(tls: &mut TlsStream<TcpStream>) {
    read_until(tls, &mut Vec::new(), |seen| bodies(seen) > 0).await;
}

/// Reads on until it has seen enough.
async fn read_until(
    tls: &mut TlsStream<TcpStream>,
    seen: &mut Vec<u8>,
    mut is_enough: impl FnMut(&[u8]) -> bool,
) {
    let mut buffer = [0; 4096];
    while !is_enough(seen) {
        let read = tls.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the client closed before it was through");
        seen.extend_from_slice(&buffer[..read]);
    }
}

/// Bodies of requests in what was read.
fn bodies(seen: &[u8]) -> usize {
    seen.windows(BODY.len()).filter(|window| *window == BODY).count()
}

const BODY: &[u8] = b"the body of a request";

fn request(secs: u64) -> Request {
    Request {
        id: RequestId(1),
        provider: Provider::ApnsTest,
        path: "/3/device/00".to_owned(),
        headers: vec![("authorization", "bearer x".to_owned())],
        body: BODY.to_vec(),
        timeout: Duration::from_secs(secs),
    }
}

/// A file that is removed with its value.
struct TempFile(PathBuf);

impl TempFile {
    fn new(content: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ntf-http2-{}-{number}.pem", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    /// A certificate that signed itself.
    fn certificate() -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let names = vec!["localhost".to_owned()];
        Self::new(&CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // A file that cannot be removed is left to the system.
        let _ = std::fs::remove_file(&self.0);
    }
}
