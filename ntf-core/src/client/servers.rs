//! The servers a client talks to: one engine for each, and the way of a request to it.
//!
//! A request that cannot go out is not kept here. Its owner keeps what it wants and is asked to go on
//! ([`Client::resume`](super::on_link)) when the server has come up or has room again; the server only
//! remembers that somebody waits. A connection that nobody waits for is closed after a while and not
//! opened again; then the server is forgotten.

mod probes;

use crate::base::id::{EntityId, LinkId};
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::{Deadline, Mono, Now};
use crate::client::advice::Advice;
use crate::client::config::Config;
use crate::client::input::QueueId;
use crate::client::leave::LeavingId;
use crate::client::queue::Attempt;
use crate::client::send::SenderId;
use crate::client::token::Generation;
use crate::crypto::keys::AuthPrivateKey;
use crate::link::engine::{LinkNumbers, NtfClient};
use crate::link::event::LinkAction;
use crate::link::requester::NotSent;
use crate::model::cron::Cron;
use crate::model::server::{Protocol, ServerAddress};
use crate::smp::client::SmpClient;
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf;
use crate::wire::smp;
use crate::wire::text::cut;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use probes::Probing;

/// What a request to an SMP server was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SmpTag {
    New(QueueId),
    Nkey(QueueId),
    Ndel(QueueId),
    Del(QueueId),
    Get(QueueId),
    Ack(QueueId),
    Sub(QueueId),
    Skey(SenderId),
    Send(SenderId),
}

/// What a request to a subscriber was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NtfTag {
    Tnew(Generation),
    Tvfy(Generation),
    Tchk(Generation),
    Trpl(Generation),
    Tcrn(Generation, Cron),
    Tdel(LeavingId),
    Snew(QueueId, Attempt),
    Schk(QueueId, Attempt),
    Sdel(LeavingId),
}

