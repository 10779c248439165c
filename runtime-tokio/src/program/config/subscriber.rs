//! What a file says of a subscriber.

use ntf_core::base::reach::Reach;
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::delivery::limits::DeliveryLimits;
use ntf_core::delivery::policy::PushPolicy;
use ntf_core::subscriber::config::{Config, SealedTokens};
use ntf_core::subscriber::sources::SourceLimits;
use ntf_core::subscription::limits::SubscriptionLimits;
use ntf_core::token::limits::TokenLimits;

use super::keys::Kind;
use super::reader::Reader;

/// What a subscriber is told, besides who it is.
#[derive(Clone, Debug)]
pub(crate) struct SubscriberKeys {
    pub(crate) padded_len: usize,
    links: usize,
    pub(crate) allow_test_provider: bool,
    pub(crate) service_certificates: bool,
    pub(crate) reach: Reach,
    sealed_tokens: SealedTokens,
    tokens: TokenLimits,
    subscriptions: SubscriptionLimits,
    pub(crate) delivery: DeliveryLimits,
    sources: SourceLimits,
}

impl SubscriberKeys {
    /// The settings of the role.
    pub(crate) fn config(self, credentials: ServerCredentials) -> Config {
        let mut config = Config {
            padded_len: self.padded_len,
            links: self.links,
            allow_test_provider: self.allow_test_provider,
            use_service_certificates: self.service_certificates,
            sealed_tokens: self.sealed_tokens,
            tokens: self.tokens,
            subscriptions: self.subscriptions,
            delivery: self.delivery,
            sources: self.sources,
            ..Config::new(credentials)
        };
        config.smp.reach = self.reach;
        config
    }
}

/// Reads all of them.
pub(super) fn subscriber_keys(reader: &mut Reader, kind: Kind) -> SubscriberKeys {
    let (tokens, sealed_tokens, allow_test_provider) = reader.section("tokens", |keys| {
        let sealed = [("refused", SealedTokens::Refused), ("taken", SealedTokens::Taken), ("demanded", SealedTokens::Demanded)];
        let sealed = match kind {
            Kind::Subscriber => keys.choice("sealed", "refused", &sealed, "Device tokens that only the push server can read: refused as by servers of the reference, taken beside plain ones, or demanded, which keeps stock apps out."),
            Kind::Push | Kind::Server | Kind::Smp => None,
        };
        let test = match kind {
            Kind::Subscriber => keys.flag("allow_test_provider", false, "Whether device tokens of the test provider (AT) are taken, for trying things out with a stand-in for Apple."),
            Kind::Push | Kind::Server | Kind::Smp => false,
        };
        (token_limits(keys), sealed.unwrap_or_default(), test)
    });
    let limits = SubscriptionLimits::default();
    let subscriptions = reader.section("subscriptions", |keys| SubscriptionLimits {
        subscriptions: keys.count32(
            "max",
            limits.subscriptions,
            "Subscriptions in all; beyond it further ones are refused.",
        ),
        per_token: keys.count32(
            "per_device_max",
            limits.per_token,
            "Subscriptions of one registration; beyond it further ones are refused.",
        ),
        servers: keys.count32(
            "servers_max",
            limits.servers,
            "SMP servers watched, each with a connection of its own.",
        ),
        servers_per_token: keys.count(
            "servers_per_device_max",
            limits.servers_per_token,
            "SMP servers of one registration.",
        ),
    });
    let (service_certificates, reach) = reader.section("smp_servers", |keys| {
        let certificates = keys.flag("service_certificates", false, "Show SMP servers that ask for it a certificate, a different one each: they remember which queues are watched from here, and one command brings all of them back after a lost connection.");
        let private = keys.flag("allow_private_addresses", false, "Connect to SMP servers at private addresses as well. Whoever can register a device then makes this server connect there.");
        (certificates, if private { Reach::Anywhere } else { Reach::Public })
    });
    let (delivery, padded_len) = reader.section("pushes", delivery);
    let defaults = SourceLimits::default();
    let (links, sources) = reader.section("devices", |keys| {
        let links = keys.count(
            "links_max",
            50_000,
            "Devices connected at a time; beyond it the one that was silent longest gives way.",
        );
        let sources = SourceLimits {
            links: keys.count32(
                "links_per_source_max",
                defaults.links,
                "Links open from one source address; a further one is closed.",
            ),
            registrations: keys.budget(
                ["registrations_at_once", "registrations_every_seconds"],
                defaults.registrations,
                ["New registrations from one source address at once.", "After that, one in so many seconds."],
            ),
            verification_pushes: keys.budget(
                ["verification_pushes_at_once", "verification_pushes_every_seconds"],
                defaults.verification_pushes,
                [
                    "Verification pushes that one source address may ask for at once.",
                    "After that, one in so many seconds.",
                ],
            ),
            wrong_codes: keys.budget(
                ["wrong_codes_at_once", "wrong_codes_every_seconds"],
                defaults.wrong_codes,
                ["Wrong codes from one source address at once.", "After that, one in so many seconds."],
            ),
            sources: keys.count(
                "sources_max",
                defaults.sources,
                "Source addresses whose use is remembered, each some 100 bytes.",
            ),
        };
        (links, sources)
    });
    SubscriberKeys {
        padded_len,
        links,
        allow_test_provider,
        service_certificates,
        reach,
        sealed_tokens,
        tokens,
        subscriptions,
        delivery,
        sources,
    }
}

