//! Everything this adapter takes from its runtime, and the only place that names it.
//!
//! Sockets that say when they are ready, tasks, timers, names, signals, and a way to run a program. The
//! rest of the adapter is written against these, hyper's traits and plain futures, so that the same
//! files serve each runtime; `ntf-runtime-tokio` has its own `rt` beside them. [`io`] is the same for
//! all of them too.
//!
//! Sockets and timers are async-io's, whose reactor serves smol and async-std alike. Tasks run on the
//! executor that they are started from: that of [`run`], else async-std's (with feature `async-std`, from
//! a task of its own), else smol's global one.

pub mod io;

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "async-std")]
use std::sync::Weak;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Instant;

use async_signal::{Signal, Signals};
use async_task::FallibleTask;
use futures_lite::future::FutureExt;
use futures_lite::stream::StreamExt;
use ntf_core::host::stop::{Cause, Stage, Stop};
use smol::{Async, Executor, Timer};

/// The crate that runs the tasks.
pub const NAME: &str = "smol";

/// A TCP connection. One task uses it at a time: of two that wait for it, one would not be woken.
#[derive(Debug)]
pub struct TcpStream(Async<std::net::TcpStream>);

impl TcpStream {
    /// Connects to an address.
    ///
    /// # Errors
    ///
    /// When nobody listens there, or the network does not reach it.
    pub async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        Async::<std::net::TcpStream>::connect(address).await.map(Self)
    }

    /// Takes it out of this runtime, for another thread's.
    ///
    /// # Errors
    ///
    /// When the system does not let go of it.
    pub fn into_std(self) -> std::io::Result<std::net::TcpStream> {
        self.0.into_inner()
    }

    /// Takes what [`Self::into_std`] gave into this runtime.
    ///
    /// # Errors
    ///
    /// When the system cannot watch it.
    pub fn from_std(stream: std::net::TcpStream) -> std::io::Result<Self> {
        Async::new(stream).map(Self)
    }

    /// Whether there may be something to read. Wakes the task when there may be.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.0.poll_readable(context)
    }

    /// Whether there may be room to write. Wakes the task when there may be.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.0.poll_writable(context)
    }

    /// Reads what is there.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; else the connection is broken.
    pub fn try_read(&self, bytes: &mut [u8]) -> std::io::Result<usize> {
        std::io::Read::read(&mut self.0.get_ref(), bytes)
    }

    /// Writes as much as there is room for.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room; else the connection is broken.
    pub fn try_write(&self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::Write::write(&mut self.0.get_ref(), bytes)
    }

    /// Writes as much of all parts as there is room for.
    ///
    /// # Errors
    ///
    /// As [`Self::try_write`].
    pub fn try_write_vectored(&self, parts: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
        std::io::Write::write_vectored(&mut self.0.get_ref(), parts)
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct TcpListener(Async<std::net::TcpListener>);

impl TcpListener {
    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// When the address is in use or not ours.
    #[allow(clippy::unused_async, reason = "another runtime may have to wait for it")]
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        Async::<std::net::TcpListener>::bind(address).map(Self)
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }

    /// Takes it out of this runtime, for another thread's.
    ///
    /// # Errors
    ///
    /// When the system does not let go of it.
    pub fn into_std(self) -> std::io::Result<std::net::TcpListener> {
        self.0.into_inner()
    }

    /// Takes what [`Self::into_std`] gave into this runtime.
    ///
    /// # Errors
    ///
    /// When the system cannot watch it.
    pub fn from_std(listener: std::net::TcpListener) -> std::io::Result<Self> {
        Async::new(listener).map(Self)
    }

    /// The next connection, and whose it is.
    ///
    /// # Errors
    ///
    /// When the peer has gone already, or this process is out of descriptors.
    pub async fn accept(&self) -> std::io::Result<(TcpStream, SocketAddr)> {
        self.0.accept().await.map(|(stream, peer)| (TcpStream(stream), peer))
    }
}

