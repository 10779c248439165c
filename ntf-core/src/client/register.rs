//! The device token and its subscriber: TNEW, TRPL.
//!
//! One command of a token is out at a time. A subscriber keeps everything in memory, so AUTH to TCHK or
//! TVFY is an everyday event after its restart: the token is registered anew with fresh keys, and every
//! subscription with it (`ntf-protocol` 7.2, D23).

use crate::base::id::EntityId;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::advice::{Advice, lasting};
use crate::client::effect::Event;
use crate::client::mode::Mode;
use crate::client::on_timer::Timer;
use crate::client::queue::Lane;
use crate::client::servers::{Ask, NtfAnswer, NtfTag, words};
use crate::client::token::{Generation, Issued, Phase, Shown, Token};
use crate::model::server::ServerAddress;
use crate::model::token::{DeviceToken, Provider, TokenStatus};
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::command::{Command, Device};
use crate::wire::ntf::response::Response;
use alloc::vec::Vec;

const UNSEALABLE: &str = "the device token cannot be sealed to the push server's key";

impl Client {
    pub(super) fn on_register(&mut self, now: Now, server: ServerAddress, device: DeviceToken) {
        if self.token.as_ref().is_some_and(|token| token.server != server) {
            self.leave_token(now);
        }
        self.subscribers = [server].into();
        self.on_device_token(now, device);
    }

    pub(super) fn on_register_with_any(&mut self, now: Now, device: DeviceToken, mode: Mode) {
        self.on_set_mode(now, mode);
        self.on_device_token(now, device);
    }

    pub(super) fn on_set_subscribers(&mut self, servers: Vec<ServerAddress>) {
        if servers.len() > self.config.subscribers_max {
            let why = "the list holds more subscribers than the configuration allows";
            return self.fail(None, Advice::Configure, why);
        }
        self.subscribers = servers;
    }

    /// The device token, as the app has it on each start and whenever the provider gives another.
    ///
    /// Source: `ntf-protocol` 5.3.
    fn on_device_token(&mut self, now: Now, device: DeviceToken) {
        match &mut self.token {
            Some(token) => {
                let seal_to = self.config.seal_to.filter(|_| device.provider != Provider::Sealed);
                let is_same_device = token.device == device && token.shown.sealed_to == seal_to;
                if !is_same_device {
                    let Some(shown) = Shown::to(&token.server, &device, seal_to, &mut self.keys) else {
                        return self.fail(None, Advice::Configure, UNSEALABLE);
                    };
                    token.shown = shown;
                    token.device = device;
                }
                match &token.phase {
                    Phase::New => {}
                    _ if !is_same_device => token.wants.replacement = true,
                    // On its way: until then the subscriber may have the former one.
                    _ if token.wants.replacement => {}
                    // A code that is on its way still verifies; TNEW gives the same token again.
                    Phase::Registered(_) | Phase::Refused(..) => token.wants.another_push = true,
                    Phase::Active(_) => return self.on_check(now),
                    Phase::Verifying(..) => {}
                }
                self.timers.cancel(&Timer::Register);
            }
            None => {
                let Some(server) = self.draw_subscriber() else {
                    let why = "there is no subscriber to register with; set one first";
                    return self.fail(None, Advice::Configure, why);
                };
                self.start_token(server, device);
            }
        }
        self.advance_token(now);
        if core::mem::take(&mut self.has_unregistered) {
            self.turn_all(now);
        }
    }

    /// What no subscriber has been shown yet is shown as the configuration says now: a state may be that of a
    /// client which did not seal, or sealed to another key. What cannot be sealed is given up.
    pub(super) fn seal_as_configured(&mut self, now: Now) {
        let Some(token) = &mut self.token else { return };
        let is_to_be_shown = matches!(token.phase, Phase::New) || token.wants.replacement;
        let seal_to = self.config.seal_to.filter(|_| token.device.provider != Provider::Sealed);
        if !is_to_be_shown || token.shown.sealed_to == seal_to {
            return;
        }
        match Shown::to(&token.server, &token.device, seal_to, &mut self.keys) {
            Some(shown) => token.shown = shown,
            None => {
                self.leave_token(now);
                self.fail(None, Advice::Configure, UNSEALABLE);
            }
        }
    }

    /// One of the list, each as likely as the others. Source: `ntf-protocol` 5.2.
    fn draw_subscriber(&mut self) -> Option<ServerAddress> {
        let count = u64::try_from(self.subscribers.len()).ok()?;
        let index = usize::try_from(self.choice.below(count)).ok()?;
        self.subscribers.get(index).cloned()
    }

