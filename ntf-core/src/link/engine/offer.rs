//! Whether a client offers to be a service at its next attempt.
//!
//! A server that does not take it as one, or that fails the connection when it sees the certificate, must
//! still be reached: a refusal ends the offer, and any other failure withholds it from the next attempt.

use super::Loss;
use crate::link::event::DownReason;
use crate::link::state::{LinkFault, ServiceIdentity};

/// The service that a client offers to be.
#[derive(Debug)]
pub(super) struct Offer {
    service: ServiceIdentity,
    is_withheld: bool,
    is_refused: bool,
}

impl Offer {
    pub(super) const fn new(service: ServiceIdentity) -> Self {
        Self { service, is_withheld: false, is_refused: false }
    }

    /// What to show and to say at this attempt, if anything.
    pub(super) fn service(&self) -> Option<&ServiceIdentity> {
        Some(&self.service).filter(|_| !self.is_withheld && !self.is_refused)
    }

    /// A link was opened: the next one is offered again.
    pub(super) const fn on_opened(&mut self) {
        self.is_withheld = false;
    }

    /// An attempt failed.
    pub(super) const fn on_failed(&mut self, why: Loss) {
        match why {
            Loss::Fault(LinkFault::ServiceRefused) => self.is_refused = true,
            // Nobody saw the certificate.
            Loss::Down(
                DownReason::Unreachable
                | DownReason::NotPublic
                | DownReason::WrongIdentity
                | DownReason::Asked,
            )
            | Loss::Asked => {}
            Loss::Down(DownReason::Closed | DownReason::Broken | DownReason::Tls | DownReason::TimedOut)
            | Loss::Fault(_)
            | Loss::ConnectTimeout
            | Loss::Silent => self.is_withheld = !self.is_withheld,
        }
    }

    /// It is not made again.
    pub(super) const fn end(&mut self) {
        self.is_refused = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};
    use crate::crypto::cert::self_signed;
    use crate::wire::hello::smp::ServiceRole;
    use alloc::boxed::Box;

    fn offer() -> Offer {
        let credentials = self_signed(&mut Seed::from_number(1).stream(Stream::Keys));
        Offer::new(ServiceIdentity { credentials: Box::new(credentials), role: ServiceRole::Notifier })
    }

    #[test]
    fn a_refusal_is_final() {
        let mut offer = offer();
        offer.on_failed(Loss::Fault(LinkFault::ServiceRefused));
        assert!(offer.service().is_none());
        offer.on_opened();
        offer.on_failed(Loss::ConnectTimeout);
        assert!(offer.service().is_none());
    }

    #[test]
    fn after_a_failure_that_the_certificate_may_have_caused_an_attempt_is_made_without() {
        for (why, is_offered) in [
            (Loss::Down(DownReason::Tls), false),
            (Loss::Down(DownReason::Closed), false),
            (Loss::ConnectTimeout, false),
            (Loss::Fault(LinkFault::NamelessService), false),
            (Loss::Down(DownReason::Unreachable), true),
            (Loss::Down(DownReason::WrongIdentity), true),
        ] {
            let mut offer = offer();
            offer.on_failed(why);
            assert_eq!(offer.service().is_some(), is_offered, "{why:?}");
            offer.on_failed(why);
            assert!(offer.service().is_some(), "{why:?}: it was not the certificate");
            offer.on_failed(why);
            offer.on_opened();
            assert!(offer.service().is_some(), "{why:?}: the next link may be a service's");
        }
    }
}
