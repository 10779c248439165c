//! What the client advises, and that the advice is right: whoever follows it gets what they wanted.

use super::*;
use crate::client::{Advice, Mode, Notifications};
use crate::model::token::InvalidReason;
use crate::wire::error_code::{BlockReason, Blocked, CommandError};

const AUTH: ErrorCode<'_> = ErrorCode::Auth;
const PASSING: ErrorCode<'_> = ErrorCode::Internal;
const WRONG: ErrorCode<'_> = ErrorCode::Cmd(CommandError::Syntax);

/// The commands that an application gives, whose failures have its tag.
const OF_APPLICATION: [&str; 3] = ["NEW", "SKEY", "SEND"];

/// The commands that the client gives by itself and repeats.
const OF_CLIENT: [&str; 13] =
    ["TNEW", "TVFY", "TCHK", "TRPL", "TCRN", "TDEL", "SNEW", "SCHK", "SDEL", "NKEY", "NDEL", "DEL", "GET"];

impl Bench {
    /// Brings about a command, to which the answer is this one, and takes the only advice that follows.
    fn refused(word: &'static str, twist: Twist) -> (Self, Advice) {
        let mut bench = Self::watching();
        let queue = bench.first_queue();
        if matches!(word, "TNEW" | "TVFY") {
            bench.command(Command::Unregister);
        }
        bench.take_words();
        bench.twist(word, twist);
        match word {
            "TNEW" => bench.register(b"aa"),
            "TVFY" => {
                bench.register(b"aa");
                let code = bench.verification([8; 32]);
                bench.push(&code);
            }
            "TCHK" | "SCHK" => bench.command(Command::Check),
            "TRPL" => bench.register(b"bb"),
            "TCRN" => bench.command(Command::SetMode(Mode::Periodic)),
            "TDEL" => bench.command(Command::Unregister),
            "NEW" | "NKEY" | "SNEW" => _ = bench.create(),
            "NDEL" | "SDEL" => {
                bench.command(Command::SetNotifications { queue, notifications: Notifications::Off })
            }
            "DEL" => bench.command(Command::DeleteQueue { queue }),
            "GET" | "ACK" => {
                let notice = bench.message(0, 1, 10);
                let push = bench.notices(&[notice]);
                bench.push(&push);
            }
            "SKEY" | "SEND" => _ = bench.send(b"1"),
            _ => panic!("{word} is brought about by nothing"),
        }
        let advice = bench.advice();
        (bench, advice)
    }

    /// The only advice among the events, taken with all others.
    fn advice(&mut self) -> Advice {
        let events = core::mem::take(&mut self.events);
        let given: Vec<_> = events.iter().filter_map(Event::advice).collect();
        let [only] = given.as_slice() else { panic!("{events:?}") };
        *only
    }
}

#[test]
fn what_passes_is_tried_again_by_the_client_when_it_said() {
    for word in OF_CLIENT {
        for code in [PASSING, ErrorCode::Quota, ErrorCode::Other("TOMORROW")] {
            // Has an advice of its own, and a fresh registration.
            if matches!((word, code), ("TCRN", ErrorCode::Quota) | ("TRPL", ErrorCode::Other(_))) {
                continue;
            }
            let (mut bench, advice) = Bench::refused(word, Twist::Error(code));
            let Advice::Wait { next } = advice else { panic!("{word} {code:?}: {advice:?}") };
            assert!(Duration::from_secs(1) <= next && next <= Duration::from_secs(4), "{word}: {next:?}");
            bench.take_words();
            bench.pass(next - Duration::from_micros(1));
            assert!(!bench.words.contains(&word), "{word} {code:?}: not before");
            bench.pass(Duration::from_micros(1));
            let repeated = if word == "TVFY" { "TNEW" } else { word };
            assert!(bench.words.contains(&repeated), "{word} {code:?}: {:?}", bench.words);
        }
    }
}

#[test]
fn what_a_subscriber_forgot_is_made_anew_by_the_client_when_it_said() {
    for (word, anew) in [
        ("TNEW", "TNEW"),
        ("TVFY", "TNEW"),
        ("TCHK", "TNEW"),
        ("TCRN", "TCHK"),
        ("SNEW", "NKEY"),
        ("SCHK", "NKEY"),
    ] {
        let (mut bench, advice) = Bench::refused(word, Twist::Error(AUTH));
        let Advice::Wait { next } = advice else { panic!("{word}: {advice:?}") };
        if !next.is_zero() {
            bench.take_words();
            bench.pass(next - Duration::from_micros(1));
            assert!(!bench.words.contains(&anew), "{word}: not before");
            bench.pass(Duration::from_micros(1));
        }
        assert!(bench.words.contains(&anew), "{word}: {:?}", bench.words);
    }
}

#[test]
fn what_an_application_asked_for_in_vain_passes_when_it_asks_again() {
    for word in OF_APPLICATION {
        for code in [PASSING, ErrorCode::Quota, ErrorCode::Store("busy")] {
            let (mut bench, advice) = Bench::refused(word, Twist::Error(code));
            let Advice::TryAgain { after } = advice else { panic!("{word} {code:?}: {advice:?}") };
            assert_eq!(after, Duration::from_secs(2), "{word}");
            bench.pass(after);
            bench.events.clear();
            let (told, expected) = match word {
                "NEW" => (bench.create(), "QueueCreated"),
                _ => (bench.send(b"1"), "Sent"),
            };
            assert!(told.0 > 0 && bench.told().contains(&expected.into()), "{word} {code:?}");
        }
    }
}

