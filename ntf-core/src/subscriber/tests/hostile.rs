//! Strangers who ask for too much: what they get, and that others get theirs.

use super::app::{App, Device};
use super::world::World;
use crate::base::budget::BudgetPlan;
use crate::base::source::Source;
use crate::model::push::PushResult;
use crate::model::token::InvalidReason;
use crate::subscriber::Config;
use crate::wire::ntf::command::{Command, Device as DeviceField};
use crate::wire::ntf::response::Response;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

const STRANGER: u8 = 66;
const OWNER: u8 = 7;

fn plan(burst: u32) -> BudgetPlan {
    BudgetPlan { burst, period: Duration::from_secs(60) }
}

fn source(number: u8) -> Source {
    Source::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)))
}

/// A world with a stranger's device and an owner's, at addresses of their own.
fn start(change: impl FnOnce(&mut Config)) -> (World, Device, Device) {
    start_in(World::with(change))
}

fn start_in(mut world: World) -> (World, Device, Device) {
    let [stranger, owner] = [STRANGER, OWNER].map(|number| {
        world.source = Some(source(number));
        world.device()
    });
    (world, stranger, owner)
}

#[test]
fn one_address_registers_so_many_device_tokens_and_others_are_unaffected() {
    let (mut world, mut stranger, mut owner) = start(|config| config.sources.registrations = plan(5));
    for number in 0..20 {
        let app = App::new(number, &alloc::format!("victim{number}"));
        let reply = app.try_register(&mut world, &mut stranger).text();
        assert_eq!(reply.starts_with("IDTKN"), number < 5, "{number}: {reply}");
        assert!(number < 5 || reply == "ERR QUOTA");
    }
    assert_eq!((world.orders.len(), world.subscriber.gauges().tokens), (5, 5));
    assert_eq!(world.subscriber.counters().tokens.refused_source.total(), 15);
    let first = App::new(0, "victim0");
    assert!(first.try_register(&mut world, &mut stranger).text().starts_with("IDTKN"), "it is there already");
    world.orders.clear();
    App::verified(&mut world, &mut owner, 100, "abcd");
    world.advance(Duration::from_secs(61));
    let app = App::new(19, "victim19");
    assert!(app.try_register(&mut world, &mut stranger).text().starts_with("IDTKN"), "one a minute");
}

#[test]
fn one_address_brings_about_so_many_verification_pushes() {
    let (mut world, mut stranger, mut owner) = start(|config| {
        config.sources.verification_pushes = plan(4);
        config.tokens.verification_pushes = plan(100);
    });
    let mut app = App::new(1, "victim");
    app.register(&mut world, &mut stranger);
    for time in 0..3 {
        assert!(app.try_register(&mut world, &mut stranger).text().starts_with("IDTKN"), "{time}");
    }
    assert_eq!(app.try_register(&mut world, &mut stranger).text(), "ERR QUOTA");
    let device = App::new(2, "other").token;
    let replace = Command::Trpl { device: DeviceField::of(&device) };
    assert_eq!(app.ask(&mut world, &mut stranger, &replace), "ERR QUOTA");
    assert_eq!(app.ask(&mut world, &mut stranger, &Command::Tchk), "TKN CONFIRMED", "nothing was moved");
    assert_eq!(world.orders.len(), 4);
    world.orders.clear();
    App::verified(&mut world, &mut owner, 100, "abcd");
}

#[test]
fn guesses_from_one_address_are_counted_over_all_registrations() {
    let (mut world, mut stranger, mut owner) = start(|config| config.sources.wrong_codes = plan(3));
    let wrong = Command::Tvfy { code: &[0; 32] };
    let apps = [1, 2, 3].map(|number| {
        let mut app = App::new(number, &alloc::format!("victim{number}"));
        app.register(&mut world, &mut stranger);
        app
    });
    for app in &apps {
        assert_eq!(app.ask(&mut world, &mut stranger, &wrong), "ERR AUTH");
    }
    let looked_at = |world: &World| {
        let counters = world.subscriber.counters().tokens;
        counters.not_verified.total() - counters.guesses_refused.total()
    };
    assert_eq!(looked_at(&world), 3);
    for app in &apps {
        assert_eq!(app.ask(&mut world, &mut stranger, &wrong), "ERR AUTH");
    }
    assert_eq!(looked_at(&world), 3, "all three have failed before");
    world.orders.clear();
    let app = App::verified(&mut world, &mut owner, 100, "abcd");
    world.source = Some(source(STRANGER));
    let mut neighbour = world.device();
    assert_eq!(app.ask(&mut world, &mut neighbour, &wrong), "ERR AUTH");
    assert_eq!(app.ask(&mut world, &mut neighbour, &Command::Tchk), "TKN ACTIVE");
    world.orders.clear();
    App::verified(&mut world, &mut neighbour, 101, "efgh");
}

