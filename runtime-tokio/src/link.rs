//! One connection: a TCP socket, a TLS session, and the task that moves bytes between them and a driver.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::{or, race};
use ntf_core::base::id::LinkId;
use ntf_core::base::limits::LINK_WINDOW_BLOCKS;
use ntf_core::base::source::Source;
use ntf_core::host::gauges::Tally;
use ntf_core::host::handoff::{self, Line};
use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::link::event::{Block, DownReason, Transport};
use ntf_core::link::keepalive::{PROBE_GAP, PROBES_MAX};
use ntf_core::tls::{SendFault, Session, TlsFault};
use socket2::{SockRef, TcpKeepalive};

use crate::driver::LinkLetter;
use crate::rt::TcpStream;
use crate::wait::{only_if, sleep_or_never, timeout};

/// What a driver asks of a link's task.
#[derive(Debug)]
pub enum LinkCommand {
    /// Send one block.
    Send(Block),
    /// Let TCP ask the peer after so much silence, or not at all.
    Probe(Option<Duration>),
    /// Send what was handed over, then close.
    Close,
}

/// Bytes that crossed the sockets of one role, TLS included.
#[derive(Debug, Default)]
pub struct Traffic {
    received: Tally,
    sent: Tally,
}

impl Traffic {
    /// Bytes received so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.total()
    }

    /// Bytes sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.total()
    }
}

/// Blocks that a driver may hand over and the link has not looked at: far more than a role sends before it
/// hears of `Sent`, so that only a fault meets it.
const COMMANDS_MAX: usize = 1 << 14;

/// Bytes read from a socket at once: one TLS record of a whole SMP block with room to spare.
const READ_LEN: usize = 18 * 1024;

/// Silence before TCP asks whether the peer is still there, the pause between questions, and how many stay
/// unanswered before the connection counts as broken: about 90 s in all.
///
/// Source: `smp-transport` 2.8.
const KEEPALIVE_OPENED: KeepAlive =
    KeepAlive { idle: Duration::from_secs(30), gap: Duration::from_secs(15), probes: 4 };

/// The same of a link that was accepted: whoever opened it decides how often its radio wakes, so this only frees the
/// place of a peer that is gone.
///
/// Source: ours; as seldom as the pings of a client with direct connections.
pub(crate) const KEEPALIVE_ACCEPTED: KeepAlive =
    KeepAlive { idle: Duration::from_secs(20 * 60), gap: Duration::from_secs(30), probes: 4 };

/// What systems take for the silence before the first question; they refuse anything else.
///
/// Source: `MAX_TCP_KEEPIDLE` of Linux.
const KEEPALIVE_IDLE_MIN: Duration = Duration::from_secs(1);
const KEEPALIVE_IDLE_MAX: Duration = Duration::from_secs(32_767);

/// When TCP asks a silent peer whether it is still there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeepAlive {
    idle: Duration,
    gap: Duration,
    probes: u32,
}

/// Why a connection is lost: whether TCP gave the peer up, or heard that the connection is no more.
fn reason_of(error: &io::Error) -> DownReason {
    if error.kind() == io::ErrorKind::TimedOut { DownReason::TimedOut } else { DownReason::Broken }
}

/// A peer that does not read gets this long to take the last bytes of a closing link.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// A link whose peer takes not a byte for this long, though there are some, is given up: it holds a place
/// and a window of blocks. Source: ours; a phone that went to sleep comes back on a new connection.
const STALL_MAX: Duration = Duration::from_secs(60);

