//! The keys of each kind of file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use ntf_core::base::budget::BudgetPlan;
use ntf_core::base::reach::Reach;
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::delivery::limits::DeliveryLimits;
use ntf_core::delivery::policy::PushPolicy;
use ntf_core::model::server::{Fingerprint, Protocol, ServerAddress};
use ntf_core::push;
use ntf_core::push::alert::{AlertTexts, BODY_LEN_MAX, CATEGORY_LEN_MAX, TITLE_LEN_MAX};
use ntf_core::push::apns::is_topic;
use ntf_core::relay::push_end::{Admitted, Limits, TokensAllowed};
use ntf_core::subscriber::config::{Config, SealedTokens};
use ntf_core::subscriber::sources::SourceLimits;
use ntf_core::subscription::limits::SubscriptionLimits;
use ntf_core::token::limits::TokenLimits;
use ntf_core::wire::text::{address, base64};

use super::reader::Reader;
use crate::identity::Identity;
use crate::program::failure::Failure;
use crate::program::hardening::MemoryLock;

/// A kind of server, and of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Watches queues for devices; its push server is another process.
    Subscriber,
    /// Sends pushes for subscribers that are other processes.
    Push,
    /// Both in one process.
    Server,
    /// A small SMP server.
    Smp,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Subscriber, Self::Push, Self::Server, Self::Smp];

    /// The name of its command, and of the file that `ntf init` writes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Push => "push",
            Self::Server => "server",
            Self::Smp => "smp",
        }
    }

    /// What its address is for.
    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::Subscriber | Self::Server => Protocol::Ntf,
            Self::Push => Protocol::Relay,
            Self::Smp => Protocol::Smp,
        }
    }

    /// Where it listens if nothing else is said: everywhere, at the port that its addresses mean.
    pub(super) const fn listen(self) -> &'static str {
        match self {
            Self::Subscriber | Self::Server => "0.0.0.0:443",
            Self::Push => "0.0.0.0:5238",
            Self::Smp => "0.0.0.0:5223",
        }
    }

    pub(super) fn read(self, reader: &mut Reader) {
        match self {
            Self::Subscriber => _ = subscriber(reader),
            Self::Push => _ = push(reader),
            Self::Server => _ = server(reader),
            Self::Smp => _ = smp(reader),
        }
    }
}

/// Who a server is and where it listens.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) listen: SocketAddr,
    pub(crate) hosts: Vec<String>,
    folder: PathBuf,
    chain: Option<PathBuf>,
    key: Option<PathBuf>,
    pub(crate) lock_memory: MemoryLock,
}

impl Place {
    /// The identity that the files hold.
    ///
    /// # Errors
    ///
    /// When they cannot be used.
    pub(crate) fn identity(&self, protocol: Protocol) -> Result<Identity, Failure> {
        match (&self.chain, &self.key) {
            (Some(chain), Some(key)) => Identity::from_files(chain, key),
            _ => Identity::in_folder(&self.folder, self.host(), protocol),
        }
    }

    /// The same with its files in a folder.
    pub(super) fn in_folder(self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }

    /// The same, for this machine alone.
    pub(crate) fn on_loopback(self, port: u16) -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], port)), ..self }
    }

    /// Takes what the command line says instead.
    pub(crate) fn set(&mut self, listen: Option<SocketAddr>, host: Option<&str>) {
        self.listen = listen.unwrap_or(self.listen);
        if let Some(host) = host {
            self.hosts = vec![host.to_owned()];
        }
    }

    /// The first of its names.
    pub(crate) fn host(&self) -> &str {
        self.hosts.first().map_or("localhost", String::as_str)
    }

    /// The address to give to others.
    ///
    /// # Errors
    ///
    /// When the certificates name no identity.
    pub(crate) fn address(
        &self,
        identity: &Identity,
        listening: SocketAddr,
    ) -> Result<ServerAddress, Failure> {
        let address = identity.address(self.host(), listening)?;
        Ok(ServerAddress { hosts: self.hosts.iter().map(|host| host.as_str().into()).collect(), ..address })
    }
}

