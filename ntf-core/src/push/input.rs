//! What can happen to a push server.

use core::fmt;
use core::time::Duration;

use crate::model::push::PushOrder;
use crate::push::effect::RequestId;

/// An input of the push server.
#[derive(Debug)]
pub enum Input<'a> {
    /// A subscriber asks for a push.
    Order(PushOrder),
    /// A provider answered, or did not.
    Answer {
        /// The request.
        request: RequestId,
        /// What came of it.
        answer: Answer<'a>,
    },
    /// The announced deadline has come.
    Tick,
    /// Take no more orders, which are put off, and finish what is in hand, until
    /// [`Push::is_drained`](crate::push::Push::is_drained) or for as long as one likes. `Stop` has to follow.
    Drain,
    /// Finish nothing more; drop what is left.
    Stop,
}

/// What came of a request to a provider.
#[derive(Clone, Copy)]
pub enum Answer<'a> {
    /// A whole HTTP response.
    Response {
        /// The status code.
        status: u16,
        /// The body, cut at 4096 bytes.
        body: &'a [u8],
        /// The `Retry-After` header, if it held seconds.
        retry_after: Option<Duration>,
    },
    /// No connection to the provider.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The connection broke after the request was written: it may or may not have been processed.
    Broken,
    /// The provider said that it did not process the request (GOAWAY, refused stream).
    NotProcessed,
}

/// Prints how long the body is: what is in it is the provider's choice, our path for one.
impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response { status, body, .. } => write!(f, "Response({status}, {} bytes)", body.len()),
            Self::Unreachable => f.write_str("Unreachable"),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::Broken => f.write_str("Broken"),
            Self::NotProcessed => f.write_str("NotProcessed"),
        }
    }
}
