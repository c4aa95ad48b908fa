//! Whole runs of the command, over real sockets: what its result says against what is known by other means.
//!
//! Every bound is a ratio to something recorded in the same run, or generous: these hold on a machine that is busy with
//! something else. Runs go one at a time, for two would measure each other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was seen and predicted stands in the log"
)]

#[path = "run_all/abort.rs"]
mod abort;
#[path = "run_all/ends.rs"]
mod ends;
#[path = "run_all/foreign.rs"]
mod foreign;
#[path = "run_all/freeze.rs"]
mod freeze;
#[path = "run_all/live.rs"]
mod live;
#[path = "run_all/observe.rs"]
mod observe;
#[path = "run_all/profiles.rs"]
mod profiles;
#[path = "run_all/series.rs"]
mod series;
#[path = "run_all/stop.rs"]
mod stop;
#[path = "run_all/truth.rs"]
mod truth;
#[path = "run_all/world.rs"]
mod world;
