//! Queues: creation, deletion, losses and refusals.

use super::*;

#[test]
fn a_queue_is_told_when_its_notices_can_begin() {
    let mut bench = Bench::active();
    let tag = bench.create();
    let (queue, address) = match &bench.events[0] {
        Event::QueueCreated { tag: told, queue, address } if *told == tag => (*queue, address.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(bench.client.sender_address(queue), Some(address));
    assert_eq!(bench.take_words(), ["NEW", "NKEY", "SNEW"]);
    assert_eq!(bench.told(), ["QueueCreated", "Subscription(New)"]);
}

#[test]
fn queues_made_before_the_token_is_active_are_subscribed_after() {
    let mut bench = Bench::new();
    bench.create();
    bench.create();
    assert_eq!(bench.take_words(), ["NEW", "NKEY", "NEW", "NKEY"]);
    bench.register(b"aa");
    let push = bench.verification([7; 32]);
    bench.push(&push);
    assert_eq!(bench.take_words(), ["TNEW", "TVFY", "SNEW", "SNEW"]);
}

#[test]
fn lost_answers_to_creation_are_asked_for_again() {
    for word in ["NEW", "NKEY", "SNEW"] {
        for twist in [Twist::Cut, Twist::Silence] {
            let mut bench = Bench::active();
            bench.twist(word, twist.clone());
            bench.create();
            bench.pass(MINUTE);
            assert_eq!(bench.words.iter().filter(|asked| **asked == word).count(), 2, "{word} {twist:?}");
            assert_eq!(bench.told(), ["QueueCreated", "Subscription(New)"], "{word} {twist:?}");
            assert_eq!(bench.client.pending(), 0);
            // The notifier in use is the one that was answered last.
            let made = bench.queues.len() - 1;
            let notice = bench.message(made, 1, 10);
            let push = bench.notices(&[notice]);
            bench.push(&push);
            assert_eq!(bench.got(), [1], "{word} {twist:?}");
        }
    }
}

#[test]
fn a_refused_creation_fails_with_its_tag() {
    for (code, words) in
        [(ErrorCode::Auth, "does not let us create queues"), (ErrorCode::Internal, "answers INTERNAL")]
    {
        let mut bench = Bench::active();
        bench.twist("NEW", Twist::Error(code));
        let tag = bench.create();
        let Some(Event::Failed { tag: Some(told), why, .. }) = bench.events.last() else { panic!("{words}") };
        assert!(*told == tag && why.contains(words), "{why}");
        assert_eq!(bench.client.queues().count(), 0);
    }
}

#[test]
fn a_queue_without_notifications_is_still_a_queue_and_gets_them_later() {
    let mut bench = Bench::active();
    bench.twist("NKEY", Twist::Error(ErrorCode::Internal));
    bench.create();
    assert_eq!(bench.told(), ["QueueCreated", "Failed(NKEY: the SMP server answers INTERNAL)"]);
    bench.take_words();
    bench.pass(MINUTE / 6);
    assert_eq!(bench.take_words(), ["NKEY", "SNEW", "GET"]);
}

#[test]
fn a_refused_subscription_is_made_anew_after_looking_at_the_token() {
    let mut bench = Bench::active();
    bench.twist("SNEW", Twist::Error(ErrorCode::Auth));
    bench.create();
    assert_eq!(bench.take_words(), ["NEW", "NKEY", "SNEW", "TCHK"]);
    bench.pass(MINUTE / 6);
    assert_eq!(bench.take_words(), ["NKEY", "SNEW", "GET"]);
    assert_eq!(bench.told().last().unwrap(), "Subscription(New)");
}

#[test]
fn a_subscription_refused_for_a_passing_reason_is_tried_again() {
    let mut bench = Bench::active();
    bench.twist("SNEW", Twist::Error(ErrorCode::Store("busy")));
    bench.create();
    assert!(bench.told().contains(&"Failed(SNEW: the subscriber answers STORE busy)".into()));
    bench.take_words();
    bench.pass(MINUTE / 6);
    assert_eq!(bench.take_words(), ["SNEW"], "with the same credentials");
}

#[test]
fn a_deleted_queue_is_gone_everywhere_in_order() {
    let mut bench = Bench::watching();
    let queue = bench.first_queue();
    let notice = bench.message(0, 1, 10);
    bench.command(Command::DeleteQueue { queue });
    assert_eq!(bench.take_words(), ["SDEL", "NDEL", "DEL"]);
    assert_eq!(bench.told(), ["QueueDeleted"]);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    assert!(bench.rejection().contains("names no queue"));
    bench.command(Command::DeleteQueue { queue });
    assert_eq!(bench.told(), ["Failed(there is no such queue to delete)"]);
}

#[test]
fn a_deletion_survives_lost_links_and_queues_that_are_gone() {
    for (word, twist) in [
        ("NDEL", Twist::Cut),
        ("DEL", Twist::Cut),
        ("DEL", Twist::Silence),
        ("NDEL", Twist::Error(ErrorCode::Auth)),
        ("DEL", Twist::Error(ErrorCode::Auth)),
    ] {
        let mut bench = Bench::watching();
        let queue = bench.first_queue();
        bench.twist(word, twist.clone());
        bench.command(Command::DeleteQueue { queue });
        bench.pass(MINUTE);
        assert_eq!(bench.told(), ["QueueDeleted"], "{word} {twist:?}");
        assert_eq!(bench.client.pending(), 0);
    }
}

#[test]
fn a_queue_deleted_while_it_is_created_does_not_stay() {
    let mut bench = Bench::active();
    bench.twist("NEW", Twist::Silence);
    bench.create();
    let queue = bench.first_queue();
    bench.command(Command::DeleteQueue { queue });
    bench.pass(MINUTE);
    assert_eq!(bench.take_words(), ["NEW", "NEW", "NDEL", "DEL"]);
    assert_eq!(bench.told(), ["QueueDeleted"]);
}

#[test]
fn tables_say_no_when_they_are_full() {
    let mut bench = Bench::with(Config { queues_max: 1, servers_max: 1, ..Config::default() });
    bench.create();
    bench.told();
    bench.create();
    assert_eq!(bench.told(), ["Failed(this client has as many queues as it may)"]);
    bench.register(b"aa");
    assert_eq!(bench.told(), ["Failed(this client talks to as many servers as it may)"]);
}

#[test]
fn connections_that_nobody_uses_are_closed_and_opened_again_when_needed() {
    let mut bench = Bench::watching();
    bench.pass(MINUTE);
    assert_eq!(bench.peers.len(), 2);
    bench.pass(2 * MINUTE);
    assert_eq!(bench.peers.len(), 0);
    let notice = bench.message(0, 1, 10);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    assert_eq!((bench.got(), bench.peers.len()), (vec![1], 1));
    // Lost while nobody waits: stays closed.
    bench.cut();
    bench.pass(10 * MINUTE);
    assert_eq!((bench.peers.len(), bench.told()), (0, vec![]));
}

#[test]
fn many_queues_are_subscribed_over_a_narrow_link() {
    let mut bench = Bench::active();
    let mut config = Config::default();
    config.smp.requester.in_flight_max = 3;
    config.ntf.requester.in_flight_max = 2;
    bench.client = Client::new(config, Seed::from_number(2), bench.now);
    bench.is_network_up = false;
    for _ in 0..50 {
        bench.create();
    }
    bench.register(b"aa");
    bench.is_network_up = true;
    bench.pass(5 * MINUTE);
    let push = bench.verification([7; 32]);
    bench.push(&push);
    bench.pass(5 * MINUTE);
    let told = bench.told();
    assert_eq!(told.iter().filter(|told| *told == "QueueCreated").count(), 50);
    assert_eq!(told.iter().filter(|told| *told == "Subscription(New)").count(), 50);
    assert_eq!(bench.client.pending(), 0);
}
