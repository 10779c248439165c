//! One script of scenarios, played on every runtime over loopback sockets and in the simulator: what the
//! parties come to see of each other is the same everywhere.
//!
//! `script` is the story, `ground` what it needs of a place to play on, `sockets` a place with real servers
//! (compiled once for each adapter), `simulated` the one without a network.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::wildcard_enum_match_arm, reason = "tests")]
#![allow(clippy::duplicate_mod, reason = "`sockets` is compiled against each adapter")]

mod ground;
mod on_smol;
mod on_tokio;
mod script;
mod simulated;

use ground::Ground;
use script::{SCENARIOS, play};
use simulated::Simulated;

/// Plays all scenarios, each on a ground of its own, and compares with the simulator.
fn conforms<G: Ground>(start: impl Fn() -> G) {
    for (name, scenario) in SCENARIOS {
        let expected = play(Simulated::start(), scenario);
        assert_eq!(play(start(), scenario), expected, "{name}");
    }
}

#[test]
fn tokio_on_one_thread_plays_the_script() {
    conforms(|| on_tokio::start(1));
}

#[test]
fn tokio_on_two_threads_plays_the_script() {
    conforms(|| on_tokio::start(2));
}

#[test]
fn smol_on_an_executor_of_ours_plays_the_script() {
    conforms(|| on_smol::start(2));
}

#[test]
fn smol_on_its_global_executor_plays_the_script() {
    conforms(on_smol::start_on_global);
}

#[test]
fn async_std_plays_the_script() {
    conforms(on_smol::start_on_async_std);
}

#[test]
fn the_script_tells_what_happens() {
    let told: Vec<_> =
        SCENARIOS.iter().map(|(name, scenario)| (*name, play(Simulated::start(), scenario))).collect();
    let lines = |name: &str| -> Vec<&str> {
        let found = told.iter().find(|(told, _)| *told == name);
        found.map(|(_, lines)| lines.iter().map(String::as_str).collect()).unwrap_or_default()
    };
    assert_eq!(
        lines("registration and verification"),
        [
            "device 0: Token(Registered)",
            "device 0: Token(Active)",
            "subscriber knows 1 device tokens, 0 notifier ids, 0 SMP servers, 0 notices"
        ]
    );
    assert!(lines("delivery").contains(&"device 0: Message(hello 3)"), "{:?}", lines("delivery"));
    for (name, lines) in &told {
        assert!(lines.len() >= 3, "{name} tells next to nothing: {lines:?}");
    }
}
