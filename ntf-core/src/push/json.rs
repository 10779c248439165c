//! Text inside a JSON string.

use alloc::string::String;

/// Appends configured text as the inside of a JSON string.
pub(super) fn push_escaped(json: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                json.push('\\');
                json.push(letter);
            }
            control if u32::from(control) < 0x20 => {
                json.push_str(&alloc::format!("\\u{:04x}", u32::from(control)));
            }
            plain => json.push(plain),
        }
    }
}
