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
    ("relay", &["base", "machine", "model", "crypto", "wire", "link"]),
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
    ("client", &["base", "machine", "model", "crypto", "wire", "link", "smp/client", "relay"]),
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
            "relay",
            "delivery",
            "subscriber",
            "push",
            "client",
        ],
    ),
    ("tls", &["base", "model", "crypto"]),
    ("host", &["base"]),
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
                // What npm brings is not ours to keep tidy.
                if name != ".git" && name != "node_modules" && !name.starts_with("target") {
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

/// Whether the whole file is tests: by its place below the root, which is itself reached through `tests`.
fn is_test(path: &Path) -> bool {
    let below = path.strip_prefix(ROOT).unwrap();
    below.iter().any(|part| part == "tests" || part == "tests.rs")
}

/// Source up to its tests, which may use what they like, without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    // A module of tests in a file of its own is declared anywhere; one that is here ends the file.
    let tests = text.match_indices("\n#[cfg(test)]\nmod ").map(|(at, _)| at);
    let is_here = |at: &usize| text.get(*at..).unwrap().lines().nth(2).unwrap().ends_with('{');
    let text = text.get(..tests.into_iter().find(is_here).unwrap_or(text.len())).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The code with each `use` declaration written out: one line for each path, without groups.
fn without_groups(code: &str) -> String {
    let mut written = String::new();
    let mut rest = code;
    while let Some((line, below)) = rest.split_once('\n').or((!rest.is_empty()).then_some((rest, ""))) {
        if let Some((tree, after)) = use_tree(line).and_then(|start| rest.get(start..)?.split_once(';')) {
            for path in paths(tree.trim().trim_start_matches("::")) {
                written.extend(["use ", &path, ";\n"]);
            }
            rest = after;
        } else {
            written.extend([line, "\n"]);
            rest = below;
        }
    }
    written
}

/// Where in a line the tree of a `use` declaration begins.
fn use_tree(line: &str) -> Option<usize> {
    let start = line.trim_start();
    let start = match start.strip_prefix("pub") {
        Some(open) if open.starts_with('(') => open.split_once(')')?.1.trim_start(),
        Some(open) => open.trim_start(),
        None => start,
    };
    start.strip_prefix("use ").map(|tree| line.len() - tree.len())
}

/// The paths of a `use` tree: two for `a::{b, c}`.
fn paths(tree: &str) -> Vec<String> {
    let Some((stem, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let group = rest.trim_end().trim_end_matches(',').strip_suffix('}').unwrap_or(rest);
    let mut depth = 0_usize;
    let branches = group.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    let branches = branches.map(str::trim).filter(|branch| !branch.is_empty());
    branches.flat_map(paths).map(|path| format!("{}{path}", stem.trim())).collect()
}

/// The words that follow a path in the code: `Mutex` where it says `std::sync::Mutex`. An import of the path
/// itself, under whatever name, counts as `self`, because nobody can tell what is used through it.
fn below(code: &str, path: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in code.match_indices(path) {
        let (before, rest) = (code.get(..at).unwrap(), code.get(at + path.len()..).unwrap());
        if before.ends_with(is_word) || rest.starts_with(is_word) {
            continue;
        }
        match rest.strip_prefix("::") {
            Some(name) if name.starts_with(is_word) => {
                found.push(name.chars().take_while(|c| is_word(*c)).collect())
            }
            Some(_) => found.push("*".to_owned()),
            None => found.push("self".to_owned()),
        }
    }
    found
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
        let code = without_groups(&code(&path));
        for word in ["std::time", "std::net", "std::fs", "getrandom", "OsRng", "thread_rng"] {
            assert!(!code.contains(word), "{} mentions {word}", path.display());
        }
        // `host` is what threads share; it starts none.
        if path.iter().any(|part| part == "host") {
            assert!(path.ends_with("tests.rs") || !code.contains("spawn"), "{} spawns", path.display());
            continue;
        }
        // Asks the environment, in builds that nobody uses.
        if path.ends_with("base/mutant.rs") {
            continue;
        }
        for module in ["std::thread", "std::sync"] {
            let found = below(&code, module);
            assert!(found.is_empty(), "{} uses {found:?} of {module}", path.display());
        }
        // What a thread keeps for itself is hidden state all the same; tests may count by it.
        for (at, _) in code.match_indices("thread_local!") {
            let above = code.get(..at).unwrap().rsplit('\n').nth(1).unwrap_or_default();
            assert!(above == "#[cfg(test)]", "{} keeps state for each thread", path.display());
        }
    }
}

/// Files that may lock or count by themselves, and why no thread hands another anything by it.
const SYNC_ALLOWED: &[(&str, &str)] = &[
    ("ntf-core/src/host/sync.rs", "the door"),
    ("ntf-core/src/base/mutant.rs", "read once, in builds that are broken on purpose"),
    ("runtime-tokio/src/clock.rs", "the start of the clock, noted once"),
    ("ntf-core/src/tls/provider.rs", "tables of rustls that are made once and never change"),
    ("ntf-core/src/tls/config.rs", "rustls wants a resolver that could be shared; a session has its own"),
];

/// Files that are still to go through `ntf_core::host`. It only gets shorter.
const SYNC_TO_MOVE: &[&str] = &["runtime-tokio/src/program/device.rs"];

/// Files outside `host` that use its lock for data of their own, and why none of its other pieces serves.
const LOCK_ALLOWED: &[(&str, &str)] = &[
    (
        "runtime-tokio/src/http2/cork.rs",
        "two ends of one connection in one task, of which h2 owns one: nobody ever waits",
    ),
    (
        "runtime-tokio/src/http2/pool.rs",
        "which connections there are and who is to be told; the waiting itself is a oneshot's",
    ),
    (
        "runtime-tokio/src/program/bench/push/scene.rs",
        "the times that a bench has taken; each use is one addition",
    ),
    (
        "runtime-tokio/src/program/bench/soak/ledger.rs",
        "the messages of a soak that have yet to arrive; each use is one entry",
    ),
    (
        "runtime-tokio/src/standin/mod.rs",
        "tables of the stand-in, for trying things out; each use is one lookup",
    ),
];

/// What of `std::sync` and its like the code names, other than shared ownership.
fn synchronisation(code: &str) -> Vec<String> {
    let code = without_groups(code);
    let mut found = Vec::new();
    for door in ["std::sync", "core::sync", "alloc::sync"] {
        found.extend(below(&code, door).into_iter().filter(|name| !["Arc", "Weak"].contains(&name.as_str())));
    }
    // Under another name the doors would be out of sight.
    for root in ["std", "core", "alloc"] {
        let hidden = [format!("use {root};"), format!("use {root} as"), format!("use {root}::self")];
        found.extend(hidden.into_iter().filter(|import| code.contains(import.as_str())));
        found.extend(code.contains(&format!("use {root}::*")).then(|| format!("use {root}::*")));
    }
    found.dedup();
    let crates = [
        "tokio::sync",
        "smol::lock",
        "smol::channel",
        "async_std::sync",
        "async_std::channel",
        "async_lock",
        "async_channel",
        "async_broadcast",
        "event_listener",
        "futures::channel",
        "futures::lock",
        "futures_channel",
        "futures_util::lock",
        "concurrent_queue",
        "crossbeam",
        "parking_lot",
        "loom::",
    ];
    found.extend(crates.iter().filter(|name| code.contains(**name)).map(|name| (*name).to_owned()));
    found
}

#[test]
fn threads_share_only_what_host_has() {
    let root = fs::canonicalize(ROOT).unwrap();
    let mut checked = 0;
    let mut lists: BTreeMap<&str, bool> = SYNC_ALLOWED
        .iter()
        .map(|(file, _)| *file)
        .chain(SYNC_TO_MOVE.iter().copied())
        .map(|file| (file, false))
        .collect();
    let mut locks: BTreeMap<&str, bool> = LOCK_ALLOWED.iter().map(|(file, _)| (*file, false)).collect();
    let packages = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
    let packages = packages.filter(|path| path.join("Cargo.toml").exists() && path.join("src").exists());
    // Tests and models may share what they like.
    for package in packages.filter(|path| !path.ends_with("tests") && !path.ends_with("loom-tests")) {
        for path in sources(&package.join("src")) {
            // Where links lead: what adapters have in common is named once.
            let path = fs::canonicalize(path).unwrap();
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            if name.split('/').any(|part| part == "tests" || part == "tests.rs") {
                continue;
            }
            checked += 1;
            let code = code(&path);
            let found = synchronisation(&code);
            if !name.starts_with("ntf-core/src/host/") {
                let locked = below(&without_groups(&code), "host::sync");
                match locks.get_mut(name.as_str()) {
                    Some(is_needed) => *is_needed = !locked.is_empty(),
                    None => assert!(
                        locked.is_empty(),
                        "{name} uses {locked:?} of host::sync, with no reason given"
                    ),
                }
            }
            match lists.get_mut(name.as_str()) {
                Some(is_needed) => *is_needed = !found.is_empty(),
                None => assert!(found.is_empty(), "{name} uses {found:?}; take it from ntf_core::host"),
            }
        }
    }
    assert!(checked > 100, "the test reads files: {checked} seen");
    for (file, is_needed) in lists.into_iter().chain(locks) {
        assert!(is_needed, "{file} has gone or shares nothing by itself any more: take it off its list");
    }
}

#[test]
fn the_search_for_synchronisation_finds_it() {
    for (code, expected) in [
        ("use std::sync::Arc;", &[][..]),
        ("use std::sync::{Arc, Weak};", &[]),
        ("use std::sync::{Arc, Mutex};", &["Mutex"]),
        ("let x = std::sync::OnceLock::new();", &["OnceLock"]),
        ("use core::sync::atomic::{AtomicBool, Ordering};", &["atomic"]),
        ("use tokio::sync::mpsc;", &["tokio::sync"]),
        ("use std::{sync::Mutex, thread};", &["Mutex"]),
        ("use std::{io, sync::{\n    Arc,\n    atomic::{AtomicBool, Ordering},\n}};", &["atomic"]),
        ("pub(crate) use ::std::{sync::{self}};", &["self"]),
        ("use std::sync as shared;", &["self"]),
        ("use std::sync::*;", &["*"]),
        ("use std as s;", &["use std as"]),
        ("use my_std::sync::Mutex;", &[]),
    ] {
        assert_eq!(synchronisation(code), expected, "{code}");
    }
}

/// Files of the smol adapter that are its own. All others are links to the tokio adapter's.
const SMOL_OWN: &[&str] = &["lib.rs", "main.rs", "program/mod.rs", "rt/mod.rs"];

/// Files of the tokio adapter that have no twin, and why.
const TOKIO_ONLY: &[(&str, &str)] = &[
    ("program/check.rs", "`ntf check` checks servers of either adapter"),
    ("program/days.rs", "the simulator needs no runtime; `ntf sim` has it"),
    ("program/device.rs", "`ntf-smol` has no device"),
    ("program/device/kept.rs", "`ntf-smol` has no device"),
    ("program/device/store.rs", "`ntf-smol` has no device"),
    ("program/replay.rs", "the simulator needs no runtime; `ntf replay` has it"),
    ("program/sim.rs", "the simulator needs no runtime; `ntf sim` has it"),
    ("program/stand_in.rs", "`ntf-smol server --stand-in` is enough to try things out"),
];

#[test]
fn the_adapters_differ_in_their_runtime_alone() {
    let [tokio, smol] = ["runtime-tokio/src", "runtime-smol/src"].map(|src| PathBuf::from(ROOT).join(src));
    let names = |root: &Path| -> Vec<String> {
        let below = |path: PathBuf| path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        sources(root).into_iter().map(below).collect()
    };
    let (tokio_names, smol_names) = (names(&tokio), names(&smol));
    for name in &smol_names {
        let [twin, here] = [&tokio, &smol].map(|root| fs::canonicalize(root.join(name)));
        let is_shared = twin.is_ok_and(|twin| twin == here.unwrap());
        assert_eq!(is_shared, !SMOL_OWN.contains(&name.as_str()), "{name}: shared or the adapter's own?");
    }
    for name in &tokio_names {
        let is_alone = TOKIO_ONLY.iter().any(|(only, _)| only == name);
        assert_eq!(smol_names.contains(name), !is_alone, "{name}: has it a twin, or a reason to have none?");
    }
}

#[test]
fn only_one_file_of_an_adapter_names_its_runtime() {
    let runtimes = [
        "tokio::",
        "tokio_",
        "smol::",
        "async_std",
        "async_io",
        "async_executor",
        "async_net",
        "async_signal",
        "blocking::",
    ];
    let mut named = 0;
    for package in ["runtime-tokio/src", "runtime-smol/src"] {
        for path in sources(&PathBuf::from(ROOT).join(package)) {
            // The adapters' own crates are called after their runtimes.
            let code = fs::read_to_string(&path)
                .unwrap()
                .replace("ntf_runtime_tokio", "")
                .replace("ntf_runtime_smol", "");
            let code: String = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .flat_map(|line| [line, "\n"])
                .collect();
            let found: Vec<_> = runtimes.iter().filter(|name| code.contains(**name)).collect();
            let may_name = path.iter().any(|part| part == "rt") || path.ends_with("program/device.rs");
            named += found.len();
            assert!(may_name || found.is_empty(), "{} names {found:?}", path.display());
        }
    }
    assert!(named >= 4, "the test finds names where they belong: {named} found");
}

/// So that a C ABI can be put around it.
#[test]
fn types_of_the_client_s_face_are_not_generic_and_two_of_them_lend() {
    let mut found = Vec::new();
    for path in sources(&PathBuf::from(ROOT).join("ntf-core/src/client")) {
        for line in code(&path).lines() {
            let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type ", "pub union "];
            let declared = kinds.iter().find_map(|kind| line.trim_start().strip_prefix(kind));
            let name = declared.and_then(|rest| rest.split(['{', '(', ';', '=']).next());
            found.extend(name.filter(|name| name.contains('<')).map(|name| name.trim().to_owned()));
        }
    }
    found.sort();
    assert_eq!(found, ["Input<'a>", "StepInput<'a>"]);
}

#[test]
fn unsafe_code_is_nowhere() {
    for package in ["ntf-core", "runtime-tokio", "runtime-smol", "runtime-wasm", "tests"] {
        for path in sources(&PathBuf::from(ROOT).join(package)) {
            // Giving a heap its memory is somebody's word; on bare metal it is that program's.
            let is_allowed = usize::from(path.ends_with("tests/embed/src/main.rs"));
            let needle = ["unsafe", " {"].concat();
            assert_eq!(code(&path).matches(&needle).count(), is_allowed, "{}", path.display());
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
    for package in ["ntf-core", "runtime-tokio", "runtime-smol", "runtime-wasm", "tests"] {
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
    for package in ["ntf-core/src", "runtime-tokio/src", "runtime-wasm/src"] {
        for path in sources(&PathBuf::from(ROOT).join(package)) {
            if is_test(&path) {
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
