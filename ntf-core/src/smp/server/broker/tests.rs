//! The rules of the commands, without links and blocks.

use super::*;
use crate::base::time::Wall;
use crate::crypto::boxed::BoxKey;
use crate::crypto::cert::ServerCredentials;
use crate::crypto::keys::{
    AuthPublicKey, Ed25519Private, Ed25519Public, SigningKey, X25519Private, X25519Public,
};
use crate::crypto::sha::sha3_384;
use crate::smp::server::config::{Limits, Password};
use crate::smp::server::delivery::{Created, NewNotifier, Refusal, Reply};
use crate::smp::server::id::{MessageId, NotifierId, ShortLinkId};
use crate::wire::smp::queue::{
    ContactLink, LinkData, MessagingLink, NewQueue, QueueMode, QueueRequest, SubscribeMode,
};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

const LEN_MAX: usize = 16048;

#[test]
fn a_message_is_pushed_to_an_idle_subscriber_and_the_next_with_the_acknowledgement() {
    let mut t = Table::new();
    let queue = t.queue(A, true);
    t.send(queue, true, b"one");
    t.send(queue, false, b"two");
    let (id, body) = t.pushed(A);
    assert_eq!(body, Body::Sent { notify: true, text: b"one".to_vec() });
    assert!(t.broker.next_delivery(t.now, A).is_none(), "one unacknowledged message at a time");
    let (second, body) = t.message(|b, now| b.acknowledge(now, A, queue, id.as_bytes()));
    assert_eq!(body, Body::Sent { notify: false, text: b"two".to_vec() });
    assert!(matches!(t.broker.acknowledge(t.now, A, queue, second.as_bytes()), Reply::Done));
    assert_eq!(t.broker.store().totals().messages, 0);
    assert_eq!(t.broker.store().totals().bytes, 0);
}

#[test]
fn an_acknowledgement_of_nothing_or_of_another_message_is_refused() {
    let mut t = Table::new();
    let queue = t.queue(A, true);
    assert_eq!(refusal(t.broker.acknowledge(t.now, A, queue, b"")), Refusal::NoMessage);
    t.send(queue, false, b"one");
    let (id, _) = t.pushed(A);
    assert_eq!(refusal(t.broker.acknowledge(t.now, A, queue, &[9; 24])), Refusal::NoMessage);
    assert_eq!(refusal(t.broker.acknowledge(t.now, B, queue, id.as_bytes())), Refusal::NoMessage);
    assert!(matches!(t.broker.acknowledge(t.now, A, queue, b""), Reply::Done));
    assert_eq!(refusal(t.broker.acknowledge(t.now, A, queue, b"")), Refusal::NoMessage);
}

#[test]
fn subscribing_again_delivers_the_unacknowledged_message_again() {
    let mut t = Table::new();
    let queue = t.queue(A, false);
    t.send(queue, false, b"one");
    assert!(matches!(t.broker.subscribe(t.now, A, queue), Reply::Subscribed));
    let (first, _) = t.pushed(A);
    assert!(matches!(t.broker.subscribe(t.now, A, queue), Reply::Subscribed));
    let (again, _) = t.pushed(A);
    assert_eq!(first, again);
}

#[test]
fn a_second_subscriber_takes_the_queue_over() {
    let mut t = Table::new();
    let queue = t.queue(A, true);
    t.send(queue, false, b"one");
    let (id, _) = t.pushed(A);
    assert!(matches!(t.broker.subscribe(t.now, B, queue), Reply::Subscribed));
    assert_eq!(t.pushed(B).0, id);
    assert_eq!(refusal(t.broker.acknowledge(t.now, A, queue, b"")), Refusal::NoMessage);
    assert_eq!(t.endings(A), [Ending::TakenOver]);
    assert_eq!(t.endings(B), []);
    assert!(!t.broker.presence(A).unwrap().is_subscribed());
}

#[test]
fn who_takes_a_subscription_back_is_not_told_that_it_was_lost() {
    let mut t = Table::new();
    let queue = t.queue(A, true);
    t.broker.subscribe(t.now, B, queue);
    t.broker.subscribe(t.now, A, queue);
    assert_eq!(t.endings(A), []);
    assert_eq!(t.endings(B), [Ending::TakenOver]);
}

