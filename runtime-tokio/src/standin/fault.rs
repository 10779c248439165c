//! Failing on purpose.

use std::collections::VecDeque;
use std::time::Duration;

/// What happens to a request in place of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answer this, whatever the request.
    Answer {
        /// The status code.
        status: u16,
        /// The `reason` in the body; empty for no body at all.
        reason: String,
        /// The `Retry-After` header, in seconds.
        retry_after_secs: Option<u64>,
        /// The `timestamp` in the body, Unix milliseconds, as Apple adds to 410.
        timestamp_millis: Option<u64>,
    },
    /// Apply the rules, and answer after this time.
    Delay(Duration),
    /// Wait for [`StandIn::release`](crate::standin::StandIn::release), and then treat it as if it came only then.
    Hold,
    /// Never answer.
    Silence,
    /// Refuse the stream (`REFUSED_STREAM`): not processed, the connection goes on.
    RefuseStream,
    /// Refuse the stream and say goodbye (GOAWAY): requests accepted before are answered.
    GoAway,
    /// Apply the rules, say goodbye (GOAWAY) and answer: requests accepted so far are answered.
    LastAnswer,
    /// Close the connection in the middle, with all that is on it.
    Drop,
    /// Apply the rules, deliver what passes, and close the connection in place of an answer.
    DropAnswer,
}

impl Fault {
    /// An answer with a status and a reason.
    #[must_use]
    pub fn answer(status: u16, reason: &str) -> Self {
        Self::Answer { status, reason: reason.to_owned(), retry_after_secs: None, timestamp_millis: None }
    }
}

/// Faults to come, in order.
#[derive(Default)]
pub(super) struct FaultSwitch {
    coming: VecDeque<(u32, Fault)>,
}

impl FaultSwitch {
    pub(super) fn add(&mut self, count: u32, fault: Fault) {
        if count > 0 {
            self.coming.push_back((count, fault));
        }
    }

    pub(super) fn clear(&mut self) {
        self.coming.clear();
    }

    /// The fault of the next request.
    pub(super) fn take(&mut self) -> Option<Fault> {
        let (left, fault) = self.coming.front_mut()?;
        *left -= 1;
        if *left > 0 {
            return Some(fault.clone());
        }
        self.coming.pop_front().map(|(_, fault)| fault)
    }
}
