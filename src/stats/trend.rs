//! Whether a series rises or falls as it goes on: Mann's test, which is Kendall's rank correlation with time.
//!
//! Every pair of values, an earlier and a later one, rises, falls or ties. Rising pairs less falling ones are the statistic S;
//! where the order is chance, every order of the values at hand is as likely as any other (H. B. Mann, Econometrica 13, 1945;
//! M. G. Kendall, Biometrika 30, 1938). p is exact *conditional on the ties*, as those of [`super::rank`] are: ties tell for
//! neither way, and the distribution is that of the inversions of a series with just these ties. Taking that of a series
//! without ties instead would not even be careful throughout: of four values three of which tie, S = 3 comes by chance in one
//! order of four, and without ties 3 or more in one of six. Infinite values are the largest and tie with each other.
//!
//! **Limits.** Exact up to [`EXACT_RUNS`] values; above, the normal approximation with the ties' own variance and a continuity
//! correction. The test sees what goes one way: a series that rises and falls again has no trend, and one that jumps once has.
//! It assumes values that do not influence each other; neighbours that are alike look like a trend to it.

use super::rank::normal_tail;

/// Up to so many values p is exact; above it is approximated by the normal distribution.
pub const EXACT_RUNS: usize = 100;

/// A series, held against its own order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trend {
    /// Pairs of which the later value is the larger.
    rising: usize,
    /// Pairs of which it is the smaller.
    falling: usize,
    /// How many values there are of each size, smallest first.
    alike: Vec<usize>,
}

impl Trend {
    /// Of values in the order of time, none NaN.
    pub fn of(series: &[f64]) -> Self {
        let later = |at: usize| series[at + 1..].iter();
        let count = |is: fn(&f64, &f64) -> bool| {
            let pairs = |(at, value): (usize, &f64)| later(at).filter(|next| is(value, next)).count();
            series.iter().enumerate().map(pairs).sum()
        };
        let mut sorted = series.to_vec();
        sorted.sort_by(f64::total_cmp);
        let alike = sorted.chunk_by(|one, next| one == next).map(<[_]>::len).collect();
        Self { rising: count(|value, next| next > value), falling: count(|value, next| next < value), alike }
    }

    /// Kendall's rank correlation with time, of all pairs those that rise less those that fall: 1 where each value is above the one
    /// before, −1 where each is below it. Ties take it towards zero (tau-a).
    pub fn tau(&self) -> f64 {
        let values = self.values();
        let pairs = values * values.saturating_sub(1) / 2;
        (self.rising as f64 - self.falling as f64) / pairs.max(1) as f64
    }

    /// Two-sided p: how often chance alone orders these values at least as strictly, either way.
    pub fn p_two_sided(&self) -> f64 {
        self.p_of(self.rising.min(self.falling))
    }

    /// The least p-value these values can give in whatever order they come: 1 where all tie. It is known without their order, so that
    /// what it decides cannot raise a false alarm.
    pub fn least_p(&self) -> f64 {
        self.p_of(0)
    }

    fn values(&self) -> usize {
        self.alike.iter().sum()
    }

    /// The chance of at most so many pairs against the way the others go.
    fn p_of(&self, against: usize) -> f64 {
        let one_sided =
            if self.values() <= EXACT_RUNS { self.exact(against) } else { self.approximated(against) };
        (2.0 * one_sided).min(1.0)
    }

    fn exact(&self, against: usize) -> f64 {
        inversions(&self.alike)[..=against].iter().sum()
    }

    fn approximated(&self, against: usize) -> f64 {
        let statistic = self.rising + self.falling - 2 * against;
        // Nothing speaks for either way; in a series that ties throughout nothing can, and nothing varies.
        if statistic == 0 {
            return 1.0;
        }
        normal_tail((statistic as f64 - 1.0) / variance(&self.alike).sqrt())
    }
}

/// The chances of 0, 1, 2, … inversions of a random order of values, of which so many are alike: group by group the values seen
/// so far are mixed with the next.
fn inversions(alike: &[usize]) -> Vec<f64> {
    let mut chances = vec![1.0];
    let mut seen = 0;
    for &group in alike {
        chances = convolved(&chances, &mixed(seen, group));
        seen += group;
    }
    chances
}

/// The chances of inversions between `low` alike values and `high` larger ones in random order. By what stands last: a
/// larger value is inverted with none, a smaller one with all the larger.
fn mixed(low: usize, high: usize) -> Vec<f64> {
    // By the number of larger values; a row for each number of smaller ones.
    let mut row: Vec<Vec<f64>> = vec![vec![1.0]; high + 1];
    for lows in 1..=low {
        for highs in 1..=high {
            let last_is_low = lows as f64 / (lows + highs) as f64;
            let mut chances = vec![0.0; lows * highs + 1];
            for (to, chance) in chances[highs..].iter_mut().zip(&row[highs]) {
                *to += last_is_low * chance;
            }
            for (to, chance) in chances.iter_mut().zip(&row[highs - 1]) {
                *to += (1.0 - last_is_low) * chance;
            }
            row[highs] = chances;
        }
    }
    row.swap_remove(high)
}

