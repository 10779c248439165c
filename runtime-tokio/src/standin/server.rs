//! The connections of the stand-in: TLS, HTTP/2, one task per request.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_lite::future::or;
use futures_rustls::TlsAcceptor;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use hyper::body::Bytes;
use ntf_core::host::mailbox;
use ntf_core::host::stop::{Stage, Stop};
use rustls::ServerConfig;

use crate::rt::io::Io;
use crate::rt::{TcpListener, TcpStream, spawn};
use crate::standin::check::{self, BODY_LEN_MAX, Refusal};
use crate::standin::devices::{AcceptedPush, Delivery};
use crate::standin::{Fault, Shared, feed};
use crate::tasks::Tasks;
use crate::wait::{sleep, timeout};

/// Longest time for a TLS and HTTP/2 handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Bytes that may be on their way on one connection.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Bytes of request headers. Source: Apple's settings as seen in logs.
const HEADER_LIST_LEN_MAX: u32 = 8000;

/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until told to stop; returns when all are closed.
pub(super) async fn run(listener: TcpListener, tls: Arc<ServerConfig>, shared: Arc<Shared>, stop: Stop) {
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = Tasks::default();
    loop {
        let stopped = async {
            stop.reached(Stage::Stopped).await;
            None
        };
        match or(stopped, async { Some(listener.accept().await) }).await {
            Some(Ok((tcp, _))) => {
                connections.add(spawn(connection(tcp, acceptor.clone(), shared.clone())));
            }
            Some(Err(error)) => {
                tracing::debug!("the stand-in could not accept: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
            None => break,
        }
    }
    connections.cancel().await;
}

async fn connection(tcp: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let begin = async {
        tcp.set_nodelay()?;
        let tls = acceptor.accept(tcp).await?;
        shared.inner().counts.connections += 1;
        h2::server::Builder::new()
            .max_concurrent_streams(shared.streams_max)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADER_LIST_LEN_MAX)
            .handshake(Io::new(tls))
            .await
            .map_err(io::Error::other)
    };
    let Ok(Ok(mut connection)) = timeout(HANDSHAKE_TIME_MAX, begin).await else { return };
    // Dropped with this function, and so is every request on the connection.
    let mut requests = Tasks::default();
    let (close, mut closing) = mailbox::bounded::<()>(1);
    loop {
        let closed = async {
            closing.recv().await;
            None
        };
        let Some(Ok((request, mut respond))) = or(closed, connection.accept()).await else { break };
        let (fault, held) = {
            let mut inner = shared.inner();
            inner.counts.requests += 1;
            let fault = inner.faults.take();
            // Whoever has seen the request counted can release it.
            let held = (fault == Some(Fault::Hold)).then(|| inner.hold());
            (fault, held)
        };
        match fault {
            None if feed::is_wanted(&request) => {
                requests.add(spawn(feed::serve(request, respond, shared.clone())));
            }
            None => {
                requests.add(spawn(serve(request, respond, shared.clone(), Duration::ZERO)));
            }
            Some(Fault::Delay(delay)) => {
                requests.add(spawn(serve(request, respond, shared.clone(), delay)));
            }
            Some(Fault::Answer { status, reason, retry_after_secs, timestamp_millis }) => {
                shared.inner().counts.refused += 1;
                let response = explain(status, &reason, timestamp_millis, retry_after_secs);
                requests.add(spawn(async move {
                    read(request.into_body()).await;
                    answer(respond, response);
                }));
            }
            Some(Fault::Hold) => {
                let shared = shared.clone();
                requests.add(spawn(async move {
                    if let Some(mut released) = held {
                        released.recv().await;
                    }
                    serve(request, respond, shared, Duration::ZERO).await;
                }));
            }
            Some(Fault::Silence) => {
                requests.add(spawn(async move {
                    let _both_kept = (request, respond);
                    std::future::pending::<()>().await;
                }));
            }
            Some(Fault::RefuseStream) => respond.send_reset(Reason::REFUSED_STREAM),
            Some(Fault::GoAway) => {
                respond.send_reset(Reason::REFUSED_STREAM);
                connection.graceful_shutdown();
            }
            Some(Fault::LastAnswer) => {
                requests.add(spawn(serve(request, respond, shared.clone(), Duration::ZERO)));
                connection.graceful_shutdown();
            }
            Some(Fault::Drop) => return,
            Some(Fault::DropAnswer) => {
                let (shared, close) = (shared.clone(), close.clone());
                requests.add(spawn(async move {
                    let _unanswered = respond;
                    judge(request, &shared, Duration::ZERO).await;
                    let _ = close.try_send(());
                }));
            }
        }
    }
}

async fn serve(
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    delay: Duration,
) {
    answer(respond, judge(request, &shared, delay).await);
}

/// Applies the rules after a while, delivers what passes, and gives the answer.
async fn judge(request: Request<RecvStream>, shared: &Shared, delay: Duration) -> Response<Bytes> {
    let (head, body) = request.into_parts();
    let body = read(body).await;
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let at_secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let checked = {
        let mut inner = shared.inner();
        inner.counts.body_bytes += u64::try_from(body.len()).unwrap_or(u64::MAX);
        match check::request(&head, &body, &shared.topic, &mut inner, at_secs) {
            Ok(token) => {
                inner.counts.accepted += 1;
                Ok((token, inner.counts.accepted))
            }
            Err(refusal) => {
                inner.counts.refused += 1;
                Err(refusal)
            }
        }
    };
    match checked {
        Ok((token, number)) => {
            let headers = head
                .headers
                .iter()
                .filter(|(name, _)| name.as_str().starts_with("apns-"))
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
                .collect();
            let push = AcceptedPush { body, headers, at: Instant::now() };
            if shared.deliver(token, push) == Delivery::Dropped {
                shared.inner().counts.dropped += 1;
            }
            let id = apns_id(number);
            build(Response::builder().status(200).header("apns-id", id), Bytes::new())
        }
        Err(Refusal { status, reason, timestamp_millis }) => explain(status, reason, timestamp_millis, None),
    }
}

/// Reads a body, or as much of it as shows that it is too large.
async fn read(mut stream: RecvStream) -> Bytes {
    let mut body = Vec::new();
    while let Some(Ok(data)) = stream.data().await {
        // Fails only on a stream that has ended, where room no longer matters.
        let _ = stream.flow_control().release_capacity(data.len());
        body.extend_from_slice(&data);
        if body.len() > 4 * BODY_LEN_MAX {
            break;
        }
    }
    body.into()
}

fn explain(
    status: u16,
    reason: &str,
    timestamp_millis: Option<u64>,
    retry_after_secs: Option<u64>,
) -> Response<Bytes> {
    let body = match (reason, timestamp_millis) {
        ("", _) => Bytes::new(),
        (_, None) => serde_json::json!({ "reason": reason }).to_string().into(),
        (_, Some(at)) => serde_json::json!({ "reason": reason, "timestamp": at }).to_string().into(),
    };
    let mut builder = Response::builder().status(status).header("apns-id", apns_id(0));
    if let Some(secs) = retry_after_secs {
        builder = builder.header("retry-after", secs);
    }
    build(builder, body)
}

fn build(builder: http::response::Builder, body: Bytes) -> Response<Bytes> {
    // A fault may name a status that is none; 500 says that much.
    builder.body(body.clone()).unwrap_or_else(|_| {
        let mut response = Response::new(body);
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// Sends a response. It fails only when the client has given up the stream or the connection.
fn answer(mut respond: SendResponse<Bytes>, response: Response<Bytes>) {
    let (head, body) = response.into_parts();
    let is_empty = body.is_empty();
    if let Ok(mut stream) = respond.send_response(Response::from_parts(head, ()), is_empty)
        && !is_empty
    {
        let _ = stream.send_data(body, true);
    }
}

/// An id in the form of Apple's.
fn apns_id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{:012X}", number & 0xffff_ffff_ffff)
}