#[test]
fn one_address_has_so_many_links() {
    let (mut world, ..) = start(|config| config.sources.links = 3);
    world.source = Some(source(STRANGER));
    let links = [(); 3].map(|()| world.open_link());
    assert_eq!(links.map(|link| world.is_open(link)), [true, true, false], "one was open before");
    assert_eq!(world.subscriber.counters().links.refused_source.total(), 1);
    world.source = Some(source(OWNER));
    let owners = world.open_link();
    assert!(world.is_open(owners));
    // The silent ones run into the timeout of hellos, and make room.
    world.advance(Duration::from_secs(31));
    world.source = Some(source(STRANGER));
    let later = world.open_link();
    assert!(world.is_open(later));
}

#[test]
fn a_flood_of_commands_is_answered_quota_unverified() {
    let (mut world, mut stranger, mut owner) = start(|config| config.commands = plan(10));
    for time in 0..30 {
        let reply = stranger.ask(&mut world, None, &[], &Command::Ping).text();
        assert_eq!(reply, if time < 10 { "PONG" } else { "ERR QUOTA" }, "{time}");
    }
    let counters = world.subscriber.counters().links;
    assert_eq!((counters.commands.total(), counters.flooded.total()), (10, 20));
    assert_eq!(owner.ask(&mut world, None, &[], &Command::Ping).text(), "PONG");
    world.advance(Duration::from_secs(61));
    assert_eq!(stranger.ask(&mut world, None, &[], &Command::Ping).text(), "PONG");
}

#[test]
fn a_full_table_is_no_place_to_hide_from_who_proves_himself() {
    let (mut world, mut stranger, mut owner) = start_in(World::alone(|config| config.tokens.tokens = 4));
    for number in 0..10 {
        let mut app = App::new(number, &alloc::format!("victim{number}"));
        app.register(&mut world, &mut stranger);
        assert!(world.subscriber.gauges().tokens <= 4);
    }
    world.orders.clear();
    let app = App::verified(&mut world, &mut owner, 100, "abcd");
    for number in 10..20 {
        let mut other = App::new(number, &alloc::format!("victim{number}"));
        other.register(&mut world, &mut stranger);
    }
    assert_eq!(app.ask(&mut world, &mut owner, &Command::Tchk), "TKN ACTIVE");
}

#[test]
fn servers_that_are_never_reached_take_no_place_from_others() {
    let (mut world, mut stranger, mut owner) = start_in(World::alone(|config| {
        config.subscriptions.servers = 6;
        config.subscriptions.servers_per_token = 4;
    }));
    let rogue = App::verified(&mut world, &mut stranger, 1, "abcd");
    world.smp.is_up = false;
    let mut subscribe = |world: &mut World, number: u8| {
        let queue = world.queue(number);
        let address = queue.at(world.smp_address(&alloc::format!("nowhere{number}.example.org")));
        rogue.try_subscribe(world, &mut stranger, address, &queue.key).text()
    };
    for number in 0..10 {
        let reply = subscribe(&mut world, number);
        assert_eq!(reply == "ERR QUOTA", number >= 4, "{number}: {reply}");
    }
    // All other places as well, by devices of their own.
    let mut others = world.device();
    world.orders.clear();
    let second = App::verified(&mut world, &mut others, 2, "efgh");
    for number in 20..22 {
        let queue = world.queue(number);
        second.subscribe(&mut world, &mut others, &alloc::format!("nowhere{number}.example.org"), &queue);
    }
    assert_eq!(world.subscriber.gauges().servers, 6);
    world.smp.is_up = true;
    let app = App::verified(&mut world, &mut owner, 100, "cafe");
    let queue = world.queue(50);
    let id = app.subscribe(&mut world, &mut owner, "smp.example.org", &queue);
    assert_eq!(app.status(&mut world, &mut owner, &id), "SUB ACTIVE");
    assert_eq!(world.subscriber.gauges().servers, 6);
    assert_eq!(world.subscriber.counters().subscriptions.displaced.total(), 1);
    assert!(subscribe(&mut world, 30).starts_with("IDSUB"), "it has room for one again");
    assert_eq!(app.status(&mut world, &mut owner, &id), "SUB ACTIVE", "who is reached stays");
}

