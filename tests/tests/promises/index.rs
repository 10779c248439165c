//! `README.md` beside this file is held to the code: no item of the checklist and no defect is left out, and
//! every test it names is one.

use std::fs;
use std::path::Path;

use ntf_tests::places::{ROOT, spans};

#[test]
fn every_item_of_the_checklist_has_a_test_or_a_reason() {
    check("Checklist", &(1..=34).map(|item| item.to_string()).collect::<Vec<_>>());
}

#[test]
fn every_defect_of_the_reference_has_a_test_or_a_reason() {
    check("Defects", &(1..=26).map(|defect| format!("D{defect}")).collect::<Vec<_>>());
}

#[test]
fn everything_bad_that_somebody_may_do_has_a_test() {
    assert!(rows("Bad input").len() >= 7);
}

#[test]
fn every_promise_of_direct_connections_has_a_test() {
    assert!(rows("Direct connections").len() >= 4);
}

fn check(heading: &str, expected: &[String]) {
    assert_eq!(rows(heading), expected);
}

/// The first cells of the table under this heading; each row has tests that exist, or words that begin with
/// "None: ".
fn rows(heading: &str) -> Vec<String> {
    let path = Path::new(ROOT).join("tests/tests/promises/README.md");
    let text = fs::read_to_string(path).expect("the list");
    let (_, rest) = text.split_once(&format!("## {heading}\n")).expect("the heading");
    let table = rest.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
    let mut names = Vec::new();
    // Past the head and the line under it.
    for row in rows.skip(2) {
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        let [name, says, tests] = cells[..] else { panic!("a row of {} cells: {row}", cells.len()) };
        assert!(!says.is_empty(), "{name} says something");
        names.push(name.to_owned());
        if let Some(why) = tests.strip_prefix("None: ") {
            assert!(!why.is_empty(), "{name}: no test, and no reason");
            continue;
        }
        let places = spans(tests);
        assert!(!places.is_empty(), "{name}: neither a test nor a reason");
        for place in places {
            assert!(place.files().any(|file| place.is_test_in(&file)), "{name}: {place:?} is no test");
        }
    }
    names
}
