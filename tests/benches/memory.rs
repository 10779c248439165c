//! What a subscriber holds in memory for each token and each subscription, counted by an allocator.
//!
//! `cargo bench -p ntf-tests --bench memory` registers and verifies 1000 tokens, subscribes each to 100 queues of a
//! real SMP server, all in the simulator and over the protocols, and weighs the subscriber by taking it down: what its
//! process gives back is what it held. `NTF_TOKENS` and `NTF_QUEUES` change the numbers. It fails above 30 MB.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints figures and stops at a surprise"
)]

use std::env;

use allocation_counter::measure;
use ntf_core::sim::Fault;
use ntf_tests::by_hand::{RawDevice, RawQueue};
use ntf_tests::simulated::{Network, Peer, Plan};

/// What 100,000 subscriptions may take. Source: ours.
const BYTES_MAX: i64 = 30_000_000;

fn main() {
    let [tokens, queues] = [("NTF_TOKENS", 1000), ("NTF_QUEUES", 100)]
        .map(|(name, default)| env::var(name).map_or(default, |text| text.parse::<i64>().unwrap()));
    let empty = weigh(&mut Bench::new());

    let mut bench = Bench::new();
    bench.register(tokens);
    let registered = weigh(&mut bench) - empty;

    let mut bench = Bench::new();
    for device in bench.register(tokens) {
        bench.subscribe(&device, queues);
    }
    let all = weigh(&mut bench) - empty;

    let per_token = registered / tokens.max(1);
    let per_subscription = (all - registered) / (tokens * queues).max(1);
    println!("{tokens} tokens: {registered} bytes, {per_token} each");
    println!("{} subscriptions: {} bytes, {per_subscription} each", tokens * queues, all - registered);
    println!("together: {} kB", all / 1000);
    assert!(all <= BYTES_MAX || tokens * queues > 100_000, "{all} bytes are more than {BYTES_MAX}");
}

struct Bench {
    network: Network,
    device: Peer,
    recipient: Peer,
}

impl Bench {
    fn new() -> Self {
        // One address speaks for all devices.
        let mut network = Network::with(Plan {
            subscriber: |config| {
                config.sources.registrations.burst = u32::MAX;
                config.sources.verification_pushes.burst = u32::MAX;
            },
            ..Plan::default()
        });
        let stranger = network.stranger("ffff");
        let device = network.greet_subscriber(stranger);
        let recipient = network.greet_smp(stranger, 0);
        Self { network, device, recipient }
    }

    fn register(&mut self, count: i64) -> Vec<RawDevice> {
        (0..count)
            .map(|number| {
                let token = format!("{number:08x}");
                let phone = self.network.stranger(&token);
                let mut device = RawDevice::new(&mut self.device.voice.rng);
                device.ask_to_register(&mut self.network.over(&mut self.device), &token);
                device.take_code(&self.network.next_push(phone));
                device.verify(&mut self.network.over(&mut self.device));
                device
            })
            .collect()
    }

    fn subscribe(&mut self, device: &RawDevice, count: i64) {
        let server = self.network.smp_address(0).clone();
        for _ in 0..count {
            let queue = RawQueue::create_with_notifier(&mut self.network.over(&mut self.recipient));
            device.watch(&queue, &server, &mut self.network.over(&mut self.device));
        }
    }
}

/// The bytes that the subscriber holds, beyond those of a fresh one; nothing is left of it afterwards.
fn weigh(bench: &mut Bench) -> i64 {
    bench.network.settle();
    let gauges = bench.network.subscriber().gauges();
    let confirmed = bench.network.subscriber().counters().subscriptions.confirmed.total();
    assert_eq!(confirmed, u64::from(gauges.subscriptions), "every subscription is held by its SMP server");
    let subscriber = bench.network.subscribers.first().unwrap().0;
    let given_back = measure(|| bench.network.world.apply(Fault::Restart(subscriber)));
    -given_back.bytes_current
}
