//! Opens links: names to addresses, TCP, TLS.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use ntf_core::base::id::LinkId;
use ntf_core::base::reach::Reach;
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::host::mailbox::Sender;
use ntf_core::host::oneshot;
use ntf_core::link::event::{DownReason, Transport};
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::tls::Session;

use crate::attempts::Attempts;
use crate::clock::Clock;
use crate::driver::LinkLetter;
use crate::link::{Traffic, Wire, serve};
use crate::rt::{TcpStream, lookup, spawn};
use crate::wait::timeout;

/// TCP and TLS must be up within this time. Source: `smp-transport` 7.1, background connect timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(45);

/// A name must be resolved within this time, or the next host is tried. Source: ours; what the resolvers of
/// most systems take to give up.
const LOOKUP_TIME_MAX: Duration = Duration::from_secs(10);

/// Below this many it is not worth looking for connects that have ended.
const PRUNE_MIN: usize = 16;

/// Opens links for one role. Dropping this gives up those that are not up yet.
#[derive(Debug)]
pub struct Connector {
    dialer: Dialer,
    /// Whoever waits for one of these gives up when it is dropped.
    opening: HashMap<LinkId, oneshot::Sender<Infallible>>,
    prune_at: usize,
}

#[derive(Clone, Debug)]
struct Dialer {
    clock: Clock,
    traffic: Arc<Traffic>,
}

impl Connector {
    /// A connector that judges certificates by `clock` and counts its bytes in `traffic`.
    #[must_use]
    pub fn new(clock: Clock, traffic: Arc<Traffic>) -> Self {
        Self { dialer: Dialer { clock, traffic }, opening: HashMap::new(), prune_at: PRUNE_MIN }
    }

    /// Opens a link in a task of its own, which reports to `letters`: that it is up or down, in any case.
    pub(crate) fn connect(
        &mut self,
        link: LinkId,
        protocol: Protocol,
        server: ServerAddress,
        showing: Option<Box<ServerCredentials>>,
        reach: Reach,
        letters: Sender<LinkLetter>,
    ) {
        if self.opening.len() >= self.prune_at {
            self.opening.retain(|_, opening| !opening.is_closed());
            self.prune_at = (self.opening.len() * 2).max(PRUNE_MIN);
        }
        let (held, given_up) = oneshot::channel::<Infallible>();
        self.opening.insert(link, held);
        let dialer = self.dialer.clone();
        spawn(async move {
            let opening = dialer.open(protocol, &server, showing.as_deref(), reach);
            let opened = or(
                async {
                    let _ = given_up.await;
                    Err(DownReason::Asked)
                },
                async { timeout(CONNECT_TIMEOUT, opening).await.unwrap_or(Err(DownReason::TimedOut)) },
            )
            .await;
            match opened {
                Ok((wire, transport)) => serve(link, wire, transport, letters).await,
                Err(reason) => {
                    let _ = letters.send(LinkLetter::Down(link, reason)).await;
                }
            }
        });
    }

    /// Gives a link up, unless it is up already.
    pub(crate) fn cancel(&mut self, link: LinkId) {
        self.opening.remove(&link);
    }
}

impl Dialer {
    async fn open(
        &self,
        protocol: Protocol,
        server: &ServerAddress,
        showing: Option<&ServerCredentials>,
        reach: Reach,
    ) -> Result<(Wire, Transport), DownReason> {
        let stream = dial(protocol, server, reach).await?;
        let (profile, wall) = (protocol.into(), self.clock.now().wall);
        let session = match showing {
            Some(credentials) => Session::connect_showing(&profile, credentials, &server.identity, wall),
            None => Session::connect(&profile, &server.identity, wall),
        };
        let mut wire = Wire::new(stream, session.map_err(|_| DownReason::Tls)?, self.traffic.clone());
        let transport = wire.handshake().await?;
        Ok((wire, transport))
    }
}

/// Tries the hosts of an address in order, each with all its addresses that may be connected to. Onion hosts
/// need a proxy, which is not there, and are passed over.
///
/// Each name is resolved once: what was judged is what is connected to.
async fn dial(protocol: Protocol, server: &ServerAddress, reach: Reach) -> Result<TcpStream, DownReason> {
    let port = match &*server.port {
        "" => protocol.default_port(),
        port => port.parse().map_err(|_| DownReason::Unreachable)?,
    };
    let mut attempts = Attempts::new();
    let (mut refused, mut tried) = (false, false);
    for host in server.hosts.iter().filter(|host| !host.ends_with(".onion")) {
        let addresses = match attempts.meanwhile(timeout(LOOKUP_TIME_MAX, lookup(host, port))).await {
            ControlFlow::Continue(Ok(Ok(addresses))) => addresses,
            ControlFlow::Continue(_) => continue,
            ControlFlow::Break(stream) => return Ok(stream),
        };
        for address in addresses {
            if !reach.permits(address.ip()) {
                refused = true;
                continue;
            }
            tried = true;
            if let Some(stream) = attempts.start(TcpStream::connect(address)).await {
                return Ok(stream);
            }
        }
    }
    let none = if refused && !tried { DownReason::NotPublic } else { DownReason::Unreachable };
    attempts.end().await.map_err(|_| none)
}

