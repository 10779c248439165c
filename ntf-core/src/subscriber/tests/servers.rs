//! Subscribing at SMP servers, keeping it up, and what their answers and events make of subscriptions.

use super::app::{App, Device};
use super::world::{Answer, World};
use crate::base::reach::Reach;
use crate::link::event::{DownReason, LinkEvent};
use crate::subscriber::config::Config;
use crate::subscriber::input::Input;
use crate::subscriber::on_server::ASKED_FEW;
use crate::wire::error_code::{CommandError, ErrorCode};
use crate::wire::ntf::command::Command;
use crate::wire::smp::response::Message;
use alloc::vec::Vec;
use core::time::Duration;

const HOST: &str = "smp.example.org";

fn start() -> (World, Device, App) {
    let mut world = World::new();
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    (world, device, app)
}

#[test]
fn answers_to_nsub_make_the_status() {
    let cmd = ErrorCode::Cmd(CommandError::Prohibited);
    for (answer, status) in [
        (Answer::Sok, "SUB ACTIVE"),
        (Answer::Silence, "SUB PENDING"),
        (Answer::Error(ErrorCode::Auth), "SUB AUTH"),
        (Answer::Error(ErrorCode::Service), "SUB SERVICE"),
        (Answer::Error(cmd), "SUB ERR SMP error CMD"),
        (Answer::Error(ErrorCode::Other("NEW_WORD with a long story")), "SUB ERR SMP error"),
        (Answer::Error(ErrorCode::Internal), "SUB PENDING"),
        (Answer::Error(ErrorCode::Store("disk")), "SUB PENDING"),
    ] {
        let (mut world, mut device, app) = start();
        let queue = world.queue(50);
        world.answer(&queue, answer);
        let id = app.subscribe(&mut world, &mut device, HOST, &queue);
        assert_eq!(app.status(&mut world, &mut device, &id), status);
    }
}

#[test]
fn a_wrong_key_for_a_queue_is_auth() {
    let (mut world, mut device, app) = start();
    let queue = world.queue(50);
    let address = queue.at(world.smp_address(HOST));
    let wrong = world.queue(51).key;
    let reply = app.try_subscribe(&mut world, &mut device, address, &wrong);
    let id = reply.command["IDSUB ".len() + 1..].to_vec();
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB AUTH");
}

#[test]
fn what_is_over_comes_back_when_subscribed_again() {
    for (how, status) in
        [(Some(Message::End), "SUB END"), (Some(Message::Deld), "SUB DELETED"), (None, "SUB AUTH")]
    {
        let (mut world, mut device, app) = start();
        let (queue, other) = (world.queue(50), world.queue(51));
        app.subscribe(&mut world, &mut device, HOST, &other);
        if how.is_none() {
            world.answer(&queue, Answer::Error(ErrorCode::Auth));
        }
        let id = app.subscribe(&mut world, &mut device, HOST, &queue);
        if let Some(event) = &how {
            let link = *world.smp.links.last_key_value().unwrap().0;
            world.smp_says(link, &queue.notifier, event);
        }
        assert_eq!(app.status(&mut world, &mut device, &id), status);

        // It is not asked for again on its own, not even after a reconnect (defect of the reference).
        world.break_smp();
        world.smp.asked.clear();
        world.advance(Duration::from_secs(60));
        assert!(world.smp.asked.iter().all(|(_, notifier)| *notifier == other.notifier));
        assert_eq!(world.smp.asked.len(), 1);

        world.answer(&queue, Answer::Sok);
        assert_eq!(app.subscribe(&mut world, &mut device, HOST, &queue), id);
        assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE");
        world.notify(&queue.notifier, 3);
        assert_eq!(app.notices(&world.take_order()).len(), 1);
    }
}

#[test]
fn a_server_that_is_watched_for_nothing_is_let_go() {
    let (mut world, mut device, app) = start();
    let queue = world.queue(50);
    let id = app.subscribe(&mut world, &mut device, HOST, &queue);
    let link = *world.smp.links.last_key_value().unwrap().0;
    world.smp_says(link, &queue.notifier, &Message::Deld);
    assert!(world.closed.contains(&link), "only a deleted queue is left there");
    assert_eq!(app.subscribe(&mut world, &mut device, HOST, &queue), id);
    assert_eq!(world.smp.connects.len(), 2, "wanted again");
    let second = *world.smp.links.last_key_value().unwrap().0;
    device.ask(&mut world, Some(&app.key), &id, &Command::Sdel);
    assert!(world.closed.contains(&second));
    assert_eq!(world.subscriber.gauges().servers, 0);
}

