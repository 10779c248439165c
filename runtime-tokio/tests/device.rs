//! `ntf device` and `ntf check` as processes: a device in its file from the first queue to its removal, what is said
//! of files that cannot be used, and what a check finds.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

#[test]
fn a_device_lives_in_a_file_from_its_first_queue_to_its_removal() {
    let folder = Folder::new("life");
    let (smp, state) = (Server::smp(), folder.path("device"));
    let made = json(&ntf(&["device", "add-queue", "--state", &state, "--smp", &smp.address, "--json"]));
    let address = made[0]["address"].as_str().unwrap();
    let linked = json(&ntf(&["device", "link", "--state", &state, "--json"]));
    assert_eq!(linked, made);
    let status = json(&ntf(&["device", "status", "--state", &state, "--json"]));
    assert_eq!((&status[0]["mode"], &status[0]["queues"]), (&"Direct".into(), &serde_json::json!([0])));

    let bytes = fs::read(&state).unwrap();
    let fingerprint = address.split(['/', '@']).nth(2).unwrap().as_bytes();
    assert!(!bytes.windows(fingerprint.len()).any(|window| window == fingerprint), "it is encrypted");

    good(&ntf(&["device", "send", address, "first"]));
    good(&ntf(&["device", "send", address, "second"]));
    let watch = ["device", "watch", "--state", &state, "--direct", "--messages", "2", "--json"];
    let told = json(&ntf(&watch));
    let messages: Vec<_> = told.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(messages, ["first", "second"]);

    good(&ntf(&["device", "remove", "--state", &state]));
    assert_eq!(folder.files(), [""; 0], "nothing is left");
    let refused = ntf(&["device", "status", "--state", &state]);
    assert!(words(&refused, 1).contains("There is no device in"));
}

#[test]
fn a_file_that_cannot_be_used_is_told_why() {
    let folder = Folder::new("faults");
    let (smp, state) = (Server::smp(), folder.path("device"));
    good(&ntf(&["device", "add-queue", "--state", &state, "--smp", &smp.address]));
    let status = ["device", "status", "--state", &state];
    let with = |passphrase: Option<&str>| {
        let mut command = command(&status);
        match passphrase {
            Some(passphrase) => command.env("NTF_PASSPHRASE", passphrase),
            None => command.env_remove("NTF_PASSPHRASE"),
        };
        command.output().unwrap()
    };
    assert!(words(&with(Some("wrong")), 1).contains("passphrase or key file is not the one"));
    assert!(words(&with(None), 2).contains("NTF_PASSPHRASE"));
    assert!(words(&with(Some("")), 2).contains("empty"));

    let good_bytes = fs::read(&state).unwrap();
    let mut damaged = good_bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&state, &damaged).unwrap();
    assert!(words(&ntf(&status), 1).contains("damaged"));
    fs::write(&state, b"something else").unwrap();
    assert!(words(&ntf(&status), 1).contains("not the file of a device"));
    fs::write(&state, &good_bytes).unwrap();
    good(&ntf(&status));

    // A key file is another secret.
    let key = folder.path("key");
    fs::write(&key, b"thirty-two bytes, or any number").unwrap();
    let other = folder.path("other");
    let keyed = ["device", "add-queue", "--state", &other, "--key-file", &key, "--smp", &smp.address];
    good(&ntf(&keyed));
    assert!(words(&ntf(&["device", "status", "--state", &other]), 1).contains("not the one"));
    good(&ntf(&["device", "status", "--state", &other, "--key-file", &key]));
}

#[test]
fn one_process_at_a_time_works_with_a_device() {
    let folder = Folder::new("lock");
    let (smp, state) = (Server::smp(), folder.path("device"));
    good(&ntf(&["device", "add-queue", "--state", &state, "--smp", &smp.address]));
    let watch = ["device", "watch", "--state", &state, "--direct", "--json"];
    let mut watching = command(&watch).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut told = BufReader::new(watching.stdout.take().unwrap()).lines();
    assert!(told.next().unwrap().unwrap().contains("direct"), "it is at work");
    assert!(words(&ntf(&["device", "status", "--state", &state]), 1).contains("Another process"));
    watching.kill().unwrap();
    watching.wait().unwrap();
    good(&ntf(&["device", "status", "--state", &state]));
}

