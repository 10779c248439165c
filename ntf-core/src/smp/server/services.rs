//! Services that have introduced themselves, and the queues whose notifications each of them gets.
//!
//! A service is known by its certificate and keeps its id for as long as it is remembered. Which queues are
//! tied to it is remembered beyond its links; which link gets the notifications is not. Source:
//! `smp-transport` 3.4, 6.5.

use super::id::{QueueNo, ServiceId};
use crate::base::id::LinkId;
use crate::base::rng::Rng;
use crate::model::server::Fingerprint;
use crate::wire::hello::smp::ServiceRole;
use alloc::collections::{BTreeMap, BTreeSet};

/// A service's place in the table. Never reused, so a stale one finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServiceNo(u64);

/// One service.
#[derive(Debug)]
pub(super) struct Service {
    /// What its links and events call it.
    pub(super) id: ServiceId,
    /// The link that gets the notifications of its queues. It may be down.
    pub(super) link: Option<LinkId>,
    /// The queues tied to it.
    pub(super) queues: BTreeSet<QueueNo>,
    identity: Fingerprint,
    role: ServiceRole,
    /// Links that introduced themselves as it and are up.
    links: usize,
}

/// All services.
#[derive(Debug)]
pub(super) struct Services {
    bound: usize,
    rows: BTreeMap<ServiceNo, Service>,
    by_identity: BTreeMap<Fingerprint, ServiceNo>,
    next: u64,
}

/// Why a service is not taken as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The certificate is that of a service with another role.
    OtherRole,
    /// The table is full of services that are connected or have queues.
    Full,
}

impl Services {
    pub(super) const fn new(bound: usize) -> Self {
        Self { bound, rows: BTreeMap::new(), by_identity: BTreeMap::new(), next: 0 }
    }

    /// A link introduces itself as the service of this certificate.
    pub(super) fn introduce(
        &mut self,
        identity: Fingerprint,
        role: ServiceRole,
        ids: &mut Rng,
    ) -> Result<(ServiceNo, ServiceId), NotTaken> {
        let no = match self.by_identity.get(&identity) {
            Some(no) => *no,
            None => self.add(identity, role, ids)?,
        };
        let service = self.rows.get_mut(&no).filter(|service| service.role == role);
        let service = service.ok_or(NotTaken::OtherRole)?;
        service.links = service.links.saturating_add(1);
        Ok((no, service.id))
    }

    fn add(
        &mut self,
        identity: Fingerprint,
        role: ServiceRole,
        ids: &mut Rng,
    ) -> Result<ServiceNo, NotTaken> {
        if self.rows.len() >= self.bound {
            self.drop_unused()?;
        }
        let no = ServiceNo(self.next);
        self.next = self.next.saturating_add(1);
        let service = Service {
            id: ServiceId::new(ids.bytes()),
            link: None,
            queues: BTreeSet::new(),
            identity,
            role,
            links: 0,
        };
        self.rows.insert(no, service);
        self.by_identity.insert(identity, no);
        Ok(no)
    }

    /// Makes room: anybody can make a certificate, so one that was used for nothing is worth nothing.
    fn drop_unused(&mut self) -> Result<(), NotTaken> {
        let is_unused = |service: &Service| service.links == 0 && service.queues.is_empty();
        let unused = self.rows.iter().find(|(_, service)| is_unused(service)).map(|(no, _)| *no);
        let service = unused.and_then(|no| self.rows.remove(&no)).ok_or(NotTaken::Full)?;
        self.by_identity.remove(&service.identity);
        Ok(())
    }

    pub(super) fn get_mut(&mut self, no: ServiceNo) -> Option<&mut Service> {
        self.rows.get_mut(&no)
    }

    /// A link that had introduced itself as this service is down.
    pub(super) fn on_link_down(&mut self, no: ServiceNo, link: LinkId) {
        if let Some(service) = self.rows.get_mut(&no) {
            service.links = service.links.saturating_sub(1);
            service.link.take_if(|current| *current == link);
        }
    }

    /// Services known.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Queues tied to any of them.
    pub(super) fn tied_len(&self) -> usize {
        self.rows.values().map(|service| service.queues.len()).sum()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.bound);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};

    #[test]
    fn a_certificate_keeps_its_id_and_its_role() {
        let mut ids = Seed::from_number(1).stream(Stream::Ids);
        let mut services = Services::new(8);
        let mut meet = |identity, role| services.introduce(Fingerprint::new([identity; 32]), role, &mut ids);
        let first = meet(1, ServiceRole::Notifier).unwrap();
        assert_eq!(meet(1, ServiceRole::Notifier), Ok(first));
        assert_ne!(meet(2, ServiceRole::Notifier), Ok(first));
        assert_eq!(meet(1, ServiceRole::Messaging), Err(NotTaken::OtherRole));
        assert_eq!(meet(1, ServiceRole::Notifier), Ok(first));
    }

    #[test]
    fn a_full_table_forgets_only_services_that_are_of_no_use() {
        let mut ids = Seed::from_number(1).stream(Stream::Ids);
        let mut services = Services::new(2);
        let link = LinkId::accepted(1);
        let mut meet = |services: &mut Services, identity| {
            services.introduce(Fingerprint::new([identity; 32]), ServiceRole::Notifier, &mut ids)
        };
        let (first, _) = meet(&mut services, 1).unwrap();
        let (second, _) = meet(&mut services, 2).unwrap();
        assert_eq!(meet(&mut services, 3), Err(NotTaken::Full), "both are connected");
        services.get_mut(first).unwrap().queues.insert(QueueNo(7));
        services.on_link_down(first, link);
        assert_eq!(meet(&mut services, 3), Err(NotTaken::Full), "one has a queue");
        services.on_link_down(second, link);
        assert!(meet(&mut services, 3).is_ok());
        assert_eq!(services.len(), 2);
        assert!(services.get_mut(second).is_none() && services.get_mut(first).is_some());
    }
}
