//! A stand-in for Apple's push service: a real HTTP/2 server over TLS, as strict as Apple.
//!
//! For the demo and for tests; it runs on this machine only. It checks each request as Apple documents,
//! answers with Apple's status and reason, and hands accepted pushes to whoever waits for the device
//! token. [`Fault`]s make it fail on purpose. `check` holds the rules, `provider_token` those about
//! authorization, `devices` who waits, `server` the connections, `certificate` the TLS keys.
//!
//! Built on the h2 crate itself: a server that misbehaves to order needs its hands on the frames.

mod certificate;
mod check;
mod devices;
mod fault;
mod feed;
mod provider_token;
mod server;
#[cfg(test)]
mod tests;
mod trial;

pub use certificate::make_provider_key;
pub use devices::AcceptedPush;
pub use fault::Fault;
pub use feed::watch_pushes;
pub use trial::{Trial, TrialFault};

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ntf_core::host::mailbox::{self, Receiver, Refused, Sender};
use ntf_core::host::stop::{Cause, Stop};
use ntf_core::host::sync::{Guard, Lock};
use ntf_core::model::knowledge::Fact;

use crate::rt::{Task, TcpListener, spawn};
use crate::standin::devices::{Delivery, Devices, Placed};
use crate::standin::fault::FaultSwitch;
use crate::standin::provider_token::Verifier;

/// What the stand-in is told about the provider it serves.
#[derive(Clone, Debug)]
pub struct StandInConfig {
    /// Where to listen. Default 127.0.0.1 on a port that the system chooses. Use loopback addresses:
    /// the certificate is for `localhost`, 127.0.0.1 and ::1.
    pub listen: SocketAddr,
    /// The only `apns-topic` allowed.
    pub topic: String,
    /// The `iss` of provider tokens.
    pub team_id: String,
    /// The `kid` of provider tokens.
    pub key_id: String,
    /// The public key of provider tokens as an uncompressed point on P-256, from
    /// [`Es256Key::public_point`](ntf_core::crypto::es256::Es256Key::public_point).
    pub key_point: [u8; 65],
    /// Streams a client may have open. Default 1000, as Apple typically allows.
    pub streams_max: u32,
    /// Device tokens remembered, waiting or not. Default 10,000. Pushes to more are accepted and dropped.
    pub devices_max: usize,
    /// Pushes that may wait for one receiver. Default 4096. At the bound the newest is dropped and counted.
    pub waiting_max: usize,
}

impl StandInConfig {
    /// The defaults, for a provider with this key.
    #[must_use]
    pub fn new(topic: &str, team_id: &str, key_id: &str, key_point: [u8; 65]) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            topic: topic.to_owned(),
            team_id: team_id.to_owned(),
            key_id: key_id.to_owned(),
            key_point,
            streams_max: 1000,
            devices_max: 10_000,
            waiting_max: 4096,
        }
    }
}

/// Numbers of a stand-in since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TLS connections made.
    pub connections: u64,
    /// Requests seen.
    pub requests: u64,
    /// Pushes accepted.
    pub accepted: u64,
    /// Requests answered with an error, on purpose or not.
    pub refused: u64,
    /// Accepted pushes that their receiver had no room for.
    pub dropped: u64,
    /// Distinct provider tokens that passed the check.
    pub provider_tokens: u64,
    /// Bytes of request bodies.
    pub body_bytes: u64,
}

/// A running stand-in. Dropping it stops it.
pub struct StandIn {
    address: SocketAddr,
    ca_pem: String,
    shared: Arc<Shared>,
    stop: Stop,
    task: Option<Task<()>>,
}

/// What the connections share.
struct Shared {
    topic: String,
    streams_max: u32,
    inner: Lock<Inner>,
}

struct Inner {
    verifier: Verifier,
    devices: Devices,
    faults: FaultSwitch,
    /// Each holds up a request for as long as it is here.
    holds: Vec<Sender<()>>,
    counts: Counts,
}

impl Inner {
    /// Holds up a request until the mailbox is closed.
    fn hold(&mut self) -> Receiver<()> {
        let (hold, released) = mailbox::bounded(1);
        // Those whose connection has ended.
        self.holds.retain(|hold| !hold.is_closed());
        self.holds.push(hold);
        released
    }
}

