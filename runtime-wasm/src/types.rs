//! The types that a page in TypeScript sees, and how values become such objects.

use js_sys::JSON;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

#[wasm_bindgen]
extern "C" {
    /// What a run begins with.
    #[wasm_bindgen(typescript_type = "Options")]
    pub type Options;
    /// What is done to the stage.
    #[wasm_bindgen(typescript_type = "Deed")]
    pub type Deed;
    /// What happened.
    #[wasm_bindgen(typescript_type = "Happening[]")]
    pub type Happenings;
    /// The stage at a moment.
    #[wasm_bindgen(typescript_type = "Snapshot")]
    pub type Snapshot;
    /// What somebody has.
    #[wasm_bindgen(typescript_type = "Known[]")]
    pub type KnownList;
    /// Who learned what.
    #[wasm_bindgen(typescript_type = "FactRow[]")]
    pub type FactRows;
    /// Somebody's name.
    #[wasm_bindgen(typescript_type = "PartyId")]
    pub type PartyId;
    /// What a device asks of the page.
    #[wasm_bindgen(typescript_type = "DeviceEffect | undefined")]
    pub type DeviceEffect;
    /// What TLS learned.
    #[wasm_bindgen(typescript_type = "Transport")]
    pub type Transport;
}

/// An error that a page shows: its message is the sentence.
pub fn error(sentence: impl core::fmt::Display) -> JsError {
    JsError::new(&sentence.to_string())
}

/// A value as an object of the page.
///
/// # Errors
///
/// When it has no form in JSON, which none of ours lacks.
pub fn to_page<T: JsCast>(value: &impl Serialize) -> Result<T, JsError> {
    let text = serde_json::to_string(value).map_err(error)?;
    let object = JSON::parse(&text).map_err(|_| error("the page does not read what was written for it"))?;
    Ok(object.unchecked_into())
}

/// A value from an object of the page.
///
/// # Errors
///
/// Says which field is wrong.
pub fn from_page<T: DeserializeOwned>(object: &JsValue, what: &str) -> Result<T, JsError> {
    let text = JSON::stringify(object).ok().and_then(|text| text.as_string());
    let text = text.ok_or_else(|| error(format!("{what} is to be an object")))?;
    serde_json::from_str(&text).map_err(|fault| error(format!("{what} cannot be read: {fault}")))
}
