#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::base::rng::{Seed, Stream};
use crate::base::slab::{Index, Slab};
use crate::base::time::Wall;
use crate::model::cron::Cron;
use crate::model::token::{DeviceToken, InvalidReason, Provider};

mod pacing;

fn index(number: u32) -> Index {
    let mut slab = Slab::new(u32::MAX);
    let mut last = None;
    for _ in 0..=number {
        last = slab.insert(()).ok();
    }
    last.unwrap()
}

fn token(number: u32) -> TokenIndex {
    TokenIndex(index(number))
}

fn device(token: TokenIndex) -> DeviceToken {
    DeviceToken { provider: Provider::ApnsProd, token: alloc::format!("{token:?}").into_bytes().into() }
}

fn now(secs: u64) -> Now {
    Now { mono: Mono::from_micros(secs * 1_000_000), wall: Wall::from_secs(secs) }
}

fn notice(time: i64) -> Notice {
    Notice { received_at: time, nonce: [0; 24], meta: [].into() }
}

struct World {
    delivery: Delivery,
    jitter: Rng,
}

fn world(limits: DeliveryLimits) -> World {
    let seed = Seed::from_number(4);
    let delivery = Delivery::new(limits, &mut seed.stream(Stream::Hashing));
    World { delivery, jitter: seed.stream(Stream::Jitter) }
}

impl World {
    fn take_in(&mut self, owner: u32, queue: u32, time: i64) -> bool {
        let came = now(u64::try_from(time).unwrap());
        self.take_in_at(came, owner, queue, time)
    }

    fn take_in_at(&mut self, at: Now, owner: u32, queue: u32, time: i64) -> bool {
        self.delivery.take_in(at.mono, token(owner), SubscriptionIndex(index(queue)), notice(time))
    }

    /// Orders everything that is ready; gives the orders with the times of their notices.
    fn orders(&mut self, at: Now) -> Vec<(PushId, Vec<i64>)> {
        let mut orders = Vec::new();
        while let Some(ready) = self.delivery.next_ready() {
            match ready {
                Ready::Message(token) => {
                    orders.extend(self.delivery.order_message(
                        at,
                        token,
                        |key| key.of(&device(token)),
                        100,
                        |_| 1,
                        |push, _, held| (push, held.map(|held| held.notice.received_at).collect()),
                    ));
                }
                Ready::Verification(token) => {
                    orders.extend(self.delivery.order_verification(at, token).map(|push| (push, Vec::new())));
                }
                Ready::Periodic(token) => {
                    orders.extend(
                        self.delivery
                            .order_periodic(at, token, |key| key.of(&device(token)))
                            .map(|push| (push, Vec::new())),
                    );
                }
            }
        }
        orders
    }

    fn outcome(&mut self, at: Now, id: PushId, result: PushResult) -> Option<Landed> {
        self.delivery.on_outcome(at, PushOutcome { id, result }, &mut self.jitter)
    }

    /// Every notice taken in is accounted for once.
    fn assert_balanced(&self) {
        let counted = self.delivery.counters();
        let ended = [
            counted.ordered,
            counted.merged,
            counted.displaced,
            counted.oversize,
            counted.expired,
            counted.forgotten,
        ];
        let ended: u64 = ended.iter().map(|counter| counter.total()).sum();
        assert_eq!(counted.taken_in.total(), ended + self.delivery.fresh());
        assert!(counted.unfinished.total() <= counted.ordered.total());
        let held: usize = self.delivery.mailboxes.values().map(|mailbox| mailbox.notices.len()).sum();
        assert_eq!(self.delivery.held(), held);
    }
}

#[test]
fn what_comes_while_an_order_is_out_merges_into_the_next() {
    let mut world = world(DeliveryLimits::default());
    world.take_in(0, 0, 1);
    let first = world.orders(now(0));
    assert_eq!(first, [(PushId(1), alloc::vec![1])]);
    for time in 2..1000 {
        world.take_in(0, u32::try_from(time % 3).unwrap(), time);
    }
    assert_eq!(world.orders(now(0)), [], "one order at a time");
    assert_eq!(world.delivery.held(), 3);
    world.outcome(now(1), PushId(1), PushResult::Accepted);
    assert_eq!(world.orders(now(1)), [(PushId(2), alloc::vec![997, 998, 999])]);
    assert_eq!(world.delivery.counters().merged.total(), 995);
    world.assert_balanced();
}

