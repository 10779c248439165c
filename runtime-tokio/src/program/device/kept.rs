//! A device that is kept in a file: registered, given queues, watched and removed, each by a command of its own.

#![allow(clippy::wildcard_enum_match_arm, reason = "a command passes over events that it does not wait for")]

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use futures_lite::future::or;
use ntf_core::client::direct::Circumstance;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, QueueId, RequestTag};
use ntf_core::client::{Client, Config, Mode};
use ntf_core::host::mailbox::{self, Receiver};
use ntf_core::model::server::Protocol;
use ntf_core::model::token::TokenStatus;
use ntf_core::wire::text;
use serde_json::json;

use super::store::{Contents, Pushes, Store};
use super::{Teller, sealing_key};
use crate::clock::Clock;
use crate::driver::{LETTERS_MAX, Letter};
use crate::program::announce::{print, randomness, sentence};
use crate::program::cli;
use crate::program::demo::device_token;
use crate::program::failure::Failure;
use crate::program::signals::stop_asked;
use crate::roles::ClientMail;
use crate::service::{Running, run_client};
use crate::standin::watch_pushes;
use crate::wait::timeout;

/// How long a command waits for servers. Source: ours; a connection takes 45 s at most, and an answer 30.
const PATIENCE: Duration = Duration::from_secs(60);

/// A device out of its file, at work.
struct Session {
    store: Store,
    contents: Contents,
    /// The queues that it had at the start.
    queues: Vec<QueueId>,
    /// Whether it was registered then.
    is_registered: bool,
    client: Running<Client>,
    events: Receiver<Event>,
}

impl Session {
    fn start(kept: &cli::Kept, if_missing: IfMissing) -> Result<Self, Failure> {
        let store = Store::open(kept)?;
        let contents = load(&store, kept, if_missing)?;
        Self::resume(store, contents)
    }

    fn resume(store: Store, contents: Contents) -> Result<Self, Failure> {
        let (role, clock) = client(&store, &contents)?;
        let queues = role.queues().collect();
        let is_registered = role.token_status().is_some();
        let (tell, events) = mailbox::bounded(LETTERS_MAX);
        let client = run_client(role, clock, move |event| drop(tell.try_send(event)));
        Ok(Self { store, contents, queues, is_registered, client, events })
    }

    fn command(&self, command: Command) {
        self.client.send(ClientMail::Command(command));
    }

    /// The first event that `wanted` makes something of, for a minute at most.
    async fn wait<T>(&mut self, what: &str, wanted: impl FnMut(&Event) -> Option<T>) -> Result<T, Failure> {
        wait_for(&mut self.events, PATIENCE, wanted).await.map_err(|trouble| {
            let why = trouble.unwrap_or_else(|| "no server said why".to_owned());
            Failure::failed(format!("{what} did not come within a minute: {why}."))
        })
    }

    /// Stops the client and stores what it knows, whatever came of the command.
    async fn end<T>(self, outcome: Result<T, Failure>) -> Result<(T, Store, Client), Failure> {
        let Self { store, mut contents, client, .. } = self;
        let Some(client) = client.stop().await else {
            return Err(Failure::failed("The device has ended unexpectedly; its file is as it was."));
        };
        contents.set_client(&client.export());
        store.save(&contents)?;
        outcome.map(|outcome| (outcome, store, client))
    }
}

/// The first event that `wanted` makes something of, for so long at most.
///
/// # Errors
///
/// The last trouble that the client told of, if it did.
pub(crate) async fn wait_for<T>(
    events: &mut Receiver<Event>,
    patience: Duration,
    mut wanted: impl FnMut(&Event) -> Option<T>,
) -> Result<T, Option<String>> {
    let mut trouble = None;
    let found = timeout(patience, async {
        loop {
            let event = events.recv().await?;
            if let Some(found) = wanted(&event) {
                return Some(found);
            }
            match event {
                Event::Unreachable { server, reason } => {
                    trouble = Some(format!("cannot reach {server}: {reason}"));
                }
                Event::Failed { why, .. } => trouble = Some(why),
                _ => {}
            }
        }
    })
    .await;
    found.ok().flatten().ok_or(trouble)
}

