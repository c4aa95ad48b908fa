//! Comparing from the outside: how often it is wrong where nothing changed, what it finds where something did, and what it says
//! of files of every kind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "compare_all/coverage.rs"]
mod coverage;
#[path = "compare_all/drift.rs"]
mod drift;
#[path = "compare_all/false_alarms.rs"]
mod false_alarms;
#[path = "compare_all/files.rs"]
mod files;
#[path = "compare_all/gates.rs"]
mod gates;
#[path = "compare_all/hours.rs"]
mod hours;
#[path = "compare_all/noise.rs"]
mod noise;
#[path = "compare_all/outages.rs"]
mod outages;
#[path = "compare_all/phases.rs"]
mod phases;
#[path = "compare_all/runs.rs"]
mod runs;
#[path = "compare_all/views.rs"]
mod views;
#[allow(dead_code, reason = "shared with the tests of results")]
#[path = "results_all/world.rs"]
mod world;
