//! From results to what a person reads.

mod advice;
pub mod runs;
pub mod summary;
pub mod table;

pub use advice::advice;
