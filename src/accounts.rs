//! Accounts on a server: made, befriended, looked at and removed, so that a profile's users can log in and know each
//! other as its topology says.
//!
//! ```text
//! people ─▶ worker ─▶ visit ─▶ registration, or login and errand      one connection each, on the worker's thread
//!             └─▶ conduct ─▶ create, audit, remove ─▶ what was done   on the caller's thread, with state and progress
//! ```
//!
//! Everything is done in **visits**: one user connects, does one thing, and leaves. A **stage** is one visit for each of a
//! list of users, by one [`worker::Worker`] (a machine like any other: no I/O, no clock), at a capped rate and with a
//! bounded number of connections. So memory is bounded by the connections, and never by the number of accounts that are
//! online together.
//!
//! **Contacts** are made by the subscription handshake (RFC 6121 section 3), in passes over the population: in the first
//! everyone asks its contacts and grants those that are known to have asked; in the next everyone grants the rest and
//! looks; later ones mend what rosters that contradict each other keep from coming about. Nobody needs to be online with anybody: a server keeps what was asked, and a grant needs no presence. A user is
//! done when its own roster says `both` of every contact. `docs/accounts.md` tells what that costs.
//!
//! Invariants: passwords appear in no text, log or result, only on the wire and in the CSV that was asked for; what is
//! done is written down ([`state`]) before it is counted; every visit ends in exactly one outcome.
//!
//! It refuses: to change passwords, to remove contacts that are not the profile's, to be a measurement.

pub mod audit;
pub mod befriend;
pub mod check;
pub mod conduct;
mod contacts;
pub mod create;
pub mod csv;
mod delete;
pub mod errand;
pub mod known;
pub mod people;
pub mod remove;
pub mod roster;
pub mod state;
pub mod tally;
pub mod visit;
pub mod worker;

pub use conduct::{Ending, Means, Standing};
pub use errand::{Finding, Outcome, Task};
pub use people::People;
