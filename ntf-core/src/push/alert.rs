//! The visible alert that stands for messages: its words, and the push made of them.
//!
//! The words are those of the push server, which belongs to the app: a subscriber, which anybody may run,
//! asks for the alert and cannot put words on people's screens.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::base::time::Wall;
use crate::model::push::CollapseId;
use crate::push::json::push_escaped;

/// Longest title, in bytes; a longer one is cut. Source: ours; no screen shows more.
pub const TITLE_LEN_MAX: usize = 256;

/// Longest text, in bytes; a longer one is cut. Source: ours; with the others it stays below a third of
/// Apple's limit however it is escaped.
pub const BODY_LEN_MAX: usize = 1024;

/// Longest name of a category, in bytes; a longer one is cut. Source: ours.
pub const CATEGORY_LEN_MAX: usize = 64;

/// The words of visible alerts. Control characters are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertTexts {
    /// The line above the text, none if empty. Default: empty.
    pub title: String,
    /// The text. Default: "You have a new message". Source: the design of 2022.
    pub body: String,
    /// The category that tells the app what actions to offer, none if empty. Default: that of stock apps,
    /// `NTF_CAT_CHECK_MESSAGE`. Source: `ntf-protocol` 3.3.
    pub category: String,
    /// How long a provider keeps an alert for a device that is away, in whole seconds. Default one day.
    /// Source: ours; who opens the app later sees the messages in it.
    pub lifetime: Duration,
}

impl Default for AlertTexts {
    fn default() -> Self {
        Self {
            title: String::new(),
            body: "You have a new message".into(),
            category: "NTF_CAT_CHECK_MESSAGE".into(),
            lifetime: Duration::from_secs(86_400),
        }
    }
}

impl AlertTexts {
    /// The JSON body: an alert for the eye, and for an app that is handed it the hint to look for messages.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = String::from(r#"{"aps":{"alert":{"#);
        if !self.title.is_empty() {
            push_text(&mut json, "title", &self.title, TITLE_LEN_MAX);
            json.push(',');
        }
        push_text(&mut json, "body", &self.body, BODY_LEN_MAX);
        json.push('}');
        if !self.category.is_empty() {
            json.push(',');
            push_text(&mut json, "category", &self.category, CATEGORY_LEN_MAX);
        }
        json.push_str(r#","sound":"default"},"notificationData":{"checkMessages":true}}"#);
        json.into_bytes()
    }

    /// The headers that only alerts have: one replaces the last, and none is kept for ever.
    pub(super) fn headers(&self, collapse: CollapseId, now: Wall) -> [(&'static str, String); 2] {
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let expires_at = now.unix_secs().saturating_add(lifetime);
        [
            ("apns-collapse-id", alloc::format!("{:016x}", collapse.0)),
            ("apns-expiration", alloc::format!("{expires_at}")),
        ]
    }
}

fn push_text(json: &mut String, name: &str, text: &str, len_max: usize) {
    let mut plain = String::new();
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        if plain.len() + letter.len_utf8() > len_max {
            break;
        }
        plain.push(letter);
    }
    json.push('"');
    json.push_str(name);
    json.push_str(r#"":""#);
    push_escaped(json, &plain);
    json.push('"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::push::apns::BODY_LEN_DOCUMENTED_MAX;
    use serde_json::{Value, json};

    #[test]
    fn an_alert_shows_its_words_and_tells_the_app_to_look() {
        let json: Value = serde_json::from_slice(&AlertTexts::default().to_json()).unwrap();
        assert_eq!(
            json,
            json!({"aps": {"alert": {"body": "You have a new message"},
                           "category": "NTF_CAT_CHECK_MESSAGE", "sound": "default"},
                   "notificationData": {"checkMessages": true}})
        );
    }

    #[test]
    fn words_of_any_kind_and_length_make_a_push_that_fits() {
        for letter in ["\"", "\\", "\n", "\u{7f}", "ä", "🔔", "x"] {
            let long = letter.repeat(5000);
            let texts = AlertTexts {
                title: long.clone(),
                body: long.clone(),
                category: long,
                lifetime: Duration::MAX,
            };
            let json = texts.to_json();
            assert!(json.len() <= BODY_LEN_DOCUMENTED_MAX, "{letter:?}: {} bytes", json.len());
            let read: Value = serde_json::from_slice(&json).unwrap();
            let body = read["aps"]["alert"]["body"].as_str().unwrap();
            assert!(body.len() <= BODY_LEN_MAX && body.chars().all(|found| letter.contains(found)));
            let headers = texts.headers(CollapseId(7), Wall::from_secs(5));
            assert_eq!(headers[1].1, alloc::format!("{}", i64::MAX));
        }
    }
}
