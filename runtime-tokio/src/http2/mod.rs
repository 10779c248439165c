//! Requests of a push server, carried to providers over HTTP/2 and TLS.
//!
//! A few connections per provider, each made when first needed, by one task however many requests wait for it;
//! requests share them as concurrent streams. Certificates are validated as on the web, with the system's
//! roots or those of a given file. What an answer means, whether and when to try again, is the core's:
//! see `ntf_core::push`. Only TLS 1.3 is offered.
//!
//! `pool` keeps the connections of a provider and lends their streams, `connection` makes one and keeps it
//! alive, `cork` writes for many requests at once, `answer` tells what a failure says about the request, `fault` what a person is told, `set_up` reads
//! files and addresses. This is written against h2 and not against hyper's client, which queues requests
//! where nobody can tell how many streams are in use or whether a request has left.

mod answer;
mod connection;
mod cork;
mod fault;
mod pool;
mod set_up;
#[cfg(test)]
mod tests;

pub use answer::OwnedAnswer;
pub use fault::ConnectFault;
pub use pool::ConnectionMeters;
pub(crate) use set_up::tls_config;
pub use set_up::{Endpoint, Roots, SetUpFault, read_key_file};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use http::{Method, Uri};
use hyper::body::Bytes;
use ntf_core::base::meter::Meters;
use ntf_core::model::token::Provider;
use ntf_core::push::effect::Request;

use crate::http2::pool::{Pool, Sent};
use crate::wait::timeout;

/// How providers are reached.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Addresses other than Apple's own. [`Provider::ApnsTest`] has no address unless named here.
    pub endpoint_overrides: BTreeMap<Provider, Endpoint>,
    /// Whose certificates to accept. Default: the system's roots.
    pub roots: Roots,
    /// Longest time for TCP and TLS together. Default 25 s. Source: `ntf-protocol` 3.7.
    pub connect_timeout: Duration,
    /// Connections to one provider, 1 or more. Another one is made while all streams of the others are in
    /// use. Default 4: Apple allows some 1000 streams on each and advises to use several under load.
    pub connections_max: usize,
    /// How often a connection is asked for a sign of life (HTTP/2 PING); besides, it is asked at once when a
    /// request was not answered in time. Default 20 s. Source: ours.
    pub ping_interval: Duration,
    /// How long the sign of life may take before the connection counts as broken. Default 10 s.
    /// Source: ours.
    pub ping_timeout: Duration,
}

impl Default for ProviderConfig {
    fn default() -> Self {
        Self {
            endpoint_overrides: BTreeMap::new(),
            roots: Roots::System,
            connect_timeout: Duration::from_secs(25),
            connections_max: 4,
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(10),
        }
    }
}

/// Connections to all providers. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Providers {
    pools: Arc<BTreeMap<Provider, Pool>>,
}

impl Providers {
    /// Reads the roots and addresses. No connection is made yet.
    ///
    /// # Errors
    ///
    /// The CA file is unreadable or malformed, or the system has no roots and no file is given.
    pub fn new(config: &ProviderConfig) -> Result<Self, SetUpFault> {
        let tls = tls_config(&config.roots)?;
        let mut endpoints = BTreeMap::from([
            (Provider::ApnsProd, Endpoint::apns_prod()),
            (Provider::ApnsDev, Endpoint::apns_dev()),
        ]);
        endpoints.extend(config.endpoint_overrides.clone());
        let pools = endpoints
            .into_iter()
            .map(|(provider, endpoint)| (provider, Pool::new(endpoint, tls.clone(), config)))
            .collect();
        Ok(Self { pools: Arc::new(pools) })
    }

    /// The same providers over connections of their own: for another thread, so that each moves its own bytes.
    #[must_use]
    pub fn apart(&self) -> Self {
        let pools = self.pools.iter().map(|(provider, pool)| (*provider, pool.apart())).collect();
        Self { pools: Arc::new(pools) }
    }

    /// Sends one request and waits for its answer, for at most the request's timeout.
    ///
    /// Call it from one task per request; nothing is kept in order between them.
    pub async fn send(&self, mut request: Request) -> OwnedAnswer {
        let Some(pool) = self.pools.get(&request.provider) else {
            return OwnedAnswer::Unreachable;
        };
        let time = request.timeout;
        let Some(message) = to_http(pool.endpoint(), &mut request) else {
            // The core checks what it puts into paths and headers, so only another core's requests come
            // here. Nothing was sent, and the answer says so.
            return OwnedAnswer::NotProcessed;
        };
        let sent = Sent::default();
        match timeout(time, pool.send(message, &sent)).await {
            Ok(answer) => answer,
            // Whoever still waits for a connection has sent nothing.
            Err(_) if sent.is_with_a_connection() => OwnedAnswer::TimedOut,
            Err(_) => OwnedAnswer::Unreachable,
        }
    }

    /// Connects to a provider if there is no connection yet, to tell a person whether it works.
    ///
    /// # Errors
    ///
    /// One sentence about what failed and what to do.
    pub async fn check(&self, provider: Provider) -> Result<(), ConnectFault> {
        match self.pools.get(&provider) {
            Some(pool) => pool.check().await,
            None => Err(ConnectFault::no_address()),
        }
    }

    /// Connections to all providers together.
    #[must_use]
    pub fn meters(&self) -> ConnectionMeters {
        let mut sum = ConnectionMeters::default();
        for pool in self.pools.values() {
            sum.absorb(&pool.meters());
        }
        sum
    }
}

type Message = (http::Request<()>, Bytes);

/// The request as hyper wants it. The authority is the host without the port (`ntf-protocol` 3.5).
fn to_http(endpoint: &Endpoint, request: &mut Request) -> Option<Message> {
    let uri = Uri::builder()
        .scheme("https")
        .authority(endpoint.authority())
        .path_and_query(request.path.as_str())
        .build()
        .ok()?;
    let mut message = http::Request::new(());
    *message.method_mut() = Method::POST;
    *message.uri_mut() = uri;
    for (name, value) in &request.headers {
        let mut value = HeaderValue::from_str(value).ok()?;
        // Keeps the credential out of compression tables, as RFC 7541 7.1.3 advises, and out of debug
        // output.
        value.set_sensitive(*name == ntf_core::push::apns::AUTHORIZATION);
        message.headers_mut().insert(HeaderName::from_static(name), value);
    }
    Some((message, std::mem::take(&mut request.body).into()))
}