impl Shared {
    fn inner(&self) -> Guard<'_, Inner> {
        self.inner.lock()
    }

    /// Delivers a push. Whoever waits for it is woken, which is not done under the lock.
    fn deliver(&self, token: &str, mut push: AcceptedPush) -> Delivery {
        loop {
            let placed = self.inner().devices.place(token, push);
            let (receiver, waiting) = match placed {
                Placed::Here(delivery) => return delivery,
                Placed::For(receiver, waiting) => (receiver, waiting),
            };
            match receiver.try_send(waiting) {
                Ok(()) => return Delivery::Done,
                Err(Refused::Full(_)) => return Delivery::Dropped,
                // Whoever waited has just gone.
                Err(Refused::Closed(returned)) => push = returned,
            }
        }
    }

    fn subscribe(&self, token: &str) -> Receiver<AcceptedPush> {
        // Dropped after the lock: whoever waited before is woken.
        let (receiver, _before) = self.inner().devices.subscribe(token);
        receiver
    }
}

impl StandIn {
    /// Makes certificates and starts to listen.
    ///
    /// # Errors
    ///
    /// The address is in use or not ours, or the key is no point on P-256.
    pub async fn start(config: StandInConfig) -> Result<Self, StandInFault> {
        let verifier = Verifier::new(&config.key_point, &config.key_id, &config.team_id)
            .ok_or(StandInFault::ProviderKey)?;
        let certificate = certificate::make().map_err(StandInFault::Certificate)?;
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| StandInFault::Listen { address: config.listen, error })?;
        let address =
            listener.local_addr().map_err(|error| StandInFault::Listen { address: config.listen, error })?;
        let shared = Arc::new(Shared {
            topic: config.topic,
            streams_max: config.streams_max,
            inner: Lock::new(Inner {
                verifier,
                devices: Devices::new(config.devices_max, config.waiting_max),
                faults: FaultSwitch::default(),
                holds: Vec::new(),
                counts: Counts::default(),
            }),
        });
        let stop = Stop::new();
        let task = spawn(server::run(listener, certificate.tls, shared.clone(), stop.clone()));
        Ok(Self { address, ca_pem: certificate.ca_pem, shared, stop, task: Some(task) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a provider's, `https://localhost:port`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// The certificate of the CA to trust, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Waits for the pushes of a device, in place of whoever waited before.
    ///
    /// The latest push accepted while nobody waited comes first; Apple keeps no more either.
    #[must_use]
    pub fn subscribe(&self, device_token: &str) -> Receiver<AcceptedPush> {
        self.shared.subscribe(device_token)
    }

    /// Makes the next `count` requests fail this way, after those already told to.
    pub fn fail_next(&self, count: u32, fault: Fault) {
        self.shared.inner().faults.add(count, fault);
    }

    /// Takes back all faults that have not come to pass.
    pub fn fail_no_more(&self) {
        self.shared.inner().faults.clear();
    }

    /// Lets go of the requests that are held up by [`Fault::Hold`]; those that come later wait for the next call.
    pub fn release(&self) {
        // Dropped after the lock: whoever waits is woken.
        let _holds = std::mem::take(&mut self.shared.inner().holds);
    }

    /// Treats a device token as gone from now on: 410 `Unregistered` since this Unix millisecond.
    pub fn unregister(&self, device_token: &str, since_millis: u64) {
        self.shared.inner().devices.unregister(device_token, since_millis);
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let inner = self.shared.inner();
        Counts { provider_tokens: inner.verifier.tokens_passed(), ..inner.counts }
    }

    /// What a push service would have to admit to knowing.
    #[must_use]
    pub fn knowledge(&self) -> Vec<Fact> {
        let inner = self.shared.inner();
        let mut facts = vec![inner.devices.fact()];
        let number = |what, count| Fact { what, count, sample: None };
        facts.push(number("pushes", inner.counts.accepted));
        facts.push(number("encrypted bytes", inner.counts.body_bytes));
        facts
    }

    /// Closes the listener and all connections, and waits until they are closed.
    pub async fn stop(mut self) {
        self.stop.stop(Cause::Asked);
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::debug!("the stand-in ended badly: {error}");
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.stop(Cause::Asked);
    }
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StandIn({})", self.address)
    }
}

/// Why the stand-in did not start.
#[derive(Debug)]
pub enum StandInFault {
    /// It cannot listen.
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// No certificate could be made.
    Certificate(String),
    /// The given public key is none.
    ProviderKey,
}

impl fmt::Display for StandInFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, error } => write!(
                f,
                "the stand-in for Apple cannot listen on {address}: {error}; choose another port, or 0 for any"
            ),
            Self::Certificate(why) => {
                write!(f, "the stand-in for Apple could make no certificate: {why}; please report this")
            }
            Self::ProviderKey => f.write_str(
                "the stand-in for Apple was given a provider key that is no P-256 key; give the key whose \
                 private half signs the provider tokens",
            ),
        }
    }
}

impl std::error::Error for StandInFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { error, .. } => Some(error),
            Self::Certificate(_) | Self::ProviderKey => None,
        }
    }
}
