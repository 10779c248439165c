#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::view::{Account, Fate, Kind, Known, Learned, LinkState, MessageState, Snapshot};
use super::*;
use alloc::string::{String, ToString};
use alloc::vec;

const MINUTE: u64 = 60;

fn stage(options: Options) -> Stage {
    let mut stage = Stage::new(options).unwrap();
    go_on(&mut stage, 2 * MINUTE);
    stage
}

/// Lets so many seconds pass; gives what happened.
fn go_on(stage: &mut Stage, seconds: u64) -> Vec<Happening> {
    let until = stage.now() + core::time::Duration::from_secs(seconds);
    let mut happened = Vec::new();
    while stage.now() < until {
        happened.extend(stage.run(until, 100));
    }
    happened
}

fn send(stage: &mut Stage, device: Party, text: &str) {
    stage.act(Deed::Send { device, text: text.into() }).unwrap();
}

fn states(stage: &Stage) -> Vec<MessageState> {
    stage.snapshot().messages.iter().map(|message| message.state).collect()
}

fn screen(stage: &Stage, device: Party) -> Option<String> {
    stage.snapshot().parties.into_iter().find(|party| party.id == device)?.notification
}

fn learned(stage: &Stage, fact: &str, party: Party) -> bool {
    let rows = stage.facts();
    let row = rows.iter().find(|row| row.fact == fact).unwrap_or_else(|| panic!("no fact {fact}"));
    row.parties[&party] == Learned::Yes
}

fn assert_kept(stage: &Stage) {
    assert_eq!(stage.broken(), [""; 0]);
    let Snapshot { account, laws, .. } = stage.snapshot();
    assert_eq!(account.sent, account.read + account.shown + account.waiting + account.lost);
    assert!(laws.iter().all(|law| law.holds));
}

fn watched(stage: &Stage) -> (u32, u32) {
    let gauges = stage.world.subscriber(stage.cast.subscriber().0).unwrap().gauges();
    (gauges.tokens, gauges.subscriptions)
}

fn every_shape() -> Vec<Options> {
    let usual = Options::default();
    vec![usual, Options { sealed: true, ..usual }, Options { shape: Shape::Single, ..usual }]
}

#[test]
fn phones_register_and_messages_reach_each_of_them() {
    for options in every_shape() {
        let mut stage = stage(options);
        assert_eq!(watched(&stage), (2, 4), "{options:?}");
        for device in Party::DEVICES {
            send(&mut stage, device, "Dinner at eight?");
        }
        go_on(&mut stage, 30);
        assert_eq!(states(&stage), [MessageState::Read; 3], "{options:?}");
        assert_eq!(screen(&stage, Party::DeviceB).as_deref(), Some("Dinner at eight?"));
        assert_kept(&stage);
    }
}

#[test]
fn the_shape_decides_what_the_push_server_learns() {
    let after_a_message = |options| {
        let mut stage = stage(options);
        send(&mut stage, Party::DeviceA, "Look out of the window!");
        go_on(&mut stage, 30);
        stage
    };
    let [split, sealed, single] = [0, 1, 2].map(|number| after_a_message(every_shape()[number]));
    let hosts = "which SMP servers hold the queues";
    let token = "device token of an iPhone";
    for (stage, push_knows_hosts, subscriber_knows_token) in
        [(&split, false, true), (&sealed, false, false), (&single, true, true)]
    {
        assert_eq!(learned(stage, hosts, Party::Push), push_knows_hosts, "{:?}", stage.options());
        assert_eq!(learned(stage, token, Party::Subscriber), subscriber_knows_token, "{:?}", stage.options());
        assert!(learned(stage, token, Party::Push) && learned(stage, token, Party::Apple));
        assert!(learned(stage, hosts, Party::Subscriber) && !learned(stage, hosts, Party::Apple));
        assert!(!learned(stage, token, Party::Smp1) && !learned(stage, token, Party::Sender));
    }
}