    /// Leaves no token when it cannot be sealed as the configuration says: it is never shown in plain instead.
    fn start_token(&mut self, server: ServerAddress, device: DeviceToken) {
        let Some(shown) = Shown::to(&server, &device, self.config.seal_to, &mut self.keys) else {
            return self.fail(None, Advice::Configure, UNSEALABLE);
        };
        self.generation = self.generation.next();
        self.token = Some(Token::new(self.generation, server, device, shown, &mut self.keys));
    }

    /// Registers the same device anew with fresh keys, after a delay that grows with each such attempt.
    pub(super) fn restart_token(&mut self, now: Now) {
        let Some(old) = self.token.take() else { return };
        self.cancel_token_timers();
        self.drop_deletions_of(old.generation);
        self.drop_subscriptions(now);
        // A subscriber that is still on the list knows of this device already; another would be one more.
        let server = match self.subscribers.contains(&old.server) {
            true => old.server,
            false => self.draw_subscriber().unwrap_or(old.server),
        };
        self.start_token(server, old.device);
        let Some(token) = &mut self.token else { return };
        token.backoff = old.backoff;
        let delay = token.backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Register, now.mono + delay);
    }

    /// The register timer: a fresh registration whose delay is over, or a verification push that has not
    /// come.
    pub(super) fn on_register_timer(&mut self, now: Now) {
        if let Some(token) = &mut self.token
            && matches!(token.phase, Phase::Registered(_))
        {
            token.wants.another_push = true;
        }
        self.advance_token(now);
    }

    /// Sends what is next for the token, unless something is out already or a delay is running.
    pub(super) fn advance_token(&mut self, now: Now) {
        let cron = self.wanted_cron();
        let may_set_cron = self.timers.deadline(&Timer::Cron).is_none();
        let Some(token) = &mut self.token else { return };
        if token.lane == Lane::Busy {
            return;
        }
        let device = Device::of(&token.shown.device);
        let tnew = |token: &Token| {
            let command = |auth| Command::Tnew { device, auth, dh: token.dh.public() };
            token.auth.public().map(|auth| (command(auth), NtfTag::Tnew(token.generation)))
        };
        let generation = token.generation;
        let next = match (&token.phase, token.issued()) {
            (Phase::New, _) | (_, None) => {
                if self.timers.deadline(&Timer::Register).is_some() {
                    return;
                }
                tnew(token)
            }
            (_, Some(_)) if token.wants.replacement => {
                Some((Command::Trpl { device }, NtfTag::Trpl(generation)))
            }
            (Phase::Verifying(_, code), Some(_)) => {
                Some((Command::Tvfy { code: code.expose() }, NtfTag::Tvfy(generation)))
            }
            (_, Some(_)) if token.wants.another_push => tnew(token),
            (_, Some(_)) if token.wants.check => Some((Command::Tchk, NtfTag::Tchk(generation))),
            (Phase::Active(_), Some(_)) if token.cron != Some(cron) && may_set_cron => {
                Some((Command::Tcrn { minutes: cron.minutes() }, NtfTag::Tcrn(generation, cron)))
            }
            (Phase::Registered(_) | Phase::Active(_) | Phase::Refused(..), Some(_)) => return,
        };
        let Some((command, tag)) = next else {
            return self.fail(None, Advice::Configure, "the key of the token cannot be used");
        };
        let entity = match &command {
            Command::Tnew { .. } => None,
            Command::Tvfy { .. }
            | Command::Tchk
            | Command::Trpl { .. }
            | Command::Tdel
            | Command::Tcrn { .. }
            | Command::Snew { .. }
            | Command::Schk
            | Command::Sdel
            | Command::Ping => token.issued().map(|issued| &issued.id),
        };
        let names_device = matches!(command, Command::Tnew { .. } | Command::Trpl { .. });
        let Token { server, auth, .. } = &*token;
        match self.servers.ask_ntf(now, &self.config, server, entity, auth, &command, tag) {
            Ask::Out => {
                token.lane = Lane::Busy;
                if names_device {
                    token.asked = Some(token.shown.device.clone());
                }
            }
            Ask::Later => {}
            Ask::Impossible(why, advice) => self.fail(None, advice, why),
        }
    }

    /// The token that a command was about, with its lane free again; `None` if it was replaced meanwhile.
    pub(super) fn answered(&mut self, generation: Generation) -> Option<&mut Token> {
        let token = self.token.as_mut().filter(|token| token.generation == generation)?;
        token.lane = Lane::Free;
        Some(token)
    }

    pub(super) fn on_tnew_answer(&mut self, now: Now, generation: Generation, answer: NtfAnswer<'_>) {
        let Some(token) = self.answered(generation) else { return };
        match answer {
            NtfAnswer::Response(Response::Idtkn { token: id, dh }) => {
                token.wants.another_push = false;
                let Some(id) = EntityId::new(id) else {
                    self.delay_registration(now);
                    let why = "TNEW: the subscriber gave a token without an id";
                    return self.fail(None, Advice::ReportBug, why);
                };
                // The provider gave another device token while the question was on its way.
                token.wants.replacement |= token.asked.take().as_ref() != Some(&token.shown.device);
                let issued = Issued { id, secret: token.dh.agree(&dh) };
                let is_another = token.issued().is_some_and(|former| former.id != issued.id);
                // The code may have come while the question for another one was on its way.
                if !matches!(token.phase, Phase::Verifying(..) | Phase::Active(_)) {
                    token.phase = Phase::Registered(issued);
                    // The subscriber has forgotten the former registration, and the subscriptions with it.
                    if is_another {
                        self.drop_subscriptions(now);
                    }
                    self.await_verification(now);
                }
            }
            NtfAnswer::Lost => {}
            NtfAnswer::Error(ErrorCode::Auth) => {
                self.restart_token(now);
                return self.fail(
                    None,
                    self.until(now, &Timer::Register),
                    "TNEW: the subscriber does not accept the key of the token (AUTH)",
                );
            }
            NtfAnswer::Error(code) => {
                self.delay_registration(now);
                return self.fail_registration(now, "TNEW", &code);
            }
            NtfAnswer::Response(_) | NtfAnswer::Unfit => {
                self.delay_registration(now);
                return self.unfit_ntf("TNEW");
            }
        }
        self.advance_token(now);
    }

    /// Tells of a refused registration that is tried again later.
    pub(super) fn fail_registration(&mut self, now: Now, command: &str, code: &ErrorCode<'_>) {
        let advice = match (command, code) {
            // The only words for a sealed device token where none is taken, or a plain one where it must be sealed.
            ("TNEW" | "TRPL", ErrorCode::Cmd(_)) => Advice::Configure,
            _ => lasting(code).unwrap_or_else(|| self.until(now, &Timer::Register)),
        };
        self.fail(None, advice, words(command, "the subscriber", code));
    }

    /// Tries a refused registration again later; TNEW is what every phase without a code begins with.
    pub(super) fn delay_registration(&mut self, now: Now) {
        let Some(token) = &mut self.token else { return };
        let delay = token.backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Register, now.mono + delay);
    }

    /// The subscriber pushes to this token: makes every subscription that is missing.
    pub(super) fn on_active(&mut self, now: Now) {
        if let Some(token) = &mut self.token {
            token.backoff.reset();
        }
        self.timers.cancel(&Timer::Register);
        self.await_check(now);
        self.tell(Event::Token(TokenStatus::Active));
        self.subscribe_all(now);
    }

    pub(super) fn on_trpl_answer(&mut self, now: Now, generation: Generation, answer: NtfAnswer<'_>) {
        let Some(token) = self.answered(generation) else { return };
        match answer {
            NtfAnswer::Response(Response::Ok) => {
                // Not yet over if the provider gave another one while the question was on its way.
                token.wants.replacement = token.asked.take().as_ref() != Some(&token.shown.device);
                token.wants.another_push = false;
                if let Some(issued) = token.issued().cloned() {
                    token.phase = Phase::Registered(issued);
                    self.await_verification(now);
                }
            }
            NtfAnswer::Lost => {}
            // STORE is the reference's answer to a device token that is taken, so it does not pass.
            NtfAnswer::Error(code @ (ErrorCode::Quota | ErrorCode::Internal)) => {
                self.delay_registration(now);
                return self.fail_registration(now, "TRPL", &code);
            }
            // Whatever else it is: a fresh registration does not depend on it (`ntf-protocol` 7.1, H2).
            NtfAnswer::Error(_) | NtfAnswer::Response(_) | NtfAnswer::Unfit => {
                let (server, device) = (token.server.clone(), token.device.clone());
                self.leave_token(now);
                let server = self.draw_subscriber().unwrap_or(server);
                self.start_token(server, device);
            }
        }
        self.advance_token(now);
    }

    /// Goes on with tokens and subscriptions at a subscriber that has come up.
    pub(super) fn resume_token(&mut self, now: Now, server: &ServerAddress) {
        self.resume_leavings(now, server);
        if self.token.as_ref().is_some_and(|token| token.server == *server) {
            self.advance_token(now);
            self.resume_subscriptions(now);
        }
    }

    /// An answer that is none to the command.
    pub(super) fn unfit_ntf(&mut self, command: &str) {
        self.counters.answers_unfit.count();
        let why = alloc::format!("{command}: the subscriber's answer is none to this command");
        self.fail(None, Advice::ReportBug, why);
    }
}