/// The addresses of a host.
///
/// # Errors
///
/// When the name is not known, or nobody can be asked.
pub async fn lookup(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    let host = host.to_owned();
    smol::unblock(move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect)).await
}

thread_local! {
    /// The executor of [`run`] that this thread works for.
    static CURRENT: RefCell<Option<Arc<Executor<'static>>>> = const { RefCell::new(None) };
}

/// Runs a future as a task of its own.
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    // A panic ends the task, and not the thread that happens to run it.
    let future = AssertUnwindSafe(future).catch_unwind();
    let current = CURRENT.with_borrow(Clone::clone);
    #[cfg(feature = "async-std")]
    if current.is_none() && async_std::task::try_current().is_some() {
        let alive = Arc::new(());
        let lives = Arc::downgrade(&alive);
        let task = async_std::task::spawn(async move {
            let _alive = alive;
            future.await
        });
        return Task(Handle::AsyncStd { task, lives });
    }
    Task(Handle::Smol(match current {
        Some(executor) => executor.spawn(future).fallible(),
        None => smol::spawn(future).fallible(),
    }))
}

/// A task. Dropping this lets it run on; awaiting it gives its result, once.
pub struct Task<T>(Handle<T>);

type Caught<T> = Result<T, Box<dyn Any + Send>>;

enum Handle<T> {
    /// Fallible, as its executor may go before it.
    Smol(FallibleTask<Caught<T>>),
    #[cfg(feature = "async-std")]
    AsyncStd {
        task: async_std::task::JoinHandle<Caught<T>>,
        /// Whether the task lives, which async-std's handle does not tell.
        lives: Weak<()>,
    },
    /// What came of it, until somebody takes that.
    Ended(Option<Result<T, Died>>),
}

/// A task has panicked, was ended from outside or with its runtime, or its result was taken before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Died;

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task has died")
    }
}

impl std::error::Error for Died {}

impl<T: Send + 'static> Task<T> {
    /// Whether it has come to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Handle::Smol(task) => task.is_finished(),
            #[cfg(feature = "async-std")]
            Handle::AsyncStd { lives, .. } => lives.strong_count() == 0,
            Handle::Ended(_) => true,
        }
    }

    /// Ends it where it waits next, some time soon.
    pub fn abort(mut self) {
        match std::mem::replace(&mut self.0, Handle::Ended(None)) {
            // smol's own way to say it.
            Handle::Smol(task) => drop(task),
            #[cfg(feature = "async-std")]
            Handle::AsyncStd { task, .. } => drop(async_std::task::spawn(task.cancel())),
            Handle::Ended(_) => {}
        }
    }

    /// Ends it where it waits next, and waits until everything it held is dropped.
    pub async fn cancel(mut self) {
        match std::mem::replace(&mut self.0, Handle::Ended(None)) {
            Handle::Smol(task) => drop(task.cancel().await),
            #[cfg(feature = "async-std")]
            Handle::AsyncStd { task, .. } => drop(task.cancel().await),
            Handle::Ended(_) => {}
        }
    }
}

impl<T> Task<T> {
    /// Waits until it has come to its end. Its result waits on.
    pub async fn ended(&mut self) {
        poll_fn(|context| self.poll_outcome(context).map(drop)).await;
    }

    fn poll_outcome(&mut self, context: &mut Context<'_>) -> Poll<&mut Option<Result<T, Died>>> {
        let caught = match &mut self.0 {
            Handle::Smol(task) => ready!(Pin::new(task).poll(context)),
            #[cfg(feature = "async-std")]
            Handle::AsyncStd { task, .. } => Some(ready!(Pin::new(task).poll(context))),
            Handle::Ended(_) => None,
        };
        if !matches!(self.0, Handle::Ended(_)) {
            // The executor took the task along, or it panicked.
            self.0 = Handle::Ended(Some(caught.and_then(Result::ok).ok_or(Died)));
        }
        match &mut self.0 {
            Handle::Ended(outcome) => Poll::Ready(outcome),
            Handle::Smol(_) => Poll::Pending,
            #[cfg(feature = "async-std")]
            Handle::AsyncStd { .. } => Poll::Pending,
        }
    }
}

