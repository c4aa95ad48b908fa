//! Gates: what must hold of the new side against the base, `message.delivery.p99 <= +10%`.
//!
//! A gate is one-sided and non-inferiority is what it asks for: it passes when the confidence limit lies within the bound,
//! fails when the whole interval lies beyond it, and otherwise says that there is not enough evidence, which is no pass.
//! Passing and failing are each corrected over all gates together (Holm). `== 0` asks for no change but for nothing at all in any new
//! run, and needs no statistics.

use std::collections::BTreeSet;

use super::design::runs_for;
use super::end::End;
use super::judge::{Sides, change, extended};
use super::measure::{Figure, Measure, SERVER, Sense, Unit};
use super::outcome::{GateOutcome, GateState};
use super::show;
use crate::results::{Exit, ExitReason, Extended};
use crate::stats::family::{Held, holm};
use crate::stats::rank::{Scale, ShiftTest, Side};
use crate::units::parse_duration;

/// More gates than this are a mistake.
pub const GATES_MAX: usize = 200;

/// A gate as it was written, its measure not yet looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    text: String,
    measure: String,
    direction: Direction,
    bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    AtMost,
    AtLeast,
    Zero,
}

/// What a change is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    /// `+10%`: relative.
    Relative(f64),
    /// `+0.1pp`: a difference of shares.
    Points(f64),
    /// `+5ms`: a difference of times, microseconds.
    Micros(f64),
    /// `== 0`
    Nothing,
}

/// Why a text is no gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no gate: {why}")]
pub struct GateError {
    text: String,
    why: String,
}

/// A gate on what these runs did not measure, or one that cannot be held against it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gate `{gate}`: {why}")]
pub struct UnknownMeasure {
    gate: String,
    why: String,
}

/// A gate whose measure is known.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    gate: Gate,
    pub(super) measure: Measure,
}

impl std::str::FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        let shown: String = show::clean(text.trim()).chars().take(100).collect();
        let wrong = |why: &str| GateError { text: shown.clone(), why: why.to_owned() };
        let signs = [("<=", Direction::AtMost), (">=", Direction::AtLeast), ("==", Direction::Zero)];
        let found = signs.into_iter().find_map(|(sign, direction)| Some((text.split_once(sign)?, direction)));
        let ((measure, bound), direction) = found.ok_or_else(|| wrong(EXPECTED))?;
        let (measure, bound) = (measure.trim(), bound.trim());
        if measure.is_empty() {
            return Err(wrong(EXPECTED));
        }
        let bound = match direction {
            Direction::Zero if bound == "0" => Bound::Nothing,
            Direction::Zero => return Err(wrong("`==` takes 0 alone; a change is bounded by <= or >=")),
            _ => read_bound(bound).map_err(|why| wrong(&why))?,
        };
        Ok(Self { text: shown, measure: measure.to_owned(), direction, bound })
    }
}

const EXPECTED: &str =
    "write it like \"message.delivery.p99 <= +10%\", \"message.loss <= +0.1pp\" or \"message.loss == 0\"";

fn read_bound(text: &str) -> Result<Bound, String> {
    let factor = match text.chars().next() {
        Some('+') => 1.0,
        Some('-') => -1.0,
        _ => {
            return Err(format!(
                "a gate bounds a change, so its bound has a sign: +{text}; a bound on the value itself is an \
                                 objective, in [slo] of the profile"
            ));
        }
    };
    let size = &text[1..];
    let number = |digits: &str| {
        let value = digits.trim().parse::<f64>().ok();
        value.filter(|value| value.is_finite() && *value >= 0.0).map(|value| value * factor)
    };
    let found = if let Some(digits) = size.strip_suffix("pp") {
        number(digits).map(|value| Bound::Points(value / 100.0))
    } else if let Some(digits) = size.strip_suffix('%') {
        number(digits).map(|value| Bound::Relative(value / 100.0))
    } else {
        parse_duration(size).ok().map(|span| Bound::Micros(span.as_secs_f64() * 1e6 * factor))
    };
    match found {
        Some(Bound::Relative(value)) if value <= -1.0 => Err("nothing falls by 100 % or more".to_owned()),
        found => found.ok_or_else(|| {
            format!("`{}` is no bound: +10%, +0.1pp (of shares) or +5ms (of times)", show::clean(text))
        }),
    }
}

