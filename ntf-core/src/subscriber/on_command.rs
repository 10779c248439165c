//! What devices ask for. Each command is checked against the key of what it is about, then done.
//!
//! Whatever must not be told apart is answered alike, `ERR AUTH`: unknown ids, wrong keys, states that do not
//! allow the command, queues of others. What is full is answered `ERR QUOTA`.
//! Source: `ntf-protocol` 1.6, 4.2, 4.4.

use crate::base::id::{LinkId, SubscriptionId, TokenId};
use crate::base::source::Source;
use crate::crypto::keys::AuthPublicKey;
use crate::link::dialect::Ntf;
use crate::link::responder::{Credential, ReplyTo, Request, Responder};
use crate::model::cron::Cron;
use crate::model::index::{SubscriptionIndex, TokenIndex};
use crate::model::server::{NotifierAddress, ServerAddress};
use crate::model::token::Provider;
use crate::subscriber::Subscriber;
use crate::subscriber::config::SealedTokens;
use crate::subscriber::on_place::Placing;
use crate::subscriber::on_shard::{Claim, Progress};
use crate::subscriber::shard::{QueueMark, Wait, Wish};
use crate::subscriber::sources::Use;
use crate::subscription::row::Wanted;
use crate::token::registration::{Registration, Spent, Token, TokenRefusal};
use crate::token::shape::is_well_shaped;
use crate::token::state::NotVerified;
use crate::wire::error_code::{CommandError, ErrorCode};
use crate::wire::ntf::command::Command;
use crate::wire::ntf::response::Response;

/// A server with more subscriptions than this is not dropped to make room: whoever wants to take all places names
/// many servers, not one with many queues, and dropping takes time. Source: ours.
const DISPLACED_MAX: u32 = 1000;

/// What a command is about, found before it is verified.
#[derive(Clone, Copy)]
enum Subject {
    /// Nothing that is there: TNEW, SNEW, PING.
    Nothing,
    Token(TokenIndex),
    Subscription(SubscriptionIndex),
}

/// What came of an SNEW.
enum Snew {
    Watched(SubscriptionId),
    /// Another shard keeps the claim on the queue, and its word is waited for.
    Awaited(QueueMark),
}

/// Who must have authorized a command.
enum Asks {
    Key(AuthPublicKey),
    Nobody,
    /// There is no such entity, or it may not be used so.
    Unknown,
}

