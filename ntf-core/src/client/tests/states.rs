//! The state as bytes, the end of a client, and what is printed of it.

use super::*;
use crate::client::ImportError;
use zeroize::Zeroizing;

impl Bench {
    /// Replaces the client with one that has its exported state.
    pub(super) fn restart(&mut self) {
        self.restart_with(Config::default());
    }

    pub(super) fn restart_with(&mut self, config: Config) {
        let bytes = self.import_with(config);
        assert_eq!(*self.client.export(), *bytes, "nothing is lost on the way");
    }

    /// The same where something changes on the way; what was exported.
    pub(super) fn import_with(&mut self, config: Config) -> Zeroizing<Vec<u8>> {
        // What is exported is as of the last input.
        self.client.handle(self.now, Input::Tick);
        self.settle();
        let bytes = self.client.export();
        self.peers.clear();
        self.client = Client::import(config, Seed::from_number(5), self.now, &bytes).expect("our own bytes");
        bytes
    }
}

#[test]
fn a_restored_client_goes_on_where_the_first_one_was() {
    let mut bench = Bench::watching();
    let first = bench.message(0, 1, 10);
    let push = bench.notices(core::slice::from_ref(&first));
    bench.push(&push);
    bench.send(b"before");
    bench.take_words();
    bench.restart();

    bench.register(b"aa");
    assert_eq!(bench.take_words(), ["TCHK", "SCHK"]);
    bench.told();
    let second = bench.message(0, 2, 11);
    let push = bench.notices(&[first, second]);
    bench.push(&push);
    assert_eq!(bench.got(), [2]);
    bench.take_words();
    bench.send(b"after");
    assert_eq!(bench.take_words(), ["SEND"], "with the key that secured the queue");
    bench.create();
    assert_eq!(bench.client.queues().count(), 2, "ids are not used twice");
}

#[test]
fn a_registration_goes_on_from_every_phase() {
    let mut bench = Bench::new();
    bench.is_network_up = false;
    bench.register(b"aa");
    bench.restart();
    bench.is_network_up = true;
    bench.register(b"aa");
    assert_eq!(bench.take_words(), ["TNEW"]);

    bench.restart();
    bench.register(b"aa");
    assert_eq!(bench.take_words(), ["TNEW"]);
    bench.twist("TVFY", Twist::Silence);
    let push = bench.verification([7; 32]);
    bench.push(&push);
    bench.take_words();
    bench.restart();
    bench.register(b"aa");
    assert_eq!(bench.take_words(), ["TVFY"]);

    bench.twist("TCHK", Twist::Token(TokenStatus::Invalid(Some(crate::model::token::InvalidReason::Bad))));
    bench.command(Command::Check);
    bench.restart();
    assert!(matches!(bench.client.token_status(), Some(TokenStatus::Invalid(Some(_)))));
    bench.command(Command::Unregister);
    bench.restart();
    assert_eq!(bench.client.token_status(), None);
}

#[test]
fn a_deletion_under_way_is_kept() {
    let mut bench = Bench::watching();
    let queue = bench.first_queue();
    bench.twist("DEL", Twist::Silence);
    bench.command(Command::DeleteQueue { queue });
    bench.restart();
    bench.take_words();
    bench.create();
    assert!(bench.take_words().contains(&"DEL"), "when the server is there again");
}

#[test]
fn bytes_that_are_no_state_are_refused_in_words() {
    let mut bench = Bench::watching();
    bench.send(b"x");
    let good = bench.client.export().to_vec();
    let import = |bytes: &[u8]| {
        Client::import(Config::default(), Seed::from_number(5), Now::default(), bytes).map(|_| ())
    };
    assert_eq!(import(&good), Ok(()));
    assert_eq!(import(b""), Err(ImportError::NotAState));
    assert_eq!(import(b"{\"json\":1}"), Err(ImportError::NotAState));
    assert_eq!(import(b"NTFC"), Err(ImportError::Damaged));
    assert_eq!(import(b"NTFC\x09"), Err(ImportError::OtherVersion { found: 9 }));
    for len in 5..good.len() {
        assert_eq!(import(&good[..len]), Err(ImportError::Damaged), "cut at {len}");
    }
    for at in 5..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x10;
        assert_eq!(import(&changed), Err(ImportError::Damaged), "changed at {at}");
    }
    // Whole, but not possible: the checksum is made to fit.
    for at in 5..good.len() - 8 {
        let mut changed = good[..good.len() - 8].to_vec();
        changed[at] ^= 0xff;
        let checksum = crate::crypto::sha::sha256(&changed);
        changed.extend_from_slice(&checksum[..8]);
        assert!(matches!(
            import(&changed),
            Ok(()) | Err(ImportError::Malformed { .. } | ImportError::TooMany { .. })
        ));
    }
    let narrow = Config { queues_max: 0, ..Config::default() };
    let refused = Client::import(narrow, Seed::from_number(5), Now::default(), &good).map(|_| ());
    assert_eq!(refused, Err(ImportError::TooMany { what: "queues" }));
    assert_eq!(
        ImportError::OtherVersion { found: 9 }.to_string(),
        "the state is of version 9; this program reads 1 to 5"
    );
}

#[test]
fn after_stop_there_is_nothing_left_to_do() {
    let mut bench = Bench::watching();
    bench.twist("GET", Twist::Silence);
    let notice = bench.message(0, 1, 10);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    bench.client.handle(bench.now, Input::Stop);
    bench.settle();
    assert_eq!(bench.peers.len(), 0, "all links are closed");
    assert!(matches!(bench.client.poll(), Step::Idle(None)));
    bench.client.handle(bench.now, Input::Tick);
    bench.push(&push);
    bench.register(b"bb");
    assert_eq!(bench.told(), ["Pushed"], "from before");
    assert!(matches!(bench.client.poll(), Step::Idle(None)));
}

#[test]
fn a_second_drain_yields_nothing() {
    let mut bench = Bench::watching();
    bench.register(b"aa");
    let deadline = |step| match step {
        Step::Idle(deadline) => deadline,
        Step::Do(effect) => panic!("{effect:?}"),
    };
    let first = deadline(bench.client.poll());
    assert!(first.is_some());
    assert_eq!(deadline(bench.client.poll()), first);
}

#[test]
fn the_same_seed_and_inputs_give_the_same_state() {
    let run = || {
        let mut bench = Bench::watching();
        let notice = bench.message(0, 1, 10);
        let push = bench.notices(&[notice]);
        bench.push(&push);
        bench.send(b"x");
        bench.client.export().to_vec()
    };
    assert_eq!(run(), run());
}

#[test]
fn what_a_client_knows_is_all_of_its_own() {
    let mut bench = Bench::watching();
    let notice = bench.message(0, 1, 10);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    let facts: Vec<_> = bench.client.knowledge().into_iter().map(|fact| (fact.what, fact.count)).collect();
    assert_eq!(
        facts,
        [
            ("device tokens", 1),
            ("subscribers", 1),
            ("SMP servers", 1),
            ("recipient ids", 1),
            ("sender ids", 1),
            ("notifier ids", 1),
            ("messages", 1),
        ]
    );
}

#[test]
fn nothing_of_a_client_is_printed() {
    let mut bench = Bench::watching();
    assert_eq!(format!("{:?}", bench.client), "Client(1 queues)");
    let notice = bench.message(0, b'S', 10);
    let push = bench.notices(&[notice]);
    bench.push(&push);
    assert_eq!(bench.told(), ["Pushed", "Message"]);
}
