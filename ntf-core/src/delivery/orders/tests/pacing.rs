//! Budgets and quiet periods in virtual time.

use super::*;
use crate::base::budget::BudgetPlan;
use crate::delivery::notices::Held;
use crate::delivery::policy::PushPolicy;
use crate::model::cron::Cron;
use crate::model::push::CollapseId;
use alloc::collections::BTreeSet;
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);
const QUIET: Duration = Duration::from_secs(1200);

fn paced(policy: PushPolicy) -> World {
    world(DeliveryLimits { policy, ..DeliveryLimits::default() })
}

/// An order and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    push: PushId,
    token: TokenIndex,
    kind: PushKind,
    collapse: Option<CollapseId>,
    /// The times of the notices that it stands for.
    times: Vec<i64>,
}

impl World {
    fn shown(&mut self, at: Now) -> Vec<Shown> {
        let mut orders = Vec::new();
        while let Some(ready) = self.delivery.next_ready() {
            let bare =
                |token, kind| move |push| Shown { push, token, kind, collapse: None, times: Vec::new() };
            match ready {
                Ready::Message(token) => {
                    let make = |push, presentation, held: &mut dyn Iterator<Item = &Held>| {
                        let (kind, collapse) = match presentation {
                            Presentation::Mutable => (PushKind::Message, None),
                            Presentation::Hidden => (PushKind::Hidden, None),
                            Presentation::Alert(collapse) => (PushKind::Alert, Some(collapse)),
                        };
                        let times = held.map(|held| held.notice.received_at).collect();
                        Shown { push, token, kind, collapse, times }
                    };
                    orders.extend(self.delivery.order_message(
                        at,
                        token,
                        |key| key.of(&device(token)),
                        100,
                        |_| 1,
                        make,
                    ));
                }
                Ready::Periodic(token) => {
                    let push = self.delivery.order_periodic(at, token, |key| key.of(&device(token)));
                    orders.extend(push.map(bare(token, PushKind::CheckMessages)));
                }
                Ready::Verification(token) => {
                    let push = self.delivery.order_verification(at, token);
                    orders.extend(push.map(bare(token, PushKind::Verification)));
                }
            }
        }
        orders
    }

    /// The kinds of the orders at this time, all of which the provider takes.
    fn kinds(&mut self, at: Now) -> Vec<PushKind> {
        self.delivery.on_time(at, usize::MAX, &mut self.jitter);
        let shown = self.shown(at);
        for order in &shown {
            self.outcome(at, order.push, PushResult::Accepted);
        }
        shown.into_iter().map(|order| order.kind).collect()
    }
}

#[test]
fn beyond_the_budget_an_alert_comes_at_once_and_the_notices_in_the_next_hidden_push() {
    let mut world = paced(PushPolicy::HiddenThenVisible);
    world.take_in(0, 0, 1);
    assert_eq!(world.kinds(now(0)), [PushKind::Hidden], "the first is hidden");
    for second in 60..1200_u32 {
        world.take_in(0, second % 3, second.into());
        let expected: &[PushKind] = if second == 60 { &[PushKind::Alert] } else { &[] };
        assert_eq!(world.kinds(now(second.into())), expected, "at {second}");
    }
    assert_eq!(world.delivery.deadline(), Some((now(1200).mono, "push what the budget held back")));
    world.delivery.on_time(now(1200), usize::MAX, &mut world.jitter);
    let next = world.shown(now(1200));
    assert_eq!(next.len(), 1);
    assert_eq!((next[0].kind, next[0].times.as_slice()), (PushKind::Hidden, [1197, 1198, 1199].as_slice()));
    assert_eq!(world.delivery.counters().merged.total(), 1140 - 3);
    world.assert_balanced();
}

