//! For all bytes and all values: nothing panics, and what is written reads back.

use alloc::string::String;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::base::fault::PeerFault;
use crate::model::server::Protocol;
use crate::wire::batch::{BatchReader, BatchWriter, NoRoom};
use crate::wire::block::{self, Layout};
use crate::wire::cursor::{Reader, Writer};
use crate::wire::error_code::ErrorCode;
use crate::wire::hello::{ntf, smp};
use crate::wire::ntf::command::Command as NtfCommand;
use crate::wire::ntf::response::Response;
use crate::wire::payload::{self, MessageBody, NmsgMeta};
use crate::wire::server;
use crate::wire::smp::command::Command as SmpCommand;
use crate::wire::smp::response::Message;
use crate::wire::tests::tape::Tape;
use crate::wire::text::{address, base64, device, host, status};
use crate::wire::transmission::{Format, Outgoing, Transmission};
use crate::wire::version::{NtfVersion, SmpVersion};

const SMP_VERSIONS: core::ops::RangeInclusive<u16> = 6..=18;
const NTF_VERSIONS: core::ops::RangeInclusive<u16> = 1..=3;

/// Words of both protocols before arbitrary bytes, so that parameters are reached.
fn almost_a_message() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&str] = &[
        "",
        "NEW ",
        "SUB",
        "ACK ",
        "KEY ",
        "RKEY ",
        "NKEY ",
        "LSET ",
        "SKEY ",
        "SEND ",
        "LKEY ",
        "PRXY ",
        "PFWD ",
        "RFWD ",
        "IDS ",
        "LNK ",
        "SOK ",
        "SOKS ",
        "MSG ",
        "NID ",
        "NMSG ",
        "ENDS ",
        "INFO ",
        "ERR ",
        "PKEY ",
        "ERR PROXY BROKER ",
        "ERR BLOCKED reason=",
        "TNEW T",
        "TVFY ",
        "TRPL ",
        "TCRN ",
        "SNEW S",
        "IDTKN ",
        "TKN ",
        "SUB ERR ",
    ];
    (proptest::sample::select(WORDS), vec(any::<u8>(), 0..200))
        .prop_map(|(word, rest)| [word.as_bytes(), &rest].concat())
}

/// Decodes with every decoder; what decodes must encode, and decode again to the same value.
fn decode_all(bytes: &[u8]) {
    for version in SMP_VERSIONS.map(SmpVersion) {
        again(
            SmpCommand::decode(bytes, version),
            |value, out| value.encode(version, out),
            |bytes, same| SmpCommand::decode(bytes, version) == Ok(same),
        );
        again(
            Message::decode(bytes, version),
            |value, out| value.encode(version, out),
            |bytes, same| {
                // What a version has no word for reads as itself and is written as what the version has.
                match Message::decode(bytes, version) {
                    Ok(Message::Ok) => matches!(same, Message::Ok | Message::Sok { .. }),
                    Ok(Message::End) => matches!(same, Message::End | Message::Deld),
                    Ok(Message::Err(read)) => {
                        matches!(same, Message::Err(error) if error.for_smp(version) == read)
                    }
                    read => read == Ok(same),
                }
            },
        );
        transmission(bytes, Format::smp(version));
    }
    for version in NTF_VERSIONS.map(NtfVersion) {
        again(
            NtfCommand::decode(bytes, version),
            |value, out| value.encode(version, out),
            |bytes, same| NtfCommand::decode(bytes, version) == Ok(same),
        );
        again(
            Response::decode(bytes, version),
            |value, out| value.encode(version, out),
            |bytes, same| {
                let read = Response::decode(bytes, version);
                read == Ok(same) || matches!(read, Ok(Response::Tkn(_)) if !version.has_invalid_reason())
            },
        );
        transmission(bytes, Format::ntf(version));
    }
    again(smp::ClientHello::decode(bytes), smp::ClientHello::encode, |bytes, same| {
        smp::ClientHello::decode(bytes) == Ok(same)
    });
    again(smp::ServerHello::decode(bytes), smp::ServerHello::encode, |bytes, same| {
        smp::ServerHello::decode(bytes) == Ok(same)
    });
    again(smp::ServiceAnswer::decode(bytes), smp::ServiceAnswer::encode, |bytes, same| {
        smp::ServiceAnswer::decode(bytes) == Ok(same)
    });
    again(ntf::ServerHello::decode(bytes), ntf::ServerHello::encode, |bytes, same| {
        ntf::ServerHello::decode(bytes) == Ok(same)
    });
    again(ntf::ClientHello::decode(bytes), ntf::ClientHello::encode, |bytes, same| {
        ntf::ClientHello::decode(bytes) == Ok(same)
    });
    again(ErrorCode::decode(bytes), ErrorCode::encode, |bytes, same| ErrorCode::decode(bytes) == Ok(same));
    again(NmsgMeta::decode(bytes), NmsgMeta::encode, |bytes, same| NmsgMeta::decode(bytes) == Ok(same));
    again(MessageBody::decode(bytes), MessageBody::encode, |bytes, same| {
        MessageBody::decode(bytes) == Ok(same)
    });
    again(
        server::decode(&mut Reader::new(bytes)),
        |value, out| server::encode(value, &mut Writer::new(out)),
        |bytes, same| server::decode(&mut Reader::new(bytes)) == Ok(same),
    );
    let _ = payload::decode_notices(bytes);
    let _ = block::content(bytes);
}

