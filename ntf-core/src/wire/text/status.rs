//! The texts of statuses, in answers and logs alike. Source: `ntf-protocol` 2.5 and 2.6.

use crate::model::subscription::SubscriptionStatus;
use crate::model::token::{InvalidReason, TokenStatus};

/// The text of a token's status, with the reason if there is one.
#[must_use]
pub const fn token(status: TokenStatus) -> &'static str {
    match status {
        TokenStatus::New => "NEW",
        TokenStatus::Registered => "REGISTERED",
        TokenStatus::Invalid(None) => "INVALID",
        TokenStatus::Invalid(Some(InvalidReason::Bad)) => "INVALID,BAD",
        TokenStatus::Invalid(Some(InvalidReason::Topic)) => "INVALID,TOPIC",
        TokenStatus::Invalid(Some(InvalidReason::Expired)) => "INVALID,EXPIRED",
        TokenStatus::Invalid(Some(InvalidReason::Unregistered)) => "INVALID,UNREGISTERED",
        TokenStatus::Confirmed => "CONFIRMED",
        TokenStatus::Active => "ACTIVE",
        TokenStatus::Expired => "EXPIRED",
    }
}

/// The status with this text.
#[must_use]
pub fn parse_token(text: &str) -> Option<TokenStatus> {
    match text {
        "NEW" => Some(TokenStatus::New),
        "REGISTERED" => Some(TokenStatus::Registered),
        "INVALID" => Some(TokenStatus::Invalid(None)),
        "INVALID,BAD" => Some(TokenStatus::Invalid(Some(InvalidReason::Bad))),
        "INVALID,TOPIC" => Some(TokenStatus::Invalid(Some(InvalidReason::Topic))),
        "INVALID,EXPIRED" => Some(TokenStatus::Invalid(Some(InvalidReason::Expired))),
        "INVALID,UNREGISTERED" => Some(TokenStatus::Invalid(Some(InvalidReason::Unregistered))),
        "CONFIRMED" => Some(TokenStatus::Confirmed),
        "ACTIVE" => Some(TokenStatus::Active),
        "EXPIRED" => Some(TokenStatus::Expired),
        _ => None,
    }
}

/// The text of a subscription's status in two parts: the word, and the text of an error.
#[must_use]
pub fn subscription(status: &SubscriptionStatus) -> (&'static str, &str) {
    match status {
        SubscriptionStatus::New => ("NEW", ""),
        SubscriptionStatus::Pending => ("PENDING", ""),
        SubscriptionStatus::Active => ("ACTIVE", ""),
        SubscriptionStatus::Inactive => ("INACTIVE", ""),
        SubscriptionStatus::End => ("END", ""),
        SubscriptionStatus::Deleted => ("DELETED", ""),
        SubscriptionStatus::Auth => ("AUTH", ""),
        SubscriptionStatus::Service => ("SERVICE", ""),
        SubscriptionStatus::Error(text) => (ERROR, text),
    }
}

/// The status with this text.
#[must_use]
pub fn parse_subscription(text: &str) -> Option<SubscriptionStatus> {
    match text {
        "NEW" => Some(SubscriptionStatus::New),
        "PENDING" => Some(SubscriptionStatus::Pending),
        "ACTIVE" => Some(SubscriptionStatus::Active),
        "INACTIVE" => Some(SubscriptionStatus::Inactive),
        "END" => Some(SubscriptionStatus::End),
        "DELETED" => Some(SubscriptionStatus::Deleted),
        "AUTH" => Some(SubscriptionStatus::Auth),
        "SERVICE" => Some(SubscriptionStatus::Service),
        text => text.strip_prefix(ERROR).map(|text| SubscriptionStatus::Error(text.into())),
    }
}

const ERROR: &str = "ERR ";
