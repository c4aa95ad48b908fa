//! The driver on real loopback sockets, with tiny machines. Every test is bounded in time.

#![allow(clippy::unwrap_used, reason = "preparation that fails is a failed test")]

#[path = "net_driver/loops.rs"]
mod loops;
#[path = "net_driver/plain.rs"]
mod plain;
#[path = "net_driver/secure.rs"]
mod secure;
#[path = "net_driver/support.rs"]
mod support;
