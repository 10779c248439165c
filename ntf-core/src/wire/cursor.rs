//! Reading and writing the primitive encodings. Source: `smp-transport` 1.1.
//!
//! [`Reader`] takes fields off the front of a slice and says which field was short; [`Writer`] is its
//! mirror and appends to the caller's buffer. Neither knows a message.

use alloc::vec::Vec;

use crate::base::fault::PeerFault;

/// Most bytes of a [`Writer::short`] field.
pub const SHORT_MAX: usize = u8::MAX as usize;

/// Most bytes of a [`Writer::large`] field.
pub const LARGE_MAX: usize = u16::MAX as usize;

/// What is left to read of a message.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from the start.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything has been read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read.
    #[must_use]
    pub const fn ahead(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte, left where it is.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes exactly `len` bytes.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`] when fewer are left; nothing is taken then.
    pub fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], PeerFault> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(PeerFault::Truncated { field })?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes exactly `N` bytes: a nonce, a fingerprint.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`] when fewer are left.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], PeerFault> {
        self.chunk(field).copied()
    }

    /// As [`Reader::array`], left where it lies: for what is copied once, into its place.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`] when fewer are left.
    pub fn chunk<const N: usize>(&mut self, field: &'static str) -> Result<&'a [u8; N], PeerFault> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(PeerFault::Truncated { field })?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes one byte.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`] at the end.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, PeerFault> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    /// Takes a Word16.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`] when fewer than 2 bytes are left.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, PeerFault> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Takes a Word32.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`] when fewer than 4 bytes are left.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, PeerFault> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Takes an Int64: a count, or a time in whole seconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`] when fewer than 8 bytes are left.
    pub fn i64(&mut self, field: &'static str) -> Result<i64, PeerFault> {
        self.array(field).map(i64::from_be_bytes)
    }

    /// Takes a Bool, `"T"` or `"F"`.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Malformed`] for any other byte, [`PeerFault::Truncated`] at the end.
    pub fn bool(&mut self, field: &'static str) -> Result<bool, PeerFault> {
        match self.u8(field)? {
            b'T' => Ok(true),
            b'F' => Ok(false),
            _ => Err(PeerFault::Malformed { field }),
        }
    }

    /// Takes a byte string with a length byte: 0 to 255 bytes.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`] when the length or the bytes are missing.
    pub fn short(&mut self, field: &'static str) -> Result<&'a [u8], PeerFault> {
        let len = self.u8(field)?;
        self.take(usize::from(len), field)
    }

    /// Takes a byte string with a two-byte length: 0 to 65535 bytes.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`] when the length or the bytes are missing.
    pub fn large(&mut self, field: &'static str) -> Result<&'a [u8], PeerFault> {
        let len = self.u16(field)?;
        self.take(usize::from(len), field)
    }

    /// Takes a [`Reader::short`] that must be UTF-8.
    ///
    /// # Errors
    ///
    /// As `short`, and [`PeerFault::Malformed`] when it is not UTF-8.
    pub fn short_text(&mut self, field: &'static str) -> Result<&'a str, PeerFault> {
        utf8(self.short(field)?, field)
    }

    /// Takes a `maybe(x)`; `read` takes x.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Malformed`] when the tag is neither `"0"` nor `"1"`, or what `read` says.
    pub fn maybe<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, PeerFault>,
    ) -> Result<Option<T>, PeerFault> {
        match self.u8(field)? {
            b'0' => Ok(None),
            b'1' => read(self).map(Some),
            _ => Err(PeerFault::Malformed { field }),
        }
    }

    /// Takes a list of one or more items; `read` takes one. The only decoding that allocates.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Malformed`] when the count is 0, or what `read` says.
    pub fn nonempty_list<T>(
        &mut self,
        field: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T, PeerFault>,
    ) -> Result<Vec<T>, PeerFault> {
        let count = self.u8(field)?;
        if count == 0 {
            return Err(PeerFault::Malformed { field });
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// Takes the given bytes.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Malformed`] when other bytes are next, [`PeerFault::Truncated`] at the end.
    pub fn literal(&mut self, expected: &[u8], field: &'static str) -> Result<(), PeerFault> {
        match self.take(expected.len(), field)? == expected {
            true => Ok(()),
            false => Err(PeerFault::Malformed { field }),
        }
    }

    /// Takes everything up to the first `delimiter`, which is taken too and not returned.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`] when there is no `delimiter`.
    pub fn until(&mut self, delimiter: u8, field: &'static str) -> Result<&'a [u8], PeerFault> {
        let at =
            self.rest.iter().position(|byte| *byte == delimiter).ok_or(PeerFault::Truncated { field })?;
        let found = self.take(at, field)?;
        self.u8(field)?;
        Ok(found)
    }

    /// Takes all that is left: a tail, always the last field of its message.
    pub const fn rest(&mut self) -> &'a [u8] {
        let rest = self.rest;
        self.rest = &[];
        rest
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    ///
    /// [`PeerFault::TrailingBytes`] otherwise.
    pub const fn finish(self, field: &'static str) -> Result<(), PeerFault> {
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(PeerFault::TrailingBytes { field }),
        }
    }
}

/// The text in `bytes`.
///
/// # Errors
///
/// [`PeerFault::Malformed`] when it is not UTF-8.
pub(crate) fn utf8<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, PeerFault> {
    core::str::from_utf8(bytes).map_err(|_| PeerFault::Malformed { field })
}

/// Appends encodings to a buffer.
pub struct Writer<'v> {
    out: &'v mut Vec<u8>,
}

impl<'v> Writer<'v> {
    /// Appends to `out`.
    #[must_use]
    pub const fn new(out: &'v mut Vec<u8>) -> Self {
        Self { out }
    }

    /// The buffer itself, for a nested `encode`.
    #[must_use]
    pub const fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Appends bytes as they are: a word, a nonce, a tail.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    /// Appends a Word16.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends a Word32.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends an Int64.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends a Bool.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.u8(if value { b'T' } else { b'F' })
    }

    /// Appends a byte string with a length byte.
    ///
    /// More than [`SHORT_MAX`] bytes are a mistake of ours; a release build cuts them there, so that the
    /// frame around them stays whole.
    pub fn short(&mut self, bytes: &[u8]) -> &mut Self {
        let (len, bytes) = cut(bytes, SHORT_MAX);
        self.u8(u8::try_from(len).unwrap_or(u8::MAX)).bytes(bytes)
    }

    /// Appends a byte string with a two-byte length.
    ///
    /// More than [`LARGE_MAX`] bytes are a mistake of ours and are cut there, as in [`Writer::short`].
    pub fn large(&mut self, bytes: &[u8]) -> &mut Self {
        let (len, bytes) = cut(bytes, LARGE_MAX);
        self.u16(u16::try_from(len).unwrap_or(u16::MAX)).bytes(bytes)
    }

    /// Appends a `maybe(x)`; `write` appends x.
    pub fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) -> &mut Self {
        match value {
            None => self.u8(b'0'),
            Some(value) => {
                self.u8(b'1');
                write(self, value);
                self
            }
        }
    }

    /// Appends a list: a count byte, then the items; `write` appends one.
    ///
    /// More than 255 items are a mistake of ours; the rest is left out.
    pub fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) -> &mut Self {
        let (len, items) = cut(items, SHORT_MAX);
        self.u8(u8::try_from(len).unwrap_or(u8::MAX));
        for item in items {
            write(self, item);
        }
        self
    }
}

