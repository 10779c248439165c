//! The provider token: its bytes, its age, and what an expired one leads to.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};

use super::{Bench, config, key, provider_token};
use crate::base::time::Wall;
use crate::model::push::PushResult;
use crate::push::input::Input;
use crate::push::{Config, FORCED_INTERVAL_MIN};

const MINUTE: Duration = Duration::from_secs(60);
const EXPIRED: &str = r#"{"reason":"ExpiredProviderToken"}"#;

/// The provider token of the next push.
fn next_token(bench: &mut Bench, id: u64) -> String {
    let drained = bench.order(id);
    let token = provider_token(drained.request());
    bench.respond(drained.request().id, 200, "");
    token
}

#[test]
fn it_is_a_jws_of_the_documented_header_and_claims() {
    let token = next_token(&mut Bench::new(config()), 1);
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    let text = |part: &str| String::from_utf8(Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap();
    assert_eq!(text(parts[0]), r#"{"alg":"ES256","kid":"KEYSHARED1"}"#);
    assert_eq!(text(parts[1]), r#"{"iss":"TEAMSHARED","iat":1764000000}"#);
    // 64 bytes r‖s, not DER. Source: `ntf-protocol` 7.2, D14.
    let signature = Base64UrlUnpadded::decode_vec(parts[2]).unwrap();
    assert_eq!(signature.len(), 64);
    let public = VerifyingKey::from_sec1_bytes(&key().public_point()).unwrap();
    let signed = token.rsplit_once('.').unwrap().0;
    public.verify(signed.as_bytes(), &Signature::from_slice(&signature).unwrap()).unwrap();
}

/// The shards of a server, and a server that is started over and over, make no further one.
#[test]
fn whoever_has_the_key_has_the_same_one_at_the_same_time() {
    let (mut early, mut late) = (Bench::new(config()), Bench::new(config()));
    let first = next_token(&mut early, 1);
    for bench in [&mut early, &mut late] {
        bench.pass(39 * MINUTE);
    }
    assert_eq!(next_token(&mut late, 1), first, "its first one, and the other's old one");
    for bench in [&mut early, &mut late] {
        bench.pass(MINUTE);
    }
    let second = next_token(&mut late, 2);
    assert_ne!(second, first);
    assert_eq!(next_token(&mut early, 2), second);
}

/// Two servers are refused a moment apart, late in the life of the token; Apple allows one in 20 minutes.
#[test]
fn after_a_forced_one_the_next_comes_when_that_is_old_and_is_the_same_for_all() {
    let (mut one, mut other) = (Bench::new(config()), Bench::new(config()));
    let mut forced = Vec::new();
    for (bench, seconds) in [(&mut one, 0), (&mut other, 20)] {
        bench.pass(39 * MINUTE + Duration::from_secs(seconds));
        let first = bench.order(1);
        let again = bench.respond(first.request().id, 403, EXPIRED);
        assert_ne!(provider_token(again.request()), provider_token(first.request()));
        forced.push(provider_token(again.request()));
        bench.respond(again.request().id, 200, "");
    }
    assert_eq!(forced[0], forced[1]);
    for bench in [&mut one, &mut other] {
        bench.pass(35 * MINUTE);
        assert_eq!(next_token(bench, 2), forced[0]);
        bench.pass(2 * MINUTE);
        assert_ne!(next_token(bench, 3), forced[0]);
    }
}

/// Origin of the text: `jwt` of the wire vectors, whose first two parts do not depend on randomness.
#[test]
fn its_signed_part_is_that_of_the_reference() {
    let token = next_token(&mut Bench::new(config()), 1);
    let signed = token.rsplit_once('.').unwrap().0;
    assert_eq!(
        signed,
        "eyJhbGciOiJFUzI1NiIsImtpZCI6IktFWVNIQVJFRDEifQ.eyJpc3MiOiJURUFNU0hBUkVEIiwiaWF0IjoxNzY0MDAwMDAwfQ"
    );
}

#[test]
fn names_in_the_config_cannot_change_its_structure() {
    let odd = Config { team_id: "a\"b\\c\n".into(), key_id: "\",\"x\":\"".into(), ..config() };
    let token = next_token(&mut Bench::new(odd), 1);
    let parts: Vec<&str> = token.split('.').collect();
    let json = |part: &str| -> serde_json::Value {
        serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
    };
    assert_eq!(json(parts[0])["kid"], "\",\"x\":\"");
    assert_eq!(json(parts[1])["iss"], "a\"b\\c\n");
}

#[test]
fn it_is_used_for_forty_minutes() {
    let mut bench = Bench::new(config());
    let first = next_token(&mut bench, 1);
    bench.pass(40 * MINUTE - Duration::from_secs(1));
    assert_eq!(next_token(&mut bench, 2), first);
    bench.pass(Duration::from_secs(1));
    assert_ne!(next_token(&mut bench, 3), first);
    assert_eq!(bench.push.counters().jwt_signed.total(), 2);
}

#[test]
fn its_age_is_kept_within_what_apple_allows() {
    for (configured, kept) in [(0, 30), (29, 30), (30, 30), (50, 50), (51, 50), (10_000, 50)] {
        let mut bench = Bench::new(Config { jwt_age_max: configured * MINUTE, ..config() });
        let first = next_token(&mut bench, 1);
        bench.pass(kept * MINUTE - Duration::from_secs(1));
        assert_eq!(next_token(&mut bench, 2), first, "{configured}");
        bench.pass(Duration::from_secs(1));
        assert_ne!(next_token(&mut bench, 3), first, "{configured}");
    }
}

#[test]
fn a_clock_set_back_far_makes_a_new_one_and_a_small_step_does_not() {
    let mut bench = Bench::new(config());
    let first = next_token(&mut bench, 1);
    bench.now.wall = Wall::from_secs(super::START - 60);
    assert_eq!(next_token(&mut bench, 2), first);
    bench.now.wall = Wall::from_secs(super::START - 61);
    assert_ne!(next_token(&mut bench, 3), first);
}

#[test]
fn an_expired_one_is_signed_anew_once_and_the_push_sent_again() {
    let mut bench = Bench::new(config());
    let first = bench.order(1);
    bench.pass(Duration::from_secs(5));
    let again = bench.respond(first.request().id, 403, EXPIRED);
    assert!(again.outcomes.is_empty());
    assert_ne!(provider_token(first.request()), provider_token(again.request()));
    assert_eq!(bench.respond(again.request().id, 200, "").result(), PushResult::Accepted);
    assert_eq!(bench.push.counters().jwt_signed.total(), 2);
}

#[test]
fn a_push_refused_twice_for_its_provider_token_is_refused() {
    let mut bench = Bench::new(config());
    let first = bench.order(1);
    let again = bench.respond(first.request().id, 403, EXPIRED);
    let last = bench.respond(again.request().id, 403, EXPIRED);
    assert_eq!(last.result(), PushResult::Refused);
    assert!(last.requests.is_empty());
}

#[test]
fn pushes_refused_together_share_one_new_signature() {
    let mut bench = Bench::new(config());
    let ids: Vec<_> = (1..=5).map(|id| bench.order(id).request().id).collect();
    let mut tokens = Vec::new();
    for id in ids {
        tokens.push(provider_token(bench.respond(id, 403, EXPIRED).request()));
    }
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(bench.push.counters().jwt_signed.total(), 2);
}

#[test]
fn a_provider_with_another_clock_does_not_make_us_sign_for_each_push() {
    let mut bench = Bench::new(config());
    let first = bench.order(1);
    let again = bench.respond(first.request().id, 403, EXPIRED);
    bench.respond(again.request().id, 403, EXPIRED);
    for id in 2..20 {
        let push = bench.order(id);
        assert_eq!(bench.respond(push.request().id, 403, EXPIRED).result(), PushResult::Refused);
    }
    assert_eq!(bench.push.counters().jwt_signed.total(), 2);
    bench.pass(FORCED_INTERVAL_MIN);
    bench.input(Input::Tick);
    let push = bench.order(20);
    assert_eq!(bench.respond(push.request().id, 403, EXPIRED).requests.len(), 1);
    assert_eq!(bench.push.counters().jwt_signed.total(), 3);
}