#[test]
fn get_and_sub_exclude_each_other_on_one_link_only() {
    let mut t = Table::new();
    let queue = t.queue(A, true);
    assert_eq!(refusal(t.broker.fetch(t.now, A, queue)), Refusal::Prohibited);
    assert!(matches!(t.broker.fetch(t.now, B, queue), Reply::Done));
    assert_eq!(refusal(t.broker.subscribe(t.now, B, queue)), Refusal::Prohibited);
    t.send(queue, false, b"one");
    t.send(queue, false, b"two");
    let (id, _) = t.message(|b, now| b.fetch(now, B, queue));
    let (again, _) = t.message(|b, now| b.fetch(now, B, queue));
    assert_eq!(id, again);
    assert!(matches!(t.broker.acknowledge(t.now, B, queue, id.as_bytes()), Reply::Done));
    let (next, body) = t.message(|b, now| b.fetch(now, B, queue));
    assert_ne!(id, next);
    assert_eq!(body, Body::Sent { notify: false, text: b"two".to_vec() });
}

#[test]
fn the_subscriber_may_acknowledge_what_another_link_fetched_away() {
    let mut t = Table::new();
    let queue = t.queue(A, true);
    t.send(queue, false, b"one");
    t.send(queue, false, b"two");
    let (id, _) = t.pushed(A);
    t.message(|b, now| b.fetch(now, B, queue));
    t.broker.acknowledge(t.now, B, queue, b"");
    let (_, body) = t.message(|b, now| b.acknowledge(now, A, queue, id.as_bytes()));
    assert_eq!(body, Body::Sent { notify: false, text: b"two".to_vec() });
}

#[test]
fn the_quota_holds_until_everything_is_drained() {
    let mut t = Table::with(|config| config.limits.queue_quota = 2);
    let queue = t.queue(A, true);
    t.send(queue, true, b"one");
    t.send(queue, true, b"two");
    for _ in 0..2 {
        assert_eq!(refusal(t.try_send(queue, true, b"three")), Refusal::Quota);
    }
    let (id, _) = t.pushed(A);
    let (id, _) = t.message(|b, now| b.acknowledge(now, A, queue, id.as_bytes()));
    assert_eq!(refusal(t.try_send(queue, true, b"three")), Refusal::Quota);
    let (id, body) = t.message(|b, now| b.acknowledge(now, A, queue, id.as_bytes()));
    assert_eq!(body, Body::Quota);
    assert_eq!(refusal(t.try_send(queue, true, b"three")), Refusal::Quota);
    assert!(matches!(t.broker.acknowledge(t.now, A, queue, id.as_bytes()), Reply::Done));
    t.send(queue, true, b"three");
    assert_eq!(t.broker.counters().messages_refused.total(), 4);
}

#[test]
fn quota_markers_and_refused_messages_make_no_notification() {
    let mut t = Table::with(|config| config.limits.queue_quota = 1);
    let queue = t.queue(A, false);
    t.notifier(queue);
    t.send(queue, true, b"one");
    t.try_send(queue, true, b"two");
    t.try_send(queue, true, b"three");
    assert_eq!(t.broker.store().totals().notifications, 1);
}

#[test]
fn a_server_at_its_bound_of_bytes_acts_as_if_queues_were_full() {
    let mut t = Table::with(|config| config.limits.bytes = 10);
    let queue = t.queue(A, true);
    t.send(queue, false, b"0123456789");
    assert_eq!(refusal(t.try_send(queue, false, b"x")), Refusal::Quota);
    let other = t.queue(B, true);
    assert_eq!(refusal(t.try_send(other, false, b"x")), Refusal::Quota);
    assert_eq!(t.pushed(B).1, Body::Quota, "an idle subscriber gets the marker at once");
    assert_eq!(t.broker.store().totals().bytes, 10);
}

#[test]
fn message_length_bounds() {
    let mut t = Table::new();
    let queue = t.queue(A, false);
    assert_eq!(refusal(t.try_send(queue, false, &vec![0; LEN_MAX + 1])), Refusal::LargeMessage);
    t.send(queue, false, &vec![7; LEN_MAX]);
    let (_, body) = t.message(|b, now| b.fetch(now, B, queue));
    assert_eq!(body, Body::Sent { notify: false, text: vec![7; LEN_MAX] });
    let longest = vec![8; 16088];
    assert!(matches!(t.broker.send(t.now, queue, false, &longest, 16088), Reply::Done));
}