fn convolved(one: &[f64], other: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; one.len() + other.len() - 1];
    for (at, chance) in one.iter().enumerate() {
        for (to, also) in sums[at..].iter_mut().zip(other) {
            *to += chance * also;
        }
    }
    sums
}

/// Of the statistic, less what ties take off it (Kendall, Rank Correlation Methods, 1948).
fn variance(alike: &[usize]) -> f64 {
    let of = |values: usize| (values * values.saturating_sub(1) * (2 * values + 5)) as f64 / 18.0;
    of(alike.iter().sum()) - alike.iter().map(|&group| of(group)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INF: f64 = f64::INFINITY;

    /// The runs of Prosody in `results/versus-chatty-stress` of 28 November 2026, in the order they were made: p99, milliseconds.
    const RECORDED: [f64; 8] = [10.3, 16.0, 14.3, 21.8, 27.1, 30.8, 50.5, 27.6];

    /// p by going through every order: what the counting must agree with.
    fn ordered_p(series: &[f64]) -> f64 {
        let (mut at_least, mut count) = (0.0, 0.0);
        let statistic = |series: &[f64]| {
            let trend = Trend::of(series);
            trend.rising.abs_diff(trend.falling)
        };
        let observed = statistic(series);
        each_order(&mut series.to_vec(), 0, &mut |order| {
            count += 1.0;
            at_least += f64::from(u8::from(statistic(order) >= observed));
        });
        at_least / count
    }

    fn each_order(series: &mut Vec<f64>, from: usize, see: &mut impl FnMut(&[f64])) {
        if from == series.len() {
            return see(series);
        }
        for other in from..series.len() {
            series.swap(from, other);
            each_order(series, from + 1, see);
            series.swap(from, other);
        }
    }

    #[test]
    fn a_series_that_gets_worse_from_run_to_run_is_found() {
        let trend = Trend::of(&RECORDED);
        // Three pairs of 28 fall; of 40,320 orders 1 + 7 + 27 + 76 have so few or fewer.
        assert_eq!((trend.rising, trend.falling), (25, 3));
        assert!((trend.p_two_sided() - 2.0 * 111.0 / 40_320.0).abs() < 1e-12, "{}", trend.p_two_sided());
        assert!((trend.tau() - 22.0 / 28.0).abs() < 1e-12, "{}", trend.tau());
        let turned: Vec<f64> = RECORDED.iter().rev().copied().collect();
        assert_eq!(Trend::of(&turned).p_two_sided(), trend.p_two_sided());
        assert_eq!(Trend::of(&turned).tau(), -trend.tau());
    }

    #[test]
    fn what_never_completed_is_the_largest_and_ties_with_its_kind() {
        assert_eq!(Trend::of(&[1.0, 2.0, INF, INF]), Trend::of(&[1.0, 2.0, 3.0, 3.0]));
        assert_eq!(Trend::of(&[INF; 8]).p_two_sided(), 1.0);
    }

    #[test]
    fn of_a_constant_series_nothing_can_be_said_and_of_a_nearly_constant_one_hardly_anything() {
        for runs in [0, 1, 8, EXACT_RUNS + 1] {
            let flat = Trend::of(&vec![0.25; runs]);
            assert_eq!((flat.p_two_sided(), flat.least_p(), flat.tau()), (1.0, 1.0, 0.0), "{runs} runs");
        }
        let once = Trend::of(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]);
        assert!((once.least_p() - 0.25).abs() < 1e-12, "first or last of eight: {}", once.least_p());
        assert!((Trend::of(&RECORDED).least_p() - 2.0 / 40_320.0).abs() < 1e-15);
    }

    #[test]
    fn beyond_the_exact_sizes_the_approximation_goes_on_where_they_end() {
        for slope in [0.0, 0.1, 0.2, 0.4] {
            // Every fourth value is the same.
            let value = |at: usize| {
                if at.is_multiple_of(4) { 20.0 } else { (at * 37 % 101) as f64 + at as f64 * slope }
            };
            let trend = Trend::of(&(0..EXACT_RUNS).map(value).collect::<Vec<_>>());
            let against = trend.rising.min(trend.falling);
            let (exact, approximated) = (trend.exact(against), trend.approximated(against));
            println!(
                "{EXACT_RUNS} values, slope {slope}: exactly {exact:.6}, by approximation {approximated:.6}"
            );
            assert!((approximated / exact - 1.0).abs() < 0.1, "{slope}: {exact} {approximated}");
        }
        let strict: Vec<f64> = (0..=EXACT_RUNS).map(|at| at as f64).collect();
        assert!(Trend::of(&strict).p_two_sided() < 1e-20);
    }

    proptest! {
        #[test]
        fn p_is_the_share_of_orders_at_least_as_strict(series in proptest::collection::vec(0u8..6, 1..7)) {
            let series: Vec<f64> = series.into_iter().map(f64::from).collect();
            let (found, counted) = (Trend::of(&series).p_two_sided(), ordered_p(&series));
            prop_assert!((found - counted).abs() < 1e-12, "{found} {counted}");
        }

        #[test]
        fn no_order_is_below_the_least_p(series in proptest::collection::vec(0u8..9, 1..20)) {
            let trend = Trend::of(&series.into_iter().map(f64::from).collect::<Vec<_>>());
            prop_assert!(trend.least_p() <= trend.p_two_sided());
        }
    }
}
