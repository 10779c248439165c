//! The server's side of a link: from blocks to authorized commands, from replies to blocks.
//!
//! [`Responder::on_block`] gives the requests of a block, one by one through
//! [`next_request`](Responder::next_request). What cannot be read, lacks credentials or is not authorized is
//! answered here, with the error and in the place that `smp-transport` 4.6 and `ntf-protocol` 1.5 to 1.7
//! say, and the role never sees it. The role names the key of each request's entity;
//! [`verify`](Responder::verify) alone makes an [`Authorized`] command, and roles accept nothing less.
//! The module does not know what a command does.
//!
//! ```text
//! let mut requests = responder.on_block(block)?;
//! while let Some(request) = responder.next_request(&mut requests) {
//!     let credential = look_up(request.entity(), request.command());
//!     if let Ok(authorized) = responder.verify(request, credential) {
//!         responder.reply(authorized.reply_to(), &answer_to(authorized.command()));
//!     }
//! }
//! while let Some(block) = responder.take_block() { send(block) }
//! ```

mod request;

pub use request::{Authorized, Credential, Refused, ReplyLater, ReplyTo, Request, Requests, Rest};

use crate::base::fault::{Misuse, PeerFault};
use crate::base::id::EntityId;
use crate::base::meter::Counter;
use crate::base::rng::Rng;
use crate::crypto::auth;
use crate::crypto::cert::ServerCredentials;
use crate::crypto::keys::Ed25519Public;
use crate::link::dialect::{Dialect, Signing};
use crate::link::event::{Block, Transport};
use crate::link::outgoing::TooLong;
use crate::link::state::{
    Applicant, LinkFault, PeerService, ServerGreeted, ServerGreeting, ServerSession, Unreadable, refusal,
};
use crate::wire::batch::BatchReader;
use crate::wire::cursor::Writer;
use crate::wire::error_code::{CommandError, ErrorCode, HandshakeError};
use crate::wire::transmission::{self, Transmission};
use crate::wire::version::VersionRange;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// The server's end of one link.
pub struct Responder<D: Dialect> {
    state: State<D>,
    /// Replies that no block can carry.
    unsendable: Counter,
}

enum State<D: Dialect> {
    /// Our hello is out or waits to be taken; the client's is awaited.
    Greeting { greeting: ServerGreeting<D>, hello: Option<Block> },
    /// The client has introduced itself as a service; the role is to say whether it is taken as one.
    Introduced(Box<Applicant<D>>),
    /// Commands may come. An answer to a service goes before everything else.
    Open { session: Box<ServerSession<D>>, welcome: Option<Block> },
    /// A fault ended the link; perhaps one block is left to say so.
    Over { last: Option<Block> },
}

impl<D: Dialect> Responder<D> {
    /// The server's end of a link whose TLS is up; the first block to take is the hello.
    ///
    /// `versions` is offered where an ALPN name was agreed, the oldest version alone elsewhere. `keys`
    /// gives the session key.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when the credentials are no server's or do not fit a block.
    pub fn accept(
        transport: &Transport,
        credentials: &ServerCredentials,
        versions: VersionRange<D::Version>,
        keys: &mut Rng,
    ) -> Result<Self, Misuse> {
        let (greeting, hello) = ServerGreeting::new(transport, credentials, versions, keys)?;
        Ok(Self { state: State::Greeting { greeting, hello: Some(hello) }, unsendable: Counter::default() })
    }

    /// The agreed version, once the client has said hello.
    #[must_use]
    pub const fn version(&self) -> Option<D::Version> {
        match &self.state {
            State::Open { session, .. } => Some(session.version()),
            State::Greeting { .. } | State::Introduced(_) | State::Over { .. } => None,
        }
    }

    /// The service that waits to be taken as one, after a block that held its hello.
    ///
    /// Its identity is proven; whether it is welcome is the role's to say, with
    /// [`accept_service`](Self::accept_service) or [`refuse_service`](Self::refuse_service), before the
    /// next block. Source: `smp-transport` 3.4.
    #[must_use]
    pub fn applicant(&self) -> Option<&Applicant<D>> {
        match &self.state {
            State::Introduced(applicant) => Some(applicant),
            State::Greeting { .. } | State::Open { .. } | State::Over { .. } => None,
        }
    }

