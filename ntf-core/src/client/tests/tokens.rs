//! Registration: verification, loss, restart of the subscriber, refusals.

use super::*;

#[test]
fn a_token_is_registered_verified_and_active() {
    let mut bench = Bench::new();
    bench.register(b"aa");
    assert_eq!((bench.take_words(), bench.told()), (vec!["TNEW"], vec!["Token(Registered)".into()]));
    let push = bench.verification([7; 32]);
    bench.push(&push);
    assert_eq!((bench.take_words(), bench.told()), (vec!["TVFY"], vec!["Token(Active)".into()]));
    assert_eq!(bench.client.pending(), 0);
}

#[test]
fn a_verification_push_that_overtakes_the_answer_is_kept_for_it() {
    let mut bench = Bench::new();
    bench.twist("TNEW", Twist::Silence);
    bench.register(b"aa");
    let early = bench.verification([7; 32]);
    bench.push(&early);
    assert_eq!(bench.told(), [] as [String; 0]);
    bench.pass(MINUTE);
    assert_eq!(bench.take_words(), ["TNEW", "TNEW", "TVFY"]);
    assert_eq!(bench.told(), ["Token(Registered)", "Token(Active)"]);
}

#[test]
fn a_verification_push_that_overtakes_the_answer_to_a_replacement_is_kept_for_it() {
    let mut bench = Bench::watching();
    bench.twist("TRPL", Twist::Silence);
    bench.register(b"bb");
    let early = bench.verification([9; 32]);
    bench.push(&early);
    assert_eq!(bench.take_words(), ["TRPL"], "nothing is known of the answer yet");
    bench.pass(MINUTE);
    let words = bench.take_words();
    assert_eq!(words, ["TRPL", "TVFY"], "the code that came first is used, and no other is asked for");
    assert_eq!(bench.client.token_status(), Some(TokenStatus::Active));
}

#[test]
fn a_lost_verification_push_is_asked_for_again() {
    let mut bench = Bench::new();
    bench.register(b"aa");
    bench.pass(10 * MINUTE);
    let words = bench.take_words();
    assert!(words.len() >= 3 && words.iter().all(|word| *word == "TNEW"), "{words:?}");
    let push = bench.verification([7; 32]);
    bench.push(&push);
    assert_eq!(bench.client.token_status(), Some(TokenStatus::Active));
    bench.take_words();
    bench.pass(60 * MINUTE);
    assert_eq!(bench.take_words(), [] as [&str; 0], "nothing is asked for any more");
}

#[test]
fn lost_answers_are_asked_for_again_over_a_new_link() {
    for word in ["TNEW", "TVFY", "TCHK"] {
        for twist in [Twist::Cut, Twist::Silence] {
            let mut bench = Bench::new();
            bench.twist(word, twist.clone());
            bench.register(b"aa");
            bench.pass(MINUTE / 2);
            let push = bench.verification([7; 32]);
            bench.push(&push);
            bench.command(Command::Check);
            bench.pass(MINUTE);
            let asked = bench.words.iter().filter(|asked| **asked == word).count();
            assert!(asked >= 2, "{word} {twist:?}: {:?}", bench.words);
            assert_eq!(bench.client.token_status(), Some(TokenStatus::Active), "{word} {twist:?}");
            assert_eq!(bench.client.pending(), 0, "{word} {twist:?}");
        }
    }
}

#[test]
fn a_subscriber_that_has_forgotten_the_token_gets_a_fresh_one_with_all_queues() {
    let mut bench = Bench::watching();
    let old = bench.queues[0].notifier.as_ref().unwrap().0.clone();
    bench.twist("TCHK", Twist::Error(ErrorCode::Auth));
    bench.command(Command::Check);
    assert_eq!(bench.take_words(), ["TCHK", "NKEY", "GET"]);
    assert!(bench.told()[0].contains("forgotten the token"));
    bench.pass(MINUTE / 6);
    assert_eq!(bench.take_words(), ["TNEW"]);
    assert_eq!(bench.tokens.len(), 2);
    let push = bench.verification([8; 32]);
    bench.push(&push);
    assert_eq!(bench.take_words(), ["TVFY", "SNEW"]);
    assert_ne!(bench.queues[0].notifier.as_ref().unwrap().0, old, "with a fresh notifier");
}

#[test]
fn a_refused_code_leads_to_a_fresh_registration() {
    let mut bench = Bench::new();
    bench.register(b"aa");
    bench.twist("TVFY", Twist::Error(ErrorCode::Auth));
    let push = bench.verification([7; 32]);
    bench.push(&push);
    assert!(bench.told().iter().any(|told| told.contains("TVFY")));
    bench.pass(MINUTE / 6);
    assert_eq!(bench.take_words(), ["TNEW", "TVFY", "TNEW"]);
}

#[test]
fn repeated_refusals_are_met_with_growing_delays() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        bench.twist("TNEW", Twist::Error(ErrorCode::Internal));
    }
    bench.register(b"aa");
    bench.pass(30 * MINUTE);
    let asked = bench.take_words().len();
    assert!((10..=40).contains(&asked), "{asked} attempts in half an hour");
    assert!(bench.told().iter().all(|told| told.contains("TNEW: the subscriber answers INTERNAL")));
}

#[test]
fn what_tchk_says_decides_what_follows() {
    for (status, words) in [
        (TokenStatus::Active, vec!["TCHK", "SCHK"]),
        (TokenStatus::Invalid(None), vec!["TCHK", "SCHK"]),
        (TokenStatus::Expired, vec!["TCHK", "TNEW"]),
        (TokenStatus::Registered, vec!["TCHK", "TNEW"]),
        (TokenStatus::Confirmed, vec!["TCHK", "TNEW"]),
    ] {
        let mut bench = Bench::watching();
        bench.twist("TCHK", Twist::Token(status));
        bench.command(Command::Check);
        assert_eq!(bench.take_words(), words, "{status:?}");
        assert_eq!(bench.told()[0], format!("Token({status:?})"));
    }
}

