//! `ntf bench all`: every bench where size makes sense, at several sizes, and how what it measures grows with size.
//!
//! Each bench is a process of its own, this very program, one after the other: what one has left in memory is not in
//! the figures of the next. Each figure is fitted by a power of the size, whose exponent is told: 1 is in proportion,
//! 0 is flat.

mod chart;
mod child;
mod fit;
mod readings;

use std::fmt::Display;
use std::fs;
use std::path::Path;

use futures_lite::future::or;
use serde_json::{Value, json};

use crate::program::announce::print;
use crate::program::cli::BenchAll;
use crate::program::failure::Failure;
use crate::program::signals::stop_asked;

use chart::Chart;
use child::Child;
use fit::{Fit, Point};
use readings::{Kind, READINGS, Reading};

/// Subscriptions of one token.
const PER_TOKEN: u64 = 100;

/// Runs `ntf bench all`.
///
/// # Errors
///
/// When a bench fails, a chart cannot be written, or SIGINT or SIGTERM comes before the end.
pub(super) async fn run(options: BenchAll) -> Result<(), Failure> {
    if let Some(folder) = &options.svg {
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    }
    let stop = stop_asked()?;
    let stopped = async { Err(Failure::failed(format!("{}: not all is measured.", stop.await))) };
    let figures = or(stopped, measure(&options)).await?;
    tell(&figures);
    if let Some(folder) = &options.svg {
        for figure in &figures {
            let path = folder.join(format!("{}.svg", figure.reading.file));
            fs::write(&path, figure.chart()).map_err(|error| cannot_write(&path, &error))?;
        }
    }
    if options.json {
        let figures: Vec<_> = figures.iter().map(Figure::json).collect();
        print(&json!({ "figures": figures }).to_string());
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("Cannot write {}: {error}.", path.display()))
}

/// One thing that was measured, at all sizes.
struct Figure {
    reading: &'static Reading,
    points: Vec<Point>,
    fit: Option<Fit>,
}

impl Figure {
    fn chart(&self) -> String {
        let Reading { title, size, unit, .. } = *self.reading;
        Chart { title, size, unit, points: &self.points, fit: self.fit.as_ref() }.to_string()
    }

    fn json(&self) -> Value {
        json!({
            "name": self.reading.file,
            "title": self.reading.title,
            "size": self.reading.size,
            "unit": self.reading.unit,
            "points": self.points.iter().map(|point| [point.size, significant(point.value)]).collect::<Vec<_>>(),
            "exponent": self.fit.as_ref().map(Fit::rounded),
        })
    }
}

/// With four digits, which is more than a run repeats.
fn significant(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

async fn measure(options: &BenchAll) -> Result<Vec<Figure>, Failure> {
    let mut figures: Vec<_> =
        READINGS.iter().map(|reading| Figure { reading, points: Vec::new(), fit: None }).collect();
    for (kind, arguments) in runs(options) {
        eprintln!("ntf bench {} {}", kind.name(), arguments.join(" "));
        let object = Child::start(kind.name(), &arguments)?.object().await?;
        for figure in figures.iter_mut().filter(|figure| figure.reading.kind == kind) {
            let points = (figure.reading.read)(&object).ok_or_else(|| {
                Failure::failed(format!("ntf bench {} does not tell: {}.", kind.name(), figure.reading.title))
            })?;
            figure.points.extend(points);
        }
    }
    for figure in &mut figures {
        figure.fit = Fit::of(&figure.points);
    }
    Ok(figures)
}

/// All benches to run, with their arguments.
fn runs(options: &BenchAll) -> Vec<(Kind, Vec<String>)> {
    let words = |words: &[&dyn Display]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut runs = vec![(Kind::Core, words(&[&"--rounds", &options.rounds]))];
    for kind in [Kind::Memory, Kind::Resubscribe] {
        runs.extend(options.subscriptions.iter().map(|subscriptions| {
            let tokens = subscriptions.div_ceil(PER_TOKEN);
            (kind, words(&[&"--subscriptions", subscriptions, &"--tokens", &tokens]))
        }));
    }
    // Looks at several sizes by itself.
    let largest = options.subscriptions.iter().max();
    runs.extend(
        largest.map(|largest| {
            (Kind::Idle, words(&[&"--subscriptions", largest, &"--seconds", &options.seconds]))
        }),
    );
    runs.extend(options.links.iter().map(|links| (Kind::Registration, words(&[&"--links", links]))));
    runs.extend(options.devices.iter().map(|devices| {
        let more = words(&[&"--devices", devices, &"--notifications", &options.notifications]);
        (Kind::Sockets, more)
    }));
    runs
}

fn tell(figures: &[Figure]) {
    let width = figures.iter().map(|figure| figure.reading.title.chars().count()).max().unwrap_or(0);
    eprintln!("{:width$}  {:>9}  values at sizes", "", "exponent");
    for Figure { reading, points, fit } in figures {
        let exponent = fit.as_ref().map_or_else(|| "-".to_owned(), |fit| format!("{:.2}", fit.rounded()));
        let points: Vec<_> =
            points.iter().map(|point| format!("{} at {}", significant(point.value), point.size)).collect();
        eprintln!(
            "{:width$}  {exponent:>9}  {}: {}; {}",
            reading.title,
            reading.unit,
            points.join(", "),
            reading.size
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_with_four_digits() {
        for (value, expected) in
            [(1.329_999_99, "1.33"), (0.046_089, "0.04609"), (61_737.4, "61740"), (0.0, "0")]
        {
            assert_eq!(significant(value).to_string(), expected, "{value}");
        }
    }
}