fn again<T>(
    decoded: Result<T, PeerFault>,
    encode: impl Fn(&T, &mut Vec<u8>),
    is_same: impl Fn(&[u8], T) -> bool,
) {
    if let Ok(value) = decoded {
        let mut out = Vec::new();
        encode(&value, &mut out);
        assert!(is_same(&out, value), "{}", String::from_utf8_lossy(&out));
    }
}

fn transmission(bytes: &[u8], format: Format) {
    if let Ok(read) = Transmission::decode(bytes, format) {
        let mut out = Vec::new();
        read.encode(format, &mut out);
        assert_eq!(out, bytes);
    }
    if let Ok(batch) = BatchReader::new(bytes, format) {
        let count = batch.remaining();
        assert_eq!(batch.count(), count);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_values_or_faults(bytes in vec(any::<u8>(), 0..600)) {
        decode_all(&bytes);
    }

    #[test]
    fn almost_messages_are_values_or_faults(bytes in almost_a_message()) {
        decode_all(&bytes);
    }

    #[test]
    fn damaged_messages_are_values_or_faults(
        tape in vec(any::<u8>(), 0..400),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut out = Vec::new();
        Tape::new(&tape).smp_command().encode(SmpVersion::MAX, &mut out);
        Tape::new(&tape).smp_message().encode(SmpVersion::MAX, &mut out);
        Tape::new(&tape).ntf_command().encode(NtfVersion::MAX, &mut out);
        let at = at.index(out.len());
        out[at] = byte;
        decode_all(&out);
        decode_all(&out[..at]);
    }

    #[test]
    fn smp_commands_read_back(tape in vec(any::<u8>(), 0..1200)) {
        let command = Tape::new(&tape).smp_command();
        for version in SMP_VERSIONS.map(SmpVersion) {
            let mut out = Vec::new();
            command.encode(version, &mut out);
            let read = SmpCommand::decode(&out, version).unwrap();
            // Older versions have no field for all of it; what they have must stay.
            prop_assert!(version < SmpVersion::MAX || read == command);
            let mut again = Vec::new();
            read.encode(version, &mut again);
            prop_assert_eq!(again, out);
        }
    }

    #[test]
    fn smp_messages_read_back(tape in vec(any::<u8>(), 0..1200)) {
        let message = Tape::new(&tape).smp_message();
        for version in SMP_VERSIONS.map(SmpVersion) {
            let mut out = Vec::new();
            message.encode(version, &mut out);
            let read = Message::decode(&out, version).unwrap();
            prop_assert!(version < SmpVersion::MAX || read == message);
            let mut again = Vec::new();
            read.encode(version, &mut again);
            prop_assert_eq!(again, out);
        }
    }

    #[test]
    fn ntf_commands_read_back(tape in vec(any::<u8>(), 0..1200)) {
        let command = Tape::new(&tape).ntf_command();
        for version in NTF_VERSIONS.map(NtfVersion) {
            let mut out = Vec::new();
            command.encode(version, &mut out);
            prop_assert!(NtfCommand::decode(&out, version) == Ok(command.clone()));
        }
    }

    #[test]
    fn ntf_responses_read_back(tape in vec(any::<u8>(), 0..600)) {
        let response = Tape::new(&tape).ntf_response();
        for version in NTF_VERSIONS.map(NtfVersion) {
            let mut out = Vec::new();
            response.encode(version, &mut out);
            let read = Response::decode(&out, version).unwrap();
            prop_assert!(version < NtfVersion::MAX || read == response);
            let mut again = Vec::new();
            read.encode(version, &mut again);
            prop_assert_eq!(again, out);
        }
    }

    #[test]
    fn hellos_read_back(tape in vec(any::<u8>(), 0..1200)) {
        let hello = Tape::new(&tape).client_hello();
        let mut out = Vec::new();
        hello.encode(&mut out);
        prop_assert_eq!(smp::ClientHello::decode(&out), Ok(hello));
        let answer = Tape::new(&tape).service_answer();
        let mut out = Vec::new();
        answer.encode(&mut out);
        prop_assert_eq!(smp::ServiceAnswer::decode(&out), Ok(answer));
    }

    #[test]
    fn notices_read_back(tape in vec(any::<u8>(), 0..2000), count in 1_usize..6) {
        let mut tape = Tape::new(&tape);
        let notices: Vec<_> = (0..count).map(|_| tape.notice()).collect();
        let mut out = Vec::new();
        payload::encode_notices(notices.iter().map(|(notifier, notice)| (notifier, notice)), &mut out);
        let lens: usize = notices.iter().map(|(notifier, notice)| payload::notice_len(notifier, notice)).sum();
        prop_assert_eq!(lens + count - 1, out.len());
        prop_assert_eq!(payload::decode_notices(&out), Ok(notices));
    }

    #[test]
    fn batches_read_back(
        items in vec((vec(any::<u8>(), 0..100), vec(any::<u8>(), 0..100)), 1..300),
        version in SMP_VERSIONS,
    ) {
        let format = Format::smp(SmpVersion(version));
        let mut writer = BatchWriter::new(Layout::sealed(Protocol::Smp), format);
        let mut taken = 0;
        for (authorization, command) in &items {
            let body = [&[0, 0][..], command].concat();
            let outgoing =
                Outgoing { authorization, service_signature: None, session_id: &[7; 32], body: &body };
            match writer.push_with(|out| outgoing.encode(format, out)) {
                Ok(()) => taken += 1,
                Err(no_room) => {
                    prop_assert_eq!(no_room, NoRoom::InThisBlock);
                    break;
                }
            }
        }
        let block = writer.finish().unwrap();
        let reader = BatchReader::new(block::content(&block[16..]).unwrap(), format).unwrap();
        prop_assert_eq!(reader.remaining(), taken);
        for (read, (authorization, command)) in reader.zip(&items) {
            let read = read.unwrap();
            prop_assert_eq!(read.authorization, authorization.as_slice());
            prop_assert_eq!(read.command, command.as_slice());
        }
    }

    #[test]
    fn texts_are_values_or_errors(text in "(smp|ntf)?(://)?[A-Za-z0-9_=-]{0,50}(:[a-z ]{0,4})?@?[a-z0-9.:,\\[\\]@/]{0,30}") {
        if let Ok(read) = address::parse_server(&text, Protocol::Smp) {
            let written = address::server(&read, Protocol::Smp);
            prop_assert_eq!(address::server(&address::parse_server(&written, Protocol::Smp).unwrap(), Protocol::Smp), written);
        }
        let _ = address::parse_login(&text, Protocol::Ntf);
        let _ = address::parse_sender(&text);
        let _ = host::check(&text);
        let _ = device::parse_device(&text);
        let _ = status::parse_token(&text);
        #[cfg(feature = "client")]
        prop_assert_eq!(base64::decode_public(&text), base64::decode(&text));
        if let Some(bytes) = base64::decode(&text) {
            let written = base64::encode(&bytes);
            prop_assert_eq!(written.trim_end_matches('='), text.trim_end_matches('='));
        }
    }

    #[test]
    fn addresses_with_an_identity_are_values_or_errors(tail in "[a-z0-9.:,\\[\\]@/#;-]{0,40}") {
        let text = alloc::format!("smp://LcJUMfVhwD8yxjAiSaDzzGF3-kLG4Uh0Fl_ZIjrRwjI=@{tail}");
        match address::parse_server(&text, Protocol::Smp) {
            Ok(read) => {
                let mut out = Vec::new();
                server::encode(&read, &mut Writer::new(&mut out));
                prop_assert_eq!(server::decode(&mut Reader::new(&out)), Ok(read));
            }
            Err(error) => prop_assert!(error.position <= text.len()),
        }
    }
}
