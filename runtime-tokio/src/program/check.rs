//! `ntf check`: is this installation one that a device can use? Each step says what it found, or what failed and
//! what to do.
//!
//! The first steps go to each server by hand, so that a failure names the layer: address, name, TCP, TLS and
//! fingerprint, hello with its versions and session id. The last ones are a device's: a registration, a queue, a
//! message through it, and everything deleted again.

#![allow(clippy::wildcard_enum_match_arm, reason = "a step passes over events that it does not wait for")]

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::client::{Client, Config, Mode};
use ntf_core::host::mailbox::{self, Receiver};
use ntf_core::link::dialect::{Dialect, Ntf, Smp};
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::model::token::{Provider, TokenStatus};
use ntf_core::tls::{Alert, Session, TlsFault, Transport};
use ntf_core::wire::{block, text};
use serde_json::json;

use crate::clock::Clock;
use crate::driver::{LETTERS_MAX, Letter};
use crate::program::announce::{print, randomness, sentence};
use crate::program::cli;
use crate::program::demo::device_token;
use crate::program::device::wait_for;
use crate::program::failure::Failure;
use crate::roles::ClientMail;
use crate::service::{Running, run_client};
use crate::standin::watch_pushes;

/// How long one step may take. Source: ours; a server that takes longer is of no use to a person who waits.
const PATIENCE: Duration = Duration::from_secs(15);

/// Says how steps went.
struct Steps {
    json: bool,
    failed: usize,
}

impl Steps {
    fn good(&mut self, of: &str, step: &str, found: &str) {
        match self.json {
            true => print(&json!({ "of": of, "step": step, "ok": true, "found": found }).to_string()),
            false => print(&format!("ok      {of:<11} {step:<13} {found}")),
        }
    }

    fn bad(&mut self, of: &str, step: &str, what: &str, remedy: &str) {
        self.failed += 1;
        match self.json {
            true => print(
                &json!({ "of": of, "step": step, "ok": false, "failed": what, "remedy": remedy }).to_string(),
            ),
            false => {
                print(&format!("FAILED  {of:<11} {step:<13} {what}"));
                print(&format!("        {:<11} {:<13} {remedy}", "", ""));
            }
        }
    }
}

/// What went wrong at a step, and what to do.
struct Trouble {
    step: &'static str,
    what: String,
    remedy: &'static str,
}

/// Runs `ntf check`.
///
/// # Errors
///
/// When a step failed; each has been told by then.
pub async fn run(options: cli::Check) -> Result<(), Failure> {
    let mut steps = Steps { json: options.json, failed: 0 };
    let server = layers::<Ntf>(&mut steps, "subscriber", &options.server);
    let smp = options.smp.as_deref().map(|smp| layers::<Smp>(&mut steps, "SMP server", smp));
    if steps.failed == 0
        && let Some(server) = server
    {
        let stand_in = options.stand_in.as_deref().zip(options.stand_in_ca.as_deref());
        as_device(&mut steps, server, smp.flatten(), stand_in).await?;
    }
    match steps.failed {
        0 => Ok(()),
        1 => Err(Failure::failed("One step failed.")),
        failed => Err(Failure::failed(format!("{failed} steps failed."))),
    }
}

/// The steps below the protocol; the address if all went well.
fn layers<D: Dialect>(steps: &mut Steps, of: &'static str, address: &str) -> Option<ServerAddress> {
    match reach::<D>(steps, of, address) {
        Ok(server) => Some(server),
        Err(Trouble { step, what, remedy }) => {
            steps.bad(of, step, &what, remedy);
            None
        }
    }
}