impl Subscriber {
    pub(super) fn on_command(
        &mut self,
        (link, from): (LinkId, Option<Source>),
        responder: &mut Responder<Ntf>,
        request: Request<'_, Ntf>,
    ) -> Progress {
        if let Some(code) = self.unacceptable(request.command()) {
            responder.refuse(&request, code);
            return Progress::Answered;
        }
        let (subject, asks) = self.look_up(request.command(), request.entity());
        let credential = match &asks {
            Asks::Key(key) => Credential::Key(key),
            Asks::Nobody => Credential::Open,
            Asks::Unknown => Credential::Unknown,
        };
        let Ok(authorized) = responder.verify(request, credential) else {
            self.counters.links.unauthorized.count();
            return Progress::Answered;
        };
        self.counters.links.commands.count();
        let (command, to) = authorized.into_parts();
        self.note_use(subject);
        // Answers that carry an id of ours borrow it from here.
        let (token, subscription);
        let response = match (command, subject) {
            (Command::Tnew { device, auth, dh }, _) => {
                let (device, origin) = (device.to_token(), self.sources.origin(from));
                let wanted = Registration { device, verify_key: auth, client_public: dh, origin, id: None };
                match self.on_tnew(from, wanted, link, to) {
                    Ok(Placing::Registered(id, dh)) => {
                        token = id;
                        Response::Idtkn { token: token.as_bytes(), dh }
                    }
                    Ok(Placing::Moved) => Response::Ok,
                    Ok(Placing::Awaited(ticket)) => return Progress::Waiting(Wait::Place(ticket)),
                    Err(code) => Response::Err(code),
                }
            }
            (Command::Snew { token: owner, notifier: queue, key }, _) => {
                let owner = TokenId::from_slice(owner).and_then(|id| self.tokens.by_id(&id));
                match owner
                    .map_or(Err(ErrorCode::Auth), |owner| self.on_snew(Wish { owner, queue, key }, link, to))
                {
                    Ok(Snew::Watched(id)) => {
                        subscription = id;
                        Response::Idsub { subscription: subscription.as_bytes() }
                    }
                    Ok(Snew::Awaited(queue)) => return Progress::Waiting(Wait::Claim(queue)),
                    Err(code) => Response::Err(code),
                }
            }
            (Command::Tvfy { code }, Subject::Token(token)) => match self.on_verify(from, token, code) {
                Ok(()) => match self.supersede(token, link, to) {
                    Progress::Answered => Response::Ok,
                    waiting @ Progress::Waiting(_) => return waiting,
                },
                Err(code) => Response::Err(code),
            },
            (Command::Trpl { device }, Subject::Token(token)) => {
                match self.on_trpl(from, token, device.to_token(), link, to) {
                    Ok(Placing::Awaited(ticket)) => return Progress::Waiting(Wait::Place(ticket)),
                    done => answer(done.map(drop)),
                }
            }
            (Command::Tcrn { minutes }, Subject::Token(token)) => answer(self.on_cron(token, minutes)),
            (Command::Tdel, Subject::Token(token)) => {
                self.counters.tokens.deleted.count();
                self.drop_token(token);
                match self.answered_when_released(link, to) {
                    Progress::Answered => Response::Ok,
                    waiting @ Progress::Waiting(_) => return waiting,
                }
            }
            (Command::Tchk, Subject::Token(token)) => match self.tokens.get(token) {
                Some(token) => Response::Tkn(token.state().status()),
                None => Response::Err(ErrorCode::Auth),
            },
            (Command::Schk, Subject::Subscription(subscription)) => {
                self.subscriptions.status(subscription).map_or(Response::Err(ErrorCode::Auth), Response::Sub)
            }
            (Command::Sdel, Subject::Subscription(subscription)) => {
                self.counters.subscriptions.deleted.count();
                self.drop_subscription(subscription);
                match self.answered_when_released(link, to) {
                    Progress::Answered => Response::Ok,
                    waiting @ Progress::Waiting(_) => return waiting,
                }
            }
            (Command::Ping, _) => Response::Pong,
            (
                Command::Tvfy { .. }
                | Command::Tchk
                | Command::Trpl { .. }
                | Command::Tdel
                | Command::Tcrn { .. }
                | Command::Schk
                | Command::Sdel,
                _,
            ) => {
                debug_assert!(false, "a command that was verified has its subject");
                Response::Err(ErrorCode::Internal)
            }
        };
        responder.reply(to, &response);
        Progress::Answered
    }

    /// Whoever has its key still wants the registration.
    fn note_use(&mut self, subject: Subject) {
        let token = match subject {
            Subject::Nothing => None,
            Subject::Token(token) => Some(token),
            Subject::Subscription(subscription) => {
                self.subscriptions.get(subscription).map(|row| row.owner())
            }
        };
        if let Some(token) = token {
            self.tokens.used(self.now, token);
        }
    }

