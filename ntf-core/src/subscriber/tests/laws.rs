//! What holds whatever happens: books that balance, bounds, equal runs, an end that is one.

use super::app::{App, Device};
use super::world::{Answer, Queue, World, shards};
use crate::base::rng::{Rng, Seed, Stream};
use crate::link::event::LinkEvent;
use crate::link::state::BlockEncryption;
use crate::machine::{Machine, Step};
use crate::model::push::PushResult;
use crate::model::token::InvalidReason;
use crate::subscriber::input::Input;
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::command::Command;
use crate::wire::smp::response::Message;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

const APPS: u8 = 4;
const QUEUES: u8 = 24;

struct Run {
    world: World,
    device: Device,
    apps: Vec<App>,
    queues: Vec<Queue>,
    subscriptions: Vec<Vec<u8>>,
    rng: Rng,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut world = World::with(|config| {
            config.tokens.tokens = 6;
            config.subscriptions.subscriptions = 20;
            config.subscriptions.per_token = 9;
            config.delivery.queues_per_token = 8;
            config.delivery.notices = 20;
            config.delivery.orders = 3;
            // Sealing blocks would take most of the time, and has tests of its own.
            config.smp.encryption = BlockEncryption::Never;
        });
        world.accepts_pushes = false;
        let device = world.device();
        let queues = (0..QUEUES).map(|number| world.queue(100 + number)).collect();
        let apps = (0..APPS).map(|number| App::new(number + 1, "abcd")).collect();
        let rng = Seed::from_number(seed).stream(Stream::World);
        Self { world, device, apps, queues, subscriptions: Vec::new(), rng }
    }

    fn pick(&mut self, below: usize) -> usize {
        usize::try_from(self.rng.below(u64::try_from(below).unwrap())).unwrap()
    }

    fn step(&mut self) {
        let (at, queue) = (self.pick(self.apps.len()), self.pick(self.queues.len()));
        let host = ["a.example.org", "b.example.org"][self.pick(2)];
        let Self { world, device, .. } = self;
        match self.rng.below(24) {
            0..2 => {
                // Half of the apps share a device token.
                let name = if at % 2 == 0 { "abcd" } else { "efgh" };
                self.apps[at].token.token = name.as_bytes().into();
                if self.apps[at].try_register(world, device).text().starts_with("IDTKN") {
                    self.apps[at].register(world, device);
                }
            }
            2..5 => self.verify_newest(at),
            5..9 => {
                let queue = &self.queues[queue];
                let address = queue.at(world.smp_address(host));
                let reply = self.apps[at].try_subscribe(world, device, address, &queue.key);
                if reply.text().starts_with("IDSUB") {
                    self.subscriptions.push(reply.command["IDSUB ".len() + 1..].into());
                }
            }
            9..16 => {
                for link in world.smp.links.keys().copied().collect::<Vec<_>>() {
                    for queue in self.queues.iter().skip(queue).take(5) {
                        let nmsg = Message::Nmsg { nonce: [1; 24], meta: &[1; 144] };
                        world.smp_says(link, &queue.notifier, &nmsg);
                    }
                }
            }
            16..19 => self.land_an_order(),
            19 => {
                let kind = [Message::End, Message::Deld][queue % 2].clone();
                if let Some(link) = world.smp.links.keys().next().copied() {
                    world.smp_says(link, &self.queues[queue].notifier, &kind);
                }
            }
            20 => {
                let answers = [Answer::Sok, Answer::Silence, Answer::Error(ErrorCode::Internal)];
                let answer = answers[at % 3];
                world.answer(&self.queues[queue], answer);
                world.smp.is_up = at != 0;
                if at == 1 {
                    world.break_smp();
                }
            }
            21 => {
                if let Some(id) = self.subscriptions.pop() {
                    for app in &self.apps {
                        device.ask(world, Some(&app.key), &id, &Command::Sdel);
                    }
                }
            }
            22 if at + queue < 4 => _ = self.apps[queue % self.apps.len()].ask(world, device, &Command::Tdel),
            _ => world.advance(Duration::from_secs(self.rng.below(90))),
        }
    }

    /// Echoes the code of the newest verification push for this app, if there is one.
    fn verify_newest(&mut self, at: usize) {
        let Self { world, device, apps, .. } = self;
        let app = &apps[at];
        let orders = world.orders.iter().rev();
        let codes: Vec<_> = orders.filter_map(|order| app.try_code(order)).collect();
        if let Some(code) = codes.first() {
            app.ask(world, device, &Command::Tvfy { code });
        }
    }

    fn land_an_order(&mut self) {
        if self.world.orders.is_empty() {
            return;
        }
        let at = self.pick(self.world.orders.len());
        let id = self.world.orders.remove(at).id;
        let result = match self.rng.below(16) {
            0 => PushResult::TokenInvalid { reason: InvalidReason::Bad, since_millis: None },
            1 => PushResult::Refused,
            2 => PushResult::TryLater { after: Duration::from_secs(3) },
            _ => PushResult::Accepted,
        };
        self.world.outcome(id, result);
    }

    fn assert_lawful(&self) {
        let subscriber = &self.world.subscriber;
        let (counters, gauges) = (subscriber.counters(), subscriber.gauges());
        let delivery = counters.delivery;
        assert_eq!(
            counters.received.total(),
            counters.unwanted.total() + delivery.taken_in.total() + delivery.refused_full.total()
        );
        assert_eq!(delivery.taken_in.total(), delivery.ended() + u64::try_from(gauges.fresh).unwrap());
        // Bounds are shared out to shards and rounded up; each watches its servers for itself.
        let shards = usize::from(shards().get());
        let all = |bound: usize| bound.div_ceil(shards) * shards;
        let len = |gauge: u32| usize::try_from(gauge).unwrap();
        assert!(len(gauges.tokens) <= all(6) && len(gauges.subscriptions) <= all(20), "{gauges:?}");
        assert!(len(gauges.servers) <= 2 * shards, "{gauges:?}");
        assert!(gauges.orders_out <= all(3) && gauges.notices <= all(20) + 6, "{gauges:?}");
        assert!(gauges.in_line <= 2 * all(6), "{gauges:?}");
        assert_eq!(gauges.waits, 0, "shards have settled everything");
        assert_eq!(gauges.effects, 0);
        assert!(gauges.server_links <= 4 * shards && gauges.servers_busy == 0, "{gauges:?}");
    }
}

