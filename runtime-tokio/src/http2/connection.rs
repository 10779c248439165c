//! One connection to a provider: made, kept alive, and ended when nobody uses it.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::future::or;
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, PingPong};
use hyper::body::Bytes;
use ntf_core::host::mailbox::{self, Receiver, Sender};
use rustls::ClientConfig;

use crate::connect::dial_host;
use crate::http2::cork::Cork;
use crate::http2::fault::{ConnectFault, Stage};
use crate::http2::{Endpoint, Message, OwnedAnswer, ProviderConfig};
use crate::rt::TcpStream;
use crate::rt::io::Io;
use crate::wait::{sleep, timeout};

/// Streams that may be open until the provider's settings arrive: some allow only one at first.
pub(super) const STREAMS_AT_FIRST: usize = 1;

/// Bytes of response headers that are read. Source: ours; Apple's have some hundred.
const HEADER_LIST_LEN_MAX: u32 = 16 * 1024;

/// How long a connection that nobody uses any more may take to say goodbye.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// What is needed to make one.
#[derive(Clone)]
pub(super) struct Dial {
    pub(super) endpoint: Endpoint,
    tls: Arc<ClientConfig>,
    connect_timeout: Duration,
    ping_interval: Duration,
    ping_timeout: Duration,
}

/// The end that asks. The connection closes when the last of its streams and this are dropped.
pub(super) struct Line {
    requests: SendRequest<Bytes>,
    /// After `requests`: whoever drives the connection hears of its end only when there is no other use.
    suspicions: Sender<()>,
}

/// What came of a request that was given to a line.
pub(super) enum Tried {
    /// The line has ended and took nothing of it; here it is.
    Untouched(Message),
    /// The line has ended just now; none of it was sent.
    Gone,
    /// It was sent, and this came of it.
    Sent(OwnedAnswer),
}

/// The end that moves bytes.
pub(super) struct Driver {
    connection: Connection<Io<Cork<TlsStream<TcpStream>>>, Bytes>,
    cork: Cork<TlsStream<TcpStream>>,
    pings: Option<PingPong>,
    suspicions: Receiver<()>,
    ping_interval: Duration,
    ping_timeout: Duration,
}

/// Why a connection has ended.
enum End {
    /// It broke, or the provider said goodbye and has answered what it took.
    Over(Result<(), h2::Error>),
    /// It cannot be written to.
    Broken(io::Error),
    /// No sign of life.
    Silent,
    /// Nobody uses it any more.
    Unused,
}

impl Dial {
    pub(super) fn new(endpoint: Endpoint, tls: Arc<ClientConfig>, config: &ProviderConfig) -> Self {
        Self {
            endpoint,
            tls,
            connect_timeout: config.connect_timeout,
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
        }
    }

    /// Makes a connection.
    pub(super) async fn connect(&self) -> Result<(Line, Driver), ConnectFault> {
        let fault = |stage, why: String| ConnectFault::new(&self.endpoint, stage, why);
        let dial = async {
            let (host, port) = self.endpoint.target();
            let tcp = dial_host(&host, port).await.map_err(|error| fault(Stage::Tcp, error.to_string()))?;
            tcp.set_nodelay().map_err(|error| fault(Stage::Tcp, error.to_string()))?;
            TlsConnector::from(self.tls.clone())
                .connect(self.endpoint.server_name(), tcp)
                .await
                .map_err(|error| fault(Stage::of_tls(&error), error.to_string()))
        };
        let tls = timeout(self.connect_timeout, dial)
            .await
            .map_err(|_| fault(Stage::Time, format!("nothing within {:?}", self.connect_timeout)))??;
        if !self.endpoint.is_http2(tls.get_ref().1.alpn_protocol()) {
            return Err(fault(Stage::Alpn, "it agreed to no protocol".to_owned()));
        }
        let cork = Cork::new(tls);
        // Writes the preface; nothing of the provider's is waited for.
        let (requests, mut connection) = Builder::new()
            .enable_push(false)
            .initial_max_send_streams(STREAMS_AT_FIRST)
            .max_header_list_size(HEADER_LIST_LEN_MAX)
            .handshake(Io::new(cork.clone()))
            .await
            .map_err(|error| fault(Stage::Http, error.to_string()))?;
        let (suspect, suspicions) = mailbox::bounded(1);
        let driver = Driver {
            pings: connection.ping_pong(),
            connection,
            cork,
            suspicions,
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
        };
        Ok((Line { requests, suspicions: suspect }, driver))
    }
}

impl Line {
    /// Sends a request and waits for its answer, however long that takes.
    pub(super) async fn send(&self, message: Message) -> Tried {
        let Ok(mut requests) = self.requests.clone().ready().await else { return Tried::Untouched(message) };
        let (head, body) = message;
        let Ok((response, mut stream)) = requests.send_request(head, false) else {
            return Tried::Gone;
        };
        // Fails only on a stream that has ended already, and then the response says how.
        let _ = stream.send_data(body, true);
        Tried::Sent(match response.await {
            Ok(response) => OwnedAnswer::read(response).await,
            Err(failure) => OwnedAnswer::from_failure(&failure),
        })
    }

    /// Asks for a sign of life now: a request was not answered in time.
    pub(super) fn suspect(&self) {
        // Full when it is about to be asked for anyway.
        let _ = self.suspicions.try_send(());
    }
}

impl Driver {
    /// Moves bytes until the connection has ended. `settle` hears how many streams the provider allows,
    /// first when its settings have arrived.
    pub(super) async fn run(self, mut settle: impl FnMut(usize)) {
        let Self { mut connection, cork, pings, mut suspicions, ping_interval, ping_timeout } = self;
        let mut allowed = STREAMS_AT_FIRST;
        let mut frames = pin!(poll_fn(move |context| {
            let polled = Pin::new(&mut connection).poll(context);
            let now = connection.max_concurrent_send_streams();
            if now != allowed {
                allowed = now;
                settle(now);
            }
            if polled.is_pending()
                && let Poll::Ready(Err(error)) = cork.poll_uncork(context)
            {
                return Poll::Ready(End::Broken(error));
            }
            polled.map(End::Over)
        }));
        let watch = async {
            let Some(mut pings) = pings else { return std::future::pending().await };
            loop {
                let idle = async {
                    sleep(ping_interval).await;
                    Some(())
                };
                if or(suspicions.recv(), idle).await.is_none() {
                    return End::Unused;
                }
                if !matches!(timeout(ping_timeout, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
                    return End::Silent;
                }
            }
        };
        match or(frames.as_mut(), watch).await {
            End::Over(Ok(())) => tracing::debug!("a provider closed a connection"),
            End::Over(Err(error)) => tracing::debug!("the connection to a provider ended: {error}"),
            End::Broken(error) => tracing::debug!("the connection to a provider broke: {error}"),
            End::Silent => tracing::debug!("a connection to a provider gave no sign of life"),
            // What is left to say is goodbye; who does not take it is not waited for.
            End::Unused => drop(timeout(CLOSE_TIME, frames).await),
        }
    }
}
