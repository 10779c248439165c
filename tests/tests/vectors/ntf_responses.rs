//! `ntf_responses.json`: all answers of the notification protocol at each version.

use crate::file::each;
use crate::values;
use ntf_core::model::token::TokenStatus;
use ntf_core::wire::ntf::response::Response;
use ntf_core::wire::text::status;
use ntf_core::wire::version::NtfVersion;

#[test]
fn ntf_responses_are_written_and_read_as_the_reference_does() {
    each("ntf_responses", |vector| {
        let encoded = vector.output("encoded").hex();
        let bytes = |key| vector.input(key).some().map(|field| field.hex()).unwrap_or_default();
        let (token, subscription) = (bytes("token_id"), bytes("subscription_id"));
        for version in vector.versions() {
            let name = format!("{} v{version}", vector.name);
            let sent = match vector.words()[0] {
                "IDTKN" => Response::Idtkn { token: &token, dh: values::dh_key(vector.input("dh_key")) },
                "IDSUB" => Response::Idsub { subscription: &subscription },
                "OK" => Response::Ok,
                "PONG" => Response::Pong,
                "TKN" => Response::Tkn(status::parse_token(vector.input("status").text()).unwrap()),
                "SUB" => {
                    // The text of an error is not an input; it ends the bytes.
                    let text = match vector.input("status").text() {
                        "ERR" => std::str::from_utf8(encoded.strip_prefix(b"SUB ").unwrap()).unwrap(),
                        text => text,
                    };
                    Response::Sub(status::parse_subscription(text).unwrap())
                }
                "ERR" => Response::Err(values::error(vector.input("error").text(), &encoded)),
                other => panic!("{name}: no response is called {other}"),
            };
            let mut out = Vec::new();
            sent.encode(NtfVersion(version), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&encoded), "{name}");
            let seen = match sent {
                Response::Tkn(TokenStatus::Invalid(_)) if !NtfVersion(version).has_invalid_reason() => {
                    Response::Tkn(TokenStatus::Invalid(None))
                }
                sent => sent,
            };
            let decoded = Response::decode(&encoded, NtfVersion(version));
            assert!(decoded.as_ref() == Ok(&seen), "{name}: {decoded:?}");
        }
    });
}
