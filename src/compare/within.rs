//! How far single runs could have come out otherwise within themselves: blocks of their seconds, drawn again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};

use super::judge::Sides;
use super::measure::{Figure, Measure, Subject};
use super::run::{Run, Seconds};
use crate::seed::{Draw, Stream};
use crate::stats::blocks::{RESAMPLES, block_for, interval_95, resample_ratio};
use crate::stats::rank::Scale;
use crate::units::Quantile;

/// One side's resamples of a measure, and how many blocks they are made of.
#[derive(Clone, Debug)]
struct Replicates {
    values: Vec<f64>,
    blocks: f64,
}

/// The percentiles of an operation's times, drawn again together: by operation and side.
#[derive(Debug, Default)]
pub(super) struct Drawn(RefCell<BTreeMap<(Subject, Side), OfTimes>>);

impl Drawn {
    /// Of two single runs all operations at once, shared out among the processors: of hours it is most of the work there is.
    pub(super) fn of(base: &Run, new: &Run) -> Self {
        let mut jobs = Vec::new();
        for (run, side) in [(base, 0), (new, 1)] {
            let whole = run.all_seconds().filter(|(subject, _)| subject.phase.is_none());
            jobs.extend(whole.map(|(subject, seconds)| (run.seed, subject, seconds, side)));
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some(&(seed, subject, seconds, side)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push(((subject.clone(), side), of_times(seed, seconds, side)));
            }
            done
        };
        let threads = available_parallelism().map_or(1, NonZero::get).min(jobs.len());
        let drawn = thread::scope(|scope| {
            let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let ended =
                started.into_iter().map(|one| one.join().unwrap_or_else(|panic| resume_unwind(panic)));
            ended.flatten().collect()
        });
        Self(RefCell::new(drawn))
    }
}

/// One for each of [`TIMES`]; `None` where a run is too short.
type OfTimes = Option<Vec<Replicates>>;

/// 0 for the base, 1 for the new side.
type Side = u64;

const TIMES: [(Figure, Quantile); 4] = [
    (Figure::P50, Quantile::P50),
    (Figure::P90, Quantile::P90),
    (Figure::P99, Quantile::P99),
    (Figure::P99_9, Quantile::P99_9),
];

/// The interval of level 95 % around an estimated shift; `None` where nothing was recorded second by second, or a run is
/// too short for blocks. Of the side that has several runs the first stands for all.
pub(super) fn interval(sides: &Sides<'_>, measure: &Measure, shift: f64) -> Option<(f64, f64)> {
    let base = replicates(sides, sides.base.first()?, measure, 0)?;
    let new = replicates(sides, sides.new.first()?, measure, 1)?;
    let difference = |(&base, &new): (&f64, &f64)| match measure.unit().scale() {
        Scale::Ratio => new.ln() - base.ln(),
        Scale::Difference => new - base,
    };
    let differences = base.values.iter().zip(&new.values).map(difference).collect();
    Some(interval_95(shift, differences, base.blocks.min(new.blocks)))
}

fn replicates(sides: &Sides<'_>, run: &Run, measure: &Measure, side: Side) -> Option<Replicates> {
    let seconds = run.seconds(&measure.subject)?;
    if let Some(place) = TIMES.iter().position(|(figure, _)| *figure == measure.figure) {
        let mut drawn = sides.drawn.0.borrow_mut();
        let all =
            drawn.entry((measure.subject.clone(), side)).or_insert_with(|| of_times(run.seed, seconds, side));
        return Some(all.as_ref()?[place].clone());
    }
    let mut draw = Draw::new(run.seed, Stream::resamples(measure.figure as u16), side);
    match measure.figure {
        Figure::Rate => {
            let lengths = vec![f64::from(seconds.length); seconds.done.len()];
            of_sums(&seconds.done, &lengths, &mut draw)
        }
        Figure::Done => of_shares(seconds, |seconds| &seconds.done_by_intended, &mut draw),
        Figure::Errors => of_shares(seconds, |seconds| &seconds.errors, &mut draw),
        Figure::Unsent => of_shares(seconds, |seconds| &seconds.unsent, &mut draw),
        // A largest value has no smooth distribution to resample; accounts and processor time have no seconds.
        _ => None,
    }
}

/// All percentiles from the same resamples, whose blocks are as long as the most correlated of them needs.
fn of_times(seed: u64, seconds: &Seconds, side: Side) -> OfTimes {
    let quantiles = TIMES.map(|(_, quantile)| quantile);
    let block = seconds.times.block(&quantiles)?;
    let mut draw = Draw::new(seed, Stream::resamples(0), side);
    let blocks = seconds.times.cells.len() as f64 / block as f64;
    let drawn = seconds.times.resample(&quantiles, block, RESAMPLES, &mut draw);
    Some(drawn.into_iter().map(|values| Replicates { values, blocks }).collect())
}

fn of_shares(seconds: &Seconds, column: fn(&Seconds) -> &Vec<f64>, draw: &mut Draw) -> Option<Replicates> {
    of_sums(column(seconds), &seconds.asked, draw)
}

fn of_sums(above: &[f64], below: &[f64], draw: &mut Draw) -> Option<Replicates> {
    let shares: Vec<f64> = above.iter().zip(below).map(|(above, below)| above / below.max(1.0)).collect();
    let block = block_for(&shares)?;
    let values = resample_ratio(above, below, block, RESAMPLES, draw);
    Some(Replicates { values, blocks: shares.len() as f64 / block as f64 })
}
