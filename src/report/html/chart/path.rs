//! The `d` of an SVG path, in tenths of a unit.

use crate::report::html::markup::length;

/// A path in the making.
#[derive(Debug, Default)]
pub struct Path {
    text: String,
    at: (String, String),
}

impl Path {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing was drawn.
    pub const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Lifts the pen.
    pub fn move_to(&mut self, x: f64, y: f64) {
        self.at = (length(x), length(y));
        self.text.extend(["M", &self.at.0, " ", &self.at.1]);
    }

    /// Draws a straight line; one that leads nowhere is left out.
    pub fn to(&mut self, x: f64, y: f64) {
        let to = (length(x), length(y));
        match (to.0 == self.at.0, to.1 == self.at.1) {
            (true, true) => return,
            (true, false) => self.text.extend(["V", &to.1]),
            (false, true) => self.text.extend(["H", &to.0]),
            (false, false) => self.text.extend(["L", &to.0, " ", &to.1]),
        }
        self.at = to;
    }

    /// A rectangle by its edges.
    pub fn rectangle(&mut self, left: f64, top: f64, right: f64, bottom: f64) {
        let (left, right) = (length(left), length(right));
        self.text.extend(["M", &left, " ", &length(top), "H", &right, "V", &length(bottom), "H", &left, "Z"]);
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }
}
