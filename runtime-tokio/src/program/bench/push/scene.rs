//! Everything a push passes, in one process: the subscriber's end of a relay link, the push server's, the push
//! server, and a stand-in for Apple.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ntf_core::base::budget::BudgetPlan;
use ntf_core::crypto::boxed::BoxKey;
use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::host::sync::Lock;
use ntf_core::model::push::{PushId, PushOrder, PushOutcome, PushPayload, Sealed};
use ntf_core::model::server::Protocol;
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::push::Push;
use ntf_core::push::effect::{Effect, Request};
use ntf_core::push::input::Input;
use ntf_core::relay::push_end::{Admitted, Config as PushEndConfig, Limits, PushEnd, TokensAllowed};
use ntf_core::relay::subscriber_end::{Config as EndConfig, SubscriberEnd};
use ntf_core::{Machine, Step};

use crate::clock::Clock;
use crate::connect::Connector;
use crate::driver::{Driver, Letter};
use crate::http2::Providers;
use crate::identity::Identity;
use crate::link::Traffic;
use crate::program::announce::{randomness, sentence};
use crate::program::bench::times::Times;
use crate::program::cli::BenchPush;
use crate::program::failure::Failure;
use crate::relay::{PushSide, run_push_server};
use crate::roles::SubscriberEndReport;
use crate::rt::spawn;
use crate::service::Running;
use crate::standin::{AcceptedPush, Fault, Trial};

const TOPIC: &str = "chat.simplex.app";

/// What limits a subscriber in production would be measured in place of the machine.
const UNLIMITED: BudgetPlan = BudgetPlan { burst: 1_000_000, period: Duration::from_micros(1) };

/// What is left at the end is answered within this.
const GRACE: Duration = Duration::from_secs(10);

/// Everything that takes part, and where orders go in and outcomes come out.
pub(super) struct Scene {
    trial: Trial,
    push: PushSide,
    end: Running<SubscriberEnd>,
    pub(super) outcomes: Receiver<PushOutcome>,
    orders: Orders,
    own: Arc<Lock<Times>>,
}

/// Makes orders as a subscriber does: each with a payload of its own, sealed for its device.
struct Orders {
    began: Instant,
    key: BoxKey,
    devices: Vec<DeviceToken>,
    padded_len: usize,
    made: u64,
}

impl Scene {
    pub(super) async fn start(options: &BenchPush) -> Result<Self, Failure> {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let unbound = |error| Failure::failed(format!("Cannot listen on {loopback}: {error}."));
        let clock = Clock::start();
        let trial = Trial::start(loopback, TOPIC).await.map_err(|fault| Failure::failed(sentence(&fault)))?;
        trial.stand_in().fail_next(u32::MAX, Fault::Delay(options.answer()));

        let [own, push_server] = [Protocol::Ntf, Protocol::Relay].map(|it| Identity::make("localhost", it));
        let (own, push_server) = (own?, push_server?);
        let mut admitted = PushEndConfig::new(vec![Admitted {
            name: "the bench".into(),
            identity: own.address("localhost", loopback)?.identity,
            limits: Limits {
                credits: options.outstanding,
                short: UNLIMITED,
                long: UNLIMITED,
                tokens: TokensAllowed::Any,
            },
        }]);
        // What is remembered for those who come back reaches its bound while it is warming up.
        admitted.remembered_max = usize::try_from(options.warm_up()).unwrap_or(usize::MAX);
        let providers = trial
            .provider_config()
            .and_then(|config| Providers::new(&config))
            .map_err(|fault| Failure::failed(sentence(&fault)))?;
        let push = Push::new(trial.push_config(), randomness()?, clock.now());
        let end = PushEnd::new(admitted, clock.now());
        let tls = push_server.endpoint(Protocol::Relay)?;
        let push = run_push_server(push, end, clock, loopback, tls, providers).await.map_err(unbound)?;

        let relay = push_server.address("localhost", push.end.address().unwrap_or(loopback))?;
        let end = EndConfig::new(relay, own.credentials());
        let end = SubscriberEnd::new(end, &randomness()?, clock.now());
        let (tell, outcomes) = mailbox::bounded(usize::try_from(options.outstanding).unwrap_or(usize::MAX));
        let end = run_end(end, clock, tell);

        let began = Instant::now();
        let orders = Orders::new(began, options);
        let own = Arc::new(Lock::new(Times::new()));
        for device in &orders.devices {
            let pushes = trial.stand_in().subscribe(&String::from_utf8_lossy(&device.token));
            spawn(watch(pushes, began, options.answer(), own.clone()));
        }
        Ok(Self { trial, push, end, outcomes, orders, own })
    }

    /// Asks for one more push.
    pub(super) fn order(&mut self) {
        let order = self.orders.next();
        // Fails when the machine has ended; then no outcome comes, which is told.
        let _ = self.end.mailbox().try_send(Letter::Mail(order));
    }

    /// Forgets the times taken so far.
    pub(super) fn begin_times(&self) {
        *self.own.lock() = Times::new();
    }

