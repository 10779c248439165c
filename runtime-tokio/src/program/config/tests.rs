//! What the tables of keys promise.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;

use super::init::text_of;
use super::*;

const OPERATING: &str = include_str!("../../../../docs/OPERATING.md");

/// The table of all keys as the manual has to show it.
fn table() -> String {
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    for kind in Kind::ALL {
        for key in keys_of(kind) {
            let default = key.default.map_or("must be given".to_owned(), |default| format!("`{default}`"));
            let name = if key.is_list {
                format!("[[{}]] {}", key.section, key.name)
            } else {
                format!("{}.{}", key.section, key.name)
            };
            let row = format!("{default} | {} | {} |", key.allowed, key.what);
            let row = format!("`{name}` | {row}");
            match rows.iter_mut().find(|(known, _)| *known == row) {
                Some((_, kinds)) => kinds.push(kind.name()),
                None => rows.push((row, vec![kind.name()])),
            }
        }
    }
    // Keys of one name stand together, wherever they differ.
    let name = |row: &str| row.split(" |").next().unwrap().to_owned();
    let mut order: Vec<String> = Vec::new();
    for (row, _) in &rows {
        if !order.contains(&name(row)) {
            order.push(name(row));
        }
    }
    rows.sort_by_key(|(row, _)| order.iter().position(|known| *known == name(row)));
    let lines = rows.iter().map(|(row, kinds)| format!("| {} | {row}\n", kinds.join(", ")));
    let head = "| in | key | default | it must be | meaning |\n| --- | --- | --- | --- | --- |\n";
    head.to_owned() + &lines.collect::<String>()
}

#[test]
fn the_manual_has_every_key_as_the_program_knows_it() {
    let table = table();
    assert!(OPERATING.contains(&table), "docs/OPERATING.md should hold this table:\n{table}");
}

/// The file as `ntf init` writes it, with every key no longer a comment.
fn all_given(kind: Kind) -> String {
    let text = text_of(kind, &[]);
    let mut out = String::new();
    for line in text.lines() {
        let bare = line
            .strip_prefix('#')
            .filter(|bare| bare.starts_with("[[") || bare.contains(" = ") && !bare.starts_with(' '));
        let line = match bare.unwrap_or(line) {
            "address = " => format!("address = \"relay://{}@push.example:5238\"", FINGERPRINT),
            "name = " => "name = \"somebody\"".to_owned(),
            "fingerprint = " => format!("fingerprint = \"{FINGERPRINT}\""),
            other => other.to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

const FINGERPRINT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn read_as(kind: Kind, text: &str) -> Result<(), Failure> {
    let mut reader = Reader::of(&PathBuf::from("/etc/ntf/some.toml"), text)?;
    kind.read(&mut reader);
    reader.finish()
}

#[test]
fn a_file_with_every_key_at_its_default_is_read_without_a_fault() {
    for kind in Kind::ALL {
        let text = all_given(kind);
        assert_eq!(read_as(kind, &text), Ok(()), "{text}");
        let given = text.parse::<toml::Table>().unwrap();
        for key in keys_of(kind) {
            let section = &given[key.section];
            let section = section.as_array().map_or(section, |all| &all[0]);
            assert!(
                section.get(&key.name).is_some(),
                "{kind:?}: {}.{} is in the file",
                key.section,
                key.name
            );
        }
    }
}

#[test]
fn a_file_as_it_is_written_says_the_defaults() {
    for kind in [Kind::Server, Kind::Smp, Kind::Push] {
        assert_eq!(read_as(kind, &text_of(kind, &[])), Ok(()));
    }
    let missing = read_as(Kind::Subscriber, &text_of(Kind::Subscriber, &[])).unwrap_err().to_string();
    assert!(missing.contains("push_server.address is missing: it must be an address"), "{missing}");
}

#[test]
fn every_fault_is_told_at_once_with_its_key_and_what_is_allowed() {
    let text = r#"
        [listen]
        address = "here"
        hosts = []
        colour = "blue"
        [tokens]
        max = 0
        sealed = "perhaps"
        idle_days = "long"
        [pushes]
        padded_length = 20000
        policy = 7
        [smp_servers]
        allow_private_addresses = "yes"
        [metrics]
        address = "0.0.0.0:9464"
        [coffee]
    "#;
    let told = read_as(Kind::Subscriber, text).unwrap_err().to_string();
    for words in [
        "/etc/ntf/some.toml has 12 errors:",
        "listen.address = \"here\": it must be an IP address and a port",
        "listen.hosts: at least one is needed",
        "listen.colour: no such key; there are: address, chain, drain_seconds, folder, hosts, key, lock_memory",
        "push_server.address is missing",
        "tokens.max = 0: it must be a number from 1 to",
        "tokens.sealed = \"perhaps\": it must be one of \"refused\", \"taken\", \"demanded\"",
        "tokens.idle_days = \"long\": it must be a number from 0 to 36500",
        "pushes.padded_length = 20000: it must be a number from 512 to 16000",
        "pushes.policy = 7: it must be one of \"mutable\", \"hidden-then-visible\", \"visible-only\"",
        "smp_servers.allow_private_addresses = \"yes\": it must be true or false",
        "metrics.address: other hosts can read it there",
        "[coffee]: no such section; there are: devices, listen, metrics, push_server",
    ] {
        assert!(told.contains(words), "{words}\nis not in:\n{told}");
    }
}

#[test]
fn subscribers_of_a_push_server_are_listed_with_their_limits() {
    let entry = |name: &str, more: &str| {
        format!("[[subscribers]]\nname = \"{name}\"\nfingerprint = \"{FINGERPRINT}\"\n{more}\n")
    };
    let text = entry("one", "pushes_per_second = 10\ndevice_tokens = \"sealed\"") + &entry("two", "");
    let mut reader = Reader::of(&PathBuf::from("push.toml"), &text).unwrap();
    let file = keys::push(&mut reader);
    reader.finish().unwrap();
    let names: Vec<&str> = file.subscribers.iter().map(|admitted| &*admitted.name).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(file.subscribers[0].limits.short.period.as_millis(), 100);
    assert_eq!(file.subscribers[1].limits, ntf_core::relay::push_end::Limits::default());

    let told = read_as(Kind::Push, "[[subscribers]]\nname = \"\"\n[[subscribers]]\nrate = 1")
        .unwrap_err()
        .to_string();
    for words in [
        "subscribers[0].name = \"\": it must be 1 to 64",
        "subscribers[0].fingerprint is missing",
        "subscribers[1].rate: no such key",
    ] {
        assert!(told.contains(words), "{words}\nis not in:\n{told}");
    }
}

#[test]
fn defaults_are_those_of_the_roles() {
    let credentials = crate::identity::Identity::make("localhost", ntf_core::model::server::Protocol::Ntf)
        .unwrap()
        .credentials();
    let ours = format!("{:?}", defaults(keys::subscriber).subscriber.config(credentials.clone()));
    let theirs = format!("{:?}", ntf_core::subscriber::config::Config::new(credentials));
    assert_eq!(ours, theirs);
    let mut config = ntf_core::push::Config::default();
    defaults(keys::push).push.apply(&mut config);
    assert_eq!(format!("{config:?}"), format!("{:?}", ntf_core::push::Config::default()));
}
