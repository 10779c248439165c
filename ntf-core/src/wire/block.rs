//! Transport blocks: content, its length before it, filler after it.
//!
//! ```text
//! plain block   = Word16 length || content || '#'…            16384 bytes (SMP), 512 bytes (NTF)
//! sealed block  = 16 bytes for the tag || the same, encrypted  16384 bytes (SMP)
//! ```
//!
//! This file lays blocks out so that the cipher of the link seals them where they lie; it does not encrypt.
//! Source: `smp-transport` 3.1 and 3.6, `ntf-protocol` 1.2.

use alloc::vec::Vec;

use crate::base::fault::{Misuse, PeerFault};
use crate::base::limits::TAG_LEN;
use crate::crypto::pad;
use crate::model::server::Protocol;

/// How blocks of one direction of a link are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    block_len: usize,
    head: usize,
}

impl Layout {
    /// Blocks that go out as they are: all of NTF, SMP hellos, SMP below version 11.
    #[must_use]
    pub const fn plain(protocol: Protocol) -> Self {
        Self { block_len: protocol.block_len(), head: 0 }
    }

    /// Blocks that the link encrypts: their first 16 bytes are room for the tag.
    #[must_use]
    pub const fn sealed(protocol: Protocol) -> Self {
        Self { block_len: protocol.block_len(), head: TAG_LEN }
    }

    /// Bytes of a block.
    #[must_use]
    pub const fn block_len(self) -> usize {
        self.block_len
    }

    /// Bytes before the padded content.
    #[must_use]
    pub const fn head(self) -> usize {
        self.head
    }

    /// Most bytes of content.
    #[must_use]
    pub const fn content_len_max(self) -> usize {
        self.block_len - self.head - pad::LENGTH_LEN
    }

    /// A block with this content; the head is zero.
    ///
    /// # Errors
    ///
    /// [`Misuse::TooLong`] when the content exceeds [`Layout::content_len_max`].
    pub fn block(self, content: &[u8]) -> Result<Vec<u8>, Misuse> {
        let mut block = self.start();
        block.extend_from_slice(content);
        self.close(block)
    }

    /// A block without content yet: room for the head and the length.
    pub(super) fn start(self) -> Vec<u8> {
        let mut block = Vec::with_capacity(self.block_len);
        block.resize(self.start_len(), 0);
        block
    }

    /// Bytes of a block before its content.
    pub(super) const fn start_len(self) -> usize {
        self.head + pad::LENGTH_LEN
    }

    /// Writes the length and the filler of a started block.
    pub(super) fn close(self, mut block: Vec<u8>) -> Result<Vec<u8>, Misuse> {
        let too_long = Misuse::TooLong { field: "block content" };
        let content_len = block.len().saturating_sub(self.start_len());
        if block.len() > self.block_len {
            return Err(too_long);
        }
        block.resize(self.block_len, pad::FILLER);
        pad::pad_in_place(block.get_mut(self.head..).ok_or(too_long)?, content_len)?;
        Ok(block)
    }
}

/// The content of a plain block, or of a sealed one that has been opened.
///
/// # Errors
///
/// [`PeerFault::BadBlock`] when the length reaches beyond the block.
pub fn content(padded: &[u8]) -> Result<&[u8], PeerFault> {
    pad::unpad(padded)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn content_fills_a_block_and_no_more() {
        for (layout, max) in [
            (Layout::plain(Protocol::Ntf), 510),
            (Layout::plain(Protocol::Smp), 16382),
            (Layout::sealed(Protocol::Smp), 16366),
        ] {
            assert_eq!(layout.content_len_max(), max);
            for len in [0, 1, max - 1, max] {
                let block = layout.block(&vec![b'x'; len]).unwrap();
                assert_eq!(block.len(), layout.block_len(), "{len}");
                assert!(block[..layout.head()].iter().all(|byte| *byte == 0), "{len}");
                assert_eq!(content(&block[layout.head()..]), Ok(vec![b'x'; len].as_slice()), "{len}");
            }
            let too_long = Misuse::TooLong { field: "block content" };
            assert_eq!(layout.block(&vec![b'x'; max + 1]), Err(too_long));
        }
    }

    #[test]
    fn a_length_beyond_the_block_is_a_bad_block() {
        for (padded, expected) in [
            (&[][..], Err(PeerFault::BadBlock)),
            (&[0], Err(PeerFault::BadBlock)),
            (&[0, 0], Ok(&[][..])),
            (&[0, 1], Err(PeerFault::BadBlock)),
            (&[0, 1, 7], Ok(&[7])),
            (&[0, 1, 7, 9], Ok(&[7])),
            (&[0xff, 0xff, 7], Err(PeerFault::BadBlock)),
        ] {
            assert_eq!(content(padded), expected, "{padded:?}");
        }
    }
}