#[test]
fn a_put_off_order_is_made_again_after_the_pause_with_what_came_since() {
    let mut world = world(DeliveryLimits::default());
    world.take_in(0, 0, 1);
    let push = world.orders(now(0))[0].0;
    world.outcome(now(0), push, PushResult::TryLater { after: Duration::from_secs(30) });
    world.take_in(0, 1, 2);
    assert_eq!(world.orders(now(0)), [], "not before the pause is over");
    assert_eq!(world.delivery.deadline(), Some((now(30).mono, "retry a push")));
    world.delivery.on_time(now(30), usize::MAX, &mut world.jitter);
    let again = world.orders(now(30));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].1, [1, 2]);
    assert_ne!(again[0].0, push, "another order");
    world.assert_balanced();
}

#[test]
fn an_order_without_outcome_is_made_again() {
    let mut world = world(DeliveryLimits::default());
    world.take_in(0, 0, 1);
    let push = world.orders(now(0))[0].0;
    world.delivery.on_time(now(120), usize::MAX, &mut world.jitter);
    assert_eq!(world.delivery.counters().lost.total(), 1);
    world.delivery.on_time(now(122), usize::MAX, &mut world.jitter);
    assert_eq!(world.orders(now(122)).len(), 1);
    assert_eq!(world.outcome(now(123), push, PushResult::Accepted), None);
    assert_eq!(world.delivery.counters().late.total(), 1);
    world.assert_balanced();
}

#[test]
fn a_refused_order_is_not_repeated_but_its_notices_ride_along() {
    let mut world = world(DeliveryLimits::default());
    world.take_in(0, 0, 1);
    let push = world.orders(now(0))[0].0;
    world.outcome(now(0), push, PushResult::Refused);
    assert_eq!(world.orders(now(0)), []);
    world.take_in(0, 1, 2);
    assert_eq!(world.orders(now(0))[0].1, [1, 2]);
}

#[test]
fn so_many_orders_are_out_and_the_others_wait_in_line() {
    let mut world = world(DeliveryLimits { orders: 2, ..DeliveryLimits::default() });
    for owner in 0..4 {
        world.take_in(owner, owner, owner.into());
    }
    let out = world.orders(now(0));
    assert_eq!(out.len(), 2);
    assert_eq!((world.delivery.orders_out(), world.delivery.in_line()), (2, 2));
    assert!(!world.delivery.has_ready());
    world.take_in(3, 3, 33);
    world.outcome(now(0), out[0].0, PushResult::Accepted);
    world.outcome(now(0), out[1].0, PushResult::Accepted);
    let next: Vec<_> = world.orders(now(0)).into_iter().map(|(_, times)| times).collect();
    assert_eq!(next, [[2], [33]], "in the order they came, merged");
    world.assert_balanced();
}

#[test]
fn a_full_table_takes_nothing_for_tokens_that_hold_nothing() {
    let mut world = world(DeliveryLimits { notices: 2, ..DeliveryLimits::default() });
    assert!(world.take_in(0, 0, 0));
    assert!(world.take_in(0, 1, 1));
    assert!(!world.take_in(1, 2, 2));
    assert!(world.take_in(0, 3, 3), "a token replaces its own");
    assert_eq!(world.delivery.held(), 2);
    assert_eq!(world.delivery.counters().refused_full.total(), 1);
    assert_eq!(world.delivery.counters().displaced.total(), 1);
    world.assert_balanced();
}

