//! `server_addresses.json`: servers and notifier addresses, as bytes and as text.

use crate::file::{Vector, each};
use crate::values;
use ntf_core::model::server::{NotifierAddress, Protocol, ServerAddress};
use ntf_core::wire::cursor::{Reader, Writer};
use ntf_core::wire::server;
use ntf_core::wire::text::address;

#[test]
fn addresses_are_written_and_read_as_the_reference_does() {
    each("server_addresses", |vector| {
        let address = values::server(vector.input("server"));
        match vector.words()[0] {
            "smp_server" => plain(vector, &address, Protocol::Smp),
            "ntf_server" => plain(vector, &address, Protocol::Ntf),
            "smp_queue_ntf" => {
                queue(vector, &values::notifier(address, vector.input("notifier_id")));
            }
            other => panic!("{}: no address is called {other}", vector.name),
        }
    });
}

fn plain(vector: &Vector, address: &ServerAddress, protocol: Protocol) {
    let encoded = vector.output("encoded").hex();
    let mut out = Vec::new();
    server::encode(address, &mut Writer::new(&mut out));
    assert_eq!(out, encoded, "{}", vector.name);
    let mut reader = Reader::new(&encoded);
    assert_eq!(server::decode(&mut reader).as_ref(), Ok(address), "{}", vector.name);
    assert!(reader.is_empty(), "{}", vector.name);

    let uri = vector.output("uri").text();
    assert_eq!(address::server(address, protocol), uri, "{}", vector.name);
    let parsed = address::parse_server(uri, protocol).unwrap();
    assert_eq!(address::server(&parsed, protocol), uri, "{}", vector.name);
    if !swallows_port(address) {
        assert_eq!(&parsed, address, "{}", vector.name);
    }
}

fn queue(vector: &Vector, notifier: &NotifierAddress) {
    let encoded = vector.output("encoded").hex();
    let mut out = Vec::new();
    server::encode_notifier(notifier, &mut Writer::new(&mut out));
    assert_eq!(out, encoded, "{}", vector.name);
    let mut reader = Reader::new(&encoded);
    let decoded = server::decode_notifier(&mut reader).unwrap();
    assert!(reader.is_empty(), "{}", vector.name);
    let mut again = Vec::new();
    server::encode_notifier(&decoded, &mut Writer::new(&mut again));
    assert_eq!(again, vector.output("reencoded_after_decode").hex(), "{}", vector.name);

    let text = vector.output("str_encoded").text();
    assert_eq!(address::notifier(notifier), text, "{}", vector.name);
    let parsed = address::parse_notifier(text).unwrap();
    assert_eq!(address::notifier(&parsed), text, "{}", vector.name);
    if !swallows_port(&notifier.server) {
        assert_eq!(&parsed, notifier, "{}", vector.name);
    }
}

/// The text of an IPv6 host has no brackets, so a port after it reads as its last group.
fn swallows_port(address: &ServerAddress) -> bool {
    !address.port.is_empty() && address.hosts.last().is_some_and(|host| host.contains(':'))
}