#[test]
fn a_server_without_a_public_address_is_reported_and_tried_again() {
    let (mut world, mut device, app) = start();
    world.smp.is_up = false;
    world.smp.why_down = DownReason::NotPublic;
    let queue = world.queue(50);
    let id = app.subscribe(&mut world, &mut device, HOST, &queue);
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB ERR NETWORK");
    let counters = world.subscriber.counters().subscriptions;
    assert_eq!((counters.not_public.total(), counters.unreachable.total()), (1, 1));

    // Its name may come to mean another address.
    world.smp.why_down = DownReason::Unreachable;
    world.advance(Duration::from_secs(2));
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB NEW");
    world.smp.is_up = true;
    world.advance(Duration::from_secs(60));
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE");
}

#[test]
fn a_server_that_is_away_for_a_week_is_reported_until_it_is_back() {
    const WEEK: u64 = 7 * 86_400;
    for known in [false, true] {
        let (mut world, mut device, app) = start();
        world.smp.is_up = known;
        let queue = world.queue(50);
        let id = app.subscribe(&mut world, &mut device, HOST, &queue);
        world.smp.is_up = false;
        world.break_smp();
        assert_eq!(world.subscriber.gauges().servers_unreached, u32::from(!known));
        let waits = if known { "SUB INACTIVE" } else { "SUB NEW" };
        world.advance(Duration::from_secs(WEEK - 1000));
        let mut device = world.device();
        assert_eq!(app.status(&mut world, &mut device, &id), waits);
        world.advance(Duration::from_secs(2000));
        let mut device = world.device();
        assert_eq!(app.status(&mut world, &mut device, &id), "SUB ERR NETWORK");
        assert!(world.subscriber.gauges().servers_unreached == u32::from(!known), "it is still tried");
        world.smp.is_up = true;
        world.advance(Duration::from_secs(301));
        assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE");
        assert_eq!(world.subscriber.gauges().servers_unreached, 0);
    }
}

#[test]
fn a_server_that_has_never_answered_is_tried_every_few_minutes_and_a_known_one_more_often() {
    let (mut world, mut device, app) = start();
    for (known, expected) in [(false, 12..=26), (true, 110..=260)] {
        let queue = world.queue(50 + u8::from(known));
        world.smp.is_up = known;
        let id = app.subscribe(&mut world, &mut device, "a.example.org", &queue);
        world.smp.is_up = false;
        world.break_smp();
        world.advance(Duration::from_secs(60));
        world.smp.connects.clear();
        world.advance(Duration::from_secs(3600));
        let tries = world.smp.connects.len();
        assert!(expected.contains(&tries), "known: {known}, tried {tries} times in an hour");
        world.smp.is_up = true;
        world.advance(Duration::from_secs(301));
        assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE");
    }
}

#[test]
fn connections_ask_for_public_addresses_unless_told_otherwise() {
    for (reach, change) in [(Reach::Public, None), (Reach::Anywhere, Some(Reach::Anywhere))] {
        let mut world = World::with(|config| {
            if let Some(reach) = change {
                config.smp.reach = reach;
            }
        });
        let mut device = world.device();
        let app = App::verified(&mut world, &mut device, 1, "abcd");
        let queue = world.queue(50);
        app.subscribe(&mut world, &mut device, HOST, &queue);
        assert_eq!(world.smp.reaches, [reach]);
    }
}

#[test]
fn each_server_has_one_connection_and_all_its_queues_on_it() {
    let (mut world, mut device, app) = start();
    for number in 50..60 {
        let queue = world.queue(number);
        let host = if number % 2 == 0 { "a.example.org" } else { "b.example.org" };
        app.subscribe(&mut world, &mut device, host, &queue);
    }
    assert_eq!(world.smp.connects.len(), 2);
    assert_eq!(world.smp.asked.len(), 10);
    assert_eq!(world.subscriber.counters().subscriptions.confirmed.total(), 10);
}

#[test]
fn a_lost_session_is_opened_again_and_everything_asked_for_in_few_blocks() {
    let (mut world, mut device, app) = start();
    let mut ids = Vec::new();
    for number in 0..200 {
        let queue = world.queue(number);
        ids.push(app.subscribe(&mut world, &mut device, HOST, &queue));
    }
    world.smp.is_up = false;
    world.break_smp();
    assert_eq!(app.status(&mut world, &mut device, &ids[7]), "SUB INACTIVE");
    world.advance(Duration::from_secs(300));
    assert_eq!(app.status(&mut world, &mut device, &ids[7]), "SUB INACTIVE");
    world.smp.is_up = true;
    world.smp.asked.clear();
    let before = world.trace.iter().filter(|line| line.contains("Send")).count();
    world.advance(Duration::from_secs(31));
    assert_eq!(world.smp.asked.len(), 200);
    let sent = world.trace.iter().filter(|line| line.contains("Send")).count() - before;
    assert!(sent <= 4, "{sent} blocks: hello and NSUB");
    for id in &ids {
        assert_eq!(app.status(&mut world, &mut device, id), "SUB ACTIVE");
    }
    let counters = world.subscriber.counters().subscriptions;
    assert_eq!((counters.sessions.total(), counters.sessions_lost.total()), (2, 1));
    assert!(counters.unreachable.total() > 5);
}

