//! From results to what a person reads.

mod advice;
pub mod summary;
pub mod table;

pub use advice::advice;
