//! From NMSG to an order, and from an outcome to what the token is.

use super::app::App;
use super::world::World;
use crate::base::id::LinkId;
use crate::link::event::{LinkEvent, Transport};
use crate::model::push::{PushPayload, PushResult};
use crate::model::token::InvalidReason;
use crate::subscriber::effect::Milestone;
use crate::subscriber::input::Input;
use crate::wire::ntf::command::{Command, Device as DeviceField};
use alloc::vec::Vec;
use core::time::Duration;

/// Checklist item 6.
#[test]
fn the_whole_way_of_a_token() {
    let mut world = World::new();
    let mut device = world.device();
    let mut app = App::new(1, "abcd");
    app.register(&mut world, &mut device);
    let (id, first) = (app.id.clone(), world.take_order());
    app.register(&mut world, &mut device);
    let second = world.take_order();
    assert_eq!(app.id, id);
    assert_eq!(app.code(&first), app.code(&second));
    assert_ne!(first.id, second.id);
    assert_ne!(first.payload, second.payload, "each push has a nonce of its own");
    let code = app.code(&first);
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");

    let queue = world.queue(50);
    app.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    world.notify(&queue.notifier, 7);
    let order = world.take_order();
    let notices = app.notices(&order);
    let (address, notice) = &notices[0];
    assert_eq!(notices.len(), 1);
    assert_eq!(*address, queue.at(world.smp_address("smp.example.org")));
    assert_eq!(notice.received_at, world.now.wall.unix_secs());
    assert_eq!((notice.nonce, &notice.meta[..]), ([7; 24], &[7; 144][..]));
    let PushPayload::Message(sealed) = &order.payload else { panic!("{order:?}") };
    assert_eq!(sealed.ciphertext.len(), 2880 + 16);

    // The device gets another token; the subscriptions stay and wait for its verification.
    let other = App::new(1, "efgh");
    let replace = Command::Trpl { device: DeviceField::of(&other.token) };
    assert_eq!(app.ask(&mut world, &mut device, &replace), "OK");
    app.token = other.token;
    let new_code = app.code(&world.take_order());
    assert_ne!(new_code, code);
    world.notify(&queue.notifier, 8);
    assert_eq!(world.orders, [], "dropped: the token is not active");
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "ERR AUTH");
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &new_code }), "OK");
    world.notify(&queue.notifier, 9);
    assert_eq!(app.notices(&world.take_order()).last().unwrap().1.nonce, [9; 24]);

    // A second queue is subscribed while its server is away.
    world.smp.is_up = false;
    world.break_smp();
    let late = world.queue(51);
    app.subscribe(&mut world, &mut device, "smp.example.org", &late);
    world.advance(Duration::from_secs(20));
    world.smp.is_up = true;
    world.advance(Duration::from_secs(60));
    world.notify(&queue.notifier, 10);
    world.notify(&late.notifier, 11);
    let last: Vec<_> =
        world.orders.iter().map(|order| app.notices(order).pop().unwrap().1.nonce[0]).collect();
    assert_eq!(last, [10, 11]);
    assert_eq!(world.subscriber.counters().unwanted.total(), 1);
}

#[test]
fn notices_that_come_while_the_push_server_is_slow_merge() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    let queues: Vec<_> = (50..53).map(|number| world.queue(number)).collect();
    for queue in &queues {
        app.subscribe(&mut world, &mut device, "smp.example.org", queue);
    }
    world.accepts_pushes = false;
    for round in 0..30 {
        for queue in &queues {
            world.notify(&queue.notifier, round);
        }
    }
    let first = world.take_order();
    assert_eq!(app.notices(&first).len(), 1);
    assert_eq!(world.subscriber.gauges().notices, 3);
    world.outcome(first.id, PushResult::TryLater { after: Duration::from_secs(40) });
    world.advance(Duration::from_secs(39));
    assert_eq!(world.orders, [], "the pause is kept");
    world.advance(Duration::from_secs(1));
    let second = world.take_order();
    let nonces: Vec<_> = app.notices(&second).iter().map(|(_, notice)| notice.nonce[0]).collect();
    assert_eq!(nonces, [29, 29, 29]);
    world.outcome(second.id, PushResult::Accepted);
    assert_eq!(world.orders, [], "all has been said");

    let counters = world.subscriber.counters();
    assert_eq!(counters.received.total(), 90);
    assert_eq!(counters.delivery.ordered.total() + counters.delivery.merged.total(), 90);
    // Verification, then the two orders.
    assert_eq!((counters.delivery.accepted.total(), counters.delivery.put_off.total()), (2, 1));
}

