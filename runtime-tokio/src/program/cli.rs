//! The command line.

mod bench;

pub use bench::{
    Bench, BenchAll, BenchCore, BenchIdle, BenchMemory, BenchPush, BenchRegistration, BenchResubscribe,
    BenchSoak, BenchSockets, Size,
};

use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ntf_core::delivery::policy::PushPolicy;

use crate::program::config::Kind;
use crate::program::hardening::MemoryLock;

/// Private push notifications for the SimpleX network.
#[derive(Debug, Parser)]
#[command(name = "ntf", version, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// So many shards as an option says, or one for each core.
#[must_use]
pub fn shards(threads: Option<u8>) -> NonZeroU8 {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroU8::new(threads.unwrap_or(u8::try_from(cores).unwrap_or(u8::MAX))).unwrap_or(NonZeroU8::MIN)
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole system at work on loopback: messages from senders to devices, and who learned what.
    Demo(Demo),
    /// Run the notifications subscriber and the push server in one process.
    Server(Box<Server>),
    /// Run the notifications subscriber alone; its push server is another process.
    Subscriber(WithConfig),
    /// Run the push server alone, for subscribers that are other processes.
    Push(WithConfig),
    /// Write the settings and keys of a server, and print what others need to know of it.
    Init(Init),
    /// Say whether a device can use an installation: each layer of each server, then a registration, a queue and a
    /// message.
    Check(Check),
    /// Run a small SMP server: queues in memory, for trying things out.
    Smp(Smp),
    /// Run a stand-in for Apple's push service, as strict as the real one.
    StandIn(StandIn),
    /// Be a device: wait for pushes and fetch messages, or send one.
    #[command(subcommand)]
    Device(Device),
    /// Simulate towns of devices and servers, faults included, and check every promise.
    Sim(Sim),
    /// Play a recorded run again, of `ntf sim` or of the web page, and show what happened and what the oracle says.
    Replay(Replay),
    /// Measure what this machine can do.
    #[command(subcommand)]
    Bench(Bench),
}

/// Options of `ntf check`.
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// The subscriber, as `ntf server` prints it: ntf://…@host:port
    #[arg(long, value_name = "ADDRESS")]
    pub server: String,
    /// An SMP server, as `ntf smp` prints it: smp://…@host:port. Without it, no queue is made.
    #[arg(long, value_name = "ADDRESS")]
    pub smp: Option<String>,
    /// The stand-in's endpoint, such as https://localhost:7443, where the push server sends to one: then pushes
    /// are checked too. Without it, a device of the provider that pushes to nobody is registered.
    #[arg(long, value_name = "URL", requires = "stand_in_ca")]
    pub stand_in: Option<String>,
    /// PEM file with the stand-in's CA certificate.
    #[arg(long, value_name = "FILE", requires = "stand_in")]
    pub stand_in_ca: Option<PathBuf>,
    /// One JSON object per step on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf sim`.
