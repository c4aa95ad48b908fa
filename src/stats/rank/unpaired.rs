//! Wilcoxon–Mann–Whitney: two sides of independent runs.

use std::cmp::Ordering;

use super::invert::{Crossings, Place};
use super::{Scale, Side, null};

/// Two sides, ready to be asked about any shift.
#[derive(Clone, Debug)]
pub(super) struct Unpaired {
    base: Vec<f64>,
    new: Vec<f64>,
    /// New against base, row by row of the new side; `None` is a tie whatever the shift.
    differences: Vec<Option<f64>>,
    crossings: Crossings,
}

impl Unpaired {
    pub(super) fn new(base: &[f64], new: &[f64], scale: Scale) -> Self {
        let differences: Vec<_> =
            new.iter().flat_map(|&new| base.iter().map(move |&base| scale.difference(base, new))).collect();
        let crossings = Crossings::new(differences.iter().copied());
        Self { base: base.to_vec(), new: new.to_vec(), differences, crossings }
    }

    pub(super) const fn crossings(&self) -> &Crossings {
        &self.crossings
    }

    /// One-sided p at a place.
    pub(super) fn p(&self, at: Place, side: Side, exact: bool) -> f64 {
        if self.base.is_empty() || self.new.is_empty() {
            return 1.0;
        }
        let (base, new) = self.doubled_ranks(at);
        // Looking below is looking above with the sides changed.
        let picked = if side == Side::Above { &new } else { &base };
        let sum: u32 = picked.iter().sum();
        let ranks: Vec<u32> = base.iter().chain(&new).copied().collect();
        if exact {
            null::subset_tail(&ranks, picked.len(), sum)
        } else {
            approximate(&ranks, picked.len(), sum)
        }
    }

    /// Twice the mid-rank of every value in the joint sample, the new side moved down by the shift.
    fn doubled_ranks(&self, at: Place) -> (Vec<u32>, Vec<u32>) {
        let mut base = within(&self.base);
        let mut new = within(&self.new);
        for (index, difference) in self.differences.iter().enumerate() {
            let (row, column) = (index / self.base.len(), index % self.base.len());
            match difference.map_or(Ordering::Equal, |difference| self.crossings.compare(difference, at)) {
                Ordering::Greater => new[row] += 2,
                Ordering::Less => base[column] += 2,
                Ordering::Equal => {
                    new[row] += 1;
                    base[column] += 1;
                }
            }
        }
        (base, new)
    }
}

/// Twice the mid-rank of each value among its own side.
fn within(values: &[f64]) -> Vec<u32> {
    let rank = |value: f64| {
        values.iter().fold(1, |rank, other| match other.total_cmp(&value) {
            Ordering::Less => rank + 2,
            Ordering::Equal => rank + 1,
            Ordering::Greater => rank,
        })
    };
    values.iter().map(|&value| rank(value)).collect()
}

fn approximate(ranks: &[u32], pick: usize, sum: u32) -> f64 {
    let (count, pick) = (ranks.len() as f64, pick as f64);
    let mean = ranks.iter().map(|&rank| f64::from(rank)).sum::<f64>() / count;
    let spread: f64 = ranks.iter().map(|&rank| (f64::from(rank) - mean).powi(2)).sum();
    let variance = pick * (count - pick) / (count * (count - 1.0)) * spread;
    if variance <= 0.0 {
        return 1.0;
    }
    // Doubled ranks step by two where nothing is tied: half a step is one.
    null::normal_tail((f64::from(sum) - pick * mean - 1.0) / variance.sqrt())
}
