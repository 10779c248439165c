//! What the program logs: to standard error, as `RUST_LOG` says, and never the insides of libraries.
//!
//! Libraries below ours log what they carry when they are let, in events and in the fields of spans, and the
//! path of a push request holds a device token. So `RUST_LOG` decides about our own crates only.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

/// Targets of our own crates.
const OURS: [&str; 5] = ["ntf", "ntf_core", "ntf_runtime_smol", "ntf_runtime_tokio", "ntf_smol"];

/// The filter: errors, and warnings of our own crates, unless `wanted` (the value of `RUST_LOG`) says
/// otherwise for our own crates. A level alone is for all of them; `off` silences them, errors included.
/// Directives that cannot be read, and those for other crates or for spans of any crate, are left out.
#[must_use]
pub fn filter(wanted: &str) -> EnvFilter {
    let errors = EnvFilter::builder().with_default_directive(LevelFilter::ERROR.into()).parse_lossy("");
    std::iter::once("warn")
        .chain(wanted.split(','))
        .map(str::trim)
        .filter(|directive| !directive.is_empty())
        .flat_map(ours)
        .fold(errors, EnvFilter::add_directive)
}

/// What a directive says about our crates.
fn ours(directive: &str) -> Vec<Directive> {
    if directive.parse::<LevelFilter>().is_ok() {
        return OURS.iter().filter_map(|target| format!("{target}={directive}").parse().ok()).collect();
    }
    let target = directive.split(['=', '[', ':']).next().unwrap_or_default();
    let wanted = OURS.contains(&target).then(|| directive.parse().ok());
    wanted.flatten().into_iter().collect()
}

/// Starts logging for this process.
pub fn start() {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter(&wanted))
        .with_ansi(is_terminal)
        .with_writer(std::io::stderr)
        .init();
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn only_our_own_crates_can_be_made_to_talk() {
        for (wanted, ours, library) in [
            ("", false, false),
            ("off", false, false),
            ("nonsense=loud", false, false),
            ("trace", true, false),
            ("5", true, false),
            ("info", false, false),
            ("ntf_runtime_tokio=trace", true, false),
            ("ntf_runtime_tokio::http2=trace", true, false),
            ("ntf_core=trace", false, false),
            ("h2=trace", false, false),
            ("h2::codec=trace", false, false),
            ("hyper=trace,h2::codec=trace,trace", true, false),
            ("[request]=trace", false, false),
            ("[request{path}]=trace", false, false),
            ("ntf_runtime_tokio=trace,[{path}]=trace", true, false),
        ] {
            let told = told(wanted);
            assert_eq!(told.contains("ours"), ours, "RUST_LOG={wanted}: {told}");
            assert_eq!(told.contains("/3/device/"), library, "RUST_LOG={wanted}: {told}");
        }
        assert!(told("h2=trace").contains("at our wits' end"), "errors are told always");
        for (wanted, is_told) in [("", true), ("h2=trace", true), ("error", false), ("off", false)] {
            assert_eq!(told(wanted).contains("have a look"), is_told, "RUST_LOG={wanted}");
        }
    }

    /// What is logged of an event of ours, an event of a library, and one of ours within a span of a library.
    fn told(wanted: &str) -> String {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter(wanted))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "ntf_runtime_tokio::http2", "ours");
            tracing::warn!(target: "ntf_runtime_tokio::http2", "have a look");
            tracing::trace!(target: "h2::codec", path = "/3/device/feed");
            tracing::error!(target: "ntf_core", "at our wits' end");
            let span = tracing::trace_span!(target: "h2", "request", path = "/3/device/feed");
            span.in_scope(|| tracing::debug!(target: "ntf_runtime_tokio::http2", "ours, inside"));
            span.in_scope(|| tracing::trace!(target: "h2::codec", "/3/device/ again"));
        });
        let bytes = log.0.lock().unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
