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
        "16fbe4603c756293b1468c4913d2f17c38eb8ed575e2878e48714ecefbb461ff",
    ),
    (
        2,
        Shape::Split,
        Policy::HiddenThenVisible,
        true,
        Network::Carrier,
        "25a7addf407f8afe5307fd1bb93cc2fee4c0cc51a328840dad71651032694bee",
    ),
    (
        3,
        Shape::Single,
        Policy::VisibleOnly,
        false,
        Network::Wifi,
        "96e9f9c42306be36d4c992a95644fc797ed55a4f0dcff895b41ed065e421bdd2",
    ),
    (
        u64::MAX,
        Shape::Single,
        Policy::Mutable,
        false,
        Network::Carrier,
        "c5a3acc8bf941cb304481e4b08c0bc569f6387f3a4c2249c84edd173a9e775cd",
    ),
];

const TOWNS: [(u64, &str); 3] = [
    (1, "042ae7de905e6e3c708f8a7323df5d571698b26cc0a3bb74e3e126b697a9d296"),
    (7, "ced5db6d0c31d9d5dfb2d2468c3ea1d3ff7ca721b729f6a2f18b6e35472ea0ac"),
    (131, "fb7e21e434c96e7e45e7bfceaa86ce68a0983b2ee392535981dba807b9e4bba9"),
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
