//! What the server shows of itself, and what the system tells of its process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::program::bench::measured::Measured;
use crate::program::failure::Failure;
use crate::rt::TcpStream;
use crate::wait::timeout;

/// Counters that move where work is lost: dropped by a bound, refused for good, given up, or ordered and never
/// answered for. No fault of a soak is a reason for any of these.
pub(super) const LOST: [&str; 15] = [
    "ntf_subscriber_tokens_refused_full_total",
    "ntf_subscriber_tokens_refused_source_total",
    "ntf_subscriber_tokens_displaced_total",
    "ntf_subscriber_tokens_invalid_total",
    "ntf_subscriber_subscriptions_refused_full_total",
    "ntf_subscriber_subscriptions_displaced_total",
    "ntf_subscriber_delivery_displaced_total",
    "ntf_subscriber_delivery_expired_total",
    "ntf_subscriber_delivery_oversize_total",
    "ntf_subscriber_delivery_refused_full_total",
    "ntf_subscriber_delivery_too_large_total",
    "ntf_subscriber_delivery_refused_total",
    "ntf_subscriber_delivery_lost_total",
    "ntf_push_refused_total",
    "ntf_push_queue_full_total",
];

/// Gauges that are zero where nobody is registered and nothing is under way.
pub(super) const HELD: [&str; 18] = [
    "ntf_subscriber_links",
    "ntf_subscriber_tokens",
    "ntf_subscriber_subscriptions",
    "ntf_subscriber_servers",
    "ntf_subscriber_server_links",
    "ntf_subscriber_in_flight",
    "ntf_subscriber_notices",
    "ntf_subscriber_orders_out",
    "ntf_subscriber_in_line",
    "ntf_subscriber_verifications",
    "ntf_subscriber_periodics",
    "ntf_subscriber_claims",
    "ntf_subscriber_unproved",
    "ntf_subscriber_waits",
    "ntf_subscriber_effects",
    "ntf_push_in_hand",
    "ntf_push_in_flight",
    "ntf_connections_streams",
];

/// Gauges of pushes that are under way.
pub(super) const ORDERS: [&str; 3] =
    ["ntf_subscriber_orders_out", "ntf_subscriber_in_line", "ntf_push_in_hand"];

/// Connections to the provider, which are kept for the next push.
const CONNECTIONS: &str = "ntf_connections_open";

/// On loopback a page takes milliseconds; a server that is busy with everything else may take longer.
const PAGE_TIME_MAX: Duration = Duration::from_secs(30);

/// What is seen of the server at one time.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) numbers: BTreeMap<String, u64>,
    /// Bytes of memory, without the program.
    pub(super) memory: u64,
    /// Descriptors.
    pub(super) files: u64,
}

impl Reading {
    pub(super) async fn take(server: &Measured) -> Result<Self, Failure> {
        let untold = || Failure::failed("This system does not tell what a process uses.");
        let page = server.metrics.ok_or_else(|| Failure::failed("The server shows no numbers."))?;
        let text = timeout(PAGE_TIME_MAX, page_of(page)).await;
        let text = text.ok().and_then(Result::ok);
        let text = text.ok_or_else(|| Failure::failed("The server does not answer any more."))?;
        Ok(Self {
            numbers: numbers(&text),
            memory: server.own().ok_or_else(untold)?,
            files: server.files().ok_or_else(untold)?,
        })
    }

    /// A number by its name; zero, where the server has nothing to tell by it.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.numbers.get(name).copied().unwrap_or(0)
    }

    /// Those of these names that are not zero.
    pub(super) fn above_zero(&self, names: &'static [&'static str]) -> Vec<(&'static str, u64)> {
        let shown = names.iter().map(|name| (*name, self.number(name)));
        shown.filter(|(_, number)| *number > 0).collect()
    }

    /// Descriptors that are for no connection to the provider.
    pub(super) fn files(&self) -> u64 {
        self.files.saturating_sub(self.number(CONNECTIONS))
    }
}

async fn page_of(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

/// The lines that are a name and a number.
pub(super) fn numbers(page: &str) -> BTreeMap<String, u64> {
    let sample = |line: &str| {
        let (name, number) = line.split_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    page.lines().filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http2::ConnectionMeters;
    use crate::metrics::page::Page;
    use ntf_core::base::meter::readings;
    use ntf_core::{push, subscriber};

    #[test]
    fn a_page_is_read_and_what_is_not_zero_is_named() {
        let page = "HTTP/1.0 200 OK\r\ncontent-length: 9\r\n\r\n# TYPE ntf_push_in_hand gauge\n\
                    ntf_push_in_hand 0\nntf_subscriber_links 3\nntf_connections_open 2\n# EOF\n";
        let reading = Reading { numbers: numbers(page), memory: 0, files: 20 };
        assert_eq!(reading.above_zero(&HELD), [("ntf_subscriber_links", 3)]);
        assert_eq!((reading.number("ntf_push_orders_total"), reading.files()), (0, 18));
    }

    #[test]
    fn the_numbers_that_are_looked_at_are_shown() {
        let mut page = Page::default();
        page.add("subscriber", &readings(&subscriber::meters::Counters::default()));
        page.add("subscriber", &readings(&subscriber::meters::Gauges::default()));
        page.add("push", &readings(&push::Counters::default()));
        page.add("push", &readings(&push::Gauges::default()));
        page.add("connections", &readings(&ConnectionMeters::default()));
        let shown: BTreeSet<_> = numbers(&page.to_string()).into_keys().collect();
        for name in LOST.iter().chain(&HELD).chain(&ORDERS).chain(&[CONNECTIONS]) {
            assert!(shown.contains(*name), "{name}");
        }
    }
}