#[test]
fn a_check_goes_through_every_step_and_leaves_nothing_behind() {
    let folder = Folder::new("check");
    let (smp, ca) = (Server::smp(), folder.path("ca.pem"));
    let server = Server::with_stand_in(&ca);
    let stand_in = server.stand_in.as_deref().unwrap();
    let all = ["--server", &server.address, "--smp", &smp.address, "--stand-in", stand_in];
    let told = json(&ntf(&[&["check", "--json", "--stand-in-ca", &ca], &all[..]].concat()));
    assert!(told.iter().all(|step| step["ok"] == true), "{told:?}");
    let steps: Vec<_> = told.iter().filter_map(|step| step["step"].as_str()).collect();
    let layers = ["address", "DNS", "TCP", "TLS", "hello"];
    let device = ["registration", "queue", "subscription", "sending", "message", "deletion", "leaving"];
    assert_eq!(steps, [&layers[..], &layers[..], &device[..]].concat());
}

#[test]
fn a_check_without_a_stand_in_registers_a_device_that_gets_no_pushes() {
    let folder = Folder::new("null");
    let (smp, server) = (Server::smp(), Server::with_stand_in(&folder.path("ca.pem")));
    let told = json(&ntf(&["check", "--json", "--server", &server.address, "--smp", &smp.address]));
    assert!(told.iter().all(|step| step["ok"] == true), "{told:?}");
    let of_the_device = told.iter().filter(|step| step["of"] == "device");
    let steps: Vec<_> = of_the_device.filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(steps, ["registration", "queue", "sending", "message", "deletion", "leaving"]);
}

#[test]
fn a_check_says_which_step_failed_and_what_to_do() {
    let folder = Folder::new("steps");
    let (smp, server) = (Server::smp(), Server::with_stand_in(&folder.path("ca.pem")));
    let failed = |addresses: &[&str]| {
        let output = ntf(&[&["check", "--json", "--server"], addresses].concat());
        words(&output, 1);
        let told = lines(&output);
        let step = told.iter().find(|step| step["ok"] == false).unwrap().clone();
        assert!(!step["remedy"].as_str().unwrap().is_empty());
        step["step"].as_str().unwrap().to_owned()
    };
    assert_eq!(failed(&["ntf://nonsense"]), "address");
    // A port that nobody listens on any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (before, _) = server.address.rsplit_once(':').unwrap();
    assert_eq!(failed(&[&format!("{before}:{port}")]), "TCP");
    // An SMP server where a subscriber should be.
    assert_eq!(failed(&[&smp.address.replace("smp://", "ntf://")]), "TLS");
    // Another server than the one of the address.
    let (identity, _) = server.address.rsplit_once('@').unwrap();
    let (_, place) = smp.address.rsplit_once('@').unwrap();
    let other = format!("{identity}@{place}").replace("ntf://", "smp://");
    assert_eq!(failed(&[&server.address, "--smp", &other]), "fingerprint");
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntf"));
    command.args(arguments).env("NTF_PASSPHRASE", "correct horse").stdin(Stdio::null());
    command
}

fn ntf(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn good(output: &Output) {
    words(output, 0);
}

/// What it said to people, if it ended so.
fn words(output: &Output, exit: i32) -> String {
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(exit), "{words} {out}");
    words
}

fn json(output: &Output) -> Vec<Value> {
    good(output);
    lines(output)
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A server in a process of its own, until this is dropped.
struct Server {
    child: Child,
    address: String,
    stand_in: Option<String>,
}

impl Server {
    fn smp() -> Self {
        let mut child = command(&["smp", "--listen", "127.0.0.1:0", "--round-ms", "10"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address = first_line(&mut child);
        Self { child, address, stand_in: None }
    }

    fn with_stand_in(ca: &str) -> Self {
        let arguments = ["server", "--listen", "127.0.0.1:0", "--allow-private-addresses"];
        let stand_in = ["--stand-in", "127.0.0.1:0", "--stand-in-ca", ca];
        let mut child = command(&[&arguments[..], &stand_in[..]].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let address = first_line(&mut child);
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let port = told.find_map(|line| {
            let (_, rest) = line.split_once("localhost:")?;
            Some(rest.chars().take_while(char::is_ascii_digit).collect::<String>())
        });
        // Read on, or the server would wait for room in the pipe.
        std::thread::spawn(move || told.for_each(drop));
        Self { child, address, stand_in: Some(format!("https://localhost:{}", port.unwrap())) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// A folder of this test's own, until this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ntf-device-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
