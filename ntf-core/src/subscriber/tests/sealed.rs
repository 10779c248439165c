//! Device tokens that the subscriber cannot read.

use super::app::{App, Device};
use super::world::{World, credentials};
use crate::base::rng::{Seed, Stream};
use crate::crypto::keys::X25519Private;
use crate::model::push::{PushId, PushResult};
use crate::model::token::{DeviceTag, DeviceToken, Provider};
use crate::relay::sealed_token::{OpeningKey, seal};
use crate::subscriber::config::SealedTokens;
use crate::subscriber::input::Input;
use crate::wire::ntf::command::{Command, Device as DeviceField};
use alloc::vec::Vec;

const TAG: DeviceTag = DeviceTag([1; 16]);

fn world(sealed_tokens: SealedTokens) -> World {
    let mut world = World::with(|config| config.sealed_tokens = sealed_tokens);
    world.accepts_pushes = false;
    world
}

/// An app whose device token is sealed; each number gives other keys and another sealing.
fn sealed_app(number: u8) -> App {
    let key = OpeningKey::new(X25519Private::from_bytes([9; 32]));
    let plain = DeviceToken { provider: Provider::ApnsProd, token: b"00ff".as_slice().into() };
    let mut keys = Seed::from_number(number.into()).stream(Stream::Keys);
    let mut app = App::new(number, "");
    app.token = seal(&plain, key.public(), &credentials(1).identity().unwrap(), &mut keys).unwrap();
    app
}

/// Registers; gives the code, and the order that carried it.
fn register(world: &mut World, device: &mut Device, app: &mut App) -> (Vec<u8>, PushId) {
    app.register(world, device);
    let order = world.take_order();
    (app.code(&order), order.id)
}

fn recognise(world: &mut World, push: PushId, device: DeviceTag) {
    world.handle(Input::Recognised { push, device });
    world.outcome(push, PushResult::Accepted);
}

#[test]
fn who_takes_which_tokens() {
    for (sealed_tokens, plain, sealed) in [
        (SealedTokens::Refused, "IDTKN", "ERR CMD SYNTAX"),
        (SealedTokens::Taken, "IDTKN", "IDTKN"),
        (SealedTokens::Demanded, "ERR CMD PROHIBITED", "IDTKN"),
    ] {
        let mut world = world(sealed_tokens);
        let mut device = world.device();
        let mut app = App::new(1, "00ff");
        app.token.provider = Provider::ApnsProd;
        let reply = app.try_register(&mut world, &mut device).text();
        assert!(reply.starts_with(plain), "{sealed_tokens:?}: {reply}");
        // The largest TNEW fits its block.
        let reply = sealed_app(2).try_register(&mut world, &mut device).text();
        assert!(reply.starts_with(sealed), "{sealed_tokens:?}: {reply}");
    }
}

#[test]
fn a_sealed_token_goes_on_as_it_came() {
    let mut world = world(SealedTokens::Taken);
    let mut device = world.device();
    let mut app = sealed_app(1);
    app.register(&mut world, &mut device);
    assert_eq!(world.take_order().device, app.token);
    let wrong = DeviceToken { provider: Provider::Sealed, token: b"short".as_slice().into() };
    let replaced = app.ask(&mut world, &mut device, &Command::Trpl { device: DeviceField::of(&wrong) });
    assert_eq!(replaced, "ERR CMD SYNTAX");
}

#[test]
fn verifying_one_registration_ends_the_others_that_the_push_server_calls_alike() {
    let mut world = world(SealedTokens::Taken);
    let mut device = world.device();
    let (mut old, mut other, mut new) = (sealed_app(1), sealed_app(2), sealed_app(3));
    for (app, tag) in [(&mut old, TAG), (&mut other, DeviceTag([2; 16]))] {
        let (code, push) = register(&mut world, &mut device, app);
        recognise(&mut world, push, tag);
        assert_eq!(app.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");
    }
    let (code, push) = register(&mut world, &mut device, &mut new);
    recognise(&mut world, push, TAG);
    assert_eq!(old.ask(&mut world, &mut device, &Command::Tchk), "TKN ACTIVE", "nothing is verified yet");
    assert_eq!(new.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");
    assert_eq!(old.ask(&mut world, &mut device, &Command::Tchk), "ERR AUTH");
    assert_eq!(other.ask(&mut world, &mut device, &Command::Tchk), "TKN ACTIVE");
    assert_eq!(new.ask(&mut world, &mut device, &Command::Tchk), "TKN ACTIVE");
}

#[test]
fn a_name_that_comes_after_the_code_ends_the_others_then() {
    let mut world = world(SealedTokens::Taken);
    let mut device = world.device();
    let (mut old, mut new) = (sealed_app(1), sealed_app(2));
    let (code, push) = register(&mut world, &mut device, &mut old);
    recognise(&mut world, push, TAG);
    assert_eq!(old.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");
    let (code, push) = register(&mut world, &mut device, &mut new);
    assert_eq!(new.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");
    // Verifying ended the order, so its name comes too late to be heard. The next push tells it again.
    recognise(&mut world, push, TAG);
    assert_eq!(old.ask(&mut world, &mut device, &Command::Tchk), "TKN ACTIVE");
    let (_, push) = register(&mut world, &mut device, &mut new);
    recognise(&mut world, push, TAG);
    assert_eq!(old.ask(&mut world, &mut device, &Command::Tchk), "ERR AUTH");
    assert_eq!(new.ask(&mut world, &mut device, &Command::Tchk), "TKN ACTIVE");
}

#[test]
fn an_active_registration_that_asks_for_its_code_again_ends_nobody() {
    let mut world = world(SealedTokens::Taken);
    let mut device = world.device();
    let (mut owner, mut new) = (sealed_app(1), sealed_app(2));
    let (code, push) = register(&mut world, &mut device, &mut owner);
    recognise(&mut world, push, TAG);
    assert_eq!(owner.ask(&mut world, &mut device, &Command::Tvfy { code: &code }), "OK");
    let (_, push) = register(&mut world, &mut device, &mut new);
    recognise(&mut world, push, TAG);
    let (_, push) = register(&mut world, &mut device, &mut owner);
    recognise(&mut world, push, TAG);
    assert_eq!(new.ask(&mut world, &mut device, &Command::Tchk), "TKN CONFIRMED");
}
