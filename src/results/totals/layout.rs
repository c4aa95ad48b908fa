//! The shape of a run's totals: its phases, operations and groups, by index.

use serde::{Deserialize, Serialize};

use super::Tally;

/// What a run's indices mean. Fixed before it starts, and part of the journal's header.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// The phases, in their order.
    pub phases: Vec<PhaseLayout>,
    /// The operations, by [`crate::sample::OperationId`].
    pub operations: Vec<OperationLayout>,
    /// The names of the groups, by [`crate::sample::GroupId`].
    pub groups: Vec<String>,
}

/// A phase as planned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseLayout {
    /// Its name.
    pub name: String,
    /// Its first instant, seconds since the run's epoch.
    pub start_s: f64,
    /// Its end, seconds since the run's epoch.
    pub end_s: f64,
    /// Whether its numbers are measurements.
    pub measured: bool,
}

/// An operation's public words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationLayout {
    /// Its name (`message.delivery`).
    pub name: String,
    /// What one sample of it means.
    pub meaning: String,
}

/// Why a run's shape is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Too much to keep apart.
    #[error(
        "{phases} phases, {operations} operations and {groups} groups are too many to measure apart: \
         their product must not exceed {limit}"
    )]
    TooLarge {
        /// Phases.
        phases: usize,
        /// Operations.
        operations: usize,
        /// Groups.
        groups: usize,
        /// The largest product.
        limit: usize,
    },
    /// Two of a kind with one name.
    #[error("two {what} are named `{name}`: the result could not tell them apart")]
    Twice {
        /// Of what.
        what: &'static str,
        /// The name.
        name: String,
    },
}

impl Layout {
    /// The largest product of phases, operations and groups.
    pub const LEAVES_MAX: usize = 1 << 16;

    /// Whether the shape is within bounds and its names tell its parts apart.
    pub fn check(&self) -> Result<(), LayoutError> {
        let (phases, operations, groups) = (self.phases.len(), self.operations.len(), self.groups.len());
        let product = phases.checked_mul(operations).and_then(|product| product.checked_mul(groups));
        let largest = phases.max(operations).max(groups);
        if largest > Self::LEAVES_MAX || product.is_none_or(|product| product > Self::LEAVES_MAX) {
            return Err(LayoutError::TooLarge { phases, operations, groups, limit: Self::LEAVES_MAX });
        }
        unique("phases", self.phases.iter().map(|phase| &phase.name))?;
        unique("operations", self.operations.iter().map(|operation| &operation.name))?;
        unique("groups", self.groups.iter())
    }

    /// The index of a leaf, or nothing if there is none.
    pub(super) fn leaf(&self, phase: usize, operation: usize, group: usize) -> Option<usize> {
        let exists =
            phase < self.phases.len() && operation < self.operations.len() && group < self.groups.len();
        exists.then(|| (phase * self.operations.len() + operation) * self.groups.len() + group)
    }

    /// Phase, operation and group of a leaf.
    pub(super) fn place(&self, leaf: usize) -> (usize, usize, usize) {
        let (groups, operations) = (self.groups.len(), self.operations.len());
        (leaf / groups / operations, leaf / groups % operations, leaf % groups)
    }

    /// An empty place for every leaf.
    pub(super) fn leaves(&self) -> Vec<Option<Box<Tally>>> {
        std::iter::repeat_with(|| None)
            .take(self.phases.len() * self.operations.len() * self.groups.len())
            .collect()
    }
}

fn unique<'a>(what: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), LayoutError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(LayoutError::Twice { what, name: name.clone() });
        }
    }
    Ok(())
}
