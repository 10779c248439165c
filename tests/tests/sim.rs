//! Whole towns in simulated time, each from one number: thousands of short lives and a long one, watched by
//! the simulator's oracle. `docs/TESTING.md` says what is promised and how to repeat a run that failed.

#![allow(clippy::panic, reason = "tests")]

use ntf_core::sim::{Recording, RecordingError, Run, Scenario, Size};
use ntf_tests::shards_wanted;
use std::num::NonZeroU8;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Short lives in a run of all tests.
const SEEDS: u64 = 2000;

/// Of these, lives that are played with several shards as well.
const SEEDS_SHARDED: u64 = 500;

/// Shards of those.
const SHARDS: NonZeroU8 = NonZeroU8::new(4).expect("four is not zero");

/// Hours of the long life.
const HOURS: u32 = 72;

/// Lines of the trace that a failure shows, unless `NTF_LINES` says otherwise.
const LINES: usize = 60;

#[test]
fn no_promise_is_broken_in_many_short_lives() {
    play_lives("no_promise_is_broken_in_many_short_lives", SEEDS, shards_wanted().unwrap_or(NonZeroU8::MIN));
}

#[test]
fn no_promise_is_broken_in_short_lives_with_several_shards() {
    let shards = shards_wanted().unwrap_or(SHARDS);
    play_lives("no_promise_is_broken_in_short_lives_with_several_shards", SEEDS_SHARDED, shards);
}

/// Plays short lives on all cores.
fn play_lives(test: &str, count: u64, shards: NonZeroU8) {
    let seeds = one_seed().map_or(0..count, |seed| seed..seed + 1);
    let draw = |seed| Scenario::draw(seed, Size::SHORT).sharded(shards);
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let report = Run::of(draw(seed));
                    if !report.violations.is_empty() {
                        failed.lock().expect("no thread panics while it holds the lock").push(seed);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("no thread panics while it holds the lock");
    failed.sort_unstable();
    if let Some(first) = failed.first() {
        fail(test, &failed, draw(*first));
    }
}

#[test]
fn no_promise_is_broken_in_a_long_life() {
    let seed = one_seed().unwrap_or(1);
    let shards = shards_wanted().unwrap_or(NonZeroU8::MIN);
    let scenario = Scenario::draw(seed, Size::long(HOURS)).sharded(shards);
    let report = Run::of(scenario.clone());
    if !report.violations.is_empty() {
        fail("no_promise_is_broken_in_a_long_life", &[seed], scenario);
    }
    assert!(report.sent > u64::from(HOURS), "only {} messages were sent", report.sent);
}

#[test]
fn a_recording_gives_the_same_run_again_and_a_changed_one_a_clear_error() {
    // The number of shards is recorded as well.
    let scenario = Scenario::draw(7, Size::SHORT).sharded(SHARDS);
    let with_one = Run::of(Scenario::draw(7, Size::SHORT)).hash;
    let recording = Recording::of(scenario.clone(), &Run::of(scenario));
    let bytes = recording.encode().expect("a short schedule");
    let read = Recording::decode(&bytes).expect("what was just written");
    assert_eq!(read, recording);
    assert_eq!(read.replay().hash, recording.hash());
    assert_ne!(read.replay().hash, with_one);

    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 1;
        }
        let expected = match place {
            0..=3 => RecordingError::NotARecording,
            4 => RecordingError::OtherVersion { found: 3, reads: 2 },
            _ => RecordingError::Damaged,
        };
        assert_eq!(Recording::decode(&changed), Err(expected), "byte {place}");
        let cut = bytes.get(..place).expect("within");
        assert!(Recording::decode(cut).is_err(), "cut to {place}");
    }
}

fn one_seed() -> Option<u64> {
    number_in("NTF_SEED")
}

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is to be a number, not {text:?}")))
}

fn fail(test: &str, failed: &[u64], scenario: Scenario) -> ! {
    let (seed, shards) = (scenario.seed, scenario.town.shards);
    let lines = number_in("NTF_LINES").and_then(|lines| usize::try_from(lines).ok()).unwrap_or(LINES);
    let commit = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = commit.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    panic!(
        "{}\nseeds that failed: {failed:?}\nseed {seed} at commit {}: repeat it with\n\
         NTF_SHARDS={shards} NTF_SEED={seed} cargo test -p ntf-tests --test sim -- --exact {test}",
        Run::explain(scenario, lines),
        commit.trim(),
    );
}