/// Looks every gate's measure up. What was planned and never happened is no unknown measure, but one without evidence.
pub(super) fn resolve(
    gates: &[Gate],
    known: &BTreeSet<Measure>,
    is_planned: impl Fn(&Measure) -> bool,
) -> Result<Vec<Resolved>, UnknownMeasure> {
    let mut resolved: Vec<Resolved> = Vec::new();
    for gate in gates {
        let one = resolve_one(gate, known, &is_planned)?;
        // Said twice, in the file and on the command line perhaps, it is one claim and shares in no correction.
        if !resolved.iter().any(|other| other.is_same(&one)) {
            resolved.push(one);
        }
    }
    Ok(resolved)
}

fn resolve_one(
    gate: &Gate,
    known: &BTreeSet<Measure>,
    is_planned: &impl Fn(&Measure) -> bool,
) -> Result<Resolved, UnknownMeasure> {
    let wrong = |why: String| UnknownMeasure { gate: gate.text.clone(), why: show::clean(&why) };
    // An account's column is what objectives call it; as a share it is called loss.
    let name = gate
        .measure
        .strip_suffix(".lost")
        .map_or_else(|| gate.measure.clone(), |ledger| format!("{ledger}.loss"));
    let found = name.parse::<Measure>().ok();
    let Some(measure) = found.filter(|measure| known.contains(measure) || is_planned(measure)) else {
        return Err(wrong(advice(&name, known)));
    };
    let fits = match (gate.bound, measure.unit()) {
        (Bound::Relative(_), unit) => unit.scale() == Scale::Ratio,
        (Bound::Points(_) | Bound::Nothing, unit) => unit == Unit::Share,
        (Bound::Micros(_), unit) => unit == Unit::Micros,
    };
    if !fits {
        let example = match measure.unit() {
            Unit::Share => "`<= +0.1pp` (percentage points) or `== 0`",
            Unit::Micros => "`<= +10%` or `<= +5ms`",
            Unit::PerSecond | Unit::Processors | Unit::Bytes => "`+10%` or `-10%`",
        };
        return Err(wrong(format!("changes of `{measure}` are bounded like {example}")));
    }
    match (gate.direction, measure.sense()) {
        (Direction::AtMost, Sense::HigherIsBetter) => {
            Err(wrong(format!("more of `{measure}` is better: bound its fall, `>= -…`")))
        }
        (Direction::AtLeast, Sense::LowerIsBetter) => {
            Err(wrong(format!("less of `{measure}` is better: bound its rise, `<= +…`")))
        }
        (Direction::Zero, Sense::HigherIsBetter) => Err(wrong(format!("more of `{measure}` is better"))),
        _ => Ok(Resolved { gate: gate.clone(), measure }),
    }
}

fn advice(name: &str, known: &BTreeSet<Measure>) -> String {
    if name.parse::<Measure>().is_ok_and(|measure| measure.subject.name == SERVER) {
        return format!(
            "these runs have no `{name}`: it takes a source of [observe] that knows it, on both sides"
        );
    }
    let names: Vec<String> = known.iter().map(ToString::to_string).collect();
    let near = names.iter().map(|known| (strsim::jaro_winkler(name, known), known));
    let best = near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    match (best, phase_advice(name, known)) {
        (_, Some(advice)) => advice,
        (Some((_, known)), None) => format!("these runs have no `{name}`; did you mean `{known}`?"),
        (None, None) => {
            let whole =
                known.iter().map(|measure| &measure.subject).filter(|subject| subject.phase.is_none());
            let subjects: BTreeSet<&str> = whole.map(|subject| subject.name.as_str()).collect();
            let figures: Vec<&str> = Figure::OF_OPERATIONS.iter().map(|figure| figure.name()).collect();
            format!(
                "these runs have no `{name}`; they have {}, each with figures like {}",
                listed(&subjects),
                figures.join(", ")
            )
        }
    }
}

/// Of a measure of a phase that there is not.
fn phase_advice(name: &str, known: &BTreeSet<Measure>) -> Option<String> {
    let phases: BTreeSet<&str> =
        known.iter().filter_map(|measure| measure.subject.phase.as_deref()).collect();
    let (phase, rest) = name.split_once('/').filter(|(phase, _)| !phases.contains(phase))?;
    let measured = if phases.is_empty() { "none by itself".to_owned() } else { listed(&phases) };
    let near = phases.iter().filter(|known| strsim::jaro_winkler(phase, known) > 0.8);
    let near = near
        .map(|phase| format!("{phase}/{rest}"))
        .find(|name| name.parse::<Measure>().is_ok_and(|measure| known.contains(&measure)));
    let meant = near.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    Some(format!(
        "these runs have no `{name}`: of the phases they measured {measured}, and not `{phase}`{meant}"
    ))
}

