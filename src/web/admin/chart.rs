//! Charts as SVG, written on the server: bars and lines with their axes, and the same numbers as a table for who cannot see them.

use std::fmt::Write;

use askama::Template;

use crate::web::Shell;

/// In the chart's own units: the sheet lets it grow and shrink with its place.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 42.0;
const RIGHT: f64 = 352.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 146.0;
/// How much of its place a bar fills.
const FILLED: f64 = 0.7;

/// What a chart shows.
pub(super) struct Data {
    /// Unique on the page.
    pub(super) id: &'static str,
    pub(super) title: String,
    /// In a sentence what there is to see.
    pub(super) description: String,
    /// What the rows of the table are, as `Day`.
    pub(super) of: String,
    /// The names of the points, from left to right.
    pub(super) points: Vec<String>,
    pub(super) series: Vec<Series>,
    /// The columns of the table: name, and a text for each point.
    pub(super) columns: Vec<(String, Vec<String>)>,
}

pub(super) struct Series {
    pub(super) name: String,
    /// One for each point; `None`: there is none, and the line is interrupted.
    pub(super) values: Vec<Option<f64>>,
}

struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    name: String,
}

struct Tick {
    y: f64,
    name: String,
}

struct Label {
    x: f64,
    anchor: &'static str,
    name: String,
}

#[derive(Template)]
#[template(path = "admin/chart.html")]
pub(super) struct Chart {
    /// What its numbers are called, as `Show the numbers`.
    numbers: String,
    table: String,
    data: Data,
    bars: Vec<Bar>,
    /// The paths, with what tells them apart.
    lines: Vec<(&'static str, String)>,
    ticks: Vec<Tick>,
    labels: Vec<Label>,
}

impl askama::filters::HtmlSafe for Chart {}

impl Chart {
    /// The first series as bars.
    pub(super) fn bars(shell: &Shell, data: Data) -> Chart {
        let scale = Scale::of(&data);
        let place = (RIGHT - LEFT) / data.points.len().max(1) as f64;
        let series = data.series.first();
        let values = series.map_or(&[][..], |series| &series.values).iter().zip(&data.points).enumerate();
        let bars = values.filter_map(|(n, (value, point))| {
            let y = scale.y((*value)?);
            Some(Bar {
                x: LEFT + place * (n as f64 + (1.0 - FILLED) / 2.0),
                y,
                width: place * FILLED,
                height: BOTTOM - y,
                name: format!("{point}: {}", shell.number((*value)?.round() as i64)),
            })
        });
        Chart { bars: bars.collect(), ..Chart::empty(shell, &scale, data, place / 2.0) }
    }

    /// Each series as a line; the second one is dashed.
    pub(super) fn lines(shell: &Shell, data: Data) -> Chart {
        let scale = Scale::of(&data);
        let place = (RIGHT - LEFT) / data.points.len().saturating_sub(1).max(1) as f64;
        let path = |series: &Series| {
            let mut path = String::new();
            let mut is_drawn = false;
            for (n, value) in series.values.iter().enumerate() {
                if let Some(value) = value {
                    let (x, y) = (LEFT + place * n as f64, scale.y(*value));
                    // A point alone is a line of no length, whose ends are round. Writing to a String cannot fail.
                    let _ = match is_drawn {
                        true => write!(path, "L{x:.1} {y:.1}"),
                        false => write!(path, "M{x:.1} {y:.1}h0"),
                    };
                }
                is_drawn = value.is_some();
            }
            path
        };
        let lines = data.series.iter().map(path).zip(["line", "line second"]).map(|(path, class)| (class, path));
        Chart { lines: lines.collect(), ..Chart::empty(shell, &scale, data, 0.0) }
    }

    /// The axes; the first and the last point are so far from the ends.
    fn empty(shell: &Shell, scale: &Scale, data: Data, inset: f64) -> Chart {
        let last = data.points.len().saturating_sub(1);
        let middle = last / 2;
        let x = |n: usize| LEFT + inset + (RIGHT - LEFT - 2.0 * inset) * n as f64 / last.max(1) as f64;
        let mut places = vec![(0, "start", LEFT), (middle, "middle", x(middle)), (last, "end", RIGHT)];
        places.dedup_by_key(|(n, _, _)| *n);
        let label = |(n, anchor, x): (usize, &'static str, f64)| {
            data.points.get(n).map(|name| Label { x, anchor, name: name.clone() })
        };
        let labels = places.into_iter().filter_map(label).collect();
        let ticks = scale.ticks().map(|value| Tick { y: scale.y(value as f64), name: shell.number(value) }).collect();
        let table = shell.t1("chart-table", "title", &data.title);
        Chart { numbers: shell.t("chart-numbers"), table, data, bars: vec![], lines: vec![], ticks, labels }
    }

    fn has_legend(&self) -> bool {
        self.lines.len() > 1
    }

    /// The rows of the table.
    fn rows(&self) -> impl Iterator<Item = (&String, Vec<&str>)> {
        let cells =
            |n: usize| self.data.columns.iter().map(|(_, texts)| texts.get(n).map_or("", String::as_str)).collect();
        self.data.points.iter().enumerate().map(move |(n, point)| (point, cells(n)))
    }
}

/// The vertical axis: from 0 in steps of 1, 2 or 5 and so many zeros, to the first one that no value is above.
struct Scale {
    step: i64,
    top: i64,
}

impl Scale {
    fn of(data: &Data) -> Scale {
        let values = data.series.iter().flat_map(|series| series.values.iter().flatten());
        Scale::to(values.copied().fold(0.0, f64::max))
    }

    fn to(highest: f64) -> Scale {
        // Beyond that nothing is counted, and nothing can overflow.
        let highest = highest.clamp(1.0, 1e15);
        let rough = highest / 3.0;
        let mut step = 1_i64;
        let mut factors = [2, 5, 10].iter().cycle();
        let mut unit = 1;
        while (step as f64) < rough {
            let factor = *factors.next().unwrap_or(&10);
            step = unit * factor;
            if factor == 10 {
                unit *= 10;
            }
        }
        Scale { step, top: (highest / step as f64).ceil() as i64 * step }
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * value.max(0.0) / self.top as f64
    }

    fn ticks(&self) -> impl Iterator<Item = i64> {
        (0..=self.top / self.step).map(|n| n * self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn axes_have_few_round_steps_and_hold_every_value() {
        for (highest, ticks) in [
            (0.0, vec![0, 1]),
            (0.4, vec![0, 1]),
            (3.0, vec![0, 1, 2, 3]),
            (4.0, vec![0, 2, 4]),
            (14.0, vec![0, 5, 10, 15]),
            (61.0, vec![0, 50, 100]),
            (1_001.0, vec![0, 500, 1_000, 1_500]),
        ] {
            let scale = Scale::to(highest);
            assert_eq!(scale.ticks().collect::<Vec<_>>(), ticks, "{highest}");
            assert!(scale.y(highest) >= super::TOP);
        }
        let highest = Scale::to(f64::MAX);
        assert!(highest.ticks().count() <= 5);
    }
}
