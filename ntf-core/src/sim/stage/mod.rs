//! A small fixed town for an audience: two phones with pushes, one with direct connections, a sender, two SMP servers,
//! a subscriber, a push server and Apple, and a stranger.
//!
//! Every machine is the real one; [`World`] drives them. The audience lets time go on ([`Stage::run`],
//! [`Stage::step`]) and does things ([`Stage::act`]); options and deeds are the whole run, which
//! [`Stage::trace`] writes down and [`Stage::replay`] plays again.
//!
//! - `cast` builds the town, `acts` does deeds, `machinery` breaks and mends processes and links, `agenda` is what the stage
//!   does by itself;
//! - `envelopes` has what passes between parties, `words` names it, `reading` opens it as far as a party can;
//! - `learned` searches it for the run's secrets: who learned what;
//! - `ledger` knows how far each message is, `judge` whether that is as promised.

mod acts;
mod agenda;
mod beginnings;
mod cast;
mod deed;
mod envelopes;
mod judge;
mod learned;
mod ledger;
mod machinery;
mod observe;
mod options;
mod reading;
mod record;
mod snapshot;
mod stranger;
mod talk;
#[cfg(test)]
mod tests;
pub mod view;
mod words;

pub use cast::Party;
pub use deed::{DEEDS_MAX, Deed, SLOW_MILLIS_MAX, TEXT_LEN_MAX};
pub use options::{Network, Nonsense, Options, Policy, SealedWithinOneProcess, Shape};
pub use record::MAGIC;

use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::Mono;
use crate::sim::file::RecordingError;
use crate::sim::stage::agenda::Agenda;
use crate::sim::stage::cast::Cast;
use crate::sim::stage::deed::Entry;
use crate::sim::stage::envelopes::Envelopes;
use crate::sim::stage::judge::Judge;
use crate::sim::stage::learned::Knowledge;
use crate::sim::stage::ledger::Ledger;
use crate::sim::stage::machinery::Machinery;
use crate::sim::stage::observe::Phone;
use crate::sim::stage::reading::Reading;
use crate::sim::stage::record::{Left, Record};
use crate::sim::stage::talk::Talks;
use crate::sim::stage::view::{FactRow, Happening, Known};
use crate::sim::trace::TraceHash;
use crate::sim::world::World;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The town and its audience.
pub struct Stage {
    options: Options,
    world: World,
    cast: Cast,
    /// What people do and say at random.
    choice: Rng,
    keys: Rng,
    talks: Talks,
    phones: [Phone; 3],
    agenda: Agenda,
    machinery: Machinery,
    envelopes: Envelopes,
    knowledge: Knowledge,
    ledger: Ledger,
    judge: Judge,
    /// What was done, as it will be written down.
    deeds: Vec<Entry>,
    /// What a record says is still to be done.
    script: VecDeque<Entry>,
    /// Where the run of a record was left, until it is reached.
    left: Option<Left>,
    turns: u64,
    told: Vec<Happening>,
}

/// Turns without anything to tell that one call of [`Stage::run`] may take for each happening it may give.
///
/// Source: ours; enough for a quiet hour, and a frame is never held up for long.
const QUIET_TURNS: usize = 16;

impl Stage {
    /// A stage at the first moment of its run.
    ///
    /// # Errors
    ///
    /// When the options contradict each other.
    pub fn new(options: Options) -> Result<Self, SealedWithinOneProcess> {
        options.check()?;
        let seed = Seed::from_number(options.seed);
        let mut keys = seed.stream(Stream::Keys);
        let (mut world, cast) = cast::build(&options, &mut keys);
        world.watch();
        world.listen();
        let mut stage = Self {
            world,
            cast,
            choice: seed.stream(Stream::Choice),
            keys,
            talks: Talks::default(),
            phones: [Phone::default(), Phone::default(), Phone::default()],
            agenda: Agenda::default(),
            machinery: Machinery::default(),
            envelopes: Envelopes::default(),
            knowledge: Knowledge::new(options.shape),
            ledger: Ledger::default(),
            judge: Judge::new(),
            deeds: Vec::new(),
            script: VecDeque::new(),
            left: None,
            turns: 0,
            told: Vec::new(),
            options,
        };
        stage.open();
        Ok(stage)
    }

    /// A stage on which a recorded run is played again, each deed at its moment. When all is played, the run goes on
    /// as any other.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the bytes.
    pub fn replay(trace: &[u8]) -> Result<Self, RecordingError> {
        let record = Record::decode(trace)?;
        let mut stage = Self::new(record.options).map_err(|_| RecordingError::Malformed)?;
        stage.script = record.deeds.into();
        stage.left = Some(record.left);
        Ok(stage)
    }

    /// What the run began with.
    #[must_use]
    pub const fn options(&self) -> Options {
        self.options
    }

    /// The time of the run.
    #[must_use]
    pub const fn now(&self) -> Mono {
        self.world.now().mono
    }

