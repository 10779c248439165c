//! Direct connections, with real SMP servers in simulated time; what servers say out of turn is the bench's.

use super::*;
use crate::client::{Circumstance, DirectPlan, DirectState, Mode, NetworkId, Pace, Usage};
use crate::sim::{Config as WorldConfig, Fault, Latency, NodeId, World};
use crate::smp::server as smp_server;
use crate::wire::error_code::CommandError;

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

/// A device with direct connections, and somebody who sends to it.
struct Town {
    world: World,
    device: NodeId,
    sender: NodeId,
    servers: Vec<NodeId>,
    addresses: Vec<(QueueId, SenderAddress)>,
    sent: u8,
}

impl Town {
    fn new(servers: usize) -> Self {
        let mut world = World::new(Seed::from_number(7), WorldConfig::default());
        let listed: Vec<_> = (0..servers)
            .map(|number| world.add_smp(&format!("smp{number}.town"), smp_server::Config::new))
            .collect();
        let sender = world.add_client(Config::default());
        let device = world.add_client(Config::default());
        world.command(device, Command::SetMode(Mode::Direct));
        for (tag, (_, server)) in (0..).map(RequestTag).zip(&listed) {
            world.command(device, Command::CreateQueue { tag, server: server.clone() });
        }
        let nodes = listed.into_iter().map(|(node, _)| node).collect();
        let mut town = Self { world, device, sender, servers: nodes, addresses: Vec::new(), sent: 0 };
        town.world.run_for(2 * SECOND);
        for (_, event) in town.world.take_events(device) {
            if let Event::QueueCreated { queue, address, .. } = event {
                town.addresses.push((queue, address));
            }
        }
        assert_eq!(town.addresses.len(), servers);
        town
    }

    fn say(&mut self, circumstance: Circumstance) {
        self.world.command(self.device, Command::Circumstance(circumstance));
    }

    /// Sends the next number to a queue.
    fn send(&mut self, queue: usize) -> u8 {
        self.sent += 1;
        let to = self.addresses[queue].1.clone();
        let (tag, message) = (RequestTag(self.sent.into()), vec![self.sent]);
        self.world.command(self.sender, Command::Send { tag, to, message });
        self.sent
    }

    /// The numbers that came, taken with all other events.
    fn got(&mut self) -> Vec<u8> {
        let events = self.world.take_events(self.device);
        let number = |(_, event)| match event {
            Event::Message { message, .. } => Some(message[0]),
            _ => None,
        };
        events.into_iter().filter_map(number).collect()
    }

    /// What became of subscriptions, taken with all other events.
    fn states(&mut self) -> Vec<DirectState> {
        let events = self.world.take_events(self.device);
        let state = |(_, event)| match event {
            Event::Direct { state, .. } => Some(state),
            _ => None,
        };
        events.into_iter().filter_map(state).collect()
    }

    fn device(&self) -> &Client {
        self.world.client(self.device).unwrap()
    }

    fn usage(&self) -> Usage {
        self.device().usage()
    }

    fn held(&self) -> usize {
        self.servers.iter().map(|node| self.world.smp(*node).unwrap().gauges().messages).sum()
    }
}

#[test]
fn messages_come_at_once_and_are_acknowledged_without_token_and_push() {
    let mut town = Town::new(3);
    let expected: Vec<u8> = [0, 1, 2, 0, 0].map(|queue| town.send(queue)).into();
    town.world.run_for(2 * SECOND);
    let mut got = town.got();
    got.sort_unstable();
    assert_eq!(got, expected);
    assert_eq!(town.held(), 0, "all are acknowledged");
    assert_eq!(town.device().token_status(), None);
    assert_eq!(town.device().gauges().notifiers, 0, "nobody is told of its queues");
    assert_eq!(town.world.violations(), [""; 0]);
}

#[test]
fn silent_servers_are_asked_in_shared_wake_ups() {
    let mut costs = Vec::new();
    for servers in [1, 8] {
        let mut town = Town::new(servers);
        town.world.run_for(6 * HOUR);
        let before = town.usage();
        town.world.run_for(HOUR);
        costs.push(town.usage().wake_ups - before.wake_ups);
        assert_eq!(town.device().direct_interval(), Duration::from_secs(1200), "nothing was ever dropped");
    }
    assert_eq!(costs[0], costs[1], "eight servers wake the device as often as one");
    assert!(costs[0] <= 4, "{costs:?}");
}

