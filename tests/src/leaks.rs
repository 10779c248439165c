//! Looks through what a program printed for what it must never print.
//!
//! [`Secrets`] knows values and finds them in every form that printing gives to bytes. It also knows what ids,
//! keys and tokens look like, for those that no test can know.

use std::fmt::Write;

use ntf_core::wire::text::base64;

/// Letters in a row that look chosen by nobody. Ids of queues have 24 bytes, the shortest that must be hidden.
const RANDOM_LEN: usize = 22;

/// Numbers in a row that look like printed bytes.
const NUMBERS: usize = 12;

/// Things that must not be printed, by name.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    forms: Vec<(&'static str, String)>,
}

impl Secrets {
    /// Adds bytes: an id, a key, a code.
    pub fn bytes(&mut self, what: &'static str, bytes: &[u8]) -> &mut Self {
        // What is cut off or in the middle of something is found too.
        let bytes = bytes.get(..16).unwrap_or(bytes);
        let hex = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let numbers = format!("{bytes:?}");
        self.forms.push((what, hex.to_uppercase()));
        self.forms.push((what, hex));
        let base64 = base64::encode(bytes).trim_end_matches('=').to_owned();
        // The last character depends on what follows.
        let base64 = base64.get(..base64.len().saturating_sub(1)).unwrap_or_default().to_owned();
        self.forms.push((what, base64.replace('-', "+").replace('_', "/")));
        self.forms.push((what, base64));
        self.forms.push((what, numbers.trim_matches(['[', ']']).to_owned()));
        self
    }

    /// Adds text, which is found also where its bytes are printed.
    pub fn text(&mut self, what: &'static str, text: &str) -> &mut Self {
        self.forms.push((what, text.to_owned()));
        self.bytes(what, text.as_bytes())
    }

    /// What of it is in `printed`, each with the place.
    #[must_use]
    pub fn found_in(&self, printed: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (what, form) in &self.forms {
            if let Some(at) = printed.find(form.as_str()) {
                found.push(format!("{what}: {}", around(printed, at)));
            }
        }
        found
    }
}

/// Words of a text that look like ids, keys, tokens, or addresses with a fingerprint.
#[must_use]
pub fn suspicious(printed: &str) -> Vec<String> {
    let is_inner = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
    let random = printed.split(|char: char| !is_inner(char)).filter(|word| looks_random(word));
    let mut found: Vec<_> = random.map(|word| format!("random: {word}")).collect();
    found.extend(["smp://", "ntf://", "/3/device/", "PRIVATE KEY"].iter().filter_map(|mark| {
        printed.find(mark).map(|at| format!("an address or key: {}", around(printed, at)))
    }));
    let is_list = |char: char| char.is_ascii_digit() || ", ".contains(char);
    found.extend(
        printed
            .split(|char: char| !is_list(char))
            .filter(|list| list.split(',').filter(|number| !number.trim().is_empty()).count() >= NUMBERS)
            .map(|list| format!("numbers: {list}")),
    );
    found
}

/// Long, and either hexadecimal with digits or of capital and small letters with digits.
fn looks_random(word: &str) -> bool {
    let has = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
    let is_hex = word.bytes().all(|byte| byte.is_ascii_hexdigit()) && has(u8::is_ascii_digit);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    word.len() >= RANDOM_LEN && (is_hex || is_mixed)
}

/// A few characters on both sides of a find.
fn around(printed: &str, at: usize) -> String {
    let before: Vec<char> = printed.get(..at).unwrap_or_default().chars().rev().take(60).collect();
    let after = printed.get(at..).unwrap_or_default().chars().take(80);
    before.into_iter().rev().chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 24] =
        [0xfb, 0xef, 0xbe, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24];

    #[test]
    fn bytes_are_found_in_every_form() {
        let mut secrets = Secrets::default();
        secrets.bytes("id", &ID);
        for printed in [
            format!("id={}", hex::encode(ID)),
            format!("id={}", hex::encode_upper(ID)),
            format!("smp://{}@host", base64::encode(&ID)),
            format!("id {}", base64::encode(&ID).replace('-', "+").replace('_', "/")),
            format!("Id({ID:?})"),
            format!("{:?}", [&[7, 7][..], &ID[..]].concat()),
        ] {
            assert!(!secrets.found_in(&printed).is_empty(), "in {printed}");
            assert!(!suspicious(&printed).is_empty(), "it also looks like one: {printed}");
        }
        assert_eq!(secrets.found_in("Id(redacted)"), Vec::<String>::new());
    }

    #[test]
    fn text_is_found_also_as_bytes() {
        let mut secrets = Secrets::default();
        secrets.text("message", "the eagle has landed");
        for printed in ["> the eagle has landed <".to_owned(), format!("{:?}", b"the eagle has landed")] {
            assert!(!secrets.found_in(&printed).is_empty(), "in {printed}");
        }
    }

    #[test]
    fn ordinary_words_are_not_suspicious() {
        for printed in [
            "2026-11-22T23:05:05.123456Z DEBUG ntf_runtime_tokio::http2::connection: the connection ended",
            "Up { link: LinkId(12), transport: Transport(alpn: true, peer certificates: 2) }",
            "https://localhost:7443 in 12.5 ms, 123456789 bytes",
        ] {
            assert_eq!(suspicious(printed), Vec::<String>::new());
        }
    }
}
