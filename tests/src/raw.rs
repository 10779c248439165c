//! Peers that may misbehave: TLS and blocks over blocking sockets, and no role code.
//!
//! [`Pipe`] is one side of a connection that speaks whole blocks, [`Talk`] a client that has greeted a server
//! and can say what no client of ours would (see [`voice`](crate::voice)), [`FakeSmp`] a server that does with each connection what a test
//! wants. All fail by panicking, and none waits longer than [`PATIENCE`].

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a helper of tests fails by panicking")]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ntf_core::base::rng::{Rng, Stream};
use ntf_core::base::time::Wall;
use ntf_core::crypto::cert::{ServerCredentials, sign_session_key};
use ntf_core::crypto::keys::X25519Private;
use ntf_core::model::server::{Fingerprint, Protocol, ServerAddress};
use ntf_core::tls::{ServerEndpoint, Session, TlsFault, Transport};
use ntf_core::wire::batch::{BatchReader, BatchWriter};
use ntf_core::wire::block::{Layout, content};
use ntf_core::wire::cursor::Writer;
use ntf_core::wire::hello::smp::{ServerHello, SignedKey};
use ntf_core::wire::transmission::{Format, write_body};
use ntf_core::wire::version::{NtfVersion, SmpVersion, VersionRange};
use ntf_runtime_tokio::clock::Clock;
use ntf_runtime_tokio::identity::Identity;
use ntf_runtime_tokio::service::os_seed;

pub use crate::voice::{Answer, Auth};
use crate::voice::{Offer, Speaks, Voice, ntf_offer, smp_offer};

/// Nothing on loopback takes this long; what does has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A generator of whatever a test needs.
#[must_use]
pub fn randomness() -> Rng {
    os_seed().expect("randomness").stream(Stream::World)
}

fn wall() -> Wall {
    Clock::start().now().wall
}

/// A bare TCP connection to a server on loopback, with timeouts.
#[must_use]
pub fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// Reads until the peer closes; panics when it does not.
pub fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => all,
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => all,
        Err(error) => panic!("the peer should close, but: {error}"),
    }
}

/// Why no block came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed, with or without a goodbye.
    Closed,
    /// TLS is over.
    Tls(TlsFault),
}

/// One side of a TLS connection that carries blocks.
#[derive(Debug)]
pub struct Pipe {
    stream: TcpStream,
    session: Session,
    /// Bytes that came behind a whole block.
    rest: Vec<u8>,
}

impl Pipe {
    /// A client's side, TLS up, offering these ALPN names.
    ///
    /// # Errors
    ///
    /// What the server said instead of completing the handshake.
    pub fn connect(
        address: SocketAddr,
        protocol: Protocol,
        identity: &Fingerprint,
        names: &[&[u8]],
    ) -> Result<(Self, Transport), End> {
        let session = Session::connect_offering(&protocol.into(), names, identity, wall());
        Self::new(tcp(address), session.expect("randomness")).handshake()
    }

    fn new(stream: TcpStream, session: Session) -> Self {
        Self { stream, session, rest: Vec::new() }
    }

    fn handshake(mut self) -> Result<(Self, Transport), End> {
        loop {
            self.flush();
            if let Some(transport) = self.session.take_transport() {
                return Ok((self, transport));
            }
            self.read()?;
        }
    }

    fn flush(&mut self) {
        while self.session.wants_write() {
            // A peer that has closed meanwhile is noticed when reading.
            if self.session.write_to(&mut self.stream).is_err() {
                return;
            }
        }
    }

