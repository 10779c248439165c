//! `pn_messages.json`: the notices of a push as text.

use crate::file::each;
use crate::values;
use ntf_core::model::notification::Notice;
use ntf_core::wire::payload;

#[test]
fn notices_are_written_and_read_as_the_reference_does() {
    each("pn_messages", |vector| {
        let notices: Vec<_> = vector
            .input("messages")
            .list()
            .iter()
            .map(|message| {
                let server = values::server(message.get("server"));
                let notice = Notice {
                    received_at: message.get("ntf_ts").number(),
                    nonce: message.get("nonce").hex().try_into().unwrap(),
                    meta: message.get("enc_nmsg_meta").hex().into(),
                };
                (values::notifier(server, message.get("notifier_id")), notice)
            })
            .collect();
        let mut out = Vec::new();
        payload::encode_notices(notices.iter().map(|(notifier, notice)| (notifier, notice)), &mut out);
        assert_eq!(String::from_utf8(out.clone()).unwrap(), vector.output("plaintext").text());
        assert_eq!(out, vector.output("plaintext_hex").hex(), "{}", vector.name);
        assert_eq!(payload::decode_notices(&out), Ok(notices), "{}", vector.name);
    });
}
