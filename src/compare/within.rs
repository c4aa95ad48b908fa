//! How far single runs could have come out otherwise within themselves: blocks of their seconds, drawn again.

use super::judge::Sides;
use super::measure::{Figure, Measure};
use super::run::{Run, Seconds};
use crate::seed::{Draw, Stream};
use crate::stats::blocks::{RESAMPLES, interval_95, resample_ratio};
use crate::stats::effective::block_length;
use crate::stats::rank::Scale;
use crate::units::Quantile;

/// One side's resamples of a measure, and how many blocks they are made of.
struct Replicates {
    values: Vec<f64>,
    blocks: f64,
}

/// The interval of level 95 % around an estimated shift; `None` where nothing was recorded second by second, or a run is
/// too short for blocks. Of the side that has several runs the first stands for all.
pub(super) fn interval(sides: &Sides<'_>, measure: &Measure, shift: f64) -> Option<(f64, f64)> {
    let base = replicates(sides.base.first()?, measure, 0)?;
    let new = replicates(sides.new.first()?, measure, 1)?;
    let difference = |(&base, &new): (&f64, &f64)| match measure.unit().scale() {
        Scale::Ratio => new.ln() - base.ln(),
        Scale::Difference => new - base,
    };
    let differences = base.values.iter().zip(&new.values).map(difference).collect();
    Some(interval_95(shift, differences, base.blocks.min(new.blocks)))
}

fn replicates(run: &Run, measure: &Measure, side: u64) -> Option<Replicates> {
    let seconds = run.seconds(&measure.subject)?;
    let mut draw = Draw::new(run.seed, Stream::resamples(measure.figure as u16), side);
    let of_times = |quantile: Quantile, draw: &mut Draw| {
        let block = seconds.times.block(&[quantile])?;
        let values = seconds.times.resample(&[quantile], block, RESAMPLES, draw).swap_remove(0);
        Some(Replicates { values, blocks: seconds.times.cells.len() as f64 / block as f64 })
    };
    match measure.figure {
        Figure::P50 => of_times(Quantile::P50, &mut draw),
        Figure::P90 => of_times(Quantile::P90, &mut draw),
        Figure::P99 => of_times(Quantile::P99, &mut draw),
        Figure::P99_9 => of_times(Quantile::P99_9, &mut draw),
        Figure::Rate => {
            let lengths = vec![f64::from(seconds.length); seconds.done.len()];
            of_sums(&seconds.done, &lengths, &mut draw)
        }
        Figure::Done => of_shares(seconds, |seconds| &seconds.done_by_intended, &mut draw),
        Figure::Errors => of_shares(seconds, |seconds| &seconds.errors, &mut draw),
        Figure::Unsent => of_shares(seconds, |seconds| &seconds.unsent, &mut draw),
        // A largest value has no smooth distribution to resample; accounts and processor time have no seconds.
        Figure::Max | Figure::Loss | Figure::Cpu => None,
    }
}

fn of_shares(seconds: &Seconds, column: fn(&Seconds) -> &Vec<f64>, draw: &mut Draw) -> Option<Replicates> {
    of_sums(column(seconds), &seconds.asked, draw)
}

fn of_sums(above: &[f64], below: &[f64], draw: &mut Draw) -> Option<Replicates> {
    let shares: Vec<f64> = above.iter().zip(below).map(|(above, below)| above / below.max(1.0)).collect();
    let block = block_length(&shares).round() as usize;
    let blocks = shares.len() / block;
    const BLOCKS_MIN: usize = 5;
    let values = (blocks >= BLOCKS_MIN).then(|| resample_ratio(above, below, block, RESAMPLES, draw))?;
    Some(Replicates { values, blocks: shares.len() as f64 / block as f64 })
}
