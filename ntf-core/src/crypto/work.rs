//! The operations that take time, noted for tests: whether an entity exists must not show in them.
//!
//! Timing is checked by counting, because a clock measures the machine as well. Outside tests [`note`] is
//! empty and nothing of it remains. What is noted are the calls whose cost is seen over a network; comparing
//! 80 bytes is not.

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code, reason = "tests read what is in it"))]
pub(crate) enum Work {
    /// A signature over so many bytes is verified.
    Ed25519(usize),
    /// As above.
    Ed448(usize),
    /// An X25519 agreement.
    Agreement,
    /// So many bytes are hashed with SHA-512.
    Sha512(usize),
    /// A key is made ready to box with.
    BoxKey,
    /// So many bytes are encrypted or decrypted, and authenticated.
    Boxed(usize),
}

/// Notes an operation that is about to be done.
#[cfg(not(test))]
#[inline(always)]
pub(super) const fn note(_: Work) {}

#[cfg(test)]
std::thread_local! {
    static NOTES: core::cell::RefCell<alloc::vec::Vec<Work>> = const { core::cell::RefCell::new(alloc::vec::Vec::new()) };
}

/// Notes an operation that is about to be done.
#[cfg(test)]
pub(super) fn note(work: Work) {
    NOTES.with_borrow_mut(|notes| notes.push(work));
}

/// What `done` did, in order.
#[cfg(test)]
pub(crate) fn of<T>(done: impl FnOnce() -> T) -> (T, alloc::vec::Vec<Work>) {
    let before = NOTES.take();
    let result = done();
    (result, NOTES.replace(before))
}
