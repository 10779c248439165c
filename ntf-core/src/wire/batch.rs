//! Several transmissions in one block.
//!
//! ```text
//! content (SMP, NTF v2+)  count (1 byte, 1..255) || count × large(transmission)
//! content (NTF v1)        one bare transmission
//! ```
//!
//! A writer keeps 16 bytes free for the tag of an encrypted block, also where blocks are not encrypted:
//! the sum of 2 + length over a batch is at most 16365 (SMP) or 493 (NTF). A reader takes what fits the
//! block. Source: `smp-transport` 4.1 and 4.8, `ntf-protocol` 1.5.

use alloc::vec::Vec;
use core::fmt;

use crate::base::fault::PeerFault;
use crate::base::limits::TAG_LEN;
use crate::wire::block::Layout;
use crate::wire::cursor::{Reader, Writer};
use crate::wire::transmission::{Format, Transmission};
use zeroize::Zeroizing;

/// Most transmissions in a batch.
pub const BATCH_COUNT_MAX: u8 = u8::MAX;

/// Iterates over the transmissions of a block's content.
///
/// An item that cannot be split into its fields comes as its fault; the others are not affected.
#[derive(Clone)]
pub struct BatchReader<'a> {
    items: Items<'a>,
    format: Format,
}

#[derive(Clone)]
enum Items<'a> {
    Counted { left: u8, reader: Reader<'a> },
    Single(Option<&'a [u8]>),
}

impl<'a> BatchReader<'a> {
    /// Reads the content of a block.
    ///
    /// # Errors
    ///
    /// [`PeerFault::BadBlock`] when the count is 0, an item reaches beyond the content, or bytes follow the
    /// last one. The answer is `ERR BLOCK` with empty ids.
    pub fn new(content: &'a [u8], format: Format) -> Result<Self, PeerFault> {
        if !format.batches() {
            return Ok(Self { items: Items::Single(Some(content)), format });
        }
        let mut reader = Reader::new(content);
        let left = reader.u8("batch").map_err(|_| PeerFault::BadBlock)?;
        // The frame is checked to its end before the first item is used: a block is good or bad as a whole.
        let mut ahead = reader;
        for _ in 0..left {
            ahead.large("batch").map_err(|_| PeerFault::BadBlock)?;
        }
        match left > 0 && ahead.is_empty() {
            true => Ok(Self { items: Items::Counted { left, reader }, format }),
            false => Err(PeerFault::BadBlock),
        }
    }

    /// The transmissions not yet read, as content of a block of their own; `None` when there are none. They may
    /// hold private keys, so the copy is wiped on drop.
    #[must_use]
    pub fn rest(&self) -> Option<Zeroizing<Vec<u8>>> {
        match &self.items {
            Items::Counted { left: 0, .. } | Items::Single(None) => None,
            Items::Counted { left, reader } => {
                let mut content = Zeroizing::new(Vec::with_capacity(1 + reader.ahead().len()));
                content.push(*left);
                content.extend_from_slice(reader.ahead());
                Some(content)
            }
            Items::Single(Some(bytes)) => Some(Zeroizing::new(bytes.to_vec())),
        }
    }

    /// Transmissions not yet read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        match &self.items {
            Items::Counted { left, .. } => usize::from(*left),
            Items::Single(item) => usize::from(item.is_some()),
        }
    }
}

impl fmt::Debug for BatchReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchReader({} left)", self.remaining())
    }
}

impl<'a> Iterator for BatchReader<'a> {
    type Item = Result<Transmission<'a>, PeerFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = match &mut self.items {
            Items::Counted { left, reader } => {
                *left = left.checked_sub(1)?;
                reader.large("batch").ok()?
            }
            Items::Single(item) => item.take()?,
        };
        Some(Transmission::decode(bytes, self.format))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining(), Some(self.remaining()))
    }
}

/// Why a transmission was not taken into a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The next block has room for it.
    InThisBlock,
    /// No block has: it is longer than a batch may be.
    InAnyBlock,
}

/// Fills one block with transmissions, in place.
pub struct BatchWriter {
    layout: Layout,
    batches: bool,
    block: Vec<u8>,
    count: u8,
}