#[test]
fn a_suspended_queue_takes_nothing_and_can_be_read() {
    let mut t = Table::new();
    let queue = t.queue(A, true);
    t.send(queue, false, b"one");
    for _ in 0..2 {
        assert!(matches!(t.broker.suspend(queue), Reply::Done));
    }
    assert_eq!(refusal(t.try_send(queue, false, b"two")), Refusal::Auth);
    t.pushed(A);
    let notifier = t.notifier(queue);
    assert!(matches!(t.broker.watch(B, t.by_notifier(notifier)), Reply::Subscribed));
}

#[test]
fn sender_keys_are_set_once() {
    for (mode, by_sender_ok) in
        [(None, false), (Some(QueueMode::Contact), false), (Some(QueueMode::Messaging), true)]
    {
        let mut t = Table::new();
        let queue = t.queue_of(A, mode);
        assert_eq!(matches!(t.broker.secure_by_sender(queue, key(1)), Reply::Done), by_sender_ok, "{mode:?}");
        let first = if by_sender_ok { key(1) } else { key(2) };
        assert!(matches!(t.broker.secure(queue, first), Reply::Done), "{mode:?}");
        assert!(matches!(t.broker.secure(queue, first), Reply::Done), "{mode:?}");
        assert_eq!(refusal(t.broker.secure(queue, key(3))), Refusal::Auth, "{mode:?}");
        assert_eq!(refusal(t.broker.secure_by_sender(queue, key(3))), Refusal::Auth, "{mode:?}");
    }
}

#[test]
fn recipient_keys_are_replaced_in_contact_queues_only() {
    for (mode, count, expected) in [
        (None, 1, Some(Refusal::Auth)),
        (Some(QueueMode::Messaging), 1, Some(Refusal::Auth)),
        (Some(QueueMode::Contact), 1, None),
        (Some(QueueMode::Contact), 16, None),
        (Some(QueueMode::Contact), 17, Some(Refusal::Internal)),
    ] {
        let mut t = Table::new();
        let queue = t.queue_of(A, mode);
        let keys: Vec<_> = (0..count).map(key).collect();
        match (t.broker.replace_recipient_keys(queue, &keys), expected) {
            (Reply::Done, None) => {
                assert_eq!(t.broker.store().queue(queue).unwrap().recipient_keys, keys);
            }
            (reply, expected) => assert_eq!(Some(refusal(reply)), expected, "{mode:?} {count}"),
        }
    }
}

#[test]
fn creation_rules() {
    let password = || Creation::WithPassword(Password::new(b"sesame".as_slice().into()));
    for (creation, named, allowed) in [
        (Creation::Anybody, None, true),
        (Creation::Anybody, Some(b"ignored".as_slice()), true),
        (Creation::Nobody, None, false),
        (password(), None, false),
        (password(), Some(b""), false),
        (password(), Some(b"sesam"), false),
        (password(), Some(b"sesame"), true),
    ] {
        let mut t = Table::with(|config| config.creation = creation.clone());
        let reply = t.broker.create(A, CORR, &NewQueue { password: named, ..new_queue() });
        assert_eq!(matches!(reply, Reply::Created(_)), allowed, "{creation:?} {named:?}");
        if !allowed {
            assert_eq!(refusal(reply), Refusal::Auth);
        }
    }
}

#[test]
fn queues_are_bounded() {
    let mut t = Table::with(|config| config.limits.queues = 2);
    t.queue(A, false);
    let second = t.queue(A, false);
    assert_eq!(refusal(t.broker.create(A, CORR, &new_queue())), Refusal::Internal);
    t.broker.delete(A, second);
    t.queue(A, false);
}

#[test]
fn a_chosen_sender_id_must_derive_from_the_correlation_id() {
    let hash = sha3_384(&[7; 24]);
    for (corr_id, sender, expected) in [
        ([7; 24], &hash[..24], None),
        ([8; 24], &hash[..24], Some(Refusal::Prohibited)),
        ([7; 24], &hash[..23], Some(Refusal::Prohibited)),
        ([7; 24], &hash[..25], Some(Refusal::Prohibited)),
    ] {
        let mut t = Table::new();
        let link = MessagingLink { sender, data: DATA };
        let new = NewQueue { request: Some(QueueRequest::Messaging(Some(link))), ..new_queue() };
        match (t.broker.create(A, &corr_id, &new), expected) {
            (Reply::Created(created), None) => {
                assert_eq!(created.sender.as_bytes(), sender);
                assert!(created.link.is_some());
                assert_eq!(refusal(t.broker.create(A, &corr_id, &new)), Refusal::Auth, "the id is taken");
            }
            (reply, expected) => assert_eq!(Some(refusal(reply)), expected),
        }
    }
}

