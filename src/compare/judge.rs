//! Every measure, tested and judged.

use std::collections::{BTreeMap, BTreeSet};

use super::Options;
use super::end::End;
use super::measure::{Measure, Sense, Unit};
use super::outcome::{Family, Interval, IntervalKind, Judgement, Method, Row, TestKind, Unremarkable};
use super::run::Run;
use super::within;
use crate::results::Extended;
use crate::stats::family::{Held, holm};
use crate::stats::rank::{Scale, ShiftTest};
use crate::units::show_percent;

/// Two sides and how they are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides<'a> {
    pub(super) base: &'a [Run],
    pub(super) new: &'a [Run],
    pub(super) method: &'a Method,
    pub(super) options: &'a Options,
    pub(super) drawn: &'a within::Drawn,
}

/// The values of a measure on both sides; for pairs the base in the order of the new side.
pub(super) struct Values {
    pub(super) base: Vec<f64>,
    pub(super) new: Vec<f64>,
}

/// All measures, primary ones first, and those nothing is said of.
pub(super) fn rows(
    sides: &Sides<'_>,
    primary: &[Measure],
    known: &BTreeSet<Measure>,
) -> (Vec<Row>, Unremarkable) {
    let tested: Vec<Tested<'_>> = primary.iter().map(|measure| Tested::new(sides, measure)).collect();
    let p_values: Vec<Option<f64>> = tested.iter().map(|one| one.p).collect();
    let held = holm(&p_values, sides.options.alpha);
    let mut rows: Vec<Row> =
        tested.iter().zip(held).map(|(one, held)| one.row(sides, Family::Primary, held)).collect();
    let mut unremarkable = Unremarkable::default();
    for measure in shown(sides, known).into_iter().filter(|measure| !primary.contains(measure)) {
        match remark(sides, measure) {
            Remark::Row => {
                let one = Tested::new(sides, measure);
                let held = holm(&[one.p], sides.options.alpha)[0];
                rows.push(one.row(sides, Family::Exploratory, held));
            }
            // Its phases are as the whole is, where that is dull as well.
            Remark::Dull if is_part_of_dull(sides, measure) => {}
            Remark::Dull => unremarkable.alike.push(measure.to_string()),
            Remark::Unsupported => unremarkable.unsupported.push(measure.to_string()),
        }
    }
    (rows, unremarkable)
}

fn is_part_of_dull(sides: &Sides<'_>, measure: &Measure) -> bool {
    let whole = Measure::new(&measure.subject.name, measure.figure);
    measure.subject.phase.is_some() && matches!(remark(sides, &whole), Remark::Dull)
}

/// What has a row, phases in the order they have in the first run.
fn shown<'a>(sides: &Sides<'_>, known: &'a BTreeSet<Measure>) -> Vec<&'a Measure> {
    // Of one run a side nothing can be said, of its phases even less; drawing them all again would take as long again.
    let most =
        if sides.method.is_single() { 0 } else { sides.all().map(|run| run.phases.len()).max().unwrap_or(0) };
    let mut shown: Vec<&Measure> = known.iter().filter(|measure| measure.is_shown(most)).collect();
    let places: BTreeMap<&String, usize> = sides.base[0].phases.iter().zip(0..).collect();
    // Stable: what is over all phases comes first, and within a phase the order stays.
    shown.sort_by_key(|measure| {
        measure.subject.phase.as_ref().map(|phase| places.get(phase).copied().unwrap_or(usize::MAX))
    });
    shown
}

enum Remark {
    Row,
    Dull,
    Unsupported,
}

fn remark(sides: &Sides<'_>, measure: &Measure) -> Remark {
    let values: Vec<f64> = sides.all().filter_map(|run| run.value(measure)).collect();
    if values.is_empty() {
        return Remark::Unsupported;
    }
    // What some runs lack is never without remark: it may be what went wrong with them.
    if values.len() < sides.base.len() + sides.new.len() {
        return Remark::Row;
    }
    // What completed wholly in every run is as unremarkable as what never went wrong.
    let dull = if measure.sense() == Sense::HigherIsBetter { 1.0 } else { 0.0 };
    let is_dull = match measure.unit() {
        Unit::Share => values.iter().all(|value| (value - dull).abs() <= 0.0),
        Unit::PerSecond => is_alike(&values),
        Unit::Micros | Unit::Processors | Unit::Bytes => false,
    };
    if is_dull { Remark::Dull } else { Remark::Row }
}

/// Within a hundredth of each other: rates that are as the plan has them.
fn is_alike(values: &[f64]) -> bool {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    high <= low * 1.01
}

