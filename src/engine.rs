//! Workers, ramp, phases, stop and abort, self-observation, verdict.

pub mod run;
pub mod shard;
pub mod verdict;
