//! TNEW and TRPL, and the places that they need: a device has so many registrations that have yet to prove themselves.
//!
//! A subscriber of one shard asks its own table for a place. One of several asks the roster of the shard that the
//! device token falls to, and does nothing before it has the word: whoever is refused has cost the device no push,
//! and a registration that may not move is left as it was.

use crate::base::id::{LinkId, TokenId};
use crate::base::source::Source;
use crate::crypto::keys::X25519Public;
use crate::delivery::verification::Until;
use crate::link::responder::ReplyTo;
use crate::model::index::TokenIndex;
use crate::model::token::DeviceToken;
use crate::subscriber::Subscriber;
use crate::subscriber::shard::{Arrival, DeviceMark, Letter, Owed, Ticket};
use crate::subscriber::sources::Use;
use crate::token::registration::{Origin, Registered, Registration, TokenRefusal};
use crate::token::state::State;
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::response::Response;

/// What came of a TNEW or TRPL.
pub(super) enum Placing {
    /// The registration, and the server's half of its agreement.
    Registered(TokenId, X25519Public),
    /// It is for another device now.
    Moved,
    /// Another shard keeps the roster of the device, and its word is waited for.
    Awaited(Ticket),
}

/// A registration on the roster of a device.
type Seat = (DeviceMark, TokenId);

