//! `statuses.json`: the statuses of tokens and subscriptions.

use crate::file::{Vector, each};
use ntf_core::model::subscription::SubscriptionStatus;
use ntf_core::model::token::{InvalidReason, TokenStatus};
use ntf_core::wire::text::status;

#[test]
fn statuses_have_the_texts_of_the_reference() {
    each("statuses", |vector| match vector.words()[0] {
        "token_status" => token(vector),
        "sub_status" => subscription(vector),
        other => panic!("{}: no status is called {other}", vector.name),
    });
}

fn token(vector: &Vector) {
    let expected = match vector.name.split_once('/').unwrap().1 {
        "NTNew" => TokenStatus::New,
        "NTRegistered" => TokenStatus::Registered,
        "NTInvalid" => TokenStatus::Invalid(None),
        "NTInvalid/bad" => TokenStatus::Invalid(Some(InvalidReason::Bad)),
        "NTInvalid/topic" => TokenStatus::Invalid(Some(InvalidReason::Topic)),
        "NTInvalid/expired" => TokenStatus::Invalid(Some(InvalidReason::Expired)),
        "NTInvalid/unregistered" => TokenStatus::Invalid(Some(InvalidReason::Unregistered)),
        "NTConfirmed" => TokenStatus::Confirmed,
        "NTActive" => TokenStatus::Active,
        "NTExpired" => TokenStatus::Expired,
        other => panic!("token status {other}"),
    };
    let text = vector.output("text").text();
    assert_eq!(status::token(expected), text, "{}", vector.name);
    assert_eq!(vector.output("encoded").hex(), text.as_bytes(), "{}", vector.name);
    assert_eq!(status::parse_token(text), Some(expected), "{}", vector.name);
    assert_eq!(expected.allows_verification(), vector.output("allow_verification").bool(), "{}", vector.name);
    assert_eq!(
        expected.allows_subscription_commands(),
        vector.output("allow_sub_commands").bool(),
        "{}",
        vector.name
    );
}

fn subscription(vector: &Vector) {
    let text = vector.output("text").text();
    let expected = match vector.words()[1] {
        "NSNew" => SubscriptionStatus::New,
        "NSPending" => SubscriptionStatus::Pending,
        "NSActive" => SubscriptionStatus::Active,
        "NSInactive" => SubscriptionStatus::Inactive,
        "NSEnd" => SubscriptionStatus::End,
        "NSDeleted" => SubscriptionStatus::Deleted,
        "NSAuth" => SubscriptionStatus::Auth,
        "NSService" => SubscriptionStatus::Service,
        "NSErr" => SubscriptionStatus::Error(text.strip_prefix("ERR ").unwrap().into()),
        other => panic!("subscription status {other}"),
    };
    let (word, rest) = status::subscription(&expected);
    assert_eq!(format!("{word}{rest}"), text, "{}", vector.name);
    assert_eq!(vector.output("encoded").hex(), text.as_bytes(), "{}", vector.name);
    assert_eq!(status::parse_subscription(text).as_ref(), Some(&expected), "{}", vector.name);
    // The reference keeps SERVICE and leaves such a queue dead; we and its successor do not (defect D8).
    if expected != SubscriptionStatus::Service {
        assert_eq!(expected.is_kept(), vector.output("should_subscribe").bool(), "{}", vector.name);
    }
}
