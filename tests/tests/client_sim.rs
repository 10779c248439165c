//! The device's half of what is promised, with a real subscriber in simulated time: a subscriber that begins
//! with nothing is healed by its devices, and switching how a device learns of messages loses none.

#![allow(clippy::indexing_slicing, clippy::wildcard_enum_match_arm, reason = "tests")]

use ntf_core::base::rng::Seed;
use ntf_core::base::time::Mono;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, QueueId, RequestTag};
use ntf_core::client::{Mode, Notifications};
use ntf_core::crypto::es256::Es256Key;
use ntf_core::model::server::{SenderAddress, ServerAddress};
use ntf_core::model::subscription::SubscriptionStatus;
use ntf_core::model::token::{DeviceToken, Provider, TokenStatus};
use ntf_core::sim::{Config, Fault, NodeId, World};
use ntf_core::{client, push, smp, subscriber};
use std::time::Duration;

/// Made for tests, protects nothing.
const KEY_PEM: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGvKODR3TbfWaia0m
uwzkeexYF8FfnRc1De80NaAqn9ChRANCAAR82UAoO5t2YG8LNCwRr5LLcTP0C5sy
CZSbP9lxWL//XptWw7CB1h5p1uomBdvyC2RWFdMlrV8/rMRlRpAVjlKY
-----END PRIVATE KEY-----
";

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const TOKEN: &[u8] = b"aa01";

#[test]
fn a_subscriber_that_begins_with_nothing_is_healed_within_the_check_interval() {
    for seed in 0..3 {
        let mut run = Run::new(seed);
        run.world.apply(Fault::Restart(run.subscriber));
        assert_eq!(run.held(), (0, 0), "seed {seed}: it knows nothing");
        let first_check = client::Config::default().first_check;
        let begun = run.world.now().mono;
        assert!(run.wait_until(first_check, |run| run.held() == (1, 3)), "seed {seed}: within a day");
        let took = run.world.now().mono.since(begun);
        assert!(took > 20 * HOUR, "seed {seed}: by the schedule and nothing else, after {took:?}");
        run.check_delivery();
    }
}

#[test]
fn later_on_it_is_healed_within_the_longer_interval() {
    let mut run = Run::new(10);
    run.world.run_for(30 * HOUR);
    run.world.apply(Fault::Restart(run.subscriber));
    let later_checks = client::Config::default().later_checks;
    assert!(run.wait_until(later_checks, |run| run.held() == (1, 3)), "within three days");
    run.check_delivery();
}

#[test]
fn a_device_that_asks_heals_it_at_once() {
    for command in [|| Command::Check, || Command::NetworkChanged] {
        let mut run = Run::new(20);
        run.world.apply(Fault::Restart(run.subscriber));
        run.world.command(run.device, command());
        assert!(run.wait_until(MINUTE / 2, |run| run.held() == (1, 3)), "within seconds");
        run.check_delivery();
    }
}

#[test]
fn a_message_sent_while_the_subscriber_knew_nothing_is_not_lost() {
    let mut run = Run::new(30);
    run.world.apply(Fault::Restart(run.subscriber));
    run.send(0, b"unseen");
    run.world.run_for(MINUTE);
    assert_eq!(run.received(), [] as [Vec<u8>; 0]);
    run.world.command(run.device, Command::Check);
    run.world.run_for(MINUTE);
    assert_eq!(run.received(), [b"unseen".to_vec()]);
}

#[test]
fn a_device_that_restarts_together_with_the_subscriber_comes_back_by_itself() {
    let mut run = Run::new(40);
    run.world.apply(Fault::Restart(run.subscriber));
    run.world.apply(Fault::Restart(run.device));
    // Its calendar is a year behind from here on.
    run.world.apply(Fault::Calendar(run.device, -365 * 24 * 3_600_000));
    run.world.apply(Fault::Restart(run.device));
    assert!(run.wait_until(24 * HOUR, |run| run.held() == (1, 3)), "by the schedule that it saved");
    run.check_delivery();
}

