//! `docs/COMPLIANCE.md` says where each rule of the two protocols is and which test holds it. Here the
//! document is held to the code: what a row names must exist, and what is done must have a test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;

use ntf_tests::places::{Place, ROOT, spans};

const STATES: [&str; 4] = ["done", "partly", "not yet", "differs"];

#[test]
fn every_place_that_the_document_names_exists() {
    let mut places = 0;
    for rule in rules() {
        for place in rule.places.iter().chain(&rule.tests) {
            places += 1;
            assert!(place.files().any(|file| place.is_in(&file)), "{}: there is no {place:?}", rule.name);
        }
    }
    assert!(places > 100, "the tables are read: {places} places");
}

#[test]
fn every_test_that_the_document_names_is_a_test() {
    for rule in rules() {
        for test in &rule.tests {
            assert!(test.files().any(|file| test.is_test_in(&file)), "{}: {test:?} is no test", rule.name);
        }
    }
}

#[test]
fn what_is_done_has_a_place_and_a_test_and_what_is_not_yet_claims_neither() {
    for rule in rules() {
        let state = STATES.into_iter().find(|state| rule.state.starts_with(state));
        let state = state.unwrap_or_else(|| panic!("{}: no state is called {:?}", rule.name, rule.state));
        let has = (!rule.places.is_empty(), !rule.tests.is_empty());
        match state {
            "done" => assert_eq!(has, (true, true), "{}: done, with place and test", rule.name),
            "not yet" => assert_eq!(has, (false, false), "{}: not yet, so nothing is claimed", rule.name),
            _ => assert!(
                rule.state.len() > state.len() + 2,
                "{}: {state} needs a word of what is missing or why",
                rule.name
            ),
        }
    }
}

/// One row of a table of rules.
struct Rule {
    name: String,
    places: Vec<Place>,
    tests: Vec<Place>,
    state: String,
}

fn rules() -> Vec<Rule> {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/COMPLIANCE.md")).unwrap();
    let mut is_rules = false;
    let mut rules = Vec::new();
    for line in text.lines() {
        let Some(row) = line.strip_prefix('|') else {
            is_rules = false;
            continue;
        };
        // A pipe inside a cell is written as an entity.
        let cells: Vec<&str> = row.trim_end().trim_end_matches('|').split('|').map(str::trim).collect();
        match cells.as_slice() {
            ["§", "Rule", "Where", "Test", "State"] => is_rules = true,
            [dashes, ..] if dashes.starts_with("--") => {}
            [section, rule, places, tests, state] if is_rules => rules.push(Rule {
                name: format!("{section} {rule}"),
                places: spans(places),
                tests: spans(tests),
                state: (*state).to_owned(),
            }),
            cells => assert!(!is_rules, "a row of {} cells: {line}", cells.len()),
        }
    }
    assert!(rules.len() > 100, "the tables are read: {} rules", rules.len());
    rules
}
