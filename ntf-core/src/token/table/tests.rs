#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::base::budget::BudgetPlan;
use crate::base::rng::{Seed, Stream};
use crate::base::time::Wall;
use crate::crypto::keys::Ed25519Public;
use crate::model::shard::ShardPlan;
use crate::model::token::{DeviceTag, Provider, TokenStatus};
use core::time::Duration;

struct World {
    tokens: Tokens,
    makers: Makers,
    origin: Origin,
}

fn world(limits: TokenLimits) -> World {
    let seed = Seed::from_number(5);
    World {
        tokens: Tokens::new(limits, &mut seed.stream(Stream::Hashing)),
        makers: Makers {
            ids: seed.stream(Stream::Ids),
            plan: ShardPlan::ALONE,
            keys: seed.stream(Stream::Keys),
            codes: seed.stream(Stream::Codes),
        },
        origin: Origin::default(),
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
        self.register_at(0, name, verify, client)
    }

    fn register_at(
        &mut self,
        secs: u64,
        name: u8,
        verify: u8,
        client: u8,
    ) -> Result<Registered, TokenRefusal> {
        let wanted = Registration {
            device: device(name),
            verify_key: key(verify),
            client_public: X25519Private::from_bytes([client; 32]).public(),
            origin: self.origin,
            id: None,
        };
        self.tokens.register(now(secs), wanted, &mut self.makers)
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
        (token.id(), token.server_public())
    };
    let code = world.tokens.get(index).unwrap().code().clone();
    assert_eq!(world.register(1, 1, 9), Ok(Registered::Again(index)));
    let token = world.tokens.get(index).unwrap();
    assert!(token.id() == id && token.server_public() == public && *token.code() == code);

    world.verify(index).unwrap();
    assert_eq!(world.register(1, 1, 9), Ok(Registered::Again(index)));
    assert_eq!(world.status(index), TokenStatus::Active);

    world.tokens.rejected(now(1), index, InvalidReason::Unregistered);
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
fn devices_called_alike_are_rivals_until_they_are_called_otherwise_or_gone() {
    let mut world = world(TokenLimits::default());
    let (first, second, third) = (world.fresh(1, 1), world.fresh(2, 2), world.fresh(3, 3));
    let tag = |byte| DeviceTag([byte; 16]);
    for index in [first, second, third] {
        assert_eq!(world.tokens.recognise(index, tag(7)), Recognised::First);
        assert_eq!(world.tokens.recognise(index, tag(7)), Recognised::Before);
    }
    assert_eq!(world.tokens.rivals(second), [first, third]);
    assert_eq!(world.tokens.recognise(third, tag(8)), Recognised::First);
    assert_eq!(world.tokens.rivals(second), [first]);
    assert_eq!(world.tokens.rivals(third), []);
    world.tokens.remove(first);
    assert_eq!(world.tokens.rivals(second), []);
}

#[test]
fn too_many_unverified_registrations_displace_the_oldest_of_them() {
    let mut world = world(TokenLimits { unverified_per_device: 2, ..TokenLimits::default() });
    let owner = world.fresh(1, 1);
    world.verify(owner).unwrap();
    let oldest = world.fresh(1, 2);
    let second = world.fresh(1, 3);
    assert_eq!(world.tokens.displaced_by(now(0), second), None);
    let third = world.fresh(1, 4);
    assert_eq!(world.tokens.displaced_by(now(0), third), Some(oldest));
    world.tokens.remove(oldest);
    assert_eq!(world.tokens.displaced_by(now(0), third), None);
}

/// Who has a device can verify there and move on to the device token of others, again and again.
#[test]
fn a_registration_that_moves_has_proved_nothing_of_its_new_device() {
    let mut world = world(TokenLimits { unverified_per_device: 2, ..TokenLimits::default() });
    let mut moved = Vec::new();
    for verify in 1..=3 {
        let index = world.fresh(1, verify);
        world.verify(index).unwrap();
        let World { tokens, makers, .. } = &mut world;
        tokens.replace(now(1), index, device(2), Origin(0), makers).unwrap();
        assert_eq!(world.tokens.get(index).unwrap().verified_in(), None);
        moved.push(index);
    }
    assert_eq!(world.tokens.displaced_by(now(0), moved[2]), Some(moved[0]), "the bound counts them");
    let (turn, by) = (Turn::FIRST, TokenId::new([0; 24]));
    let defeated = world.tokens.defeated(&device(2), None, turn, &by);
    assert_eq!(defeated, moved, "whoever verifies there ends them all, however early that was");
}

#[test]
fn a_stranger_displaces_registrations_of_its_own_before_those_of_others() {
    let mut world = world(TokenLimits { unverified_per_device: 3, ..TokenLimits::default() });
    let mut fresh_from = |origin, verify| {
        world.origin = Origin(origin);
        let index = world.fresh(1, verify);
        let displaced = world.tokens.displaced_by(now(0), index);
        if let Some(displaced) = displaced {
            world.tokens.remove(displaced);
        }
        (index, displaced)
    };
    let (owner, _) = fresh_from(1, 1);
    let (first, _) = fresh_from(2, 2);
    let (second, displaced) = fresh_from(2, 3);
    assert_eq!(displaced, None);
    let (third, displaced) = fresh_from(2, 4);
    assert_eq!(displaced, Some(first), "the oldest of its own");
    let (fourth, displaced) = fresh_from(3, 5);
    assert_eq!(displaced, Some(second), "another one: that of the origin with the most");
    let (_, displaced) = fresh_from(1, 6);
    assert_eq!(displaced, Some(owner), "the owner its own as well");
    let (_, displaced) = fresh_from(4, 7);
    assert_eq!(displaced, None, "of three equals nobody yet");
    assert!(world.tokens.get(fourth).is_some() && world.tokens.get(third).is_some());
}

#[test]
fn a_newcomer_of_another_origin_displaces_nobody_who_may_still_answer() {
    let limits = TokenLimits { unverified_per_device: 3, ..TokenLimits::default() };
    let time = limits.answer_time.as_secs();
    let mut world = world(limits);
    let mut fresh_at = |secs, origin, verify| {
        world.origin = Origin(origin);
        let place = world.tokens.has_place(now(secs), &device(1), Origin(origin), None);
        let Ok(Registered::Fresh(index)) = world.register_at(secs, 1, verify, 9) else {
            unreachable!("new keys")
        };
        let displaced = world.tokens.displaced_by(now(secs), index);
        // The role does not register whom it refuses.
        if let Some(gone) = displaced.or_else(|| place.is_err().then_some(index)) {
            world.tokens.remove(gone);
        }
        place.map(|()| (index, displaced))
    };
    let owner = fresh_at(0, 1, 1).unwrap().0;
    let second = fresh_at(1, 2, 2).unwrap().0;
    fresh_at(2, 3, 3).unwrap();
    assert_eq!(fresh_at(3, 4, 4), Err(TokenRefusal::Crowded));
    assert_eq!(fresh_at(time - 1, 5, 5), Err(TokenRefusal::Crowded), "each has its time");
    let (again, displaced) = fresh_at(time - 1, 2, 6).unwrap();
    assert_eq!(displaced, Some(second), "whoever has a place may ask anew");
    assert_eq!(fresh_at(time, 4, 7).unwrap().1, Some(owner), "the oldest has had it");
    assert_eq!(fresh_at(time, 5, 8), Err(TokenRefusal::Crowded));
    assert_eq!(fresh_at(time + 1, 5, 9).unwrap().1, Some(again), "asking anew has not made it longer");
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
    let World { tokens, makers, .. } = &mut world;
    assert_eq!(tokens.replace(now(1), stays, device(99), Origin(0), makers), Ok(()), "there is room to move");
}

#[test]
fn replacing_moves_to_the_other_device_with_another_code() {
    let mut world = world(TokenLimits::default());
    let index = world.fresh(1, 1);
    let code = world.tokens.get(index).unwrap().code().clone();
    world.verify(index).unwrap();
    let rival = world.fresh(2, 1);
    let World { tokens, makers, .. } = &mut world;
    assert_eq!(tokens.replace(now(1), index, device(2), Origin(0), makers), Err(TokenRefusal::Taken));
    tokens.remove(rival);
    assert_eq!(tokens.replace(now(1), index, device(2), Origin(0), makers), Ok(()));
    let token = tokens.get(index).unwrap();
    assert_eq!(token.state(), State::Registered);
    assert!(*token.code() != code);
    assert_eq!(tokens.device(index).unwrap().token(), device(2));
    assert_eq!(tokens.replace(now(1), index, device(2), Origin(0), makers), Ok(()), "asked again");
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
    world.tokens.rest(now(119), 9);
    let third = world.fresh(1, 3);
    let later = Some(Admit::Later(now(60).mono));
    assert_eq!(world.tokens.admit_verification_push(now(0), third), later);
    world.tokens.remove(third);
    assert_eq!(world.tokens.next_rest(), Some(now(120).mono));
    world.tokens.rest(now(120), 9);
    assert_eq!(world.tokens.next_rest(), None);
    assert_eq!(world.tokens.devices().count(), 0, "the device token is forgotten");
}

#[test]
fn wrong_codes_are_counted_for_the_device_token_and_nobody_is_kept_from_a_first_answer() {
    let plan = BudgetPlan { burst: 3, period: Duration::from_secs(60) };
    let mut world = world(TokenLimits { wrong_codes: plan, ..TokenLimits::default() });
    let (stranger, owner) = (world.fresh(1, 1), world.fresh(1, 2));
    let guess = |world: &mut World, index, secs| world.tokens.verify(now(secs), index, &[0; 32]);
    for _ in 0..3 {
        assert_eq!(guess(&mut world, stranger, 0), Err(NotVerified::WrongCode));
    }
    assert_eq!(guess(&mut world, stranger, 0), Err(NotVerified::TooManyForDevice));
    let other_device = world.fresh(2, 3);
    assert_eq!(guess(&mut world, other_device, 0), Err(NotVerified::WrongCode), "it has its own budget");
    assert_eq!(guess(&mut world, stranger, 60), Err(NotVerified::WrongCode), "one a minute");
    assert_eq!(world.verify(owner), Ok(()), "the owner's first answer");
}

#[test]
fn a_code_that_is_too_old_is_refused_and_the_next_push_carries_another() {
    let lifetime = Some(Duration::from_secs(100));
    let mut world = world(TokenLimits { code_lifetime: lifetime, ..TokenLimits::default() });
    let index = world.fresh(1, 1);
    let code_at = |world: &mut World, secs| {
        let World { tokens, makers, .. } = world;
        tokens.code_to_push(now(secs), index, makers).cloned().unwrap()
    };
    let first = code_at(&mut world, 0);
    assert!(code_at(&mut world, 99) == first, "checklist item 11: asked again, the code stays");
    assert_eq!(world.tokens.verify(now(100), index, first.expose()), Err(NotVerified::Expired));
    let second = code_at(&mut world, 100);
    assert!(second != first);
    assert_eq!(world.tokens.verify(now(101), index, first.expose()), Err(NotVerified::WrongCode));
    assert_eq!(world.tokens.verify(now(199), index, second.expose()), Ok(()));
    assert_eq!(
        world.tokens.verify(now(9999), index, second.expose()),
        Ok(()),
        "repeating needs no fresh code"
    );
}

#[test]
fn registrations_end_when_their_time_is_over() {
    let limits = TokenLimits {
        code_lifetime: None,
        unverified_lifetime: Some(Duration::from_secs(100)),
        invalid_lifetime: Some(Duration::from_secs(1000)),
        idle_lifetime: Some(Duration::from_secs(10_000)),
        ..TokenLimits::default()
    };
    let mut world = world(limits);
    let [unverified, again, invalid, idle, used] = [1, 2, 3, 4, 5].map(|name| world.fresh(name, 1));
    assert_eq!(world.tokens.next_end(), Some(now(100).mono));
    world.register_at(50, 2, 1, 9).unwrap();
    // A lifetime of another kind begins when the registration becomes of that kind, and only then.
    world.tokens.push_accepted(now(60), unverified);
    world.tokens.used(now(60), unverified);
    world.tokens.rejected(now(70), invalid, InvalidReason::Bad);
    world.tokens.rejected(now(80), invalid, InvalidReason::Unregistered);
    world.tokens.used(now(90), invalid);
    for index in [idle, used] {
        world.verify(index).unwrap();
    }
    world.tokens.used(now(5000), used);
    for (secs, index, age) in [
        (100, unverified, Age::Unverified),
        (150, again, Age::Unverified),
        (1070, invalid, Age::Invalid),
        (10_001, idle, Age::Idle),
        (15_000, used, Age::Idle),
    ] {
        assert_eq!(world.tokens.next_end(), Some(now(secs).mono));
        assert_eq!(world.tokens.ended(now(secs - 1)), None, "{secs}");
        assert_eq!(world.tokens.ended(now(secs)), Some((index, age)));
        world.tokens.remove(index);
    }
    assert_eq!((world.tokens.next_end(), world.tokens.ended(now(u64::MAX / 2_000_000))), (None, None));
}

#[test]
fn what_has_no_lifetime_stays() {
    let limits = TokenLimits { unverified_lifetime: None, idle_lifetime: None, ..TokenLimits::default() };
    let mut world = world(limits);
    world.fresh(1, 1);
    let index = world.fresh(2, 2);
    world.verify(index).unwrap();
    assert_eq!((world.tokens.next_end(), world.tokens.ended(now(1_000_000_000))), (None, None));
}

#[test]
fn a_full_table_takes_the_place_of_who_was_never_verified_and_of_nobody_else() {
    let mut world = world(TokenLimits { tokens: 2, ..TokenLimits::default() });
    let verified = world.fresh(1, 1);
    world.verify(verified).unwrap();
    assert_eq!(world.tokens.in_the_way(), None, "not full");
    let unverified = world.fresh(2, 2);
    assert_eq!(world.tokens.in_the_way(), Some(unverified));
    world.verify(unverified).unwrap();
    assert_eq!(world.tokens.in_the_way(), None);
    assert_eq!(world.register(3, 3, 9), Err(TokenRefusal::Full));
}

#[test]
fn a_registration_takes_at_most_375_bytes() {
    // The row, its device's row with a device token of Apple's and the one registration in it, and two hash table
    // entries at half load. Nothing of it is elsewhere.
    let (row, device) = (Slab::<Token>::ROW_LEN, Slab::<Device>::ROW_LEN);
    let tables = 2 * 2 * 5;
    let sum = row + device + tables;
    assert!(sum <= 375, "{row} + {device} + {tables}");
}
