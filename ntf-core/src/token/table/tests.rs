#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::base::budget::BudgetPlan;
use crate::base::rng::{Seed, Stream};
use crate::base::time::Wall;
use crate::crypto::keys::Ed25519Public;
use crate::model::token::{Provider, TokenStatus};
use core::time::Duration;

struct World {
    tokens: Tokens,
    makers: Makers,
}

fn world(limits: TokenLimits) -> World {
    let seed = Seed::from_number(5);
    World {
        tokens: Tokens::new(limits, &mut seed.stream(Stream::Hashing)),
        makers: Makers {
            ids: seed.stream(Stream::Ids),
            keys: seed.stream(Stream::Keys),
            codes: seed.stream(Stream::Codes),
        },
    }
}

fn device(name: u8) -> DeviceToken {
    DeviceToken { provider: Provider::ApnsProd, token: alloc::vec![name; 64].into() }
}

fn key(byte: u8) -> AuthPublicKey {
    AuthPublicKey::Ed25519(Ed25519Public::new([byte; 32]))
}

fn now(secs: u64) -> Now {
    Now { mono: Mono::from_micros(secs * 1_000_000), wall: Wall::from_secs(1_700_000_000 + secs) }
}

impl World {
    fn register(&mut self, name: u8, verify: u8, client: u8) -> Result<Registered, TokenRefusal> {
        let wanted = Registration {
            device: device(name),
            verify_key: key(verify),
            client_public: X25519Private::from_bytes([client; 32]).public(),
        };
        self.tokens.register(wanted, &mut self.makers)
    }

    fn fresh(&mut self, name: u8, verify: u8) -> TokenIndex {
        match self.register(name, verify, 9).unwrap() {
            Registered::Fresh(index) => index,
            Registered::Again(_) => unreachable!("the keys are new"),
        }
    }

    fn verify(&mut self, index: TokenIndex) -> Result<(), NotVerified> {
        let code = self.tokens.get(index).unwrap().code().clone();
        self.tokens.verify(now(1), index, code.expose())
    }

    fn status(&self, index: TokenIndex) -> TokenStatus {
        self.tokens.get(index).unwrap().state().status()
    }
}

#[test]
fn registering_again_changes_nothing_but_a_refused_token() {
    let mut world = world(TokenLimits::default());
    let index = world.fresh(1, 1);
    let (id, public) = {
        let token = world.tokens.get(index).unwrap();
        (token.id(), *token.server_public())
    };
    let code = world.tokens.get(index).unwrap().code().clone();
    assert_eq!(world.register(1, 1, 9), Ok(Registered::Again(index)));
    let token = world.tokens.get(index).unwrap();
    assert!(token.id() == id && *token.server_public() == public && *token.code() == code);

    world.verify(index).unwrap();
    assert_eq!(world.register(1, 1, 9), Ok(Registered::Again(index)));
    assert_eq!(world.status(index), TokenStatus::Active);

    world.tokens.rejected(index, InvalidReason::Unregistered);
    assert_eq!(world.register(1, 1, 9), Ok(Registered::Again(index)));
    assert_eq!(world.status(index), TokenStatus::Registered);
}

#[test]
fn another_agreement_under_the_same_keys_is_refused() {
    let mut world = world(TokenLimits::default());
    world.fresh(1, 1);
    assert_eq!(world.register(1, 1, 8), Err(TokenRefusal::Taken));
}

#[test]
fn registrations_of_one_device_live_side_by_side_until_one_is_verified() {
    let mut world = world(TokenLimits::default());
    let first = world.fresh(1, 1);
    let second = world.fresh(1, 2);
    let other_device = world.fresh(2, 1);
    world.verify(second).unwrap();
    assert_eq!(world.tokens.rivals(second), [first]);
    assert_eq!(world.tokens.rivals(other_device), []);
}

