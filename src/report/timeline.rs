//! A run's seconds in columns: what a chart has room for, without inventing a number.
//!
//! A column's counts are sums, its levels the least and the greatest, its percentiles those of its merged histograms with
//! what never completed ranking last. Percentiles are never averaged, and what is missing stays missing.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::results::{Buckets, Extended, OperationSeries};
use crate::units::Quantile;

/// Columns of equal length over a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Seconds in a column.
    pub width_s: usize,
    /// Seconds of the run.
    pub seconds: usize,
}

/// Lengths a column can have, seconds: those people count time in.
const LENGTHS: [usize; 12] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 3_600];
/// Columns a chart and its table have room for.
const COLUMNS_MAX: usize = 180;
/// With fewer columns one sees no course of things.
const COLUMNS_FEW: usize = 6;
/// After this second response times are kept in intervals of ten seconds.
const FINE_SECONDS: usize = 600;
const COARSE: usize = 10;

impl Grid {
    /// As fine as there is room for.
    pub fn over(seconds: usize) -> Self {
        Self { width_s: lengths(seconds).next().unwrap_or(1), seconds }
    }

    /// As fine as most columns still hold the observations a percentile needs: the 99th, or else the 90th, or else as
    /// fine as there is room for.
    pub fn for_percentiles<'a>(
        seconds: usize,
        series: impl Iterator<Item = &'a OperationSeries> + Clone,
    ) -> Self {
        for quantile in [Quantile::P99, Quantile::P90] {
            let enough = |&width_s: &usize| {
                let grid = Self { width_s, seconds };
                grid.columns() >= COLUMNS_FEW && series.clone().all(|one| mostly(grid, one, quantile))
            };
            if let Some(width_s) = lengths(seconds).find(enough) {
                return Self { width_s, seconds };
            }
        }
        Self::over(seconds)
    }

    /// How many columns there are.
    pub const fn columns(self) -> usize {
        self.seconds.div_ceil(self.width_s)
    }

    /// The seconds of a column; the last one may be shorter.
    pub fn range(self, column: usize) -> Range<usize> {
        let first = column * self.width_s;
        first..(first + self.width_s).min(self.seconds)
    }

    /// Sums of the columns of a series; nothing beyond its end.
    pub fn sums(self, series: &[u64]) -> Vec<Option<u64>> {
        self.cells(series, |cells| cells.iter().copied().reduce(u64::saturating_add))
    }

    /// Sums of the columns of a series of which only the seconds are kept that hold anything; nothing beyond its end.
    pub fn sparse_sums(self, counts: &[(u32, u64)], length: usize) -> Vec<Option<u64>> {
        let mut sums: Vec<Option<u64>> =
            (0..self.columns()).map(|column| (self.range(column).start < length).then_some(0)).collect();
        for &(second, count) in counts {
            if let Some(Some(sum)) = sums.get_mut(second as usize / self.width_s) {
                *sum = sum.saturating_add(count);
            }
        }
        sums
    }

    /// The least and the greatest value of each column; nothing where there is none.
    pub fn extremes<T: Copy + PartialOrd>(self, series: &[Option<T>]) -> Vec<Option<(T, T)>> {
        self.cells(series, |cells| {
            cells.iter().flatten().fold(None, |found, &value| {
                let (least, greatest) = found.unwrap_or((value, value));
                Some((
                    if value < least { value } else { least },
                    if value > greatest { value } else { greatest },
                ))
            })
        })
    }

    /// The response times of each column.
    pub fn responses(self, series: &OperationSeries) -> Vec<Responses> {
        let mut merged: Vec<BTreeMap<u16, u64>> = vec![BTreeMap::new(); self.columns()];
        for interval in &series.response {
            let column = merged.get_mut(interval.start_s as usize / self.width_s);
            let Some(column) = column.filter(|_| interval.buckets.check().is_ok()) else { continue };
            for &(bucket, count) in &interval.buckets.0 {
                let sum = column.entry(bucket).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        let infinite = self.sums(&series.errors).into_iter().zip(self.sums(&series.unsent));
        let columns = merged.into_iter().zip(infinite);
        columns
            .map(|(buckets, (errors, unsent))| Responses {
                buckets: Buckets(buckets.into_iter().collect()),
                infinite: errors.unwrap_or(0).saturating_add(unsent.unwrap_or(0)),
            })
            .collect()
    }

    fn cells<T, U>(self, series: &[T], of: impl Fn(&[T]) -> Option<U>) -> Vec<Option<U>> {
        let end = |column| self.range(column).end.min(series.len());
        let cells = |column| series.get(self.range(column).start..end(column));
        (0..self.columns()).map(|column| cells(column).and_then(&of)).collect()
    }
}

/// Attempts that must lie beyond a percentile ([`Quantile::is_supported_by`]).
pub const BEYOND_MIN: u64 = 10;

/// What was intended in one column: the times of what completed, and how many never did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responses {
    /// Times of the completed.
    pub buckets: Buckets,
    /// Attempts that never completed.
    pub infinite: u64,
}

impl Responses {
    /// A percentile over all attempts, microseconds.
    pub fn attempted(&self, quantile: Quantile) -> Extended<u64> {
        self.buckets.quantile(quantile, self.infinite)
    }