    /// Why no key could make the command acceptable.
    fn unacceptable(&self, command: &Command<'_>) -> Option<ErrorCode<'static>> {
        let device = match command {
            Command::Tnew { device, .. } | Command::Trpl { device } => device.to_token(),
            Command::Tvfy { .. }
            | Command::Tchk
            | Command::Tdel
            | Command::Tcrn { .. }
            | Command::Snew { .. }
            | Command::Schk
            | Command::Sdel
            | Command::Ping => return None,
        };
        if device.provider == Provider::ApnsTest && !self.config.allow_test_provider {
            return Some(ErrorCode::Cmd(CommandError::Prohibited));
        }
        match (device.provider, self.config.sealed_tokens) {
            (Provider::Sealed, SealedTokens::Refused) => return Some(ErrorCode::Cmd(CommandError::Syntax)),
            (Provider::Sealed, SealedTokens::Taken | SealedTokens::Demanded) => {}
            (_, SealedTokens::Demanded) => return Some(ErrorCode::Cmd(CommandError::Prohibited)),
            (_, SealedTokens::Refused | SealedTokens::Taken) => {}
        }
        (!is_well_shaped(&device)).then_some(ErrorCode::Cmd(CommandError::Syntax))
    }

    /// Finds what a command is about, and whose authorization it needs.
    fn look_up(&mut self, command: &Command<'_>, entity: &[u8]) -> (Subject, Asks) {
        match command {
            Command::Tnew { auth, .. } => (Subject::Nothing, Asks::Key(*auth)),
            Command::Snew { token, notifier, .. } => (Subject::Nothing, self.look_up_owner(token, notifier)),
            Command::Ping => (Subject::Nothing, Asks::Nobody),
            Command::Tvfy { .. }
            | Command::Tchk
            | Command::Trpl { .. }
            | Command::Tdel
            | Command::Tcrn { .. } => {
                let index = TokenId::from_slice(entity).and_then(|id| self.tokens.by_id(&id));
                match index.and_then(|index| Some((index, self.tokens.get(index)?))) {
                    Some((index, token)) => (Subject::Token(index), Asks::Key(*token.verify_key())),
                    None => (Subject::Nothing, Asks::Unknown),
                }
            }
            Command::Schk | Command::Sdel => {
                let index = SubscriptionId::from_slice(entity).and_then(|id| self.subscriptions.by_id(&id));
                let owner = index.and_then(|index| self.subscriptions.get(index)).map(|row| row.owner());
                match (index, owner) {
                    (Some(index), Some(owner)) => (Subject::Subscription(index), self.subscribers_key(owner)),
                    _ => (Subject::Nothing, Asks::Unknown),
                }
            }
        }
    }

    /// The key of the token that SNEW names, unless the queue is watched for another token.
    fn look_up_owner(&self, token: &[u8], notifier: &NotifierAddress) -> Asks {
        let Some(owner) = TokenId::from_slice(token).and_then(|id| self.tokens.by_id(&id)) else {
            return Asks::Unknown;
        };
        let existing = self.find_subscription(notifier).and_then(|index| self.subscriptions.get(index));
        if existing.is_some_and(|row| row.owner() != owner && self.tokens.get(row.owner()).is_some()) {
            return Asks::Unknown;
        }
        self.subscribers_key(owner)
    }

    /// The key of a token whose state allows commands about subscriptions.
    fn subscribers_key(&self, token: TokenIndex) -> Asks {
        match self.tokens.get(token) {
            Some(token) if token.state().status().allows_subscription_commands() => {
                Asks::Key(*token.verify_key())
            }
            Some(_) | None => Asks::Unknown,
        }
    }

    pub(super) fn find_subscription(&self, notifier: &NotifierAddress) -> Option<SubscriptionIndex> {
        let server = self.subscriptions.server_by_address(&notifier.server)?;
        self.subscriptions.by_queue(server, notifier.notifier.as_bytes())
    }

    /// TVFY: the right code makes the token active; other registrations of the device token are to end.
    fn on_verify(
        &mut self,
        from: Option<Source>,
        token: TokenIndex,
        code: &[u8],
    ) -> Result<(), ErrorCode<'static>> {
        // The first answer to a registration is looked at whatever came from the same source before.
        let has_failed = self.tokens.get(token).is_some_and(Token::has_failed);
        let verified = match has_failed && self.sources.is_spent(self.now, from, Use::WrongCode) {
            true => Err(NotVerified::TooManyFromSource),
            false => self.verify(token, code),
        };
        if let Err(why) = verified {
            self.counters.tokens.not_verified.count();
            match why {
                NotVerified::WrongCode => {
                    // What is beyond the budget is a first answer, and booked by being its last as well.
                    let _ = self.use_source(from, Use::WrongCode);
                    self.tell_of_device(token, Spent::WrongCode);
                }
                NotVerified::TooManyForDevice | NotVerified::TooManyFromSource => {
                    self.counters.tokens.guesses_refused.count();
                }
                NotVerified::TooManyAttempts | NotVerified::Expired | NotVerified::NotAwaited => {}
            }
            return Err(ErrorCode::Auth);
        }
        self.counters.tokens.verified.count();
        self.delivery.verified(token);
        Ok(())
    }

    fn verify(&mut self, token: TokenIndex, code: &[u8]) -> Result<(), NotVerified> {
        let was_unproved = self.unproved(token);
        let verified = self.tokens.verify(self.now, token, code);
        if let (Ok(()), Some(unproved)) = (&verified, was_unproved) {
            self.settle(unproved);
        }
        verified
    }

