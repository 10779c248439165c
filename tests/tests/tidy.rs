//! The rules of the house that a reader of the source can check, checked by reading the source.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Who may import whom in `ntf-core`. Everybody may import from their own layer.
const EDGES: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("machine", &["base"]),
    ("model", &["base"]),
    ("crypto", &["base", "model"]),
    ("wire", &["base", "model", "crypto"]),
    ("link", &["base", "model", "crypto", "wire"]),
    ("token", &["base", "model", "crypto"]),
    ("subscription", &["base", "model", "crypto"]),
    ("delivery", &["base", "model", "crypto"]),
    ("smp/client", &["base", "model", "crypto", "wire", "link"]),
    ("smp/server", &["base", "machine", "model", "crypto", "wire", "link"]),
    (
        "subscriber",
        &[
            "base",
            "machine",
            "model",
            "crypto",
            "wire",
            "link",
            "smp/client",
            "token",
            "subscription",
            "delivery",
        ],
    ),
    ("push", &["base", "machine", "model", "crypto"]),
    ("client", &["base", "machine", "model", "crypto", "wire", "link", "smp/client"]),
    (
        "sim",
        &[
            "base",
            "machine",
            "model",
            "crypto",
            "wire",
            "link",
            "smp/client",
            "smp/server",
            "subscriber",
            "push",
            "client",
        ],
    ),
    ("tls", &["base", "model", "crypto"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn tracked_text_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(ROOT)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != ".git" && !name.starts_with("target") {
                    folders.push(path);
                }
            } else if [".rs", ".md", ".toml", ".sh"].iter().any(|end| name.ends_with(end)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Source up to its tests, which may use what they like, without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn layer_of(words: &[String]) -> Option<String> {
    match words.first().map(String::as_str) {
        Some("smp") => words.get(1).map(|part| format!("smp/{part}")),
        first => first.map(str::to_owned),
    }
}

/// Every `crate::a::b` in the code, grouped imports of `crate::{…}` included.
fn imports(code: &str) -> Vec<Vec<String>> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    code.match_indices("crate::")
        .map(|(at, found)| {
            let path = code.get(at + found.len()..).unwrap_or_default();
            path.split("::").take(2).map(word).filter(|word| !word.is_empty()).collect()
        })
        .filter(|words: &Vec<String>| !words.is_empty())
        .collect()
}

#[test]
fn layers_import_only_what_is_below_them() {
    let edges: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let root = PathBuf::from(ROOT).join("ntf-core/src");
    let mut seen = 0;
    for path in sources(&root) {
        let relative = path.strip_prefix(&root).unwrap().with_extension("");
        let words: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if matches!(words.as_slice(), [only] if only == "lib") || words.iter().any(|name| name == "tests") {
            continue;
        }
        if words.first().is_some_and(|first| first == "smp") && words.get(1).is_some_and(|name| name == "mod")
        {
            continue;
        }
        let layer = layer_of(&words).unwrap();
        let allowed =
            edges.get(layer.as_str()).unwrap_or_else(|| panic!("{} is in no layer", path.display()));
        for import in imports(&code(&path)) {
            let target = layer_of(&import).unwrap_or_default();
            // Names at the crate's root are re-exports of base and machine.
            if target.chars().next().is_some_and(char::is_uppercase) {
                continue;
            }
            assert!(
                target == layer || allowed.contains(&target.as_str()),
                "{} is in layer {layer} and imports crate::{}",
                path.display(),
                import.join("::")
            );
            seen += 1;
        }
    }
    assert!(seen > 100, "the test reads imports: {seen} seen");
}

#[test]
fn the_core_has_no_clock_no_socket_and_no_randomness_of_its_own() {
    for path in sources(&PathBuf::from(ROOT).join("ntf-core/src")) {
        // `tls` is the one std layer: rustls draws its own randomness and reads time through us.
        if path.iter().any(|part| part == "tls") {
            continue;
        }
        let code = code(&path);
        for word in [
            "std::time",
            "std::net",
            "std::thread::",
            "std::fs",
            "std::sync",
            "getrandom",
            "OsRng",
            "thread_rng",
        ] {
            assert!(!code.contains(word), "{} mentions {word}", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_nowhere() {
    for package in ["ntf-core", "runtime-tokio", "tests"] {
        for path in sources(&PathBuf::from(ROOT).join(package)) {
            let needle = ["unsafe", " {"].concat();
            assert!(!code(&path).contains(&needle), "{} has unsafe code", path.display());
        }
    }
}

#[test]
fn no_test_is_ignored_or_sleeps_and_nothing_is_left_undone() {
    let words = [
        ["#[", "ignore"].concat(),
        ["should", "_panic"].concat(),
        ["thread::", "sleep"].concat(),
        ["time::", "sleep("].concat(),
        ["todo", "!("].concat(),
        ["unimplemented", "!("].concat(),
    ];
    for package in ["ntf-core", "runtime-tokio", "tests"] {
        for path in sources(&PathBuf::from(ROOT).join(package)) {
            let text = fs::read_to_string(&path).unwrap();
            for word in &words {
                assert!(!text.contains(word.as_str()), "{} has {word}", path.display());
            }
        }
    }
}

#[test]
fn files_hold_one_idea() {
    for package in ["ntf-core/src", "runtime-tokio/src"] {
        for path in sources(&PathBuf::from(ROOT).join(package)) {
            if path.iter().any(|part| part == "tests" || part == "tests.rs") {
                continue;
            }
            let lines = code(&path).lines().count();
            assert!(
                lines <= 500,
                "{} has {lines} lines of code; it probably holds two nouns",
                path.display()
            );
        }
    }
}

#[test]
fn documents_link_to_files_that_exist() {
    let mut links = 0;
    for path in tracked_text_files() {
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (at, found) in text.match_indices("](") {
            let target = text.get(at + found.len()..).unwrap().split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            let there = path.parent().unwrap().join(target);
            assert!(there.exists(), "{} links to {target}, which is not there", path.display());
        }
    }
    assert!(links >= 5, "the test reads links: {links} seen");
}
