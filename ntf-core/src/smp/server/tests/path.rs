//! The way of a message and its notification, in every version and with every kind of key.

use super::*;

#[test]
fn a_message_its_notification_and_its_acknowledgement_in_every_version() {
    for version in 6..=18 {
        for encryption in [BlockEncryption::WherePossible, BlockEncryption::Never] {
            let mut world = World::new();
            let [recipient, sender, notifier] = [(); 3].map(|()| world.client_of(version, encryption));
            let mailbox = world.mailbox(recipient, SubscribeMode::OnlyCreate);
            let watch = world.notifier(recipient, &mailbox);
            world.watch(notifier, &watch);
            world.send(sender, &mailbox, true, b"hello");
            assert_eq!(world.take_events(notifier), [], "not before the round");
            world.advance(Duration::from_millis(1500));

            let events = world.take_events(notifier);
            assert_eq!(events.len(), 1, "version {version}");
            assert_eq!(events[0].0, watch.id);
            let (told_id, told_at) = watch.open(&events[0].1);

            let subscribed: &[u8] = if version >= 16 { b"SOK 0" } else { b"OK" };
            let answer = world.ask(recipient, Some(&mailbox.key), &mailbox.recipient, Command::Sub);
            assert_eq!(answer, subscribed);
            let events = world.take_events(recipient);
            assert_eq!(events[0].0, mailbox.recipient);
            let (id, body) = mailbox.open_body(&events[0].1);
            let expected = MessageBody::Message { sent_at: told_at, notify: true, message: b"hello" };
            assert_eq!(MessageBody::decode(&body), Ok(expected), "version {version}");
            assert_eq!(id, told_id, "the device can match the two");
            assert_eq!(told_at, 1_700_000_000);

            let ack = Command::Ack { message: &id };
            world.ask_ok(recipient, Some(&mailbox.key), &mailbox.recipient, ack);
            world.advance(Duration::from_secs(60));
            for link in [recipient, sender, notifier] {
                assert_eq!(world.take_events(link), [], "version {version}");
            }
            assert_eq!(world.server.gauges().messages, 0);
            assert_eq!(world.server.gauges().notifications, 0);
        }
    }
}

#[test]
fn queues_may_be_owned_watched_and_sent_to_with_x25519_keys() {
    for version in [7, 18] {
        let mut world = World::new();
        let link = world.client_of(version, BlockEncryption::WherePossible);
        let keys = [world.x25519(), world.x25519(), world.x25519()];
        let [recipient, notifier, sender] = keys;
        let mailbox = world.mailbox_of(link, recipient, SubscribeMode::Subscribe);
        let watch = world.notifier_of(link, &mailbox, notifier);
        world.watch(link, &watch);
        let key = Command::Key { sender: sender.public().unwrap() };
        world.ask_ok(link, Some(&mailbox.key), &mailbox.recipient, key);
        let send = Command::Send { notify: true, message: b"hello" };
        world.ask_ok(link, Some(&sender), &mailbox.sender, send);
        world.advance(Duration::from_millis(1500));
        let events = world.take_events(link);
        assert_eq!(mailbox.open(&events[0].1).0, watch.open(&events[1].1).0, "version {version}");
    }
}

#[test]
fn a_device_fetches_with_get_what_it_was_told_of() {
    let mut world = World::new();
    let [app, extension, sender] = [(); 3].map(|()| world.client());
    let mailbox = world.mailbox(app, SubscribeMode::Subscribe);
    world.send(sender, &mailbox, true, b"one");
    world.send(sender, &mailbox, true, b"two");
    let pushed = world.take_events(app);
    assert_eq!(pushed.len(), 1);
    let answer = world.ask(extension, Some(&mailbox.key), &mailbox.recipient, Command::Get);
    let (id, text) = mailbox.open(&answer);
    assert_eq!(text, b"one");
    assert_eq!(answer, pushed[0].1, "the same message is the same bytes");
    let ack = Command::Ack { message: &id };
    world.ask_ok(extension, Some(&mailbox.key), &mailbox.recipient, ack);
    let answer = world.ask(extension, Some(&mailbox.key), &mailbox.recipient, Command::Get);
    assert_eq!(mailbox.open(&answer).1, b"two");
}

