//! Everything this adapter takes from its runtime, and the only place that names it.
//!
//! Sockets that say when they are ready, tasks, timers, names, signals, and a way to run a program. The
//! rest of the adapter is written against these, hyper's traits and plain futures, so that the same
//! files serve each runtime; `ntf-runtime-smol` has its own `rt` beside them. [`io`] is the same for
//! all of them too.

pub mod io;

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// The crate that runs the tasks.
pub const NAME: &str = "tokio";

/// A TCP connection. One task uses it at a time: of two that wait for it, one would not be woken.
#[derive(Debug)]
pub struct TcpStream(tokio::net::TcpStream);

impl TcpStream {
    /// Connects to an address.
    ///
    /// # Errors
    ///
    /// When nobody listens there, or the network does not reach it.
    pub async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        tokio::net::TcpStream::connect(address).await.map(Self)
    }

    /// Takes it out of this runtime, for another thread's.
    ///
    /// # Errors
    ///
    /// When the system does not let go of it.
    pub fn into_std(self) -> std::io::Result<std::net::TcpStream> {
        self.0.into_std()
    }

    /// Takes what [`Self::into_std`] gave into this runtime.
    ///
    /// # Errors
    ///
    /// When the system cannot watch it.
    pub fn from_std(stream: std::net::TcpStream) -> std::io::Result<Self> {
        tokio::net::TcpStream::from_std(stream).map(Self)
    }

    /// Whether there may be something to read. Wakes the task when there may be.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.0.poll_read_ready(context)
    }

    /// Whether there may be room to write. Wakes the task when there may be.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.0.poll_write_ready(context)
    }

    /// Reads what is there.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; else the connection is broken.
    pub fn try_read(&self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.0.try_read(bytes)
    }

    /// Writes as much as there is room for.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room; else the connection is broken.
    pub fn try_write(&self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.try_write(bytes)
    }

    /// Writes as much of all parts as there is room for.
    ///
    /// # Errors
    ///
    /// As [`Self::try_write`].
    pub fn try_write_vectored(&self, parts: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
        self.0.try_write_vectored(parts)
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct TcpListener(tokio::net::TcpListener);

impl TcpListener {
    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// When the address is in use or not ours.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        tokio::net::TcpListener::bind(address).await.map(Self)
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Takes it out of this runtime, for another thread's.
    ///
    /// # Errors
    ///
    /// When the system does not let go of it.
    pub fn into_std(self) -> std::io::Result<std::net::TcpListener> {
        self.0.into_std()
    }

    /// Takes what [`Self::into_std`] gave into this runtime.
    ///
    /// # Errors
    ///
    /// When the system cannot watch it.
    pub fn from_std(listener: std::net::TcpListener) -> std::io::Result<Self> {
        tokio::net::TcpListener::from_std(listener).map(Self)
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
    tokio::net::lookup_host((host, port)).await.map(Iterator::collect)
}

/// Runs a future as a task of its own.
///
/// # Panics
///
/// When called outside a tokio runtime.
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    Task(Handle::Runs(tokio::spawn(future)))
}

/// A task. Dropping this lets it run on; awaiting it gives its result, once.
#[derive(Debug)]
pub struct Task<T>(Handle<T>);

#[derive(Debug)]
enum Handle<T> {
    Runs(JoinHandle<T>),
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

impl<T> Task<T> {
    /// Whether it has come to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Handle::Runs(task) => task.is_finished(),
            Handle::Ended(_) => true,
        }
    }

    /// Ends it where it waits next, some time soon.
    pub fn abort(self) {
        if let Handle::Runs(task) = self.0 {
            task.abort();
        }
    }

    /// Ends it where it waits next, and waits until everything it held is dropped.
    pub async fn cancel(self) {
        if let Handle::Runs(task) = self.0 {
            task.abort();
            // It has ended by itself, or it has been ended: there is no other outcome.
            let _ = task.await;
        }
    }

    /// Waits until it has come to its end. Its result waits on.
    pub async fn ended(&mut self) {
        poll_fn(|context| self.poll_outcome(context).map(drop)).await;
    }

    fn poll_outcome(&mut self, context: &mut Context<'_>) -> Poll<&mut Option<Result<T, Died>>> {
        if let Handle::Runs(task) = &mut self.0 {
            let outcome = ready!(Pin::new(task).poll(context));
            self.0 = Handle::Ended(Some(outcome.map_err(|_| Died)));
        }
        match &mut self.0 {
            Handle::Ended(outcome) => Poll::Ready(outcome),
            Handle::Runs(_) => Poll::Pending,
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

/// Waits until a point in time.
pub fn sleep_until(at: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
    tokio::time::sleep_until(at.into())
}

/// Installs handlers for SIGINT and SIGTERM at once; the future completes at the first of them and gives
/// its name.
///
/// # Errors
///
/// When the system refuses to install a handler.
pub fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}

/// A program that ends gives calls that nobody can interrupt this long: a question to the system's resolver,
/// for one, may take a minute. Source: ours.
const BLOCKED_MAX: Duration = Duration::from_secs(1);

/// Runs a program on `threads` threads, at least one, until `future` completes. Tasks that are left then
/// are ended; a look-up that hangs in the system's resolver is left behind after a second.
///
/// # Errors
///
/// When the system gives no threads or no event queue.
pub fn run<T>(threads: usize, future: impl Future<Output = T>) -> std::io::Result<T> {
    let mut builder = match threads {
        0 | 1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let ending = Ending(Some(builder.worker_threads(threads.max(1)).enable_all().build()?));
    Ok(ending.runtime().block_on(future))
}

/// Ends a runtime when dropped, in a panic too.
struct Ending(Option<Runtime>);

impl Ending {
    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it is taken out by `drop` only")
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(BLOCKED_MAX);
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Nothing that ends takes this long.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn a_program_ends_though_the_resolver_does_not_answer() {
        for threads in [1, 2] {
            let (answer, question) = mpsc::channel::<()>();
            let (tell, told) = mpsc::channel();
            thread::spawn(move || {
                let ended = run(threads, async move {
                    let (begun, begins) = tokio::sync::oneshot::channel();
                    tokio::task::spawn_blocking(move || {
                        let _ = begun.send(());
                        question.recv()
                    });
                    begins.await
                });
                tell.send(ended.is_ok())
            });
            assert_eq!(told.recv_timeout(PATIENCE), Ok(true));
            drop(answer);
        }
    }
}
