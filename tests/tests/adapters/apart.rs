//! A push server that is another process, as far as a test needs one: a runtime and a thread of its own, reached
//! over a relay link.

use std::fmt;
use std::thread::JoinHandle;

use ntf_core::host::mailbox::Sender;
use ntf_core::model::server::{Fingerprint, ServerAddress};
use ntf_core::push;

/// What it is to do.
pub(crate) struct PushPlan {
    /// The role's settings.
    pub(crate) push: push::Config,
    /// The provider, and whose certificate it shows.
    pub(crate) endpoint: String,
    pub(crate) ca_pem: String,
    /// The one subscriber that it serves.
    pub(crate) subscriber: Fingerprint,
}

/// It runs.
pub(crate) struct PushProcess {
    /// Where, and as whom.
    pub(crate) address: ServerAddress,
    stop: Sender<()>,
    thread: JoinHandle<bool>,
}

impl PushProcess {
    pub(crate) fn new(address: ServerAddress, stop: Sender<()>, thread: JoinHandle<bool>) -> Self {
        Self { address, stop, thread }
    }

    /// Ends it; says whether it came to an orderly end.
    pub(crate) fn stop(self) -> bool {
        self.stop.try_send(()).expect("it runs");
        self.thread.join().expect("its runtime ends")
    }
}

impl fmt::Debug for PushProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushProcess")
    }
}