impl BatchWriter {
    /// An empty batch.
    #[must_use]
    pub fn new(layout: Layout, format: Format) -> Self {
        let mut block = layout.start();
        if format.batches() {
            block.push(0);
        }
        Self { layout, batches: format.batches(), block, count: 0 }
    }

    /// Appends a transmission.
    ///
    /// # Errors
    ///
    /// [`NoRoom`]; the batch is as before then.
    pub fn push(&mut self, transmission: &[u8]) -> Result<(), NoRoom> {
        self.push_with(|out| out.extend_from_slice(transmission))
    }

    /// Appends the transmission that `encode` appends to the block.
    ///
    /// # Errors
    ///
    /// [`NoRoom`]; the batch is as before then.
    pub fn push_with(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<(), NoRoom> {
        let start = self.block.len();
        if self.batches {
            Writer::new(&mut self.block).u16(0);
        }
        let body = self.block.len();
        encode(&mut self.block);
        let end = self.block.len();
        let end_if_first = self.empty_len().saturating_add(end.saturating_sub(start));
        let taken = match u16::try_from(end.saturating_sub(body)) {
            Ok(len) if end_if_first <= self.end_max() => match end <= self.end_max() {
                true if self.count < self.count_max() => Ok(len),
                true | false => Err(NoRoom::InThisBlock),
            },
            Ok(_) | Err(_) => Err(NoRoom::InAnyBlock),
        };
        match taken {
            Ok(len) => {
                self.count = self.count.saturating_add(1);
                if self.batches {
                    self.overwrite(start, &len.to_be_bytes());
                }
                Ok(())
            }
            Err(no_room) => {
                self.block.truncate(start);
                Err(no_room)
            }
        }
    }

    /// Transmissions so far.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The whole block, or `None` when the batch is empty: an empty batch is no lawful content.
    #[must_use]
    pub fn finish(mut self) -> Option<Vec<u8>> {
        if self.count == 0 {
            return None;
        }
        if self.batches {
            self.overwrite(self.layout.start_len(), &[self.count]);
        }
        self.layout.close(self.block).ok()
    }

    /// Length of the block before its first transmission.
    const fn empty_len(&self) -> usize {
        self.layout.start_len() + if self.batches { 1 } else { 0 }
    }

    /// Where the last transmission must end at the latest.
    const fn end_max(&self) -> usize {
        let reserved = if self.batches && self.layout.head() == 0 { TAG_LEN } else { 0 };
        self.layout.block_len() - reserved
    }

    const fn count_max(&self) -> u8 {
        if self.batches { BATCH_COUNT_MAX } else { 1 }
    }

    /// Fills a place that was left for a length or count.
    fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        for (place, byte) in self.block.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    }
}

