//! Whether a side changed as its runs went on. Every test between runs takes them to be independent; a server whose archive or heap
//! grows gets worse from run to run, and then how large a difference comes out depends on how long was measured.
//!
//! Each primary measure of each side is a look at that side's runs in the order they began. Looks are named before a value is
//! seen and held to the comparison's alpha together (Holm), beside what the measures themselves are held to. Values that could
//! show nothing in whatever order they came (no loss in any run) take no share of it: that is known without their order.
//!
//! A drift marks. It refuses nothing and changes no judgement.

use super::judge::{Sides, median};
use super::measure::Measure;
use super::outcome::{Comparison, Drift, Side, TestKind};
use super::run::Run;
use super::show;
use crate::stats::family::holm;
use crate::stats::trend::Trend;

/// The primary measures that drifted, the base's first.
pub(super) fn found(sides: &Sides<'_>, primary: &[Measure]) -> Vec<Drift> {
    let alpha = sides.options.alpha;
    let mut looks: Vec<Look<'_>> = Vec::new();
    for (side, runs) in [(Side::Base, sides.base), (Side::New, sides.new)] {
        let Some(runs) = in_order(runs) else { continue };
        looks.extend(primary.iter().filter_map(|measure| Look::new(side, measure, &runs)));
    }
    looks.retain(|look| look.trend.least_p() <= alpha);
    let p_values: Vec<_> = looks.iter().map(|look| Some(look.trend.p_two_sided())).collect();
    let held = looks.iter().zip(holm(&p_values, alpha));
    held.filter(|(_, held)| held.rejected).map(|(look, held)| look.drift(held.adjusted)).collect()
}

impl Comparison {
    /// What drifted, and what follows from it: a line for what both sides share, and one for each side.
    pub(super) fn drift_lines(&self) -> Vec<String> {
        let (shared, own): (Vec<&Drift>, Vec<&Drift>) =
            self.drifts.iter().partition(|drift| self.is_shared(drift));
        let of = |side: Side| own.iter().copied().filter(move |drift| drift.side == side).collect::<Vec<_>>();
        let mut lines = Vec::new();
        if !shared.is_empty() {
            lines.push(format!(
                "drift: both sides change alike from run to run: {}; pairs take off what they share",
                listed(&shared, true)
            ));
        }
        for (side, drifts) in [("base", of(Side::Base)), ("new side", of(Side::New))] {
            if !drifts.is_empty() {
                lines.push(format!(
                    "drift: the {side} changes from run to run: {}; how large a difference comes out depends on how long was \
                     measured: let the server settle longer (--settle), or restart it between runs",
                    listed(&drifts, false)
                ));
            }
        }
        lines
    }

    /// Whether the other side drifts the same way, and pairs of runs are what is compared.
    fn is_shared(&self, drift: &Drift) -> bool {
        let is_alike = |other: &Drift| {
            other.side != drift.side && other.measure == drift.measure && other.tau * drift.tau > 0.0
        };
        self.method.test == TestKind::SignedRank && self.drifts.iter().any(is_alike)
    }
}

/// A side's values of a measure, in the order of its runs.
struct Look<'a> {
    side: Side,
    measure: &'a Measure,
    values: Vec<f64>,
    trend: Trend,
}

impl<'a> Look<'a> {
    /// Nothing where a run lacks the measure: the gap may be what the drift led to.
    fn new(side: Side, measure: &'a Measure, runs: &[&Run]) -> Option<Self> {
        let values: Vec<f64> = runs.iter().map(|run| run.value(measure)).collect::<Option<_>>()?;
        Some(Self { side, measure, trend: Trend::of(&values), values })
    }

    fn drift(&self, p: f64) -> Drift {
        // Of an odd number the run in the middle belongs to neither half.
        let half = self.values.len() / 2;
        let middle = |values: &[f64]| median(&values.iter().copied().map(Some).collect::<Vec<_>>());
        Drift {
            side: self.side,
            measure: self.measure.to_string(),
            unit: self.measure.unit(),
            early: middle(&self.values[..half]),
            late: middle(&self.values[self.values.len() - half..]),
            tau: self.trend.tau(),
            p,
        }
    }
}

/// The runs as they began; nothing where two began in the same second, for then they ran beside each other.
fn in_order(runs: &[Run]) -> Option<Vec<&Run>> {
    let mut runs: Vec<&Run> = runs.iter().collect();
    runs.sort_by(|one, next| one.started.cmp(&next.started));
    let is_ordered = runs.windows(2).all(|pair| pair[0].started < pair[1].started);
    is_ordered.then_some(runs)
}

/// Each with the medians of its halves; with its side where both stand in one list.
fn listed(drifts: &[&Drift], with_side: bool) -> String {
    let one = |drift: &&Drift| {
        let side = match drift.side {
            Side::Base if with_side => " of the base",
            Side::New if with_side => " of the new side",
            _ => "",
        };
        format!(
            "{}{side} {} in the earlier half, {} in the later (p {})",
            show::clean(&drift.measure),
            show::value(drift.unit, drift.early),
            show::value(drift.unit, drift.late),
            show::p(Some(drift.p))
        )
    };
    drifts.iter().map(one).collect::<Vec<_>>().join(", ")
}
