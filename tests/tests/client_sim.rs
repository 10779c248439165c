//! The device's half of what is promised, with a real subscriber in simulated time: a subscriber that begins
//! with nothing is healed by its devices, and switching how a device learns of messages loses none.

#![allow(clippy::indexing_slicing, reason = "tests")]

use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::client::{self, Mode, Notifications};
use ntf_core::model::subscription::SubscriptionStatus;
use ntf_core::model::token::TokenStatus;
use ntf_core::sim::{Fault, NodeId};
use ntf_tests::simulated::{Device, Network, Plan, Queue};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_subscriber_that_begins_with_nothing_is_healed_within_the_check_interval() {
    for seed in 0..3 {
        let mut run = Run::new(seed);
        run.forget_all();
        assert_eq!(run.held(), (0, 0), "seed {seed}: it knows nothing");
        let first_check = client::Config::default().first_check;
        let begun = run.net.world.now().mono;
        assert!(run.wait_until(first_check, |run| run.held() == (1, 3)), "seed {seed}: within a day");
        let took = run.net.world.now().mono.since(begun);
        assert!(took > 20 * HOUR, "seed {seed}: by the schedule and nothing else, after {took:?}");
        run.check_delivery();
    }
}

#[test]
fn later_on_it_is_healed_within_the_longer_interval() {
    let mut run = Run::new(10);
    run.net.world.run_for(30 * HOUR);
    run.forget_all();
    let later_checks = client::Config::default().later_checks;
    assert!(run.wait_until(later_checks, |run| run.held() == (1, 3)), "within three days");
    run.check_delivery();
}

#[test]
fn a_device_that_asks_heals_it_at_once() {
    for command in [|| Command::Check, || Command::NetworkChanged] {
        let mut run = Run::new(20);
        run.forget_all();
        run.net.world.command(run.device.node, command());
        assert!(run.wait_until(MINUTE / 2, |run| run.held() == (1, 3)), "within seconds");
        run.check_delivery();
    }
}

#[test]
fn a_message_sent_while_the_subscriber_knew_nothing_is_not_lost() {
    let mut run = Run::new(30);
    run.forget_all();
    run.send(0, "unseen");
    run.net.world.run_for(MINUTE);
    assert_eq!(run.received(), [] as [String; 0]);
    run.net.world.command(run.device.node, Command::Check);
    run.net.world.run_for(MINUTE);
    assert_eq!(run.received(), ["unseen"]);
}

#[test]
fn a_device_that_restarts_together_with_the_subscriber_comes_back_by_itself() {
    let mut run = Run::new(40);
    run.forget_all();
    run.net.world.apply(Fault::Restart(run.device.node));
    // Its calendar is a year behind from here on.
    run.net.world.apply(Fault::Calendar(run.device.node, -365 * 24 * 3_600_000));
    run.net.world.apply(Fault::Restart(run.device.node));
    assert!(run.wait_until(24 * HOUR, |run| run.held() == (1, 3)), "by the schedule that it saved");
    run.check_delivery();
}

#[test]
fn in_periodic_mode_nobody_knows_the_queues_and_messages_come_with_the_next_waking() {
    let mut run = Run::new(50);
    run.net.world.command(run.device.node, Command::SetMode(Mode::Periodic));
    run.net.world.run_for(MINUTE);
    assert_eq!(run.held(), (1, 0), "the token stays, its queues are gone");
    run.send(0, "one");
    run.send(2, "two");
    run.net.world.run_for(MINUTE);
    assert_eq!(run.received(), [] as [String; 0], "no push of its own");
    run.net.world.run_for(45 * MINUTE);
    assert_eq!(run.received(), ["one", "two"]);
    run.send(1, "three");
    run.net.world.command(run.device.node, Command::FetchAll);
    run.net.world.run_for(MINUTE);
    assert!(run.received().contains(&"three".to_owned()), "the application's own look");
}

#[test]
fn switching_modes_at_any_moment_loses_no_message() {
    for seed in 60..66 {
        let mut run = Run::new(seed);
        let mut sent = Vec::new();
        for number in 0..12_usize {
            let mode = if number % 4 < 2 { Mode::Periodic } else { Mode::Instant };
            run.net.world.command(run.device.node, Command::SetMode(mode));
            // Somewhere between the commands of the switch.
            run.net.world.run_for(Duration::from_millis(37 * (seed + u64::try_from(number).expect("small"))));
            let message = format!("message {number:02}");
            run.send(number % 3, &message);
            sent.push(message);
            if number % 5 == 4 {
                run.net.world.cut_links(run.device.node);
            }
        }
        run.net.world.command(run.device.node, Command::SetMode(Mode::Instant));
        run.net.world.run_for(5 * MINUTE);
        assert_eq!(run.received(), sent, "seed {seed}");
        assert_eq!(run.held(), (1, 3), "seed {seed}");
        run.check_delivery();
    }
}

