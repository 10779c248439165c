//! Several shards are one subscriber to devices, whichever shard a thing falls to.
//!
//! Every other test of the subscriber is run with shards as well, by the last one here; `NTF_SHARDS=4` does so for
//! people. The rest is what only shards can get wrong.

mod roster;

use super::app::{App, Device};
use super::world::{Queue, World};
use crate::base::budget::BudgetPlan;
use crate::base::source::Source;
use crate::delivery::policy::PushPolicy;
use crate::link::event::{DownReason, LinkEvent};
use crate::model::push::{PushOrder, PushOutcome, PushPayload, PushResult};
use crate::model::shard::ShardPlan;
use crate::model::token::InvalidReason;
use crate::subscriber::input::Input;
use crate::wire::ntf::command::{Command, Device as DeviceField};
use crate::wire::version::NtfVersion;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU8;
use core::time::Duration;

const FOUR: NonZeroU8 = NonZeroU8::new(4).expect("four is not zero");
const HOST: &str = "smp.example.org";

/// Letters take no time: an answer is there when its command has been handled.
fn world() -> World {
    World::sharded(FOUR, Duration::ZERO, |_| {})
}

/// Letters take their time, and much happens meanwhile.
fn slow_world() -> World {
    World::sharded(FOUR, LATENCY, |_| {})
}

const LATENCY: Duration = Duration::from_millis(2);

/// Hands a command in without waiting for its answer.
fn begin(world: &mut World, device: &mut Device, app: &App, entity: &[u8], command: &Command<'_>) {
    let mut bytes = Vec::new();
    command.encode(device.session.version(), &mut bytes);
    begin_bytes(world, device, app, entity, &bytes);
}

fn begin_bytes(world: &mut World, device: &mut Device, app: &App, entity: &[u8], command: &[u8]) {
    let corr = device.corr();
    let bytes = device.write(Some(&app.key), &corr, entity, command);
    device.session.outgoing.push(|out| out.extend_from_slice(&bytes)).unwrap();
    let mut block = device.session.outgoing.take().unwrap();
    device.session.outgoing.on_sent(1);
    world.handle(Input::Link(LinkEvent::Block { link: device.link, block: &mut block }));
}

/// Lets letters arrive, and gives the answers that came to a device.
fn answers(world: &mut World, device: &mut Device) -> usize {
    world.advance(Duration::from_secs(1));
    world.devices.get_mut(&device.link).map(core::mem::take).unwrap_or_default().len()
}

/// A command with its answer, in a world where letters take their time.
fn told(world: &mut World, device: &mut Device, app: &App, command: &Command<'_>) -> String {
    begin(world, device, app, &app.id, command);
    world.advance(Duration::from_secs(1));
    let reply = device.receive(world).remove(0);
    reply.text()
}

/// The number of the shard that gave a token its id.
fn shard_of(app: &App) -> u8 {
    ShardPlan::new(0, FOUR).unwrap().of_name(&app.id).number()
}

/// Verified apps on different devices, one on each shard.
fn one_on_each(world: &mut World, device: &mut Device) -> Vec<App> {
    let mut apps: Vec<App> = Vec::new();
    for number in 1..=200 {
        let app = App::verified(world, device, number, &alloc::format!("device{number}"));
        if apps.iter().all(|other| shard_of(other) != shard_of(&app)) {
            apps.push(app);
        }
        if apps.len() == 4 {
            return apps;
        }
    }
    panic!("two hundred keys fall to fewer than four shards");
}

fn check(world: &mut World, device: &mut Device, app: &App) -> String {
    app.ask(world, device, &Command::Tchk)
}

#[test]
fn one_block_may_speak_of_tokens_of_every_shard() {
    let mut world = world();
    let mut device = world.device();
    let apps = one_on_each(&mut world, &mut device);
    let moved = world.subscriber.counters().shards.links_given.total();
    // Four commands, twice round, in one write; TCHK is short enough for several in a block.
    let mut asked = Vec::new();
    let transmissions: Vec<_> = [0, 1, 2, 3, 0, 1, 2, 3]
        .map(|which: usize| {
            let corr = device.corr();
            asked.push((corr.to_vec(), apps[which].id.clone()));
            device.write(Some(&apps[which].key), &corr, &apps[which].id, b"TCHK")
        })
        .into();
    let replies = device.send(&mut world, &transmissions);
    let answered: Vec<_> = replies.iter().map(|reply| (reply.corr.clone(), reply.entity.clone())).collect();
    assert_eq!(answered, asked, "each is answered once, in order");
    assert!(replies.iter().all(|reply| reply.text() == "TKN ACTIVE"));
    let counters = world.subscriber.counters().shards;
    assert!(counters.links_given.total() - moved >= 7, "the link went round");
    assert_eq!(counters.links_given, counters.links_taken);
    assert_eq!(world.subscriber.gauges().links, 1);
}

