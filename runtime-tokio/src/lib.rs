//! The tokio adapter for `ntf-core`: sockets, timers and HTTP/2 for machines that have none.

pub mod http2;
pub mod standin;
