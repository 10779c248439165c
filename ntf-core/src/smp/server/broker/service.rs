//! Services: who speaks as one, and which queues are tied to it.
//!
//! A queue is tied by a service's NSUB and untied by one from anybody else. One link at a time gets the
//! notifications of all queues of a service: the latest that sent NSUBS or NSUB as it. Queues of services that
//! receive messages are not tied: such a service is told so (`SOK` without an id, `SOKS 0`) and subscribes to
//! each, as it must be ready to. Source: `smp-transport` 6.5.

use super::Broker;
use crate::base::id::LinkId;
use crate::model::server::Fingerprint;
use crate::smp::server::delivery::{Refusal, Reply};
use crate::smp::server::id::{QueueNo, ServiceId};
use crate::smp::server::presence::{Ending, Subscribed};
use crate::smp::server::services::ServiceNo;
use crate::wire::hello::smp::ServiceRole;

impl Broker {
    /// A link introduces itself as a service. Gives the service's id, or `None` when it is not taken as one.
    pub(in crate::smp::server) fn introduce(
        &mut self,
        link: LinkId,
        identity: Fingerprint,
        role: ServiceRole,
    ) -> Option<ServiceId> {
        let Self { services, presences, counters, ids, .. } = self;
        let presence = presences.get_mut(&link)?;
        let Ok((no, id)) = services.introduce(identity, role, ids) else {
            counters.services_refused.count();
            return None;
        };
        presence.service = Some(no);
        Some(id)
    }

    /// NSUBS: notifications of all queues tied to the service go to `link` from now on.
    pub(in crate::smp::server) fn watch_all(&mut self, link: LinkId) -> Reply {
        let Some(no) = self.service_of(link) else {
            return Reply::Refused(Refusal::Service);
        };
        self.move_service(no, link);
        let count = self.services.get_mut(no).map_or(0, |service| service.queues.len());
        Reply::ServiceSubscribed(count)
    }

    /// The service that a link has introduced itself as.
    pub(super) fn service_of(&self, link: LinkId) -> Option<ServiceNo> {
        self.presences.get(&link)?.service
    }

    /// Makes `link` the one that gets the notifications of a service. The former one stops at once and is told
    /// in the next event round, in one event for all queues.
    pub(super) fn move_service(&mut self, no: ServiceNo, link: LinkId) {
        let Some(service) = self.services.get_mut(no) else {
            return;
        };
        let former = service.link.replace(link);
        if former == Some(link) {
            return;
        }
        let queues = service.queues.clone();
        let ended = Subscribed::Service(service.id);
        for queue in &queues {
            self.move_watcher(link, *queue);
        }
        if let Some(former) = former {
            self.end(former, ended, Ending::ServiceTaken { queues: queues.len() });
        }
        if let Some(presence) = self.presences.get_mut(&link) {
            // As with a single queue: a link that lost the service and took it back has not lost it.
            presence.endings.remove(&ended);
        }
    }

    /// Ties a queue to a service, or to none. Gives the id of the service that it is tied to.
    pub(super) fn tie(&mut self, no: QueueNo, service: Option<ServiceNo>) -> Option<ServiceId> {
        let former = {
            let notifier = self.store.notifier_mut(no)?;
            core::mem::replace(&mut notifier.service, service)
        };
        if let Some(former) = former.filter(|former| Some(*former) != service) {
            self.untie(no, former);
        }
        let service = self.services.get_mut(service?)?;
        service.queues.insert(no);
        Some(service.id)
    }

    /// A queue is not tied to this service any more.
    pub(super) fn untie(&mut self, no: QueueNo, service: ServiceNo) {
        if let Some(service) = self.services.get_mut(service) {
            service.queues.remove(&no);
        }
    }
}