#[test]
fn alerts_are_paced_and_replace_each_other_until_the_device_registers_anew() {
    let mut world = paced(PushPolicy::VisibleOnly);
    let mut alerts = Vec::new();
    for second in (0..7200_u32).step_by(10) {
        world.take_in(0, 0, second.into());
        world.delivery.on_time(now(second.into()), usize::MAX, &mut world.jitter);
        for order in world.shown(now(second.into())) {
            assert_eq!((order.kind, order.times), (PushKind::Alert, [i64::from(second)].into()));
            world.outcome(now(second.into()), order.push, PushResult::Accepted);
            alerts.push((second, order.collapse.unwrap()));
        }
    }
    assert_eq!(alerts.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1200, 2400, 3600, 4800, 6000]);
    let names: BTreeSet<_> = alerts.iter().map(|(_, name)| *name).collect();
    assert_eq!(names.len(), 1, "one replaces the other");

    world.delivery.moved(token(0));
    world.delivery.verified(token(0));
    let moved = world.shown(now(7200));
    assert!(!names.contains(&moved[0].collapse.unwrap()), "at once, and under another name");
    world.take_in(1, 0, 0);
    assert!(!names.contains(&world.shown(now(7200))[0].collapse.unwrap()), "another registration");
    world.assert_balanced();
}

#[test]
fn a_push_server_that_throttles_is_obeyed_and_the_device_alerted() {
    let mut world = paced(PushPolicy::HiddenThenVisible);
    world.take_in(0, 0, 1);
    let order = world.shown(now(0))[0].clone();
    world.outcome(now(0), order.push, PushResult::Throttled { after: HOUR });
    assert_eq!(world.kinds(now(0)), [PushKind::Alert]);
    world.take_in(0, 1, 2);
    for second in 1..3600 {
        let expected: &[PushKind] = if second % 1200 == 0 { &[PushKind::Alert] } else { &[] };
        assert_eq!(world.kinds(now(second)), expected, "{second}: unseen for another quiet period");
    }
    world.delivery.on_time(now(3600), usize::MAX, &mut world.jitter);
    assert_eq!(world.shown(now(3600))[0].times, [1, 2]);
    assert_eq!(world.delivery.counters().throttled.total(), 1);
    world.assert_balanced();
}

#[test]
fn periodic_pushes_take_what_notices_leave() {
    let mut world = paced(PushPolicy::HiddenThenVisible);
    world.delivery.set_periodic(now(0), token(0), Cron::Every { minutes: 20 }, &mut world.jitter);
    let (mut periodic, mut hidden) = (0, 0);
    for second in 0..36_000_u32 {
        // A message every half hour in the second half of the time.
        if second >= 19_800 && second % 1800 == 0 {
            world.take_in(0, 0, second.into());
        }
        for kind in world.kinds(now(second.into())) {
            match kind {
                PushKind::CheckMessages => {
                    periodic += 1;
                    assert!(second < 19_800, "at {second}: the budget is for notices");
                }
                PushKind::Hidden => hidden += 1,
                PushKind::Alert => assert_eq!(second, 19_800, "only the first may meet a periodic push"),
                PushKind::Message | PushKind::Verification => panic!("{kind:?}"),
            }
        }
    }
    assert!((6..=9).contains(&periodic), "{periodic}: one in 40 minutes while nothing comes");
    assert_eq!(hidden, 9);
    assert!(world.delivery.counters().periodic_held.total() > 0);
}

#[test]
fn a_policy_can_be_given_to_one_token_and_taken_back() {
    let mut world = paced(PushPolicy::Mutable);
    world.delivery.set_policy(token(0), Some(PushPolicy::VisibleOnly));
    world.take_in(0, 0, 1);
    world.take_in(1, 1, 1);
    assert_eq!(world.kinds(now(0)), [PushKind::Alert, PushKind::Message]);
    world.take_in(0, 0, 2);
    assert_eq!(world.kinds(now(1)), [], "held for its quiet period");
    world.delivery.set_policy(token(0), None);
    assert_eq!(world.kinds(now(1)), [PushKind::Message], "which is over with the policy");
    assert_eq!(world.delivery.policy(token(0)), PushPolicy::Mutable);
}