/// What becomes of a command for a device that has no file.
#[derive(Clone, Copy)]
enum IfMissing {
    Make,
    Fail,
}

fn load(store: &Store, kept: &cli::Kept, if_missing: IfMissing) -> Result<Contents, Failure> {
    match (store.load()?, if_missing) {
        (Some(contents), _) => Ok(contents),
        (None, IfMissing::Make) => Ok(Contents::default()),
        (None, IfMissing::Fail) => Err(Failure::failed(format!(
            "There is no device in {}: make one with ntf device register or ntf device add-queue.",
            kept.state.display()
        ))),
    }
}

/// The client as it was stored, or a new one.
fn client(store: &Store, contents: &Contents) -> Result<(Client, Clock), Failure> {
    let sealed = contents.pushes.as_ref().and_then(|pushes| pushes.sealed.as_deref());
    let config = Config { seal_to: sealed.map(sealing_key).transpose()?, ..Config::default() };
    let clock = Clock::start();
    let client = match contents.client() {
        None => Client::new(config, randomness()?, clock.now()),
        Some(state) => Client::import(config, randomness()?, clock.now(), &state)
            .map_err(|fault| store.unreadable(&fault))?,
    };
    Ok((client, clock))
}

/// `ntf device register`: a registration with a subscriber, proved by a push that a stand-in delivers.
pub(super) async fn register(options: cli::Register) -> Result<(), Failure> {
    let server = text::address::parse_server(&options.server, Protocol::Ntf)
        .map_err(|fault| Failure::usage(format!("--server is not a subscriber's address: {fault}")))?;
    options.sealed.as_deref().map(sealing_key).transpose()?;
    let store = Store::open(&options.kept)?;
    let mut contents = load(&store, &options.kept, IfMissing::Make)?;
    let device = device_token()?;
    let token = String::from_utf8_lossy(&device.token).into_owned();
    let mut pushes = watch_pushes(&options.stand_in, &options.stand_in_ca, &token)
        .await
        .map_err(|fault| Failure::failed(sentence(&fault)))?;
    contents.pushes =
        Some(Pushes { stand_in: options.stand_in, ca: options.stand_in_ca, token, sealed: options.sealed });
    let mut session = Session::resume(store, contents)?;
    let mailbox = session.client.mailbox();
    let forward = async move {
        while let Some(body) = pushes.recv().await {
            let _ = mailbox.try_send(Letter::Mail(ClientMail::Push(body)));
        }
    };
    session.command(Command::SetMode(Mode::Instant));
    session.command(Command::Register { server, device });
    let active = session.wait("The verification", |event| match event {
        Event::Token(TokenStatus::Active) => Some(()),
        _ => None,
    });
    let outcome = or(active, async {
        forward.await;
        Err(Failure::failed("The stand-in for Apple has closed the connection."))
    })
    .await;
    session.end(outcome).await?;
    match options.kept.json {
        true => print(&json!({ "token": "Active" }).to_string()),
        false => eprintln!("Registered and verified. Next: ntf device add-queue."),
    }
    Ok(())
}

/// `ntf device add-queue`: queues on an SMP server, and what their senders need.
pub(super) async fn add_queue(options: cli::AddQueue) -> Result<(), Failure> {
    let smp = text::address::parse_server(&options.smp, Protocol::Smp)
        .map_err(|fault| Failure::usage(format!("--smp is not an SMP server's address: {fault}")))?;
    let mut session = Session::start(&options.kept, IfMissing::Make)?;
    if !session.is_registered {
        // Nobody is to be told of its queues: it is watched with --direct.
        session.command(Command::SetMode(Mode::Direct));
    }
    let mut outcome = Ok(());
    for number in 0..options.number {
        let tag = RequestTag(u64::from(number));
        session.command(Command::CreateQueue { tag, server: smp.clone() });
        let made = session
            .wait("The queue", |event| match event {
                Event::QueueCreated { queue, address, .. } => Some(Ok((*queue, address.clone()))),
                Event::Failed { tag: Some(failed), why, .. } if *failed == tag => {
                    Some(Err(Failure::failed(why.clone())))
                }
                _ => None,
            })
            .await
            .flatten();
        match made {
            Ok((queue, address)) => {
                tell_address(queue, &text::address::sender(&address), options.kept.json);
            }
            Err(failure) => {
                outcome = Err(failure);
                break;
            }
        }
    }
    session.end(outcome).await.map(|_| ())
}

