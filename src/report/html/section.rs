//! One file per topic of the page.

pub mod about;
pub mod errors;
pub mod generator;
pub mod latency;
pub mod ledger;
pub mod login;
pub mod observed;
pub mod percentiles;
pub mod summary;
pub mod throughput;
pub mod users;
