//! What comes from each source address: links that are open, and what was used up of its budgets.
//!
//! The limits by token and by device token bound what one of them suffers; those by source bound what one
//! stranger can do to many. Addresses are not kept: the tables are keyed by their hash under a key from the
//! seed, and two addresses that met in one hash would share their budgets. An IPv6 address counts as its
//! /64 network. Mends defect D20 of the reference.
//!
//! Each shard of a subscriber has the whole table: it decides for itself, at once, and tells the others, who book the
//! same. So a limit is that of all shards together, but for what happens while a letter is on its way.

use crate::base::budget::{Admit, Budget, BudgetPlan};
use crate::base::hash::HashKey;
use crate::base::source::Source;
use crate::base::time::{Mono, Now};
use crate::subscriber::on_timer::SLICE;
use crate::token::registration::Origin;
use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;
use core::time::Duration;

/// What may come from one source address. Providers put thousands of phones behind one address, so the
/// defaults are wide. Source: ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLimits {
    /// Links open at a time; a further one is closed. Default 1000, a fiftieth of all.
    pub links: u32,
    /// Registrations that were not there before; beyond it TNEW is answered `ERR QUOTA`. Default 300 at once,
    /// then one a second.
    pub registrations: BudgetPlan,
    /// Verification pushes asked for, by TNEW and TRPL; beyond it these are answered `ERR QUOTA`. Default 300 at
    /// once, then one a second.
    ///
    /// A request is booked once. The pushes that repeat it while no code comes, up to
    /// [`ResendPlan::pushes_max`](crate::delivery::verification::ResendPlan::pushes_max) over hours, are not:
    /// what one device suffers is bounded by its own budget, whoever asks, what one source causes is at most that
    /// many times its requests, and to stop resending for a source that has spent its budget would leave devices
    /// behind a shared address without their codes.
    pub verification_pushes: BudgetPlan,
    /// Wrong codes; beyond it a registration may still answer once, and not after a wrong code of its own.
    /// Default 100 at once, then one a minute.
    pub wrong_codes: BudgetPlan,
    /// Source addresses whose budgets are not rested; beyond it the one that would rest first is forgotten, as
    /// it has the least to forget. Default 65,536, each some 100 bytes, on each shard.
    pub sources: usize,
}

impl Default for SourceLimits {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self {
            links: 1000,
            registrations: BudgetPlan { burst: 300, period: second },
            verification_pushes: BudgetPlan { burst: 300, period: second },
            wrong_codes: BudgetPlan { burst: 100, period: Duration::from_secs(60) },
            sources: 65_536,
        }
    }
}

/// What a source can use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A registration that was not there before.
    Registration,
    /// A verification push asked for.
    VerificationPush,
    /// A wrong code.
    WrongCode,
}

/// A source address, as shards name it to each other: a hash under the key that they share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceMark(u64);

impl fmt::Debug for SourceMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceMark(redacted)")
    }
}

/// What one shard tells the others of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A link opened.
    Opened,
    /// A link is gone.
    Closed,
    /// This was used up.
    Used(Use),
}

/// All source addresses that have links open or budgets to pay off.
#[derive(Debug)]
pub(super) struct Sources {
    /// Links that are open, over all shards, which bounds this. Below zero where one shard tells of the end of a
    /// link sooner than another of its beginning.
    links: BTreeMap<u64, i64>,
    used: BTreeMap<u64, Used>,
    /// The keys of `used`, by the time at which they are rested.
    resting: BTreeSet<(Mono, u64)>,
    hash: HashKey,
    limits: SourceLimits,
}

#[derive(Debug, Default)]
struct Used {
    registrations: Budget,
    verification_pushes: Budget,
    wrong_codes: Budget,
}

impl Used {
    const fn budget(&mut self, what: Use) -> &mut Budget {
        match what {
            Use::Registration => &mut self.registrations,
            Use::VerificationPush => &mut self.verification_pushes,
            Use::WrongCode => &mut self.wrong_codes,
        }
    }

    fn rested_at(&self) -> Mono {
        let Self { registrations, verification_pushes, wrong_codes } = self;
        registrations.rested_at().max(verification_pushes.rested_at()).max(wrong_codes.rested_at())
    }
}

