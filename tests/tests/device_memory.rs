//! What a device with direct connections takes, counted by the allocator of the process.
//!
//! `cargo test -p ntf-tests --test device_memory -- --nocapture` prints the figure.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use allocation_counter::measure;
use ntf_core::base::rng::Seed;
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::client::{self, Mode};
use ntf_core::sim::{Config, World};
use ntf_core::smp::server as smp;

const SERVERS: usize = 10;
const QUEUES: usize = 100;

/// Bytes that it may take while its connections are silent: blocks are only there while they are read or written.
const BOUND: i64 = 200_000;

#[test]
fn a_hundred_direct_queues_on_ten_servers_take_less_than_200_kb() {
    let mut world = World::new(Seed::from_number(1), Config::default());
    let servers: Vec<_> =
        (0..SERVERS).map(|number| world.add_smp(&format!("smp{number}.test"), smp::Config::new).1).collect();
    let device = world.add_client(client::Config::default());
    world.command(device, Command::SetMode(Mode::Direct));
    for number in 0..QUEUES {
        let server = servers[number % SERVERS].clone();
        world.command(device, Command::CreateQueue { tag: RequestTag(number as u64), server });
    }
    // The scout has been out by then.
    world.run_for(Duration::from_secs(3600));
    let gauges = world.client(device).unwrap().gauges();
    assert_eq!((gauges.queues, gauges.effects), (QUEUES, 0));
    let client = world.take_client(device).unwrap();
    let given_back = measure(|| drop(client));
    let held = -given_back.bytes_current;
    println!("{QUEUES} queues on {SERVERS} servers with their connections: {held} bytes");
    assert!(held > 20_000, "it was weighed: {held} bytes");
    assert!(held < BOUND, "{held} bytes");
}