#[test]
fn what_arrives_while_a_link_moves_is_not_lost() {
    let mut world = slow_world();
    let mut device = world.device();
    let apps = registered_on_each(&mut world, &mut device);
    for round in 0..50 {
        for which in 0..12 {
            let app = &apps[(which * 7 + round) % 4];
            begin(&mut world, &mut device, app, &app.id, &Command::Tchk);
            // Sometimes the link is half way, sometimes there.
            world.advance(Duration::from_micros(u64::try_from(which * round).unwrap() * 11));
        }
        assert_eq!(answers(&mut world, &mut device), 12, "every command is answered once, round {round}");
    }
    // It may end on its way, too.
    begin(&mut world, &mut device, &apps[0], &apps[0].id, &Command::Tchk);
    begin(&mut world, &mut device, &apps[1], &apps[1].id, &Command::Tchk);
    world.handle(Input::Link(LinkEvent::Down { link: device.link, reason: DownReason::Closed }));
    world.advance(Duration::from_secs(1));
    let gauges = world.subscriber.gauges();
    assert_eq!((gauges.links, gauges.waits), (0, 0));
}

#[test]
fn a_device_token_verified_on_one_shard_ends_registrations_on_others() {
    let mut world = world();
    let (mut device, mut other_device) = (world.device(), world.device());
    let mut shards = Vec::new();
    let mut last: Option<App> = None;
    for number in 1..=24 {
        let app = App::verified(&mut world, &mut device, number, "abcd");
        if let Some(rival) = &last {
            assert_eq!(check(&mut world, &mut other_device, rival), "ERR AUTH", "registration {number}");
        }
        assert_eq!(check(&mut world, &mut other_device, &app), "TKN ACTIVE");
        assert_eq!(world.subscriber.gauges().tokens, 1);
        shards.push(shard_of(&app));
        last = Some(app);
        // The device's budget of verification pushes is that of all shards together.
        world.advance(Duration::from_secs(60));
    }
    shards.sort_unstable();
    shards.dedup();
    assert_eq!(shards.len(), 4, "every shard had one");
}

#[test]
fn of_two_registrations_verified_at_once_one_stands() {
    let mut world = slow_world();
    let (mut one, mut two) = (world.device(), world.device());
    let mut first_won = 0;
    for pair in 0..60 {
        let name = alloc::format!("pair{pair}");
        let mut apps = [2 * pair + 1, 2 * pair + 2].map(|number| App::new(number, &name));
        let mut codes = Vec::new();
        for (app, device) in apps.iter_mut().zip([&mut one, &mut two]) {
            register(&mut world, device, app);
            codes.push(app.code(&world.take_order()));
        }
        // The second before the first's shard can have told anybody, or after it has told some.
        begin(&mut world, &mut one, &apps[0], &apps[0].id, &Command::Tvfy { code: &codes[0] });
        world.advance(Duration::from_micros(u64::from(pair) * 60));
        begin(&mut world, &mut two, &apps[1], &apps[1].id, &Command::Tvfy { code: &codes[1] });
        world.advance(Duration::from_secs(1));
        world.devices.values_mut().for_each(Vec::clear);
        let standing = [(&apps[0], &mut one), (&apps[1], &mut two)]
            .map(|(app, device)| told(&mut world, device, app, &Command::Tchk));
        let active = standing.iter().filter(|status| *status == "TKN ACTIVE").count();
        assert_eq!((active, world.subscriber.gauges().tokens), (1, 1), "pair {pair}: {standing:?}");
        let winner = if standing[0] == "TKN ACTIVE" { 0 } else { 1 };
        first_won += 1 - winner;
        assert_eq!(told(&mut world, &mut one, &apps[winner], &Command::Tdel), "OK");
    }
    assert!(first_won > 0, "some were really at once, and the larger id of them was the first's");
}

