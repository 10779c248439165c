#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::base::id::EntityId;
use crate::base::rng::{Seed, Stream};
use crate::crypto::keys::{Ed25519Private, X25519Private};
use crate::model::server::Fingerprint;
use crate::model::shard::ShardPlan;
use crate::model::subscription::SubscriptionStatus as Status;
use crate::subscription::state::Failure;

fn table(limits: SubscriptionLimits) -> Subscriptions {
    let seed = Seed::from_number(2);
    let names = NameKey::new(ShardPlan::ALONE, &mut seed.stream(Stream::Names));
    Subscriptions::new(limits, &mut seed.stream(Stream::Hashing), names)
}

fn address(name: &str) -> ServerAddress {
    ServerAddress { hosts: alloc::vec![name.into()], port: "".into(), identity: Fingerprint::new([1; 32]) }
}

fn owner(slot: u32) -> TokenIndex {
    let mut slab = Slab::new(u32::MAX);
    let mut last = None;
    for _ in 0..=slot {
        last = slab.insert(()).ok();
    }
    TokenIndex(last.unwrap())
}

fn notifier(number: u32) -> EntityId {
    let mut bytes = [0; 24];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    EntityId::new(&bytes).unwrap()
}

/// The subscription to the queue of this number, at whatever server.
fn find(table: &Subscriptions, number: u32) -> Option<SubscriptionIndex> {
    let notifier = notifier(number);
    table.iter().map(|(index, _)| index).find(|index| table.notifier(*index) == Some(notifier.as_bytes()))
}

fn wanted(number: u32, server: &str, owner: TokenIndex) -> Wanted {
    Wanted {
        owner,
        server: address(server),
        notifier: notifier(number),
        key: AuthPrivateKey::Ed25519(Ed25519Private::from_seed([7; 32])),
    }
}

fn asked(table: &mut Subscriptions, server: ServerIndex) -> Vec<SubscriptionIndex> {
    core::iter::from_fn(|| table.ask_next(server).map(|ask| ask.index)).collect()
}

#[test]
fn a_subscription_takes_at_most_140_bytes() {
    // A table of hashbrown holds one control byte and one entry per bucket, and at worst, right after it
    // doubled, twice as many buckets as 7/8 of them hold.
    let entry = size_of::<u32>() + 1;
    let table_at_worst = entry * 16 / 7;
    assert_eq!(Slab::<Subscription>::ROW_LEN, 128);
    assert!(Slab::<Subscription>::ROW_LEN + table_at_worst <= 140);
}

#[test]
fn a_subscription_lives_through_its_statuses() {
    let mut table = table(SubscriptionLimits::default());
    let index = table.create(wanted(1, "a", owner(0))).unwrap();
    let server = table.server_by_address(&address("a")).unwrap();
    assert_eq!(table.status(index), Some(Status::New));
    assert_eq!(asked(&mut table, server), [index]);
    assert_eq!(table.status(index), Some(Status::Pending));
    assert!(table.confirmed(index));
    assert!(!table.confirmed(index), "the second time is no news");
    assert_eq!(table.status(index), Some(Status::Active));
    table.session_over(server);
    assert_eq!(table.status(index), Some(Status::Inactive));
    assert!(!table.is_live(index));
    assert_eq!(asked(&mut table, server), [index]);
    assert_eq!(table.status(index), Some(Status::Pending));
    table.retry(index);
    assert_eq!(table.status(index), Some(Status::Pending));
    assert_eq!(asked(&mut table, server), [index]);
    assert!(table.confirmed(index));
}

#[test]
fn what_is_over_is_not_asked_for_again_until_revived() {
    for over in [Over::Taken, Over::Deleted, Over::Auth, Over::Service, Over::Failed(Failure::Blocked)] {
        let may_pass = over.may_pass();
        let mut table = table(SubscriptionLimits::default());
        let index = table.create(wanted(1, "a", owner(0))).unwrap();
        let server = table.server_by_address(&address("a")).unwrap();
        assert!(!table.revive(index), "nothing to revive");
        asked(&mut table, server);
        table.confirmed(index);
        assert!(table.over(index, over));
        assert!(!table.over(index, over), "only once");
        assert_eq!(table.status(index), Some(over.status()));
        assert!(!table.confirmed(index), "a late answer changes nothing");
        assert_eq!(table.server(server).unwrap().is_wanted(), may_pass);
        table.session_over(server);
        assert_eq!(asked(&mut table, server), []);
        assert_eq!(table.retry_failed(server), u32::from(may_pass));
        assert_eq!(table.status(index), Some(over.status()), "until it is answered");
        assert!(table.revive(index));
        assert_eq!(table.status(index), Some(Status::New));
        assert_eq!(asked(&mut table, server), [index]);
    }
}

