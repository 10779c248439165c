//! The program `ntf-smol`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ntf_runtime_smol::program::failure::Failure;
use ntf_runtime_smol::program::{bench, cli, config, demo, logging, push, server, smp, subscriber};
use ntf_runtime_smol::rt;

/// Private push notifications for the SimpleX network, on smol.
#[derive(Debug, Parser)]
#[command(name = "ntf-smol", version, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// What to do. The program `ntf` does more.
#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole system at work on loopback: messages from senders to devices, and who learned what.
    Demo(cli::Demo),
    /// Run the notifications subscriber and the push server in one process.
    Server(Box<cli::Server>),
    /// Run the notifications subscriber alone; its push server is another process.
    Subscriber(cli::WithConfig),
    /// Run the push server alone, for subscribers that are other processes.
    Push(cli::WithConfig),
    /// Write the settings and keys of a server, and print what others need to know of it.
    Init(cli::Init),
    /// Run a small SMP server: queues in memory, for trying things out.
    Smp(cli::Smp),
    /// Measure what this machine can do.
    #[command(subcommand)]
    Bench(cli::Bench),
}

fn main() -> ExitCode {
    // A wrong command line ends here with exit code 2 and clap's explanation.
    let cli = Cli::parse();
    logging::start();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ntf-smol: {failure}");
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
            Command::Bench(options) => bench::run(options).await,
            Command::Init(options) => config::init(&options),
            Command::Smp(options) => smp::run(options).await,
        }
    };
    rt::run(threads, work)
        .map_err(|error| Failure::failed(format!("Cannot start the runtime's threads: {error}.")))?
}

/// Threads that run tasks.
const THREADS: usize = 2;
