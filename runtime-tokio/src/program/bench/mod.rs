//! `ntf bench`: what this machine can do, measured on loopback.
//!
//! `push`, `sockets`, `registration` and `soak` measure the real thing over real sockets; only the peers are stand-ins of
//! ours, and run on the same processors. `core`, `memory` and `resubscribe` measure one machine in this process, without any
//! socket. Figures vary with what else the machine does, so each comes with the processor time that it took.

mod all;
mod bare;
mod core;
mod curves;
mod figures;
mod idle;
mod measured;
mod memory;
mod population;
mod process;
pub mod push;
mod registration;
mod resubscribe;
mod scratch;
mod soak;
mod sockets;
mod times;
mod town;
mod yardstick;

use crate::program::cli::Bench;
use crate::program::failure::Failure;

/// Runs `ntf bench`.
///
/// # Errors
///
/// When a part of the measurement cannot start, or something is lost.
pub async fn run(options: Bench) -> Result<(), Failure> {
    match options {
        Bench::All(options) => all::run(options).await,
        Bench::Core(options) => core::run(&options),
        Bench::Idle(options) => idle::run(options).await,
        Bench::Memory(options) => memory::run(&options),
        Bench::Resubscribe(options) => resubscribe::run(&options),
        Bench::Registration(options) => registration::run(options).await,
        Bench::Push(options) => push::run(options).await,
        Bench::Sockets(options) => sockets::run(options).await,
        Bench::Soak(options) => soak::run(options).await,
    }
}
