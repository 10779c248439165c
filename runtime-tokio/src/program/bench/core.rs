//! `ntf bench core`: what the subscriber's machine takes for a notification, from a block of its SMP server to
//! encrypted payloads in its outbox, beside the cryptography that is in it.
//!
//! Rounds of the machine and of bare cryptography take turns, and the middle one of each counts, so that whatever else
//! the machine does weighs on both alike. The same crates, the same lengths. What is bare: for each notification
//! XSalsa20-Poly1305 over a payload, and, where blocks are encrypted inside TLS, for each block the same over 16 KiB
//! and the step of its key chain.
//!
//! What the curves take, which registrations and subscriptions need, is told after it.

use std::hint::black_box;
use std::time::Instant;

use ntf_core::base::id::EntityId;
use ntf_core::base::limits::SMP_BLOCK_LEN;
use ntf_core::crypto::boxed::BoxKey;
use ntf_core::crypto::chain::BlockChains;
use ntf_core::crypto::keys::DhSecret;
use ntf_core::link::state::BlockEncryption;
use ntf_core::subscriber::effect::Effect;
use serde_json::{Value, json};

use crate::program::announce::print;
use crate::program::bench::curves::Curves;
use crate::program::bench::figures::{count, median, rounded};
use crate::program::bench::town::{Plan, Queue, Town, notifier, opened_notices};
use crate::program::bench::yardstick::Yardstick;
use crate::program::cli::BenchCore;
use crate::program::failure::Failure;

/// NMSG in a block: one, some, many, and as many as it holds.
const NMSGS: [usize; 4] = [1, 10, 40, 80];

/// Payloads as the subscriber pads them by default, in bytes.
const PAYLOAD_LEN: usize = 2880;

/// Rounds before those that count: tables reach their size, and branches their habits.
const WARM_UP: u32 = 20;

/// Runs `ntf bench core`.
///
/// # Errors
///
/// When the machine does not push what it was told of.
pub(super) fn run(options: &BenchCore) -> Result<(), Failure> {
    if let Some(nmsgs) = options.count_instructions {
        // A profiler looks on; there is nothing to time.
        Scene::new(BlockEncryption::WherePossible)?.rounds(usize::from(nmsgs), options.rounds)?;
        return Ok(());
    }
    let yardstick = Yardstick::measure();
    let mut rows = Vec::new();
    for encryption in [BlockEncryption::Never, BlockEncryption::WherePossible] {
        let mut scene = Scene::new(encryption)?;
        for nmsgs in NMSGS {
            rows.push(scene.measure(nmsgs, options.rounds)?);
        }
    }
    let curves = Curves::measure();
    tell(&rows, &yardstick);
    curves.tell(&yardstick);
    if options.json {
        print(&json(&rows, &curves, &yardstick).to_string());
    }
    Ok(())
}

/// One kind of block.
struct Row {
    encryption: BlockEncryption,
    nmsgs: usize,
    /// Nanoseconds for each notification.
    core: f64,
    bare: f64,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.core / self.bare.max(1e-9)
    }

    const fn is_sealed(&self) -> bool {
        matches!(self.encryption, BlockEncryption::WherePossible)
    }
}

/// A subscriber with as many devices as a block tells of, each with a queue at the one server.
struct Scene {
    town: Town,
    queues: Vec<EntityId>,
    bare: Bare,
    effects: Vec<Effect>,
}

impl Scene {
    fn new(encryption: BlockEncryption) -> Result<Self, Failure> {
        let mut town = Town::new(Plan { encryption, has_clock: false, ..Plan::default() })?;
        let most = NMSGS.into_iter().max().unwrap_or(0);
        let mut queues = Vec::new();
        let mut first = None;
        for number in (0..).take(most) {
            let device = town.register(number)?;
            town.subscribe(&device, &[Queue { number, server: 0 }])?;
            queues.extend(notifier(number));
            first.get_or_insert(device);
        }
        let mut scene = Self { town, queues, bare: Bare::new(encryption), effects: Vec::new() };
        // What is measured is what a device can read.
        scene.round(1)?;
        let opened = first.zip(scene.town.take_pushes().first()).and_then(|(device, order)| {
            let notices = opened_notices(&device, order)?;
            Some(notices.len())
        });
        if opened != Some(1) {
            return Err(Failure::failed("A device cannot read what was pushed to it; please report this."));
        }
        for _ in 0..WARM_UP {
            scene.round(most)?;
        }
        Ok(scene)
    }

    fn rounds(&mut self, nmsgs: usize, rounds: u32) -> Result<(), Failure> {
        (0..rounds).try_for_each(|_| self.round(nmsgs).map(drop))
    }

