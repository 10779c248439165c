//! While the program carries pushes, no thread and no reactor of tokio exists in its process.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[test]
fn the_demonstration_runs_without_any_part_of_tokio() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_ntf-smol"))
        .args(["demo", "--messages", "40"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let process = PathBuf::from(format!("/proc/{}", demo.id()));
    let (mut seen, mut told) = (Seen::default(), String::new());
    // A line for each message that came through, and a look at the process after each.
    for line in BufReader::new(demo.stdout.take().expect("it is piped")).lines() {
        told.push_str(&line.expect("the program writes text"));
        seen.look(&process);
    }
    assert!(demo.wait().expect("it ends").success(), "{told}");
    assert!(told.contains("40 fetched and opened, 0 lost"), "{told}");

    let Seen { threads, reactors_max } = seen;
    assert!(threads.contains("smol-1") && threads.contains("async-io"), "the test sees threads: {threads:?}");
    assert!(threads.iter().all(|name| !name.starts_with("tokio")), "{threads:?}");
    assert_eq!(reactors_max, 1, "one reactor, async-io's");
}

#[derive(Default)]
struct Seen {
    threads: BTreeSet<String>,
    reactors_max: usize,
}

impl Seen {
    /// Notes what the process has. What has gone since the folder was read is passed over.
    fn look(&mut self, process: &Path) {
        for task in fs::read_dir(process.join("task")).into_iter().flatten().flatten() {
            let name = fs::read_to_string(task.path().join("comm"));
            self.threads.extend(name.map(|name| name.trim().to_owned()));
        }
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let is_reactor = |file: &fs::DirEntry| {
            fs::read_link(file.path()).is_ok_and(|target| target.to_string_lossy().contains("eventpoll"))
        };
        self.reactors_max = self.reactors_max.max(files.filter(is_reactor).count());
    }
}
