//! A phone: it comes, gets messages, is switched off and on, deletes a queue, and goes.

#![allow(clippy::wildcard_enum_match_arm, reason = "a watcher passes over events that it does not look at")]

use std::sync::Arc;
use std::time::Duration;

use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::client::{Client, Config};
use ntf_core::host::mailbox::{self, Receiver};
use ntf_core::model::server::{SenderAddress, ServerAddress};
use ntf_core::model::token::{DeviceToken, TokenStatus};

use super::ledger::{Queue, Shared};
use crate::clock::Clock;
use crate::driver::Letter;
use crate::program::announce::{randomness, sentence};
use crate::program::demo::device_token;
use crate::program::failure::Failure;
use crate::roles::ClientMail;
use crate::rt::{Task, spawn};
use crate::service::{Running, run_client};
use crate::standin::Trial;
use crate::wait::{sleep, timeout};

/// A step takes milliseconds, and some seconds where a server has just been restarted.
const STEP_MAX: Duration = Duration::from_secs(60);

/// Events of one phone that may wait; of more, which nobody waits for, the last are dropped.
const EVENTS_MAX: usize = 64;

/// What all phones share.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) clock: Clock,
    pub(super) ntf: ServerAddress,
    pub(super) trial: Arc<Trial>,
    pub(super) ledger: Shared,
}

/// A phone that is registered.
pub(super) struct Phone {
    number: u64,
    token: DeviceToken,
    app: App,
    queues: Vec<(Queue, SenderAddress)>,
}

/// The app on it while it runs.
pub(super) struct App {
    client: Running<Client>,
    events: Receiver<Event>,
    pushes: Task<()>,
}

impl Phone {
    /// Registers, and makes a queue at each of these servers.
    pub(super) async fn arrive(
        ground: Ground,
        number: u64,
        servers: Vec<ServerAddress>,
    ) -> Result<Self, Failure> {
        let token = device_token()?;
        let role = Client::new(Config::default(), randomness()?, ground.clock.now());
        let mut app = App::start(&ground, role, &token);
        app.command(Command::Register { server: ground.ntf.clone(), device: token.clone() });
        let is_active = |event| matches!(event, Event::Token(TokenStatus::Active)).then_some(());
        app.wait("registration", is_active).await?;
        let mut queues = Vec::new();
        for (server, address) in servers.into_iter().enumerate() {
            app.command(Command::CreateQueue { tag: RequestTag(1), server: address });
            let made = app.wait("queue", |event| match event {
                Event::QueueCreated { queue, address, .. } => Some((queue, address)),
                _ => None,
            });
            let (id, address) = made.await?;
            queues.push((Queue { phone: number, server, id }, address));
        }
        Ok(Self { number, token, app, queues })
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Its queues, and where to send to.
    pub(super) fn queues(&self) -> impl Iterator<Item = (Queue, SenderAddress)> {
        self.queues.iter().cloned()
    }

    /// Is off for so long, with nothing but its exported state, and on again; then looks into its queues as an app
    /// does that is opened.
    pub(super) async fn nap(self, ground: &Ground, time: Duration) -> Result<Self, Failure> {
        let Self { number, token, app, queues } = self;
        let client = app.stop().await.ok_or_else(|| Failure::failed("A phone has ended unexpectedly."))?;
        let state = client.export();
        drop(client);
        sleep(time).await;
        let role = Client::import(Config::default(), randomness()?, ground.clock.now(), &state)
            .map_err(|fault| Failure::failed(sentence(&fault)))?;
        let phone = Self { number, app: App::start(ground, role, &token), token, queues };
        phone.app.command(Command::Check);
        phone.open();
        Ok(phone)
    }

    /// Somebody opens the app: it looks into its queues.
    pub(super) fn open(&self) {
        self.app.command(Command::FetchAll);
    }

    /// Deletes one of its queues, if it has one, and says which.
    pub(super) fn delete_queue(&mut self) -> Option<Queue> {
        let (queue, _) = self.queues.pop()?;
        self.app.command(Command::DeleteQueue { queue: queue.id });
        Some(queue)
    }

    /// Deletes its registration. The app runs on until its servers have heard of it.
    pub(super) fn leave(self) -> App {
        self.app.command(Command::Unregister);
        self.app
    }
}

impl App {
    fn start(ground: &Ground, role: Client, token: &DeviceToken) -> Self {
        let (tell, events) = mailbox::bounded(EVENTS_MAX);
        let ledger = ground.ledger.clone();
        let client = run_client(role, ground.clock, move |event| match event {
            Event::Message { message, .. } => ledger.lock().on_fetched(&message),
            event => drop(tell.try_send(event)),
        });
        let mut delivered = ground.trial.stand_in().subscribe(&String::from_utf8_lossy(&token.token));
        let mailbox = client.mailbox();
        let pushes = spawn(async move {
            while let Some(push) = delivered.recv().await {
                let push = Letter::Mail(ClientMail::Push(push.body.to_vec()));
                if mailbox.send(push).await.is_err() {
                    return;
                }
            }
        });
        Self { client, events, pushes }
    }

    fn command(&self, command: Command) {
        self.client.send(ClientMail::Command(command));
    }

    async fn wait<T>(&mut self, what: &str, wanted: impl Fn(Event) -> Option<T>) -> Result<T, Failure> {
        loop {
            match timeout(STEP_MAX, self.events.recv()).await {
                Ok(Some(Event::Failed { tag: Some(_), why, .. })) => return Err(Failure::failed(why)),
                Ok(Some(event)) => {
                    if let Some(found) = wanted(event) {
                        return Ok(found);
                    }
                }
                Ok(None) | Err(_) => {
                    return Err(Failure::failed(format!("A phone is stuck with its {what}.")));
                }
            }
        }
    }

    /// Ends it, and gives what it knows.
    pub(super) async fn stop(self) -> Option<Client> {
        self.pushes.cancel().await;
        self.client.stop().await
    }
}
