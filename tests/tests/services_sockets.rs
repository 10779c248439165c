//! Service certificates over real sockets: certificates are asked for and shown in TLS, one command brings all
//! queues back, and servers that ask for none are used as ever.

use std::net::{Ipv4Addr, SocketAddr};

use ntf_core::client::input::QueueId;
use ntf_core::model::server::{SenderAddress, ServerAddress};
use ntf_tests::sockets::{Device, Network, Tuning};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const QUEUES: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_broken_connection_the_queues_come_back_with_one_command() {
    let net = Network::start_tuned(Tuning { service_certificates: true, ..Tuning::default() }).await;
    let relay = Relay::to(net.smp_socket()).await;
    let (mut device, mut sender, queues) = people(&net, &relay.address(net.smp_address())).await;
    net.until_known(net.smp(), "notifier ids tied to a service", 5).await;
    assert_every_queue_is_heard(&mut device, &mut sender, &queues).await;

    relay.cut();
    net.until_known(net.smp(), "notifier ids watched", 0).await;
    net.until_known(net.smp(), "notifier ids watched", 5).await;
    assert_every_queue_is_heard(&mut device, &mut sender, &queues).await;

    device.stop().await;
    sender.stop().await;
    let (smp, subscriber) = net.stop_for_a_look().await;
    assert_eq!(smp.counters().services_accepted.total(), 2);
    let counters = subscriber.counters();
    assert_eq!(counters.subscriptions.asked.total(), 5);
    assert_eq!((counters.services.asked.total(), counters.services.resumed.total()), (1, 1));
    assert_eq!(counters.services.untied.total(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_for_no_certificates_is_used_as_ever() {
    let tuning = Tuning { service_certificates: true, asks_clients: false, ..Tuning::default() };
    let net = Network::start_tuned(tuning).await;
    let (mut device, mut sender, queues) = people(&net, net.smp_address()).await;
    assert_every_queue_is_heard(&mut device, &mut sender, &queues).await;
    device.stop().await;
    sender.stop().await;
    let (smp, subscriber) = net.stop_for_a_look().await;
    assert_eq!(smp.counters().services_accepted.total(), 0);
    assert_eq!(subscriber.counters().services.sessions.total(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_option_nothing_is_shown_to_a_server_that_asks() {
    let net = Network::start().await;
    let (mut device, mut sender, queues) = people(&net, net.smp_address()).await;
    assert_every_queue_is_heard(&mut device, &mut sender, &queues).await;
    device.stop().await;
    sender.stop().await;
    let (smp, _) = net.stop_for_a_look().await;
    assert_eq!(smp.counters().services_accepted.total(), 0);
}

/// A registered device with queues, and somebody who sends to them.
async fn people(net: &Network, smp: &ServerAddress) -> (Device, Device, Vec<(QueueId, SenderAddress)>) {
    let mut device = net.device(0);
    device.register(net.ntf_address()).await;
    let mut queues = Vec::new();
    for _ in 0..QUEUES {
        queues.push(device.create_queue(smp).await);
    }
    net.until_known(net.smp(), "notifier ids watched", 5).await;
    (device, net.device(9), queues)
}

async fn assert_every_queue_is_heard(
    device: &mut Device,
    sender: &mut Device,
    queues: &[(QueueId, SenderAddress)],
) {
    let mut expected = Vec::new();
    for (number, (queue, address)) in queues.iter().enumerate() {
        let text = format!("message {number}");
        sender.send(address, &text).await;
        expected.push((*queue, text));
    }
    let mut heard = Vec::new();
    for _ in queues {
        heard.push(device.receive().await);
    }
    heard.sort();
    expected.sort();
    assert_eq!(heard, expected);
}

/// Passes bytes on between clients and a server, until it is cut.
struct Relay {
    address: SocketAddr,
    cuts: watch::Sender<u32>,
}

impl Relay {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback can be bound");
        let address = listener.local_addr().expect("it listens");
        let (cuts, seen) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut seen = seen.clone();
                seen.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = seen.changed() => {}
                    }
                });
            }
        });
        Self { address, cuts }
    }

    /// The server's address, by way of the relay.
    fn address(&self, server: &ServerAddress) -> ServerAddress {
        ServerAddress { port: self.address.port().to_string().into(), ..server.clone() }
    }

    /// Breaks every connection; new ones can be made.
    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}
