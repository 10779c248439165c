//! The stage gives the same runs on every target: fingerprints of a few, which native programs and browsers are held to.
//!
//! A change that is meant to change runs changes the list: the failure prints the new one.

#[cfg(target_arch = "wasm32")]
#[macro_use(test)]
extern crate ntf_tests;

#[cfg(target_arch = "wasm32")]
ntf_tests::wasm_bindgen_test_configure!(run_in_browser);

use ntf_core::sim::stage::{Deed, Network, Options, Party, Policy, Shape, Stage};
use ntf_core::sim::{Run, Scenario, Size};

const STAGES: [(u64, Shape, Policy, bool, Network, &str); 4] = [
    (
        1,
        Shape::Split,
        Policy::Mutable,
        false,
        Network::Wifi,
        "b8b7905a891dafb55a191ad571739589d8fa1238b758ab6b4d044aef3ec4e8d1",
    ),
    (
        2,
        Shape::Split,
        Policy::HiddenThenVisible,
        true,
        Network::Carrier,
        "94bef76dd9f39bcdce1ebf09c1f06cce9104ad3c235cbb6b22264dd43d8d8344",
    ),
    (
        3,
        Shape::Single,
        Policy::VisibleOnly,
        false,
        Network::Wifi,
        "626ee190f7678302fdaa6a60a816103209e4da98cfe02031383c768894f903fb",
    ),
    (
        u64::MAX,
        Shape::Single,
        Policy::Mutable,
        false,
        Network::Carrier,
        "d595fe1c31b7b8b78a1e5d23f51e06d407ed4a72d8c63a58c0a6b0ed2c84fd9e",
    ),
];

const TOWNS: [(u64, &str); 3] = [
    (1, "542d881234cac599f3f2c3da32647666a1949807d8523434c7876f9fb567b4a8"),
    (7, "9d6fc91c99f945c3c5da40af96ab9d8021e62aae917672fc5d90b6ac3de69b79"),
    (131, "17fc92fb68daf10a7f8a017db3e3425e88442e5c49f303d3f1805ff58366de14"),
];

#[test]
fn stages_have_their_fingerprints_on_every_target() {
    let mut found = Vec::new();
    for (seed, shape, policy, sealed, network, _) in STAGES {
        let mut stage = Stage::new(Options { seed, shape, policy, sealed, network }).expect("lawful options");
        let go_on = |stage: &mut Stage, minutes: u64| {
            let until = stage.now() + core::time::Duration::from_secs(60 * minutes);
            while stage.now() < until {
                stage.run(until, 100);
            }
        };
        go_on(&mut stage, 2);
        for deed in [
            Deed::Autoplay(true),
            Deed::Flood(Party::DeviceA),
            Deed::Kill(Party::Subscriber),
            Deed::Start(Party::Subscriber),
            Deed::Cut(Party::Smp1, Party::DeviceC),
            Deed::Mend(Party::Smp1, Party::DeviceC),
            Deed::OpenApp(Party::DeviceB),
        ] {
            stage.act(deed).expect("a deed that makes sense");
            go_on(&mut stage, 3);
        }
        assert_eq!(stage.broken(), [""; 0], "seed {seed}");
        found.push(stage.trace_hash().to_string());
        let mut again = Stage::replay(&stage.trace()).expect("what was just written");
        assert_eq!(again.play(), Some(true), "seed {seed}");
    }
    assert_eq!(found, STAGES.map(|(.., expected)| expected));
}

#[test]
fn towns_have_their_fingerprints_on_every_target() {
    let mut found = Vec::new();
    for (seed, _) in TOWNS {
        let report = Run::of(Scenario::draw(seed, Size::SHORT));
        assert!(report.violations.is_empty(), "seed {seed}");
        found.push(report.hash.to_string());
    }
    assert_eq!(found, TOWNS.map(|(_, expected)| expected));
}
