//! `docs/COMPLIANCE.md` says where each rule of the two protocols is and which test holds it. Here the
//! document is held to the code: what a row names must exist, and what is done must have a test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Where the paths of the document begin, in this order.
const BASES: [&str; 3] = ["ntf-core/src", "tests/tests", "."];

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

/// `path :: name`: something in a file, or in a folder's files. The path is without `.rs`.
#[derive(Debug)]
struct Place {
    path: String,
    name: String,
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

/// The code spans of a cell.
fn spans(cell: &str) -> Vec<Place> {
    cell.split('`').skip(1).step_by(2).map(Place::read).collect()
}

impl Place {
    fn read(span: &str) -> Self {
        let (path, name) = span.split_once(" :: ").unwrap_or_else(|| panic!("{span} is no place"));
        assert!(!name.trim().is_empty(), "{span} names nothing");
        Self { path: path.to_owned(), name: name.to_owned() }
    }

    /// The texts of the file and of the files in the folder, under the first base that has either.
    fn files(&self) -> impl Iterator<Item = String> {
        let found = BASES.into_iter().map(|base| {
            let path = Path::new(ROOT).join(base).join(&self.path);
            let mut files = Vec::new();
            collect(&path, &mut files);
            let file = path.with_extension("rs");
            files.extend(file.is_file().then_some(file));
            files
        });
        let files = found.into_iter().find(|files| !files.is_empty());
        files.unwrap_or_else(|| panic!("nothing is at {}", self.path)).into_iter().map(|path| {
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        })
    }

    /// Whether the text defines the name; `Type::item` wants both.
    fn is_in(&self, text: &str) -> bool {
        self.name.split("::").all(|name| text.lines().any(|line| defines(line.trim_start(), name)))
    }

    fn is_test_in(&self, text: &str) -> bool {
        let head = format!("fn {}(", self.name);
        text.find(&head).is_some_and(|at| {
            let before = &text[..at];
            let attributes = &before[before.rfind(['}', ';']).unwrap_or(0)..];
            attributes.contains("#[test]") || attributes.contains("#[tokio::test")
        })
    }
}

/// Whether a line begins the definition of an item, a variant or a field of this name.
fn defines(line: &str, name: &str) -> bool {
    let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let Some(at) = words.iter().position(|word| *word == name) else { return false };
    const KEYWORDS: [&str; 9] = ["fn", "struct", "enum", "trait", "const", "static", "type", "mod", "union"];
    let is_item = at > 0 && KEYWORDS.contains(&words[at - 1]);
    let is_field = line.starts_with("pub") && line.contains(&format!("{name}: "));
    let is_type = name.starts_with(char::is_uppercase);
    let rest = line.strip_prefix(name).filter(|_| is_type);
    let is_variant = rest.is_some_and(|rest| rest.starts_with([',', '(']) || rest.starts_with(" {"));
    is_item || is_field || is_variant
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