#[test]
fn a_moved_token_ignores_outcomes_for_its_old_device_and_keeps_its_notices() {
    let mut world = world(DeliveryLimits::default());
    world.delivery.want_verification(token(0), Until::Verified);
    let verification = world.orders(now(0))[0].0;
    world.take_in(0, 0, 1);
    let message = world.orders(now(0))[0].0;
    world.take_in(0, 1, 2);
    world.delivery.set_periodic(now(0), token(0), Cron::Every { minutes: 20 }, &mut world.jitter);
    let device = DeviceToken { provider: Provider::ApnsTest, token: b"old".as_slice().into() };
    let periodic = world.delivery.order_periodic(now(0), token(0), |key| key.of(&device)).unwrap();
    world.delivery.moved(token(0));
    let invalid = PushResult::TokenInvalid { reason: InvalidReason::Bad, since_millis: None };
    assert_eq!(world.outcome(now(1), message, invalid), None);
    assert_eq!(world.outcome(now(1), periodic, invalid), None);
    assert_eq!(world.outcome(now(1), verification, PushResult::Accepted), None);
    assert_eq!(world.orders(now(1)), [], "nothing goes to the new device before it is verified");
    world.delivery.verified(token(0));
    assert_eq!(world.orders(now(1))[0].1, [1, 2]);
    world.assert_balanced();
}

#[test]
fn a_verification_push_is_sent_again_until_verified() {
    let mut world = world(DeliveryLimits::default());
    world.delivery.want_verification(token(0), Until::Verified);
    let push = world.orders(now(0))[0].0;
    let landed = world.outcome(now(0), push, PushResult::Accepted);
    assert_eq!(landed, Some(Landed { token: token(0), kind: PushKind::Verification }));
    world.delivery.on_time(now(120), usize::MAX, &mut world.jitter);
    assert_eq!(world.orders(now(120)).len(), 1, "the device did not answer");
    world.delivery.verified(token(0));
    assert_eq!(world.delivery.deadline(), None);
    assert_eq!(world.delivery.orders_out(), 0);
}

#[test]
fn a_delayed_verification_push_keeps_its_time() {
    let mut world = world(DeliveryLimits::default());
    world.delivery.want_verification(token(0), Until::Verified);
    assert_eq!(world.delivery.next_ready(), Some(Ready::Verification(token(0))));
    world.delivery.delay_verification(token(0), now(60).mono);
    assert!(!world.delivery.has_ready());
    world.delivery.on_time(now(60), usize::MAX, &mut world.jitter);
    assert_eq!(world.delivery.next_ready(), Some(Ready::Verification(token(0))));
}

#[test]
fn asking_over_and_over_while_the_push_server_is_away_takes_one_place_in_line() {
    let mut world = world(DeliveryLimits { orders: 0, ..DeliveryLimits::default() });
    for owner in 0..50 {
        for _ in 0..3 {
            world.delivery.want_verification(token(owner), Until::Verified);
        }
        assert_eq!(world.delivery.in_line(), 1);
        world.delivery.forget_token(token(owner));
    }
    assert_eq!(world.delivery.in_line(), 0);
}

#[test]
fn what_was_taken_in_is_ordered_merged_or_counted() {
    let limits = DeliveryLimits { queues_per_token: 8, notices: 40, orders: 3, ..DeliveryLimits::default() };
    let mut world = world(limits);
    let mut rng = Seed::from_number(9).stream(Stream::World);
    let mut out: Vec<PushId> = Vec::new();
    for round in 0..20_000_u32 {
        let at = now(round.into());
        let owner = u32::try_from(rng.below(8)).unwrap();
        let queue = u32::try_from(rng.below(12)).unwrap();
        match rng.below(16) {
            0..8 => _ = world.take_in(owner, queue, round.into()),
            8..12 => {
                if let Some(id) = out.pop() {
                    let after = Duration::from_secs(rng.below(20));
                    let result = match rng.below(4) {
                        0 => PushResult::Accepted,
                        1 => PushResult::Refused,
                        2 => PushResult::TokenInvalid { reason: InvalidReason::Bad, since_millis: None },
                        _ => PushResult::TryLater { after },
                    };
                    world.outcome(at, id, result);
                }
            }
            12 => world.delivery.forget_subscription(token(owner), SubscriptionIndex(index(queue))),
            13 if rng.below(4) == 0 => world.delivery.forget_token(token(owner)),
            14 if rng.below(4) == 0 => world.delivery.moved(token(owner)),
            15 => world.delivery.verified(token(owner)),
            _ => world.delivery.park(token(owner)),
        }
        world.delivery.on_time(at, usize::MAX, &mut world.jitter);
        out.extend(world.orders(at).into_iter().map(|(push, _)| push));
        assert!(world.delivery.orders_out() <= 3 && world.delivery.held() <= 41 + 6);
        world.assert_balanced();
    }
    world.delivery.clear();
    world.assert_balanced();
}