#[test]
fn queues_are_told_apart_by_server_and_found_by_both_names() {
    let mut table = table(SubscriptionLimits::default());
    let here = table.create(wanted(1, "a", owner(0))).unwrap();
    let there = table.create(wanted(1, "b", owner(0))).unwrap();
    let (a, b) =
        (table.server_by_address(&address("a")).unwrap(), table.server_by_address(&address("b")).unwrap());
    let notifier = notifier(1);
    let notifier = notifier.as_bytes();
    assert_eq!(table.by_queue(a, notifier), Some(here));
    assert_eq!(table.by_queue(b, notifier), Some(there));
    assert_eq!(table.by_queue(a, &notifier[..23]), None);
    let (name_here, name_there) = (table.id(here), table.id(there));
    assert_eq!(table.by_id(&name_there), Some(there));
    assert_eq!(table.server_of(there), Some(b));
    for _ in 0..2 {
        table.remove(there);
        assert_eq!((table.len(), table.audit()), (1, Ok(())));
    }
    assert_eq!((table.by_id(&name_there), table.by_queue(b, notifier)), (None, None));
    assert_eq!(table.server_by_address(&address("b")), None, "the last one takes its server along");
    assert_eq!(table.by_id(&name_here), Some(here));
    let anew = table.create(wanted(1, "b", owner(0))).unwrap();
    assert_eq!(anew.0.slot(), there.0.slot());
    assert_eq!((table.by_id(&name_there), table.by_id(&table.id(anew))), (None, Some(anew)));
    table.clear();
    let first = table.create(wanted(1, "a", owner(0))).unwrap();
    assert_eq!(first, here, "places begin anew");
    assert_eq!((table.by_id(&name_here), table.by_id(&table.id(first))), (None, Some(first)), "names do not");
}

#[test]
fn an_empty_port_and_an_explicit_one_are_different_servers() {
    let mut table = table(SubscriptionLimits::default());
    table.create(wanted(1, "a", owner(0))).unwrap();
    let explicit = ServerAddress { port: "5223".into(), ..address("a") };
    assert_eq!(table.server_by_address(&explicit), None);
}

#[test]
fn keys_of_every_kind_come_back() {
    let mut table = table(SubscriptionLimits::default());
    let keys = [
        AuthPrivateKey::Ed25519(Ed25519Private::from_seed([1; 32])),
        AuthPrivateKey::X25519(X25519Private::from_bytes([1; 32])),
        AuthPrivateKey::Ed448(Ed448Private::from_bytes([1; 57])),
    ];
    for (number, key) in (0..).zip(&keys) {
        let index = table.create(Wanted { key: key.clone(), ..wanted(number, "a", owner(0)) }).unwrap();
        for other in &keys {
            assert_eq!(table.has_key(index, other), other == key);
        }
    }
    let server = table.server_by_address(&address("a")).unwrap();
    let asked: Vec<_> = core::iter::from_fn(|| table.ask_next(server).map(|ask| ask.key)).collect();
    assert_eq!(asked, keys);
}

#[test]
fn notifier_ids_of_every_length_come_back() {
    let mut table = table(SubscriptionLimits::default());
    let notifiers: Vec<_> =
        [1, 23, 24, 25, 30, 255].map(|len| EntityId::new(&alloc::vec![len; len.into()]).unwrap()).into();
    let mut indexes = Vec::new();
    for (number, notifier) in (0..).zip(&notifiers) {
        let wanted = Wanted { notifier: notifier.clone(), ..wanted(number, "a", owner(0)) };
        indexes.push(table.create(wanted).unwrap());
    }
    let server = table.server_by_address(&address("a")).unwrap();
    let asked: Vec<_> = core::iter::from_fn(|| table.ask_next(server).map(|ask| ask.notifier)).collect();
    assert_eq!(asked, notifiers);
    for (index, notifier) in indexes.into_iter().zip(&notifiers) {
        assert_eq!(table.by_queue(server, notifier.as_bytes()), Some(index));
        assert_eq!(table.notifier(index), Some(notifier.as_bytes()));
        assert_eq!(table.audit(), Ok(()));
        table.remove(index);
        assert_eq!(table.by_queue(server, notifier.as_bytes()), None);
        assert_eq!(table.notifier(index), None);
    }
    assert!(table.long_ids.is_empty());
}