/// A socket with its TLS session.
pub(crate) struct Wire {
    stream: TcpStream,
    session: Session,
    traffic: Arc<Traffic>,
    /// Whole blocks of the last read: at most two of SMP, or 36 of NTF.
    blocks: VecDeque<Block>,
    stall_max: Duration,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, session: Session, traffic: Arc<Traffic>) -> Self {
        // Blocks are whole messages: waiting to fill a segment only adds latency. Both settings make a link
        // better; one without them still works.
        let _ = stream.set_nodelay();
        let wire = Self { stream, session, traffic, blocks: VecDeque::new(), stall_max: STALL_MAX };
        wire.keep_alive(Some(KEEPALIVE_OPENED));
        wire
    }

    /// Tells TCP when to ask. A system that cannot leaves it as it was.
    pub(crate) fn keep_alive(&self, keep_alive: Option<KeepAlive>) {
        let socket = SockRef::from(&self.stream);
        let _ = match keep_alive {
            Some(KeepAlive { idle, gap, probes }) => {
                let idle = idle.clamp(KEEPALIVE_IDLE_MIN, KEEPALIVE_IDLE_MAX);
                let keepalive = TcpKeepalive::new().with_time(idle).with_interval(gap).with_retries(probes);
                socket.set_tcp_keepalive(&keepalive)
            }
            None => socket.set_keepalive(false),
        };
    }

    /// Brings TLS up.
    pub(crate) async fn handshake(&mut self) -> Result<Transport, DownReason> {
        loop {
            self.flush().await.map_err(|_| DownReason::Broken)?;
            if let Some(transport) = self.session.take_transport() {
                return Ok(Transport {
                    session_id: Box::from(transport.session_id.as_slice()),
                    has_alpn: transport.has_alpn,
                    peer_chain: transport.peer_chain,
                    showed_certificate: transport.showed_certificate,
                    source: self.stream.peer_addr().ok().map(|peer| Source::new(peer.ip())),
                });
            }
            self.stream.readable().await.map_err(|_| DownReason::Broken)?;
            if let Err(reason) = self.try_read() {
                // The alert tells the peer why; whether it still listens does not matter.
                let _ = timeout(CLOSE_GRACE, self.flush()).await;
                return Err(reason);
            }
        }
    }

    /// Reads once, if the socket has anything, and keeps whole blocks.
    fn try_read(&mut self) -> Result<(), DownReason> {
        let mut bytes = [0; READ_LEN];
        let mut rest: &[u8] = match self.stream.try_read(&mut bytes) {
            Ok(0) => {
                let _ = self.session.end_of_input();
                return Err(DownReason::Closed);
            }
            Ok(count) => bytes.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(reason_of(&error)),
        };
        self.traffic.received.add(rest.len() as u64);
        loop {
            let taken = self.session.feed(rest).map_err(|fault| down_reason(&fault))?;
            while let Some(block) = self.session.take_block() {
                self.blocks.push_back(block);
            }
            rest = rest.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.stream.writable().await?;
            self.try_write()?;
        }
        Ok(())
    }

    /// Writes until the socket is full or nothing is left. Whether it took anything.
    fn try_write(&mut self) -> io::Result<bool> {
        let mut has_moved = false;
        while self.session.wants_write() {
            match self.session.write_to(&mut TryWriter(&self.stream)) {
                Ok(count) => {
                    has_moved = true;
                    self.traffic.sent.add(count as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(has_moved)
    }

    /// Encrypts blocks while there is room for them, and says how many.
    fn seal(&mut self, unsealed: &mut VecDeque<Block>) -> Result<u32, SendFault> {
        let mut sealed = 0_u32;
        while self.session.has_room() {
            let Some(block) = unsealed.pop_front() else { break };
            self.session.queue_block(&block)?;
            sealed = sealed.saturating_add(1);
        }
        Ok(sealed)
    }

    /// Sends what was handed over and says goodbye, if the peer takes it in time.
    async fn close(&mut self, mut unsealed: VecDeque<Block>) -> DownReason {
        let goodbye = async {
            while !unsealed.is_empty() {
                if self.flush().await.is_err() {
                    return;
                }
                // No room though nothing waits: the peer has said goodbye, and takes no more.
                if self.seal(&mut unsealed).unwrap_or(0) == 0 {
                    break;
                }
            }
            self.session.close();
            let _ = self.flush().await;
        };
        let _ = timeout(CLOSE_GRACE, goodbye).await;
        DownReason::Asked
    }
}

struct TryWriter<'a>(&'a TcpStream);

impl io::Write for TryWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn down_reason(fault: &TlsFault) -> DownReason {
    match fault {
        TlsFault::WrongIdentity => DownReason::WrongIdentity,
        TlsFault::Truncated => DownReason::Closed,
        TlsFault::BadCertificate(_)
        | TlsFault::BadSignature
        | TlsFault::Alert(_)
        | TlsFault::NoCommonProtocol
        | TlsFault::Protocol(_) => DownReason::Tls,
    }
}

/// Moves blocks between a link whose TLS is up and its driver, until either side ends it.
///
/// Reads no further while the driver's mailbox is full or the peer does not take what it asked for, so a
/// fast or deaf peer costs a bounded amount of memory.
pub(crate) async fn serve(link: LinkId, mut wire: Wire, transport: Transport, letters: Sender<LinkLetter>) {
    let (commands_in, mut commands) = mailbox::bounded(COMMANDS_MAX);
    // From here on the link may move to another thread's driver; the line knows where it is.
    let (mut line, hold) = handoff::link(letters.clone());
    if letters.send(LinkLetter::Up(link, transport, commands_in, hold)).await.is_err() {
        return;
    }
    let reason = move_blocks(link, &mut wire, &mut commands, &mut line).await;
    let _ = line.post(LinkLetter::Down(link, reason)).await;
}

async fn move_blocks(
    link: LinkId,
    wire: &mut Wire,
    commands: &mut Receiver<LinkCommand>,
    line: &mut Line<LinkLetter>,
) -> DownReason {
    let mut queued = 0_u32;
    // Handed over while the session had no room. Taken from the channel all the same: a Close behind them
    // must not wait for a peer that never reads.
    let mut unsealed = VecDeque::new();
    let mut moved_at = Instant::now();
    loop {
        if !wire.session.wants_write() {
            moved_at = Instant::now();
        }
        match wire.seal(&mut unsealed) {
            Ok(sealed) => queued = queued.saturating_add(sealed),
            Err(_) => return DownReason::Broken,
        }
        match wire.try_write() {
            Ok(true) => moved_at = Instant::now(),
            Ok(false) => {}
            Err(error) => return reason_of(&error),
        }
        let sent = wire.session.take_sent();
        queued = queued.saturating_sub(sent);
        if sent > 0 && line.post(LinkLetter::Sent(link, sent)).await.is_err() {
            return DownReason::Asked;
        }
        while let Some(block) = wire.blocks.pop_front() {
            if line.post(LinkLetter::Block(link, block)).await.is_err() {
                return DownReason::Asked;
            }
        }
        if wire.session.is_closed() {
            return DownReason::Closed;
        }
        if !unsealed.is_empty() && wire.session.has_room() {
            continue;
        }
        let waiting = u32::try_from(commands.len().saturating_add(unsealed.len()))
            .unwrap_or(u32::MAX)
            .saturating_add(queued);
        let stalled_at = wire.session.wants_write().then(|| moved_at + wire.stall_max);
        if stalled_at.is_some_and(|at| at <= Instant::now()) {
            return DownReason::Broken;
        }
        match next(wire, commands, waiting < LINK_WINDOW_BLOCKS, stalled_at).await {
            Event::Command(command) => {
                // What else is ready goes into the same write.
                let mut next = command;
                loop {
                    match next {
                        Some(LinkCommand::Send(block)) => unsealed.push_back(block),
                        Some(LinkCommand::Probe(after)) => {
                            let (gap, probes) = (PROBE_GAP, PROBES_MAX);
                            wire.keep_alive(after.map(|idle| KeepAlive { idle, gap, probes }));
                        }
                        Some(LinkCommand::Close) | None => return wire.close(unsealed).await,
                    }
                    match commands.try_recv() {
                        Ok(command) => next = Some(command),
                        Err(_) => break,
                    }
                }
            }
            Event::Readable => {
                if let Err(reason) = wire.try_read() {
                    let _ = timeout(CLOSE_GRACE, wire.flush()).await;
                    // Blocks that came whole before the end still count.
                    while let Some(block) = wire.blocks.pop_front() {
                        if line.post(LinkLetter::Block(link, block)).await.is_err() {
                            break;
                        }
                    }
                    return reason;
                }
            }
            Event::Writable => {}
            Event::Broken => return DownReason::Broken,
        }
    }
}

/// What a link's task waits for.
enum Event {
    /// The driver wants something, or is gone.
    Command(Option<LinkCommand>),
    Readable,
    Writable,
    /// The socket has failed, or its peer has taken nothing for too long.
    Broken,
}

/// Waits for what comes first. Between a driver that always wants something and a peer that always sends,
/// chance decides, so neither is kept waiting.
async fn next(
    wire: &Wire,
    commands: &mut Receiver<LinkCommand>,
    has_room: bool,
    stalled_at: Option<Instant>,
) -> Event {
    let commands = async { Event::Command(commands.recv().await) };
    let readable =
        only_if(has_room, async { wire.stream.readable().await.map_or(Event::Broken, |()| Event::Readable) });
    let writable = only_if(stalled_at.is_some(), async {
        wire.stream.writable().await.map_or(Event::Broken, |()| Event::Writable)
    });
    let stalled = async {
        sleep_or_never(stalled_at).await;
        Event::Broken
    };
    or(race(commands, readable), or(writable, stalled)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::os::fd::{AsFd, OwnedFd};

    use futures_lite::future::{yield_now, zip};
    use ntf_core::Wall;
    use ntf_core::base::limits::SMP_BLOCK_LEN;
    use ntf_core::model::server::{Fingerprint, Protocol};

    use crate::clock::Clock;
    use crate::identity::Identity;
    use crate::rt::{TcpListener, run, spawn};

    /// Nothing on loopback takes this long.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// More than the sockets of both sides hold.
    const FLOOD: usize = 4000;

    /// Bytes asked of the system for a socket's buffers; it may give a few times that.
    const SOCKET_LEN: usize = 64 * 1024;

    const LINK: LinkId = LinkId::accepted(0);

    #[test]
    fn tcp_notices_a_peer_that_is_gone() {
        run(1, async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let identity = Fingerprint::new([7; 32]);
            let session = Session::connect(&Protocol::Smp.into(), &identity, Wall::from_secs(1)).unwrap();
            let wire = Wire::new(stream, session, Arc::default());
            assert_eq!(keep_alive_of(&wire.stream), Some((30, 15, 4)));
        })
        .unwrap();
    }

    #[test]
    fn tcp_asks_as_often_as_the_role_wants() {
        run(1, async {
            let mut pair = Pair::connect(STALL_MAX).await;
            for (after, expected) in [
                (Some(Duration::from_secs(49)), Some((49, 7, 3))),
                (None, None),
                (Some(Duration::from_secs(30)), Some((30, 7, 3))),
                (Some(Duration::from_millis(10)), Some((1, 7, 3))),
                (Some(Duration::from_secs(100_000)), Some((32_767, 7, 3))),
            ] {
                pair.send(LinkCommand::Probe(after));
                // What is sent behind it has arrived, so it has been seen to.
                pair.send(LinkCommand::Send(block(1)));
                pair.read_one().await;
                assert_eq!(keep_alive_of(&pair.served), expected);
            }
        })
        .unwrap();
    }

    #[test]
    fn a_peer_that_tcp_gave_up_is_told_from_a_connection_that_was_reset() {
        let of = |errno: rustix::io::Errno| reason_of(&io::Error::from_raw_os_error(errno.raw_os_error()));
        assert_eq!(of(rustix::io::Errno::TIMEDOUT), DownReason::TimedOut);
        assert_eq!(of(rustix::io::Errno::CONNRESET), DownReason::Broken);
        assert_eq!(of(rustix::io::Errno::HOSTUNREACH), DownReason::Broken, "the network is not there");
    }

    /// Seconds of silence and between questions, and the number of questions; `None` where TCP asks nothing.
    fn keep_alive_of(stream: &impl AsFd) -> Option<(u64, u64, u32)> {
        let socket = SockRef::from(stream);
        socket.keepalive().unwrap().then(|| {
            let secs = |span: io::Result<Duration>| span.unwrap().as_secs();
            let times = (secs(socket.tcp_keepalive_time()), secs(socket.tcp_keepalive_interval()));
            (times.0, times.1, socket.tcp_keepalive_retries().unwrap())
        })
    }

    #[test]
    fn a_link_whose_peer_never_reads_still_closes_when_asked() {
        run(1, async {
            let mut pair = Pair::connect(STALL_MAX).await;
            for _ in 0..FLOOD {
                pair.send(LinkCommand::Send(block(1)));
            }
            pair.send(LinkCommand::Close);
            assert_eq!(pair.down().await, DownReason::Asked);
        })
        .unwrap();
    }

    #[test]
    fn a_link_whose_peer_takes_nothing_for_long_is_given_up() {
        run(1, async {
            let mut pair = Pair::connect(Duration::from_millis(50)).await;
            for _ in 0..FLOOD {
                pair.send(LinkCommand::Send(block(1)));
            }
            assert_eq!(pair.down().await, DownReason::Broken);
        })
        .unwrap();
    }

    #[test]
    fn what_was_handed_over_before_the_end_arrives() {
        run(1, async {
            let mut pair = Pair::connect(STALL_MAX).await;
            for number in 0..100 {
                pair.send(LinkCommand::Send(block(number)));
            }
            pair.send(LinkCommand::Close);
            assert_eq!(pair.read_to_the_end().await, (0..100).collect::<Vec<u8>>());
            assert_eq!(pair.down().await, DownReason::Asked);
        })
        .unwrap();
    }

    #[test]
    fn what_the_session_had_no_room_for_arrives_too() {
        run(1, async {
            let mut pair = Pair::connect(STALL_MAX).await;
            // More than the session and the sockets take before the peer reads.
            for number in 0..100 {
                pair.send(LinkCommand::Send(block(number)));
            }
            while pair.commands.depth().len > 0 {
                yield_now().await;
            }
            pair.send(LinkCommand::Close);
            assert_eq!(pair.read_to_the_end().await, (0..100).collect::<Vec<u8>>());
            assert_eq!(pair.down().await, DownReason::Asked);
        })
        .unwrap();
    }

    fn block(number: u8) -> Block {
        Box::from([number; SMP_BLOCK_LEN])
    }

    /// A served link, and the other end of it.
    struct Pair {
        peer: Wire,
        /// Another handle of the socket that the link's task has.
        served: OwnedFd,
        commands: Sender<LinkCommand>,
        letters: Receiver<LinkLetter>,
    }

    impl Pair {
        async fn connect(stall_max: Duration) -> Self {
            let identity = Identity::make("localhost", Protocol::Smp).unwrap();
            let endpoint = identity.endpoint(Protocol::Smp).unwrap();
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
            let address = listener.local_addr().unwrap();
            let wall = Clock::start().now().wall;
            let fingerprint = identity.credentials().identity().unwrap();
            let session = Session::connect(&Protocol::Smp.into(), &fingerprint, wall).unwrap();
            let mut peer =
                Wire::new(TcpStream::connect(address).await.unwrap(), session, Arc::new(Traffic::default()));
            let (stream, _) = listener.accept().await.unwrap();
            SockRef::from(&peer.stream).set_recv_buffer_size(SOCKET_LEN).unwrap();
            SockRef::from(&stream).set_send_buffer_size(SOCKET_LEN).unwrap();
            let mut wire = Wire::new(stream, Session::accept(&endpoint, wall), Arc::new(Traffic::default()));
            wire.stall_max = stall_max;
            let (here, there) = zip(wire.handshake(), peer.handshake()).await;
            there.unwrap();
            let (letters_in, mut letters) = mailbox::bounded(256);
            let served = wire.stream.as_fd().try_clone_to_owned().unwrap();
            spawn(serve(LINK, wire, here.unwrap(), letters_in));
            match timeout(PATIENCE, letters.recv()).await {
                Ok(Some(LinkLetter::Up(_, _, commands, _))) => Self { peer, served, commands, letters },
                other => panic!("the link comes up, not {other:?}"),
            }
        }

        fn send(&self, command: LinkCommand) {
            self.commands.try_send(command).unwrap();
        }

        /// Waits for a block.
        async fn read_one(&mut self) {
            let read = async {
                while self.peer.blocks.pop_front().is_none() {
                    self.peer.stream.readable().await.unwrap();
                    self.peer.try_read().unwrap();
                }
            };
            timeout(PATIENCE, read).await.expect("a block arrives");
        }

        /// The first byte of every block that arrives.
        async fn read_to_the_end(&mut self) -> Vec<u8> {
            let mut got = Vec::new();
            let read = async {
                loop {
                    self.peer.stream.readable().await.unwrap();
                    let end = self.peer.try_read();
                    got.extend(self.peer.blocks.drain(..).map(|block| block[0]));
                    if end.is_err() || self.peer.session.is_closed() {
                        return;
                    }
                }
            };
            timeout(PATIENCE, read).await.expect("the link closes");
            got
        }

        async fn down(&mut self) -> DownReason {
            loop {
                match timeout(PATIENCE, self.letters.recv()).await {
                    Ok(Some(LinkLetter::Down(_, reason))) => return reason,
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => panic!("the link never ends"),
                }
            }
        }
    }
}
