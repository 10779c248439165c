//! The server that is measured: `ntf server`, this very program, in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use ntf_core::base::rng::Stream;
use ntf_core::host::oneshot;
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::wire::text::address::parse_server;

use crate::identity::write_new;
use crate::program::announce::randomness;
use crate::program::failure::Failure;
use crate::program::usage::{self, ThreadTime};
use crate::standin::Trial;
use crate::wait::timeout;

/// It starts within milliseconds.
const START_MAX: Duration = Duration::from_secs(20);

/// A running server. Dropping this ends it, and it ends by itself when this process is gone.
pub(super) struct Measured {
    process: Process,
    pub(super) address: ServerAddress,
}

impl Measured {
    /// Starts it on so many threads; it sends its pushes to this stand-in.
    pub(super) async fn start(threads: u8, trial: &Trial) -> Result<Self, Failure> {
        let cannot = |error| Failure::failed(format!("Cannot start a server to measure: {error}."));
        let folder = Folder::new().map_err(cannot)?;
        let (ca, key) = (folder.0.join("ca.crt"), folder.0.join("key.p8"));
        write_new(&ca, trial.stand_in().ca_pem(), 0o644).map_err(cannot)?;
        write_new(&key, trial.key_pem(), 0o600).map_err(cannot)?;
        let child = Command::new(std::env::current_exe().map_err(cannot)?)
            .args(["server", "--listen", "127.0.0.1:0", "--json", "--allow-private-addresses"])
            .args(["--until-input-ends", "--threads", &threads.to_string()])
            .args(["--apns", &trial.stand_in().endpoint(), "--apns-ca"])
            .arg(&ca)
            .arg("--apns-key")
            .arg(&key)
            .args(["--apns-key-id", trial.key_id(), "--apns-team-id", trial.team_id()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(cannot)?;
        let mut process = Process(child);
        let output = process.0.stdout.take();
        let (tell, told) = oneshot::channel();
        // Reading waits, which no task may. The thread ends with the line, or with the server.
        thread::spawn(move || {
            let mut line = String::new();
            let read = output.map(|output| BufReader::new(output).read_line(&mut line));
            let _ = tell.send(read.is_some_and(|read| read.is_ok()).then_some(line));
        });
        let line = timeout(START_MAX, told).await.ok().and_then(Result::ok).flatten();
        let address = line.and_then(|line| {
            let object: serde_json::Value = serde_json::from_str(&line).ok()?;
            parse_server(object.get("address")?.as_str()?, Protocol::Ntf).ok()
        });
        // By now it has read the files of the folder, which ends here.
        let address = address.ok_or_else(|| {
            Failure::failed("The server to measure has not come up; what it said stands above.")
        })?;
        Ok(Self { process, address })
    }

    /// Processor time of its threads so far.
    pub(super) fn threads(&self) -> Vec<ThreadTime> {
        usage::threads_of(self.process.0.id())
    }

    /// Memory it uses, in bytes.
    pub(super) fn resident(&self) -> Option<u64> {
        usage::resident_bytes_of(self.process.0.id())
    }
}

/// Ends when this is dropped. What it holds is in memory and of no worth, so it is not asked to finish anything.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when it has ended, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder that goes with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let number =
            u64::from_le_bytes(randomness().map_err(std::io::Error::other)?.stream(Stream::Ids).bytes());
        let path = std::env::temp_dir().join(format!("ntf-bench-{number:016x}"));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!("{} is left behind: {error}", self.0.display());
        }
    }
}
