//! `device_tokens.json`: device tokens as bytes and as text.

use crate::file::each;
use crate::values;
use ntf_core::wire::cursor::{Reader, Writer};
use ntf_core::wire::ntf::command::Device;
use ntf_core::wire::text::device;

#[test]
fn device_tokens_are_written_and_read_as_the_reference_does() {
    each("device_tokens", |vector| {
        let token = values::device(vector.input("token"));
        let encoded = vector.output("encoded").hex();
        let mut out = Vec::new();
        Device::of(&token).encode(&mut Writer::new(&mut out));
        assert_eq!(out, encoded, "{}", vector.name);
        let mut reader = Reader::new(&encoded);
        assert_eq!(Device::decode(&mut reader).map(|device| device.to_token()), Ok(token.clone()));
        assert!(reader.is_empty(), "{}", vector.name);

        let text = vector.output("str_encoded").text();
        assert_eq!(device::device(&token), text, "{}", vector.name);
        assert_eq!(device::parse_device(text), Some(token.clone()), "{}", vector.name);

        let json = vector.output("json");
        let provider = json.get("pushProvider").text();
        assert_eq!(device::provider(token.provider), provider, "{}", vector.name);
        assert_eq!(device::parse_provider(provider), Some(token.provider), "{}", vector.name);
        assert_eq!(json.get("token").text().as_bytes(), &*token.token, "{}", vector.name);
    });
}
