//! One message, end to end, over real sockets on loopback: with several devices and queues, with a provider
//! in trouble, and to the end of a queue, a token and a server.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU8;
use std::time::Duration;

use ntf_core::base::reach::Reach;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, QueueId};
use ntf_core::host::oneshot;
use ntf_core::model::server::{Protocol, SenderAddress, ServerAddress};
use ntf_core::model::token::{InvalidReason, TokenStatus};
use ntf_core::subscriber;
use ntf_runtime_tokio::clock::Clock;
use ntf_runtime_tokio::driver::Letter;
use ntf_runtime_tokio::http2::Providers;
use ntf_runtime_tokio::identity::Identity;
use ntf_runtime_tokio::shards::{DRAIN, Plan, Sharded, run_sharded_server};
use ntf_runtime_tokio::standin::Fault;
use ntf_tests::sockets::{Device, Network};

/// Messages that a queue holds at most. Source: `smp-transport` 5.4.
const QUEUE_CAPACITY: usize = 128;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_in_the_order_of_each_queue() {
    let net = Network::start().await;
    let mut people = Vec::new();
    for number in 0..2 {
        people.push(Person::with_queues(&net, number, 3).await);
    }
    let mut sender = net.device(9);
    for round in 0..5 {
        for person in &people {
            for (queue, address) in &person.queues {
                sender.send(address, &text(*queue, round)).await;
            }
        }
    }
    for person in &mut people {
        let queues: Vec<_> = person.queues.iter().map(|(queue, _)| *queue).collect();
        let got = person.receive(queues.len() * 5).await;
        for queue in queues {
            let expected: Vec<_> = (0..5).map(|round| text(queue, round)).collect();
            assert_eq!(got.get(&queue), Some(&expected), "the messages of {queue:?}");
        }
    }
    sender.stop().await;
    for person in people {
        person.device.stop().await;
    }
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_merge_while_a_push_is_slow_and_no_message_is_lost() {
    let net = Network::start().await;
    let mut person = Person::with_queues(&net, 0, 1).await;
    let (queue, address) = person.queues[0].clone();
    let before = net.apple().counts();
    net.apple().fail_next(1, Fault::Delay(Duration::from_millis(500)));
    let mut sender = net.device(9);
    for round in 0..20 {
        sender.send(&address, &text(queue, round)).await;
    }
    let got = person.receive(20).await;
    assert_eq!(got.get(&queue), Some(&(0..20).map(|round| text(queue, round)).collect()));
    let pushes = net.apple().counts().accepted - before.accepted;
    assert!((1..20).contains(&pushes), "20 messages of one queue made {pushes} pushes");
    finish(net, [person.device, sender]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_though_the_provider_fails_in_every_way() {
    let net = Network::start().await;
    let mut person = Person::with_queues(&net, 0, 1).await;
    let (queue, address) = person.queues[0].clone();
    let mut sender = net.device(9);
    let too_many = Fault::Answer {
        status: 429,
        reason: "TooManyRequests".into(),
        retry_after_secs: Some(1),
        timestamp_millis: None,
    };
    let faults = [
        Fault::answer(503, "ServiceUnavailable"),
        Fault::answer(500, "InternalServerError"),
        too_many,
        Fault::RefuseStream,
        Fault::GoAway,
        Fault::Drop,
        Fault::answer(403, "ExpiredProviderToken"),
    ];
    for (round, fault) in faults.into_iter().enumerate() {
        let before = net.apple().counts().requests;
        net.apple().fail_next(1, fault.clone());
        sender.send(&address, &text(queue, round)).await;
        let got = person.device.receive().await;
        assert_eq!(got, (queue, text(queue, round)), "after {fault:?}");
        // The device may have met the message while it fetched the one before; the push comes all the same.
        net.until("a push that failed is made again", || net.apple().counts().requests > before + 1).await;
    }
    finish(net, [person.device, sender]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_on_their_way_survive_a_provider_that_drops_the_connection_again_and_again() {
    let net = Network::start().await;
    let mut people = Vec::new();
    for number in 0..2 {
        people.push(Person::with_queues(&net, number, 2).await);
    }
    let mut sender = net.device(9);
    net.apple().fail_next(3, Fault::Drop);
    for round in 0..3 {
        for person in &people {
            for (queue, address) in &person.queues {
                sender.send(address, &text(*queue, round)).await;
            }
        }
    }
    for person in &mut people {
        let got = person.receive(6).await;
        assert!(got.values().all(|messages| messages.len() == 3), "three messages for each queue: {got:?}");
    }
    sender.stop().await;
    for person in people {
        person.device.stop().await;
    }
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_token_that_apple_unregistered_becomes_invalid() {
    let net = Network::start().await;
    let mut person = Person::with_queues(&net, 0, 1).await;
    let (queue, address) = person.queues[0].clone();
    person.device.check(TokenStatus::Active).await;
    let token = String::from_utf8_lossy(&person.device.token().token).into_owned();
    let refused = net.apple().counts().refused;
    net.apple().unregister(&token, u64::MAX / 2);
    let mut sender = net.device(9);
    sender.send(&address, &text(queue, 0)).await;
    net.until("the push is refused", || net.apple().counts().refused > refused).await;
    // The answer may still be on its way from the push server to the subscriber.
    let expected = TokenStatus::Invalid(Some(InvalidReason::Unregistered));
    loop {
        person.device.ask(Command::Check);
        let status = person
            .device
            .wait_for(
                "token status",
                |event| if let Event::Token(status) = event { Some(*status) } else { None },
            )
            .await;
        if status == expected {
            break;
        }
        assert_eq!(status, TokenStatus::Active, "a status between the two");
    }
    finish(net, [person.device, sender]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_is_pushed_no_more() {
    let net = Network::start().await;
    let mut person = Person::with_queues(&net, 0, 2).await;
    let (gone, gone_address) = person.queues[0].clone();
    let (kept, kept_address) = person.queues[1].clone();
    let mut sender = net.device(9);
    sender.send(&gone_address, "first").await;
    assert_eq!(person.device.receive().await, (gone, "first".into()));
    person.device.ask(Command::DeleteQueue { queue: gone });
    person
        .device
        .wait_for("deleted queue", |event| {
            matches!(event, Event::QueueDeleted { queue } if *queue == gone).then_some(())
        })
        .await;
    let why = sender.send_refused(&gone_address, "to nobody").await;
    assert!(why.contains("AUTH"), "the sender is told: {why}");
    sender.send(&kept_address, "second").await;
    assert_eq!(person.device.receive().await, (kept, "second".into()));
    let pushes: Vec<_> = person
        .device
        .events_so_far()
        .into_iter()
        .filter(|event| matches!(event, Event::Pushed { queue, .. } if *queue == gone))
        .collect();
    assert_eq!(pushes, Vec::new(), "no push names the queue any more");
    finish(net, [person.device, sender]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unregistered_device_is_pushed_no_more() {
    let net = Network::start().await;
    let mut leaver = Person::with_queues(&net, 0, 1).await;
    let mut stayer = Person::with_queues(&net, 1, 1).await;
    let mut sender = net.device(9);
    leaver.device.ask(Command::Unregister);
    leaver.device.wait_for("end", |event| (*event == Event::Unregistered).then_some(())).await;
    net.until_known(&net.both().subscriber, "notifier ids", 1).await;
    let before = net.apple().counts().requests;
    sender.send(&leaver.queues[0].1, "nobody hears of it").await;
    sender.send(&stayer.queues[0].1, "somebody does").await;
    assert_eq!(stayer.device.receive().await.1, "somebody does");
    assert_eq!(net.apple().counts().requests, before + 1, "one push, and that for the other device");
    // And it may come back.
    leaver.device.register(net.ntf_address()).await;
    leaver
        .device
        .wait_for("subscription", |event| matches!(event, Event::Subscription { .. }).then_some(()))
        .await;
    sender.send(&leaver.queues[0].1, "again").await;
    // The first it may have fetched while it registered, for it had been away.
    while leaver.device.received().len() < 2 {
        leaver.device.receive().await;
    }
    let queue = leaver.queues[0].0;
    assert_eq!(leaver.device.received(), [(queue, "nobody hears of it".into()), (queue, "again".into())]);
    sender.stop().await;
    finish(net, [leaver.device, stayer.device]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_so_to_both_sides_and_keeps_what_it_took() {
    let net = Network::start().await;
    let mut person = Person::with_queues(&net, 0, 1).await;
    let (queue, address) = person.queues[0].clone();
    person.device.set_reachable(false);
    let mut sender = net.device(9);
    let mut taken = Vec::new();
    for number in 0..QUEUE_CAPACITY + 2 {
        let message = text(queue, number);
        if number < QUEUE_CAPACITY {
            sender.send(&address, &message).await;
            taken.push(message);
        } else {
            let why = sender.send_refused(&address, &message).await;
            assert!(why.contains("QUOTA"), "message {number} finds the queue full: {why}");
        }
    }
    person.device.set_reachable(true);
    let got = person.receive(QUEUE_CAPACITY).await;
    assert_eq!(got.get(&queue), Some(&taken));
    person
        .device
        .wait_for("word of the quota", |event| {
            matches!(event, Event::QuotaReached { queue: full } if *full == queue).then_some(())
        })
        .await;
    // Once everything is read, the queue takes messages again.
    sender.send_until_taken(&address, "after the flood").await;
    assert_eq!(person.device.receive().await, (queue, "after the flood".into()));
    finish(net, [person.device, sender]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_stop_in_the_middle_of_everything() {
    let net = Network::start().await;
    let person = Person::with_queues(&net, 0, 2).await;
    net.apple().fail_next(100, Fault::Silence);
    let mut sender = net.device(9);
    for (queue, address) in &person.queues {
        sender.send(address, &text(*queue, 0)).await;
    }
    // Links are open, a push hangs, and nobody has read the messages.
    net.stop().await;
    sender.stop().await;
    person.device.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_threads_finishes_what_the_last_of_them_has_though_the_first_is_idle() {
    let net = Network::start().await;
    let (sharded, address) = two_shards(&net).await;
    // By chance a device is on the second thread.
    let mut number = 0;
    let mut person = loop {
        let person = Person::at(&net, &address, number, 2).await;
        if known(&sharded, 1, "device tokens").await == 1 {
            break person;
        }
        person.device.stop().await;
        number += 1;
        assert!(number < 64, "the second thread gets no devices");
    };
    let before = net.apple().counts();
    net.apple().fail_next(1, Fault::Delay(Duration::from_secs(1)));
    let mut sender = net.device(99);
    for (queue, address) in &person.queues {
        sender.send(address, &text(*queue, 0)).await;
        // The second comes while the first is under way.
        net.until("the provider has the first", || net.apple().counts().requests > before.requests).await;
    }
    let both_are_there = async { while known(&sharded, 1, "notices").await < 2 {} };
    tokio::time::timeout(Duration::from_secs(30), both_are_there).await.expect("both notices come");
    let totals = sharded.stop().await.expect("every thread ends in order");
    let delivery = &totals.subscriber.delivery;
    assert_eq!(net.apple().counts().accepted, before.accepted + 2, "both were pushed before the end");
    assert_eq!((delivery.put_off.total(), delivery.forgotten.total()), (0, 0));
    person.receive(2).await;
    finish(net, [person.device, sender]).await;
}

/// A second notification server, on two threads, with the same provider.
async fn two_shards(net: &Network) -> (Sharded, ServerAddress) {
    let (clock, identity) =
        (Clock::start(), Identity::make("localhost", Protocol::Ntf).expect("certificates"));
    let credentials = identity.credentials();
    let mut config = subscriber::Config { allow_test_provider: true, ..subscriber::Config::new(credentials) };
    config.smp.reach = Reach::Anywhere;
    let trial = net.trial();
    let plan = Plan {
        config,
        threads: NonZeroU8::new(2).expect("some"),
        push: trial.push_config(),
        clock,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        tls: identity.endpoint(Protocol::Ntf).expect("its own key"),
        providers: trial.provider_config().and_then(|config| Providers::new(&config)).expect("its CA"),
        drain: DRAIN,
        watch: |_| {},
    };
    let sharded = run_sharded_server(plan).await.expect("loopback");
    let address = identity.address("localhost", sharded.address()).expect("an identity");
    (sharded, address)
}

/// How much of something a shard knows.
async fn known(sharded: &Sharded, shard: usize, what: &str) -> u64 {
    let (answer, facts) = oneshot::channel();
    let shard = sharded.shard_mailboxes().get(shard).expect("there is one");
    assert!(shard.try_send(Letter::Look(answer)).is_ok(), "it runs");
    let facts = facts.await.expect("it runs");
    facts.iter().filter(|fact| fact.what == what).map(|fact| fact.count).sum()
}

fn text(queue: QueueId, number: usize) -> String {
    format!("message {number} for {queue:?}")
}

async fn finish<const N: usize>(net: Network, devices: [Device; N]) {
    for device in devices {
        device.stop().await;
    }
    net.stop().await;
}

/// A registered device and its queues.
struct Person {
    device: Device,
    queues: Vec<(QueueId, SenderAddress)>,
}

impl Person {
    async fn with_queues(net: &Network, number: u32, count: usize) -> Self {
        Self::at(net, net.ntf_address(), number, count).await
    }

    async fn at(net: &Network, subscriber: &ServerAddress, number: u32, count: usize) -> Self {
        let mut device = net.device(number);
        device.register(subscriber).await;
        let mut queues = Vec::new();
        for _ in 0..count {
            queues.push(device.create_queue(net.smp_address()).await);
        }
        Self { device, queues }
    }

    /// Waits for so many messages; gives them by queue, in the order they came.
    async fn receive(&mut self, count: usize) -> BTreeMap<QueueId, Vec<String>> {
        let mut got: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for _ in 0..count {
            let (queue, message) = self.device.receive().await;
            got.entry(queue).or_default().push(message);
        }
        got
    }
}
