//! Numbers on their way to people and programs.

use serde_json::Value;

/// As a number to divide. Exact far beyond what anybody measures.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub(super) const fn count(number: u64) -> f64 {
    number as f64
}

/// With two decimals, as JSON.
pub(super) fn rounded(value: f64) -> Value {
    Value::from((value * 100.0).round() / 100.0)
}

/// The middle one, by size. Zero of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_known_numbers() {
        assert_eq!(rounded(1.006).to_string(), "1.01");
        assert_eq!(median(vec![9.0, 1.0, 5.0]).to_string(), "5");
        assert_eq!(median(Vec::new()).to_string(), "0");
    }
}
