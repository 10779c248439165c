//! Between a subscriber and its push server: the protocol, both ends of the link, and sealed device tokens.
//!
//! The roles exchange [`crate::model::push`] and do not know whether a socket lies between them. Where one
//! does, [`subscriber_end`] stands beside the subscriber and [`push_end`] beside the push server: machines like
//! the roles, driven by the same adapters, over links like any other (TLS 1.3, whole blocks). Source: ours;
//! `docs/protocol/relay.md`.
//!
//! What the subscriber's end promises: an order is asked for until its outcome is known or its time is
//! over, always under the same number. What the push server's end promises: one number is one push, and
//! nobody pushes more than they are allowed. Read [`frame`] first.

pub mod frame;
mod order;
pub mod push_end;
pub mod sealed_token;
pub mod subscriber_end;

#[cfg(test)]
mod tests;
