//! Several tests at once: what each must be held to so that one false alarm in *all* of them is as rare as stated.

use super::rank::Design;

/// What Holm's procedure says of one test of a family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// The p-value adjusted for the family: significant exactly where it is at most alpha.
    pub adjusted: f64,
    /// Whether the null hypothesis is rejected.
    pub rejected: bool,
    /// The level this test's own p-value was held to. A confidence interval of level `1 − level` leaves out the null value
    /// exactly where the test rejects it, so that interval and verdict cannot contradict each other.
    pub level: f64,
}

/// Holm's step-down procedure (Scand. J. Statist. 6, 1979): the chance of one false rejection or more is at most `alpha`,
/// whatever the dependence between the tests. A missing p-value is a test that could not be made: it stays in the family,
/// for the family was named before the data was seen.
pub fn holm(p_values: &[Option<f64>], alpha: f64) -> Vec<Held> {
    let count = p_values.len();
    let p = |index: usize| p_values[index].unwrap_or(1.0);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| p(a).total_cmp(&p(b)));
    let mut held = vec![Held { adjusted: 1.0, rejected: false, level: alpha }; count];
    let (mut adjusted, mut level, mut rejecting) = (0.0f64, alpha, true);
    for (step, &index) in order.iter().enumerate() {
        let left = (count - step) as f64;
        adjusted = adjusted.max((p(index) * left).min(1.0));
        if rejecting {
            level = alpha / left;
            rejecting = p(index) <= level;
        }
        held[index] = Held { adjusted, rejected: rejecting, level };
    }
    held
}

/// The fewest runs a side with which `design` could reject one test of a family of `family` at `alpha`, two-sided or one-sided.
pub fn runs_needed(design: impl Fn(usize) -> Design, family: usize, alpha: f64, two_sided: bool) -> usize {
    const RUNS_MAX: usize = 1_000;
    let level = alpha / family.max(1) as f64;
    (1..RUNS_MAX).find(|&runs| design(runs).least_p(two_sided) <= level).unwrap_or(RUNS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_steps_down_and_stops_at_the_first_that_holds() {
        // Worked by hand: 0.01·4 = 0.04, 0.015·3 = 0.045, 0.04·2 = 0.08, and 0.03 stands before 0.04.
        let held = holm(&[Some(0.01), Some(0.04), Some(0.03), Some(0.015)], 0.05);
        let adjusted: Vec<f64> = held.iter().map(|one| (one.adjusted * 1e6).round() / 1e6).collect();
        assert_eq!(adjusted, [0.04, 0.06, 0.06, 0.045]);
        assert_eq!(held.iter().map(|one| one.rejected).collect::<Vec<_>>(), [true, false, false, true]);
        let levels: Vec<f64> = held.iter().map(|one| (one.level * 1e6).round() / 1e6).collect();
        assert_eq!(levels, [0.0125, 0.025, 0.025, 0.016_667]);
    }

    #[test]
    fn a_test_that_could_not_be_made_still_counts() {
        let held = holm(&[Some(0.02), None, None], 0.05);
        assert!(!held[0].rejected, "0.02 is above 0.05 / 3");
        assert!(holm(&[], 0.05).is_empty());
    }

    #[test]
    fn the_runs_needed_are_those_of_the_least_p() {
        let unpaired = |runs| Design::Unpaired { base: runs, new: runs };
        let paired = |pairs| Design::Paired { pairs };
        // 2/70 = 0.029 at four, 2/252 = 0.0079 at five; 2/64 = 0.031 at six pairs, 2/128 = 0.0156 at seven.
        assert_eq!(runs_needed(unpaired, 1, 0.05, true), 4);
        assert_eq!(runs_needed(unpaired, 3, 0.05, true), 5);
        assert_eq!(runs_needed(paired, 1, 0.05, true), 6);
        assert_eq!(runs_needed(paired, 3, 0.05, true), 7);
        assert_eq!(runs_needed(paired, 3, 0.05, false), 6);
    }

    proptest::proptest! {
        #[test]
        fn adjusted_p_and_level_agree_on_what_is_rejected(p in proptest::collection::vec(0.0f64..0.2, 1..9)) {
            let held = holm(&p.iter().copied().map(Some).collect::<Vec<_>>(), 0.05);
            for (one, p) in held.iter().zip(&p) {
                proptest::prop_assert_eq!(one.rejected, *p <= one.level);
                proptest::prop_assert!(one.adjusted >= *p);
            }
        }
    }
}
