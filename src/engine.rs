//! Workers, ramp, phases, stop and abort, self-observation, verdict.

pub mod verdict;
