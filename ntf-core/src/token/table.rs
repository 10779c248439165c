//! All registrations: found by token id, by device token and verify key, and by device.
//!
//! Registrations of one device token share a [`Device`] row, because one of them verified ends the
//! others, and because verification pushes to one device token share one budget, whoever asks for them.

use crate::base::budget::{Admit, Budget, BudgetPlan};
use crate::base::hash::HashKey;
use crate::base::id::TokenId;
use crate::base::limits::CODE_LEN;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::slab::Slab;
use crate::base::time::{Mono, Now, Wall};
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::{AuthPublicKey, X25519Private, X25519Public};
use crate::model::cron::Cron;
use crate::model::index::{DeviceIndex, TokenIndex};
use crate::model::token::{DeviceToken, InvalidReason};
use crate::token::state::{Challenge, NotVerified, State};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use hashbrown::HashTable;

/// Bounds of the table. Source: ours, one shard of a server with a few gigabytes.
#[derive(Clone, Copy, Debug)]
pub struct TokenLimits {
    /// Registrations; beyond it TNEW is refused. Device tokens are held for up to twice as many, see
    /// [`Tokens::next_rest`]. Default 1,000,000.
    pub tokens: u32,
    /// Registrations of one device token that were never verified; beyond it the oldest one goes, so that a
    /// stranger who knows a device token cannot keep its owner out. Default 8.
    pub unverified_per_device: usize,
    /// Wrong codes until only registering again helps. Default 10.
    pub verification_attempts: u16,
    /// Verification pushes to one device token. Default 10 at once, then one a minute: stock apps ask for one
    /// on every start. Mends defect D20 of the reference.
    pub verification_pushes: BudgetPlan,
}

impl Default for TokenLimits {
    fn default() -> Self {
        Self {
            tokens: 1_000_000,
            unverified_per_device: 8,
            verification_attempts: 10,
            verification_pushes: BudgetPlan { burst: 10, period: core::time::Duration::from_secs(60) },
        }
    }
}

/// One registration of a device token under one verify key.
#[derive(Debug)]
pub struct Token {
    id: TokenId,
    verify_key: AuthPublicKey,
    device: DeviceIndex,
    server_key: X25519Private,
    server_public: X25519Public,
    box_key: BoxKey,
    challenge: Challenge,
    state: State,
    was_verified: bool,
    cron: Cron,
    cron_from: Wall,
}

impl Token {
    /// The name the client uses.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// The key that authorizes commands of this token and of its subscriptions.
    #[must_use]
    pub const fn verify_key(&self) -> &AuthPublicKey {
        &self.verify_key
    }

    /// The server's half of the agreement, as IDTKN carries it.
    #[must_use]
    pub const fn server_public(&self) -> &X25519Public {
        &self.server_public
    }

    /// Encrypts every payload of this token.
    #[must_use]
    pub const fn box_key(&self) -> &BoxKey {
        &self.box_key
    }

    /// The code that the verification push carries.
    #[must_use]
    pub const fn code(&self) -> &Secret<CODE_LEN> {
        self.challenge.code()
    }

    /// Where the registration stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The device token's row.
    #[must_use]
    pub const fn device(&self) -> DeviceIndex {
        self.device
    }

    /// The interval of periodic notifications, and since when it holds.
    #[must_use]
    pub const fn cron(&self) -> (Cron, Wall) {
        (self.cron, self.cron_from)
    }
}

/// A device token with its registrations, oldest first.
#[derive(Debug)]
pub struct Device {
    token: DeviceToken,
    registrations: Vec<TokenIndex>,
    verification_budget: Budget,
}

impl Device {
    /// The device token.
    #[must_use]
    pub const fn token(&self) -> &DeviceToken {
        &self.token
    }
}

/// What a TNEW asks for.
#[derive(Debug)]
pub struct Registration {
    /// The device token to register.
    pub device: DeviceToken,
    /// The key that will authorize commands.
    pub verify_key: AuthPublicKey,
    /// The client's half of the agreement.
    pub client_public: X25519Public,
}

/// Where fresh ids, keys and codes come from: a stream for each.
#[derive(Debug)]
pub struct Makers {
    /// Ids of tokens.
    pub ids: Rng,
    /// Key pairs.
    pub keys: Rng,
    /// Verification codes.
    pub codes: Rng,
}