    /// Takes the client as the service of this id.
    pub fn accept_service(&mut self, id: EntityId) {
        self.state = match core::mem::replace(&mut self.state, State::Over { last: None }) {
            State::Introduced(applicant) => {
                let (session, welcome) = applicant.accept(id);
                State::Open { session: Box::new(session), welcome: Some(welcome) }
            }
            other @ (State::Greeting { .. } | State::Open { .. } | State::Over { .. }) => other,
        };
    }

    /// Does not take the client as a service: `HANDSHAKE BAD_SERVICE`. Take and send what blocks are left,
    /// then close the link.
    pub fn refuse_service(&mut self) {
        if let State::Introduced(_) = self.state {
            self.state = State::Over { last: Some(refusal::<D>(HandshakeError::BadService)) };
        }
    }

    /// The service that the client is, if it is one.
    #[must_use]
    pub const fn service(&self) -> Option<&PeerService> {
        match &self.state {
            State::Open { session, .. } => session.service.as_ref(),
            State::Greeting { .. } | State::Introduced(_) | State::Over { .. } => None,
        }
    }

    /// Takes a block and gives the requests in it; none while hellos are exchanged.
    ///
    /// # Errors
    ///
    /// The fault for which the link must be closed. Take and send what blocks are left before.
    pub fn on_block<'b>(&mut self, block: &'b mut [u8]) -> Result<Requests<'b>, LinkFault> {
        match core::mem::replace(&mut self.state, State::Over { last: None }) {
            State::Greeting { greeting, .. } => {
                match greeting.on_hello(block) {
                    Ok(ServerGreeted::Open(session)) => {
                        self.state = State::Open { session: Box::new(session), welcome: None };
                    }
                    Ok(ServerGreeted::Applicant(applicant)) => {
                        self.state = State::Introduced(Box::new(applicant));
                    }
                    Err(fault @ LinkFault::UnprovenService) => {
                        self.state = State::Over { last: Some(refusal::<D>(HandshakeError::BadAuth)) };
                        return Err(fault);
                    }
                    Err(fault) => return Err(fault),
                }
                Ok(Requests::new(None))
            }
            // A client must wait for the answer to its introduction.
            State::Introduced(_) => Err(LinkFault::UnprovenService),
            State::Open { mut session, welcome } => {
                let format = D::format(session.version());
                let batch = match session.session.open(block) {
                    Err(Unreadable::Len) => return Err(LinkFault::WrongBlockLen),
                    Err(Unreadable::Seal | Unreadable::Padding) => None,
                    Ok(content) => BatchReader::new(content, format).ok(),
                };
                self.state = State::Open { session, welcome };
                if batch.is_none() {
                    self.reply(ReplyTo::NOBODY, &D::error(ErrorCode::Block));
                }
                Ok(Requests::new(batch))
            }
            over @ State::Over { .. } => {
                self.state = over;
                Ok(Requests::new(None))
            }
        }
    }

    /// The next request that is readable and has the credentials its command needs. Others before it
    /// are answered with their error.
    pub fn next_request<'b>(&mut self, requests: &mut Requests<'b>) -> Option<Request<'b, D>> {
        loop {
            let before = requests.batch.clone();
            let item = requests.batch.as_mut()?.next()?;
            match self.read(item) {
                Ok(request) => {
                    requests.before = before;
                    return Some(request);
                }
                Err(Refusal { to, code }) => self.reply(to, &D::error(code)),
            }
        }
    }

    /// The requests that were left of a block, perhaps on a responder's way to another owner.
    #[must_use]
    pub fn resume<'b>(&self, rest: &'b Rest) -> Requests<'b> {
        let format = self.version().map(D::format);
        Requests::new(format.and_then(|format| BatchReader::new(&rest.0, format).ok()))
    }

    /// Checks a request's authorization against what its entity asks for, and in a service session what the
    /// service has to sign. Commands that the service alone signs ask for [`Credential::Open`].
    ///
    /// # Errors
    ///
    /// [`Refused`]: the error is on its way to the client already. An unknown entity costs as much time
    /// as a wrong authorization and is answered alike.
    pub fn verify<'b>(
        &mut self,
        request: Request<'b, D>,
        credential: Credential<'_>,
    ) -> Result<Authorized<'b, D>, Refused> {
        let State::Open { session, .. } = &self.state else { return Err(Refused) };
        match verdict(session, &request, credential) {
            Ok(()) => Ok(Authorized { request }),
            Err(code) => {
                self.refuse(&request, code);
                Err(Refused)
            }
        }
    }

    /// Answers a request with an error, unverified.
    pub fn refuse(&mut self, request: &Request<'_, D>, code: ErrorCode<'_>) {
        self.reply(request.reply_to(), &D::error(code));
    }

    /// Answers a request, at once or later.
    ///
    /// A reply that no block can carry is replaced by `ERR INTERNAL`, so that the client need not wait for
    /// its timeout, and counted ([`unsendable`](Self::unsendable)).
    pub fn reply(&mut self, to: ReplyTo<'_>, message: &D::Message<'_>) {
        if self.push(to, message).is_err() {
            self.unsendable.count();
            // Ids of up to 255 bytes can leave no room even for this; then nothing can be said.
            let _ = self.push(to, &D::error(ErrorCode::Internal));
        }
    }

    /// Tells the client of an event.
    pub fn event(&mut self, entity: &[u8], message: &D::Message<'_>) {
        self.reply(ReplyTo { corr: &[], entity }, message);
    }

    /// Takes the next block to send. Call until there is none, after each input.
    pub fn take_block(&mut self) -> Option<Block> {
        match &mut self.state {
            State::Greeting { hello, .. } => hello.take(),
            State::Introduced(_) => None,
            State::Open { session, welcome } => welcome.take().or_else(|| session.outgoing.take()),
            State::Over { last } => last.take(),
        }
    }

    /// The adapter has sent so many more blocks.
    pub const fn on_sent(&mut self, blocks: u32) {
        match &mut self.state {
            State::Open { session, .. } => session.outgoing.on_sent(blocks),
            State::Greeting { .. } | State::Introduced(_) | State::Over { .. } => {}
        }
    }

    /// Blocks made and not reported as sent: the gauge.
    #[must_use]
    pub fn unsent(&self) -> u32 {
        match &self.state {
            State::Open { session, .. } => session.outgoing.unsent(),
            State::Greeting { .. } | State::Introduced(_) | State::Over { .. } => 0,
        }
    }

    /// Whether the client takes blocks more slowly than it is given them: events should wait.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        match &self.state {
            State::Open { session, .. } => session.outgoing.is_congested(),
            State::Greeting { .. } | State::Introduced(_) | State::Over { .. } => false,
        }
    }

    /// Replies that no block could carry.
    #[must_use]
    pub const fn unsendable(&self) -> u64 {
        self.unsendable.total()
    }

    /// Reads one transmission as far as its command.
    fn read<'b>(&self, item: Result<Transmission<'b>, PeerFault>) -> Result<Request<'b, D>, Refusal<'b>> {
        let State::Open { session: open, .. } = &self.state else {
            return Err(Refusal::nobody(ErrorCode::Block));
        };
        let transmission = item.map_err(|_| Refusal::nobody(ErrorCode::Block))?;
        let corr_only = ReplyTo { corr: transmission.corr_id, entity: &[] };
        if transmission.session_id.is_some_and(|id| id != &*open.session.id) {
            return Err(Refusal { to: corr_only, code: ErrorCode::Session });
        }
        if !transmission.has_lawful_authorization() {
            return Err(Refusal { to: corr_only, code: ErrorCode::Block });
        }
        let to = ReplyTo { corr: transmission.corr_id, entity: transmission.entity_id };
        let command = D::decode_command(transmission.command, open.version())
            .map_err(|fault| Refusal { to, code: ErrorCode::of(fault) })?;
        D::check_credentials(&command, &transmission)
            .map_err(|complaint: CommandError| Refusal { to, code: ErrorCode::Cmd(complaint) })?;
        Ok(Request { transmission, command })
    }

    fn push(&mut self, to: ReplyTo<'_>, message: &D::Message<'_>) -> Result<(), TooLong> {
        let State::Open { session, .. } = &mut self.state else { return Ok(()) };
        let ServerSession { session, outgoing, .. } = &mut **session;
        let (version, format) = (session.version, D::format(session.version));
        outgoing.push(|out| {
            let mut writer = Writer::new(out);
            writer.short(&[]);
            if format.sends_session_id() {
                writer.short(&session.id);
            }
            transmission::write_body(to.corr, to.entity, out, |out| {
                D::encode_message(message, version, out);
            });
        })
    }
}

