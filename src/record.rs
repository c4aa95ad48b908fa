//! What one worker writes down: the accounts of its own users' messages and broadcasts, and a log of finished attempts.
//!
//! A worker computes nothing here: a sample goes into a log, the log is handed over once a second, and the aggregator
//! makes histograms of it (`docs/decisions/0002`). Every attempt is in exactly one [`Sample`], which
//! stands for several only where a broadcast could not be sent.
//!
//! It refuses to drop: a log that grows beyond its limit is handed over early, not cut.

pub mod fanout;
pub mod ledger;
pub mod turns;

use std::collections::HashMap;

use crate::record::fanout::{Announce, Fanouts};
use crate::record::ledger::{Ledger, LedgerConfig};
use crate::sample::{
    Fault, GroupId, LedgerCounts, LedgerKind, Note, OperationId, Outcome, Place, Sample, TokenKind, Unsent,
    UserIndex,
};
use crate::units::Offset;

/// What a worker recorded since it was last asked.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Finished attempts, in no particular order.
    pub samples: Vec<Sample>,
    /// Errors as they happened, bounded by [`FAULTS_MAX`]; what is beyond is in the outcomes all the same.
    pub faults: Vec<Fault>,
}

/// Samples after which a log is handed over before its second is up.
pub const SAMPLES_MAX: usize = 1 << 18;
/// Faults kept per log.
pub const FAULTS_MAX: usize = 1_000;

/// See the module text.
#[derive(Debug)]
pub struct Recorder {
    ledger: Ledger,
    fanouts: Fanouts,
    kinds: Vec<Option<LedgerKind>>,
    log: Log,
}

impl Recorder {
    /// Nothing recorded yet.
    pub fn new(config: LedgerConfig) -> Self {
        Self {
            kinds: config.kinds.clone(),
            fanouts: Fanouts::new(config.clone()),
            ledger: Ledger::new(config),
            log: Log::default(),
        }
    }

    /// The sequence number the next stanza with one recipient must carry, or `None` when the ledger is full.
    pub fn next_sequence(&self) -> Option<u64> {
        self.ledger.next_sequence()
    }

    /// Whether so many entries more can be held at once.
    pub fn has_room_for(&self, entries: usize) -> bool {
        self.ledger.has_room_for(entries)
    }

    /// The sequence number the next broadcast must carry, or `None` when there is no room for its copies.
    pub fn next_broadcast(&self, copies: usize) -> Option<u64> {
        self.fanouts.next_sequence(copies)
    }

    /// A broadcast was handed to the transport.
    pub fn announce(&mut self, announce: &Announce<'_>) {
        self.fanouts.announce(announce);
    }

    /// Takes a note about one of this worker's own entries.
    pub fn note(&mut self, note: Note) {
        let ended = &mut self.log.samples;
        match note {
            Note::Expect(expect) => self.ledger.expect(expect),
            Note::Arrive(arrive) if is_broadcast(arrive.token.kind) => self.fanouts.arrive(arrive, ended),
            Note::Arrive(arrive) => ended.extend(self.ledger.arrive(arrive)),
            Note::Fail { token, class, .. } if is_broadcast(token.kind) => {
                self.fanouts.fail(&token, class, ended);
            }
            Note::Fail { token, class, done } => ended.extend(self.ledger.fail(&token, class, done)),
        }
    }

    /// Several users' streams ended, each at its instant: one pass over the accounts for all of them.
    pub fn void(&mut self, users: &HashMap<UserIndex, Offset>) {
        self.ledger.void(|user| users.get(&user).copied(), &mut self.log.samples);
        self.fanouts.void(|user| users.get(&user).copied(), &mut self.log.samples);
    }

    /// A user's stay in a room ended, though its stream goes on.
    pub fn void_stay(&mut self, user: UserIndex, place: Place, at: Offset) {
        self.fanouts.void_stay(user, place, at, &mut self.log.samples);
    }

    /// The write that took the last byte of a stanza of this kind returned at `at`.
    pub fn sent(&mut self, kind: TokenKind, sequence: u64, at: Offset) {
        if is_broadcast(kind) {
            self.fanouts.sent(sequence, at);
        } else {
            self.ledger.sent(sequence, at);
        }
    }

    /// A planned operation could not be started.
    pub fn unsent(&mut self, operation: OperationId, group: GroupId, intended: Offset, reason: Unsent) {
        self.unsent_copies(operation, group, intended, reason, 1);
    }

    /// A planned stanza that would have owed so many copies could not be started: one in the account, and as many attempts as copies,
    /// for what was not sent must weigh as much as what was.
    pub fn unsent_copies(
        &mut self,
        operation: OperationId,
        group: GroupId,
        intended: Offset,
        reason: Unsent,
        copies: u32,
    ) {
        match self.kinds.get(usize::from(operation.0)).copied().flatten() {
            Some(LedgerKind::Message) => self.ledger.unsent(operation, intended),
            Some(kind) => self.fanouts.unsent(kind, intended),
            None => {}
        }
        self.sample(Sample::ended(operation, group, intended, Outcome::Unsent(reason)).times(copies));
    }

    /// A finished attempt that is in no ledger.
    pub fn sample(&mut self, sample: Sample) {
        self.log.samples.push(sample);
    }

    /// An error, for the result's table of errors.
    pub fn fault(&mut self, fault: Fault) {
        if self.log.faults.len() < FAULTS_MAX {
            self.log.faults.push(fault);
        }
    }

    /// Forgets entries older than the horizon.
    pub fn expire(&mut self, now: Offset) {
        self.ledger.expire(now, &mut self.log.samples);
        self.fanouts.expire(now, &mut self.log.samples);
    }

    /// Closes the account at the end of the run.
    pub fn settle(&mut self, interrupted: bool) {
        self.ledger.settle(interrupted, &mut self.log.samples);
        self.fanouts.settle(interrupted, &mut self.log.samples);
    }

    /// Entries and copies neither delivered nor closed.
    pub const fn open(&self) -> u64 {
        self.ledger.open() + self.fanouts.open()
    }

    /// The accounts' columns so far, by phase and kind.
    pub fn ledger_counts(&self) -> Vec<[LedgerCounts; 3]> {
        let mut counts = self.ledger.counts().to_vec();
        for (phase, broadcasts) in counts.iter_mut().zip(self.fanouts.counts()) {
            phase.iter_mut().zip(broadcasts).for_each(|(sum, more)| sum.add(more));
        }
        counts
    }

    /// Whether the log should be handed over now.
    pub const fn is_full(&self) -> bool {
        self.log.samples.len() >= SAMPLES_MAX
    }

    /// Hands over the log, and goes on with `fresh` (an emptied one, so that its memory is used again).
    pub const fn take_log(&mut self, fresh: Log) -> Log {
        std::mem::replace(&mut self.log, fresh)
    }
}

/// Whether a token of this kind belongs to the account of broadcasts.
const fn is_broadcast(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Presence | TokenKind::Groupchat)
}
