//! A simulated Apple: takes the push server's requests, answers them, hands pushes to devices.
//!
//! A machine like any other. It checks what it can see without keys (path, headers, size of the body);
//! the stand-in for Apple that speaks HTTP/2 and checks the rest belongs to the program.

use crate::base::outbox::Outbox;
use crate::base::time::Now;
use crate::machine::{Machine, Step};
use crate::push::effect::{Request, RequestId};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// Longest body that is accepted, in bytes. Source: `ntf-protocol` 3.2, Apple's documented limit.
pub const BODY_LEN_MAX: usize = 4096;

/// One push server's connection: request numbers are each push server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionId(pub u32);

/// What can happen to the provider.
#[derive(Debug)]
pub enum Input<'a> {
    /// A push server's request arrived.
    Request {
        /// Over which connection.
        from: ConnectionId,
        /// What it asks.
        request: &'a Request,
    },
    /// A device got this token: pushes to it are accepted from here on.
    Install(&'a [u8]),
    /// The app was removed: pushes to this token are answered with 410.
    Uninstall(&'a [u8]),
    /// Answer the next request in this way, whatever it asks; further ones queue up.
    Script(Reply),
}

/// What the provider asks of the world.
pub enum Effect {
    /// Answer the push server.
    Answer {
        /// Over which connection.
        to: ConnectionId,
        /// The request.
        request: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// Hand a push to the device that owns this token.
    Deliver {
        /// The token of the path.
        token: Box<[u8]>,
        /// The JSON body.
        body: Vec<u8>,
    },
}

impl core::fmt::Debug for Effect {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Answer { request, reply, .. } => write!(f, "Answer({}, {reply:?})", request.0),
            Self::Deliver { body, .. } => write!(f, "Deliver({} bytes)", body.len()),
        }
    }
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Apple's word for the reason; empty with status 200.
    pub reason: &'static str,
    /// The `Retry-After` header.
    pub retry_after: Option<Duration>,
    /// Of a 410: since when the token is not valid, in Unix milliseconds.
    pub since_millis: Option<u64>,
}

impl Reply {
    /// Accepted.
    pub const OK: Self = Self { status: 200, reason: "", retry_after: None, since_millis: None };

    /// A refusal with this status and reason.
    #[must_use]
    pub const fn refusal(status: u16, reason: &'static str) -> Self {
        Self { status, reason, retry_after: None, since_millis: None }
    }

    /// The JSON body of the answer.
    #[must_use]
    pub fn body(&self) -> String {
        match (self.reason, self.since_millis) {
            ("", _) => String::new(),
            (reason, None) => format!("{{\"reason\":\"{reason}\"}}"),
            (reason, Some(since)) => format!("{{\"reason\":\"{reason}\",\"timestamp\":{since}}}"),
        }
    }
}

/// The simulated provider.
#[derive(Debug, Default)]
pub struct Provider {
    devices: BTreeMap<Box<[u8]>, Device>,
    script: VecDeque<Reply>,
    outbox: Outbox<Effect>,
    accepted: u64,
    refused: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Device {
    Installed,
    Removed,
}

impl Provider {
    /// A provider that knows no device yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Pushes accepted so far.
    #[must_use]
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Pushes refused so far.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    fn on_request(&mut self, from: ConnectionId, request: &Request) {
        let (reply, device) = match self.script.pop_front() {
            Some(reply) => (reply, device_of(&request.path)),
            None => self.judge(request),
        };
        if reply.status == 200 {
            self.accepted += 1;
            if let Some(token) = device {
                self.outbox.push(Effect::Deliver { token: token.into(), body: request.body.clone() });
            }
        } else {
            self.refused += 1;
        }
        self.outbox.push(Effect::Answer { to: from, request: request.id, reply });
    }

    /// Source: `ntf-protocol` 3.5 and 3.8.
    fn judge<'a>(&self, request: &'a Request) -> (Reply, Option<&'a [u8]>) {
        let header =
            |name: &str| request.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
        let Some(token) = device_of(&request.path) else {
            return (Reply::refusal(404, "BadPath"), None);
        };
        let refusal = if header("apns-topic").is_none_or(str::is_empty) {
            Reply::refusal(400, "MissingTopic")
        } else if !matches!(header("apns-push-type"), Some("alert" | "background")) {
            Reply::refusal(400, "InvalidPushType")
        } else if header("apns-push-type") == Some("background") && header("apns-priority") != Some("5") {
            Reply::refusal(400, "BadPriority")
        } else if !header("authorization").is_some_and(|value| value.starts_with("bearer ")) {
            Reply::refusal(403, "MissingProviderToken")
        } else if request.body.is_empty() {
            Reply::refusal(400, "PayloadEmpty")
        } else if request.body.len() > BODY_LEN_MAX {
            Reply::refusal(413, "PayloadTooLarge")
        } else {
            match self.devices.get(token) {
                Some(Device::Installed) => Reply::OK,
                Some(Device::Removed) => Reply::refusal(410, "Unregistered"),
                None => Reply::refusal(400, "BadDeviceToken"),
            }
        };
        (refusal, Some(token))
    }
}