#[test]
fn many_queues_at_once_go_out_six_by_six_the_newest_last() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    world.accepts_pushes = false;
    let queues: Vec<_> = (50..64).map(|number| world.queue(number)).collect();
    for queue in &queues {
        app.subscribe(&mut world, &mut device, "smp.example.org", queue);
        world.notify(&queue.notifier, queue.notifier[0]);
    }
    let mut seen = Vec::new();
    while let Some(order) = world.orders.pop() {
        seen.push(app.notices(&order).iter().map(|(_, notice)| notice.nonce[0]).collect::<Vec<_>>());
        world.outcome(order.id, PushResult::Accepted);
    }
    assert_eq!(seen[0], [50]);
    assert_eq!(seen[1], [51, 52, 53, 54, 55, 56]);
    assert_eq!(seen[2], [57, 58, 59, 60, 61, 62]);
    assert_eq!(seen[3], [58, 59, 60, 61, 62, 63]);
}

/// Defect D16 of the reference: long host lists made every push of the token fail.
#[test]
fn long_host_lists_leave_entries_out_and_block_nothing() {
    let mut world = World::with(|config| config.padded_len = 1024);
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    world.accepts_pushes = false;
    let host = ["a".repeat(60).as_str(), "b".repeat(60).as_str(), "example.org"].join(".");
    let queues: Vec<_> = (50..56).map(|number| world.queue(number)).collect();
    for queue in &queues {
        app.subscribe(&mut world, &mut device, &host, queue);
        world.notify(&queue.notifier, queue.notifier[0]);
    }
    let mut seen = Vec::new();
    while let Some(order) = world.orders.pop() {
        seen.push(app.notices(&order).iter().map(|(_, notice)| notice.nonce[0]).collect::<Vec<_>>());
        world.outcome(order.id, PushResult::Accepted);
    }
    assert_eq!(seen, [&[50][..], &[51, 52], &[53, 54], &[54, 55]]);
    assert_eq!(world.subscriber.counters().delivery.oversize.total(), 0);
}

#[test]
fn an_invalid_device_token_gets_no_more_until_it_is_verified_again() {
    let mut world = World::new();
    let mut device = world.device();
    let mut app = App::verified(&mut world, &mut device, 1, "abcd");
    let queue = world.queue(50);
    let id = app.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    world.accepts_pushes = false;
    world.notify(&queue.notifier, 1);
    let order = world.take_order();
    let result = PushResult::TokenInvalid { reason: InvalidReason::Expired, since_millis: None };
    world.outcome(order.id, result);
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tchk), "TKN INVALID,EXPIRED");
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE", "may still be looked at");
    world.notify(&queue.notifier, 2);
    assert_eq!(world.orders, []);
    assert_eq!(world.subscriber.counters().unwanted.total(), 1);

    app.register(&mut world, &mut device);
    let code = app.code(&world.take_order());
    assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");
    world.notify(&queue.notifier, 3);
    assert_eq!(app.notices(&world.take_order()).last().unwrap().1.nonce, [3; 24]);
}

#[test]
fn a_deleted_subscription_takes_its_notice_along() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    let (kept, dropped) = (world.queue(50), world.queue(51));
    app.subscribe(&mut world, &mut device, "smp.example.org", &kept);
    let id = app.subscribe(&mut world, &mut device, "smp.example.org", &dropped);
    world.notify(&kept.notifier, 1);
    world.accepts_pushes = false;
    world.notify(&kept.notifier, 2);
    world.notify(&dropped.notifier, 3);
    device.ask(&mut world, Some(&app.key), &id, &Command::Sdel);
    world.notify(&dropped.notifier, 4);
    let order = world.orders.pop().unwrap();
    world.outcome(order.id, PushResult::Accepted);
    assert_eq!(world.orders.len(), 1, "only the first of the kept queue");
    let counters = world.subscriber.counters();
    assert_eq!((counters.delivery.forgotten.total(), counters.unwanted.total()), (1, 1));
}

