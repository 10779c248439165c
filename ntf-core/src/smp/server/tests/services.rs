//! Services: NSUB that ties, NSUBS that brings back, and everything that ends either.

use super::*;
use crate::base::id::EntityId;
use crate::base::rng::Stream;
use crate::crypto::cert::self_signed;
use crate::link::requester::{Incoming, Requester, RequesterPlan};
use crate::link::state::{Greeted, LinkFault, ServiceIdentity};
use crate::wire::hello::smp::ServiceRole;
use alloc::boxed::Box;
use alloc::string::String;

fn identity(number: u64, role: ServiceRole) -> ServiceIdentity {
    let credentials = self_signed(&mut Seed::from_number(number).stream(Stream::Keys));
    ServiceIdentity { credentials: Box::new(credentials), role }
}

fn notifier(number: u64) -> ServiceIdentity {
    identity(number, ServiceRole::Notifier)
}

/// A service's end of one link.
struct Speaker {
    link: LinkId,
    requester: Requester<Smp, u32>,
}

impl Speaker {
    fn connect(world: &mut World, service: &ServiceIdentity) -> Self {
        Self::try_connect(world, service, service).unwrap()
    }

    /// Shows the certificate of one service and says to be another.
    fn try_connect(
        world: &mut World,
        shown: &ServiceIdentity,
        said: &ServiceIdentity,
    ) -> Result<Self, LinkFault> {
        let link = LinkId::accepted(world.next_link);
        world.next_link += 1;
        let inbox =
            Client { greeting: None, session: None, heard: vec![], stalled: Some(vec![]), is_closed: false };
        world.clients.insert(link, inbox);
        let mut transport = Transport {
            session_id: world.rng.bytes::<32>().into(),
            has_alpn: true,
            peer_chain: shown.credentials.chain.clone(),
            showed_certificate: false,
            source: None,
        };
        world.handle(Input::Link(LinkEvent::Up { link, transport: transport.clone() }));
        let hello = Self::blocks(world, link).remove(0);
        transport.peer_chain = credentials().chain;
        transport.showed_certificate = true;
        let server = credentials().identity().unwrap();
        let encryption = BlockEncryption::WherePossible;
        let greeting = ClientGreeting::<Smp>::new(transport, server, VersionRange::SMP, encryption);
        let (greeted, mut answer) = greeting.on_hello_as(said, &hello, &mut world.rng).unwrap();
        let Greeted::Introduced(greeting) = greeted else { panic!("no service") };
        world.handle(Input::Link(LinkEvent::Block { link, block: &mut answer }));
        let session = greeting.on_answer(&Self::blocks(world, link)[0])?;
        let correlation = Seed::new(world.rng.bytes()).stream(Stream::Correlation);
        Ok(Self { link, requester: Requester::new(session, RequesterPlan::default(), correlation) })
    }

    fn id(&self) -> EntityId {
        self.requester.service().unwrap().clone()
    }

    fn blocks(world: &mut World, link: LinkId) -> Vec<Block> {
        let blocks = world.client_mut(link).stalled.as_mut().map(core::mem::take).unwrap_or_default();
        let count = u32::try_from(blocks.len()).unwrap();
        world.server.handle(world.now, Input::Link(LinkEvent::Sent { link, blocks: count }));
        blocks
    }

    /// Events and answers since the last look, as entity and text.
    fn hear(&mut self, world: &mut World) -> Vec<(Vec<u8>, String)> {
        let mut heard = Vec::new();
        for mut block in Self::blocks(world, self.link) {
            let mut messages = self.requester.on_block(&mut block).unwrap().unwrap();
            while let Some(incoming) = self.requester.next_message(&mut messages) {
                match incoming {
                    Incoming::Reply { result, .. } => heard.push((vec![], text(&result.unwrap()))),
                    Incoming::Unasked { entity, message } => heard.push((entity.into(), text(&message))),
                    Incoming::Stray(stray) => panic!("{stray:?}"),
                }
            }
        }
        heard
    }

    fn ask(
        &mut self,
        world: &mut World,
        entity: &[u8],
        key: Option<&AuthPrivateKey>,
        command: &Command<'_>,
    ) -> String {
        let entity = EntityId::new(entity);
        self.requester.request(world.now.mono, entity.as_ref(), key, command, 1).unwrap();
        while let Some(mut block) = self.requester.take_block() {
            self.requester.on_sent(1);
            world.handle(Input::Link(LinkEvent::Block { link: self.link, block: &mut block }));
        }
        let mut answers = self.hear(world);
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.remove(0).1
    }

