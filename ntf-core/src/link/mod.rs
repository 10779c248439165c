//! Connections as roles see them: handshake, block cipher, requests and replies.
//!
//! A link starts when TLS is up and deals in whole transport blocks. It does not know sockets, and it
//! does not know what a token or a queue is. Everything is written once, for a [`dialect`].
//!
//! [`event`] is what adapters and roles say to each other. A server holds a [`responder`] for each link; a
//! client holds an [`engine`] for each server. Both begin with the hellos of [`state`].

pub mod dialect;
pub mod engine;
pub mod event;
pub mod keepalive;
mod outgoing;
mod pending;
pub mod requester;
pub mod responder;
pub mod state;

#[cfg(test)]
mod tests;
