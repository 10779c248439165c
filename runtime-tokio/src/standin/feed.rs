//! How a device in another process gets its pushes: a stream that never ends, one JSON body per line.
//!
//! Apple's own way to a device is no part of any public protocol; this stands in for it on the same port.
//! `GET /stand-in/pushes/<device token>`.

use std::path::Path;
use std::sync::Arc;

use futures_lite::future::or;
use futures_rustls::TlsConnector;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{Method, Request, Response};
use hyper::body::Bytes;
use ntf_core::host::mailbox::{self, Receiver, Sender};

use crate::connect::dial_host;
use crate::http2::{Endpoint, Roots};
use crate::rt::io::Io;
use crate::rt::spawn;
use crate::standin::Shared;

const PATH: &str = "/stand-in/pushes/";

/// Longest line taken: the largest body Apple allows, and its end.
const LINE_LEN_MAX: usize = 4097;

/// Pushes that may wait for their device.
const WAITING_MAX: usize = 256;

pub(super) fn is_wanted(request: &Request<RecvStream>) -> bool {
    request.method() == Method::GET && request.uri().path().starts_with(PATH)
}

/// Sends pushes as they are accepted, until the device goes away.
pub(super) async fn serve(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
) {
    let token = request.uri().path().trim_start_matches(PATH).to_owned();
    let mut pushes = shared.subscribe(&token);
    let Ok(mut stream) = respond.send_response(Response::new(()), false) else { return };
    loop {
        let gone = async {
            let _ = std::future::poll_fn(|context| stream.poll_reset(context)).await;
            None
        };
        let Some(push) = or(gone, pushes.recv()).await else { return };
        let mut line = push.body.to_vec();
        line.push(b'\n');
        if stream.send_data(line.into(), false).is_err() {
            return;
        }
    }
}

/// Waits for the pushes of a device at a stand-in in another process. The channel ends with the connection.
///
/// # Errors
///
/// One sentence: the address or the CA file cannot be used, or the stand-in cannot be reached.
pub async fn watch_pushes(url: &str, ca_file: &Path, token: &str) -> Result<Receiver<Vec<u8>>, String> {
    let endpoint = Endpoint::parse(url).map_err(|fault| fault.to_string())?;
    let tls =
        crate::http2::tls_config(&Roots::File(ca_file.to_owned())).map_err(|fault| fault.to_string())?;
    let unreachable = |error: &dyn std::fmt::Display| {
        format!("Cannot reach the stand-in for Apple at {url}: {error}; check that it runs there.")
    };
    let (host, port) = endpoint.target();
    let tcp = dial_host(&host, port).await.map_err(|error| unreachable(&error))?;
    let tls = TlsConnector::from(tls)
        .connect(endpoint.server_name(), tcp)
        .await
        .map_err(|error| {
            format!(
                "No TLS with the stand-in for Apple at {url}: {error}; check that it runs there, and that {} is the \
                 certificate that it wrote at its latest start.",
                ca_file.display()
            )
        })?;
    let (mut requests, connection) =
        h2::client::handshake(Io::new(tls)).await.map_err(|error| unreachable(&error))?;
    let request = Request::get(format!("https://{}{PATH}{token}", endpoint.authority()))
        .body(())
        .map_err(|error| unreachable(&error))?;
    let (response, _) = requests.send_request(request, true).map_err(|error| unreachable(&error))?;
    // The connection makes progress only while it is polled; it ends with the stand-in.
    spawn(async move {
        let _ = connection.await;
    });
    let response = response.await.map_err(|error| unreachable(&error))?;
    if !response.status().is_success() {
        return Err(format!("{url} answers, but is no stand-in for Apple: {}.", response.status()));
    }
    let (sender, pushes) = mailbox::bounded(WAITING_MAX);
    spawn(async move {
        // Kept, or the connection would close for want of anybody to ask for more.
        let _requests = requests;
        split_lines(response.into_body(), sender).await;
    });
    Ok(pushes)
}

async fn split_lines(mut stream: RecvStream, sender: Sender<Vec<u8>>) {
    let mut line = Vec::new();
    while let Some(Ok(data)) = stream.data().await {
        let _ = stream.flow_control().release_capacity(data.len());
        for byte in data {
            match byte {
                b'\n' => {
                    if sender.send(std::mem::take(&mut line)).await.is_err() {
                        return;
                    }
                }
                byte if line.len() < LINE_LEN_MAX => line.push(byte),
                _ => return,
            }
        }
    }
}
