//! From results to what a person reads.

pub mod summary;
pub mod table;