/// What a TNEW came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// A registration that was not there before.
    Fresh(TokenIndex),
    /// The same registration, asked for again.
    Again(TokenIndex),
}

impl Registered {
    /// The registration.
    #[must_use]
    pub const fn index(self) -> TokenIndex {
        match self {
            Self::Fresh(index) | Self::Again(index) => index,
        }
    }
}

/// A lawful no to TNEW or TRPL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// The same device token and verify key are registered with another agreement, or by another row.
    Taken,
    /// The table is full.
    Full,
}

/// All registrations of a subscriber.
#[derive(Debug)]
pub struct Tokens {
    rows: Slab<Token>,
    devices: Slab<Device>,
    by_id: HashTable<u32>,
    by_device: HashTable<u32>,
    /// Devices without registration whose budget is not rested yet, by the time it will be.
    resting: BTreeSet<(Mono, DeviceIndex)>,
    hash: HashKey,
    limits: TokenLimits,
}

impl Tokens {
    /// An empty table.
    #[must_use]
    pub fn new(limits: TokenLimits, hashing: &mut Rng) -> Self {
        Self {
            rows: Slab::new(limits.tokens),
            devices: Slab::new(limits.tokens.saturating_mul(2)),
            by_id: HashTable::new(),
            by_device: HashTable::new(),
            resting: BTreeSet::new(),
            hash: HashKey::new(hashing),
            limits,
        }
    }

    /// The registration with this index.
    #[must_use]
    pub fn get(&self, index: TokenIndex) -> Option<&Token> {
        self.rows.get(index.0)
    }

    /// The registration with this id.
    #[must_use]
    pub fn by_id(&self, id: &TokenId) -> Option<TokenIndex> {
        let slot =
            self.by_id.find(self.hash.of(id), |slot| self.rows.at(*slot).is_some_and(|row| row.id == *id))?;
        self.rows.index_at(*slot).map(TokenIndex)
    }

    /// The device a registration is for.
    #[must_use]
    pub fn device(&self, index: TokenIndex) -> Option<&Device> {
        self.devices.get(self.get(index)?.device.0)
    }