impl<D: Dialect> fmt::Debug for Responder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Greeting { .. } => "Responder(greeting)",
            State::Introduced(_) => "Responder(introduced)",
            State::Open { .. } => "Responder(open)",
            State::Over { .. } => "Responder(over)",
        })
    }
}

/// What is answered to a transmission that is not a request.
struct Refusal<'b> {
    to: ReplyTo<'b>,
    code: ErrorCode<'static>,
}

impl Refusal<'_> {
    const fn nobody(code: ErrorCode<'static>) -> Self {
        Self { to: ReplyTo::NOBODY, code }
    }
}

/// Checks a request's authorization and, in a service session, what the service signed; the time it takes
/// tells nothing about the entity.
///
/// What is wrong is found in this order: the entity, the service's role, the service's signature, the
/// owner's authorization. Source: `smp-transport` 4.5.
fn verdict<D: Dialect>(
    open: &ServerSession<D>,
    request: &Request<'_, D>,
    credential: Credential<'_>,
) -> Result<(), ErrorCode<'static>> {
    let transmission = &request.transmission;
    let signing = match (&open.service, D::signing(&request.command)) {
        (None, Signing::OwnerAndService) => Signing::Owner,
        (_, signing) => signing,
    };
    // A command may hold a private key (SNEW), so the copy is wiped. A service's name goes before the bytes
    // that both sign.
    let to_auth_len = open.session.id.len() + 1 + transmission.body.len();
    let mut to_auth = Zeroizing::new(Vec::with_capacity(FINGERPRINT_LEN + to_auth_len));
    if let (Signing::OwnerAndService, Some(service)) = (signing, &open.service) {
        to_auth.extend_from_slice(service.identity.as_bytes());
    }
    let service_from = to_auth.len();
    transmission::write_authorized(&open.session.id, transmission.body, &mut to_auth);
    let signed_by_service = to_auth.get(service_from..).unwrap_or_default();

    let is_service_right = match (signing, &open.service) {
        (Signing::Owner, _) => transmission.service_signature.is_none(),
        (Signing::OwnerAndService, Some(service)) => transmission
            .service_signature
            .is_some_and(|signature| is_signed(&service.key, signed_by_service, signature)),
        (Signing::Service, Some(service)) => {
            transmission.service_signature.is_none()
                && transmission.entity_id == service.id.as_bytes()
                && is_signed(&service.key, signed_by_service, transmission.authorization)
        }
        (Signing::OwnerAndService | Signing::Service, None) => false,
    };
    let owner = match signing {
        Signing::Owner | Signing::OwnerAndService => is_authorized(open, transmission, credential, &to_auth),
        Signing::Service => Verdict::Yes,
    };
    let is_in_role = open.service.as_ref().is_none_or(|service| D::is_for(&request.command, service.role));
    match owner {
        Verdict::NobodyThere => Err(ErrorCode::Auth),
        Verdict::Yes | Verdict::No if !is_in_role => Err(ErrorCode::Cmd(CommandError::Prohibited)),
        Verdict::Yes | Verdict::No if !is_service_right => Err(ErrorCode::Service),
        Verdict::No => Err(ErrorCode::Auth),
        Verdict::Yes => Ok(()),
    }
}