    /// The share of all attempts up to which they tell a time: [`BEYOND_MIN`] of them lie beyond. Nothing where there are no
    /// more than those.
    pub fn told(&self) -> Option<f64> {
        let all = self.attempts();
        let told = all.checked_sub(BEYOND_MIN).filter(|&told| told > 0)?;
        Some(told as f64 / all as f64)
    }

    /// Attempts.
    pub fn attempts(&self) -> u64 {
        self.buckets.count().saturating_add(self.infinite)
    }
}

/// Lengths that leave room for no more columns than there may be, and hold whole intervals of response times.
fn lengths(seconds: usize) -> impl Iterator<Item = usize> {
    let hours = seconds.div_ceil(3_600 * COLUMNS_MAX).max(2) * 3_600;
    LENGTHS.into_iter().chain([hours]).filter(move |&length| {
        seconds.div_ceil(length) <= COLUMNS_MAX && (seconds <= FINE_SECONDS || length.is_multiple_of(COARSE))
    })
}

/// Whether half of the columns in which anything was attempted can tell a percentile.
fn mostly(grid: Grid, series: &OperationSeries, quantile: Quantile) -> bool {
    let attempts = |column| {
        let sum = |cells: &[u64]| cells.iter().fold(0u64, |sum, &count| sum.saturating_add(count));
        let part = |cells: &[u64]| {
            let range = grid.range(column);
            sum(cells.get(range.start.min(cells.len())..range.end.min(cells.len())).unwrap_or_default())
        };
        part(&series.done_by_intended)
            .saturating_add(part(&series.errors))
            .saturating_add(part(&series.unsent))
    };
    let used: Vec<u64> = (0..grid.columns()).map(attempts).filter(|&count| count > 0).collect();
    let able = used.iter().filter(|&&count| quantile.is_supported_by(count)).count();
    able * 2 >= used.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::IntervalHistogram;
    use proptest::prelude::*;

    fn series(seconds: usize, per_second: u64) -> OperationSeries {
        let column = |count| vec![count; seconds];
        let step = |second: usize| if second < FINE_SECONDS { 1 } else { COARSE };
        let mut starts = Vec::new();
        let mut second = 0;
        while second < seconds {
            starts.push(second);
            second += step(second);
        }
        let response = starts.into_iter().map(|start| IntervalHistogram {
            start_s: start as u32,
            length_s: step(start) as u32,
            buckets: Buckets(vec![(
                start as u16 % 500,
                per_second * step(start).min(seconds - start) as u64,
            )]),
        });
        OperationSeries {
            asked: column(per_second),
            done_by_intended: column(per_second),
            done: column(per_second),
            errors: column(0),
            unsent: column(0),
            indeterminate: column(0),
            outcomes: BTreeMap::new(),
            response: response.collect(),
        }
    }

    #[test]
    fn a_column_is_as_fine_as_its_percentile_allows() {
        for (seconds, per_second, width_s) in
            [(31, 2_000, 1), (31, 300, 5), (31, 60, 2), (31, 1, 1), (3_600, 100, 20)]
        {
            let one = series(seconds, per_second);
            let grid = Grid::for_percentiles(seconds, [&one].into_iter());
            assert_eq!(grid.width_s, width_s, "{per_second}/s for {seconds} s");
        }
    }

    #[test]
    fn what_never_completed_ranks_last_and_what_is_missing_is_not_zero() {
        let mut one = series(4, 100);
        one.errors = vec![0, 0, 3, 100];
        let columns = Grid { width_s: 1, seconds: 6 }.responses(&one);
        let p90: Vec<_> = columns.iter().map(|column| column.attempted(Quantile::P90)).collect();
        let finite = Extended::Finite;
        let missing = Extended::Unsupported;
        assert_eq!(p90, [finite(0), finite(1), finite(2), Extended::Infinite, missing, missing]);
        assert_eq!(columns[2].attempted(Quantile::P99), missing, "103 attempts tell no p99");
        let grid = Grid { width_s: 2, seconds: 6 };
        assert_eq!(grid.sums(&one.errors), [Some(0), Some(103), None]);
        assert_eq!(grid.sparse_sums(&[(2, 3), (3, 100), (99, 7)], 4), [Some(0), Some(103), None]);
        assert_eq!(
            grid.extremes(&[Some(4), None, None, None, Some(1), Some(7)]),
            [Some((4, 4)), None, Some((1, 7))]
        );
    }

    #[test]
    fn a_forged_bucket_is_left_out() {
        let mut one = series(3, 10);
        one.response[1].buckets = Buckets(vec![(u16::MAX, 7)]);
        let columns = Grid::over(3).responses(&one);
        assert_eq!(columns.iter().map(Responses::attempts).collect::<Vec<_>>(), [10, 0, 10]);
    }

    proptest! {
        #[test]
        fn columns_lose_nothing_and_there_are_never_too_many(seconds in 0usize..300_000, per_second in 0u64..3) {
            let grid = Grid::over(seconds);
            prop_assert!(grid.columns() <= COLUMNS_MAX);
            let counts = vec![per_second; seconds];
            let sum: u64 = grid.sums(&counts).into_iter().flatten().sum();
            prop_assert_eq!(sum, per_second * seconds as u64);
            let responses = grid.responses(&series(seconds.min(5_000), per_second));
            let all: u64 = responses.iter().map(Responses::attempts).sum();
            prop_assert_eq!(all, per_second * seconds.min(5_000) as u64);
        }
    }
}
