//! Adding a checked delta to the totals. Sums saturate: a forged journal makes wrong numbers, never a crash.

use super::delta::{Delta, LeafDelta, OperationSecond, ResponseDelta, SecondColumns, TimesDelta};
use super::{Tally, Totals};
use crate::results::{Buckets, Histogram};

impl Totals {
    pub(super) fn apply_checked(&mut self, delta: &Delta) {
        for leaf in &delta.leaves {
            self.apply_leaf(leaf);
        }
        for row in &delta.operations {
            let column = &mut self.series[usize::from(row.operation)];
            grow(column, row.second, OperationSecond::default()).add(&row.counts);
        }
        for row in &delta.outcomes {
            let seconds = self.outcomes.entry((row.operation, row.outcome.to_string())).or_default();
            let sum = seconds.entry(row.second).or_default();
            *sum = sum.saturating_add(row.count);
        }
        for row in &delta.responses {
            self.apply_response(row);
        }
        for facts in &delta.seconds {
            grow(&mut self.seconds, facts.second, SecondColumns::default()).add(facts);
        }
        for error in &delta.errors {
            self.errors.add(&error.class, &error.step, &error.condition, error.count, &error.example);
        }
    }

    fn apply_leaf(&mut self, leaf: &LeafDelta) {
        let index = self.layout.leaf(leaf.phase.into(), leaf.operation.into(), leaf.group.into());
        let tally: &mut Tally = self.tallies[index.expect("the delta was checked")].get_or_insert_default();
        for (outcome, &count) in &leaf.outcomes {
            tally.add_outcome(outcome, count);
        }
        apply_times(&mut tally.response, &leaf.response);
        apply_times(&mut tally.service, &leaf.service);
        apply_times(&mut tally.lag, &leaf.lag);
        apply_times(&mut tally.blocked, &leaf.blocked);
    }

    fn apply_response(&mut self, row: &ResponseDelta) {
        let sum = self.intervals.entry((row.operation, row.start_s)).or_default();
        *sum = union(sum, &row.buckets);
    }
}

fn apply_times(histogram: &mut Histogram, times: &TimesDelta) {
    histogram.add_buckets(&times.buckets).expect("the delta was checked");
    histogram.add_counters(times.clamped, times.negative);
}

/// The entry of a second, the column made long enough for it.
fn grow<T: Copy>(column: &mut Vec<T>, second: u32, empty: T) -> &mut T {
    let index = second as usize;
    if column.len() <= index {
        column.resize(index + 1, empty);
    }
    &mut column[index]
}

/// Both lists' counts, in rising order of the bucket.
fn union(a: &Buckets, b: &Buckets) -> Buckets {
    let mut both: Vec<(u16, u64)> = a.0.iter().chain(&b.0).copied().collect();
    both.sort_by_key(|&(bucket, _)| bucket);
    both.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 = if same { kept.1.saturating_add(next.1) } else { kept.1 };
        same
    });
    Buckets(both)
}
