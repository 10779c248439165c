//! `ntf bench memory`: what a subscriber holds for tokens and subscriptions, all in, as the system counts it.
//!
//! The subscriber is in this process and is spoken to as by devices and SMP servers, blocks and signatures included.
//! What is told is by how much the resident memory grew while all registered, and while all subscribed. Pages of the
//! program itself, which are read as they are first used, are left out.

use serde_json::{Value, json};

use crate::program::announce::print;
use crate::program::bench::figures::{count, rounded};
use crate::program::bench::population::{Made, Population};
use crate::program::bench::yardstick::Yardstick;
use crate::program::cli::BenchMemory;
use crate::program::failure::Failure;
use crate::program::usage::own_bytes;

/// Runs `ntf bench memory`.
///
/// # Errors
///
/// When something is refused, or the system does not tell what memory is used.
pub(super) fn run(options: &BenchMemory) -> Result<(), Failure> {
    let yardstick = Yardstick::measure();
    let mut population = Population::new(&options.size, false, 0)?;
    let [empty, registered, all] = [(); 3].map(|()| 0);
    let mut figures = Figures { empty, registered, all, tokens: None, subscriptions: None };
    figures.empty = resident()?;
    figures.tokens = Some(population.register()?);
    figures.registered = resident()?;
    figures.subscriptions = Some(population.subscribe()?);
    figures.all = resident()?;
    figures.tell(&yardstick);
    if options.json {
        print(&figures.json(&yardstick).to_string());
    }
    Ok(())
}

fn resident() -> Result<u64, Failure> {
    own_bytes().ok_or_else(|| Failure::failed("This system does not tell how much memory is used."))
}

/// Bytes of the process at three times, and what was made between them.
struct Figures {
    empty: u64,
    registered: u64,
    all: u64,
    tokens: Option<Made>,
    subscriptions: Option<Made>,
}

impl Figures {
    fn per_token(&self) -> f64 {
        per(self.registered.saturating_sub(self.empty), self.tokens)
    }

    fn per_subscription(&self) -> f64 {
        per(self.all.saturating_sub(self.registered), self.subscriptions)
    }

    fn tell(&self, yardstick: &Yardstick) {
        eprintln!("{yardstick}.");
        for (name, made, bytes) in [
            ("tokens", self.tokens, self.per_token()),
            ("subscriptions", self.subscriptions, self.per_subscription()),
        ] {
            let Some(made) = made else { continue };
            eprintln!(
                "{} {name}: {bytes:.0} bytes each. Made in {:.1} s, of which the subscriber took {:.1} µs or {:.1} C each; \
                 devices and servers are on the same processor.",
                made.count,
                made.seconds(),
                made.each_us(),
                yardstick.times(made.each()),
            );
        }
        eprintln!(
            "The process holds {:.1} MB, and held {:.1} MB before.",
            count(self.all) / 1e6,
            count(self.empty) / 1e6
        );
    }

    fn json(&self, yardstick: &Yardstick) -> Value {
        let made = |made: Option<Made>| {
            made.map_or((0, 0.0, 0.0), |made| (made.count, made.seconds(), yardstick.times(made.each())))
        };
        let (tokens, tokens_seconds, token_c) = made(self.tokens);
        let (subscriptions, seconds, subscription_c) = made(self.subscriptions);
        json!({
            "subscriptions": subscriptions,
            "tokens": tokens,
            "bytes_per_subscription": rounded(self.per_subscription()),
            "bytes_per_token": rounded(self.per_token()),
            "seconds_to_subscribe": rounded(seconds),
            "seconds_to_register": rounded(tokens_seconds),
            "c_per_subscription": rounded(subscription_c),
            "c_per_token": rounded(token_c),
            "c_us": rounded(yardstick.micros()),
            "c_source": yardstick.source(),
        })
    }
}

fn per(bytes: u64, made: Option<Made>) -> f64 {
    count(bytes) / count(made.map_or(1, |made| made.count.max(1)))
}
