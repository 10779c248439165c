//! What the servers of this program have in common: identity, address, and how they say it.

use std::io::{self, Write};
use std::net::SocketAddr;

use ntf_core::base::rng::Seed;
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::wire::text;
use serde_json::{Value, json};

use crate::identity::Identity;
use crate::program::cli;
use crate::program::config::keys::Place;
use crate::program::failure::Failure;
use crate::service::os_seed;

/// The identity that the options name, or else the file's place.
///
/// # Errors
///
/// When a named file or folder cannot be used.
pub(crate) fn identity(
    options: &cli::Listen,
    place: &Place,
    has_file: bool,
    protocol: Protocol,
) -> Result<Identity, Failure> {
    match (&options.dir, &options.chain, &options.key) {
        (Some(dir), _, _) => Identity::in_folder(dir, place.host(), protocol),
        (None, Some(chain), Some(key)) => Identity::from_files(chain, key),
        (None, _, _) if has_file => place.identity(protocol),
        (None, _, _) => {
            eprintln!(
                "No --dir or --chain given: this server has a new identity, and a new address, at each start."
            );
            Identity::make(place.host(), protocol)
        }
    }
}

/// A seed from the operating system.
///
/// # Errors
///
/// When it has none to give.
pub(crate) fn randomness() -> Result<Seed, Failure> {
    os_seed().map_err(|error| Failure::failed(format!("The system gives no randomness: {error}.")))
}

/// Why the address of an option cannot be listened on, and what to do.
#[allow(clippy::wildcard_enum_match_arm, reason = "the remedy for most kinds of failure is the same")]
pub(crate) fn bind_failure(option: &str, address: SocketAddr, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there: stop it, or choose another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need privileges: choose a higher one",
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address: choose another",
        _ => "choose another address",
    };
    Failure::failed(format!("Cannot listen on {address}: {error}; {remedy} with {option}."))
}

/// A fault's words as a sentence of the program.
pub(crate) fn sentence(fault: &dyn std::fmt::Display) -> String {
    let text = fault.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{}{}{end}", first.map(String::from_iter).unwrap_or_default(), letters.as_str())
}

/// Prints a server's address: JSON for programs, a sentence for people; the bare address on standard output
/// in both cases, so that a script can read it.
///
/// # Errors
///
/// When the host of the options makes an address that nobody could read.
pub(crate) fn announce(protocol: Protocol, address: &ServerAddress, as_json: bool) -> Result<(), Failure> {
    announce_with(protocol, address, as_json, &[])
}

/// Likewise, with more that others need to know.
///
/// # Errors
///
/// Those of [`announce`].
pub(crate) fn announce_with(
    protocol: Protocol,
    address: &ServerAddress,
    as_json: bool,
    more: &[(&'static str, String)],
) -> Result<(), Failure> {
    let text = printable(protocol, address)?;
    if as_json {
        let mut all = serde_json::Map::from_iter([("address".to_owned(), json!(text))]);
        all.extend(more.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        print(&Value::Object(all).to_string());
    } else {
        print(&text);
        for (name, value) in more {
            print(&format!("{} {value}", name.replace('_', " ")));
        }
        eprintln!("Listening. The address above is all that others need; stop with Ctrl-C.");
    }
    Ok(())
}

/// The address as text that reads back to the same: an IPv6 host in brackets, or its last group would be
/// taken for the port.
pub(crate) fn printable(protocol: Protocol, address: &ServerAddress) -> Result<String, Failure> {
    let mut text = text::address::server(address, protocol);
    if let [host] = address.hosts.as_slice()
        && host.contains(':')
    {
        text = text.replace(&format!("@{host}"), &format!("@[{host}]"));
    }
    match text::address::parse_server(&text, protocol) {
        Ok(read) if read == *address => Ok(text),
        Ok(_) | Err(_) => Err(Failure::usage(format!(
            "--host {} cannot stand in an address: give one domain name or IP address.",
            address.hosts.join(",")
        ))),
    }
}

/// Prints a line on standard output. A closed pipe or a full disk ends the telling, not the work.
pub(crate) fn print(line: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use ntf_core::model::server::Fingerprint;

    use super::*;

    #[test]
    fn a_printed_address_reads_back_or_is_refused() {
        for (host, expected) in [
            ("localhost", Some("@localhost:5223")),
            ("127.0.0.1", Some("@127.0.0.1:5223")),
            ("::1", Some("@[::1]:5223")),
            ("two,hosts", None),
            ("white space", None),
        ] {
            let address = ServerAddress {
                hosts: vec![host.into()],
                port: "5223".into(),
                identity: Fingerprint::new([7; 32]),
            };
            match (printable(Protocol::Smp, &address), expected) {
                (Ok(text), Some(end)) => assert!(text.ends_with(end), "{text}"),
                (Err(failure), None) => assert_eq!(failure.exit_code(), 2, "{failure}"),
                (other, expected) => panic!("{host}: {other:?} instead of {expected:?}"),
            }
        }
    }
}
