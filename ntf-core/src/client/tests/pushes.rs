//! Pushes: good ones, wrong ones, and what they lead to.

use super::*;

#[test]
fn a_notice_leads_to_its_message() {
    let mut bench = Bench::watching();
    let notice = bench.message(0, 5, 1_700_000_000);
    let nonce = notice.1.nonce;
    let push = bench.notices(&[notice]);
    bench.push(&push);
    assert_eq!(bench.take_words(), ["GET", "ACK", "GET"]);
    let queue = bench.first_queue();
    assert_eq!(
        core::mem::take(&mut bench.events),
        [
            Event::Pushed { queue, message_id: Some(vec![5; 24]), nonce },
            Event::Message { queue, message_id: vec![5; 24], sent_at: 1_700_000_000, message: vec![5] },
        ]
    );
    assert_eq!((bench.client.pending(), bench.queues[0].messages.len()), (0, 0));
}

#[test]
fn merged_notices_lose_no_message() {
    let mut bench = Bench::watching();
    bench.message(0, 1, 10);
    bench.message(0, 2, 10);
    let last = bench.message(0, 3, 10);
    let push = bench.notices(&[last]);
    bench.push(&push);
    assert_eq!(bench.got(), [1, 2, 3]);
}

#[test]
fn a_push_that_comes_twice_is_used_once() {
    let mut bench = Bench::watching();
    let notice = bench.message(0, 5, 10);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    bench.take_words();
    bench.told();
    bench.push(&push);
    assert!(bench.rejection().contains("repeats"));
    assert_eq!(bench.take_words(), [] as [&str; 0]);
}

#[test]
fn notices_that_were_read_are_not_fetched_for_again() {
    let mut bench = Bench::watching();
    bench.create();
    bench.take_words();
    bench.told();
    let (first, second) = (bench.message(0, 1, 10), bench.message(0, 2, 11));
    let push = bench.notices(&[second]);
    bench.push(&push);
    assert_eq!(bench.got(), [1, 2]);
    bench.take_words();

    // The first notice was delayed on its way and is older than what was read.
    let other = bench.message(1, 3, 12);
    let push = bench.notices(&[first.clone(), other]);
    bench.push(&push);
    assert_eq!((bench.got(), bench.take_words()), (vec![3], vec!["GET", "ACK", "GET"]));

    // As the newest of a push it is kept, but its message has been read.
    let push = bench.notices(&[first]);
    bench.push(&push);
    assert_eq!((bench.told(), bench.take_words()), (vec!["Pushed".into()], vec![]));
}

#[test]
fn two_messages_of_one_second_are_both_news() {
    let mut bench = Bench::watching();
    bench.create();
    bench.told();
    let first = bench.message(0, 1, 10);
    let push = bench.notices(&[first]);
    bench.push(&push);
    let (second, other) = (bench.message(0, 2, 10), bench.message(1, 3, 10));
    let push = bench.notices(&[second, other]);
    bench.push(&push);
    assert_eq!(bench.got(), [1, 2, 3]);
}

#[test]
fn the_newest_notice_counts_even_if_its_metadata_does_not_open() {
    let mut bench = Bench::watching();
    let (address, notice) = bench.message(0, 5, 10);
    let spoiled = Notice { meta: vec![0; 144].into(), ..notice };
    let push = bench.notices(&[(address.clone(), spoiled.clone())]);
    bench.push(&push);
    assert_eq!(bench.got(), [5]);
    // Not as one of the others.
    let newer = bench.message(0, 6, 11);
    let older = Notice { nonce: [1; 24], ..spoiled };
    let push = bench.notices(&[(address, older), newer]);
    bench.push(&push);
    assert_eq!(bench.client.counters().notices_repeated.total(), 1);
    assert_eq!(bench.got(), [6]);
}

