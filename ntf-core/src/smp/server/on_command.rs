//! From the requests of one block to replies: look up the key, have it verified, execute, answer.
//!
//! All requests of a block are checked before the first is executed, so that a command cannot change who
//! may give the others; then they are executed from the last to the first, and answered in their order.
//! Source: `smp-transport` 4.8.

use super::Server;
use super::broker::Broker;
use super::delivery::{Refusal, Reply};
use super::id::{QueueNo, ShortLinkId};
use super::queue::Access;
use super::store::Store;
use crate::base::id::{EntityId, LinkId};
use crate::base::time::Now;
use crate::crypto::keys::AuthPublicKey;
use crate::link::dialect::Smp;
use crate::link::responder::{Authorized, Credential, Request, Requests};
use crate::wire::smp::command::Command;
use crate::wire::version::SmpVersion;
use alloc::vec::Vec;

/// Who must have authorized a request, and which queue it is about.
enum LookUp<'s> {
    /// Nobody, and no queue.
    Free,
    /// Nobody.
    Open(QueueNo),
    /// The owner of this key, who needs no queue.
    Own(AuthPublicKey),
    /// The owner of this key.
    Key(AuthPublicKey, QueueNo),
    /// An owner of one of these keys.
    AnyOf(&'s [AuthPublicKey], QueueNo),
    /// There is no such queue.
    Unknown,
    /// Refused whoever asks.
    Never(Refusal),
}

/// A checked command, and its queue if it is about one.
struct Task<'b> {
    command: Authorized<'b, Smp>,
    queue: Option<QueueNo>,
}

impl Server {
    /// Checks, executes and answers the requests of one block.
    pub(super) fn on_requests(
        &mut self,
        now: Now,
        link: LinkId,
        version: SmpVersion,
        mut requests: Requests<'_>,
    ) {
        let Some(connection) = self.links.get_mut(&link) else {
            return;
        };
        let responder = &mut connection.responder;
        let mut tasks = Vec::new();
        while let Some(request) = responder.next_request(&mut requests) {
            let found = look_up(self.broker.store(), &request);
            let (credential, queue) = match &found {
                LookUp::Free => (Credential::Open, None),
                LookUp::Open(no) => (Credential::Open, Some(*no)),
                LookUp::Own(key) => (Credential::Key(key), None),
                LookUp::Key(key, no) => (Credential::Key(key), Some(*no)),
                LookUp::AnyOf(keys, no) => (Credential::AnyOf(keys), Some(*no)),
                LookUp::Unknown => (Credential::Unknown, None),
                LookUp::Never(refusal) => {
                    responder.refuse(&request, refusal.code());
                    continue;
                }
            };
            match responder.verify(request, credential) {
                Ok(command) => tasks.push(Task { command, queue }),
                Err(_) => self.broker.counters_mut().refused_auth.count(),
            }
        }

        let mut replies = Vec::with_capacity(tasks.len());
        for task in tasks.iter().rev() {
            self.broker.counters_mut().commands.count();
            replies.push(execute(&mut self.broker, now, link, version, task));
        }
        for (task, reply) in tasks.iter().zip(replies.iter().rev()) {
            responder.reply(task.command.reply_to(), &reply.message());
        }
    }
}

/// Finds the queue that a request names, under the kind of id that its command takes, and its key.
fn look_up<'s>(store: &'s Store, request: &Request<'_, Smp>) -> LookUp<'s> {
    let entity = request.entity();
    match request.command() {
        // The service alone signs the latter two.
        Command::Ping | Command::Subs | Command::Nsubs => LookUp::Free,
        Command::New(new) => LookUp::Own(new.auth),
        Command::Sub
        | Command::Get
        | Command::Ack { .. }
        | Command::Key { .. }
        | Command::Rkey { .. }
        | Command::Nkey { .. }
        | Command::Ndel
        | Command::Lset { .. }
        | Command::Ldel
        | Command::Off
        | Command::Del
        | Command::Que => look_up_recipient(store, entity),
        Command::Send { .. } => look_up_sender(store, entity),
        // Authorized by the key that is to be set; whether it may be is the broker's to say.
        Command::Skey { sender } => match store.by_sender(entity) {
            Some(no) => LookUp::Key(*sender, no),
            None => LookUp::Unknown,
        },
        Command::Lkey { sender } => match by_link(store, entity) {
            Some(no) => LookUp::Key(*sender, no),
            None => LookUp::Unknown,
        },
        Command::Lget => by_link(store, entity).map_or(LookUp::Unknown, LookUp::Open),
        Command::Nsub => look_up_notifier(store, entity),
        Command::Prxy { .. } => LookUp::Never(Refusal::NoProxy),
        Command::Pfwd { .. } => LookUp::Never(Refusal::NoProxySession),
        Command::Rfwd { .. } => LookUp::Never(Refusal::Prohibited),
    }
}

