//! What strangers and slow readers cannot do.

use super::*;
use crate::base::limits::{LINK_WINDOW_BLOCKS, SMP_BLOCK_LEN};
use crate::model::server::Protocol;
use crate::wire::block::Layout;

#[test]
fn a_bad_block_is_answered_and_the_link_goes_on() {
    for (version, encryption) in
        [(6, BlockEncryption::Never), (18, BlockEncryption::Never), (18, BlockEncryption::WherePossible)]
    {
        let mut world = World::new();
        let link = world.client_of(version, encryption);
        let overlong = [0xff; SMP_BLOCK_LEN];
        let plain = |content: &[u8]| Layout::plain(Protocol::Smp).block(content).unwrap();
        for bad in [
            vec![0; SMP_BLOCK_LEN],
            overlong.to_vec(),
            plain(b""),
            plain(&[0]),
            plain(&[1]),
            plain(&[2, 0, 1, 0]),
            plain(&[1, 0, 1, 0, 0]),
        ] {
            let mut bad = bad;
            world.handle(Input::Link(LinkEvent::Block { link, block: &mut bad }));
            if encryption == BlockEncryption::WherePossible {
                // The server's key chain moved on with the bad block, and so must the client's.
                advance_chain(&mut world, link);
            }
            let expected = Heard { corr: Vec::new(), entity: Vec::new(), message: err(ErrorCode::Block) };
            assert_eq!(core::mem::take(&mut world.client_mut(link).heard), [expected], "version {version}");
        }
        assert_eq!(world.ask(link, None, b"", Command::Ping), b"PONG", "version {version}");
    }
}

#[test]
fn one_bad_transmission_does_not_spoil_its_batch() {
    let mut world = World::new();
    let link = world.client();
    let session = world.client_mut(link).session.as_mut().unwrap();
    let ping = transmit(session, None, &[1; 24], b"", |version, out| Command::Ping.encode(version, out));
    for bytes in [&ping[..], b"\xff", &ping] {
        session.outgoing.push(|out| out.extend_from_slice(bytes)).unwrap();
    }
    world.flush(link);
    let words: Vec<_> = core::mem::take(&mut world.client_mut(link).heard);
    let words: Vec<_> = words.iter().map(|heard| heard.message.as_slice()).collect();
    assert_eq!(words, [b"ERR BLOCK".as_slice(), b"PONG", b"PONG"]);
}

#[test]
fn a_bad_hello_ends_its_own_link_only() {
    let mut world = World::new();
    let good = world.client();
    let hello = |content: &[u8]| Layout::plain(Protocol::Smp).block(content).unwrap();
    let stranger = [&[0, 18, 32][..], &[7; 32]].concat();
    for (what, bytes) in [
        ("an empty hello", hello(b"")),
        ("zeros", vec![0; SMP_BLOCK_LEN]),
        ("no block of ours", vec![0xff; SMP_BLOCK_LEN]),
        ("a short block", vec![0; SMP_BLOCK_LEN - 1]),
        ("another server's fingerprint", hello(&stranger)),
    ] {
        let link = LinkId::accepted(1000);
        let client = Client {
            greeting: None,
            session: None,
            heard: Vec::new(),
            stalled: Some(Vec::new()),
            is_closed: false,
        };
        world.clients.insert(link, client);
        let transport = Transport {
            session_id: [1; 32].into(),
            has_alpn: true,
            peer_chain: Vec::new(),
            showed_certificate: false,
            source: None,
        };
        world.handle(Input::Link(LinkEvent::Up { link, transport }));
        let mut bytes = bytes;
        world.handle(Input::Link(LinkEvent::Block { link, block: &mut bytes }));
        assert!(world.client_mut(link).is_closed, "{what}");
        assert_eq!(world.server.gauges().links, 1, "{what}");
        assert_eq!(world.ask(good, None, b"", Command::Ping), b"PONG", "{what}");
    }
    assert_eq!(world.server.counters().handshakes_failed.total(), 5);
}

#[test]
fn links_are_bounded() {
    let mut world = World::with(|config| config.limits.links = 2);
    let [first, _second] = [(); 2].map(|()| world.client());
    let third = world.connect(18, BlockEncryption::WherePossible);
    assert!(world.client_mut(third).is_closed);
    assert_eq!(world.server.counters().links_refused.total(), 1);
    world.handle(Input::Link(LinkEvent::Down { link: first, reason: DownReason::Closed }));
    world.client();
}

#[test]
fn credentials_that_are_none_close_every_link() {
    let mut world = World::with(|config| config.credentials.chain.clear());
    let link = world.connect(18, BlockEncryption::WherePossible);
    assert!(world.client_mut(link).is_closed);
    assert_eq!(world.server.gauges().links, 0);
}

