//! The demonstration of `ntf-smol demo`, on async-std.

use clap::{Parser, Subcommand};
use ntf_runtime_smol::program::failure::Failure;
use ntf_runtime_smol::program::{cli, demo};

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole system at work on loopback.
    Demo(cli::Demo),
}

fn main() -> Result<(), Failure> {
    let Command::Demo(options) = Cli::parse().command;
    async_std::task::block_on(demo::run(options))
}
