//! `ntf bench sockets`, which is two processes: what it prints, and that no end of it leaves anything behind.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Nothing here takes this long, also in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program, with a folder of its own for what it writes for a while.
struct Program {
    child: Child,
    folder: PathBuf,
}

impl Program {
    fn start(name: &str, notifications: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-sockets-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let child = Command::new(env!("CARGO_BIN_EXE_ntf"))
            .args([
                "bench",
                "sockets",
                "--devices",
                "3",
                "--threads",
                "2",
                "--json",
                "--notifications",
                notifications,
            ])
            .env("TMPDIR", &folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        Self { child, folder }
    }

    /// Sends this signal once the server says something; gives what both say until both have ended, as both
    /// hold standard error.
    fn end_by(&mut self, signal: &str) -> String {
        let mut errors = BufReader::new(self.child.stderr.take().expect("standard error is piped"));
        let mut said = String::new();
        while !said.contains("this server has a new identity") {
            assert!(errors.read_line(&mut said).expect("text") > 0, "it has ended: {said}");
        }
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().expect("kill can be run");
        assert!(status.success());
        let (tell, rest) = mpsc::channel();
        thread::spawn(move || {
            let mut rest = String::new();
            let _ = errors.read_to_string(&mut rest);
            let _ = tell.send(rest);
        });
        said + &rest.recv_timeout(PATIENCE).expect("both end")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails when it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn files_in(folder: &PathBuf) -> usize {
    fs::read_dir(folder).expect("the folder").count()
}

#[test]
fn the_last_line_holds_the_figures() {
    let mut program = Program::start("figures", "100");
    let mut printed = String::new();
    let mut output = program.child.stdout.take().expect("standard output is piped");
    let mut errors = program.child.stderr.take().expect("standard error is piped");
    output.read_to_string(&mut printed).expect("text");
    let mut said = String::new();
    errors.read_to_string(&mut said).expect("text");
    assert!(program.child.wait().expect("it was started").success(), "{said}");
    let figures: Value = serde_json::from_str(printed.lines().last().expect("a line")).expect("JSON");
    for name in
        ["notifications_per_s", "c_us", "p50_ms", "p99_ms", "p999_ms_at_10", "p999_ms_at_50", "p999_ms_at_90"]
    {
        assert!(figures[name].as_f64().is_some_and(|figure| figure > 0.0), "{name} in {figures}");
    }
    // So few may take less than the hundredth of a second in which the system counts.
    for name in ["cpu_us_per_notification", "c_per_notification"] {
        assert!(figures[name].as_f64().is_some_and(|figure| figure >= 0.0), "{name} in {figures}");
    }
    assert_eq!(files_in(&program.folder), 0);
}

#[test]
fn whoever_interrupts_it_finds_nothing_left() {
    let mut program = Program::start("interrupted", "100000000");
    let said = program.end_by("-TERM");
    assert!(said.contains("SIGTERM: nothing is measured."), "{said}");
    assert_eq!(program.child.wait().expect("it was started").code(), Some(1));
    assert_eq!(files_in(&program.folder), 0);
}

#[test]
fn the_server_does_not_outlive_a_bench_that_was_killed() {
    let mut program = Program::start("killed", "100000000");
    let said = program.end_by("-KILL");
    assert!(said.contains("End of input: closing connections"), "{said}");
}
