//! Sending: securing, order, losses and refusals.

use super::*;

#[test]
fn the_first_message_secures_the_queue_and_all_go_in_order() {
    let mut bench = Bench::new();
    let tags = [bench.send(b"1"), bench.send(b"2"), bench.send(b"3")];
    assert_eq!(bench.take_words(), ["SKEY", "SEND", "SEND", "SEND"]);
    assert_eq!(bench.sent, [b"1", b"2", b"3"]);
    assert_eq!(bench.events, tags.map(|tag| Event::Sent { tag }));
}

#[test]
fn a_lost_answer_repeats_the_command_and_keeps_the_order() {
    for (word, twist) in
        [("SKEY", Twist::Cut), ("SEND", Twist::Cut), ("SKEY", Twist::Silence), ("SEND", Twist::Silence)]
    {
        let mut bench = Bench::new();
        bench.twist(word, twist.clone());
        bench.send(b"1");
        bench.send(b"2");
        bench.pass(MINUTE);
        bench.sent.dedup();
        assert_eq!(bench.sent, [b"1", b"2"], "{word} {twist:?}");
        assert_eq!(bench.told(), ["Sent", "Sent"], "{word} {twist:?}");
        assert_eq!(bench.client.pending(), 0);
    }
}

#[test]
fn refusals_are_told_with_the_tag_and_in_words() {
    for (word, twist, words) in [
        ("SKEY", Twist::Error(ErrorCode::Auth), "another sender has secured it"),
        ("SKEY", Twist::Error(ErrorCode::Internal), "SKEY: the SMP server answers INTERNAL"),
        ("SKEY", Twist::Nonsense, "none to this command"),
        ("SEND", Twist::Error(ErrorCode::Quota), "full until its recipient has read it (QUOTA)"),
        ("SEND", Twist::Error(ErrorCode::Auth), "no longer takes messages"),
        ("SEND", Twist::Error(ErrorCode::LargeMsg), "answers LARGE_MSG"),
        ("SEND", Twist::Nonsense, "none to this command"),
    ] {
        let mut bench = Bench::new();
        bench.twist(word, twist);
        let tag = bench.send(b"1");
        let [Event::Failed { tag: Some(told), why, .. }] = bench.events.as_slice() else { panic!("{words}") };
        assert!(*told == tag && why.contains(words), "{why}");
        bench.told();
        bench.send(b"2");
        assert_eq!(bench.told(), ["Sent"], "the next one passes: {words}");
    }
}

#[test]
fn a_message_may_be_as_long_as_a_block_carries() {
    let mut bench = Bench::new();
    bench.send(&vec![1; crate::client::MESSAGE_LEN_MAX]);
    assert_eq!(bench.told(), ["Sent"]);
    bench.send(&vec![1; crate::client::MESSAGE_LEN_MAX + 1]);
    assert_eq!(bench.told(), ["Failed(a message has at most 16048 bytes)"]);
}

#[test]
fn an_address_that_is_not_reached_collects_so_many_messages_and_no_more() {
    let mut bench = Bench::with(Config { outgoing_max: 2, senders_max: 1, ..Config::default() });
    bench.is_network_up = false;
    for _ in 0..3 {
        bench.send(b"x");
    }
    let failed = bench.told();
    assert_eq!(failed.last().unwrap(), "Failed(as many messages wait for this address as may wait)");
    let tag = bench.tag();
    let to = SenderAddress { sender: EntityId::new(b"other").unwrap(), ..bench.somebody() };
    bench.command(Command::Send { tag, to, message: vec![1] });
    assert_eq!(bench.told(), ["Failed(this client sends to as many addresses as it may)"]);
    bench.is_network_up = true;
    bench.pass(5 * MINUTE);
    assert_eq!(bench.sent.len(), 2);
}

#[test]
fn servers_of_which_nothing_is_wanted_any_more_are_forgotten() {
    let mut bench = Bench::with(Config { servers_max: 2, ..Config::default() });
    let send_to = |bench: &mut Bench, host: &str| {
        let (tag, server) = (bench.tag(), bench.server(host));
        bench.command(Command::Send {
            tag,
            to: SenderAddress { server, ..bench.somebody() },
            message: vec![1],
        });
        bench.told()
    };
    for number in 0..20 {
        assert_eq!(send_to(&mut bench, &format!("smp{number}.example.org")), ["Sent"], "number {number}");
        assert_eq!(bench.client.gauges().servers, 1);
        bench.pass(3 * MINUTE);
        assert_eq!(bench.client.gauges().servers, 0, "its connection was closed for want of use");
    }
    assert_eq!(send_to(&mut bench, "smp0.example.org"), ["Sent"], "met again");
    assert_eq!(send_to(&mut bench, "smp1.example.org"), ["Sent"]);
    assert_eq!(send_to(&mut bench, "smp2.example.org").len(), 1);
    assert_eq!(bench.client.gauges().servers, 2, "at the bound");
}