impl Sides<'_> {
    fn all(&self) -> impl Iterator<Item = &Run> {
        self.base.iter().chain(self.new)
    }

    /// A measure's values, if every run has one.
    pub(super) fn values(&self, measure: &Measure) -> Option<Values> {
        let read = |run: &Run| run.value(measure);
        let base: Vec<f64> = self.base.iter().map(read).collect::<Option<_>>()?;
        let new = self.new.iter().map(read).collect::<Option<_>>()?;
        let base = match self.method.test {
            TestKind::SignedRank => self.method.pairs.iter().map(|&index| base[index]).collect(),
            TestKind::MannWhitney => base,
        };
        Some(Values { base, new })
    }

    /// The test of a measure on a scale.
    pub(super) fn test(&self, values: &Values, scale: Scale) -> ShiftTest {
        let make = match self.method.test {
            TestKind::SignedRank => ShiftTest::paired,
            TestKind::MannWhitney => ShiftTest::unpaired,
        };
        make(&values.base, &values.new, scale)
    }

    /// The files that lack a measure.
    pub(super) fn lacking(&self, measure: &Measure) -> Vec<&str> {
        self.all().filter(|run| run.value(measure).is_none()).map(|run| run.name.as_str()).collect()
    }
}

struct Tested<'a> {
    measure: &'a Measure,
    test: Option<ShiftTest>,
    p: Option<f64>,
}

impl<'a> Tested<'a> {
    fn new(sides: &Sides<'_>, measure: &'a Measure) -> Self {
        let values = sides.values(measure);
        let test = values.map(|values| sides.test(&values, measure.unit().scale()));
        // One run a side: there is nothing runs could be ranked among.
        let p = test.as_ref().filter(|_| !sides.method.is_single()).map(|test| test.p_two_sided(0.0));
        Self { measure, test, p }
    }

    fn row(&self, sides: &Sides<'_>, family: Family, held: Held) -> Row {
        let scale = self.measure.unit().scale();
        let shift = self.test.as_ref().and_then(ShiftTest::estimate);
        let read = |runs: &[Run]| runs.iter().map(|run| run.value(self.measure)).collect::<Vec<_>>();
        let (base, new) = (read(sides.base), read(sides.new));
        let is_significant = self.p.is_some() && held.rejected;
        let interval = self.interval(sides, held.level, shift);
        let judgement = self.judgement(sides, shift, held);
        Row {
            measure: self.measure.to_string(),
            unit: self.measure.unit(),
            sense: self.measure.sense(),
            family,
            base: median(&base),
            new: median(&new),
            base_runs: base.into_iter().map(extended).collect(),
            new_runs: new.into_iter().map(extended).collect(),
            change: extended(shift.map(|shift| change(shift, scale))),
            note: self.note(sides, judgement, interval, family),
            interval,
            p: self.p,
            p_adjusted: self.p.filter(|_| family == Family::Primary).map(|_| held.adjusted),
            significant: is_significant,
            judgement,
        }
    }

    /// Between runs, at the level the test's p was held to, or the nearest these runs can give; of single runs within them.
    fn interval(&self, sides: &Sides<'_>, level: f64, shift: Option<f64>) -> Option<Interval> {
        let test = self.test.as_ref()?;
        let scale = self.measure.unit().scale();
        if sides.method.is_single() {
            // Of one run against several the estimate is about all of them, and seconds of one say nothing of that.
            if sides.base.len() + sides.new.len() > 2 {
                return None;
            }
            let (low, high) = within::interval(sides, self.measure, shift?)?;
            return Some(interval(IntervalKind::WithinRun, 0.95, low, high, scale));
        }
        let level = level.max(test.design().least_p(true));
        let found = test.interval(level);
        Some(interval(IntervalKind::BetweenRuns, 1.0 - level, found.low, found.high, scale))
    }

    fn judgement(&self, sides: &Sides<'_>, shift: Option<f64>, held: Held) -> Judgement {
        let (Some(_), Some(test)) = (self.p, &self.test) else { return Judgement::CannotSay };
        if test.design().least_p(true) > held.level {
            return Judgement::CannotSay;
        }
        let Some(shift) = shift.filter(|_| held.rejected) else { return Judgement::NoDifferenceShown };
        let scale = self.measure.unit().scale();
        let effect = sides.options.min_effect;
        let smallest = if scale == Scale::Ratio { effect.relative } else { effect.points };
        let change = match (scale, sides.values(self.measure)) {
            // Most runs without any: the middle of the differences is zero, however much the others lost.
            (Scale::Difference, Some(values)) if shift.abs() <= 0.0 => mean(&values.new) - mean(&values.base),
            _ => change(shift, scale),
        };
        if change.abs() < smallest {
            return Judgement::Trifle;
        }
        let is_less = change < 0.0;
        if is_less == (self.measure.sense() == Sense::LowerIsBetter) {
            Judgement::Better
        } else {
            Judgement::Worse
        }
    }