    /// Registrations held: the gauge.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.rows.len()
    }

    /// Whether nothing is registered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All registrations, in a stable order.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.rows.iter().map(|(_, row)| row)
    }

    /// All device tokens known, in a stable order.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().map(|(_, row)| row)
    }

    /// Registers a device token, or finds the registration that the same request made before.
    ///
    /// Asked again, a registration keeps its id, keys and code; one that the provider refused starts over.
    /// Source: `ntf-protocol` 4.2, TNEW.
    ///
    /// # Errors
    ///
    /// [`TokenRefusal::Taken`] when the agreement differs from the one on record, [`TokenRefusal::Full`]
    /// when there is no room.
    pub fn register(
        &mut self,
        wanted: Registration,
        makers: &mut Makers,
    ) -> Result<Registered, TokenRefusal> {
        if let Some(index) = self.find(&wanted.device, &wanted.verify_key) {
            return self.register_again(index, &wanted.client_public).map(Registered::Again);
        }
        if self.rows.is_full() {
            return Err(TokenRefusal::Full);
        }
        let device = self.device_row(wanted.device)?;
        let id = TokenId::new(makers.ids.bytes());
        let server_key = X25519Private::generate(&mut makers.keys);
        let token = Token {
            id,
            verify_key: wanted.verify_key,
            device,
            server_public: server_key.public(),
            box_key: BoxKey::of_dh(&server_key.agree(&wanted.client_public)),
            server_key,
            challenge: self.challenge(makers),
            state: State::Registered,
            was_verified: false,
            cron: Cron::Off,
            cron_from: Wall::default(),
        };
        let index = self.rows.insert(token).map(TokenIndex).map_err(|_| TokenRefusal::Full)?;
        let Self { rows, by_id, hash, .. } = self;
        by_id.insert_unique(hash.of(&id), index.0.slot(), |slot| hash_of_id(rows, hash, *slot));
        self.join(device, index);
        Ok(Registered::Fresh(index))
    }

    fn register_again(
        &mut self,
        index: TokenIndex,
        client: &X25519Public,
    ) -> Result<TokenIndex, TokenRefusal> {
        let attempts = self.limits.verification_attempts;
        let token = self.rows.get_mut(index.0).ok_or(TokenRefusal::Taken)?;
        // Box keys compare in constant time; equal keys come from equal agreements.
        if BoxKey::of_dh(&token.server_key.agree(client)) != token.box_key {
            return Err(TokenRefusal::Taken);
        }
        token.state = token.state.registered_again();
        token.challenge.renew(attempts);
        Ok(index)
    }

    /// The registrations of the same device that must give way to one more, before it is joined by another:
    /// the oldest of those never verified, when there are too many. The caller removes them.
    #[must_use]
    pub fn displaced_by(&self, index: TokenIndex) -> Option<TokenIndex> {
        let unverified = |other: &&TokenIndex| self.get(**other).is_some_and(|token| !token.was_verified);
        let device = self.device(index)?;
        let excess =
            device.registrations.iter().filter(unverified).count() > self.limits.unverified_per_device;
        device.registrations.iter().filter(unverified).find(|other| excess && **other != index).copied()
    }

    /// Marks a registration as verified if the code is right.
    ///
    /// The other registrations of the device are then [`rivals`](Self::rivals) and have to go.
    ///
    /// # Errors
    ///
    /// Why not; all reasons are answered alike.
    pub fn verify(&mut self, now: Now, index: TokenIndex, code: &[u8]) -> Result<(), NotVerified> {
        let token = self.rows.get_mut(index.0).ok_or(NotVerified::NotAwaited)?;
        let active = token.challenge.answer(token.state, now.wall, code)?;
        token.state = State::Active(active);
        token.was_verified = true;
        Ok(())
    }

    /// The other registrations of the same device token.
    #[must_use]
    pub fn rivals(&self, index: TokenIndex) -> Vec<TokenIndex> {
        let registrations =
            self.device(index).map(|device| device.registrations.as_slice()).unwrap_or_default();
        registrations.iter().filter(|other| **other != index).copied().collect()
    }

    /// Moves a registration to another device token, to be verified with another code.
    ///
    /// Keys, agreement and interval stay. Source: `ntf-protocol` 4.2, TRPL.
    ///
    /// # Errors
    ///
    /// [`TokenRefusal::Taken`] when another row has the same device token and verify key; nothing is changed
    /// then.
    pub fn replace(
        &mut self,
        index: TokenIndex,
        device: DeviceToken,
        makers: &mut Makers,
    ) -> Result<(), TokenRefusal> {
        let (verify_key, old) =
            self.get(index).map(|token| (token.verify_key, token.device)).ok_or(TokenRefusal::Taken)?;
        if self.find(&device, &verify_key).is_some_and(|other| other != index) {
            return Err(TokenRefusal::Taken);
        }
        let new = self.device_row(device)?;
        let challenge = self.challenge(makers);
        if let Some(token) = self.rows.get_mut(index.0) {
            token.device = new;
            token.challenge = challenge;
            token.state = State::Registered;
        }
        if new != old {
            self.leave(old, index);
            self.join(new, index);
        }
        Ok(())
    }

    /// The provider accepted the verification push.
    pub fn push_accepted(&mut self, index: TokenIndex) {
        if let Some(token) = self.rows.get_mut(index.0) {
            token.state = token.state.push_accepted();
        }
    }

    /// The provider refused the device token.
    pub fn rejected(&mut self, index: TokenIndex, reason: InvalidReason) {
        if let Some(token) = self.rows.get_mut(index.0) {
            token.state = token.state.rejected(reason);
        }
    }

    /// Sets the interval of periodic notifications; it counts from now.
    pub fn set_cron(&mut self, now: Now, index: TokenIndex, cron: Cron) {
        if let Some(token) = self.rows.get_mut(index.0) {
            token.cron = cron;
            token.cron_from = now.wall;
        }
    }

    /// Books a verification push to the device of a registration, or says when to ask again.
    pub fn admit_verification_push(&mut self, now: Now, index: TokenIndex) -> Option<Admit> {
        let device = self.get(index)?.device;
        let plan = self.limits.verification_pushes;
        self.devices.get_mut(device.0).map(|device| device.verification_budget.admit(now.mono, plan))
    }

    /// Forgets a registration; its secrets are wiped.
    pub fn remove(&mut self, index: TokenIndex) -> Option<TokenId> {
        let token = self.rows.remove(index.0)?;
        let hash = self.hash.of(&token.id);
        if let Ok(entry) = self.by_id.find_entry(hash, |slot| *slot == index.0.slot()) {
            entry.remove();
        }
        self.leave(token.device, index);
        Some(token.id)
    }

    /// When the next device without registrations can be forgotten.
    #[must_use]
    pub fn next_rest(&self) -> Option<Mono> {
        self.resting.first().map(|(at, _)| *at)
    }

    /// Forgets devices without registrations whose budget has rested.
    pub fn rest(&mut self, now: Now) {
        while let Some((at, device)) = self.resting.first().copied() {
            if at > now.mono {
                break;
            }
            self.resting.remove(&(at, device));
            self.forget_device(device);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.devices.clear();
        self.by_id = HashTable::new();
        self.by_device = HashTable::new();
        self.resting.clear();
    }

    fn challenge(&self, makers: &mut Makers) -> Challenge {
        Challenge::new(Secret::new(makers.codes.bytes()), self.limits.verification_attempts)
    }

    fn find(&self, device: &DeviceToken, verify_key: &AuthPublicKey) -> Option<TokenIndex> {
        let device = self.devices.get(self.find_device(device)?.0)?;
        let same_key =
            |index: &&TokenIndex| self.get(**index).is_some_and(|token| token.verify_key == *verify_key);
        device.registrations.iter().find(same_key).copied()
    }

    fn find_device(&self, token: &DeviceToken) -> Option<DeviceIndex> {
        let same = |slot: &u32| self.devices.at(*slot).is_some_and(|device| device.token == *token);
        let slot = self.by_device.find(self.hash.of(token), same)?;
        self.devices.index_at(*slot).map(DeviceIndex)
    }

    /// The row of a device token, made if need be.
    fn device_row(&mut self, token: DeviceToken) -> Result<DeviceIndex, TokenRefusal> {
        if let Some(device) = self.find_device(&token) {
            return Ok(device);
        }
        // Devices in use are no more than the registrations, so a full table has one that only rests.
        if self.devices.is_full()
            && let Some((_, oldest)) = self.resting.pop_first()
        {
            self.forget_device(oldest);
        }
        let hashed = self.hash.of(&token);
        let device = Device { token, registrations: Vec::new(), verification_budget: Budget::new() };
        let index = self.devices.insert(device).map(DeviceIndex).map_err(|_| TokenRefusal::Full)?;
        let Self { devices, by_device, hash, .. } = self;
        by_device.insert_unique(hashed, index.0.slot(), |slot| {
            devices.at(*slot).map_or(0, |device| hash.of(&device.token))
        });
        Ok(index)
    }

    fn join(&mut self, device: DeviceIndex, index: TokenIndex) {
        if let Some(row) = self.devices.get_mut(device.0) {
            row.registrations.push(index);
            self.resting.remove(&(row.verification_budget.rested_at(), device));
        }
    }

    /// Takes a registration from its device. A device without registrations stays until its budget has
    /// rested: forgetting it at once would make deleting and registering again a way around the budget.
    fn leave(&mut self, device: DeviceIndex, index: TokenIndex) {
        if let Some(row) = self.devices.get_mut(device.0) {
            row.registrations.retain(|other| *other != index);
            if row.registrations.is_empty() {
                self.resting.insert((row.verification_budget.rested_at(), device));
            }
        }
    }

    fn forget_device(&mut self, device: DeviceIndex) {
        let Some(row) = self.devices.remove(device.0) else { return };
        if let Ok(entry) =
            self.by_device.find_entry(self.hash.of(&row.token), |slot| *slot == device.0.slot())
        {
            entry.remove();
        }
    }
}

fn hash_of_id(rows: &Slab<Token>, hash: &HashKey, slot: u32) -> u64 {
    rows.at(slot).map_or(0, |row| hash.of(&row.id))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};
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
}
