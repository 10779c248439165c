//! Device tokens as text: provider, space, token. For logs of a test and for programs; never for ours.
//!
//! ```text
//! device   = provider SP token
//! provider = "apns_dev" | "apns_prod" | "apns_test" | "apns_null" | "sealed"
//! ```
//!
//! A token is read as an even number of lower-case hex digits, or is the null provider's
//! `test_ntf_token`. Source: `ntf-protocol` 2.2.

use alloc::string::String;

use crate::model::token::{DeviceToken, Provider};

/// The name of a provider.
#[must_use]
pub const fn provider(provider: Provider) -> &'static str {
    match provider {
        Provider::ApnsDev => "apns_dev",
        Provider::ApnsProd => "apns_prod",
        Provider::ApnsTest => "apns_test",
        Provider::ApnsNull => "apns_null",
        Provider::Sealed => "sealed",
    }
}

/// The provider with this name.
#[must_use]
pub fn parse_provider(text: &str) -> Option<Provider> {
    match text {
        "apns_dev" => Some(Provider::ApnsDev),
        "apns_prod" => Some(Provider::ApnsProd),
        "apns_test" => Some(Provider::ApnsTest),
        "apns_null" => Some(Provider::ApnsNull),
        "sealed" => Some(Provider::Sealed),
        _ => None,
    }
}

/// The text of a device token; bytes that are not UTF-8 are replaced.
#[must_use]
pub fn device(token: &DeviceToken) -> String {
    let mut text = String::from(provider(token.provider));
    text.push(' ');
    text.push_str(&String::from_utf8_lossy(&token.token));
    text
}

/// The device token with this text.
#[must_use]
pub fn parse_device(text: &str) -> Option<DeviceToken> {
    let (provider, token) = text.split_once(' ')?;
    let provider = parse_provider(provider)?;
    let is_hex = token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_token = is_hex && !token.is_empty() && token.len() % 2 == 0 && token.len() <= 255;
    let is_null = provider == Provider::ApnsNull && token == NULL_TOKEN;
    (is_token || is_null).then(|| DeviceToken { provider, token: token.as_bytes().into() })
}

const NULL_TOKEN: &str = "test_ntf_token";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_an_even_number_of_lower_case_digits() {
        for (text, is_one) in [
            ("apns_dev 00", true),
            ("apns_dev 0aff", true),
            ("apns_dev 0aF0", false),
            ("apns_dev 0", false),
            ("apns_dev 000", false),
            ("apns_dev ", false),
            ("apns_dev", false),
            ("apns_dev  00", false),
            ("fcm 00", false),
            ("apns_dev test_ntf_token", false),
            ("apns_null test_ntf_token", true),
            ("apns_null 00", true),
        ] {
            assert_eq!(parse_device(text).is_some(), is_one, "{text:?}");
            if let Some(token) = parse_device(text) {
                assert_eq!(device(&token), text);
            }
        }
    }
}
