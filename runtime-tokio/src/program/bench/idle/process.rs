//! `ntf server` with subscriptions, in a process of its own, that is then left alone.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::model::push::Sealed;
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::wire::text::base64;
use serde_json::Value;

use super::device::{Device, Errand};
use super::grants::Grants;
use crate::clock::Clock;
use crate::connect::Connector;
use crate::driver::Driver;
use crate::identity::Identity;
use crate::link::Traffic;
use crate::listen::Listener;
use crate::program::announce::{randomness, sentence};
use crate::program::bench::measured::{Measured, Wanted};
use crate::program::bench::town::{Registered, SUBSCRIBING, Said, device_token};
use crate::program::failure::Failure;
use crate::rt::spawn;
use crate::service::{Running, links_max};
use crate::standin::{StandIn, Trial};
use crate::wait::{sleep, timeout};

/// SMP servers.
pub(super) const SERVERS: u64 = 20;

/// Subscriptions of a device, as far as there are so many, and as long as that makes few enough devices.
const PER_TOKEN: u64 = 200;

/// The stand-in remembers no more devices than this.
const DEVICES_MAX: u64 = 10_000;

/// All devices come from one address, which is granted far less than this bench asks for.
const SETTINGS: &str = "\
[devices]
registrations_at_once = 1000000
verification_pushes_at_once = 1000000
";

/// Nothing moves for this long: something is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// After the last subscription: what it does then is not what it does when idle.
const REST: Duration = Duration::from_secs(5);

/// What the server did while nothing happened.
pub(super) struct Idle {
    pub(super) cpu: Duration,
    pub(super) wake_ups: u64,
    /// Memory of its own, in bytes.
    pub(super) memory: Option<u64>,
}

/// What is heard of the surroundings.
enum Heard {
    Said(Said),
    Granted(i64),
}

impl Idle {
    /// Starts a server, has so many queues watched, and looks at it for so long after that.
    pub(super) async fn measure(subscriptions: u64, for_so_long: Duration) -> Result<Self, Failure> {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let trial = Trial::start(loopback, "chat.simplex.app")
            .await
            .map_err(|fault| Failure::failed(sentence(&fault)))?;
        let wanted = Wanted { settings: Some(SETTINGS), ..Wanted::default() };
        let server = Measured::start(1, &trial, wanted).await?;
        let clock = Clock::start();
        // Each SNEW in a group is answered and its NSUB granted, and little else is heard.
        let (tell, heard) = mailbox::bounded(SUBSCRIBING * 16);
        let mut servers = Vec::new();
        for _ in 0..SERVERS {
            servers.push(start_server(clock, loopback, tell.clone()).await?);
        }
        let addresses = servers.iter().map(|(_, address)| address.clone()).collect();
        let device = start_device(clock, server.address.clone(), addresses, tell)?;
        let mut owner = Owner { device: &device, stand_in: trial.stand_in(), heard, granted: 0 };
        owner.subscribe_all(subscriptions).await?;
        sleep(REST).await;

        let look = || (server.threads().iter().map(|thread| thread.time).sum(), wake_ups_of(server.id()));
        let ((cpu, wake_ups), memory): ((Duration, u64), _) = (look(), server.own());
        sleep(for_so_long).await;
        let (cpu_now, wake_ups_now): (Duration, u64) = look();

        device.stop().await;
        drop(server);
        for (server, _) in servers {
            server.stop().await;
        }
        trial.stop().await;
        Ok(Self { cpu: cpu_now.saturating_sub(cpu), wake_ups: wake_ups_now.saturating_sub(wake_ups), memory })
    }
}

async fn start_server(
    clock: Clock,
    listen: SocketAddr,
    tell: Sender<Heard>,
) -> Result<(Running<Grants>, ServerAddress), Failure> {
    let unbound = |error| Failure::failed(format!("Cannot listen on {listen}: {error}."));
    let identity = Identity::make("localhost", Protocol::Smp)?;
    let traffic = Arc::new(Traffic::default());
    let role = Grants::new(identity.credentials(), &randomness()?);
    let driver = Driver::new(role, clock, Connector::new(clock, traffic.clone()));
    let tls = identity.endpoint(Protocol::Smp)?;
    let listener = Listener::start(listen, tls, clock, driver.link_mailbox(), traffic.clone(), links_max())
        .await
        .map_err(unbound)?;
    let address = identity.address("localhost", listener.address())?;
    let mailbox = driver.mailbox();
    let task = spawn(driver.run(move |_, granted| _ = tell.try_send(Heard::Granted(granted))));
    Ok((Running { mailbox, task, listener: Some(listener), traffic }, address))
}

fn start_device(
    clock: Clock,
    server: ServerAddress,
    servers: Vec<ServerAddress>,
    tell: Sender<Heard>,
) -> Result<Running<Device>, Failure> {
    let traffic = Arc::new(Traffic::default());
    let role = Device::new(server, servers, &randomness()?);
    let driver = Driver::new(role, clock, Connector::new(clock, traffic.clone()));
    let mailbox = driver.mailbox();
    let task = spawn(driver.run(move |_, said| _ = tell.try_send(Heard::Said(said))));
    Ok(Running { mailbox, task, listener: None, traffic })
}

