//! Counters, gauges and histograms by name. Numbers only: no meter ever carries an identity.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// A number that only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter(u64);

impl Counter {
    /// Counts one.
    pub const fn count(&mut self) {
        self.add(1);
    }

    /// Counts several.
    pub const fn add(&mut self, several: u64) {
        self.0 = self.0.saturating_add(several);
    }

    /// The count so far.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.0
    }
}

/// Upper bounds of the buckets of a [`Histogram`], in milliseconds, each included; one bucket more has none.
///
/// Source: ours; from what a push takes on a good day to an hour's outage of a provider.
pub const BUCKETS_MILLIS: [u64; 16] = [
    5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_200_000, 3_600_000,
];

/// How long things took.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BUCKETS_MILLIS.len()],
    count: u64,
    sum_millis: u64,
}

impl Histogram {
    /// Counts one more thing that took this long.
    pub fn record(&mut self, took: Duration) {
        let micros = took.as_micros();
        let bucket = BUCKETS_MILLIS.iter().zip(&mut self.counts);
        if let Some((_, count)) = bucket.into_iter().find(|(bound, _)| micros <= u128::from(**bound) * 1000) {
            *count = count.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.sum_millis = self.sum_millis.saturating_add(millis);
    }

    /// How many took at most so many milliseconds, for each of [`BUCKETS_MILLIS`].
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        BUCKETS_MILLIS.iter().zip(&self.counts).scan(0_u64, |sum, (bound, count)| {
            *sum = sum.saturating_add(*count);
            Some((*bound, *sum))
        })
    }

    /// How many there were.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How long they took together, in whole milliseconds each.
    #[must_use]
    pub const fn sum_millis(&self) -> u64 {
        self.sum_millis
    }
}

/// A row of numbers looks like printed bytes, and is looked for as such.
impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram({} in {} ms)", self.count, self.sum_millis)
    }
}

/// What a meter shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Grows only.
    Counter(u64),
    /// Is what it is now.
    Gauge(u64),
    /// How long things took so far.
    Histogram(Histogram),
}

/// What meters show, with their paths.
pub type Readings = Vec<(Path, Reading)>;

/// What all meters of a struct show now.
#[must_use]
pub fn readings(meters: &impl Meters) -> Readings {
    let mut readings = Readings::new();
    meters.each(&mut Path::default(), &mut |path, reading| readings.push((path.clone(), reading)));
    readings
}

/// A number, or a struct of them: what several shards counted can be added up, and all of it be read by name.
pub trait Meters {
    /// Adds what another counted.
    fn absorb(&mut self, other: &Self);

    /// Gives what each one shows with its path, such as `links.accepted`, in the order of the fields.
    fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, Reading));
}

/// Names of fields from the outermost in, without allocation: there are at most four.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(heapless::Vec<&'static str, 4>);

impl Path {
    /// The names, the outermost first.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.0
    }

    /// Does something one level further in. A level beyond the fourth has no name.
    pub fn within(&mut self, name: &'static str, act: impl FnOnce(&mut Self)) {
        let is_named = self.0.push(name).is_ok();
        act(self);
        if is_named {
            self.0.pop();
        }
    }
}

impl Meters for Counter {
    fn absorb(&mut self, other: &Self) {
        self.add(other.0);
    }

    fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, Reading)) {
        visit(path, Reading::Counter(self.0));
    }
}

impl Meters for Histogram {
    fn absorb(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum_millis = self.sum_millis.saturating_add(other.sum_millis);
    }

    fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, Reading)) {
        visit(path, Reading::Histogram(*self));
    }
}

macro_rules! gauge {
    ($($number:ty),*) => {$(
        impl Meters for $number {
            fn absorb(&mut self, other: &Self) {
                *self = self.saturating_add(*other);
            }

            fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, Reading)) {
                visit(path, Reading::Gauge(u64::try_from(*self).unwrap_or(u64::MAX)));
            }
        }
    )*};
}

gauge!(u32, usize);

/// Makes [`Meters`] of a struct of meters. All fields have to be named; the compiler says which is missing.
macro_rules! meters {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::base::meter::Meters for $name {
            fn absorb(&mut self, other: &Self) {
                let Self { $($field),* } = other;
                $($crate::base::meter::Meters::absorb(&mut self.$field, $field);)*
            }

            fn each(
                &self,
                path: &mut $crate::base::meter::Path,
                visit: &mut dyn FnMut(&$crate::base::meter::Path, $crate::base::meter::Reading),
            ) {
                $(path.within(stringify!($field), |path| {
                    $crate::base::meter::Meters::each(&self.$field, path, visit);
                });)*
            }
        }
    };
}
pub(crate) use meters;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[derive(Default)]
    struct Inner {
        a: Counter,
        b: usize,
    }
    meters!(Inner { a, b });

    #[derive(Default)]
    struct Outer {
        inner: Inner,
        c: Counter,
    }
    meters!(Outer { inner, c });

    #[test]
    fn meters_add_up_and_are_read_by_name() {
        let mut sum = Outer::default();
        for _ in 0..2 {
            let mut one = Outer { inner: Inner { a: Counter::default(), b: 3 }, c: Counter::default() };
            one.inner.a.add(2);
            one.c.count();
            sum.absorb(&one);
        }
        let seen: Vec<(String, Reading)> =
            readings(&sum).into_iter().map(|(path, reading)| (path.names().join("."), reading)).collect();
        let expected =
            [("inner.a", Reading::Counter(4)), ("inner.b", Reading::Gauge(6)), ("c", Reading::Counter(2))];
        assert_eq!(seen, expected.map(|(name, reading)| (name.into(), reading)).to_vec());
    }

    #[test]
    fn what_takes_just_as_long_as_a_bound_is_within_it() {
        let mut histogram = Histogram::default();
        let mut other = Histogram::default();
        for micros in [0, 5_000, 5_001, 10_000] {
            histogram.record(Duration::from_micros(micros));
        }
        other.record(Duration::MAX);
        histogram.absorb(&other);
        let cumulative: Vec<_> = histogram.cumulative().take(3).collect();
        assert_eq!(cumulative, [(5, 2), (10, 4), (25, 4)]);
        assert_eq!((histogram.count(), histogram.cumulative().last()), (5, Some((3_600_000, 4))));
        assert_eq!(histogram.sum_millis(), u64::MAX, "rather than wrap around");
    }
}
