//! Workers, ramp, phases, stop and abort, self-observation, verdict.
//!
//! [`run::Run`] is a profile resolved; [`shard::Shard`] is one worker's share of it; [`coordinator`] moves the workers through
//! the run and [`aggregate`] folds what they report; [`reach`], [`preflight`], [`objectives`], [`verdict`] and [`exit`] say what it was
//! worth. [`execute`] wires them together.

pub mod aggregate;
pub mod coordinator;
pub mod execute;
pub mod exit;
pub mod keys;
pub mod objectives;
mod observe;
pub mod preflight;
pub mod reach;
pub mod run;
pub mod shard;
pub mod verdict;
