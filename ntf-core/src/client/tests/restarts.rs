//! What a client goes on with after its program ended: intentions, dates under a calendar that jumps, and
//! every state that commands and faults lead to.

use super::*;
use crate::client::{Gauges, ImportError, Mode, Notifications};
use crate::wire::cursor::Writer;
use crate::wire::ntf::command::Device;
use crate::wire::server;
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const NOTHING: [&str; 0] = [];

impl Bench {
    /// Replaces the client, after so long by the calendar.
    fn restart_after(&mut self, millis: i64) {
        self.client.handle(self.now, Input::Tick);
        self.settle();
        let bytes = self.client.export();
        self.peers.clear();
        self.now.wall = Wall::from_millis(self.now.wall.as_millis().saturating_add_signed(millis));
        self.client =
            Client::import(Config::default(), Seed::from_number(6), self.now, &bytes).expect("our own bytes");
    }

    fn restart_after_days(&mut self, days: i64) {
        self.restart_after(days * 24 * 3_600_000);
    }
}

#[test]
fn deletions_go_on_by_themselves() {
    let mut bench = Bench::watching();
    bench.create();
    bench.create();
    let all: Vec<_> = bench.client.queues().collect();
    bench.cut();
    bench.is_network_up = false;
    bench.command(Command::DeleteQueue { queue: all[0] });
    bench.command(Command::SetNotifications { queue: all[1], notifications: Notifications::Off });
    bench.restart();
    bench.is_network_up = true;
    bench.take_words();
    bench.pass(MINUTE);
    let mut words = bench.take_words();
    words.sort_unstable();
    assert_eq!(words, ["DEL", "GET", "NDEL", "NDEL", "SDEL", "SDEL"]);

    bench.is_network_up = false;
    bench.cut();
    bench.command(Command::Unregister);
    bench.restart();
    bench.is_network_up = true;
    bench.pass(MINUTE);
    assert!(bench.take_words().contains(&"TDEL"));
    assert!(bench.queues[2].notifier.is_none(), "nor is the last queue watched");
    assert_eq!(bench.client.gauges().deletions, 0);
}

#[test]
fn the_mode_and_what_was_turned_off_are_kept() {
    let mut bench = Bench::watching();
    let queue = bench.first_queue();
    bench.command(Command::SetNotifications { queue, notifications: Notifications::Off });
    bench.command(Command::SetMode(Mode::Periodic));
    bench.take_words();
    bench.restart();
    assert_eq!(bench.client.mode(), Mode::Periodic);
    bench.register(b"aa");
    bench.pass(MINUTE);
    assert_eq!(bench.take_words(), ["TCHK"], "neither credentials nor an interval are made again");
    bench.command(Command::SetMode(Mode::Instant));
    assert_eq!(bench.take_words(), ["TCRN"], "it is off by itself");
    bench.command(Command::SetNotifications { queue, notifications: Notifications::On });
    assert_eq!(bench.take_words(), ["NKEY", "SNEW", "GET"]);
}

#[test]
fn a_replacement_under_way_is_not_forgotten() {
    let mut bench = Bench::watching();
    bench.twist("TRPL", Twist::Silence);
    bench.register(b"bb");
    bench.restart();
    bench.take_words();
    bench.register(b"bb");
    assert_eq!(bench.take_words(), ["TRPL"], "the subscriber may still have the first one");
}

#[test]
fn what_was_announced_is_fetched() {
    let mut bench = Bench::watching();
    bench.twist("GET", Twist::Silence);
    let notice = bench.message(0, 1, 10);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    bench.restart();
    bench.pass(MINUTE);
    assert_eq!(bench.got(), [1]);
}

