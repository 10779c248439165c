//! `ntf device`: a device on the command line, for operators and developers.
//!
//! A device is kept in an encrypted file (`store`) by commands of its own (`kept`); without one, `watch` has a
//! device that is forgotten when it ends.

#![allow(clippy::wildcard_enum_match_arm, reason = "a watcher passes over events that it does not show")]

mod kept;
mod store;

pub(crate) use kept::wait_for;

use std::collections::BTreeMap;
use std::time::Duration;

use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, QueueId, RequestTag};
use ntf_core::client::{Advice, Client, Config, DirectState};
use ntf_core::crypto::keys::X25519Public;
use ntf_core::model::server::Protocol;
use ntf_core::model::subscription::SubscriptionStatus;
use ntf_core::model::token::TokenStatus;
use ntf_core::wire::text;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};

use crate::clock::Clock;
use crate::program::announce::{print, randomness, sentence};
use crate::program::cli;
use crate::program::demo::device_token;
use crate::program::failure::Failure;
use crate::program::signals::stop_asked;
use crate::roles::ClientMail;
use crate::service::{Running, run_client};
use crate::standin::watch_pushes;

/// How often a watching device asks whether its servers still know it. Short, as people look on: after a
/// restart of the subscriber the device is back within this time. Apps ask once in days.
const CHECK_INTERVAL: Duration = Duration::from_secs(15);

/// Runs one of the device's commands.
///
/// # Errors
///
/// When an address is malformed, a server cannot be reached, or a command is refused.
pub async fn run(options: cli::Device) -> Result<(), Failure> {
    match options {
        cli::Device::Watch(options) => watch(options).await,
        cli::Device::Send(options) => send(options).await,
        cli::Device::Register(options) => kept::register(options).await,
        cli::Device::AddQueue(options) => kept::add_queue(options).await,
        cli::Device::Link(options) => kept::link(&options),
        cli::Device::Status(options) => kept::status(&options),
        cli::Device::Remove(options) => kept::remove(options).await,
    }
}

async fn watch(options: cli::Watch) -> Result<(), Failure> {
    if let Some(state) = options.state {
        let kept = cli::Kept { state, key_file: options.key_file, json: options.json };
        return kept::watch(&kept, options.direct, options.messages).await;
    }
    let (Some(server), Some(smp), Some(stand_in), Some(stand_in_ca)) =
        (&options.server, &options.smp, &options.stand_in, &options.stand_in_ca)
    else {
        return Err(Failure::usage("Give --state, or --server, --smp, --stand-in and --stand-in-ca."));
    };
    let server = text::address::parse_server(server, Protocol::Ntf)
        .map_err(|fault| Failure::usage(format!("--server is not a subscriber's address: {fault}")))?;
    let smp = text::address::parse_server(smp, Protocol::Smp)
        .map_err(|fault| Failure::usage(format!("--smp is not an SMP server's address: {fault}")))?;
    // The device forgets everything when it ends, so a fresh token each time.
    let device = device_token()?;
    let mut pushes = watch_pushes(stand_in, stand_in_ca, &String::from_utf8_lossy(&device.token))
        .await
        .map_err(|fault| Failure::failed(sentence(&fault)))?;
    let seal_to = options.sealed.as_deref().map(sealing_key).transpose()?;
    let stop = stop_asked()?;
    tokio::pin!(stop);

    let (client, mut events) = start_client(Config { seal_to, ..Config::default() })?;
    client.send(ClientMail::Command(Command::Register { server, device }));
    let mut teller = Teller::new(options.json);
    let mut fetched = 0;
    let mut has_queues = false;
    let mut checks = interval_at(Instant::now() + CHECK_INTERVAL, CHECK_INTERVAL);
    loop {
        tokio::select! {
            _ = checks.tick() => {
                client.send(ClientMail::Command(Command::Check));
            }
            push = pushes.recv() => match push {
                Some(body) => {
                    client.send(ClientMail::Push(body));
                }
                None => return Err(Failure::failed("The stand-in for Apple has closed the connection; start it again, then this device.")),
            },
            event = events.recv() => {
                let Some(event) = event else { return Err(Failure::failed("The device has ended unexpectedly.")) };
                if event == Event::Token(TokenStatus::Active) && !has_queues {
                    has_queues = true;
                    for number in 0..options.queues {
                        let tag = RequestTag(u64::from(number));
                        client.send(ClientMail::Command(Command::CreateQueue { tag, server: smp.clone() }));
                    }
                }
                if matches!(event, Event::Message { .. }) {
                    fetched += 1;
                }
                teller.tell(event)?;
                if options.messages.is_some_and(|wanted| fetched >= wanted) {
                    break;
                }
            }
            signal = &mut stop => {
                eprintln!("{signal}: this device is forgotten; its queues stay on the SMP server until it restarts.");
                break;
            }
        }
    }
    client.stop().await;
    Ok(())
}

/// A push server's sealing key, as `ntf push` prints it.
fn sealing_key(text: &str) -> Result<X25519Public, Failure> {
    let key = text::base64::decode_array(text).map(X25519Public::new);
    key.ok_or_else(|| Failure::usage("--sealed is not a sealing key as `ntf push` prints it."))
}