/// Connects to a host at the first of its addresses that answers; none holds up the next for long.
///
/// # Errors
///
/// What the last address to fail, or the resolver, had to say.
pub(crate) async fn dial_host(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut attempts = Attempts::new();
    for address in lookup(host, port).await? {
        if let Some(stream) = attempts.start(TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    attempts.end().await
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use ntf_core::host::mailbox::{self, Receiver};
    use ntf_core::model::server::Fingerprint;
    use socket2::{Domain, Socket, Type};

    use super::*;
    use crate::rt::{TcpListener, run};

    /// Less than a connect waits, and more than anything on loopback takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    const LINK: LinkId = LinkId::opened(1);

    /// An address that never answers: a socket that listens, whose backlog is full.
    pub(crate) struct BlackHole {
        address: SocketAddr,
        _sockets: (Socket, Vec<std::net::TcpStream>),
    }

    impl BlackHole {
        pub(crate) fn open(ip: Ipv4Addr) -> Self {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
            socket.listen(0).unwrap();
            let address = socket.local_addr().unwrap().as_socket().unwrap();
            let mut waiting = Vec::new();
            while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100))
            {
                waiting.push(stream);
            }
            Self { address, _sockets: (socket, waiting) }
        }

        pub(crate) fn server(&self, hosts: &[&str]) -> ServerAddress {
            server(hosts, self.address.port())
        }
    }

    fn server(hosts: &[&str], port: u16) -> ServerAddress {
        ServerAddress {
            hosts: hosts.iter().map(|host| (*host).into()).collect(),
            port: port.to_string().as_str().into(),
            identity: Fingerprint::new([0; 32]),
        }
    }

    /// A connector whose only link is on its way to an address that never answers.
    fn connecting(hole: &BlackHole) -> (Connector, Receiver<LinkLetter>) {
        let (letters, heard) = mailbox::bounded(16);
        let mut connector = Connector::new(Clock::start(), Arc::default());
        let server = hole.server(&[&hole.address.ip().to_string()]);
        connector.connect(LINK, Protocol::Smp, server, None, Reach::Anywhere, letters);
        (connector, heard)
    }

    #[test]
    fn a_connect_that_is_given_up_tells_so_at_once() {
        run(1, async {
            let hole = BlackHole::open(Ipv4Addr::LOCALHOST);
            let (mut connector, mut heard) = connecting(&hole);
            connector.cancel(LINK);
            let letter = timeout(PATIENCE, heard.recv()).await.expect("it does not wait for the peer");
            assert!(matches!(letter, Some(LinkLetter::Down(LINK, DownReason::Asked))), "{letter:?}");
        })
        .unwrap();
    }

    #[test]
    fn a_connect_ends_with_its_connector() {
        run(1, async {
            let hole = BlackHole::open(Ipv4Addr::LOCALHOST);
            let (connector, mut heard) = connecting(&hole);
            drop(connector);
            let ended = async { while heard.recv().await.is_some() {} };
            timeout(PATIENCE, ended).await.expect("its task lets go of the mailbox");
        })
        .unwrap();
    }

    #[test]
    fn connects_that_have_ended_are_forgotten() {
        run(1, async {
            let (letters, mut heard) = mailbox::bounded(16);
            let mut connector = Connector::new(Clock::start(), Arc::default());
            for number in 0..200 {
                let nowhere = server(&["x.onion"], 1);
                let link = LinkId::opened(number);
                connector.connect(link, Protocol::Smp, nowhere, None, Reach::Anywhere, letters.clone());
                let letter = heard.recv().await;
                assert!(matches!(letter, Some(LinkLetter::Down(_, DownReason::Unreachable))), "{letter:?}");
                assert!(connector.opening.len() <= PRUNE_MIN);
            }
        })
        .unwrap();
    }

    #[test]
    fn an_address_that_never_answers_leaves_time_for_the_next() {
        run(1, async {
            let hole = BlackHole::open(Ipv4Addr::new(127, 0, 0, 2));
            let port = hole.address.port();
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port).into()).await.unwrap();
            let server = hole.server(&["127.0.0.2", "127.0.0.1"]);
            let dialed = timeout(PATIENCE, dial(Protocol::Smp, &server, Reach::Anywhere)).await;
            dialed.expect("the second answers").unwrap();
            listener.accept().await.unwrap();
        })
        .unwrap();
    }

    #[test]
    fn what_is_not_public_is_connected_to_only_where_that_is_allowed() {
        run(1, async {
            let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            for hosts in [&["127.0.0.1"][..], &["localhost"], &["nowhere.invalid", "::ffff:127.0.0.1"]] {
                let server = server(hosts, port);
                let refused = dial(Protocol::Smp, &server, Reach::Public).await;
                assert_eq!(refused.err(), Some(DownReason::NotPublic), "{hosts:?}");
                let allowed = dial(Protocol::Smp, &server, Reach::Anywhere).await;
                if hosts != ["localhost"] {
                    // A name may resolve to the loopback address of IPv6 alone.
                    assert!(allowed.is_ok(), "{hosts:?}");
                }
            }
            // Only what was allowed has come.
            listener.accept().await.unwrap();
        })
        .unwrap();
    }
}
