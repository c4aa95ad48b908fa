//! The words of measurement: operations, the four instants, outcome classes, tokens, ledger notes.
//!
//! Whoever simulates speaks these words; whoever records ([`crate::record`]) listens. Nothing here counts anything.
//!
//! Invariant: a [`Sample`] is complete by itself. It names its operation and group and carries all the instants that
//! exist for it, so the phase, the second and every latency follow from it alone, in any order of arrival.

pub mod ledger;
pub mod outcome;
pub mod token;

pub use ledger::{Arrive, Expect, LedgerCounts, LedgerKind, Note, Place};
pub use outcome::{ErrorClass, Fault, Indeterminate, Outcome, Unsent};
pub use token::{Token, TokenKind};

use crate::units::Offset;

/// An operation, as an index into the run's table of [`OperationSpec`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(pub u16);

/// A user group, as an index into the profile's `[[users]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u16);

/// A user, as an index over the whole population of the run (all groups, in profile order).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserIndex(pub u32);

/// What is measured under one public name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationSpec {
    /// The public name: dotted, lower case (`message.delivery`).
    pub name: &'static str,
    /// What a sample of it means, in one line, for the result file and the docs.
    pub meaning: &'static str,
    /// The ledger its messages are accounted in, if any.
    pub ledger: Option<LedgerKind>,
}

/// The four instants of a completed operation, and the only arithmetic on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instants {
    /// When the plan wanted it.
    pub intended: Offset,
    /// When its bytes were handed to the transport.
    pub offered: Offset,
    /// When the write that took its last byte returned.
    pub sent: Offset,
    /// When the read that brought its answer's last byte returned.
    pub done: Offset,
}

impl Instants {
    /// For operations that are nothing but a wait of ours (a step of a login): offered and sent as they began.
    pub const fn begun(at: Offset, done: Offset) -> Self {
        Self { intended: at, offered: at, sent: at, done }
    }

    /// done − intended, nanoseconds: the headline.
    pub const fn response_nanos(&self) -> i64 {
        self.done.signed_nanos_since(self.intended)
    }

    /// done − sent, nanoseconds.
    pub const fn service_nanos(&self) -> i64 {
        self.done.signed_nanos_since(self.sent)
    }

    /// offered − intended, nanoseconds: how late we were.
    pub const fn lag_nanos(&self) -> i64 {
        self.offered.signed_nanos_since(self.intended)
    }

    /// sent − offered, nanoseconds: the peer not reading.
    pub const fn blocked_nanos(&self) -> i64 {
        self.sent.signed_nanos_since(self.offered)
    }
}

/// One finished attempt at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What was attempted.
    pub operation: OperationId,
    /// By whose group.
    pub group: GroupId,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was intended: the phase and the second it belongs to, however it ended.
    pub intended: Offset,
    /// All four instants, for completed operations ([`Outcome::is_completed`]) only.
    pub instants: Option<Instants>,
    /// How many attempts it stands for: 1, but of a broadcast that could not be sent as many as it would have owed copies.
    pub attempts: u32,
}

impl Sample {
    /// A completed operation: `late` if its response time exceeded the deadline.
    pub const fn completed(operation: OperationId, group: GroupId, instants: Instants, late: bool) -> Self {
        let outcome = if late { Outcome::Late } else { Outcome::Ok };
        Self { operation, group, outcome, intended: instants.intended, instants: Some(instants), attempts: 1 }
    }

    /// An attempt that ended any other way.
    pub const fn ended(operation: OperationId, group: GroupId, intended: Offset, outcome: Outcome) -> Self {
        Self { operation, group, outcome, intended, instants: None, attempts: 1 }
    }

    /// The same of so many attempts alike, at least one.
    #[must_use]
    pub const fn times(self, attempts: u32) -> Self {
        Self { attempts: if attempts == 0 { 1 } else { attempts }, ..self }
    }
}
