//! One connection: a TCP socket, a TLS session, and the task that moves bytes between them and a driver.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ntf_core::base::id::LinkId;
use ntf_core::base::limits::LINK_WINDOW_BLOCKS;
use ntf_core::link::event::{Block, DownReason, Transport};
use ntf_core::tls::{Session, TlsFault};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::driver::LinkLetter;

/// What a driver asks of a link's task.
#[derive(Debug)]
pub enum LinkCommand {
    /// Send one block.
    Send(Block),
    /// Send what was handed over, then close.
    Close,
}

/// Bytes that crossed the sockets of one role, TLS included.
#[derive(Debug, Default)]
pub struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    /// Bytes received so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Bytes read from a socket at once: one TLS record of a whole SMP block with room to spare.
const READ_LEN: usize = 18 * 1024;

/// A peer that does not read gets this long to take the last bytes of a closing link.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// A socket with its TLS session.
pub(crate) struct Wire {
    stream: TcpStream,
    session: Session,
    traffic: Arc<Traffic>,
    /// Whole blocks of the last read: at most two of SMP, or 36 of NTF.
    blocks: VecDeque<Block>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, session: Session, traffic: Arc<Traffic>) -> Self {
        // Blocks are whole messages: waiting to fill a segment only adds latency.
        let _ = stream.set_nodelay(true);
        Self { stream, session, traffic, blocks: VecDeque::new() }
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
            Err(_) => return Err(DownReason::Broken),
        };
        self.traffic.received.fetch_add(rest.len() as u64, Ordering::Relaxed);
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

    /// Writes until the socket is full or nothing is left.
    fn try_write(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_to(&mut TryWriter(&self.stream)) {
                Ok(count) => {
                    self.traffic.sent.fetch_add(count as u64, Ordering::Relaxed);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn close(&mut self) -> DownReason {
        self.session.close();
        let _ = timeout(CLOSE_GRACE, self.flush()).await;
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
pub(crate) async fn serve(
    link: LinkId,
    mut wire: Wire,
    transport: Transport,
    letters: mpsc::Sender<LinkLetter>,
) {
    let (commands_in, mut commands) = mpsc::unbounded_channel();
    if letters.send(LinkLetter::Up(link, transport, commands_in)).await.is_err() {
        return;
    }
    let reason = move_blocks(link, &mut wire, &mut commands, &letters).await;
    let _ = letters.send(LinkLetter::Down(link, reason)).await;
}

async fn move_blocks(
    link: LinkId,
    wire: &mut Wire,
    commands: &mut mpsc::UnboundedReceiver<LinkCommand>,
    letters: &mpsc::Sender<LinkLetter>,
) -> DownReason {
    let mut queued = 0_u32;
    loop {
        if wire.try_write().is_err() {
            return DownReason::Broken;
        }
        let sent = wire.session.take_sent();
        queued = queued.saturating_sub(sent);
        if sent > 0 && letters.send(LinkLetter::Sent(link, sent)).await.is_err() {
            return DownReason::Asked;
        }
        while let Some(block) = wire.blocks.pop_front() {
            if letters.send(LinkLetter::Block(link, block)).await.is_err() {
                return DownReason::Asked;
            }
        }
        if wire.session.is_closed() {
            return DownReason::Closed;
        }
        let waiting = u32::try_from(commands.len()).unwrap_or(u32::MAX).saturating_add(queued);
        tokio::select! {
            command = commands.recv(), if wire.session.has_room() => {
                let mut next = command;
                loop {
                    match next {
                        Some(LinkCommand::Send(block)) if wire.session.queue_block(&block).is_ok() => queued += 1,
                        Some(LinkCommand::Send(_)) => return DownReason::Broken,
                        Some(LinkCommand::Close) | None => return wire.close().await,
                    }
                    // What else is ready goes into the same write.
                    if !wire.session.has_room() {
                        break;
                    }
                    match commands.try_recv() {
                        Ok(command) => next = Some(command),
                        Err(_) => break,
                    }
                }
            }
            ready = wire.stream.readable(), if waiting < LINK_WINDOW_BLOCKS => {
                if ready.is_err() {
                    return DownReason::Broken;
                }
                if let Err(reason) = wire.try_read() {
                    let _ = timeout(CLOSE_GRACE, wire.flush()).await;
                    // Blocks that came whole before the end still count.
                    while let Some(block) = wire.blocks.pop_front() {
                        if letters.send(LinkLetter::Block(link, block)).await.is_err() {
                            break;
                        }
                    }
                    return reason;
                }
            }
            ready = wire.stream.writable(), if wire.session.wants_write() => {
                if ready.is_err() {
                    return DownReason::Broken;
                }
            }
        }
    }
}
