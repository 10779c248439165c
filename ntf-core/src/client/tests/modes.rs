//! Modes, notifications of single queues, periodic pushes, and the choice of a subscriber.

use super::*;
use crate::client::{Mode, Notifications};
use crate::model::cron::Cron;

const CHECK_MESSAGES: &str = r#"{"notificationData":{"checkMessages":true}}"#;

impl Bench {
    fn device(token: &[u8]) -> DeviceToken {
        DeviceToken { provider: Provider::ApnsTest, token: token.into() }
    }

    fn set_subscribers(&mut self, hosts: &[&str]) {
        let servers = hosts.iter().map(|host| self.server(host)).collect();
        self.command(Command::SetSubscribers { servers });
    }

    fn register_with_any(&mut self, token: &[u8]) {
        let (device, mode) = (Self::device(token), self.client.mode());
        self.command(Command::RegisterWithAny { device, mode });
    }

    fn verify(&mut self) {
        let push = self.verification([7; 32]);
        self.push(&push);
        assert_eq!(self.client.token_status(), Some(TokenStatus::Active));
    }

    fn chosen(&self) -> Box<str> {
        self.client.subscriber().unwrap().hosts[0].clone()
    }

    fn set_notifications(&mut self, queue: QueueId, notifications: Notifications) {
        self.command(Command::SetNotifications { queue, notifications });
    }
}

#[test]
fn periodic_mode_removes_what_others_know_of_the_queues_and_asks_to_be_woken() {
    let mut bench = Bench::watching();
    bench.create();
    bench.take_words();
    bench.told();
    bench.command(Command::SetMode(Mode::Periodic));
    let mut words = bench.take_words();
    words.sort_unstable();
    assert_eq!(words, ["GET", "GET", "NDEL", "NDEL", "SDEL", "SDEL", "TCRN"]);
    assert_eq!(bench.intervals, [20]);
    assert!(bench.queues.iter().all(|held| held.notifier.is_none()));
    let mut told = bench.told();
    told.sort_unstable();
    assert_eq!(told, ["NotificationsOff", "NotificationsOff", "Periodic(Every { minutes: 20 })"]);
    assert_eq!(bench.client.pending(), 0);
}

#[test]
fn a_device_that_is_woken_looks_into_every_queue_and_so_does_one_that_looks_by_itself() {
    let mut bench = Bench::watching();
    bench.create();
    bench.command(Command::SetMode(Mode::Periodic));
    bench.told();
    for (number, queue) in [(1, 0), (2, 1)] {
        bench.body(queue, number, &MessageBody::Message { sent_at: 10, notify: true, message: &[number] });
    }
    bench.push(CHECK_MESSAGES);
    assert_eq!(bench.got(), [1, 2]);
    bench.body(1, 3, &MessageBody::Message { sent_at: 11, notify: true, message: &[3] });
    bench.command(Command::FetchAll);
    assert_eq!(bench.got(), [3]);
}

#[test]
fn instant_mode_comes_back_with_fresh_credentials_and_loses_no_message_in_between() {
    let mut bench = Bench::watching();
    let old = bench.queues[0].notifier.as_ref().unwrap().0.clone();
    // It came before NDEL; its push is too late.
    let late = bench.message(0, 1, 10);
    bench.command(Command::SetMode(Mode::Periodic));
    assert_eq!(bench.got(), [1], "fetched after the switch");
    let push = bench.notices(&[late]);
    bench.push(&push);
    assert!(bench.rejection().contains("notifications are off"));

    bench.body(0, 2, &MessageBody::Message { sent_at: 11, notify: true, message: &[2] });
    bench.take_words();
    bench.command(Command::SetMode(Mode::Instant));
    assert_eq!(bench.intervals, [20, 0]);
    let words = bench.take_words();
    for word in ["NKEY", "SNEW", "TCRN", "GET"] {
        assert!(words.contains(&word), "{word} in {words:?}");
    }
    assert_eq!(bench.got(), [2], "no notice was made of it");
    assert_ne!(bench.queues[0].notifier.as_ref().unwrap().0, old);
    let notice = bench.message(0, 3, 12);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    assert_eq!(bench.got(), [3]);
}