#[test]
fn in_periodic_mode_nobody_knows_the_queues_and_messages_come_with_the_next_waking() {
    let mut run = Run::new(50);
    run.world.command(run.device, Command::SetMode(Mode::Periodic));
    run.world.run_for(MINUTE);
    assert_eq!(run.held(), (1, 0), "the token stays, its queues are gone");
    run.send(0, b"one");
    run.send(2, b"two");
    run.world.run_for(MINUTE);
    assert_eq!(run.received(), [] as [Vec<u8>; 0], "no push of its own");
    run.world.run_for(45 * MINUTE);
    assert_eq!(run.received(), [b"one".to_vec(), b"two".to_vec()]);
    run.send(1, b"three");
    run.world.command(run.device, Command::FetchAll);
    run.world.run_for(MINUTE);
    assert!(run.received().contains(&b"three".to_vec()), "the application's own look");
}

#[test]
fn switching_modes_at_any_moment_loses_no_message() {
    for seed in 60..66 {
        let mut run = Run::new(seed);
        let mut sent = Vec::new();
        for number in 0..12_usize {
            let mode = if number % 4 < 2 { Mode::Periodic } else { Mode::Instant };
            run.world.command(run.device, Command::SetMode(mode));
            // Somewhere between the commands of the switch.
            run.world.run_for(Duration::from_millis(37 * (seed + u64::try_from(number).expect("small"))));
            let message = format!("message {number:02}").into_bytes();
            run.send(number % 3, &message);
            sent.push(message);
            if number % 5 == 4 {
                run.world.cut_links(run.device);
            }
        }
        run.world.command(run.device, Command::SetMode(Mode::Instant));
        run.world.run_for(5 * MINUTE);
        assert_eq!(run.received(), sent, "seed {seed}");
        assert_eq!(run.held(), (1, 3), "seed {seed}");
        run.check_delivery();
    }
}

#[test]
fn a_queue_that_is_turned_off_is_watched_by_nobody() {
    let mut run = Run::new(80);
    let queue = run.queues[0].0;
    run.world.command(run.device, Command::SetNotifications { queue, notifications: Notifications::Off });
    run.world.run_for(MINUTE);
    assert_eq!(run.held(), (1, 2));
    run.send(0, b"quiet");
    run.send(1, b"loud");
    run.world.run_for(MINUTE);
    assert_eq!(run.received(), [b"loud".to_vec()]);
    run.world.command(run.device, Command::SetNotifications { queue, notifications: Notifications::On });
    run.world.run_for(MINUTE);
    assert_eq!(run.received(), [b"loud".to_vec(), b"quiet".to_vec()]);
    assert_eq!(run.held(), (1, 3));
}

#[test]
fn deletions_reach_servers_that_were_away_even_over_a_restart() {
    let mut run = Run::new(90);
    let (device, subscriber) = (run.device, run.subscriber);
    run.world.apply(Fault::Partition(device, subscriber));
    let smp: Vec<_> = run.smp.clone();
    for server in &smp {
        run.world.apply(Fault::Partition(device, *server));
    }
    for (queue, _) in run.queues.clone() {
        run.world.command(device, Command::DeleteQueue { queue });
    }
    run.world.command(device, Command::Unregister);
    run.world.run_for(HOUR);
    run.world.apply(Fault::Restart(device));
    run.world.run_for(HOUR);
    run.world.apply(Fault::Heal(device, subscriber));
    for server in &smp {
        run.world.apply(Fault::Heal(device, *server));
    }
    run.world.run_for(10 * MINUTE);
    assert_eq!(run.held(), (0, 0));
    let gauges = run.world.client(device).expect("a client").gauges();
    assert_eq!((gauges.queues, gauges.deletions, gauges.timers), (0, 0, 0));
    for server in smp {
        assert_eq!(run.world.smp(server).expect("an SMP server").gauges().queues, 0);
    }
}