async fn send(options: cli::Send) -> Result<(), Failure> {
    let to = text::address::parse_sender(&options.address).map_err(|fault| {
        Failure::usage(format!("The address is not one that `ntf device watch` prints: {fault}"))
    })?;
    let (client, mut events) = start_client(Config::default())?;
    let message = options.message.into_bytes();
    client.send(ClientMail::Command(Command::SendUnsigned { tag: RequestTag(1), to, message }));
    while let Some(event) = events.recv().await {
        match event {
            Event::Sent { .. } => {
                client.stop().await;
                if options.json {
                    print(&json!({ "sent": true }).to_string());
                } else {
                    eprintln!("Sent: the SMP server holds the message.");
                }
                return Ok(());
            }
            Event::Failed { why, advice, .. } => return Err(failure(&why, advice)),
            Event::Unreachable { server, reason } => {
                return Err(Failure::failed(format!(
                    "Cannot reach {server}: {}; check that the server runs and that the address is its latest.",
                    reason
                )));
            }
            _ => {}
        }
    }
    Err(Failure::failed("The sender has ended unexpectedly."))
}

fn start_client(config: Config) -> Result<(Running<Client>, mpsc::UnboundedReceiver<Event>), Failure> {
    let clock = Clock::start();
    let role = Client::new(config, randomness()?, clock.now());
    let (tell, events) = mpsc::unbounded_channel();
    let client = run_client(role, clock, move |event| {
        let _ = tell.send(event);
    });
    Ok((client, events))
}

/// Says what happens: sentences on standard error and messages on standard output, or JSON lines.
struct Teller {
    json: bool,
    token: Option<TokenStatus>,
    subscriptions: BTreeMap<QueueId, SubscriptionStatus>,
}

impl Teller {
    fn new(json: bool) -> Self {
        Self { json, token: None, subscriptions: BTreeMap::new() }
    }

    fn tell(&mut self, event: Event) -> Result<(), Failure> {
        let advice = event.advice();
        match event {
            // The regular checks mostly find what was told already.
            Event::Token(status) if self.token.replace(status) == Some(status) => {}
            Event::Subscription { queue, ref status }
                if self.subscriptions.insert(queue, status.clone()).as_ref() == Some(status) => {}
            Event::Token(status) => {
                let said = json!({ "token": format!("{status:?}") });
                self.say(with_advice(said, advice), &token_sentence(status));
            }
            Event::QueueCreated { address, .. } => {
                let address = text::address::sender(&address);
                if self.json {
                    print(&json!({ "queue": address }).to_string());
                } else {
                    eprintln!(
                        "A queue is ready. Send to it with: ntf device send '<the address below>' 'your message'"
                    );
                    print(&address);
                }
            }
            Event::Subscription { status, .. } => {
                self.say(
                    json!({ "subscription": format!("{status:?}") }),
                    &format!(
                        "The subscriber watches the queue ({status:?}). Waiting for pushes; stop with Ctrl-C."
                    ),
                );
            }
            Event::Direct { state, .. } => {
                self.say(json!({ "direct": format!("{state:?}") }), direct_sentence(state));
            }
            Event::Pushed { .. } => {
                self.say(
                    json!({ "pushed": true }),
                    "A push arrived and names a queue of ours; fetching the message.",
                );
            }
            Event::Message { message, sent_at, .. } => {
                let message = String::from_utf8_lossy(&message);
                if self.json {
                    print(&json!({ "message": message, "received_by_server_at": sent_at }).to_string());
                } else {
                    print(&message);
                }
            }
            Event::PushRejected { why } => {
                self.say(json!({ "push_rejected": why }), &format!("A push was ignored: {why}."));
            }
            Event::QuotaReached { .. } => {
                self.say(
                    json!({ "quota": true }),
                    "The queue was full for a while; its sender was refused and will try again.",
                );
            }
            Event::Unreachable { server, reason } => {
                let why = reason.to_string();
                self.say(
                    with_advice(json!({ "unreachable": server, "why": why }), advice),
                    &format!("Cannot reach {server}: {why}; trying again. Check that it runs and that the address is its latest."),
                );
            }
            // Not a command of ours: the client deals with it itself.
            Event::Failed { tag: None, why, advice: what } => {
                let words = format!("{} {}", sentence(&why), sentence(&what));
                self.say(with_advice(json!({ "trouble": why }), advice), &words);
            }
            Event::Failed { why, advice, .. } => return Err(failure(&why, advice)),
            _ => {}
        }
        Ok(())
    }

    fn say(&self, object: Value, sentence: &str) {
        if self.json {
            print(&object.to_string());
        } else {
            eprintln!("{sentence}");
        }
    }
}

/// A failure and what to do about it.
fn failure(why: &str, advice: Advice) -> Failure {
    Failure::failed(format!("{} {}", sentence(&why), sentence(&advice)))
}

/// Adds what to do to what is said to programs.
fn with_advice(mut said: Value, advice: Option<Advice>) -> Value {
    if let (Some(said), Some(advice)) = (said.as_object_mut(), advice) {
        said.insert("advice".to_owned(), json!(advice.name()));
        if let Some(delay) = advice.delay() {
            said.insert("delay_s".to_owned(), json!(delay.as_secs_f64()));
        }
    }
    said
}

fn direct_sentence(state: DirectState) -> &'static str {
    match state {
        DirectState::On => "The SMP server hands over the queue's messages as they come; stop with Ctrl-C.",
        DirectState::Lost => "The connection to the SMP server is lost; opening another one.",
        DirectState::TakenOver => "Another process with this device has taken the queue over.",
        DirectState::Gone => "The SMP server does not have the queue any more.",
        _ => "The queue's subscription has changed.",
    }
}

fn token_sentence(status: TokenStatus) -> String {
    match status {
        TokenStatus::Registered => "Registered; waiting for the verification push.".to_owned(),
        TokenStatus::Active => "Verified: this device receives the subscriber's pushes.".to_owned(),
        TokenStatus::New | TokenStatus::Invalid(_) | TokenStatus::Confirmed | TokenStatus::Expired => {
            format!("The token's status is {status:?}.")
        }
    }
}