#[test]
fn a_registration_goes_on_by_itself() {
    let mut bench = Bench::new();
    bench.is_network_up = false;
    bench.register(b"aa");
    bench.restart();
    bench.is_network_up = true;
    bench.pass(MINUTE / 2);
    assert_eq!(bench.take_words(), ["TNEW"]);
    bench.restart();
    bench.pass(MINUTE / 4);
    assert_eq!(bench.take_words(), NOTHING, "the push may be on its way");
    bench.twist("TVFY", Twist::Silence);
    let push = bench.verification([7; 32]);
    bench.push(&push);
    bench.restart();
    bench.take_words();
    bench.pass(MINUTE / 4);
    assert_eq!(bench.take_words(), ["TVFY"]);
    assert_eq!(bench.client.token_status(), Some(TokenStatus::Active));
}

#[test]
fn the_schedule_of_checks_goes_on_by_the_calendar() {
    let mut bench = Bench::watching();
    bench.pass(10 * HOUR);
    // Off for ten hours, in two parts.
    bench.restart_after(5 * 3_600_000);
    bench.restart_after(5 * 3_600_000);
    bench.pass(HOUR);
    assert_eq!(bench.take_words(), NOTHING);
    bench.pass(3 * HOUR);
    assert_eq!(bench.take_words(), ["TCHK", "SCHK"]);
}

#[test]
fn a_calendar_that_is_set_forward_makes_one_check() {
    let mut bench = Bench::watching();
    bench.create();
    bench.take_words();
    bench.restart_after_days(365);
    bench.pass(HOUR);
    assert_eq!(bench.take_words(), ["TCHK", "SCHK", "SCHK"]);
    // Back again: the next one is due as it was.
    bench.restart_after_days(-365);
    bench.pass(69 * HOUR);
    assert_eq!(bench.take_words(), NOTHING);
    bench.pass(4 * HOUR);
    assert_eq!(bench.take_words(), ["TCHK", "SCHK", "SCHK"]);
}

#[test]
fn a_calendar_that_is_set_back_delays_no_check_beyond_its_interval() {
    for days in [1, 365, 20_000] {
        let mut bench = Bench::watching();
        bench.pass(DAY);
        bench.take_words();
        // Every ten hours, with a calendar that begins anew each time.
        for _ in 0..7 {
            bench.restart_after_days(-days);
            bench.pass(10 * HOUR);
        }
        bench.pass(3 * HOUR);
        assert_eq!(bench.take_words(), ["TCHK", "SCHK"], "{days}");
    }
}

#[test]
fn deletions_survive_a_calendar_that_jumps() {
    for days in [365, -365] {
        let mut bench = Bench::watching();
        bench.is_network_up = false;
        bench.cut();
        bench.command(Command::Unregister);
        bench.restart_after_days(days);
        bench.is_network_up = true;
        bench.take_words();
        bench.pass(MINUTE);
        assert!(bench.take_words().contains(&"TDEL"), "{days}");
    }
}

#[test]
fn a_state_of_version_1_is_read() {
    let mut bench = Bench::watching();
    bench.send(b"x");
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    let token = bench.client.token.as_ref().unwrap();
    let issued = token.issued().unwrap();
    writer.bytes(b"NTFC").u8(1).u32(1).u8(b'1');
    server::encode(&token.server, &mut writer);
    Device::of(&token.device).encode(&mut writer);
    writer.short(&token.auth.to_pkcs8()).bytes(token.dh.expose());
    writer.u8(b'A').short(issued.id.as_bytes()).bytes(issued.secret.expose());
    writer.u32(1);
    server::encode(&token.server, &mut writer);
    writer.short(b"old token").short(&token.auth.to_pkcs8());
    writer.u32(1);
    let (id, queue) = bench.client.queues.iter().next().unwrap();
    let live = queue.live().unwrap();
    let keys = live.notifier_keys().unwrap();
    writer.u32(id.0);
    server::encode(&queue.server, &mut writer);
    writer.short(&queue.auth.to_pkcs8());
    writer.short(live.recipient.as_bytes()).short(live.sender.as_bytes()).bytes(live.secret.expose());
    writer.u8(b'1').short(keys.id.as_bytes()).short(&keys.auth.to_pkcs8()).bytes(keys.secret.expose());
    writer.u8(b'1').short(b"subscription");
    writer.i64(9).u8(0);
    writer.u32(0).u32(0);
    let checksum = crate::crypto::sha::sha256(&bytes);
    bytes.extend_from_slice(&checksum[..8]);

    bench.client = Client::import(Config::default(), Seed::from_number(8), bench.now, &bytes).unwrap();
    bench.peers.clear();
    bench.take_words();
    bench.pass(MINUTE);
    assert_eq!(bench.take_words(), ["TDEL"]);
    bench.register(b"aa");
    assert_eq!(bench.take_words(), ["TCHK", "SCHK"]);
    let notice = bench.message(0, 1, 10);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    assert_eq!(bench.got(), [1]);
}

