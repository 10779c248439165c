//! The tokio adapter for `ntf-core`: sockets, timers and HTTP/2 for machines that have none.
//!
//! [`driver`] moves one machine; [`link`], [`connect`] and [`listen`] move its bytes; [`http2`] carries
//! requests to Apple; [`service`] puts them together; [`standin`] is a stand-in for Apple. [`program`] is
//! the `ntf` program. No decision about tokens, queues or pushes is made in here.
//!
//! Only [`rt`] knows which runtime this is; every other file is also the other adapters'.

mod attempts;
pub mod clock;
pub mod connect;
pub mod driver;
pub mod http2;
pub mod identity;
pub mod link;
pub mod listen;
pub mod metrics;
pub mod peers;
pub mod program;
pub mod relay;
pub mod roles;
pub mod rt;
pub mod service;
pub mod shards;
pub mod standin;
mod tasks;
pub mod wait;
