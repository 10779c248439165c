//! What happened in a run: a fingerprint, by which two runs are known to be the same, and lines to read.

use crate::base::time::Mono;
use crate::sim::fold;
use crate::sim::world::NodeId;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::fmt;
use sha2::{Digest, Sha256};

/// Hashes what happens, in order.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    hash: Sha256,
    steps: u64,
    lines: VecDeque<Line>,
    lines_max: usize,
}

/// Something that happened, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Mono,
    /// To whom.
    pub node: NodeId,
    /// What. The ids and texts in it are made up by the simulation; there is nothing to protect.
    pub what: String,
}

impl Line {
    /// The line as text, with the name of its node.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        let millis = self.at.as_micros() / 1000;
        let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
        let (seconds, millis) = (millis / 1000 % 60, millis % 1000);
        format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03}  {name:<14} {}", self.what)
    }
}

/// The fingerprint of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceHash(pub(super) [u8; 32]);

impl fmt::Debug for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// In hexadecimal, whole.
impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Trace {
    /// Notes that something happened to a node.
    pub(super) fn note(&mut self, at: Mono, node: u32, what: &str, bytes: &[u8]) {
        self.steps += 1;
        self.hash.update(at.as_micros().to_be_bytes());
        self.hash.update(node.to_be_bytes());
        // Lengths keep two neighbouring fields from being read as one.
        self.hash.update(u64::try_from(what.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.hash.update(what.as_bytes());
        self.hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        if bytes.len() > fold::LEN {
            self.hash.update(fold::fold(bytes));
        } else {
            self.hash.update(bytes);
        }
    }

    /// Keeps the last so many lines from here on. Lines are no part of the fingerprint.
    pub(super) const fn keep_lines(&mut self, most: usize) {
        self.lines_max = most;
    }

    /// Adds a line, if lines are kept.
    pub(super) fn tell(&mut self, at: Mono, node: NodeId, what: impl FnOnce() -> String) {
        if self.lines_max == 0 {
            return;
        }
        if self.lines.len() >= self.lines_max {
            self.lines.pop_front();
        }
        self.lines.push_back(Line { at, node, what: what() });
    }

    /// The lines that were kept, oldest first.
    pub(super) const fn lines(&self) -> &VecDeque<Line> {
        &self.lines
    }

    /// Things noted so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The fingerprint of everything noted so far.
    #[must_use]
    pub fn hash(&self) -> TraceHash {
        TraceHash(self.hash.clone().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_time_and_field_bounds_change_the_hash() {
        let trace = |notes: &[(u64, &str, &[u8])]| {
            let mut trace = Trace::default();
            for (at, what, bytes) in notes {
                trace.note(Mono::from_micros(*at), 0, what, bytes);
            }
            trace.hash()
        };
        let base = trace(&[(1, "a", b"x"), (2, "b", b"y")]);
        assert_eq!(base, trace(&[(1, "a", b"x"), (2, "b", b"y")]));
        assert_ne!(base, trace(&[(2, "b", b"y"), (1, "a", b"x")]));
        assert_ne!(base, trace(&[(1, "a", b"x"), (3, "b", b"y")]));
        assert_ne!(trace(&[(1, "ab", b"c")]), trace(&[(1, "a", b"bc")]));
        // Folded alike, but for their lengths.
        assert_ne!(trace(&[(1, "a", &[0; 33])]), trace(&[(1, "a", &[0; 34])]));
    }

    #[test]
    fn the_last_lines_are_kept_and_read_well() {
        let mut trace = Trace::default();
        let tell = |trace: &mut Trace, at| trace.tell(Mono::from_micros(at), NodeId(1), || "wakes up".into());
        tell(&mut trace, 1);
        assert_eq!(trace.lines().len(), 0, "nobody asked for lines");
        trace.keep_lines(2);
        for at in [1, 2, 3_723_004_000] {
            tell(&mut trace, at);
        }
        assert_eq!(trace.lines().len(), 2);
        let last = trace.lines().back().map(|line| line.text("device 1"));
        assert_eq!(last.as_deref(), Some("01:02:03.004  device 1       wakes up"));
    }
}
