//! Pure statistics over what runs recorded.
//!
//! Every estimate comes with its uncertainty. Two kinds of noise are kept apart: *within* a run neighbouring seconds are
//! not independent, so series are resampled in blocks ([`blocks`]) whose length follows from their own autocorrelation
//! ([`effective`]); *between* runs only whole runs are independent, and exact rank tests ([`rank`]) compare those, held to
//! one level for all that is claimed at once ([`family`]). That they are independent is held against their order ([`trend`]).
//!
//! This module refuses to call anything significant that its test could not have called so, and says how many runs would
//! be needed. It knows no operation, no unit and no file.

pub mod blocks;
pub mod effective;
pub mod family;
#[cfg(test)]
#[allow(clippy::float_cmp, reason = "infinities are equal")]
mod oracle;
#[allow(clippy::float_cmp, reason = "a tie is equality to the last bit, and infinities are equal")]
pub mod rank;
mod slope;
#[allow(clippy::float_cmp, reason = "a tie is equality to the last bit")]
pub mod trend;

pub use slope::{Slope, effective_sample_size};
