//! Opens links: names to addresses, TCP, TLS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ntf_core::base::id::LinkId;
use ntf_core::base::reach::Reach;
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::host::mailbox::Sender;
use ntf_core::link::event::{DownReason, Transport};
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::tls::Session;

use crate::clock::Clock;
use crate::driver::LinkLetter;
use crate::link::{Traffic, Wire, serve};
use crate::rt::{TcpStream, lookup, spawn};
use crate::wait::timeout;

/// TCP and TLS must be up within this time. Source: `smp-transport` 7.1, background connect timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(45);

/// Opens links for one role.
#[derive(Clone, Debug)]
pub struct Connector {
    clock: Clock,
    traffic: Arc<Traffic>,
}

impl Connector {
    /// A connector that judges certificates by `clock` and counts its bytes in `traffic`.
    #[must_use]
    pub const fn new(clock: Clock, traffic: Arc<Traffic>) -> Self {
        Self { clock, traffic }
    }

    /// Opens a link in a task of its own, which reports to `letters`.
    pub(crate) fn connect(
        &self,
        link: LinkId,
        protocol: Protocol,
        server: ServerAddress,
        showing: Option<Box<ServerCredentials>>,
        reach: Reach,
        letters: Sender<LinkLetter>,
    ) {
        let connector = self.clone();
        spawn(async move {
            let opening = connector.open(protocol, &server, showing.as_deref(), reach);
            let opened = timeout(CONNECT_TIMEOUT, opening).await;
            match opened.unwrap_or(Err(DownReason::TimedOut)) {
                Ok((wire, transport)) => serve(link, wire, transport, letters).await,
                Err(reason) => {
                    let _ = letters.send(LinkLetter::Down(link, reason)).await;
                }
            }
        });
    }

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
    let (mut refused, mut tried) = (false, false);
    for host in server.hosts.iter().filter(|host| !host.ends_with(".onion")) {
        let Ok(addresses) = lookup(host, port).await else { continue };
        for address in addresses {
            if !reach.permits(address.ip()) {
                refused = true;
                continue;
            }
            tried = true;
            if let Ok(stream) = TcpStream::connect(address).await {
                return Ok(stream);
            }
        }
    }
    Err(if refused && !tried { DownReason::NotPublic } else { DownReason::Unreachable })
}

/// Connects to a host at the first of its addresses that answers.
///
/// # Errors
///
/// What the last address, or the resolver, had to say.
pub(crate) async fn dial_host(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in lookup(host, port).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use ntf_core::model::server::Fingerprint;

    use super::*;
    use crate::rt::{TcpListener, run};

    #[test]
    fn what_is_not_public_is_connected_to_only_where_that_is_allowed() {
        run(1, async {
            let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
            let port = listener.local_addr().unwrap().port().to_string();
            for hosts in [&["127.0.0.1"][..], &["localhost"], &["nowhere.invalid", "::ffff:127.0.0.1"]] {
                let server = ServerAddress {
                    hosts: hosts.iter().map(|host| (*host).into()).collect(),
                    port: port.as_str().into(),
                    identity: Fingerprint::new([0; 32]),
                };
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