#[test]
fn a_sender_secures_its_queue_and_only_it_can_send() {
    let mut world = World::new();
    let [recipient, sender] = [(); 2].map(|()| world.client());
    let mailbox = world.mailbox(recipient, SubscribeMode::OnlyCreate);
    let key = world.ed25519();
    let send = Command::Send { notify: false, message: b"hello" };
    let auth = err(ErrorCode::Auth);
    assert_eq!(world.ask(sender, Some(&key), &mailbox.sender, send.clone()), auth, "signed, not secured");
    let skey = Command::Skey { sender: key.public().unwrap() };
    for _ in 0..2 {
        world.ask_ok(sender, Some(&key), &mailbox.sender, skey.clone());
    }
    assert_eq!(world.ask(sender, None, &mailbox.sender, send.clone()), auth, "secured, not signed");
    world.ask_ok(sender, Some(&key), &mailbox.sender, send.clone());

    let other = world.ed25519();
    assert_eq!(world.ask(sender, Some(&other), &mailbox.sender, send), auth);
    let usurp = Command::Skey { sender: other.public().unwrap() };
    assert_eq!(world.ask(sender, Some(&other), &mailbox.sender, usurp), auth);
    let unproven = Command::Skey { sender: key.public().unwrap() };
    assert_eq!(world.ask(sender, Some(&other), &mailbox.sender, unproven), auth);
}

#[test]
fn a_full_queue_answers_quota_and_marks_the_place() {
    let mut world = World::with(|config| config.limits.queue_quota = 2);
    let link = world.client();
    let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
    for _ in 0..2 {
        world.send(link, &mailbox, true, b"x");
    }
    for _ in 0..3 {
        let send = Command::Send { notify: true, message: b"y" };
        assert_eq!(world.ask(link, None, &mailbox.sender, send), err(ErrorCode::Quota));
    }
    world.ask(link, Some(&mailbox.key), &mailbox.recipient, Command::Sub);
    let mut msg = world.take_events(link).remove(0).1;
    for _ in 0..2 {
        let (id, _) = mailbox.open(&msg);
        let ack = Command::Ack { message: &id };
        msg = world.ask(link, Some(&mailbox.key), &mailbox.recipient, ack);
    }
    let (id, body) = mailbox.open_body(&msg);
    assert_eq!(MessageBody::decode(&body), Ok(MessageBody::Quota { at: 1_700_000_000 }));
    let ack = Command::Ack { message: &id };
    world.ask_ok(link, Some(&mailbox.key), &mailbox.recipient, ack);
    world.send(link, &mailbox, true, b"z");
    assert_eq!(mailbox.open(&world.take_events(link)[0].1).1, b"z");
}

#[test]
fn a_notifier_may_be_made_together_with_its_queue() {
    let mut world = World::new();
    let link = world.client();
    let (key, notifier) = (world.ed25519(), world.ed25519());
    let [dh, ntf_dh] = [1, 2].map(|byte| X25519Private::from_bytes([byte; 32]));
    let new = NewQueue {
        auth: key.public().unwrap(),
        dh: dh.public(),
        password: Some(b"ignored"),
        subscribe: SubscribeMode::OnlyCreate,
        request: Some(QueueRequest::Contact(None)),
        notifier: Some(crate::wire::smp::queue::NotifierKeys {
            auth: notifier.public().unwrap(),
            dh: ntf_dh.public(),
        }),
    };
    let answer = world.ask(link, Some(&key), b"", Command::New(new));
    let Message::Ids(ids) = Message::decode(&answer, SmpVersion(18)).unwrap() else { panic!("not created") };
    assert_eq!(ids.mode, Some(QueueMode::Contact));
    assert_eq!(ids.service, None);
    let notifier_ids = ids.notifier.unwrap();
    let watch = Watch {
        key: notifier,
        id: notifier_ids.notifier.into(),
        box_key: BoxKey::of_dh(&ntf_dh.agree(&notifier_ids.dh)),
    };
    world.watch(link, &watch);
    world.ask_ok(link, None, ids.sender, Command::Send { notify: true, message: b"hello" });
    world.advance(Duration::from_millis(1500));
    assert_eq!(watch.open(&world.take_events(link)[0].1).1, 1_700_000_000);
}
