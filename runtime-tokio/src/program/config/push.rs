//! What a file says of a push server, of Apple, and of the subscribers that are served.

use std::path::PathBuf;
use std::time::Duration;

use ntf_core::base::budget::BudgetPlan;
use ntf_core::model::server::Fingerprint;
use ntf_core::push;
use ntf_core::push::alert::{AlertTexts, BODY_LEN_MAX, CATEGORY_LEN_MAX, TITLE_LEN_MAX};
use ntf_core::push::apns::is_topic;
use ntf_core::relay::push_end::{Admitted, Limits, TokensAllowed};
use ntf_core::wire::text::base64;

use super::reader::Reader;

/// How to reach Apple.
#[derive(Clone, Debug)]
pub(crate) struct AppleKeys {
    pub(crate) key: Option<PathBuf>,
    pub(crate) key_id: String,
    pub(crate) team_id: String,
    pub(crate) topic: String,
    pub(crate) test_url: Option<String>,
    pub(crate) test_ca: Option<PathBuf>,
}

/// Reads them.
pub(super) fn apple(keys: &mut Reader) -> AppleKeys {
    let any = |text: &str| Some(text.to_owned());
    let key = keys.path("key", "", "Apple's signing key, a PKCS#8 PEM file (AuthKey_….p8). Without one, all pushes but those of the null provider are refused.");
    let id = |text: &str| (text.is_empty() || text.len() == 10).then(|| text.to_owned());
    let key_id = keys
        .text("key_id", Some(""), "ten characters, or \"\" without a key", "The key's id.", id)
        .unwrap_or_default();
    let team_id = keys
        .text("team_id", Some(""), "ten characters, or \"\" without a key", "The developer team's id.", id)
        .unwrap_or_default();
    if key.is_some() && (key_id.is_empty() || team_id.is_empty()) {
        keys.fault("key", "a key needs its key_id and team_id");
    }
    let topic = |text: &str| is_topic(text).then(|| text.to_owned());
    let topic = keys.text("topic", Some("chat.simplex.app"), "a bundle id", "The app's bundle id.", topic);
    let url = keys.text("test_url", Some(""), "a URL, or \"\" for none", "Endpoint for device tokens of the test provider (AT), such as https://localhost:7443. Without it they are refused.", any);
    let test_ca = keys.path("test_ca", "", "PEM file with the CA certificate of that endpoint. Without it the system's are trusted, for all endpoints.");
    AppleKeys {
        key,
        key_id,
        team_id,
        topic: topic.unwrap_or_default(),
        test_url: url.filter(|url| !url.is_empty()),
        test_ca,
    }
}

/// What a push server is told, besides how to reach Apple.
#[derive(Clone, Debug)]
pub(crate) struct PushKeys {
    alert: AlertTexts,
    hidden_pushes: BudgetPlan,
    verification_pushes: BudgetPlan,
    in_flight_max: usize,
    queue_len_max: usize,
    devices_paced_max: usize,
}

impl PushKeys {
    /// Adds these settings to those of a role.
    pub(crate) fn apply(self, config: &mut push::Config) {
        config.alert = self.alert;
        config.hidden_pushes = self.hidden_pushes;
        config.verification_pushes = self.verification_pushes;
        config.in_flight_max = self.in_flight_max;
        config.queue_len_max = self.queue_len_max;
        config.devices_paced_max = self.devices_paced_max;
    }
}

