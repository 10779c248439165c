//! TLS 1.3 driven by hand: bytes in, bytes out, and the session id that SimpleX binds commands to.
//!
//! [`Session`] is one connection, client or server, of any runtime: adapters move bytes between it and
//! a socket. [`ServerEndpoint`] is what a server accepts with, made of [`credentials`]. Certificates are
//! judged by fingerprint, never by name or by the system's roots. This layer knows blocks by their length
//! only. Start reading at [`Session`].

mod buffers;
mod config;
pub mod credentials;
mod fault;
mod profile;
mod provider;
mod session;
mod verifier;

pub use buffers::OUTGOING_BYTES_MAX;
pub use config::ServerEndpoint;
pub use fault::{Alert, SendFault, TlsFault};
pub use profile::Profile;
pub use provider::{SESSION_ID_LEN, SessionId};
pub use session::{Session, Transport};
