//! Greetings: the first blocks of a link, before the version is agreed.
//!
//! The server speaks first. Hellos tolerate bytes after the fields they know, which is how later versions
//! extend them. Nothing is verified here: identities, signed keys and version ranges are the link's to
//! check. Source: `smp-transport` 3.2 to 3.4, `ntf-protocol` 1.3.

pub mod ntf;
pub mod smp;
