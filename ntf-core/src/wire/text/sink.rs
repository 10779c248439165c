//! Where text goes: to its place, or nowhere but into a count of its bytes.
//!
//! What is written by one function for both cannot be longer than it was said to be.

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64Url, Encoding};

/// Takes text piece by piece.
pub(crate) trait Sink {
    /// This text.
    fn str(&mut self, text: &str);

    /// These bytes as base64url with padding.
    fn base64(&mut self, bytes: &[u8]);
}

/// Bytes that are encoded at a time; a multiple of three, so that pieces join without padding.
const PIECE: usize = 48;

/// Hands the text of bytes on, piece by piece, from a place that costs no allocation.
fn pieces(bytes: &[u8], mut each: impl FnMut(&str)) {
    for piece in bytes.chunks(PIECE) {
        let mut text = [0; PIECE / 3 * 4];
        each(Base64Url::encode(piece, &mut text).expect("a piece has its text's room"));
    }
}

impl Sink for String {
    fn str(&mut self, text: &str) {
        self.push_str(text);
    }

    fn base64(&mut self, bytes: &[u8]) {
        pieces(bytes, |text| self.push_str(text));
    }
}

impl Sink for Vec<u8> {
    fn str(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }

    fn base64(&mut self, bytes: &[u8]) {
        pieces(bytes, |text| self.extend_from_slice(text.as_bytes()));
    }
}

/// The bytes that text would take.
#[derive(Debug, Default)]
pub(crate) struct Length(pub(crate) usize);

impl Sink for Length {
    fn str(&mut self, text: &str) {
        self.0 = self.0.saturating_add(text.len());
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len().div_ceil(3).saturating_mul(4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::text::base64;

    #[test]
    fn every_sink_agrees_with_the_whole_text_at_once() {
        for len in 0..200_u8 {
            let bytes: Vec<u8> = (0..len).collect();
            let whole = base64::encode(&bytes);
            let (mut text, mut vec, mut length) = (String::new(), Vec::new(), Length::default());
            text.base64(&bytes);
            vec.base64(&bytes);
            length.base64(&bytes);
            assert_eq!((text.as_str(), vec.as_slice(), length.0), (&*whole, whole.as_bytes(), whole.len()));
        }
    }
}
