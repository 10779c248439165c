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
        "edd59152253fae0e8abea2e8f941d83c12ba604ae9dabe2cd35adae9b74eaa31",
    ),
    (
        2,
        Shape::Split,
        Policy::HiddenThenVisible,
        true,
        Network::Carrier,
        "b913eb84c0d51c4da1cc6d8b6c52a353f2c4624c773b24cbea389a2dc9ad399f",
    ),
    (
        3,
        Shape::Single,
        Policy::VisibleOnly,
        false,
        Network::Wifi,
        "3191e91423e2b6454fac218fef645a066d202cc9c3fb2fe01d9aaead7acedd9c",
    ),
    (
        u64::MAX,
        Shape::Single,
        Policy::Mutable,
        false,
        Network::Carrier,
        "5376c40d38ee5dbff8d0360e215236e74b8bd755532fbdfd4822a8fed069a8c2",
    ),
];

const TOWNS: [(u64, &str); 3] = [
    (1, "1267f43db038a5e9e87075c24f4358bd590f81096d496e0d5d600f4eb054bd34"),
    (7, "2bec67e174b221985764e3e7430c267980d92b190d81d8a3646ccfb5e28138b5"),
    (131, "938e77ab7a9ef608b9ed532d4754ae9a8836bb4c24aa783bbc4998b158ddc76a"),
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