#[test]
fn each_bound_has_its_name() {
    let mut table = table(SubscriptionLimits {
        subscriptions: 4,
        per_token: 2,
        servers: 2,
        ..SubscriptionLimits::default()
    });
    let (first, second) = (owner(0), owner(1));
    table.create(wanted(1, "a", first)).unwrap();
    table.create(wanted(2, "b", first)).unwrap();
    assert_eq!(table.create(wanted(3, "a", first)), Err(SubscriptionsFull::Token));
    assert_eq!(table.create(wanted(3, "c", second)), Err(SubscriptionsFull::Servers));
    table.create(wanted(3, "a", second)).unwrap();
    table.create(wanted(4, "a", second)).unwrap();
    assert_eq!(table.create(wanted(5, "a", owner(2))), Err(SubscriptionsFull::Table));
    assert_eq!((table.len(), table.servers_len()), (4, 2));
    let freed = find(&table, 1).unwrap();
    table.remove(freed);
    assert!(table.create(wanted(6, "a", first)).is_ok());
}

#[test]
fn a_token_takes_its_subscriptions_along() {
    let mut table = table(SubscriptionLimits::default());
    for number in 0..6 {
        table.create(wanted(number, "a", owner(number % 2))).unwrap();
    }
    let server = table.server_by_address(&address("a")).unwrap();
    table.ask_next(server).unwrap();
    let owned = table.owned_by(owner(0));
    assert_eq!(owned.len(), 3);
    for index in owned {
        table.remove(index);
    }
    assert_eq!(table.owned_by(owner(0)), []);
    assert_eq!(asked(&mut table, server).len(), 3, "the others are still asked for");
    for index in table.owned_by(owner(1)) {
        table.remove(index);
    }
    assert_eq!((table.len(), table.servers_len()), (0, 0));
}

/// Lists, counts and lookups stay in step whatever happens in whatever order.
#[test]
fn lists_stay_in_step() {
    let mut table = table(SubscriptionLimits { subscriptions: 40, ..SubscriptionLimits::default() });
    let mut rng = Seed::from_number(11).stream(Stream::World);
    let names = ["a", "b", "c"];
    for round in 0..20_000_u32 {
        let number = u32::try_from(rng.below(60)).unwrap();
        let index = find(&table, number);
        let name = names[usize::try_from(rng.below(3)).unwrap()];
        let server = table.server_by_address(&address(name));
        match rng.below(13) {
            0..3 if index.is_none() => {
                let owner = owner(u32::try_from(rng.below(4)).unwrap());
                let _ = table.create(wanted(number, name, owner));
            }
            3 => _ = server.and_then(|server| table.ask_next(server)),
            4 => _ = index.is_some_and(|index| table.is_live(index) && table.confirmed(index)),
            5 => _ = index.map(|index| table.over(index, Over::Taken)),
            6 => _ = index.map(|index| table.revive(index)),
            7 if rng.below(10) == 0 => _ = server.map(|server| table.session_over(server)),
            8 => _ = index.map(|index| table.remove(index)),
            9 => _ = index.map(|index| table.tied(index)),
            10 if rng.below(10) == 0 => _ = server.map(|server| table.untie(server)),
            11 => _ = index.map(|index| table.over(index, Over::Failed(Failure::Blocked))),
            12 if rng.below(4) == 0 => _ = server.map(|server| table.retry_failed(server)),
            12 => _ = index.map(|index| table.heard(index)),
            _ => _ = index.map(|index| table.retry(index)),
        }
        let (mut waiting, mut live, mut tied, mut failed, mut total) = (0, 0, 0, 0, 0);
        for (_, row) in table.rows.iter() {
            total += 1;
            match table.place(row) {
                Place::Fresh | Place::Waiting => waiting += 1,
                Place::Failed => failed += 1,
                Place::Live => live += 1,
                Place::Tied => tied += 1,
                Place::Nowhere => {}
            }
        }
        assert_eq!(total, table.servers().map(|server| server.total).sum::<u32>(), "round {round}");
        assert_eq!(waiting, table.servers().map(Server::waiting).sum::<u32>(), "round {round}");
        assert_eq!(live, table.servers().map(Server::live).sum::<u32>(), "round {round}");
        assert_eq!(failed, table.servers().map(Server::failed).sum::<u32>(), "round {round}");
        assert_eq!(tied, table.servers().map(Server::tied).sum::<u32>(), "round {round}");
        assert_eq!(
            total,
            table.by_owner.values().map(|owned| owned.rows.len()).sum::<u32>(),
            "round {round}"
        );
        let of_servers = table.by_owner.values().flat_map(|owned| &owned.servers);
        assert_eq!(total, of_servers.map(|(_, count)| count).sum::<u32>(), "round {round}");
        assert_eq!(usize::try_from(total).unwrap(), table.by_queue.len(), "round {round}");
    }
}

