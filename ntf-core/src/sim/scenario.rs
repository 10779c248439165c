//! A run before it has happened: a town, and what people and misfortune do in it, as values.
//!
//! One number gives one scenario. Each draws its own mix of deeds and faults first and from that mix the
//! deeds (swarm testing): a run in which nothing but restarts goes wrong, or nothing at all, finds what a
//! run with a little of everything hides.

use crate::base::rng::{Rng, Seed, Stream};
use crate::sim::fault::{Fault, Weather};
use crate::sim::net::Latency;
use crate::sim::world::NodeId;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU8;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A run before it has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// The number it was drawn from; keys and latencies of the run come from it too.
    pub seed: u64,
    /// Who takes part.
    pub town: Town,
    /// What happens, in order of time, once every device is registered and every queue watched.
    pub schedule: Vec<Entry>,
    /// How long the schedule lasts, in milliseconds.
    pub lasts_millis: u64,
}

/// Who takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Town {
    /// SMP servers, at least 1.
    pub smp_servers: u8,
    /// Subscribers with a push server each, at least 1. Devices are dealt out to them in turn.
    pub subscribers: u8,
    /// The devices, each with the number of queues it begins with.
    pub devices: Vec<u8>,
    /// Whether subscribers show certificates to SMP servers.
    pub uses_services: bool,
    /// Shards of each subscriber, at least 1.
    pub shards: NonZeroU8,
    /// One way between nodes.
    pub link_latency: Latency,
    /// Between push servers and the provider.
    pub provider_latency: Latency,
    /// From the provider to devices.
    pub delivery_latency: Latency,
}

/// A deed and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds since the schedule began.
    pub at_millis: u64,
    /// What happens.
    pub deed: Deed,
}

/// What people and misfortune do. Devices are named by their place in the town; a queue by its place among
/// those its device has at that time, counted round and round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Somebody sends a message.
    Send {
        /// To a device.
        device: u8,
        /// To which of its queues.
        queue: u8,
    },
    /// A device makes another queue.
    CreateQueue {
        /// The device.
        device: u8,
        /// The SMP server, counted round and round.
        smp: u8,
    },
    /// A device deletes a queue.
    DeleteQueue {
        /// The device.
        device: u8,
        /// Which of its queues.
        queue: u8,
    },
    /// The app is opened: it registers the token it has.
    Open {
        /// The device.
        device: u8,
    },
    /// The app asks how its token and its subscriptions are.
    Check {
        /// The device.
        device: u8,
    },
    /// The provider gives the device another token, and no longer takes the old one.
    Replace {
        /// The device.
        device: u8,
    },
    /// The user switches notifications off.
    Unregister {
        /// The device.
        device: u8,
    },
    /// Something goes wrong, or is mended.
    Fault(Fault),
}

/// How much happens in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Most devices.
    pub devices: u8,
    /// Most queues of a device at the start.
    pub queues: u8,
    /// How long deeds and faults go on.
    pub lasts: Duration,
    /// Deeds, not counting what ends a fault.
    pub deeds: u32,
}

impl Size {
    /// A few devices and twenty minutes: thousands of these cover much ground.
    pub const SHORT: Self = Self { devices: 3, queues: 3, lasts: Duration::from_secs(20 * 60), deeds: 25 };

    /// A town that lives through so many hours, with a deed about every two minutes.
    #[must_use]
    pub fn long(hours: u32) -> Self {
        let lasts = Duration::from_secs(u64::from(hours) * 3600);
        Self { devices: 6, queues: 6, lasts, deeds: hours.saturating_mul(30) }
    }
}

/// How often each thing happens in one scenario, relative to the others.
struct Mix {
    weights: Vec<(Kind, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Send,
    CreateQueue,
    DeleteQueue,
    Open,
    Check,
    Replace,
    Unregister,
    Cut,
    HalfOpen,
    Partition,
    Slow,
    Off,
    Restart,
    Calendar,
    Weather,
}

/// Everything but sending, which every scenario does.
const KINDS: [Kind; 14] = [
    Kind::CreateQueue,
    Kind::DeleteQueue,
    Kind::Open,
    Kind::Check,
    Kind::Replace,
    Kind::Unregister,
    Kind::Cut,
    Kind::HalfOpen,
    Kind::Partition,
    Kind::Slow,
    Kind::Off,
    Kind::Restart,
    Kind::Calendar,
    Kind::Weather,
];

impl Mix {
    /// Each kind is left out of two scenarios in three.
    fn draw(rng: &mut Rng) -> Self {
        let mut weights = vec![(Kind::Send, 10 + rng.below(20))];
        for kind in KINDS {
            if rng.below(3) == 0 {
                weights.push((kind, 1 + rng.below(6)));
            }
        }
        Self { weights }
    }

