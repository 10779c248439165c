//! A chart as an SVG file that needs nothing else: points and the fitted power, both axes by their logarithms.
//!
//! It has a background of its own and follows whether its reader prefers dark or light. Texts are ours, so nothing in
//! them is escaped.

use std::fmt;

use super::fit::{Fit, Point};

/// Of the picture, in its own units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;

/// Of the field between the axes.
const LEFT: f64 = 72.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = HEIGHT - 56.0;

/// More than so many steps by 1, 2 and 5 are shown by tens alone.
const TICKS_MAX: usize = 10;

const STYLE: &str = "\
    svg { --ground: #ffffff; --ink: #1f2430; --faint: #d8dce4; --mark: #1b6ac9; --line: #c2410c; }
    @media (prefers-color-scheme: dark) {
      svg { --ground: #14171f; --ink: #e4e7ee; --faint: #353b49; --mark: #6cb2ff; --line: #ff9a62; }
    }
    rect { fill: var(--ground); }
    text { fill: var(--ink); font: 13px system-ui, sans-serif; }
    .title { font-size: 15px; font-weight: 600; }
    .fit { fill: var(--line); }
    .grid { stroke: var(--faint); }
    .line { stroke: var(--line); stroke-width: 2; stroke-dasharray: 6 4; }
    circle { fill: var(--mark); }";

/// What is shown. Prints the file.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    /// What the size counts.
    pub(super) size: &'a str,
    /// What values are in.
    pub(super) unit: &'a str,
    pub(super) points: &'a [Point],
    pub(super) fit: Option<&'a Fit>,
}

/// An axis from one tick to another, with those between.
struct Axis {
    ticks: Vec<f64>,
    /// Where its ends are.
    from: f64,
    to: f64,
}

impl Axis {
    /// One that shows these values, and at least a power of ten: what hardly changes should look it.
    fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .filter(|value| *value > 0.0 && value.is_finite())
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low <= high { (low, high) } else { (1.0, 1.0) };
        let missing = (10.0 * low / high).max(1.0).sqrt();
        // A tick is hit by what differs from it by rounding alone.
        let (low, high) = (low / missing * (1.0 + 1e-9), high * missing * (1.0 - 1e-9));
        let all = (-12..=15).flat_map(|tens| [1.0, 2.0, 5.0].map(|step: f64| step * 10.0_f64.powi(tens)));
        let all: Vec<f64> = all.collect();
        let first = all.iter().rposition(|tick| *tick <= low).unwrap_or(0);
        let last = all.iter().position(|tick| *tick >= high).unwrap_or(all.len() - 1);
        let ticks = all.get(first..=last).unwrap_or_default().to_vec();
        Self { ticks, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let (Some(first), Some(last)) = (self.ticks.first(), self.ticks.last()) else { return self.from };
        self.from + (value / first).ln() / (last / first).ln() * (self.to - self.from)
    }

    /// Those to be drawn.
    fn shown(&self) -> impl Iterator<Item = f64> {
        let only_tens = self.ticks.len() > TICKS_MAX;
        let is_ten = |tick: f64| (tick.log10() - tick.log10().round()).abs() < 1e-9;
        self.ticks.iter().copied().filter(move |tick| !only_tens || is_ten(*tick))
    }
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |point: &&Point| point.size > 0.0 && point.value > 0.0;
        let points: Vec<&Point> = self.points.iter().filter(shown).collect();
        let sizes = || points.iter().map(|point| point.size);
        let (low, high) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
        let fitted = self.fit.map(|fit| [low, high].map(|size| Point { size, value: fit.at(size) }));
        let values = points.iter().map(|point| point.value);
        let x = Axis::around(sizes(), LEFT, RIGHT);
        let y = Axis::around(values.chain(fitted.iter().flatten().map(|point| point.value)), BOTTOM, TOP);

