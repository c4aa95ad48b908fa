//! Workers, ramp, phases, stop and abort, self-observation, verdict.

pub mod aggregate;
pub mod objectives;
pub mod run;
pub mod shard;
pub mod verdict;