#[test]
fn the_interval_is_learned_without_delaying_a_message() {
    let mut town = Town::new(2);
    town.world.set_translator(town.device, Some(Latency::fixed(Duration::from_secs(300))));
    town.say(Circumstance::Network(NetworkId(5)));
    let mut late = Duration::ZERO;
    for _ in 0..250 {
        town.world.run_for(Duration::from_secs(47));
        let number = town.send(0);
        let sent = town.world.now().mono;
        let device = town.device;
        let came = town.world.run_while(10 * MINUTE, |world| {
            world.events(device).iter().any(|(_, event)| matches!(event, Event::Message { .. }))
        });
        assert!(came, "message {number}");
        late = late.max(town.world.now().mono.since(sent));
        town.got();
    }
    assert!(late < SECOND, "{late:?}");
    let learned = |town: &Town| (town.device().direct_interval(), town.device().direct_probes());
    let known = learned(&town);
    let (interval, probes) = known;
    assert_eq!(interval, Duration::from_secs(1200), "TCP keeps the connections");
    assert!((225..300).contains(&probes.unwrap().as_secs()), "{probes:?}");
    let nothing = (Duration::from_secs(30), Some(Duration::from_secs(30)));

    // Another network is another matter, and the first is remembered, over restarts too.
    town.say(Circumstance::Network(NetworkId(6)));
    assert_eq!(learned(&town), nothing);
    town.world.apply(Fault::Restart(town.device));
    town.say(Circumstance::Network(NetworkId(5)));
    assert_eq!(learned(&town), known);
    town.world.command(town.device, Command::NetworkChanged);
    assert_eq!(learned(&town), nothing, "it may be any");
}

#[test]
fn tcp_asks_in_the_place_of_most_pings_and_notices_a_dead_connection_in_time() {
    let mut town = Town::new(2);
    town.world.set_translator(town.device, Some(Latency::fixed(Duration::from_secs(55))));
    town.say(Circumstance::Network(NetworkId(5)));
    town.world.run_for(9 * HOUR);
    let probes = town.device().direct_probes().expect("the network drops silent connections");
    assert!((39..55).contains(&probes.as_secs()), "{probes:?}");
    assert_eq!(town.device().direct_interval(), Duration::from_secs(1200));
    let (before, radio) = (town.usage(), town.world.radio_wake_ups(town.device));
    town.world.run_for(2 * HOUR);
    let (after, radio) = (town.usage(), town.world.radio_wake_ups(town.device) - radio);
    // Two servers, and in pauses of pings nothing but TCP's questions.
    let expected = 2 * 7200 / probes.as_secs();
    let asked = after.probes - before.probes;
    assert!((expected * 9 / 10..=expected * 11 / 10).contains(&asked), "{asked} of {expected}");
    let bytes = after.bytes_in + after.bytes_out - before.bytes_in - before.bytes_out;
    assert!(bytes < 1_000_000, "{bytes} in two hours, where pings after 45 s are 10 MB");
    assert!(after.wake_ups - before.wake_ups <= 14, "{before:?} {after:?}");
    assert!(radio >= 7200 / probes.as_secs(), "the radio is woken by TCP as well: {radio}");

    town.got();
    town.world.apply(Fault::HalfOpen(town.device));
    town.send(0);
    let noticed = probes + Duration::from_secs(21 + 5);
    town.world.run_for(noticed);
    assert_eq!(town.got(), [1], "long before the next ping");
}

#[test]
fn where_tcp_s_questions_are_swallowed_connections_do_not_break_again_and_again() {
    for was_there_before in [false, true] {
        let mut town = Town::new(2);
        town.world.set_translator(town.device, Some(Latency::fixed(Duration::from_secs(300))));
        town.world.swallow_probes(town.device, !was_there_before);
        town.say(Circumstance::Network(NetworkId(5)));
        town.world.run_for(12 * HOUR);
        assert_eq!(town.device().direct_probes().is_some(), was_there_before);
        // From here on, if it was not so before.
        town.world.swallow_probes(town.device, true);
        town.world.run_for(12 * HOUR);
        assert_eq!(town.device().direct_probes(), None, "{was_there_before}");
        let interval = town.device().direct_interval().as_secs();
        assert!((225..300).contains(&interval), "pings are as far apart as silence is borne: {interval}");
        let smp = &town.device().config.smp;
        let notices = Duration::from_secs(interval) + smp.keepalive.answer_timeout;
        assert!(town.device().lateness_max() > notices, "and they notice");
        town.states();
        town.world.run_for(5 * HOUR);
        assert_eq!(town.states(), [], "no connection breaks");
    }
}

