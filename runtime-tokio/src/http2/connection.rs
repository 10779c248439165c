//! The connection to one provider: made by one task for all who wait, replaced when it ends.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsConnector;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use ntf_core::host::gauges::Flag;
use ntf_core::host::slot::{Found, Round, Slot};
use ntf_core::host::sync::Lock;
use rustls::{AlertDescription, ClientConfig};

use crate::connect::dial_host;
use crate::http2::hyper_rt::{Tasks, Timers};
use crate::http2::{Endpoint, Message, OwnedAnswer, ProviderConfig};
use crate::rt::io::Io;
use crate::rt::spawn;
use crate::wait::timeout;

/// Connections tried for a request that no connection took.
const CONNECTIONS_PER_REQUEST: u32 = 2;

/// The connection to one provider, if there is one. Clones share it.
#[derive(Clone)]
pub(super) struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Endpoint,
    tls: Arc<ClientConfig>,
    connect_timeout: Duration,
    ping_interval: Duration,
    ping_timeout: Duration,
    slot: Slot<Live, ConnectFault>,
    /// The last failure told to the log, so that it is told once.
    told: Lock<Option<String>>,
}

type Outcome = Result<Live, ConnectFault>;

/// A connection in use.
#[derive(Clone)]
pub(super) struct Live {
    sender: http2::SendRequest<Full<Bytes>>,
    round: Round,
}

/// Whether a request was handed to a connection.
#[derive(Default)]
pub(super) struct Sent(Flag);

impl Sent {
    pub(super) fn is_with_the_connection(&self) -> bool {
        self.0.is_set()
    }

    fn set(&self, is_with_the_connection: bool) {
        self.0.set(is_with_the_connection);
    }
}

impl Connection {
    pub(super) fn new(endpoint: Endpoint, tls: Arc<ClientConfig>, config: &ProviderConfig) -> Self {
        let shared = Shared {
            endpoint,
            tls,
            connect_timeout: config.connect_timeout,
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            slot: Slot::new(),
            told: Lock::new(None),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// Sends a message over the connection, which is made if there is none.
    pub(super) async fn send(&self, mut message: Message, sent: &Sent) -> OwnedAnswer {
        for _ in 0..CONNECTIONS_PER_REQUEST {
            let Ok(mut live) = self.live().await else { return OwnedAnswer::Unreachable };
            sent.set(true);
            let mut failure = match live.sender.try_send_request(message).await {
                Ok(response) => {
                    let answer = OwnedAnswer::read(response).await;
                    self.leave_if_unavailable(&live, &answer);
                    self.tell_if_forbidden(&answer);
                    return answer;
                }
                Err(failure) => failure,
            };
            match failure.take_message() {
                // The connection ended before it took the message: the next one may.
                Some(returned) => {
                    sent.set(false);
                    self.shared.slot.forget(live.round);
                    message = returned;
                }
                None => return OwnedAnswer::from_failure(failure.error()),
            }
        }
        OwnedAnswer::NotProcessed
    }

    /// A provider that answers 503 may be about to stop: later requests go to another connection, those
    /// in flight stay. Source: `ntf-protocol` 3.8.
    fn leave_if_unavailable(&self, live: &Live, answer: &OwnedAnswer) {
        if let OwnedAnswer::Response { status: 503, .. } = answer {
            self.shared.slot.forget(live.round);
        }
    }

    /// 403 is about the provider token, so about what an operator configured; all but an expired one, which
    /// the core renews by itself.
    fn tell_if_forbidden(&self, answer: &OwnedAnswer) {
        let OwnedAnswer::Response { status: 403, body, .. } = answer else { return };
        let reason = reason(body);
        if reason == "ExpiredProviderToken" {
            return;
        }
        self.tell_once(format!(
            "the push provider {} refuses our provider token: 403 {reason}; check the signing key, its id and \
             the team id",
            self.shared.endpoint
        ));
    }

    /// Warns the operator, unless this was the last thing said.
    fn tell_once(&self, text: String) {
        // Whoever writes the log is not ours, so it is not called under the lock.
        let before = self.shared.told.lock().replace(text.clone());
        if before.as_ref() != Some(&text) {
            tracing::warn!("{text}");
        }
    }

    /// The connection in use, made if there is none.
    pub(super) async fn live(&self) -> Outcome {
        let found = match self.shared.slot.look(|live| !live.sender.is_closed()) {
            Found::Made(live, _) => return Ok(live),
            Found::Wait(found) => found,
            Found::Make(maker) => {
                let found = maker.wait();
                // A task of its own: the request that came first may be given up while others still wait.
                let this = self.clone();
                spawn(async move {
                    let outcome = this.connect(maker.round()).await;
                    this.tell(&outcome);
                    maker.land(outcome);
                });
                found
            }
        };
        // Nothing comes when the connecting task was dropped with its runtime.
        found.await.unwrap_or_else(|_| Err(ConnectFault::stopped()))
    }

    fn tell(&self, outcome: &Outcome) {
        match outcome {
            Ok(_) => *self.shared.told.lock() = None,
            Err(fault) => self.tell_once(fault.to_string()),
        }
    }

    async fn connect(&self, round: Round) -> Outcome {
        let shared = &self.shared;
        let fault = |stage, why: String| ConnectFault::new(&shared.endpoint, stage, why);
        let dial = async {
            let (host, port) = shared.endpoint.target();
            let tcp = dial_host(&host, port).await.map_err(|error| fault(Stage::Tcp, error.to_string()))?;
            tcp.set_nodelay().map_err(|error| fault(Stage::Tcp, error.to_string()))?;
            let name = shared.endpoint.server_name();
            TlsConnector::from(shared.tls.clone())
                .connect(name, tcp)
                .await
                .map_err(|error| fault(Stage::of_tls(&error), error.to_string()))
        };
        let tls = timeout(shared.connect_timeout, dial)
            .await
            .map_err(|_| fault(Stage::Time, format!("nothing within {:?}", shared.connect_timeout)))??;
        if !shared.endpoint.is_http2(tls.get_ref().1.alpn_protocol()) {
            return Err(fault(Stage::Alpn, "it agreed to no protocol".to_owned()));
        }
        let (sender, connection) = http2::Builder::new(Tasks)
            .timer(Timers)
            // Until the provider's settings arrive, send one request: some allow only that at first.
            .initial_max_send_streams(1)
            .keep_alive_interval(shared.ping_interval)
            .keep_alive_timeout(shared.ping_timeout)
            .keep_alive_while_idle(true)
            .handshake::<_, Full<Bytes>>(Io::new(tls))
            .await
            .map_err(|error| fault(Stage::Http, error.to_string()))?;
        // Weak, or the connection would keep alive what keeps it in use, and never close.
        let shared = Arc::downgrade(&self.shared);
        spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("the connection to a provider ended: {error}");
            }
            if let Some(shared) = shared.upgrade() {
                shared.slot.forget(round);
            }
        });
        Ok(Live { sender, round })
    }
}