#[test]
fn what_is_tied_outlives_the_session_and_comes_back_as_a_whole() {
    let mut table = table(SubscriptionLimits::default());
    let tied: Vec<_> = (0..3).map(|number| table.create(wanted(number, "a", owner(0))).unwrap()).collect();
    let plain = table.create(wanted(3, "a", owner(0))).unwrap();
    let server = table.server_by_address(&address("a")).unwrap();
    assert_eq!(asked(&mut table, server).len(), 4);
    for index in &tied {
        assert!(table.tied(*index));
        assert!(!table.tied(*index) && !table.confirmed(*index), "the second time is no news");
        assert_eq!(table.status(*index), Some(Status::Active));
    }
    assert!(table.confirmed(plain));
    table.session_over(server);
    assert_eq!(table.server(server).unwrap().tied(), 3);
    assert!(table.server(server).unwrap().is_wanted());
    assert_eq!(asked(&mut table, server), [plain], "the others need no NSUB");
    assert!(table.confirmed(plain));
    for index in &tied {
        assert_eq!(table.status(*index), Some(Status::Inactive));
        assert!(!table.is_live(*index));
    }
    table.served(server);
    for index in &tied {
        assert_eq!(table.status(*index), Some(Status::Active));
        assert!(table.is_live(*index));
    }
}

#[test]
fn ties_that_are_given_up_touch_only_what_is_alive() {
    let mut table = table(SubscriptionLimits::default());
    let rows: Vec<_> = (0..4).map(|number| table.create(wanted(number, "a", owner(0))).unwrap()).collect();
    let server = table.server_by_address(&address("a")).unwrap();
    asked(&mut table, server);
    for index in &rows {
        table.tied(*index);
    }
    table.over(rows[0], Over::Taken);
    table.over(rows[1], Over::Deleted);
    assert_eq!(table.untie(server), 2);
    assert_eq!(table.status(rows[0]), Some(Status::End));
    assert_eq!(table.status(rows[1]), Some(Status::Deleted));
    assert_eq!(table.status(rows[2]), Some(Status::Inactive), "in the very session that had them");
    assert_eq!(asked(&mut table, server), [rows[3], rows[2]]);
    assert!(table.confirmed(rows[2]) && table.tied(rows[3]));
    assert_eq!(table.server(server).unwrap().expected(), 1);
}

#[test]
fn a_plain_answer_about_one_queue_leaves_the_ties_of_the_others() {
    let mut table = table(SubscriptionLimits::default());
    let rows: Vec<_> = (0..2).map(|number| table.create(wanted(number, "a", owner(0))).unwrap()).collect();
    let server = table.server_by_address(&address("a")).unwrap();
    asked(&mut table, server);
    table.tied(rows[0]);
    table.confirmed(rows[1]);
    table.session_over(server);
    table.over(rows[1], Over::Auth);
    assert_eq!(table.server(server).unwrap().tied(), 1, "defect D10 of the reference");
}

#[test]
fn what_was_dropped_here_is_still_expected_until_it_goes() {
    let mut table = table(SubscriptionLimits::default());
    let rows: Vec<_> = (0..3).map(|number| table.create(wanted(number, "a", owner(0))).unwrap()).collect();
    let server = table.server_by_address(&address("a")).unwrap();
    asked(&mut table, server);
    for index in &rows {
        table.tied(*index);
    }
    table.remove(rows[0]);
    let expected = |table: &Subscriptions| table.server(server).unwrap().expected();
    assert_eq!(expected(&table), 3, "the SMP server was not told");
    table.forgotten_has_gone(server);
    assert_eq!(expected(&table), 2);
    table.over(rows[1], Over::Deleted);
    assert_eq!(expected(&table), 1);
    table.forgotten_has_gone(server);
    assert_eq!(expected(&table), 1);
}

