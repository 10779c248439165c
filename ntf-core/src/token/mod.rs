//! Registrations of device tokens: their states, their table, and the shape a device token must have.
//!
//! Knows neither bytes of the protocol, nor links, nor what is subscribed for a token. Read [`state`]
//! first; [`table`] keeps the rows and finds them.

pub mod limits;
mod packed;
pub mod places;
pub mod registration;
pub mod shape;
pub mod state;
pub mod table;
