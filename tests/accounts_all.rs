//! `accounts`: stages in virtual time against a scripted server, registration transcripts, the CSV, and the command over real
//! sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "accounts_all/command.rs"]
mod command;
#[path = "accounts_all/csv.rs"]
mod csv;
#[path = "accounts_all/embedded.rs"]
mod embedded;
#[path = "accounts_all/peer.rs"]
mod peer;
#[path = "accounts_all/registration.rs"]
mod registration;
#[path = "accounts_all/stages.rs"]
mod stages;
#[path = "accounts_all/world.rs"]
mod world;
