//! The device side: registers, subscribes, opens pushes, fetches messages; and sends them.
//!
//! [`input`] and [`effect`] are its face.

pub mod effect;
pub mod input;
