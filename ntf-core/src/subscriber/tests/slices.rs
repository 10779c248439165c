//! Much that is due in one moment: each tick does a bounded part of it, and others are served in between.

use super::app::{App, Device};
use super::world::World;
use crate::subscriber::input::Input;
use crate::subscriber::on_timer::SLICE;
use crate::wire::ntf::command::Command;
use alloc::vec::Vec;
use core::time::Duration;

/// More than two slices, fewer than three.
const MANY: usize = 2 * SLICE + SLICE / 2;

const LIFETIME: Duration = Duration::from_secs(100_000);

/// A token with [`MANY`] subscriptions that comes to its end before the other one, which has just been used.
struct Ending {
    world: World,
    ends: App,
    stays: App,
    device: Device,
}

fn ending() -> Ending {
    let mut world = World::alone(|config| config.tokens.idle_lifetime = Some(LIFETIME));
    let mut device = world.device();
    let ends = App::verified(&mut world, &mut device, 1, "abcd");
    for number in 0..u32::try_from(MANY).unwrap() {
        let queue = world.numbered_queue(number);
        ends.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    }
    let stays = App::verified(&mut world, &mut device, 2, "cafe");
    let queue = world.queue(7);
    stays.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    world.advance(LIFETIME.mul_f32(0.9));
    let mut device = world.device();
    assert_eq!(stays.ask(&mut world, &mut device, &Command::Tchk), "TKN ACTIVE");
    world.advance(LIFETIME.mul_f32(0.1) - Duration::from_secs(1));
    let device = world.device();
    assert_eq!(subscriptions(&world), MANY + 1);
    world.pass(Duration::from_secs(1));
    Ending { world, ends, stays, device }
}

fn subscriptions(world: &World) -> usize {
    usize::try_from(world.subscriber.gauges().subscriptions).unwrap()
}

/// Ticks until nothing is due, and gives how much `held` fell in each tick.
fn fall(
    world: &mut World,
    held: impl Fn(&World) -> usize,
    mut between: impl FnMut(&mut World),
) -> Vec<usize> {
    let mut steps = Vec::new();
    while world.deadline().is_some_and(|at| at <= world.now.mono) {
        let before = held(world);
        world.handle(Input::Tick);
        let after = held(world);
        if before != after {
            steps.push(before - after);
        }
        between(world);
    }
    steps
}

#[test]
fn a_registration_that_ends_takes_its_subscriptions_along_in_slices_and_others_get_their_pushes() {
    let Ending { mut world, ends, stays, mut device } = ending();
    let mut nonce = 0;
    let steps = fall(&mut world, subscriptions, |world| {
        nonce += 1;
        world.orders.clear();
        world.notify(&[7; 24], nonce);
        assert_eq!(stays.notices(&world.take_order()).len(), 1, "in between");
        assert_eq!(ends.ask(world, &mut device, &Command::Tchk), "ERR AUTH", "from the first tick on");
        assert_eq!(world.subscriber.audit(), Ok(()));
    });
    assert!(steps.iter().all(|step| *step <= SLICE), "{steps:?}");
    assert_eq!((steps.iter().sum(), steps.len()), (MANY, 3));
    let gauges = world.subscriber.gauges();
    assert_eq!((gauges.tokens, gauges.subscriptions, gauges.servers), (1, 1, 1));
    let counters = world.subscriber.counters();
    assert_eq!(counters.tokens.idle_ended.total(), 1);
    assert_eq!(counters.subscriptions.dropped.total(), u64::try_from(MANY).unwrap());
}

#[test]
fn what_an_ended_registration_has_yet_to_leave_is_in_nobodys_way() {
    let Ending { mut world, ends, stays, mut device } = ending();
    world.handle(Input::Tick);
    let last = world.numbered_queue(u32::try_from(MANY).unwrap() - 1);
    assert_eq!(ends.ask(&mut world, &mut device, &Command::Tchk), "ERR AUTH");
    assert!(subscriptions(&world) > SLICE, "it is still there");
    let id = stays.subscribe(&mut world, &mut device, "smp.example.org", &last);
    assert_eq!(stays.status(&mut world, &mut device, &id), "SUB ACTIVE");
    fall(&mut world, subscriptions, |_| ());
    assert_eq!(subscriptions(&world), 2);
    assert_eq!(stays.status(&mut world, &mut device, &id), "SUB ACTIVE", "it was not taken along");
}

#[test]
fn devices_that_fall_silent_together_are_closed_in_slices() {
    let mut world = World::alone(|_| ());
    let links: Vec<_> = (0..MANY).map(|_| world.open_link()).collect();
    world.pass(Duration::from_secs(61));
    let steps = fall(&mut world, |world| world.devices.len(), |_| ());
    assert_eq!(steps, [SLICE, SLICE, MANY - 2 * SLICE]);
    assert!(links.iter().all(|link| !world.is_open(*link)));
}

#[test]
fn pushes_that_are_due_together_go_out_in_slices_and_all_of_them() {
    let mut world = World::alone(|config| config.delivery.resend.pushes_max = 2);
    let mut device = world.device();
    for number in 0..MANY {
        let mut app = App::new(1, &alloc::format!("device{number}"));
        app.register(&mut world, &mut device);
    }
    assert_eq!(world.orders.len(), MANY);
    world.orders.clear();
    // Nothing has come of the first pushes by then.
    world.pass(Duration::from_secs(600));
    let left = |world: &World| MANY - world.orders.len();
    let steps = fall(&mut world, left, |_| ());
    assert_eq!(steps.iter().sum::<usize>(), MANY);
    assert!(steps.iter().all(|step| *step <= SLICE), "{steps:?}");
}
