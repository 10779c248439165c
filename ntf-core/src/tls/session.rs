//! One TLS session without a socket: bytes from the network in, whole blocks out, and back.
//!
//! An adapter runs the same few lines for every connection: write what [`Session::write_to`] has, read
//! from the socket, [`Session::feed`] the bytes, take [`Session::take_transport`] once and
//! [`Session::next_block`] until there is none. Nothing in here waits. The session decides nothing about
//! blocks beyond their length; their meaning is `link`'s.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use std::io::{self, Write};

use rustls::server::Acceptor;
use rustls::{Connection, IoState};

use super::buffers::{Incoming, OUTGOING_BYTES_MAX, Outgoing};
use super::config::{self, ServerEndpoint, ShownIfAsked};
use super::fault::{SendFault, TlsFault};
use super::profile::Profile;
use super::provider::{SessionId, drive, provider};
use crate::base::time::Wall;
use crate::crypto::cert::ServerCredentials;
use crate::model::server::Fingerprint;

/// What TLS learned while connecting.
#[derive(Clone)]
pub struct Transport {
    /// The client's Finished value on both sides. Source: `smp-transport` 2.6.
    pub session_id: SessionId,
    /// Whether any ALPN name was agreed; without one only the oldest version is spoken. Source: 2.4.
    pub has_alpn: bool,
    /// The peer's certificates as DER, leaf first; empty when it showed none.
    pub peer_chain: Vec<Box<[u8]>>,
    /// Whether we showed a certificate of our own as a client. Source: 2.7.
    pub showed_certificate: bool,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transport(alpn: {}, peer certificates: {})", self.has_alpn, self.peer_chain.len())
    }
}

/// One side of a TLS session.
pub struct Session {
    engine: Engine,
    /// The time of creation. Handshakes last a minute at most, so certificates are judged by it.
    wall: Wall,
    incoming: Incoming,
    outgoing: Outgoing,
    /// The last Finished value while connecting.
    tag: Option<SessionId>,
    phase: Phase,
    /// Whether we have said goodbye: nothing goes out after it.
    has_closed: bool,
    /// A client's certificates.
    shown: Option<Arc<ShownIfAsked>>,
}

/// What rustls offers for the state we are in.
enum Engine {
    /// A server before the whole ClientHello has come.
    Accepting { acceptor: Box<Acceptor>, endpoint: ServerEndpoint },
    /// Everything after that.
    Talking(Box<Connection>),
    /// A server that refused a ClientHello; what is left is to say so.
    Refused { alert: Vec<u8> },
}

/// How far the session is.
enum Phase {
    Connecting,
    /// Up; the transport is here until it is taken.
    Up(Option<Box<Transport>>),
    /// The peer has closed TLS; blocks that came before may still be waiting.
    Closed,
    Failed(TlsFault),
}

impl Session {
    /// A client's side, whose ClientHello is waiting to be written.
    ///
    /// Offers the ALPN name of the profile.
    ///
    /// # Errors
    ///
    /// The operating system has no randomness to give.
    pub fn connect(profile: &Profile, identity: &Fingerprint, wall: Wall) -> Result<Self, TlsFault> {
        Self::connect_offering(profile, &[profile.alpn], identity, wall)
    }

    /// A client's side that offers other ALPN names, such as `http/1.1` on a web port, or none at all.
    ///
    /// Source: `smp-transport` 2.4, 2.5.
    ///
    /// # Errors
    ///
    /// The operating system has no randomness to give.
    pub fn connect_offering(
        profile: &Profile,
        names: &[&[u8]],
        identity: &Fingerprint,
        wall: Wall,
    ) -> Result<Self, TlsFault> {
        Self::start(profile, names, identity, ShownIfAsked::default(), wall)
    }

    /// A client's side that shows these certificates if the server asks for any.
    ///
    /// For services towards SMP servers (source: `smp-transport` 2.7) and wherever both sides are pinned.
    ///
    /// # Errors
    ///
    /// The operating system has no randomness to give.
    pub fn connect_showing(
        profile: &Profile,
        credentials: &ServerCredentials,
        identity: &Fingerprint,
        wall: Wall,
    ) -> Result<Self, TlsFault> {
        Self::start(profile, &[profile.alpn], identity, ShownIfAsked::new(credentials), wall)
    }

    fn start(
        profile: &Profile,
        names: &[&[u8]],
        identity: &Fingerprint,
        shown: ShownIfAsked,
        wall: Wall,
    ) -> Result<Self, TlsFault> {
        let shown = Arc::new(shown);
        let (connection, _) = drive(wall, || config::client(provider(), names, identity, Arc::clone(&shown)));
        let engine = Engine::Talking(Box::new(Connection::Client(connection?)));
        Ok(Self { shown: Some(shown), ..Self::new(engine, profile.block_len, wall) })
    }

