//! Blocks on their way out: transmissions in, whole blocks out.
//!
//! A transmission is encoded straight into the block that will carry it. A block is sealed when it is
//! taken, in the order of the blocks, because the key chain moves with each. An idle link holds no buffer.
//! The layout of a block is [`crate::wire::batch`]'s; here are the queue and the window.

use crate::base::limits::LINK_WINDOW_BLOCKS;
use crate::crypto::chain::Chain;
use crate::link::event::Block;
use crate::wire::batch::{BatchWriter, NoRoom};
use crate::wire::block::Layout;
use crate::wire::transmission::Format;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

/// The transmission is longer than any block of the link carries; it was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The blocks of one link that its adapter has not reported as sent.
pub(crate) struct Outgoing {
    layout: Layout,
    format: Format,
    chain: Option<Chain>,
    /// Full blocks, oldest first, not sealed yet.
    full: VecDeque<Vec<u8>>,
    /// The block that still takes transmissions.
    open: Option<BatchWriter>,
    /// Blocks handed over and not reported as sent.
    handed_over: u32,
}

impl Outgoing {
    /// Nothing to send yet; blocks will be sealed with `chain` if there is one.
    pub(crate) const fn new(layout: Layout, format: Format, chain: Option<Chain>) -> Self {
        Self { layout, format, chain, full: VecDeque::new(), open: None, handed_over: 0 }
    }

    /// Adds the transmission that `encode` appends. It is called a second time when the first block that
    /// was tried has no room left.
    ///
    /// # Errors
    ///
    /// [`TooLong`], and nothing is added.
    pub(crate) fn push(&mut self, encode: impl Fn(&mut Vec<u8>)) -> Result<(), TooLong> {
        let (layout, format) = (self.layout, self.format);
        let open = self.open.get_or_insert_with(|| BatchWriter::new(layout, format));
        match open.push_with(&encode) {
            Ok(()) => Ok(()),
            Err(NoRoom::InAnyBlock) => Err(TooLong),
            Err(NoRoom::InThisBlock) => {
                self.close();
                let mut next = BatchWriter::new(layout, format);
                let pushed = next.push_with(&encode);
                self.open = Some(next);
                pushed.map_err(|_| TooLong)
            }
        }
    }

    /// Takes the oldest block, sealed.
    pub(crate) fn take(&mut self) -> Option<Block> {
        if self.full.is_empty() {
            self.close();
        }
        self.take_whole()
    }

    /// Takes the oldest block that has no room left, sealed.
    pub(crate) fn take_whole(&mut self) -> Option<Block> {
        let mut block = self.full.pop_front()?;
        if let Some(chain) = &mut self.chain {
            chain.seal_block(&mut block);
        }
        self.handed_over = self.handed_over.saturating_add(1);
        Some(block.into_boxed_slice())
    }

    /// The adapter has sent so many more blocks.
    pub(crate) const fn on_sent(&mut self, blocks: u32) {
        self.handed_over = self.handed_over.saturating_sub(blocks);
    }

    /// Blocks made and not reported as sent: the gauge.
    pub(crate) fn unsent(&self) -> u32 {
        let open = u32::from(self.open.as_ref().is_some_and(|open| !open.is_empty()));
        let full = u32::try_from(self.full.len()).unwrap_or(u32::MAX);
        self.handed_over.saturating_add(full).saturating_add(open)
    }

    /// Whether the window is used up: whoever can wait should.
    pub(crate) fn is_congested(&self) -> bool {
        self.unsent() >= LINK_WINDOW_BLOCKS
    }

    /// Moves the open block to the full ones.
    fn close(&mut self) {
        self.full.extend(self.open.take().and_then(BatchWriter::finish));
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({} blocks)", self.unsent())
    }
}
