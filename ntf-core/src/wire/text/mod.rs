//! What is written for people, and inside pushes, rather than in blocks.
//!
//! [`base64`] carries bytes, [`host`] and [`address`] say where servers and queues are, [`preset`] completes
//! the addresses of well-known servers, [`status`] and [`device`] name states and device tokens.
//! Source: `smp-transport` 1.2 and 1.8, `ntf-protocol` 2 and 3.4.

pub mod address;
pub mod base64;
pub mod device;
pub mod host;
pub mod preset;
pub(crate) mod sink;
pub mod status;

/// The longest beginning of `text` with at most `len_max` bytes that does not cut a character.
///
/// For texts of errors, so that an answer always fits its block (`ntf-protocol` 1.5 and defect D6).
#[must_use]
pub fn cut(text: &str, len_max: usize) -> &str {
    text.get(..text.floor_char_boundary(len_max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (len_max, expected) in [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (4, "aéb"), (5, "aéb")] {
            assert_eq!(cut("aéb", len_max), expected, "{len_max}");
        }
    }
}