    /// TCRN: begins or ends periodic notifications; the interval counts from here.
    fn on_cron(&mut self, token: TokenIndex, minutes: u16) -> Result<(), ErrorCode<'static>> {
        let cron = Cron::from_minutes(minutes).map_err(|_| ErrorCode::Quota)?;
        self.delivery.set_periodic(self.now, token, cron, &mut self.jitter);
        Ok(())
    }

    fn on_snew(&mut self, wish: Wish, link: LinkId, to: ReplyTo<'_>) -> Result<Snew, ErrorCode<'static>> {
        // One that an ended registration leaves is in nobody's way.
        if let Some(left) = self.find_subscription(&wish.queue)
            && self.subscriptions.get(left).is_some_and(|row| self.tokens.get(row.owner()).is_none())
        {
            self.counters.subscriptions.dropped.count();
            self.drop_subscription(left);
        }
        let wish = match self.claim(wish, link, to)? {
            Claim::Held(wish) => wish,
            Claim::Awaited(queue) => return Ok(Snew::Awaited(queue)),
        };
        let queue = wish.queue.clone();
        let subscribed = self.on_subscribe(wish);
        if subscribed.is_err() {
            self.forfeit(&queue);
        }
        subscribed.map(Snew::Watched)
    }

    /// Watches a queue that may be watched, or finds that it is watched already; what was over is tried again.
    pub(super) fn on_subscribe(&mut self, wish: Wish) -> Result<SubscriptionId, ErrorCode<'static>> {
        let Wish { owner, queue, key } = wish;
        // Its token may be gone, and the queue another's, if the claim was waited for.
        let may_own = matches!(self.subscribers_key(owner), Asks::Key(_));
        let index = match self.find_subscription(&queue) {
            _ if !may_own => return Err(ErrorCode::Auth),
            Some(index) if self.subscriptions.get(index).is_none_or(|row| row.owner() != owner) => {
                return Err(ErrorCode::Auth);
            }
            Some(index) if !self.subscriptions.has_key(index, &key) => return Err(ErrorCode::Auth),
            Some(index) => {
                self.counters.subscriptions.repeated.count();
                if self.subscriptions.revive(index) {
                    self.counters.subscriptions.revived.count();
                }
                index
            }
            None => {
                let NotifierAddress { server, notifier } = queue;
                self.make_room_for_server(owner, &server);
                let created = self.subscriptions.create(Wanted { owner, server, notifier, key });
                let index = created.map_err(|_| {
                    self.counters.subscriptions.refused_full.count();
                    ErrorCode::Quota
                })?;
                self.counters.subscriptions.created.count();
                index
            }
        };
        self.tokens.used(self.now, owner);
        if let Some(server) = self.subscriptions.server_of(index) {
            self.watch(server);
        }
        Ok(self.subscriptions.id(index))
    }

    /// Forgets a subscription. Its SMP server is not told: there is no command for it.
    pub(super) fn drop_subscription(&mut self, index: SubscriptionIndex) {
        let Some(owner) = self.subscriptions.get(index).map(|row| row.owner()) else { return };
        let server = self.subscriptions.server_of(index);
        self.release_queue_of(index);
        self.delivery.forget_subscription(owner, index);
        self.subscriptions.remove(index);
        if let Some(server) = server {
            self.unwatch_if_idle(server);
        }
    }

    /// Drops a server that was never reached, if all places are taken and this token may have another one.
    fn make_room_for_server(&mut self, owner: TokenIndex, wanted: &ServerAddress) {
        let Some(unreached) = self.subscriptions.in_the_way(owner, wanted, DISPLACED_MAX) else { return };
        while let Some(index) = self.subscriptions.first_of(unreached) {
            self.counters.subscriptions.displaced.count();
            self.drop_subscription(index);
        }
    }

    /// Books what a command costs its source address.
    pub(super) fn admit(&mut self, from: Option<Source>, what: Use) -> Result<(), ErrorCode<'static>> {
        if self.use_source(from, what) {
            return Ok(());
        }
        self.counters.tokens.refused_source.count();
        Err(ErrorCode::Quota)
    }

    pub(super) fn refused(&mut self, refusal: TokenRefusal) -> ErrorCode<'static> {
        match refusal {
            TokenRefusal::Taken => ErrorCode::Auth,
            TokenRefusal::Full | TokenRefusal::Crowded => {
                self.counters.tokens.refused_full.count();
                ErrorCode::Quota
            }
        }
    }
}

const fn answer(result: Result<(), ErrorCode<'static>>) -> Response<'static> {
    match result {
        Ok(()) => Response::Ok,
        Err(code) => Response::Err(code),
    }
}
