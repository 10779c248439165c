//! What is seen of a run, and whom it concerns: passes it on to the oracle and to the laws.

use crate::base::time::Mono;
use crate::client::effect::Event;
use crate::model::subscription::SubscriptionStatus;
use crate::model::token::TokenStatus;
use crate::sim::laws::Laws;
use crate::sim::oracle::{Excuse, Law};
use crate::sim::run::{Phase, Run, token_of};
use crate::sim::sight::{Loss, Sight};

impl Run {
    /// Takes in what was seen, and looks at what it touched.
    pub(super) fn observe(&mut self) {
        for (at, sight) in self.world.take_sights() {
            self.see(at, sight);
        }
        for what in self.world.take_violations() {
            self.oracle.broke(self.world.now().mono, Law::Contract, what);
        }
        if let Some(node) = self.world.take_touched() {
            for (law, what) in Laws::after_step(&self.world, node) {
                self.oracle.broke(self.world.now().mono, law, what);
            }
        }
        if self.phase == Phase::Opening && self.is_open() {
            self.until = self.now();
        }
    }

    fn see(&mut self, at: Mono, sight: Sight) {
        match sight {
            Sight::Told { device, event } if device == self.nodes.sender => self.sender_told(event),
            Sight::Told { device, event } => {
                if let Some(device) = self.device_of(device) {
                    self.told(at, device, event);
                }
            }
            Sight::Ordered { subscriber, order } => {
                let owner = self.owner_of(&order.device.token);
                let is_theirs = owner.and_then(|(device, _)| self.people.get(device)).is_some_and(|person| {
                    self.nodes.subscribers.get(person.subscriber).is_some_and(|(node, _)| *node == subscriber)
                });
                if !is_theirs {
                    let what = "a push is ordered for a device of another subscriber".into();
                    self.oracle.broke(at, Law::OrderFits, what);
                }
                if let Some((law, what)) = self.laws.on_order(at, subscriber, &order, owner) {
                    self.oracle.broke(at, law, what);
                }
            }
            Sight::Ended { push, outcome } => {
                if let Some(device) = self.laws.on_outcome(&self.nodes, push, outcome) {
                    self.oracle.excuse(at, at, device, Excuse::ProviderRefused);
                }
            }
            Sight::Requested { body, .. } => {
                if let Some((law, what)) = self.laws.on_request(&body) {
                    self.oracle.broke(at, law, what);
                }
            }
            Sight::Delivered { .. } | Sight::Shown { .. } => {}
            Sight::Lost { device, loss } => {
                let Some(device) = self.device_of(device) else { return };
                let excuse = match loss {
                    Loss::Dropped => Excuse::ProviderDropped,
                    Loss::Replaced => Excuse::PushReplaced,
                };
                self.oracle.excuse(at, at, device, excuse);
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "an application attends to what it waits for")]
    fn sender_told(&mut self, event: Event) {
        match event {
            Event::Sent { tag } => self.oracle.on_taken(usize::try_from(tag.0).unwrap_or(usize::MAX)),
            Event::Failed { tag: Some(tag), .. } => {
                self.oracle.on_refused(usize::try_from(tag.0).unwrap_or(usize::MAX));
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "an application attends to what it waits for")]
    fn told(&mut self, at: Mono, device: usize, event: Event) {
        let Some(person) = self.people.get_mut(device) else { return };
        match event {
            Event::QueueCreated { queue, address, .. } => {
                person.queues.insert(queue, address);
                self.queues_told += 1;
            }
            Event::Subscription { queue, status } => {
                person.watched += 1;
                if status == SubscriptionStatus::New {
                    self.may_race(at, device, queue);
                }
            }
            Event::Token(TokenStatus::Active) if person.wants_pushes => {
                person.is_active = true;
                self.oracle.excuse_until(at, device, Excuse::NotVerified);
            }
            Event::Message { queue, message, .. } => self.oracle.on_learned(at, device, queue, &message),
            Event::PushRejected { why } => {
                if let Some((law, what)) = self.laws.on_rejected(device, why) {
                    self.oracle.broke(at, law, what);
                }
            }
            _ => {}
        }
    }

    /// Whose device token this is, and which of its tokens.
    fn owner_of(&self, token: &[u8]) -> Option<(usize, u32)> {
        self.people.iter().enumerate().find_map(|(device, person)| {
            (1..=person.tokens)
                .find(|number| token_of(device, *number) == token)
                .map(|number| (device, number))
        })
    }
}
