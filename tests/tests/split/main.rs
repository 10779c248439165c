//! Subscriber and push server as separate processes, over real sockets: each on a runtime of its own, of one
//! kind or of two, with the peer killed at every step of a push.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::duplicate_mod, reason = "`process` is compiled against each adapter")]

mod on_smol;
mod on_tokio;
mod pins;
mod town;

use std::time::Duration;

use ntf_runtime_tokio::standin::Fault;
use town::{GRACE, Kind, Town};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_over_a_relay_link_of_every_pair_of_runtimes() {
    for pair in [
        (Kind::Tokio, Kind::Tokio),
        (Kind::Smol, Kind::Smol),
        (Kind::Smol, Kind::Tokio),
        (Kind::Tokio, Kind::Smol),
    ] {
        let town = Town::start(pair).await;
        let mut person = town.person().await;
        for round in 0..3 {
            person.hears(&format!("message {round} over {pair:?}")).await;
        }
        person.stop().await;
        let (subscriber_end, push_end, pushes) = town.stop().await;
        assert_eq!(subscriber_end.welcomed.total(), 1, "{pair:?}: one link for all of it");
        assert_eq!(push_end.orders.handed_on.total(), pushes, "{pair:?}: each order is one push");
        assert_eq!(subscriber_end.answered.total(), pushes, "{pair:?}: each order is answered");
        assert_eq!(push_end.links.strangers.total(), 0, "{pair:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_server_that_is_killed_before_an_order_gets_it_when_it_is_back() {
    for pair in [(Kind::Tokio, Kind::Tokio), (Kind::Smol, Kind::Tokio)] {
        let mut town = Town::start(pair).await;
        let mut person = town.person().await;
        person.hears("with a push server").await;
        let before = town.apple_accepted();
        town.kill_push_server();
        person.is_sent("without one").await;
        town.start_push_server();
        person.has("without one").await;
        // The outcome of the first push may have died with the push server; then that one is made again.
        town.until("a push, late", |counts| counts.accepted > before).await;
        assert!(town.apple_accepted() <= before + 2, "{pair:?}");
        person.stop().await;
        town.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_in_the_hands_of_a_killed_push_server_is_made_by_the_next_one() {
    let mut town = Town::start((Kind::Tokio, Kind::Tokio)).await;
    let mut person = town.person().await;
    person.hears("before").await;
    let before = town.apple().counts();
    // The provider has the request and keeps quiet.
    town.apple().fail_next(1, Fault::Silence);
    person.is_sent("in the middle").await;
    town.until("the provider has the request", |counts| counts.requests == before.requests + 1).await;
    town.kill_push_server();
    town.start_push_server();
    person.has("in the middle").await;
    // The device may have met the message while it fetched the one before; the push comes all the same.
    town.until("the push of the next one", |counts| counts.accepted > before.accepted).await;
    person.stop().await;
    let (subscriber_end, _, _) = town.stop().await;
    assert!(subscriber_end.resent.total() >= 1, "the order was asked for again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_for_a_killed_subscriber_are_dropped_and_the_next_one_is_served() {
    let mut town = Town::start((Kind::Tokio, Kind::Smol)).await;
    let mut person = town.person().await;
    person.hears("before").await;
    let before = town.apple().counts();
    town.apple().fail_next(1, Fault::Hold);
    person.is_sent("while it dies").await;
    town.until("the provider has the request", |counts| counts.requests == before.requests + 1).await;
    town.kill_subscriber();
    town.start_subscriber();
    // Its memory is gone; the device notices and registers anew, and by then the push server knows the next one.
    person.registers_again(&town).await;
    town.apple().release();
    person.is_sent("after").await;
    // The push of the first is for an earlier registration. The device meets its message when it fetches another.
    assert_eq!(person.reads_up_to("after").await, ["before", "while it dies", "after"]);
    person.stop().await;
    let (_, push_end, _) = town.stop().await;
    assert_eq!(push_end.orders.orphaned.total(), 1, "the outcome for who is no more");
    assert_eq!(push_end.links.welcomed.total(), 2, "one link of each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_is_stopped_hands_over_what_waits_and_hears_what_became_of_it() {
    for pair in [(Kind::Tokio, Kind::Tokio), (Kind::Smol, Kind::Smol)] {
        let mut town = Town::start(pair).await;
        let mut person = town.person().await;
        person.hears("before").await;
        let before = town.apple().counts();
        town.apple().fail_next(1, Fault::Delay(Duration::from_millis(500)));
        person.is_sent("under way").await;
        town.until("the provider has the request", |counts| counts.requests > before.requests).await;
        let counters = town.stop_subscriber(GRACE);
        assert_eq!(counters.answered, counters.orders, "{pair:?}: each order has its outcome");
        assert_eq!(counters.dropped.total(), 0, "{pair:?}");
        assert!(town.apple_accepted() > before.accepted, "{pair:?}: it stopped after the push, not before");
        person.has("under way").await;
        // Nothing of it is left that could watch the queue.
        person.is_sent("after").await;
        let push = town.stop_push_server(GRACE);
        assert_eq!(push.orders.handed_on, counters.orders, "{pair:?}: and nothing new was ordered");
        person.stop().await;
        town.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_server_that_is_stopped_finishes_what_it_has_and_takes_nothing_new() {
    for pair in [(Kind::Tokio, Kind::Tokio), (Kind::Smol, Kind::Smol)] {
        let mut town = Town::start(pair).await;
        let mut person = town.person().await;
        person.hears("before").await;
        let before = town.apple().counts();
        town.apple().fail_next(1, Fault::Delay(Duration::from_millis(500)));
        person.is_sent("under way").await;
        town.until("the provider has the request", |counts| counts.requests > before.requests).await;
        let push = town.stop_push_server(GRACE);
        let after = town.apple().counts();
        assert_eq!(after.accepted, before.accepted + 1, "{pair:?}: the push was made");
        assert_eq!(push.orders.handed_on.total(), after.accepted, "{pair:?}: each order is one push");
        person.has("under way").await;
        // The next one gets what comes meanwhile, and not what is done.
        person.is_sent("after").await;
        town.start_push_server();
        person.has("after").await;
        town.until("the push of the next one", |counts| counts.accepted > after.accepted).await;
        person.stop().await;
        let (subscriber, _, pushes) = town.stop().await;
        assert_eq!(subscriber.answered.total(), pushes, "{pair:?}: no outcome was lost, and none came twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_silent_holds_up_no_end_beyond_its_time() {
    let mut town = Town::start((Kind::Tokio, Kind::Smol)).await;
    let mut person = town.person().await;
    person.hears("before").await;
    let before = town.apple().counts();
    town.apple().fail_next(u32::MAX, Fault::Silence);
    person.is_sent("never pushed").await;
    town.until("the provider has the request", |counts| counts.requests > before.requests).await;
    let asked = std::time::Instant::now();
    let counters = town.stop_subscriber(Duration::from_millis(300));
    assert!(asked.elapsed() >= Duration::from_millis(300), "it has its time");
    assert_eq!(counters.dropped.total(), 1, "what is unfinished is counted");
    assert_eq!(counters.answered.total() + 1, counters.orders.total());
    let push = town.stop_push_server(Duration::from_millis(300));
    assert_eq!(push.orders.handed_on, counters.orders);
    assert!(asked.elapsed() < Duration::from_secs(10), "and not much more, though the order itself has 25 s");
    person.stop().await;
    town.end().await;
}
