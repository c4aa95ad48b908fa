//! From the results of two sets of runs to what got better or worse, by how much, and how sure that is.
//!
//! ```text
//! Run (a result, reduced to its measures) ─▶ comparable ─▶ design ─▶ judge ─▶ Comparison ─▶ text, Markdown, JUnit, JSON
//! ```
//!
//! [`compare`] is the one entry. The order is the point: which measures are *primary*, and which test the numbers of runs allow,
//! is fixed from names and counts alone, before a value is looked at. Primary measures (those of the gates, else delivery's
//! p50, p99 and what was not delivered) are held to one level together; all others are exploratory and say so.
//!
//! This module refuses to compare runs that were not asked the same, to call significant what one run a side shows, and
//! to count one run twice.

mod comparable;
mod design;
mod drift;
mod end;
mod foresee;
mod gate;
mod judge;
mod junit;
mod markdown;
mod measure;
mod outcome;
mod run;
mod show;
mod text;
mod within;

use std::collections::BTreeSet;

pub use comparable::{Refusal, Topic};
use design::Claims;
pub use end::End;
pub use foresee::{Foreseen, Planned, PlannedServer, foresee};
pub use gate::{GATES_MAX, Gate, GateError, UnknownMeasure};
use measure::Measure;
pub use measure::{Sense, Unit};
pub use outcome::{
    Comparison, Difference, Drift, Family, GateOutcome, GateState, Group, Interval, IntervalKind, Judgement,
    Method, Row, SCHEMA, Side, TestKind, comparison_schema,
};
pub use run::Run;

/// How a comparison is to be made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The chance of a false alarm among all primary measures together, and among all gates.
    pub alpha: f64,
    /// A significant change smaller than this is a trifle.
    pub min_effect: MinEffect,
    /// What must hold.
    pub gates: Vec<Gate>,
    /// Differences between the runs that are marked instead of refused.
    pub allow: Vec<Topic>,
}

impl Default for Options {
    /// 5 % for all claims together, changes of 5 % or 0.01 percentage points, no gates, nothing allowed.
    fn default() -> Self {
        Self { alpha: 0.05, min_effect: MinEffect::default(), gates: Vec::new(), allow: Vec::new() }
    }
}

/// The smallest change that is news.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinEffect {
    /// Of what is compared by ratio: relative, 0.05 is 5 %.
    pub relative: f64,
    /// Of shares: absolute, 0.0001 is 0.01 percentage points.
    pub points: f64,
}

impl Default for MinEffect {
    fn default() -> Self {
        Self { relative: 0.05, points: 0.0001 }
    }
}

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The runs are not comparable.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A gate is about nothing these runs measured.
    #[error(transparent)]
    UnknownMeasure(#[from] UnknownMeasure),
    /// A side is empty.
    #[error("nothing to compare: the {0} side has no run")]
    Empty(&'static str),
}

/// Compares two sets of runs.
pub fn compare(base: &[Run], new: &[Run], options: &Options) -> Result<Comparison, CompareError> {
    for (side, runs) in [("base", base), ("new", new)] {
        if runs.is_empty() {
            return Err(CompareError::Empty(side));
        }
    }
    let differences = comparable::check(base, new, &options.allow)?;
    let known: BTreeSet<_> = base.iter().chain(new).flat_map(Run::measures).cloned().collect();
    let is_planned = |measure: &Measure| base.iter().chain(new).any(|run| run.plans(measure));
    let gates = gate::resolve(&options.gates, &known, is_planned)?;
    let primary = measure::primary(&gates, base.iter().chain(new));
    let tested = gates.iter().filter(|gate| gate.is_tested()).count();
    let claims = Claims { primary: primary.len(), gates: tested, alpha: options.alpha };
    let method = design::choose(base, new, claims);
    let drawn = match (base, new) {
        ([base], [new]) => within::Drawn::of(base, new),
        _ => within::Drawn::default(),
    };
    let sides = judge::Sides { base, new, method: &method, options, drawn: &drawn };
    let (rows, unremarkable) = judge::rows(&sides, &primary, &known);
    let gates = gate::outcomes(&sides, &gates);
    let drifts = drift::found(&sides, &primary);
    Ok(outcome::assemble(&sides, differences, drifts, rows, unremarkable, gates))
}
