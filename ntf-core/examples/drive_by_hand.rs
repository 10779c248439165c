//! A role driven by hand: a std socket, one thread, no runtime and no async. A client creates a queue on an
//! SMP server and sends a message to it. The loop in [`turn`] is all that an adapter does: perform what the
//! role asks for, wait for bytes or for the deadline, hand them in.
//!
//! Try it: `ntf smp`, then `cargo run -p ntf-core --features client,tls --example drive_by_hand -- smp://…`

#![allow(clippy::disallowed_methods, reason = "clocks and sockets are on this side of the core")]

use std::error::Error;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ntf_core::base::id::LinkId;
use ntf_core::base::rng::Seed;
use ntf_core::client::effect::{Effect, Event};
use ntf_core::client::input::{Command, Input, RequestTag};
use ntf_core::client::{Client, Config};
use ntf_core::link::event::{DownReason, LinkAction, LinkEvent, Transport};
use ntf_core::model::server::Protocol;
use ntf_core::tls::Session;
use ntf_core::wire::text::address::parse_server;
use ntf_core::{Machine, Mono, Now, Step, Wall};

fn main() -> Result<(), Box<dyn Error>> {
    run(&std::env::args().nth(1).ok_or("usage: drive_by_hand smp://…")?)
}

/// Creates a queue on the server at this address, and sends to it.
pub(crate) fn run(address: &str) -> Result<(), Box<dyn Error>> {
    let server = parse_server(address, Protocol::Smp).map_err(|fault| fault.to_string())?;
    let mut random = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let (mut client, mut link) = (Client::new(Config::default(), Seed::new(random), now()), None);
    let tag = RequestTag(1);
    client.handle(now(), Input::Command(Command::CreateQueue { tag, server }));
    loop {
        match turn(&mut client, &mut link)? {
            Some(Event::QueueCreated { address: to, .. }) => {
                let message = b"carried by hand".to_vec();
                client.handle(now(), Input::Command(Command::Send { tag, to, message }));
            }
            Some(Event::Sent { .. }) => break println!("the server took a message for our queue"),
            Some(Event::Failed { why, .. }) => return Err(why.into()),
            Some(_) | None => {}
        }
    }
    Ok(())
}

type Link = (LinkId, TcpStream, Session);

/// Performs what the client asks for; then waits for bytes or for its deadline, and hands in what came.
/// Returns early with what the client tells.
fn turn(client: &mut Client, link: &mut Option<Link>) -> Result<Option<Event>, Box<dyn Error>> {
    let deadline = loop {
        match client.poll() {
            Step::Idle(Some(deadline)) if deadline.at <= now().mono => client.handle(now(), Input::Tick),
            Step::Idle(deadline) => break deadline,
            Step::Do(Effect::Event(event)) => return Ok(Some(event)),
            // For connections that are held; this one lasts a second.
            Step::Do(Effect::Probe(_)) => {}
            Step::Do(Effect::Link(LinkAction::Connect { link: id, protocol, server, .. })) => {
                let host = server.hosts.first().ok_or("an address has a host")?;
                let port = server.port.parse().unwrap_or(protocol.default_port());
                let session = Session::connect(&protocol.into(), &server.identity, now().wall)?;
                *link = Some((id, TcpStream::connect((&**host, port))?, session));
            }
            Step::Do(Effect::Link(LinkAction::Send { block, .. })) => {
                link.as_mut().ok_or("a client sends on a link that is up")?.2.queue_block(&block)?;
            }
            Step::Do(Effect::Link(LinkAction::Close { link: id })) => {
                *link = None;
                client.handle(now(), Input::Link(LinkEvent::Down { link: id, reason: DownReason::Asked }));
            }
        }
    };
    let (id, stream, session) = link.as_mut().ok_or("nothing is left to wait for")?;
    while session.wants_write() {
        session.write_to(stream)?;
    }
    if let Some(up) = session.take_transport() {
        let transport = Transport {
            session_id: up.session_id.as_slice().into(),
            has_alpn: up.has_alpn,
            peer_chain: up.peer_chain,
            showed_certificate: up.showed_certificate,
            source: None,
        };
        client.handle(now(), Input::Link(LinkEvent::Up { link: *id, transport }));
        return Ok(None);
    }
    if let blocks @ 1.. = session.take_sent() {
        client.handle(now(), Input::Link(LinkEvent::Sent { link: *id, blocks }));
        return Ok(None);
    }
    // Zero would mean no timeout at all.
    stream.set_read_timeout(deadline.map(|it| it.at.since(now().mono).max(Duration::from_millis(1))))?;
    let mut bytes = [0; 16_384];
    let count = match stream.read(&mut bytes) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
        Ok(0) => return Err("the server has closed the connection".into()),
        read => read?,
    };
    let mut rest = bytes.get(..count).unwrap_or_default();
    while !rest.is_empty() {
        let taken = session.feed(rest)?;
        rest = rest.get(taken..).unwrap_or_default();
        while let Some(mut block) = session.take_block() {
            client.handle(now(), Input::Link(LinkEvent::Block { link: *id, block: &mut block }));
        }
    }
    Ok(None)
}

fn now() -> Now {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let mono = START.get_or_init(Instant::now).elapsed().as_micros().try_into().unwrap_or(u64::MAX);
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Now { mono: Mono::from_micros(mono), wall: Wall::from_secs(wall) }
}
