//! A number of places, such as connections that may be open at a time.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::host::sync::{Arc, Lock};
use crate::host::wait_list::{Ticket, Turnstile, wake};

/// Places to take. Clones share them.
#[derive(Clone)]
pub struct Places {
    shared: Arc<Lock<Turnstile>>,
}

impl Places {
    /// This many places, all free.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self { shared: Arc::new(Lock::new(Turnstile::new(places))) }
    }

    /// Takes a place if one is free.
    #[must_use]
    pub fn try_take(&self) -> Option<Place> {
        let is_taken = self.shared.lock().try_take();
        is_taken.then(|| Place { places: self.clone() })
    }

    /// Takes a place as soon as one is free; first come, first served.
    ///
    /// Dropping the future before it is done gives its turn to the next.
    pub fn take(&self) -> Take {
        Take { places: self.clone(), ticket: None }
    }
}

/// A wait for a place, see [`Places::take`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Take {
    places: Places,
    ticket: Option<Ticket>,
}

impl Future for Take {
    type Output = Place;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Place> {
        let this = self.get_mut();
        let (taken, spare) = this.places.shared.lock().poll_take(&mut this.ticket, context.waker());
        drop(spare);
        taken.map(|()| Place { places: this.places.clone() })
    }
}

impl Drop for Take {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let (mine, next) = self.places.shared.lock().leave(ticket);
            drop(mine);
            wake(next);
        }
    }
}

/// A place that is taken. Dropping it gives it back.
#[must_use = "a place that is dropped is given back"]
pub struct Place {
    places: Places,
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = self.places.shared.lock().give_back();
        wake(next);
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turnstile = self.shared.lock();
        write!(f, "Places({} free, {} wait)", turnstile.free(), turnstile.waiting())
    }
}

impl fmt::Debug for Take {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Take")
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

#[cfg(test)]
mod tests {
    use core::pin::pin;
    use core::task::Waker;
    use std::format;

    use super::*;

    #[test]
    fn places_are_given_in_the_order_of_asking() {
        let places = Places::new(1);
        let held = places.try_take().unwrap();
        assert!(places.try_take().is_none());
        let mut context = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (pin!(places.take()), pin!(places.take()));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(held);
        assert!(places.try_take().is_none(), "nobody comes before those who wait");
        assert!(second.as_mut().poll(&mut context).is_pending());
        let Poll::Ready(_place) = first.as_mut().poll(&mut context) else { panic!("it is its turn") };
        assert_eq!(format!("{places:?}"), "Places(0 free, 1 wait)");
    }

    #[test]
    fn a_wait_that_is_given_up_passes_its_turn_on() {
        let places = Places::new(1);
        let held = places.try_take().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut first = places.take();
        let mut second = pin!(places.take());
        assert!(Pin::new(&mut first).poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(held);
        drop(first);
        assert!(second.as_mut().poll(&mut context).is_ready());
    }
}
