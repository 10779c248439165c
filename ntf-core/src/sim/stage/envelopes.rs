//! What is on its way and was lately: the envelopes that a page draws and opens.

use crate::base::time::Mono;
use crate::sim::passing::{self, Parcel, Passing};
use crate::sim::stage::cast::{Cast, Party};
use crate::sim::stage::learned::Sighting;
use crate::sim::stage::view::{Fate, Happening, Kind, millis};
use crate::sim::stage::words::name_of;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Most envelopes that can be opened; beyond it the oldest goes. Source: ours; some minutes of a busy stage, and at most
/// 6 MB.
const KEPT_MAX: usize = 384;

/// Something on its way, or that was.
pub(super) struct Envelope {
    pub(super) id: u32,
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) name: String,
    pub(super) parcel: Parcel,
    /// What of the run's secrets is in it.
    pub(super) sighting: Sighting,
}

/// The latest envelopes.
#[derive(Default)]
pub(super) struct Envelopes {
    kept: VecDeque<Envelope>,
    /// Those on their way, by the numbers that the world knows them by.
    on_the_way: BTreeMap<u64, u32>,
    made: u32,
}

/// What a passing means for those who read.
pub(super) enum Event {
    /// An envelope was written.
    Written(u32),
    /// It was handed over.
    Handed(u32),
}

impl Envelopes {
    /// Takes in what passed; gives what is to be told, and what it means.
    pub(super) fn take(
        &mut self,
        now: Mono,
        cast: &Cast,
        passing: Passing,
    ) -> (Option<Happening>, Option<Event>) {
        match passing {
            Passing::Sent { number, from, to, fate, parcel } => {
                let (Some(from), Some(to)) = (cast.party_of(from), cast.party_of(to)) else {
                    return (None, None);
                };
                // What a party says to itself is nobody's business.
                if from == to {
                    return (None, None);
                }
                let id = self.keep(from, to, parcel);
                let told = match fate {
                    passing::Fate::Arrives(at) => {
                        self.on_the_way.insert(number, id);
                        self.tell(now, id, Fate::Arrives, Some(at))
                    }
                    passing::Fate::Vanishes => self.tell(now, id, Fate::Lost, None),
                };
                (told, Some(Event::Written(id)))
            }
            Passing::Held { number } => {
                let id = self.on_the_way.get(&number).copied();
                (id.and_then(|id| self.tell(now, id, Fate::Held, None)), None)
            }
            Passing::GoesOn { was, number, arrives } => {
                let Some(id) = self.on_the_way.remove(&was) else { return (None, None) };
                self.on_the_way.insert(number, id);
                (self.tell(now, id, Fate::Arrives, Some(arrives)), None)
            }
            Passing::Arrived { number } => (None, self.on_the_way.remove(&number).map(Event::Handed)),
            Passing::Lost { number } => {
                let id = self.on_the_way.remove(&number);
                (id.and_then(|id| self.tell(now, id, Fate::Lost, None)), None)
            }
        }
    }

    pub(super) fn get(&self, id: u32) -> Option<&Envelope> {
        self.kept.iter().rev().find(|envelope| envelope.id == id)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Envelope> {
        self.kept.iter_mut().rev().find(|envelope| envelope.id == id)
    }

    /// The latest ones that a party wrote or was handed, newest first.
    pub(super) fn of(&self, party: Party, most: usize) -> Vec<&Envelope> {
        let on_the_way = |id: u32| self.on_the_way.values().any(|other| *other == id);
        let theirs =
            self.kept.iter().rev().filter(|envelope| {
                envelope.from == party || (envelope.to == party && !on_the_way(envelope.id))
            });
        theirs.filter(|envelope| !is_small_talk(&envelope.name)).take(most).collect()
    }

    fn keep(&mut self, from: Party, to: Party, parcel: Parcel) -> u32 {
        self.made = self.made.wrapping_add(1);
        if self.kept.len() >= KEPT_MAX
            && let Some(gone) = self.kept.pop_front()
        {
            // One that is still on its way is forgotten with it.
            self.on_the_way.retain(|_, id| *id != gone.id);
        }
        let (id, name) = (self.made, name_of(&parcel));
        self.kept.push_back(Envelope { id, from, to, name, parcel, sighting: Sighting::default() });
        id
    }

    fn tell(&self, now: Mono, id: u32, fate: Fate, arrives: Option<Mono>) -> Option<Happening> {
        let envelope = self.get(id)?;
        Some(Happening {
            at: millis(now),
            kind: Kind::Envelope,
            id: Some(id),
            from: Some(envelope.from),
            to: Some(envelope.to),
            name: Some(envelope.name.clone()),
            arrives: arrives.map(millis),
            fate: Some(fate),
            text: format!("{} from {} to {}", envelope.name, envelope.from.label(), envelope.to.label()),
        })
    }
}

/// What says nothing but that somebody is there.
fn is_small_talk(name: &str) -> bool {
    matches!(name, "PING" | "PONG" | "hello" | "ping" | "pong" | "credits")
}