#[test]
fn a_state_with_the_same_queue_twice_or_one_never_made_is_refused() {
    let mut bench = Bench::watching();
    bench.client.queues_made = 0;
    let bytes = bench.client.export();
    let refused = Client::import(Config::default(), Seed::from_number(8), bench.now, &bytes).map(|_| ());
    assert_eq!(refused, Err(ImportError::Malformed { field: "queue" }));
    let narrow = Config { deletions_max: 0, ..Config::default() };
    bench.client.queues_made = 1;
    bench.cut();
    bench.is_network_up = false;
    bench.command(Command::Unregister);
    let bytes = bench.client.export();
    let refused = Client::import(narrow, Seed::from_number(8), bench.now, &bytes).map(|_| ());
    assert_eq!(refused, Err(ImportError::TooMany { what: "deletions" }));
}

/// Something that happens to a device.
#[derive(Clone, Copy, Debug)]
enum Incident {
    Create,
    Delete(u8),
    Turn(u8, bool),
    Mode(bool),
    Register(u8),
    Verify,
    Unregister,
    Message(u8),
    Check,
    Network(bool),
    Cut,
    Twist(u8, u8),
    Pass(u32),
    Restart(i32),
}

const WORDS: [&str; 14] = [
    "NEW", "NKEY", "NDEL", "DEL", "GET", "ACK", "TNEW", "TVFY", "TCHK", "TRPL", "TDEL", "TCRN", "SNEW",
    "SCHK",
];

fn steps() -> impl Strategy<Value = Vec<Incident>> {
    let step = prop_oneof![
        3 => Just(Incident::Create),
        1 => any::<u8>().prop_map(Incident::Delete),
        1 => any::<(u8, bool)>().prop_map(|(queue, on)| Incident::Turn(queue, on)),
        1 => any::<bool>().prop_map(Incident::Mode),
        3 => (0..2_u8).prop_map(Incident::Register),
        3 => Just(Incident::Verify),
        1 => Just(Incident::Unregister),
        2 => any::<u8>().prop_map(Incident::Message),
        1 => Just(Incident::Check),
        1 => any::<bool>().prop_map(Incident::Network),
        1 => Just(Incident::Cut),
        3 => any::<(u8, u8)>().prop_map(|(word, how)| Incident::Twist(word, how)),
        2 => (0..200_000_u32).prop_map(Incident::Pass),
        1 => any::<i32>().prop_map(Incident::Restart),
    ];
    proptest::collection::vec(step, 0..24)
}