#[test]
fn a_queue_that_is_turned_off_is_watched_by_nobody() {
    let mut run = Run::new(80);
    let queue = run.queues[0].id;
    run.net
        .world
        .command(run.device.node, Command::SetNotifications { queue, notifications: Notifications::Off });
    run.net.world.run_for(MINUTE);
    assert_eq!(run.held(), (1, 2));
    run.send(0, "quiet");
    run.send(1, "loud");
    run.net.world.run_for(MINUTE);
    assert_eq!(run.received(), ["loud"]);
    run.net
        .world
        .command(run.device.node, Command::SetNotifications { queue, notifications: Notifications::On });
    run.net.world.run_for(MINUTE);
    assert_eq!(run.received(), ["loud", "quiet"]);
    assert_eq!(run.held(), (1, 3));
}

#[test]
fn deletions_reach_servers_that_were_away_even_over_a_restart() {
    let mut run = Run::new(90);
    let (device, subscriber) = (run.device.node, run.subscriber());
    run.net.world.apply(Fault::Partition(device, subscriber));
    let smp: Vec<_> = run.net.smp.iter().map(|(node, _)| *node).collect();
    for server in &smp {
        run.net.world.apply(Fault::Partition(device, *server));
    }
    for queue in run.queues.clone() {
        run.net.world.command(device, Command::DeleteQueue { queue: queue.id });
    }
    run.net.world.command(device, Command::Unregister);
    run.net.world.run_for(HOUR);
    run.net.world.apply(Fault::Restart(device));
    run.net.world.run_for(HOUR);
    run.net.world.apply(Fault::Heal(device, subscriber));
    for server in &smp {
        run.net.world.apply(Fault::Heal(device, *server));
    }
    run.net.world.run_for(10 * MINUTE);
    assert_eq!(run.held(), (0, 0));
    let gauges = run.net.world.client(device).expect("a client").gauges();
    assert_eq!((gauges.queues, gauges.deletions, gauges.timers), (0, 0, 0));
    for server in smp {
        assert_eq!(run.net.world.smp(server).expect("an SMP server").gauges().queues, 0);
    }
}

/// A device with three queues on two SMP servers, and a sender.
struct Run {
    net: Network,
    device: Device,
    queues: Vec<Queue>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut net = Network::with(Plan { seed, smp_servers: 2, ..Plan::default() });
        let device = net.device("aa01");
        let servers = vec![net.subscriber_address().clone()];
        net.world.command(device.node, Command::SetSubscribers { servers });
        let register = Command::RegisterWithAny { device: device.token.clone(), mode: Mode::Instant };
        net.world.command(device.node, register);
        let queues = [0, 1, 0].map(|server| net.create_queue(&device, server)).into();
        let mut run = Self { net, device, queues };
        assert!(run.wait_until(MINUTE, |run| run.held() == (1, 3)), "registered and subscribed");
        run
    }

    fn subscriber(&self) -> NodeId {
        self.net.subscribers[0].0
    }

    /// The subscriber begins again with nothing.
    fn forget_all(&mut self) {
        self.net.world.apply(Fault::Restart(self.subscriber()));
    }

    /// Tokens that work and queues that are watched, as the subscriber has them.
    fn held(&self) -> (u32, u32) {
        let gauges = self.net.subscriber().gauges();
        let client = self.net.world.client(self.device.node).expect("a client");
        match client.token_status() {
            Some(TokenStatus::Active) | None => (gauges.tokens, gauges.subscriptions),
            Some(_) => (0, gauges.subscriptions),
        }
    }

    fn wait_until(&mut self, limit: Duration, mut is_done: impl FnMut(&Self) -> bool) -> bool {
        let until = self.net.world.now().mono + limit;
        let step = (limit / 1000).max(Duration::from_secs(1));
        while !is_done(self) {
            if self.net.world.now().mono >= until {
                return false;
            }
            self.net.world.run_for(step);
        }
        true
    }

    fn send(&mut self, queue: usize, message: &str) {
        let to = self.queues[queue].address.clone();
        self.net.send(&to, message);
    }

    /// What the device's application got, sorted, each once.
    fn received(&self) -> Vec<String> {
        let mut received: Vec<_> =
            self.net.messages(&self.device).into_iter().map(|(_, message)| message).collect();
        received.sort();
        received.dedup();
        received
    }

    /// Each queue has its push again, the subscriber watches each, and no law was broken.
    fn check_delivery(&mut self) {
        self.net.world.run_for(MINUTE);
        self.net.world.take_events(self.device.node);
        for queue in 0..self.queues.len() {
            self.send(queue, &queue.to_string());
        }
        self.net.world.run_for(MINUTE);
        assert_eq!(self.received(), ["0", "1", "2"]);
        self.net.world.take_events(self.device.node);
        self.net.world.command(self.device.node, Command::Check);
        self.net.world.run_for(MINUTE);
        let is_active =
            |event: &Event| matches!(event, Event::Subscription { status: SubscriptionStatus::Active, .. });
        assert_eq!(self.net.count(&self.device, is_active), 3);
        assert_eq!(self.net.world.violations(), &[] as &[String]);
    }
}