#[test]
fn where_nobody_lets_tcp_ask_pings_do_and_the_bound_is_theirs() {
    let mut bench = Bench::new();
    bench.command(Command::SetMode(Mode::Direct));
    bench.create();
    bench.pass(2 * HOUR);
    assert_eq!(bench.probes, [], "nobody would perform it");
    assert_eq!(bench.client.direct_probes(), None);
    let smp = &bench.client.config.smp;
    let next = smp.backoff.max * 5 / 4 + smp.connect_timeout;
    let noticed = bench.client.direct_interval() + smp.keepalive.answer_timeout;
    assert_eq!(bench.client.lateness_max(), noticed + next);
}

#[test]
fn a_server_that_crashes_is_no_reason_for_tcp_to_ask_more_often() {
    let mut town = Town::new(3);
    town.world.set_translator(town.device, Some(Latency::fixed(Duration::from_secs(55))));
    town.say(Circumstance::Network(NetworkId(5)));
    town.world.run_for(9 * HOUR);
    let probes = town.device().direct_probes();
    for crash in 0..6 {
        let server = town.servers[crash % 3];
        town.world.apply(Fault::Restart(server));
        town.world.run_for(97 * SECOND);
    }
    assert_eq!(town.device().direct_probes(), probes);
    // The network forgets everything once: all three are noticed, one after the other.
    town.world.apply(Fault::HalfOpen(town.device));
    town.world.run_for(10 * MINUTE);
    assert_eq!(town.device().direct_probes(), probes);
}

#[test]
fn what_tcp_does_follows_mode_and_doze() {
    let after = |secs: Option<u64>| secs.map(Duration::from_secs);
    let mut bench = direct();
    let told = |bench: &mut Bench| -> Vec<_> {
        core::mem::take(&mut bench.probes).into_iter().map(|probe| probe.after).collect()
    };
    assert_eq!(told(&mut bench), [after(Some(30))]);
    bench.command(Command::Circumstance(Circumstance::DozeOn));
    assert_eq!(told(&mut bench), [after(None)], "it would sleep as the device does");
    bench.command(Command::Circumstance(Circumstance::DozeOff));
    assert_eq!(told(&mut bench), [after(Some(30)); 2], "the scout's too, which is sent out with the round");
    bench.cut();
    bench.pass(10 * SECOND);
    assert_eq!(told(&mut bench), [after(Some(30))], "told of the next connection, too");
    bench.command(Command::SetMode(Mode::Off));
    bench.pass(MINUTE);
    assert_eq!(told(&mut bench), [], "other connections are the adapter's matter");
    let direct = DirectPlan { pace: Pace::Fixed(MINUTE), tcp_asks: true, ..DirectPlan::default() };
    let mut bench = Bench::with(Config { direct, ..Config::default() });
    bench.command(Command::SetMode(Mode::Direct));
    bench.create();
    assert_eq!(told(&mut bench), [after(None)], "pings alone, as they were asked for");
}

#[test]
fn a_restarted_device_and_a_restarted_server_come_back_by_themselves() {
    for who in 0..2 {
        let mut town = Town::new(1);
        let node = [town.device, town.servers[0]][who];
        town.send(0);
        town.world.run_for(Duration::from_millis(90));
        town.world.apply(Fault::Restart(node));
        town.send(0);
        town.world.run_for(MINUTE);
        let mut got = town.got();
        got.dedup();
        assert_eq!(got, [1, 2], "{who}");
        assert_eq!(town.held(), 0, "{who}");
    }
}

#[test]
fn without_a_network_nothing_is_tried_and_with_one_everything_is_there_at_once() {
    let mut town = Town::new(2);
    town.say(Circumstance::NetworkLost);
    town.world.run_for(SECOND);
    assert_eq!(town.states(), [DirectState::Lost, DirectState::Lost]);
    let before = town.usage();
    town.send(1);
    town.world.run_for(10 * HOUR);
    assert_eq!(town.usage(), before, "neither a wake-up nor a byte");
    town.say(Circumstance::Network(NetworkId(1)));
    town.world.run_for(SECOND);
    assert_eq!(town.got(), [1]);
}

