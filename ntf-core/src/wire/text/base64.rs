//! Bytes as base64url text.
//!
//! Written with `=` padding. Read with or without; padding that is there must be right. Empty text is no
//! value. Source: `smp-transport` 1.2.

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64Url, Base64UrlUnpadded, Encoding};

/// The text of these bytes, with padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    Base64Url::encode_string(bytes)
}

/// The bytes of this text, or `None` when it is not base64url.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    match text {
        "" => None,
        text if text.ends_with('=') => Base64Url::decode_vec(text).ok(),
        text => Base64UrlUnpadded::decode_vec(text).ok(),
    }
}

/// As [`decode`], for what is no secret, such as ciphertext: several times as fast, in a time that tells of the text.
#[cfg(feature = "client")]
#[must_use]
pub fn decode_public(text: &str) -> Option<Vec<u8>> {
    use ::base64::Engine as _;
    use ::base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    match text {
        "" => None,
        text if text.ends_with('=') => URL_SAFE.decode(text).ok(),
        text => URL_SAFE_NO_PAD.decode(text).ok(),
    }
}

/// As [`decode`], for exactly `N` bytes.
#[must_use]
pub fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let decoded = match text.ends_with('=') {
        true => Base64Url::decode(text, &mut bytes),
        false => Base64UrlUnpadded::decode(text, &mut bytes),
    };
    decoded.is_ok_and(|decoded| decoded.len() == N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_written_and_may_be_missing_but_not_wrong() {
        for (text, expected) in [
            ("", None),
            ("=", None),
            ("RQ==", Some(&[0x45][..])),
            ("RQ", Some(&[0x45])),
            ("RQ=", None),
            ("RQ===", None),
            ("R", None),
            ("RQ9_", Some(&[0x45, 0x0f, 0x7f])),
            ("RQ9_====", None),
            ("RQ9/", None),
            ("RQ 9", None),
            ("RR==", None),
            ("RR", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text:?}");
            #[cfg(feature = "client")]
            assert_eq!(decode_public(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(encode(&[0x45]), "RQ==");
        assert_eq!(encode(&[0x45, 0x0f, 0x7f]), "RQ9_");
    }

    #[test]
    fn an_array_takes_exactly_its_length() {
        for (text, expected) in [
            ("RQ9_", Some([0x45, 0x0f, 0x7f])),
            ("RQ8=", None),
            ("RQ9_RQ==", None),
            ("RQ9_RQ9_", None),
            ("", None),
        ] {
            assert_eq!(decode_array::<3>(text), expected, "{text:?}");
        }
    }
}