/// Each way in which a queue can become free, for a token on each shard.
#[test]
fn a_queue_is_watched_for_one_token_whatever_shards_they_are_on() {
    let mut world = world();
    let mut device = world.device();
    let apps = one_on_each(&mut world, &mut device);
    for number in 0..12 {
        let queue = world.queue(100 + number);
        let (first, second) =
            (&apps[usize::from(number) % 4], &apps[usize::from(number / 4 + number + 1) % 4]);
        let id = first.subscribe(&mut world, &mut device, HOST, &queue);
        assert_eq!(first.subscribe(&mut world, &mut device, HOST, &queue), id, "asked again");
        if first.id != second.id {
            assert_eq!(refused(&mut world, &mut device, second, &queue), "ERR AUTH", "queue {number}");
        }
        first.unsubscribe(&mut world, &mut device, &id);
        let id = second.subscribe(&mut world, &mut device, HOST, &queue);
        second.unsubscribe(&mut world, &mut device, &id);
    }
    // A token that is deleted, or superseded, frees its queues as well.
    let queue = world.queue(120);
    apps[0].subscribe(&mut world, &mut device, HOST, &queue);
    assert_eq!(apps[0].ask(&mut world, &mut device, &Command::Tdel), "OK");
    apps[1].subscribe(&mut world, &mut device, HOST, &queue);
    let device_token = String::from_utf8(apps[1].token.token.to_vec()).unwrap();
    App::verified(&mut world, &mut device, 250, &device_token);
    apps[2].subscribe(&mut world, &mut device, HOST, &queue);
    let gauges = world.subscriber.gauges();
    assert_eq!((gauges.subscriptions, gauges.claims, gauges.waits), (1, 1, 0));
}

#[test]
fn the_same_subscription_asked_for_twice_at_once_is_one() {
    let mut world = slow_world();
    let (mut one, mut two) = (world.device(), world.device());
    let apps = registered_on_each(&mut world, &mut one);
    for number in 0..8 {
        let queue = world.queue(100 + number);
        let app = &apps[usize::from(number) % 4];
        for device in [&mut one, &mut two] {
            let notifier = queue.at(world.smp_address(HOST));
            let command = Command::Snew { token: &app.id, notifier, key: queue.key.clone() };
            begin(&mut world, device, app, &[], &command);
        }
        world.advance(Duration::from_secs(1));
        let replies = [&mut one, &mut two].map(|device| device.receive(&mut world).remove(0).text());
        assert!(replies[0].starts_with("IDSUB") && replies[0] == replies[1], "{replies:?}");
        assert_eq!(world.subscriber.gauges().subscriptions, u32::from(number) + 1);
    }
}

/// A token that is deleted while the claim on its queue is asked for leaves no claim behind.
#[test]
fn a_claim_for_a_token_that_is_gone_is_given_up() {
    let mut world = slow_world();
    let (mut one, mut two) = (world.device(), world.device());
    for number in 1..=12 {
        let mut app = App::new(number, &alloc::format!("device{number}"));
        register(&mut world, &mut one, &mut app);
        let code = app.code(&world.take_order());
        assert_eq!(told(&mut world, &mut one, &app, &Command::Tvfy { code: &code }), "OK");
        let queue = world.queue(100 + number);
        let notifier = queue.at(world.smp_address(HOST));
        let command = Command::Snew { token: &app.id, notifier, key: queue.key.clone() };
        begin(&mut world, &mut one, &app, &[], &command);
        world.advance(Duration::from_micros(u64::from(number) * 300));
        begin(&mut world, &mut two, &app, &app.id, &Command::Tdel);
        assert_eq!(answers(&mut world, &mut one) + answers(&mut world, &mut two), 2);
        let gauges = world.subscriber.gauges();
        assert_eq!((gauges.claims, gauges.waits, gauges.subscriptions), (0, 0, 0), "round {number}");
    }
}

