//! When the subscriber is asked what it has: by schedule, by the application, and after refusals.

use super::*;
use crate::client::Mode;

const HOUR: Duration = Duration::from_secs(3600);
const NOTHING: [&str; 0] = [];

#[test]
fn checks_come_by_themselves_a_day_later_and_then_every_three() {
    let mut bench = Bench::watching();
    let mut hours_of_checks = Vec::new();
    for hour in 0..24 + 3 * 72 {
        bench.pass(HOUR);
        match bench.take_words().as_slice() {
            [] => {}
            ["TCHK", "SCHK"] => hours_of_checks.push(hour),
            other => panic!("{other:?} in hour {hour}"),
        }
    }
    assert!((22..24).contains(&hours_of_checks[0]), "{hours_of_checks:?}");
    for pair in hours_of_checks.windows(2) {
        assert!((69..=72).contains(&(pair[1] - pair[0])), "{hours_of_checks:?}");
    }
    assert!(hours_of_checks.len() >= 4, "{hours_of_checks:?}");
}

#[test]
fn devices_that_registered_together_do_not_check_together() {
    let mut minutes = BTreeMap::<u64, u32>::new();
    for seed in 0..120 {
        let mut bench = Bench::new();
        bench.client = Client::new(Config::default(), Seed::from_number(seed), bench.now);
        bench.register(b"aa");
        let push = bench.verification([7; 32]);
        bench.push(&push);
        bench.take_words();
        bench.pass(22 * HOUR);
        assert_eq!(bench.take_words(), NOTHING);
        let minute = (0..120).find(|_| {
            bench.pass(MINUTE);
            !bench.take_words().is_empty()
        });
        *minutes.entry(minute.expect("within the window")).or_default() += 1;
    }
    assert!(minutes.len() > 60 && minutes.values().all(|devices| *devices <= 8), "{minutes:?}");
}

#[test]
fn each_subscription_is_due_in_its_own_time_and_neighbours_go_along() {
    let mut bench = Bench::watching();
    bench.pass(MINUTE);
    bench.create();
    bench.pass(12 * HOUR);
    bench.create();
    bench.take_words();
    bench.pass(12 * HOUR);
    assert_eq!(bench.take_words(), ["TCHK", "SCHK", "SCHK"], "the first two");
    bench.pass(12 * HOUR);
    assert_eq!(bench.take_words(), ["TCHK", "SCHK"], "the third");
}

#[test]
fn the_checks_of_many_subscriptions_fill_blocks() {
    let mut bench = Bench::active();
    for _ in 0..30 {
        bench.create();
    }
    bench.take_words();
    // The connection is closed and greets anew.
    bench.pass(HOUR);
    bench.blocks = 0;
    bench.command(Command::Check);
    assert_eq!(bench.take_words().len(), 31);
    assert!(bench.blocks <= 1 + 1 + 15, "a hello, TCHK, and two SCHK a block: {}", bench.blocks);
}

#[test]
fn checks_that_are_asked_for_merge_and_keep_their_distance() {
    let mut bench = Bench::watching();
    bench.cut();
    bench.is_network_up = false;
    for _ in 0..100 {
        bench.command(Command::Check);
    }
    bench.register(b"aa");
    bench.is_network_up = true;
    bench.pass(MINUTE);
    assert_eq!(bench.take_words(), ["TCHK", "SCHK"], "one answers them all");

    for _ in 0..100 {
        bench.command(Command::Check);
        bench.pass(Duration::from_millis(100));
    }
    bench.pass(MINUTE);
    assert!((2..=3).contains(&bench.take_words().iter().filter(|word| **word == "TCHK").count()));
    bench.pass(HOUR);
    assert_eq!(bench.take_words(), NOTHING);
}

#[test]
fn a_check_that_is_asked_for_while_a_scheduled_one_is_out_looks_at_everything() {
    let mut bench = Bench::watching();
    bench.pass(6 * HOUR);
    bench.create();
    bench.take_words();
    bench.twist("TCHK", Twist::Silence);
    bench.pass(18 * HOUR - MINUTE / 2);
    bench.command(Command::Check);
    bench.pass(MINUTE);
    let schk = bench.take_words().iter().filter(|word| **word == "SCHK").count();
    assert!(schk >= 2, "{schk}");
}

#[test]
fn another_network_means_new_connections_and_a_check() {
    let mut bench = Bench::watching();
    bench.twist("GET", Twist::Silence);
    let notice = bench.message(0, 1, 10);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    bench.dialled.clear();
    bench.take_words();
    bench.command(Command::NetworkChanged);
    assert_eq!(bench.dialled.len(), 2, "both servers");
    assert_eq!(bench.got(), [1], "what was asked over the old link is asked again");
    let words = bench.take_words();
    assert!(words.contains(&"TCHK") && words.contains(&"SCHK"), "{words:?}");

    bench.pass(HOUR);
    bench.is_network_up = false;
    bench.command(Command::Check);
    bench.pass(HOUR);
    bench.is_network_up = true;
    bench.take_words();
    bench.command(Command::NetworkChanged);
    assert_eq!(bench.take_words(), ["TCHK", "SCHK"], "at once, not after the delay");

    let mut fresh = Bench::new();
    fresh.command(Command::NetworkChanged);
    assert_eq!(fresh.told(), [] as [String; 0]);
}

#[test]
fn a_subscriber_that_cannot_answer_is_asked_again_soon() {
    for word in ["TCHK", "SCHK"] {
        for code in [ErrorCode::Internal, ErrorCode::Store("x"), ErrorCode::Quota] {
            let mut bench = Bench::watching();
            bench.twist(word, Twist::Error(code));
            bench.command(Command::Check);
            bench.pass(MINUTE);
            let asked = bench.take_words().iter().filter(|asked| **asked == word).count();
            assert_eq!(asked, 2, "{word} {code:?}");
            assert!(bench.told().iter().any(|told| told.contains(word)), "{word} {code:?}");
        }
        let mut bench = Bench::watching();
        bench.twist(word, Twist::Error(ErrorCode::Crypto));
        bench.command(Command::Check);
        bench.take_words();
        bench.pass(20 * HOUR);
        assert_eq!(bench.take_words(), NOTHING, "{word}: what stays wrong is left to the schedule");
        bench.pass(60 * HOUR);
        assert!(bench.take_words().contains(&word), "{word}");
    }
}

#[test]
fn a_token_that_expired_for_want_of_use_comes_back_by_itself() {
    let mut bench = Bench::watching();
    bench.twist("TCHK", Twist::Token(TokenStatus::Expired));
    bench.command(Command::Check);
    let push = bench.verification([7; 32]);
    bench.push(&push);
    assert_eq!(bench.client.token_status(), Some(TokenStatus::Active));
    bench.pass(HOUR);
    assert_eq!(bench.take_words().iter().filter(|word| **word == "TNEW").count(), 1);
    assert_eq!(bench.client.pending(), 0);
}

#[test]
fn a_device_in_periodic_mode_checks_its_token() {
    let mut bench = Bench::watching();
    bench.command(Command::SetMode(Mode::Periodic));
    bench.take_words();
    bench.pass(24 * HOUR);
    assert_eq!(bench.take_words(), ["TCHK"]);
}
