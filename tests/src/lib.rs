//! Helpers shared by the test suites in `tests/`.
//!
//! Suites that need no sockets run in browsers as well: `#[macro_use(test)] extern crate ntf_tests` makes `#[test]` the
//! attribute of the runner there.

pub mod announced;
pub mod by_hand;
pub mod leaks;
pub mod places;
#[cfg(not(target_arch = "wasm32"))]
pub mod raw;
pub mod simulated;
#[cfg(not(target_arch = "wasm32"))]
pub mod sockets;
pub mod voice;

#[cfg(target_arch = "wasm32")]
pub use wasm_bindgen_test::{wasm_bindgen_test as test, wasm_bindgen_test_configure};

use std::num::NonZeroU8;

/// Shards of every simulated subscriber, if the environment says so in `NTF_SHARDS`: nothing that is promised may
/// depend on it.
///
/// # Panics
///
/// When that is no number from 1 to 255.
#[must_use]
pub fn shards_wanted() -> Option<NonZeroU8> {
    let text = std::env::var("NTF_SHARDS").ok()?;
    let number = text.parse().ok();
    assert!(number.is_some(), "NTF_SHARDS is to be a number from 1 to 255, not {text:?}");
    number
}

/// Runs tests of this test program once more, with so many shards of every simulated subscriber.
///
/// # Panics
///
/// When one fails, with what they printed, and when there are none.
pub fn run_again(shards: u8, arguments: &[&str]) {
    let program = std::env::current_exe().expect("the program that runs");
    let run =
        std::process::Command::new(program).args(arguments).env("NTF_SHARDS", shards.to_string()).output();
    let run = run.expect("a program that runs can be run again");
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && !told.contains("running 0 tests"), "with {shards} shards:\n{told}");
}

/// A provider's key, made for tests; it protects nothing.
pub const PROVIDER_KEY_PEM: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGvKODR3TbfWaia0m
uwzkeexYF8FfnRc1De80NaAqn9ChRANCAAR82UAoO5t2YG8LNCwRr5LLcTP0C5sy
CZSbP9lxWL//XptWw7CB1h5p1uomBdvyC2RWFdMlrV8/rMRlRpAVjlKY
-----END PRIVATE KEY-----
";
