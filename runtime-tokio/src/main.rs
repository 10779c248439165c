//! The program `ntf`.

use std::process::ExitCode;

use clap::Parser;
use ntf_runtime_tokio::program::cli::{Cli, Command};
use ntf_runtime_tokio::program::failure::Failure;
use ntf_runtime_tokio::program::{
    bench, check, config, demo, device, logging, push, replay, server, sim, smp, stand_in, subscriber,
};
use ntf_runtime_tokio::rt;

fn main() -> ExitCode {
    // A wrong command line ends here with exit code 2 and clap's explanation.
    let cli = Cli::parse();
    logging::start();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ntf: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    // A server has threads of its own; the main one waits for their end.
    let threads = if matches!(cli.command, Command::Server(_)) { 1 } else { THREADS };
    let work = async {
        match cli.command {
            Command::Demo(options) => demo::run(options).await,
            Command::Server(options) => server::run(*options).await,
            Command::Subscriber(options) => subscriber::run(options).await,
            Command::Push(options) => push::run(options).await,
            Command::Smp(options) => smp::run(options).await,
            Command::StandIn(options) => stand_in::run(options).await,
            Command::Check(options) => check::run(options).await,
            Command::Device(options) => device::run(options).await,
            Command::Bench(options) => bench::run(options).await,
            // These wait for nothing, so they may as well run on this thread.
            Command::Init(options) => config::init(&options),
            Command::Sim(options) => sim::run(&options),
            Command::Replay(options) => replay::run(&options),
        }
    };
    rt::run(threads, work)
        .map_err(|error| Failure::failed(format!("Cannot start the runtime's threads: {error}.")))?
}

/// Threads that run tasks.
const THREADS: usize = 2;
