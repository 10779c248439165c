//! Subscriptions to queues: their states, and a table of millions that finds them by queue and by id.
//!
//! Knows neither bytes of the protocol, nor links, nor what a token is beyond its index. Read [`state`]
//! first; [`table`] keeps the rows, [`servers`] what hangs on one SMP server.

pub mod limits;
pub mod row;
pub mod servers;
pub mod state;
pub mod table;