/// As many items as a length field can count, and their number.
fn cut<T>(items: &[T], len_max: usize) -> (usize, &[T]) {
    debug_assert!(items.len() <= len_max, "the caller keeps fields within their length bytes");
    let items = items.get(..len_max).unwrap_or(items);
    (items.len(), items)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use alloc::vec;

    const FIELD: &str = "field";
    const TRUNCATED: PeerFault = PeerFault::Truncated { field: FIELD };
    const MALFORMED: PeerFault = PeerFault::Malformed { field: FIELD };

    #[test]
    fn a_number_needs_all_its_bytes() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        for len in 0..=bytes.len() {
            let reader = || Reader::new(&bytes[..len]);
            assert_eq!(reader().u8(FIELD).is_ok(), len >= 1, "{len}");
            assert_eq!(reader().u16(FIELD).is_ok(), len >= 2, "{len}");
            assert_eq!(reader().u32(FIELD).is_ok(), len >= 4, "{len}");
            assert_eq!(reader().i64(FIELD).is_ok(), len >= 8, "{len}");
        }
        assert_eq!(Reader::new(&[0x80; 8]).i64(FIELD), Ok(i64::from_be_bytes([0x80; 8])));
    }

    #[test]
    fn a_byte_string_needs_the_bytes_that_it_announces() {
        for (bytes, short, large) in [
            (&[][..], Err(TRUNCATED), Err(TRUNCATED)),
            (&[0], Ok(&[][..]), Err(TRUNCATED)),
            (&[1], Err(TRUNCATED), Err(TRUNCATED)),
            (&[1, 7], Ok(&[7]), Err(TRUNCATED)),
            (&[0, 1, 7], Ok(&[]), Ok(&[7][..])),
            (&[0, 2, 7], Ok(&[]), Err(TRUNCATED)),
            (&[2, 7], Err(TRUNCATED), Err(TRUNCATED)),
        ] {
            assert_eq!(Reader::new(bytes).short(FIELD), short, "{bytes:?}");
            assert_eq!(Reader::new(bytes).large(FIELD), large, "{bytes:?}");
        }
    }

    #[test]
    fn the_longest_fields_come_back_whole() {
        for len in [254, 255] {
            let bytes = vec![7; len];
            let mut out = Vec::new();
            Writer::new(&mut out).short(&bytes);
            assert_eq!(Reader::new(&out).short(FIELD), Ok(bytes.as_slice()), "{len}");
        }
        for len in [255, 256, 65534, 65535] {
            let bytes = vec![7; len];
            let mut out = Vec::new();
            Writer::new(&mut out).large(&bytes);
            assert_eq!(Reader::new(&out).large(FIELD), Ok(bytes.as_slice()), "{len}");
        }
    }

    #[test]
    fn tags_have_two_values() {
        for byte in 0..=255 {
            let expected = match byte {
                b'T' => Ok(true),
                b'F' => Ok(false),
                _ => Err(MALFORMED),
            };
            assert_eq!(Reader::new(&[byte]).bool(FIELD), expected, "{byte}");
            let expected = match byte {
                b'0' => Ok(None),
                b'1' => Ok(Some(7)),
                _ => Err(MALFORMED),
            };
            let bytes = [byte, 7];
            assert_eq!(Reader::new(&bytes).maybe(FIELD, |reader| reader.u8(FIELD)), expected, "{byte}");
        }
        assert_eq!(Reader::new(b"1").maybe(FIELD, |reader| reader.u8(FIELD)), Err(TRUNCATED));
    }

    #[test]
    fn a_list_has_one_to_255_items() {
        for (count, expected) in [(0, Err(MALFORMED)), (1, Ok(1)), (255, Ok(255))] {
            let mut bytes = vec![count];
            bytes.resize(1 + usize::from(count), 7);
            let read = Reader::new(&bytes).nonempty_list(FIELD, |reader| reader.u8(FIELD));
            assert_eq!(read.map(|items| items.len()), expected, "{count}");
            let read =
                Reader::new(&bytes[..usize::from(count)]).nonempty_list(FIELD, |reader| reader.u8(FIELD));
            assert!(read.is_err(), "{count} items announced, one less sent");
        }
    }

    #[test]
    fn a_delimiter_is_taken_and_not_returned() {
        let mut reader = Reader::new(b"ab c");
        assert_eq!(reader.until(b' ', FIELD), Ok(b"ab".as_slice()));
        assert_eq!(reader.until(b' ', FIELD), Err(TRUNCATED));
        assert_eq!(reader.finish(FIELD), Err(PeerFault::TrailingBytes { field: FIELD }));
        assert_eq!(reader.rest(), b"c");
        assert_eq!(reader.finish(FIELD), Ok(()));
    }
}
