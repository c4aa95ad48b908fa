//! Whole runs of the command, over real sockets: what its result says against what is known by other means.
//!
//! Every bound is a ratio to something recorded in the same run, or generous: these hold on a machine that is busy with
//! something else. Runs go one at a time, for two would measure each other.

#[path = "run_all/ends.rs"]
mod ends;
#[path = "run_all/foreign.rs"]
mod foreign;
#[path = "run_all/freeze.rs"]
mod freeze;
#[path = "run_all/stop.rs"]
mod stop;
#[path = "run_all/truth.rs"]
mod truth;
#[path = "run_all/world.rs"]
mod world;