#[test]
fn nsub_of_many_queues_fill_their_blocks() {
    let (mut world, mut device, app) = start();
    world.smp.is_up = false;
    let count = 400;
    for number in 0..count {
        let queue = world.numbered_queue(number);
        app.subscribe(&mut world, &mut device, HOST, &queue);
    }
    world.smp.is_up = true;
    let before = world.trace.iter().filter(|line| line.contains("Send")).count();
    world.advance(Duration::from_secs(31));
    assert_eq!(world.smp.asked.len(), usize::try_from(count).unwrap());
    let sent = world.trace.iter().filter(|line| line.contains("Send")).count() - before;
    // A block of SMP 18 carries 135 NSUB; the first block is our hello.
    assert_eq!(sent, 1 + usize::try_from(count).unwrap().div_ceil(135));
}

#[test]
fn what_a_server_refused_is_reported_and_tried_again_with_growing_pauses() {
    let cmd = ErrorCode::Cmd(CommandError::Prohibited);
    for (answer, status) in
        [(Answer::Error(ErrorCode::Service), "SUB SERVICE"), (Answer::Error(cmd), "SUB ERR SMP error CMD")]
    {
        let (mut world, mut device, app) = start();
        let queue = world.queue(50);
        world.answer(&queue, answer);
        let id = app.subscribe(&mut world, &mut device, HOST, &queue);
        let mut asked = alloc::vec![world.smp.asked.len()];
        for _ in 0..3 {
            world.advance(Duration::from_secs(1800));
            asked.push(world.smp.asked.len());
            assert_eq!(app.status(&mut world, &mut device, &id), status);
        }
        // After 5 to 10 minutes, 10 to 20 more, 20 to 40 more.
        assert!(asked[0] == 1 && (2..=4).contains(&asked[1]) && (3..=6).contains(&asked[3]), "{asked:?}");
        world.answer(&queue, Answer::Sok);
        world.advance(Duration::from_secs(22_000));
        device = world.device();
        assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE");
        let counters = world.subscriber.counters().subscriptions;
        assert!(counters.retried.total() >= 3);
        assert_eq!(counters.failed.total(), counters.retried.total(), "all but the last failed again");
    }
}

#[test]
fn subscribing_keeps_to_its_window() {
    let windows: [fn(&mut Config); 2] =
        [|config| config.asked_max = 40, |config| config.smp.requester.in_flight_max = 40];
    for window in windows {
        let mut world = World::with(window);
        let mut device = world.device();
        let app = App::verified(&mut world, &mut device, 1, "abcd");
        world.smp.is_up = false;
        for number in 0..100 {
            let queue = world.queue(number);
            world.answer(&queue, Answer::Silence);
            app.subscribe(&mut world, &mut device, HOST, &queue);
        }
        world.smp.is_up = true;
        world.advance(Duration::from_secs(10));
        assert_eq!(world.smp.asked.len(), 40, "no more before the answers");
        world.advance(Duration::from_secs(31));
        assert_eq!(world.subscriber.counters().subscriptions.unanswered.total(), 40);
        let asked: Vec<_> = world.smp.asked.iter().skip(40).map(|(_, notifier)| notifier[0]).collect();
        assert!(
            asked.iter().copied().eq((40..80).take(ASKED_FEW)),
            "first those that were not asked for, and few of them"
        );
    }
}

#[test]
fn nsub_without_answer_is_asked_again_until_it_is_answered() {
    let (mut world, mut device, app) = start();
    let queue = world.queue(50);
    world.answer(&queue, Answer::Silence);
    let id = app.subscribe(&mut world, &mut device, HOST, &queue);
    world.advance(Duration::from_secs(29));
    assert_eq!(world.smp.asked.len(), 1);
    world.answer(&queue, Answer::Sok);
    world.advance(Duration::from_secs(2));
    assert_eq!(world.smp.asked.len(), 2);
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE");
}

