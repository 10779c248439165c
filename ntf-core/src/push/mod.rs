//! The push server: holds the provider's key, sees device tokens and ciphertext only.
//!
//! [`input`] and [`effect`] are its face.

pub mod effect;
pub mod input;
