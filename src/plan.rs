//! When things happen and to whom: a pure, invertible function of profile and seed.
//!
//! The plan does not know workers, processes or hosts. Arrivals, sender, recipient and size come from counter-based
//! generators over the whole population, and a [`Cursor`] hands out one range of users' share of it; all ranges
//! together are the whole plan, whatever the ranges are.

pub mod arrivals;
pub mod curve;
