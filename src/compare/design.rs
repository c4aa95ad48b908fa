//! Which test is made: decided from counts and seeds alone, before a value is looked at.

use std::collections::BTreeMap;

use super::outcome::{Method, RunsNeeded, TestKind};
use super::run::Run;
use crate::stats::family::runs_needed;
use crate::stats::rank::Design;

/// Pairs by seed where every seed stands on both sides and signed ranks can carry the corrected family; else without pairs
/// where that can; else the one that comes nearest, which then can claim nothing.
pub(super) fn choose(base: &[Run], new: &[Run], claims: Claims) -> Method {
    let Claims { primary: family, alpha, .. } = claims;
    let level = alpha / family.max(1) as f64;
    let pairs = pairs(base, new);
    let design = claims.design((base.len(), new.len()), pairs.is_some());
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

/// What a comparison is to decide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claims {
    /// Primary measures, two-sided, held to alpha together.
    pub(super) primary: usize,
    /// Gates that take a test, one-sided, held to alpha together.
    pub(super) gates: usize,
    /// The chance of a false alarm among either.
    pub(super) alpha: f64,
}

impl Claims {
    /// The design for so many runs a side, by their numbers alone.
    pub(super) fn design(self, (base, new): (usize, usize), has_pairs: bool) -> Design {
        let (paired, unpaired) = (Design::Paired { pairs: base }, Design::Unpaired { base, new });
        let is_nearer = paired.least_p(true) <= unpaired.least_p(true);
        if has_pairs && (self.can_all(paired) || !self.can_all(unpaired) && is_nearer) {
            paired
        } else {
            unpaired
        }
    }

    /// Whether a design could decide anything: a gate where there are any, else a primary measure.
    pub(super) fn can(self, design: Design) -> bool {
        if self.gates > 0 { self.can_gates(design) } else { self.can_primary(design) }
    }

    fn can_all(self, design: Design) -> bool {
        self.can_primary(design) && (self.gates == 0 || self.can_gates(design))
    }

    fn can_primary(self, design: Design) -> bool {
        design.least_p(true) <= self.alpha / self.primary.max(1) as f64
    }

    fn can_gates(self, design: Design) -> bool {
        design.least_p(false) <= self.alpha / self.gates as f64
    }
}

impl Method {
    /// Whether a side has a single run: how its runs differ from each other is not known.
    pub(super) fn is_single(&self) -> bool {
        self.base_runs.min(self.new_runs) == 1
    }
}

/// Runs a side with which a gate could be decided at `level`: without pairs, for where pairs need more they are not made use of
/// ([`Claims::design`]).
pub(super) fn runs_for(level: f64) -> usize {
    runs_needed(|runs| Design::Unpaired { base: runs, new: runs }, 1, level, false)
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