#[test]
fn only_the_two_ends_read_a_message_and_only_servers_of_the_queue_know_its_addresses() {
    let mut stage = stage(Options::default());
    for device in [DeviceA, DeviceA, DeviceC, DeviceC] {
        send(&mut stage, device, "The cat is fine.");
    }
    go_on(&mut stage, 60);
    let who = |fact: &str| -> Vec<Party> {
        Party::ALL.into_iter().filter(|party| learned(&stage, fact, *party)).collect()
    };
    use self::Party::{Apple, DeviceA, DeviceB, DeviceC, Push, Sender, Smp1, Smp2, Subscriber};
    assert_eq!(who("what a message says"), [Sender, DeviceA, DeviceC]);
    assert_eq!(who("address for receiving from a queue"), [Smp1, Smp2, DeviceA, DeviceB, DeviceC]);
    assert_eq!(who("address for sending to a queue"), [Sender, Smp1, Smp2, DeviceA, DeviceB, DeviceC]);
    assert_eq!(who("notifier id of a queue"), [Smp1, Smp2, Subscriber, DeviceA, DeviceB]);
    assert_eq!(who("that two queues are of one iPhone"), [Subscriber, DeviceA, DeviceB]);
    assert_eq!(
        who("when a message came for an iPhone"),
        [Sender, Smp1, Smp2, Subscriber, Push, Apple, DeviceA]
    );
    assert_eq!(who("network address of an iPhone"), [Smp1, Smp2, Subscriber, Apple]);
    assert_eq!(who("network address of the sender"), [Smp1, Smp2]);
    assert_eq!(who("that the Android phone exists"), [Sender, Smp1, Smp2, DeviceC]);
}

#[test]
fn a_phone_with_direct_connections_needs_no_push() {
    let mut stage = stage(Options::default());
    let accepted = |stage: &Stage| stage.world.provider(stage.cast.nodes.provider).unwrap().accepted();
    let before = accepted(&stage);
    send(&mut stage, Party::DeviceC, "Straight to you");
    go_on(&mut stage, 5);
    assert_eq!((states(&stage), accepted(&stage)), (vec![MessageState::Read], before));
}

#[test]
fn a_budget_that_is_exceeded_turns_into_one_visible_alert() {
    let mut stage = stage(Options { policy: Policy::HiddenThenVisible, ..Options::default() });
    assert_eq!(stage.snapshot().budget[0].left, 1);
    stage.act(Deed::Flood(Party::DeviceA)).unwrap();
    let happened = go_on(&mut stage, 60);
    assert_eq!(screen(&stage, Party::DeviceA).as_deref(), Some("You have a new message"));
    let pushes = happened.iter().filter(|happening| {
        happening.name.as_deref() == Some("push") && happening.to == Some(Party::DeviceA)
    });
    assert_eq!(pushes.count(), 2, "a hidden one and an alert");
    let Account { sent, read, shown, .. } = stage.snapshot().account;
    assert!(sent == 12 && read >= 1 && shown >= 1 && read + shown == 12, "{read} read, {shown} shown");
    assert_eq!(stage.snapshot().budget[0].left, 0);
    stage.act(Deed::OpenApp(Party::DeviceA)).unwrap();
    go_on(&mut stage, 30);
    assert_eq!(stage.snapshot().account.read, 12);
    assert_kept(&stage);
}

#[test]
fn an_alert_waits_for_its_owner() {
    let mut stage = stage(Options { policy: Policy::VisibleOnly, ..Options::default() });
    send(&mut stage, Party::DeviceB, "Call me when you can.");
    go_on(&mut stage, 10 * MINUTE);
    assert_eq!(states(&stage), [MessageState::Shown]);
    stage.act(Deed::OpenApp(Party::DeviceB)).unwrap();
    assert_eq!(screen(&stage, Party::DeviceB), None);
    go_on(&mut stage, 10);
    assert_eq!(states(&stage), [MessageState::Read]);
    assert_kept(&stage);
}

