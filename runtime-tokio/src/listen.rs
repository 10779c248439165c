//! Accepts links.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ntf_core::base::id::LinkId;
use ntf_core::link::event::DownReason;
use ntf_core::tls::{ServerEndpoint, Session};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::driver::LinkLetter;
use crate::link::{Traffic, Wire, serve};

/// TLS must be up within this time. Source: `smp-transport` 2.8.
const TLS_TIMEOUT: Duration = Duration::from_secs(60);

/// After a failed accept (no descriptor left, usually), the listener waits this long for some to come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket and the task that accepts from it.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens at `address` and reports every link to `letters`.
    ///
    /// At most `links_max` connections are open at once; beyond that new ones wait in the system's backlog.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn start(
        address: SocketAddr,
        tls: ServerEndpoint,
        clock: Clock,
        letters: mpsc::Sender<LinkLetter>,
        traffic: Arc<Traffic>,
        links_max: usize,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, tls, clock, letters, traffic, links_max));
        Ok(Self { address, task })
    }

    /// Where it listens; tells the port when any free one was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting. Links that are open stay open.
    pub fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept(
    listener: TcpListener,
    tls: ServerEndpoint,
    clock: Clock,
    letters: mpsc::Sender<LinkLetter>,
    traffic: Arc<Traffic>,
    links_max: usize,
) {
    let places = Arc::new(Semaphore::new(links_max));
    for number in 0.. {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = loop {
            match listener.accept().await {
                Ok((stream, _)) => break stream,
                Err(_) => {
                    // The peer's failure or ours: neither may end the listener.
                    let _ = timeout(ACCEPT_PAUSE, std::future::pending::<()>()).await;
                }
            }
        };
        let (tls, letters, traffic) = (tls.clone(), letters.clone(), traffic.clone());
        tokio::spawn(async move {
            let _place = place;
            let session = Session::accept(&tls, clock.now().wall);
            welcome(LinkId::accepted(number), Wire::new(stream, session, traffic), letters).await;
        });
    }
}

/// A peer that never gets TLS up is nothing the role hears of.
async fn welcome(link: LinkId, mut wire: Wire, letters: mpsc::Sender<LinkLetter>) {
    if let Ok(transport) = timeout(TLS_TIMEOUT, wire.handshake()).await.unwrap_or(Err(DownReason::TimedOut)) {
        serve(link, wire, transport, letters).await;
    }
}
