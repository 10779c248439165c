//! The rules of a push request, in the order Apple's documentation suggests they are looked at.
//!
//! Statuses and reasons are Apple's. One is ours: a body that is JSON, but not of the shape Apple
//! documents, is answered 400 [`BAD_PAYLOAD`], where Apple would accept and show nothing.

use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use crate::standin::Inner;

/// Largest body, in bytes. Source: Apple.
pub(super) const BODY_LEN_MAX: usize = 4096;

/// The reason, of our own, for a body that Apple would accept and not show.
const BAD_PAYLOAD: &str = "BadPayload";

/// Keys Apple documents inside `aps` for alerts and background pushes.
const APS_KEYS: [&str; 11] = [
    "alert",
    "badge",
    "category",
    "content-available",
    "filter-criteria",
    "interruption-level",
    "mutable-content",
    "relevance-score",
    "sound",
    "target-content-id",
    "thread-id",
];

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) timestamp_millis: Option<u64>,
}

impl Refusal {
    pub(super) const fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason, timestamp_millis: None }
    }
}

/// Checks a request; the device token if it may pass. `body` is cut off above [`BODY_LEN_MAX`].
pub(super) fn request<'a>(
    head: &'a Parts,
    body: &[u8],
    topic: &str,
    inner: &mut Inner,
    at_secs: u64,
) -> Result<&'a str, Refusal> {
    if head.method != Method::POST {
        return Err(Refusal::new(405, "MethodNotAllowed"));
    }
    let token = head
        .uri
        .path_and_query()
        .and_then(|path| path.as_str().strip_prefix("/3/device/"))
        .ok_or(Refusal::new(404, "BadPath"))?;
    headers_are_single(&head.headers)?;
    inner.verifier.check(text(&head.headers, "authorization"), at_secs)?;
    if token.is_empty() {
        return Err(Refusal::new(400, "MissingDeviceToken"));
    }
    let push_type = apns_headers(&head.headers, topic)?;
    if body.len() > BODY_LEN_MAX {
        return Err(Refusal::new(413, "PayloadTooLarge"));
    }
    payload(body, push_type)?;
    if token.len() % 2 != 0 || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Refusal::new(400, "BadDeviceToken"));
    }
    if let Some(since) = inner.devices.gone_since_millis(token) {
        return Err(Refusal { timestamp_millis: Some(since), ..Refusal::new(410, "Unregistered") });
    }
    Ok(token)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PushType {
    Alert,
    Background,
}

fn headers_are_single(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_ours = |name: &str| name.starts_with("apns-") || name == "authorization";
    let has_repeats =
        headers.keys().any(|name| is_ours(name.as_str()) && headers.get_all(name).iter().nth(1).is_some());
    if has_repeats { Err(Refusal::new(400, "DuplicateHeaders")) } else { Ok(()) }
}

fn apns_headers(headers: &HeaderMap, topic: &str) -> Result<PushType, Refusal> {
    match text(headers, "apns-topic") {
        None | Some("") => return Err(Refusal::new(400, "MissingTopic")),
        Some(given) if !given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) => {
            return Err(Refusal::new(400, "BadTopic"));
        }
        Some(given) if given != topic => return Err(Refusal::new(400, "TopicDisallowed")),
        Some(_) => {}
    }
    let push_type = match text(headers, "apns-push-type") {
        Some("alert") => PushType::Alert,
        Some("background") => PushType::Background,
        Some(_) | None => return Err(Refusal::new(400, "InvalidPushType")),
    };
    let is_good_priority = match (push_type, text(headers, "apns-priority")) {
        (PushType::Alert, None | Some("5" | "10")) | (PushType::Background, Some("5")) => true,
        (PushType::Alert | PushType::Background, _) => false,
    };
    if !is_good_priority {
        return Err(Refusal::new(400, "BadPriority"));
    }
    if text(headers, "apns-expiration").is_some_and(|date| date.parse::<u64>().is_err()) {
        return Err(Refusal::new(400, "BadExpirationDate"));
    }
    if text(headers, "apns-collapse-id").is_some_and(|id| id.len() > 64) {
        return Err(Refusal::new(400, "BadCollapseId"));
    }
    if text(headers, "apns-id").is_some_and(|id| !is_uuid(id)) {
        return Err(Refusal::new(400, "BadMessageId"));
    }
    Ok(push_type)
}

fn payload(body: &[u8], push_type: PushType) -> Result<(), Refusal> {
    if body.is_empty() {
        return Err(Refusal::new(400, "PayloadEmpty"));
    }
    let bad = Refusal::new(400, BAD_PAYLOAD);
    let parsed: Value = serde_json::from_slice(body).map_err(|_| bad.clone())?;
    let aps = parsed.get("aps").and_then(Value::as_object).ok_or(bad.clone())?;
    let is_good = aps.keys().all(|key| APS_KEYS.contains(&key.as_str()))
        && match push_type {
            PushType::Alert => is_good_alert(aps),
            PushType::Background => is_good_background(aps),
        };
    if is_good { Ok(()) } else { Err(bad) }
}

fn is_good_alert(aps: &Map<String, Value>) -> bool {
    let has_alert = aps.get("alert").is_some_and(|alert| alert.is_string() || alert.is_object());
    has_alert
        && is_absent_or(aps, "mutable-content", |value| value.as_u64().is_some_and(|flag| flag <= 1))
        && is_absent_or(aps, "category", Value::is_string)
        && is_absent_or(aps, "thread-id", Value::is_string)
        && is_absent_or(aps, "badge", Value::is_u64)
        && is_absent_or(aps, "sound", |sound| sound.is_string() || sound.is_object())
}

/// Source: Apple: a background push has `content-available` and nothing that shows.
fn is_good_background(aps: &Map<String, Value>) -> bool {
    aps.get("content-available").and_then(Value::as_u64) == Some(1)
        && !["alert", "badge", "sound"].iter().any(|key| aps.contains_key(*key))
}

fn is_absent_or(aps: &Map<String, Value>, key: &str, is_good: impl Fn(&Value) -> bool) -> bool {
    aps.get(key).is_none_or(is_good)
}

fn is_uuid(id: &str) -> bool {
    let lens: Vec<usize> = id.split('-').map(str::len).collect();
    lens == [8, 4, 4, 4, 12] && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
