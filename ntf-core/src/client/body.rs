//! The JSON body of a push, as a provider hands it to the app.
//!
//! Knows the three kinds of `notificationData` and nothing of keys: what it returns is still sealed.

use crate::base::limits::NONCE_LEN;
use crate::wire::text::base64;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use serde::Deserialize;

/// Longest body looked at, in bytes.
///
/// Source: ours; Apple documents 4096, the reference sends 4310 (`ntf-protocol` 3.2), so this leaves room
/// for any padding an operator may configure and still bounds the work a forged push can cause.
pub(super) const BODY_LEN_MAX: usize = 32 * 1024;

/// What a push is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// The sealed registration code.
    Verification(SealedText),
    /// The sealed notices.
    Message(SealedText),
    /// A hint to look into every queue.
    CheckMessages,
}

/// A nonce and the ciphertext it belongs to.
#[derive(PartialEq, Eq)]
pub(super) struct SealedText {
    /// The crypto_box nonce.
    pub(super) nonce: [u8; NONCE_LEN],
    /// Tag and ciphertext; opened where it lies.
    pub(super) ciphertext: Vec<u8>,
}

impl core::fmt::Debug for SealedText {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SealedText({} bytes)", self.ciphertext.len())
    }
}

impl Body {
    /// Reads a body: `{"aps":…,"notificationData":{…}}`.
    ///
    /// Unknown keys are skipped, `aps` is not looked at: it speaks to the operating system.
    ///
    /// # Errors
    ///
    /// Says in words what is wrong; each of them is harmless and costs the push.
    ///
    /// Source: `ntf-protocol` 3.3.
    pub(super) fn decode(json: &[u8]) -> Result<Self, &'static str> {
        if json.len() > BODY_LEN_MAX {
            return Err("the push body is longer than 32 KiB");
        }
        let push: Push<'_> =
            serde_json::from_slice(json).map_err(|_| "the push body is not the JSON object expected")?;
        let data = push.data.ok_or("the push has no notificationData")?;
        match (data.verification, data.message, data.check_messages) {
            (Some(blob), None, None) => Ok(Self::Verification(sealed(data.nonce, &blob)?)),
            (None, Some(blob), None) => Ok(Self::Message(sealed(data.nonce, &blob)?)),
            (None, None, Some(true)) => Ok(Self::CheckMessages),
            (None, None, Some(false) | None) => Err("the push is of a kind that is not known"),
            (Some(_), Some(_), _) | (Some(_), None, Some(_)) | (None, Some(_), Some(_)) => {
                Err("the push claims to be of two kinds")
            }
        }
    }
}

fn sealed(nonce: Option<Cow<'_, str>>, blob: &str) -> Result<SealedText, &'static str> {
    let nonce = nonce.ok_or("the push has no nonce")?;
    let nonce = base64::decode_array(&nonce).ok_or("the nonce of the push is not 24 bytes of base64url")?;
    let ciphertext = base64::decode_public(blob).ok_or("the sealed part of the push is not base64url")?;
    Ok(SealedText { nonce, ciphertext })
}

#[derive(Deserialize)]
struct Push<'a> {
    #[serde(borrow, rename = "notificationData")]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow, default)]
    nonce: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    verification: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(default)]
    check_messages: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const NONCE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

    #[test]
    fn the_three_kinds_are_told_apart() {
        let nonce = core::array::from_fn(|index| u8::try_from(index).unwrap_or(0));
        let sealed = || SealedText { nonce, ciphertext: vec![0xCE, 0x90] };
        for (json, expected) in [
            (
                r#"{"aps":{"content-available":1},"notificationData":{"nonce":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX","verification":"zpA="}}"#,
                Body::Verification(sealed()),
            ),
            (
                r#"{"aps":{"mutable-content":1,"alert":"x"},"notificationData":{"nonce":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX","message":"zpA"}}"#,
                Body::Message(sealed()),
            ),
            (
                r#"{"aps":{"content-available":1},"notificationData":{"checkMessages":true}}"#,
                Body::CheckMessages,
            ),
        ] {
            assert_eq!(Body::decode(json.as_bytes()), Ok(expected), "{json}");
        }
    }

    #[test]
    fn bodies_that_say_nothing_usable_are_refused_in_words() {
        let with = |data: &str| alloc::format!(r#"{{"notificationData":{{{data}}}}}"#);
        for (json, words) in [
            ("".into(), "not the JSON object"),
            ("[1]".into(), "not the JSON object"),
            (r#"{"aps":{}}"#.into(), "no notificationData"),
            (with(""), "a kind that is not known"),
            (with(r#""checkMessages":false"#), "a kind that is not known"),
            (with(r#""message":"zpA=""#), "no nonce"),
            (with(r#""nonce":"AAEC","message":"zpA=""#), "24 bytes"),
            (with(r#""nonce":"!!!!","message":"zpA=""#), "24 bytes"),
            (with(&alloc::format!(r#""nonce":"{NONCE}","message":"*""#)), "not base64url"),
            (
                with(&alloc::format!(r#""nonce":"{NONCE}","message":"zpA=","verification":"zpA=""#)),
                "two kinds",
            ),
            (alloc::format!("{:>1$}", "{}", BODY_LEN_MAX + 1), "longer than"),
        ] as [(alloc::string::String, &str); 11]
        {
            let why = Body::decode(json.as_bytes()).expect_err("a refusal");
            assert!(why.contains(words), "{why} for {words}");
        }
    }
}