    fn read(&mut self) -> Result<(), End> {
        if self.rest.is_empty() {
            let mut bytes = [0; 4096];
            let count = match self.stream.read(&mut bytes) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
                Err(error) => panic!("neither bytes nor an end from the peer: {error}"),
            };
            if count == 0 {
                return Err(End::Closed);
            }
            self.rest.extend_from_slice(bytes.get(..count).unwrap_or_default());
        }
        let fed = self.session.feed(&self.rest);
        self.flush();
        self.rest.drain(..fed.map_err(End::Tls)?);
        Ok(())
    }

    /// The next block.
    ///
    /// # Errors
    ///
    /// That there is none to come.
    pub fn read_block(&mut self) -> Result<Vec<u8>, End> {
        loop {
            if let Some(block) = self.session.take_block() {
                return Ok(block.into_vec());
            }
            if self.session.is_closed() {
                return Err(End::Closed);
            }
            self.read()?;
        }
    }

    /// Sends a block as it is. Whether it arrives is for the peer to show.
    pub fn write_block(&mut self, block: &[u8]) {
        self.session.queue_block(block).expect("a block of the right length on an open session");
        self.flush();
    }

    /// Sends the first half of a block's bytes, cutting TLS in the middle, and ends the connection.
    pub fn cut_block(&mut self, block: &[u8]) {
        self.session.queue_block(block).expect("a block of the right length on an open session");
        let mut bytes = Vec::new();
        while self.session.wants_write() {
            self.session.write_to(&mut bytes).expect("memory takes everything");
        }
        write_anyway(&mut self.stream, bytes.get(..bytes.len() / 2).unwrap_or_default());
        self.stream.shutdown(Shutdown::Write).expect("the connection is open");
    }

    /// Sends a block unless the peer has stopped taking bytes for `patience`. Says whether it was sent.
    pub fn write_block_within(&mut self, block: &[u8], patience: Duration) -> bool {
        self.stream.set_write_timeout(Some(patience)).expect("a timeout");
        self.session.queue_block(block).expect("a block of the right length on an open session");
        while self.session.wants_write() {
            if self.session.write_to(&mut self.stream).is_err() {
                return false;
            }
        }
        true
    }

    /// Waits until the peer closes; panics on a block.
    pub fn expect_close(&mut self) {
        match self.read_block() {
            Ok(_) => panic!("the peer should close, but sent a block"),
            Err(End::Closed | End::Tls(_)) => {}
        }
    }

    /// Says goodbye.
    pub fn close(&mut self) {
        self.session.close();
        self.flush();
    }

    /// The socket under it, for what TLS would not say.
    #[must_use]
    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// A client that has greeted a server.
#[derive(Debug)]
pub struct Talk {
    /// The connection.
    pub pipe: Pipe,
    voice: Voice,
}

/// Connects to an SMP server and reads its hello.
#[must_use]
pub fn smp_hello(address: SocketAddr, server: &ServerAddress, names: &[&[u8]]) -> (Pipe, Offer<SmpVersion>) {
    let (mut pipe, transport) =
        Pipe::connect(address, Protocol::Smp, &server.identity, names).expect("TLS comes up");
    let block = pipe.read_block().expect("a hello");
    let offer = smp_offer(&block, transport.session_id.as_slice(), &transport.peer_chain);
    (pipe, offer)
}

/// Connects to a subscriber and reads its hello.
#[must_use]
pub fn ntf_hello(address: SocketAddr, server: &ServerAddress, names: &[&[u8]]) -> (Pipe, Offer<NtfVersion>) {
    let (mut pipe, transport) =
        Pipe::connect(address, Protocol::Ntf, &server.identity, names).expect("TLS comes up");
    let block = pipe.read_block().expect("a hello");
    let offer = ntf_offer(&block, transport.session_id.as_slice(), &transport.peer_chain);
    (pipe, offer)
}

impl Talk {
    /// Greets an SMP server with the newest version and block encryption.
    #[must_use]
    pub fn smp(address: SocketAddr, server: &ServerAddress) -> Self {
        Self::smp_in(address, server, SmpVersion::MAX, &[Protocol::Smp.alpn()])
    }

    /// Greets an SMP server with a version it offers.
    #[must_use]
    pub fn smp_in(address: SocketAddr, server: &ServerAddress, version: SmpVersion, names: &[&[u8]]) -> Self {
        let (mut pipe, offer) = smp_hello(address, server, names);
        let (voice, hello) = Voice::smp(server, version, offer, randomness());
        pipe.write_block(&hello);
        Self { pipe, voice }
    }

    /// Greets a subscriber with the newest version.
    #[must_use]
    pub fn ntf(address: SocketAddr, server: &ServerAddress) -> Self {
        Self::ntf_in(address, server, NtfVersion::MAX, &[Protocol::Ntf.alpn()])
    }

    /// Greets a subscriber with a version it offers.
    #[must_use]
    pub fn ntf_in(address: SocketAddr, server: &ServerAddress, version: NtfVersion, names: &[&[u8]]) -> Self {
        let (mut pipe, offer) = ntf_hello(address, server, names);
        let (voice, hello) = Voice::ntf(server, version, offer, randomness());
        pipe.write_block(&hello);
        Self { pipe, voice }
    }
}

impl Speaks for Talk {
    fn voice(&mut self) -> &mut Voice {
        &mut self.voice
    }

    fn write_block(&mut self, block: &[u8]) {
        self.pipe.write_block(block);
    }

    fn read_block(&mut self) -> Vec<u8> {
        self.pipe.read_block().expect("an answer rather than the end")
    }
}

/// An SMP server that does with each connection what a test wants.
#[derive(Debug)]
pub struct FakeSmp {
    /// Its address; any connection there reaches the test's function.
    pub address: ServerAddress,
    listening: SocketAddr,
    connections: mpsc::Receiver<()>,
    stop: mpsc::Sender<()>,
    thread: Option<thread::JoinHandle<()>>,
}

/// A connection that a [`FakeSmp`] accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The bare socket.
    pub stream: TcpStream,
    /// The certificates and key of the server.
    pub credentials: ServerCredentials,
    /// How many came before.
    pub number: usize,
}