#[test]
fn a_contact_link_id_is_of_the_clients_choosing() {
    let hash = sha3_384(CORR);
    for (link, expected) in [(b"x".as_slice(), None), (&[1; 255], None), (b"", Some(Refusal::Prohibited))] {
        let mut t = Table::new();
        let request = QueueRequest::Contact(Some(ContactLink { link, sender: &hash[..24], data: DATA }));
        let reply = t.broker.create(A, CORR, &NewQueue { request: Some(request), ..new_queue() });
        match (reply, expected) {
            (Reply::Created(created), None) => assert_eq!(created.link.unwrap().0.as_bytes(), link),
            (reply, expected) => assert_eq!(Some(refusal(reply)), expected),
        }
    }
}

#[test]
fn a_contact_link_is_followed_by_anybody_and_set_by_its_owner() {
    let mut t = Table::new();
    let queue = t.queue_of(A, Some(QueueMode::Contact));
    assert_eq!(refusal(t.broker.follow_contact_link(queue)), Refusal::Auth);
    let id = |number: u8| ShortLinkId(crate::base::id::EntityId::new(&[number; 24]).unwrap());
    assert!(matches!(
        t.broker.set_short_link(queue, id(1), LinkData { fixed: b"fixed", user: b"one" }),
        Reply::Done
    ));
    assert!(matches!(
        t.broker.set_short_link(queue, id(1), LinkData { fixed: b"fixed", user: b"second" }),
        Reply::Done
    ));
    assert_eq!(
        refusal(t.broker.set_short_link(queue, id(2), LinkData { fixed: b"fixed", user: b"x" })),
        Refusal::Auth
    );
    assert_eq!(
        refusal(t.broker.set_short_link(queue, id(1), LinkData { fixed: b"other", user: b"x" })),
        Refusal::Auth
    );
    assert_eq!(t.broker.store().by_link(&id(1)), Some(queue));
    let Reply::ShortLink { fixed, user, .. } = t.broker.follow_contact_link(queue) else {
        panic!("the link leads nowhere");
    };
    assert_eq!((&*fixed, &*user), (b"fixed".as_slice(), b"second".as_slice()));
    assert_eq!(refusal(t.broker.follow_and_secure(queue, key(1))), Refusal::Auth);
    assert_eq!(t.broker.store().totals().bytes, 11);

    let other = t.queue_of(A, Some(QueueMode::Contact));
    assert_eq!(
        refusal(t.broker.set_short_link(other, id(1), LinkData { fixed: b"", user: b"" })),
        Refusal::Auth,
        "the id is taken"
    );
    for _ in 0..2 {
        assert!(matches!(t.broker.remove_short_link(queue), Reply::Done));
    }
    assert_eq!(t.broker.store().by_link(&id(1)), None);
    assert_eq!(t.broker.store().totals().bytes, 0);
}

#[test]
fn an_invitation_link_secures_the_queue_for_its_first_follower() {
    let mut t = Table::new();
    let hash = sha3_384(&[7; 24]);
    let link = MessagingLink { sender: &hash[..24], data: DATA };
    let new = NewQueue { request: Some(QueueRequest::Messaging(Some(link))), ..new_queue() };
    let Reply::Created(created) = t.broker.create(A, CORR, &new) else { panic!("not created") };
    let queue = t.broker.store().by_link(&created.link.unwrap()).unwrap();
    assert_eq!(refusal(t.broker.follow_contact_link(queue)), Refusal::Auth);
    assert!(matches!(t.broker.follow_and_secure(queue, key(1)), Reply::ShortLink { .. }));
    assert!(matches!(t.broker.follow_and_secure(queue, key(1)), Reply::ShortLink { .. }));
    assert_eq!(refusal(t.broker.follow_and_secure(queue, key(2))), Refusal::Auth);
}

