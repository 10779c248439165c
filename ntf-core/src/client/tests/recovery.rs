//! What is refused or lost and goes on later: deletions, fetching, and the bounds of what waits.

use super::*;
use crate::client::{Gauges, Notifications};

const DAY: Duration = Duration::from_secs(24 * 3600);
const NOTHING: [&str; 0] = [];

impl Bench {
    fn count(&self, word: &str) -> usize {
        self.words.iter().filter(|asked| **asked == word).count()
    }
}

#[test]
fn deletions_are_repeated_after_lost_answers_and_passing_refusals() {
    for word in ["NDEL", "DEL", "SDEL", "TDEL"] {
        for twist in [
            Twist::Cut,
            Twist::Silence,
            Twist::Error(ErrorCode::Internal),
            Twist::Error(ErrorCode::Store("x")),
        ] {
            let mut bench = Bench::watching();
            let queue = bench.first_queue();
            bench.twist(word, twist.clone());
            bench.command(Command::DeleteQueue { queue });
            bench.pass(MINUTE);
            bench.command(Command::Unregister);
            bench.pass(MINUTE);
            // DEL takes the notifier along, so a refused NDEL is not repeated.
            let is_repeated = word != "NDEL" || !matches!(twist, Twist::Error(_));
            assert_eq!(bench.count(word), 1 + usize::from(is_repeated), "{word} {twist:?}");
            assert_eq!(bench.client.pending(), 0, "{word} {twist:?}");
            let Gauges { queues, deletions, .. } = bench.client.gauges();
            assert_eq!((queues, deletions), (0, 0), "{word} {twist:?}");
            bench.take_words();
            bench.pass(30 * DAY);
            assert_eq!(bench.take_words(), NOTHING, "{word} {twist:?}");
        }
    }
}

#[test]
fn deletions_that_are_refused_for_good_are_dropped() {
    for word in ["DEL", "SDEL", "TDEL"] {
        let mut bench = Bench::watching();
        let queue = bench.first_queue();
        bench.twist(word, Twist::Error(ErrorCode::Auth));
        bench.command(Command::DeleteQueue { queue });
        bench.command(Command::Unregister);
        bench.pass(DAY);
        assert_eq!(bench.count(word), 1, "{word}");
        assert!(bench.told().iter().all(|told| !told.starts_with("Failed")), "{word}: it is gone already");
        let Gauges { queues, deletions, .. } = bench.client.gauges();
        assert_eq!((queues, deletions), (0, 0), "{word}");
    }
}

#[test]
fn deletions_are_given_up_after_three_weeks() {
    let mut bench = Bench::watching();
    bench.create();
    let queue = bench.first_queue();
    bench.cut();
    bench.is_network_up = false;
    bench.told();
    bench.command(Command::DeleteQueue { queue });
    bench.command(Command::Unregister);
    for _ in 0..20 {
        bench.pass(DAY);
    }
    let Gauges { queues, deletions, .. } = bench.client.gauges();
    assert_eq!((queues, deletions), (2, 1), "TDEL takes the subscriptions along");
    let is_failure = |told: &String| told.starts_with("Failed");
    assert!(!bench.told().iter().any(is_failure));
    bench.pass(2 * DAY);
    let mut failures = bench.told();
    failures.retain(is_failure);
    failures.sort_unstable();
    assert_eq!(
        failures,
        [
            "Failed(DEL: the SMP server could not be reached for too long; giving up)",
            "Failed(TDEL: the subscriber could not be reached for too long; giving up)",
        ]
    );
    let Gauges { queues, deletions, .. } = bench.client.gauges();
    assert_eq!((queues, deletions), (1, 0));
}

#[test]
fn the_oldest_deletion_of_a_subscription_makes_room() {
    let mut bench = Bench::with(Config { deletions_max: 3, ..Config::default() });
    bench.register(b"aa");
    let push = bench.verification([7; 32]);
    bench.push(&push);
    for _ in 0..5 {
        bench.create();
    }
    bench.cut();
    bench.is_network_up = false;
    let all: Vec<_> = bench.client.queues().collect();
    for queue in all {
        bench.command(Command::SetNotifications { queue, notifications: Notifications::Off });
        assert!(bench.client.gauges().deletions <= 3);
    }
    bench.is_network_up = true;
    bench.take_words();
    bench.command(Command::NetworkChanged);
    assert_eq!(bench.count("SDEL"), 3);
    assert_eq!(bench.count("NDEL"), 5, "which tells the subscriber of all");
}

#[test]
fn fetching_goes_on_after_a_refusal_that_may_pass() {
    for word in ["GET", "ACK"] {
        let mut bench = Bench::watching();
        bench.twist(word, Twist::Error(ErrorCode::Internal));
        bench.twist(word, Twist::Error(ErrorCode::Store("x")));
        let notice = bench.message(0, 1, 10);
        let push = bench.notices(&[notice]);
        bench.push(&push);
        bench.pass(MINUTE);
        assert_eq!(bench.got(), [1], "{word}");
        assert!(bench.queues[0].messages.is_empty(), "{word}");
        assert_eq!(bench.client.pending(), 0, "{word}");

        bench.twist(word, Twist::Error(ErrorCode::Crypto));
        let notice = bench.message(0, 2, 11);
        let push = bench.notices(&[notice]);
        bench.push(&push);
        bench.take_words();
        bench.pass(60 * MINUTE);
        assert_eq!(bench.take_words(), NOTHING, "{word}: what is wrong in itself is not repeated");
    }
}

#[test]
fn gauges_return_to_zero() {
    let mut bench = Bench::watching();
    bench.create();
    let Gauges { queues, notifiers, subscriptions, .. } = bench.client.gauges();
    assert_eq!((queues, notifiers, subscriptions), (2, 2, 2));
    let all: Vec<_> = bench.client.queues().collect();
    for queue in all {
        bench.command(Command::DeleteQueue { queue });
    }
    bench.command(Command::Unregister);
    bench.pass(5 * MINUTE);
    let subscribers = bench.client.gauges().subscribers;
    let servers = bench.client.gauges().servers;
    assert_eq!(bench.client.gauges(), Gauges { servers, subscribers, ..Gauges::default() });
}