    fn pick(&self, rng: &mut Rng) -> Kind {
        let total = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut point = rng.below(total);
        for (kind, weight) in &self.weights {
            match point.checked_sub(*weight) {
                Some(rest) => point = rest,
                None => return *kind,
            }
        }
        Kind::Send
    }
}

impl Scenario {
    /// The scenario of a number. The same number and size give the same scenario.
    #[must_use]
    pub fn draw(seed: u64, size: Size) -> Self {
        let mut rng = Seed::from_number(seed).stream(Stream::Scenario);
        let town = Town::draw(&mut rng, size);
        let mix = Mix::draw(&mut rng);
        let lasts_millis = u64::try_from(size.lasts.as_millis()).unwrap_or(u64::MAX);
        let mut draft = Draft { town: &town, rng: &mut rng, lasts_millis, schedule: Vec::new() };
        for _ in 0..size.deeds {
            let kind = mix.pick(draft.rng);
            draft.add(kind);
        }
        let mut schedule = draft.schedule;
        // A stable sort keeps the order of drawing among deeds of one moment.
        schedule.sort_by_key(|entry| entry.at_millis);
        Self { seed, town, schedule, lasts_millis }
    }

    /// A calm town to measure by: devices with queues each, and a message a minute to one of them, for so many hours.
    #[must_use]
    pub fn steady(seed: u64, devices: u8, queues: u8, hours: u32) -> Self {
        let mut rng = Seed::from_number(seed).stream(Stream::Scenario);
        let size = Size { devices, queues, ..Size::long(hours) };
        let mut town = Town::draw(&mut rng, size);
        town.devices = vec![queues; usize::from(devices)];
        let any = |rng: &mut Rng, count: u8| u8::try_from(rng.below(u64::from(count.max(1)))).unwrap_or(0);
        let schedule = (0..u64::from(hours) * 60)
            .map(|minute| Entry {
                at_millis: minute * 60_000,
                deed: Deed::Send { device: any(&mut rng, devices), queue: any(&mut rng, queues) },
            })
            .collect();
        Self { seed, town, schedule, lasts_millis: u64::from(hours) * 3_600_000 }
    }

    /// The same, with so many shards of each subscriber.
    #[must_use]
    pub fn sharded(mut self, shards: NonZeroU8) -> Self {
        self.town.shards = shards;
        self
    }

    /// Whether anything goes wrong in it.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        !self.schedule.iter().any(|entry| matches!(entry.deed, Deed::Fault(_)))
    }
}

impl Town {
    fn draw(rng: &mut Rng, size: Size) -> Self {
        let upto = |rng: &mut Rng, most: u8| 1 + u8::try_from(rng.below(most.into())).unwrap_or(0);
        let devices = (0..upto(rng, size.devices)).map(|_| upto(rng, size.queues)).collect();
        let mut latency = |shortest: u64, spread: u64| {
            let min = 1 + rng.below(shortest);
            let max = min + rng.below(spread);
            Latency { min: Duration::from_millis(min), max: Duration::from_millis(max) }
        };
        Self {
            devices,
            link_latency: latency(100, 300),
            provider_latency: latency(200, 600),
            delivery_latency: latency(500, 3000),
            smp_servers: upto(rng, 3),
            subscribers: upto(rng, 2),
            uses_services: rng.below(3) == 0,
            shards: NonZeroU8::MIN,
        }
    }

    /// The provider's node. Nodes are numbered in the order in which a town is built.
    const PROVIDER: u32 = 0;

    /// The node of the only sender.
    const SENDER: u32 = 1;

    fn smp(&self, number: u64) -> NodeId {
        NodeId(2 + u32::try_from(number % u64::from(self.smp_servers.max(1))).unwrap_or(0))
    }

