//! Server addresses in their binary form.
//!
//! ```text
//! server   = list(short(host)…) || short(port) || short(identity, 32 bytes)      at least one host
//! notifier = server || short(notifier id)
//! ```
//!
//! Hosts are texts, see [`crate::wire::text`]; the port is decimal, empty for the default. Both are kept as
//! given, since clients look queues up by them. Source: `smp-transport` 1.8, `ntf-protocol` 2.1.

use crate::base::fault::PeerFault;
use crate::base::id::EntityId;
use crate::model::server::{Fingerprint, NotifierAddress, ServerAddress};
use crate::wire::cursor::{Reader, Writer};
use crate::wire::text::{host, preset};

/// Reads a server address.
///
/// # Errors
///
/// The fault of the field that is short, no host, a host or port that is none, an identity that is not 32
/// bytes.
pub fn decode(reader: &mut Reader<'_>) -> Result<ServerAddress, PeerFault> {
    let hosts = reader.nonempty_list("hosts", |reader| {
        let text = reader.short_text("host")?;
        host::check(text).map_err(|_| PeerFault::Malformed { field: "host" }).map(Into::into)
    })?;
    let port = reader.short_text("port")?;
    if !host::is_port(port) {
        return Err(PeerFault::Malformed { field: "port" });
    }
    let identity = fingerprint(reader)?;
    Ok(ServerAddress { hosts, port: port.into(), identity })
}

/// Appends a server address.
pub fn encode(server: &ServerAddress, writer: &mut Writer<'_>) {
    writer.list(&server.hosts, |writer, host| {
        writer.short(host.as_bytes());
    });
    writer.short(server.port.as_bytes()).short(server.identity.as_bytes());
}

/// Reads a notifier address, and gives a preset server named by one host its onion host.
///
/// # Errors
///
/// As [`decode`]; an empty notifier id is malformed.
pub fn decode_notifier(reader: &mut Reader<'_>) -> Result<NotifierAddress, PeerFault> {
    let mut server = decode(reader)?;
    preset::add_onion(&mut server);
    let id = reader.short("notifier id")?;
    let notifier = EntityId::new(id).ok_or(PeerFault::Malformed { field: "notifier id" })?;
    Ok(NotifierAddress { server, notifier })
}

/// Appends a notifier address.
pub fn encode_notifier(address: &NotifierAddress, writer: &mut Writer<'_>) {
    encode(&address.server, writer);
    writer.short(address.notifier.as_bytes());
}

/// Reads a fingerprint with its length byte.
///
/// # Errors
///
/// [`PeerFault::Truncated`], or [`PeerFault::Malformed`] when it is not 32 bytes.
pub fn fingerprint(reader: &mut Reader<'_>) -> Result<Fingerprint, PeerFault> {
    let field = "fingerprint";
    let bytes = reader.short(field)?.try_into().map_err(|_| PeerFault::Malformed { field })?;
    Ok(Fingerprint::new(bytes))
}
