//! What the keys of a device open, for whoever shows a simulated device to its owner.
//!
//! Changes nothing: what is opened here is as unread afterwards as before.

use crate::base::limits::NONCE_LEN;
use crate::client::Client;
use crate::client::body::SealedText;
use crate::client::queue::Queue;
use crate::client::receive::{NotifierKey, open_meta};
use crate::crypto::boxed::{BoxKey, nonce_from};
use crate::model::notification::Notice;
use crate::model::server::NotifierAddress;
use crate::wire::payload::MessageBody;
use alloc::vec::Vec;

impl Client {
    /// The notices in the sealed part of a push; `None` where it opens with no key of this device, or holds none.
    pub(crate) fn read_notices(
        &self,
        nonce: &[u8; NONCE_LEN],
        ciphertext: &[u8],
    ) -> Option<Vec<(NotifierAddress, Notice)>> {
        self.open_notices(SealedText { nonce: *nonce, ciphertext: ciphertext.to_vec() }).ok()
    }

    /// The id and the time of the message that a notice is about.
    pub(crate) fn read_meta(&self, address: &NotifierAddress, notice: &Notice) -> Option<(Vec<u8>, i64)> {
        let id = self.notifiers.get(&NotifierKey::new(&address.server, &address.notifier))?;
        open_meta(self.queues.get(id).and_then(Queue::live)?, notice)
    }

    /// What a sender sent to the queue with this recipient id.
    pub(crate) fn read_message(&self, recipient: &[u8], id: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        let mut live = self.queues.values().filter_map(Queue::live);
        let live = live.find(|live| live.recipient.as_bytes() == recipient)?;
        let mut body = body.to_vec();
        let opened = BoxKey::of_dh(&live.secret).open_padded(&nonce_from(id), &mut body).ok()?;
        match MessageBody::decode(opened).ok()? {
            MessageBody::Message { message, .. } => Some(message.to_vec()),
            MessageBody::Quota { .. } => None,
        }
    }
}
