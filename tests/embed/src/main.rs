//! The client role without an operating system, on a Cortex-M4: what an app that embeds it does, with nothing
//! but `core`, `alloc` and a heap in a static array.
//!
//! TLS is not the core's there: whoever embeds brings sockets and TLS, and hands in what `LinkEvent` says.
//! Prints by semihosting, which QEMU and most debuggers have; `.ci/embed` builds and runs it.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec;
use core::time::Duration;

// Start-up code and the critical section are linked for being named.
use cortex_m as _;
use cortex_m_rt::entry;
use embedded_alloc::LlffHeap;
use ntf_core::base::rng::Seed;
use ntf_core::client::direct::Circumstance;
use ntf_core::client::effect::{Effect, Event};
use ntf_core::client::input::{Command, Input, RequestTag};
use ntf_core::client::push_step::{PushKind, StepEffect};
use ntf_core::client::{Advice, Client, Config, Mode, PushStep};
use ntf_core::link::event::{DownReason, LinkAction, LinkEvent};
use ntf_core::model::server::Protocol;
use ntf_core::wire::text::address::parse_server;
use ntf_core::{Machine as _, Mono, Now, Step, Wall};
use semihosting::{println, process};

#[cfg(feature = "town")]
mod town;

/// More than the client's own state takes, and enough for the town.
const HEAP_LEN: usize = 3 << 20;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

const SMP: &str = "smp://u2dS9sG8nMNURyZwqASV4yROM28Er0luVTx5X1CsMrU=@smp4.example.org";

#[entry]
fn main() -> ! {
    // SAFETY: called once, at the entry, before anything is allocated.
    unsafe {
        embedded_alloc::init!(HEAP, HEAP_LEN);
    }
    a_client_asks_for_a_connection_and_tells_what_became_of_it();
    a_state_is_exported_and_imported();
    a_refresh_ends_in_its_time();
    a_push_of_a_stranger_is_rejected();
    #[cfg(feature = "town")]
    town::an_hour_of_direct_connections();
    println!("ok: {} bytes of heap in use at the end", HEAP.used());
    process::exit(0)
}

fn at(secs: u64) -> Now {
    Now { mono: Mono::from_micros(secs * 1_000_000), wall: Wall::from_secs(1_700_000_000 + secs) }
}

/// A client that is to hold a direct connection, at time zero.
fn client() -> Client {
    let mut client = Client::new(Config::default(), Seed::from_number(1), at(0));
    client.handle(at(0), Input::Command(Command::SetMode(Mode::Direct)));
    client
}

/// The next effect that there must be.
fn next(client: &mut Client) -> Effect {
    match client.poll() {
        Step::Do(effect) => effect,
        Step::Idle(_) => panic!("there is something to do"),
    }
}

fn a_client_asks_for_a_connection_and_tells_what_became_of_it() {
    let before = HEAP.used();
    let mut client = client();
    let server = parse_server(SMP, Protocol::Smp).expect("a server's address");
    client.handle(at(0), Input::Command(Command::CreateQueue { tag: RequestTag(1), server }));
    let Effect::Link(LinkAction::Connect { link, protocol: Protocol::Smp, .. }) = next(&mut client) else {
        panic!("a queue needs a connection");
    };
    client.handle(at(1), Input::Link(LinkEvent::Down { link, reason: DownReason::Unreachable }));
    let Effect::Event(event) = next(&mut client) else { panic!("the app is told") };
    assert!(matches!(event, Event::Unreachable { reason: DownReason::Unreachable, .. }));
    assert_eq!(event.advice(), Some(Advice::CheckNetwork));
    let Step::Idle(Some(deadline)) = client.poll() else { panic!("it will try again") };
    client.handle(Now { mono: deadline.at, ..at(1) }, Input::Tick);
    assert!(matches!(next(&mut client), Effect::Link(LinkAction::Connect { .. })));
    println!("a client with one server takes {} bytes", HEAP.used() - before);
}

fn a_state_is_exported_and_imported() {
    let mut first = client();
    first.handle(at(0), Input::Command(Command::Circumstance(Circumstance::Disable)));
    let state = first.export();
    let second = Client::import(Config::default(), Seed::from_number(2), at(5), &state).expect("our own");
    assert_eq!(second.mode(), Mode::Direct);
    let mut damaged = state.to_vec();
    damaged.truncate(state.len() - 1);
    assert!(Client::import(Config::default(), Seed::from_number(2), at(5), &damaged).is_err());
    println!("an exported state of {} bytes is read again", state.len());
}

fn a_refresh_ends_in_its_time() {
    let mut client = client();
    client.refresh(at(0), Duration::from_secs(25));
    let Effect::Event(Event::Refreshed { messages: 0, queues_left: 0, requests_left: 0 }) = next(&mut client)
    else {
        panic!("there is nothing to look into");
    };
    println!("a background refresh ends");
}

fn a_push_of_a_stranger_is_rejected() {
    let state = client().export_for_pushes();
    let push = vec![b'x'; 4096];
    let mut step =
        PushStep::new(Config::default(), Seed::from_number(3), at(0), &state, &push, 8).expect("our own");
    let Step::Do(StepEffect::Done(outcome)) = step.poll() else { panic!("it needs no connection") };
    assert!(matches!(outcome.kind, PushKind::Rejected(_)));
    println!("a stranger's push is rejected: {:?}", outcome.kind);
}
