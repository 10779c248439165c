//! All registrations: found by token id, by device token and verify key, and by device.
//!
//! Registrations of one device token share a [`Device`] row, because one of them verified ends the
//! others, and because verification pushes to one device token share one budget, whoever asks for them.

use crate::base::budget::{Admit, Budget};
use crate::base::hash::HashKey;
use crate::base::id::TokenId;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::slab::Slab;
use crate::base::time::{Mono, Now};
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::{AuthPublicKey, X25519Private, X25519Public};
use crate::model::index::{DeviceIndex, TokenIndex};
use crate::model::token::{DeviceToken, InvalidReason};
use crate::token::limits::TokenLimits;
use crate::token::registration::{Device, Makers, Registered, Registration, Token, TokenRefusal};
use crate::token::state::{Challenge, NotVerified, State};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use hashbrown::HashTable;

#[cfg(test)]
mod tests;

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
