//! What threads and tasks share, on any executor.
//!
//! The machines of this crate share nothing. Whoever drives them does: letters wait in mailboxes, tasks wait
//! for a stop, a connection is made once for many callers, a link moves from one thread to another. Each of
//! these is one type in here, and nothing else in the workspace touches a lock or an atomic number (a test
//! reads the sources for it), so that this directory is all there is to check.
//!
//! Everything waits through [`core::task::Waker`] alone: it works under tokio, smol, async-std, or a thread
//! that parks ([`wake::block_on`]). Nothing is read from a clock, and no thread or task is started.
//!
//! With `--cfg ntf_loom` the locks and atomic numbers under [`sync`] are loom's, and `loom-tests` runs the same
//! code in every interleaving with up to three preemptions, in models of up to three threads.
//!
//! Three rules keep it free of deadlocks, whatever the executor or the letters do:
//! a lock is held for a bounded number of steps and never across a wait; wakers are called, and letters and
//! wakers dropped, after the lock is released, because each may run code that comes back in here; and whoever
//! goes away, by return, by panic or with its runtime, tells those who wait for it in its `Drop`.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`mailbox`] | bounded queue, many senders, one receiver |
//! | [`oneshot`] | one answer to one question |
//! | [`places`] | a number of places, taken and given back |
//! | [`slot`] | one value made by one caller for many |
//! | [`stop`] | drain, then stop; who is still there; who died of what |
//! | [`gauges`] | numbers that other threads read |
//! | [`handoff`] | a link moves between threads while its bytes arrive |

pub mod gauges;
pub mod handoff;
pub mod mailbox;
pub mod oneshot;
pub mod places;
pub mod slot;
pub mod stop;
pub mod sync;
mod wait_list;
pub mod wake;