fn look_up_recipient<'s>(store: &'s Store, entity: &[u8]) -> LookUp<'s> {
    let found = store.by_recipient(entity).and_then(|no| Some((store.queue(no)?, no)));
    found.map_or(LookUp::Unknown, |(queue, no)| LookUp::AnyOf(&queue.recipient_keys, no))
}

fn look_up_sender<'s>(store: &Store, entity: &[u8]) -> LookUp<'s> {
    let found = store.by_sender(entity).and_then(|no| Some((store.queue(no)?.access, no)));
    match found {
        Some((Access::Open, no)) => LookUp::Open(no),
        Some((Access::Secured(key), no)) => LookUp::Key(key, no),
        None => LookUp::Unknown,
    }
}

fn look_up_notifier<'s>(store: &Store, entity: &[u8]) -> LookUp<'s> {
    let found = store.by_notifier(entity).and_then(|no| Some((store.notifier(no)?.key, no)));
    found.map_or(LookUp::Unknown, |(key, no)| LookUp::Key(key, no))
}

fn by_link(store: &Store, entity: &[u8]) -> Option<QueueNo> {
    store.by_link(&ShortLinkId(EntityId::new(entity)?))
}

/// Does what a checked command says.
fn execute(broker: &mut Broker, now: Now, link: LinkId, version: SmpVersion, task: &Task<'_>) -> Reply {
    let command = task.command.command();
    match (command, task.queue) {
        (Command::Ping, _) => Reply::Pong,
        (Command::Subs, _) => Reply::ServiceSubscribed(0),
        (Command::Nsubs, _) => broker.watch_all(link),
        (Command::New(new), _) => broker.create(link, task.command.reply_to().corr, new),
        (command, Some(no)) => execute_on_queue(broker, now, link, version, command, no),
        (_, None) => {
            debug_assert!(false, "every other command that can be verified has a queue");
            Reply::Refused(Refusal::Internal)
        }
    }
}

fn execute_on_queue(
    broker: &mut Broker,
    now: Now,
    link: LinkId,
    version: SmpVersion,
    command: &Command<'_>,
    no: QueueNo,
) -> Reply {
    match command {
        Command::Sub => broker.subscribe(now, link, no),
        Command::Get => broker.fetch(now, link, no),
        Command::Ack { message } => broker.acknowledge(now, link, no, message),
        Command::Key { sender } => broker.secure(no, *sender),
        Command::Rkey { recipients } => broker.replace_recipient_keys(no, recipients),
        Command::Nkey { notifier, dh } => broker.set_notifier(no, *notifier, *dh),
        Command::Ndel => broker.remove_notifier(no),
        Command::Lset { link, data } => match EntityId::new(link) {
            Some(id) => broker.set_short_link(no, ShortLinkId(id), *data),
            None => Reply::Refused(Refusal::Prohibited),
        },
        Command::Ldel => broker.remove_short_link(no),
        Command::Off => broker.suspend(no),
        Command::Del => broker.delete(link, no),
        Command::Que => broker.describe(link, no),
        Command::Send { notify, message } => {
            broker.send(now, no, *notify, message, version.message_len_max())
        }
        Command::Skey { sender } => broker.secure_by_sender(no, *sender),
        Command::Lkey { sender } => broker.follow_and_secure(no, *sender),
        Command::Lget => broker.follow_contact_link(no),
        Command::Nsub => broker.watch(link, no),
        Command::New(_)
        | Command::Ping
        | Command::Subs
        | Command::Nsubs
        | Command::Prxy { .. }
        | Command::Pfwd { .. }
        | Command::Rfwd { .. } => {
            debug_assert!(false, "these are about no queue");
            Reply::Refused(Refusal::Internal)
        }
    }
}
