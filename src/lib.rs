//! Load generation and benchmarking for XMPP servers.
//!
//! This text is the map. A folder is a noun in the data flow, and arrows run one way; `tests/house.rs` holds every
//! import against the table there.
//!
//! ```text
//! profile ─▶ plan ─▶ engine ─▶ user ─▶ xmpp ─▶ net ─▶ (server)
//!                      │         └─ activity/ one file per feature
//!                      └─▶ record ─▶ results ─▶ report
//! ```
//!
//! | layer | module | what lives there |
//! |---|---|---|
//! | 0 | [`units`], [`seed`] | numbers with units and their only formatting; counter-based randomness |
//! | 1 | [`machine`], [`sample`] | the sans-I/O contract; the words of measurement |
//!
//! The rules of measurement stand in `docs/measurement.md`.

pub mod activity;
pub mod cli;
pub mod clock;
pub mod engine;
pub mod loopback;
pub mod machine;
pub mod net;
pub mod plan;
pub mod profile;
pub mod record;
pub mod report;
pub mod results;
pub mod sample;
pub mod seed;
pub mod server;
pub mod stats;
pub mod topology;
pub mod units;
pub mod user;
pub mod xmpp;
