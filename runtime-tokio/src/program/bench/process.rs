//! `ntf server`, this very program, in a process of its own: what benches measure.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use ntf_core::host::oneshot;

use crate::program::failure::Failure;
use crate::wait::timeout;

/// It starts within milliseconds.
const START_MAX: Duration = Duration::from_secs(20);

/// A server that runs. Ends when this is dropped, and by itself when this process is gone: what it holds is in memory
/// and of no worth, so it is not asked to finish anything.
pub(super) struct Process(Child);

impl Process {
    /// Starts it on so many threads, with what `more` adds to its command line; gives what it says of itself once it
    /// listens, a line of JSON.
    pub(super) async fn start(
        threads: u8,
        more: impl FnOnce(&mut Command),
    ) -> Result<(Self, String), Failure> {
        let mut command = Command::new(std::env::current_exe().map_err(|error| cannot_start(&error))?);
        command
            .args(["server", "--listen", "127.0.0.1:0", "--json", "--until-input-ends"])
            .args(["--threads", &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        more(&mut command);
        let mut process = Self(command.spawn().map_err(|error| cannot_start(&error))?);
        let output = process.0.stdout.take();
        let (tell, told) = oneshot::channel();
        // Reading waits, which no task may. The thread ends with the line, or with the server.
        thread::spawn(move || {
            let mut line = String::new();
            let read = output.map(|output| BufReader::new(output).read_line(&mut line));
            let _ = tell.send(matches!(read, Some(Ok(length)) if length > 0).then_some(line));
        });
        match timeout(START_MAX, told).await {
            Ok(Ok(Some(line))) => Ok((process, line)),
            Ok(Ok(None) | Err(_)) | Err(_) => {
                Err(Failure::failed("The server to measure has not come up; what it said stands above."))
            }
        }
    }

    /// What the system calls it.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when it has ended, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a person is told when there is no server to measure.
pub(super) fn cannot_start(error: &std::io::Error) -> Failure {
    Failure::failed(format!("Cannot start a server to measure: {error}."))
}
