//! TCP's own questions on a server's link: what is wanted, what was told, and what that has cost.

use super::{ServerIndex, Servers};
use crate::base::id::LinkId;
use crate::base::time::Mono;
use crate::client::effect::Probe;
use core::time::Duration;

/// What TCP does on the links to one server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probing {
    /// What it is to do, from the first time that this is decided.
    wanted: Option<Option<Duration>>,
    /// What it was told to.
    told: Option<Told>,
    /// What it did on the link before, which is down.
    lost_with: Option<Duration>,
    /// When the server was last heard on that link.
    heard: Option<Mono>,
}

/// What TCP was told to do on a link.
#[derive(Clone, Copy, Debug)]
struct Told {
    probe: Probe,
    /// Since when it has asked what was not counted yet.
    since: Mono,
}

impl Told {
    /// The questions that it has asked since, if nothing went over the link.
    fn asked(&self, now: Mono) -> u64 {
        let Some(after) = self.probe.after else { return 0 };
        let asked = now.since(self.since).as_micros() / after.as_micros().max(1);
        u64::try_from(asked).unwrap_or(u64::MAX)
    }
}

impl Probing {
    /// A link is down, and TCP asks nothing on it any more.
    pub(super) fn on_down(&mut self, link: LinkId, heard: Option<Mono>) {
        if let Some(told) = self.told.take_if(|told| told.probe.link == link) {
            self.lost_with = told.probe.after;
            self.heard = heard;
        }
    }
}

impl Servers {
    /// Decides what TCP is to do on a server's link.
    pub(in crate::client) fn set_probes(&mut self, index: ServerIndex, after: Option<Duration>) {
        if let Some(server) = self.all.get_mut(&index)
            && server.probing.wanted.replace(after) != Some(after)
        {
            self.touched.insert(index);
        }
    }

    /// The same on all held links.
    pub(in crate::client) fn set_probes_of_held(&mut self, after: Option<Duration>) {
        let held = self.all.iter_mut().filter(|(_, server)| server.held && !server.is_apart);
        for (index, server) in held {
            if server.probing.wanted.replace(after) != Some(after) {
                self.touched.insert(*index);
            }
        }
    }

    /// When a server was last heard on a link that TCP asked on and that is down.
    pub(in crate::client) fn heard_before(&self, index: ServerIndex) -> Option<Mono> {
        self.all.get(&index)?.probing.heard
    }

    /// What TCP is to be told about a server's link, if that is news.
    pub(in crate::client) fn take_probe(&mut self, now: Mono, index: ServerIndex) -> Option<Probe> {
        let server = self.all.get_mut(&index).filter(|server| server.engine.is_ready())?;
        let probe = Probe { link: server.engine.link()?, after: server.probing.wanted? };
        if server.probing.told.is_some_and(|told| told.probe == probe) {
            return None;
        }
        server.probing.told = Some(Told { probe, since: now });
        Some(probe)
    }

    /// What TCP does on a server's open link, or did on the last one.
    pub(in crate::client) fn probes_of(&self, index: ServerIndex) -> Option<Duration> {
        let Probing { told, lost_with, .. } = self.all.get(&index)?.probing;
        told.map_or(lost_with, |told| told.probe.after)
    }

    /// The questions that TCP has asked on a server's link until something happened to it.
    pub(in crate::client) fn take_probes(&mut self, now: Mono, index: ServerIndex) -> u64 {
        let Some(told) = self.all.get_mut(&index).and_then(|server| server.probing.told.as_mut()) else {
            return 0;
        };
        let asked = told.asked(now);
        told.since = now;
        asked
    }

    /// Those of all links that nothing has happened to since.
    pub(in crate::client) fn probes(&self, now: Mono) -> u64 {
        self.all.values().filter_map(|server| server.probing.told).map(|told| told.asked(now)).sum()
    }
}
