//! Periodic notifications: asked for by TCRN, and really sent.

use super::app::App;
use super::world::World;
use crate::model::push::{PushOrder, PushPayload, PushResult};
use crate::model::token::InvalidReason;
use crate::wire::ntf::command::{Command, Device as DeviceField};
use core::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn take_periodic(world: &mut World) -> PushOrder {
    let order = world.take_order();
    assert_eq!(order.payload, PushPayload::CheckMessages);
    order
}

/// The first push, which is due an interval after TCRN or up to a quarter of it later.
///
/// What becomes of it and of later ones, the test says.
fn first(world: &mut World, interval: Duration) -> PushOrder {
    world.accepts_pushes = false;
    world.advance(interval - Duration::from_millis(1));
    assert_eq!(world.orders, [], "not before the interval is over");
    let latest = world.now.mono + interval / 4 + Duration::from_secs(1);
    while world.orders.is_empty() {
        assert!(world.now.mono < latest, "no push in time");
        world.advance(Duration::from_secs(1));
    }
    take_periodic(world)
}

/// Promised by the protocol, never done by the reference: 7.2 D1.
#[test]
fn a_device_that_asks_for_periodic_pushes_gets_them() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tcrn { minutes: 20 }), "OK");
    let first = first(&mut world, 20 * MINUTE);
    assert_eq!(first.device, app.token);
    world.outcome(first.id, PushResult::Accepted);
    for _ in 0..3 {
        world.advance(20 * MINUTE - Duration::from_millis(1));
        assert_eq!(world.orders, []);
        world.advance(Duration::from_millis(1));
        let next = take_periodic(&mut world);
        world.outcome(next.id, PushResult::Accepted);
    }
    assert_eq!(world.subscriber.counters().delivery.periodic_orders.total(), 4);
}

#[test]
fn the_interval_has_a_least_and_an_off() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    for (minutes, answer, periodics) in [
        (0, "OK", 0),
        (1, "ERR QUOTA", 0),
        (19, "ERR QUOTA", 0),
        (20, "OK", 1),
        (u16::MAX, "OK", 1),
        (0, "OK", 0),
    ] {
        let answered = app.ask(&mut world, &mut device, &Command::Tcrn { minutes });
        assert_eq!(
            (answered.as_str(), world.subscriber.gauges().periodics),
            (answer, periodics),
            "{minutes}"
        );
    }
    world.advance(Duration::from_secs(100_000 * 60));
    assert_eq!(world.orders, [], "switched off");
}

#[test]
fn asking_again_begins_the_interval_again() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tcrn { minutes: 20 }), "OK");
    world.advance(19 * MINUTE);
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tcrn { minutes: 20 }), "OK");
    world.advance(19 * MINUTE);
    assert_eq!(world.orders, []);
    world.advance(6 * MINUTE);
    take_periodic(&mut world);
}

#[test]
fn a_push_that_did_not_get_through_is_tried_again_sooner() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tcrn { minutes: 60 }), "OK");
    let mut order = first(&mut world, 60 * MINUTE);
    for (after, pause) in [(Duration::ZERO, 5 * MINUTE), (7 * MINUTE, 7 * MINUTE)] {
        world.outcome(order.id, PushResult::TryLater { after });
        world.advance(pause - Duration::from_millis(1));
        assert_eq!(world.orders, []);
        world.advance(Duration::from_millis(1));
        order = take_periodic(&mut world);
    }
    // An order of which nothing is heard counts as put off.
    world.advance(2 * MINUTE + 5 * MINUTE);
    let order = take_periodic(&mut world);
    world.outcome(order.id, PushResult::Accepted);
    world.advance(59 * MINUTE);
    assert_eq!(world.orders, []);
}

#[test]
fn only_a_verified_device_is_woken() {
    let mut world = World::new();
    let mut device = world.device();
    let mut app = App::verified(&mut world, &mut device, 1, "abcd");
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tcrn { minutes: 20 }), "OK");
    let order = first(&mut world, 20 * MINUTE);
    let invalid = PushResult::TokenInvalid { reason: InvalidReason::Unregistered, since_millis: None };
    world.outcome(order.id, invalid);
    world.advance(20 * MINUTE);
    assert_eq!(world.orders, [], "the provider has refused the device token");
    assert_eq!(world.subscriber.counters().delivery.periodic_skipped.total(), 1);

    // The interval outlives the device token.
    app.token = App::new(1, "efgh").token;
    let replace = Command::Trpl { device: DeviceField::of(&app.token) };
    assert_eq!(app.ask(&mut world, &mut device, &replace), "OK");
    let code = app.code(&world.take_order());
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");
    world.advance(20 * MINUTE);
    assert_eq!(take_periodic(&mut world).device, app.token);
}

#[test]
fn a_deleted_token_leaves_nothing_to_wait_for() {
    let mut world = World::new();
    let mut device = world.device();
    for stage in 0..3 {
        world.accepts_pushes = true;
        let app = App::verified(&mut world, &mut device, 1, "abcd");
        assert_eq!(app.ask(&mut world, &mut device, &Command::Tcrn { minutes: 20 }), "OK");
        if stage > 0 {
            let order = first(&mut world, 20 * MINUTE);
            if stage > 1 {
                world.outcome(order.id, PushResult::TryLater { after: Duration::ZERO });
            }
        }
        assert_eq!(app.ask(&mut world, &mut device, &Command::Tdel), "OK");
        let gauges = world.subscriber.gauges();
        assert_eq!((gauges.periodics, gauges.orders_out), (0, 0), "stage {stage}");
        world.advance(60 * MINUTE);
        assert_eq!(world.orders, []);
    }
}

#[test]
fn pushes_of_many_devices_that_came_at_once_are_spread() {
    let mut world = World::new();
    let mut device = world.device();
    for number in 1..=40 {
        let app = App::verified(&mut world, &mut device, number, &alloc::format!("{number:04x}"));
        assert_eq!(app.ask(&mut world, &mut device, &Command::Tcrn { minutes: 20 }), "OK");
    }
    world.advance(20 * MINUTE);
    let mut minutes_with_pushes = 0;
    for _ in 0..5 {
        let before = world.orders.len();
        world.advance(MINUTE);
        minutes_with_pushes += usize::from(world.orders.len() > before);
    }
    assert_eq!((world.orders.len(), minutes_with_pushes), (40, 5));
}
