//! The frame of a chart: the plot area, its axes, and the phases behind a time axis.
//!
//! A chart is static SVG in units of its own; its colours, dashes and letters come from the page's style sheet, by class.

use super::path::Path;
use super::scale::{Scale, time_ticks};
use super::stack_class;
use super::textures::texture_class;
use crate::report::html::markup::{Markup, length};
use crate::report::summary::quantity;
use crate::report::timeline::Grid;
use crate::results::Unit;
use crate::units::show_elapsed;

/// A chart's width, its own units.
pub const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 250.0;
/// Room for the labels of the upright axis.
pub const LEFT: f64 = 84.0;
/// The right edge of the plot area.
pub const RIGHT: f64 = WIDTH - 30.0;
/// The upper edge of the plot area.
pub const TOP: f64 = 28.0;
/// The lower edge of the plot area.
pub const BOTTOM: f64 = HEIGHT - 26.0;
/// The height of the strip for what lies beyond every deadline.
const STRIP: f64 = 14.0;

/// A phase, as it lies behind a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Shade {
    /// Its name.
    pub name: String,
    /// Its first instant, seconds.
    pub start_s: f64,
    /// Its end, seconds.
    pub end_s: f64,
    /// Whether it counts.
    pub measured: bool,
}

/// What all time charts of a report share.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Phases in their order.
    pub shades: Vec<Shade>,
    /// Where runs ended before their plans did.
    pub endings: Vec<Ending>,
}

/// Where a run ended before its plan did.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// When, seconds.
    pub at_s: f64,
    /// How its line looks.
    pub class: String,
    /// Whose end it is, in a few letters.
    pub name: String,
}

/// A chart over time in the making.
pub struct Frame {
    markup: Markup,
    grid: Grid,
    scale: Scale,
    strip: f64,
}

impl Frame {
    /// Begins a chart: phases, axes and labels. With `strip` there is room above for what lies beyond every deadline.
    pub fn over_time(label: &str, grid: Grid, stage: &Stage, scale: Scale, unit: Unit, strip: bool) -> Self {
        let mut frame = Self { markup: Markup::new(), grid, scale, strip: if strip { STRIP } else { 0.0 } };
        let columns = grid.columns().to_string();
        let edges = [length(LEFT), length(frame.x(grid.seconds as f64)), length(TOP), length(BOTTOM)];
        frame.markup.open(
            "svg",
            &[
                ("viewBox", &format!("0 0 {WIDTH} {HEIGHT}")),
                ("role", "img"),
                ("aria-label", label),
                ("data-columns", &columns),
                ("data-left", &edges[0]),
                ("data-right", &edges[1]),
                ("data-top", &edges[2]),
                ("data-bottom", &edges[3]),
                ("data-column-s", &grid.width_s.to_string()),
                ("data-seconds", &grid.seconds.to_string()),
            ],
        );
        frame.shades(stage);
        frame.upright(unit);
        frame.elapsed();
        frame
    }

    /// A line in steps: a column has one value over its whole length, and what is missing is a gap. An infinite value
    /// lies in the strip.
    pub fn line(&mut self, values: &[Option<f64>], class: &str) {
        let mut path = Path::new();
        let mut drawing = false;
        for (column, value) in values.iter().enumerate() {
            let Some(value) = value else {
                drawing = false;
                continue;
            };
            let (left, right, y) = (self.left(column), self.right(column), self.y(*value));
            if drawing {
                path.to(left, y);
            } else {
                path.move_to(left, y);
            }
            path.to(right, y);
            drawing = true;
        }
        self.path(path, class);
    }

    /// The area between two values of each column, in steps.
    pub fn band(&mut self, values: &[Option<(f64, f64)>], class: &str) {
        let mut path = Path::new();
        for (column, value) in values.iter().enumerate() {
            let Some((low, high)) = value else { continue };
            let (top, bottom) = (self.y(*high), self.y(*low));
            path.rectangle(self.left(column), top, self.right(column), bottom.max(top + 0.6));
        }
        self.path(path, class);
    }

    /// The same for one of several areas that are stacked: its place among them gives it its colour and its texture.
    pub fn stacked(&mut self, values: &[Option<(f64, f64)>], place: usize) {
        self.band(values, stack_class(place));
        if let Some(texture) = texture_class(place) {
            self.band(values, texture);
        }
    }

    /// Cells of equal height, `rows` of them between the ends of the axis, counted from below; the row `rows` is the strip.
    pub fn cells(&mut self, cells: &[(usize, usize)], rows: usize, class: &str) {
        let mut path = Path::new();
        let (floor, ceiling) = (BOTTOM, TOP + self.strip);
        let step = (floor - ceiling) / rows as f64;
        let edge = |row: usize| floor - row as f64 * step;
        for &(column, row) in cells {
            let (top, bottom) = if row >= rows { (TOP, ceiling) } else { (edge(row + 1), edge(row)) };
            path.rectangle(self.left(column), top, self.right(column), bottom);
        }
        self.path(path, class);
    }

    /// The chart.
    pub fn finish(self) -> Markup {
        let mut whole = Markup::new();
        whole.append(self.markup);
        whole
    }

