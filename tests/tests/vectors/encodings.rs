//! `encodings.json`: the primitives.

use crate::file::{Vector, each};
use ntf_core::wire::cursor::{Reader, Writer};
use ntf_core::wire::text::base64;
use ntf_core::wire::version::{SmpVersion, VersionRange};

#[test]
fn primitives_are_written_and_read_as_the_reference_does() {
    each("encodings", |vector| {
        if vector.output("str_encoded").is_some() {
            text(vector);
        }
        if vector.output("encoded").is_some() {
            binary(vector);
        }
    });
}

fn text(vector: &Vector) {
    let text = vector.output("str_encoded").text();
    match vector.input("bytes").some() {
        Some(bytes) => {
            assert_eq!(base64::encode(&bytes.hex()), text, "{}", vector.name);
            assert_eq!(base64::decode(text).as_deref(), Some(bytes.hex().as_slice()), "{}", vector.name);
            assert_eq!(base64::decode(text.trim_end_matches('=')), Some(bytes.hex()), "{}", vector.name);
        }
        None => assert_eq!(vector.input("seconds").number().to_string(), text, "{}", vector.name),
    }
}

fn binary(vector: &Vector) {
    let encoded = vector.output("encoded").hex();
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    let mut reader = Reader::new(&encoded);
    let input = |key| vector.input(key);
    let name = &vector.name;
    let field = "vector";
    match vector.words()[0] {
        "bytes" => {
            writer.short(&input("bytes").hex());
            assert_eq!(reader.short(field), Ok(input("bytes").hex().as_slice()), "{name}");
        }
        "large" => {
            writer.large(&input("bytes").hex());
            assert_eq!(reader.large(field), Ok(input("bytes").hex().as_slice()), "{name}");
        }
        "tail" => {
            writer.bytes(&input("bytes").hex());
            assert_eq!(reader.rest(), input("bytes").hex(), "{name}");
        }
        "bool" => {
            writer.bool(input("value").bool());
            assert_eq!(reader.bool(field), Ok(input("value").bool()), "{name}");
        }
        "word16" => {
            writer.u16(input("value").u16());
            assert_eq!(reader.u16(field), Ok(input("value").u16()), "{name}");
        }
        "word32" => {
            let value = u32::try_from(input("value").number()).unwrap();
            writer.u32(value);
            assert_eq!(reader.u32(field), Ok(value), "{name}");
        }
        "int64" => {
            writer.i64(input("value").number());
            assert_eq!(reader.i64(field), Ok(input("value").number()), "{name}");
        }
        "system_time" => {
            writer.i64(input("seconds").number());
            assert_eq!(reader.i64(field), Ok(input("seconds").number()), "{name}");
        }
        "maybe" => {
            let value = input("bytes").some().map(|bytes| bytes.hex());
            writer.maybe(value.as_deref(), |writer, bytes| {
                writer.short(bytes);
            });
            assert_eq!(reader.maybe(field, |reader| reader.short(field)), Ok(value.as_deref()), "{name}");
        }
        "list" => {
            let items: Vec<_> = input("items").list().iter().map(|item| item.hex()).collect();
            writer.list(&items, |writer, item| {
                writer.short(item);
            });
            match items.is_empty() {
                // No list of the protocols may be empty, so there is no reader for such.
                true => assert_eq!(reader.u8(field), Ok(0), "{name}"),
                false => {
                    let read = reader.nonempty_list(field, |reader| reader.short(field).map(<[u8]>::to_vec));
                    assert_eq!(read, Ok(items), "{name}");
                }
            }
        }
        "string" => {
            writer.short(input("value").text().as_bytes());
            assert_eq!(reader.short_text(field), Ok(input("value").text()), "{name}");
        }
        "char" => {
            writer.bytes(input("value").text().as_bytes());
            assert_eq!(reader.literal(input("value").text().as_bytes(), field), Ok(()), "{name}");
        }
        "pair" => {
            let (bytes, word) = (input("bytes").hex(), input("word16").u16());
            writer.short(&bytes).u16(word);
            assert_eq!(reader.short(field), Ok(bytes.as_slice()), "{name}");
            assert_eq!(reader.u16(field), Ok(word), "{name}");
        }
        "version_range" | "version_range_ntf" => {
            let (min, max) = (SmpVersion(input("min").u16()), SmpVersion(input("max").u16()));
            let range = VersionRange::new(min, max).unwrap();
            range.encode(&mut writer);
            assert_eq!(VersionRange::<SmpVersion>::decode(&mut reader), Ok(range), "{name}");
        }
        other => panic!("{name}: no primitive is called {other}"),
    }
    assert_eq!(reader.finish(field), Ok(()), "{name}");
    assert_eq!(out, encoded, "{name}");
}
