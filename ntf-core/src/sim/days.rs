//! Days of a device that holds direct connections, on the networks that people carry it through.
//!
//! A day is drawn from a seed: a device with queues on several servers, somebody who sends to them, and a
//! network that misbehaves in its own way ([`Ground`]). The report says how late the latest message was from
//! when its server could be reached, and what an hour without messages cost. The same day can be lived with
//! another [`Pace`], so that what is learned stands beside fixed intervals on the same ground.

use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::Mono;
use crate::client::direct::{Circumstance, DirectPlan, NetworkId, Pace, Usage};
use crate::client::effect::Event;
use crate::client::input::{Command, QueueId, RequestTag};
use crate::client::{self, Mode};
use crate::model::server::{SenderAddress, ServerAddress};
use crate::sim::fault::Fault;
use crate::sim::net::Latency;
use crate::sim::world::{Config, NodeId, World};
use crate::smp::server as smp;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// What kind of network a day is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// A router at home, which keeps a silent connection for 5 to 20 minutes.
    Wifi,
    /// A carrier, which keeps one for 45 to 60 seconds, a different time for each.
    Carrier,
    /// The carrier again, with two journeys by train: every few minutes there is no network for a while, and
    /// after longer gaps the connections are gone. The operating system says nothing of it.
    Train,
    /// The router, and two flights of three hours that the operating system tells of.
    Flight,
    /// The router, and servers that are restarted six times, some without a word.
    Restarts,
}

impl Ground {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Wifi, Self::Carrier, Self::Train, Self::Flight, Self::Restarts];
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wifi => "Wi-Fi",
            Self::Carrier => "carrier",
            Self::Train => "train",
            Self::Flight => "flights",
            Self::Restarts => "restarts",
        })
    }
}

/// A day to live through.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    /// Everything random about it.
    pub seed: u64,
    /// The network.
    pub ground: Ground,
    /// How the device decides when to ask.
    pub pace: Pace,
    /// SMP servers, each with two queues of the device. At least 1.
    pub servers: u8,
}

/// What a day came to.
#[derive(Clone, Debug)]
pub struct DayReport {
    /// Messages that servers took.
    pub sent: usize,
    /// Those of them that never came.
    pub lost: usize,
    /// Messages that came twice.
    pub repeated: usize,
    /// How late the latest message was, from when its server could be reached.
    pub late_max: Duration,
    /// The smallest span by which a message was within what [`Client::lateness_max`] said when it came;
    /// `None` if one was later than that.
    ///
    /// [`Client::lateness_max`]: crate::client::Client::lateness_max
    pub margin: Option<Duration>,
    /// What an hour without messages cost, over all servers.
    pub idle_hour: Usage,
    /// How often packets woke the radio in such an hour, as the network saw it.
    pub idle_radio: u64,
    /// What the whole day cost.
    pub day: Usage,
    /// The interval in use at the end.
    pub interval: Duration,
    /// After how much silence TCP asked at the end, if it did.
    pub probes: Option<Duration>,
    /// Laws of machines that were broken.
    pub violations: Vec<String>,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Hours in which nobody sends, from the first to before the second: the device sleeps beside its owner.
const QUIET: (u32, u32) = (3, 7);

/// A span in which a server cannot be reached.
#[derive(Clone, Copy, Debug)]
struct Outage {
    /// The server's number, or all servers.
    server: Option<usize>,
    from: Mono,
    until: Mono,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Packets wait, and connections are still there afterwards.
    Gap,
    /// Connections are gone afterwards, and nobody is told.
    Loss,
    /// The operating system says so.
    Flight,
    /// The server's process ends and another begins.
    Restart,
    /// The server's machine loses its power.
    Crash,
}

enum Deed {
    Send(usize),
    Begin(Outage),
    End(Outage),
    Look,
}

impl Day {
    /// Lives through it.
    #[must_use]
    pub fn live(self) -> DayReport {
        let mut rng = Seed::from_number(self.seed).stream(Stream::Choice);
        let mut life = Life::begin(self, &mut rng);
        let outages = outages(self.ground, life.servers.len(), &mut rng);
        let mut deeds: Vec<(Mono, Deed)> = Vec::new();
        for outage in &outages {
            deeds.push((outage.from, Deed::Begin(*outage)));
            deeds.push((outage.until, Deed::End(*outage)));
        }
        for at in sendings(&mut rng) {
            let queues = u64::try_from(life.queues.len()).unwrap_or(1);
            deeds.push((at, Deed::Send(usize::try_from(rng.below(queues)).unwrap_or(0))));
        }
        deeds.push((at(QUIET.0 * 60), Deed::Look));
        deeds.push((at(QUIET.1 * 60), Deed::Look));
        deeds.sort_by_key(|(at, _)| *at);
        let mut looks = Vec::new();
        for (at, deed) in deeds {
            life.go_on_until(at, &outages);
            match deed {
                Deed::Send(queue) => life.send(queue),
                Deed::Begin(outage) => life.begin_outage(outage),
                Deed::End(outage) => life.end_outage(outage),
                Deed::Look => looks.push(life.look()),
            }
        }
        life.go_on_until(at(24 * 60), &outages);
        life.report(&looks)
    }
}

/// A day under way.
struct Life {
    world: World,
    device: NodeId,
    sender: NodeId,
    servers: Vec<(NodeId, ServerAddress)>,
    queues: Vec<(QueueId, SenderAddress)>,
    /// When each message was taken by its server, and which server that is.
    taken: BTreeMap<u64, (Mono, usize)>,
    aimed: BTreeMap<u64, usize>,
    /// Messages that came, and how often.
    came: BTreeMap<u64, usize>,
    late_max: Duration,
    margin: Option<Duration>,
    is_late: bool,
}

impl Life {
    fn begin(day: Day, rng: &mut Rng) -> Self {
        let mut world = World::new(Seed::from_number(day.seed), Config::default());
        let servers: Vec<_> = (0..usize::from(day.servers.max(1)))
            .map(|number| world.add_smp(&format!("smp{number}.day"), smp::Config::new))
            .collect();
        let sender = world.add_client(client::Config::default());
        let direct = DirectPlan { pace: day.pace, ..DirectPlan::default() };
        let device = world.add_client(client::Config { direct, ..client::Config::default() });
        let keeps = match day.ground {
            Ground::Wifi | Ground::Flight | Ground::Restarts => {
                Latency::fixed(Duration::from_secs(300 + rng.below(900)))
            }
            Ground::Carrier | Ground::Train => {
                Latency { min: Duration::from_secs(45), max: Duration::from_secs(60) }
            }
        };
        world.set_translator(device, Some(keeps));
        world.command(device, Command::SetMode(Mode::Direct));
        world.command(device, Command::Circumstance(Circumstance::Network(HOME)));
        for (number, (_, server)) in servers.iter().enumerate() {
            for twin in 0..2 {
                let tag = RequestTag(u64::try_from(2 * number + twin).unwrap_or(u64::MAX));
                world.command(device, Command::CreateQueue { tag, server: server.clone() });
            }
        }
        let mut life = Self {
            world,
            device,
            sender,
            servers,
            queues: Vec::new(),
            taken: BTreeMap::new(),
            aimed: BTreeMap::new(),
            came: BTreeMap::new(),
            late_max: Duration::ZERO,
            margin: None,
            is_late: false,
        };
        life.go_on_until(Mono::ZERO + MINUTE, &[]);
        life
    }

