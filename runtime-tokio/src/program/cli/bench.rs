//! The command line of `ntf bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What is measured.
#[derive(Clone, Debug, Subcommand)]
pub enum Bench {
    /// The subscriber's machine alone: from a block of an SMP server to encrypted payloads, beside the bare
    /// cryptography.
    Core(BenchCore),
    /// What a subscriber holds in memory for each token and subscription, and what making them takes.
    Memory(BenchMemory),
    /// All SMP servers restart: how long until every queue is watched again, and how pushes fare meanwhile.
    Resubscribe(BenchResubscribe),
    /// What a subscriber costs that has nothing to do.
    Idle(BenchIdle),
    /// Devices: links opened, and registrations from TNEW to the push with the code, at `ntf server` in a process of its
    /// own.
    Registration(BenchRegistration),
    /// Pushes: from orders through a relay link, a push server, HTTP/2 and TLS to a stand-in for Apple.
    Push(BenchPush),
    /// Notifications: from an SMP server through `ntf server` in a process of its own to a stand-in for Apple.
    Sockets(BenchSockets),
    /// Every bench that has a size, at several sizes, and how what they measure grows.
    All(BenchAll),
    /// Everything at once for a long time, with faults: whether each message arrives, and whether memory, descriptors
    /// and counters of lost work end where they began.
    Soak(BenchSoak),
}

/// Options of `ntf bench core`.
#[derive(Clone, Debug, Args)]
pub struct BenchCore {
    /// Blocks of each kind to measure.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rounds: u32,
    /// Time nothing: hand in so many blocks with this many NMSG each, for a profiler that counts instructions.
    #[arg(long, value_name = "NMSG", value_parser = clap::value_parser!(u8).range(1..=80))]
    pub count_instructions: Option<u8>,
    /// Print the figures as one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
}

/// How many there are of what.
#[derive(Clone, Debug, Args)]
pub struct Size {
    /// Subscriptions of all tokens together; each has the same number. A million take some minutes.
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub subscriptions: u64,
    /// Tokens, each of a device of its own.
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub tokens: u32,
    /// SMP servers, over which queues are spread evenly.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub servers: u8,
}

/// Options of `ntf bench memory`.
#[derive(Clone, Debug, Args)]
pub struct BenchMemory {
    /// The population.
    #[command(flatten)]
    pub size: Size,
    /// Print the figures as one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf bench resubscribe`.
#[derive(Clone, Debug, Args)]
pub struct BenchResubscribe {
    /// The population.
    #[command(flatten)]
    pub size: Size,
    /// The servers know the subscriber by a certificate, and one command brings all queues back.
    #[arg(long)]
    pub services: bool,
    /// Print the figures as one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf bench idle`.
#[derive(Clone, Debug, Args)]
pub struct BenchIdle {
    /// Subscriptions of the largest machine, and of the server that is a process; other machines have a tenth of it, 1000 and 10.
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub subscriptions: u64,
    /// How long to watch a server that is a process of its own, in seconds.
    #[arg(long, default_value_t = 60, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Print the figures as one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf bench registration`.
#[derive(Clone, Debug, Args)]
pub struct BenchRegistration {
    /// Devices, each with a link of its own that stays open. The stand-in remembers no more than ten thousand.
    #[arg(long, default_value_t = 5000, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=9000))]
    pub links: u32,
    /// Links that are being opened, or registrations under way, at a time.
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub at_once: u32,
    /// Threads of the server, each with a shard of the subscriber.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub threads: u8,
    /// Print the figures as one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf bench sockets`.
#[derive(Clone, Debug, Args)]
pub struct BenchSockets {
    /// Threads of the server, each with a shard of the subscriber.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub threads: u8,
    /// Notifications to measure, after those that warm up.
    #[arg(long, default_value_t = 30_000, value_name = "N", value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub notifications: u64,
    /// Devices, with one queue and at most one notification on its way each.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub devices: u32,
    /// Print the figures as one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf bench soak`.
#[derive(Clone, Debug, Args)]
pub struct BenchSoak {
    /// How long, in minutes; the tide that is under way then is the last.
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_080))]
    pub minutes: u64,
    /// Threads of the server, each with a shard of the subscriber.
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub threads: u8,
    /// Devices that are there at a time. All come from one address, of which the server takes one registration a
    /// second in the long run.
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=40))]
    pub devices: u32,
    /// Messages a second, as long as they arrive as fast.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// Print the figures as one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf bench push`.
#[derive(Clone, Debug, Args)]
pub struct BenchPush {
    /// Pushes to measure, after those that warm up.
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub pushes: u64,
    /// Orders a second: they come evenly, as those of many devices do. What a busy machine misses is not made up
    /// for by a burst.
    #[arg(long, default_value_t = 5500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// Orders that are out at a time, at most; beyond it the next one waits.
    #[arg(long, default_value_t = 800, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub outstanding: u32,
    /// How long the stand-in takes to answer, in milliseconds.
    #[arg(long, default_value_t = 50, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub answer_ms: u64,
    /// Devices, which take turns.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub devices: u32,
    /// Length that payloads are padded to before encryption, in bytes.
    #[arg(long, default_value_t = 2880, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(512..=2912))]
    pub padded_length: u16,
    /// Print the figures as one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf bench all`.
#[derive(Clone, Debug, Args)]
pub struct BenchAll {
    /// Subscriptions of the populations, a token for each hundred of them.
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 4000, 16_000, 64_000], value_name = "N,…", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub subscriptions: Vec<u64>,
    /// Links that are opened, and devices that register over them. The system counts processor time in hundredths of a
    /// second, so fewer say little.
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 2000, 4000, 8000], value_name = "N,…", value_parser = clap::value_parser!(u32).range(100..=9000))]
    pub links: Vec<u32>,
    /// Devices that get notifications from socket to socket. A source address may have three hundred.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 30, 90, 270], value_name = "N,…", value_parser = clap::value_parser!(u32).range(1..=300))]
    pub devices: Vec<u32>,
    /// Blocks of each kind that the core is given.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rounds: u32,
    /// Notifications from socket to socket, for each number of devices.
    #[arg(long, default_value_t = 5000, value_name = "N", value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub notifications: u64,
    /// How long to watch an idle server, in seconds.
    #[arg(long, default_value_t = 10, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Write a chart of each figure into this folder, as an SVG file.
    #[arg(long, value_name = "DIR")]
    pub svg: Option<PathBuf>,
    /// Print the figures as one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
}
