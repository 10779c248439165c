//! `ntf replay`: recorded runs, played again: of `ntf sim`, and of the stage in the web page.
//!
//! Which of the two a file is, its first bytes say.

use std::fs;

use ntf_core::sim::stage::{self, Stage};
use ntf_core::sim::{Recording, RecordingError, Run};
use serde_json::json;

use crate::program::announce::print;
use crate::program::cli::Replay;
use crate::program::failure::Failure;

/// What came of a run.
struct Replayed {
    lines: String,
    hash: String,
    steps: u64,
    simulated_s: f64,
    sent: u64,
    learned: u64,
    is_same: bool,
    broken: Vec<String>,
}

/// Runs `ntf replay`.
///
/// # Errors
///
/// When the file is no recording of this version, or the run differs from the one recorded or broke a
/// promise.
pub fn run(options: &Replay) -> Result<(), Failure> {
    let path = options.file.display();
    let bytes =
        fs::read(&options.file).map_err(|error| Failure::failed(format!("Cannot read {path}: {error}.")))?;
    let replayed = if bytes.starts_with(&stage::MAGIC) {
        of_stage(&bytes, options)
    } else {
        of_scenario(&bytes, options)
    };
    let replayed = replayed.map_err(|error| Failure::failed(format!("Cannot replay {path}: {error}.")))?;
    tell(&replayed, options.json);
    if !replayed.is_same {
        return Err(Failure::failed("The run differs from the one recorded: the program has changed since."));
    }
    match replayed.broken.len() {
        0 => Ok(()),
        broken => Err(Failure::failed(format!("The run broke {broken} promises."))),
    }
}

fn of_scenario(bytes: &[u8], options: &Replay) -> Result<Replayed, RecordingError> {
    let recording = Recording::decode(bytes)?;
    let report = recording.replay();
    let lines =
        if options.json { String::new() } else { Run::explain(recording.scenario.clone(), options.lines) };
    Ok(Replayed {
        lines,
        hash: report.hash.to_string(),
        steps: report.steps,
        simulated_s: report.simulated.as_secs_f64(),
        sent: report.sent,
        learned: report.learned,
        is_same: report.hash == recording.hash(),
        broken: report.violations.iter().map(ToString::to_string).collect(),
    })
}

fn of_stage(bytes: &[u8], options: &Replay) -> Result<Replayed, RecordingError> {
    let mut stage = Stage::replay(bytes)?;
    if !options.json {
        stage.keep_lines(options.lines);
    }
    let is_same = stage.play() == Some(true);
    let account = stage.snapshot().account;
    let mut lines: String = stage.lines().map(|line| line + "\n").collect();
    for law in stage.snapshot().laws {
        let mark = if law.holds { "kept  " } else { "BROKEN" };
        lines.push_str(&format!("{mark}  {}: {}\n", law.name, law.text));
    }
    Ok(Replayed {
        lines,
        hash: stage.trace_hash().to_string(),
        steps: stage.steps(),
        simulated_s: stage.now().since(ntf_core::Mono::ZERO).as_secs_f64(),
        sent: account.sent.into(),
        learned: (account.read + account.shown).into(),
        is_same,
        broken: stage.broken(),
    })
}

fn tell(replayed: &Replayed, as_json: bool) {
    let Replayed { lines, hash, steps, simulated_s, sent, learned, is_same, broken } = replayed;
    if as_json {
        let object = json!({
            "hash": hash, "same": is_same, "steps": steps, "simulated_s": simulated_s, "sent": sent,
            "learned": learned, "broken": broken,
        });
        return print(&object.to_string());
    }
    print(lines.trim_end());
    print(&format!(
        "{steps} steps in {simulated_s:.1} s of virtual time; {learned} of {sent} messages learned; fingerprint {hash}"
    ));
}
