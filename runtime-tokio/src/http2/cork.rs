//! Gathers what HTTP/2 writes, so that many pushes leave in one TLS record and one system call.
//!
//! h2 writes and flushes after each DATA frame, which makes two records and two system calls of every push, a fifth
//! of what a push costs. So its flushes are not believed here: bytes leave when whoever drives the connection has
//! nothing more to add and [uncorks](Cork::poll_uncork), or when much has gathered. Source: measured,
//! `docs/RUNTIMES.md`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use ntf_core::host::sync::{Arc, Lock};
use zeroize::Zeroizing;

/// Bytes that are gathered before some have to leave: four TLS records of the largest size, some fifteen pushes.
const GATHERED_MAX: usize = 64 * 1024;

/// A connection that is written to when it is uncorked. Clones are the same connection: one for h2 to keep, one
/// for whoever drives it. Both are used from one task, so nobody waits for the lock.
pub(super) struct Cork<T> {
    shared: Arc<Lock<Corked<T>>>,
}

struct Corked<T> {
    inner: T,
    /// Paths with device tokens among them. Has its full size from the start, so that no copy is left by growing.
    gathered: Zeroizing<Vec<u8>>,
    /// How much of it has left.
    left: usize,
}

impl<T> Cork<T> {
    pub(super) fn new(inner: T) -> Self {
        let gathered = Zeroizing::new(Vec::with_capacity(GATHERED_MAX));
        Self { shared: Arc::new(Lock::new(Corked { inner, gathered, left: 0 })) }
    }
}

impl<T> Clone for Cork<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: AsyncWrite + Unpin> Cork<T> {
    /// Lets what has gathered leave, as far as there is room for it. Ready when all has left, and what TLS had to say
    /// besides.
    pub(super) fn poll_uncork(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.lock().poll_leave(context)
    }
}

impl<T: AsyncWrite + Unpin> Corked<T> {
    fn poll_leave(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.gathered.get(self.left..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.inner).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.left = self.left.saturating_add(count),
            }
        }
        self.gathered.clear();
        self.left = 0;
        // Taken is not sent: TLS keeps records for which the socket had no room, and flushes them when asked.
        Pin::new(&mut self.inner).poll_flush(context)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Cork<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.shared.lock().inner).poll_read(context, bytes)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Cork<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut corked = self.shared.lock();
        if corked.gathered.len() >= GATHERED_MAX {
            ready!(corked.poll_leave(context))?;
        }
        let room = GATHERED_MAX.saturating_sub(corked.gathered.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        corked.gathered.extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    /// Does nothing: whoever drives the connection uncorks it.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut corked = self.shared.lock();
        ready!(corked.poll_leave(context))?;
        Pin::new(&mut corked.inner).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes, then none until it is given more room. They have left when it could flush, as with TLS.
    #[derive(Default)]
    struct Sink {
        cannot_flush: bool,
        flushes: usize,
        taken: Vec<u8>,
        room: usize,
        writes: usize,
        is_closed: bool,
    }

    impl AsyncWrite for Sink {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Poll::Pending;
            }
            self.room -= count;
            self.writes += 1;
            self.taken.extend_from_slice(&bytes[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.cannot_flush {
                return Poll::Pending;
            }
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.is_closed = true;
            Poll::Ready(Ok(()))
        }
    }

    fn write(cork: &Cork<Sink>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut context = Context::from_waker(Waker::noop());
        let mut end = cork.clone();
        let written = Pin::new(&mut end).poll_write(&mut context, bytes);
        assert!(matches!(Pin::new(&mut end).poll_flush(&mut context), Poll::Ready(Ok(()))));
        written
    }

    fn uncork(cork: &Cork<Sink>) -> Poll<io::Result<()>> {
        cork.poll_uncork(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn many_writes_leave_as_one() {
        let cork = Cork::new(Sink { room: usize::MAX, ..Sink::default() });
        for frame in [&b"head"[..], b"body", b"head", b"body"] {
            assert!(matches!(write(&cork, frame), Poll::Ready(Ok(4))));
        }
        assert_eq!(cork.shared.lock().inner.writes, 0, "flushes are not believed");
        assert!(uncork(&cork).is_ready());
        let corked = cork.shared.lock();
        assert_eq!((corked.inner.writes, &corked.inner.taken[..]), (1, &b"headbodyheadbody"[..]));
    }

    #[test]
    fn what_finds_no_room_leaves_later_and_what_gathers_has_a_bound() {
        let cork = Cork::new(Sink { room: 3, ..Sink::default() });
        assert!(matches!(write(&cork, b"abcdef"), Poll::Ready(Ok(6))));
        assert!(uncork(&cork).is_pending());
        let much = vec![b'x'; 2 * GATHERED_MAX];
        assert!(matches!(write(&cork, &much), Poll::Ready(Ok(count)) if count == GATHERED_MAX - 6));
        assert!(write(&cork, b"more").is_pending(), "there is no place for it");
        cork.shared.lock().inner.room = usize::MAX;
        assert!(matches!(write(&cork, b"more"), Poll::Ready(Ok(4))));
        assert!(uncork(&cork).is_ready());
        let taken = cork.shared.lock().inner.taken.clone();
        assert_eq!((&taken[..6], &taken[taken.len() - 4..]), (&b"abcdef"[..], &b"more"[..]));
        assert_eq!(taken.len(), GATHERED_MAX + 4);
    }

    #[test]
    fn what_was_taken_and_could_not_leave_is_flushed_when_it_can() {
        let cork = Cork::new(Sink { room: usize::MAX, cannot_flush: true, ..Sink::default() });
        assert!(write(&cork, b"push").is_ready());
        assert!(uncork(&cork).is_pending(), "it is taken, and there it stays");
        cork.shared.lock().inner.cannot_flush = false;
        assert!(uncork(&cork).is_ready());
        let corked = cork.shared.lock();
        assert_eq!((corked.inner.flushes, &corked.inner.taken[..]), (1, &b"push"[..]));
    }

    #[test]
    fn a_close_lets_the_rest_leave_first() {
        let cork = Cork::new(Sink::default());
        assert!(write(&cork, b"bye").is_ready());
        let close = || Pin::new(&mut cork.clone()).poll_close(&mut Context::from_waker(Waker::noop()));
        assert!(close().is_pending());
        assert!(!cork.shared.lock().inner.is_closed);
        cork.shared.lock().inner.room = 3;
        assert!(close().is_ready());
        let corked = cork.shared.lock();
        assert_eq!((&corked.inner.taken[..], corked.inner.is_closed), (&b"bye"[..], true));
    }
}
