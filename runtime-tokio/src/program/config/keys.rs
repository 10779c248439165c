//! The keys of each kind of file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::relay::push_end::Admitted;
use ntf_core::wire::text::address;

use super::push::{AppleKeys, PushKeys, admitted, apple, push_keys};
use super::reader::Reader;
use super::subscriber::{SubscriberKeys, subscriber_keys};
use crate::identity::Identity;
use crate::program::failure::Failure;
use crate::program::hardening::MemoryLock;
use crate::shards::DRAIN;

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
    /// How long pushes that are under way get at the end.
    pub(crate) drain: Duration,
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
        let drain = match kind {
            Kind::Subscriber | Kind::Push | Kind::Server => keys.seconds("drain_seconds", DRAIN, 300, "At the end, how long pushes that are under way may take: nothing new is taken in then, and what has no outcome when the time is over is dropped and counted. Links get five seconds more to send what they hold; whoever kills the process has to wait for both."),
            // Holds nothing that an end would finish.
            Kind::Smp => Duration::ZERO,
        };
        Place {
            drain,
            listen: listen.unwrap_or(fallback),
            hosts,
            folder: folder.unwrap_or_default(),
            chain,
            key,
            lock_memory: lock_memory.unwrap_or_default(),
        }
    })
}

/// Where numbers are shown. Nowhere unless it is said, and not to other hosts unless that is said too.
fn metrics(reader: &mut Reader) -> Option<SocketAddr> {
    reader.section("metrics", |keys| {
        let address = keys.text(
            "address",
            Some(""),
            "an IP address and a port, or \"\" for none",
            "Where to show what was counted, such as \"127.0.0.1:9464\": at http://127.0.0.1:9464/metrics, as OpenMetrics text.",
            |text| if text.is_empty() { Some(None) } else { text.parse::<SocketAddr>().ok().map(Some) },
        );
        let anywhere = keys.flag("anywhere", false, "Whether the address may be one that other hosts can read. No number names anybody, but together they tell how busy this server is and when.");
        let address = address.flatten();
        if address.is_some_and(|address| !address.ip().is_loopback()) && !anywhere {
            keys.fault("address", "other hosts can read it there: name an address of this host alone, such as \"127.0.0.1:9464\", or set anywhere = true");
        }
        address
    })
}

/// A subscriber's file.
#[derive(Clone, Debug)]
pub(crate) struct SubscriberFile {
    pub(crate) place: Place,
    pub(crate) push_server: Option<ServerAddress>,
    pub(crate) subscriber: SubscriberKeys,
    pub(crate) metrics: Option<SocketAddr>,
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
    let subscriber = subscriber_keys(reader, Kind::Subscriber);
    SubscriberFile { place, push_server, subscriber, metrics: metrics(reader) }
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
    pub(crate) metrics: Option<SocketAddr>,
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
    let push = push_keys(reader);
    PushFile { place, subscribers, sealing_keys, apple, push, metrics: metrics(reader) }
}

/// The file of both in one process.
#[derive(Clone, Debug)]
pub(crate) struct ServerFile {
    pub(crate) place: Place,
    pub(crate) subscriber: SubscriberKeys,
    pub(crate) apple: AppleKeys,
    pub(crate) push: PushKeys,
    pub(crate) metrics: Option<SocketAddr>,
}

pub(crate) fn server(reader: &mut Reader) -> ServerFile {
    let place = place(reader, Kind::Server);
    let apple = reader.section("apns", apple);
    let subscriber = subscriber_keys(reader, Kind::Server);
    let push = push_keys(reader);
    ServerFile { place, subscriber, apple, push, metrics: metrics(reader) }
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
