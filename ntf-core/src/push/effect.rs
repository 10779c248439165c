//! What a push server asks of the world.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use zeroize::Zeroize;

use crate::model::push::PushOutcome;
use crate::model::token::Provider;

/// An effect of the push server.
#[derive(Debug)]
pub enum Effect {
    /// Send this to the provider; answered by `Input::Answer`.
    Request(Request),
    /// Tell the subscriber.
    Outcome(PushOutcome),
}

/// Names one request to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// An HTTP/2 POST to a provider, ready but for the host, which the adapter knows from its configuration.
///
/// The adapter answers each one, once.
pub struct Request {
    /// Names the request.
    pub id: RequestId,
    /// Which provider's host.
    pub provider: Provider,
    /// The path, with the device token in it.
    pub path: String,
    /// Header names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Vec<u8>,
    /// How long the answer may take, connecting included; then it is `Answer::TimedOut`.
    pub timeout: Duration,
}

impl Drop for Request {
    /// Wipes the device token and the provider token. Copies inside an HTTP library are out of reach.
    fn drop(&mut self) {
        self.path.zeroize();
        for (_, value) in &mut self.headers {
            value.zeroize();
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}, {:?}, {} bytes)", self.id.0, self.provider, self.body.len())
    }
}
