//! `ntf replay` with records of the stage: what it prints, and how it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ntf_core::base::time::Mono;
use ntf_core::sim::stage::{Deed, Options, Party, Stage};

fn replay(file: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntf"));
    command.arg("replay").args(options).arg(file).output().expect("the program that was built runs")
}

fn record(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> (PathBuf, String) {
    let mut stage = Stage::new(Options::default()).expect("the usual options are lawful");
    stage.run(Mono::from_micros(60_000_000), 10_000);
    stage.act(Deed::Send { device: Party::DeviceC, text: "Hello".into() }).expect("its queues exist");
    stage.run(Mono::from_micros(70_000_000), 10_000);
    let mut trace = stage.trace();
    change(&mut trace);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, trace).expect("the folder for tests can be written");
    (path, stage.trace_hash().to_string())
}

#[test]
fn a_record_is_played_to_the_same_fingerprint() {
    let (path, hash) = record("same.ntft", |_| {});
    let output = replay(&path, &["--json"]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert!(output.status.success(), "{object}");
    assert_eq!((&object["hash"], &object["same"]), (&hash.into(), &true.into()));
    assert_eq!((&object["sent"], &object["learned"]), (&1.into(), &1.into()));
    let people = String::from_utf8_lossy(&replay(&path, &[]).stdout).into_owned();
    assert!(people.contains("kept    every message accounted for: 1 sent: 1 read"), "{people}");
}

#[test]
fn a_damaged_record_gets_a_sentence_and_exit_code_1() {
    let (path, _) = record("damaged.ntft", |trace| trace.truncate(40));
    let output = replay(&path, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("damaged"), "{output:?}");
}
