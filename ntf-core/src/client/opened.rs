//! A push, opened: what it is for, and which queues it names.
//!
//! Changes nothing. Whether what a push says is news, and what it leads to, is decided in [`receive`](super::receive).

use crate::client::Client;
use crate::client::body::{Body, SealedText};
use crate::client::receive::NotifierKey;
use crate::crypto::boxed::BoxKey;
use crate::model::notification::Notice;
use crate::model::server::NotifierAddress;
use crate::wire::payload;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// What a push turned out to be.
#[derive(Debug)]
pub(super) enum Opened {
    /// A registration code. It stays sealed: it may have to wait for the answer to its registration, which has the key.
    Verification(SealedText),
    /// Notices, as the subscriber listed them, oldest first.
    Notices(Vec<(NotifierAddress, Notice)>),
    /// A hint to look into every queue.
    CheckMessages,
    /// Of no use, for this reason.
    Rejected(&'static str),
}

impl Client {
    /// Opens a push with the key of the token.
    pub(super) fn open_push(&self, json: &[u8]) -> Opened {
        match Body::decode(json) {
            Ok(Body::Verification(sealed)) => Opened::Verification(sealed),
            Ok(Body::Message(sealed)) => {
                self.open_notices(sealed).map_or_else(Opened::Rejected, Opened::Notices)
            }
            Ok(Body::CheckMessages) => Opened::CheckMessages,
            Err(why) => Opened::Rejected(why),
        }
    }

    /// Opens notices with the key of the token; what went wrong is said in words.
    pub(super) fn open_notices(
        &self,
        mut sealed: SealedText,
    ) -> Result<Vec<(NotifierAddress, Notice)>, &'static str> {
        let issued = self
            .token
            .as_ref()
            .and_then(|token| token.issued())
            .ok_or("a push with notices came, but no token is registered")?;
        let text = BoxKey::of_dh(&issued.secret)
            .open_padded(&sealed.nonce, &mut sealed.ciphertext)
            .map_err(|_| "the push does not open with the key of the token")?;
        payload::decode_notices(text).map_err(|_| "the push opens, but what it holds is no list of notices")
    }
}

impl Opened {
    /// The queues that it names; `None` where it asks to look into all of them. A push that is of no use names none.
    pub(super) fn names(&self) -> Option<BTreeSet<NotifierKey>> {
        match self {
            Self::Notices(entries) => {
                let key = |(address, _): &(NotifierAddress, Notice)| {
                    NotifierKey::new(&address.server, &address.notifier)
                };
                Some(entries.iter().map(key).collect())
            }
            Self::CheckMessages => None,
            Self::Verification(_) | Self::Rejected(_) => Some(BTreeSet::new()),
        }
    }
}