#[test]
fn a_watcher_that_does_not_read_keeps_its_notifications_and_holds_up_nobody() {
    let mut world = World::with(|config| {
        config.limits.notifications_per_notifier = 100_000;
        config.limits.queue_quota = 100_000;
    });
    let [recipient, slow, quick] = [(); 3].map(|()| world.client());
    let mailboxes = [(); 2].map(|()| world.mailbox(recipient, SubscribeMode::OnlyCreate));
    let watches = [0, 1].map(|at| world.notifier(recipient, &mailboxes[at]));
    world.watch(slow, &watches[0]);
    world.watch(quick, &watches[1]);
    world.client_mut(slow).stalled = Some(Vec::new());

    let total = 80 * 64 + 500;
    let send = |mailbox: &Mailbox| (mailbox.sender.clone(), Command::Send { notify: true, message: b"x" });
    for _ in 0..total / 110 + 1 {
        let (sender, command) = send(&mailboxes[0]);
        world.send_all(recipient, &vec![(None, sender.as_slice(), command); 110]);
    }
    world.client_mut(recipient).heard.clear();
    world.send(recipient, &mailboxes[1], true, b"x");
    world.advance(Duration::from_secs(60));
    assert_eq!(world.take_events(quick).len(), 1);
    let held = world.client_mut(slow).stalled.as_ref().unwrap().len();
    assert_eq!(held, LINK_WINDOW_BLOCKS as usize);
    let kept = world.server.gauges().notifications;
    assert!(kept > 400, "{kept}");
    assert_eq!(world.server.gauges().unsent_blocks, u64::from(LINK_WINDOW_BLOCKS));

    unstall(&mut world, slow);
    world.advance(Duration::from_secs(3));
    assert_eq!(world.server.gauges().notifications, 0);
    let told = world.take_events(slow);
    assert_eq!(told.len(), (total / 110 + 1) * 110);
    let mut messages: Vec<_> = told.iter().map(|(_, nmsg)| watches[0].open(nmsg).0).collect();
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), told.len(), "none is lost, none comes twice");
}

#[test]
fn a_subscriber_that_does_not_read_gets_its_messages_when_it_does() {
    let mut world = World::new();
    let [slow, sender] = [(); 2].map(|()| world.client());
    let mailboxes: Vec<_> = (0..100).map(|_| world.mailbox(slow, SubscribeMode::Subscribe)).collect();
    world.client_mut(slow).stalled = Some(Vec::new());
    for mailbox in &mailboxes {
        world.send(sender, mailbox, false, b"x");
    }
    let held = world.client_mut(slow).stalled.as_ref().unwrap().len();
    assert_eq!(held, LINK_WINDOW_BLOCKS as usize);
    unstall(&mut world, slow);
    assert_eq!(world.take_events(slow).len(), 100);
}

#[test]
fn a_link_whose_adapter_reads_on_although_nothing_drains_is_closed() {
    let mut world = World::new();
    let link = world.client();
    world.client_mut(link).stalled = Some(Vec::new());
    let mut pings = 0;
    while !world.client_mut(link).is_closed {
        world.send_all(link, &[(None, b"", Command::Ping)]);
        pings += 1;
        assert!(pings < 1000, "the link must not be served for ever");
    }
    assert_eq!(pings, 64 + 255 + 2);
    assert_eq!(world.server.counters().links_overrun.total(), 1);
    assert_eq!(world.server.gauges().unsent_blocks, 0);
}

#[test]
fn random_blocks_and_commands_break_nothing() {
    let mut world = World::with(|config| {
        config.limits.queues = 20;
        config.limits.queue_quota = 3;
        config.limits.notifications_per_notifier = 2;
        config.limits.bytes = 5000;
    });
    let link = world.client_of(18, BlockEncryption::Never);
    let mailbox = world.mailbox(link, SubscribeMode::Subscribe);
    let words: [&[u8]; 12] = [
        b"NEW ", b"SUB", b"GET", b"ACK ", b"KEY ", b"NKEY ", b"NDEL", b"SEND T ", b"NSUB", b"PING", b"RKEY ",
        b"LSET ",
    ];
    for round in 0..3000_u32 {
        let noise: [u8; 200] = world.rng.bytes();
        let at = usize::from(noise[0]) % words.len();
        let len = usize::from(noise[1]) % 150;
        let entity = [&mailbox.recipient, &mailbox.sender][usize::from(noise[2]) % 2].clone();
        let key = [None, Some(&mailbox.key)][usize::from(noise[3]) % 2];
        let session = world.client_mut(link).session.as_ref().unwrap();
        let mut raw = transmit(session, key, &noise[4..28], &entity, |_, out| {
            out.extend_from_slice(words[at]);
            out.extend_from_slice(&noise[28..28 + len]);
        });
        if round % 3 == 0 {
            let place = usize::from(noise[199]) % raw.len();
            raw[place] ^= noise[198];
        }
        world.send_raw(link, &raw);
        world.client_mut(link).heard.clear();
        let gauges = world.server.gauges();
        assert!(
            gauges.queues <= 20 && gauges.messages <= 4 && gauges.bytes <= 5000 && gauges.notifications <= 2
        );
        if round % 50 == 0 {
            world.advance(Duration::from_secs(2));
        }
    }
    assert!(!world.client_mut(link).is_closed);
    assert_eq!(world.ask(link, None, b"", Command::Ping), b"PONG");
}

/// Moves the client's sealing chain past one block.
fn advance_chain(world: &mut World, link: LinkId) {
    let session = world.client_mut(link).session.as_mut().unwrap();
    session.outgoing.push(|out| out.extend_from_slice(b"x")).unwrap();
    session.outgoing.take().unwrap();
}

/// The link drains: the client reads what was held, and the server learns that it was sent.
fn unstall(world: &mut World, link: LinkId) {
    let held = world.client_mut(link).stalled.take().unwrap();
    let blocks = u32::try_from(held.len()).unwrap();
    let mut rng = Seed::from_number(1).stream(crate::base::rng::Stream::World);
    for block in held {
        world.client_mut(link).on_block(block, &mut rng);
    }
    world.handle(Input::Link(LinkEvent::Sent { link, blocks }));
}