    /// Lets time go on, noting what comes.
    fn go_on_until(&mut self, until: Mono, outages: &[Outage]) {
        // In steps: a message is held against the bound of the time when it comes.
        while self.world.next_at().is_some_and(|at| at <= until) {
            self.world.step();
            for (at, event) in self.world.take_events(self.sender) {
                if let Event::Sent { tag } = event
                    && let Some(server) = self.aimed.get(&tag.0)
                {
                    self.taken.insert(tag.0, (at, *server));
                }
            }
            for (at, event) in self.world.take_events(self.device) {
                self.note(at, event, outages);
            }
        }
        self.world.run_until(until);
    }

    fn note(&mut self, at: Mono, event: Event, outages: &[Outage]) {
        if let Event::QueueCreated { queue, address, .. } = event {
            return self.queues.push((queue, address));
        }
        let Event::Message { message, .. } = event else { return };
        let Some(number) = message.try_into().ok().map(u64::from_be_bytes) else { return };
        *self.came.entry(number).or_default() += 1;
        // It may come before its sender hears that the server took it.
        let (taken, server) = match self.taken.get(&number) {
            Some(taken) => *taken,
            None => return,
        };
        let within = outages.iter().filter(|outage| outage.server.is_none_or(|other| other == server));
        let there_again = within.map(|outage| outage.until).filter(|until| *until <= at).max();
        let late = at.since(there_again.map_or(taken, |until| until.max(taken)));
        self.late_max = self.late_max.max(late);
        let bound = self.world.client(self.device).map(client::Client::lateness_max).unwrap_or_default();
        match bound.checked_sub(late) {
            Some(margin) => self.margin = Some(self.margin.map_or(margin, |least| least.min(margin))),
            None => self.is_late = true,
        }
    }

    fn send(&mut self, queue: usize) {
        let Some((_, to)) = self.queues.get(queue).cloned() else { return };
        let number = u64::try_from(self.aimed.len()).unwrap_or(u64::MAX);
        let server = self.servers.iter().position(|(_, server)| *server == to.server).unwrap_or(0);
        self.aimed.insert(number, server);
        let (tag, message) = (RequestTag(number), number.to_be_bytes().into());
        self.world.command(self.sender, Command::Send { tag, to, message });
    }

