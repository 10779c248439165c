//! The server that is measured, with what it needs to push to a stand-in.

use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::wire::text::address::parse_server;

use crate::identity::write_new;
use crate::program::bench::process::{Process, cannot_start};
use crate::program::bench::scratch::Scratch;
use crate::program::failure::Failure;
use crate::program::usage::{self, ThreadTime};
use crate::standin::Trial;

/// A running server. Dropping this ends it, and it ends by itself when this process is gone.
pub(super) struct Measured {
    process: Process,
    pub(super) address: ServerAddress,
}

impl Measured {
    /// Starts it on so many threads; it sends its pushes to this stand-in. Where there are settings, they are those of
    /// its file.
    pub(super) async fn start(threads: u8, trial: &Trial, settings: Option<&str>) -> Result<Self, Failure> {
        let folder = Scratch::new().map_err(|error| cannot_start(&error))?;
        let (ca, key) = (folder.path().join("ca.crt"), folder.path().join("key.p8"));
        write_new(&ca, trial.stand_in().ca_pem(), 0o644).map_err(|error| cannot_start(&error))?;
        write_new(&key, trial.key_pem(), 0o600).map_err(|error| cannot_start(&error))?;
        let (file, identity) = (folder.path().join("server.toml"), folder.path().join("identity"));
        if let Some(settings) = settings {
            write_new(&file, settings, 0o600).map_err(|error| cannot_start(&error))?;
        }
        // By the time it says where it is, it has read the files of the folder, which goes with this function.
        let (process, line) = Process::start(threads, |command| {
            command.args(["--allow-private-addresses", "--apns", &trial.stand_in().endpoint(), "--apns-ca"]);
            command.arg(&ca).arg("--apns-key").arg(&key);
            command.args(["--apns-key-id", trial.key_id(), "--apns-team-id", trial.team_id()]);
            if settings.is_some() {
                command.arg("--config").arg(&file).arg("--dir").arg(&identity);
            }
        })
        .await?;
        let address = serde_json::from_str::<serde_json::Value>(&line)
            .ok()
            .and_then(|object| parse_server(object.get("address")?.as_str()?, Protocol::Ntf).ok());
        let address =
            address.ok_or_else(|| Failure::failed("The server to measure does not say where it is."))?;
        Ok(Self { process, address })
    }

    /// Processor time of its threads so far.
    pub(super) fn threads(&self) -> Vec<ThreadTime> {
        usage::threads_of(self.process.id())
    }

    /// Memory it uses, in bytes.
    pub(super) fn resident(&self) -> Option<u64> {
        usage::resident_bytes_of(self.process.id())
    }
}