#[test]
fn a_killed_subscriber_forgets_and_phones_come_back_by_themselves() {
    for options in every_shape() {
        let mut stage = stage(options);
        stage.act(Deed::Kill(Party::Subscriber)).unwrap();
        send(&mut stage, Party::DeviceA, "Into the gap");
        go_on(&mut stage, 60);
        assert!(!stage.snapshot().parties[3].up);
        assert_eq!(states(&stage), [MessageState::Excused], "{options:?}");
        stage.act(Deed::Start(Party::Subscriber)).unwrap();
        assert_eq!(watched(&stage), (0, 0), "{options:?}");
        go_on(&mut stage, 20 * MINUTE);
        assert_eq!(watched(&stage), (2, 4), "{options:?}");
        send(&mut stage, Party::DeviceA, "After the gap");
        send(&mut stage, Party::DeviceA, "And on the other queue");
        go_on(&mut stage, 30);
        assert_eq!(states(&stage), [MessageState::Read; 3], "{options:?}");
        assert_kept(&stage);
    }
}

#[test]
fn an_opened_app_brings_everything_back_at_once() {
    let mut stage = stage(Options::default());
    stage.act(Deed::Kill(Party::Subscriber)).unwrap();
    go_on(&mut stage, 10);
    stage.act(Deed::Start(Party::Subscriber)).unwrap();
    stage.act(Deed::OpenApp(Party::DeviceA)).unwrap();
    go_on(&mut stage, 60);
    assert_eq!(watched(&stage), (1, 2));
    assert_kept(&stage);
}

#[test]
fn every_server_can_be_killed_and_nothing_is_lost() {
    for party in [Party::Push, Party::Smp1, Party::Smp2] {
        let mut stage = stage(Options::default());
        stage.act(Deed::Kill(party)).unwrap();
        for device in Party::DEVICES {
            send(&mut stage, device, "While it is down");
            send(&mut stage, device, "And once more");
        }
        go_on(&mut stage, 5 * MINUTE);
        stage.act(Deed::Start(party)).unwrap();
        go_on(&mut stage, 30 * MINUTE);
        for device in Party::DEVICES {
            send(&mut stage, device, "When it is back");
            send(&mut stage, device, "Twice as well");
        }
        go_on(&mut stage, 5 * MINUTE);
        assert_eq!(
            stage.snapshot().account.read,
            stage.snapshot().account.sent,
            "{party:?}: {:?}",
            states(&stage)
        );
        assert_kept(&stage);
    }
}

#[test]
fn a_refused_token_is_replaced() {
    let mut stage = stage(Options::default());
    stage.act(Deed::RefuseToken(Party::DeviceA)).unwrap();
    send(&mut stage, Party::DeviceA, "To a token that is gone");
    let happened = go_on(&mut stage, 60);
    assert!(happened.iter().any(|happening| happening.name.as_deref() == Some("410")));
    assert_eq!(states(&stage), [MessageState::Excused]);
    go_on(&mut stage, 30 * MINUTE);
    send(&mut stage, Party::DeviceA, "To the new one");
    send(&mut stage, Party::DeviceA, "Over the other queue");
    go_on(&mut stage, 60);
    assert_eq!(states(&stage), [MessageState::Read; 3]);
    assert_kept(&stage);
}

