//! `ntf-core` in a web page: the stage for an audience ([`stage`]), and the client role for pages that embed it
//! ([`device`]).
//!
//! Holds no product logic, no clock and no randomness: seeds and times come in from the page. What crosses the border
//! are plain objects with the types in [`types`].

pub mod device;
pub mod objects;
pub mod stage;
pub mod types;