fn run(seed: u64, steps: u32) -> Run {
    let mut run = Run::new(seed);
    for _ in 0..steps {
        run.step();
        run.assert_lawful();
    }
    run
}

#[test]
fn what_was_received_is_ordered_merged_or_counted() {
    let mut received = 0;
    let mut ordered = 0;
    for seed in 0..6 {
        let run = run(seed, 500);
        received += run.world.subscriber.counters().delivery.taken_in.total();
        ordered += run.world.subscriber.counters().delivery.ordered.total();
    }
    // With more shards the bounds of each are smaller, and more is refused.
    let enough = 300 / u64::from(shards().get());
    assert!(received > enough && ordered > enough / 3, "the runs do something: {received}, {ordered}");
}

#[test]
fn equal_seeds_and_inputs_give_equal_runs() {
    let traces: Vec<Vec<String>> = (0..2).map(|_| run(3, 300).world.trace).collect();
    assert!(traces[0] == traces[1]);
}

#[test]
fn after_a_stop_nothing_is_known_and_nothing_happens() {
    let mut run = run(5, 400);
    let links = run.world.subscriber.gauges().links + run.world.smp.links.len();
    let closed = run.world.closed.len();
    run.world.handle(Input::Stop);
    assert_eq!(run.world.closed.len() - closed, links, "all links are closed");
    run.assert_lawful();
    let gauges = run.world.subscriber.gauges();
    assert_eq!(gauges, crate::subscriber::meters::Gauges::default());
    assert!(run.world.subscriber.knowledge().iter().all(|fact| fact.sample.is_none()));
    let link = run.device.link;
    run.world.handle(Input::Link(LinkEvent::Block { link, block: &mut [0; 512] }));
    run.world.handle(Input::Tick);
    assert!(matches!(run.world.subscriber.poll(), Step::Idle(None)));
}

#[test]
fn rubbish_from_devices_and_servers_does_no_harm() {
    let mut run = run(2, 200);
    let mut rng = Seed::from_number(1).stream(Stream::World);
    for round in 0..400_usize {
        let mut block = rng.bytes::<512>().to_vec();
        // A lawful length and count, so that the rubbish is read further.
        if round % 2 == 0 {
            block[..6].copy_from_slice(&[1, 200, 1, 1, 197, 0]);
        }
        if round % 7 == 0 {
            block.truncate(usize::try_from(rng.below(512)).unwrap());
        }
        if !run.world.is_open(run.device.link) {
            run.device = run.world.device();
        }
        let link = run.device.link;
        run.world.handle(Input::Link(LinkEvent::Block { link, block: &mut block }));
        if let Some(link) = run.world.smp.links.keys().next().copied() {
            let mut block = vec![0; 16384];
            block.chunks_mut(512).for_each(|chunk| chunk.copy_from_slice(&rng.bytes::<512>()));
            run.world.handle(Input::Link(LinkEvent::Block { link, block: &mut block }));
        }
        run.assert_lawful();
    }
    assert_eq!(run.world.device().ask(&mut run.world, None, &[], &Command::Ping).text(), "PONG");
}