fn place(reader: &mut Reader, kind: Kind) -> Place {
    reader.section("listen", |keys| {
        let fallback = SocketAddr::from(([0, 0, 0, 0], kind.protocol().default_port()));
        let listen = keys.text(
            "address",
            Some(kind.listen()),
            "an IP address and a port, such as \"0.0.0.0:443\" or \"[::]:443\"",
            "Where to listen. Port 0 takes any free one.",
            |text| text.parse().ok(),
        );
        let hosts = keys.texts(
            "hosts",
            &["localhost"],
            "host names or IP addresses, at least one",
            "Names under which others reach this server, in the order in which they should try them. They go into the address that is printed, and the first one into certificates that are made.",
            |host| !host.is_empty() && !host.contains([',', ' ', '/', '@']),
        );
        if hosts.is_empty() {
            keys.fault("hosts", "at least one is needed, or nobody can be told how to reach this server");
        }
        let folder = keys.path("folder", ".", "Folder with ca.crt, server.crt and server.key. Made there if it holds none of them.");
        let chain = keys.path("chain", "", "Instead of a folder: a PEM file with the certificates, leaf first, then the identity certificate.");
        let key = keys.path("key", "", "Beside chain: a PEM file with the private key (PKCS#8) of the leaf.");
        if chain.is_some() != key.is_some() {
            keys.fault("chain", "chain and key go together: give both or none");
        }
        let lock = [("try", MemoryLock::Try), ("require", MemoryLock::Require), ("off", MemoryLock::Off)];
        let lock_memory = keys.choice("lock_memory", "try", &lock, "Whether to keep memory out of swap: try and warn, refuse to start without, or leave it. Core dumps are off in any case.");
        Place {
            listen: listen.unwrap_or(fallback),
            hosts,
            folder: folder.unwrap_or_default(),
            chain,
            key,
            lock_memory: lock_memory.unwrap_or_default(),
        }
    })
}

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
    delivery: DeliveryLimits,
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

fn subscriber_keys(reader: &mut Reader, kind: Kind) -> SubscriberKeys {
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
        unverified_per_device: keys.count("unverified_per_device_max", limits.unverified_per_device, "Unverified registrations of one device token; beyond it the oldest goes."),
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

fn apple(keys: &mut Reader) -> AppleKeys {
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

fn push_keys(reader: &mut Reader) -> PushKeys {
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

/// A subscriber's file.
#[derive(Clone, Debug)]
pub(crate) struct SubscriberFile {
    pub(crate) place: Place,
    pub(crate) push_server: Option<ServerAddress>,
    pub(crate) subscriber: SubscriberKeys,
}

pub(crate) fn subscriber(reader: &mut Reader) -> SubscriberFile {
    let place = place(reader, Kind::Subscriber);
    let push_server = reader.section("push_server", |keys| {
        keys.text(
            "address",
            None,
            "an address as `ntf init push` prints it: \"relay://FINGERPRINT@HOST:PORT\"",
            "The push server, and the identity to expect there.",
            |text| address::parse_server(text, Protocol::Relay).ok(),
        )
    });
    SubscriberFile { place, push_server, subscriber: subscriber_keys(reader, Kind::Subscriber) }
}

/// A push server's file.
#[derive(Clone, Debug)]
pub(crate) struct PushFile {
    pub(crate) place: Place,
    pub(crate) subscribers: Vec<Admitted>,
    /// Files with private keys, the one that clients are given first.
    pub(crate) sealing_keys: Vec<PathBuf>,
    pub(crate) apple: AppleKeys,
    pub(crate) push: PushKeys,
}

pub(crate) fn push(reader: &mut Reader) -> PushFile {
    let place = place(reader, Kind::Push);
    let sealing_keys = reader.section("sealing", |keys| {
        let present = keys.path("key", "sealing.key", "File with the private key that opens sealed device tokens; `ntf init push` makes it. Without one, sealed tokens are answered as invalid.");
        let earlier = keys.path("earlier_key", "", "File with the key that was in use before, for devices that have sealed to it.");
        present.into_iter().chain(earlier).collect()
    });
    let subscribers = reader.list("subscribers", admitted).into_iter().flatten().collect();
    let apple = reader.section("apns", apple);
    PushFile { place, subscribers, sealing_keys, apple, push: push_keys(reader) }
}

fn admitted(keys: &mut Reader) -> Option<Admitted> {
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

/// The file of both in one process.
#[derive(Clone, Debug)]
pub(crate) struct ServerFile {
    pub(crate) place: Place,
    pub(crate) subscriber: SubscriberKeys,
    pub(crate) apple: AppleKeys,
    pub(crate) push: PushKeys,
}

pub(crate) fn server(reader: &mut Reader) -> ServerFile {
    let place = place(reader, Kind::Server);
    let apple = reader.section("apns", apple);
    let subscriber = subscriber_keys(reader, Kind::Server);
    ServerFile { place, subscriber, apple, push: push_keys(reader) }
}

/// An SMP server's file.
#[derive(Clone, Debug)]
pub(crate) struct SmpFile {
    pub(crate) place: Place,
    pub(crate) round: Duration,
}

pub(crate) fn smp(reader: &mut Reader) -> SmpFile {
    let place = place(reader, Kind::Smp);
    let round = reader.section("notifications", |keys| {
        keys.number("round_ms", 1500, 1..=60_000, "Pause between rounds of notifications, in milliseconds.")
    });
    SmpFile { place, round: Duration::from_millis(round) }
}