#[test]
fn a_push_too_large_is_made_smaller_so_often_and_then_given_up() {
    let mut world = paced(PushPolicy::Mutable);
    world.take_in(0, 0, 1);
    for shrinks in 0..4_u8 {
        assert_eq!(world.delivery.shrinks(token(0)), shrinks);
        let order = world.shown(now(0))[0].clone();
        world.outcome(now(0), order.push, PushResult::TooLarge);
    }
    assert_eq!(world.shown(now(0)), [], "it rides along with the next");
    world.take_in(0, 1, 2);
    assert_eq!(world.shown(now(0))[0].times, [1, 2]);
    assert_eq!(world.delivery.shrinks(token(0)), 3);
    world.assert_balanced();
}

#[derive(Clone, Debug)]
enum Move {
    TakeIn { owner: u32, queue: u32 },
    Pass { secs: u64 },
    Land { which: usize, fate: Fate },
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Accepted,
    TryLater(u64),
    Throttled(u64),
}

fn any_move() -> impl Strategy<Value = Move> {
    let fate = prop_oneof![
        4 => Just(Fate::Accepted),
        1 => (0..600_u64).prop_map(Fate::TryLater),
        1 => (0..1200_u64).prop_map(Fate::Throttled),
    ];
    prop_oneof![
        4 => (0..2_u32, 0..4_u32).prop_map(|(owner, queue)| Move::TakeIn { owner, queue }),
        3 => (1..100_u64).prop_map(|secs| Move::Pass { secs }),
        1 => (1..4000_u64).prop_map(|secs| Move::Pass { secs }),
        3 => (any::<usize>(), fate).prop_map(|(which, fate)| Move::Land { which, fate }),
    ]
}

/// A run and what a watcher on the side of the devices writes down.
struct Watch {
    world: World,
    secs: u64,
    last_time: i64,
    out: Vec<(u64, Shown)>,
    /// Orders that arrived, with the second they were made.
    arrived: Vec<(u64, Shown)>,
    /// The newest notice of each queue.
    newest: BTreeMap<(u32, u32), i64>,
    /// When something last happened to a token.
    stirred: BTreeMap<TokenIndex, u64>,
    trace: Vec<(u64, Shown)>,
}

impl Watch {
    fn new(limits: DeliveryLimits) -> Self {
        let mut world = world(limits);
        for owner in 0..2 {
            let every = Cron::Every { minutes: 30 };
            world.delivery.set_periodic(now(0), token(owner), every, &mut world.jitter);
        }
        Self {
            world,
            secs: 0,
            last_time: 0,
            out: Vec::new(),
            arrived: Vec::new(),
            newest: BTreeMap::new(),
            stirred: BTreeMap::new(),
            trace: Vec::new(),
        }
    }

    fn step(&mut self, next: &Move) {
        match next {
            Move::TakeIn { owner, queue } => {
                self.last_time += 1;
                let was_still = self.is_still(token(*owner));
                self.world.take_in(*owner, *queue, self.last_time);
                self.newest.insert((*owner, *queue), self.last_time);
                let is_told = self.orders().iter().any(|order| order.token == token(*owner));
                assert!(is_told || !was_still, "a lone message is never delayed");
            }
            Move::Pass { secs } => {
                let until = self.secs + secs;
                while let Some((at, _)) = self.world.delivery.deadline()
                    && at <= now(until).mono
                {
                    self.secs = self.secs.max(at.as_micros().div_ceil(1_000_000));
                    self.tick();
                }
                self.secs = until;
                self.tick();
            }
            Move::Land { which, fate } => self.land(*which, *fate),
        }
        self.world.assert_balanced();
    }

    fn land(&mut self, which: usize, fate: Fate) {
        if self.out.is_empty() {
            return;
        }
        let (at, order) = self.out.remove(which % self.out.len());
        self.stirred.insert(order.token, self.secs);
        let secs = Duration::from_secs;
        let result = match fate {
            Fate::Accepted => PushResult::Accepted,
            Fate::TryLater(after) => PushResult::TryLater { after: secs(after) },
            Fate::Throttled(after) => PushResult::Throttled { after: secs(after) },
        };
        self.world.outcome(now(self.secs), order.push, result);
        if result == PushResult::Accepted {
            self.arrived.push((at, order));
        }
        self.orders();
    }

