//! Hands the page out over HTTP, to a few readers at a time, none of which can hold anything up.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;

use crate::metrics::Sources;
use crate::metrics::page::CONTENT_TYPE;
use crate::rt::io::Io;
use crate::rt::{Task, TcpListener, TcpStream, spawn};
use crate::tasks::Tasks;
use crate::wait::{sleep, timeout};

/// Readers at a time; beyond it the oldest is cut off. Source: ours.
const READERS_MAX: usize = 4;

/// How long a reader may take for all of it, asking included. Source: ours; a page has some 20 KB.
const READER_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a role may take to answer before the page is given up.
const ROLE_TIME_MAX: Duration = Duration::from_secs(5);

/// Bytes of a request's head. hyper takes no less.
const HEAD_LEN_MAX: usize = 8192;

/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the page is.
const PATH: &str = "/metrics";

/// A running server of one page. Dropping it ends it.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    task: Option<Task<()>>,
}

impl MetricsServer {
    /// Listens at `address` for whoever wants to read the page of `sources`.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn start(address: SocketAddr, sources: Sources) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: Some(spawn(accept(listener, sources))) })
    }

    /// Where it listens; tells the port when any free one was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The page's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, sources: Sources) {
    let mut readers = Tasks::default();
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => readers.add_within(READERS_MAX, spawn(serve(tcp, sources.clone()))),
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// One request of one reader. Who is slow, or speaks no HTTP, is cut off; nobody else waits for it.
async fn serve(tcp: TcpStream, sources: Sources) {
    let service = service_fn(move |request| {
        let sources = sources.clone();
        async move { Ok::<_, Infallible>(answer(&request, &sources).await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_LEN_MAX)
        .serve_connection(Io::new(tcp), service);
    let _ = timeout(READER_TIME_MAX, connection).await;
}

async fn answer(request: &Request<Incoming>, sources: &Sources) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return plain(StatusCode::NOT_FOUND, "The numbers are at /metrics.\n");
    }
    if *request.method() != Method::GET {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "The numbers can only be read: use GET.\n");
    }
    match timeout(ROLE_TIME_MAX, sources.page()).await {
        Ok(Some(page)) => respond(StatusCode::OK, CONTENT_TYPE, page.to_string().into()),
        Ok(None) => plain(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping, or a part of it died.\n"),
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "The server is too busy to answer in time.\n"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use futures_lite::{AsyncReadExt, AsyncWriteExt};
    use ntf_core::host::mailbox;

    use super::*;
    use crate::driver::Letter;
    use crate::rt::run;

    const PATIENCE: Duration = Duration::from_secs(30);

    async fn start(sources: Sources) -> MetricsServer {
        MetricsServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), sources).await.unwrap()
    }

    async fn ask(server: &MetricsServer, request: &str) -> String {
        let mut tcp = TcpStream::connect(server.address()).await.unwrap();
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        timeout(PATIENCE, tcp.read_to_end(&mut text)).await.unwrap().unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_page_is_at_one_path_and_can_only_be_read() {
        run(1, async {
            let server = start(Sources::default()).await;
            for (request, status, end) in [
                ("GET /metrics", "200 OK", "\r\n\r\n# EOF\n"),
                ("POST /metrics", "405 Method Not Allowed", "use GET.\n"),
                ("GET /", "404 Not Found", "at /metrics.\n"),
            ] {
                let text = ask(&server, &format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
                assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {text}");
                assert!(text.ends_with(end), "{request}: {text}");
            }
            let nonsense = ask(&server, "\u{16}\u{3}\u{1}\r\n\r\n").await;
            assert!(nonsense.starts_with("HTTP/1.1 400 "), "{nonsense}");
        })
        .unwrap();
    }

    #[test]
    fn a_role_that_has_ended_is_told_as_such() {
        run(1, async {
            let (mailbox, letters) = mailbox::bounded::<Letter<()>>(1);
            drop(letters);
            let server = start(Sources::default().with_role("role", mailbox)).await;
            let text = ask(&server, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
            assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
        })
        .unwrap();
    }

    #[test]
    fn readers_that_never_ask_make_room_for_one_that_does() {
        run(1, async {
            let server = start(Sources::default()).await;
            let mut silent = Vec::new();
            for _ in 0..3 * READERS_MAX {
                silent.push(TcpStream::connect(server.address()).await.unwrap());
            }
            let text = ask(&server, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
            assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
            let mut byte = [0];
            let end = timeout(READER_TIME_MAX / 2, silent[0].read(&mut byte)).await;
            assert!(matches!(end, Ok(Ok(0) | Err(_))), "the first was cut off, and long before its time");
        })
        .unwrap();
    }
}