#[test]
fn a_notification_waits_for_its_watcher_and_names_the_message() {
    let mut t = Table::new();
    let queue = t.queue(A, true);
    t.send(queue, true, b"before there is a notifier");
    let (id, _) = t.pushed(A);
    t.broker.acknowledge(t.now, A, queue, id.as_bytes());
    let notifier = t.notifier(queue);
    t.send(queue, true, b"one");
    t.send(queue, false, b"no notification wanted");
    t.send(queue, true, b"three");
    let (first, _) = t.pushed(A);
    assert_eq!(t.broker.link_in_line(None), None);
    t.broker.watch(B, t.by_notifier(notifier));
    t.broker.watch(B, t.by_notifier(notifier));
    assert_eq!(t.broker.link_in_line(None), Some(B));
    let told = t.notified(B);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], (notifier, first));
    assert_eq!(t.broker.link_in_line(None), None);
    assert_eq!(t.broker.store().totals().notifications, 0);
}

#[test]
fn notifiers_of_one_link_take_turns() {
    let mut t = Table::new();
    let queues = [t.queue(A, false), t.queue(A, false)];
    let notifiers = queues.map(|queue| t.notifier(queue));
    for notifier in notifiers {
        t.broker.watch(B, t.by_notifier(notifier));
    }
    for queue in [queues[0], queues[0], queues[0], queues[1]] {
        t.send(queue, true, b"x");
    }
    let order: Vec<_> = t.notified(B).into_iter().map(|(notifier, _)| notifier).collect();
    assert_eq!(order, [notifiers[0], notifiers[1], notifiers[0], notifiers[0]]);
}

#[test]
fn a_second_watcher_takes_what_is_stored_and_the_first_gets_nothing_more() {
    let mut t = Table::new();
    let queue = t.queue(A, false);
    let notifier = t.notifier(queue);
    t.broker.watch(B, t.by_notifier(notifier));
    t.send(queue, true, b"one");
    t.broker.watch(C, t.by_notifier(notifier));
    assert_eq!(t.notified(B), []);
    assert_eq!(t.notified(C).len(), 1);
    assert_eq!(t.endings(B), [Ending::TakenOver]);
    assert_eq!(t.endings(C), []);
    assert_eq!(t.endings(B), [], "told once");
}

#[test]
fn what_ends_a_notifier_id_is_told_to_its_watcher() {
    for (name, end) in [
        (
            "NKEY",
            (|t: &mut Table, queue| drop(t.broker.set_notifier(queue, key(5), dh().public())))
                as fn(&mut Table, QueueNo),
        ),
        ("NDEL", |t, queue| assert!(matches!(t.broker.remove_notifier(queue), Reply::Done))),
        ("DEL", |t, queue| assert!(matches!(t.broker.delete(A, queue), Reply::Done))),
    ] {
        let mut t = Table::new();
        let queue = t.queue(A, false);
        let notifier = t.notifier(queue);
        t.broker.watch(B, t.by_notifier(notifier));
        t.send(queue, true, b"one");
        end(&mut t, queue);
        assert_eq!(t.broker.store().by_notifier(notifier.as_bytes()), None, "{name}");
        assert_eq!(t.notified(B), [], "{name}");
        assert_eq!(t.endings(B), [Ending::Deleted], "{name}");
        assert_eq!(t.broker.store().totals().notifications, 0, "{name}");
        assert_eq!(t.broker.counters().notifications_withdrawn.total(), 1, "{name}");
        assert!(!t.broker.presence(B).unwrap().is_subscribed(), "{name}");
    }
}

#[test]
fn removing_no_notifier_is_fine() {
    let mut t = Table::new();
    let queue = t.queue(A, false);
    assert!(matches!(t.broker.remove_notifier(queue), Reply::Done));
}

#[test]
fn every_nkey_gives_another_id() {
    let mut t = Table::new();
    let queue = t.queue(A, false);
    assert_ne!(t.notifier(queue), t.notifier(queue));
    assert_eq!(t.broker.store().notifiers_len(), 1);
}