    /// A server's side, waiting for a ClientHello.
    #[must_use]
    pub fn accept(endpoint: &ServerEndpoint, wall: Wall) -> Self {
        let engine = Engine::Accepting { acceptor: Box::default(), endpoint: endpoint.clone() };
        Self::new(engine, endpoint.profile().block_len, wall)
    }

    fn new(engine: Engine, block_len: usize, wall: Wall) -> Self {
        let (incoming, outgoing) = (Incoming::new(block_len), Outgoing::default());
        let phase = Phase::Connecting;
        Self { engine, wall, incoming, outgoing, tag: None, phase, has_closed: false, shown: None }
    }

    /// Whether bytes of the peer would be taken: false while a whole block waits, and when all is over.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        match self.phase {
            Phase::Connecting => true,
            Phase::Up(_) => !self.incoming.is_whole(),
            Phase::Closed | Phase::Failed(_) => false,
        }
    }

    /// Takes bytes of the peer, and says how many.
    ///
    /// Fewer than given means that a whole block waits: take it with [`Session::next_block`], then feed
    /// the rest. After the peer's goodbye everything is taken and ignored.
    ///
    /// # Errors
    ///
    /// The session is over, now or since an earlier call. Write out what [`Session::write_to`] has (the
    /// alert that tells the peer) and close.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, TlsFault> {
        let mut rest = bytes;
        // Small blocks: several may have come in one record, and the caller need not have taken them all.
        self.fill();
        while !rest.is_empty() && self.wants_read() {
            if let Err(fault) = self.step(&mut rest) {
                self.phase = Phase::Failed(fault);
            }
        }
        match &self.phase {
            Phase::Failed(fault) => Err(fault.clone()),
            Phase::Closed => Ok(bytes.len()),
            Phase::Connecting | Phase::Up(_) => Ok(bytes.len().saturating_sub(rest.len())),
        }
    }

    /// The end of the peer's bytes. `Ok` when it had said goodbye.
    ///
    /// # Errors
    ///
    /// It had not: the connection broke, somebody cut it, or the peer does without goodbyes.
    pub fn end_of_input(&mut self) -> Result<(), TlsFault> {
        match &self.phase {
            Phase::Closed => Ok(()),
            Phase::Failed(fault) => Err(fault.clone()),
            Phase::Connecting | Phase::Up(_) => {
                self.phase = Phase::Failed(TlsFault::Truncated);
                Err(TlsFault::Truncated)
            }
        }
    }

    /// What TLS learned, once, as soon as the handshake is complete.
    pub fn take_transport(&mut self) -> Option<Transport> {
        match &mut self.phase {
            Phase::Up(transport) => transport.take().map(|transport| *transport),
            Phase::Connecting | Phase::Closed | Phase::Failed(_) => None,
        }
    }

    /// The next whole block, to be used where it lies; its bytes are scrap afterwards.
    ///
    /// An idle session holds no block buffer: it comes with the first byte of a block and goes when
    /// this finds nothing.
    pub fn next_block(&mut self) -> Option<&mut [u8]> {
        self.fill();
        self.incoming.lend()
    }

    /// The next whole block, to keep. The same bytes as [`Session::next_block`], without a copy.
    pub fn take_block(&mut self) -> Option<Box<[u8]>> {
        self.fill();
        self.incoming.take()
    }

    /// Whether the handshake is complete and neither side has closed.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up(_))
    }

    /// Whether the peer has said goodbye.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether [`Session::queue_block`] would take a block.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.is_up() && !self.has_closed && self.outgoing.unsent() < OUTGOING_BYTES_MAX
    }

    /// Encrypts a block and queues it for the socket.
    ///
    /// # Errors
    ///
    /// The session is not up, the length is not the profile's, or the queue is full. Nothing was queued.
    pub fn queue_block(&mut self, block: &[u8]) -> Result<(), SendFault> {
        if block.len() != self.incoming.block_len() {
            return Err(SendFault::WrongLength);
        }
        let Engine::Talking(connection) = &mut self.engine else { return Err(SendFault::NotUp) };
        if !matches!(self.phase, Phase::Up(_)) || self.has_closed {
            return Err(SendFault::NotUp);
        }
        if self.outgoing.unsent() >= OUTGOING_BYTES_MAX {
            return Err(SendFault::Full);
        }
        connection.writer().write_all(block).map_err(|_| SendFault::NotUp)?;
        // Without fresh bytes this only reports how much waits for the socket.
        match connection.process_new_packets() {
            Ok(state) => {
                self.outgoing.mark_block(state.tls_bytes_to_write());
                Ok(())
            }
            Err(_) => Err(SendFault::NotUp),
        }
    }

    /// Queues the goodbye after everything queued before. Blocks of the peer still come in.
    pub fn close(&mut self) {
        self.has_closed = true;
        if let Engine::Talking(connection) = &mut self.engine {
            connection.send_close_notify();
        }
    }

    /// Whether [`Session::write_to`] has anything.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        match &self.engine {
            Engine::Accepting { .. } => false,
            Engine::Talking(connection) => connection.wants_write(),
            Engine::Refused { alert } => !alert.is_empty(),
        }
    }

    /// Writes queued bytes with one call to `socket` (vectored, if it can), and says how many it took.
    ///
    /// # Errors
    ///
    /// Those of the socket, untouched; `WouldBlock` loses nothing. A `Vec<u8>` is a socket without any.
    pub fn write_to(&mut self, socket: &mut dyn Write) -> io::Result<usize> {
        let written = match &mut self.engine {
            Engine::Accepting { .. } => 0,
            Engine::Talking(connection) => connection.write_tls(socket)?,
            Engine::Refused { alert } => {
                let written = socket.write(alert)?;
                alert.drain(..written.min(alert.len()));
                written
            }
        };
        self.outgoing.advance(written);
        Ok(written)
    }

    /// How many queued blocks have wholly reached the socket since this was last asked.
    pub fn take_sent(&mut self) -> u32 {
        self.outgoing.take_sent()
    }

    /// One read of `rest` and all that follows from it.
    fn step(&mut self, rest: &mut &[u8]) -> Result<(), TlsFault> {
        match &mut self.engine {
            Engine::Accepting { acceptor, .. } => {
                acceptor.read_tls(rest).map_err(|error| unreadable(&error))?;
                if !self.accept_hello()? {
                    return Ok(());
                }
            }
            Engine::Talking(connection) => {
                connection.read_tls(rest).map_err(|error| unreadable(&error))?;
            }
            Engine::Refused { .. } => return Ok(()),
        }
        let state = self.process()?;
        self.fill();
        if state.peer_has_closed() {
            self.phase = Phase::Closed;
        }
        Ok(())
    }

    /// Turns a server that has read a whole ClientHello into a connection. Says whether it has.
    fn accept_hello(&mut self) -> Result<bool, TlsFault> {
        let Engine::Accepting { acceptor, endpoint } = &mut self.engine else { return Ok(true) };
        let (outcome, tag) = drive(self.wall, || {
            let Some(accepted) = acceptor.accept()? else { return Ok(None) };
            let config = endpoint.config_for(accepted.client_hello().alpn());
            accepted.into_connection(config).map(Some)
        });
        self.tag = tag.or(self.tag);
        match outcome {
            Ok(None) => Ok(false),
            Ok(Some(mut connection)) => {
                connection.set_buffer_limit(None);
                self.engine = Engine::Talking(Box::new(Connection::Server(connection)));
                Ok(true)
            }
            Err((error, mut refusal)) => {
                let mut alert = Vec::new();
                // A `Vec` takes everything; without the alert the peer would only see the end.
                let _ = refusal.write_all(&mut alert);
                self.engine = Engine::Refused { alert };
                Err(error.into())
            }
        }
    }

    /// Lets rustls work through what it has read; notices the end of the handshake.
    fn process(&mut self) -> Result<IoState, TlsFault> {
        let Engine::Talking(connection) = &mut self.engine else { return Err(TlsFault::Truncated) };
        let (state, tag) = drive(self.wall, || connection.process_new_packets());
        if matches!(self.phase, Phase::Connecting) {
            self.tag = tag.or(self.tag);
        }
        let state = state?;
        if matches!(self.phase, Phase::Connecting) && !connection.is_handshaking() {
            let session_id = self.tag.take().ok_or_else(|| {
                TlsFault::Protocol(Box::from("the handshake completed without a Finished value"))
            })?;
            let chain = connection.peer_certificates().unwrap_or_default();
            self.phase = Phase::Up(Some(Box::new(Transport {
                session_id,
                has_alpn: connection.alpn_protocol().is_some(),
                peer_chain: chain.iter().map(|certificate| Box::from(certificate.as_ref())).collect(),
                showed_certificate: self.shown.as_ref().is_some_and(|shown| shown.was_shown()),
            })));
        }
        Ok(state)
    }

    /// Moves plaintext from rustls into the block.
    fn fill(&mut self) {
        if let Engine::Talking(connection) = &mut self.engine {
            self.incoming.fill(&mut connection.reader());
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.phase {
            Phase::Connecting => "Session(connecting)",
            Phase::Up(_) => "Session(up)",
            Phase::Closed => "Session(closed)",
            Phase::Failed(_) => "Session(failed)",
        })
    }
}

/// rustls refused to buffer more, which the peer caused: feeding stops before plaintext piles up.
fn unreadable(error: &io::Error) -> TlsFault {
    TlsFault::Protocol(Box::from(alloc::format!("{error}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod tests;
