//! A power of the size that comes nearest to what was measured.

/// What was measured at a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) size: f64,
    pub(super) value: f64,
}

/// `factor · size ^ exponent`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    exponent: f64,
    factor: f64,
}

impl Fit {
    /// Least squares of the logarithms, so that each size weighs the same and a deviation counts by its ratio. `None`
    /// of fewer than two sizes. Points without a logarithm are passed over: nothing was there to be measured.
    pub(super) fn of(points: &[Point]) -> Option<Self> {
        let logs: Vec<(f64, f64)> = points
            .iter()
            .filter(|point| point.size > 0.0 && point.value > 0.0)
            .map(|point| (point.size.ln(), point.value.ln()))
            .collect();
        let count = f64::from(u32::try_from(logs.len()).ok().filter(|count| *count > 0)?);
        let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
        let (size, value) = (mean(|log| log.0), mean(|log| log.1));
        let spread: f64 = logs.iter().map(|log| (log.0 - size).powi(2)).sum();
        let together: f64 = logs.iter().map(|log| (log.0 - size) * (log.1 - value)).sum();
        let exponent = together / spread;
        // Nothing divided by nothing, where all sizes are one.
        exponent.is_finite().then(|| Self { exponent, factor: (value - exponent * size).exp() })
    }

    /// The exponent with two decimals, and never a negative nothing.
    pub(super) fn rounded(&self) -> f64 {
        (self.exponent * 100.0).round() / 100.0 + 0.0
    }

    /// What it says of a size.
    pub(super) fn at(&self, size: f64) -> f64 {
        self.factor * size.powf(self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[(f64, f64)]) -> Vec<Point> {
        values.iter().map(|&(size, value)| Point { size, value }).collect()
    }

    #[test]
    fn powers_are_found() {
        for exponent in [-1.0, 0.0, 0.5, 1.0, 2.0] {
            let points: Vec<_> = [10.0, 40.0, 160.0, 640.0_f64]
                .map(|size| Point { size, value: 3.0 * size.powf(exponent) })
                .into();
            let fit = Fit::of(&points).unwrap();
            assert!((fit.exponent - exponent).abs() < 1e-9, "{fit:?} for {exponent}");
            assert!((fit.at(1.0) - 3.0).abs() < 1e-9, "{fit:?}");
        }
    }

    #[test]
    fn deviations_up_and_down_cancel() {
        // 2 n, twice as much at both ends, half as much in the middle.
        let fit = Fit::of(&points(&[(1.0, 4.0), (10.0, 10.0), (100.0, 100.0), (1000.0, 4000.0)])).unwrap();
        assert!((fit.exponent - 1.0).abs() < 1e-9, "{fit:?}");
        assert!((fit.at(1.0) - 2.0).abs() < 1e-9, "{fit:?}");
    }

    #[test]
    fn an_exponent_is_told_with_two_decimals() {
        for (exponent, expected) in [(1.006, "1.01"), (0.5, "0.50"), (-0.002, "0.00"), (-0.08, "-0.08")] {
            assert_eq!(format!("{:.2}", Fit { exponent, factor: 1.0 }.rounded()), expected, "{exponent}");
        }
    }

    #[test]
    fn nothing_is_fitted_to_too_little() {
        for few in [&[][..], &[(10.0, 1.0)], &[(10.0, 1.0), (10.0, 2.0)], &[(10.0, 1.0), (20.0, 0.0)]] {
            assert_eq!(Fit::of(&points(few)), None, "{few:?}");
        }
        // What was too little to be measured does not keep the others from being fitted.
        assert!(Fit::of(&points(&[(1.0, 0.0), (10.0, 1.0), (20.0, 2.0)])).is_some());
    }
}
