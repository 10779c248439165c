//! Tokens that are not wanted any more: forgotten here at once, deleted at their subscriber with TDEL when
//! it can be reached.

use crate::base::id::EntityId;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::effect::Event;
use crate::client::on_timer::Timer;
use crate::client::queue::Lane;
use crate::client::servers::{Ask, NtfAnswer, NtfTag, words};
use crate::client::token::{Generation, Token};
use crate::crypto::keys::AuthPrivateKey;
use crate::model::server::ServerAddress;
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::command::Command;
use crate::wire::ntf::response::Response;

/// Registrations whose TDEL is not answered yet.
///
/// Source: ours; one is usual, and a subscriber forgets idle tokens by itself.
const LEAVING_MAX: usize = 8;

/// A registration that is no longer wanted.
pub(super) struct Leaving {
    pub(super) server: ServerAddress,
    pub(super) id: EntityId,
    pub(super) auth: AuthPrivateKey,
    pub(super) lane: Lane,
}

impl Client {
    pub(super) fn on_unregister(&mut self, now: Now) {
        if self.token.is_none() {
            return self.fail(None, "there is no token to delete");
        }
        self.has_unregistered = true;
        self.leave_token(now);
        self.tell(Event::Unregistered);
    }

    /// Forgets the token here and deletes it there; its subscriptions go with it.
    pub(super) fn leave_token(&mut self, now: Now) {
        let Some(token) = self.token.take() else { return };
        self.cancel_token_timers();
        self.drop_subscriptions(now);
        let Some(issued) = token.issued() else { return };
        if self.leaving.len() >= LEAVING_MAX {
            self.leaving.pop_first();
        }
        let id = issued.id.clone();
        let Token { generation, server, auth, .. } = token;
        self.leaving.insert(generation, Leaving { server, id, auth, lane: Lane::Free });
        self.ask_tdel(now, generation);
    }

    pub(super) fn cancel_token_timers(&mut self) {
        for timer in [Timer::Register, Timer::Check, Timer::CheckAsked, Timer::Cron] {
            self.timers.cancel(&timer);
        }
    }

    pub(super) fn ask_tdel(&mut self, now: Now, generation: Generation) {
        let Some(leaving) = self.leaving.get_mut(&generation) else { return };
        if leaving.lane == Lane::Busy {
            return;
        }
        let Leaving { server, id, auth, .. } = &*leaving;
        let tag = NtfTag::Tdel(generation);
        match self.servers.ask_ntf(now, &self.config, server, Some(id), auth, &Command::Tdel, tag) {
            Ask::Out => leaving.lane = Lane::Busy,
            Ask::Later => {}
            Ask::Impossible(_) => {
                self.leaving.remove(&generation);
            }
        }
    }

    pub(super) fn on_tdel_answer(&mut self, now: Now, generation: Generation, answer: NtfAnswer<'_>) {
        let Some(leaving) = self.leaving.get_mut(&generation) else { return };
        leaving.lane = Lane::Free;
        match answer {
            NtfAnswer::Lost => return self.ask_tdel(now, generation),
            // AUTH: it is gone already.
            NtfAnswer::Response(Response::Ok) | NtfAnswer::Error(ErrorCode::Auth) => {}
            NtfAnswer::Error(code) => self.fail(None, words("TDEL", "the subscriber", &code)),
            NtfAnswer::Response(_) | NtfAnswer::Unfit => self.unfit_ntf("TDEL"),
        }
        self.leaving.remove(&generation);
    }
}