#[test]
fn pushes_that_are_not_for_us_are_rejected_in_words() {
    let mut bench = Bench::watching();
    let notice = bench.message(0, 5, 10);
    let good = bench.notices(core::slice::from_ref(&notice));
    let stranger = (
        NotifierAddress { notifier: EntityId::new(b"nobody").unwrap(), ..notice.0.clone() },
        notice.1.clone(),
    );
    let unknown = bench.notices(&[stranger]);
    let garbage = bench.sealed("message", b"not a notice");
    let short = bench.sealed("verification", &[7; 31]);
    bench.token_key = Some(BoxKey::of_key(&[1; 32]));
    let foreign = bench.notices(&[notice]);
    let foreign_code = bench.verification([7; 32]);
    for (push, words) in [
        (unknown, "names no queue"),
        (garbage, "no list of notices"),
        (short, "no code of 32 bytes"),
        (foreign, "does not open"),
        (foreign_code, "does not open"),
        (good[..good.len() / 2].to_string(), "not the JSON object"),
        (good.replace("==", "=A"), "not base64url"),
        (good.replacen(r#"message":""#, r#"message":"AAAA"#, 1), "does not open"),
    ] {
        bench.push(&push);
        let why = bench.rejection();
        assert!(why.contains(words), "{why} for {words}");
    }
    assert_eq!(bench.take_words(), [] as [&str; 0], "none of them leads to anything");
    assert_eq!(bench.client.counters().pushes_rejected.total(), 8);
    bench.push(&good);
    assert_eq!(bench.got(), [5], "a good one is used all the same");
}

#[test]
fn pushes_without_a_token_are_rejected() {
    let mut bench = Bench::new();
    bench.token_key = Some(BoxKey::of_key(&[1; 32]));
    let push = bench.verification([7; 32]);
    bench.push(&push);
    assert!(bench.rejection().contains("no token"));
    let push = bench.sealed("message", b"x");
    bench.push(&push);
    assert!(bench.rejection().contains("no token"));
}

#[test]
fn a_second_verification_push_is_no_news() {
    let mut bench = Bench::active();
    let push = bench.verification([7; 32]);
    bench.push(&push);
    assert_eq!((bench.told(), bench.take_words()), (vec![], vec![]));
}

#[test]
fn a_hint_looks_into_every_queue() {
    let mut bench = Bench::watching();
    bench.create();
    bench.told();
    bench.message(0, 1, 10);
    bench.message(1, 2, 10);
    bench.push(r#"{"aps":{"content-available":1},"notificationData":{"checkMessages":true}}"#);
    assert_eq!(bench.got(), [1, 2]);
}

#[test]
fn a_notice_during_a_fetch_is_followed_up() {
    let mut bench = Bench::watching();
    bench.twist("GET", Twist::Silence);
    bench.message(0, 1, 10);
    let notice = bench.notice(0, 1, 10);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    let second = bench.message(0, 2, 11);
    let push = bench.notices(&[second]);
    bench.push(&push);
    assert_eq!(bench.take_words(), ["GET"], "one at a time");
    bench.pass(MINUTE);
    assert_eq!(bench.got(), [1, 2]);
}

#[test]
fn lost_answers_repeat_no_message_and_lose_none() {
    for word in ["GET", "ACK"] {
        for twist in [Twist::Cut, Twist::Silence] {
            let mut bench = Bench::watching();
            bench.message(0, 1, 10);
            let last = bench.message(0, 2, 11);
            bench.twist(word, twist.clone());
            let push = bench.notices(&[last]);
            bench.push(&push);
            bench.pass(MINUTE);
            assert_eq!(bench.got(), [1, 2], "{word} {twist:?}");
            assert_eq!((bench.client.pending(), bench.queues[0].messages.len()), (0, 0));
        }
    }
}

#[test]
fn an_unacknowledged_message_is_recognised_when_it_comes_again() {
    let mut bench = Bench::watching();
    let notice = bench.message(0, 1, 10);
    bench.twist("ACK", Twist::Error(ErrorCode::NoMsg));
    let push = bench.notices(&[notice]);
    bench.push(&push);
    assert_eq!(bench.got(), [1]);
    assert_eq!(bench.take_words(), ["GET", "ACK", "GET", "ACK", "GET"]);
    assert_eq!(bench.client.counters().messages_repeated.total(), 1);
}

#[test]
fn a_message_that_does_not_open_is_reported_and_does_not_block_the_queue() {
    let mut bench = Bench::watching();
    bench.message(0, 1, 10);
    let (_, body) = &mut bench.queues[0].messages[0];
    body[100] ^= 1;
    let notice = bench.message(0, 2, 11);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    let told = bench.told();
    assert!(told.iter().any(|told| told.contains("does not open")), "{told:?}");
    assert_eq!(told.iter().filter(|told| *told == "Message").count(), 1);
    assert_eq!(bench.client.counters().messages_unreadable.total(), 1);
}

#[test]
fn the_quota_marker_is_told_as_such() {
    let mut bench = Bench::watching();
    bench.body(0, 1, &MessageBody::Quota { at: 10 });
    let notice = bench.notice(0, 1, 10);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    let queue = bench.first_queue();
    assert!(bench.events.contains(&Event::QuotaReached { queue }));
    assert_eq!(bench.take_words(), ["GET", "ACK", "GET"]);
}

#[test]
fn errors_of_the_server_end_the_fetch_in_words() {
    for (word, code, words) in [
        ("GET", ErrorCode::Auth, "GET: the SMP server no longer has the queue"),
        ("GET", ErrorCode::Internal, "GET: the SMP server answers INTERNAL"),
        ("ACK", ErrorCode::Internal, "ACK: the SMP server answers INTERNAL"),
    ] {
        let mut bench = Bench::watching();
        let notice = bench.message(0, 1, 10);
        bench.twist(word, Twist::Error(code));
        let push = bench.notices(&[notice]);
        bench.push(&push);
        assert!(bench.told().iter().any(|told| told.contains(words)), "{words}");
        assert_eq!(bench.client.pending(), 0);
        // The next push begins anew.
        let notice = bench.message(0, 2, 11);
        let push = bench.notices(&[notice]);
        bench.push(&push);
        assert!(bench.got().contains(&2), "{words}");
    }
}

#[test]
fn no_more_queues_are_fetched_from_at_once_than_configured() {
    let mut bench = Bench::with(Config { fetches_max: 2, ..Config::default() });
    for _ in 0..5 {
        bench.create();
    }
    bench.take_words();
    for _ in 0..5 {
        bench.twist("GET", Twist::Silence);
    }
    bench.push(r#"{"notificationData":{"checkMessages":true}}"#);
    assert_eq!(bench.take_words(), ["GET", "GET"]);
    bench.pass(10 * MINUTE);
    assert_eq!(bench.client.pending(), 0, "all have had their turn");
}
