//! Accepts links.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ntf_core::base::id::LinkId;
use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::host::places::{Place, Places};
use ntf_core::link::event::DownReason;
use ntf_core::tls::{ServerEndpoint, Session};

use crate::clock::Clock;
use crate::driver::LinkLetter;
use crate::link::{KEEPALIVE_ACCEPTED, Traffic, Wire, serve};
use crate::rt::{TcpListener, TcpStream, spawn};
use crate::tasks::Tasks;
use crate::wait::{sleep, timeout};

/// TLS must be up within this time. Source: `smp-transport` 2.8.
const TLS_TIMEOUT: Duration = Duration::from_secs(60);

/// After a failed accept (no descriptor left, usually), the listener waits this long for some to come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that were accepted and wait for a thread to take them; more wait in the system's backlog.
const VISITORS_MAX: usize = 64;

/// A listening socket and the tasks that accept from it.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    tasks: Option<Tasks>,
}

impl Listener {
    /// Listens at `address` and reports every link to `letters`.
    ///
    /// At most `links_max` connections are open at once; beyond that new ones wait in the system's backlog.
    /// Of these a quarter may be without TLS yet; beyond that the oldest such is cut off.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn start(
        address: SocketAddr,
        tls: ServerEndpoint,
        clock: Clock,
        letters: Sender<LinkLetter>,
        traffic: Arc<Traffic>,
        links_max: usize,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let (entry, door) = door(links_max);
        let mut this = Self::accepting(listener, vec![entry], links_max)?;
        if let Some(tasks) = &mut this.tasks {
            tasks.add(spawn(door.serve(tls, clock, letters, traffic)));
        }
        Ok(this)
    }

    /// Accepts from a socket that listens, and hands connections to one door after the other. The number of a
    /// link tells its door, as [`ShardPlan::of_number`](ntf_core::model::shard::ShardPlan::of_number) does.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub(crate) fn accepting(
        listener: TcpListener,
        entries: Vec<Sender<Visitor>>,
        links_max: usize,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let mut tasks = Tasks::default();
        tasks.add(spawn(accept(listener, entries, links_max)));
        Ok(Self { address, tasks: Some(tasks) })
    }

    /// Where it listens; tells the port when any free one was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting. Links that are open stay open.
    pub fn stop(&mut self) {
        drop(self.tasks.take());
    }

    /// Stops accepting, and waits until the socket is closed: its address is free then.
    pub async fn close(mut self) {
        if let Some(tasks) = self.tasks.take() {
            tasks.cancel().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A connection on its way to the thread that serves it.
#[derive(Debug)]
pub(crate) struct Visitor {
    link: LinkId,
    stream: std::net::TcpStream,
    place: Place,
}

/// Where a thread takes connections in.
#[derive(Debug)]
pub(crate) struct Door {
    visitors: Receiver<Visitor>,
    links_max: usize,
}

/// A door, and the way to it, for a thread that serves at most so many links.
pub(crate) fn door(links_max: usize) -> (Sender<Visitor>, Door) {
    let (entry, visitors) = mailbox::bounded(VISITORS_MAX);
    (entry, Door { visitors, links_max })
}

async fn accept(listener: TcpListener, entries: Vec<Sender<Visitor>>, links_max: usize) {
    let places = Places::new(links_max);
    for (number, entry) in (0..).zip(entries.iter().cycle()) {
        let place = places.take().await;
        let stream = loop {
            match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => break stream,
                Err(_) => {
                    // The peer's failure or ours: neither may end the listener.
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        // A thread that has ended takes nobody in: the connection closes.
        let _ = entry.send(Visitor { link: LinkId::accepted(number), stream, place }).await;
    }
}

impl Door {
    /// Takes connections in until the listener ends, and reports every link to `letters`.
    pub(crate) async fn serve(
        mut self,
        tls: ServerEndpoint,
        clock: Clock,
        letters: Sender<LinkLetter>,
        traffic: Arc<Traffic>,
    ) {
        // Connections that say nothing would otherwise hold every place for a minute, and cost their maker
        // nothing: of those without TLS the oldest is cut off when there are too many.
        let arrivals_max = (self.links_max / 4).max(1);
        let mut arrivals = Tasks::default();
        while let Some(Visitor { link, stream, place }) = self.visitors.recv().await {
            let Ok(stream) = TcpStream::from_std(stream) else { continue };
            let session = Session::accept(&tls, clock.now().wall);
            let wire = Wire::new(stream, session, traffic.clone());
            wire.keep_alive(Some(KEEPALIVE_ACCEPTED));
            let arrival = welcome(link, wire, letters.clone(), place);
            arrivals.add_within(arrivals_max, spawn(arrival));
        }
    }
}

/// A peer that never gets TLS up is nothing the role hears of.
async fn welcome(link: LinkId, mut wire: Wire, letters: Sender<LinkLetter>, place: Place) {
    if let Ok(transport) = timeout(TLS_TIMEOUT, wire.handshake()).await.unwrap_or(Err(DownReason::TimedOut)) {
        // A task of its own: whoever is up is no longer an arrival, and is not cut off as one.
        spawn(async move {
            let _place = place;
            serve(link, wire, transport, letters).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::AsyncReadExt;
    use ntf_core::host::mailbox;
    use ntf_core::model::server::Protocol;

    use super::*;
    use crate::identity::Identity;
    use crate::rt::{TcpStream, run};

    /// Nothing on loopback takes this long.
    const PATIENCE: Duration = Duration::from_secs(30);

    async fn listen(identity: &Identity, clock: Clock, letters: Sender<LinkLetter>) -> Listener {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let endpoint = identity.endpoint(Protocol::Smp).unwrap();
        Listener::start(address, endpoint, clock, letters, Arc::default(), 8).await.unwrap()
    }

    #[test]
    fn the_address_of_a_closed_listener_is_free() {
        run(1, async {
            let identity = Identity::make("localhost", Protocol::Smp).unwrap();
            let listener = listen(&identity, Clock::start(), mailbox::bounded(16).0).await;
            let address = listener.address();
            listener.close().await;
            TcpListener::bind(address).await.expect("nobody listens there any more");
        })
        .unwrap();
    }

    #[test]
    fn connections_that_say_nothing_make_room_for_later_ones() {
        run(1, async {
            let identity = Identity::make("localhost", Protocol::Smp).unwrap();
            let clock = Clock::start();
            let (letters, mut heard) = mailbox::bounded(16);
            let listener = listen(&identity, clock, letters).await;

            let mut silent = Vec::new();
            for _ in 0..20 {
                silent.push(TcpStream::connect(listener.address()).await.unwrap());
            }
            let fingerprint = identity.credentials().identity().unwrap();
            let session = Session::connect(&Protocol::Smp.into(), &fingerprint, clock.now().wall).unwrap();
            let stream = TcpStream::connect(listener.address()).await.unwrap();
            let mut wire = Wire::new(stream, session, Arc::default());
            timeout(PATIENCE, wire.handshake()).await.expect("the last to come is served").unwrap();
            let letter = timeout(PATIENCE, heard.recv()).await.expect("the role hears of it");
            assert!(matches!(letter, Some(LinkLetter::Up(..))));

            let mut byte = [0];
            let end =
                timeout(PATIENCE, silent[0].read(&mut byte)).await.expect("the first to come is cut off");
            assert!(matches!(end, Ok(0) | Err(_)));
        })
        .unwrap();
    }
}
