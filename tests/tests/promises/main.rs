//! What the machines promise each other and the people who use them: one module per kind of promise, one test
//! per promise, named by it.
//!
//! All run the real machines in virtual time ([`ntf_tests::simulated`]). `README.md` beside this file says for
//! each item of the reference's own checklist and for each of its known defects which test holds our promise,
//! and [`index`] holds that list to the code. Every promise is kept with one shard of each subscriber and with four.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::wildcard_enum_match_arm, reason = "tests")]

#[cfg(target_arch = "wasm32")]
#[macro_use(test)]
extern crate ntf_tests;

#[cfg(target_arch = "wasm32")]
ntf_tests::wasm_bindgen_test_configure!(run_in_browser);

mod bad_input;
mod choice;
mod defects;
mod direct;
#[cfg(not(target_arch = "wasm32"))]
mod index;
mod memory;
mod modes;
mod protocol;
mod subscriptions;
mod tokens;

// A browser runs no second program.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn every_promise_is_kept_with_four_shards() {
    ntf_tests::run_again(4, &["--skip", "every_promise_is_kept_with_four_shards", "--skip", "index::"]);
}
