//! The shifts at which a rank statistic changes, in order, and searching among them.
//!
//! A statistic is constant between neighbouring crossings and takes a value of its own on each. Shifts are therefore asked
//! about by *place*: exactly on a crossing or in a gap. What differs by no more than rounding ([`are_tied`]) is one crossing, so
//! that a tie is a tie: 400 to 440 and 440 to 484 are the same tenth, though their logarithms differ in the last digit.

use std::cmp::Ordering;

use super::Side;

/// A shift, by where it stands: `2·i` is the gap below crossing `i`, `2·i + 1` the crossing itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(usize);

/// Whether two shifts are one but for rounding: of logarithms of ratios, shares or microseconds.
pub(super) fn are_tied(a: f64, b: f64) -> bool {
    const ROUNDING: f64 = 1e-12;
    a.is_finite() && b.is_finite() && (a - b).abs() <= ROUNDING * a.abs().max(b.abs()).max(1.0)
}

/// Makes one value of those that are tied: zero if it is among them, for whether zero lies inside is what is asked most; else the
/// lowest.
fn merge_tied(sorted: &mut [f64]) {
    let mut kept = f64::NAN;
    for value in sorted {
        if are_tied(*value, 0.0) {
            *value = 0.0;
        } else if are_tied(*value, kept) {
            *value = kept;
        }
        kept = *value;
    }
}

/// Finite crossings in rising order without repetition, and what the estimate is the median of.
#[derive(Clone, Debug)]
pub(super) struct Crossings {
    sorted: Vec<f64>,
    /// Every crossing twice, ties whatever the shift as one at each infinity; sorted.
    doubled: Vec<f64>,
}

impl Crossings {
    /// From pairwise differences; `None` is a tie whatever the shift.
    pub(super) fn new(differences: impl Iterator<Item = Option<f64>>) -> Self {
        let mut doubled = Vec::new();
        for difference in differences {
            let (low, high) = difference.map_or((f64::NEG_INFINITY, f64::INFINITY), |both| (both, both));
            doubled.extend([low, high]);
        }
        doubled.sort_by(f64::total_cmp);
        merge_tied(&mut doubled);
        let mut sorted: Vec<f64> = doubled.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.dedup();
        Self { sorted, doubled }
    }

    /// Where a shift stands.
    pub(super) fn locate(&self, shift: f64) -> Place {
        let below = self.sorted.partition_point(|&crossing| crossing < shift && !are_tied(crossing, shift));
        let is_on = self.sorted.get(below).is_some_and(|&crossing| are_tied(crossing, shift));
        Place(2 * below + usize::from(is_on))
    }

    /// The gap right above a shift; a shift in a gap stays there.
    pub(super) fn just_above(&self, shift: f64) -> Place {
        let Place(at) = self.locate(shift);
        Place(at + at % 2)
    }

    /// The gap right below a shift.
    pub(super) fn just_below(&self, shift: f64) -> Place {
        let Place(at) = self.locate(shift);
        Place(at - at % 2)
    }

    /// Whether any difference lies above a shift; what is infinite on both sides may.
    pub(super) fn any_above(&self, shift: f64) -> bool {
        self.doubled.last().is_some_and(|&last| last > shift && !are_tied(last, shift))
    }

    /// Whether any lies below.
    pub(super) fn any_below(&self, shift: f64) -> bool {
        self.doubled.first().is_some_and(|&first| first < shift && !are_tied(first, shift))
    }

    /// How a pairwise difference compares with the shift at a place.
    pub(super) fn compare(&self, difference: f64, at: Place) -> Ordering {
        if difference.is_infinite() {
            return if difference > 0.0 { Ordering::Greater } else { Ordering::Less };
        }
        self.locate(difference).cmp(&at)
    }

    /// The median; `None` between both infinities.
    pub(super) fn median(&self) -> Option<f64> {
        let count = self.doubled.len();
        let (low, high) = (*self.doubled.get(count.checked_sub(1)? / 2)?, *self.doubled.get(count / 2)?);
        if low == high {
            return Some(low);
        }
        let middle = f64::midpoint(low, high);
        (!middle.is_nan()).then_some(middle)
    }

    /// The end of the shifts that are accepted: looking above the lowest, looking below the highest. `accepts` grows
    /// towards the other end.
    pub(super) fn limit(&self, side: Side, accepts: impl Fn(Place) -> bool) -> f64 {
        let last = 2 * self.sorted.len();
        let place = |step: usize| Place(if side == Side::Above { step } else { last - step });
        let (mut low, mut high) = (0, last + 1);
        while low < high {
            let middle = usize::midpoint(low, high);
            if accepts(place(middle)) { high = middle } else { low = middle + 1 }
        }
        let open = if side == Side::Above { f64::NEG_INFINITY } else { f64::INFINITY };
        if low == 0 {
            return open;
        }
        if low > last {
            return -open;
        }
        let index = match (place(low).0, side) {
            (odd, _) if odd % 2 == 1 => odd / 2,
            (gap, Side::Above) => gap / 2 - 1,
            (gap, Side::Below) => gap / 2,
        };
        self.sorted[index]
    }
}
