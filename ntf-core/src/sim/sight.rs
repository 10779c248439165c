//! What a watcher of the world sees pass by: enough to judge a run without looking into a machine.

use crate::client::effect::Event;
use crate::model::push::{PushOrder, PushOutcome};
use crate::sim::world::NodeId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Sight {
    /// A device told its application.
    Told {
        /// The device.
        device: NodeId,
        /// What.
        event: Event,
    },
    /// A subscriber ordered a push.
    Ordered {
        /// The subscriber.
        subscriber: NodeId,
        /// The order, as its push server gets it.
        order: PushOrder,
    },
    /// A push server reported what became of an order.
    Ended {
        /// The push server.
        push: NodeId,
        /// The outcome.
        outcome: PushOutcome,
    },
    /// A push server asked its provider.
    Requested {
        /// The push server.
        push: NodeId,
        /// The body of the request, as the provider gets it.
        body: Vec<u8>,
    },
    /// A push reached its device.
    Delivered {
        /// The device.
        device: NodeId,
    },
    /// A push reached its device and stands on the screen; the app was not woken.
    Shown {
        /// The device.
        device: NodeId,
    },
    /// A push that the provider accepted will never reach its device.
    Lost {
        /// The device.
        device: NodeId,
        /// Why.
        loss: Loss,
    },
}

/// Why an accepted push never reaches its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The provider dropped it.
    Dropped,
    /// The device was off, and a later push took its place. Source: `ntf-protocol` 3.5.
    Replaced,
}

/// What a device tells its application, for people. Queues and texts are made up by the simulation.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest reads well as it prints itself")]
pub(super) fn words_of(event: &Event) -> String {
    match event {
        Event::QueueCreated { queue, .. } => format!("has queue {}", queue.0),
        Event::QueueDeleted { queue } => format!("has queue {} no more", queue.0),
        Event::Subscription { queue, status } => format!("subscription of queue {}: {status:?}", queue.0),
        Event::Sent { tag } => format!("message {} is sent", tag.0),
        Event::Pushed { queue, .. } => format!("push names queue {}", queue.0),
        Event::Message { queue, message, .. } => {
            format!("reads message {} in queue {}", String::from_utf8_lossy(message), queue.0)
        }
        Event::QuotaReached { queue } => format!("queue {} was full", queue.0),
        Event::Failed { tag: Some(tag), why, .. } => format!("message {} failed: {why}", tag.0),
        other => format!("{other:?}"),
    }
}
