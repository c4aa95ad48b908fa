//! `[[phase]]`: the stretches of a run.

use std::time::Duration;

use crate::units::Offset;

/// A stretch of the run. Within it the users online rise in a straight line to [`Phase::online`], and the factor on all
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
    /// Users online at its end, per group, in the groups' order; never fewer than at the end of the phase before.
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