impl Subscriber {
    /// TNEW: registers, or repeats what an equal TNEW was told, and pushes the code in either case.
    pub(super) fn on_tnew(
        &mut self,
        from: Option<Source>,
        wanted: Registration,
        link: LinkId,
        to: ReplyTo<'_>,
    ) -> Result<Placing, ErrorCode<'static>> {
        if self.tokens.knows(&wanted) {
            self.admit(from, Use::VerificationPush)?;
            return self.register(wanted);
        }
        self.admit(from, Use::Registration)?;
        self.admit(from, Use::VerificationPush)?;
        let id = TokenId::new(self.makers.id());
        self.arrive(Arrival::New { id, wanted }, link, to)
    }

    /// TRPL: the token goes to another device, which has to prove itself; all else stays.
    pub(super) fn on_trpl(
        &mut self,
        from: Option<Source>,
        token: TokenIndex,
        device: DeviceToken,
        link: LinkId,
        to: ReplyTo<'_>,
    ) -> Result<Placing, ErrorCode<'static>> {
        self.admit(from, Use::VerificationPush)?;
        let origin = self.sources.origin(from);
        let id = self.tokens.get(token).ok_or(ErrorCode::Auth)?.id();
        let has_seat =
            self.unproved(token).is_some_and(|(mark, _)| mark == self.sharding.mark_of_device(&device));
        if has_seat {
            return self.replace(id, device, origin);
        }
        self.arrive(Arrival::Moved { id, device, origin }, link, to)
    }

    /// Somebody needs a place.
    fn arrive(
        &mut self,
        arrival: Arrival,
        link: LinkId,
        to: ReplyTo<'_>,
    ) -> Result<Placing, ErrorCode<'static>> {
        let (device, id, origin) = match &arrival {
            Arrival::New { id, wanted } => (&wanted.device, *id, wanted.origin),
            Arrival::Moved { id, device, origin } => (device, *id, *origin),
        };
        if self.sharding.plan().is_alone() {
            let place = self.tokens.has_place(self.now, device, origin, self.tokens.by_id(&id));
            place.map_err(|refusal| self.refused(refusal))?;
            return self.settle_in(arrival);
        }
        let mark = self.sharding.mark_of_device(device);
        let home = self.sharding.home_of_device(mark);
        if home == self.sharding.plan().own() {
            self.enter_roster(mark, id, origin).map_err(|refusal| self.refused(refusal))?;
            return self.settle_in(arrival);
        }
        let ticket = self.waits.ticket();
        self.waits.place(ticket, Owed { link, to: to.into() }, arrival);
        self.write(home, Letter::Unproved { ticket, device: mark, token: id, origin });
        Ok(Placing::Awaited(ticket))
    }

    /// The word of the shard that keeps the roster.
    pub(super) fn on_placed(&mut self, ticket: Ticket, seat: Seat, is_placed: bool) {
        let Some((owed, arrival)) = self.waits.placed(ticket) else {
            if is_placed {
                self.leave(seat);
            }
            return;
        };
        let placing = match is_placed {
            true => self.settle_in(arrival),
            false => Err(self.refused(TokenRefusal::Crowded)),
        };
        match placing {
            Ok(Placing::Registered(id, dh)) => {
                self.answer_later(owed, &Response::Idtkn { token: id.as_bytes(), dh });
            }
            Ok(Placing::Moved | Placing::Awaited(_)) => self.answer_later(owed, &Response::Ok),
            Err(code) => self.answer_later(owed, &Response::Err(code)),
        }
    }

    /// Takes the place that was given, or gives it back.
    fn settle_in(&mut self, arrival: Arrival) -> Result<Placing, ErrorCode<'static>> {
        let (seat, placing) = match arrival {
            Arrival::New { id, wanted } => {
                let seat = (self.sharding.mark_of_device(&wanted.device), id);
                if !self.tokens.knows(&wanted)
                    && let Some(oldest) = self.tokens.in_the_way()
                {
                    self.counters.tokens.displaced.count();
                    self.drop_token(oldest);
                }
                (seat, self.register(Registration { id: Some(id), ..wanted }))
            }
            Arrival::Moved { id, device, origin } => {
                let seat = (self.sharding.mark_of_device(&device), id);
                (seat, self.replace(id, device, origin))
            }
        };
        self.leave(seat);
        placing
    }

    fn register(&mut self, wanted: Registration) -> Result<Placing, ErrorCode<'static>> {
        let registered = self
            .tokens
            .register(self.now, wanted, &mut self.makers)
            .map_err(|refusal| self.refused(refusal))?;
        match registered {
            Registered::Fresh(index) => {
                self.counters.tokens.created.count();
                self.make_room_for(index);
            }
            Registered::Again(_) => self.counters.tokens.repeated.count(),
        }
        let token = self.tokens.get(registered.index()).ok_or(ErrorCode::Internal)?;
        let (id, public) = (token.id(), token.server_public());
        let until = match token.state() {
            State::Active(_) => Until::Accepted,
            State::Registered | State::Confirmed | State::Invalid(_) => Until::Verified,
        };
        self.delivery.want_verification(registered.index(), until);
        Ok(Placing::Registered(id, public))
    }

    fn replace(
        &mut self,
        id: TokenId,
        device: DeviceToken,
        origin: Origin,
    ) -> Result<Placing, ErrorCode<'static>> {
        // It may have ended while its place was asked for.
        let token = self.tokens.by_id(&id).ok_or(ErrorCode::Auth)?;
        let former = self.unproved(token);
        self.tokens
            .replace(self.now, token, device, origin, &mut self.makers)
            .map_err(|refusal| self.refused(refusal))?;
        self.counters.tokens.replaced.count();
        if let Some(former) = former {
            self.leave(former);
        }
        self.make_room_for(token);
        self.delivery.moved(token);
        self.delivery.want_verification(token, Until::Verified);
        Ok(Placing::Moved)
    }

    /// Drops the registrations that have to give way to this one, where no roster says so.
    fn make_room_for(&mut self, token: TokenIndex) {
        if !self.sharding.plan().is_alone() {
            return;
        }
        while let Some(displaced) = self.tokens.displaced_by(self.now, token) {
            self.counters.tokens.displaced.count();
            self.drop_token(displaced);
        }
    }

    /// Strikes a registration from a roster, unless it is one that has yet to prove itself there.
    fn leave(&mut self, seat: Seat) {
        let (_, id) = seat;
        let has_it = self.tokens.by_id(&id).and_then(|index| self.unproved(index)) == Some(seat);
        if !has_it && !self.sharding.plan().is_alone() {
            self.settle(seat);
        }
    }

    /// What was [`unproved`](Self::unproved) has proved itself, or is gone.
    pub(super) fn settle(&mut self, (device, token): Seat) {
        let home = self.sharding.home_of_device(device);
        if home == self.sharding.plan().own() {
            self.roster.strike(device, token);
        } else {
            self.write(home, Letter::Settled { device, token });
        }
    }

    /// What is on a roster of a registration; nothing when it has proved itself, or when there are no other shards.
    pub(super) fn unproved(&self, index: TokenIndex) -> Option<Seat> {
        let token = self.tokens.get(index).filter(|_| !self.sharding.plan().is_alone())?;
        let device = self.sharding.mark_of_device(&self.tokens.device(index)?.token());
        token.verified_in().is_none().then(|| (device, token.id()))
    }

    /// Gives a registration of any shard a place on the roster that is kept here.
    pub(super) fn enter_roster(
        &mut self,
        device: DeviceMark,
        token: TokenId,
        origin: Origin,
    ) -> Result<(), TokenRefusal> {
        let entered = self.roster.enter(self.now.mono, device, token, origin);
        let Some(displaced) = entered.map_err(|_| TokenRefusal::Crowded)? else { return Ok(()) };
        let plan = self.sharding.plan();
        let to = plan.of_name(displaced.as_bytes());
        if to == plan.own() {
            self.displace(device, displaced);
        } else {
            self.write(to, Letter::Displace { device, token: displaced });
        }
        Ok(())
    }

    /// Drops a registration, unless it has proved itself or moved to another device meanwhile.
    pub(super) fn displace(&mut self, device: DeviceMark, token: TokenId) {
        let Some(index) = self.tokens.by_id(&token) else { return };
        if self.unproved(index) == Some((device, token)) {
            self.counters.tokens.displaced.count();
            self.drop_token(index);
        }
    }
}
