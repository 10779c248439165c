//! The loop without a runtime, as `ntf-core/examples/drive_by_hand.rs` shows it, against a real server.

use ntf_core::model::server::Protocol;
use ntf_core::wire::text::address;
use ntf_tests::sockets::Network;
use tokio::task::spawn_blocking;

#[path = "../../ntf-core/examples/drive_by_hand.rs"]
#[allow(dead_code, reason = "an example's `main`")]
mod drive_by_hand;

#[tokio::test]
async fn a_client_driven_by_hand_creates_a_queue_and_sends_to_it() {
    let net = Network::start().await;
    let server = address::server(net.smp_address(), Protocol::Smp);
    let driven = spawn_blocking(move || drive_by_hand::run(&server).map_err(|fault| fault.to_string()));
    assert_eq!(driven.await.expect("it does not panic"), Ok(()));
    let messages = net.smp().look().await.expect("it runs");
    assert!(messages.iter().any(|fact| fact.what == "queues" && fact.count == 1), "{messages:?}");
    net.stop().await;
}