#[derive(Clone, Debug, Args)]
pub struct Sim {
    /// Runs to make, each from a number of its own.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub seeds: u64,
    /// The first number.
    #[arg(long, default_value_t = 0, value_name = "S")]
    pub from: u64,
    /// Let each town live so many simulated hours, with more devices; without it, twenty minutes and what
    /// follows.
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub hours: Option<u32>,
    /// Shards of each subscriber, whose letters to each other are late by chance. Nothing that is promised depends
    /// on their number.
    #[arg(long, default_value = "1", value_name = "N")]
    pub shards: NonZeroU8,
    /// Only measure: how fast a calm day of 10 devices with 20 queues each goes by, with a message a minute.
    #[arg(long, conflicts_with_all = ["seeds", "hours", "trace", "json"])]
    pub speed: bool,
    /// Only live through days of a device with direct connections, on each kind of network, with pings at the
    /// interval that is learned and at fixed ones; print when the latest message came and what it cost.
    #[arg(long, conflicts_with_all = ["seeds", "hours", "trace", "speed"])]
    pub direct: bool,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
    /// Record the first run that failed, or else the first one, to this file.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// Options of `ntf replay`.
#[derive(Clone, Debug, Args)]
pub struct Replay {
    /// The recording.
    pub file: PathBuf,
    /// Lines to show, the last ones.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub lines: usize,
    /// Print one JSON object instead.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Messages to send.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub messages: u32,
    /// Devices to register.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub devices: u32,
    /// Devices with direct connections beside them: no token, no push, nothing for anybody but the SMP server.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub direct: u32,
    /// Queues of each device, each with a sender of its own.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub queues: u32,
    /// Pause between the SMP server's rounds of notifications, in milliseconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub round_ms: u64,
    /// Threads of the notification server, each with a shard of the subscriber; without it, one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub threads: Option<u8>,
    /// Run subscriber and push server apart, with a relay link between them.
    #[arg(long)]
    pub split: bool,
    /// Seal device tokens to the push server, so that the subscriber cannot read them.
    #[arg(long, requires = "split")]
    pub sealed: bool,
    /// How devices learn of messages: mutable, hidden-then-visible or visible-only.
    #[arg(long, default_value = "mutable", value_name = "POLICY", value_parser = policy)]
    pub policy: PushPolicy,
    /// Print one JSON object on the last line instead of a table.
    #[arg(long)]
    pub json: bool,
}

fn policy(name: &str) -> Result<PushPolicy, String> {
    let names = PushPolicy::ALL.map(PushPolicy::name);
    PushPolicy::by_name(name).ok_or_else(|| format!("it must be one of {}", names.join(", ")))
}

/// Options of `ntf subscriber` and `ntf push`.
#[derive(Clone, Debug, Args)]
pub struct WithConfig {
    /// The settings, as `ntf init` writes them.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Print the address as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf init`.
#[derive(Clone, Debug, Args)]
pub struct Init {
    /// The kind of server.
    #[arg(value_enum)]
    pub kind: Kind,
    /// Folder to write to; made if it is not there. Files that are there already are left alone.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Host name or address under which others reach the server; may be given several times. Default: localhost.
    #[arg(long)]
    pub host: Vec<String>,
    /// Address and port to listen on. Default: all addresses, at the protocol's port.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Of a subscriber: its push server, as `ntf init push` prints it: relay://…@host:port
    #[arg(long, value_name = "ADDRESS")]
    pub push_server: Option<String>,
}

/// Where a server listens and who it is.
#[derive(Clone, Debug, Args)]
pub struct Listen {
    /// Host name or address that clients use; goes into the printed address. [default: localhost]
    #[arg(long)]
    pub host: Option<String>,
    /// Folder with ca.crt, server.crt and server.key (PEM). Made there if the folder holds none of them.
    /// Without it the server has a new identity at each start.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["chain", "key"])]
    pub dir: Option<PathBuf>,
    /// PEM file with the certificates of an existing server: leaf first, then the identity certificate.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub chain: Option<PathBuf>,
    /// PEM file with the private key (PKCS#8) of the leaf certificate in --chain.
    #[arg(long, value_name = "FILE", requires = "chain")]
    pub key: Option<PathBuf>,
}

/// Options of `ntf smp`.
#[derive(Clone, Debug, Args)]
pub struct Smp {
    /// Settings, as `ntf init smp` writes them. Other options go before them.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes any free one. [default: 127.0.0.1:5223]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Identity and name.
    #[command(flatten)]
    pub identity: Listen,
    /// Highest version of the SMP protocol to offer.
    #[arg(long, default_value_t = 18, value_parser = clap::value_parser!(u16).range(6..=18))]
    pub version_max: u16,
    /// Pause between rounds of notifications, in milliseconds. [default: 1500]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub round_ms: Option<u64>,
    /// Print the address as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf server`.
#[derive(Clone, Debug, Args)]
pub struct Server {
    /// Settings, as `ntf init server` writes them. Other options go before them.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes any free one. [default: 127.0.0.1:5443]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Identity and name.
    #[command(flatten)]
    pub identity: Listen,
    /// Apple's key.
    #[command(flatten)]
    pub apns: Apns,
    /// Highest version of the NTF protocol to offer.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=3))]
    pub version_max: u16,
    /// Length that payloads are padded to before encryption, in bytes. 2912 is the most that keeps the
    /// request within Apple's documented 4096 bytes; the reference uses 3072. [default: 2880]
    #[arg(long, value_parser = clap::value_parser!(u16).range(512..=16_000))]
    pub padded_length: Option<u16>,
    /// Show SMP servers that ask for it a certificate, a different one each, made at start: they then
    /// remember which queues are watched by this server, and one command brings all of them back after a
    /// lost connection.
    #[arg(long)]
    pub service_certificates: bool,
    /// Connect to SMP servers at private addresses as well: this host, the local network and the like. Whoever
    /// can register a device then makes this server connect there.
    #[arg(long)]
    pub allow_private_addresses: bool,
    /// How devices learn of messages: `mutable`, alerts with the encrypted notices, which stock apps replace by
    /// what they find; `hidden-then-visible`, hidden pushes as far as the budget of a device goes and then an
    /// alert that says nothing; `visible-only`, that alert alone. [default: mutable]
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    pub push_policy: Option<PushPolicy>,
    /// Show what was counted at http://ADDR:PORT/metrics, as OpenMetrics text. No number names anybody, but
    /// together they tell how busy this server is and when, so the address has to be of this host.
    #[arg(long, value_name = "ADDR:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Let --metrics listen where other hosts can read it.
    #[arg(long, requires = "metrics")]
    pub metrics_anywhere: bool,
    /// Threads, each with a shard of the subscriber; without it, one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub threads: Option<u8>,
    /// Keep the process's memory out of swap. Core dumps are off in any case. [default: try]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub lock_memory: Option<MemoryLock>,
    /// Print the address as JSON on standard output.
    #[arg(long)]
    pub json: bool,
    /// Stop, as at SIGTERM, also when standard input ends: a program that starts this one and holds the other end
    /// of a pipe takes it along, however it ends itself.
    #[arg(long)]
    pub until_input_ends: bool,
}

/// How to reach Apple.
#[derive(Clone, Debug, Args)]
pub struct Apns {
    /// Run a stand-in for Apple inside this process at this address, for trying things out. Device tokens of
    /// provider `AT` go there. Its CA certificate is written to --stand-in-ca.
    #[arg(long, value_name = "ADDR:PORT", requires = "stand_in_ca", conflicts_with_all = ["apns", "apns_ca", "apns_key"])]
    pub stand_in: Option<SocketAddr>,
    /// File to write the stand-in's CA certificate to, for `ntf device`.
    #[arg(long, value_name = "FILE", requires = "stand_in")]
    pub stand_in_ca: Option<PathBuf>,
    /// Endpoint for device tokens of provider `AT`, such as https://localhost:7443. Without it such tokens are
    /// refused.
    #[arg(long, value_name = "URL", requires = "apns_key")]
    pub apns: Option<String>,
    /// PEM file with the CA certificate of that endpoint. Without it the system's CAs are trusted.
    #[arg(long, value_name = "FILE")]
    pub apns_ca: Option<PathBuf>,
    /// Apple's signing key, a PKCS#8 PEM file (`AuthKey_….p8`).
    #[arg(long, value_name = "FILE", requires_all = ["apns_key_id", "apns_team_id"])]
    pub apns_key: Option<PathBuf>,
    /// The key's id, ten characters.
    #[arg(long, value_name = "ID")]
    pub apns_key_id: Option<String>,
    /// The developer team's id, ten characters.
    #[arg(long, value_name = "ID")]
    pub apns_team_id: Option<String>,
    /// The app's bundle id. [default: chat.simplex.app]
    #[arg(long, value_name = "TOPIC")]
    pub apns_topic: Option<String>,
}

/// Options of `ntf stand-in`.
#[derive(Clone, Debug, Args)]
pub struct StandIn {
    /// Address and port to listen on; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:7443", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// Folder to write ca.crt and the signing key apns-key.p8 to, for `ntf server`.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The only app that is known.
    #[arg(long, value_name = "TOPIC", default_value = "chat.simplex.app")]
    pub topic: String,
    /// Print the endpoint as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What a device does.
#[derive(Clone, Debug, Subcommand)]
pub enum Device {
    /// Register a device with a subscriber, prove it by a push of the stand-in, and keep it in a file.
    Register(Register),
    /// Create queues for a device, and print where to send. Makes a device without registration where there is
    /// no file.
    AddQueue(AddQueue),
    /// Print once more where to send.
    Link(Link),
    /// Send one message to an address that `ntf device link` or `ntf device watch` printed.
    Send(Send),
    /// Wait for messages: of the device in a file, by pushes or with --direct straight from its SMP servers; or of
    /// a device that is registered for the occasion and forgotten at the end.
    Watch(Watch),
    /// Say what a device's file holds. Asks no server.
    Status(Kept),
    /// Delete a queue, or the device with everything of it on servers.
    Remove(Remove),
}

/// The file that a device is kept in.
#[derive(Clone, Debug, Args)]
pub struct Kept {
    /// The device's file. It is encrypted with the passphrase in NTF_PASSPHRASE, or with --key-file.
    #[arg(long, value_name = "FILE")]
    pub state: PathBuf,
    /// File whose content encrypts the device's file.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// One JSON object per line on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf device register`.
#[derive(Clone, Debug, Args)]
pub struct Register {
    /// The file.
    #[command(flatten)]
    pub kept: Kept,
    /// The subscriber, as `ntf server` prints it: ntf://…@host:port
    #[arg(long, value_name = "ADDRESS")]
    pub server: String,
    /// Where pushes come from: the stand-in's endpoint, such as https://localhost:7443
    #[arg(long, value_name = "URL")]
    pub stand_in: String,
    /// PEM file with the stand-in's CA certificate.
    #[arg(long, value_name = "FILE")]
    pub stand_in_ca: PathBuf,
    /// Seal the device token to the push server with this sealing key, as `ntf push` prints it. The subscriber
    /// has to take sealed tokens.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub sealed: Option<String>,
}

/// Options of `ntf device add-queue`.
#[derive(Clone, Debug, Args)]
pub struct AddQueue {
    /// The file.
    #[command(flatten)]
    pub kept: Kept,
    /// An SMP server, as `ntf smp` prints it: smp://…@host:port
    #[arg(long, value_name = "ADDRESS")]
    pub smp: String,
    /// Queues to create.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub number: u32,
}

/// Options of `ntf device link`.
#[derive(Clone, Debug, Args)]
pub struct Link {
    /// The file.
    #[command(flatten)]
    pub kept: Kept,
    /// This queue only.
    #[arg(long, value_name = "N")]
    pub queue: Option<u32>,
}

/// Options of `ntf device remove`.
#[derive(Clone, Debug, Args)]
pub struct Remove {
    /// The file.
    #[command(flatten)]
    pub kept: Kept,
    /// This queue only; without it, the whole device and its file.
    #[arg(long, value_name = "N")]
    pub queue: Option<u32>,
}

/// Options of `ntf device watch`.
#[derive(Clone, Debug, Args)]
pub struct Watch {
    /// The file of a device that `ntf device register` or `add-queue` made, encrypted as they say.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["server", "smp", "stand_in", "stand_in_ca", "sealed", "queues"])]
    pub state: Option<PathBuf>,
    /// File whose content encrypts the device's file.
    #[arg(long, value_name = "FILE", requires = "state")]
    pub key_file: Option<PathBuf>,
    /// Hold connections to the device's SMP servers, which hand messages over as they come, without any push.
    #[arg(long, requires = "state")]
    pub direct: bool,
    /// The subscriber, as `ntf server` prints it: ntf://…@host:port
    #[arg(long, value_name = "ADDRESS", required_unless_present = "state")]
    pub server: Option<String>,
    /// An SMP server, as `ntf smp` prints it: smp://…@host:port
    #[arg(long, value_name = "ADDRESS", required_unless_present = "state")]
    pub smp: Option<String>,
    /// Where pushes come from: the stand-in's endpoint, such as https://localhost:7443
    #[arg(long, value_name = "URL", required_unless_present = "state")]
    pub stand_in: Option<String>,
    /// PEM file with the stand-in's CA certificate.
    #[arg(long, value_name = "FILE", required_unless_present = "state")]
    pub stand_in_ca: Option<PathBuf>,
    /// Seal the device token to the push server with this sealing key, as `ntf push` prints it. The subscriber
    /// has to take sealed tokens.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub sealed: Option<String>,
    /// Queues to create.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub queues: u32,
    /// Stop after so many messages; without it, at SIGINT or SIGTERM.
    #[arg(long, value_name = "N")]
    pub messages: Option<u64>,
    /// One JSON object per line on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `ntf device send`.
#[derive(Clone, Debug, Args)]
pub struct Send {
    /// The address that `ntf device watch` printed.
    pub address: String,
    /// The message, up to 16048 bytes.
    pub message: String,
    /// One JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}