fn tell_address(queue: QueueId, address: &str, as_json: bool) {
    match as_json {
        true => print(&json!({ "queue": queue.0, "address": address }).to_string()),
        false => {
            eprintln!(
                "Queue {}. Send to it with: ntf device send '<the address below>' 'your message'",
                queue.0
            );
            print(address);
        }
    }
}

/// `ntf device link`: what senders need, once more.
pub(super) fn link(options: &cli::Link) -> Result<(), Failure> {
    let store = Store::open(&options.kept)?;
    let (client, _) = client(&store, &load(&store, &options.kept, IfMissing::Fail)?)?;
    let mut told = false;
    for queue in client.queues().filter(|queue| options.queue.is_none_or(|only| only == queue.0)) {
        if let Some(address) = client.sender_address(queue) {
            tell_address(queue, &text::address::sender(&address), options.kept.json);
            told = true;
        }
    }
    match (told, options.queue) {
        (true, _) => Ok(()),
        (false, Some(queue)) => Err(Failure::failed(format!(
            "This device has no queue {queue}: ntf device status tells which it has."
        ))),
        (false, None) => {
            Err(Failure::failed("This device has no queues: make some with ntf device add-queue."))
        }
    }
}

/// `ntf device status`: what the file holds. Asks no server.
pub(super) fn status(options: &cli::Kept) -> Result<(), Failure> {
    let store = Store::open(options)?;
    let contents = load(&store, options, IfMissing::Fail)?;
    let (client, _) = client(&store, &contents)?;
    let gauges = client.gauges();
    let mode = format!("{:?}", client.mode());
    let token = client.token_status().map(|status| format!("{status:?}"));
    let subscriber = client.subscriber().map(|server| text::address::server(server, Protocol::Ntf));
    let queues: Vec<u32> = client.queues().map(|queue| queue.0).collect();
    if options.json {
        let object = json!({
            "mode": mode,
            "token": token,
            "subscriber": subscriber,
            "stand_in": contents.pushes.as_ref().map(|pushes| &pushes.stand_in),
            "queues": queues,
            "watched": gauges.subscriptions,
            "deletions": gauges.deletions,
        });
        print(&object.to_string());
        return Ok(());
    }
    print(&format!("mode         {mode}"));
    print(&format!("token        {}", token.as_deref().unwrap_or("none")));
    print(&format!("subscriber   {}", subscriber.as_deref().unwrap_or("none")));
    print(&format!("queues       {}, of which a subscriber watches {}", queues.len(), gauges.subscriptions));
    if gauges.deletions > 0 {
        print(&format!("to delete    {} at subscribers that could not be reached yet", gauges.deletions));
    }
    Ok(())
}

