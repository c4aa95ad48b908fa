//! From results to what a person reads.
//!
//! One result, or several laid over each other ([`Run`]), in four forms: a page that explains itself ([`html`]), what one
//! pastes into an issue ([`markdown`]), numbers for a spreadsheet ([`csv`]), and histograms for the HdrHistogram tools
//! ([`hlog`]). Beside them the summary a terminal shows ([`summary`]).
//!
//! This module does no I/O and computes no figure a result does not hold or its histograms do not tell.

mod advice;
pub mod csv;
pub mod hlog;
pub mod html;
pub mod markdown;
mod observed;
mod overlay;
pub mod run_table;
pub mod summary;
pub mod table;
mod text;
mod timeline;

pub use advice::advice;
pub use observed::NamedSeries;
pub use overlay::{RUNS_MAX, Run};
