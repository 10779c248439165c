//! All registrations: found by token id, by device token and verify key, and by device.
//!
//! Registrations of one device token share a [`Device`] row, because one of them verified ends the
//! others, and because verification pushes to one device token share one budget, whoever asks for them.

use crate::base::budget::Admit;
use crate::base::hash::HashKey;
use crate::base::id::TokenId;
use crate::base::limits::CODE_LEN;
use crate::base::list::{Links, List, Threads};
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::slab::Slab;
use crate::base::time::{Mono, Now};
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::{AuthPublicKey, X25519Private, X25519Public};
use crate::model::index::{DeviceIndex, TokenIndex};
use crate::model::token::{DeviceTag, DeviceToken, InvalidReason};
use crate::token::limits::TokenLimits;
use crate::token::packed::{PackedDevice, Registrations};
use crate::token::registration::{
    Age, Device, Makers, Origin, Registered, Registration, Spent, Token, TokenRefusal, Turn,
};
use crate::token::state::{Challenge, NotVerified, State};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;
use hashbrown::HashTable;

#[cfg(any(test, feature = "sim"))]
mod audit;
mod elsewhere;
mod places;
mod tags;
#[cfg(test)]
mod tests;

pub use tags::Recognised;

use elsewhere::Elsewhere;
use tags::Tags;

/// All registrations of a subscriber.
#[derive(Debug)]
pub struct Tokens {
    rows: Slab<Token>,
    devices: Slab<Device>,
    by_id: HashTable<u32>,
    by_device: HashTable<u32>,
    tags: Tags,
    /// Devices without registration whose budget is not rested yet, by the time it will be.
    resting: BTreeSet<(Mono, DeviceIndex)>,
    /// Budgets that other shards have drawn on, of devices that have no row here.
    elsewhere: Elsewhere,
    /// Registrations by what their lifetime depends on, in the order in which they end.
    unverified: List,
    invalid: List,
    idle: List,
    hash: HashKey,
    limits: TokenLimits,
    /// The latest verification that this shard knows of.
    turn: Turn,
}

