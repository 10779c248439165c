//! One script of scenarios, played on every runtime over loopback sockets and in the simulator: what the
//! parties come to see of each other is the same everywhere.
//!
//! `script` is the story, `ground` what it needs of a place to play on, `sockets` a place with real servers
//! (compiled once for each adapter), `simulated` the one without a network.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::wildcard_enum_match_arm, reason = "tests")]
#![allow(clippy::duplicate_mod, reason = "`sockets` is compiled against each adapter")]

mod apart;
mod ground;
mod on_smol;
mod on_tokio;
mod script;
mod simulated;

use std::num::NonZeroU8;

use ground::Ground;
use ntf_core::host::stop::{Cause, Stop};
use ntf_core::host::wake::block_on;
use script::{SCENARIOS, play, send_one};
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

/// Shards of a subscriber that has several.
const SHARDS: u8 = 4;

#[test]
fn four_shards_in_the_simulator_play_the_script() {
    conforms(|| Simulated::start_sharded(NonZeroU8::new(SHARDS).expect("some")));
}

#[test]
fn four_shards_on_tokio_play_the_script() {
    conforms(|| {
        on_tokio::start_sharded(SHARDS, || {
            assert!(tokio::runtime::Handle::try_current().is_ok(), "tasks run on tokio");
        })
    });
}

#[test]
fn four_shards_on_smol_play_the_script() {
    conforms(|| on_smol::start_sharded(SHARDS, on_smol::assert_no_tokio));
}

#[test]
fn a_subscriber_on_tokio_plays_the_script_with_a_push_server_on_either() {
    for push_server in [on_tokio::push_server, on_smol::push_server] {
        conforms(|| on_tokio::start_apart(push_server));
    }
}

#[test]
fn a_subscriber_on_smol_plays_the_script_with_a_push_server_on_either() {
    for push_server in [on_tokio::push_server, on_smol::push_server] {
        conforms(|| on_smol::start_apart(push_server));
    }
}

/// What an embedder's callback may do wrong.
fn fail() {
    panic!("a callback fails on purpose");
}

fn is_a_shard_that_panicked(cause: &Cause) -> bool {
    matches!(cause, Cause::Died { who, by_panic: true } if who.starts_with("subscriber shard "))
}

#[test]
fn a_callback_that_panics_on_tokio_stops_all_threads_and_is_named() {
    let ground = send_one(on_tokio::start_sharded(SHARDS, fail));
    assert!(is_a_shard_that_panicked(&ground.ended()));
    // Everybody else ends in good order; the server does not claim to.
    assert_eq!(ground.drain(), ["SMP server", "every device"]);
}

#[test]
fn a_callback_that_panics_on_smol_stops_all_threads_and_is_named() {
    let ground = send_one(on_smol::start_sharded(SHARDS, fail));
    assert!(is_a_shard_that_panicked(&ground.ended()));
    assert_eq!(ground.drain(), ["SMP server", "every device"]);
}

/// All threads end though nobody stopped them, and tell why.
fn ends_without_its_owner(end: &Stop) {
    block_on(end.deserted());
    let cause = end.cause().expect("it has ended");
    assert_eq!(cause.to_string(), "the owner of the server was dropped before it had finished");
}

#[test]
fn an_embedders_tokio_runtime_that_is_dropped_takes_the_threads_along() {
    ends_without_its_owner(&send_one(on_tokio::start_sharded(SHARDS, || {})).abandon());
}

#[test]
fn an_embedders_smol_executor_that_is_dropped_takes_the_threads_along() {
    ends_without_its_owner(&send_one(on_smol::start_sharded(SHARDS, || {})).abandon());
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
    assert_eq!(
        lines("delivery").last(),
        Some(
            &"milestones: received 0, ordered 0, received 1, ordered 1, received 2, ordered 2, received 3, ordered 3"
        )
    );
    for (name, lines) in &told {
        assert!(lines.len() >= 3, "{name} tells next to nothing: {lines:?}");
    }
}
