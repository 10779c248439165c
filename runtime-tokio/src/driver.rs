//! Drives one machine: hands in what happens, performs what it asks, wakes it at its deadlines.
//!
//! The driver knows links, because every role has them. Whatever else a role takes in or gives out
//! passes through as the role's own types. There is no product logic here.

use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, Instant};

use futures_lite::future::{or, poll_once, race, yield_now};
use ntf_core::base::id::LinkId;
use ntf_core::base::meter::Readings;
use ntf_core::host::handoff::{self, Desk, Hold};
use ntf_core::host::mailbox::{self, Receiver, Refused, Sender};
use ntf_core::host::oneshot;
use ntf_core::link::event::{DownReason, LinkAction, LinkEvent, Transport};
use ntf_core::model::knowledge::Fact;
use ntf_core::model::shard::ShardId;
use ntf_core::{Deadline, Machine, Now, Step};

use crate::clock::Clock;
use crate::connect::Connector;
use crate::link::LinkCommand;
use crate::peers::{Peers, Post};
use crate::wait::sleep_or_never;

/// How a role's inputs and effects split into links and the rest.
pub trait Role: Machine {
    /// Inputs other than links and deadlines, in a form that can wait in a mailbox.
    type Mail: Send + 'static;
    /// Effects other than those on links.
    type Report;
    /// What its instances in other threads tell it, and what they say with a link that they hand over.
    type Word: Send + 'static;

    /// The input for something that happened to a link.
    fn link_input(event: LinkEvent<'_>) -> Self::Input<'_>;
    /// Hands in a letter.
    fn on_mail(&mut self, now: Now, mail: Self::Mail);
    /// Hands in what another instance says.
    fn on_word(&mut self, now: Now, from: ShardId, word: Self::Word);
    /// The input for a deadline.
    fn tick_input() -> Self::Input<'static>;
    /// The input that ends it.
    fn stop_input() -> Self::Input<'static>;
    /// The input that lets it finish what is under way first, if it has a use for that.
    fn drain_input() -> Option<Self::Input<'static>> {
        None
    }
    /// Whether nothing is under way any more.
    fn is_drained(&self) -> bool {
        true
    }
    /// What the role knows; see [`Fact`].
    fn facts(&self) -> Vec<Fact>;
    /// What its meters show; nothing where nobody looks at them.
    fn readings(&self) -> Readings {
        Readings::new()
    }
    /// Who performs an effect.
    fn sort(effect: Self::Effect) -> Sorted<Self>;
}

/// An effect, sorted by who performs it.
pub enum Sorted<R: Role + ?Sized> {
    /// The driver.
    Link(LinkAction),
    /// The driver as well: how often TCP asks on a link.
    Probe(LinkId, Option<Duration>),
    /// The instance of the role in another thread.
    Tell(ShardId, R::Word),
    /// The same, which gets this link with it.
    HandOff(ShardId, LinkId, R::Word),
    /// Whoever runs the driver.
    Report(R::Report),
}

/// What reaches a role from outside its links.
#[derive(Debug)]
pub enum Letter<M> {
    /// An input of the role.
    Mail(M),
    /// Tell what the role knows.
    Look(oneshot::Sender<Vec<Fact>>),
    /// Tell what the role's meters show.
    Read(oneshot::Sender<Readings>),
    /// Finish what is under way, for so long at most, then as `Stop`.
    Drain(Duration),
    /// End: the role closes its links, then the driver returns.
    Stop,
}

/// A [`LinkEvent`] that owns its bytes.
#[derive(Debug)]
pub enum LinkLetter {
    /// TLS is up; here are the way to the link's task, and the end of the way back.
    Up(LinkId, Transport, Sender<LinkCommand>, Hold<LinkLetter>),
    /// A whole block.
    Block(LinkId, Box<[u8]>),
    /// Blocks have reached the socket.
    Sent(LinkId, u32),
    /// The link is gone.
    Down(LinkId, DownReason),
}

/// Letters of links that may wait; links wait when it is full, so sockets are read no faster than the
/// machine works.
const MAILBOX_LEN: usize = 256;

/// Letters of other parties that may wait: far more than roles ask for at a time, so that only a fault meets
/// it. Takes no memory until then.
pub const LETTERS_MAX: usize = 1 << 20;

/// After the role was told to stop, its links get this long to send what they hold.
const STOP_GRACE: Duration = Duration::from_secs(5);

impl LinkLetter {
    const fn link(&self) -> LinkId {
        match self {
            Self::Up(link, ..) | Self::Block(link, _) | Self::Sent(link, _) | Self::Down(link, _) => *link,
        }
    }
}

/// A link on its way from one driver to another.
pub type Moving<W> = handoff::Moving<LinkId, LinkLetter, Sender<LinkCommand>, (ShardId, W)>;

type Mailbox<M> = (Sender<Letter<M>>, Receiver<Letter<M>>);