    fn subscriber(&self, number: u64) -> NodeId {
        let number = u32::try_from(number % u64::from(self.subscribers.max(1))).unwrap_or(0);
        // A push server comes before each subscriber.
        NodeId(2 + u32::from(self.smp_servers) + 2 * number + 1)
    }

    fn device(&self, number: u64) -> NodeId {
        let devices = u64::try_from(self.devices.len().max(1)).unwrap_or(1);
        let number = u32::try_from(number % devices).unwrap_or(0);
        NodeId(2 + u32::from(self.smp_servers) + 2 * u32::from(self.subscribers) + number)
    }
}

/// A schedule being drawn.
struct Draft<'a> {
    town: &'a Town,
    rng: &'a mut Rng,
    lasts_millis: u64,
    schedule: Vec<Entry>,
}

impl Draft<'_> {
    fn add(&mut self, kind: Kind) {
        let at = self.rng.below(self.lasts_millis);
        let device = u8::try_from(self.rng.below(u64::try_from(self.town.devices.len()).unwrap_or(1)));
        let device = device.unwrap_or(0);
        let any = u8::try_from(self.rng.below(256)).unwrap_or(0);
        match kind {
            Kind::Send => self.send(at, device, any),
            Kind::CreateQueue => self.at(at, Deed::CreateQueue { device, smp: any }),
            Kind::DeleteQueue => self.at(at, Deed::DeleteQueue { device, queue: any }),
            Kind::Open => self.at(at, Deed::Open { device }),
            Kind::Check => self.at(at, Deed::Check { device }),
            Kind::Replace => self.at(at, Deed::Replace { device }),
            Kind::Unregister => {
                self.at(at, Deed::Unregister { device });
                let back = at + self.span(1_000, 600_000);
                self.at(back, Deed::Open { device });
            }
            Kind::Cut => {
                let node = self.anybody_with_links(any);
                self.fault(at, Fault::Cut(node));
            }
            Kind::HalfOpen => {
                let node = self.anybody_with_links(any);
                self.fault(at, Fault::HalfOpen(node));
            }
            Kind::Partition => self.partition(at, any),
            Kind::Slow => {
                let node = self.anybody_with_links(any);
                let by = Duration::from_millis(self.span(100, 60_000));
                self.fault(at, Fault::Slow(node, by));
                let end = at + self.span(1_000, 600_000);
                self.fault(end, Fault::Slow(node, Duration::ZERO));
            }
            Kind::Off => {
                let node = self.anybody_with_links(any);
                self.fault(at, Fault::SwitchOff(node));
                let end = at + self.span(1_000, 900_000);
                self.fault(end, Fault::SwitchOn(node));
            }
            Kind::Restart => {
                let node = self.anybody_who_restarts(any, device);
                self.fault(at, Fault::Restart(node));
                if node == self.town.device(device.into()) {
                    self.at(at, Deed::Open { device });
                }
            }
            Kind::Calendar => {
                let node = self.anybody_with_links(any);
                let by = i64::try_from(self.span(1_000, 86_400_000)).unwrap_or(0);
                let by = if any % 2 == 0 { by } else { -by };
                self.fault(at, Fault::Calendar(node, by));
                let end = at + self.span(1_000, 900_000);
                self.fault(end, Fault::Calendar(node, 0));
            }
            Kind::Weather => {
                let weather = self.weather();
                self.fault(at, Fault::Provider(NodeId(Town::PROVIDER), weather));
                let end = at + self.span(1_000, 900_000);
                self.fault(end, Fault::Provider(NodeId(Town::PROVIDER), Weather::Fair));
            }
        }
    }

    /// One message, or a burst.
    fn send(&mut self, at: u64, device: u8, queue: u8) {
        let count = if self.rng.below(8) == 0 { 2 + self.rng.below(10) } else { 1 };
        for number in 0..count {
            let queue = if self.rng.below(2) == 0 { queue } else { queue.wrapping_add(1) };
            let at = at + number * self.rng.below(2_000);
            self.at(at, Deed::Send { device, queue });
        }
    }

    fn partition(&mut self, at: u64, any: u8) {
        let smp = self.town.smp(any.into());
        let number = self.rng.number();
        let (a, b) = match any % 3 {
            0 => (smp, self.town.subscriber(number)),
            1 => (smp, self.town.device(number)),
            _ => (self.town.subscriber(number), self.town.device(number)),
        };
        self.fault(at, Fault::Partition(a, b));
        let end = at + self.span(1_000, 900_000);
        self.fault(end, Fault::Heal(a, b));
    }

    fn weather(&mut self) -> Weather {
        match self.rng.below(8) {
            0 | 1 => Weather::Unreachable,
            2 => Weather::Silent,
            3 => Weather::Breaking,
            4 | 5 => Weather::Refusing(if self.rng.below(2) == 0 { 503 } else { 429 }),
            6 => Weather::Losing(1 + u8::try_from(self.rng.below(4)).unwrap_or(0)),
            _ => Weather::Refusing(403),
        }
    }

    /// Any node at an end of links; the sender too.
    fn anybody_with_links(&mut self, any: u8) -> NodeId {
        let number = self.rng.number() >> 8;
        match any % 7 {
            0 => NodeId(Town::SENDER),
            1 | 2 => self.town.smp(number),
            3 | 4 => self.town.subscriber(number),
            _ => self.town.device(number),
        }
    }

    /// Any node but the sender, which would forget what it was asked to send.
    fn anybody_who_restarts(&mut self, any: u8, device: u8) -> NodeId {
        let number = self.rng.number() >> 8;
        match any % 5 {
            0 => self.town.smp(number),
            1 | 2 => self.town.subscriber(number),
            _ => self.town.device(device.into()),
        }
    }

    /// Milliseconds between two bounds, short spans as likely as long ones.
    fn span(&mut self, min: u64, max: u64) -> u64 {
        let doublings = u64::from((max / min).max(1).ilog2()) + 1;
        let scale = min << self.rng.below(doublings);
        (scale + self.rng.below(scale)).min(max)
    }

    fn fault(&mut self, at_millis: u64, fault: Fault) {
        self.at(at_millis, Deed::Fault(fault));
    }

    fn at(&mut self, at_millis: u64, deed: Deed) {
        self.schedule.push(Entry { at_millis: at_millis.min(self.lasts_millis), deed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_gives_the_same_scenario_and_another_another() {
        let draw = |seed| Scenario::draw(seed, Size::SHORT);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn a_steady_town_is_calm_and_gets_a_message_a_minute() {
        let steady = Scenario::steady(1, 10, 20, 2);
        assert!(steady.is_calm());
        assert_eq!(steady.town.devices, [20; 10]);
        let times: Vec<_> = steady.schedule.iter().map(|entry| entry.at_millis).collect();
        assert_eq!(times, (0..120).map(|minute| minute * 60_000).collect::<Vec<_>>());
    }

    #[test]
    fn schedules_are_in_order_and_every_kind_of_thing_happens_in_some_and_not_in_others() {
        let all: Vec<_> = (0..300).map(|seed| Scenario::draw(seed, Size::SHORT)).collect();
        for scenario in &all {
            assert!(scenario.schedule.is_sorted_by_key(|entry| entry.at_millis));
            assert!(scenario.schedule.iter().all(|entry| entry.at_millis <= scenario.lasts_millis));
        }
        let with = |is_it: fn(&Deed) -> bool| {
            all.iter().filter(|scenario| scenario.schedule.iter().any(|entry| is_it(&entry.deed))).count()
        };
        for (what, is_it) in [
            ("restart", (|deed| matches!(deed, Deed::Fault(Fault::Restart(_)))) as fn(&Deed) -> bool),
            ("partition", |deed| matches!(deed, Deed::Fault(Fault::Partition(..)))),
            ("half-open", |deed| matches!(deed, Deed::Fault(Fault::HalfOpen(_)))),
            ("weather", |deed| matches!(deed, Deed::Fault(Fault::Provider(..)))),
            ("replace", |deed| matches!(deed, Deed::Replace { .. })),
            ("delete", |deed| matches!(deed, Deed::DeleteQueue { .. })),
        ] {
            let count = with(is_it);
            assert!((20..280).contains(&count), "{what} in {count} of 300");
        }
        let calm = all.iter().filter(|scenario| scenario.is_calm()).count();
        assert!(calm > 0, "some scenarios are calm");
    }
}
