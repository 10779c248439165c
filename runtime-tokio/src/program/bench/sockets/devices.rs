//! Devices that register and subscribe a queue each, as an app does, and then go away.

use std::time::Duration;

use ntf_core::base::id::EntityId;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::client::{Client, Config};
use ntf_core::host::mailbox::{self, Receiver};
use ntf_core::model::server::ServerAddress;
use ntf_core::model::token::{DeviceToken, TokenStatus};

use crate::clock::Clock;
use crate::program::announce::randomness;
use crate::program::demo::device_token;
use crate::program::failure::Failure;
use crate::roles::ClientMail;
use crate::rt::spawn;
use crate::service::run_client;
use crate::standin::StandIn;
use crate::wait::timeout;

/// One step of a registration takes milliseconds, with some hundred devices at it a second or two.
const STEP_MAX: Duration = Duration::from_secs(30);

/// Events of one device that may wait.
const EVENTS_MAX: usize = 64;

/// A device that is registered.
pub(super) struct Device {
    pub(super) token: DeviceToken,
    /// Where senders send to.
    pub(super) sender: EntityId,
}

/// Registers a device at `ntf`, creates a queue at `smp`, and subscribes it.
pub(super) async fn register(
    stand_in: &StandIn,
    clock: Clock,
    ntf: ServerAddress,
    smp: ServerAddress,
) -> Result<Device, Failure> {
    let token = device_token()?;
    let (tell, mut events) = mailbox::bounded(EVENTS_MAX);
    let role = Client::new(Config::default(), randomness()?, clock.now());
    let client = run_client(role, clock, move |event| drop(tell.try_send(event)));
    let mut pushes = stand_in.subscribe(&String::from_utf8_lossy(&token.token));
    let mailbox = client.mailbox();
    let forward = spawn(async move {
        while let Some(push) = pushes.recv().await {
            let push = ClientMail::Push(push.body.to_vec());
            let _ = mailbox.try_send(crate::driver::Letter::Mail(push));
        }
    });
    client.send(ClientMail::Command(Command::Register { server: ntf, device: token.clone() }));
    wait(&mut events, "registration", |event| {
        matches!(event, Event::Token(TokenStatus::Active)).then_some(())
    })
    .await?;
    client.send(ClientMail::Command(Command::CreateQueue { tag: RequestTag(1), server: smp }));
    let mut sender = None;
    wait(&mut events, "subscription", |event| {
        if let Event::QueueCreated { address, .. } = &event {
            sender = Some(address.sender.clone());
        }
        // The device hears once, while the server is still on its way to the queue, and asks no more. What is sent
        // before it is there waits at the queue.
        matches!(event, Event::Subscription { .. }).then_some(())
    })
    .await?;
    forward.cancel().await;
    client.stop().await;
    let sender = sender.ok_or_else(|| Failure::failed("A queue is subscribed before it was created."))?;
    Ok(Device { token, sender })
}

async fn wait(
    events: &mut Receiver<Event>,
    what: &str,
    mut wanted: impl FnMut(Event) -> Option<()>,
) -> Result<(), Failure> {
    loop {
        match timeout(STEP_MAX, events.recv()).await {
            Ok(Some(Event::Failed { why, .. })) => return Err(Failure::failed(why)),
            Ok(Some(event)) => {
                if wanted(event).is_some() {
                    return Ok(());
                }
            }
            Ok(None) | Err(_) => {
                return Err(Failure::failed(format!("A device is stuck in its {what}.")));
            }
        }
    }
}
