//! `path :: name`, as documents write it: something in a file or in a folder's files, held to the code.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a helper of tests fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the workspace.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Where the paths begin, in this order.
const BASES: [&str; 3] = ["ntf-core/src", "tests/tests", "."];

/// `path :: name`: something in a file, or in a folder's files. The path is without `.rs`.
#[derive(Debug)]
pub struct Place {
    path: String,
    name: String,
}

/// The code spans of a cell.
#[must_use]
pub fn spans(cell: &str) -> Vec<Place> {
    cell.split('`').skip(1).step_by(2).map(Place::read).collect()
}

impl Place {
    fn read(span: &str) -> Self {
        let (path, name) = span.split_once(" :: ").unwrap_or_else(|| panic!("{span} is no place"));
        assert!(!name.trim().is_empty(), "{span} names nothing");
        Self { path: path.to_owned(), name: name.to_owned() }
    }

    /// The texts of the file and of the files in the folder, under the first base that has either.
    pub fn files(&self) -> impl Iterator<Item = String> {
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
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.name.split("::").all(|name| text.lines().any(|line| defines(line.trim_start(), name)))
    }

    /// Whether the text has a test of this name.
    #[must_use]
    pub fn is_test_in(&self, text: &str) -> bool {
        let head = format!("fn {}(", self.name);
        text.find(&head).is_some_and(|at| {
            let before = text.get(..at).unwrap_or_default();
            let attributes = before.get(before.rfind(['}', ';']).unwrap_or(0)..).unwrap_or_default();
            attributes.contains("#[test]") || attributes.contains("#[tokio::test")
        })
    }
}

/// Whether a line begins the definition of an item, a variant or a field of this name.
fn defines(line: &str, name: &str) -> bool {
    let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let Some(at) = words.iter().position(|word| *word == name) else { return false };
    const KEYWORDS: [&str; 9] = ["fn", "struct", "enum", "trait", "const", "static", "type", "mod", "union"];
    let before = at.checked_sub(1).and_then(|before| words.get(before));
    let is_item = before.is_some_and(|word| KEYWORDS.contains(word));
    let is_field = line.starts_with("pub") && line.contains(&format!("{name}: "));
    let is_type = name.starts_with(char::is_uppercase);
    let rest = line.strip_prefix(name).filter(|_| is_type);
    let is_variant = rest.is_some_and(|rest| rest.starts_with([',', '(']) || rest.starts_with(" {"));
    is_item || is_field || is_variant
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
