//! What can happen to a client.

use crate::client::direct::Circumstance;
use crate::client::mode::{Mode, Notifications};
use crate::link::event::LinkEvent;
use crate::model::server::{SenderAddress, ServerAddress};
use crate::model::token::DeviceToken;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// An input of the client. All links are opened ones; the client knows which speaks what.
pub enum Input<'a> {
    /// Something happened to a link.
    Link(LinkEvent<'a>),
    /// A push arrived: the JSON body as the provider delivered it.
    Push(&'a [u8]),
    /// The application wants something.
    Command(Command),
    /// The announced deadline has come.
    Tick,
    /// Close all links.
    Stop,
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(event) => f.debug_tuple("Link").field(event).finish(),
            Self::Push(body) => write!(f, "Push({} bytes)", body.len()),
            Self::Command(command) => f.debug_tuple("Command").field(command).finish(),
            Self::Tick => f.write_str("Tick"),
            Self::Stop => f.write_str("Stop"),
        }
    }
}

/// Names a queue of this client, for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u32);

/// Names a request of the application, which chooses the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestTag(pub u64);

/// What an application may want.
pub enum Command {
    /// Register this device token with one subscriber and verify it when its push arrives.
    ///
    /// The subscriber becomes the only one to choose from. A registration with another one is left. For the
    /// same device token, as on every start of an app, it is checked; for another, that is replaced.
    Register {
        /// The subscriber.
        server: ServerAddress,
        /// The token that the provider gave to the app. Sealed before the subscriber sees it, if the
        /// configuration [says so](crate::client::Config::seal_to).
        device: DeviceToken,
    },
    /// Register this device token with one of the subscribers of [`SetSubscribers`](Self::SetSubscribers),
    /// drawn at random. A registration that exists stays where it is, even if its subscriber is not on the
    /// list any more.
    ///
    /// Source: `ntf-protocol` 5.2 and 6.2, items 18, 19, 32 and 33.
    RegisterWithAny {
        /// The token that the provider gave to the app, as in [`Register`](Self::Register).
        device: DeviceToken,
        /// How the device wants to learn of messages.
        mode: Mode,
    },
    /// The subscribers to choose from whenever a token is made. Moves no token that exists. Not part of the
    /// exported state: an app gives its list on each start.
    SetSubscribers {
        /// The list, [`Config::subscribers_max`](crate::client::Config::subscribers_max) at most.
        servers: Vec<ServerAddress>,
    },
    /// Learn of messages in this way from here on. Kept in the exported state.
    SetMode(Mode),
    /// Let the messages of a queue cause pushes, or not. On for a new queue.
    SetNotifications {
        /// The queue.
        queue: QueueId,
        /// Whether they do.
        notifications: Notifications,
    },
    /// Look into every queue now, whatever the mode.
    FetchAll,
    /// A background refresh: look into every queue and check what is due, for so long at most; ends with
    /// [`Event::Refreshed`](crate::client::effect::Event::Refreshed).
    Refresh {
        /// The time there is.
        budget: Duration,
    },
    /// Create a queue, with notifications.
    CreateQueue {
        /// Echoed in the event.
        tag: RequestTag,
        /// The SMP server to hold it.
        server: ServerAddress,
    },
    /// Delete a queue and everything of it.
    DeleteQueue {
        /// The queue.
        queue: QueueId,
    },
    /// Send a message to somebody's queue. The first send to an address secures it with a fresh key (SKEY).
    Send {
        /// Echoed in the event.
        tag: RequestTag,
        /// Where to.
        to: SenderAddress,
        /// The message, up to 16048 bytes.
        message: Vec<u8>,
    },
    /// Send a message without securing the queue: for a sender that keeps no key, so that it, or another, can
    /// send again. Refused by the server once somebody has secured the queue.
    SendUnsigned {
        /// Echoed in the event.
        tag: RequestTag,
        /// Where to.
        to: SenderAddress,
        /// The message, up to 16048 bytes.
        message: Vec<u8>,
    },
    /// Ask the subscriber for the status of the token and of each subscription, now, and try again whatever
    /// was put off. Give it when the app starts, with the registration; asking often costs nothing, as
    /// checks merge and keep a distance of [`Config::check_gap`](crate::client::Config::check_gap).
    Check,
    /// The device is on another network, or has one again: opens its connections anew and checks.
    NetworkChanged,
    /// The operating system or the user says something that matters to connections.
    Circumstance(Circumstance),
    /// Delete the token from the subscriber.
    Unregister,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Register { .. } => "Register",
            Self::RegisterWithAny { .. } => "RegisterWithAny",
            Self::SetSubscribers { .. } => "SetSubscribers",
            Self::SetMode(_) => "SetMode",
            Self::SetNotifications { .. } => "SetNotifications",
            Self::FetchAll => "FetchAll",
            Self::Refresh { .. } => "Refresh",
            Self::CreateQueue { .. } => "CreateQueue",
            Self::DeleteQueue { .. } => "DeleteQueue",
            Self::Send { .. } => "Send",
            Self::SendUnsigned { .. } => "SendUnsigned",
            Self::Check => "Check",
            Self::NetworkChanged => "NetworkChanged",
            Self::Circumstance(_) => "Circumstance",
            Self::Unregister => "Unregister",
        })
    }
}
