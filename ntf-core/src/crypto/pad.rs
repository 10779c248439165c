//! Padding: a length, the message, then `#` up to the agreed size, so that sizes tell nothing.
//!
//! ```text
//! pad(M, L) = Word16 length of M || M || '#' up to L bytes in total
//! ```
//!
//! Source: `smp-transport` 1.6.

use alloc::vec::Vec;

use crate::base::fault::{Misuse, PeerFault};

/// Bytes of the length before the message.
pub const LENGTH_LEN: usize = 2;

/// What fills the rest; readers ignore its value.
pub const FILLER: u8 = b'#';

/// Longest message that any padding takes. Source: `smp-transport` 1.6.
pub const MESSAGE_LEN_MAX: usize = 65533;

/// Appends `message` padded to `total` bytes.
///
/// # Errors
///
/// [`Misuse::TooLong`] when the message exceeds `total - 2` bytes or [`MESSAGE_LEN_MAX`]; nothing is
/// appended then.
pub fn pad_into(to: &mut Vec<u8>, message: &[u8], total: usize) -> Result<(), Misuse> {
    let length = padded_length(message.len(), total)?;
    let end = to.len().saturating_add(total);
    to.reserve(total);
    to.extend_from_slice(&length);
    to.extend_from_slice(message);
    to.resize(end, FILLER);
    Ok(())
}

/// `message` padded to `total` bytes.
///
/// # Errors
///
/// As [`pad_into`].
pub fn pad(message: &[u8], total: usize) -> Result<Vec<u8>, Misuse> {
    let mut padded = Vec::with_capacity(total);
    pad_into(&mut padded, message, total)?;
    Ok(padded)
}

/// Pads in place: `buf` holds the message of `message_len` bytes behind room for its length, and is
/// filled to its end.
///
/// # Errors
///
/// [`Misuse::TooLong`] when the message exceeds `buf.len() - 2` bytes or [`MESSAGE_LEN_MAX`].
pub fn pad_in_place(buf: &mut [u8], message_len: usize) -> Result<(), Misuse> {
    let length = padded_length(message_len, buf.len())?;
    let (head, rest) = buf.split_first_chunk_mut::<LENGTH_LEN>().ok_or(TOO_LONG)?;
    *head = length;
    rest.get_mut(message_len..).ok_or(TOO_LONG)?.fill(FILLER);
    Ok(())
}

/// The message in padded bytes. The filler's value is not looked at.
///
/// # Errors
///
/// [`PeerFault::BadBlock`] when the bytes end before the message does.
pub fn unpad(padded: &[u8]) -> Result<&[u8], PeerFault> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_LEN>().ok_or(PeerFault::BadBlock)?;
    rest.get(..usize::from(u16::from_be_bytes(*length))).ok_or(PeerFault::BadBlock)
}

const TOO_LONG: Misuse = Misuse::TooLong { field: "padded message" };

/// The length field, if the message fits.
fn padded_length(message_len: usize, total: usize) -> Result<[u8; LENGTH_LEN], Misuse> {
    let room = total.checked_sub(LENGTH_LEN).ok_or(TOO_LONG)?.min(MESSAGE_LEN_MAX);
    if message_len > room {
        return Err(TOO_LONG);
    }
    u16::try_from(message_len).map(u16::to_be_bytes).map_err(|_| TOO_LONG)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn worked_examples() {
        // `smp-transport` 9.1.
        assert_eq!(pad(b"abc", 5).unwrap(), b"\x00\x03abc");
        assert_eq!(pad(b"hello", 16).unwrap(), b"\x00\x05hello#########");
        assert_eq!(unpad(b"\x00\x03abc"), Ok(b"abc".as_slice()));
    }

    #[test]
    fn bounds_of_the_message() {
        for (len, total, fits) in [
            (0, 0, false),
            (0, 1, false),
            (0, 2, true),
            (1, 2, false),
            (14, 16, true),
            (15, 16, false),
            (MESSAGE_LEN_MAX, 70_000, true),
            (MESSAGE_LEN_MAX + 1, 70_000, false),
            (usize::MAX, 16, false),
        ] {
            let expected = if fits { Ok(()) } else { Err(TOO_LONG) };
            assert_eq!(pad_in_place(&mut alloc::vec![0; total], len), expected, "{len} in {total}");
            if len <= 70_000 {
                let padded = pad(&alloc::vec![7; len], total);
                assert_eq!(padded.as_ref().map(|_| ()), expected.as_ref().copied(), "{len} in {total}");
                assert!(padded.is_err() || padded.unwrap().len() == total);
            }
        }
    }

    #[test]
    fn in_place_and_appended_padding_agree() {
        let mut buf = *b"..hello........";
        pad_in_place(&mut buf, 5).unwrap();
        assert_eq!(buf.as_slice(), pad(b"hello", 15).unwrap());
        let mut out = alloc::vec![9];
        pad_into(&mut out, b"hello", 15).unwrap();
        assert_eq!(out.split_first(), Some((&9, buf.as_slice())));
    }

    #[test]
    fn a_length_beyond_the_end_is_refused_and_the_filler_is_free() {
        for (padded, expected) in [
            (b"".as_slice(), Err(PeerFault::BadBlock)),
            (b"\x00", Err(PeerFault::BadBlock)),
            (b"\x00\x00", Ok(b"".as_slice())),
            (b"\x00\x02a", Err(PeerFault::BadBlock)),
            (b"\x00\x02ab", Ok(b"ab")),
            (b"\x00\x02ab\xff\x00", Ok(b"ab")),
            (b"\xff\xffab", Err(PeerFault::BadBlock)),
        ] {
            assert_eq!(unpad(padded), expected, "{padded:?}");
        }
    }
}
