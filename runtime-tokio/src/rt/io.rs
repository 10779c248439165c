//! What follows from a socket that says when it is ready: the traits of futures, hyper and h2.
//!
//! The same file for each runtime. The traits of tokio in here are h2's, which is written against them;
//! they are types without a runtime behind them.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::ReadBufCursor;
use socket2::SockRef;
use tokio::io::ReadBuf;

use crate::rt::TcpStream;

impl TcpStream {
    /// Waits until there may be something to read.
    ///
    /// # Errors
    ///
    /// When the connection is broken, or the runtime is stopping.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_readable(context)).await
    }

    /// Waits until there may be room to write.
    ///
    /// # Errors
    ///
    /// When the connection is broken, or the runtime is stopping.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_writable(context)).await
    }

    /// The other end.
    ///
    /// # Errors
    ///
    /// When the connection is gone already.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let address = SockRef::from(self).peer_addr()?;
        address.as_socket().ok_or_else(|| io::Error::other("a TCP socket has an IP address"))
    }

    /// Sends small segments at once, without waiting for more to fill them.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn set_nodelay(&self) -> io::Result<()> {
        SockRef::from(self).set_tcp_nodelay(true)
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.poll_readable(context))?,
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_write_vectored(parts) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.poll_writable(context))?,
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self).shutdown(Shutdown::Write))
    }
}

/// Bytes that hyper is given at once. Answers of a provider are headers and little else.
const READ_LEN: usize = 8 * 1024;

/// A connection of the futures kind in the clothes that hyper and h2 want.
#[derive(Debug)]
pub struct Io<T> {
    inner: T,
    /// hyper hands out memory that may be uninitialised, which only unsafe code could fill in place.
    read: Box<[u8]>,
}

impl<T> Io<T> {
    /// Dresses a connection.
    pub fn new(inner: T) -> Self {
        Self { inner, read: vec![0; READ_LEN].into() }
    }
}

impl<T: AsyncRead + Unpin> hyper::rt::Read for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { inner, read } = &mut *self;
        let room = buffer.remaining().min(read.len());
        let read = read.get_mut(..room).unwrap_or_default();
        let count = ready!(Pin::new(inner).poll_read(context, read))?;
        buffer.put_slice(read.get(..count).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> hyper::rt::Write for Io<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}

impl<T: AsyncRead + Unpin> tokio::io::AsyncRead for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = ready!(Pin::new(&mut self.inner).poll_read(context, buffer.initialize_unfilled()))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> tokio::io::AsyncWrite for Io<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}
