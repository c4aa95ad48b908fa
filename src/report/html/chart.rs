//! Charts as static SVG: readable with scripts off, on paper, and by who cannot see colours.

mod bars;
mod curve;
mod figure;
mod frame;
mod path;
mod scale;
mod textures;

pub use bars::{Bar, bars};
pub use curve::{Curve, curves};
pub use figure::{Figure, Key, Table};
pub use frame::{Ending, Frame, Shade, Stage};
pub use scale::Scale;
pub use textures::textures;

/// The class of a run's lines.
pub fn run_class(index: usize) -> &'static str {
    const CLASSES: [&str; 8] =
        ["line r0", "line r1", "line r2", "line r3", "line r4", "line r5", "line r6", "line r7"];
    CLASSES[index % CLASSES.len()]
}

/// The class of one of several areas that are stacked.
pub fn stack_class(index: usize) -> &'static str {
    const CLASSES: [&str; 10] = [
        "stack k0", "stack k1", "stack k2", "stack k3", "stack k4", "stack k5", "stack k6", "stack k7",
        "stack k8", "stack k9",
    ];
    CLASSES[index.min(CLASSES.len() - 1)]
}
