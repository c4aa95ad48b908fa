//! Resampling a run in blocks: how far its percentiles and shares could have come out otherwise, *within* that run.
//!
//! A circular moving-block bootstrap over interval histograms: whole stretches of seconds are drawn again, long enough to
//! keep the correlation of neighbours ([`super::effective::block_length`]), and percentiles are taken of the drawn seconds'
//! joint histogram. The population is everything attempted: what never completed is mass at infinity of its own second.
//!
//! What this cannot see: that another run of the same servers would come out otherwise as a whole. So nothing here is ever
//! called significant.

use super::effective::block_length;
use crate::seed::Draw;
use crate::units::Quantile;

/// How often a run is drawn again.
pub const RESAMPLES: usize = 400;
/// Fewer blocks than this say nothing of how blocks differ.
const BLOCKS_MIN: usize = 5;
/// Blocks are longer by this than what is best for estimating a variance: an interval that is to hold the truth as often as it
/// says needs them to leave less correlation between blocks. Found by simulation over 20 to 600 seconds and correlations from
/// 0 to 0.8: once the length misses up to 13 % where 5 % are stated, three times the length 3 to 6 %.
const LONGER: f64 = 3.0;

/// Response times of one operation in intervals of equal length.
#[derive(Clone, Debug, Default)]
pub struct Intervals {
    /// What the slots stand for, rising.
    pub values: Vec<f64>,
    /// Per interval: slot and count, for the slots that hold anything.
    pub cells: Vec<Vec<(u32, u32)>>,
    /// Per interval: attempts that never completed.
    pub infinite: Vec<u64>,
}

impl Intervals {
    /// The block length that keeps the correlation of these quantiles' exceedances, intervals; the longest any of them
    /// needs. `None` where there are too few intervals to be drawn in blocks.
    pub fn block(&self, quantiles: &[Quantile]) -> Option<usize> {
        let needed = quantiles.iter().map(|&quantile| block_for(&self.exceedances(quantile)));
        needed.collect::<Option<Vec<usize>>>()?.into_iter().max()
    }

    /// The quantiles of so many resamples of blocks of this length: per quantile, in the order drawn.
    pub fn resample(
        &self,
        quantiles: &[Quantile],
        block: usize,
        count: usize,
        draw: &mut Draw,
    ) -> Vec<Vec<f64>> {
        let mut replicates = vec![Vec::with_capacity(count); quantiles.len()];
        for _ in 0..count {
            let weights = weights(self.cells.len(), block, draw);
            for (into, value) in replicates.iter_mut().zip(self.quantiles(quantiles, &weights)) {
                into.push(value);
            }
        }
        replicates
    }

    /// The share of each interval's attempts above the quantile of all.
    fn exceedances(&self, quantile: Quantile) -> Vec<f64> {
        let limit = self.quantiles(&[quantile], &vec![1; self.cells.len()])[0];
        let above = |cells: &[(u32, u32)]| {
            cells
                .iter()
                .filter(|(slot, _)| self.values[*slot as usize] > limit)
                .map(|(_, count)| u64::from(*count))
                .sum::<u64>()
        };
        let share = |(cells, infinite): (&Vec<(u32, u32)>, &u64)| {
            let all = cells.iter().map(|(_, count)| u64::from(*count)).sum::<u64>() + infinite;
            (above(cells) + infinite) as f64 / all.max(1) as f64
        };
        self.cells.iter().zip(&self.infinite).map(share).collect()
    }

    /// Quantiles of the joint histogram, each interval taken so many times.
    fn quantiles(&self, quantiles: &[Quantile], weights: &[u32]) -> Vec<f64> {
        let mut counts = vec![0u64; self.values.len()];
        let mut total = 0u64;
        for ((cells, infinite), &weight) in self.cells.iter().zip(&self.infinite).zip(weights) {
            if weight == 0 {
                continue;
            }
            total = total.saturating_add(infinite.saturating_mul(weight.into()));
            for &(slot, count) in cells {
                let count = u64::from(count) * u64::from(weight);
                let sum = &mut counts[slot as usize];
                *sum = sum.saturating_add(count);
                total = total.saturating_add(count);
            }
        }
        let value = |quantile: &Quantile| {
            let rank = ((quantile.as_fraction() * total as f64 - 1e-6).ceil() as u64).max(1);
            let mut seen = 0;
            let slot = counts.iter().position(|count| {
                seen = u64::saturating_add(seen, *count);
                seen >= rank
            });
            slot.map_or(f64::INFINITY, |slot| self.values[slot])
        };
        quantiles.iter().map(value).collect()
    }
}

/// The block length for a series, steps: [`block_length`] three times over, and no more than leaves five blocks. `None` for
/// fewer than ten steps.
pub fn block_for(values: &[f64]) -> Option<usize> {
    let longest = values.len() / BLOCKS_MIN;
    (longest >= 2).then(|| ((block_length(values) * LONGER).round() as usize).min(longest))
}