#[test]
fn what_was_ordered_and_has_no_outcome_is_unfinished_at_the_end() {
    let mut world = world(DeliveryLimits::default());
    // The first is accepted, the second put off, the third out, the fourth comes behind it.
    for owner in 0..3 {
        world.take_in(owner, owner, 1);
    }
    let orders = world.orders(now(0));
    world.outcome(now(1), orders[0].0, PushResult::Accepted);
    world.outcome(now(1), orders[1].0, PushResult::TryLater { after: Duration::ZERO });
    world.take_in(2, 3, 1);
    world.delivery.clear();
    let counted = world.delivery.counters();
    assert_eq!((counted.ordered.total(), counted.accepted.total()), (3, 1));
    assert_eq!((counted.unfinished.total(), counted.forgotten.total()), (2, 1));
    world.assert_balanced();
}

#[test]
fn notices_go_when_they_are_a_day_old_and_take_their_mailbox_along() {
    const DAY: u64 = 86_400;
    let mut world = world(DeliveryLimits::default());
    // Token 0 has gone out and rides, token 1 is parked, token 2 has an order out whose end comes late.
    for owner in 0..3 {
        world.take_in_at(now(u64::from(owner)), owner, owner, 1);
    }
    world.delivery.next_ready();
    let order = |delivery: &mut Delivery, owner: u32| {
        delivery
            .order_message(
                now(2),
                token(owner),
                |key| key.of(&device(token(owner))),
                9,
                |_| 1,
                |push, _, _| push,
            )
            .unwrap()
    };
    let rides = order(&mut world.delivery, 0);
    world.outcome(now(3), rides, PushResult::Accepted);
    world.delivery.next_ready();
    world.delivery.park(token(1));
    world.delivery.next_ready();
    order(&mut world.delivery, 2);
    assert_eq!((world.delivery.held(), world.delivery.fresh()), (3, 1));
    assert!(world.take_in_at(now(100), 1, 5, 2));

    for (secs, held, expired) in [(DAY - 1, 4, 0), (DAY, 3, 0), (DAY + 1, 2, 1), (DAY + 100, 0, 2)] {
        world.delivery.on_time(now(secs), usize::MAX, &mut world.jitter);
        let counted = world.delivery.counters().expired.total();
        assert_eq!((world.delivery.held(), counted), (held, expired), "after {secs} s");
        for (push, _) in world.orders(now(secs)) {
            world.outcome(now(secs), push, PushResult::TryLater { after: Duration::from_secs(DAY) });
        }
        world.assert_balanced();
    }
    world.delivery.on_time(now(2 * DAY), usize::MAX, &mut world.jitter);
    assert_eq!((world.delivery.held(), world.delivery.deadline()), (0, None), "nothing is left to do");
    assert!(world.delivery.mailboxes.is_empty());
}

#[test]
fn at_the_end_what_pauses_has_a_last_try_and_the_rest_is_left() {
    let mut world = world(DeliveryLimits::default());
    world.take_in(0, 0, 1);
    let (push, _) = world.orders(now(0))[0];
    world.outcome(now(1), push, PushResult::TryLater { after: Duration::from_secs(1000) });
    world.delivery.want_verification(token(1), Until::Verified);
    let minutes = Cron::from_minutes(20).unwrap();
    world.delivery.set_periodic(now(1), token(2), minutes, &mut world.jitter);
    world.delivery.wind_up();
    let orders = world.orders(now(2));
    assert_eq!(orders.iter().map(|(_, times)| times.as_slice()).collect::<Vec<_>>(), [[1]]);
    world.outcome(now(3), orders[0].0, PushResult::Accepted);
    assert_eq!((world.delivery.orders_out(), world.delivery.in_line()), (0, 0));
    assert_eq!((world.delivery.verifications(), world.delivery.periodics()), (0, 0));
}
