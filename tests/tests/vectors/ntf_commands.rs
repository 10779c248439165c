//! `ntf_commands.json`: all commands of the notification protocol at each version.

use crate::file::{Vector, each};
use crate::values;
use ntf_core::model::token::DeviceToken;
use ntf_core::wire::ntf::command::{Command, Device};
use ntf_core::wire::version::NtfVersion;

#[test]
fn ntf_commands_are_written_and_read_as_the_reference_does() {
    each("ntf_commands", |vector| {
        let encoded = vector.output("encoded").hex();
        let token = vector.input("token").some().map(values::device);
        let bytes = |key| vector.input(key).some().map(|field| field.hex()).unwrap_or_default();
        let (code, token_id) = (bytes("code"), bytes("token_id"));
        let expected = command(vector, token.as_ref(), &code, &token_id);
        for version in vector.versions() {
            let mut out = Vec::new();
            expected.encode(NtfVersion(version), &mut out);
            assert_eq!(hex::encode(&out), hex::encode(&encoded), "{} v{version}", vector.name);
            let decoded = Command::decode(&encoded, NtfVersion(version));
            assert!(decoded.as_ref() == Ok(&expected), "{} v{version}: {decoded:?}", vector.name);
        }
    });
}

fn command<'v>(
    vector: &'v Vector,
    token: Option<&'v DeviceToken>,
    code: &'v [u8],
    token_id: &'v [u8],
) -> Command<'v> {
    let device = || Device::of(token.expect("a device token"));
    match vector.words()[0] {
        "TNEW" => Command::Tnew {
            device: device(),
            auth: values::auth_key(vector.input("verify_key")),
            dh: values::dh_key(vector.input("dh_key")),
        },
        "TVFY" => Command::Tvfy { code },
        "TCHK" => Command::Tchk,
        "TRPL" => Command::Trpl { device: device() },
        "TDEL" => Command::Tdel,
        "TCRN" => Command::Tcrn { minutes: vector.input("interval").u16() },
        "SNEW" => Command::Snew {
            token: token_id,
            notifier: values::notifier(values::server(vector.input("server")), vector.input("notifier_id")),
            key: values::private_key(vector.input("notifier_key")),
        },
        "SCHK" => Command::Schk,
        "SDEL" => Command::Sdel,
        "PING" => Command::Ping,
        other => panic!("{}: no command is called {other}", vector.name),
    }
}