impl Sources {
    /// Nobody is known. Shards of one subscriber have the same key.
    pub(super) const fn new(limits: SourceLimits, hash: HashKey) -> Self {
        Self { links: BTreeMap::new(), used: BTreeMap::new(), resting: BTreeSet::new(), hash, limits }
    }

    /// Counts a link that opened, unless the source has too many. A source that is not known has no limits.
    pub(super) fn open(&mut self, source: Option<Source>) -> bool {
        let Some(key) = self.key(source) else { return true };
        if self.links.get(&key).is_some_and(|open| *open >= i64::from(self.limits.links.max(1))) {
            return false;
        }
        self.count(key, 1);
        true
    }

    /// A link that was counted is gone.
    pub(super) fn close(&mut self, source: Option<Source>) {
        if let Some(key) = self.key(source) {
            self.count(key, -1);
        }
    }

    /// Another shard tells what it has counted or booked. What is beyond a limit here was within it there, and is
    /// not owed.
    pub(super) fn hear(&mut self, now: Now, SourceMark(key): SourceMark, news: News) {
        match news {
            News::Opened => self.count(key, 1),
            News::Closed => self.count(key, -1),
            News::Used(what) => _ = self.book(now, key, what),
        }
    }

    /// The name of a source between shards.
    pub(super) fn mark(&self, source: Option<Source>) -> Option<SourceMark> {
        self.key(source).map(SourceMark)
    }

    fn count(&mut self, key: u64, links: i64) {
        let open = self.links.entry(key).or_default();
        *open = open.saturating_add(links);
        if *open == 0 {
            self.links.remove(&key);
        }
    }

    /// Books one use, or says no.
    pub(super) fn admit(&mut self, now: Now, source: Option<Source>, what: Use) -> bool {
        self.key(source).is_none_or(|key| self.book(now, key, what))
    }

    fn book(&mut self, now: Now, key: u64, what: Use) -> bool {
        let plan = self.plan(what);
        self.rest(now, SLICE);
        if self.used.len() >= self.limits.sources.max(1)
            && !self.used.contains_key(&key)
            && let Some((_, first)) = self.resting.pop_first()
        {
            self.used.remove(&first);
        }
        let used = self.used.entry(key).or_default();
        let before = used.rested_at();
        let admitted = used.budget(what).admit(now.mono, plan) == Admit::Now;
        let after = used.rested_at();
        self.resting.remove(&(before, key));
        self.resting.insert((after, key));
        admitted
    }

    /// Whether nothing is left of a budget.
    pub(super) fn is_spent(&mut self, now: Now, source: Option<Source>, what: Use) -> bool {
        let plan = self.plan(what);
        let used = self.key(source).and_then(|key| self.used.get_mut(&key));
        used.is_some_and(|used| used.budget(what).is_spent(now.mono, plan))
    }

    /// The mark of a source.
    pub(super) fn origin(&self, source: Option<Source>) -> Origin {
        let [.., a, b, c, d] = self.key(source).unwrap_or_default().to_be_bytes();
        Origin(u32::from_be_bytes([a, b, c, d]))
    }

    /// When the next source can be forgotten.
    pub(super) fn next_rest(&self) -> Option<Mono> {
        self.resting.first().map(|(at, _)| *at)
    }

    /// Forgets sources whose budgets have rested, so many at most.
    pub(super) fn rest(&mut self, now: Now, at_most: usize) {
        for _ in 0..at_most {
            let Some((at, key)) = self.resting.first().copied().filter(|(at, _)| *at <= now.mono) else {
                return;
            };
            self.resting.remove(&(at, key));
            self.used.remove(&key);
        }
    }

    /// Sources whose budgets are not rested: the gauge.
    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    pub(super) fn clear(&mut self) {
        self.links.clear();
        self.used.clear();
        self.resting.clear();
    }

    fn key(&self, source: Option<Source>) -> Option<u64> {
        source.map(|source| self.hash.of(&source))
    }

