//! Exact rank tests between runs, and the intervals that come of inverting them.
//!
//! Wilcoxon–Mann–Whitney for two sides without pairs, Wilcoxon's signed ranks for pairs, both as permutation tests
//! *conditional on the ties*: ties take mid-ranks, and the null distribution is that of the mid-ranks at hand, so p is exact
//! with ties too. A difference of zero in a pair keeps its rank and tells for neither side (Pratt). Infinite values rank
//! above all others; infinite against infinite is a tie whatever shift is asked about.
//!
//! **Effect and interval.** The shift of the new side against the base is estimated where the statistic stands in its
//! middle (Hodges–Lehmann: the median of pairwise differences, for pairs of their Walsh averages). The interval is what the
//! same test does not reject, found by bisection, for a permutation p-value only grows as the shift asked about does. So an
//! interval of level `1 − a` and the two-sided p at zero cannot contradict each other: `p ≤ a` where zero lies outside (or
//! is an end that ties reach), `p > a` where it lies inside.
//!
//! **Limits.** Exact up to [`EXACT_RUNS`] runs, of both sides together or pairs; above, the normal approximation with the
//! ties' own variance and a continuity correction, which at that size is up to a third too careful.

mod invert;
mod null;
mod paired;
mod unpaired;

pub(super) use null::normal_tail;
use paired::Paired;
use unpaired::Unpaired;

/// Up to so many runs (both sides together, or pairs) p is exact; above it is approximated by the normal distribution.
pub const EXACT_RUNS: usize = 50;

/// How runs stand against each other: known before any value is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// Every new run has its base run.
    Paired {
        /// How many pairs.
        pairs: usize,
    },
    /// Two sides.
    Unpaired {
        /// Runs of the base.
        base: usize,
        /// Runs of the new side.
        new: usize,
    },
}

impl Design {
    /// The least p-value these sizes can give, whatever the data.
    pub fn least_p(self, two_sided: bool) -> f64 {
        let one_sided = match self {
            Self::Paired { pairs } => 0.5f64.powi(pairs.min(1_000) as i32),
            // One deal of so many; their number is whole at every step, so that 1/20 is 0.05 and not a little more.
            Self::Unpaired { base, new } => {
                let deals = |deals: f64, k: usize| deals * (base.max(new) + k) as f64 / k as f64;
                1.0 / (1..=base.min(new)).fold(1.0, deals)
            }
        };
        if two_sided { (2.0 * one_sided).min(1.0) } else { one_sided }
    }

    /// Whether p-values are exact at these sizes.
    pub const fn is_exact(self) -> bool {
        match self {
            Self::Paired { pairs } => pairs <= EXACT_RUNS,
            Self::Unpaired { base, new } => base + new <= EXACT_RUNS,
        }
    }
}

/// How a difference of two values is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// By their ratio; differences are natural logarithms of ratios.
    Ratio,
    /// By subtraction.
    Difference,
}

impl Scale {
    /// `new` against `base`; `None` where both are the same infinity, a tie whatever is asked.
    fn difference(self, base: f64, new: f64) -> Option<f64> {
        let (base, new) = match self {
            Self::Ratio => (base.ln(), new.ln()),
            Self::Difference => (base, new),
        };
        let difference =
            if base.is_finite() && new.is_finite() || base != new { new - base } else { return None };
        Some(difference)
    }
}

/// One test of the shift between two sides, to be asked about any shift.
#[derive(Clone, Debug)]
pub struct ShiftTest {
    kind: Kind,
    design: Design,
}

#[derive(Clone, Debug)]
enum Kind {
    Paired(Paired),
    Unpaired(Unpaired),
}

/// Which way a one-sided test looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Evidence that the new side is above the base by more than the shift asked about.
    Above,
    /// Evidence that it is below.
    Below,
}

/// A closed interval of shifts; its ends may be infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl ShiftTest {
    /// Of two sides. Values are not NaN and, for ratios, not negative.
    pub fn unpaired(base: &[f64], new: &[f64], scale: Scale) -> Self {
        let (base, new) = (one_zero(base), one_zero(new));
        let design = Design::Unpaired { base: base.len(), new: new.len() };
        Self { kind: Kind::Unpaired(Unpaired::new(&base, &new, scale)), design }
    }

    /// Of pairs: `base[i]` belongs to `new[i]`.
    pub fn paired(base: &[f64], new: &[f64], scale: Scale) -> Self {
        let both = one_zero(base).into_iter().zip(one_zero(new));
        let pairs: Vec<_> = both.map(|(base, new)| scale.difference(base, new)).collect();
        Self { design: Design::Paired { pairs: pairs.len() }, kind: Kind::Paired(Paired::new(&pairs)) }
    }

    /// How the runs stand against each other.
    pub const fn design(&self) -> Design {
        self.design
    }

    /// One-sided p at a shift.
    pub fn p_one_sided(&self, shift: f64, side: Side) -> f64 {
        self.p_at(self.crossings().locate(shift), side)
    }

    /// One-sided p of not lying beyond a shift, where evidence looks to `side`: as [`Self::p_one_sided`], but where no difference
    /// lies beyond the shift those that lie exactly on it speak for it, as in [`Self::limit`]. Where one does, they are no
    /// evidence: of shares many are 0, and a few runs that lost are not outvoted by ties.
    pub fn p_not_beyond(&self, shift: f64, side: Side) -> f64 {
        let crossings = self.crossings();
        let at = match side {
            Side::Below if !crossings.any_above(shift) => crossings.just_above(shift),
            Side::Above if !crossings.any_below(shift) => crossings.just_below(shift),
            _ => crossings.locate(shift),
        };
        self.p_at(at, side)
    }

    /// Two-sided p at a shift: twice the smaller one-sided one.
    pub fn p_two_sided(&self, shift: f64) -> f64 {
        let at = self.crossings().locate(shift);
        (2.0 * self.p_at(at, Side::Above).min(self.p_at(at, Side::Below))).min(1.0)
    }

    /// The Hodges–Lehmann estimate of the shift; infinite where the middle lies among values that never completed, `None`
    /// where it lies between both infinities.
    pub fn estimate(&self) -> Option<f64> {
        self.crossings().median()
    }

    /// The shifts a two-sided test at `level` does not reject.
    pub fn interval(&self, level: f64) -> Interval {
        Interval { low: self.limit(level / 2.0, Side::Above), high: self.limit(level / 2.0, Side::Below) }
    }

    /// A one-sided confidence limit: the lowest shift (or, looking below, the highest) a one-sided test at `level` does not
    /// reject.
    pub fn limit(&self, level: f64, side: Side) -> f64 {
        self.crossings().limit(side, |at| self.p_at(at, side) > level)
    }

    fn crossings(&self) -> &invert::Crossings {
        match &self.kind {
            Kind::Paired(test) => test.crossings(),
            Kind::Unpaired(test) => test.crossings(),
        }
    }

    fn p_at(&self, at: invert::Place, side: Side) -> f64 {
        let exact = self.design.is_exact();
        match &self.kind {
            Kind::Paired(test) => test.p(at, side, exact),
            Kind::Unpaired(test) => test.p(at, side, exact),
        }
    }
}

/// Values whose zeros are all one: an empty sum is a negative zero, and would be ranked below the positive one.
fn one_zero(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value + 0.0).collect()
}

#[cfg(test)]
mod tests;