/// The answer of an SMP server.
pub(super) enum SmpAnswer<'a> {
    /// It says this.
    Message(smp::response::Message<'a>),
    /// It refuses.
    Error(ErrorCode<'a>),
    /// It says something that cannot be read, or is about something else.
    Unfit,
    /// It did not say anything, or the link broke before: the command may have been carried out.
    Lost,
}

/// The answer of a subscriber. As [`SmpAnswer`].
pub(super) enum NtfAnswer<'a> {
    Response(ntf::response::Response<'a>),
    Error(ErrorCode<'a>),
    Unfit,
    Lost,
}

/// What became of the wish to send a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// It is out; an answer will come, if only `Lost`.
    Out,
    /// The server is away or has enough to do: the owner will be asked to go on.
    Later,
    /// It never will be sent, for this reason, and this is to be done.
    Impossible(&'static str, Advice),
}

/// Names a server of this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServerIndex(usize);

/// One server.
pub(super) struct Server {
    pub(super) engine: Engine,
    /// Somebody waits for the link, or for room on it.
    pub(super) awaited: bool,
    /// The link is kept open though nobody asks anything, and opened again when it is lost.
    pub(super) held: bool,
    /// It is a second connection, by which no request goes.
    is_apart: bool,
    /// Links to it that are not down yet.
    links: usize,
    probing: Probing,
}

impl Server {
    /// Whether nothing is wanted of it and nothing will happen to it.
    pub(super) const fn is_unused(&self) -> bool {
        !self.awaited
            && !self.held
            && !self.engine.is_wanted()
            && self.engine.in_flight() == 0
            && self.links == 0
    }
}

/// The client of one server.
pub(super) enum Engine {
    Smp(SmpClient<SmpTag>),
    Ntf(NtfClient<NtfTag>),
}

impl Engine {
    pub(super) const fn server(&self) -> &ServerAddress {
        match self {
            Self::Smp(engine) => engine.server(),
            Self::Ntf(engine) => engine.server(),
        }
    }

    pub(super) const fn is_ready(&self) -> bool {
        match self {
            Self::Smp(engine) => engine.is_ready(),
            Self::Ntf(engine) => engine.is_ready(),
        }
    }

    pub(super) const fn is_wanted(&self) -> bool {
        match self {
            Self::Smp(engine) => engine.is_wanted(),
            Self::Ntf(engine) => engine.is_wanted(),
        }
    }

    pub(super) const fn in_flight(&self) -> usize {
        match self {
            Self::Smp(engine) => engine.in_flight(),
            Self::Ntf(engine) => engine.in_flight(),
        }
    }

    pub(super) fn room(&self) -> usize {
        match self {
            Self::Smp(engine) => engine.room(),
            Self::Ntf(engine) => engine.room(),
        }
    }

    /// The link, open or on its way.
    const fn link(&self) -> Option<LinkId> {
        match self {
            Self::Smp(engine) => engine.link(),
            Self::Ntf(engine) => engine.link(),
        }
    }

    /// When the server was last heard on the open link.
    pub(super) const fn heard(&self) -> Option<Mono> {
        match self {
            Self::Smp(engine) => engine.heard(),
            Self::Ntf(engine) => engine.heard(),
        }
    }

    /// Asks for a sign of life.
    pub(super) fn ask_alive(&mut self, now: Now) {
        match self {
            Self::Smp(engine) => engine.ask_alive(now),
            Self::Ntf(engine) => engine.ask_alive(now),
        }
    }

    pub(super) fn tick(&mut self, now: Now) {
        match self {
            Self::Smp(engine) => engine.tick(now),
            Self::Ntf(engine) => engine.tick(now),
        }
    }

    pub(super) fn disconnect(&mut self) {
        match self {
            Self::Smp(engine) => engine.disconnect(),
            Self::Ntf(engine) => engine.disconnect(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        match self {
            Self::Smp(engine) => engine.deadline(),
            Self::Ntf(engine) => engine.deadline(),
        }
    }

    pub(super) fn connect(&mut self, now: Now) {
        match self {
            Self::Smp(engine) => engine.connect(now),
            Self::Ntf(engine) => engine.connect(now),
        }
    }

    fn poll(&mut self, links: &mut LinkNumbers) -> Option<LinkAction> {
        match self {
            Self::Smp(engine) => engine.poll(links),
            Self::Ntf(engine) => engine.poll(links),
        }
    }
}

/// All servers.
pub(super) struct Servers {
    seeds: Rng,
    links: LinkNumbers,
    all: BTreeMap<ServerIndex, Server>,
    /// Indexes are not used twice.
    next: usize,
    by_address: BTreeMap<(Protocol, ServerAddress), ServerIndex>,
    by_link: BTreeMap<LinkId, ServerIndex>,
    /// Servers that something happened to since the last settling.
    touched: BTreeSet<ServerIndex>,
}

impl Servers {
    pub(super) fn new(seed: &Seed) -> Self {
        Self {
            seeds: seed.stream(Stream::Correlation),
            links: LinkNumbers::default(),
            all: BTreeMap::new(),
            next: 0,
            by_address: BTreeMap::new(),
            by_link: BTreeMap::new(),
            touched: BTreeSet::new(),
        }
    }

    /// Asks an SMP server.
    #[expect(clippy::too_many_arguments, reason = "a request is that many things, each used once")]
    pub(super) fn ask_smp(
        &mut self,
        now: Now,
        config: &Config,
        server: &ServerAddress,
        entity: Option<&EntityId>,
        key: Option<&AuthPrivateKey>,
        command: &smp::command::Command<'_>,
        tag: SmpTag,
    ) -> Ask {
        let Some(index) = self.index_of(Protocol::Smp, server, config) else { return TOO_MANY_SERVERS };
        let Some(Server { engine: Engine::Smp(engine), awaited, .. }) = self.all.get_mut(&index) else {
            return TOO_MANY_SERVERS;
        };
        engine.connect(now);
        self.touched.insert(index);
        let asked = ask_of(engine.request(now, entity, key, command, tag));
        *awaited |= asked == Ask::Later;
        asked
    }

    /// Asks a subscriber.
    #[expect(clippy::too_many_arguments, reason = "a request is that many things, each used once")]
    pub(super) fn ask_ntf(
        &mut self,
        now: Now,
        config: &Config,
        server: &ServerAddress,
        entity: Option<&EntityId>,
        key: &AuthPrivateKey,
        command: &ntf::command::Command<'_>,
        tag: NtfTag,
    ) -> Ask {
        let Some(index) = self.index_of(Protocol::Ntf, server, config) else { return TOO_MANY_SERVERS };
        let Some(Server { engine: Engine::Ntf(engine), awaited, .. }) = self.all.get_mut(&index) else {
            return TOO_MANY_SERVERS;
        };
        engine.connect(now);
        self.touched.insert(index);
        let asked = ask_of(engine.request(now, entity, Some(key), command, tag));
        *awaited |= asked == Ask::Later;
        asked
    }

    fn index_of(
        &mut self,
        protocol: Protocol,
        server: &ServerAddress,
        config: &Config,
    ) -> Option<ServerIndex> {
        let by = (protocol, server.clone());
        if let Some(index) = self.by_address.get(&by) {
            return Some(*index);
        }
        if self.all.len() >= config.servers_max {
            return None;
        }
        let seed = Seed::new(self.seeds.bytes());
        let engine = match protocol {
            Protocol::Smp => Engine::Smp(SmpClient::new(server.clone(), config.smp, &seed)),
            Protocol::Ntf => Engine::Ntf(NtfClient::new(server.clone(), config.ntf, &seed)),
            // Devices do not talk to push servers.
            Protocol::Relay => return None,
        };
        let index = self.enter(engine);
        self.by_address.insert(by, index);
        Some(index)
    }

    fn enter(&mut self, engine: Engine) -> ServerIndex {
        let index = ServerIndex(self.next);
        self.next += 1;
        let server = Server {
            engine,
            awaited: false,
            held: false,
            is_apart: false,
            links: 0,
            probing: Probing::default(),
        };
        self.all.insert(index, server);
        index
    }

    /// Holds a connection to an SMP server from here on. `None` where there are as many servers as may be.
    pub(super) fn hold(&mut self, now: Now, config: &Config, server: &ServerAddress) -> Option<ServerIndex> {
        let index = self.index_of(Protocol::Smp, server, config)?;
        self.hold_open(now, index);
        Some(index)
    }

    /// Holds a second connection to an SMP server, by which no request goes.
    pub(super) fn hold_apart(&mut self, now: Now, config: &Config, server: ServerAddress) -> ServerIndex {
        let seed = Seed::new(self.seeds.bytes());
        let index = self.enter(Engine::Smp(SmpClient::new(server, config.smp, &seed)));
        if let Some(server) = self.all.get_mut(&index) {
            server.is_apart = true;
        }
        self.hold_open(now, index);
        index
    }

    fn hold_open(&mut self, now: Now, index: ServerIndex) {
        self.touched.insert(index);
        if let Some(server) = self.all.get_mut(&index) {
            server.held = true;
            server.engine.connect(now);
        }
    }

    /// When a server was last heard on its open link.
    pub(super) fn heard(&self, index: ServerIndex) -> Option<Mono> {
        self.all.get(&index)?.engine.heard()
    }

    /// Whether it is a second connection.
    pub(super) fn is_apart(&self, index: ServerIndex) -> bool {
        self.all.get(&index).is_some_and(|server| server.is_apart)
    }

    /// Holds a connection no longer. It is closed when nobody has used it for a while.
    pub(super) fn let_go(&mut self, index: ServerIndex) {
        self.touched.insert(index);
        if let Some(server) = self.all.get_mut(&index) {
            server.held = false;
        }
    }

    /// Holds a connection no longer, and closes it.
    pub(super) fn release(&mut self, index: ServerIndex) {
        self.touched.insert(index);
        if let Some(server) = self.all.get_mut(&index) {
            server.held = false;
            server.engine.disconnect();
        }
    }

    /// The servers that a connection is held to; second connections not.
    pub(super) fn held(&self) -> impl Iterator<Item = (ServerIndex, &Server)> {
        self.all
            .iter()
            .filter(|(_, server)| server.held && !server.is_apart)
            .map(|(index, server)| (*index, server))
    }

    /// The SMP servers that a connection is wanted to.
    pub(super) fn wanted_smp(&self) -> Vec<ServerIndex> {
        let is_smp = |server: &Server| matches!(server.engine, Engine::Smp(_)) && server.engine.is_wanted();
        self.all.iter().filter(|(_, server)| is_smp(server)).map(|(index, _)| *index).collect()
    }

    pub(super) fn get(&mut self, index: ServerIndex) -> Option<&mut Server> {
        self.all.get_mut(&index)
    }

    /// Forgets a server.
    pub(super) fn forget(&mut self, index: ServerIndex) {
        let Some(server) = self.all.remove(&index) else { return };
        let protocol = match server.engine {
            Engine::Smp(_) => Protocol::Smp,
            Engine::Ntf(_) => Protocol::Ntf,
        };
        let by = (protocol, server.engine.server().clone());
        if self.by_address.get(&by) == Some(&index) {
            self.by_address.remove(&by);
        }
    }

    /// The server of a link.
    pub(super) fn of_link(&self, link: LinkId) -> Option<ServerIndex> {
        self.by_link.get(&link).copied()
    }

    /// Forgets a link that is down.
    pub(super) fn forget_link(&mut self, link: LinkId) {
        let index = self.by_link.remove(&link);
        if let Some(server) = index.and_then(|index| self.all.get_mut(&index)) {
            server.links = server.links.saturating_sub(1);
            server.probing.on_down(link, server.engine.heard());
        }
    }

    pub(super) fn touch(&mut self, index: ServerIndex) {
        self.touched.insert(index);
    }

    /// A server to settle: its actions are to be performed and its deadline is to be noted.
    pub(super) fn take_touched(&mut self) -> Option<ServerIndex> {
        self.touched.pop_first()
    }

    /// The next action of a server.
    pub(super) fn poll(&mut self, index: ServerIndex) -> Option<LinkAction> {
        let server = self.all.get_mut(&index)?;
        let action = server.engine.poll(&mut self.links)?;
        if let LinkAction::Connect { link, .. } = &action {
            server.links += 1;
            self.by_link.insert(*link, index);
        }
        Some(action)
    }

    /// The servers that a connection is wanted to.
    pub(super) fn wanted(&self) -> Vec<ServerIndex> {
        let wanted = self.all.iter().filter(|(_, server)| server.engine.is_wanted());
        wanted.map(|(index, _)| *index).collect()
    }

    /// Gives up a connection, and opens another at once if anybody waits for it.
    pub(super) fn redial(&mut self, now: Now, index: ServerIndex) {
        self.touched.insert(index);
        let Some(server) = self.all.get_mut(&index) else { return };
        server.engine.disconnect();
        if server.awaited || server.held {
            server.engine.connect(now);
        }
    }

    /// Closes every link.
    pub(super) fn close_all(&mut self) -> Vec<LinkAction> {
        let mut actions = Vec::new();
        let indexes: Vec<_> = self.all.keys().copied().collect();
        for index in indexes {
            if let Some(server) = self.get(index) {
                server.engine.disconnect();
            }
            while let Some(action) = self.poll(index) {
                actions.push(action);
            }
        }
        actions
    }

    /// Servers of which something is wanted, or was until a moment ago.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Requests that wait for an answer.
    pub(super) fn pending(&self) -> usize {
        self.all.values().map(|server| server.engine.in_flight() + usize::from(server.awaited)).sum()
    }
}

const TOO_MANY_SERVERS: Ask =
    Ask::Impossible("this client talks to as many servers as it may", Advice::Configure);

const fn ask_of(sent: Result<(), NotSent>) -> Ask {
    match sent {
        Ok(()) => Ask::Out,
        Err(NotSent::NotReady | NotSent::Full) => Ask::Later,
        Err(NotSent::TooLong) => Ask::Impossible("the command is longer than a block", Advice::ReportBug),
        Err(NotSent::NoService) => Ask::Impossible("the command is for services", Advice::ReportBug),
        // Of an old server, or of a build that is without a kind of keys.
        Err(NotSent::CannotAuthorize(_)) => Ask::Impossible(
            "the command cannot be authorized with this key at this server",
            Advice::Configure,
        ),
    }
}

/// A refusal in words, for people. What a server wrote in it is cut short.
pub(super) fn words(command: &str, server: &str, code: &ErrorCode<'_>) -> String {
    let mut error = Vec::new();
    code.encode(&mut error);
    let error = String::from_utf8_lossy(&error);
    let error: String = cut(&error, 100).chars().filter(|char| !char.is_control()).collect();
    format!("{command}: {server} answers {error}")
}