    fn measure(&mut self, nmsgs: usize, rounds: u32) -> Result<Row, Failure> {
        let (mut core, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            core.push(self.round(nmsgs)?);
            bare.push(self.bare.round(nmsgs));
        }
        let each = |nanos: Vec<f64>| median(nanos) / count(u64::try_from(nmsgs).unwrap_or(1));
        Ok(Row { encryption: self.bare.encryption, nmsgs, core: each(core), bare: each(bare) })
    }

    /// One block through the machine, in nanoseconds. What is pushed is accepted afterwards.
    fn round(&mut self, nmsgs: usize) -> Result<f64, Failure> {
        drop(self.town.take_pushes());
        let queues = self.queues.get(..nmsgs).unwrap_or(&self.queues);
        let (link, mut blocks) = self.town.notices(0, queues);
        let [block] = blocks.as_mut_slice() else {
            return Err(Failure::failed(format!("{nmsgs} NMSG fill {} blocks.", blocks.len())));
        };
        let took = self.town.work_on_block(link, block, &mut self.effects);
        let mut pushed = Vec::new();
        for effect in self.effects.drain(..) {
            if let Effect::Push(order) = &effect {
                pushed.push(order.id);
            }
            self.town.perform(effect);
        }
        if pushed.len() != nmsgs {
            return Err(Failure::failed(format!("{nmsgs} NMSG have led to {} pushes.", pushed.len())));
        }
        self.town.accept(pushed);
        self.town.settle();
        Ok(took.as_secs_f64() * 1e9)
    }
}

/// The cryptography alone.
struct Bare {
    encryption: BlockEncryption,
    chains: [BlockChains; 2],
    key: BoxKey,
    payload: Vec<u8>,
    block: Vec<u8>,
    nonce: [u8; 24],
}

impl Bare {
    fn new(encryption: BlockEncryption) -> Self {
        let chains = [(); 2].map(|()| BlockChains::derive(&[1; 32], &DhSecret::new([2; 32])));
        Self {
            encryption,
            chains,
            key: BoxKey::of_key(&[7; 32]),
            payload: vec![0; PAYLOAD_LEN],
            block: vec![0; SMP_BLOCK_LEN],
            nonce: [0; 24],
        }
    }

    /// What a block of so many NMSG comes with, in nanoseconds.
    fn round(&mut self, nmsgs: usize) -> f64 {
        let [ours, theirs] = &mut self.chains;
        let is_sealed = matches!(self.encryption, BlockEncryption::WherePossible);
        if is_sealed {
            theirs.server_to_client.seal_block(&mut self.block);
        }
        let begin = Instant::now();
        if is_sealed {
            let _ = black_box(ours.server_to_client.open_block(&mut self.block));
        }
        for _ in 0..nmsgs {
            if let Some(first) = self.nonce.first_mut() {
                *first = first.wrapping_add(1);
            }
            black_box(self.key.seal_detached(&self.nonce, &mut self.payload));
        }
        begin.elapsed().as_secs_f64() * 1e9
    }
}

fn tell(rows: &[Row], yardstick: &Yardstick) {
    eprintln!("{yardstick}.");
    eprintln!(
        "Nanoseconds for each notification, from a block to a payload of {PAYLOAD_LEN} bytes in the outbox:"
    );
    eprintln!("{:28}{:>9}{:>8}{:>14}{:>8}", "block", "machine", "in C", "bare crypto", "ratio");
    for row in rows {
        let name =
            format!("{} NMSG, {}", row.nmsgs, if row.is_sealed() { "block encryption" } else { "plain" });
        eprintln!(
            "{name:28}{:>9.0}{:>8.2}{:>14.0}{:>8.2}",
            row.core,
            row.core / 1000.0 / yardstick.micros(),
            row.bare,
            row.ratio()
        );
    }
}

/// The figures of the fullest plain block stand for the bench; those of all kinds are beside them.
fn json(rows: &[Row], curves: &Curves, yardstick: &Yardstick) -> Value {
    let one = |row: &Row| {
        json!({
            "nmsgs": row.nmsgs,
            "block_encryption": row.is_sealed(),
            "ns_per_notification": rounded(row.core),
            "bare_crypto_ns": rounded(row.bare),
            "ratio": rounded(row.ratio()),
        })
    };
    let main = rows.iter().filter(|row| !row.is_sealed()).max_by_key(|row| row.nmsgs);
    let mut object = main.map(one).unwrap_or_default();
    if let Value::Object(object) = &mut object {
        object.insert("c_us".to_owned(), rounded(yardstick.micros()));
        object.insert("c_source".to_owned(), json!(yardstick.source()));
        object.insert("curves".to_owned(), curves.json());
        object.insert("blocks".to_owned(), rows.iter().map(one).collect());
    }
    object
}