/// The ratio of two sums over a run, drawn again in blocks: a share, or a rate where the divisor is seconds. Where the
/// divisor is zero the ratio is zero.
pub fn resample_ratio(above: &[f64], below: &[f64], block: usize, count: usize, draw: &mut Draw) -> Vec<f64> {
    let ratio = |weights: Vec<u32>| {
        let sum = |column: &[f64]| {
            column.iter().zip(&weights).map(|(value, &weight)| value * f64::from(weight)).sum::<f64>()
        };
        let divisor = sum(below);
        if divisor > 0.0 { sum(above) / divisor } else { 0.0 }
    };
    (0..count).map(|_| ratio(weights(above.len().min(below.len()), block, draw))).collect()
}

/// The interval of level 95 % from replicates of a difference around its estimate.
///
/// Few blocks make a bootstrap too sure of itself: percentiles of replicates are drawn away from the estimate as Student's t
/// with one degree of freedom less than there are blocks is wider than the normal distribution.
pub fn interval_95(estimate: f64, mut differences: Vec<f64>, blocks: f64) -> (f64, f64) {
    const NORMAL: f64 = 1.959_964;
    differences.retain(|value| !value.is_nan());
    if differences.is_empty() {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    differences.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (share * (differences.len() - 1) as f64).round() as usize;
        differences[rank]
    };
    let freedom = (blocks - 1.0).max(1.0);
    // Student's quantile by the first terms of its Cornish-Fisher expansion.
    let cubic = (NORMAL.powi(3) + NORMAL) / (4.0 * freedom);
    let quintic = (5.0 * NORMAL.powi(5) + 16.0 * NORMAL.powi(3) + 3.0 * NORMAL) / (96.0 * freedom * freedom);
    let wider = (1.0 + (cubic + quintic) / NORMAL) * (blocks / freedom).sqrt();
    let widened = |end: f64| if end.is_finite() { (end - estimate).mul_add(wider, estimate) } else { end };
    (widened(at(0.025)).min(estimate), widened(at(0.975)).max(estimate))
}

/// How often each interval is drawn: blocks begin anywhere and go round the end; the last is cut to keep the length.
fn weights(intervals: usize, block: usize, draw: &mut Draw) -> Vec<u32> {
    let mut weights = vec![0u32; intervals];
    let mut left = intervals;
    while left > 0 {
        let start = draw.below(intervals as u32) as usize;
        let length = block.clamp(1, left);
        (start..start + length).for_each(|at| weights[at % intervals] += 1);
        left -= length;
    }
    weights
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "what is asked for is exactly this value")]
mod tests {
    use super::*;
    use crate::seed::Stream;

    fn draw() -> Draw {
        Draw::new(1, Stream::resamples(0), 0)
    }

    fn steady(intervals: usize, infinite: u64) -> Intervals {
        Intervals {
            values: (1..=100).map(f64::from).collect(),
            cells: vec![(0..100).map(|slot| (slot, 1)).collect(); intervals],
            infinite: vec![infinite; intervals],
        }
    }

    #[test]
    fn equal_seconds_leave_nothing_to_chance() {
        let replicates = steady(20, 0).resample(&[Quantile::P50, Quantile::P99], 3, 50, &mut draw());
        assert!(replicates[0].iter().all(|&value| value == 50.0), "{:?}", replicates[0]);
        assert!(replicates[1].iter().all(|&value| value == 99.0), "{:?}", replicates[1]);
    }

    #[test]
    fn what_never_completed_is_mass_at_infinity_of_its_second() {
        let replicates = steady(20, 5).resample(&[Quantile::P50, Quantile::P99], 1, 20, &mut draw());
        assert!(replicates[0].iter().all(|&value| value == 53.0), "{:?}", replicates[0]);
        assert!(replicates[1].iter().all(|&value| value.is_infinite()));
    }

    #[test]
    fn every_resample_is_as_long_as_the_run() {
        for (intervals, block) in [(10, 1), (10, 3), (7, 7), (1, 1)] {
            assert_eq!(weights(intervals, block, &mut draw()).iter().sum::<u32>(), intervals as u32);
        }
    }

    #[test]
    fn too_few_intervals_have_no_block_length() {
        assert_eq!(steady(9, 0).block(&[Quantile::P50]), None);
        assert_eq!(steady(20, 0).block(&[Quantile::P50]), Some(3));
    }

    #[test]
    fn an_interval_holds_its_estimate_and_survives_infinities() {
        let (low, high) = interval_95(0.0, (0..400).map(|i| f64::from(i) / 400.0 - 0.5).collect(), 1e6);
        assert!((low + 0.475).abs() < 0.01 && (high - 0.475).abs() < 0.01, "{low} {high}");
        assert_eq!(interval_95(1.0, vec![f64::NAN; 5], 10.0), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!(interval_95(1.0, vec![f64::INFINITY; 400], 10.0), (1.0, f64::INFINITY));
    }
}