/// The reason in the body of a refusal: a word, or that there is none. A provider's bytes go into a log only
/// as that.
fn reason(body: &[u8]) -> String {
    let body: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let word = body.as_ref().and_then(|body| body.get("reason")?.as_str());
    let is_word = |word: &&str| word.len() <= 40 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    word.filter(is_word).unwrap_or("without a reason").to_owned()
}

/// Why there is no connection to a provider: one sentence, naming what, where and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectFault {
    text: String,
}

#[derive(Clone, Copy)]
enum Stage {
    Tcp,
    Certificate,
    Tls,
    Alpn,
    Http,
    Time,
}

impl Stage {
    fn of_tls(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(_)) => Self::Certificate,
            Some(
                rustls::Error::NoApplicationProtocol
                | rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol),
            ) => Self::Alpn,
            Some(_) | None => Self::Tls,
        }
    }
}

impl ConnectFault {
    fn new(endpoint: &Endpoint, stage: Stage, why: String) -> Self {
        let (what, advice) = match stage {
            Stage::Tcp => ("cannot connect to", "check the address, and that this machine may reach it"),
            Stage::Certificate => (
                "refused the certificate of",
                "name the file of the CA that issued it, or check that nothing stands in between",
            ),
            Stage::Tls => ("no TLS 1.3 connection to", "check that the port speaks TLS"),
            Stage::Alpn => ("no HTTP/2 at", "check that the address is a push provider's"),
            Stage::Http => ("no HTTP/2 connection to", "check that the address is a push provider's"),
            Stage::Time => ("no connection in time to", "check that this machine may reach it"),
        };
        Self { text: format!("{what} the push provider {endpoint}: {why}; {advice}") }
    }

    pub(super) fn no_address() -> Self {
        Self { text: "this push provider has no address; name one in the configuration".to_owned() }
    }

    fn stopped() -> Self {
        Self { text: "the connection to the push provider was given up: the program is stopping".to_owned() }
    }
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ConnectFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_of_a_refusal_gets_into_the_log() {
        for (body, expected) in [
            (&br#"{"reason":"InvalidProviderToken"}"#[..], "InvalidProviderToken"),
            (br#"{"reason":"/3/device/feed"}"#, "without a reason"),
            (br#"{"reason":7}"#, "without a reason"),
            (b"\xff", "without a reason"),
        ] {
            assert_eq!(reason(body), expected);
        }
    }
}