        writeln!(f, r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">"#)?;
        writeln!(f, "  <title>{}</title>\n  <style>\n{STYLE}\n  </style>", self.title)?;
        writeln!(f, r#"  <rect width="{WIDTH}" height="{HEIGHT}"/>"#)?;
        writeln!(f, r#"  <text class="title" x="{LEFT}" y="28">{}</text>"#, self.title)?;
        self.axes(f, &x, &y)?;
        if let (Some(fit), Some([first, last])) = (self.fit, fitted) {
            let [x1, x2] = [first, last].map(|point| x.place(point.size));
            let [y1, y2] = [first, last].map(|point| y.place(point.value));
            writeln!(f, r#"  <line class="line" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#)?;
            writeln!(
                f,
                r#"  <text class="fit" x="{RIGHT}" y="{:.1}" text-anchor="end">grows as size to the power of {:.2}</text>"#,
                BOTTOM - 10.0,
                fit.rounded()
            )?;
        }
        for point in points {
            let (cx, cy) = (x.place(point.size), y.place(point.value));
            writeln!(
                f,
                r#"  <circle cx="{cx:.1}" cy="{cy:.1}" r="4.5"><title>{} {} at {}</title></circle>"#,
                label(point.value),
                self.unit,
                label(point.size)
            )?;
        }
        writeln!(f, "</svg>")
    }
}

impl Chart<'_> {
    fn axes(&self, f: &mut fmt::Formatter<'_>, x: &Axis, y: &Axis) -> fmt::Result {
        for tick in x.shown() {
            let at = x.place(tick);
            writeln!(f, r#"  <line class="grid" x1="{at:.1}" y1="{TOP}" x2="{at:.1}" y2="{BOTTOM}"/>"#)?;
            let below = BOTTOM + 20.0;
            writeln!(f, r#"  <text x="{at:.1}" y="{below}" text-anchor="middle">{}</text>"#, label(tick))?;
        }
        for tick in y.shown() {
            let at = y.place(tick);
            writeln!(f, r#"  <line class="grid" x1="{LEFT}" y1="{at:.1}" x2="{RIGHT}" y2="{at:.1}"/>"#)?;
            let (left, middle) = (LEFT - 8.0, at + 4.5);
            writeln!(f, r#"  <text x="{left}" y="{middle:.1}" text-anchor="end">{}</text>"#, label(tick))?;
        }
        let (middle, below) = (f64::midpoint(LEFT, RIGHT), HEIGHT - 14.0);
        writeln!(f, r#"  <text x="{middle}" y="{below}" text-anchor="middle">{}</text>"#, self.size)?;
        writeln!(f, r#"  <text x="{}" y="{}" text-anchor="end">{}</text>"#, LEFT - 8.0, TOP - 14.0, self.unit)
    }
}

/// A number in at most four digits, with thousands and millions by their letter.
fn label(value: f64) -> String {
    let (value, letter) = match value {
        value if value >= 999_950.0 => (value / 1e6, "M"),
        value if value >= 999.95 => (value / 1e3, "k"),
        value => (value, ""),
    };
    let decimals = [1e2, 1e1, 1.0, 1e-1, 1e-2, 1e-3].iter().take_while(|bound| value < **bound).count();
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        for (value, expected) in [
            (1000.0, "1k"),
            (64_000.0, "64k"),
            (2_000_000.0, "2M"),
            (100.0, "100"),
            (50.0, "50"),
            (0.02, "0.02"),
            (0.001, "0.001"),
            (26.04, "26"),
            (26.46, "26.5"),
            (179.3, "179"),
            (1.305, "1.3"),
        ] {
            assert_eq!(label(value), expected, "{value}");
        }
    }

    #[test]
    fn an_axis_reaches_around_its_values() {
        for (values, first, last) in [
            (&[1000.0, 64_000.0][..], 1000.0, 100_000.0),
            (&[1200.0, 4100.0], 500.0, 10_000.0),
            (&[26.0, 26.5], 5.0, 100.0),
            (&[0.0, 3.0], 0.5, 10.0),
            (&[], 0.2, 5.0),
        ] {
            let axis = Axis::around(values.iter().copied(), 0.0, 100.0);
            let ends = (axis.ticks.first().copied().unwrap(), axis.ticks.last().copied().unwrap());
            assert!((ends.0 / first - 1.0_f64).abs() < 1e-9, "{values:?}: {ends:?}");
            assert!((ends.1 / last - 1.0_f64).abs() < 1e-9, "{values:?}: {ends:?}");
            for value in values.iter().filter(|value| **value > 0.0) {
                assert!((0.0..=100.0).contains(&axis.place(*value)), "{value} of {values:?}");
            }
        }
    }

    #[test]
    fn a_chart_shows_its_points_and_what_was_fitted() {
        let points: Vec<_> =
            [10.0, 100.0, 1000.0, 10_000.0].map(|size| Point { size, value: 2.0 * size }).into();
        let fit = Fit::of(&points);
        let chart = Chart { title: "Memory", size: "links", unit: "MB", points: &points, fit: fit.as_ref() };
        let text = chart.to_string();
        assert_eq!(text.matches("<circle").count(), points.len(), "{text}");
        for part in ["Memory</text>", ">links<", ">MB<", "to the power of 1.00", "prefers-color-scheme: dark"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        // Values grow upwards, sizes to the right, both within the field.
        assert!(text.contains(r#"<line class="line" x1="72.0""#), "{text}");
        let none = Chart { points: &[], fit: None, ..chart }.to_string();
        assert!(none.ends_with("</svg>\n") && !none.contains("<circle") && !none.contains("NaN"), "{none}");
    }
}
