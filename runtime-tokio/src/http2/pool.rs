//! The connections to one provider, and who gets the next stream of them.
//!
//! A request takes a stream of a connection that has one free. When all are in use, another connection is
//! made, by one task for all who wait, up to a bound; beyond it requests wait, first come first served. A
//! connection whose settings have not arrived lends one stream, and no other connection is made meanwhile:
//! with its settings may come a thousand.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ntf_core::base::meter::{Counter, Meters, Path, Reading};
use ntf_core::host::gauges::Flag;
use ntf_core::host::oneshot;
use ntf_core::host::slot::{Found, Slot};
use ntf_core::host::sync::Lock;
use rustls::ClientConfig;

use crate::http2::connection::{Dial, Line, STREAMS_AT_FIRST, Tried};
use crate::http2::fault::{ConnectFault, reason};
use crate::http2::{Endpoint, Message, OwnedAnswer, ProviderConfig};
use crate::rt::spawn;

/// How long nobody tries to make one more connection after that has failed, while there are others.
/// Source: ours.
const ONE_MORE_PAUSE: Duration = Duration::from_secs(10);

/// The connections to one provider. Clones share them.
#[derive(Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    dial: Dial,
    connections_max: usize,
    /// The one connection that is being made.
    making: Slot<(), ConnectFault>,
    state: Lock<State>,
    /// The last failure told to the log, so that it is told once.
    told: Lock<Option<String>>,
}

#[derive(Default)]
struct State {
    lines: Vec<Entry>,
    /// Requests without a stream, as many as the core has in flight at most.
    waiting: VecDeque<oneshot::Sender<Turn>>,
    /// No further connection is made before.
    one_more_from: Option<Instant>,
    made: Counter,
    failed: Counter,
    ended: Counter,
}

/// A connection that lends streams. One that lends no more is not in the table.
struct Entry {
    line: Arc<Line>,
    lent: usize,
    allowed: usize,
    /// Whether `allowed` is the provider's word.
    is_settled: bool,
}

/// What a request that waits is told.
enum Turn {
    /// Take this.
    Yours(Stream),
    /// Something has changed.
    LookAgain,
}

/// What a request finds.
enum Look {
    Found(Stream),
    Wait(oneshot::Receiver<Turn>),
    Connect,
}

/// A stream that is lent. Dropping it gives it to whoever waits.
struct Stream {
    pool: Pool,
    line: Arc<Line>,
    /// The request was sent, and its answer has not come.
    is_open: bool,
    is_lent: bool,
}

/// Whether a request was handed to a connection.
#[derive(Default)]
pub(super) struct Sent(Flag);

impl Sent {
    pub(super) fn is_with_a_connection(&self) -> bool {
        self.0.is_set()
    }
}

/// Connections to one provider, or to all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionMeters {
    /// Connections that lend streams.
    pub open: usize,
    /// Streams lent.
    pub streams: usize,
    /// Requests that wait for a stream.
    pub waiting: usize,
    /// Connections made so far.
    pub made: Counter,
    /// Attempts at a connection that failed.
    pub failed: Counter,
    /// Connections that ended, or were left because the provider is about to stop.
    pub ended: Counter,
}

impl Meters for ConnectionMeters {
    fn absorb(&mut self, other: &Self) {
        let Self { open, streams, waiting, made, failed, ended } = other;
        self.open.absorb(open);
        self.streams.absorb(streams);
        self.waiting.absorb(waiting);
        self.made.absorb(made);
        self.failed.absorb(failed);
        self.ended.absorb(ended);
    }

    fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, Reading)) {
        let Self { open, streams, waiting, made, failed, ended } = self;
        path.within("open", |path| open.each(path, visit));
        path.within("streams", |path| streams.each(path, visit));
        path.within("waiting", |path| waiting.each(path, visit));
        path.within("made", |path| made.each(path, visit));
        path.within("failed", |path| failed.each(path, visit));
        path.within("ended", |path| ended.each(path, visit));
    }
}

impl Pool {
    pub(super) fn new(endpoint: Endpoint, tls: Arc<ClientConfig>, config: &ProviderConfig) -> Self {
        Self::empty(Dial::new(endpoint, tls, config), config.connections_max.max(1))
    }

    /// A pool for the same provider without any connection.
    pub(super) fn apart(&self) -> Self {
        Self::empty(self.shared.dial.clone(), self.shared.connections_max)
    }

