//! Being a service to SMP servers, and everything that can go wrong with it.

use super::app::{App, Device};
use super::world::{Answer, Queue, Resumption, Services, World};
use crate::subscriber::meters::ServiceCounters;
use crate::wire::error_code::{CommandError, ErrorCode};
use crate::wire::smp::response::Message;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

const HOST: &str = "smp.example.org";

/// A subscriber with the option on, and a few queues that the server ties to it.
struct Scene {
    world: World,
    device: Device,
    app: App,
    queues: Vec<(Queue, Vec<u8>)>,
}

const fn taken(id: u8, count: i64) -> Services {
    Services::Taken { id, resumption: Resumption::Count(count) }
}

impl Scene {
    fn new(services: Services, queues: u8) -> Self {
        Self::with_option(true, services, queues)
    }

    fn with_option(is_on: bool, services: Services, queues: u8) -> Self {
        let mut world = World::with(|config| config.use_service_certificates = is_on);
        world.smp.services = services;
        let mut device = world.device();
        let app = App::verified(&mut world, &mut device, 1, "abcd");
        let mut scene = Self { world, device, app, queues: Vec::new() };
        for number in 0..queues {
            let queue = scene.world.queue(50 + number);
            let id = scene.app.subscribe(&mut scene.world, &mut scene.device, HOST, &queue);
            scene.queues.push((queue, id));
        }
        scene
    }

    /// The link breaks; what the server says from then on is `services`.
    fn reconnect(&mut self, services: Services) {
        self.world.smp.asked.clear();
        self.world.smp.services = services;
        self.world.break_smp();
        self.world.advance(Duration::from_secs(60));
    }

    fn statuses(&mut self) -> Vec<String> {
        let Self { world, device, app, queues } = self;
        queues.iter().map(|(_, id)| app.status(world, device, id)).collect()
    }

    fn counters(&self) -> ServiceCounters {
        self.world.subscriber.counters().services
    }

    /// How many NSUB and NSUBS came since the last reconnect.
    fn asked(&self) -> (usize, usize) {
        (self.world.smp.asked.len(), self.world.smp.resumed.len())
    }

    fn link(&self) -> crate::base::id::LinkId {
        *self.world.smp.links.last_key_value().unwrap().0
    }

    fn assert_all_active(&mut self) {
        let expected: Vec<_> = self.queues.iter().map(|_| "SUB ACTIVE").collect();
        assert_eq!(self.statuses(), expected);
    }
}

#[test]
fn tied_queues_come_back_with_one_command_and_the_rest_one_by_one() {
    let mut scene = Scene::new(taken(1, 3), 3);
    let plain = scene.world.queue(80);
    scene.world.answer(&plain, Answer::Silence);
    let id = scene.app.subscribe(&mut scene.world, &mut scene.device, HOST, &plain);
    scene.assert_all_active();
    assert_eq!(scene.counters().tied.total(), 3);
    scene.world.answer(&plain, Answer::Sok);
    scene.reconnect(taken(1, 3));
    assert_eq!(scene.asked(), (1, 1));
    assert_eq!(scene.world.smp.asked[0].1, plain.notifier);
    scene.queues.push((plain, id));
    scene.assert_all_active();
    scene.reconnect(taken(1, 4));
    assert_eq!(scene.asked(), (0, 2));
    scene.assert_all_active();
    assert_eq!(scene.counters().resumed.total(), 2);
    assert_eq!(scene.counters().sessions.total(), 3);
}

#[test]
fn notices_of_tied_queues_are_pushed_after_a_reconnect() {
    let mut scene = Scene::new(taken(1, 1), 1);
    scene.reconnect(taken(1, 1));
    scene.world.orders.clear();
    scene.world.notify(&scene.queues[0].0.notifier.clone(), 9);
    scene.world.advance(Duration::from_secs(1));
    assert_eq!(scene.world.orders.len(), 1);
}

