//! The open interval: the only place samples are counted.

use std::collections::{BTreeMap, HashMap};

use super::delta::{
    Delta, ErrorDelta, LeafDelta, OperationSecond, OperationSecondDelta, OutcomeSecondDelta, ResponseDelta,
    SECONDS_MAX, SecondColumns, SecondFacts, TimesDelta,
};
use super::tally::completed;
use super::{ErrorTable, Layout, Tally};
use crate::results::histogram::{MAX_MICROS, bucket_of};
use crate::results::series::interval_of;
use crate::results::{Buckets, Histogram};
use crate::sample::{Fault, Instants, Outcome, Sample};
use crate::units::Offset;

/// What came in since the last interval was closed.
#[derive(Debug)]
pub(super) struct Pending {
    tallies: Vec<Option<Box<Tally>>>,
    operations: HashMap<(u32, u16), OperationSecond>,
    outcomes: BTreeMap<(u32, u16, &'static str), u64>,
    responses: HashMap<(u32, u16), BTreeMap<u16, u64>>,
    seconds: BTreeMap<u32, SecondColumns>,
    errors: ErrorTable,
}

impl Pending {
    pub(super) fn new(layout: &Layout) -> Self {
        Self {
            tallies: layout.leaves(),
            operations: HashMap::new(),
            outcomes: BTreeMap::new(),
            responses: HashMap::new(),
            seconds: BTreeMap::new(),
            errors: ErrorTable::default(),
        }
    }

    pub(super) fn record(&mut self, leaf: usize, sample: &Sample) {
        self.tallies[leaf].get_or_insert_default().record(sample);
        let (second, operation) = (second_of(sample.intended), sample.operation.0);
        let counts = self.operations.entry((second, operation)).or_default();
        match sample.outcome {
            Outcome::Ok | Outcome::Late => counts.done_by_intended += 1,
            Outcome::Lost | Outcome::Timeout | Outcome::Failed(_) => counts.errors += 1,
            Outcome::Unsent(_) => counts.unsent += u64::from(sample.attempts),
            Outcome::Indeterminate(_) => counts.indeterminate += 1,
        }
        if sample.outcome != Outcome::Ok {
            *self.outcomes.entry((second, operation, sample.outcome.as_str())).or_default() +=
                u64::from(sample.attempts);
        }
        if let Some(instants) = completed(sample) {
            self.record_completed(second, operation, instants);
        }
    }

    fn record_completed(&mut self, second: u32, operation: u16, instants: &Instants) {
        self.operations.entry((second_of(instants.done), operation)).or_default().done += 1;
        let (start, _) = interval_of(second);
        let bucket = bucket_of(micros(instants.response_nanos()));
        *self.responses.entry((start, operation)).or_default().entry(bucket).or_default() += 1;
        let lag_max_us = Some(micros(instants.lag_nanos()));
        self.note_second(&SecondFacts { second, lag_max_us, ..SecondFacts::default() });
    }

    pub(super) fn note_second(&mut self, facts: &SecondFacts) {
        self.seconds.entry(facts.second.min(SECONDS_MAX - 1)).or_default().add(facts);
    }

    pub(super) fn note_error(&mut self, fault: &Fault) {
        self.errors.add(fault.class.as_str(), fault.step, &fault.condition, 1, &fault.text);
    }

    /// Takes everything out. Sorted, so that equal runs have equal journals.
    pub(super) fn cut(&mut self, layout: &Layout) -> Delta {
        Delta {
            leaves: self.cut_leaves(layout),
            operations: self.cut_operations(),
            outcomes: self.cut_outcomes(),
            responses: self.cut_responses(),
            seconds: self.cut_seconds(),
            errors: self.cut_errors(),
        }
    }

    fn cut_leaves(&mut self, layout: &Layout) -> Vec<LeafDelta> {
        let mut leaves = Vec::new();
        for (index, place) in self.tallies.iter_mut().enumerate() {
            match place {
                Some(tally) if tally.is_empty() => *place = None,
                Some(tally) => {
                    leaves.push(leaf_delta(layout.place(index), tally));
                    tally.clear();
                }
                None => {}
            }
        }
        leaves
    }

    fn cut_operations(&mut self) -> Vec<OperationSecondDelta> {
        let rows = self.operations.drain();
        let mut rows: Vec<_> = rows
            .map(|((second, operation), counts)| OperationSecondDelta { second, operation, counts })
            .collect();
        rows.sort_unstable_by_key(|row| (row.second, row.operation));
        rows
    }

    fn cut_outcomes(&mut self) -> Vec<OutcomeSecondDelta> {
        let rows = std::mem::take(&mut self.outcomes).into_iter();
        rows.map(|((second, operation, outcome), count)| OutcomeSecondDelta {
            second,
            operation,
            outcome: outcome.into(),
            count,
        })
        .collect()
    }

    fn cut_responses(&mut self) -> Vec<ResponseDelta> {
        let rows = self.responses.drain();
        let mut rows: Vec<_> = rows
            .map(|((start_s, operation), buckets)| ResponseDelta {
                start_s,
                operation,
                buckets: Buckets(buckets.into_iter().collect()),
            })
            .collect();
        rows.sort_unstable_by_key(|row| (row.start_s, row.operation));
        rows
    }

    fn cut_seconds(&mut self) -> Vec<SecondFacts> {
        let rows = std::mem::take(&mut self.seconds).into_iter();
        rows.map(|(second, columns)| SecondFacts {
            second,
            users_online: columns.users_online,
            lag_max_us: columns.lag_max_us,
            turn_max_us: columns.turn_max_us,
            bytes_out: columns.bytes_out,
            bytes_in: columns.bytes_in,
        })
        .collect()
    }

    fn cut_errors(&mut self) -> Vec<ErrorDelta> {
        let rows = std::mem::take(&mut self.errors).0.into_iter();
        rows.map(|((class, step, condition), (count, example))| ErrorDelta {
            class,
            step,
            condition,
            count,
            example,
        })
        .collect()
    }
}

fn leaf_delta((phase, operation, group): (usize, usize, usize), tally: &Tally) -> LeafDelta {
    LeafDelta {
        phase: phase as u16,
        operation: operation as u16,
        group: group as u16,
        outcomes: tally.outcomes.clone(),
        response: times_delta(&tally.response),
        service: times_delta(&tally.service),
        lag: times_delta(&tally.lag),
        blocked: times_delta(&tally.blocked),
    }
}

fn times_delta(histogram: &Histogram) -> TimesDelta {
    TimesDelta { buckets: histogram.buckets(), clamped: histogram.clamped(), negative: histogram.negative() }
}

fn second_of(instant: Offset) -> u32 {
    instant.second().min(SECONDS_MAX - 1)
}

/// As [`Histogram::record_nanos`] sees it.
fn micros(nanos: i64) -> u64 {
    (nanos.max(0) as u64 / 1_000).min(MAX_MICROS)
}
