//! The block coming in and the blocks going out of a session.
//!
//! One copy between rustls and the block; none on the way out beyond encryption. Plaintext of an
//! incoming block is wiped when the buffer goes.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use std::io::BufRead;

use zeroize::Zeroize;

/// Bytes on their way to the socket from which on no more blocks are taken.
///
/// Source: ours; four blocks of SMP keep a socket busy, and a peer that does not read costs no more.
pub const OUTGOING_BYTES_MAX: u64 = 64 * 1024;

/// The block that is being received.
pub(super) struct Incoming {
    /// Empty, or `block_len` bytes.
    block: Box<[u8]>,
    filled: usize,
    block_len: usize,
}

impl Incoming {
    /// A length of 0 counts as 1, for a block of nothing would always be whole.
    pub(super) fn new(block_len: usize) -> Self {
        Self { block: Box::default(), filled: 0, block_len: block_len.max(1) }
    }

    pub(super) const fn block_len(&self) -> usize {
        self.block_len
    }

    pub(super) fn is_whole(&self) -> bool {
        self.filled == self.block_len
    }

    pub(super) fn fill(&mut self, plaintext: &mut impl BufRead) {
        if self.block.is_empty() {
            match plaintext.fill_buf() {
                Ok(waiting) if !waiting.is_empty() => {
                    self.block = alloc::vec![0; self.block_len].into_boxed_slice();
                }
                Ok(_) | Err(_) => return,
            }
        }
        while let Some(room) = self.block.get_mut(self.filled..)
            && !room.is_empty()
            // `Ok(0)` is the peer's goodbye, `Err` that nothing waits; the session knows both.
            && let Ok(count @ 1..) = plaintext.read(room)
        {
            self.filled = self.filled.saturating_add(count);
        }
    }

    pub(super) fn lend(&mut self) -> Option<&mut [u8]> {
        if self.is_whole() {
            self.filled = 0;
            return Some(&mut self.block);
        }
        self.release_if_idle();
        None
    }

    pub(super) fn take(&mut self) -> Option<Box<[u8]>> {
        if self.is_whole() {
            self.filled = 0;
            return Some(core::mem::take(&mut self.block));
        }
        self.release_if_idle();
        None
    }

    #[cfg(test)]
    pub(super) fn is_released(&self) -> bool {
        self.block.is_empty()
    }

    fn release_if_idle(&mut self) {
        if self.filled == 0 {
            self.block.zeroize();
            self.block = Box::default();
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.block.zeroize();
    }
}

/// Which bytes of the outgoing stream end a block. Positions count from the session's start.
#[derive(Default)]
pub(super) struct Outgoing {
    written: u64,
    ends: VecDeque<u64>,
    sent: u32,
}

impl Outgoing {
    pub(super) fn unsent(&self) -> u64 {
        self.ends.back().map_or(0, |end| end.saturating_sub(self.written))
    }

    pub(super) fn mark_block(&mut self, bytes_waiting: usize) {
        let waiting = u64::try_from(bytes_waiting).unwrap_or(u64::MAX);
        self.ends.push_back(self.written.saturating_add(waiting));
    }

    pub(super) fn advance(&mut self, written: usize) {
        self.written = self.written.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        while self.ends.front().is_some_and(|end| *end <= self.written) {
            self.ends.pop_front();
            self.sent = self.sent.saturating_add(1);
        }
    }

    pub(super) fn take_sent(&mut self) -> u32 {
        core::mem::take(&mut self.sent)
    }
}