#[test]
fn switching_back_and_forth_ends_as_the_last_switch_says() {
    for word in ["NKEY", "NDEL"] {
        for twist in [Twist::Cut, Twist::Silence, Twist::Error(ErrorCode::Internal)] {
            for last in [Mode::Instant, Mode::Periodic] {
                let mut bench = Bench::watching();
                bench.twist(word, twist.clone());
                for mode in [Mode::Periodic, Mode::Instant, Mode::Periodic, last] {
                    bench.command(Command::SetMode(mode));
                }
                bench.pass(5 * MINUTE);
                let is_watched = bench.queues[0].notifier.is_some();
                assert_eq!(is_watched, last == Mode::Instant, "{word} {twist:?} {last:?}");
                assert_eq!(bench.client.pending(), 0, "{word} {twist:?} {last:?}");
            }
        }
    }
}

#[test]
fn a_queue_made_in_periodic_mode_has_no_credentials() {
    let mut bench = Bench::active();
    bench.command(Command::SetMode(Mode::Periodic));
    bench.take_words();
    bench.told();
    bench.create();
    assert_eq!(bench.take_words(), ["NEW"]);
    assert_eq!(bench.told(), ["QueueCreated"]);
}

#[test]
fn notifications_of_one_queue_are_its_own() {
    let mut bench = Bench::watching();
    bench.create();
    bench.take_words();
    let queue = bench.first_queue();
    bench.set_notifications(queue, Notifications::Off);
    let mut words = bench.take_words();
    words.sort_unstable();
    assert_eq!(words, ["GET", "NDEL", "SDEL"]);
    assert!(bench.queues[0].notifier.is_none() && bench.queues[1].notifier.is_some());
    // A switch of the mode does not turn it on.
    bench.command(Command::SetMode(Mode::Periodic));
    bench.command(Command::SetMode(Mode::Instant));
    assert!(bench.queues[0].notifier.is_none() && bench.queues[1].notifier.is_some());
    bench.take_words();
    bench.set_notifications(queue, Notifications::On);
    bench.set_notifications(queue, Notifications::On);
    assert_eq!(bench.take_words(), ["NKEY", "SNEW", "GET"]);
    bench.told();
    bench.set_notifications(QueueId(99), Notifications::On);
    assert_eq!(bench.told(), ["Failed(there is no such queue to turn on or off)"]);
}

#[test]
fn a_queue_that_is_gone_is_told_when_it_is_turned_off() {
    let mut bench = Bench::watching();
    bench.twist("NDEL", Twist::Error(ErrorCode::Auth));
    let queue = bench.first_queue();
    bench.set_notifications(queue, Notifications::Off);
    assert!(bench.told()[0].contains("no longer has the queue"));
    assert_eq!(bench.client.pending(), 0);
}

#[test]
fn a_queue_can_be_deleted_while_it_is_being_turned_off() {
    let mut bench = Bench::watching();
    bench.twist("NDEL", Twist::Silence);
    let queue = bench.first_queue();
    bench.set_notifications(queue, Notifications::Off);
    bench.command(Command::DeleteQueue { queue });
    bench.pass(MINUTE);
    assert_eq!(bench.client.queues().count(), 0);
    assert!(bench.told().contains(&"QueueDeleted".into()));
    assert_eq!(bench.client.pending(), 0);
}

#[test]
fn a_lost_answer_to_tcrn_is_asked_for_again() {
    for twist in [Twist::Cut, Twist::Silence, Twist::Error(ErrorCode::Internal), Twist::Nonsense] {
        let mut bench = Bench::active();
        bench.twist("TCRN", twist.clone());
        bench.command(Command::SetMode(Mode::Periodic));
        bench.pass(MINUTE);
        let asked = bench.take_words().iter().filter(|word| **word == "TCRN").count();
        assert_eq!(asked, 2, "{twist:?}");
        assert_eq!(bench.told().last().unwrap(), "Periodic(Every { minutes: 20 })", "{twist:?}");
        bench.pass(60 * MINUTE);
        assert_eq!(bench.take_words(), [] as [&str; 0], "{twist:?}");
    }
}

#[test]
fn an_interval_that_is_refused_is_not_asked_for_without_end() {
    let mut bench = Bench::active();
    bench.twist("TCRN", Twist::Error(ErrorCode::Quota));
    bench.command(Command::SetMode(Mode::Periodic));
    bench.pass(60 * MINUTE);
    assert_eq!(bench.take_words(), ["TCRN"]);
    assert!(bench.told()[0].contains("too short"));
}