#[test]
fn pushes_that_apple_loses_are_accounted_for() {
    let mut stage = stage(Options::default());
    stage.act(Deed::DropPushes(true)).unwrap();
    send(&mut stage, Party::DeviceA, "Lost on the way");
    let happened = go_on(&mut stage, 60);
    let is_lost =
        |happening: &Happening| happening.fate == Some(Fate::Lost) && happening.to == Some(Party::DeviceA);
    assert!(happened.iter().any(is_lost));
    assert_eq!((states(&stage), stage.snapshot().account.lost), (vec![MessageState::Excused], 1));
    assert!(stage.snapshot().messages[0].why.as_ref().unwrap().contains("Apple"));
    stage.act(Deed::DropPushes(false)).unwrap();
    send(&mut stage, Party::DeviceA, "Another queue");
    send(&mut stage, Party::DeviceA, "The same queue again");
    go_on(&mut stage, 60);
    assert_eq!(states(&stage), [MessageState::Read; 3]);
    assert_kept(&stage);
}

#[test]
fn what_is_cut_waits_and_goes_on_when_it_is_mended() {
    let mut stage = stage(Options::default());
    for (a, b) in [(Party::DeviceA, Party::Smp1), (Party::Smp2, Party::DeviceA), (Party::Push, Party::Apple)]
    {
        stage.act(Deed::Cut(a, b)).unwrap();
    }
    send(&mut stage, Party::DeviceA, "Behind the cut");
    go_on(&mut stage, 60);
    assert_ne!(states(&stage), [MessageState::Read]);
    let is_cut =
        |stage: &Stage| stage.snapshot().links.iter().filter(|link| link.state == LinkState::Cut).count();
    assert_eq!(is_cut(&stage), 3);
    for (a, b) in [(Party::Smp1, Party::DeviceA), (Party::DeviceA, Party::Smp2), (Party::Apple, Party::Push)]
    {
        stage.act(Deed::Mend(a, b)).unwrap();
    }
    go_on(&mut stage, 10 * MINUTE);
    assert_eq!((states(&stage), is_cut(&stage)), (vec![MessageState::Read], 0));
    assert_kept(&stage);
}

#[test]
fn an_envelope_that_is_held_tells_so_and_goes_on() {
    let mut stage = stage(Options::default());
    stage.act(Deed::Slow(Party::Sender, Party::Smp1, 3000)).unwrap();
    stage.act(Deed::Slow(Party::Sender, Party::Smp2, 3000)).unwrap();
    send(&mut stage, Party::DeviceC, "Slowly");
    let mut happened = go_on(&mut stage, 10);
    send(&mut stage, Party::DeviceC, "Slowly as well");
    happened.extend(go_on(&mut stage, 1));
    stage.act(Deed::Cut(Party::Sender, Party::Smp1)).unwrap();
    stage.act(Deed::Cut(Party::Sender, Party::Smp2)).unwrap();
    happened.extend(go_on(&mut stage, 10));
    let held = happened.iter().find(|happening| happening.fate == Some(Fate::Held)).expect("one is held");
    let id = held.id;
    stage.act(Deed::Mend(Party::Sender, Party::Smp1)).unwrap();
    stage.act(Deed::Mend(Party::Sender, Party::Smp2)).unwrap();
    let goes_on = |happening: &Happening| happening.id == id && happening.fate == Some(Fate::Arrives);
    assert!(go_on(&mut stage, 30).iter().any(goes_on));
}

#[test]
fn a_stranger_who_hammers_the_subscriber_changes_nothing_for_others() {
    let mut stage = stage(Options::default());
    stage.act(Deed::Hostile(true)).unwrap();
    let happened = go_on(&mut stage, MINUTE);
    for word in ["TNEW", "TVFY", "TDEL"] {
        let is_said = |happening: &Happening| {
            happening.from == Some(Party::Stranger) && happening.name.as_deref() == Some(word)
        };
        assert!(happened.iter().any(is_said), "the stranger says {word}");
    }
    for device in Party::DEVICES {
        send(&mut stage, device, "In spite of everything");
    }
    go_on(&mut stage, 30);
    assert_eq!(states(&stage), [MessageState::Read; 3]);
    let subscriber = &stage.snapshot().parties[3];
    assert!(subscriber.lines.iter().any(|line| line.contains("refused")), "{:?}", subscriber.lines);
    stage.act(Deed::Hostile(false)).unwrap();
    go_on(&mut stage, 60);
    assert_kept(&stage);
}