#[test]
fn until_the_service_is_confirmed_its_queues_are_inactive() {
    let mut scene = Scene::new(taken(1, 2), 2);
    scene.reconnect(Services::Taken { id: 1, resumption: Resumption::Silence });
    assert_eq!(scene.statuses(), ["SUB INACTIVE", "SUB INACTIVE"]);
    scene.world.smp.services = taken(1, 2);
    scene.world.advance(Duration::from_secs(60));
    scene.assert_all_active();
    assert_eq!(scene.asked().0, 0, "a lost answer is no reason to ask for each");
}

#[test]
fn a_server_in_trouble_is_asked_again_after_a_while() {
    let mut scene = Scene::new(taken(1, 2), 2);
    scene.reconnect(Services::Taken { id: 1, resumption: Resumption::Error(ErrorCode::Internal) });
    assert_eq!(scene.asked().0, 0);
    scene.world.smp.services = taken(1, 2);
    scene.world.advance(Duration::from_secs(600));
    scene.assert_all_active();
    assert_eq!(scene.asked().0, 0);
}

#[test]
fn whatever_goes_wrong_each_queue_is_asked_for() {
    let prohibited = ErrorCode::Cmd(CommandError::Prohibited);
    let error = |code| Services::Taken { id: 1, resumption: Resumption::Error(code) };
    for (what, services, nsubs, sessions) in [
        ("the server has lost the service", taken(2, 0), 0, 2),
        ("the server counts too few", taken(1, 2), 1, 2),
        ("the count makes no sense", taken(1, -1), 1, 2),
        ("NSUBS is refused", error(ErrorCode::Service), 1, 2),
        ("NSUBS is not known", error(prohibited), 1, 2),
        ("the service is refused", Services::Refused, 0, 1),
        ("no certificate is asked for", Services::Unasked, 0, 1),
    ] {
        let mut scene = Scene::new(taken(1, 3), 3);
        scene.reconnect(services);
        assert_eq!(scene.asked(), (3, nsubs), "{what}");
        assert_eq!(scene.counters().untied.total(), 3, "{what}");
        assert_eq!(scene.counters().sessions.total(), sessions, "{what}");
        scene.assert_all_active();
    }
}

#[test]
fn a_refused_service_is_not_offered_again() {
    let mut scene = Scene::new(Services::Refused, 2);
    scene.world.advance(Duration::from_secs(60));
    scene.assert_all_active();
    assert_eq!(scene.counters().refused.total(), 1);
    assert_eq!(scene.world.smp.connects.len(), 2);
    scene.reconnect(taken(1, 0));
    scene.assert_all_active();
    assert_eq!(scene.world.smp.connects.len(), 3);
    assert!(scene.world.smp.shown[&scene.link()].is_empty());
}

#[test]
fn a_server_that_refuses_the_two_signatures_gets_one() {
    let mut scene = Scene::new(taken(1, 2), 2);
    let queue = scene.world.queue(80);
    scene.world.answer(&queue, Answer::SokUnlessService);
    let id = scene.app.subscribe(&mut scene.world, &mut scene.device, HOST, &queue);
    scene.world.advance(Duration::from_secs(60));
    scene.queues.push((queue, id));
    scene.assert_all_active();
    assert!(scene.world.smp.shown[&scene.link()].is_empty(), "another session, of an ordinary client");
    assert_eq!(scene.counters().untied.total(), 2);
}

#[test]
fn a_service_that_is_taken_is_given_up_and_its_queues_recover() {
    let mut scene = Scene::new(taken(1, 3), 3);
    let ended = scene.queues[2].0.notifier;
    let link = scene.link();
    scene.world.smp_says(link, &ended, &Message::End);
    scene.world.smp.asked.clear();
    scene.world.smp.is_up = false;
    scene.world.smp_says(link, &[1; 24], &Message::Ends { count: 3 });
    assert_eq!(scene.statuses(), ["SUB INACTIVE", "SUB INACTIVE", "SUB END"]);
    scene.world.smp.is_up = true;
    scene.world.advance(Duration::from_secs(60));
    assert_eq!(scene.statuses(), ["SUB ACTIVE", "SUB ACTIVE", "SUB END"]);
    assert_eq!(scene.asked(), (2, 0));
    assert!(scene.world.smp.shown[&scene.link()].is_empty());
    assert_eq!(scene.counters().taken.total(), 1);
}