/// A machine with everything that moves it.
pub struct Driver<R: Role> {
    role: R,
    clock: Clock,
    connector: Connector,
    links: Desk<LinkId, LinkLetter, Sender<LinkCommand>, (ShardId, R::Word)>,
    connecting: HashSet<LinkId>,
    abandoned: HashSet<LinkId>,
    link_letters: (Sender<LinkLetter>, Receiver<LinkLetter>),
    mail: Mailbox<R::Mail>,
    peers: Peers<R::Word>,
    /// The last event was that something was due.
    was_due: bool,
}

impl<R: Role> fmt::Debug for Driver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({} links)", self.links.len())
    }
}

impl<R: Role> Driver<R> {
    /// A driver for `role`, which reads `clock` and opens links through `connector`.
    #[must_use]
    pub fn new(role: R, clock: Clock, connector: Connector) -> Self {
        Self::among(role, clock, connector, Peers::none())
    }

    /// A driver for one of several instances of a role, which reaches the others through `peers`.
    #[must_use]
    pub fn among(role: R, clock: Clock, connector: Connector, peers: Peers<R::Word>) -> Self {
        let link_letters = mailbox::bounded(MAILBOX_LEN);
        Self {
            role,
            clock,
            connector,
            links: Desk::new(link_letters.0.clone()),
            connecting: HashSet::new(),
            abandoned: HashSet::new(),
            link_letters,
            mail: mailbox::bounded(LETTERS_MAX),
            peers,
            was_due: false,
        }
    }

    /// Where letters for the role go.
    ///
    /// Letters answer effects, and roles bound what they have asked for; [`LETTERS_MAX`] is beyond all of
    /// it, and whoever meets it keeps the letter.
    #[must_use]
    pub fn mailbox(&self) -> Sender<Letter<R::Mail>> {
        self.mail.0.clone()
    }

    /// Where links report: for a listener.
    #[must_use]
    pub fn link_mailbox(&self) -> Sender<LinkLetter> {
        self.link_letters.0.clone()
    }

    /// Runs until [`Letter::Stop`]; gives the role back for a last look at what it knows.
    ///
    /// `report` performs the role's own effects. It must not block.
    pub async fn run(mut self, mut report: impl FnMut(&R, R::Report)) -> R {
        let mut draining: Option<Instant> = None;
        let mut stopping: Option<Instant> = None;
        loop {
            let mut deadline = self.drain(&mut report);
            let is_over = |until: Instant| self.role.is_drained() || until <= Instant::now();
            if stopping.is_none() && draining.is_some_and(is_over) {
                stopping = Some(self.stop());
                deadline = self.drain(&mut report);
            }
            if stopping.is_some() && self.links.is_empty() && self.connecting.is_empty() {
                return self.role;
            }
            if let Some(letter) = self.links.next_late() {
                self.on_link(letter);
                continue;
            }
            match self.wait(deadline, stopping.or(draining)).await {
                Event::Link(letter) => self.on_link_letter(letter),
                Event::Post(Post::Word(from, word)) => self.role.on_word(self.clock.now(), from, word),
                // Whoever is leaving takes no links in. One that is dropped closes.
                Event::Post(Post::Link(..)) if stopping.is_some() => {}
                Event::Post(Post::Link(from, moving)) => {
                    let (_, (_, word)) = self.links.settle(*moving);
                    self.role.on_word(self.clock.now(), from, word);
                }
                Event::Letter(Letter::Mail(mail)) => self.role.on_mail(self.clock.now(), mail),
                Event::Letter(Letter::Look(answer)) => {
                    let _ = answer.send(self.role.facts());
                }
                Event::Letter(Letter::Read(answer)) => {
                    let _ = answer.send(self.role.readings());
                }
                Event::Letter(Letter::Drain(within)) if stopping.is_none() => {
                    draining = Some(Instant::now() + within);
                    if let Some(input) = R::drain_input() {
                        self.role.handle(self.clock.now(), input);
                    }
                }
                Event::Letter(Letter::Stop) if stopping.is_none() => stopping = Some(self.stop()),
                Event::Letter(Letter::Stop | Letter::Drain(_)) => {}
                Event::Due => self.role.handle(self.clock.now(), R::tick_input()),
                // Draining, if it is that, is over and is ended above.
                Event::GraceOver if stopping.is_none() => {}
                Event::GraceOver => return self.role,
            }
        }
    }

    /// Tells the role to stop; says until when its links may take.
    fn stop(&mut self) -> Instant {
        self.role.handle(self.clock.now(), R::stop_input());
        Instant::now() + STOP_GRACE
    }