impl fmt::Debug for BatchWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchWriter({} transmissions)", self.count)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::server::Protocol;
    use crate::wire::block;
    use crate::wire::version::{NtfVersion, SmpVersion};
    use alloc::vec;

    const SMP: Format = Format::smp(SmpVersion::MAX);
    const NTF: Format = Format::ntf(NtfVersion::MAX);
    const NTF_BARE: Format = Format::ntf(NtfVersion::MIN);

    #[test]
    fn one_transmission_fills_a_batch_up_to_the_reserved_tag() {
        for (layout, format, max) in [
            (Layout::plain(Protocol::Smp), SMP, 16363),
            (Layout::sealed(Protocol::Smp), SMP, 16363),
            (Layout::plain(Protocol::Ntf), NTF, 491),
            (Layout::plain(Protocol::Ntf), NTF_BARE, 510),
        ] {
            for (len, expected) in [
                (max - 1, Ok(())),
                (max, Ok(())),
                (max + 1, Err(NoRoom::InAnyBlock)),
                (70_000, Err(NoRoom::InAnyBlock)),
            ] {
                let mut batch = BatchWriter::new(layout, format);
                assert_eq!(batch.push(&vec![0; len]), expected, "{len}");
                assert_eq!(batch.is_empty(), expected.is_err(), "{len}");
                let block = batch.finish();
                assert_eq!(block.as_ref().map(Vec::len), expected.ok().map(|()| layout.block_len()), "{len}");
            }
        }
    }

    #[test]
    fn a_refused_transmission_leaves_the_batch_as_it_was() {
        let mut batch = BatchWriter::new(Layout::plain(Protocol::Ntf), NTF);
        // Three times 2 + 100 and 2 + 185 are 493.
        for _ in 0..3 {
            batch.push(&[7; 100]).unwrap();
        }
        assert_eq!(batch.push(&[8; 186]), Err(NoRoom::InThisBlock));
        assert_eq!(batch.push(&[8; 492]), Err(NoRoom::InAnyBlock));
        batch.push(&[9; 185]).unwrap();
        assert_eq!(batch.push(&[]), Err(NoRoom::InThisBlock));
        assert_eq!(batch.len(), 4);
        let block = batch.finish().unwrap();
        let content = block::content(&block).unwrap();
        assert_eq!(content.len(), 494);
        assert_eq!(content[..4], [4, 0, 100, 7]);
        assert_eq!(content[494 - 187..494 - 184], [0, 185, 9]);
    }

    #[test]
    fn a_batch_holds_255_transmissions() {
        let mut batch = BatchWriter::new(Layout::plain(Protocol::Smp), SMP);
        for _ in 0..255 {
            batch.push(&[0, 0, 0]).unwrap();
        }
        assert_eq!(batch.push(&[0, 0, 0]), Err(NoRoom::InThisBlock));
        let block = batch.finish().unwrap();
        let reader = BatchReader::new(block::content(&block).unwrap(), SMP).unwrap();
        assert_eq!(reader.remaining(), 255);
        assert_eq!(reader.filter(Result::is_ok).count(), 255);
    }

    #[test]
    fn a_bare_block_holds_one_transmission() {
        let mut batch = BatchWriter::new(Layout::plain(Protocol::Ntf), NTF_BARE);
        batch.push(&[0, 0, 0, 0]).unwrap();
        assert_eq!(batch.push(&[0, 0, 0, 0]), Err(NoRoom::InThisBlock));
        let block = batch.finish().unwrap();
        assert_eq!(block[..7], [0, 4, 0, 0, 0, 0, b'#']);
        assert_eq!(BatchReader::new(block::content(&block).unwrap(), NTF_BARE).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_batch_makes_no_block() {
        assert_eq!(BatchWriter::new(Layout::plain(Protocol::Smp), SMP).finish(), None);
    }

    #[test]
    fn content_is_good_or_bad_as_a_whole() {
        for (content, remaining) in [
            (&[][..], None),
            (&[0], None),
            (&[0, 0, 0], None),
            (&[1], None),
            (&[1, 0], None),
            (&[1, 0, 0], Some(1)),
            (&[1, 0, 1], None),
            (&[1, 0, 1, 7], Some(1)),
            (&[1, 0, 1, 7, 7], None),
            (&[2, 0, 1, 7], None),
            (&[2, 0, 1, 7, 0, 0], Some(2)),
        ] {
            let read = BatchReader::new(content, NTF).map(|reader| reader.remaining());
            assert_eq!(read, remaining.ok_or(PeerFault::BadBlock), "{content:?}");
        }
    }

    #[test]
    fn a_reader_takes_what_fills_the_content() {
        // Stock clients send single commands without the room for a tag that batches keep.
        let mut content = vec![1, 1, 251];
        content.resize(510, 0);
        let block = Layout::plain(Protocol::Ntf).block(&content).unwrap();
        let read: Vec<_> = BatchReader::new(block::content(&block).unwrap(), NTF).unwrap().collect();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].map(|transmission| transmission.command.len()), Ok(507 - 3));
    }

    #[test]
    fn a_bad_transmission_leaves_the_others_alone() {
        let content = [3, 0, 3, 0, 0, 0, 0, 2, 9, 9, 0, 4, 0, 0, 0, b'X'];
        let read: Vec<_> = BatchReader::new(&content, NTF).unwrap().collect();
        assert!(read[0].is_ok());
        assert_eq!(read[1], Err(PeerFault::Truncated { field: "authorization" }));
        assert_eq!(read[2].map(|transmission| transmission.command), Ok(b"X".as_slice()));
    }
}
