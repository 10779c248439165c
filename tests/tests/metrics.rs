//! `docs/METRICS.md` names every number of the metrics page with its type, and no other.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use ntf_core::base::meter::readings;
use ntf_core::relay::{push_end, subscriber_end};
use ntf_core::{push, subscriber};
use ntf_runtime_tokio::http2::ConnectionMeters;
use ntf_runtime_tokio::metrics::page::Page;

const DOCUMENT: &str = include_str!("../../docs/METRICS.md");

#[test]
fn the_document_and_the_page_tell_of_the_same_numbers() {
    let mut page = Page::default();
    page.add("subscriber", &readings(&subscriber::meters::Counters::default()));
    page.add("subscriber", &readings(&subscriber::meters::Gauges::default()));
    page.add("push", &readings(&push::Counters::default()));
    page.add("push", &readings(&push::Gauges::default()));
    page.add("subscriber_end", &readings(&subscriber_end::Counters::default()));
    page.add("subscriber_end", &readings(&subscriber_end::Gauges::default()));
    page.add("push_end", &readings(&push_end::Counters::default()));
    page.add("push_end", &readings(&push_end::Gauges::default()));
    page.add("connections", &readings(&ConnectionMeters::default()));
    let shown: BTreeSet<(String, String)> =
        page.names().map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `ntf_")?.split(" | ");
        let (name, kind, meaning) = (cells.next()?.strip_suffix('`')?, cells.next()?, cells.next()?);
        assert!(meaning.len() > 10, "ntf_{name} is explained");
        Some((format!("ntf_{name}"), kind.to_owned()))
    };
    let told: BTreeSet<_> = DOCUMENT.lines().filter_map(row).collect();
    let missing: Vec<_> = shown.difference(&told).collect();
    let gone: Vec<_> = told.difference(&shown).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in the document: {missing:#?}; not on the page: {gone:#?}"
    );
    assert!(shown.len() > 100, "the test compares something: {}", shown.len());
}

#[test]
fn the_examples_in_the_document_are_on_the_page() {
    let all: BTreeSet<&str> =
        DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let named = DOCUMENT.split('`').skip(1).step_by(2).filter(|word| word.starts_with("ntf_"));
    for word in named {
        let field = word.strip_suffix("_total").unwrap_or(word);
        assert!(all.contains(field), "{word} is in a table");
    }
}
