//! Strangers, who connect to the server and send what it cannot use.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};
use ntf_core::base::id::LinkId;
use ntf_core::base::reach::Reach;
use ntf_core::base::rng::Stream;
use ntf_core::host::mailbox;
use ntf_core::model::server::{Protocol, ServerAddress};

use crate::clock::Clock;
use crate::connect::Connector;
use crate::driver::LinkLetter;
use crate::link::{LinkCommand, Traffic};
use crate::program::announce::randomness;
use crate::program::failure::Failure;
use crate::rt::TcpStream;
use crate::wait::timeout;

/// What a stranger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// Connects and goes.
    Visit,
    /// Sends bytes that are no TLS.
    Noise,
    /// Brings TLS up, and then sends blocks that are none.
    Junk,
}

/// The server closes on all of it at once.
const PATIENCE: Duration = Duration::from_secs(20);

const NOISE_LEN: usize = 4096;

/// More than a link takes before it is closed.
const BLOCKS: usize = 8;

impl Stranger {
    /// Comes, and waits until it is sent away. How a connection ends that should never have been is nobody's business,
    /// only that it does.
    pub(super) async fn come(self, clock: Clock, server: &ServerAddress) -> Result<(), Failure> {
        let come = async {
            match self {
                Self::Visit => drop(TcpStream::connect(place(server)?).await),
                Self::Noise => noise(place(server)?).await?,
                Self::Junk => junk(clock, server.clone()).await?,
            }
            Ok(())
        };
        let stuck = |_| Failure::failed(format!("The server does not close on a stranger: {self:?}."));
        timeout(PATIENCE, come).await.map_err(stuck).flatten()
    }
}

fn place(server: &ServerAddress) -> Result<SocketAddr, Failure> {
    let port = server.port.parse().map_err(|_| Failure::failed("The server does not say its port."))?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port)))
}

async fn noise(server: SocketAddr) -> Result<(), Failure> {
    let bytes: [u8; NOISE_LEN] = randomness()?.stream(Stream::World).bytes();
    if let Ok(mut stream) = TcpStream::connect(server).await {
        let _ = stream.write_all(&bytes).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    Ok(())
}

async fn junk(clock: Clock, server: ServerAddress) -> Result<(), Failure> {
    let mut rng = randomness()?.stream(Stream::World);
    let (letters, mut heard) = mailbox::bounded(BLOCKS);
    let mut connector = Connector::new(clock, Arc::new(Traffic::default()));
    connector.connect(LinkId::opened(0), Protocol::Ntf, server, None, Reach::Anywhere, letters);
    // Both belong to whoever has the link.
    let mut held = None;
    while let Some(letter) = heard.recv().await {
        match letter {
            LinkLetter::Up(_, _, commands, hold) => {
                for _ in 0..BLOCKS {
                    let block: [u8; 512] = rng.bytes();
                    let _ = commands.try_send(LinkCommand::Send(Box::new(block)));
                }
                held = Some((commands, hold));
            }
            LinkLetter::Block(..) | LinkLetter::Sent(..) => {}
            LinkLetter::Down(..) => break,
        }
    }
    drop(held);
    Ok(())
}