/// A stranger's device tokens may turn out to be none, which leaves them the right to subscribe: what they hold at
/// hosts that do not exist must not keep dead servers in their places.
#[test]
fn a_stranger_with_invalid_tokens_cannot_switch_off_the_displacement_of_dead_servers() {
    const LARGE: u32 = 1001;
    let (mut world, mut stranger, mut owner) = start_in(World::alone(|config| {
        config.subscriptions.servers = 4;
        config.commands = plan(10_000);
    }));
    world.smp.is_up = false;
    // The oldest servers are too large to be dropped in one go; behind them is one that is not.
    for (number, host) in [(1, "large1.example.org"), (2, "large2.example.org")] {
        let mut rogue = App::new(number, &alloc::format!("none{number}"));
        rogue.register(&mut world, &mut stranger);
        let order = world.take_order();
        let code = rogue.code(&order);
        assert_eq!(rogue.ask(&mut world, &mut stranger, &Command::Tvfy { code: &code }), "OK");
        world.accepts_pushes = false;
        assert!(rogue.try_register(&mut world, &mut stranger).text().starts_with("IDTKN"));
        let id = world.take_order().id;
        let reason = InvalidReason::Bad;
        world.outcome(id, PushResult::TokenInvalid { reason, since_millis: None });
        world.accepts_pushes = true;
        assert_eq!(rogue.ask(&mut world, &mut stranger, &Command::Tchk), "TKN INVALID,BAD");
        for queue in 0..LARGE {
            let queue = world.numbered_queue(u32::from(number) * LARGE + queue);
            rogue.subscribe(&mut world, &mut stranger, host, &queue);
        }
        if number == 2 {
            for host in ["small1.example.org", "small2.example.org"] {
                let queue = world.queue(u8::try_from(host.len()).unwrap() + host.as_bytes()[5]);
                rogue.subscribe(&mut world, &mut stranger, host, &queue);
            }
        }
    }
    assert_eq!(world.subscriber.gauges().servers, 4);
    world.smp.is_up = true;
    let app = App::verified(&mut world, &mut owner, 100, "cafe");
    let queue = world.queue(250);
    let id = app.subscribe(&mut world, &mut owner, "smp.example.org", &queue);
    assert_eq!(app.status(&mut world, &mut owner, &id), "SUB ACTIVE");
    assert_eq!(world.subscriber.counters().subscriptions.displaced.total(), 1, "a small one, behind them");
}

#[test]
fn what_nobody_uses_ends_and_takes_its_subscriptions_along() {
    let (mut world, mut stranger, mut owner) = start(|config| {
        config.tokens.unverified_lifetime = Some(Duration::from_secs(1000));
        config.tokens.idle_lifetime = Some(Duration::from_secs(100_000));
    });
    let mut never = App::new(1, "victim");
    never.register(&mut world, &mut stranger);
    world.orders.clear();
    let app = App::verified(&mut world, &mut owner, 100, "abcd");
    let queue = world.queue(50);
    let id = app.subscribe(&mut world, &mut owner, "smp.example.org", &queue);
    world.advance(Duration::from_secs(1001));
    assert_eq!(never.ask(&mut world, &mut stranger, &Command::Tchk), "ERR AUTH");
    // Asking for a subscription is a sign of life of its token.
    for _ in 0..3 {
        world.advance(Duration::from_secs(90_000));
        owner = world.device();
        assert_eq!(app.status(&mut world, &mut owner, &id), "SUB ACTIVE");
    }
    world.advance(Duration::from_secs(100_001));
    let gauges = world.subscriber.gauges();
    assert_eq!((gauges.tokens, gauges.subscriptions, gauges.servers, gauges.sources), (0, 0, 0, 0));
    let counters = world.subscriber.counters().tokens;
    assert_eq!((counters.unverified_ended.total(), counters.idle_ended.total()), (1, 1));
}

#[test]
fn a_code_that_came_too_late_is_refused_and_asking_again_brings_a_fresh_one() {
    let lifetime = Some(Duration::from_secs(3600));
    let (mut world, _, mut owner) = start(|config| {
        config.tokens.code_lifetime = lifetime;
        config.delivery.resend.pushes_max = 1;
    });
    let mut app = App::new(1, "abcd");
    app.register(&mut world, &mut owner);
    let first = app.code(&world.take_order());
    app.try_register(&mut world, &mut owner);
    assert_eq!(app.code(&world.take_order()), first, "in time, the code stays");
    world.advance(Duration::from_secs(3600));
    let late = Command::Tvfy { code: &first };
    assert_eq!(app.ask(&mut world, &mut owner, &late), "ERR AUTH");
    let reply = app.try_register(&mut world, &mut owner);
    assert!(matches!(reply.response(), Ok(Response::Idtkn { .. })));
    let second = app.code(&world.take_order());
    assert_ne!(second, first);
    assert_eq!(app.ask(&mut world, &mut owner, &late), "ERR AUTH");
    assert_eq!(app.ask(&mut world, &mut owner, &Command::Tvfy { code: &second }), "OK");
    assert_eq!(app.ask(&mut world, &mut owner, &Command::Tchk), "TKN ACTIVE");
}