#[test]
fn switched_off_by_the_user_it_stays_off_over_restarts_until_it_is_switched_on() {
    let mut town = Town::new(1);
    town.say(Circumstance::Disable);
    town.world.run_for(10 * MINUTE);
    town.world.apply(Fault::Restart(town.device));
    town.say(Circumstance::Boot);
    town.world.run_for(10 * MINUTE);
    let before = town.usage();
    town.send(0);
    town.world.run_for(HOUR);
    assert_eq!(town.usage(), before);
    town.world.command(town.device, Command::FetchAll);
    town.world.run_for(SECOND);
    assert_eq!(town.got(), [1], "the user's own look");
    town.send(0);
    town.say(Circumstance::Enable);
    town.world.run_for(2 * SECOND);
    assert_eq!(town.got(), [2], "over a connection without GET");
}

#[test]
fn a_dozing_device_wakes_seldom_and_loses_nothing() {
    let mut town = Town::new(2);
    town.world.set_translator(town.device, Some(Latency::fixed(MINUTE)));
    town.say(Circumstance::Network(NetworkId(5)));
    town.world.run_for(5 * HOUR);
    town.say(Circumstance::DozeOn);
    let before = town.usage().wake_ups;
    town.world.run_for(9 * HOUR);
    let wake_ups = town.usage().wake_ups - before;
    assert!(wake_ups <= 9 * 7 * 2, "{wake_ups}");
    town.got();
    town.send(0);
    town.world.run_for(10 * MINUTE);
    assert_eq!(town.got(), [1], "with the next wake-up");
    town.world.run_for(5 * MINUTE);
    town.send(1);
    town.world.run_for(10 * SECOND);
    assert_eq!(town.got(), [0; 0], "the network has dropped the connection");
    town.say(Circumstance::Foreground);
    town.world.run_for(2 * SECOND);
    assert_eq!(town.got(), [2], "as soon as a person looks");
}

#[test]
fn another_device_with_the_same_state_takes_over_and_is_not_fought() {
    let mut town = Town::new(1);
    let twin = town.world.copy_device(town.device).unwrap();
    town.world.run_for(MINUTE);
    assert_eq!(town.states(), [DirectState::TakenOver]);
    town.send(0);
    town.world.run_for(HOUR);
    assert_eq!(town.got(), [0; 0]);
    let came = |event: &Event| matches!(event, Event::Message { .. });
    assert_eq!(town.world.events(twin).iter().filter(|(_, event)| came(event)).count(), 1);
    town.say(Circumstance::Foreground);
    town.send(0);
    town.world.run_for(SECOND);
    assert_eq!(town.got(), [2], "taken back when somebody looks");
}

#[test]
fn the_connection_to_a_server_without_queues_is_let_go() {
    let mut town = Town::new(2);
    town.world.run_for(MINUTE);
    let queue = town.addresses[0].0;
    town.world.command(town.device, Command::DeleteQueue { queue });
    town.world.run_for(5 * MINUTE);
    assert_eq!(town.device().gauges().servers, 2, "the other one, and the scout's");
    town.send(1);
    town.world.run_for(SECOND);
    assert_eq!(town.got(), [1]);
}

#[test]
fn switching_modes_at_any_moment_loses_no_message() {
    let modes = [Mode::Direct, Mode::Periodic, Mode::Direct, Mode::Off, Mode::Direct, Mode::Instant];
    for offset in 0..24 {
        let mut town = Town::new(2);
        let mut got = Vec::new();
        for (number, mode) in modes.into_iter().cycle().take(12).enumerate() {
            town.send(number % 2);
            town.world.run_for(Duration::from_millis(17 * offset + 3));
            town.world.command(town.device, Command::SetMode(mode));
            town.world.run_for(Duration::from_millis(11 * (24 - offset)));
            got.extend(town.got());
        }
        town.world.command(town.device, Command::FetchAll);
        town.world.run_for(5 * MINUTE);
        got.extend(town.got());
        got.sort_unstable();
        got.dedup();
        assert_eq!(got, (1..=12).collect::<Vec<u8>>(), "offset {offset}");
        assert_eq!(town.held(), 0, "offset {offset}");
        assert_eq!(town.world.violations(), [""; 0], "offset {offset}");
    }
}