/// Whether a service signed this. A signature of another length is a plain no.
fn is_signed(key: &Ed25519Public, message: &[u8], signature: &[u8]) -> bool {
    signature.try_into().is_ok_and(|signature| key.verify(message, signature))
}

const FINGERPRINT_LEN: usize = 32;

enum Verdict {
    Yes,
    No,
    NobodyThere,
}

/// Checks the authorization by an entity's owner.
fn is_authorized<D: Dialect>(
    open: &ServerSession<D>,
    transmission: &Transmission<'_>,
    credential: Credential<'_>,
    to_auth: &[u8],
) -> Verdict {
    let verdict = |yes| if yes { Verdict::Yes } else { Verdict::No };
    if transmission.authorization.is_empty() {
        return match credential {
            Credential::Open => Verdict::Yes,
            Credential::Key(_) | Credential::AnyOf(_) => Verdict::No,
            Credential::Unknown => Verdict::NobodyThere,
        };
    }
    let verify =
        |key| auth::verify(key, open.key.as_ref(), transmission.corr_id, to_auth, transmission.authorization);
    match credential {
        Credential::Key(key) => verdict(verify(Some(key))),
        Credential::AnyOf([]) | Credential::Open => verdict(verify(None)),
        Credential::AnyOf(keys) => verdict(keys.iter().any(|key| verify(Some(key)))),
        Credential::Unknown => {
            let _ = verify(None);
            Verdict::NobodyThere
        }
    }
}

#[cfg(test)]
mod tests;
