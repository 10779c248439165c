//! Connections as roles see them: handshake, block cipher, requests and replies.
//!
//! A link starts when TLS is up and deals in whole transport blocks. It does not know sockets, and it
//! does not know what a token or a queue is. [`event`] is what adapters and roles say to each other.

pub mod event;
