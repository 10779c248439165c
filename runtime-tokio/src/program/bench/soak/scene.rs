//! Everybody who takes part in a soak: the server in a process of its own, the others in this one.

use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::client::{Client, Config};
use ntf_core::host::mailbox::Sender;

use super::deeds::{Deed, SERVERS, deeds};
use super::ledger::{Mail, Shared};
use super::phone::{App, Ground, Phone};
use super::post::{Post, Restart};
use super::watch::{HELD, ORDERS, Reading};
use crate::clock::Clock;
use crate::driver::Letter;
use crate::program::announce::{randomness, sentence};
use crate::program::bench::measured::{Measured, Wanted};
use crate::program::cli::BenchSoak;
use crate::program::failure::Failure;
use crate::roles::ClientMail;
use crate::rt::{Task, spawn};
use crate::service::{Running, run_client};
use crate::standin::Trial;
use crate::wait::sleep;

/// How long there is load and trouble in each tide.
const HIGH: Duration = Duration::from_secs(20);

/// From one deed to the next.
const DEED_PAUSE: Duration = Duration::from_millis(400);

/// How long a server that is restarted, or a phone that is switched off, is away.
const AWAY: Duration = Duration::from_millis(700);

/// Messages that have become due are sent this often.
const SEND_STEP: Duration = Duration::from_millis(10);

/// Nothing moves for this long: what is missing does not come any more.
const PATIENCE: Duration = Duration::from_secs(120);

/// No order is out, and no message comes for this long: no push comes any more. Longer than a provider is left alone
/// after an answer of 503. Source: `later` of the push server.
const QUIET: Duration = Duration::from_secs(15);

/// What has to end is looked at this often.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// All parties.
pub(super) struct Scene {
    ground: Ground,
    server: Measured,
    posts: Vec<Post>,
    phones: VecDeque<Phone>,
    /// Those that have gone, and may have something to tell their servers.
    leaving: Vec<App>,
    deeds: std::iter::Cycle<std::vec::IntoIter<Deed>>,
    pub(super) done: Done,
    rate: u32,
}

/// What has been done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) registrations: u64,
    pub(super) provider_faults: u64,
    pub(super) restarts: u64,
    pub(super) naps: u64,
    pub(super) strangers: u64,
}

impl Scene {
    pub(super) async fn start(options: &BenchSoak) -> Result<Self, Failure> {
        let clock = Clock::start();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let trial = Trial::start(loopback, "chat.simplex.app")
            .await
            .map_err(|fault| Failure::failed(sentence(&fault)))?;
        let wanted = Wanted { has_metrics: true, ..Wanted::default() };
        let server = Measured::start(options.threads, &trial, wanted).await?;
        let mut posts = Vec::new();
        for _ in 0..SERVERS {
            posts.push(Post::start(clock).await?);
        }
        let ledger = Shared::default();
        let ground = Ground { clock, ntf: server.address.clone(), trial: Arc::new(trial), ledger };
        let deeds = deeds().into_iter().cycle();
        let (phones, leaving) = (VecDeque::new(), Vec::new());
        Ok(Self { ground, server, posts, phones, leaving, deeds, done: Done::default(), rate: options.rate })
    }

    /// What is seen of the server.
    pub(super) async fn look(&self) -> Result<Reading, Failure> {
        Reading::take(&self.server).await
    }

    pub(super) fn mail(&self) -> Mail {
        self.ground.ledger.lock().mail()
    }

    /// So many phones come, all at a time.
    pub(super) async fn rise(&mut self, phones: u32) -> Result<(), Failure> {
        let coming: Vec<_> = (0..phones).map(|_| spawn(self.next_phone())).collect();
        for phone in coming {
            self.welcome(phone.await.map_err(|died| Failure::failed(sentence(&died)))??);
        }
        Ok(())
    }

    fn next_phone(&mut self) -> impl Future<Output = Result<Phone, Failure>> + Send + use<> {
        self.done.registrations += 1;
        let servers = self.posts.iter().map(|post| post.address.clone()).collect();
        Phone::arrive(self.ground.clone(), self.done.registrations, servers)
    }

    fn welcome(&mut self, phone: Phone) {
        self.ground.ledger.lock().open(phone.queues());
        self.phones.push_back(phone);
    }

    /// Messages and trouble for a while; then all messages have to arrive.
    pub(super) async fn high(&mut self) -> Result<(), Failure> {
        let mail = Senders::start(&self.ground, self.rate)?;
        let begun = Instant::now();
        while begun.elapsed() < HIGH
            && let Some(deed) = self.deeds.next()
        {
            self.perform(deed).await?;
            sleep(DEED_PAUSE).await;
        }
        let senders = mail.enough().await;
        self.ground.trial.stand_in().fail_no_more();
        if self.wait_for_mail(QUIET).await? > 0 {
            self.ground.ledger.lock().look();
            self.phones.iter().for_each(Phone::open);
            self.wait_for_mail(PATIENCE).await?;
        }
        senders.stop().await;
        Ok(())
    }

