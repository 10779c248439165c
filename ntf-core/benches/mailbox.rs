//! What a letter costs on its way through a mailbox, beside two queues that are made for speed.
//!
//! `crossbeam_queue::ArrayQueue` is bounded and lock-free, and nobody can wait for it: where a side would have
//! to wait, it yields and tries again, which takes a core. `async_channel` is bounded and lets both sides wait, as the
//! mailbox does. All three hold [`BOUND`] letters of the size that links post.
//!
//! `cargo bench -p ntf-core --features host --bench mailbox`

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use core::hint::black_box;
use core::time::Duration;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use crossbeam_queue::ArrayQueue;
use ntf_core::host::mailbox;
use ntf_core::host::wake::block_on;

/// As the tokio adapter's mailbox for links.
const BOUND: usize = 256;

/// Letters in one run between threads.
const LETTERS: u64 = 100_000;

/// A link, and a block on the heap: what a link's task posts.
type Letter = (u64, Option<Box<[u8]>>);

fn letter(number: u64) -> Letter {
    (number, None)
}

/// A queue with one receiver, seen from both ends.
trait Queue {
    fn name() -> &'static str;
    fn new() -> (Self::Sender, Self::Receiver);
    fn send(sender: &Self::Sender, letter: Letter);
    fn receive(receiver: &mut Self::Receiver) -> Letter;
    type Sender: Clone + Send + 'static;
    type Receiver;
}

struct Mailbox;

impl Queue for Mailbox {
    type Sender = mailbox::Sender<Letter>;
    type Receiver = mailbox::Receiver<Letter>;

    fn name() -> &'static str {
        "host::mailbox"
    }

    fn new() -> (Self::Sender, Self::Receiver) {
        mailbox::bounded(BOUND)
    }

    fn send(sender: &Self::Sender, letter: Letter) {
        block_on(sender.send(letter)).unwrap();
    }

    fn receive(receiver: &mut Self::Receiver) -> Letter {
        block_on(receiver.recv()).unwrap()
    }
}

struct AsyncChannel;

impl Queue for AsyncChannel {
    type Sender = async_channel::Sender<Letter>;
    type Receiver = async_channel::Receiver<Letter>;

    fn name() -> &'static str {
        "async_channel"
    }

    fn new() -> (Self::Sender, Self::Receiver) {
        async_channel::bounded(BOUND)
    }

    fn send(sender: &Self::Sender, letter: Letter) {
        block_on(sender.send(letter)).unwrap();
    }

    fn receive(receiver: &mut Self::Receiver) -> Letter {
        block_on(receiver.recv()).unwrap()
    }
}

struct LockFree;

impl Queue for LockFree {
    type Sender = Arc<ArrayQueue<Letter>>;
    type Receiver = Arc<ArrayQueue<Letter>>;

    fn name() -> &'static str {
        "ArrayQueue, yielding"
    }

    fn new() -> (Self::Sender, Self::Receiver) {
        let queue = Arc::new(ArrayQueue::new(BOUND));
        (queue.clone(), queue)
    }

    fn send(sender: &Self::Sender, mut letter: Letter) {
        while let Err(back) = sender.push(letter) {
            letter = back;
            thread::yield_now();
        }
    }

    fn receive(receiver: &mut Self::Receiver) -> Letter {
        loop {
            match receiver.pop() {
                Some(letter) => return letter,
                None => thread::yield_now(),
            }
        }
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    // In and out again on one thread: what a letter costs when nobody waits.
    one_thread::<Mailbox>(&mut criterion);
    one_thread::<AsyncChannel>(&mut criterion);
    one_thread::<LockFree>(&mut criterion);
    for senders in [1, 4] {
        between_threads::<Mailbox>(&mut criterion, senders);
        between_threads::<AsyncChannel>(&mut criterion, senders);
        between_threads::<LockFree>(&mut criterion, senders);
    }
    criterion.final_summary();
}

fn one_thread<Q: Queue>(criterion: &mut Criterion) {
    let (sender, mut receiver) = Q::new();
    criterion.benchmark_group("one thread").throughput(Throughput::Elements(1)).bench_function(
        Q::name(),
        |bencher| {
            bencher.iter(|| {
                Q::send(&sender, black_box(letter(1)));
                black_box(Q::receive(&mut receiver))
            });
        },
    );
}

/// Sends as fast as the receiver takes; the time is for [`LETTERS`] letters, starting threads included.
fn between_threads<Q: Queue>(criterion: &mut Criterion, senders: u64) {
    criterion.benchmark_group("senders").throughput(Throughput::Elements(LETTERS)).bench_function(
        BenchmarkId::new(Q::name(), senders),
        |bencher| {
            bencher.iter_custom(|iterations| (0..iterations).map(|_| run::<Q>(senders)).sum());
        },
    );
}

fn run<Q: Queue>(senders: u64) -> Duration {
    let (sender, mut receiver) = Q::new();
    #[allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
    let start = Instant::now();
    let threads: Vec<_> = (0..senders)
        .map(|_| {
            let sender = sender.clone();
            thread::spawn(move || (0..LETTERS / senders).for_each(|number| Q::send(&sender, letter(number))))
        })
        .collect();
    for _ in 0..LETTERS / senders * senders {
        black_box(Q::receive(&mut receiver));
    }
    let elapsed = start.elapsed();
    for thread in threads {
        thread.join().unwrap();
    }
    elapsed
}
