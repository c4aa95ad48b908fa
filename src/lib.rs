//! Load generation and benchmarking for XMPP servers: measured from the intended instant, every message accounted for.
//!
//! This text is the map. A folder is a noun in the data flow, and arrows run one way; `tests/house.rs` holds every import
//! against the table in `tests/house/imports.rs`.
//!
//! ```text
//! profile ─▶ plan ─▶ engine ─▶ user ─▶ xmpp ─▶ net ─▶ (server)
//!                      │         └─ activity/ one file per feature
//!                      └─▶ record ─▶ results ─▶ report, compare
//! ```
//!
//! | layer | module | what lives there |
//! |---|---|---|
//! | 0 | [`units`], [`seed`] | numbers with units and their only formatting; counter-based randomness |
//! | 1 words | [`machine`], [`sample`] | the sans-I/O contract; operations, the four instants, outcomes, tokens, ledger notes |
//! | 1 | [`xmpp`] | the protocol without I/O, both roles: framer, strict level, views, builders, JID, SASL, negotiation |
//! | 1 | [`profile`] | TOML to a validated profile; every error with file, line and hint |
//! | 1 | [`stats`] | pure statistics: exact rank tests, Holm, bootstrap in blocks |
//! | 1 | [`results`] | the on-disk schema and its versions: result file and journal |
//! | 2 behaviour | [`topology`], [`plan`] | who knows whom; when things happen and to whom: pure functions |
//! | 2 | [`activity`], [`user`] | what users do, one file per feature; one simulated user as a machine |
//! | 2 | [`server`] | the embedded server as a machine: accounts, roster, routing, faults, truth |
//! | 2 | [`record`] | a worker's ledger, sample log and turn times |
//! | 3 edge | [`clock`], [`net`] | the only reader of the clock; sockets and TLS, driving machines, knowing no XMPP |
//! | 3 | [`loopback`] | `server` behind `net`, on threads of its own |
//! | 4 wiring | [`engine`] | workers, ramp, phases, stop and abort, self-observation, verdict |
//! | 4 | [`accounts`] | accounts and contacts on a server: made, checked, removed; beside the engine, measures nothing |
//! | 5 view | [`report`] | from results to what a person reads: summary, page, Markdown, CSV, histogram log |
//! | 5 | [`compare`] | from two sets of runs to what got better or worse |
//! | 5 | [`live`] | a run watched while it goes on: a page, and metrics for Prometheus |
//! | 6 | [`cli`] | one file per subcommand; errors to text; exit codes |
//!
//! A first reading: [`machine`] (the contract), [`plan`], [`user`], [`engine::shard`], [`record::ledger`], `docs/measurement.md`.

pub mod accounts;
pub mod activity;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod engine;
pub mod live;
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