#[test]
fn deletion_is_told_to_another_subscriber_but_not_to_who_asked() {
    let mut t = Table::new();
    let own = t.queue(A, true);
    let other = t.queue(B, true);
    t.send(own, false, b"one");
    t.broker.delete(A, own);
    t.broker.delete(A, other);
    assert_eq!(t.endings(A), []);
    assert_eq!(t.endings(B), [Ending::Deleted]);
    assert!(t.broker.next_delivery(t.now, A).is_none());
    for reply in [
        t.broker.subscribe(t.now, A, own),
        t.broker.fetch(t.now, A, own),
        t.broker.acknowledge(t.now, A, own, b""),
        t.broker.secure(own, key(1)),
        t.broker.secure_by_sender(own, key(1)),
        t.broker.replace_recipient_keys(own, &[key(1)]),
        t.broker.set_notifier(own, key(1), dh().public()),
        t.broker.remove_notifier(own),
        t.broker.suspend(own),
        t.broker.delete(A, own),
        t.broker.describe(A, own),
        t.broker.remove_short_link(own),
        t.broker.follow_contact_link(own),
        t.broker.watch(A, own),
        t.try_send(own, false, b"x"),
    ] {
        assert_eq!(refusal(reply), Refusal::Auth);
    }
    assert_eq!(t.broker.store().totals(), Default::default());
}

#[test]
fn expired_messages_are_neither_delivered_nor_counted_against_the_quota() {
    let mut t = Table::with(|config| config.limits.queue_quota = 1);
    let queue = t.queue(A, false);
    t.send(queue, false, b"old");
    t.advance(Duration::from_secs(21 * 24 * 3600));
    assert!(matches!(t.broker.fetch(t.now, B, queue), Reply::Done));
    t.send(queue, false, b"new");
    assert_eq!(t.broker.counters().messages_expired.total(), 1);
}

#[test]
fn notifications_expire_in_the_sweep_and_before_a_round() {
    let mut t = Table::new();
    let queue = t.queue(A, false);
    let notifier = t.notifier(queue);
    t.broker.watch(B, t.by_notifier(notifier));
    t.send(queue, true, b"one");
    t.advance(Duration::from_secs(24 * 3600));
    assert_eq!(t.notified(B), []);
    t.send(queue, true, b"two");
    t.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(t.broker.sweep(t.now.mono, QueueNo(0)), None);
    assert_eq!(t.broker.store().totals().notifications, 1);
    t.advance(Duration::from_secs(1));
    assert_eq!(t.broker.sweep(t.now.mono, QueueNo(0)), None);
    assert_eq!(t.broker.store().totals().notifications, 0);
    assert_eq!(t.broker.counters().notifications_expired.total(), 2);
}

#[test]
fn the_sweep_comes_out_in_slices() {
    let mut t = Table::new();
    for _ in 0..SWEEP_SLICE + 1 {
        let queue = t.queue(A, false);
        t.send(queue, false, b"x");
    }
    t.advance(Duration::from_secs(21 * 24 * 3600));
    let next = t.broker.sweep(t.now.mono, QueueNo(0)).unwrap();
    assert_eq!(t.broker.store().totals().messages, 1);
    assert_eq!(t.broker.sweep(t.now.mono, next), None);
    assert_eq!(t.broker.store().totals().messages, 0);
}

#[test]
fn notifications_are_bounded_per_notifier_and_in_all() {
    let mut t = Table::with(|config| {
        config.limits.notifications_per_notifier = 2;
        config.limits.notifications = 3;
    });
    let queues = [t.queue(A, false), t.queue(A, false), t.queue(A, false)];
    for queue in queues {
        t.notifier(queue);
    }
    for queue in [queues[0], queues[0], queues[0]] {
        t.send(queue, true, b"x");
    }
    assert_eq!(t.broker.store().totals().notifications, 2);
    for queue in [queues[1], queues[1], queues[2]] {
        t.send(queue, true, b"x");
    }
    assert_eq!(t.broker.store().totals().notifications, 3);
    assert_eq!(t.broker.counters().notifications_stored.total(), 5);
    assert_eq!(t.broker.counters().notifications_dropped.total(), 3);
}

#[test]
fn a_link_with_too_many_endings_is_to_be_closed() {
    let mut t = Table::with(|config| config.limits.events_per_link = 2);
    for expected in [None, None, Some(A)] {
        let queue = t.queue(A, true);
        t.broker.subscribe(t.now, B, queue);
        assert_eq!(t.broker.pop_overrun(), expected);
    }
}