#[test]
fn a_carrier_teaches_the_direct_phone_to_let_tcp_ask_more_often() {
    let interval = |network| {
        let mut stage = stage(Options { network, ..Options::default() });
        go_on(&mut stage, 180 * MINUTE);
        send(&mut stage, Party::DeviceC, "Still there?");
        go_on(&mut stage, 5 * MINUTE);
        assert_eq!(states(&stage), [MessageState::Read]);
        assert_kept(&stage);
        stage
            .world
            .client(stage.cast.nodes.devices[2])
            .unwrap()
            .direct_probes()
            .expect("less than pings alone")
    };
    assert!(interval(Network::Carrier) * 2 < interval(Network::Wifi));
}

#[test]
fn everything_at_once_for_a_day_keeps_every_promise() {
    let mut stage = stage(Options { policy: Policy::HiddenThenVisible, seed: 7, ..Options::default() });
    stage.act(Deed::Autoplay(true)).unwrap();
    let deeds = [
        Deed::Kill(Party::Subscriber),
        Deed::Start(Party::Subscriber),
        Deed::Network(Network::Carrier),
        Deed::DropPushes(true),
        Deed::DropPushes(false),
        Deed::RefuseToken(Party::DeviceB),
        Deed::Flood(Party::DeviceA),
        Deed::Cut(Party::Smp1, Party::Subscriber),
        Deed::Mend(Party::Smp1, Party::Subscriber),
        Deed::OpenApp(Party::DeviceA),
        Deed::OpenApp(Party::DeviceB),
    ];
    for deed in deeds {
        stage.act(deed).unwrap();
        go_on(&mut stage, 20 * MINUTE);
    }
    go_on(&mut stage, 240 * MINUTE);
    assert!(stage.snapshot().account.sent > 500);
    assert_kept(&stage);
}

#[test]
fn a_record_plays_to_the_same_fingerprint_however_time_goes_on() {
    let mut first = stage(Options { seed: u64::MAX, ..Options::default() });
    first.act(Deed::Autoplay(true)).unwrap();
    go_on(&mut first, 90);
    send(&mut first, Party::DeviceA, "In between");
    first.step();
    first.act(Deed::Kill(Party::Subscriber)).unwrap();
    go_on(&mut first, 30);
    first.act(Deed::Start(Party::Subscriber)).unwrap();
    go_on(&mut first, 10 * MINUTE);
    let trace = first.trace();

    let mut again = Stage::replay(&trace).unwrap();
    assert_eq!(again.play(), Some(true));
    assert_eq!(
        (again.trace_hash(), again.now(), again.steps()),
        (first.trace_hash(), first.now(), first.steps())
    );
    assert_eq!(again.trace(), trace);
    assert_eq!(again.snapshot(), first.snapshot());

    let mut slowly = Stage::replay(&trace).unwrap();
    assert!(slowly.act(Deed::OpenApp(Party::DeviceA)).is_err(), "while it plays");
    while slowly.now() < first.now() {
        let until = slowly.now() + core::time::Duration::from_millis(777);
        slowly.run(until.min(first.now()), 3);
    }
    assert_eq!(slowly.trace_hash(), first.trace_hash());
    slowly.run(first.now(), 10);
    slowly.act(Deed::OpenApp(Party::DeviceA)).unwrap();
    assert_kept(&slowly);
}