fn reach<D: Dialect>(steps: &mut Steps, of: &'static str, address: &str) -> Result<ServerAddress, Trouble> {
    let server = text::address::parse_server(address, D::PROTOCOL).map_err(|fault| Trouble {
        step: "address",
        what: fault.to_string(),
        remedy: "give the address as the server prints it when it starts",
    })?;
    steps.good(of, "address", "is well formed");
    let addresses = resolve(D::PROTOCOL, &server)?;
    steps.good(of, "DNS", &format!("{} addresses", addresses.len()));
    let stream = connect(&addresses)?;
    steps.good(of, "TCP", "a connection is accepted");
    let mut link = Link::open(stream, &server, D::PROTOCOL)?;
    let transport = link.handshake()?;
    let alpn = if transport.has_alpn { "with ALPN" } else { "without ALPN" };
    steps.good(of, "TLS", &format!("1.3, {alpn}; the certificates are those of the address"));
    let mut hello = link.block()?;
    steps.good(of, "hello", &read_hello::<D>(&mut hello, &transport)?);
    Ok(server)
}

fn resolve(protocol: Protocol, server: &ServerAddress) -> Result<Vec<SocketAddr>, Trouble> {
    let port = match &*server.port {
        "" => Some(protocol.default_port()),
        port => port.parse().ok(),
    };
    let port = port.ok_or_else(|| Trouble {
        step: "address",
        what: "its port is not a number up to 65535".to_owned(),
        remedy: "give the address as the server prints it when it starts",
    })?;
    let mut why = String::from("it has onion hosts only");
    for host in server.hosts.iter().filter(|host| !host.ends_with(".onion")) {
        match (&**host, port).to_socket_addrs() {
            Ok(addresses) => return Ok(addresses.collect()),
            Err(error) => why = format!("{host}: {error}"),
        }
    }
    Err(Trouble {
        step: "DNS",
        what: why,
        remedy: "add an A or AAAA record for the host, or use its IP address",
    })
}

fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Trouble> {
    let mut why = String::from("the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => why = format!("port {}: {error}", address.port()),
        }
    }
    let remedy =
        "check that the server runs, that it listens on that port, and that no firewall is in the way";
    Err(Trouble { step: "TCP", what: why, remedy })
}

/// A connection by hand.
struct Link {
    stream: TcpStream,
    session: Session,
    by: Instant,
}

impl Link {
    fn open(stream: TcpStream, server: &ServerAddress, protocol: Protocol) -> Result<Self, Trouble> {
        let wall = Clock::start().now().wall;
        let session =
            Session::connect(&protocol.into(), &server.identity, wall).map_err(|fault| tls(&fault))?;
        Ok(Self { stream, session, by: Instant::now() + PATIENCE })
    }

    fn handshake(&mut self) -> Result<Transport, Trouble> {
        loop {
            self.flush()?;
            if let Some(transport) = self.session.take_transport() {
                return Ok(transport);
            }
            self.read(
                "TLS",
                "check that nothing but the server answers at that port: no web server, no proxy",
            )?;
        }
    }

    fn block(&mut self) -> Result<Box<[u8]>, Trouble> {
        loop {
            self.flush()?;
            if let Some(block) = self.session.take_block() {
                return Ok(block);
            }
            self.read("hello", "the other side speaks TLS but not this protocol: check the port")?;
        }
    }

    fn flush(&mut self) -> Result<(), Trouble> {
        while self.session.wants_write() {
            self.session.write_to(&mut self.stream).map_err(|error| Trouble {
                step: "TLS",
                what: error.to_string(),
                remedy: "the connection broke: look into the server's log",
            })?;
        }
        Ok(())
    }

    fn read(&mut self, step: &'static str, remedy: &'static str) -> Result<(), Trouble> {
        let trouble = |what: &str| Trouble { step, what: what.to_owned(), remedy };
        let left = self.by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(trouble("the server did not answer within 15 seconds"));
        }
        let _ = self.stream.set_read_timeout(Some(left));
        let mut bytes = [0; 16_384];
        let count = match self.stream.read(&mut bytes) {
            Ok(0) => return Err(trouble("the server closed the connection")),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(());
            }
            Err(error) => return Err(trouble(&error.to_string())),
        };
        let mut rest = bytes.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            let taken = self.session.feed(rest).map_err(|fault| tls(&fault))?;
            rest = rest.get(taken..).unwrap_or_default();
            if taken == 0 {
                break;
            }
        }
        Ok(())
    }
}