impl Bench {
    fn step(&mut self, step: Incident) {
        let nth = |bench: &Self, number: u8| {
            let all: Vec<_> = bench.client.queues().collect();
            (!all.is_empty()).then(|| all[usize::from(number) % all.len()])
        };
        match step {
            Incident::Create => _ = self.create(),
            Incident::Delete(number) => {
                if let Some(queue) = nth(self, number) {
                    self.command(Command::DeleteQueue { queue });
                }
            }
            Incident::Turn(number, on) => {
                let notifications = if on { Notifications::On } else { Notifications::Off };
                if let Some(queue) = nth(self, number) {
                    self.command(Command::SetNotifications { queue, notifications });
                }
            }
            Incident::Mode(instant) => {
                self.command(Command::SetMode(if instant { Mode::Instant } else { Mode::Periodic }));
            }
            Incident::Register(device) => self.register(&[b'a', b'a' + device]),
            Incident::Verify => {
                if self.token_key.is_some() {
                    let push = self.verification([7; 32]);
                    self.push(&push);
                }
            }
            Incident::Unregister => self.command(Command::Unregister),
            Incident::Message(number) => {
                let watched = self.queues.iter().position(|held| held.notifier.is_some());
                if let (Some(queue), true) = (watched, self.token_key.is_some()) {
                    let notice = self.message(queue, number, 10);
                    let push = self.notices(&[notice]);
                    self.push(&push);
                }
            }
            Incident::Check => self.command(Command::Check),
            Incident::Network(up) => {
                self.is_network_up = up;
                if !up {
                    self.cut();
                }
            }
            Incident::Cut => self.cut(),
            Incident::Twist(word, how) => {
                let word = WORDS[usize::from(word) % WORDS.len()];
                let twist = match how % 5 {
                    // It would mean that the queue is gone with all its messages.
                    3 if matches!(word, "GET" | "ACK") => Twist::Silence,
                    0 => Twist::Cut,
                    1 => Twist::Silence,
                    2 => Twist::Error(ErrorCode::Internal),
                    3 => Twist::Error(ErrorCode::Auth),
                    _ => Twist::Error(ErrorCode::Quota),
                };
                self.twist(word, twist);
            }
            Incident::Pass(secs) => self.pass(Duration::from_secs(secs.into())),
            Incident::Restart(secs) => self.restart_after(i64::from(secs) * 1000),
        }
    }
}

// The seed is fixed so that a build says the same each time; another one is a matter of editing it.
proptest! {
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: proptest::test_runner::RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_comes_back_whole_and_a_damaged_one_is_refused(
        steps in steps(),
        at in any::<proptest::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let mut bench = Bench::new();
        for step in steps {
            bench.step(step);
        }
        bench.client.handle(bench.now, Input::Tick);
        bench.settle();
        let import = |bytes: &[u8]| Client::import(Config::default(), Seed::from_number(4), bench.now, bytes);
        let bytes = bench.client.export();
        let again = import(&bytes).map(|client| client.export().to_vec());
        prop_assert_eq!(again.as_deref(), Ok(&**bytes));
        let at = at.index(bytes.len());
        prop_assert!(import(&bytes[..at]).is_err(), "cut at {}", at);
        let mut changed = bytes.to_vec();
        changed[at] ^= flip;
        prop_assert!(import(&changed).is_err(), "changed at {}", at);
    }

    #[test]
    fn whatever_happened_ends_in_order_once_the_network_is_well(steps in steps()) {
        let mut bench = Bench::new();
        for step in steps {
            bench.step(step);
        }
        bench.is_network_up = true;
        bench.twists.clear();
        bench.register(b"aa");
        // A verification push is lost once in a while; the device asks for another.
        for _ in 0..3 {
            bench.pass(30 * MINUTE);
            if bench.token_key.is_some() {
                let push = bench.verification([7; 32]);
                bench.push(&push);
            }
        }
        bench.command(Command::Check);
        bench.pass(30 * MINUTE);
        prop_assert_eq!(bench.client.token_status(), Some(TokenStatus::Active));
        prop_assert_eq!(bench.client.pending(), 0);
        let Gauges { queues, notifiers, subscriptions, fetches, deletions, .. } = bench.client.gauges();
        prop_assert_eq!((fetches, deletions), (0, 0));
        let watched: Vec<_> = bench.client.queues().collect();
        let watched = watched.into_iter().filter(|id| bench.client.is_watched(*id)).count();
        prop_assert!(queues >= watched);
        prop_assert_eq!((notifiers, subscriptions), (watched, watched));
        // Each message that a device was told of was fetched.
        let left: Vec<_> = bench.queues.iter().filter(|held| held.notifier.is_some()).collect();
        prop_assert!(left.iter().all(|held| held.messages.is_empty()));
    }
}