/// A device with three queues on two SMP servers, and a sender.
struct Run {
    world: World,
    smp: Vec<NodeId>,
    subscriber: NodeId,
    device: NodeId,
    sender: NodeId,
    queues: Vec<(QueueId, SenderAddress)>,
    tags: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut world = World::new(Seed::from_number(seed), Config::default());
        let servers: Vec<(NodeId, ServerAddress)> =
            ["smp1.sim", "smp2.sim"].map(|host| world.add_smp(host, smp::server::Config::new)).into();
        let provider = world.add_provider();
        let push = world.add_push(
            provider,
            push::Config {
                key: Some(Es256Key::from_pkcs8_pem(KEY_PEM).expect("the key above")),
                key_id: "KEYSHARED1".into(),
                allow_test_provider: true,
                ..push::Config::default()
            },
        );
        let (subscriber, address) = world.add_subscriber("ntf.sim", push, |credentials| subscriber::Config {
            allow_test_provider: true,
            ..subscriber::Config::new(credentials)
        });
        let device = world.add_client(client::Config::default());
        let sender = world.add_client(client::Config::default());
        world.install(provider, TOKEN, device);
        world.command(device, Command::SetSubscribers { servers: vec![address] });
        let token = DeviceToken { provider: Provider::ApnsTest, token: TOKEN.into() };
        world.command(device, Command::RegisterWithAny { device: token, mode: Mode::Instant });
        for (tag, server) in [(1, 0), (2, 1), (3, 0)] {
            let server = servers[server].1.clone();
            world.command(device, Command::CreateQueue { tag: RequestTag(tag), server });
        }
        let smp = servers.into_iter().map(|(node, _)| node).collect();
        let mut run = Self { world, smp, subscriber, device, sender, queues: Vec::new(), tags: 10 };
        assert!(run.wait_until(MINUTE, |run| run.held() == (1, 3)), "registered and subscribed");
        let mut created: Vec<_> = run.world.events(device).iter().filter_map(created).collect();
        created.sort_by_key(|(tag, _)| *tag);
        run.queues = created.into_iter().map(|(_, queue)| queue).collect();
        run
    }

    /// Tokens that work and queues that are watched, as the subscriber has them.
    fn held(&self) -> (u32, u32) {
        let gauges = self.world.subscriber(self.subscriber).expect("a subscriber").gauges();
        let client = self.world.client(self.device).expect("a client");
        match client.token_status() {
            Some(TokenStatus::Active) | None => (gauges.tokens, gauges.subscriptions),
            Some(_) => (0, gauges.subscriptions),
        }
    }

    fn wait_until(&mut self, limit: Duration, mut is_done: impl FnMut(&Self) -> bool) -> bool {
        let until = self.world.now().mono + limit;
        let step = (limit / 1000).max(Duration::from_secs(1));
        while !is_done(self) {
            if self.world.now().mono >= until {
                return false;
            }
            self.world.run_for(step);
        }
        true
    }

    fn send(&mut self, queue: usize, message: &[u8]) {
        self.tags += 1;
        let (tag, to) = (RequestTag(self.tags), self.queues[queue].1.clone());
        self.world.command(self.sender, Command::Send { tag, to, message: message.to_vec() });
        let sender = self.sender;
        let is_sent = |(_, event): &(Mono, Event)| *event == Event::Sent { tag };
        assert!(self.wait_until(MINUTE, |run| run.world.events(sender).iter().any(is_sent)), "sent");
    }

    /// What the device's application got, sorted, each once.
    fn received(&self) -> Vec<Vec<u8>> {
        let message = |(_, event): &(Mono, Event)| match event {
            Event::Message { message, .. } => Some(message.clone()),
            _ => None,
        };
        let mut received: Vec<_> = self.world.events(self.device).iter().filter_map(message).collect();
        received.sort();
        received.dedup();
        received
    }

    /// Each queue has its push again, the subscriber watches each, and no law was broken.
    fn check_delivery(&mut self) {
        self.world.run_for(MINUTE);
        self.world.take_events(self.device);
        for queue in 0..self.queues.len() {
            self.send(queue, &[b'0' + u8::try_from(queue).expect("three")]);
        }
        self.world.run_for(MINUTE);
        assert_eq!(self.received(), [b"0", b"1", b"2"]);
        self.world.take_events(self.device);
        self.world.command(self.device, Command::Check);
        self.world.run_for(MINUTE);
        let is_active = |(_, event): &&(Mono, Event)| {
            matches!(event, Event::Subscription { status: SubscriptionStatus::Active, .. })
        };
        assert_eq!(self.world.events(self.device).iter().filter(is_active).count(), 3);
        assert_eq!(self.world.violations(), &[] as &[String]);
    }
}

fn created((_, event): &(Mono, Event)) -> Option<(RequestTag, (QueueId, SenderAddress))> {
    match event {
        Event::QueueCreated { tag, queue, address } => Some((*tag, (*queue, address.clone()))),
        _ => None,
    }
}
