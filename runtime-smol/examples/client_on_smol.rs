//! Embeds a client: creates a queue on the SMP server whose address is given, sends to it, and says so.
//!
//! `ntf smp` prints such an address, and so does the example `smp_server_on_smol`.

#![allow(clippy::wildcard_enum_match_arm, reason = "an application acts on what it cares about")]

use std::error::Error;

use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::client::{Client, Config};
use ntf_core::host::mailbox;
use ntf_core::model::server::Protocol;
use ntf_core::wire::text::address::parse_server;
use ntf_runtime_smol::clock::Clock;
use ntf_runtime_smol::roles::ClientMail;
use ntf_runtime_smol::service::{os_seed, run_client};

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let text = std::env::args().nth(1).ok_or("usage: client_on_smol smp://…")?;
        let server = parse_server(&text, Protocol::Smp).map_err(|fault| fault.to_string())?;
        let clock = Clock::start();
        let (tell, mut told) = mailbox::bounded(1024);
        let role = Client::new(Config::default(), os_seed()?, clock.now());
        let client = run_client(role, clock, move |event| drop(tell.try_send(event)));
        let tag = RequestTag(1);
        client.send(ClientMail::Command(Command::CreateQueue { tag, server }));
        while let Some(event) = told.recv().await {
            println!("{event:?}");
            match event {
                Event::QueueCreated { address: to, .. } => {
                    let message = b"Hello, queue.".to_vec();
                    client.send(ClientMail::Command(Command::Send { tag, to, message }));
                }
                Event::Sent { .. } => break,
                Event::Failed { why, .. } => return Err(why.into()),
                _ => {}
            }
        }
        client.stop().await;
        Ok(())
    })
}