    fn note(
        &self,
        sides: &Sides<'_>,
        judgement: Judgement,
        interval: Option<Interval>,
        family: Family,
    ) -> String {
        if self.test.is_none() {
            let lacking = sides.lacking(self.measure);
            let files = if lacking.len() == 1 { "file" } else { "files" };
            return format!(
                "too few observations, or not measured, in {} {files}: {}",
                lacking.len(),
                lacking[0]
            );
        }
        let mut notes = Vec::new();
        match interval {
            Some(within) if within.kind == IntervalKind::WithinRun => {
                let is_beyond = within.low.is_above_zero() || within.high.is_below_zero();
                let text = if is_beyond { "differs beyond" } else { "differs by no more than" };
                notes.push(format!("{text} within-run noise; run-to-run noise unknown"));
            }
            None if sides.method.is_single() => notes.push("run-to-run noise unknown".to_owned()),
            _ if judgement == Judgement::CannotSay && family == Family::Exploratory => {
                notes.push("too few runs".to_owned());
            }
            _ => {}
        }
        notes.extend(self.some_runs_only(sides));
        notes.extend(self.is_contradicted(sides).then(|| {
            "the medians of the sides lie the other way round than the change, which is of pairs of runs"
                .to_owned()
        }));
        notes.join("; ")
    }

    /// Of faults that some runs have and others do not: how many, and the most. A median would hide them.
    fn some_runs_only(&self, sides: &Sides<'_>) -> Option<String> {
        if self.measure.unit() != Unit::Share || self.measure.sense() != Sense::LowerIsBetter {
            return None;
        }
        let of = |runs: &[Run]| {
            let values: Vec<f64> = runs.iter().filter_map(|run| run.value(self.measure)).collect();
            (values.iter().filter(|value| **value > 0.0).count(), values.into_iter().fold(0.0, f64::max))
        };
        let sides =
            [("base", sides.base), ("new", sides.new)].map(|(name, runs)| (name, runs.len(), of(runs)));
        let is_some_only = sides.iter().any(|&(_, runs, (with, _))| with > 0 && with < runs);
        let text = |(name, runs, (with, most)): (&str, usize, (usize, f64))| {
            format!("{name} {with} of {runs}, at most {}", show_percent(most))
        };
        is_some_only.then(|| format!("runs with any: {}", sides.map(text).join(", ")))
    }

    fn is_contradicted(&self, sides: &Sides<'_>) -> bool {
        let read = |runs: &[Run]| {
            let values: Vec<_> = runs.iter().map(|run| run.value(self.measure)).collect();
            median(&values).finite()
        };
        let (Some(base), Some(new)) = (read(sides.base), read(sides.new)) else { return false };
        let shift = self.test.as_ref().and_then(ShiftTest::estimate).unwrap_or(0.0);
        shift * (new - base) < 0.0
    }
}

fn interval(kind: IntervalKind, confidence: f64, low: f64, high: f64, scale: Scale) -> Interval {
    let told = |end: End| end.map(|shift| change(shift, scale));
    Interval { kind, confidence, low: told(End::lower(low)), high: told(End::upper(high)) }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// A shift as people say it: relative, of shares the difference.
pub(super) fn change(shift: f64, scale: Scale) -> f64 {
    match scale {
        Scale::Ratio => shift.exp_m1(),
        Scale::Difference => shift,
    }
}

pub(super) fn extended(value: Option<f64>) -> Extended<f64> {
    match value {
        Some(f64::INFINITY) => Extended::Infinite,
        Some(value) if value.is_finite() => Extended::Finite(value),
        None | Some(_) => Extended::Unsupported,
    }
}

/// The median, of an even number the lower of the middle two (no percentile is averaged); unsupported where anything is missing.
pub(super) fn median(values: &[Option<f64>]) -> Extended<f64> {
    let all: Option<Vec<f64>> = values.iter().copied().collect();
    let Some(mut all) = all.filter(|all| !all.is_empty()) else { return Extended::Unsupported };
    all.sort_by(f64::total_cmp);
    extended(Some(all[(all.len() - 1) / 2]))
}