    fn watch(&mut self, world: &mut World, watch: &Watch) {
        let answer = self.ask(world, &watch.id, Some(&watch.key), &Command::Nsub);
        assert_eq!(answer, alloc::format!("SOK 1 {}", hex::encode(self.id().as_bytes())));
    }

    fn watch_all(&mut self, world: &mut World) -> String {
        let id = self.id();
        self.ask(world, id.as_bytes(), None, &Command::Nsubs)
    }
}

fn text(message: &Message<'_>) -> String {
    match message {
        Message::Sok { service: None } => "SOK 0".into(),
        Message::Sok { service: Some(id) } => alloc::format!("SOK 1 {}", hex::encode(id)),
        Message::Soks { count } => alloc::format!("SOKS {count}"),
        Message::Ends { count } => alloc::format!("ENDS {count}"),
        Message::Nmsg { .. } => "NMSG".into(),
        other => String::from_utf8_lossy(&encoded(other)).into_owned(),
    }
}

/// A recipient's link with queues that have notifiers.
fn queues(world: &mut World, count: usize) -> (LinkId, Vec<(Mailbox, Watch)>) {
    let link = world.client();
    let mut made = Vec::new();
    for _ in 0..count {
        let mailbox = world.mailbox(link, SubscribeMode::OnlyCreate);
        let watch = world.notifier(link, &mailbox);
        made.push((mailbox, watch));
    }
    (link, made)
}

const ROUND: Duration = Duration::from_secs(15);

#[test]
fn one_command_brings_back_all_queues_of_a_service() {
    let mut world = World::new();
    let (recipient, queues) = queues(&mut world, 3);
    let service = notifier(1);
    let mut first = Speaker::connect(&mut world, &service);
    assert_eq!(first.watch_all(&mut world), "SOKS 0");
    for (_, watch) in &queues[..2] {
        first.watch(&mut world, watch);
        first.watch(&mut world, watch);
    }
    assert_eq!(first.watch_all(&mut world), "SOKS 2");
    world.handle(Input::Link(LinkEvent::Down { link: first.link, reason: DownReason::Closed }));
    for (mailbox, _) in &queues {
        world.send(recipient, mailbox, true, b"while nobody watches");
    }

    let mut second = Speaker::connect(&mut world, &service);
    assert_eq!(second.id(), first.id(), "the same certificate has the same id");
    assert_eq!(second.watch_all(&mut world), "SOKS 2");
    assert_eq!(second.watch_all(&mut world), "SOKS 2");
    world.advance(ROUND);
    let mut heard = second.hear(&mut world);
    heard.sort();
    let mut expected: Vec<_> =
        queues[..2].iter().map(|(_, watch)| (watch.id.clone(), String::from("NMSG"))).collect();
    expected.sort();
    assert_eq!(heard, expected);
    let gauges = world.server.gauges();
    assert_eq!((gauges.services, gauges.tied, gauges.watched), (1, 2, 2));
}

#[test]
fn a_newer_link_takes_the_whole_service_and_the_former_is_told_once() {
    let mut world = World::new();
    let (recipient, queues) = queues(&mut world, 3);
    let service = notifier(1);
    let mut first = Speaker::connect(&mut world, &service);
    for (_, watch) in &queues[..2] {
        first.watch(&mut world, watch);
    }
    let mut second = Speaker::connect(&mut world, &service);
    world.advance(ROUND);
    assert!(first.hear(&mut world).is_empty(), "to introduce itself takes nothing");
    // Taken by NSUB as well as by NSUBS.
    second.watch(&mut world, &queues[2].1);
    world.advance(ROUND);
    assert_eq!(first.hear(&mut world), [(first.id().as_bytes().into(), "ENDS 2".into())]);
    world.send(recipient, &queues[0].0, true, b"to the second");
    world.advance(ROUND);
    assert_eq!(second.hear(&mut world), [(queues[0].1.id.clone(), "NMSG".into())]);
    assert_eq!(first.watch_all(&mut world), "SOKS 3");
    world.advance(ROUND);
    assert_eq!(second.hear(&mut world), [(second.id().as_bytes().into(), "ENDS 3".into())]);
    assert!(first.hear(&mut world).is_empty(), "whoever took it back has not lost it");
}

