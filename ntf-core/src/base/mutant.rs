//! Bugs that are planted on purpose, for tests to show that they would notice.
//!
//! Under `--cfg ntf_mutants` (or `ntf_loom`) a process may break one rule, the one that its variable `NTF_MUTANT`
//! names. In every other build nothing is asked and nothing is left of it. `tests/mutants` and
//! `loom-tests/mutants` list the names.

/// Whether this rule is broken on purpose in this process.
#[cfg(any(ntf_mutants, ntf_loom))]
pub(crate) fn is(rule: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<std::string::String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("NTF_MUTANT").ok()).as_deref() == Some(rule)
}

/// Whether this rule is broken on purpose: never, in builds that are used.
#[cfg(not(any(ntf_mutants, ntf_loom)))]
pub(crate) const fn is(_rule: &str) -> bool {
    false
}