#[test]
fn an_invalid_token_is_registered_again_when_the_app_asks() {
    let mut bench = Bench::watching();
    bench.twist("TCHK", Twist::Token(TokenStatus::Invalid(None)));
    bench.command(Command::Check);
    bench.take_words();
    bench.register(b"aa");
    assert_eq!(bench.take_words(), ["TNEW"]);
    let push = bench.verification([7; 32]);
    bench.push(&push);
    assert_eq!(bench.client.token_status(), Some(TokenStatus::Active));
}

#[test]
fn another_device_token_replaces_the_first() {
    let mut bench = Bench::watching();
    bench.register(b"bb");
    assert_eq!(bench.take_words(), ["TRPL"]);
    let push = bench.verification([9; 32]);
    bench.push(&push);
    assert_eq!(bench.take_words(), ["TVFY"], "subscriptions stay");
    assert_eq!(bench.client.token_status(), Some(TokenStatus::Active));
}

#[test]
fn where_it_cannot_be_replaced_a_fresh_one_is_registered() {
    let mut bench = Bench::watching();
    bench.twist("TRPL", Twist::Error(ErrorCode::Store("update token")));
    bench.register(b"bb");
    let words = bench.take_words();
    for word in ["TRPL", "TDEL", "TNEW", "NKEY"] {
        assert!(words.contains(&word), "{word} in {words:?}");
    }
}

#[test]
fn a_refusal_that_passes_keeps_the_token_and_its_subscriptions() {
    for code in [ErrorCode::Quota, ErrorCode::Internal] {
        let mut bench = Bench::watching();
        bench.twist("TRPL", Twist::Error(code));
        bench.register(b"bb");
        assert_eq!(bench.take_words(), ["TRPL"], "nothing is given up for {code:?}");
        bench.pass(MINUTE);
        assert_eq!(bench.take_words(), ["TRPL"], "asked again after a while");
        let push = bench.verification([9; 32]);
        bench.push(&push);
        assert_eq!(bench.client.token_status(), Some(TokenStatus::Active));
    }
}

#[test]
fn unregistering_forgets_at_once_and_deletes_when_it_can() {
    let mut bench = Bench::watching();
    bench.twist("TDEL", Twist::Cut);
    bench.command(Command::Unregister);
    assert_eq!(bench.told(), ["Unregistered", "NotificationsOff"]);
    assert_eq!(bench.client.token_status(), None);
    bench.pass(MINUTE);
    assert_eq!(bench.words.iter().filter(|word| **word == "TDEL").count(), 2);
    bench.command(Command::Unregister);
    assert_eq!(bench.told(), ["Failed(there is no token to delete)"]);
    bench.command(Command::Check);
    assert_eq!(bench.told(), ["Failed(there is no token to check)"]);
}

#[test]
fn a_subscription_that_is_dead_is_made_anew_and_one_that_lives_is_kept() {
    for (twist, is_renewed) in [
        (Twist::Subscription(SubscriptionStatus::New), false),
        (Twist::Subscription(SubscriptionStatus::Pending), false),
        (Twist::Subscription(SubscriptionStatus::Active), false),
        (Twist::Subscription(SubscriptionStatus::Inactive), false),
        (Twist::Subscription(SubscriptionStatus::End), true),
        (Twist::Subscription(SubscriptionStatus::Deleted), true),
        (Twist::Subscription(SubscriptionStatus::Auth), true),
        (Twist::Subscription(SubscriptionStatus::Service), true),
        (Twist::Subscription(SubscriptionStatus::Error("x".into())), true),
        (Twist::Error(ErrorCode::Auth), true),
    ] {
        let mut bench = Bench::watching();
        bench.twist("SCHK", twist.clone());
        bench.command(Command::Check);
        let words = bench.take_words();
        assert_eq!(words.contains(&"NKEY") && words.contains(&"SNEW"), is_renewed, "{twist:?}: {words:?}");
        assert_eq!(words.contains(&"GET"), is_renewed, "messages in between had no notice: {twist:?}");
    }
}

#[test]
fn an_unreachable_subscriber_is_told_and_tried_again() {
    let mut bench = Bench::new();
    bench.is_network_up = false;
    bench.register(b"aa");
    bench.pass(MINUTE);
    let told = bench.told();
    assert!(told.len() >= 4 && told.iter().all(|told| told == "Unreachable(Unreachable)"), "{told:?}");
    bench.is_network_up = true;
    bench.pass(5 * MINUTE);
    assert_eq!(bench.words.first(), Some(&"TNEW"));
}

#[test]
fn answers_that_fit_no_command_are_reported_and_survived() {
    for word in ["TNEW", "TVFY", "TCHK", "SNEW", "SCHK"] {
        let mut bench = Bench::new();
        bench.twist(word, Twist::Nonsense);
        if word == "SNEW" {
            // The subscriber's nonsense is what it should say here.
            bench.twists.insert(word, [Twist::Error(ErrorCode::Crypto)].into());
        }
        bench.register(b"aa");
        bench.pass(5 * MINUTE);
        for _ in 0..2 {
            let push = bench.verification([7; 32]);
            bench.push(&push);
            bench.pass(5 * MINUTE);
        }
        bench.create();
        bench.command(Command::Check);
        bench.pass(5 * MINUTE);
        assert!(bench.told().iter().any(|told| told.contains(word)), "{word}");
        assert_eq!(bench.client.token_status(), Some(TokenStatus::Active), "{word}");
        assert_eq!(bench.client.pending(), 0, "{word}");
    }
}
