//! A server that is measured while it pushes to a stand-in, with what it needs for that.

use std::net::SocketAddr;

use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::wire::text::address::parse_server;
use serde_json::Value;

use super::process::{Process, cannot_start};
use super::scratch::Scratch;
use crate::identity::write_new;
use crate::program::failure::Failure;
use crate::program::usage::{self, ThreadTime};
use crate::standin::Trial;

/// A running server. Dropping this ends it, and it ends by itself when this process is gone.
pub(super) struct Measured {
    process: Process,
    pub(super) address: ServerAddress,
    /// Where its numbers are, if it shows them.
    pub(super) metrics: Option<SocketAddr>,
}

/// What a bench wants of the server beyond the usual.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    /// What is in its file.
    pub(super) settings: Option<&'a str>,
    /// It shows its numbers.
    pub(super) has_metrics: bool,
}

impl Measured {
    /// Starts it on so many threads; it sends its pushes to this stand-in.
    pub(super) async fn start(threads: u8, trial: &Trial, wanted: Wanted<'_>) -> Result<Self, Failure> {
        let folder = Scratch::new().map_err(|error| cannot_start(&error))?;
        let (ca, key) = (folder.path().join("ca.crt"), folder.path().join("key.p8"));
        write_new(&ca, trial.stand_in().ca_pem(), 0o644).map_err(|error| cannot_start(&error))?;
        write_new(&key, trial.key_pem(), 0o600).map_err(|error| cannot_start(&error))?;
        let (file, identity) = (folder.path().join("server.toml"), folder.path().join("identity"));
        if let Some(settings) = wanted.settings {
            write_new(&file, settings, 0o600).map_err(|error| cannot_start(&error))?;
        }
        // By the time it says where it is, it has read the files of the folder, which goes with this function.
        let (process, line) = Process::start(threads, |command| {
            command.args(["--allow-private-addresses", "--apns", &trial.stand_in().endpoint(), "--apns-ca"]);
            command.arg(&ca).arg("--apns-key").arg(&key);
            command.args(["--apns-key-id", trial.key_id(), "--apns-team-id", trial.team_id()]);
            if wanted.settings.is_some() {
                command.arg("--config").arg(&file).arg("--dir").arg(&identity);
            }
            if wanted.has_metrics {
                command.args(["--metrics", "127.0.0.1:0"]);
            }
        })
        .await?;
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        let text = |name| said.get(name).and_then(Value::as_str);
        let address = text("address").and_then(|address| parse_server(address, Protocol::Ntf).ok());
        let address =
            address.ok_or_else(|| Failure::failed("The server to measure does not say where it is."))?;
        let metrics = text("metrics").and_then(|metrics| metrics.parse().ok());
        Ok(Self { process, address, metrics })
    }

    /// What the system calls it.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Processor time of its threads so far.
    pub(super) fn threads(&self) -> Vec<ThreadTime> {
        usage::threads_of(self.process.id())
    }

    /// Memory it uses, in bytes.
    pub(super) fn resident(&self) -> Option<u64> {
        usage::resident_bytes_of(self.process.id())
    }

    /// Memory of its own, without the program, in bytes.
    pub(super) fn own(&self) -> Option<u64> {
        usage::own_bytes_of(self.process.id())
    }

    /// Files and sockets it has open.
    pub(super) fn files(&self) -> Option<u64> {
        usage::files_of(self.process.id())
    }
}
