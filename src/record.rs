//! What one worker writes down: the ledger of its own users' messages, and a log of finished attempts.
//!
//! A worker computes nothing here: a sample goes into a log, the log is handed over once a second, and the aggregator
//! makes histograms of it (`docs/decisions/0002`). Every attempt is exactly one [`Sample`].
//!
//! It refuses to drop: a log that grows beyond its limit is handed over early, not cut.

pub mod ledger;
pub mod turns;

use std::collections::HashSet;

use crate::record::ledger::{Ledger, LedgerConfig};
use crate::sample::{Fault, LedgerCounts, Note, OperationId, Sample, UserIndex};
use crate::sample::{GroupId, LedgerKind, Outcome, Unsent};
use crate::units::Offset;

/// What a worker recorded since it was last asked.
#[derive(Debug, Default)]
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
    kinds: Vec<Option<LedgerKind>>,
    log: Log,
}

impl Recorder {
    /// Nothing recorded yet.
    pub fn new(config: LedgerConfig) -> Self {
        Self { kinds: config.kinds.clone(), ledger: Ledger::new(config), log: Log::default() }
    }

    /// The sequence number the next tracked stanza must carry, or `None` when the ledger is full.
    pub fn next_sequence(&self) -> Option<u64> {
        self.ledger.next_sequence()
    }

    /// Takes a note about one of this worker's own entries.
    pub fn note(&mut self, note: Note) {
        let sample = match note {
            Note::Expect(expect) => {
                self.ledger.expect(expect);
                None
            }
            Note::Arrive(arrive) => self.ledger.arrive(arrive),
            Note::Fail { token, class, .. } => self.ledger.fail(&token, class),
        };
        self.log.samples.extend(sample);
    }

    /// Several users' streams ended or began: one pass over the ledger for all of them.
    pub fn void(&mut self, users: &HashSet<UserIndex>, at: Offset) {
        self.ledger.void(|user| users.contains(&user), at, &mut self.log.samples);
    }

    /// The write that took the entry's last byte returned at `at`.
    pub fn sent(&mut self, sequence: u64, at: Offset) {
        self.ledger.sent(sequence, at);
    }

    /// A planned operation could not be started.
    pub fn unsent(&mut self, operation: OperationId, group: GroupId, intended: Offset, reason: Unsent) {
        if self.kinds.get(usize::from(operation.0)).copied().flatten().is_some() {
            self.ledger.unsent(operation, intended);
        }
        self.sample(Sample::ended(operation, group, intended, Outcome::Unsent(reason)));
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
    }

    /// Closes the account at the end of the run.
    pub fn settle(&mut self, interrupted: bool) {
        self.ledger.settle(interrupted, &mut self.log.samples);
    }

    /// Entries neither delivered nor closed.
    pub const fn open(&self) -> u64 {
        self.ledger.open()
    }

    /// The ledger's columns so far, by phase and kind.
    pub fn ledger_counts(&self) -> &[[LedgerCounts; 3]] {
        self.ledger.counts()
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
