//! What came of a request, told apart by whether the provider may have acted on it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use ntf_core::push::input::Answer;

/// Most bytes kept of a response body. Source: the face of the core.
const BODY_LEN_MAX: usize = 4096;

/// An answer that owns its body, on its way to the machine.
#[derive(Clone, PartialEq, Eq)]
pub enum OwnedAnswer {
    /// A whole HTTP response.
    Response {
        /// The status code.
        status: u16,
        /// The body, cut at 4096 bytes.
        body: Bytes,
        /// The `Retry-After` header, if it held seconds.
        retry_after: Option<Duration>,
    },
    /// No connection to the provider.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The connection broke after the request was written.
    Broken,
    /// The provider did not process the request.
    NotProcessed,
}

impl fmt::Debug for OwnedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_answer().fmt(f)
    }
}

impl OwnedAnswer {
    /// The answer as the machine takes it.
    #[must_use]
    pub fn as_answer(&self) -> Answer<'_> {
        match self {
            Self::Response { status, body, retry_after } => {
                Answer::Response { status: *status, body, retry_after: *retry_after }
            }
            Self::Unreachable => Answer::Unreachable,
            Self::TimedOut => Answer::TimedOut,
            Self::Broken => Answer::Broken,
            Self::NotProcessed => Answer::NotProcessed,
        }
    }

    /// Reads a response. A body that breaks off is kept as far as it came: the status has said what
    /// matters.
    pub(super) async fn read(response: http::Response<Incoming>) -> Self {
        let (head, mut incoming) = response.into_parts();
        let retry_after = head
            .headers
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(Ok(frame)) = incoming.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            let room = BODY_LEN_MAX.saturating_sub(body.len());
            body.extend(data.iter().take(room));
            if body.len() >= BODY_LEN_MAX {
                break;
            }
        }
        Self::Response { status: head.status.as_u16(), body: body.into(), retry_after }
    }

    /// Reads the failure of a request that was handed to a connection and did not come back.
    ///
    /// A GOAWAY of the peer fails exactly the streams above the last one it processed, and a stream it
    /// refused was not looked at (RFC 9113, 6.8 and 8.7). hyper's own "the dispatch task is gone" means
    /// that the connection ended while the request waited for a free stream. All else may have been
    /// processed.
    pub(super) fn from_failure(failure: &hyper::Error) -> Self {
        match h2_error(failure) {
            Some(fault) => {
                let is_refused = fault.is_reset() && fault.reason() == Some(h2::Reason::REFUSED_STREAM);
                let is_goodbye = fault.is_go_away() && fault.is_remote();
                if is_refused || is_goodbye { Self::NotProcessed } else { Self::Broken }
            }
            None if failure.is_user() => Self::NotProcessed,
            None => Self::Broken,
        }
    }
}

fn h2_error(failure: &hyper::Error) -> Option<&h2::Error> {
    let mut cause = failure.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<h2::Error>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}
