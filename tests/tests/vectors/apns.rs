//! Bodies, paths and headers of pushes, and the provider token, against the vectors.

use ntf_core::base::rng::Seed;
use ntf_core::base::time::{Mono, Now, Wall};
use ntf_core::crypto::boxed::BoxKey;
use ntf_core::crypto::es256::Es256Key;
use ntf_core::crypto::keys::DhSecret;
use ntf_core::machine::{Machine as _, Step};
use ntf_core::model::push::{PushId, PushOrder, PushPayload, Sealed};
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::push::alert::AlertTexts;
use ntf_core::push::effect::{Effect, Request};
use ntf_core::push::input::Input;
use ntf_core::push::{Config, Push, apns};
use ntf_core::wire::payload::{decode_notices, encode_notices};
use ntf_core::wire::text::base64;
use serde_json::Value;

use crate::{bytes, name, vectors};

#[test]
fn bodies_paths_and_headers() {
    let mut compared = 0;
    for vector in vectors("apns.json") {
        let (name, inputs, outputs) = (name(&vector), &vector["inputs"], &vector["outputs"]);
        let kind = name.strip_prefix("apns_body/");
        let payload = match kind.map(|kind| kind.split('/').next().unwrap()) {
            Some("verification") => PushPayload::Verification(sealed(inputs, &bytes(&inputs["code"]))),
            Some("message") => PushPayload::Message(sealed(inputs, &message_text(inputs, outputs))),
            Some("check_messages") => PushPayload::CheckMessages,
            Some("verification_too_large") => {
                let code = vec![0; inputs["code_length"].as_u64().unwrap().try_into().unwrap()];
                assert!(key(inputs).seal_padded(&nonce(inputs), &code, padded_len(inputs)).is_err());
                continue;
            }
            Some(_) | None => {
                assert!(name.starts_with("jwt"), "nobody reads the vector {name}");
                continue;
            }
        };
        let expected = outputs["body"].as_str().unwrap();
        let body = apns::body(&payload, &AlertTexts::default());
        // The order of keys is the JSON library's; the size is not.
        assert_eq!(body.len(), expected.len(), "{name}");
        let parse = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap();
        assert_eq!(parse(&body), parse(expected.as_bytes()), "{name}");

        let request = request(payload, outputs["path"].as_str().unwrap());
        let header =
            |name| request.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value);
        assert_eq!(request.path, outputs["path"].as_str().unwrap(), "{name}");
        assert_eq!(header("apns-push-type").unwrap(), outputs["push_type"].as_str().unwrap(), "{name}");
        assert_eq!(header("apns-priority").map(String::as_str), outputs["priority"].as_str(), "{name}");
        assert_eq!(header("apns-topic").unwrap(), "chat.simplex.app", "{name}");
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn the_signed_part_of_the_provider_token() {
    let vectors = vectors("apns.json");
    let outputs = &vectors.iter().find(|vector| name(vector).starts_with("jwt")).unwrap()["outputs"];
    let request = request(PushPayload::CheckMessages, "/3/device/00");
    let (_, authorization) = request.headers.iter().find(|(name, _)| *name == apns::AUTHORIZATION).unwrap();
    // The reference signs as DER and with randomness; ours is r‖s and repeatable. Both are of the same text.
    let signed = |token: &str| token.rsplit_once('.').unwrap().0.to_owned();
    let ours = signed(authorization.strip_prefix("bearer ").unwrap());
    assert_eq!(ours, signed(outputs["token_example"].as_str().unwrap()));
}

/// A request of the real machine, with the key and the time of the vectors.
fn request(payload: PushPayload, path: &str) -> Request {
    let vectors = vectors("apns.json");
    let inputs = &vectors.iter().find(|vector| name(vector).starts_with("jwt")).unwrap()["inputs"];
    let text = |field: &str| inputs[field].as_str().unwrap().to_owned();
    let now = Now { mono: Mono::ZERO, wall: Wall::from_secs(inputs["iat"].as_u64().unwrap()) };
    let config = Config {
        team_id: text("iss"),
        key_id: text("kid"),
        key: Some(Es256Key::from_pkcs8_pem(&text("private_key_p8_pem")).unwrap()),
        ..Config::default()
    };
    let mut push = Push::new(config, Seed::from_number(1), now);
    let token = path.strip_prefix("/3/device/").unwrap().as_bytes().into();
    let device = DeviceToken { provider: Provider::ApnsProd, token };
    push.handle(now, Input::Order(PushOrder { id: PushId(1), device, payload }));
    match push.poll() {
        Step::Do(Effect::Request(request)) => request,
        other @ (Step::Do(_) | Step::Idle(_)) => panic!("{other:?}"),
    }
}

/// The plaintext of a message push: opened, read, and written again by our own codec.
fn message_text(inputs: &Value, outputs: &Value) -> Vec<u8> {
    let body: Value = serde_json::from_str(outputs["body"].as_str().unwrap()).unwrap();
    let blob = body["notificationData"]["message"].as_str().unwrap();
    let mut blob = base64::decode(blob).unwrap();
    let notices = decode_notices(key(inputs).open_padded(&nonce(inputs), &mut blob).unwrap()).unwrap();
    assert_eq!(notices.len(), inputs["messages"].as_array().unwrap().len());
    let mut text = Vec::new();
    encode_notices(notices.iter().map(|(notifier, notice)| (notifier, notice)), &mut text);
    text
}

fn sealed(inputs: &Value, plaintext: &[u8]) -> Sealed {
    let nonce = nonce(inputs);
    let ciphertext = key(inputs).seal_padded(&nonce, plaintext, padded_len(inputs)).unwrap();
    Sealed { nonce, ciphertext: ciphertext.into() }
}

fn key(inputs: &Value) -> BoxKey {
    BoxKey::of_dh(&DhSecret::new(bytes(&inputs["token_dh_secret"]).try_into().unwrap()))
}

fn nonce(inputs: &Value) -> [u8; 24] {
    bytes(&inputs["nonce"]).try_into().unwrap()
}

fn padded_len(inputs: &Value) -> usize {
    inputs["padded_length"].as_u64().unwrap().try_into().unwrap()
}