    fn begin_outage(&mut self, outage: Outage) {
        for (number, server) in self.servers.iter().map(|(node, _)| *node).enumerate() {
            if outage.server.is_some_and(|only| only != number) {
                continue;
            }
            match outage.how {
                How::Gap => self.world.apply(Fault::Partition(self.device, server)),
                How::Loss | How::Flight => {
                    self.world.apply(Fault::HalfOpen(self.device));
                    self.world.apply(Fault::Partition(self.device, server));
                }
                How::Restart => self.world.switch_off(server),
                How::Crash => self.world.switch_off_quietly(server),
            }
        }
        if outage.how == How::Flight {
            self.world.command(self.device, Command::Circumstance(Circumstance::NetworkLost));
        }
    }

    fn end_outage(&mut self, outage: Outage) {
        for (number, server) in self.servers.iter().map(|(node, _)| *node).enumerate() {
            if outage.server.is_some_and(|only| only != number) {
                continue;
            }
            match outage.how {
                How::Gap | How::Loss | How::Flight => self.world.apply(Fault::Heal(self.device, server)),
                How::Restart | How::Crash => self.world.switch_on(server),
            }
        }
        if outage.how == How::Flight {
            self.world.command(self.device, Command::Circumstance(Circumstance::Network(HOME)));
        }
    }

    fn usage(&self) -> Usage {
        self.world.client(self.device).map(client::Client::usage).unwrap_or_default()
    }

    fn look(&self) -> (Usage, u64) {
        (self.usage(), self.world.radio_wake_ups(self.device))
    }

    fn report(mut self, looks: &[(Usage, u64)]) -> DayReport {
        let day = self.usage();
        let hours = u64::from(QUIET.1 - QUIET.0);
        let idle_radio = match looks {
            [(_, from), (_, to)] => (to - from) / hours,
            _ => 0,
        };
        let idle_hour = match looks {
            [(from, _), (to, _)] => Usage {
                wake_ups: (to.wake_ups - from.wake_ups) / hours,
                wake_ups_by_timer: (to.wake_ups_by_timer - from.wake_ups_by_timer) / hours,
                probes: (to.probes - from.probes) / hours,
                connections: (to.connections - from.connections) / hours,
                bytes_out: (to.bytes_out - from.bytes_out) / hours,
                bytes_in: (to.bytes_in - from.bytes_in) / hours,
            },
            _ => Usage::default(),
        };
        DayReport {
            sent: self.taken.len(),
            lost: self.taken.keys().filter(|number| !self.came.contains_key(number)).count(),
            repeated: self.came.values().filter(|times| **times > 1).count(),
            late_max: self.late_max,
            margin: self.margin.filter(|_| !self.is_late),
            idle_hour,
            idle_radio,
            day,
            interval: self.world.client(self.device).map(client::Client::direct_interval).unwrap_or_default(),
            probes: self.world.client(self.device).and_then(client::Client::direct_probes),
            violations: self.world.take_violations(),
        }
    }
}

/// The network that the device is told it is on.
const HOME: NetworkId = NetworkId(1);

fn at(minutes: u32) -> Mono {
    Mono::ZERO + MINUTE * minutes
}

/// When somebody sends: every quarter of an hour or so, but in the quiet hours and the last one.
fn sendings(rng: &mut Rng) -> Vec<Mono> {
    let mut times = Vec::new();
    let mut time = at(3);
    while time < at(23 * 60) {
        if time < at(QUIET.0 * 60 - 10) || time > at(QUIET.1 * 60) {
            times.push(time);
        }
        time = time + Duration::from_secs(60 + rng.below(1740));
    }
    times
}

fn outages(ground: Ground, servers: usize, rng: &mut Rng) -> Vec<Outage> {
    let mut outages = Vec::new();
    let mut add = |server, from: Mono, span: Duration, how| {
        outages.push(Outage { server, from, until: from + span, how });
    };
    match ground {
        Ground::Wifi | Ground::Carrier => {}
        Ground::Train => {
            for (begin, end) in [(8 * 60, 10 * 60), (17 * 60, 20 * 60)] {
                let mut time = at(begin);
                while time < at(end) {
                    let gap = Duration::from_secs(5 + rng.below(145));
                    // A minute on, the train has passed from one cell to another.
                    add(None, time, gap, if gap < MINUTE { How::Gap } else { How::Loss });
                    time = time + gap + Duration::from_secs(60 + rng.below(540));
                }
            }
        }
        Ground::Flight => {
            add(None, at(9 * 60), 3 * HOUR, How::Flight);
            add(None, at(15 * 60), 3 * HOUR, How::Flight);
        }
        Ground::Restarts => {
            for number in 0..6 {
                let server = usize::try_from(rng.below(u64::try_from(servers).unwrap_or(1))).ok();
                let from = at(8 * 60 + 120 * number) + Duration::from_secs(rng.below(3600));
                let span = Duration::from_secs(10 + rng.below(290));
                add(server, from, span, if number % 2 == 0 { How::Restart } else { How::Crash });
            }
        }
    }
    outages
}