fn tls(fault: &TlsFault) -> Trouble {
    let (step, remedy) = match fault {
        TlsFault::WrongIdentity => (
            "fingerprint",
            "another server answers there, or it has a new identity: compare with the address that it prints",
        ),
        TlsFault::BadCertificate(_) | TlsFault::BadSignature => (
            "certificate",
            "the server's certificate is not valid for its identity: make it anew with ntf init, and check both \
             clocks",
        ),
        TlsFault::NoCommonProtocol | TlsFault::Alert(NO_APPLICATION_PROTOCOL) => {
            ("TLS", "the other side is a server of another kind: check host and port")
        }
        _ => ("TLS", "check that nothing but the server answers at that port: no web server, no proxy"),
    };
    Trouble { step, what: fault.to_string(), remedy }
}

/// Source: RFC 7301, 3.2.
const NO_APPLICATION_PROTOCOL: Alert = Alert(120);

fn read_hello<D: Dialect>(hello: &mut [u8], transport: &Transport) -> Result<String, Trouble> {
    let trouble = |what: &str, remedy| Trouble { step: "hello", what: what.to_owned(), remedy };
    let no_hello = "the other side speaks TLS but not this protocol: check the port";
    let content = block::content(hello).map_err(|_| trouble("the first block is no hello", no_hello))?;
    let hello = D::decode_server_hello(content)
        .map_err(|fault| trouble(&format!("the hello does not parse: {fault}"), no_hello))?;
    if hello.session_id != transport.session_id.as_slice() {
        return Err(trouble(
            "its session id is not that of the connection",
            "something between here and the server ends TLS: connect to the server itself",
        ));
    }
    let ours = if transport.has_alpn { D::VERSIONS } else { D::VERSIONS_WITHOUT_ALPN };
    match ours.agree(&hello.versions) {
        Some(version) => {
            Ok(format!("the session id is that of the connection; version {} is agreed", number(version)))
        }
        None => Err(trouble(
            &format!(
                "it offers versions {} to {}, and {} to {} are spoken here",
                number(hello.versions.min()),
                number(hello.versions.max()),
                number(ours.min()),
                number(ours.max())
            ),
            "install a version of the server that speaks one of these",
        )),
    }
}

/// A version as people know it.
fn number(version: impl std::fmt::Debug) -> String {
    format!("{version:?}").chars().filter(char::is_ascii_digit).collect()
}

/// The steps of a device: it registers, makes a queue, gets a message, and leaves nothing behind.
async fn as_device(
    steps: &mut Steps,
    server: ServerAddress,
    smp: Option<ServerAddress>,
    stand_in: Option<(&str, &Path)>,
) -> Result<(), Failure> {
    let clock = Clock::start();
    let role = Client::new(Config::default(), randomness()?, clock.now());
    let (tell, mut events) = mailbox::bounded(LETTERS_MAX);
    let client = run_client(role, clock, move |event| drop(tell.try_send(event)));
    let mut device = device_token()?;
    let pushes = match stand_in {
        Some((url, ca)) => {
            let token = String::from_utf8_lossy(&device.token).into_owned();
            match watch_pushes(url, ca, &token).await {
                Ok(pushes) => Some(pushes),
                Err(fault) => {
                    steps.bad(
                        "stand-in",
                        "pushes",
                        &fault,
                        "start it with ntf stand-in, and give its CA file",
                    );
                    None
                }
            }
        }
        None => {
            device.provider = Provider::ApnsNull;
            client.send(ClientMail::Command(Command::SetMode(Mode::Off)));
            None
        }
    };
    let has_pushes = pushes.is_some();
    let mailbox = client.mailbox();
    let forward = async move {
        if let Some(mut pushes) = pushes {
            while let Some(body) = pushes.recv().await {
                let _ = mailbox.try_send(Letter::Mail(ClientMail::Push(body)));
            }
        }
        std::future::pending().await
    };
    let work = async {
        client.send(ClientMail::Command(Command::Register { server, device }));
        if let Err(trouble) = live(steps, &client, &mut events, smp, has_pushes).await {
            steps.bad("device", trouble.step, &trouble.what, trouble.remedy);
        }
    };
    or(work, forward).await;
    client.stop().await;
    Ok(())
}

