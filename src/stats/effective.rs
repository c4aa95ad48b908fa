//! How much a series of neighbouring seconds is worth, and how long a block must be to keep what holds them together.
//!
//! Both come from the sample autocovariances of the series itself, not from a model: a server with a garbage collection
//! every twenty seconds is no AR(1) process.

/// Integrated autocorrelation time by Geyer's initial monotone sequence (Statist. Sci. 7, 1992): sums of neighbouring
/// autocovariances are added while they are positive, and each counts for no more than the one before. At least 1: negative
/// correlation earns nothing.
pub fn correlation_time(values: &[f64]) -> f64 {
    let Some(series) = Centred::new(values) else { return 1.0 };
    let mut sum = 0.0;
    let mut least = f64::INFINITY;
    for pair in 0..values.len() / 2 {
        let both = series.covariance(2 * pair) + series.covariance(2 * pair + 1);
        if both <= 0.0 {
            break;
        }
        least = least.min(both);
        sum += least;
    }
    (2.0 * sum / series.covariance(0) - 1.0).max(1.0)
}

/// How many independent observations a series is worth: its length over its correlation time.
pub fn effective_size(values: &[f64]) -> f64 {
    values.len() as f64 / correlation_time(values)
}

/// The block length for a circular block bootstrap of the mean, in steps of the series: Politis and White (Econometric
/// Reviews 23, 2004) with the correction of Patton, Politis and White (28, 2009). At least 1, at most a third of the series.
pub fn block_length(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let Some(series) = Centred::new(values) else { return 1.0 };
    let longest = (3.0 * count.sqrt()).min(count / 3.0).ceil();
    let cut = series.window();
    let (mut slope, mut level) = (0.0, series.covariance(0));
    for lag in 1..=cut {
        let weight = (2.0 * (1.0 - lag as f64 / cut as f64)).clamp(0.0, 1.0);
        let covariance = 2.0 * weight * series.covariance(lag);
        slope += lag as f64 * covariance;
        level += covariance;
    }
    if level <= 0.0 {
        return longest.max(1.0);
    }
    let length = (1.5 * slope * slope / (level * level)).cbrt() * count.cbrt();
    length.min(longest).max(1.0)
}

/// A series less its mean.
struct Centred(Vec<f64>);

impl Centred {
    /// `None` where nothing varies.
    fn new(values: &[f64]) -> Option<Self> {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let centred = Self(values.iter().map(|value| value - mean).collect());
        (centred.0.len() > 1 && centred.covariance(0) > mean * mean * f64::EPSILON).then_some(centred)
    }

    fn covariance(&self, lag: usize) -> f64 {
        let later = self.0.get(lag..).unwrap_or_default();
        self.0.iter().zip(later).map(|(a, b)| a * b).sum::<f64>() / self.0.len() as f64
    }

    /// How far the sum over lags reaches: twice the first lag from which on a run of autocorrelations is within what chance
    /// makes of none, and no farther than lags can be trusted at this length.
    fn window(&self) -> usize {
        let count = self.0.len() as f64;
        let run = (count.log10() as usize).max(5);
        let last = (count.sqrt().ceil() as usize + run).min(self.0.len() - 1);
        let bound = 2.0 * (count.log10() / count).sqrt();
        let variance = self.covariance(0);
        let quiet: Vec<bool> =
            (1..=last).map(|lag| (self.covariance(lag) / variance).abs() < bound).collect();
        let first = quiet.windows(run.min(quiet.len())).position(|lags| !lags.contains(&false));
        first.map_or(last, |index| 2 * (index + 1)).min(last)
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "what is asked for is exactly this value")]
mod tests {
    use super::*;
    use crate::seed::{Draw, Stream};

    /// AR(1) with this correlation: its time is (1 + ρ) / (1 − ρ).
    fn series(seed: u64, count: usize, correlation: f64) -> Vec<f64> {
        let mut draw = Draw::new(seed, Stream::resamples(0), 0);
        let mut level = 0.0;
        let mut step = || {
            let noise: f64 = (0..12).map(|_| draw.unit()).sum::<f64>() - 6.0;
            level = correlation * level + (1.0 - correlation * correlation).sqrt() * noise;
            level
        };
        (0..count + 100).map(|_| step()).skip(100).collect()
    }

    #[test]
    fn the_correlation_time_of_a_known_process_is_found() {
        for (correlation, time) in [(0.0, 1.0), (0.5, 3.0), (0.8, 9.0)] {
            let found =
                (0..20).map(|seed| correlation_time(&series(seed, 4_000, correlation))).sum::<f64>() / 20.0;
            assert!((found / time - 1.0).abs() < 0.2, "ρ = {correlation}: {found}, in truth {time}");
        }
    }

    #[test]
    fn a_period_is_seen_that_lag_one_does_not_show() {
        // A pause every twenty seconds: neighbours are hardly correlated, and yet twenty seconds repeat.
        let series: Vec<f64> = (0..400).map(|second| f64::from(u8::from(second % 20 < 5))).collect();
        assert!(block_length(&series) >= 5.0, "{}", block_length(&series));
    }

    #[test]
    fn blocks_grow_with_correlation_and_with_length() {
        let mean = |count, correlation| {
            (0..20).map(|seed| block_length(&series(seed, count, correlation))).sum::<f64>() / 20.0
        };
        assert!(mean(600, 0.0) < 4.0, "{}", mean(600, 0.0));
        assert!(mean(600, 0.8) > 10.0, "{}", mean(600, 0.8));
        assert!(mean(4_800, 0.8) > 1.5 * mean(600, 0.8));
    }

    #[test]
    fn nothing_that_varies_is_worth_every_observation() {
        for values in [&[][..], &[1.0], &[2.0; 50]] {
            assert_eq!(effective_size(values), values.len() as f64);
            assert_eq!(block_length(values), 1.0);
        }
    }
}
