//! The subscriber between devices that speak raw transmissions, SMP servers that follow a script, and a push
//! server that answers as told. Blocks, keys and hellos are real; time is not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod app;
mod commands;
mod flow;
mod hostile;
mod laws;
mod periodic;
mod sealed;
mod servers;
mod services;
mod shards;
mod slices;
mod world;