#[test]
fn a_link_that_went_down_counts_as_nobody() {
    let mut t = Table::new();
    let queue = t.queue(A, true);
    let notifier = t.notifier(queue);
    t.broker.watch(A, t.by_notifier(notifier));
    t.send(queue, true, b"one");
    t.broker.on_link_down(A);
    assert_eq!(t.broker.owed_link(None), None);
    assert_eq!(t.broker.link_in_line(None), None);
    t.send(queue, true, b"two");
    assert_eq!(t.broker.owed_link(None), None);
    t.broker.watch(B, t.by_notifier(notifier));
    t.broker.subscribe(t.now, B, queue);
    assert_eq!(t.notified(B).len(), 2);
    assert_eq!(t.pushed(B).1, Body::Sent { notify: true, text: b"one".to_vec() });
    assert_eq!(t.broker.link_with_endings(None), None);
}

#[test]
fn a_blocked_link_keeps_what_it_is_owed() {
    let mut t = Table::new();
    let queue = t.queue(A, true);
    let other = t.queue(B, true);
    let notifier = t.notifier(queue);
    t.broker.watch(A, t.by_notifier(notifier));
    t.broker.subscribe(t.now, A, other);
    t.broker.subscribe(t.now, B, other);
    t.send(queue, true, b"one");
    t.broker.on_link_blocked(A);
    assert_eq!(t.broker.owed_link(None), None);
    assert_eq!(t.broker.link_in_line(None), None);
    assert_eq!(t.endings(B), []);
    assert_eq!(t.broker.link_with_endings(None), None);
    t.broker.on_link_drained(A);
    assert_eq!(t.notified(A).len(), 1);
    assert_eq!(t.endings(A), [Ending::TakenOver]);
    t.pushed(A);
}

const A: LinkId = LinkId::accepted(1);
const B: LinkId = LinkId::accepted(2);
const C: LinkId = LinkId::accepted(3);
const CORR: &[u8] = &[7; 24];
const DATA: LinkData<'static> = LinkData { fixed: b"fixed", user: b"user" };

/// A broker and three links.
struct Table {
    broker: Broker,
    now: Now,
}

/// What a message holds once opened.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    Sent { notify: bool, text: Vec<u8> },
    Quota,
}