/// The answer to SNEW lets its link go on with TDEL in the same breath; the queue is given back once all the same,
/// and by whoever holds it.
#[test]
fn a_queue_that_is_dropped_right_behind_its_claim_goes_to_the_next_and_stays_there() {
    let mut world = slow_world();
    let (mut one, mut two) = (world.device(), world.device());
    let next = registered_on_each(&mut world, &mut two);
    for number in 1..=40 {
        let mut app = App::new(number, &alloc::format!("brief{number}"));
        register(&mut world, &mut one, &mut app);
        let code = app.code(&world.take_order());
        assert_eq!(told(&mut world, &mut one, &app, &Command::Tvfy { code: &code }), "OK");
        let queue = world.queue(100 + number);
        let snew = |world: &World, app: &App| {
            let notifier = queue.at(world.smp_address(HOST));
            let mut bytes = Vec::new();
            Command::Snew { token: &app.id, notifier, key: queue.key.clone() }
                .encode(NtfVersion::MAX, &mut bytes);
            bytes
        };
        let wanted = snew(&world, &app);
        begin_bytes(&mut world, &mut one, &app, &[], &wanted);
        begin(&mut world, &mut one, &app, &app.id, &Command::Tdel);
        world.advance(Duration::from_micros(u64::from(number) * 150));
        let other = &next[usize::from(number) % 4];
        let wanted = snew(&world, other);
        begin_bytes(&mut world, &mut two, other, &[], &wanted);
        world.advance(Duration::from_secs(1));
        assert_eq!(one.receive(&mut world).len(), 2, "both are answered, round {number}");
        one.receive(&mut world);
        two.receive(&mut world);
        let gauges = world.subscriber.gauges();
        let subscriptions = usize::try_from(gauges.subscriptions).unwrap();
        assert_eq!((gauges.claims, gauges.waits), (subscriptions, 0), "round {number}");
    }
}

#[test]
fn links_that_gather_on_one_shard_meet_its_bound() {
    let mut world = World::sharded(FOUR, Duration::ZERO, |config| config.links = 16);
    let mut device = world.device();
    let apps = one_on_each(&mut world, &mut device);
    let mut devices: Vec<Device> = (0..7).map(|_| world.device()).collect();
    for device in &mut devices {
        let command = Command::Tchk;
        begin(&mut world, device, &apps[0], &apps[0].id, &command);
    }
    let open = devices.iter().filter(|device| world.is_open(device.link)).count();
    assert!(open <= 4, "a shard has its share of places: {open}");
    assert!(world.subscriber.counters().links.refused_full.total() >= 3);
}

/// A link that ends while it waits leaves nothing behind.
#[test]
fn what_a_link_waits_for_ends_with_it() {
    let mut world = slow_world();
    let mut device = world.device();
    let apps = registered_on_each(&mut world, &mut device);
    for number in 0..20_u8 {
        let mut brief = world.device();
        let app = &apps[usize::from(number) % 4];
        let queue = world.queue(100 + number);
        let notifier = queue.at(world.smp_address(HOST));
        let command = Command::Snew { token: &app.id, notifier, key: queue.key.clone() };
        begin(&mut world, &mut brief, app, &[], &command);
        world.advance(Duration::from_micros(u64::from(number) * 200));
        world.handle(Input::Link(LinkEvent::Down { link: brief.link, reason: DownReason::Closed }));
        world.devices.remove(&brief.link);
        world.advance(Duration::from_secs(1));
        let gauges = world.subscriber.gauges();
        let subscriptions = usize::try_from(gauges.subscriptions).unwrap();
        assert_eq!((gauges.claims, gauges.waits), (subscriptions, 0), "round {number}");
    }
}

fn plan(burst: u32) -> BudgetPlan {
    BudgetPlan { burst, period: Duration::from_secs(60) }
}

fn source(number: u8) -> Option<Source> {
    Some(Source::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, number))))
}

#[test]
fn the_budgets_of_a_source_are_those_of_all_shards_together() {
    let mut world = World::sharded(FOUR, Duration::ZERO, |config| {
        config.sources.registrations = plan(20);
        config.sources.wrong_codes = plan(10);
    });
    world.source = source(66);
    let mut strangers = [(); 4].map(|()| world.device());
    let mut apps: Vec<App> = Vec::new();
    for number in 0..60 {
        let stranger = &mut strangers[usize::from(number % 4)];
        let mut app = App::new(number, &alloc::format!("victim{number}"));
        let reply = app.try_register(&mut world, stranger);
        assert_eq!(reply.text().starts_with("IDTKN"), number < 20, "{number}: {}", reply.text());
        if number < 20 {
            app.registered(&reply);
            apps.push(app);
        }
    }
    let used = FOUR_SHARDS.map(|shard| apps.iter().filter(|app| shard_of(app) == shard).count());
    assert!(used.iter().all(|count| (1..20).contains(count)), "every shard had some: {used:?}");
    // Each registration may answer once; what is wrong beyond the budget is not looked at a second time.
    let wrong = Command::Tvfy { code: &[0; 32] };
    for _ in 0..2 {
        for app in &apps {
            assert_eq!(app.ask(&mut world, &mut strangers[0], &wrong), "ERR AUTH");
        }
    }
    assert_eq!(world.subscriber.counters().tokens.guesses_refused.total(), 20);
    world.source = source(7);
    let mut owner = world.device();
    world.orders.clear();
    App::verified(&mut world, &mut owner, 100, "abcd");
    world.advance(Duration::from_secs(60));
    world.source = source(66);
    let late = App::new(61, "victim61").try_register(&mut world, &mut strangers[1]).text();
    assert!(late.starts_with("IDTKN"), "one a minute: {late}");
}

