//! Blocks, batches, transmissions and hellos: what lies around a message.

use ntf_core::model::server::Protocol;
use ntf_core::wire::batch::{BATCH_COUNT_MAX, BatchReader, BatchWriter, NoRoom};
use ntf_core::wire::block::{self as layout, Layout};
use ntf_core::wire::hello::{ntf, smp};
use ntf_core::wire::transmission::{Format, Transmission, write_body};
use ntf_core::wire::version::{NtfVersion, SmpVersion};

/// Input: one byte for protocol, version and encryption; then a padded block, or the content of one.
pub fn block(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let version = choice & 0x1f;
    let (protocol, format) = match choice & 0x20 {
        0 => (Protocol::Smp, Format::smp(SmpVersion(version.into()))),
        _ => (Protocol::Ntf, Format::ntf(NtfVersion(version.into()))),
    };
    let layout = match (choice & 0x40, protocol) {
        (0x40, Protocol::Smp) => Layout::sealed(protocol),
        _ => Layout::plain(protocol),
    };
    if let Ok(content) = layout::content(bytes) {
        assert_eq!(bytes.get(2..2 + content.len()), Some(content), "content follows its length");
        assert_eq!(bytes.first_chunk().map(|len| usize::from(u16::from_be_bytes(*len))), Some(content.len()));
        batch(content, layout, format);
    }
    batch(bytes, layout, format);

    match layout.block(bytes) {
        Ok(block) => {
            assert!(bytes.len() <= layout.content_len_max());
            assert_eq!(block.len(), layout.block_len());
            assert_eq!(layout::content(&block[layout.head()..]), Ok(bytes));
        }
        Err(_) => assert!(bytes.len() > layout.content_len_max()),
    }
}

fn batch(content: &[u8], layout: Layout, format: Format) {
    let Ok(reader) = BatchReader::new(content, format) else { return };
    let count = reader.remaining();
    match format.batches() {
        true => assert_eq!(content.first().map(|count| usize::from(*count)), Some(count)),
        false => assert_eq!(count, 1),
    }
    let items: Vec<_> = reader.clone().collect();
    assert_eq!(items.len(), count, "as many items as were announced");

    let mut again = if format.batches() { vec![content[0]] } else { vec![] };
    let mut encoded = vec![];
    for item in items {
        let Ok(transmission) = item else { return };
        let bytes = check_transmission(&transmission, format);
        if format.batches() {
            again.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_be_bytes());
        }
        again.extend_from_slice(&bytes);
        encoded.push(bytes);
    }
    assert_eq!(again, content, "a batch is consumed to its last byte and encodes to the same");
    write(&encoded, content, layout, format);
}

fn check_transmission(transmission: &Transmission<'_>, format: Format) -> Vec<u8> {
    let mut body = vec![];
    write_body(transmission.corr_id, transmission.entity_id, &mut body, |out| {
        out.extend_from_slice(transmission.command);
    });
    assert_eq!(body, transmission.body, "the body is what is authorized");
    assert_eq!(transmission.session_id.is_some(), format.sends_session_id());
    assert!(transmission.service_signature.is_none_or(|signature| {
        signature.len() == 64 && format.has_service_signature() && !transmission.authorization.is_empty()
    }));
    assert_eq!(
        transmission.has_lawful_authorization(),
        matches!(transmission.authorization.len(), 0 | 64 | 80 | 114)
    );
    let mut bytes = vec![];
    transmission.encode(format, &mut bytes);
    assert_eq!(Transmission::decode(&bytes, format).as_ref(), Ok(transmission));
    bytes
}

/// A writer takes exactly the batches that leave 16 bytes of a block free, and writes them as they were.
fn write(items: &[Vec<u8>], content: &[u8], layout: Layout, format: Format) {
    let reserved = if format.batches() { 16 + 1 } else { layout.head() };
    let room = layout.block_len() - 2 - reserved;
    let overhead = if format.batches() { 2 } else { 0 };
    let mut writer = BatchWriter::new(layout, format);
    let mut used = 0;
    for (number, item) in items.iter().enumerate() {
        let len = item.len() + overhead;
        let expected = match (used + len <= room, len <= room) {
            (true, _) => Ok(()),
            (false, true) => Err(NoRoom::InThisBlock),
            (false, false) => Err(NoRoom::InAnyBlock),
        };
        assert!(number < usize::from(BATCH_COUNT_MAX));
        assert_eq!(writer.push(item), expected, "{used} + {len} of {room}");
        if expected.is_err() {
            return;
        }
        used += len;
        assert_eq!(writer.len(), number + 1);
    }
    let block = writer.finish().expect("a batch that was read has at least one item");
    assert_eq!(block.len(), layout.block_len());
    assert_eq!(layout::content(&block[layout.head()..]), Ok(content));
}

/// Input: one byte for the kind of hello, then the content of its block.
pub fn handshake(data: &[u8]) {
    let Some((&kind, bytes)) = data.split_first() else { return };
    let mut encoded = vec![];
    // Hellos tolerate what follows the fields they know, and a key that is none: these are not written.
    let expected = match kind % 5 {
        0 => {
            let Ok(hello) = smp::ServerHello::decode(bytes) else { return };
            assert!(hello.versions.min() <= hello.versions.max());
            assert!(hello.key.is_none() || hello.versions.max().implies_session_id());
            hello.encode(&mut encoded);
            assert_eq!(smp::ServerHello::decode(&encoded).as_ref(), Ok(&hello));
            &bytes[..encoded.len()]
        }
        1 => {
            let Ok(hello) = smp::ClientHello::decode(bytes) else { return };
            hello.encode(&mut encoded);
            assert_eq!(smp::ClientHello::decode(&encoded).as_ref(), Ok(&hello));
            &bytes[..encoded.len()]
        }
        2 => {
            let Ok(answer) = smp::ServiceAnswer::decode(bytes) else { return };
            answer.encode(&mut encoded);
            assert_eq!(smp::ServiceAnswer::decode(&encoded).as_ref(), Ok(&answer));
            &bytes[..encoded.len()]
        }
        3 => {
            let Ok(hello) = ntf::ServerHello::decode(bytes) else { return };
            assert!(hello.versions.min() <= hello.versions.max());
            hello.encode(&mut encoded);
            assert_eq!(ntf::ServerHello::decode(&encoded).as_ref(), Ok(&hello));
            &bytes[..encoded.len()]
        }
        _ => {
            let Ok(hello) = ntf::ClientHello::decode(bytes) else { return };
            hello.encode(&mut encoded);
            assert_eq!(ntf::ClientHello::decode(&encoded).as_ref(), Ok(&hello));
            &bytes[..encoded.len()]
        }
    };
    assert_eq!(encoded, expected, "a hello encodes to the bytes it was read from");
}