impl Table {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let leaf_key = SigningKey::Ed25519(Ed25519Private::from_seed([1; 32]));
        let mut config = Config::new(ServerCredentials { chain: Vec::new(), leaf_key });
        config.limits = Limits::default();
        change(&mut config);
        let mut broker = Broker::new(&config, &Seed::from_number(7));
        for link in [A, B, C] {
            broker.on_link_up(link);
        }
        Self { broker, now: Now { mono: Mono::ZERO, wall: Wall::from_secs(1_700_000_000) } }
    }

    fn advance(&mut self, span: Duration) {
        self.now.mono = self.now.mono + span;
    }

    fn queue(&mut self, link: LinkId, subscribe: bool) -> QueueNo {
        let subscribe = if subscribe { SubscribeMode::Subscribe } else { SubscribeMode::OnlyCreate };
        let reply = self.broker.create(link, CORR, &NewQueue { subscribe, ..new_queue() });
        self.created(reply)
    }

    fn queue_of(&mut self, link: LinkId, mode: Option<QueueMode>) -> QueueNo {
        let request = mode.map(|mode| match mode {
            QueueMode::Messaging => QueueRequest::Messaging(None),
            QueueMode::Contact => QueueRequest::Contact(None),
        });
        let reply = self.broker.create(link, CORR, &NewQueue { request, ..new_queue() });
        self.created(reply)
    }

    fn created(&self, reply: Reply) -> QueueNo {
        let Reply::Created(created) = reply else { panic!("not created: {reply:?}") };
        let created: Box<Created> = created;
        let no = self.broker.store().by_recipient(created.recipient.as_bytes()).unwrap();
        assert_eq!(self.broker.store().by_sender(created.sender.as_bytes()), Some(no));
        assert_eq!(self.broker.store().queue(no).unwrap().secret, shared(created.dh));
        no
    }

    fn notifier(&mut self, queue: QueueNo) -> NotifierId {
        let reply = self.broker.set_notifier(queue, key(4), dh().public());
        let Reply::Notifier(NewNotifier { id, dh }) = reply else { panic!("no notifier: {reply:?}") };
        assert_eq!(self.broker.store().notifier(queue).unwrap().secret, shared(dh));
        id
    }

    fn by_notifier(&self, id: NotifierId) -> QueueNo {
        self.broker.store().by_notifier(id.as_bytes()).unwrap()
    }

    fn try_send(&mut self, queue: QueueNo, notify: bool, body: &[u8]) -> Reply {
        self.broker.send(self.now, queue, notify, body, LEN_MAX)
    }

    fn send(&mut self, queue: QueueNo, notify: bool, body: &[u8]) {
        let reply = self.try_send(queue, notify, body);
        assert!(matches!(reply, Reply::Done), "{reply:?}");
    }

    /// The message pushed to a link, opened.
    fn pushed(&mut self, link: LinkId) -> (MessageId, Body) {
        assert!(self.broker.owed.contains(&link));
        let event = self.broker.next_delivery(self.now, link);
        let Some(Event::Message(recipient, sealed)) = event else { panic!("nothing pushed") };
        let no = self.broker.store().by_recipient(recipient.as_bytes()).unwrap();
        assert!(self.broker.next_delivery(self.now, link).is_none());
        self.open(no, sealed)
    }

    /// The message in the answer to a command, opened; every queue of these tests has the same DH key.
    fn message(&mut self, command: impl FnOnce(&mut Broker, Now) -> Reply) -> (MessageId, Body) {
        let reply = command(&mut self.broker, self.now);
        let Reply::Message(sealed) = reply else { panic!("no message: {reply:?}") };
        let mut holders = self.broker.store().places_from(QueueNo(0), usize::MAX).filter(|no| {
            let first = self.broker.store().queue(*no).and_then(|queue| queue.inbox.first());
            first.is_some_and(|first| first.id == sealed.id)
        });
        let no = holders.next().unwrap();
        drop(holders);
        self.open(no, sealed)
    }

    fn open(&self, no: QueueNo, mut sealed: SealedMessage) -> (MessageId, Body) {
        assert_eq!(sealed.body.len(), 16122);
        let secret = &self.broker.store().queue(no).unwrap().secret;
        let body = secret.open_padded(sealed.id.as_bytes(), &mut sealed.body).unwrap();
        let time = 1_700_000_000_i64.to_be_bytes();
        let body = match body.strip_prefix(b"QUOTA ") {
            Some(rest) => {
                assert_eq!(rest, time);
                Body::Quota
            }
            None => {
                let rest = body.strip_prefix(&time).unwrap();
                assert_eq!(rest[1], b' ');
                Body::Sent { notify: rest[0] == b'T', text: rest[2..].to_vec() }
            }
        };
        (sealed.id, body)
    }

    /// All notifications for a link: which notifier, and which message the device learns of.
    fn notified(&mut self, link: LinkId) -> Vec<(NotifierId, MessageId)> {
        let mut told = Vec::new();
        while let Some(event) = self.broker.next_notification(self.now, link) {
            let Event::Notification(id, mut sealed) = event else { panic!("not a notification") };
            assert_eq!(sealed.meta.len(), 144);
            let secret = &self.broker.store().notifier(self.by_notifier(id)).unwrap().secret;
            let meta = secret.open_padded(&sealed.nonce, &mut sealed.meta).unwrap();
            assert_eq!((meta.len(), meta[0]), (33, 24));
            let message = MessageId::new(meta[1..25].try_into().unwrap());
            assert_eq!(meta[25..], 1_700_000_000_i64.to_be_bytes());
            told.push((id, message));
        }
        told
    }

    fn endings(&mut self, link: LinkId) -> Vec<Ending> {
        let mut told = Vec::new();
        while let Some(event) = self.broker.next_ending(link) {
            let Event::Ended(_, ending) = event else { panic!("not an ending") };
            told.push(ending);
        }
        told
    }
}

fn new_queue<'a>() -> NewQueue<'a> {
    NewQueue {
        auth: key(0),
        dh: dh().public(),
        password: None,
        subscribe: SubscribeMode::OnlyCreate,
        request: None,
        notifier: None,
    }
}

fn key(number: u8) -> AuthPublicKey {
    AuthPublicKey::Ed25519(Ed25519Public::new([number; 32]))
}

/// The recipient's half of every agreement.
fn dh() -> X25519Private {
    X25519Private::from_bytes([9; 32])
}

fn shared(public: X25519Public) -> BoxKey {
    BoxKey::of_dh(&dh().agree(&public))
}

fn refusal(reply: Reply) -> Refusal {
    match reply {
        Reply::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