#[test]
fn milestones_name_each_notice_and_its_order() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    let (one, two) = (world.queue(50), world.queue(51));
    app.subscribe(&mut world, &mut device, "smp.example.org", &one);
    app.subscribe(&mut world, &mut device, "smp.example.org", &two);
    world.accepts_pushes = false;
    world.notify(&one.notifier, 1);
    world.notify(&one.notifier, 2);
    world.notify(&two.notifier, 3);
    let first = world.take_order();
    world.outcome(first.id, PushResult::Accepted);
    let second = world.take_order();
    let received = |nonce| Milestone::Received { nonce: [nonce; 24] };
    let ordered = |nonce, push| Milestone::Ordered { nonce: [nonce; 24], push };
    let expected = [
        received(1),
        ordered(1, first.id),
        received(2),
        received(3),
        ordered(2, second.id),
        ordered(3, second.id),
    ];
    assert_eq!(world.milestones, expected);
}

#[test]
fn knowledge_is_counted_and_samples_are_shortened() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcdefghijklmnop");
    let queue = world.queue(50);
    app.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    world.notify(&queue.notifier, 1);
    let facts = world.subscriber.knowledge();
    let counts: Vec<_> = facts.iter().map(|fact| (fact.what, fact.count)).collect();
    assert_eq!(counts, [("device tokens", 1), ("notifier ids", 1), ("SMP servers", 1), ("notices", 1)]);
    assert_eq!(facts[0].sample.as_deref(), Some("abcdefgh…"));
}

/// Defect D26.
#[test]
fn at_a_shutdown_what_waits_for_the_push_server_is_handed_over_and_nothing_else_begins() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    let queues: Vec<_> = (50..52).map(|number| world.queue(number)).collect();
    for queue in &queues {
        app.subscribe(&mut world, &mut device, "smp.example.org", queue);
    }
    world.accepts_pushes = false;
    world.notify(&queues[0].notifier, 1);
    let first = world.take_order();
    world.notify(&queues[1].notifier, 2);
    assert_eq!(world.orders, [], "it waits for the order that is out");
    assert!(!world.subscriber.is_drained());

    world.handle(Input::Drain);
    let gauges = world.subscriber.gauges();
    assert_eq!((gauges.links, gauges.server_links), (0, 0), "no link is left to bring new work");
    assert!(!world.subscriber.is_drained(), "an order is out");
    let late = LinkId::accepted(77);
    let refused = world.closed.len();
    let transport = Transport {
        session_id: [1; 32].into(),
        has_alpn: true,
        peer_chain: Vec::new(),
        showed_certificate: false,
        source: None,
    };
    world.handle(Input::Link(LinkEvent::Up { link: late, transport }));
    assert_eq!(world.closed[refused..], [late]);

    world.outcome(first.id, PushResult::Accepted);
    let second = world.take_order();
    let nonces: Vec<_> = app.notices(&second).iter().map(|(_, notice)| notice.nonce[0]).collect();
    assert_eq!(nonces, [1, 2]);
    assert!(!world.subscriber.is_drained());
    world.outcome(second.id, PushResult::Accepted);
    assert!(world.subscriber.is_drained());
    world.handle(Input::Stop);
    let delivery = world.subscriber.counters().delivery;
    assert_eq!((delivery.ordered.total(), delivery.forgotten.total()), (2, 0));
    assert_eq!((world.deadline(), world.subscriber.is_drained()), (None, true));
}

#[test]
fn a_provider_that_is_away_does_not_hold_up_a_shutdown() {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    let queue = world.queue(50);
    app.subscribe(&mut world, &mut device, "smp.example.org", &queue);
    world.accepts_pushes = false;
    world.notify(&queue.notifier, 1);
    let away = PushResult::TryLater { after: Duration::from_secs(60) };
    let first = world.take_order();
    world.outcome(first.id, away);
    world.handle(Input::Drain);
    let last = world.take_order();
    world.outcome(last.id, away);
    assert!(world.subscriber.is_drained(), "it had its last try");
}
