//! Places of registrations that have yet to prove themselves, where another shard keeps the roster of their device.

use super::*;

/// Registrations that move to the device of others count there, and no longer where they were.
#[test]
fn registrations_that_move_to_a_device_are_on_its_roster() {
    let mut world = slow_world();
    let mut stranger = world.device();
    let mut apps: Vec<App> = Vec::new();
    for number in 1..=20 {
        let mut app = App::new(number, &alloc::format!("own{number}"));
        register(&mut world, &mut stranger, &mut app);
        apps.push(app);
    }
    let victim = App::new(0, "abcd").token;
    for app in &apps {
        let replace = Command::Trpl { device: DeviceField::of(&victim) };
        assert_eq!(told(&mut world, &mut stranger, app, &replace), "OK");
    }
    let gauges = world.subscriber.gauges();
    assert_eq!((gauges.tokens, gauges.unproved), (8, 8));
    for app in &apps {
        told(&mut world, &mut stranger, app, &Command::Tdel);
    }
    let gauges = world.subscriber.gauges();
    assert_eq!((gauges.tokens, gauges.unproved), (0, 0));
}

/// Nobody is registered who has no place, wherever the roster of the device is kept, and who may not move stays.
#[test]
fn a_crowded_device_refuses_newcomers_and_leaves_them_as_they_were() {
    for latency in [Duration::ZERO, LATENCY] {
        let mut world = World::sharded(FOUR, latency, |_| {});
        let mut homes = [false; 4];
        for round in 100..112 {
            let victim = alloc::format!("victim{round}");
            world.source = source(100);
            let (mut link, mut mover) = (world.device(), App::new(round, &alloc::format!("mover{round}")));
            register(&mut world, &mut link, &mut mover);
            let code = mover.code(&world.orders.pop().expect("a push for the mover"));
            assert_eq!(told(&mut world, &mut link, &mover, &Command::Tvfy { code: &code }), "OK");
            let mut standing = Vec::new();
            for number in 1..=8 {
                world.source = source(number);
                let (mut link, mut app) = (world.device(), App::new(number, &victim));
                register(&mut world, &mut link, &mut app);
                standing.push((link, app));
            }
            let (tokens, orders) = (world.subscriber.gauges().tokens, world.orders.len());
            world.source = source(9);
            let (mut late, newcomer) = (world.device(), App::new(9, &victim));
            begin(&mut world, &mut late, &newcomer, &[], &register_command(&newcomer));
            world.advance(Duration::from_secs(1));
            assert_eq!(late.receive(&mut world).remove(0).text(), "ERR QUOTA", "{latency:?}");
            let replace = Command::Trpl { device: DeviceField::of(&newcomer.token) };
            assert_eq!(told(&mut world, &mut link, &mover, &replace), "ERR QUOTA");
            assert_eq!(told(&mut world, &mut link, &mover, &Command::Tchk), "TKN ACTIVE");
            assert_eq!((world.subscriber.gauges().tokens, world.orders.len()), (tokens, orders));
            homes[usize::from(shard_of(&mover))] = true;
            for (link, app) in &mut standing {
                assert_eq!(told(&mut world, link, app, &Command::Tchk), "TKN CONFIRMED");
                assert_eq!(told(&mut world, link, app, &Command::Tdel), "OK");
            }
            world.orders.clear();
            world.advance(Duration::from_secs(3600));
        }
        assert_eq!(world.subscriber.gauges().unproved, 0);
        assert!(homes.iter().filter(|is_home| **is_home).count() >= 3, "{homes:?}");
    }
}

#[test]
fn registrations_that_end_by_age_are_off_the_roster() {
    let mut world = slow_world();
    let mut device = world.device();
    for number in 1..=8 {
        register(&mut world, &mut device, &mut App::new(number, "abcd"));
    }
    assert_eq!(world.subscriber.gauges().unproved, 8);
    world.orders.clear();
    world.advance(Duration::from_secs(4 * 86_400));
    let gauges = world.subscriber.gauges();
    assert_eq!((gauges.tokens, gauges.unproved), (0, 0));
}

/// Whoever leaves before the word has come leaves no trace.
#[test]
fn a_place_that_comes_when_its_link_has_ended_is_given_back() {
    let mut world = slow_world();
    let mut waited = 0;
    for number in 1..=12 {
        let (mut device, app) = (world.device(), App::new(number, &alloc::format!("device{number}")));
        begin(&mut world, &mut device, &app, &[], &register_command(&app));
        // Some links are on their way to another shard, some wait for a word, and some have had it.
        world.advance(Duration::from_micros(u64::from(number) * 400));
        waited += world.subscriber.gauges().waits;
        let down = LinkEvent::Down { link: device.link, reason: DownReason::Closed };
        world.handle(Input::Link(down));
        world.devices.remove(&device.link);
        world.advance(Duration::from_secs(1));
        let gauges = world.subscriber.gauges();
        assert_eq!((gauges.unproved, gauges.waits), (usize::try_from(gauges.tokens).unwrap(), 0), "{number}");
    }
    assert!(waited > 0, "some ended while they waited");
}

/// The second of two that are under way finds the registration of the first, and needs no place of its own.
#[test]
fn the_same_registration_asked_for_twice_at_once_has_one_place() {
    let mut world = slow_world();
    for number in 1..=12 {
        let mut links = [world.device(), world.device()];
        let mut app = App::new(number, &alloc::format!("device{number}"));
        for device in &mut links {
            begin(&mut world, device, &app, &[], &register_command(&app));
        }
        world.advance(Duration::from_secs(1));
        let [first, second] = links.map(|mut device| {
            app.registered(&device.receive(&mut world).remove(0));
            app.id.clone()
        });
        assert_eq!(first, second);
        let gauges = world.subscriber.gauges();
        assert_eq!(
            (usize::try_from(gauges.tokens).unwrap(), gauges.unproved),
            (number.into(), number.into())
        );
    }
}
