//! `[[phase]]`: the stretches of a run.

use std::time::Duration;

use crate::units::Offset;

/// A stretch of the run. Within it the users online rise or fall in a straight line to [`Phase::online`], and the factor on all
/// activities goes in a straight line from the previous phase's [`Phase::factor`] to this one's (before the first
/// phase: [`crate::profile::Pace::factor_before_first_phase`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Unique.
    pub name: String,
    /// When it begins.
    pub start: Offset,
    /// How long it is; never zero.
    pub duration: Duration,
    /// Users online at its end, per group, in the groups' order.
    pub online: Vec<u32>,
    /// Whether its operations stand in the result's totals and are held against the SLOs.
    pub measure: bool,
    /// The factor on activities reached at its end (`rate` in the profile).
    pub factor: f64,
}

impl Phase {
    /// When it ends.
    pub fn end(&self) -> Offset {
        self.start + self.duration
    }

    /// Users online at its end, over all groups.
    pub fn online_total(&self) -> u32 {
        self.online.iter().sum()
    }
}

/// Divides `total` among groups of these sizes, by the method of Sainte-Laguë: as fair as whole numbers can be, never
/// more than a group has, and no group loses when the total grows (a method of remainders would do that).
pub(super) fn shares(total: u32, counts: &[u32]) -> Vec<u32> {
    let all: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    let quota = |count: u32| (2 * u64::from(count) * u64::from(total) + all) / (2 * all.max(1));
    let mut given: Vec<u64> = counts.iter().map(|&count| quota(count)).collect();
    // Whoever is k-th in group g stands in one long queue, at the place (2k + 1) / count; earlier groups win ties.
    let earlier = |(k, count): (u64, u32), (other_k, other): (u64, u32)| {
        ((2 * k + 1) * u64::from(other)).cmp(&((2 * other_k + 1) * u64::from(count)))
    };
    while given.iter().sum::<u64>() < u64::from(total) {
        let next = (0..counts.len()).min_by(|&a, &b| earlier((given[a], counts[a]), (given[b], counts[b])));
        given[next.expect("a total above 0 has groups")] += 1;
    }
    while given.iter().sum::<u64>() > u64::from(total) {
        let taken = (0..counts.len()).filter(|&at| given[at] > 0);
        let last = taken.max_by(|&a, &b| earlier((given[a] - 1, counts[a]), (given[b] - 1, counts[b])));
        given[last.expect("a sum above 0 has a part above 0")] -= 1;
    }
    given.into_iter().map(|share| share as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn shares_add_up_stay_within_their_group_and_never_fall(counts in proptest::collection::vec(1u32..60, 1..8)) {
            let all: u32 = counts.iter().sum();
            let mut before = vec![0; counts.len()];
            for total in 0..=all {
                let now = shares(total, &counts);
                proptest::prop_assert_eq!(now.iter().sum::<u32>(), total);
                for at in 0..counts.len() {
                    proptest::prop_assert!(now[at] >= before[at] && now[at] <= counts[at], "{now:?} after {before:?}");
                }
                before = now;
            }
            proptest::prop_assert_eq!(before, counts);
        }
    }
}
