//! The JSON of INFO: what QUE tells a queue's owner. Source: `smp-transport` 5.3.
//!
//! ```text
//! {"qiSnd":bool,"qiNtf":bool[,"qiSub":{"qSubThread":text[,"qDelivered":id]}],"qiSize":int
//!  [,"qiMsg":{"msgId":id,"msgTs":time,"msgType":"message"|"quota"}]}
//! ```

use super::id::MessageId;
use super::message::{Content, Message};
use super::readers::Reading;
use alloc::format;
use alloc::string::String;
use base64ct::{Base64Url, Encoding};

/// A queue as its owner sees it on one link.
pub(super) struct View<'q> {
    /// Whether a sender key is set.
    pub(super) is_secured: bool,
    /// Whether there is a notifier.
    pub(super) has_notifier: bool,
    /// Messages held, the quota marker included.
    pub(super) messages: usize,
    /// The oldest of them.
    pub(super) first: Option<&'q Message>,
    /// What the asking link does with the queue.
    pub(super) reading: Reading,
    /// Whether a message waits until the asking link takes it.
    pub(super) is_owed: bool,
    /// What the asking link has yet to acknowledge.
    pub(super) unacknowledged: Option<MessageId>,
}

/// The JSON text. Ids and times need no escaping.
pub(super) fn describe(view: &View<'_>) -> String {
    let thread = match view.reading {
        Reading::Nothing => None,
        Reading::Subscribed if view.is_owed => Some("subPending"),
        Reading::Subscribed => Some("noSub"),
        Reading::Fetching => Some("prohibitSub"),
    };
    let subscription = thread.map_or_else(String::new, |thread| {
        let delivered =
            view.unacknowledged.map_or_else(String::new, |id| format!(r#","qDelivered":"{}""#, text_of(id)));
        format!(r#","qiSub":{{"qSubThread":"{thread}"{delivered}}}"#)
    });
    let first = view.first.map_or_else(String::new, |message| {
        let kind = match message.content {
            Content::Sent { .. } => "message",
            Content::QuotaMarker => "quota",
        };
        let (id, time) = (text_of(message.id), iso_time(message.timestamp));
        format!(r#","qiMsg":{{"msgId":"{id}","msgTs":"{time}","msgType":"{kind}"}}"#)
    });
    format!(
        r#"{{"qiSnd":{},"qiNtf":{}{subscription},"qiSize":{}{first}}}"#,
        view.is_secured, view.has_notifier, view.messages
    )
}

fn text_of(id: MessageId) -> String {
    Base64Url::encode_string(id.as_bytes())
}

/// Unix seconds as `YYYY-MM-DDThh:mm:ssZ`, in the calendar that repeats every 400 years.
fn iso_time(unix_secs: i64) -> String {
    const DAY: i64 = 86_400;
    const ERA_DAYS: i64 = 146_097;
    let (days, secs) = (unix_secs.div_euclid(DAY), unix_secs.rem_euclid(DAY));
    // Years begin in March here, so that the leap day is the last of its year.
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (secs / 3600, secs / 60 % 60, secs % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Mono;

    #[test]
    fn times_are_iso_8601() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(iso_time(secs), text);
        }
    }

    #[test]
    fn absent_parts_are_left_out() {
        let view = View {
            is_secured: false,
            has_notifier: true,
            messages: 0,
            first: None,
            reading: Reading::Nothing,
            is_owed: false,
            unacknowledged: None,
        };
        assert_eq!(describe(&view), r#"{"qiSnd":false,"qiNtf":true,"qiSize":0}"#);
    }

    #[test]
    fn present_parts_are_objects() {
        let id = MessageId::new([0xff; 24]);
        let message = |content| Message { id, timestamp: 0, received: Mono::ZERO, content };
        let marker = message(Content::QuotaMarker);
        let sent = message(Content::Sent { notify: true, body: [1].into() });
        let ids = "_".repeat(32);
        for (reading, is_owed, thread) in [
            (Reading::Subscribed, false, "noSub"),
            (Reading::Subscribed, true, "subPending"),
            (Reading::Fetching, false, "prohibitSub"),
        ] {
            for (first, kind) in [(&marker, "quota"), (&sent, "message")] {
                let view = View {
                    is_secured: true,
                    has_notifier: false,
                    messages: 1,
                    first: Some(first),
                    reading,
                    is_owed,
                    unacknowledged: Some(id),
                };
                let expected = format!(
                    r#"{{"qiSnd":true,"qiNtf":false,"qiSub":{{"qSubThread":"{thread}","qDelivered":"{ids}"}},"qiSize":1,"qiMsg":{{"msgId":"{ids}","msgTs":"1970-01-01T00:00:00Z","msgType":"{kind}"}}}}"#
                );
                assert_eq!(describe(&view), expected);
            }
        }
    }
}
