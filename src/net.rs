//! Sockets and TLS: drives machines; knows no XMPP.
//!
//! A [`Driver`] is one worker: one thread, one runtime, one [`Host`] (the machine that owns all its channels). Its loop
//! makes one **turn** per wake-up, in this order:
//!
//! 1. what is due in the schedule ([`crate::machine::Machine::handle_timeout`]),
//! 2. channels that can be read or written; between two of them whatever has become due,
//! 3. accepting, connecting and TLS handshakes, with a bounded share of the turn ([`Limits::setup_budget`]); what is
//!    left over waits for the next turn, so that a login storm is login lag and not other users' latency.
//!
//! Invariants:
//! - [`crate::machine::Event::Closed`] comes exactly once per channel, and last.
//! - An event carries the instant read right after the system call that caused it; instants never go backwards.
//! - [`crate::machine::Event::Sent`] is given only once the kernel took the bytes; under TLS, the ciphertext.
//! - Nothing here grows without a limit that stands in [`Limits`]; nothing panics on what a peer or the system does.
//! - An idle plain connection owns no buffer.
//!
//! What it refuses: to retry, to reconnect, to choose an address, to interpret a byte. The decisions and their reasons
//! stand in `docs/net.md`.

mod cause;
pub mod config;
mod conn;
pub mod control_group;
mod core;
pub mod derive;
pub mod driver;
mod effects;
pub mod facts;
pub mod freeze;
pub mod host;
pub mod http;
pub mod inbox;
pub mod process;
mod setup;
mod table;
mod timer;
pub mod tls;
mod transfer;
mod verify;
mod wake;

pub use config::{DriverConfig, Limits, ListenError, Listener, SocketOptions};
pub use derive::{DerivePool, KeyCache};
pub use driver::{Driver, DriverError, spawn_worker};
pub use freeze::{Freeze, Frozen};
pub use host::{DriverStats, Host, Turn};
pub use inbox::{InboxFull, InboxReceiver, InboxSender, inbox};
pub use tls::{TlsClient, TlsError, TlsServer, Trust};
