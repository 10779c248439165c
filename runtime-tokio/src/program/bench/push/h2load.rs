//! The same requests from `h2load`, which does nothing but HTTP/2 and TLS: what the stand-in can answer.

use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::{env, fs, thread};

use ntf_core::host::oneshot;
use ntf_core::push::effect::Request;

use crate::identity::write_new;

/// What it is called, and how to get it.
const PROGRAM: &str = "h2load";
const HOW_TO_INSTALL: &str = "install Debian's package nghttp2-client for it";

/// What it is to do.
pub(super) struct Plan {
    /// The stand-in, as `https://localhost:7443`.
    pub(super) endpoint: String,
    /// The request to repeat.
    pub(super) request: Request,
    /// How often.
    pub(super) requests: u32,
    /// Streams at a time, on one connection.
    pub(super) streams: usize,
}

/// Requests a second. The error is a sentence.
pub(super) async fn measure(plan: Plan) -> Result<f64, String> {
    let (tell, told) = oneshot::channel();
    // A thread of its own, for the runtime's are the stand-in's meanwhile.
    thread::spawn(move || drop(tell.send(run(&plan))));
    told.await.unwrap_or_else(|_| Err(format!("{PROGRAM} was not waited for.")))
}

fn run(plan: &Plan) -> Result<f64, String> {
    let body = Scratch::write(&plan.request.body)
        .map_err(|error| format!("No file for the request of {PROGRAM}: {error}."))?;
    let mut command = Command::new(PROGRAM);
    command.args(["-t1", "-c1", &format!("-n{}", plan.requests), &format!("-m{}", plan.streams)]);
    for (name, value) in &plan.request.headers {
        command.arg("-H").arg(format!("{name}: {value}"));
    }
    command.arg("-d").arg(&body.0).arg(format!("{}{}", plan.endpoint, plan.request.path));
    match command.output() {
        Ok(output) => read(output.status, &String::from_utf8_lossy(&output.stdout), plan.requests),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("{PROGRAM} is not installed, so there is nothing to compare with: {HOW_TO_INSTALL}."))
        }
        Err(error) => Err(format!("{PROGRAM} does not run: {error}.")),
    }
}

/// The lines `finished in 1.00s, 5000.10 req/s, 20.1MB/s` and `status codes: 5000 2xx, 0 3xx, …`.
fn read(status: ExitStatus, output: &str, requests: u32) -> Result<f64, String> {
    let rate = output
        .lines()
        .find(|line| line.starts_with("finished in"))
        .and_then(|line| line.split(", ").find_map(|part| part.strip_suffix(" req/s")?.parse().ok()));
    let is_all_well = output.contains(&format!("status codes: {requests} 2xx, "));
    match rate {
        Some(rate) if is_all_well && status.success() => Ok(rate),
        Some(_) | None => Err(format!("{PROGRAM} was not answered 200 each time; {status}.")),
    }
}

/// A file that goes when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn write(bytes: &[u8]) -> io::Result<Self> {
        // The folder is everybody's: a name that can be guessed may be a link that somebody else has put there.
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(io::Error::other)?;
        let path = env::temp_dir().join(format!("ntf-bench-{:032x}.json", u128::from_ne_bytes(name)));
        write_new(&path, bytes, 0o600)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    /// As printed by version 1.52.0.
    const OUTPUT: &str = "\nfinished in 202.63ms, 493.51 req/s, 1.90MB/s\n\
        requests: 100 total, 100 started, 100 done, 100 succeeded, 0 failed, 0 errored, 0 timeout\n\
        status codes: 100 2xx, 0 3xx, 0 4xx, 0 5xx\n";

    #[test]
    fn its_output_is_read() {
        let ok = ExitStatus::from_raw(0);
        assert_eq!(read(ok, OUTPUT, 100), Ok(493.51));
        for (status, output, requests) in [
            (ok, OUTPUT, 101),
            (ok, "", 100),
            (ExitStatus::from_raw(256), OUTPUT, 100),
            (ok, &OUTPUT.replace("100 2xx, 0", "99 2xx, 1"), 100),
        ] {
            assert!(read(status, output, requests).is_err(), "{output}");
        }
    }

    #[test]
    fn its_file_is_a_new_one_for_its_owner_and_goes() {
        let files = [b"1", b"2"].map(|bytes| Scratch::write(bytes).unwrap());
        assert_eq!(files.each_ref().map(|file| fs::read(&file.0).unwrap()), [b"1", b"2"]);
        for file in files {
            assert_eq!(fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
            let path = file.0.clone();
            drop(file);
            assert!(!path.exists());
        }
    }
}