#[test]
fn a_token_that_the_subscriber_has_forgotten_is_found_out_by_tcrn_and_gets_its_interval() {
    let mut bench = Bench::active();
    bench.twist("TCRN", Twist::Error(ErrorCode::Auth));
    bench.twist("TCHK", Twist::Error(ErrorCode::Auth));
    bench.command(Command::SetMode(Mode::Periodic));
    bench.pass(MINUTE / 6);
    assert_eq!(bench.take_words(), ["TCRN", "TCHK", "TNEW"]);
    bench.verify();
    assert_eq!(bench.take_words(), ["TVFY", "TCRN"]);
}

#[test]
fn periodic_pushes_can_be_had_in_instant_mode_or_not_at_all() {
    let every = Cron::Every { minutes: 30 };
    for (instant, periodic, sent) in
        [(every, every, vec![30]), (Cron::Off, Cron::Off, vec![]), (every, Cron::Off, vec![30, 0])]
    {
        let config = Config { cron_instant: instant, cron_periodic: periodic, ..Config::default() };
        let mut bench = Bench::with(config);
        bench.register(b"aa");
        bench.verify();
        bench.command(Command::SetMode(Mode::Periodic));
        assert_eq!(bench.intervals, sent, "{instant:?} {periodic:?}");
    }
}

#[test]
fn one_of_several_subscribers_is_chosen_and_kept() {
    let hosts = ["ntf1.test", "ntf2.test", "ntf3.test"];
    let mut chosen = BTreeMap::<Box<str>, u32>::new();
    for seed in 0..60 {
        let mut bench = Bench::new();
        bench.client = Client::new(Config::default(), Seed::from_number(seed), bench.now);
        bench.set_subscribers(&hosts);
        bench.register_with_any(b"aa");
        let first = bench.chosen();
        *chosen.entry(first.clone()).or_default() += 1;
        bench.verify();
        // Neither another list nor another device token moves it.
        bench.set_subscribers(&["other.test"]);
        bench.register_with_any(b"aa");
        bench.register_with_any(b"bb");
        bench.verify();
        assert_eq!(bench.chosen(), first);
        assert_eq!(bench.dialled, [first]);
    }
    assert!(chosen.len() == 3 && chosen.values().all(|times| *times >= 8), "{chosen:?}");
}

#[test]
fn the_next_token_comes_from_the_list_of_its_time() {
    let mut bench = Bench::new();
    bench.set_subscribers(&["ntf1.test"]);
    bench.register_with_any(b"aa");
    bench.verify();
    bench.set_subscribers(&["ntf2.test"]);
    bench.command(Command::Unregister);
    bench.register_with_any(b"aa");
    assert_eq!(&*bench.chosen(), "ntf2.test", "after a deletion");

    bench.verify();
    bench.set_subscribers(&["ntf3.test"]);
    bench.twist("TRPL", Twist::Error(ErrorCode::Store("update token")));
    bench.register_with_any(b"bb");
    assert_eq!(&*bench.chosen(), "ntf3.test", "after a replacement that failed for good");

    bench.verify();
    bench.set_subscribers(&["ntf3.test", "ntf4.test"]);
    bench.twist("TCHK", Twist::Error(ErrorCode::Auth));
    bench.command(Command::Check);
    assert_eq!(&*bench.chosen(), "ntf3.test", "where it was forgotten, if that is on the list");

    bench.pass(MINUTE / 6);
    bench.verify();
    bench.set_subscribers(&["ntf5.test"]);
    bench.twist("TCHK", Twist::Error(ErrorCode::Auth));
    bench.command(Command::Check);
    assert_eq!(&*bench.chosen(), "ntf5.test", "elsewhere, if not");
}

#[test]
fn without_a_subscriber_there_is_no_registration() {
    let mut bench = Bench::new();
    bench.register_with_any(b"aa");
    assert_eq!(bench.told(), ["Failed(there is no subscriber to register with; set one first)"]);
    let hosts: Vec<_> = (0..65).map(|number| format!("ntf{number}.test")).collect();
    let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
    bench.set_subscribers(&hosts);
    assert!(bench.told()[0].contains("more subscribers than"));
    assert_eq!(bench.client.subscriber(), None);
}

#[test]
fn a_device_that_has_unregistered_is_watched_by_nobody_until_it_registers_again() {
    let mut bench = Bench::watching();
    bench.command(Command::Unregister);
    bench.pass(MINUTE);
    assert!(bench.queues[0].notifier.is_none());
    bench.take_words();
    bench.register(b"aa");
    bench.verify();
    let words = bench.take_words();
    for word in ["TNEW", "TVFY", "NKEY", "SNEW"] {
        assert!(words.contains(&word), "{word} in {words:?}");
    }
    assert!(bench.queues[0].notifier.is_some());
}
