//! What the program logs: to standard error, as `RUST_LOG` says, and never the insides of libraries.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

/// Crates below ours that log what they carry when they are let: request paths hold device tokens.
const QUIET: [&str; 8] = ["h2", "hyper", "hyper_util", "rustls", "tokio_rustls", "tokio", "tower", "mio"];

/// The filter: errors only, unless `wanted` (the value of `RUST_LOG`) says otherwise for our own crates.
/// Directives that cannot be read are left out.
#[must_use]
pub fn filter(wanted: &str) -> EnvFilter {
    let quiet = QUIET.iter().filter_map(|name| format!("{name}=error").parse::<Directive>().ok());
    quiet.fold(EnvFilter::builder().parse_lossy(wanted), EnvFilter::add_directive)
}

/// Starts logging for this process.
pub fn start() {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    tracing_subscriber::fmt().with_env_filter(filter(&wanted)).with_writer(std::io::stderr).init();
}
