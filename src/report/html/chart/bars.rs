//! Bars lying on their side, each a stack of parts.

use super::frame::{LEFT, RIGHT, WIDTH};
use super::scale::Scale;
use super::stack_class;
use crate::report::html::markup::{Markup, length};
use crate::report::summary::quantity;
use crate::results::Unit;

/// A stretch narrower than this has no room for its number.
const ROOM: f64 = 18.0;

/// One bar.
pub struct Bar {
    /// What stands before it.
    pub label: String,
    /// Its parts in their order, each with its place among the keys.
    pub parts: Vec<(usize, f64)>,
}

const HIGH: f64 = 34.0;
const GAP: f64 = 12.0;
const TOP: f64 = 6.0;

/// The picture.
pub fn bars(label: &str, bars: &[Bar], unit: Unit) -> Markup {
    let total = |bar: &Bar| bar.parts.iter().map(|(_, value)| value).sum::<f64>();
    let scale = Scale::linear(bars.iter().map(total).fold(0.0, f64::max));
    let x = |value: f64| LEFT + scale.place(value) * (RIGHT - LEFT);
    let floor = TOP + bars.len() as f64 * (HIGH + GAP);
    let mut page = Markup::new();
    page.open(
        "svg",
        &[
            ("viewBox", &format!("0 0 {WIDTH} {}", length(floor + 24.0))),
            ("role", "img"),
            ("aria-label", label),
        ],
    );
    for tick in scale.ticks() {
        let at = length(x(tick));
        let (top, bottom) = (length(TOP - 4.0), length(floor));
        page.empty("line", &[("class", "rule"), ("x1", &at), ("x2", &at), ("y1", &top), ("y2", &bottom)]);
        page.leaf(
            "text",
            &[("class", "foot"), ("x", &at), ("y", &length(floor + 16.0))],
            &quantity(tick, unit),
        );
    }
    for (row, bar) in bars.iter().enumerate() {
        let top = TOP + row as f64 * (HIGH + GAP);
        let y = length(top + HIGH / 2.0 + 4.0);
        page.leaf("text", &[("class", "side"), ("x", &length(LEFT - 6.0)), ("y", &y)], &bar.label);
        let mut from = 0.0;
        for &(key, value) in &bar.parts {
            let (left, right) = (x(from), x(from + value));
            from += value;
            page.empty(
                "rect",
                &[
                    ("class", stack_class(key)),
                    ("x", &length(left)),
                    ("y", &length(top)),
                    ("width", &length((right - left).max(0.0))),
                    ("height", &length(HIGH)),
                ],
            );
            if right - left >= ROOM {
                let middle = length(f64::midpoint(left, right));
                page.leaf("text", &[("class", "number"), ("x", &middle), ("y", &y)], &(key + 1).to_string());
            }
        }
    }
    page
}
