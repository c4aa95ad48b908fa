//! Workers, ramp, phases, stop and abort, self-observation, verdict.
//!
//! [`run::Run`] is a profile resolved; [`shard::Shard`] is one worker's share of it; [`coordinator`] moves the workers through
//! the run and [`aggregate`] folds what they report; [`abort`] watches for what ends it early; [`reach`] finds the
//! server, [`forecast`] and [`preflight`] say
//! what it will take, [`objectives`], [`verdict`] and [`exit`] what it was worth. [`execute`] wires them together.

pub mod abort;
pub mod aggregate;
pub mod coordinator;
pub mod execute;
pub mod exit;
pub mod forecast;
pub mod keys;
pub mod objectives;
pub mod observe;
mod own_use;
pub mod preflight;
pub mod reach;
pub mod run;
pub mod shard;
pub mod verdict;
pub mod whereabouts;
