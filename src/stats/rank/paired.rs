//! Wilcoxon's signed ranks: pairs of runs.

use std::cmp::Ordering;

use super::invert::{Crossings, Place, are_tied};
use super::{Side, null};

/// Differences within pairs, ready to be asked about any shift.
#[derive(Clone, Debug)]
pub(super) struct Paired {
    /// `None`: both runs of the pair hold the same infinity, a tie whatever the shift.
    differences: Vec<Option<f64>>,
    crossings: Crossings,
}

impl Paired {
    pub(super) fn new(differences: &[Option<f64>]) -> Self {
        let count = differences.len();
        let pairs = (0..count).flat_map(|i| (i..count).map(move |j| (i, j)));
        let walsh: Vec<_> = pairs.map(|(i, j)| average(differences[i], differences[j])).collect();
        Self { differences: differences.to_vec(), crossings: Crossings::new(walsh.into_iter()) }
    }

    pub(super) const fn crossings(&self) -> &Crossings {
        &self.crossings
    }

    /// One-sided p at a place.
    pub(super) fn p(&self, at: Place, side: Side, exact: bool) -> f64 {
        let signed = self.signed_ranks(at);
        let wanted = if side == Side::Above { Ordering::Greater } else { Ordering::Less };
        let sum: u32 = signed.iter().filter(|(sign, _)| *sign == wanted).map(|(_, rank)| rank).sum();
        let telling: Vec<u32> =
            signed.iter().filter(|(sign, _)| *sign != Ordering::Equal).map(|&(_, rank)| rank).collect();
        if exact { null::sign_tail(&telling, sum) } else { approximate(&telling, sum) }
    }

    /// The sign of each difference against the shift, and twice the mid-rank of its size.
    fn signed_ranks(&self, at: Place) -> Vec<(Ordering, u32)> {
        let signs: Vec<Ordering> = self.differences.iter().map(|&one| self.sign(one, at)).collect();
        let rank = |i: usize| {
            (0..signs.len()).fold(1, |rank, j| match self.compare_sizes(j, i, &signs, at) {
                Ordering::Less => rank + 2,
                Ordering::Equal => rank + 1,
                Ordering::Greater => rank,
            })
        };
        (0..signs.len()).map(|i| (signs[i], rank(i))).collect()
    }

    /// How far pair `i` lies from the shift, against pair `j`.
    fn compare_sizes(&self, i: usize, j: usize, signs: &[Ordering], at: Place) -> Ordering {
        let (Some(a), Some(b)) = (self.differences[i], self.differences[j]) else {
            // A tie whatever the shift lies on it.
            let distance = |index: usize| u8::from(signs[index] != Ordering::Equal);
            return distance(i).cmp(&distance(j));
        };
        match (signs[i], signs[j]) {
            (one, other) if one == other && are_tied(a, b) => Ordering::Equal,
            (Ordering::Greater, Ordering::Greater) => a.total_cmp(&b),
            (Ordering::Less, Ordering::Less) => b.total_cmp(&a),
            (Ordering::Equal, other) => {
                if other == Ordering::Equal {
                    Ordering::Equal
                } else {
                    Ordering::Less
                }
            }
            (_, Ordering::Equal) => Ordering::Greater,
            (Ordering::Greater, Ordering::Less) => self.sign(average(Some(a), Some(b)), at),
            (Ordering::Less, Ordering::Greater) => self.sign(average(Some(a), Some(b)), at).reverse(),
        }
    }

    fn sign(&self, value: Option<f64>, at: Place) -> Ordering {
        value.map_or(Ordering::Equal, |value| self.crossings.compare(value, at))
    }
}

/// A Walsh average. With a tie whatever the shift the other decides alone; opposite infinities balance.
fn average(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (one, other) => return one.or(other),
    };
    if a == b {
        return Some(a);
    }
    let middle = f64::midpoint(a, b);
    (!middle.is_nan()).then_some(middle)
}

fn approximate(ranks: &[u32], sum: u32) -> f64 {
    let total: f64 = ranks.iter().map(|&rank| f64::from(rank)).sum();
    let variance: f64 = ranks.iter().map(|&rank| f64::from(rank).powi(2)).sum::<f64>() / 4.0;
    if variance <= 0.0 {
        return 1.0;
    }
    // Doubled ranks step by two where nothing is tied: half a step is one.
    null::normal_tail((f64::from(sum) - total / 2.0 - 1.0) / variance.sqrt())
}