fn device_of(path: &str) -> Option<&[u8]> {
    path.strip_prefix("/3/device/").filter(|token| !token.is_empty()).map(str::as_bytes)
}

impl Machine for Provider {
    type Input<'a> = Input<'a>;
    type Effect = Effect;

    fn handle(&mut self, _now: Now, input: Input<'_>) {
        match input {
            Input::Request { from, request } => self.on_request(from, request),
            Input::Install(token) => {
                self.devices.insert(token.into(), Device::Installed);
            }
            Input::Uninstall(token) => {
                self.devices.insert(token.into(), Device::Removed);
            }
            Input::Script(reply) => self.script.push_back(reply),
        }
    }

    fn poll(&mut self) -> Step<Effect> {
        self.outbox.pop().map_or(Step::Idle(None), Step::Do)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::Provider as Kind;
    use alloc::string::ToString;
    use alloc::vec;

    fn request(path: &str, headers: &[(&'static str, &str)], body_len: usize) -> Request {
        Request {
            id: RequestId(1),
            timeout: Duration::from_secs(25),
            provider: Kind::ApnsTest,
            path: path.to_string(),
            headers: headers.iter().map(|(name, value)| (*name, (*value).to_string())).collect(),
            body: vec![b'x'; body_len],
        }
    }

    const GOOD: &[(&str, &str)] =
        &[("apns-topic", "app"), ("apns-push-type", "alert"), ("authorization", "bearer x")];

    fn answer(provider: &mut Provider, request: &Request) -> (u16, bool) {
        provider.handle(Now::default(), Input::Request { from: ConnectionId(0), request });
        let mut delivered = false;
        loop {
            match provider.poll() {
                Step::Do(Effect::Deliver { .. }) => delivered = true,
                Step::Do(Effect::Answer { reply, .. }) => return (reply.status, delivered),
                Step::Idle(_) => return (0, delivered),
            }
        }
    }

    #[test]
    fn requests_are_judged_as_the_real_provider_judges_them() {
        let mut provider = Provider::new();
        provider.handle(Now::default(), Input::Install(b"ab"));
        provider.handle(Now::default(), Input::Install(b"gone"));
        provider.handle(Now::default(), Input::Uninstall(b"gone"));
        let background =
            [("apns-topic", "app"), ("apns-push-type", "background"), ("authorization", "bearer x")];
        for (request, expected) in [
            (request("/3/device/ab", GOOD, 10), (200, true)),
            (request("/3/device/ab", GOOD, BODY_LEN_MAX), (200, true)),
            (request("/3/device/ab", GOOD, BODY_LEN_MAX + 1), (413, false)),
            (request("/3/device/ab", GOOD, 0), (400, false)),
            (request("/3/device/ab", &GOOD[1..], 10), (400, false)),
            (request("/3/device/ab", &GOOD[..2], 10), (403, false)),
            (request("/3/device/ab", &background, 10), (400, false)),
            (request("/3/device/", GOOD, 10), (404, false)),
            (request("/3/device/gone", GOOD, 10), (410, false)),
            (request("/3/device/cd", GOOD, 10), (400, false)),
        ] {
            assert_eq!(answer(&mut provider, &request), expected, "{}", request.path);
        }
        assert_eq!((provider.accepted(), provider.refused()), (2, 8));
    }

    #[test]
    fn a_scripted_answer_is_given_once() {
        let mut provider = Provider::new();
        provider.handle(Now::default(), Input::Install(b"ab"));
        provider.handle(Now::default(), Input::Script(Reply::refusal(503, "ServiceUnavailable")));
        let request = request("/3/device/ab", GOOD, 10);
        assert_eq!(answer(&mut provider, &request), (503, false));
        assert_eq!(answer(&mut provider, &request), (200, true));
    }
}
