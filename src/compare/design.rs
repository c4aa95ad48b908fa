//! Which test is made: decided from counts and seeds alone, before a value is looked at.

use std::collections::BTreeMap;

use super::outcome::{Method, RunsNeeded, TestKind};
use super::run::Run;
use crate::stats::family::runs_needed;
use crate::stats::rank::Design;

/// Pairs by seed where every seed stands on both sides and signed ranks can carry the corrected family; else without pairs
/// where that can; else the one that comes nearest, which then can claim nothing.
pub(super) fn choose(base: &[Run], new: &[Run], family: usize, alpha: f64) -> Method {
    let level = alpha / family.max(1) as f64;
    let pairs = pairs(base, new);
    let design = design((base.len(), new.len()), pairs.is_some(), level);
    let is_paired = matches!(design, Design::Paired { .. });
    let needed = |design: fn(usize) -> Design| runs_needed(design, family, alpha, true);
    Method {
        test: if is_paired { TestKind::SignedRank } else { TestKind::MannWhitney },
        base_runs: base.len(),
        new_runs: new.len(),
        exact: design.is_exact(),
        alpha,
        family,
        least_p: design.least_p(true),
        needed_p: level,
        reachable: design.least_p(true) <= level,
        runs_needed: RunsNeeded {
            paired: needed(|runs| Design::Paired { pairs: runs }),
            unpaired: needed(|runs| Design::Unpaired { base: runs, new: runs }),
        },
        pairs: pairs.filter(|_| is_paired).unwrap_or_default(),
    }
}

/// The same of numbers alone. `level` is what the first of the family must reach, two-sided.
pub(super) fn design((base, new): (usize, usize), has_pairs: bool, level: f64) -> Design {
    let (paired, unpaired) = (Design::Paired { pairs: base }, Design::Unpaired { base, new });
    let can = |design: Design| design.least_p(true) <= level;
    let is_nearer = paired.least_p(true) <= unpaired.least_p(true);
    if has_pairs && (can(paired) || !can(unpaired) && is_nearer) { paired } else { unpaired }
}

impl Method {
    /// Runs a side with which this test could reach `level`, one-sided.
    pub(super) fn runs_for(&self, level: f64) -> usize {
        let design = |runs| match self.test {
            TestKind::SignedRank => Design::Paired { pairs: runs },
            TestKind::MannWhitney => Design::Unpaired { base: runs, new: runs },
        };
        runs_needed(design, 1, level, false)
    }

    /// Whether a side has a single run: how its runs differ from each other is not known.
    pub(super) fn is_single(&self) -> bool {
        self.base_runs.min(self.new_runs) == 1
    }
}

/// Which base run each new run belongs to, by seed; `None` where a seed stands on one side only, or twice on one.
fn pairs(base: &[Run], new: &[Run]) -> Option<Vec<usize>> {
    let by_seed: BTreeMap<u64, usize> =
        base.iter().enumerate().map(|(index, run)| (run.seed, index)).collect();
    let mut pairs: Vec<usize> = new.iter().filter_map(|run| by_seed.get(&run.seed).copied()).collect();
    let found = pairs.clone();
    pairs.sort_unstable();
    pairs.dedup();
    (by_seed.len() == base.len() && new.len() == base.len() && pairs.len() == base.len()).then_some(found)
}