    /// Waits until every message has arrived, or nothing has moved for so long; and not for ever, whatever the server
    /// says that it has under way. How many are missing.
    async fn wait_for_mail(&self, patience: Duration) -> Result<usize, Failure> {
        let begun = Instant::now();
        let (mut left, mut moved) = (usize::MAX, begun);
        while left > 0 && moved.elapsed() < patience && begun.elapsed() < patience * 3 {
            sleep(LOOK_PAUSE).await;
            let is_busy = !self.look().await?.above_zero(&ORDERS).is_empty();
            let now = self.ground.ledger.lock().under_way();
            if now != left || is_busy {
                (left, moved) = (now, Instant::now());
            }
        }
        Ok(left)
    }

    async fn perform(&mut self, deed: Deed) -> Result<(), Failure> {
        match deed {
            Deed::Provider(requests, fault) => {
                self.ground.trial.stand_in().fail_next(requests, fault);
                self.done.provider_faults += u64::from(requests);
            }
            Deed::Restart(server, restart) => {
                if restart == Restart::Forgotten {
                    self.ground.ledger.lock().close(|queue| queue.server == server);
                }
                if let Some(post) = self.posts.get_mut(server) {
                    post.restart(restart, AWAY).await?;
                    self.done.restarts += 1;
                }
            }
            Deed::Nap => {
                if let Some(phone) = self.phones.pop_front() {
                    self.phones.push_back(phone.nap(&self.ground, AWAY).await?);
                    self.done.naps += 1;
                }
            }
            Deed::Swap => {
                if let Some(phone) = self.phones.pop_front() {
                    self.send_off(phone);
                }
                // Its code would come minutes later if its push met a fault.
                self.ground.trial.stand_in().fail_no_more();
                let phone = self.next_phone().await?;
                self.welcome(phone);
            }
            Deed::DeleteQueue => {
                let deleted = self.phones.back_mut().and_then(Phone::delete_queue);
                self.ground.ledger.lock().close(|queue| Some(*queue) == deleted);
            }
            Deed::Stranger(stranger) => {
                stranger.come(self.ground.clock, &self.ground.ntf).await?;
                self.done.strangers += 1;
            }
        }
        Ok(())
    }

    fn send_off(&mut self, phone: Phone) {
        self.ground.ledger.lock().close(|queue| queue.phone == phone.number());
        self.leaving.push(phone.leave());
    }

    /// All go. Gives what is seen of the server when everything has ended that should, or will not.
    pub(super) async fn ebb(&mut self, before: &Reading) -> Result<Reading, Failure> {
        for phone in mem::take(&mut self.phones) {
            // What has not arrived by then is lost, and stays so.
            self.leaving.push(phone.leave());
        }
        let is_forgotten = |seen: &Reading| {
            seen.number("ntf_subscriber_tokens") + seen.number("ntf_subscriber_subscriptions") == 0
        };
        self.until(is_forgotten).await?;
        for app in mem::take(&mut self.leaving) {
            app.stop().await;
        }
        self.ground.ledger.lock().forget_queues();
        for post in &mut self.posts {
            post.restart(Restart::Forgotten, Duration::ZERO).await?;
        }
        self.until(|seen| seen.above_zero(&HELD).is_empty() && seen.files() <= before.files()).await
    }

    /// Waits until that holds of the server, or has not for too long.
    async fn until(&self, holds: impl Fn(&Reading) -> bool) -> Result<Reading, Failure> {
        let begun = Instant::now();
        loop {
            let seen = self.look().await?;
            if holds(&seen) || begun.elapsed() > PATIENCE {
                return Ok(seen);
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    /// Ends everybody.
    pub(super) async fn stop(self) {
        drop(self.server);
        for post in self.posts {
            post.stop().await;
        }
    }
}

/// Whoever writes to the phones: one client, which is a stranger to them.
struct Senders {
    client: Running<Client>,
    writing: Task<()>,
}

impl Senders {
    fn start(ground: &Ground, rate: u32) -> Result<Self, Failure> {
        let role = Client::new(Config::default(), randomness()?, ground.clock.now());
        let ledger = ground.ledger.clone();
        let client = run_client(role, ground.clock, move |event| {
            if let Event::Failed { tag: Some(tag), .. } = event {
                ledger.lock().on_refused(tag.0);
            }
        });
        let writing = spawn(write(client.mailbox(), ground.ledger.clone(), rate));
        Ok(Self { client, writing })
    }

    /// No more. What is written is sent by the client that is left.
    async fn enough(self) -> Running<Client> {
        self.writing.cancel().await;
        self.client
    }
}

/// Writes so many messages a second.
async fn write(client: Sender<Letter<ClientMail>>, ledger: Shared, rate: u32) {
    let begun = Instant::now();
    let mut written = 0;
    loop {
        sleep(SEND_STEP).await;
        let due = begun.elapsed().as_millis() * u128::from(rate) / 1000;
        while written < due {
            // What cannot be written now is not made up for by a burst.
            written += 1;
            let Some((number, to)) = ledger.lock().send() else { continue };
            let message = number.to_string().into_bytes();
            let send = Command::Send { tag: RequestTag(number), to, message };
            if client.send(Letter::Mail(ClientMail::Command(send))).await.is_err() {
                return;
            }
        }
    }
}