/// Of a client whose TCP does as it is told.
fn performing() -> Config {
    let direct = DirectPlan { tcp_asks: true, ..DirectPlan::default() };
    Config { direct, ..Config::default() }
}

/// A bench with one queue in direct mode.
fn direct() -> Bench {
    let mut bench = Bench::with(performing());
    bench.command(Command::SetMode(Mode::Direct));
    bench.create();
    assert_eq!(bench.take_words(), ["NEW", "SUB"]);
    bench.told();
    bench
}

#[test]
fn refusals_of_sub_are_dealt_with_by_what_they_say() {
    for (code, again, told) in [
        (ErrorCode::Internal, true, "Failed"),
        (ErrorCode::Cmd(CommandError::Prohibited), true, "Direct"),
        (ErrorCode::Auth, false, "Direct(Gone)"),
        (ErrorCode::Crypto, false, "Direct(Gone)"),
    ] {
        let mut bench = direct();
        bench.twist("SUB", Twist::Error(code));
        bench.cut();
        bench.pass(10 * SECOND);
        let words = bench.take_words();
        assert_eq!(words.iter().filter(|word| **word == "SUB").count(), 1 + usize::from(again), "{code:?}");
        assert!(bench.told().iter().any(|event| event.starts_with(told)), "{code:?}");
        assert_eq!(bench.client.pending(), 0, "{code:?}");
    }
}

#[test]
fn lost_answers_to_sub_are_asked_for_again() {
    for twist in [Twist::Cut, Twist::Silence, Twist::Nonsense] {
        let mut bench = direct();
        bench.twist("SUB", twist.clone());
        bench.cut();
        bench.pass(2 * MINUTE);
        let told = bench.told();
        assert_eq!(told.last().map(String::as_str), Some("Direct(On)"), "{twist:?}: {told:?}");
    }
}

#[test]
fn state_of_the_version_before_is_read() {
    let mut bench = Bench::watching();
    bench.command(Command::SetMode(Mode::Periodic));
    let new = bench.client.export();
    // The version before had neither the switch nor networks, which lie behind magic, version, date, number
    // of queues, mode and "unregistered".
    let behind = 4 + 1 + 8 + 4 + 1 + 1;
    assert_eq!(new[behind..behind + 2], [b'T', 0], "switched on, no networks");
    let mut old = new[..behind].to_vec();
    old[4] = 3;
    old.extend_from_slice(&new[behind + 2..new.len() - 8]);
    let checksum = crate::crypto::sha::sha256(&old);
    old.extend_from_slice(&checksum[..8]);
    let read = Client::import(Config::default(), Seed::from_number(5), bench.now, &old).unwrap();
    assert_eq!(read.mode(), Mode::Periodic);
    assert_eq!(read.queues().count(), 1);
    // Version 4 had one bracket for each network, of silence in which TCP asked every 30 seconds.
    let mut four = new[..behind].to_vec();
    four[4] = 4;
    four.extend_from_slice(&[b'T', 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 200, b'1', 1, 44]);
    four.extend_from_slice(&new[behind + 2..new.len() - 8]);
    let checksum = crate::crypto::sha::sha256(&four);
    four.extend_from_slice(&checksum[..8]);
    let mut read = Client::import(performing(), Seed::from_number(5), bench.now, &four).unwrap();
    let network = Circumstance::Network(NetworkId(5));
    read.handle(bench.now, Input::Command(Command::Circumstance(network)));
    assert_eq!(read.direct_interval(), Duration::from_secs(175), "seven eighths of 200 s");
    assert_eq!(read.direct_probes(), Some(Duration::from_secs(30)), "what silence is borne is not known");
    let mut direct = old.clone();
    direct[4 + 1 + 8 + 4] = b'D';
    direct.truncate(direct.len() - 8);
    let checksum = crate::crypto::sha::sha256(&direct);
    direct.extend_from_slice(&checksum[..8]);
    let refused = Client::import(Config::default(), Seed::from_number(5), bench.now, &direct).map(|_| ());
    assert_eq!(refused, Err(crate::client::ImportError::Malformed { field: "mode" }));
}