    /// Waits for what comes first. What is due comes before what has arrived: a mailbox that never runs
    /// empty must not hold up a deadline. Nor must a role that is due again and again, slice by slice, hold up the
    /// mailboxes: between two slices one letter has its turn, and other tasks theirs.
    async fn wait(&mut self, deadline: Option<Deadline>, stopping: Option<Instant>) -> Event<R> {
        let left = deadline.map(|deadline| deadline.at.since(self.clock.now().mono));
        let is_due = left == Some(Duration::ZERO);
        if is_due {
            yield_now().await;
        }
        if is_due && !std::mem::replace(&mut self.was_due, is_due) {
            return Event::Due;
        }
        let now = Instant::now();
        if !is_due && stopping.is_some_and(|until| until <= now) {
            return Event::GraceOver;
        }
        let (clock, due) = (self.clock, deadline.map(|deadline| deadline.at));
        let (link_letters, mail) = (&mut self.link_letters.1, &mut self.mail.1);
        let post = self.peers.inbox();
        // This driver holds a sender of each mailbox, so none ever ends.
        let links = async { Event::Link(received(link_letters).await) };
        let letters = async { Event::Letter(received(mail).await) };
        let post = async { Event::Post(received(post).await) };
        let arrivals = race(race(letters, post), links);
        if is_due {
            let arrived = poll_once(arrivals).await;
            self.was_due = arrived.is_none();
            return arrived.unwrap_or(Event::Due);
        }
        self.was_due = false;
        let timers = async {
            or(
                async {
                    clock.reach(due).await;
                    Event::Due
                },
                async {
                    sleep_or_never(stopping).await;
                    Event::GraceOver
                },
            )
            .await
        };
        or(arrivals, timers).await
    }

    /// Performs everything the role asks for; gives the deadline it names.
    fn drain(&mut self, report: &mut impl FnMut(&R, R::Report)) -> Option<Deadline> {
        loop {
            match self.role.poll() {
                Step::Do(effect) => match R::sort(effect) {
                    Sorted::Link(action) => self.perform(action),
                    Sorted::Probe(link, after) => self.command(link, LinkCommand::Probe(after)),
                    Sorted::Tell(to, word) => self.peers.post(to, |from| Post::Word(from, word)),
                    Sorted::HandOff(to, link, word) => {
                        if let Some(moving) = self.links.part(link, (to, word)) {
                            self.see_off(moving);
                        }
                    }
                    Sorted::Report(effect) => report(&self.role, effect),
                },
                Step::Idle(deadline) => return deadline,
            }
        }
    }

    fn perform(&mut self, action: LinkAction) {
        match action {
            LinkAction::Connect { link, protocol, server, showing, reach } => {
                self.connecting.insert(link);
                self.connector.connect(link, protocol, server, showing, reach, self.link_letters.0.clone());
            }
            LinkAction::Send { link, block } => self.command(link, LinkCommand::Send(block)),
            LinkAction::Close { link } if self.connecting.contains(&link) => {
                self.abandoned.insert(link);
                self.connector.cancel(link);
            }
            LinkAction::Close { link } => self.command(link, LinkCommand::Close),
        }
    }

    /// A command for a link whose task has ended is dropped: its `Down` is in the mailbox already. A link
    /// that is owed more than it may be is let go of, upon which it closes.
    fn command(&mut self, link: LinkId, command: LinkCommand) {
        if let Some(sender) = self.links.companion(link)
            && let Err(Refused::Full(_)) = sender.try_send(command)
        {
            self.links.let_go(link);
        }
    }

    /// A letter out of the mailbox, which may have come too late for a link that leaves.
    fn on_link_letter(&mut self, letter: LinkLetter) {
        match self.links.sort(letter.link(), letter) {
            handoff::Sorted::Here(letter) => self.on_link(letter),
            handoff::Sorted::Kept => {}
            handoff::Sorted::Goes(moving) => self.see_off(moving),
        }
    }

    fn see_off(&self, moving: Moving<R::Word>) {
        let (to, _) = moving.luggage().word;
        self.peers.post(to, |from| Post::Link(from, Box::new(moving)));
    }

    fn on_link(&mut self, letter: LinkLetter) {
        let now = self.clock.now();
        match letter {
            LinkLetter::Up(link, transport, sender, hold) => {
                self.connecting.remove(&link);
                if self.abandoned.contains(&link) {
                    // Closed by the role before it was up: the role hears of its end only.
                    let _ = sender.try_send(LinkCommand::Close);
                    self.links.take(link, hold, sender);
                    return;
                }
                self.links.take(link, hold, sender);
                self.role.handle(now, R::link_input(LinkEvent::Up { link, transport }));
            }
            LinkLetter::Block(link, mut block) => {
                if !self.abandoned.contains(&link) {
                    self.role.handle(now, R::link_input(LinkEvent::Block { link, block: &mut block }));
                }
            }
            LinkLetter::Sent(link, blocks) => {
                self.role.handle(now, R::link_input(LinkEvent::Sent { link, blocks }));
            }
            LinkLetter::Down(link, reason) => {
                self.links.let_go(link);
                self.connecting.remove(&link);
                self.abandoned.remove(&link);
                self.role.handle(now, R::link_input(LinkEvent::Down { link, reason }));
            }
        }
    }
}

/// What a driver waits for.
enum Event<R: Role> {
    Link(LinkLetter),
    Letter(Letter<R::Mail>),
    Post(Post<R::Word>),
    Due,
    GraceOver,
}

/// The next thing of a mailbox, which is never, once it has ended.
async fn received<T>(mailbox: &mut Receiver<T>) -> T {
    match mailbox.recv().await {
        Some(thing) => thing,
        None => std::future::pending().await,
    }
}