/// Who has the queues watched.
struct Owner<'a> {
    device: &'a Running<Device>,
    stand_in: &'a StandIn,
    heard: Receiver<Heard>,
    granted: i64,
}

impl Owner<'_> {
    async fn subscribe_all(&mut self, subscriptions: u64) -> Result<(), Failure> {
        let group = u64::try_from(SUBSCRIBING).unwrap_or(1);
        let per_token = PER_TOKEN.max(subscriptions.div_ceil(DEVICES_MAX));
        let (mut from, mut number) = (0, 0);
        while from < subscriptions {
            self.send(Errand::Connect)?;
            self.answers("a link", 1, |said| matches!(said, Said::Ready)).await?;
            let device = self.register(number).await?;
            let end = subscriptions.min(from + per_token);
            while from < end {
                let until = end.min(from + group);
                self.send(Errand::Subscribe(device, from..until))?;
                let count = usize::try_from(until - from).unwrap_or(usize::MAX);
                self.answers("SNEW", count, |said| matches!(said, Said::Subscribed)).await?;
                from = until;
            }
            number += 1;
        }
        while u64::try_from(self.granted).unwrap_or(0) < subscriptions {
            if let Heard::Said(said) = self.hear("grants").await? {
                return Err(unexpected("nothing", &said));
            }
        }
        Ok(())
    }

    /// Registers and verifies a device.
    async fn register(&mut self, number: u64) -> Result<Registered, Failure> {
        let mut pushes = self.stand_in.subscribe(&device_token(number));
        self.send(Errand::Register(number))?;
        let mut named = None;
        self.answers("TNEW", 1, |said| {
            if let Said::Registered(token, server_dh) = said {
                named = Some(Registered::new(number, *token, *server_dh));
            }
            matches!(said, Said::Registered(..))
        })
        .await?;
        let push = timeout(PATIENCE, pushes.recv()).await.ok().flatten();
        let code = named.as_ref().zip(push).and_then(|(device, push)| device.open(&code_in(&push.body)?));
        let (Some(device), Some(code)) = (named, code) else {
            return Err(Failure::failed("No code was pushed to a device."));
        };
        self.send(Errand::Verify(device, code))?;
        self.answers("TVFY", 1, |said| matches!(said, Said::Done)).await?;
        Ok(device)
    }

    fn send(&self, errand: Errand) -> Result<(), Failure> {
        let is_sent = self.device.send(errand);
        is_sent.then_some(()).ok_or_else(|| Failure::failed("The device has ended."))
    }

    /// Waits for so many answers, all of which must be wanted.
    async fn answers(
        &mut self,
        what: &str,
        count: usize,
        mut is_wanted: impl FnMut(&Said) -> bool,
    ) -> Result<(), Failure> {
        let mut left = count;
        while left > 0 {
            match self.hear(what).await? {
                Heard::Said(said) if is_wanted(&said) => left -= 1,
                Heard::Said(said) => return Err(unexpected(what, &said)),
                Heard::Granted(_) => {}
            }
        }
        Ok(())
    }

    async fn hear(&mut self, what: &str) -> Result<Heard, Failure> {
        match timeout(PATIENCE, self.heard.recv()).await {
            Ok(Some(heard)) => {
                if let Heard::Granted(more) = heard {
                    self.granted += more;
                }
                Ok(heard)
            }
            Ok(None) | Err(_) => {
                Err(Failure::failed(format!("Nothing is heard any more, waiting for {what}.")))
            }
        }
    }
}

fn unexpected(what: &str, said: &Said) -> Failure {
    Failure::failed(format!("A device asked for {what} and heard {said:?}."))
}

/// The sealed code in the body of a push. Source: `ntf-protocol` 3.3.
fn code_in(body: &[u8]) -> Option<Sealed> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |name| body.get("notificationData")?.get(name)?.as_str();
    Some(Sealed {
        nonce: base64::decode_array(text("nonce")?)?,
        ciphertext: base64::decode(text("verification")?)?.into(),
    })
}

/// How often the threads of a process have waited and were woken.
fn wake_ups_of(process: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return 0 };
    let statuses =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    statuses.filter_map(|status| waits(&status)).sum()
}

/// The line `voluntary_ctxt_switches: 12` of a thread's status.
fn waits(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read() {
        for (status, expected) in [
            ("Name:\tntf\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t7\n", Some(12)),
            ("nonvoluntary_ctxt_switches:\t7\n", None),
            ("voluntary_ctxt_switches:\tmany", None),
        ] {
            assert_eq!(waits(status), expected, "{status}");
        }
    }

    #[test]
    fn a_code_is_found_in_a_push() {
        let body = br#"{"aps":{"content-available":1},"notificationData":{"nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","verification":"AQID"}}"#;
        let sealed = code_in(body);
        assert_eq!(
            sealed.map(|sealed| (sealed.nonce, sealed.ciphertext.to_vec())),
            Some(([0; 24], vec![1, 2, 3]))
        );
        assert!(code_in(b"{}").is_none());
    }
}