    fn tick(&mut self) {
        self.world.delivery.on_time(now(self.secs), usize::MAX, &mut self.world.jitter);
        let (known, lost): (Vec<_>, Vec<_>) = core::mem::take(&mut self.out)
            .into_iter()
            .partition(|(_, order)| self.world.delivery.order(order.push).is_some());
        self.out = known;
        self.stirred.extend(lost.iter().map(|(_, order)| (order.token, self.secs)));
        self.orders();
    }

    fn orders(&mut self) -> Vec<Shown> {
        let made = self.world.shown(now(self.secs));
        for order in &made {
            self.stirred.insert(order.token, self.secs);
            self.out.push((self.secs, order.clone()));
            self.trace.push((self.secs, order.clone()));
        }
        made
    }

    /// Nothing is out for a token, and nothing has happened to it for longer than anything lasts.
    fn is_still(&self, token: TokenIndex) -> bool {
        let stirred = self.stirred.get(&token).is_some_and(|at| self.secs <= at + 1200);
        !stirred && self.out.iter().all(|(_, order)| order.token != token)
    }

    /// Everything succeeds from here on, until nothing is wanted.
    fn settle(&mut self) {
        for _ in 0..30 {
            while !self.out.is_empty() {
                self.step(&Move::Land { which: 0, fate: Fate::Accepted });
            }
            self.step(&Move::Pass { secs: 300 });
        }
        assert_eq!(self.world.delivery.fresh(), 0, "everything went out");
    }

    fn times_of(&self, owner: u32, kinds: &[PushKind]) -> Vec<u64> {
        let of_owner = |order: &Shown| order.token == token(owner) && kinds.contains(&order.kind);
        let mut times: Vec<u64> =
            self.arrived.iter().filter(|(_, order)| of_owner(order)).map(|(at, _)| *at).collect();
        times.sort_unstable();
        times
    }

    fn assert_paced(&self) {
        for owner in 0..2 {
            for four in self.times_of(owner, &[PushKind::Hidden, PushKind::CheckMessages]).windows(4) {
                assert!(four[3] - four[0] >= HOUR.as_secs(), "four hidden pushes at {four:?}");
            }
            for two in self.times_of(owner, &[PushKind::Alert]).windows(2) {
                assert!(two[1] - two[0] >= QUIET.as_secs(), "two alerts at {two:?}");
            }
        }
    }

    fn assert_nothing_lost(&self) {
        let arrived: BTreeSet<i64> =
            self.arrived.iter().flat_map(|(_, order)| order.times.iter().copied()).collect();
        for (queue, time) in &self.newest {
            assert!(arrived.contains(time), "the newest of {queue:?} did not go out");
        }
    }
}

fn run(policy: PushPolicy, moves: &[Move]) -> Watch {
    let mut watch = Watch::new(DeliveryLimits { policy, ..DeliveryLimits::default() });
    for next in moves {
        watch.step(next);
    }
    watch.settle();
    watch
}

proptest! {
    #[test]
    fn no_hour_has_more_than_the_budget_and_no_notice_is_lost(
        moves in prop::collection::vec(any_move(), 0..200),
    ) {
        let watch = run(PushPolicy::HiddenThenVisible, &moves);
        watch.assert_paced();
        watch.assert_nothing_lost();
    }

    #[test]
    fn alerts_alone_keep_their_quiet_period_and_stand_for_every_notice(
        moves in prop::collection::vec(any_move(), 0..200),
    ) {
        let watch = run(PushPolicy::VisibleOnly, &moves);
        watch.assert_paced();
        watch.assert_nothing_lost();
    }

    #[test]
    fn mutable_pushes_know_no_budget(moves in prop::collection::vec(any_move(), 0..120)) {
        let day = Duration::from_secs(86_400);
        let strict = DeliveryLimits {
            hidden_pushes: BudgetPlan { burst: 1, period: day },
            quiet: day,
            devices_paced: 1,
            ..DeliveryLimits::default()
        };
        let trace = |limits| {
            let mut watch = Watch::new(limits);
            for next in &moves {
                watch.step(next);
            }
            watch.trace
        };
        prop_assert_eq!(trace(strict), trace(DeliveryLimits::default()));
    }
}
