//! Links of devices: accepted, greeted, read, answered, and closed when they are silent or misbehave.

use crate::base::budget::{Admit, Budget};
use crate::base::id::LinkId;
use crate::base::limits::LINK_WINDOW_BLOCKS;
use crate::base::source::Source;
use crate::base::time::Mono;
use crate::link::dialect::Ntf;
use crate::link::event::{LinkAction, LinkEvent, Transport};
use crate::link::responder::Responder;
use crate::subscriber::config::Config;
use crate::subscriber::effect::Effect;
use crate::subscriber::{Subscriber, Timer};
use crate::wire::error_code::ErrorCode;
use core::time::Duration;

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
                    self.sources.close(device.source);
                }
            }
        }
    }

    fn on_device_up(&mut self, link: LinkId, transport: &Transport) {
        if self.devices.len() >= self.config.links && !self.close_silent_device() {
            self.counters.links.refused_full.count();
            self.outbox.push(Effect::Link(LinkAction::Close { link }));
            return;
        }
        if !self.sources.open(transport.source) {
            self.counters.links.refused_source.count();
            self.outbox.push(Effect::Link(LinkAction::Close { link }));
            return;
        }
        let Config { credentials, versions, hello_timeout, .. } = &self.config;
        match Responder::accept(transport, credentials, *versions, &mut self.makers.keys) {
            Ok(responder) => {
                self.counters.links.accepted.count();
                self.timers.set(Timer::Device(link), self.now.mono + *hello_timeout);
                let (heard, source) = (self.now.mono, transport.source);
                let mut device = DeviceLink { responder, heard, source, commands: Budget::new() };
                self.send(link, &mut device);
                self.keep_device(link, device);
            }
            Err(_) => {
                self.counters.links.faults.count();
                self.sources.close(transport.source);
                self.outbox.push(Effect::Link(LinkAction::Close { link }));
            }
        }
    }

    fn on_device_block(&mut self, link: LinkId, block: &mut [u8]) {
        // Taken out while its commands work on the tables.
        let Some(mut device) = self.take_device(link) else { return };
        device.heard = self.now.mono;
        let was_greeted = device.responder.version().is_some();
        match device.responder.on_block(block) {
            Ok(mut requests) => {
                while let Some(request) = device.responder.next_request(&mut requests) {
                    match device.commands.admit(self.now.mono, self.config.commands) {
                        Admit::Now => self.on_command(device.source, &mut device.responder, request),
                        Admit::Later(_) => {
                            self.counters.links.flooded.count();
                            device.responder.refuse(&request, ErrorCode::Quota);
                        }
                    }
                }
            }
            Err(_) => {
                self.counters.links.faults.count();
                return self.close(link, device);
            }
        }
        if !was_greeted {
            self.timers.set(Timer::Device(link), self.now.mono + self.config.idle_timeout);
        }
        // An adapter stops reading at the window, so twice the window means that nobody reads the answers.
        if device.responder.unsent() > LINK_WINDOW_BLOCKS.saturating_mul(2) {
            self.counters.links.congested.count();
            return self.close(link, device);
        }
        self.send(link, &mut device);
        self.keep_device(link, device);
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

    fn take_device(&mut self, link: LinkId) -> Option<DeviceLink> {
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
        self.sources.close(device.source);
        self.send(link, &mut device);
        self.outbox.push(Effect::Link(LinkAction::Close { link }));
    }

    fn send(&mut self, link: LinkId, device: &mut DeviceLink) {
        while let Some(block) = device.responder.take_block() {
            self.outbox.push(Effect::Link(LinkAction::Send { link, block }));
        }
    }
}