async fn live(
    steps: &mut Steps,
    client: &Running<Client>,
    events: &mut Receiver<Event>,
    smp: Option<ServerAddress>,
    has_pushes: bool,
) -> Result<(), Trouble> {
    let wanted = if has_pushes { TokenStatus::Active } else { TokenStatus::Registered };
    let remedy = match has_pushes {
        true => {
            "look into the subscriber's log for what became of the verification push: keys, endpoint, provider"
        }
        false => "let the subscriber take test devices (allow_test_provider), or give --stand-in",
    };
    step(events, "registration", remedy, |event| (*event == Event::Token(wanted)).then_some(())).await?;
    let found =
        if has_pushes { "verified by a push" } else { "taken, with the provider that pushes to nobody" };
    steps.good("device", "registration", found);
    if let Some(server) = smp {
        message(steps, client, events, server, has_pushes).await?;
    } else if !steps.json {
        eprintln!("No --smp given: queues and messages are not checked.");
    }
    client.send(ClientMail::Command(Command::Unregister));
    step(events, "leaving", "the registration expires by itself", |event| {
        (*event == Event::Unregistered).then_some(())
    })
    .await?;
    steps.good("device", "leaving", "nothing is left behind");
    Ok(())
}

async fn message(
    steps: &mut Steps,
    client: &Running<Client>,
    events: &mut Receiver<Event>,
    server: ServerAddress,
    has_pushes: bool,
) -> Result<(), Trouble> {
    let tag = RequestTag(1);
    client.send(ClientMail::Command(Command::CreateQueue { tag, server }));
    let (queue, to) =
        step(events, "queue", "let the SMP server create queues without a password", |event| match event {
            Event::QueueCreated { queue, address, .. } => Some((*queue, address.clone())),
            _ => None,
        })
        .await?;
    steps.good("device", "queue", "created");
    if has_pushes {
        let remedy = "check that the subscriber can reach the SMP server by the host in its address";
        step(events, "subscription", remedy, |event| {
            matches!(event, Event::Subscription { .. }).then_some(())
        })
        .await?;
        steps.good("device", "subscription", "the subscriber watches the queue");
    }
    let text = b"ntf check".to_vec();
    client.send(ClientMail::Command(Command::SendUnsigned { tag, to, message: text.clone() }));
    step(events, "sending", "look into the SMP server's log", |event| {
        matches!(event, Event::Sent { .. }).then_some(())
    })
    .await?;
    steps.good("device", "sending", "the SMP server took a message");
    if !has_pushes {
        client.send(ClientMail::Command(Command::FetchAll));
    }
    let remedy = match has_pushes {
        true => "look into the logs of subscriber and push server for what became of the push",
        false => "look into the SMP server's log",
    };
    step(events, "message", remedy, |event| match event {
        Event::Message { message, .. } => Some(*message == text),
        _ => None,
    })
    .await?;
    let found = if has_pushes { "announced by a push, fetched and opened" } else { "fetched and opened" };
    steps.good("device", "message", found);
    client.send(ClientMail::Command(Command::DeleteQueue { queue }));
    step(events, "deletion", "the queue expires by itself", |event| {
        matches!(event, Event::QueueDeleted { .. }).then_some(())
    })
    .await?;
    steps.good("device", "deletion", "the queue is gone");
    Ok(())
}

async fn step<T>(
    events: &mut Receiver<Event>,
    step: &'static str,
    remedy: &'static str,
    wanted: impl FnMut(&Event) -> Option<T>,
) -> Result<T, Trouble> {
    wait_for(events, PATIENCE, wanted).await.map_err(|trouble| Trouble {
        step,
        what: trouble.map_or_else(|| "nothing came within 15 seconds".to_owned(), |why| sentence(&why)),
        remedy,
    })
}
