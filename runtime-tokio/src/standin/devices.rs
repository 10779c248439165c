//! Devices: who waits for pushes, and the latest push of those who do not.

use std::collections::HashMap;
use std::fmt;
use std::time::Instant;

use hyper::body::Bytes;
use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::model::knowledge::Fact;

/// A push on its way to a device.
#[derive(Clone)]
pub struct AcceptedPush {
    /// The JSON body.
    pub body: Bytes,
    /// The `apns-…` headers of the request.
    pub headers: Vec<(String, String)>,
    /// When the stand-in accepted it.
    pub at: Instant,
}

impl fmt::Debug for AcceptedPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcceptedPush({} bytes)", self.body.len())
    }
}

/// All devices that were pushed to or waited for.
pub(super) struct Devices {
    by_token: HashMap<String, Device>,
    devices_max: usize,
    waiting_max: usize,
    sample: Option<String>,
    pushed_to: u64,
}

#[derive(Default)]
struct Device {
    receiver: Option<Sender<AcceptedPush>>,
    latest: Option<AcceptedPush>,
    gone_since_millis: Option<u64>,
    was_pushed_to: bool,
}

/// What became of an accepted push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Handed over, or kept as the device's latest.
    Done,
    /// No room.
    Dropped,
}

/// Where an accepted push is.
pub(super) enum Placed {
    /// Where it stays.
    Here(Delivery),
    /// On its way to whoever waits for it.
    For(Sender<AcceptedPush>, AcceptedPush),
}

impl Devices {
    pub(super) fn new(devices_max: usize, waiting_max: usize) -> Self {
        let waiting_max = waiting_max.max(1);
        Self { by_token: HashMap::new(), devices_max, waiting_max, sample: None, pushed_to: 0 }
    }

    /// Waits for the pushes of a device. Dropping the second of the pair tells whoever waited before.
    pub(super) fn subscribe(
        &mut self,
        token: &str,
    ) -> (Receiver<AcceptedPush>, Option<Sender<AcceptedPush>>) {
        let (sender, receiver) = mailbox::bounded(self.waiting_max);
        let Some(device) = self.device(token) else { return (receiver, None) };
        if let Some(latest) = device.latest.take() {
            // An empty channel has room for one.
            let _ = sender.try_send(latest);
        }
        let before = device.receiver.replace(sender);
        (receiver, before)
    }

    pub(super) fn unregister(&mut self, token: &str, since_millis: u64) {
        if let Some(device) = self.device(token) {
            device.gone_since_millis = Some(since_millis);
        }
    }

    pub(super) fn gone_since_millis(&self, token: &str) -> Option<u64> {
        self.by_token.get(token)?.gone_since_millis
    }

    pub(super) fn place(&mut self, token: &str, push: AcceptedPush) -> Placed {
        self.sample.get_or_insert_with(|| token.chars().take(8).chain(['…']).collect());
        let Some(device) = self.device(token) else { return Placed::Here(Delivery::Dropped) };
        let is_first = !std::mem::replace(&mut device.was_pushed_to, true);
        let placed = match &device.receiver {
            Some(receiver) if !receiver.is_closed() => Placed::For(receiver.clone(), push),
            // Nobody waits: the latest push is kept, earlier ones are gone.
            Some(_) | None => {
                device.receiver = None;
                device.latest = Some(push);
                Placed::Here(Delivery::Done)
            }
        };
        self.pushed_to += u64::from(is_first);
        placed
    }

    pub(super) fn fact(&self) -> Fact {
        Fact { what: "device tokens", count: self.pushed_to, sample: self.sample.clone() }
    }

    /// The device of a token, if it is known or there is room for one more.
    fn device(&mut self, token: &str) -> Option<&mut Device> {
        if !self.by_token.contains_key(token) {
            if self.by_token.len() >= self.devices_max {
                return None;
            }
            self.by_token.insert(token.to_owned(), Device::default());
        }
        self.by_token.get_mut(token)
    }
}