/// Reads them.
pub(super) fn push_keys(reader: &mut Reader) -> PushKeys {
    let texts = AlertTexts::default();
    let within = |max: usize| move |text: &str| (text.len() <= max).then(|| text.to_owned());
    let alert = reader.section("alert", |keys| AlertTexts {
        title: keys
            .text(
                "title",
                Some(&texts.title),
                &format!("at most {TITLE_LEN_MAX} bytes"),
                "The line above the text of alerts that carry nothing; none if empty.",
                within(TITLE_LEN_MAX),
            )
            .unwrap_or_default(),
        body: keys
            .text(
                "body",
                Some(&texts.body),
                &format!("at most {BODY_LEN_MAX} bytes"),
                "The text of such alerts.",
                within(BODY_LEN_MAX),
            )
            .unwrap_or_default(),
        category: keys
            .text(
                "category",
                Some(&texts.category),
                &format!("at most {CATEGORY_LEN_MAX} bytes"),
                "The category that tells the app what actions to offer; none if empty.",
                within(CATEGORY_LEN_MAX),
            )
            .unwrap_or_default(),
        lifetime: keys.seconds(
            "lifetime_seconds",
            texts.lifetime,
            2_592_000,
            "How long the provider keeps such an alert for a device that is away.",
        ),
    });
    let defaults = push::Config::default();
    reader.section("budgets", |keys| PushKeys {
        alert,
        hidden_pushes: keys.budget(
            ["hidden_at_once", "hidden_every_seconds"],
            defaults.hidden_pushes,
            [
                "Hidden pushes to one device at once, whatever a subscriber asks for.",
                "After that, one in so many seconds.",
            ],
        ),
        verification_pushes: keys.budget(
            ["verification_at_once", "verification_every_seconds"],
            defaults.verification_pushes,
            ["Verification pushes to one device at once.", "After that, one in so many seconds."],
        ),
        in_flight_max: keys.count(
            "requests_max",
            defaults.in_flight_max,
            "Requests in flight to each provider.",
        ),
        queue_len_max: keys.count(
            "orders_max",
            defaults.queue_len_max,
            "Orders that wait for each provider; beyond it they are put off.",
        ),
        devices_paced_max: keys.count(
            "devices_paced_max",
            defaults.devices_paced_max,
            "Devices on the books of each budget, each some 100 bytes.",
        ),
    })
}

/// One entry of the list of subscribers.
pub(super) fn admitted(keys: &mut Reader) -> Option<Admitted> {
    let name = keys.text("name", None, "1 to 64 characters", "What the subscriber is called here. Entries of one name are one subscriber with several certificates.", |text| {
        (1..=64).contains(&text.len()).then(|| text.to_owned())
    });
    let identity = keys.text(
        "fingerprint",
        None,
        "the fingerprint that `ntf init subscriber` prints",
        "The identity in its certificates: what stands in the address of its users between // and @.",
        |text| base64::decode_array(text).map(Fingerprint::new),
    );
    let limits = Limits::default();
    let credits = keys.count32("orders_max", limits.credits, "Its orders in hand at a time.");
    let per_second =
        keys.number("pushes_per_second", 500, 1..=1_000_000, "Its pushes a second, after a first burst.");
    let burst = keys.count32("pushes_at_once", limits.short.burst, "Its pushes at once after a rest.");
    let per_hour = keys.number(
        "pushes_per_hour",
        100_000,
        1..=1_000_000_000,
        "Its pushes an hour; as many may come at once after a rest.",
    );
    let allowed = [("any", TokensAllowed::Any), ("sealed", TokensAllowed::Sealed)];
    let tokens = keys.choice(
        "device_tokens",
        "any",
        &allowed,
        "Which device tokens it may push to: any, or only sealed ones, which it cannot read.",
    );
    let limits = Limits {
        credits,
        short: BudgetPlan { burst, period: one_of(1, per_second) },
        long: BudgetPlan {
            burst: u32::try_from(per_hour).unwrap_or(u32::MAX),
            period: one_of(3600, per_hour),
        },
        tokens: tokens.unwrap_or(limits.tokens),
    };
    Some(Admitted { name: name?.into(), identity: identity?, limits })
}

/// The time for one of so many in so many seconds.
fn one_of(seconds: u64, many: u64) -> Duration {
    Duration::from_nanos(seconds.saturating_mul(1_000_000_000) / many.max(1))
}