    /// Steps of the world so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.world.steps()
    }

    /// The fingerprint of the run so far.
    #[must_use]
    pub fn trace_hash(&self) -> TraceHash {
        self.world.trace_hash()
    }

    /// Lets time go on until then, or until there are so many happenings; gives them. Where it ends early, time has
    /// not come that far: ask again.
    pub fn run(&mut self, until: Mono, most: usize) -> Vec<Happening> {
        let mut quiet = most.saturating_mul(QUIET_TURNS).max(QUIET_TURNS);
        while self.told.len() < most.max(1) && quiet > 0 && self.turn(until) {
            quiet -= 1;
        }
        core::mem::take(&mut self.told)
    }

    /// Does the next thing, whenever it is; gives what happened. One thing may be worth no line, so this goes on to the
    /// first that is.
    pub fn step(&mut self) -> Vec<Happening> {
        let mut quiet = QUIET_TURNS * QUIET_TURNS;
        while quiet > 0 && self.turn(Mono::from_micros(u64::MAX)) && self.told.is_empty() {
            quiet -= 1;
        }
        core::mem::take(&mut self.told)
    }

    /// Plays a record to where it was left. Whether the run was then what it had been: the same fingerprint. `None`
    /// where there is nothing to play.
    pub fn play(&mut self) -> Option<bool> {
        let left = self.left?;
        while self.left.is_some() && self.turn(Mono::from_micros(u64::MAX)) {
            self.told.clear();
        }
        Some(self.trace_hash().0 == left.hash)
    }

    /// Keeps the last so many lines of what happens from here on.
    pub const fn keep_lines(&mut self, most: usize) {
        self.world.keep_lines(most);
    }

    /// The lines that were kept, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.world.lines().map(|line| line.text(self.cast.party_of(line.node).map_or("nobody", Party::label)))
    }

    /// Does something to the stage, now.
    ///
    /// # Errors
    ///
    /// Says why it makes no sense. Nothing has happened then.
    pub fn act(&mut self, deed: Deed) -> Result<(), Nonsense> {
        if self.left.is_some() {
            return Err(Nonsense("A recorded run is being played; wait for its end.".into()));
        }
        if self.deeds.len() >= DEEDS_MAX {
            return Err(Nonsense(format!("This run has had its {DEEDS_MAX} deeds; begin another one.")));
        }
        self.make_sense(&deed)?;
        self.perform(deed);
        Ok(())
    }

    /// The run so far as bytes, for [`replay`](Self::replay).
    #[must_use]
    pub fn trace(&self) -> Vec<u8> {
        // What a record has still to say is part of the run it is.
        let deeds = self.deeds.iter().chain(&self.script).cloned().collect();
        let here = Left { turns: self.turns, at_micros: self.now().as_micros(), hash: self.trace_hash().0 };
        Record { options: self.options, deeds, left: self.left.unwrap_or(here) }.encode()
    }

    /// Everything that a party has.
    #[must_use]
    pub fn knows(&self, party: Party) -> Vec<Known> {
        let mut known = self.tables_of(party);
        let found = self.knowledge.found_by(party);
        if !found.is_empty() {
            known.push(Known::line("identifiers it came across", "in what it could read").with(found));
        }
        let reading = self.reading_as(party);
        let latest = self.envelopes.of(party, LATEST).into_iter().map(|envelope| {
            let way = if envelope.from == party { "to" } else { "from" };
            let other = if envelope.from == party { envelope.to } else { envelope.from };
            Known::line(envelope.name.clone(), format!("{way} {}", other.label()))
                .with(reading.layers(&envelope.parcel))
        });
        let latest: Vec<_> = latest.collect();
        if !latest.is_empty() {
            known.push(Known::line("latest envelopes", "as far as it can read them").with(latest));
        }
        known
    }

    /// The bytes of an envelope, layer by layer, as far as its receiver can read them. Empty where it is not kept.
    #[must_use]
    pub fn envelope(&self, id: u32) -> Vec<Known> {
        let Some(envelope) = self.envelopes.get(id) else { return Vec::new() };
        self.reading_as(envelope.to).layers(&envelope.parcel)
    }

    /// Who learned what.
    #[must_use]
    pub fn facts(&self) -> Vec<FactRow> {
        self.knowledge.rows()
    }

    const fn reading_as(&self, reader: Party) -> Reading<'_> {
        Reading { world: &self.world, cast: &self.cast, talks: &self.talks, reader }
    }

    /// Does the next thing that is due by then; whether there was one. If not, the time has come.
    fn turn(&mut self, until: Mono) -> bool {
        match self.recorded() {
            Some(at) if at <= until => {
                self.world.wait_until(at);
                self.play_next();
                return true;
            }
            Some(_) => {
                self.world.wait_until(until);
                return false;
            }
            None => {}
        }
        let (tasks, world) = (self.agenda.next_at(), self.world.next_at());
        let Some(at) = [tasks, world].into_iter().flatten().min().filter(|at| *at <= until) else {
            if until.as_micros() < u64::MAX {
                self.world.wait_until(until);
            }
            return false;
        };
        if tasks == Some(at) {
            self.world.wait_until(at);
            self.do_task();
        } else {
            self.world.step();
        }
        self.turns += 1;
        self.observe();
        true
    }

    /// When a record says that something was done before anything else happens.
    fn recorded(&self) -> Option<Mono> {
        let left = self.left?;
        let (turn, at_micros) = match self.script.front() {
            Some(entry) => (entry.turn, entry.at_micros),
            None => (left.turns, left.at_micros),
        };
        (turn <= self.turns).then(|| Mono::from_micros(at_micros))
    }

    /// Does what the record says, or ends it.
    fn play_next(&mut self) {
        match (self.script.pop_front(), self.left) {
            (Some(entry), _) => self.play_deed(entry.deed),
            (None, Some(left)) => self.end_record(left),
            (None, None) => {}
        }
    }

    fn play_deed(&mut self, deed: Deed) {
        match self.make_sense(&deed) {
            Ok(()) => self.perform(deed),
            Err(Nonsense(why)) => self.note(format!("A recorded deed makes no sense here: {why}")),
        }
    }

    fn end_record(&mut self, left: Left) {
        self.left = None;
        if self.trace_hash().0 == left.hash {
            self.note("The recorded run is played to its end, and was the same again.".into());
        } else {
            self.broke(
                judge::Promise::Record,
                "The run differs from the recorded one: another version of the program wrote it.".into(),
            );
        }
    }
}

/// Envelopes that are shown of a party. Source: ours; those that one still remembers.
const LATEST: usize = 6;
