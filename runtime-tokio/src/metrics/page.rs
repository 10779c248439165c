//! Numbers as OpenMetrics text.

use std::collections::BTreeMap;
use std::fmt;

use ntf_core::base::meter::{Meters as _, Path, Reading, Readings};

/// What the text is called in HTTP. Source: OpenMetrics 1.0.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All numbers by name. Its text is what a reader gets.
#[derive(Clone, Debug, Default)]
pub struct Page {
    by_name: BTreeMap<String, Reading>,
}

impl Page {
    /// Adds what the meters of one party show. A name that is there already gets the sum.
    pub fn add(&mut self, prefix: &str, readings: &Readings) {
        for (path, reading) in readings {
            let name = name(prefix, path);
            let sum = self.by_name.get(&name).map_or(*reading, |there| sum(*there, *reading));
            self.by_name.insert(name, sum);
        }
    }

    /// The names of all that is shown, as they stand in the text's `TYPE` lines, with their types.
    pub fn names(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.by_name.iter().map(|(name, reading)| (name.as_str(), kind(reading)))
    }
}

fn name(prefix: &str, path: &Path) -> String {
    path.names().iter().fold(format!("ntf_{prefix}"), |name, part| name + "_" + part)
}

const fn kind(reading: &Reading) -> &'static str {
    match reading {
        Reading::Counter(_) => "counter",
        Reading::Gauge(_) => "gauge",
        Reading::Histogram(_) => "histogram",
    }
}

/// Two readings of one name: of one kind, as they come from two of the same role.
fn sum(one: Reading, other: Reading) -> Reading {
    match (one, other) {
        (Reading::Counter(one), Reading::Counter(other)) => Reading::Counter(one.saturating_add(other)),
        (Reading::Gauge(one), Reading::Gauge(other)) => Reading::Gauge(one.saturating_add(other)),
        (Reading::Histogram(mut one), Reading::Histogram(other)) => {
            one.absorb(&other);
            Reading::Histogram(one)
        }
        (one, _) => {
            debug_assert!(false, "a name belongs to one field, and a field has one type");
            one
        }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, reading) in &self.by_name {
            writeln!(f, "# TYPE {name} {}", kind(reading))?;
            match reading {
                Reading::Counter(total) => writeln!(f, "{name}_total {total}")?,
                Reading::Gauge(now) => writeln!(f, "{name} {now}")?,
                Reading::Histogram(histogram) => {
                    for (bound, count) in histogram.cumulative() {
                        writeln!(f, "{name}_bucket{{le=\"{bound}.0\"}} {count}")?;
                    }
                    writeln!(f, "{name}_bucket{{le=\"+Inf\"}} {}", histogram.count())?;
                    writeln!(f, "{name}_count {}", histogram.count())?;
                    writeln!(f, "{name}_sum {}", histogram.sum_millis())?;
                }
            }
        }
        f.write_str("# EOF\n")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ntf_core::base::meter::Histogram;

    use super::*;

    fn path(names: &[&'static str]) -> Path {
        let mut found = Path::default();
        let mut visit = |path: &Path| found = path.clone();
        let mut path = Path::default();
        match names {
            [one] => path.within(one, |path| visit(path)),
            [one, two] => path.within(one, |path| path.within(two, |path| visit(path))),
            _ => panic!("one or two names"),
        }
        found
    }

    #[test]
    fn each_kind_is_written_as_openmetrics_has_it_and_shards_add_up() {
        let mut took = Histogram::default();
        took.record(Duration::from_millis(7));
        took.record(Duration::from_secs(7200));
        let mut page = Page::default();
        for _ in 0..2 {
            page.add(
                "role",
                &vec![
                    (path(&["links"]), Reading::Gauge(3)),
                    (path(&["links", "accepted"]), Reading::Counter(5)),
                    (path(&["took_ms"]), Reading::Histogram(took)),
                ],
            );
        }
        let text = page.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[..7],
            [
                "# TYPE ntf_role_links gauge",
                "ntf_role_links 6",
                "# TYPE ntf_role_links_accepted counter",
                "ntf_role_links_accepted_total 10",
                "# TYPE ntf_role_took_ms histogram",
                "ntf_role_took_ms_bucket{le=\"5.0\"} 0",
                "ntf_role_took_ms_bucket{le=\"10.0\"} 2",
            ]
        );
        assert_eq!(
            lines[lines.len() - 5..],
            [
                "ntf_role_took_ms_bucket{le=\"3600000.0\"} 2",
                "ntf_role_took_ms_bucket{le=\"+Inf\"} 4",
                "ntf_role_took_ms_count 4",
                "ntf_role_took_ms_sum 14400014",
                "# EOF",
            ]
        );
    }
}