#[test]
fn what_does_not_pass_is_for_people() {
    let blocked = ErrorCode::Blocked(Blocked { reason: BlockReason::Spam, notice: None });
    for word in OF_APPLICATION.into_iter().chain(OF_CLIENT) {
        // Answers that end a deletion, or a registration that begins anew, are no failures.
        if matches!(word, "TRPL") {
            continue;
        }
        let (_, advice) = Bench::refused(word, Twist::Error(WRONG));
        // Of the device token, sealed or plain, a subscriber says no more than this.
        let expected = if word == "TNEW" { Advice::Configure } else { Advice::ReportBug };
        assert_eq!(advice, expected, "{word}");
        let (_, advice) = Bench::refused(word, Twist::Error(blocked));
        assert_eq!(advice, Advice::AskUser, "{word}");
        // What the bench says instead is right for SNEW alone.
        if word != "SNEW" {
            let (_, advice) = Bench::refused(word, Twist::Nonsense);
            assert_eq!(advice, Advice::ReportBug, "{word}");
        }
    }
    for word in ["NEW", "SKEY", "SEND", "NKEY", "NDEL", "GET"] {
        let (_, advice) = Bench::refused(word, Twist::Error(AUTH));
        assert_eq!(advice, Advice::AskUser, "{word}: the queue is gone, or somebody else's");
    }
    let (_, advice) = Bench::refused("TCRN", Twist::Error(ErrorCode::Quota));
    assert_eq!(advice, Advice::Configure, "another interval");
}

#[test]
fn whoever_has_no_token_registers() {
    let mut bench = Bench::new();
    bench.command(Command::Check);
    assert_eq!(bench.advice(), Advice::Register);
    bench.register(b"aa");
    assert_eq!(bench.take_words(), ["TNEW"]);
}

#[test]
fn a_token_that_the_provider_refuses_is_registered_anew_by_the_application() {
    for (reason, expected) in [
        (None, Advice::Register),
        (Some(InvalidReason::Bad), Advice::Register),
        (Some(InvalidReason::Expired), Advice::Register),
        (Some(InvalidReason::Unregistered), Advice::Register),
        (Some(InvalidReason::Topic), Advice::Configure),
    ] {
        let mut bench = Bench::watching();
        bench.twist("TCHK", Twist::Token(TokenStatus::Invalid(reason)));
        bench.command(Command::Check);
        assert_eq!(bench.advice(), expected, "{reason:?}");
        bench.register(b"bb");
        let code = bench.verification([8; 32]);
        bench.push(&code);
        assert_eq!(bench.client.token_status(), Some(TokenStatus::Active), "{reason:?}");
    }
}

#[test]
fn whoever_is_offline_looks_at_the_network_and_goes_on_at_once() {
    let mut bench = Bench::watching();
    bench.cut();
    bench.is_network_up = false;
    bench.command(Command::Check);
    assert_eq!(bench.advice(), Advice::CheckNetwork);
    bench.is_network_up = true;
    bench.command(Command::NetworkChanged);
    assert!(bench.take_words().contains(&"TCHK"));
    let server = String::new;
    for (reason, advice) in [
        (DownReason::TimedOut, Advice::CheckNetwork),
        (DownReason::Tls, Advice::CheckNetwork),
        (DownReason::WrongIdentity, Advice::AskUser),
        (DownReason::NotPublic, Advice::AskUser),
    ] {
        assert_eq!(Event::Unreachable { server: server(), reason }.advice(), Some(advice), "{reason:?}");
    }
}

#[test]
fn a_deletion_that_was_never_possible_is_blamed_on_the_network() {
    let mut bench = Bench::with(Config { deletion_age_max: MINUTE, ..Config::default() });
    bench.create();
    bench.cut();
    bench.is_network_up = false;
    let queue = bench.first_queue();
    bench.command(Command::DeleteQueue { queue });
    bench.pass(2 * MINUTE);
    let given_up = core::mem::take(&mut bench.events).into_iter().filter_map(|event| match event {
        Event::Failed { advice, .. } => Some(advice),
        _ => None,
    });
    assert_eq!(given_up.collect::<Vec<_>>(), [Advice::CheckNetwork]);
}

#[test]
fn limits_are_for_the_configuration_and_mistakes_for_the_developers() {
    let nothing = |command| {
        let mut bench = Bench::new();
        bench.command(command);
        bench.advice()
    };
    let queue = QueueId(7);
    let device = DeviceToken { provider: Provider::ApnsTest, token: b"aa".as_slice().into() };
    let notifications = Notifications::Off;
    for (command, advice) in [
        (Command::RegisterWithAny { device, mode: Mode::Instant }, Advice::Configure),
        (Command::DeleteQueue { queue }, Advice::Nothing),
        (Command::Unregister, Advice::Nothing),
        (Command::SetNotifications { queue, notifications }, Advice::ReportBug),
    ] {
        let words = format!("{command:?}");
        assert_eq!(nothing(command), advice, "{words}");
    }
    let mut bench =
        Bench::with(Config { queues_max: 0, senders_max: 1, outgoing_max: 0, ..Config::default() });
    bench.create();
    assert_eq!(bench.advice(), Advice::Configure);
    bench.send(b"1");
    assert!(matches!(bench.advice(), Advice::TryAgain { .. }), "the line is full for the time being");
}

#[test]
fn every_advice_has_a_word_of_its_own() {
    let all = [
        Advice::Nothing,
        Advice::Wait { next: MINUTE },
        Advice::TryAgain { after: MINUTE },
        Advice::CheckNetwork,
        Advice::AskUser,
        Advice::Register,
        Advice::Configure,
        Advice::ReportBug,
    ];
    let mut names = all.map(Advice::name).to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    assert_eq!(all.map(|advice| advice.delay()).iter().flatten().count(), 2);
    assert_eq!(Advice::Wait { next: MINUTE }.to_string(), "it goes on by itself in 60.0 s");
}
