//! Device tokens as text: provider, space, token. For logs of a test and for programs; never for ours.
//!
//! ```text
//! device = provider SP token       provider = "apns_dev" | "apns_prod" | "apns_test" | "apns_null"
//! ```
//!
//! A token is read as an even number of lower-case hex digits, or is the null provider's
//! `test_ntf_token`. Source: `ntf-protocol` 2.2.

use crate::model::token::{DeviceToken, Provider};
use alloc::string::String;

/// The name of a provider.
#[must_use]
pub const fn provider(provider: Provider) -> &'static str {
    match provider {
        Provider::ApnsDev => "apns_dev",
        Provider::ApnsProd => "apns_prod",
        Provider::ApnsTest => "apns_test",
        Provider::ApnsNull => "apns_null",
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
