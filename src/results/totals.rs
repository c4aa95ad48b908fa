//! What a run amounts to so far: samples go in, deltas and the structures of the result file come out.
//!
//! Samples collect in an open interval. [`Totals::close_interval`] cuts it off as a [`Delta`], applies it to the
//! totals, and hands it out for the journal or for another process that merges. A reader applies the same deltas to
//! fresh totals and has the same result, exactly: there is no second way in.
//!
//! Applying is commutative, so the deltas of several workers or processes may come in any order; the one exception is
//! which example of an error is kept (the first).
//!
//! This module refuses to decide what phase a sample belongs to (the plan does, by its intended instant), and keeps no
//! ledger: accounts come in whole when a result is made.

mod apply;
mod delta;
mod layout;
mod pending;
mod present;
mod tally;

pub use delta::{Delta, DeltaError, SecondFacts};
pub use layout::{Layout, LayoutError, OperationLayout, PhaseLayout};
pub use tally::Tally;
pub(super) use tally::{is_completed, is_indeterminate};

use std::collections::BTreeMap;

use crate::sample::{Fault, Sample};

use super::Buckets;
use delta::{OperationSecond, SecondColumns};
use pending::Pending;

/// The totals of a run and its open interval.
#[derive(Debug)]
pub struct Totals {
    layout: Layout,
    pending: Pending,
    /// By [`Layout::leaf`].
    tallies: Vec<Option<Box<Tally>>>,
    seconds: Vec<SecondColumns>,
    /// By operation, then second.
    series: Vec<Vec<OperationSecond>>,
    /// Outcomes other than `ok`, by operation and class, then second.
    outcomes: BTreeMap<(u16, String), BTreeMap<u32, u64>>,
    /// By operation and first second of the interval.
    intervals: BTreeMap<(u16, u32), Buckets>,
    errors: ErrorTable,
}

impl Totals {
    /// Nothing yet.
    pub fn new(layout: Layout) -> Result<Self, LayoutError> {
        layout.check()?;
        Ok(Self {
            pending: Pending::new(&layout),
            tallies: layout.leaves(),
            seconds: Vec::new(),
            series: vec![Vec::new(); layout.operations.len()],
            outcomes: BTreeMap::new(),
            intervals: BTreeMap::new(),
            errors: ErrorTable::default(),
            layout,
        })
    }

    /// The phases, operations and groups these totals speak of.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Records a finished attempt in the open interval.
    ///
    /// # Panics
    ///
    /// If phase, operation or group lie outside the layout: they come from the same plan as it does.
    pub fn record(&mut self, phase: usize, sample: &Sample) {
        let leaf = self.layout.leaf(phase, sample.operation.0.into(), sample.group.0.into());
        self.pending.record(leaf.expect("samples name phases, operations and groups of the plan"), sample);
    }

    /// Notes facts of a second in the open interval. Each worker notes each of its seconds once: users and bytes add
    /// up, maxima are kept.
    pub fn note_second(&mut self, facts: &SecondFacts) {
        self.pending.note_second(facts);
    }

    /// Counts an error in the open interval.
    pub fn note_error(&mut self, fault: &Fault) {
        self.pending.note_error(fault);
    }

    /// Closes the open interval: what came in since the last one, now part of the totals.
    pub fn close_interval(&mut self) -> Delta {
        let delta = self.pending.cut(&self.layout);
        self.apply_checked(&delta);
        delta
    }

    /// Applies a delta that was cut elsewhere; nothing is applied if any part of it does not fit the layout.
    pub fn apply(&mut self, delta: &Delta) -> Result<(), DeltaError> {
        delta.check(&self.layout)?;
        self.apply_checked(delta);
        Ok(())
    }

    /// What is known of one operation over the given phases and all groups, the open interval left out.
    pub fn tally(&self, phases: impl IntoIterator<Item = usize>, operation: usize) -> Tally {
        let mut sum = Tally::default();
        for phase in phases {
            for group in 0..self.layout.groups.len() {
                if let Some(tally) = self.leaf(phase, operation, group) {
                    sum.merge(tally);
                }
            }
        }
        sum
    }

    fn leaf(&self, phase: usize, operation: usize, group: usize) -> Option<&Tally> {
        self.tallies.get(self.layout.leaf(phase, operation, group)?)?.as_deref()
    }
}

/// Errors by class, step and condition; a bounded number of kinds, the rest counted together per class.
#[derive(Clone, Debug, Default, PartialEq)]
struct ErrorTable(BTreeMap<(String, String, String), (u64, String)>);

impl ErrorTable {
    /// Kinds kept apart; a hostile server can make up conditions without end.
    const KINDS_MAX: usize = 200;
    const OTHER: &str = "other";

    fn add(&mut self, class: &str, step: &str, condition: &str, count: u64, example: &str) {
        let key = (class.to_owned(), step.to_owned(), condition.to_owned());
        let key = if self.0.contains_key(&key) || self.0.len() < Self::KINDS_MAX {
            key
        } else {
            (class.to_owned(), Self::OTHER.to_owned(), Self::OTHER.to_owned())
        };
        let entry = self.0.entry(key).or_insert_with(|| (0, example.to_owned()));
        entry.0 = entry.0.saturating_add(count);
    }
}