    fn path(&mut self, path: Path, class: &str) {
        if !path.is_empty() {
            self.markup.empty("path", &[("class", class), ("d", &path.into_text())]);
        }
    }

    fn x(&self, second: f64) -> f64 {
        let whole = (self.grid.columns() * self.grid.width_s).max(1) as f64;
        LEFT + (second / whole).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn left(&self, column: usize) -> f64 {
        self.x((column * self.grid.width_s) as f64)
    }

    fn right(&self, column: usize) -> f64 {
        self.x(self.grid.range(column).end as f64)
    }

    fn y(&self, value: f64) -> f64 {
        if value == f64::INFINITY {
            return TOP + self.strip / 2.0;
        }
        BOTTOM - self.scale.place(value) * (BOTTOM - TOP - self.strip)
    }

    fn shades(&mut self, stage: &Stage) {
        for shade in &stage.shades {
            let (left, right) = (self.x(shade.start_s), self.x(shade.end_s));
            if right - left < 0.5 {
                continue;
            }
            let class = if shade.measured { "phase measured" } else { "phase" };
            let (x, width, height) = (length(left), length(right - left), length(BOTTOM - TOP));
            let place = [("class", class), ("x", &x), ("width", &width)];
            let [a, b, c] = place;
            self.markup.empty("rect", &[a, b, c, ("y", &length(TOP)), ("height", &height)]);
            if shade.measured {
                let mark = [("class", "measured-mark"), ("x", &x), ("width", &width)];
                let [a, b, c] = mark;
                self.markup.empty("rect", &[a, b, c, ("y", &length(TOP - 4.0)), ("height", "4")]);
            }
            let name = fitting(&shade.name, right - left);
            if !name.is_empty() {
                let class = if shade.measured { "phase-name measured-name" } else { "phase-name" };
                let place = [("class", class), ("x", x.as_str()), ("y", &length(TOP - 9.0))];
                self.markup.leaf("text", &place, &name);
            }
        }
        for (place, ending) in stage.endings.iter().enumerate() {
            self.ending(place, ending);
        }
    }

    /// A line across the chart, its name beside it; names stand below each other, since runs may end at once.
    fn ending(&mut self, place: usize, ending: &Ending) {
        const NAME: f64 = 13.0;
        const GAP: f64 = 4.0;
        let at = self.x(ending.at_s);
        let (x, top, bottom) = (length(at), length(TOP), length(BOTTOM));
        let line = [("class", ending.class.as_str()), ("x1", &x), ("x2", &x), ("y1", &top), ("y2", &bottom)];
        self.markup.empty("line", &line);
        let is_left = at < f64::midpoint(LEFT, RIGHT);
        let (class, x) = if is_left { ("ended", at + GAP) } else { ("ended before", at - GAP) };
        let y = length(TOP + NAME * (place + 1) as f64);
        self.markup.leaf("text", &[("class", class), ("x", &length(x)), ("y", &y)], &ending.name);
    }

    fn upright(&mut self, unit: Unit) {
        for tick in self.scale.ticks() {
            let y = self.y(tick);
            rule(&mut self.markup, y, "rule");
            side_label(&mut self.markup, y, &quantity(tick, unit));
        }
        if self.strip > 0.0 {
            rule(&mut self.markup, TOP + self.strip, "rule beyond");
            side_label(&mut self.markup, TOP + self.strip / 2.0, "> deadline");
        }
        rule(&mut self.markup, BOTTOM, "axis");
    }

    fn elapsed(&mut self) {
        for tick in time_ticks(self.grid.seconds as f64) {
            let x = self.x(tick as f64);
            foot_label(&mut self.markup, x, &show_elapsed(tick));
        }
    }
}

/// A line across the plot area.
pub fn rule(markup: &mut Markup, y: f64, class: &str) {
    let y = length(y);
    let (left, right) = (length(LEFT), length(RIGHT));
    markup.empty("line", &[("class", class), ("x1", &left), ("x2", &right), ("y1", &y), ("y2", &y)]);
}

/// A label of the upright axis.
pub fn side_label(markup: &mut Markup, y: f64, text: &str) {
    let (x, y) = (length(LEFT - 6.0), length(y + 4.0));
    markup.leaf("text", &[("class", "side"), ("x", &x), ("y", &y)], text);
}

/// A label under the plot area, with its tick.
pub fn foot_label(markup: &mut Markup, x: f64, text: &str) {
    let (at, y) = (length(x), length(BOTTOM + 18.0));
    let (top, bottom) = (length(BOTTOM), length(BOTTOM + 4.0));
    markup.empty("line", &[("class", "axis"), ("x1", &at), ("x2", &at), ("y1", &top), ("y2", &bottom)]);
    markup.leaf("text", &[("class", "foot"), ("x", &at), ("y", &y)], text);
}

/// What of a name has room; nothing where a piece of it would say nothing.
fn fitting(name: &str, room: f64) -> String {
    const LETTER: f64 = 7.2;
    const GAP: f64 = 5.0;
    const LEAST: usize = 4;
    let letters = ((room - GAP) / LETTER).max(0.0) as usize;
    if name.chars().count() <= letters {
        return name.to_owned();
    }
    if letters < LEAST {
        return String::new();
    }
    name.chars().take(letters - 1).chain(['…']).collect()
}
