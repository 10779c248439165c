//! `ntf_decode.json`: what a server makes of good and bad transmissions, and what it answers.

use crate::file::each;
use ntf_core::model::server::Protocol;
use ntf_core::wire::batch::{BatchReader, BatchWriter};
use ntf_core::wire::block::{self, Layout};
use ntf_core::wire::error_code::ErrorCode;
use ntf_core::wire::ntf::command::Command;
use ntf_core::wire::ntf::response::Response;
use ntf_core::wire::transmission::{Format, Outgoing, Transmission, write_authorized, write_body};
use ntf_core::wire::version::NtfVersion;

#[test]
fn good_and_bad_transmissions_are_told_apart_as_the_reference_does() {
    each("ntf_decode", |vector| {
        for version in vector.versions() {
            let version = NtfVersion(version);
            let name = format!("{} v{}", vector.name, version.0);
            let format = Format::ntf(version);
            let content = vector.input("content").hex();
            let session_id = vector.input("session_id").hex();
            let transmissions: Vec<_> = BatchReader::new(&content, format).unwrap().collect();
            let [Ok(transmission)] = transmissions.as_slice() else { panic!("{name}: {transmissions:?}") };
            assert_eq!(transmission.authorization, vector.input("authorization").hex(), "{name}");
            assert_eq!(transmission.corr_id, vector.input("corr_id").hex(), "{name}");
            assert_eq!(transmission.entity_id, vector.input("entity_id").hex(), "{name}");
            assert_eq!(transmission.command, vector.input("command").hex(), "{name}");
            match (decode(transmission, version), vector.output("error").some()) {
                (Ok(command), None) => {
                    let ok = vector.output("ok");
                    let mut out = Vec::new();
                    command.encode(version, &mut out);
                    assert_eq!(out, ok.get("reencoded").hex(), "{name}");
                    let mut authorized = Vec::new();
                    write_authorized(&session_id, transmission.body, &mut authorized);
                    assert_eq!(authorized, ok.get("signed_bytes").hex(), "{name}");
                }
                (Err((entity_id, code)), Some(error)) => {
                    assert_eq!(transmission.corr_id, error.get("corr_id").hex(), "{name}");
                    assert_eq!(entity_id, error.get("entity_id").hex(), "{name}");
                    let mut text = Vec::new();
                    code.encode(&mut text);
                    assert_eq!(String::from_utf8(text).unwrap(), error.get("error").text(), "{name}");
                    let mut body = Vec::new();
                    write_body(transmission.corr_id, entity_id, &mut body, |out| {
                        Response::Err(code).encode(version, out);
                    });
                    let mut batch = BatchWriter::new(Layout::plain(Protocol::Ntf), format);
                    let answer = Outgoing {
                        authorization: &[],
                        service_signature: None,
                        session_id: &session_id,
                        body: &body,
                    };
                    batch.push_with(|out| answer.encode(format, out)).unwrap();
                    let answer = batch.finish().unwrap();
                    let expected: Vec<_> =
                        error.get("response_content").list().iter().map(|content| content.hex()).collect();
                    assert_eq!(vec![block::content(&answer).unwrap()], expected, "{name}");
                }
                (Ok(command), Some(_)) => panic!("{name}: taken for {command:?}"),
                (Err((_, code)), None) => panic!("{name}: refused with {code:?}"),
            }
        }
    });
}

/// What a server does before it looks anything up: the command, or the error and the entity id with it.
fn decode<'a>(
    transmission: &Transmission<'a>,
    version: NtfVersion,
) -> Result<Command<'a>, (&'a [u8], ErrorCode<'static>)> {
    if !transmission.has_lawful_authorization() {
        return Err((&[], ErrorCode::Block));
    }
    let refuse = |code| (transmission.entity_id, code);
    let command =
        Command::decode(transmission.command, version).map_err(|fault| refuse(ErrorCode::of(fault)))?;
    command.check_credentials(transmission).map_err(|error| refuse(ErrorCode::Cmd(error)))?;
    Ok(command)
}
