//! Links of devices: accepted, greeted, read, answered, and closed when they are silent or misbehave.

use crate::base::budget::{Admit, Budget};
use crate::base::id::LinkId;
use crate::base::limits::LINK_WINDOW_BLOCKS;
use crate::base::source::Source;
use crate::base::time::Mono;
use crate::link::dialect::Ntf;
use crate::link::event::{LinkAction, LinkEvent, Transport};
use crate::link::responder::{Requests, Responder, Rest};
use crate::model::shard::ShardId;
use crate::subscriber::config::Config;
use crate::subscriber::effect::Effect;
use crate::subscriber::on_shard::Progress;
use crate::subscriber::shard::{Owed, Wait};
use crate::subscriber::{Subscriber, Timer};
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::response::Response;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;
use zeroize::Zeroizing;

/// Silence after which a device gives way to another. Source: ours; long enough for an answer to be read and a push
/// to be waited for, and as long as the timeout of hellos.
const SILENCE_MIN: Duration = Duration::from_secs(30);

/// A device's link.
#[derive(Debug)]
pub(super) struct DeviceLink {
    responder: Responder<Ntf>,
    heard: Mono,
    /// Where it comes from, for what is limited by that.
    source: Option<Source>,
    commands: Budget,
    /// The command that another shard has to give its word for holds up those behind it.
    waits_for: Option<Wait>,
    /// The next command was paid for where the link comes from.
    is_paid: bool,
    /// Requests of a block that was read in part.
    rest: Option<Rest>,
    /// Blocks that came behind.
    blocks: VecDeque<Zeroizing<Vec<u8>>>,
}

impl DeviceLink {
    fn new(responder: Responder<Ntf>, heard: Mono, source: Option<Source>) -> Self {
        let (commands, blocks) = (Budget::new(), VecDeque::new());
        Self { responder, heard, source, commands, waits_for: None, is_paid: false, rest: None, blocks }
    }

    /// Where it comes from.
    pub(super) const fn source(&self) -> Option<Source> {
        self.source
    }

    /// Answers the command that held up the others.
    pub(super) fn answer(&mut self, owed: &Owed, response: &Response<'_>) {
        self.responder.reply(owed.to.to(), response);
        self.waits_for = None;
    }
}

/// Blocks of a link that may wait for another shard. A device that sends more without an answer floods.
///
/// Source: ours; the window at which an adapter stops reading, as for answers that nobody reads.
const BACKLOG_MAX: usize = 2 * LINK_WINDOW_BLOCKS as usize;

/// How far the requests of a block are.
#[derive(Debug)]
enum Ran {
    /// All are answered.
    Through,
    /// One waits for another shard; perhaps there are more behind it.
    Waiting(Wait, Option<Rest>),
    /// The next is for another shard.
    Elsewhere(ShardId, Option<Rest>),
    /// The peer broke the protocol of links.
    Fault,
}

impl Subscriber {
    pub(super) fn on_device(&mut self, event: LinkEvent<'_>) {
        match event {
            LinkEvent::Up { link, transport } => self.on_device_up(link, &transport),
            LinkEvent::Block { link, block } => self.on_device_block(link, block),
            LinkEvent::Sent { link, blocks } => {
                if let Some(device) = self.devices.get_mut(&link) {
                    device.responder.on_sent(blocks);
                }
            }
            LinkEvent::Down { link, .. } => {
                self.timers.cancel(&Timer::Device(link));
                if let Some(device) = self.take_device(link) {
                    self.forget_device(link, &device);
                }
            }
        }
    }

    fn on_device_up(&mut self, link: LinkId, transport: &Transport) {
        if !self.has_room_for_device() {
            self.counters.links.refused_full.count();
            self.outbox.push(Effect::Link(LinkAction::Close { link }));
            return;
        }
        if !self.open_source(transport.source) {
            self.counters.links.refused_source.count();
            self.outbox.push(Effect::Link(LinkAction::Close { link }));
            return;
        }
        let Config { credentials, versions, hello_timeout, .. } = &self.config;
        match Responder::accept(transport, credentials, *versions, &mut self.makers.keys) {
            Ok(responder) => {
                self.counters.links.accepted.count();
                self.timers.set(Timer::Device(link), self.now.mono + *hello_timeout);
                let mut device = DeviceLink::new(responder, self.now.mono, transport.source);
                self.send(link, &mut device);
                self.keep_device(link, device);
            }
            Err(_) => {
                self.counters.links.faults.count();
                self.close_source(transport.source);
                self.outbox.push(Effect::Link(LinkAction::Close { link }));
            }
        }
    }

    fn on_device_block(&mut self, link: LinkId, block: &mut [u8]) {
        // Taken out while its commands work on the tables.
        let Some(mut device) = self.take_device(link) else { return };
        device.heard = self.now.mono;
        if device.waits_for.is_some() {
            if device.blocks.len() >= BACKLOG_MAX {
                self.counters.links.congested.count();
                return self.close(link, device);
            }
            device.blocks.push_back(Zeroizing::new(block.to_vec()));
            self.keep_device(link, device);
            return;
        }
        let was_greeted = device.responder.version().is_some();
        let ran = self.run_block(link, &mut device, block);
        if !was_greeted {
            self.timers.set(Timer::Device(link), self.now.mono + self.config.idle_timeout);
        }
        self.after(link, device, ran);
    }

