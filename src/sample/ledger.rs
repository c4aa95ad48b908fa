//! The account of every tracked message: its kinds, its columns, its equation, and the notes it is kept by.

use serde::{Deserialize, Serialize};

use crate::sample::{ErrorClass, GroupId, OperationId, Token, UserIndex};
use crate::units::Offset;

/// Which account a message is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LedgerKind {
    /// One-to-one messages.
    Message,
    /// Room messages, one expected copy per occupant.
    Groupchat,
    /// Presence broadcasts, one expected copy per contact online.
    Presence,
}

impl LedgerKind {
    /// All kinds, in the order of the result file.
    pub const ALL: [Self; 3] = [Self::Message, Self::Groupchat, Self::Presence];

    /// The key under `ledger`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Groupchat => "groupchat",
            Self::Presence => "presence",
        }
    }

    /// The operations whose samples are its entries, one by one.
    pub const fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Message => &["message.delivery"],
            Self::Groupchat => &["groupchat.delivery", "groupchat.echo"],
            Self::Presence => &["presence.delivery"],
        }
    }
}

/// The columns of one account. `expected = delivered + lost + failed + indeterminate`, exactly, once it is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LedgerCounts {
    /// Copies owed: fixed when a message was sent, one per recipient online by the tool's own view.
    pub expected: u64,
    /// Copies that came.
    pub delivered: u64,
    /// Copies that did not come until the account was closed.
    pub lost: u64,
    /// Messages the server answered with a stanza error.
    pub failed: u64,
    /// Copies nobody can say anything of: a stream they depended on ended or began meanwhile.
    pub indeterminate: u64,
    /// Of the delivered: after the deadline.
    pub late: u64,
    /// Of the delivered: after a later message of the same sender to the same recipient.
    pub reordered: u64,
    /// Surplus copies.
    pub duplicated: u64,
    /// Copies that came to somebody they were not for, or with a body that is not the one sent.
    pub misdelivered: u64,
    /// Planned messages that could not be started.
    pub unsent: u64,
    /// Stored messages shown again at a login or join, or left over by an earlier run.
    pub replayed: u64,
    /// Copies that came after their account was closed.
    pub stale: u64,
}

/// A column's name and how to read it.
pub type Column = (&'static str, fn(&LedgerCounts) -> u64);

impl LedgerCounts {
    /// Every column, in the order of the result file.
    pub const COLUMNS: &'static [Column] = &[
        ("expected", |counts| counts.expected),
        ("delivered", |counts| counts.delivered),
        ("lost", |counts| counts.lost),
        ("failed", |counts| counts.failed),
        ("indeterminate", |counts| counts.indeterminate),
        ("late", |counts| counts.late),
        ("reordered", |counts| counts.reordered),
        ("duplicated", |counts| counts.duplicated),
        ("misdelivered", |counts| counts.misdelivered),
        ("unsent", |counts| counts.unsent),
        ("replayed", |counts| counts.replayed),
        ("stale", |counts| counts.stale),
    ];

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<u64> {
        let (_, read) = Self::COLUMNS.iter().find(|(column, _)| *column == name)?;
        Some(read(self))
    }

    /// Whether the equation holds.
    pub const fn is_balanced(&self) -> bool {
        self.expected == self.delivered + self.lost + self.failed + self.indeterminate
    }

    /// The entries still open: expected and not yet accounted for.
    pub const fn open(&self) -> u64 {
        self.expected.saturating_sub(self.delivered + self.lost + self.failed + self.indeterminate)
    }

    /// Adds another account's columns.
    pub const fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.failed += other.failed;
        self.indeterminate += other.indeterminate;
        self.late += other.late;
        self.reordered += other.reordered;
        self.duplicated += other.duplicated;
        self.misdelivered += other.misdelivered;
        self.unsent += other.unsent;
        self.replayed += other.replayed;
        self.stale += other.stale;
    }
}

/// What a user says to the ledger. The sender's worker owns the entry; notes about it may come from any worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A tracked stanza was handed to the transport: an entry opens.
    Expect(Expect),
    /// A stanza with this token was read by `recipient`.
    Arrive(Arrive),
    /// The server answered the stanza with this token with an error.
    Fail {
        /// The stanza.
        token: Token,
        /// Who is at fault.
        class: ErrorClass,
        /// When the error was read.
        done: Offset,
    },
}

impl Note {
    /// Whose entry it is about.
    pub const fn sender(&self) -> UserIndex {
        match self {
            Self::Expect(expect) => expect.token.sender,
            Self::Arrive(arrive) => arrive.token.sender,
            Self::Fail { token, .. } => token.sender,
        }
    }
}

/// An entry as it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The stanza.
    pub token: Token,
    /// What is measured by it.
    pub operation: OperationId,
    /// The sender's group.
    pub group: GroupId,
    /// Whom it should reach; for requests the sender itself.
    pub recipient: UserIndex,
    /// When its bytes were handed to the transport.
    pub offered: Offset,
}

/// A tracked stanza as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrive {
    /// The stanza.
    pub token: Token,
    /// Who read it.
    pub recipient: UserIndex,
    /// When the read that brought its last byte returned.
    pub done: Offset,
    /// Whether it is marked as stored (XEP-0203).
    pub stored: bool,
    /// Whether the body carries the same token as the id.
    pub intact: bool,
    /// The room it came from; [`Place::NOWHERE`] for everything else.
    pub place: Place,
    /// Since when the reader is there to be sent what comes from there: its session's beginning and, for a room, its last joining or
    /// leaving of it. The reader's worker fills it in.
    pub since: Offset,
}

/// A room, as an index over all rooms of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(pub u32);

impl Place {
    /// No room.
    pub const NOWHERE: Self = Self(u32::MAX);
}