fn token_limits(keys: &mut Reader) -> TokenLimits {
    let limits = TokenLimits::default();
    TokenLimits {
        tokens: keys.count32("max", limits.tokens, "Registrations; beyond it the oldest unverified one gives way, and where there is none further ones are refused."),
        unverified_per_device: keys.count("unverified_per_device_max", limits.unverified_per_device, "Unverified registrations of one device token; beyond it one goes: of the same address, or of the address that has most, or the oldest that has had ten minutes to answer; where there is none, further ones are refused."),
        verification_pushes: keys.budget(
            ["verification_pushes_at_once", "verification_pushes_every_seconds"],
            limits.verification_pushes,
            ["Verification pushes to one device token at once.", "After that, one in so many seconds."],
        ),
        code_lifetime: keys.days("code_days", limits.code_lifetime, "How long a verification code is good for; 0 is for ever."),
        unverified_lifetime: keys.days("unverified_days", limits.unverified_lifetime, "How long an unverified registration is kept; 0 is for ever."),
        invalid_lifetime: keys.days("invalid_days", limits.invalid_lifetime, "How long a registration is kept after its provider refused the device token; 0 is for ever."),
        idle_lifetime: keys.days("idle_days", limits.idle_lifetime, "How long a verified registration is kept after its device was last heard of; 0 is for ever."),
        ..limits
    }
}

fn delivery(keys: &mut Reader) -> (DeliveryLimits, usize) {
    let limits = DeliveryLimits::default();
    let policies = PushPolicy::ALL.map(|policy| (policy.name(), policy));
    let policy = keys.choice("policy", limits.policy.name(), &policies, "How devices learn of messages. mutable: alerts with encrypted notices, which stock apps expect. hidden-then-visible: hidden pushes within the budget, beyond it an alert that carries nothing. visible-only: nothing but such alerts.");
    let padded = keys.number(
        "padded_length",
        2880,
        512..=16_000,
        "Length in bytes that the contents of pushes are padded to. More than 2912 is more than Apple takes.",
    );
    let limits = DeliveryLimits {
        policy: policy.unwrap_or(limits.policy),
        hidden_pushes: keys.budget(
            ["hidden_at_once", "hidden_every_seconds"],
            limits.hidden_pushes,
            [
                "Hidden pushes to one device at once, except under mutable.",
                "After that, one in so many seconds. Apple recommends two or three an hour.",
            ],
        ),
        quiet: keys.seconds(
            "quiet_seconds",
            limits.quiet,
            86_400,
            "Shortest time between two alerts to one device that carry nothing.",
        ),
        queues_per_token: keys.count(
            "queues_per_device_max",
            limits.queues_per_token,
            "Queues of one device whose notices wait; beyond it the oldest notice goes.",
        ),
        notices: keys.count("notices_max", limits.notices, "Notices that wait in all, each some 300 bytes."),
        orders: keys.count(
            "orders_max",
            limits.orders,
            "Pushes out at once; beyond it devices wait in line, and their notices merge.",
        ),
        devices_paced: keys.count(
            "devices_paced_max",
            limits.devices_paced,
            "Devices whose hidden pushes are on the books, each some 100 bytes.",
        ),
        ..limits
    };
    (limits, usize::try_from(padded).unwrap_or(2880))
}
