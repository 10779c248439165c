//! Times by which shares and ratios are told: those of the fastest rounds.

use core::cell::RefCell;
use core::time::Duration;
use std::time::Instant;

use criterion::Criterion;

/// Has criterion run and report what is measured.
pub(crate) struct Bench {
    criterion: RefCell<Criterion>,
}

impl Bench {
    /// As the command line says. Without `--bench` each is run once, to see that it works.
    pub(crate) fn new() -> Self {
        Self {
            criterion: RefCell::new(
                Criterion::default()
                    .warm_up_time(Duration::from_millis(500))
                    .measurement_time(Duration::from_secs(2))
                    .sample_size(50)
                    .configure_from_args(),
            ),
        }
    }

    /// Has criterion run `work` and report; gives what it took at its fastest, in nanoseconds, if it ran.
    ///
    /// Whatever else a machine does makes work slower and never faster, and it does not slow both halves of
    /// a share alike. So `rounds` are timed at a time, few enough to be undisturbed now and then, and the
    /// fastest of them counts. `prepare` goes before them and is not timed.
    pub(crate) fn measure(
        &self,
        name: &str,
        rounds: u32,
        prepare: impl Fn(),
        mut work: impl FnMut(),
    ) -> Option<f64> {
        let mut fastest = None;
        self.criterion.borrow_mut().bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut taken = Duration::ZERO;
                for _ in 0..iterations {
                    prepare();
                    let start = Instant::now();
                    for _ in 0..rounds {
                        work();
                    }
                    let elapsed = start.elapsed();
                    fastest = Some(fastest.map_or(elapsed, |fastest: Duration| fastest.min(elapsed)));
                    taken += elapsed;
                }
                taken / rounds
            });
        });
        fastest.map(|fastest| fastest.as_secs_f64() * 1e9 / f64::from(rounds))
    }
}