#[test]
fn a_server_in_trouble_is_left_alone_for_a_while() {
    let (mut world, mut device, app) = start();
    let queue = world.queue(50);
    world.answer(&queue, Answer::Error(ErrorCode::Internal));
    let id = app.subscribe(&mut world, &mut device, HOST, &queue);
    assert_eq!(world.smp.asked.len(), 1);
    world.advance(Duration::from_secs(60));
    assert!((3..=6).contains(&world.smp.asked.len()), "asked {} times", world.smp.asked.len());
    world.answer(&queue, Answer::Sok);
    world.advance(Duration::from_secs(60));
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE");
}

#[test]
fn end_counts_only_in_the_session_that_is_current() {
    let (mut world, mut device, app) = start();
    let queue = world.queue(50);
    let id = app.subscribe(&mut world, &mut device, HOST, &queue);
    let old = *world.smp.links.last_key_value().unwrap().0;

    // The link breaks, and the server holds the new NSUB back: END before its answer is for us, END from
    // the old link is not.
    let mut old_end = world.smp.links.remove(&old).unwrap();
    let reason = DownReason::Broken;
    world.handle(Input::Link(LinkEvent::Down { link: old, reason }));
    world.advance(Duration::from_secs(2));
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE");
    old_end.event(&queue.notifier, &Message::End);
    let mut late = old_end.take_block().unwrap();
    world.handle(Input::Link(LinkEvent::Block { link: old, block: &mut late }));
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB ACTIVE");

    let current = *world.smp.links.last_key_value().unwrap().0;
    world.smp_says(current, &[99; 24], &Message::End);
    assert_eq!(world.subscriber.counters().subscriptions.stale_ends.total(), 1);
    world.smp_says(current, &queue.notifier, &Message::End);
    assert_eq!(app.status(&mut world, &mut device, &id), "SUB END");
}

#[test]
fn a_notice_may_come_before_the_answer_to_nsub() {
    let (mut world, mut device, app) = start();
    let queue = world.queue(50);
    world.answer(&queue, Answer::Silence);
    app.subscribe(&mut world, &mut device, HOST, &queue);
    world.notify(&queue.notifier, 3);
    assert_eq!(app.notices(&world.take_order()).len(), 1);
}

#[test]
fn notices_for_nobody_are_counted() {
    let (mut world, mut device, app) = start();
    let queue = world.queue(50);
    app.subscribe(&mut world, &mut device, HOST, &queue);
    world.notify(&[99; 24], 3);
    let link = *world.smp.links.last_key_value().unwrap().0;
    world.smp_says(link, &queue.notifier, &Message::Err(ErrorCode::Auth));
    let counters = world.subscriber.counters();
    assert_eq!((counters.received.total(), counters.unwanted.total()), (1, 1));
    assert_eq!(counters.subscriptions.strays.total(), 1);
    assert_eq!(world.orders, []);
}

#[test]
fn servers_that_do_not_answer_take_a_bounded_share_and_leave_the_others_theirs() {
    let mut world = World::alone(|config| config.asked_max = 50);
    let mut device = world.device();
    let app = App::verified(&mut world, &mut device, 1, "abcd");
    for (host, numbers) in [("a.example.org", 0..80), ("b.example.org", 100..180)] {
        for number in numbers {
            let queue = world.numbered_queue(number);
            world.answer(&queue, Answer::Silence);
            app.subscribe(&mut world, &mut device, host, &queue);
        }
    }
    assert_eq!(world.subscriber.gauges().in_flight, 50 + ASKED_FEW);
    for number in 200..300 {
        let queue = world.numbered_queue(number);
        app.subscribe(&mut world, &mut device, "c.example.org", &queue);
    }
    assert_eq!(world.subscriber.counters().subscriptions.confirmed.total(), 100);
    assert_eq!(world.subscriber.gauges().in_flight, 50 + ASKED_FEW);
    // Nor do they keep it: who leaves questions unanswered is asked few.
    world.advance(Duration::from_secs(60));
    assert!(world.subscriber.counters().subscriptions.unanswered.total() > 0);
    assert_eq!(world.subscriber.gauges().in_flight, 2 * ASKED_FEW);
    for number in 300..400 {
        let queue = world.numbered_queue(number);
        world.answer(&queue, Answer::Silence);
        app.subscribe(&mut world, &mut device, "d.example.org", &queue);
    }
    assert_eq!(world.subscriber.gauges().in_flight, 50, "all but what those two have");
    // What a broken link takes along is free again, and is asked for on the next.
    world.break_smp();
    assert_eq!(world.subscriber.gauges().in_flight, 0);
    world.advance(Duration::from_secs(10));
    assert_eq!(world.subscriber.counters().subscriptions.confirmed.total(), 200);
    let in_flight = world.subscriber.gauges().in_flight;
    assert!((50..=50 + 3 * ASKED_FEW).contains(&in_flight), "{in_flight}");
}
