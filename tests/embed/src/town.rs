//! The simulator on bare metal: real client and SMP servers, an hour in virtual time.

use core::time::Duration;

use ntf_core::base::rng::Seed;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::client::{self, Mode};
use ntf_core::sim::{Config, World};
use ntf_core::smp::server as smp;
use semihosting::println;

/// A device holds connections to two servers for an hour, and a message comes at its end.
pub(crate) fn an_hour_of_direct_connections() {
    let mut world = World::new(Seed::from_number(1), Config::default());
    let (_, server) = world.add_smp("smp1.town", smp::Config::new);
    let (_, other) = world.add_smp("smp2.town", smp::Config::new);
    let (device, sender) =
        (world.add_client(client::Config::default()), world.add_client(client::Config::default()));
    world.command(device, Command::SetMode(Mode::Direct));
    for (tag, server) in [(RequestTag(1), server), (RequestTag(2), other)] {
        world.command(device, Command::CreateQueue { tag, server });
    }
    world.run_for(Duration::from_secs(3600));
    let to = world.take_events(device).into_iter().find_map(|(_, event)| match event {
        Event::QueueCreated { address, .. } => Some(address),
        _ => None,
    });
    let to = to.expect("a queue was created");
    world.command(sender, Command::Send { tag: RequestTag(3), to, message: b"to bare metal".to_vec() });
    world.run_for(Duration::from_secs(2));
    let came = world.take_events(device).into_iter().any(|(_, event)| match event {
        Event::Message { message, .. } => message == b"to bare metal",
        _ => false,
    });
    assert!(came, "the message came by itself");
    assert!(world.violations().is_empty(), "no law is broken");
    println!("an hour of direct connections in {} steps, and a message at its end", world.steps());
}