    const fn plan(&self, what: Use) -> BudgetPlan {
        match what {
            Use::Registration => self.limits.registrations,
            Use::VerificationPush => self.limits.verification_pushes,
            Use::WrongCode => self.limits.wrong_codes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};
    use crate::base::time::Wall;
    use core::net::{IpAddr, Ipv4Addr};

    fn sources(limits: SourceLimits) -> Sources {
        Sources::new(limits, HashKey::new(&mut Seed::from_number(1).stream(Stream::Hashing)))
    }

    fn source(number: u32) -> Option<Source> {
        Some(Source::new(IpAddr::V4(Ipv4Addr::from_bits(number))))
    }

    fn at(secs: u64) -> Now {
        Now { mono: Mono::from_micros(secs * 1_000_000), wall: Wall::from_secs(secs) }
    }

    fn limits(burst: u32) -> SourceLimits {
        let plan = BudgetPlan { burst, period: Duration::from_secs(60) };
        SourceLimits {
            links: 2,
            registrations: plan,
            verification_pushes: plan,
            wrong_codes: plan,
            sources: 3,
        }
    }

    #[test]
    fn each_source_and_each_use_has_a_budget_of_its_own() {
        let mut sources = sources(limits(2));
        let uses = [Use::Registration, Use::VerificationPush, Use::WrongCode];
        for (from, what) in [1, 2].into_iter().flat_map(|from| uses.map(|what| (from, what))) {
            assert!(!sources.is_spent(at(0), source(from), what));
            assert!(sources.admit(at(0), source(from), what) && sources.admit(at(0), source(from), what));
            assert!(sources.is_spent(at(0), source(from), what), "{from} {what:?}");
            assert!(!sources.admit(at(0), source(from), what), "{from} {what:?}");
            assert!(sources.admit(at(60), source(from), what), "one more after a period");
        }
        for _ in 0..1000 {
            assert!(sources.admit(at(0), None, Use::Registration), "who is not known has no limit");
        }
    }

    #[test]
    fn links_are_counted_by_source() {
        let mut sources = sources(limits(1));
        assert!(sources.open(source(1)) && sources.open(source(1)) && sources.open(source(2)));
        assert!(!sources.open(source(1)));
        sources.close(source(1));
        assert!(sources.open(source(1)));
        for _ in 0..2 {
            sources.close(source(1));
        }
        sources.close(source(2));
        assert!(sources.links.is_empty());
    }

    #[test]
    fn what_one_shard_tells_counts_for_another() {
        let (mut here, mut there) = (sources(limits(2)), sources(limits(2)));
        let mark = there.mark(source(1)).expect("it is known");
        let uses = [Use::Registration, Use::VerificationPush, Use::WrongCode];
        for what in uses {
            for _ in 0..2 {
                assert!(there.admit(at(0), source(1), what));
                here.hear(at(0), mark, News::Used(what));
            }
            assert!(!here.admit(at(0), source(1), what), "{what:?}");
            here.hear(at(0), mark, News::Used(what));
            assert!(here.admit(at(60), source(1), what), "what was too much is not owed");
        }
        // The end of a link may be told before its beginning.
        for news in [News::Closed, News::Opened, News::Opened, News::Opened] {
            here.hear(at(0), mark, news);
        }
        assert!(!here.open(source(1)));
        here.hear(at(0), mark, News::Closed);
        assert!(here.open(source(1)) && !here.open(source(1)));
        here.close(source(1));
        here.hear(at(0), mark, News::Closed);
        assert!(here.links.is_empty());
    }

    #[test]
    fn sources_that_have_rested_are_forgotten() {
        let mut sources = sources(limits(1));
        assert!(sources.admit(at(0), source(1), Use::Registration));
        assert!(sources.admit(at(10), source(2), Use::Registration));
        assert_eq!(sources.next_rest(), Some(at(60).mono));
        sources.rest(at(59), SLICE);
        assert_eq!(sources.len(), 2);
        sources.rest(at(60), SLICE);
        assert_eq!((sources.len(), sources.next_rest()), (1, Some(at(70).mono)));
        sources.rest(at(70), SLICE);
        assert_eq!((sources.len(), sources.next_rest()), (0, None));
    }

    #[test]
    fn a_full_table_forgets_whoever_would_rest_first() {
        let mut sources = sources(limits(2));
        for _ in 0..2 {
            assert!(sources.admit(at(0), source(1), Use::WrongCode));
        }
        for number in 2..100 {
            assert!(sources.admit(at(0), source(number), Use::WrongCode));
            assert!(sources.len() <= 3);
        }
        assert!(sources.is_spent(at(0), source(1), Use::WrongCode), "who owes most is kept");
    }
}