    /// Goes on with a link that has waited, or that came from another shard.
    pub(super) fn go_on_with(&mut self, link: LinkId, mut device: DeviceLink) {
        self.timers.set(Timer::Device(link), device.heard + self.config.idle_timeout);
        loop {
            let ran = if let Some(rest) = device.rest.take() {
                let mut requests = device.responder.resume(&rest);
                self.run(link, &mut device, &mut requests)
            } else if let Some(mut block) = device.blocks.pop_front() {
                self.run_block(link, &mut device, &mut block)
            } else {
                return self.after(link, device, Ran::Through);
            };
            if !matches!(ran, Ran::Through) {
                return self.after(link, device, ran);
            }
        }
    }

    fn run_block(&mut self, link: LinkId, device: &mut DeviceLink, block: &mut [u8]) -> Ran {
        match device.responder.on_block(block) {
            Ok(mut requests) => self.run(link, device, &mut requests),
            Err(_) => Ran::Fault,
        }
    }

    /// Does one request after another, until one has to wait or is for another shard.
    fn run(&mut self, link: LinkId, device: &mut DeviceLink, requests: &mut Requests<'_>) -> Ran {
        let own = self.sharding.plan().own();
        while let Some(request) = device.responder.next_request(requests) {
            let is_paid = core::mem::take(&mut device.is_paid);
            if !is_paid && let Admit::Later(_) = device.commands.admit(self.now.mono, self.config.commands) {
                self.counters.links.flooded.count();
                device.responder.refuse(&request, ErrorCode::Quota);
                continue;
            }
            let home = self.home_of(request.command(), request.entity());
            if home != own {
                device.is_paid = true;
                return Ran::Elsewhere(home, requests.rest_with_last());
            }
            match self.on_command((link, device.source), &mut device.responder, request) {
                Progress::Answered => {}
                Progress::Waiting(wait) => return Ran::Waiting(wait, requests.rest()),
            }
        }
        Ran::Through
    }

    /// Sends what was answered, and keeps, moves or closes the link.
    fn after(&mut self, link: LinkId, mut device: DeviceLink, ran: Ran) {
        // An adapter stops reading at the window, so twice the window means that nobody reads the answers.
        if device.responder.unsent() > LINK_WINDOW_BLOCKS.saturating_mul(2) {
            self.counters.links.congested.count();
            return self.close(link, device);
        }
        match ran {
            Ran::Fault => {
                self.counters.links.faults.count();
                return self.close(link, device);
            }
            Ran::Elsewhere(home, rest) => {
                self.timers.cancel(&Timer::Device(link));
                self.send(link, &mut device);
                device.rest = rest;
                return self.hand_off(link, device, home);
            }
            Ran::Waiting(wait, rest) => {
                device.waits_for = Some(wait);
                device.rest = rest;
            }
            Ran::Through => {}
        }
        self.send(link, &mut device);
        self.keep_device(link, device);
    }

    /// Whether one more device may be connected; one that is silent gives way if need be.
    pub(super) fn has_room_for_device(&mut self) -> bool {
        self.devices.len() < self.config.links || self.close_silent_device()
    }

    /// A link is over.
    fn forget_device(&mut self, link: LinkId, device: &DeviceLink) {
        self.close_source(device.source);
        if let Some(wait) = device.waits_for {
            self.waits.forget(link, wait);
        }
    }

    /// Closes the device that has been silent for the longest, if that is long enough. It holds nothing that it
    /// would lose, and can come back at any time.
    fn close_silent_device(&mut self) -> bool {
        let Some((heard, link)) = self.silent.first().copied() else { return false };
        if heard + SILENCE_MIN > self.now.mono {
            return false;
        }
        let Some(device) = self.take_device(link) else { return false };
        self.counters.links.displaced.count();
        self.close(link, device);
        true
    }

    pub(super) fn take_device(&mut self, link: LinkId) -> Option<DeviceLink> {
        let device = self.devices.remove(&link)?;
        self.silent.remove(&(device.heard, link));
        Some(device)
    }

    fn keep_device(&mut self, link: LinkId, device: DeviceLink) {
        self.silent.insert((device.heard, link));
        self.devices.insert(link, device);
    }

    /// Closes a device that has been silent, or sets the timer for when it will have been.
    pub(super) fn on_silent_device(&mut self, link: LinkId) {
        let Some(device) = self.devices.get(&link) else { return };
        let until = device.heard + self.config.idle_timeout;
        if device.responder.version().is_some() && until > self.now.mono {
            self.timers.set(Timer::Device(link), until);
            return;
        }
        self.counters.links.timed_out.count();
        if let Some(device) = self.take_device(link) {
            self.close(link, device);
        }
    }

    fn close(&mut self, link: LinkId, mut device: DeviceLink) {
        self.timers.cancel(&Timer::Device(link));
        self.forget_device(link, &device);
        self.send(link, &mut device);
        self.outbox.push(Effect::Link(LinkAction::Close { link }));
    }

    fn send(&mut self, link: LinkId, device: &mut DeviceLink) {
        while let Some(block) = device.responder.take_block() {
            self.outbox.push(Effect::Link(LinkAction::Send { link, block }));
        }
    }
}