const FOUR_SHARDS: [u8; 4] = [0, 1, 2, 3];

#[test]
fn a_source_has_so_many_links_on_all_shards_together_wherever_they_move() {
    let mut world = World::sharded(FOUR, LATENCY, |config| config.sources.links = 6);
    let mut device = world.device();
    let apps = registered_on_each(&mut world, &mut device);
    world.source = source(66);
    for round in 0..10 {
        let mut links: Vec<Device> = Vec::new();
        for _ in 0..6 {
            links.push(world.device());
            world.advance(LATENCY);
        }
        let further = world.open_link();
        assert!(!world.is_open(further), "round {round}");
        for (number, device) in links.iter_mut().enumerate() {
            let app = &apps[(number + round) % 4];
            begin(&mut world, device, app, &app.id, &Command::Tchk);
        }
        // Some end where they came to, some on their way.
        world.advance(Duration::from_micros(u64::try_from(round).unwrap() * 400));
        for device in links {
            world.handle(Input::Link(LinkEvent::Down { link: device.link, reason: DownReason::Closed }));
            world.devices.remove(&device.link);
        }
        world.advance(Duration::from_secs(1));
        assert_eq!(world.subscriber.gauges().links, 1, "round {round}");
    }
    assert_eq!(world.subscriber.counters().links.refused_source.total(), 10);
}

/// Whoever knows a device token can have it registered under any number of keys, which fall to all shards.
#[test]
fn what_strangers_cost_a_device_does_not_depend_on_the_number_of_shards() {
    for latency in [Duration::ZERO, LATENCY] {
        let mut world = World::sharded(FOUR, latency, |config| config.tokens.wrong_codes = plan(3));
        let mut stranger = world.device();
        let mut apps: Vec<App> = Vec::new();
        for number in 1..=40 {
            let mut app = App::new(number, "abcd");
            register(&mut world, &mut stranger, &mut app);
            apps.push(app);
        }
        assert_eq!(world.orders.len(), 10, "one budget of verification pushes, {latency:?}");
        let gauges = world.subscriber.gauges();
        assert_eq!((gauges.tokens, gauges.unproved), (8, 8), "and one roster");
        assert_eq!(world.subscriber.counters().tokens.displaced.total(), 32);
        let standing = &apps[32..];
        let used = FOUR_SHARDS.map(|shard| standing.iter().any(|app| shard_of(app) == shard));
        assert!(used.iter().filter(|used| **used).count() >= 3, "on several shards: {used:?}");
        let wrong = Command::Tvfy { code: &[0; 32] };
        for _ in 0..2 {
            for app in standing {
                assert_eq!(told(&mut world, &mut stranger, app, &wrong), "ERR AUTH");
            }
        }
        let refused = world.subscriber.counters().tokens.guesses_refused.total();
        assert_eq!(refused, 8, "second guesses, of which the budget of the device is used up");
        // The owner comes last, is let in and proves itself, which ends all others and empties the roster.
        world.orders.clear();
        world.advance(Duration::from_secs(3600));
        world.orders.clear();
        world.source = source(7);
        let (mut owners, mut owner) = (world.device(), App::new(100, "abcd"));
        register(&mut world, &mut owners, &mut owner);
        let code = owner.code(&world.orders.pop().expect("a push for the owner"));
        assert_eq!(told(&mut world, &mut owners, &owner, &Command::Tvfy { code: &code }), "OK");
        let gauges = world.subscriber.gauges();
        assert_eq!((gauges.tokens, gauges.unproved), (1, 0));
    }
}

