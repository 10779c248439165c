//! Being a service to SMP servers: they remember which queues are ours, so that one NSUBS brings all of them
//! back after a reconnect.
//!
//! The option is ours to use and never to rely on. Whatever goes wrong with it (no certificate asked for, the
//! service refused, its id changed, fewer queues counted than expected, the service taken by somebody else)
//! ends in asking for each queue as if there were no services. Only subscriptions that are alive are touched
//! by that, and only what happens to the service touches the ties. Each SMP server is shown a certificate of
//! its own, so that two of them cannot tell that they serve the same subscriber by comparing what they know.
//! Source: `smp-transport` 6.5 and 7.6, `ntf-protocol` 4.8 and defects D9 to D11.

use crate::base::id::EntityId;
use crate::base::rng::{Seed, Stream};
use crate::base::secret::Secret;
use crate::crypto::cert::self_signed;
use crate::crypto::sha::sha256;
use crate::link::requester::{NotSent, ReplyFault};
use crate::link::state::ServiceIdentity;
use crate::model::index::ServerIndex;
use crate::model::server::ServerAddress;
use crate::smp::client::{Resumed, resumed};
use crate::subscriber::Subscriber;
use crate::subscriber::on_server::Asked;
use crate::wire::hello::smp::ServiceRole;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use alloc::boxed::Box;
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// What one SMP server makes of us as a service.
#[derive(Debug, Default)]
pub(super) struct Service {
    /// The id under which queues are tied.
    id: Option<EntityId>,
    resume: Resume,
}

/// Whether tied queues have been asked for in the present session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Resume {
    /// They have, or there are none.
    #[default]
    Done,
    /// NSUBS goes out before anything else.
    Due,
    /// NSUBS is out; the server should count so many queues at least.
    Asked { expected: u32 },
}

/// The service that we are to one server, the same whenever this subscriber connects there.
pub(super) fn identity_for(secret: &Secret<32>, server: &ServerAddress) -> ServiceIdentity {
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    bytes.extend_from_slice(secret.expose());
    bytes.extend_from_slice(server.identity.as_bytes());
    // Each address has a connection of its own, so two of one server must not be one service: they would
    // take it from each other for ever.
    for part in server.hosts.iter().chain([&server.port]) {
        bytes.extend_from_slice(&sha256(part.as_bytes()));
    }
    let mut keys = Seed::new(sha256(&bytes)).stream(Stream::Keys);
    ServiceIdentity { credentials: Box::new(self_signed(&mut keys)), role: ServiceRole::Notifier }
}

impl Subscriber {
    /// A session has begun. Ties hold only where the server knows us by the same id as before.
    pub(super) fn on_session(&mut self, server: ServerIndex) {
        let Some(watched) = self.servers.get_mut(&server) else { return };
        let id = watched.engine.service().cloned();
        let is_known = id.is_some() && id == watched.service.id;
        if id.is_some() {
            self.counters.services.sessions.count();
        }
        watched.service.id = id;
        if !is_known {
            self.untie(server);
        }
        let tied = self.subscriptions.server(server).map_or(0, |row| row.tied());
        if let Some(watched) = self.servers.get_mut(&server) {
            watched.service.resume = if tied > 0 { Resume::Due } else { Resume::Done };
        }
    }

    /// Whether the server named the service that we are to it in this session.
    pub(super) fn is_our_service(&self, server: ServerIndex, id: &[u8]) -> bool {
        let service = self.servers.get(&server).and_then(|watched| watched.engine.service());
        service.is_some_and(|service| service.as_bytes() == id)
    }

    /// Asks for all tied queues at once, if that is due. Says whether anything was sent.
    pub(super) fn ask_for_service(&mut self, server: ServerIndex) -> bool {
        let Some(watched) = self.servers.get_mut(&server) else { return false };
        let Some(id) = watched.service.id.clone().filter(|_| watched.service.resume == Resume::Due) else {
            return false;
        };
        match watched.engine.request(self.now, Some(&id), None, &Command::Nsubs, Asked::Service) {
            Ok(()) => {
                let expected = self.subscriptions.server(server).map_or(0, |row| row.expected());
                watched.service.resume = Resume::Asked { expected };
                self.counters.services.asked.count();
                true
            }
            Err(NotSent::NotReady | NotSent::Full) => false,
            Err(NotSent::NoService | NotSent::TooLong | NotSent::CannotAuthorize(_)) => {
                debug_assert!(false, "the id is that of the open session, and NSUBS is short");
                watched.service.resume = Resume::Done;
                self.untie(server);
                false
            }
        }
    }

    /// The answer to NSUBS.
    pub(super) fn on_resumed(&mut self, server: ServerIndex, result: &Result<Message<'_>, ReplyFault>) {
        let Some(watched) = self.servers.get_mut(&server) else { return };
        let Resume::Asked { expected } = watched.service.resume else { return };
        watched.service.resume = Resume::Done;
        match resumed(result) {
            Resumed::Active { count } => {
                watched.trouble.reset();
                // Queues that have gone since the question may be missing from the answer.
                let expected =
                    expected.min(self.subscriptions.server(server).map_or(0, |row| row.expected()));
                if count < u64::from(expected) {
                    self.counters.services.short.count();
                    self.untie(server);
                } else {
                    self.counters.services.resumed.count();
                    self.subscriptions.served(server);
                }
            }
            Resumed::TryLater => {
                watched.service.resume = Resume::Due;
                self.pause(server);
            }
            Resumed::Failed => self.untie(server),
        }
    }

    /// No answer to NSUBS came in time.
    pub(super) fn on_service_unanswered(&mut self, server: ServerIndex) {
        if let Some(watched) = self.servers.get_mut(&server)
            && matches!(watched.service.resume, Resume::Asked { .. })
        {
            watched.service.resume = Resume::Due;
        }
    }

    /// ENDS: somebody else is the service now. Takes no part in a tug-of-war: from here on this server is asked
    /// for each queue, which unties it there. Source: `ntf-protocol` D11.
    pub(super) fn on_service_taken(&mut self, server: ServerIndex) {
        self.counters.services.taken.count();
        self.leave_service(server);
    }

    /// Goes on without being a service to this server.
    pub(super) fn leave_service(&mut self, server: ServerIndex) {
        self.untie(server);
        if let Some(watched) = self.servers.get_mut(&server) {
            watched.service = Service::default();
            watched.engine.go_on_without_service(self.now);
        }
    }

    fn untie(&mut self, server: ServerIndex) {
        if let Some(watched) = self.servers.get_mut(&server) {
            watched.service.resume = Resume::Done;
        }
        let untied = self.subscriptions.untie(server);
        self.counters.services.untied.add(u64::from(untied));
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::server::Fingerprint;
    use alloc::vec;

    #[test]
    fn every_address_is_shown_a_certificate_of_its_own() {
        let address = |hosts: &[&str], port: &str, identity| ServerAddress {
            hosts: hosts.iter().map(|host| (*host).into()).collect(),
            port: port.into(),
            identity: Fingerprint::new([identity; 32]),
        };
        let shown = |secret, address: &ServerAddress| {
            identity_for(&Secret::new([secret; 32]), address).credentials.chain[0].clone()
        };
        let first = address(&["a.example"], "", 1);
        let mut all = vec![shown(1, &first), shown(2, &first)];
        for other in [
            address(&["a.example"], "5223", 1),
            address(&["a.example", "5223"], "", 1),
            address(&["b.example"], "", 1),
            address(&["a.example"], "", 2),
        ] {
            all.push(shown(1, &other));
        }
        assert_eq!(shown(1, &first), all[0], "the same at each connection");
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
