//! What came in during one interval, as the journal keeps it and as processes send it to each other.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Layout;
use crate::results::{Buckets, HistogramError};

/// The numbers of one interval. Deltas add up to totals without loss, in any order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// Times and outcomes per phase, operation and group; only those that had any.
    pub(super) leaves: Vec<LeafDelta>,
    /// Counts per second and operation; only those that had any.
    pub(super) operations: Vec<OperationSecondDelta>,
    /// Outcomes other than `ok` per second and operation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) outcomes: Vec<OutcomeSecondDelta>,
    /// Response times per interval of the series and operation.
    pub(super) responses: Vec<ResponseDelta>,
    /// Facts of the generator per second.
    pub(super) seconds: Vec<SecondFacts>,
    /// Errors by kind.
    pub(super) errors: Vec<ErrorDelta>,
}

/// Facts of one worker in one second, or of all workers where they are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFacts {
    /// The second since the run's epoch.
    pub second: u32,
    /// Users online at its end; adds up over workers.
    pub users_online: Option<u64>,
    /// The greatest lag in it, microseconds; the maximum is kept.
    pub lag_max_us: Option<u64>,
    /// The longest turn that ended in it, microseconds; the maximum is kept.
    pub turn_max_us: Option<u64>,
    /// Bytes written in it; adds up.
    pub bytes_out: u64,
    /// Bytes read in it; adds up.
    pub bytes_in: u64,
}

/// Why a delta cannot belong to a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// It names what the run does not have.
    #[error("it speaks of phase {phase}, operation {operation}, group {group}, which the run does not have")]
    NoSuchPlace {
        /// The phase's index.
        phase: u16,
        /// The operation's index.
        operation: u16,
        /// The group's index.
        group: u16,
    },
    /// It names a second no run reaches.
    #[error("it speaks of second {0}, which no run reaches")]
    NoSuchSecond(u32),
    /// It holds more than a run can.
    #[error("it holds more {0} than a run can have")]
    TooMany(&'static str),
    /// A histogram in it cannot be.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
}

/// The longest series: what the instant in a token can name, 78 hours.
pub(super) const SECONDS_MAX: u32 = 281_475;
/// More outcome classes than exist.
const OUTCOMES_MAX: usize = 64;
const TEXT_MAX: usize = 1_024;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LeafDelta {
    pub(super) phase: u16,
    pub(super) operation: u16,
    pub(super) group: u16,
    pub(super) outcomes: BTreeMap<Cow<'static, str>, u64>,
    pub(super) response: TimesDelta,
    pub(super) service: TimesDelta,
    pub(super) lag: TimesDelta,
    pub(super) blocked: TimesDelta,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct TimesDelta {
    pub(super) buckets: Buckets,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) clamped: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) negative: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct OperationSecondDelta {
    pub(super) second: u32,
    pub(super) operation: u16,
    #[serde(flatten)]
    pub(super) counts: OperationSecond,
}

/// Counts of one operation in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OperationSecond {
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) done_by_intended: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) done: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) errors: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) unsent: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) indeterminate: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutcomeSecondDelta {
    pub(super) second: u32,
    pub(super) operation: u16,
    pub(super) outcome: Cow<'static, str>,
    pub(super) count: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ResponseDelta {
    pub(super) start_s: u32,
    pub(super) operation: u16,
    pub(super) buckets: Buckets,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ErrorDelta {
    pub(super) class: String,
    pub(super) step: String,
    pub(super) condition: String,
    pub(super) count: u64,
    pub(super) example: String,
}

/// The generator's facts of one second, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SecondColumns {
    pub(super) users_online: Option<u64>,
    pub(super) lag_max_us: Option<u64>,
    pub(super) turn_max_us: Option<u64>,
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
}

impl Delta {
    /// Whether it fits the run and its numbers can be.
    pub(super) fn check(&self, layout: &Layout) -> Result<(), DeltaError> {
        self.leaves.iter().try_for_each(|leaf| leaf.check(layout))?;
        for row in &self.operations {
            check_second(row.second)?;
            check_operation(layout, row.operation)?;
        }
        for row in &self.outcomes {
            check_second(row.second)?;
            check_operation(layout, row.operation)?;
            if row.outcome.len() > TEXT_MAX {
                return Err(DeltaError::TooMany("characters of an outcome"));
            }
        }
        for row in &self.responses {
            check_second(row.start_s)?;
            check_operation(layout, row.operation)?;
            row.buckets.check()?;
        }
        self.seconds.iter().try_for_each(|facts| check_second(facts.second))?;
        self.errors.iter().try_for_each(ErrorDelta::check)
    }

    /// Whether nothing at all came in.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl LeafDelta {
    fn check(&self, layout: &Layout) -> Result<(), DeltaError> {
        let (phase, operation, group) = (self.phase, self.operation, self.group);
        layout.leaf(phase.into(), operation.into(), group.into()).ok_or(DeltaError::NoSuchPlace {
            phase,
            operation,
            group,
        })?;
        let words = self.outcomes.keys().all(|outcome| outcome.len() <= TEXT_MAX);
        if self.outcomes.len() > OUTCOMES_MAX || !words {
            return Err(DeltaError::TooMany("outcomes"));
        }
        for times in [&self.response, &self.service, &self.lag, &self.blocked] {
            times.buckets.check()?;
        }
        Ok(())
    }
}

impl ErrorDelta {
    fn check(&self) -> Result<(), DeltaError> {
        let texts = [&self.class, &self.step, &self.condition, &self.example];
        let short = texts.into_iter().all(|text| text.len() <= TEXT_MAX);
        if short { Ok(()) } else { Err(DeltaError::TooMany("characters of an error")) }
    }
}

impl OperationSecond {
    pub(super) fn add(&mut self, other: &Self) {
        self.done_by_intended = self.done_by_intended.saturating_add(other.done_by_intended);
        self.done = self.done.saturating_add(other.done);
        self.errors = self.errors.saturating_add(other.errors);
        self.unsent = self.unsent.saturating_add(other.unsent);
        self.indeterminate = self.indeterminate.saturating_add(other.indeterminate);
    }

    /// What the plan wanted started in the second.
    pub(super) fn asked(&self) -> u64 {
        [self.errors, self.unsent, self.indeterminate]
            .into_iter()
            .fold(self.done_by_intended, u64::saturating_add)
    }
}

impl SecondColumns {
    pub(super) fn add(&mut self, facts: &SecondFacts) {
        self.users_online = join(self.users_online, facts.users_online, u64::saturating_add);
        self.lag_max_us = join(self.lag_max_us, facts.lag_max_us, u64::max);
        self.turn_max_us = join(self.turn_max_us, facts.turn_max_us, u64::max);
        self.bytes_out = self.bytes_out.saturating_add(facts.bytes_out);
        self.bytes_in = self.bytes_in.saturating_add(facts.bytes_in);
    }
}

fn join(a: Option<u64>, b: Option<u64>, both: impl FnOnce(u64, u64) -> u64) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (one, other) => one.or(other),
    }
}

fn check_second(second: u32) -> Result<(), DeltaError> {
    if second < SECONDS_MAX { Ok(()) } else { Err(DeltaError::NoSuchSecond(second)) }
}

fn check_operation(layout: &Layout, operation: u16) -> Result<(), DeltaError> {
    if usize::from(operation) < layout.operations.len() {
        return Ok(());
    }
    Err(DeltaError::NoSuchPlace { phase: 0, operation, group: 0 })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference to skip_serializing_if")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