#[test]
fn the_new_come_first_and_then_the_last_heard_of() {
    let mut table = table(SubscriptionLimits::default());
    let rows: Vec<_> = (0..6).map(|number| table.create(wanted(number, "a", owner(0))).unwrap()).collect();
    let server = table.server_by_address(&address("a")).unwrap();
    assert_eq!(asked(&mut table, server), rows, "in the order they came");
    for index in rows.iter().rev() {
        table.confirmed(*index);
    }
    table.heard(rows[1]);
    for session in 0..3 {
        table.session_over(server);
        let added = table.create(wanted(100 + session, "a", owner(0))).unwrap();
        let order: Vec<_> = asked(&mut table, server);
        let silent = [rows[5], rows[4], rows[3], rows[2], rows[0]];
        assert_eq!(order[0], added);
        assert_eq!(order[1], rows[1], "session {session}");
        assert_eq!(order[2..7], silent, "session {session}");
        table.remove(added);
    }
}

#[test]
fn a_late_answer_is_used_and_nothing_asked_for_twice() {
    let mut table = table(SubscriptionLimits::default());
    let index = table.create(wanted(1, "a", owner(0))).unwrap();
    let server = table.server_by_address(&address("a")).unwrap();
    asked(&mut table, server);
    table.retry(index);
    assert!(table.confirmed(index));
    assert_eq!(table.status(index), Some(Status::Active));
    assert_eq!(asked(&mut table, server), []);
}

#[test]
fn a_token_has_so_many_servers() {
    let limits = SubscriptionLimits { servers_per_token: 2, ..SubscriptionLimits::default() };
    let mut table = table(limits);
    for (number, name) in (0..).zip(["a", "b", "a"]) {
        table.create(wanted(number, name, owner(0))).unwrap();
    }
    assert_eq!(table.create(wanted(3, "c", owner(0))), Err(SubscriptionsFull::ServersOfToken));
    assert!(table.create(wanted(3, "c", owner(1))).is_ok());
    assert_eq!(table.create(wanted(4, "c", owner(0))), Err(SubscriptionsFull::ServersOfToken));
    for number in [0, 2] {
        assert!(table.server_by_address(&address("a")).is_some());
        let index = find(&table, number).unwrap();
        table.remove(index);
    }
    assert!(table.create(wanted(4, "c", owner(0))).is_ok());
}

#[test]
fn of_servers_the_longest_unreached_is_in_the_way_of_another() {
    let mut table = table(SubscriptionLimits { servers: 3, ..SubscriptionLimits::default() });
    for (number, name) in (0..).zip(["a", "b"]) {
        table.create(wanted(number, name, owner(0))).unwrap();
    }
    let at = |table: &Subscriptions, name| table.server_by_address(&address(name)).unwrap();
    assert_eq!(table.in_the_way(owner(0), &address("d"), 1), None, "there is room");
    table.create(wanted(2, "c", owner(0))).unwrap();
    let first = at(&table, "a");
    table.reached(first);
    assert_eq!(table.in_the_way(owner(0), &address("b"), 1), None, "it is there");
    assert_eq!(table.in_the_way(owner(0), &address("d"), 1), Some(at(&table, "b")));
    assert_eq!(table.first_of(at(&table, "b")), find(&table, 1));
    for name in ["b", "c"] {
        let server = at(&table, name);
        table.reached(server);
    }
    assert_eq!(table.in_the_way(owner(0), &address("d"), 1), None, "who is reached stays");
}

#[test]
fn a_large_server_that_is_never_reached_hides_no_other() {
    let limits = SubscriptionLimits { servers: 2, servers_per_token: 2, ..SubscriptionLimits::default() };
    let mut table = table(limits);
    for (number, name) in (0..).zip(["large", "large", "small"]) {
        table.create(wanted(number, name, owner(0))).unwrap();
    }
    let small = table.server_by_address(&address("small"));
    assert_eq!(table.in_the_way(owner(1), &address("d"), 1), small, "the large one is passed over");
    assert_eq!(table.in_the_way(owner(1), &address("d"), 0), None);
    assert_eq!(table.in_the_way(owner(0), &address("d"), 1), None, "it has all the servers that it may have");
}