    fn empty(dial: Dial, connections_max: usize) -> Self {
        let shared = Shared {
            dial,
            connections_max,
            making: Slot::new(),
            state: Lock::new(State::default()),
            told: Lock::new(None),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.shared.dial.endpoint
    }

    pub(super) fn meters(&self) -> ConnectionMeters {
        let state = self.shared.state.lock();
        ConnectionMeters {
            open: state.lines.len(),
            streams: state.lines.iter().map(|entry| entry.lent).sum(),
            waiting: state.waiting.len(),
            made: state.made,
            failed: state.failed,
            ended: state.ended,
        }
    }

    /// Sends a message over a connection, which is made if there is none.
    pub(super) async fn send(&self, mut message: Message, sent: &Sent) -> OwnedAnswer {
        // Every connection may turn out to have ended, and a new one too.
        for _ in 0..=self.shared.connections_max + 1 {
            let Ok(mut stream) = self.stream().await else { return OwnedAnswer::Unreachable };
            sent.0.set(true);
            stream.is_open = true;
            let tried = stream.line.send(message).await;
            stream.is_open = false;
            match tried {
                Tried::Sent(answer) => {
                    self.settled_by_answer(&stream.line, &answer);
                    self.tell_if_forbidden(&answer);
                    return answer;
                }
                Tried::Gone => {
                    self.leave(&stream.line);
                    return OwnedAnswer::NotProcessed;
                }
                Tried::Untouched(untouched) => {
                    message = untouched;
                    sent.0.set(false);
                    self.leave(&stream.line);
                }
            }
        }
        OwnedAnswer::NotProcessed
    }

    /// Makes a connection if there is none.
    pub(super) async fn check(&self) -> Result<(), ConnectFault> {
        if self.shared.state.lock().lines.is_empty() { self.connect().await } else { Ok(()) }
    }

    /// A stream of its own for a request.
    async fn stream(&self) -> Result<Stream, ConnectFault> {
        loop {
            match self.look() {
                Look::Found(stream) => return Ok(stream),
                // A turn that was given up means that the pool looks anew.
                Look::Wait(turn) => {
                    if let Ok(Turn::Yours(stream)) = turn.await {
                        return Ok(stream);
                    }
                }
                Look::Connect => {
                    if let Err(fault) = self.connect().await
                        && self.shared.state.lock().lines.is_empty()
                    {
                        return Err(fault);
                    }
                }
            }
        }
    }

    fn look(&self) -> Look {
        let mut state = self.shared.state.lock();
        if let Some(entry) = state.lines.iter_mut().find(|entry| entry.has_room()) {
            entry.lent += 1;
            return Look::Found(self.lend(&entry.line.clone()));
        }
        if state.may_connect(self.shared.connections_max) {
            return Look::Connect;
        }
        let (turn, wait) = oneshot::channel();
        state.waiting.push_back(turn);
        Look::Wait(wait)
    }

    fn lend(&self, line: &Arc<Line>) -> Stream {
        Stream { pool: self.clone(), line: line.clone(), is_open: false, is_lent: true }
    }

    /// Makes one more connection, or waits for the one that is being made.
    async fn connect(&self) -> Result<(), ConnectFault> {
        let found = match self.shared.making.look(|()| false) {
            Found::Made((), _) => return Ok(()),
            Found::Wait(found) => found,
            Found::Make(maker) => {
                let found = maker.wait();
                // A task of its own: the request that came first may be given up while others still wait.
                let this = self.clone();
                spawn(async move { maker.land(this.make().await) });
                found
            }
        };
        // Nothing comes when the connecting task was dropped with its runtime.
        found.await.unwrap_or_else(|_| Err(ConnectFault::stopped()))
    }

    async fn make(&self) -> Result<(), ConnectFault> {
        // Whoever asked may have looked before the previous one was made.
        if !self.shared.state.lock().may_connect(self.shared.connections_max) {
            return Ok(());
        }
        let (line, driver) = match self.shared.dial.connect().await {
            Ok(made) => made,
            Err(fault) => {
                let mut state = self.shared.state.lock();
                state.failed.count();
                state.one_more_from = Instant::now().checked_add(ONE_MORE_PAUSE);
                drop(state);
                self.tell_once(fault.to_string());
                return Err(fault);
            }
        };
        *self.shared.told.lock() = None;
        let line = Arc::new(line);
        // Weak, both: what moves the bytes must not keep in use what it moves them for.
        let (pool, number) = (Arc::downgrade(&self.shared), Arc::downgrade(&line));
        let mut state = self.shared.state.lock();
        state.made.count();
        state.lines.push(Entry { line, lent: 0, allowed: STREAMS_AT_FIRST, is_settled: false });
        drop(state);
        spawn(async move {
            driver.run(|allowed| with(&pool, &number, |pool, line| pool.settled(line, Some(allowed)))).await;
            with(&pool, &number, Self::leave);
        });
        Ok(())
    }

    /// The provider has said how many streams it allows; or it has answered, so that its word is known.
    fn settled(&self, line: &Arc<Line>, allowed: Option<usize>) {
        let mut state = self.shared.state.lock();
        let State { lines, waiting, .. } = &mut *state;
        let Some(entry) = lines.iter_mut().find(|entry| Arc::ptr_eq(&entry.line, line)) else { return };
        if let Some(allowed) = allowed {
            entry.allowed = allowed;
        } else if entry.is_settled {
            return;
        }
        entry.is_settled = true;
        let mut turns = Vec::new();
        while entry.has_room()
            && let Some(turn) = waiting.pop_front()
        {
            entry.lent += 1;
            turns.push((turn, Turn::Yours(self.lend(line))));
        }
        // The rest may now be a reason for another connection.
        turns.extend(waiting.drain(..).map(|turn| (turn, Turn::LookAgain)));
        drop(state);
        give(turns);
    }

    /// Lends no more streams of a connection. Those that are lent stay.
    fn leave(&self, line: &Arc<Line>) {
        let mut state = self.shared.state.lock();
        let Some(place) = state.lines.iter().position(|entry| Arc::ptr_eq(&entry.line, line)) else { return };
        let left = state.lines.remove(place);
        state.ended.count();
        let turns: Vec<_> = state.waiting.drain(..).map(|turn| (turn, Turn::LookAgain)).collect();
        drop(state);
        drop(left);
        give(turns);
    }

    fn settled_by_answer(&self, line: &Arc<Line>, answer: &OwnedAnswer) {
        match answer {
            // A provider that answers 503 may be about to stop: later requests go to another connection,
            // those in flight stay. Source: `ntf-protocol` 3.8.
            OwnedAnswer::Response { status: 503, .. } => self.leave(line),
            OwnedAnswer::Response { .. } => self.settled(line, None),
            OwnedAnswer::Unreachable
            | OwnedAnswer::TimedOut
            | OwnedAnswer::Broken
            | OwnedAnswer::NotProcessed => {}
        }
    }

    /// 403 is about the provider token, so about what an operator configured; all but an expired one, which
    /// the core renews by itself.
    fn tell_if_forbidden(&self, answer: &OwnedAnswer) {
        let OwnedAnswer::Response { status: 403, body, .. } = answer else { return };
        let reason = reason(body);
        if reason == "ExpiredProviderToken" {
            return;
        }
        self.tell_once(format!(
            "the push provider {} refuses our provider token: 403 {reason}; check the signing key, its id and \
             the team id",
            self.endpoint()
        ));
    }

    /// Warns the operator, unless this was the last thing said.
    fn tell_once(&self, text: String) {
        // Whoever writes the log is not ours, so it is not called under the lock.
        let before = self.shared.told.lock().replace(text.clone());
        if before.as_ref() != Some(&text) {
            tracing::warn!("{text}");
        }
    }
}

impl State {
    fn may_connect(&self, connections_max: usize) -> bool {
        let is_due = || self.one_more_from.is_none_or(|from| from <= Instant::now());
        let has_place = self.lines.len() < connections_max;
        self.lines.is_empty() || has_place && self.lines.iter().all(|entry| entry.is_settled) && is_due()
    }
}

impl Entry {
    const fn has_room(&self) -> bool {
        self.lent < self.allowed
    }
}

impl Stream {
    /// Gives the stream to whoever waits for one, or back. It stays with its connection.
    fn give_back(&mut self) {
        while self.is_lent {
            self.is_lent = false;
            let mut state = self.pool.shared.state.lock();
            let State { lines, waiting, .. } = &mut *state;
            let line = |entry: &&mut Entry| Arc::ptr_eq(&entry.line, &self.line);
            let Some(entry) = lines.iter_mut().find(line) else { return };
            entry.lent = entry.lent.saturating_sub(1);
            // The provider may allow fewer than before.
            if !entry.has_room() {
                return;
            }
            let Some(turn) = waiting.pop_front() else { return };
            entry.lent += 1;
            drop(state);
            // Comes back when that request was given up; then it goes to the next.
            if let Err(Turn::Yours(mut stream)) = turn.send(Turn::Yours(self.pool.lend(&self.line))) {
                stream.is_lent = false;
                self.is_lent = true;
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.is_open {
            self.line.suspect();
        }
        self.give_back();
    }
}

/// Tells those who waited, with no lock held: a stream that nobody takes comes back to the pool.
fn give(turns: Vec<(oneshot::Sender<Turn>, Turn)>) {
    for (waiting, turn) in turns {
        let _ = waiting.send(turn);
    }
}

/// Does something with the pool and one of its connections, if both are still there.
fn with(pool: &Weak<Shared>, line: &Weak<Line>, act: impl FnOnce(&Pool, &Arc<Line>)) {
    if let (Some(shared), Some(line)) = (pool.upgrade(), line.upgrade()) {
        act(&Pool { shared }, &line);
    }
}
