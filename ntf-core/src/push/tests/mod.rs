//! The push server through its face: orders in, requests and outcomes out, in virtual time.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod answers;
mod deadlines;
mod promises;
mod provider_token;
mod shares;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::base::rng::Seed;
use crate::base::time::{Deadline, Mono, Now, Wall};
use crate::crypto::es256::Es256Key;
use crate::machine::{Machine, Step};
use crate::model::push::{PushId, PushOrder, PushOutcome, PushPayload, PushResult, Sealed};
use crate::model::token::{DeviceToken, Provider};
use crate::push::effect::{Effect, Request, RequestId};
use crate::push::input::{Answer, Input};
use crate::push::{Config, Push};

/// Made for tests, protects nothing. Origin: the key of the recorded JWT in the wire vectors.
const KEY_PEM: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGvKODR3TbfWaia0m
uwzkeexYF8FfnRc1De80NaAqn9ChRANCAAR82UAoO5t2YG8LNCwRr5LLcTP0C5sy
CZSbP9lxWL//XptWw7CB1h5p1uomBdvyC2RWFdMlrV8/rMRlRpAVjlKY
-----END PRIVATE KEY-----
";

/// A hexadecimal device token that is easy to find in output.
const TOKEN: &str = "c0ffee00c0ffee11c0ffee22c0ffee33";

const START: u64 = 1_764_000_000;

fn key() -> Es256Key {
    Es256Key::from_pkcs8_pem(KEY_PEM).unwrap()
}

fn config() -> Config {
    Config {
        key: Some(key()),
        key_id: "KEYSHARED1".into(),
        team_id: "TEAMSHARED".into(),
        ..Config::default()
    }
}

/// A push server and its clock.
struct Bench {
    push: Push,
    now: Now,
}

/// What one input led to.
#[derive(Default)]
struct Drained {
    requests: Vec<Request>,
    outcomes: Vec<PushOutcome>,
    deadline: Option<Deadline>,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self::seeded(config, 7)
    }

    fn seeded(config: Config, seed: u64) -> Self {
        let now = Now { mono: Mono::ZERO, wall: Wall::from_secs(START) };
        Self { push: Push::new(config, Seed::from_number(seed), now), now }
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
        let millis = self.now.wall.as_millis() + u64::try_from(time.as_millis()).unwrap();
        self.now.wall = Wall::from_millis(millis);
    }

    fn input(&mut self, input: Input<'_>) -> Drained {
        self.push.handle(self.now, input);
        let mut drained = Drained::default();
        loop {
            match self.push.poll() {
                Step::Do(Effect::Request(request)) => drained.requests.push(request),
                Step::Do(Effect::Outcome(outcome)) => drained.outcomes.push(outcome),
                Step::Idle(deadline) => {
                    drained.deadline = deadline;
                    assert!(matches!(self.push.poll(), Step::Idle(again) if again == deadline));
                    return drained;
                }
            }
        }
    }

    fn order(&mut self, id: u64) -> Drained {
        self.order_of(id, Provider::ApnsProd, TOKEN)
    }

    fn order_of(&mut self, id: u64, provider: Provider, token: &str) -> Drained {
        let device = DeviceToken { provider, token: token.as_bytes().into() };
        self.input(Input::Order(PushOrder { id: PushId(id), device, payload: message() }))
    }

    fn order_kind(&mut self, id: u64, token: &str, payload: PushPayload) -> Drained {
        let device = DeviceToken { provider: Provider::ApnsProd, token: token.as_bytes().into() };
        self.input(Input::Order(PushOrder { id: PushId(id), device, payload }))
    }

    fn answer(&mut self, request: RequestId, answer: Answer<'_>) -> Drained {
        self.input(Input::Answer { request, answer })
    }

    fn respond(&mut self, request: RequestId, status: u16, body: &str) -> Drained {
        self.answer(request, response(status, body))
    }

    /// Lets time pass to the announced deadline and hands in the tick.
    fn tick_at(&mut self, deadline: Option<Deadline>) -> Drained {
        let at = deadline.expect("a deadline was announced").at;
        self.pass(at.since(self.now.mono));
        self.input(Input::Tick)
    }
}

impl Drained {
    /// The one request.
    fn request(&self) -> &Request {
        assert_eq!(self.requests.len(), 1, "one request");
        &self.requests[0]
    }

    /// The one outcome.
    fn result(&self) -> PushResult {
        assert_eq!(self.outcomes.len(), 1, "one outcome");
        self.outcomes[0].result
    }

    fn is_silent(&self) -> bool {
        self.requests.is_empty() && self.outcomes.is_empty()
    }
}

fn message() -> PushPayload {
    PushPayload::Message(Sealed { nonce: [3; 24], ciphertext: Box::new([4; 40]) })
}

fn response(status: u16, body: &str) -> Answer<'_> {
    Answer::Response { status, body: body.as_bytes(), retry_after: None }
}

fn later_of(result: PushResult) -> Duration {
    match result {
        PushResult::TryLater { after } => after,
        other @ (PushResult::Accepted
        | PushResult::TokenInvalid { .. }
        | PushResult::Throttled { .. }
        | PushResult::TooLarge
        | PushResult::Refused) => panic!("{other:?} is not later"),
    }
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
}

fn provider_token(request: &Request) -> String {
    header(request, "authorization").unwrap().strip_prefix("bearer ").unwrap().into()
}