/// `ntf device remove`: one queue, or the device with everything of it on servers.
pub(super) async fn remove(options: cli::Remove) -> Result<(), Failure> {
    let mut session = Session::start(&options.kept, IfMissing::Fail)?;
    let mut left: Vec<QueueId> = match options.queue {
        None => session.queues.clone(),
        Some(queue) if session.queues.contains(&QueueId(queue)) => vec![QueueId(queue)],
        Some(queue) => {
            let failure = Failure::failed(format!(
                "This device has no queue {queue}: ntf device status tells which it has."
            ));
            return session.end::<()>(Err(failure)).await.map(|_| ());
        }
    };
    for queue in &left {
        session.command(Command::DeleteQueue { queue: *queue });
    }
    if options.queue.is_none() && session.is_registered {
        session.command(Command::Unregister);
    }
    let mut outcome = Ok(());
    while !left.is_empty() && outcome.is_ok() {
        outcome = session
            .wait("The deletion of a queue", |event| match event {
                Event::QueueDeleted { queue } => Some(*queue),
                _ => None,
            })
            .await
            .map(|deleted| left.retain(|queue| *queue != deleted));
    }
    if outcome.is_ok() && options.queue.is_none() {
        // The subscriber's answer makes no event; where it does not come, the file says so.
        let _ = timeout(ANSWER, async { while session.events.recv().await.is_some() {} }).await;
    }
    let ((), store, client) = session.end(outcome).await?;
    if options.queue.is_none() {
        if client.gauges().deletions > 0 {
            return Err(Failure::failed(
                "The queues are gone, but the subscriber has not answered; run this again to forget the device there.",
            ));
        }
        store.remove()?;
    }
    match options.kept.json {
        true => print(&json!({ "removed": true }).to_string()),
        false => eprintln!("Removed."),
    }
    Ok(())
}

/// How long the answer to the deletion of a registration may take.
const ANSWER: Duration = Duration::from_secs(2);

/// `ntf device watch --state`: waits for messages, by pushes of the stand-in or straight from SMP servers.
pub(super) async fn watch(kept: &cli::Kept, is_direct: bool, messages: Option<u64>) -> Result<(), Failure> {
    let mut session = Session::start(kept, IfMissing::Fail)?;
    session.command(Command::SetMode(if is_direct { Mode::Direct } else { Mode::Instant }));
    let pushes = session.contents.pushes.clone();
    let mut pushes = match pushes.filter(|_| !is_direct) {
        Some(Pushes { stand_in, ca, token, .. }) => {
            let pushes = watch_pushes(&stand_in, &ca, &token).await;
            Some(pushes.map_err(|fault| Failure::failed(sentence(&fault)))?)
        }
        None if is_direct => None,
        None => {
            let failure = Failure::failed(
                "This device is not registered, so no pushes come: register it, or watch with --direct.",
            );
            return session.end::<()>(Err(failure)).await.map(|_| ());
        }
    };
    match is_direct {
        true => session.command(Command::Circumstance(Circumstance::Boot)),
        false => session.command(Command::Check),
    }
    let outcome = listen(&mut session, &mut pushes, kept.json, messages).await;
    session.end(outcome).await.map(|_| ())
}

async fn listen(
    session: &mut Session,
    pushes: &mut Option<Receiver<Vec<u8>>>,
    as_json: bool,
    messages: Option<u64>,
) -> Result<(), Failure> {
    let mut stop = pin!(stop_asked()?);
    let mut teller = Teller::new(as_json);
    let mut fetched = 0;
    loop {
        let push = async {
            match pushes {
                Some(pushes) => Heard::Push(pushes.recv().await),
                None => pending().await,
            }
        };
        let event = async { Heard::Event(session.events.recv().await) };
        let signal = async { Heard::Signal(stop.as_mut().await.to_string()) };
        match or(or(push, event), signal).await {
            Heard::Push(Some(body)) => _ = session.client.send(ClientMail::Push(body)),
            Heard::Push(None) => {
                return Err(Failure::failed("The stand-in for Apple has closed the connection."));
            }
            Heard::Event(Some(event)) => {
                fetched += u64::from(matches!(event, Event::Message { .. }));
                teller.tell(event)?;
                if messages.is_some_and(|wanted| fetched >= wanted) {
                    return Ok(());
                }
            }
            Heard::Event(None) => return Err(Failure::failed("The device has ended unexpectedly.")),
            Heard::Signal(signal) => {
                eprintln!("{signal}: the device is stored.");
                return Ok(());
            }
        }
    }
}

/// What a watching device waits for.
enum Heard {
    Push(Option<Vec<u8>>),
    Event(Option<Event>),
    Signal(String),
}