impl Tokens {
    /// An empty table.
    #[must_use]
    pub fn new(limits: TokenLimits, hashing: &mut Rng) -> Self {
        Self {
            rows: Slab::new(limits.tokens.min(u32::MAX - 1)),
            devices: Slab::new(limits.tokens.saturating_mul(2)),
            by_id: HashTable::new(),
            by_device: HashTable::new(),
            tags: Tags::default(),
            resting: BTreeSet::new(),
            elsewhere: Elsewhere::new(&limits),
            unverified: List::default(),
            invalid: List::default(),
            idle: List::default(),
            hash: HashKey::new(hashing),
            limits,
            turn: Turn::FIRST,
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
        now: Now,
        wanted: Registration,
        makers: &mut Makers,
    ) -> Result<Registered, TokenRefusal> {
        if let Some(index) = self.find(&wanted.device, &wanted.verify_key) {
            return self.register_again(now, index, &wanted.client_public).map(Registered::Again);
        }
        if self.rows.is_full() {
            return Err(TokenRefusal::Full);
        }
        let device = self.device_row(wanted.device)?;
        let id = wanted.id.unwrap_or_else(|| TokenId::new(makers.id()));
        let server_key = X25519Private::generate(&mut makers.keys);
        let token = Token {
            id,
            verify_key: wanted.verify_key,
            device,
            box_key: BoxKey::of_dh(&server_key.agree(&wanted.client_public)),
            server_key,
            challenge: self.challenge(now, makers),
            state: State::Registered,
            verified_in: None,
            since: now.mono,
            origin: wanted.origin,
            placed: self.placed(now, device, wanted.origin, None),
            by_age: Links::default(),
        };
        let index = self.rows.insert(token).map(TokenIndex).map_err(|_| TokenRefusal::Full)?;
        let Self { rows, by_id, hash, .. } = self;
        by_id.insert_unique(hash.of(&id), index.0.slot(), |slot| hash_of_id(rows, hash, *slot));
        self.unverified.push(&mut ByAge(&mut self.rows), index.0.slot());
        self.join(device, index);
        Ok(Registered::Fresh(index))
    }

    fn register_again(
        &mut self,
        now: Now,
        index: TokenIndex,
        client: &X25519Public,
    ) -> Result<TokenIndex, TokenRefusal> {
        let attempts = self.limits.verification_attempts;
        let token = self.rows.get_mut(index.0).ok_or(TokenRefusal::Taken)?;
        // Box keys compare in constant time; equal keys come from equal agreements.
        if BoxKey::of_dh(&token.server_key.agree(client)) != token.box_key {
            return Err(TokenRefusal::Taken);
        }
        token.challenge.renew(attempts);
        self.age_anew(now, index, |token| token.state = token.state.registered_again());
        Ok(index)
    }

    /// Whether an equal TNEW has been made before.
    #[must_use]
    pub fn knows(&self, wanted: &Registration) -> bool {
        self.find(&wanted.device, &wanted.verify_key).is_some()
    }

    /// What must give way to one more registration: the oldest that was never verified, when the table is
    /// full. The caller removes it.
    #[must_use]
    pub fn in_the_way(&self) -> Option<TokenIndex> {
        let oldest = self.unverified.first().filter(|_| self.rows.is_full())?;
        self.rows.index_at(oldest).map(TokenIndex)
    }

    /// Marks a registration as verified if the code is right.
    ///
    /// The other registrations of the device are then [`rivals`](Self::rivals) and have to go.
    ///
    /// # Errors
    ///
    /// Why not; all reasons are answered alike.
    pub fn verify(&mut self, now: Now, index: TokenIndex, code: &[u8]) -> Result<(), NotVerified> {
        let (plan, lifetime) = (self.limits.wrong_codes, self.limits.code_lifetime);
        let token = self.rows.get_mut(index.0).ok_or(NotVerified::NotAwaited)?;
        let device = self.devices.get_mut(token.device.0).ok_or(NotVerified::NotAwaited)?;
        if token.challenge.has_failed() && device.wrong_codes.is_spent(now.mono, plan) {
            return Err(NotVerified::TooManyForDevice);
        }
        let answered = token.challenge.answer(token.state, now, lifetime, code);
        if answered == Err(NotVerified::WrongCode) {
            // At the limit the first wrong code of a registration is looked at all the same, and not booked.
            let _ = device.wrong_codes.admit(now.mono, plan);
        }
        let active = answered?;
        self.turn = self.turn.next();
        let turn = self.turn;
        self.age_anew(now, index, |token| {
            token.state = State::Active(active);
            token.verified_in = Some(turn);
        });
        Ok(())
    }

    /// The other registrations of the same device: of its token, or of what the push server calls alike.
    #[must_use]
    pub fn rivals(&self, index: TokenIndex) -> Vec<TokenIndex> {
        let Some(row) = self.get(index).map(|token| token.device) else { return Vec::new() };
        let alike = self.tags.alike(row).filter(|other| *other != row);
        let rows = core::iter::once(row).chain(alike).filter_map(|row| self.devices.get(row.0));
        rows.flat_map(|row| row.registrations.as_slice()).filter(|other| **other != index).copied().collect()
    }

    /// The registrations of a device that give way to one verified on another shard: those that were verified
    /// earlier, or never. Of two of one turn the larger id stands. Later verifications here are in later turns.
    pub fn defeated(
        &mut self,
        device: &DeviceToken,
        tag: Option<DeviceTag>,
        turn: Turn,
        by: &TokenId,
    ) -> Vec<TokenIndex> {
        self.turn = self.turn.max(turn);
        let mut rows: BTreeSet<_> = tag.into_iter().flat_map(|tag| self.tags.of(tag)).collect();
        rows.extend(self.find_device(device));
        let rows = rows.into_iter().filter_map(|row| self.devices.get(row.0));
        let gives_way = |index: &&TokenIndex| {
            self.get(**index).is_some_and(|token| (token.verified_in, token.id) < (Some(turn), *by))
        };
        rows.flat_map(|row| row.registrations.as_slice()).filter(gives_way).copied().collect()
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
        now: Now,
        index: TokenIndex,
        device: DeviceToken,
        origin: Origin,
        makers: &mut Makers,
    ) -> Result<(), TokenRefusal> {
        let (verify_key, old) =
            self.get(index).map(|token| (token.verify_key, token.device)).ok_or(TokenRefusal::Taken)?;
        if self.find(&device, &verify_key).is_some_and(|other| other != index) {
            return Err(TokenRefusal::Taken);
        }
        let new = self.device_row(device)?;
        let challenge = self.challenge(now, makers);
        let placed = match self.get(index) {
            Some(token) if new == old && token.verified_in.is_none() => token.placed,
            Some(_) | None => self.placed(now, new, origin, Some(index)),
        };
        self.age_anew(now, index, |token| {
            token.device = new;
            token.placed = placed;
            token.challenge = challenge;
            token.state = State::Registered;
            token.origin = origin;
            // What was proved of the old device says nothing about the new one.
            token.verified_in = None;
        });
        if new != old {
            self.leave(old, index);
            self.join(new, index);
        }
        Ok(())
    }

    /// The provider accepted the verification push.
    pub fn push_accepted(&mut self, now: Now, index: TokenIndex) {
        self.turn(now, index, State::push_accepted);
    }

    /// The provider refused the device token.
    pub fn rejected(&mut self, now: Now, index: TokenIndex, reason: InvalidReason) {
        self.turn(now, index, |state| state.rejected(reason));
    }

    /// A command came that only the holder of a registration can give.
    pub fn used(&mut self, now: Now, index: TokenIndex) {
        if self.get(index).is_some_and(|token| token.age() == Age::Idle) {
            self.age_anew(now, index, |_| ());
        }
    }

    /// The code for a verification push; a fresh one, if the last one is too old.
    pub fn code_to_push(
        &mut self,
        now: Now,
        index: TokenIndex,
        makers: &mut Makers,
    ) -> Option<&Secret<CODE_LEN>> {
        if self.get(index)?.challenge.has_expired(now.mono, self.limits.code_lifetime) {
            let challenge = self.challenge(now, makers);
            self.rows.get_mut(index.0)?.challenge = challenge;
        }
        self.get(index).map(Token::code)
    }

    /// When the next registration comes to its end.
    #[must_use]
    pub fn next_end(&self) -> Option<Mono> {
        let ends = [
            (&self.unverified, self.limits.unverified_lifetime),
            (&self.invalid, self.limits.invalid_lifetime),
            (&self.idle, self.limits.idle_lifetime),
        ];
        let end_of = |(list, lifetime): (&List, Option<Duration>)| {
            Some(self.rows.at(list.first()?)?.since + lifetime?)
        };
        ends.into_iter().filter_map(end_of).min()
    }

    /// A registration whose lifetime is over. The caller removes it.
    #[must_use]
    pub fn ended(&self, now: Now) -> Option<(TokenIndex, Age)> {
        let lifetime_of = |age| match age {
            Age::Unverified => self.limits.unverified_lifetime,
            Age::Invalid => self.limits.invalid_lifetime,
            Age::Idle => self.limits.idle_lifetime,
        };
        [&self.unverified, &self.invalid, &self.idle].into_iter().find_map(|list| {
            let index = self.rows.index_at(list.first()?)?;
            let token = self.rows.get(index)?;
            let end = token.since + lifetime_of(token.age())?;
            (end <= now.mono).then(|| (TokenIndex(index), token.age()))
        })
    }

    /// Books a verification push to the device of a registration, or says when to ask again.
    pub fn admit_verification_push(&mut self, now: Now, index: TokenIndex) -> Option<Admit> {
        let device = self.get(index)?.device;
        let plan = self.limits.verification_pushes;
        self.devices.get_mut(device.0).map(|device| device.verification_budget.admit(now.mono, plan))
    }

    /// Another shard has booked what a device used up. It counts here as well, as far as there is something left.
    pub fn spent_elsewhere(&mut self, now: Now, device: &DeviceToken, what: Spent) {
        let Some(index) = self.find_device(device) else {
            let hashed = self.hash.of(device);
            return self.elsewhere.book(now.mono, hashed, what);
        };
        let Some(row) = self.devices.get_mut(index.0) else { return };
        let before = row.rested_at();
        let (budget, plan) = match what {
            Spent::VerificationPush => (&mut row.verification_budget, self.limits.verification_pushes),
            Spent::WrongCode => (&mut row.wrong_codes, self.limits.wrong_codes),
        };
        // What is beyond the budget here was within it there.
        let _ = budget.admit(now.mono, plan);
        let after = row.rested_at();
        if self.resting.remove(&(before, index)) {
            self.resting.insert((after, index));
        }
    }

    /// Devices without a row here whose budgets other shards have drawn on: the gauge.
    #[must_use]
    pub fn devices_elsewhere(&self) -> usize {
        self.elsewhere.len()
    }

    /// Forgets a registration; its secrets are wiped.
    pub fn remove(&mut self, index: TokenIndex) -> Option<TokenId> {
        self.unlist(index);
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

    /// Forgets devices without registrations whose budget has rested, so many at most.
    pub fn rest(&mut self, now: Now, at_most: usize) {
        for _ in 0..at_most {
            let Some((at, device)) = self.resting.first().copied().filter(|(at, _)| *at <= now.mono) else {
                return;
            };
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
        self.tags = Tags::default();
        self.resting.clear();
        self.elsewhere.clear();
        self.unverified = List::default();
        self.invalid = List::default();
        self.idle = List::default();
    }

    fn challenge(&self, now: Now, makers: &mut Makers) -> Challenge {
        Challenge::new(Secret::new(makers.codes.bytes()), now.mono, self.limits.verification_attempts)
    }

    /// Moves a registration to another state; its lifetime begins anew where it is of another kind then.
    fn turn(&mut self, now: Now, index: TokenIndex, turn: impl FnOnce(State) -> State) {
        let Some(token) = self.rows.get_mut(index.0) else { return };
        let before = token.age();
        let state = turn(token.state);
        if Age::of(state, token.verified_in.is_some()) == before {
            token.state = state;
        } else {
            self.age_anew(now, index, |token| token.state = state);
        }
    }

    /// Changes a registration and begins its lifetime anew.
    fn age_anew(&mut self, now: Now, index: TokenIndex, change: impl FnOnce(&mut Token)) {
        self.unlist(index);
        let Some(token) = self.rows.get_mut(index.0) else { return };
        change(token);
        token.since = now.mono;
        let age = token.age();
        let (list, mut threads) = self.list_of(age);
        list.push(&mut threads, index.0.slot());
    }

    fn unlist(&mut self, index: TokenIndex) {
        let Some(age) = self.get(index).map(Token::age) else { return };
        let (list, mut threads) = self.list_of(age);
        list.remove(&mut threads, index.0.slot());
    }

    const fn list_of(&mut self, age: Age) -> (&mut List, ByAge<'_>) {
        let list = match age {
            Age::Unverified => &mut self.unverified,
            Age::Invalid => &mut self.invalid,
            Age::Idle => &mut self.idle,
        };
        (list, ByAge(&mut self.rows))
    }

    fn find(&self, device: &DeviceToken, verify_key: &AuthPublicKey) -> Option<TokenIndex> {
        let device = self.devices.get(self.find_device(device)?.0)?;
        let same_key =
            |index: &&TokenIndex| self.get(**index).is_some_and(|token| token.verify_key == *verify_key);
        device.registrations.as_slice().iter().find(same_key).copied()
    }

    fn find_device(&self, token: &DeviceToken) -> Option<DeviceIndex> {
        let same = |slot: &u32| self.devices.at(*slot).is_some_and(|device| device.token.is(token));
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
        let (verification_budget, wrong_codes) = self.elsewhere.take(hashed);
        let (token, registrations) = (PackedDevice::new(token), Registrations::NONE);
        let device = Device { token, registrations, verification_budget, wrong_codes };
        let index = self.devices.insert(device).map(DeviceIndex).map_err(|_| TokenRefusal::Full)?;
        let Self { devices, by_device, hash, .. } = self;
        by_device.insert_unique(hashed, index.0.slot(), |slot| {
            devices.at(*slot).map_or(0, |device| device.token.hash(hash))
        });
        Ok(index)
    }

    fn join(&mut self, device: DeviceIndex, index: TokenIndex) {
        if let Some(row) = self.devices.get_mut(device.0) {
            row.registrations.push(index);
            self.resting.remove(&(row.rested_at(), device));
        }
    }

    /// Takes a registration from its device. A device without registrations stays until its budget has
    /// rested: forgetting it at once would make deleting and registering again a way around the budget.
    fn leave(&mut self, device: DeviceIndex, index: TokenIndex) {
        if let Some(row) = self.devices.get_mut(device.0) {
            row.registrations.remove(index);
            if row.registrations.as_slice().is_empty() {
                self.resting.insert((row.rested_at(), device));
            }
        }
    }

    fn forget_device(&mut self, device: DeviceIndex) {
        let Some(row) = self.devices.remove(device.0) else { return };
        self.tags.forget(device);
        if let Ok(entry) =
            self.by_device.find_entry(row.token.hash(&self.hash), |slot| *slot == device.0.slot())
        {
            entry.remove();
        }
    }
}

struct ByAge<'r>(&'r mut Slab<Token>);

impl Threads for ByAge<'_> {
    fn links(&mut self, slot: u32) -> Option<&mut Links> {
        self.0.at_mut(slot).map(|row| &mut row.by_age)
    }
}

fn hash_of_id(rows: &Slab<Token>, hash: &HashKey, slot: u32) -> u64 {
    rows.at(slot).map_or(0, |row| hash.of(&row.id))
}