/// Nothing points into the result that waits.
impl<T> Unpin for Task<T> {}

impl<T> Future for Task<T> {
    type Output = Result<T, Died>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_outcome(context).map(|outcome| outcome.take().unwrap_or(Err(Died)))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Handle::Smol(task) = std::mem::replace(&mut self.0, Handle::Ended(None)) {
            task.detach();
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task")
    }
}

/// Waits until a point in time.
pub fn sleep_until(at: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
    let timer = Timer::at(at);
    async move {
        timer.await;
    }
}

/// Installs handlers for SIGINT and SIGTERM at once; the future completes at the first of them and gives
/// its name.
///
/// # Errors
///
/// When the system refuses to install a handler.
pub fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    let mut signals = Signals::new([Signal::Int, Signal::Term])?;
    Ok(async move {
        match signals.next().await {
            Some(Ok(Signal::Int)) => "SIGINT",
            Some(_) => "SIGTERM",
            None => pending().await,
        }
    })
}

/// Runs a program on `threads` threads, at least one, until `future` completes. Tasks that are left then
/// are ended.
///
/// # Errors
///
/// When the system gives no threads.
pub fn run<T>(threads: usize, future: impl Future<Output = T>) -> std::io::Result<T> {
    let executor = Arc::new(Executor::new());
    let mut helpers = Helpers { stop: Stop::new(), threads: Vec::new() };
    for number in 1..threads {
        let (executor, stop) = (executor.clone(), helpers.stop.clone());
        let work = move || {
            let _here = Here::enter(executor.clone());
            smol::block_on(executor.run(stop.reached(Stage::Stopped)));
        };
        helpers.threads.push(thread::Builder::new().name(format!("smol-{number}")).spawn(work)?);
    }
    // Dropped before the helpers, and these before the executor.
    let _here = Here::enter(executor.clone());
    Ok(smol::block_on(executor.run(future)))
}

/// Threads that work for an executor. Dropping this ends them and waits for that, in a panic too.
struct Helpers {
    stop: Stop,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.stop.stop(Cause::Asked);
        for helper in self.threads.drain(..) {
            // Tasks catch their own panics, so none of these has one.
            let _ = helper.join();
        }
    }
}

/// Starts a thread with a runtime of its own, which runs the future that `work` makes there, and then drops
/// everything that is left. `after` is called last, with the future's result; it does not come to that when the
/// thread panics or gets no runtime.
///
/// # Errors
///
/// When the system gives no thread.
pub fn thread<T, F: Future<Output = T>>(
    name: &str,
    work: impl FnOnce() -> F + Send + 'static,
    after: impl FnOnce(T) + Send + 'static,
) -> std::io::Result<()> {
    let body = move || {
        if let Ok(result) = run(1, async move { work().await }) {
            after(result);
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

/// This thread works for an executor, until this is dropped.
struct Here(Option<Arc<Executor<'static>>>);

impl Here {
    fn enter(executor: Arc<Executor<'static>>) -> Self {
        Self(CURRENT.replace(Some(executor)))
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_program_that_panics_leaves_no_thread_behind() {
        let (tell, told) = std::sync::mpsc::channel();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            run(3, async {
                let executor = CURRENT.with_borrow(|current| current.as_ref().map(Arc::downgrade));
                tell.send(executor.expect("it runs on one")).unwrap();
                panic!("on purpose");
            })
        }));
        assert!(ended.is_err());
        assert_eq!(told.recv().unwrap().strong_count(), 0, "no thread works for the executor any more");
    }
}
