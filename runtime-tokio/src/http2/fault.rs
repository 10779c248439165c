//! What a person is told when a provider cannot be reached, or refuses what an operator configured.

use std::fmt;
use std::io;

use rustls::AlertDescription;

use crate::http2::Endpoint;

/// The reason in the body of a refusal: a word, or that there is none. A provider's bytes go into a log only
/// as that.
pub(super) fn reason(body: &[u8]) -> String {
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
pub(super) enum Stage {
    Tcp,
    Certificate,
    Tls,
    Alpn,
    Http,
    Time,
}

impl Stage {
    pub(super) fn of_tls(error: &io::Error) -> Self {
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
    pub(super) fn new(endpoint: &Endpoint, stage: Stage, why: String) -> Self {
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

    pub(super) fn stopped() -> Self {
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
