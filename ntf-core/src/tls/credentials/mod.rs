//! A server's certificates and key: making them, reading them, writing them.
//!
//! Two certificates as the reference's tools make them: an authority whose fingerprint is the server's
//! identity, and a leaf signed by it that TLS uses. The authority's key is needed only to sign a leaf
//! again and should be kept off the server. Files are the adapter's business: text comes in, text goes
//! out. Source: `smp-transport` 2.2.

mod fault;
mod generate;
mod load;

pub use fault::{CredentialsFault, Problem};
pub use generate::{Generated, generate};
pub use load::{PemFile, ServerFiles, load};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