#[test]
fn the_end_of_another_service_is_nothing_to_us() {
    let mut scene = Scene::new(taken(1, 2), 2);
    let link = scene.link();
    scene.world.smp_says(link, &[2; 24], &Message::Ends { count: 2 });
    scene.assert_all_active();
    assert_eq!(scene.counters().taken.total(), 0);
}

#[test]
fn a_service_that_is_lost_revives_nothing_that_is_over() {
    let mut scene = Scene::new(taken(1, 4), 4);
    let notifiers: Vec<_> = scene.queues.iter().map(|(queue, _)| queue.notifier).collect();
    let link = scene.link();
    scene.world.smp_says(link, &notifiers[0], &Message::End);
    scene.world.smp_says(link, &notifiers[1], &Message::Deld);
    scene.reconnect(taken(2, 0));
    assert_eq!(scene.statuses(), ["SUB END", "SUB DELETED", "SUB ACTIVE", "SUB ACTIVE"]);
    assert_eq!(scene.asked(), (2, 0), "defect D9 of the reference");
}

#[test]
fn plain_queues_do_not_end_the_service_of_others() {
    let mut scene = Scene::new(taken(1, 2), 2);
    let plain = scene.world.queue(80);
    scene.world.answer(&plain, Answer::Error(ErrorCode::Auth));
    scene.app.subscribe(&mut scene.world, &mut scene.device, HOST, &plain);
    scene.reconnect(taken(1, 2));
    assert_eq!(scene.asked(), (0, 1), "defect D10 of the reference");
    scene.assert_all_active();
}

#[test]
fn queues_that_were_dropped_here_are_counted_there() {
    let mut scene = Scene::new(taken(1, 3), 3);
    let (queue, id) = scene.queues.remove(0);
    scene.app.unsubscribe(&mut scene.world, &mut scene.device, &id);
    scene.reconnect(taken(1, 2));
    assert_eq!(scene.asked(), (2, 1), "three should be: one of ours may be missing");
    // From here on nothing is known of the one that was dropped.
    scene.reconnect(taken(1, 3));
    assert_eq!(scene.asked(), (0, 2));
    let link = scene.link();
    scene.world.smp_says(link, &queue.notifier, &Message::Deld);
    scene.reconnect(taken(1, 2));
    assert_eq!(scene.asked(), (0, 3));
    scene.assert_all_active();
}

#[test]
fn each_server_is_shown_a_certificate_of_its_own_and_the_same_each_time() {
    let mut scene = Scene::new(taken(1, 1), 1);
    let other = scene.world.queue(80);
    scene.app.subscribe(&mut scene.world, &mut scene.device, "other.example.org", &other);
    let shown: Vec<_> = scene.world.smp.shown.values().cloned().collect();
    let [here, there] = &shown[..] else { panic!("two servers") };
    assert_eq!((here.len(), there.len()), (1, 1));
    assert_ne!(here, there);
    scene.reconnect(taken(1, 1));
    let links = scene.world.smp.shown.len();
    assert_eq!(links, 4);
    assert!(scene.world.smp.shown.values().skip(2).all(|again| shown.contains(again)));
}

#[test]
fn with_the_option_off_no_certificate_is_shown() {
    let mut scene = Scene::with_option(false, taken(1, 2), 2);
    scene.reconnect(taken(1, 2));
    scene.assert_all_active();
    assert!(scene.world.smp.shown.values().all(Vec::is_empty));
    assert_eq!(scene.asked(), (2, 0));
    assert_eq!(scene.counters(), ServiceCounters::default());
}
