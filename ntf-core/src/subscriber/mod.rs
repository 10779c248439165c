//! The notifications subscriber: NTF server towards devices, notifier towards SMP servers.
//!
//! [`input`] and [`effect`] are its face.

pub mod effect;
pub mod input;
