//! Counters and gauges by name. Numbers only: no meter ever carries an identity.

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

/// A number, or a struct of them: what several shards counted can be added up, and all of it be read by name.
pub trait Meters {
    /// Adds what another counted.
    fn absorb(&mut self, other: &Self);

    /// Gives each number with its path, such as `links.accepted`, in the order of the fields.
    fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, u64));
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

    fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, u64)) {
        visit(path, self.0);
    }
}

macro_rules! gauge {
    ($($number:ty),*) => {$(
        impl Meters for $number {
            fn absorb(&mut self, other: &Self) {
                *self = self.saturating_add(*other);
            }

            fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, u64)) {
                visit(path, u64::try_from(*self).unwrap_or(u64::MAX));
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
                visit: &mut dyn FnMut(&$crate::base::meter::Path, u64),
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
    use alloc::vec::Vec;

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
        let mut seen = Vec::new();
        sum.each(&mut Path::default(), &mut |path, number| seen.push((path.names().join("."), number)));
        let expected = [("inner.a", 4), ("inner.b", 6), ("c", 2)];
        assert_eq!(seen, expected.map(|(name, number)| (name.into(), number)).to_vec());
    }
}
