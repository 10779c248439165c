//! What came of a request, told apart by whether the provider may have acted on it.

use std::fmt;
use std::time::Duration;

use h2::RecvStream;
use hyper::body::Bytes;
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
    pub(super) async fn read(response: http::Response<RecvStream>) -> Self {
        let (head, mut stream) = response.into_parts();
        let retry_after = head
            .headers
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while body.len() < BODY_LEN_MAX
            && let Some(Ok(data)) = stream.data().await
        {
            // Fails only on a stream that has ended, where room no longer matters.
            let _ = stream.flow_control().release_capacity(data.len());
            let room = BODY_LEN_MAX.saturating_sub(body.len());
            body.extend(data.iter().take(room));
        }
        Self::Response { status: head.status.as_u16(), body: body.into(), retry_after }
    }

    /// Reads the failure of a request that was sent and did not come back.
    ///
    /// A GOAWAY of the peer fails exactly the streams above the last one it processed, and a stream it
    /// refused was not looked at (RFC 9113, 6.8 and 8.7). All else may have been processed.
    pub(super) fn from_failure(failure: &h2::Error) -> Self {
        let is_refused = failure.is_reset() && failure.reason() == Some(h2::Reason::REFUSED_STREAM);
        let is_goodbye = failure.is_go_away() && failure.is_remote();
        if is_refused || is_goodbye { Self::NotProcessed } else { Self::Broken }
    }
}