#[test]
fn what_is_no_record_gets_a_sentence() {
    let mut first = stage(Options::default());
    send(&mut first, Party::DeviceA, "x");
    let trace = first.trace();
    for place in 0..trace.len() {
        let mut changed = trace.clone();
        changed[place] ^= 1;
        let expected = match place {
            0..=3 => RecordingError::NotARecording,
            4 => RecordingError::OtherVersion { found: 0, reads: 1 },
            _ => RecordingError::Damaged,
        };
        assert_eq!(Stage::replay(&changed).err(), Some(expected), "byte {place}");
        assert!(Stage::replay(&trace[..place]).is_err(), "cut to {place}");
    }
    let long = [trace, vec![0; 5 << 20]].concat();
    assert_eq!(Stage::replay(&long).err(), Some(RecordingError::TooLong));
    let text = RecordingError::OtherVersion { found: 9, reads: 1 }.to_string();
    assert_eq!(text, "the recording is of version 9; this program reads version 1");
}

#[test]
fn deeds_that_make_no_sense_get_a_sentence_and_change_nothing() {
    let mut fresh = Stage::new(Options::default()).unwrap();
    assert!(fresh.act(Deed::Send { device: Party::DeviceA, text: "x".into() }).is_err(), "no queue yet");
    let single = Options { shape: Shape::Single, ..Options::default() };
    assert!(Stage::new(Options { sealed: true, ..single }).is_err());
    let mut stage = stage(single);
    let trace = stage.trace();
    for deed in [
        Deed::Send { device: Party::DeviceA, text: String::new() },
        Deed::Send { device: Party::DeviceA, text: "x".repeat(TEXT_LEN_MAX + 1) },
        Deed::Send { device: Party::Apple, text: "x".into() },
        Deed::RefuseToken(Party::DeviceC),
        Deed::RefuseToken(Party::Sender),
        Deed::Kill(Party::Apple),
        Deed::Kill(Party::DeviceA),
        Deed::Cut(Party::Subscriber, Party::Push),
        Deed::Cut(Party::Sender, Party::Subscriber),
        Deed::Cut(Party::Apple, Party::DeviceA),
        Deed::Slow(Party::Sender, Party::Smp1, SLOW_MILLIS_MAX + 1),
        Deed::Slow(Party::DeviceC, Party::Subscriber, 1),
        Deed::OpenApp(Party::Subscriber),
        Deed::Flood(Party::Smp1),
    ] {
        let why = stage.act(deed.clone()).expect_err("a sentence").0;
        assert!(why.ends_with('.'), "{deed:?}: {why}");
    }
    assert_eq!(stage.trace(), trace);
}

#[test]
fn an_envelope_is_open_to_its_receiver_and_to_nobody_else() {
    let mut stage = stage(Options { sealed: true, ..Options::default() });
    send(&mut stage, Party::DeviceA, "On my way.");
    let happened = go_on(&mut stage, 30);
    let layers = |name: &str, to: Party| {
        let is_it = |happening: &&Happening| {
            happening.kind == Kind::Envelope
                && happening.to == Some(to)
                && happening.name.as_deref().is_some_and(|all| all.split(' ').any(|word| word == name))
        };
        let id = happened.iter().find(is_it).and_then(|happening| happening.id);
        stage.envelope(id.unwrap_or_else(|| panic!("no {name} for {to:?}")))
    };
    assert!(says(&layers("MSG", Party::DeviceA), "On my way."));
    assert!(
        !says(&layers("SEND", Party::Smp1), "On my way.")
            || !says(&layers("SEND", Party::Smp2), "On my way.")
    );
    assert!(says(&layers("push", Party::DeviceA), "smp"), "the phone reads which server");
    assert!(!says(&layers("push", Party::Apple), "smp"));
    assert!(says(&layers("order", Party::Push), "device token"), "opened with its key");
    for party in Party::ALL {
        let known = stage.knows(party);
        assert_eq!(says(&known, "On my way."), matches!(party, Party::Sender | Party::DeviceA), "{party:?}");
    }
}

/// Whether this is written anywhere in it.
fn says(known: &[Known], what: &str) -> bool {
    known
        .iter()
        .any(|entry| entry.title.contains(what) || entry.text.contains(what) || says(&entry.children, what))
}
