//! What people and misfortune do to the world of a run, as the oracle is told it.

use crate::client::input::{Command, QueueId, RequestTag};
use crate::model::server::SenderAddress;
use crate::model::token::{DeviceToken, Provider};
use crate::sim::fault::Fault;
use crate::sim::oracle::Excuse;
use crate::sim::run::{Run, token_of};
use crate::sim::scenario::Deed;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

impl Run {
    pub(super) fn open(&mut self) {
        for number in 0..self.people.len() {
            self.give_token(number);
            self.register(number);
            let queues = self.scenario.town.devices.get(number).copied().unwrap_or(1);
            for queue in 0..queues {
                self.create_queue(number, usize::from(queue));
            }
        }
    }

    pub(super) fn perform(&mut self, deed: Deed) {
        let now = self.now();
        if !matches!(deed, Deed::Send { .. }) {
            self.oracle.on_disturbance(now);
        }
        if !matches!(deed, Deed::Fault(_) | Deed::Send { .. }) {
            self.world.tell(self.nodes.sender, || format!("*** {deed:?}"));
        }
        match deed {
            Deed::Send { device, queue } => self.send(device.into(), queue.into()),
            Deed::CreateQueue { device, smp } => self.create_queue(device.into(), smp.into()),
            Deed::DeleteQueue { device, queue } => self.delete_queue(device.into(), queue.into()),
            Deed::Open { device } => self.register(device.into()),
            Deed::Check { device } => {
                if let Some(person) = self.people.get(usize::from(device)) {
                    self.world.command(person.node, Command::Check);
                }
            }
            Deed::Replace { device } => {
                self.give_token(device.into());
                self.is_unverified(device.into());
                // A second one on the heels of the first may need a registration with other keys.
                self.laws.keys_changed(device.into());
                let wants_pushes =
                    self.people.get(usize::from(device)).is_some_and(|person| person.wants_pushes);
                if wants_pushes {
                    self.register(device.into());
                }
            }
            Deed::Unregister { device } => self.unregister(device.into()),
            Deed::Fault(fault) => self.fault(fault),
        }
    }

    fn send(&mut self, device: usize, queue: usize) {
        let Some((id, to)) = self.queue_of(device, queue) else { return };
        let number = self.oracle.on_send(self.now(), device, id);
        self.world.tell(self.nodes.sender, || {
            format!("sends message {number} to queue {} of device {}", id.0, device + 1)
        });
        let tag = RequestTag(u64::try_from(number).unwrap_or(u64::MAX));
        let message = number.to_string().into_bytes();
        self.world.command(self.nodes.sender, Command::Send { tag, to, message });
    }

    fn queue_of(&self, device: usize, queue: usize) -> Option<(QueueId, SenderAddress)> {
        let queues = &self.people.get(device)?.queues;
        let place = queue.checked_rem(queues.len())?;
        queues.iter().nth(place).map(|(id, address)| (*id, address.clone()))
    }

    fn create_queue(&mut self, device: usize, smp: usize) {
        let Some(person) = self.people.get(device) else { return };
        let Some((_, server)) = smp.checked_rem(self.nodes.smp.len()).and_then(|at| self.nodes.smp.get(at))
        else {
            return;
        };
        let command = Command::CreateQueue { tag: RequestTag(0), server: server.clone() };
        self.world.command(person.node, command);
    }

    fn delete_queue(&mut self, device: usize, queue: usize) {
        let Some((id, _)) = self.queue_of(device, queue) else { return };
        let Some(person) = self.people.get_mut(device) else { return };
        person.queues.remove(&id);
        self.oracle.on_deleted(device, id);
        self.laws.keys_changed(device);
        self.world.command(person.node, Command::DeleteQueue { queue: id });
    }

    /// The provider gives a device a token, and no longer takes the one before.
    fn give_token(&mut self, device: usize) {
        let Some(person) = self.people.get_mut(device) else { return };
        if person.tokens > 0 {
            self.world.uninstall(self.nodes.provider, &token_of(device, person.tokens));
        }
        person.tokens += 1;
        self.world.install(self.nodes.provider, &token_of(device, person.tokens), person.node);
    }

    fn register(&mut self, device: usize) {
        let Some(person) = self.people.get_mut(device) else { return };
        let Some((_, server)) = self.nodes.subscribers.get(person.subscriber) else { return };
        if !core::mem::replace(&mut person.wants_pushes, true) {
            self.laws.keys_changed(device);
        }
        let token = token_of(device, person.tokens).into();
        let device = DeviceToken { provider: Provider::ApnsTest, token };
        self.world.command(person.node, Command::Register { server: server.clone(), device });
    }

    fn unregister(&mut self, device: usize) {
        let Some(person) = self.people.get_mut(device) else { return };
        if !core::mem::replace(&mut person.wants_pushes, false) {
            return;
        }
        let node = person.node;
        self.is_unverified(device);
        self.laws.keys_changed(device);
        self.world.command(node, Command::Unregister);
    }

    fn is_unverified(&mut self, device: usize) {
        if let Some(person) = self.people.get_mut(device) {
            person.is_active = false;
            self.oracle.excuse_from(self.world.now().mono, device, Excuse::NotVerified);
        }
    }

    fn fault(&mut self, fault: Fault) {
        let now = self.now();
        if let Fault::Restart(node) = fault {
            let forgetting: Vec<_> = self
                .people
                .iter()
                .enumerate()
                .filter(|(_, person)| {
                    self.nodes.subscribers.get(person.subscriber).is_some_and(|(id, _)| *id == node)
                })
                .map(|(number, _)| number)
                .collect();
            for device in forgetting {
                self.oracle.excuse_from(now, device, Excuse::SubscriberForgot);
                self.laws.keys_changed(device);
            }
            if let Some(device) = self.device_of(node) {
                self.oracle.excuse(now, now, device, Excuse::AppEnded);
                self.laws.keys_changed(device);
            }
            self.laws.restarted(&self.nodes, node);
        }
        self.may_lose_notices(fault);
        self.world.apply(fault);
    }

    /// A message to each queue that is to be watched.
    pub(super) fn probe(&mut self) {
        let queues: Vec<_> = self
            .people
            .iter()
            .enumerate()
            .filter(|(_, person)| person.wants_pushes)
            .flat_map(|(device, person)| (0..person.queues.len()).map(move |queue| (device, queue)))
            .collect();
        for (device, queue) in queues {
            self.send(device, queue);
        }
    }

    pub(super) fn check_everybody(&mut self) {
        for device in 0..self.people.len() {
            self.laws.keys_changed(device);
            let Some(person) = self.people.get(device).filter(|person| person.wants_pushes) else { continue };
            let node = person.node;
            self.register(device);
            self.world.command(node, Command::Check);
        }
    }

    pub(super) fn clear(&mut self) {
        for device in 0..self.people.len() {
            while self.people.get(device).is_some_and(|person| !person.queues.is_empty()) {
                self.delete_queue(device, 0);
            }
            let Some(node) = self.people.get(device).map(|person| person.node) else { continue };
            // An app that ended while it made a queue has one that it never spoke of.
            let rest: Vec<_> =
                self.world.client(node).map(|client| client.queues().collect()).unwrap_or_default();
            for queue in rest {
                self.world.command(node, Command::DeleteQueue { queue });
            }
            self.unregister(device);
        }
    }
}