#[test]
fn too_many_unverified_registrations_displace_the_oldest_of_them() {
    let mut world = world(TokenLimits { unverified_per_device: 2, ..TokenLimits::default() });
    let owner = world.fresh(1, 1);
    world.verify(owner).unwrap();
    let oldest = world.fresh(1, 2);
    let second = world.fresh(1, 3);
    assert_eq!(world.tokens.displaced_by(second), None);
    let third = world.fresh(1, 4);
    assert_eq!(world.tokens.displaced_by(third), Some(oldest));
    world.tokens.remove(oldest);
    assert_eq!(world.tokens.displaced_by(third), None);
}

#[test]
fn a_full_table_refuses_and_a_removed_token_makes_room() {
    let mut world = world(TokenLimits { tokens: 2, ..TokenLimits::default() });
    let first = world.fresh(1, 1);
    world.fresh(2, 2);
    assert_eq!(world.register(3, 3, 9), Err(TokenRefusal::Full));
    let id = world.tokens.remove(first).unwrap();
    assert_eq!(world.tokens.by_id(&id), None);
    assert!(world.register(3, 3, 9).is_ok());
}

#[test]
fn devices_that_only_rest_give_way_when_there_are_too_many() {
    let mut world = world(TokenLimits { tokens: 2, ..TokenLimits::default() });
    let stays = world.fresh(0, 1);
    for name in 1..20 {
        let index = world.fresh(name, 1);
        assert_eq!(world.tokens.admit_verification_push(now(name.into()), index), Some(Admit::Now));
        world.tokens.remove(index);
        assert!(world.tokens.devices().count() <= 4);
    }
    let World { tokens, makers } = &mut world;
    assert_eq!(tokens.replace(stays, device(99), makers), Ok(()), "there is room to move");
}

#[test]
fn replacing_moves_to_the_other_device_with_another_code() {
    let mut world = world(TokenLimits::default());
    let index = world.fresh(1, 1);
    let code = world.tokens.get(index).unwrap().code().clone();
    world.verify(index).unwrap();
    let rival = world.fresh(2, 1);
    let World { tokens, makers } = &mut world;
    assert_eq!(tokens.replace(index, device(2), makers), Err(TokenRefusal::Taken));
    tokens.remove(rival);
    assert_eq!(tokens.replace(index, device(2), makers), Ok(()));
    let token = tokens.get(index).unwrap();
    assert_eq!(token.state(), State::Registered);
    assert!(*token.code() != code);
    assert_eq!(*tokens.device(index).unwrap().token(), device(2));
    assert_eq!(tokens.replace(index, device(2), makers), Ok(()), "asked again");
    assert_eq!(tokens.rivals(index), []);
    assert!(matches!(world.register(1, 1, 9), Ok(Registered::Fresh(_))), "the old device is free");
}

#[test]
fn the_verification_budget_is_the_devices_and_outlives_its_registrations() {
    let plan = BudgetPlan { burst: 2, period: Duration::from_secs(60) };
    let mut world = world(TokenLimits { verification_pushes: plan, ..TokenLimits::default() });
    let first = world.fresh(1, 1);
    let second = world.fresh(1, 2);
    assert_eq!(world.tokens.admit_verification_push(now(0), first), Some(Admit::Now));
    assert_eq!(world.tokens.admit_verification_push(now(0), second), Some(Admit::Now));
    world.tokens.remove(first);
    world.tokens.remove(second);
    world.tokens.rest(now(119));
    let third = world.fresh(1, 3);
    let later = Some(Admit::Later(now(60).mono));
    assert_eq!(world.tokens.admit_verification_push(now(0), third), later);
    world.tokens.remove(third);
    assert_eq!(world.tokens.next_rest(), Some(now(120).mono));
    world.tokens.rest(now(120));
    assert_eq!(world.tokens.next_rest(), None);
    assert_eq!(world.tokens.devices().count(), 0, "the device token is forgotten");
}
