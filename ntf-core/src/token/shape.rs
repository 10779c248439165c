//! What a device token may look like before it is put into a provider's request path.

use crate::model::token::{DeviceToken, Provider, SEALED_TOKEN_LEN};

/// Whether the device token is one that its provider could have made.
///
/// The token goes unescaped into a path, so a stranger must not choose its characters: Apple's tokens are
/// hexadecimal, those of the stand-in any printable character that means nothing in a path. The reference
/// checks neither. Source: `ntf-protocol` 2.2 and defect D19.
#[must_use]
pub fn is_well_shaped(device: &DeviceToken) -> bool {
    let fits = match device.provider {
        // No path sees it; what is inside is looked at where it is opened.
        Provider::Sealed => return device.token.len() == SEALED_TOKEN_LEN,
        Provider::ApnsDev | Provider::ApnsProd => u8::is_ascii_hexdigit,
        Provider::ApnsTest | Provider::ApnsNull => is_plain,
    };
    (1..=u8::MAX.into()).contains(&device.token.len()) && device.token.iter().all(fits)
}

fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_graphic() && !b"/\\?#%".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn shapes_by_provider() {
        let long = vec![b'a'; 256];
        for (provider, token, fits) in [
            (Provider::ApnsProd, b"00ffAB".as_slice(), true),
            (Provider::ApnsDev, b"00ffab", true),
            (Provider::ApnsProd, b"", false),
            (Provider::ApnsProd, b"xyzw", false),
            (Provider::ApnsDev, b"00/../ff", false),
            (Provider::ApnsProd, long.as_slice(), false),
            (Provider::ApnsProd, &long[..255], true),
            (Provider::ApnsTest, b"xyzw", true),
            (Provider::ApnsTest, b"a b", false),
            (Provider::ApnsTest, b"a/b", false),
            (Provider::ApnsTest, b"a?b", false),
            (Provider::ApnsTest, b"a\r\nb", false),
            (Provider::ApnsTest, b"a\xc3\xa9", false),
            (Provider::ApnsNull, b"test_ntf_token", true),
            (Provider::Sealed, &[0xff; SEALED_TOKEN_LEN], true),
            (Provider::Sealed, &[b'a'; SEALED_TOKEN_LEN - 1], false),
        ] {
            let device = DeviceToken { provider, token: token.into() };
            assert_eq!(is_well_shaped(&device), fits, "{provider:?} {token:?}");
        }
    }
}