fn listed(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// What became of each gate.
pub(super) fn outcomes(sides: &Sides<'_>, gates: &[Resolved]) -> Vec<GateOutcome> {
    let tests: Vec<Option<ShiftTest>> = gates.iter().map(|gate| gate.test(sides)).collect();
    let p = |ask: fn(&ShiftTest, &Resolved) -> f64| -> Vec<Option<f64>> {
        let tested = gates.iter().zip(&tests).filter(|(gate, _)| gate.is_tested());
        tested.map(|(gate, test)| Some(ask(test.as_ref()?, gate))).collect()
    };
    let alpha = sides.options.alpha;
    // A gate is passed at its bound too, and failed beyond it alone.
    let passes = |test: &ShiftTest, gate: &Resolved| test.p_not_beyond(gate.shift(), gate.within());
    let fails = |test: &ShiftTest, gate: &Resolved| test.p_one_sided(gate.shift(), gate.beyond());
    let mut passing = holm(&p(passes), alpha).into_iter();
    let mut failing = holm(&p(fails), alpha).into_iter();
    let held = gates.iter().zip(&tests).map(|(gate, test)| match gate.gate.bound {
        Bound::Nothing => gate.nothing(sides),
        _ => match (passing.next(), failing.next()) {
            (Some(pass), Some(fail)) => gate.outcome(sides, test.as_ref(), pass, fail),
            _ => gate.not_measured(sides),
        },
    });
    held.collect()
}

impl Resolved {
    fn is_same(&self, other: &Self) -> bool {
        let what = |one: &Self| (one.gate.direction, one.gate.bound);
        self.measure == other.measure && what(self) == what(other)
    }

    /// Whether it takes a test, and not just a look.
    pub(super) fn is_tested(&self) -> bool {
        self.gate.bound != Bound::Nothing
    }

    fn scale(&self) -> Scale {
        if matches!(self.gate.bound, Bound::Relative(_)) { Scale::Ratio } else { Scale::Difference }
    }

    fn test(&self, sides: &Sides<'_>) -> Option<ShiftTest> {
        Some(sides.test(&sides.values(&self.measure)?, self.scale()))
    }

    fn bound(&self) -> f64 {
        match self.gate.bound {
            Bound::Relative(bound) | Bound::Points(bound) | Bound::Micros(bound) => bound,
            Bound::Nothing => 0.0,
        }
    }

    fn shift(&self) -> f64 {
        if self.scale() == Scale::Ratio { self.bound().ln_1p() } else { self.bound() }
    }

    /// The side a test looks to that speaks for passing.
    fn within(&self) -> Side {
        if self.gate.direction == Direction::AtLeast { Side::Above } else { Side::Below }
    }

    fn beyond(&self) -> Side {
        if self.gate.direction == Direction::AtLeast { Side::Below } else { Side::Above }
    }

    fn outcome(&self, sides: &Sides<'_>, test: Option<&ShiftTest>, pass: Held, fail: Held) -> GateOutcome {
        let Some(test) = test else { return self.not_measured(sides) };
        let state = match (fail.rejected, pass.rejected) {
            (true, _) => GateState::Failed,
            (_, true) => GateState::Passed,
            _ => GateState::NotEnoughEvidence,
        };
        let limit = |held: Held, side: Side| {
            let shift = test.limit(held.level, side);
            let end = if side == Side::Above { End::lower(shift) } else { End::upper(shift) };
            end.map(|shift| change(shift, self.scale()))
        };
        let (pass_limit, fail_limit) = (limit(pass, self.within()), limit(fail, self.beyond()));
        let estimate = test.estimate().map(|shift| change(shift, self.scale()));
        // Of one of several gates the level may be lower; with fewer runs than this none could ever be decided.
        let needed = (test.design().least_p(false) > pass.level).then(|| runs_for(pass.level));
        let reason = self.reason(state, estimate, (pass_limit, fail_limit), needed);
        let bound = self.bound();
        GateOutcome {
            gate: self.gate.text.clone(),
            state,
            pass_limit,
            fail_limit,
            bound,
            change: extended(estimate),
            reason,
        }
    }

    fn reason(
        &self,
        state: GateState,
        estimate: Option<f64>,
        (pass, fail): (End, End),
        runs_needed: Option<usize>,
    ) -> String {
        let estimate = match estimate {
            Some(estimate) if estimate.is_finite() => format!("changed by {}", self.show(estimate)),
            Some(estimate) if estimate > 0.0 => "no longer completes within the deadline".to_owned(),
            Some(_) => "completes where the base did not within the deadline".to_owned(),
            None => "never completes within the deadline on either side".to_owned(),
        };
        let show = |end: End, open: &str| show::end(end, open, |limit| self.show(limit));
        let (below, above) = match self.gate.direction {
            Direction::AtLeast => (show(pass, "-∞"), show(fail, "+∞")),
            _ => (show(fail, "-∞"), show(pass, "+∞")),
        };
        let is_floor = self.gate.direction == Direction::AtLeast;
        match (state, runs_needed) {
            (GateState::Passed, _) if is_floor => format!("{estimate}, with confidence at least {below}"),
            (GateState::Passed, _) => format!("{estimate}, with confidence at most {above}"),
            (GateState::Failed, _) if is_floor => format!("{estimate}, with confidence beyond {above}"),
            (GateState::Failed, _) => format!("{estimate}, with confidence beyond {below}"),
            (GateState::NotEnoughEvidence, Some(runs)) => {
                format!("{estimate}; too few runs to decide it either way: {runs} a side would do")
            }
            (GateState::NotEnoughEvidence, None) => {
                format!("{estimate}, somewhere between {below} and {above}: the bound lies within")
            }
        }
    }

    fn show(&self, value: f64) -> String {
        match self.gate.bound {
            Bound::Micros(_) => show::micros_change(value),
            Bound::Relative(_) => crate::units::show_change(value),
            Bound::Points(_) | Bound::Nothing => crate::units::show_points(value),
        }
    }

    fn not_measured(&self, sides: &Sides<'_>) -> GateOutcome {
        let lacking = sides.lacking(&self.measure);
        let first = lacking.first().copied().unwrap_or_default();
        let reason = if lacking.len() == sides.base.len() + sides.new.len() {
            "too few observations, or none, in every run: more runs like these decide nothing".to_owned()
        } else {
            format!("too few observations, or not measured, in {} of the runs ({first})", lacking.len())
        };
        self.without_limits(GateState::NotEnoughEvidence, reason)
    }

    /// `== 0`: in every new run.
    fn nothing(&self, sides: &Sides<'_>) -> GateOutcome {
        let values: Vec<Option<f64>> = sides.new.iter().map(|run| run.value(&self.measure)).collect();
        let beyond = values.iter().flatten().filter(|value| **value > 0.0).count();
        if beyond > 0 {
            return self.without_limits(
                GateState::Failed,
                format!("not 0 in {beyond} of {} new runs", values.len()),
            );
        }
        if values.iter().any(Option::is_none) {
            return self.not_measured(sides);
        }
        self.without_limits(GateState::Passed, format!("0 in all {} new runs", values.len()))
    }

    fn without_limits(&self, state: GateState, reason: String) -> GateOutcome {
        let (gate, bound) = (self.gate.text.clone(), self.bound());
        GateOutcome {
            gate,
            state,
            pass_limit: End::Open,
            fail_limit: End::Open,
            bound,
            change: Extended::Unsupported,
            reason: show::clean(&reason),
        }
    }
}

/// The codes gates speak for: 5 for a regression, 6 for want of evidence; 5 first.
pub(super) fn exit(gates: &[GateOutcome]) -> Exit {
    let mut reasons: Vec<ExitReason> = gates
        .iter()
        .filter_map(|gate| {
            let code = match gate.state {
                GateState::Passed => return None,
                GateState::Failed => 5,
                GateState::NotEnoughEvidence => 6,
            };
            Some(ExitReason { code, reason: format!("gate {}: {}", gate.gate, gate.reason) })
        })
        .collect();
    reasons.sort_by_key(|reason| reason.code);
    Exit { code: reasons.first().map_or(0, |reason| reason.code), reasons }
}