/// Apple counts the hidden pushes of a device, whichever of its keys they were for.
#[test]
fn the_hidden_pushes_of_a_device_are_those_of_all_shards_together() {
    let mut world = World::sharded(FOUR, Duration::ZERO, |config| {
        config.delivery.policy = PushPolicy::HiddenThenVisible;
    });
    let mut device = world.device();
    let (mut shards, mut hidden) = (Vec::new(), Vec::new());
    // A registration a minute for an hour, each with a queue and a message of its own.
    for number in 1..=60 {
        let app = App::verified(&mut world, &mut device, number, "abcd");
        shards.push(shard_of(&app));
        let queue = world.queue(100 + number);
        app.subscribe(&mut world, &mut device, "smp.example.org", &queue);
        world.notify(&queue.notifier, number);
        let is_hidden = |order: &PushOrder| matches!(order.payload, PushPayload::Hidden(_));
        assert_eq!(world.orders.len(), 1, "a push for message {number}");
        world.advance(Duration::from_secs(60));
        hidden.extend(world.orders.drain(..).filter(is_hidden).map(|_| number));
    }
    shards.sort_unstable();
    shards.dedup();
    assert_eq!(shards.len(), 4, "every shard had some");
    // What a registration holds, it sends when the twenty minutes are over; the next one finds them used.
    assert_eq!(hidden, [1, 20, 40, 60], "one in twenty minutes");
}

/// The push of a registration is out when its rival on another shard is verified: its outcome finds nothing, and
/// says nothing about the rival.
#[test]
fn a_token_superseded_elsewhere_while_its_push_is_out_is_gone_when_the_outcome_comes() {
    let mut world = slow_world();
    let mut device = world.device();
    let mut last: Option<(App, PushOrder)> = None;
    let mut crossings = 0;
    for number in 1..=24 {
        let mut app = App::new(number, "abcd");
        world.accepts_pushes = true;
        register(&mut world, &mut device, &mut app);
        let code = app.code(&world.orders.pop().expect("its own push"));
        assert_eq!(told(&mut world, &mut device, &app, &Command::Tvfy { code: &code }), "OK");
        if let Some((rival, order)) = last.take() {
            crossings += usize::from(shard_of(&rival) != shard_of(&app));
            let result = PushResult::TokenInvalid { reason: InvalidReason::Bad, since_millis: None };
            world.handle(Input::Outcome(PushOutcome { id: order.id, result }));
            world.advance(LATENCY);
            assert_eq!(told(&mut world, &mut device, &app, &Command::Tchk), "TKN ACTIVE");
            assert_eq!(told(&mut world, &mut device, &rival, &Command::Tchk), "ERR AUTH");
        }
        assert_eq!(world.subscriber.gauges().tokens, 1);
        // Its code is pushed once more, and nobody says what became of that.
        world.accepts_pushes = false;
        register(&mut world, &mut device, &mut app);
        let order = world.orders.pop().expect("a push that stays out");
        assert_eq!(world.subscriber.gauges().orders_out, 1);
        last = Some((app, order));
        // Two pushes a round: the device's budget allows one a minute, and an order counts as lost after two.
        world.advance(Duration::from_secs(110));
    }
    assert!(crossings > 10, "{crossings} rivals were on other shards");
}

#[test]
fn every_other_test_of_the_subscriber_holds_with_four_shards() {
    let tests = std::env::current_exe().expect("this program");
    let run = std::process::Command::new(tests)
        .args(["subscriber::tests::", "--skip", "subscriber::tests::shards::"])
        .env("NTF_SHARDS", "4")
        .output()
        .expect("the tests are run again");
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && !told.contains("running 0 tests"), "{told}");
}

fn register_command(app: &App) -> Command<'_> {
    Command::Tnew {
        device: DeviceField::of(&app.token),
        auth: app.key.public().unwrap(),
        dh: app.dh.public(),
    }
}

fn register(world: &mut World, device: &mut Device, app: &mut App) {
    begin(world, device, app, &[], &register_command(app));
    world.advance(Duration::from_secs(1));
    app.registered(&device.receive(world).remove(0));
}

/// Verified apps on different devices, one on each shard, where letters take their time.
fn registered_on_each(world: &mut World, device: &mut Device) -> Vec<App> {
    let mut apps: Vec<App> = Vec::new();
    for number in 1..=200 {
        let mut app = App::new(number, &alloc::format!("device{number}"));
        register(world, device, &mut app);
        let code = app.code(&world.take_order());
        assert_eq!(told(world, device, &app, &Command::Tvfy { code: &code }), "OK");
        if apps.iter().all(|other| shard_of(other) != shard_of(&app)) {
            apps.push(app);
        }
        if apps.len() == 4 {
            return apps;
        }
    }
    panic!("two hundred keys fall to fewer than four shards");
}

fn refused(world: &mut World, device: &mut Device, app: &App, queue: &Queue) -> String {
    let notifier = queue.at(world.smp_address(HOST));
    app.try_subscribe(world, device, notifier, &queue.key).text()
}