impl Accepted {
    /// Brings TLS up.
    ///
    /// # Errors
    ///
    /// That the client did not want it.
    pub fn tls(self) -> Result<(Pipe, Transport, ServerCredentials), End> {
        let endpoint =
            ServerEndpoint::new(Protocol::Smp.into(), &self.credentials).expect("the key fits the chain");
        let (pipe, transport) = Pipe::new(self.stream, Session::accept(&endpoint, wall())).handshake()?;
        Ok((pipe, transport, self.credentials))
    }

    /// Brings TLS up and sends a lawful hello that offers these versions.
    ///
    /// # Errors
    ///
    /// That the client did not want it.
    pub fn greet(self, versions: VersionRange<SmpVersion>) -> Result<Pipe, End> {
        let (mut pipe, transport, credentials) = self.tls()?;
        let key = X25519Private::generate(&mut randomness()).public();
        let signed_key = sign_session_key(&credentials.leaf_key, &key);
        let chain = credentials.chain.iter().map(|certificate| &**certificate).collect();
        let hello = ServerHello {
            versions,
            session_id: transport.session_id.as_slice(),
            key: Some(SignedKey { chain, signed_key: &signed_key }),
        };
        let mut bytes = Vec::new();
        hello.encode(&mut bytes);
        pipe.write_block(&Layout::plain(Protocol::Smp).block(&bytes).expect("a hello fits"));
        Ok(pipe)
    }

    /// Greets in [`PLAIN`], and answers each command with what `answer` makes of it, until the client goes.
    ///
    /// # Errors
    ///
    /// That the client did not want it.
    pub fn answer(self, mut answer: impl FnMut(&Answer) -> Answer) -> Result<(), End> {
        let format = Format::smp(PLAIN);
        let mut pipe = self.greet(VersionRange::new(PLAIN, PLAIN).expect("one version"))?;
        pipe.read_block()?;
        loop {
            let block = pipe.read_block()?;
            let mut batch = BatchWriter::new(Layout::plain(Protocol::Smp), format);
            for item in BatchReader::new(content(&block).expect("padding"), format).expect("a batch") {
                let item = item.expect("a transmission");
                let answer = answer(&Answer {
                    corr: item.corr_id.to_vec(),
                    entity: item.entity_id.to_vec(),
                    command: item.command.to_vec(),
                });
                let mut body = Vec::new();
                write_body(&answer.corr, &answer.entity, &mut body, |out| out.extend(&answer.command));
                let mut bytes = vec![0];
                bytes.extend(&body);
                batch.push(&bytes).expect("answers are short");
            }
            pipe.write_block(&batch.finish().expect("at least one answer"));
        }
    }
}

/// The newest version without block encryption: what a fake server speaks. Source: `smp-transport` 3.5.
pub const PLAIN: SmpVersion = SmpVersion(10);

impl FakeSmp {
    /// Listens; `serve` gets each connection, one after another.
    #[must_use]
    pub fn start(mut serve: impl FnMut(Accepted) + Send + 'static) -> Self {
        let identity = Identity::make("localhost", Protocol::Smp).expect("certificates can be made");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback can be bound");
        let listening = listener.local_addr().expect("it listens");
        let address = identity.address("localhost", listening).expect("an identity");
        let (tell, connections) = mpsc::channel();
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if stopped.try_recv().is_ok() {
                    return;
                }
                let Ok(stream) = stream else { continue };
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
                serve(Accepted { stream, credentials: identity.credentials(), number });
                let _ = tell.send(());
            }
        });
        Self { address, listening, connections, stop, thread: Some(thread) }
    }

    /// Waits until that many connections have been served to their end.
    pub fn wait_for(&self, count: usize) {
        for _ in 0..count {
            self.connections.recv_timeout(PATIENCE).expect("a connection to the fake server");
        }
    }

    /// Its address with another fingerprint.
    #[must_use]
    pub fn under_another_name(&self) -> ServerAddress {
        ServerAddress { identity: Fingerprint::new([0x5a; 32]), ..self.address.clone() }
    }
}

impl Drop for FakeSmp {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        // Wakes it up if it waits for a connection.
        let _ = TcpStream::connect(self.listening).and_then(|stream| stream.shutdown(Shutdown::Both));
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            if !thread::panicking() {
                assert!(outcome.is_ok(), "the fake server's function panicked");
            }
        }
    }
}

/// Bytes that parse as nothing.
pub fn junk(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        bytes.extend_from_slice(&rng.bytes::<64>());
    }
    bytes.truncate(len);
    bytes
}

/// Writes bytes, ignoring that the peer may have closed already.
pub fn write_anyway(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
}

/// Appends a `short` field; for commands put together by hand.
pub fn short(out: &mut Vec<u8>, bytes: &[u8]) {
    Writer::new(out).short(bytes);
}
