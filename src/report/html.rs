//! The report: one HTML file that opens without a network.
//!
//! Summary and verdict first, then one section per topic. Charts are static SVG made here, so the page reads with scripts
//! off; a small script of the page's own lets a pointer or the arrow keys read a chart's numbers. A strict policy in the
//! page's head forbids everything else, by the hashes of the one style sheet and the one script.
//!
//! Invariants: nothing a file or a peer said becomes markup (`markup`); every chart has its numbers in a table; what is
//! missing is a gap and never zero.

mod chart;
mod context;
mod escape;
mod markup;
mod page;
mod section;

pub use escape::seen;
pub use page::render;