    /// From an order to its arrival at the stand-in, at this percentile, in milliseconds.
    pub(super) fn own_ms(&self, percent: u64) -> f64 {
        self.own.lock().percentile_ms(percent)
    }

    /// Where the stand-in is, and a request that a push server would send there.
    pub(super) fn example(&mut self) -> Result<(String, Request), Failure> {
        let clock = Clock::start();
        let mut push = Push::new(self.trial.push_config(), randomness()?, clock.now());
        push.handle(clock.now(), Input::Order(self.orders.next()));
        match push.poll() {
            Step::Do(Effect::Request(request)) => Ok((self.trial.stand_in().endpoint(), request)),
            Step::Do(Effect::Outcome(_)) | Step::Idle(_) => {
                Err(Failure::failed("The push server makes no request of an order; please report this."))
            }
        }
    }

    pub(super) async fn stop(self) {
        self.end.stop().await;
        self.push.stop(GRACE).await;
        self.trial.stop().await;
    }
}

/// Runs the subscriber's end alone, whose outcomes go to `tell`.
fn run_end(end: SubscriberEnd, clock: Clock, tell: Sender<PushOutcome>) -> Running<SubscriberEnd> {
    let traffic = Arc::new(Traffic::default());
    let driver = Driver::new(end, clock, Connector::new(clock, traffic.clone()));
    let mailbox = driver.mailbox();
    let task = spawn(driver.run(move |_, report| match report {
        SubscriberEndReport::Outcome(outcome) => _ = tell.try_send(outcome),
        // Of sealed device tokens, of which there are none.
        SubscriberEndReport::Recognised(..) => {}
    }));
    Running { mailbox, task, listener: None, traffic }
}

impl Orders {
    fn new(began: Instant, options: &BenchPush) -> Self {
        let devices = (0..options.devices)
            .map(|number| DeviceToken {
                provider: Provider::ApnsTest,
                token: format!("{number:064x}").into_bytes().into(),
            })
            .collect();
        let padded_len = usize::from(options.padded_length);
        Self { began, key: BoxKey::of_key(&[7; 32]), devices, padded_len, made: 0 }
    }

    /// Its nonce tells when it was made, and makes it unlike any other.
    fn next(&mut self) -> PushOrder {
        /// As long as notices of six queues are, more or less.
        const NOTICES: [u8; 1000] = [b'n'; 1000];
        self.made += 1;
        let mut nonce = [0; 24];
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let parts = micros.to_be_bytes().into_iter().chain(self.made.to_be_bytes());
        for (to, from) in nonce.iter_mut().zip(parts) {
            *to = from;
        }
        let notices = NOTICES.get(..self.padded_len.saturating_sub(2)).unwrap_or(&NOTICES);
        let ciphertext = self.key.seal_padded(&nonce, notices, self.padded_len).unwrap_or_default().into();
        let device = self.devices.get(usize::try_from(self.made).unwrap_or(0) % self.devices.len());
        PushOrder {
            id: PushId(self.made),
            device: device.cloned().unwrap_or(DeviceToken { provider: Provider::ApnsNull, token: [].into() }),
            payload: PushPayload::Message(Sealed { nonce, ciphertext }),
        }
    }
}

/// Takes the time of each push that arrives at a device: until the stand-in had read the request.
async fn watch(
    mut pushes: Receiver<AcceptedPush>,
    began: Instant,
    answer: Duration,
    times: Arc<Lock<Times>>,
) {
    while let Some(push) = pushes.recv().await {
        if let Some(ordered) = ordered_at(&push.body) {
            times.lock().record(push.at.duration_since(began).saturating_sub(answer + ordered));
        }
    }
}

/// What the nonce of a body says.
fn ordered_at(body: &[u8]) -> Option<Duration> {
    use base64ct::{Base64Url, Encoding};
    const FIELD: &str = r#""nonce":""#;
    let text = std::str::from_utf8(body.get(..256)?).ok()?;
    let (_, nonce) = text.split_once(FIELD)?;
    let mut bytes = [0; 24];
    let bytes = Base64Url::decode(nonce.get(..32)?, &mut bytes).ok()?;
    Some(Duration::from_micros(u64::from_be_bytes(*bytes.first_chunk()?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use clap::Parser;
    use ntf_core::push::alert::AlertTexts;
    use ntf_core::push::apns;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: BenchPush,
    }

    #[test]
    fn a_body_tells_when_its_push_was_ordered() {
        let options = Cli::parse_from(["bench"]).options;
        let began = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
        let mut orders = Orders::new(began, &options);
        let order = orders.next();
        let ordered = ordered_at(&apns::body(&order.payload, &AlertTexts::default())).unwrap();
        assert!(ordered >= Duration::from_secs(5) && ordered < Duration::from_secs(60), "{ordered:?}");
        let PushPayload::Message(first) = order.payload else { panic!("a message") };
        let PushPayload::Message(second) = orders.next().payload else { panic!("a message") };
        assert_ne!(first.nonce, second.nonce);
        assert_eq!(first.ciphertext.len(), usize::from(options.padded_length) + 16);
        assert_eq!(ordered_at(b"{}"), None);
    }
}