#[test]
fn nsub_from_anybody_else_moves_the_queue_and_unties_it() {
    let mut world = World::new();
    let (_, queues) = queues(&mut world, 2);
    let mut ours = Speaker::connect(&mut world, &notifier(1));
    let mut theirs = Speaker::connect(&mut world, &notifier(2));
    for (_, watch) in &queues {
        ours.watch(&mut world, watch);
    }
    theirs.watch(&mut world, &queues[0].1);
    let plain = world.client();
    world.watch(plain, &queues[1].1);
    world.advance(ROUND);
    let mut heard = ours.hear(&mut world);
    heard.sort();
    let mut expected: Vec<_> =
        queues.iter().map(|(_, watch)| (watch.id.clone(), String::from("END"))).collect();
    expected.sort();
    assert_eq!(heard, expected);
    assert_eq!(ours.watch_all(&mut world), "SOKS 0");
    assert_eq!(theirs.watch_all(&mut world), "SOKS 1");
    assert_eq!(world.server.gauges().tied, 1);
}

#[test]
fn a_notifier_id_that_goes_is_told_and_counted_no_more() {
    let mut world = World::new();
    let (recipient, queues) = queues(&mut world, 4);
    let mut service = Speaker::connect(&mut world, &notifier(1));
    for (_, watch) in &queues {
        service.watch(&mut world, watch);
    }
    let [removed, replaced, deleted, _] = &queues[..] else { panic!("four queues") };
    world.ask_ok(recipient, Some(&removed.0.key), &removed.0.recipient, Command::Ndel);
    let fresh = world.notifier(recipient, &replaced.0);
    world.ask_ok(recipient, Some(&deleted.0.key), &deleted.0.recipient, Command::Del);
    world.advance(ROUND);
    let mut heard = service.hear(&mut world);
    heard.sort();
    let mut expected: Vec<_> =
        queues[..3].iter().map(|(_, watch)| (watch.id.clone(), String::from("DELD"))).collect();
    expected.sort();
    assert_eq!(heard, expected);
    assert_eq!(service.watch_all(&mut world), "SOKS 1");
    service.watch(&mut world, &fresh);
    assert_eq!(service.watch_all(&mut world), "SOKS 2", "a new id is tied anew");
}

#[test]
fn a_certificate_has_one_role_for_ever() {
    let mut world = World::new();
    let notifier = notifier(1);
    let receiver = ServiceIdentity { role: ServiceRole::Messaging, ..notifier.clone() };
    Speaker::connect(&mut world, &notifier);
    let refused = Speaker::try_connect(&mut world, &receiver, &receiver).err();
    assert_eq!(refused, Some(LinkFault::ServiceRefused));
    assert_eq!(world.server.counters().services_refused.total(), 1);
    let link = LinkId::accepted(world.next_link - 1);
    assert!(world.clients[&link].is_closed);
    Speaker::connect(&mut world, &notifier);
}

#[test]
fn a_certificate_that_was_not_shown_proves_nothing() {
    let mut world = World::new();
    let refused = Speaker::try_connect(&mut world, &notifier(1), &notifier(2)).err();
    assert_eq!(refused, Some(LinkFault::ServiceRefused));
    assert_eq!(world.server.gauges().services, 0);
    assert_eq!(world.server.counters().handshakes_failed.total(), 1);
}

#[test]
fn a_full_table_of_services_refuses_the_next() {
    let mut world = World::with(|config| config.limits.services = 1);
    let first = Speaker::connect(&mut world, &notifier(1));
    let refused = |world: &mut World| Speaker::try_connect(world, &notifier(2), &notifier(2)).err();
    assert_eq!(refused(&mut world), Some(LinkFault::ServiceRefused));
    world.handle(Input::Link(LinkEvent::Down { link: first.link, reason: DownReason::Closed }));
    assert_eq!(refused(&mut world), None, "nothing is tied to the first");
}

#[test]
fn a_service_that_receives_signs_twice_and_has_no_queues_tied() {
    let mut world = World::new();
    let (_, queues) = queues(&mut world, 1);
    let (mailbox, watch) = &queues[0];
    let mut service = Speaker::connect(&mut world, &identity(1, ServiceRole::Messaging));
    let answer = service.ask(&mut world, &mailbox.recipient, Some(&mailbox.key), &Command::Sub);
    assert_eq!(answer, "SOK 0");
    let id = service.id();
    assert_eq!(service.ask(&mut world, id.as_bytes(), None, &Command::Subs), "SOKS 0");
    let prohibited = service.ask(&mut world, &watch.id, Some(&watch.key), &Command::Nsub);
    assert_eq!(prohibited, "ERR CMD PROHIBITED");
}

#[test]
fn stopping_forgets_services() {
    let mut world = World::new();
    let (_, queues) = queues(&mut world, 1);
    let mut service = Speaker::connect(&mut world, &notifier(1));
    service.watch(&mut world, &queues[0].1);
    world.handle(Input::Stop);
    let gauges = world.server.gauges();
    assert_eq!((gauges.services, gauges.tied), (0, 0));
}
