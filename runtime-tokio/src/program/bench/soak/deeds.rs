//! What goes wrong during a soak, one thing after the other, and again from the beginning.

use std::time::Duration;

use super::post::Restart;
use super::stranger::Stranger;
use crate::standin::Fault;

/// SMP servers: the first ones keep their queues over restarts, the last one forgets them.
pub(super) const SERVERS: usize = 3;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The provider treats so many requests in this way.
    Provider(u32, Fault),
    /// An SMP server is restarted.
    Restart(usize, Restart),
    /// A phone is switched off for a while.
    Nap,
    /// A phone goes, and another one comes.
    Swap,
    /// A phone deletes a queue.
    DeleteQueue,
    /// Somebody connects who has no business here.
    Stranger(Stranger),
}

/// All of them, in the order in which they come. What takes the longest to be over comes early: a request that is never
/// answered takes the push server 25 s, and a tide no longer then.
pub(super) fn deeds() -> Vec<Deed> {
    let slow = Fault::Delay(Duration::from_millis(1500));
    vec![
        Deed::Provider(2, Fault::Silence),
        Deed::Restart(0, Restart::Kept),
        Deed::Stranger(Stranger::Junk),
        Deed::Provider(3, Fault::RefuseStream),
        Deed::Swap,
        Deed::Provider(10, slow.clone()),
        Deed::Stranger(Stranger::Noise),
        Deed::Provider(1, Fault::GoAway),
        Deed::Nap,
        Deed::Restart(SERVERS - 1, Restart::Forgotten),
        Deed::Provider(2, Fault::answer(503, "ServiceUnavailable")),
        Deed::Swap,
        Deed::Provider(1, Fault::Drop),
        Deed::Stranger(Stranger::Visit),
        Deed::DeleteQueue,
        Deed::Provider(2, Fault::answer(500, "InternalServerError")),
        Deed::Restart(1, Restart::Kept),
        Deed::Provider(1, Fault::DropAnswer),
        Deed::Nap,
        Deed::Provider(1, Fault::LastAnswer),
        Deed::Stranger(Stranger::Junk),
        Deed::Provider(2, Fault::answer(429, "TooManyRequests")),
        Deed::DeleteQueue,
        Deed::Provider(40, slow),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_keep_their_queues_and_one_that_does_not_are_restarted() {
        let deeds = deeds();
        for server in 0..SERVERS {
            let how = if server + 1 == SERVERS { Restart::Forgotten } else { Restart::Kept };
            assert!(deeds.contains(&Deed::Restart(server, how)), "server {server}");
        }
        let restarts = deeds.iter().filter(|deed| matches!(deed, Deed::Restart(..)));
        assert_eq!(restarts.count(), SERVERS);
    }
}
