//! Holds a run against its objectives (SLOs), per measured phase.
//!
//! Times are over all attempted operations: what never completed is infinitely slow. A percentile with too few observations is
//! undecided, and so is everything in a phase the run ended before; undecided is no pass. Objectives on logins that name no
//! phase are held against all phases together, since logins belong to the ramp, which is not measured.

use crate::engine::run::Run;
use crate::profile::{Bound, Metric, Slo as Objective, Statistic};
use crate::results::{Extended, Ledgers, Population, Slo, SloState, Tally, Totals, Unit};
use crate::sample::LedgerKind;
use crate::units::Offset;

/// Judges every objective in every phase it holds in. `until` is when the plan's part of the run ended.
pub fn judge(
    run: &Run,
    objectives: &[Objective],
    totals: &Totals,
    ledgers: &[Ledgers],
    until: Offset,
) -> Vec<Slo> {
    let court = Court { run, totals, ledgers, until };
    objectives.iter().flat_map(|objective| court.judge(objective)).collect()
}

/// What objectives are held against.
struct Court<'a> {
    run: &'a Run,
    totals: &'a Totals,
    ledgers: &'a [Ledgers],
    until: Offset,
}

impl Court<'_> {
    fn judge(&self, objective: &Objective) -> Vec<Slo> {
        let phases = self.run.plan.phases().iter().enumerate();
        if let Some(name) = &objective.phase {
            let named = phases.filter(|(_, phase)| phase.name == *name);
            return named.map(|(index, phase)| self.judge_in(objective, &[index], &phase.name)).collect();
        }
        if is_about_logins(&objective.metric) {
            let all: Vec<usize> = phases.map(|(index, _)| index).collect();
            return vec![self.judge_in(objective, &all, "all phases")];
        }
        let measured = phases.filter(|(_, phase)| phase.measured);
        measured.map(|(index, phase)| self.judge_in(objective, &[index], &phase.name)).collect()
    }

    fn judge_in(&self, objective: &Objective, phases: &[usize], name: &str) -> Slo {
        let seen = self.see(objective, phases);
        let reached = phases.iter().any(|&index| self.seconds_of(index) > 0.0);
        let (state, reason) = if reached {
            decide(objective, &seen)
        } else {
            (SloState::Undecided, format!("the run ended before phase {name} began"))
        };
        Slo {
            name: objective.name.clone(),
            bound: objective.text.clone(),
            observed: if reached { seen.value } else { Extended::Unsupported },
            unit: seen.unit,
            population: Population { of: seen.of.to_owned(), count: seen.count },
            phase: name.to_owned(),
            state,
            reason,
        }
    }

    fn see(&self, objective: &Objective, phases: &[usize]) -> Seen {
        match &objective.metric {
            Metric::Response(name, statistic) => {
                let tally = self.tally(name, phases);
                let value = response(&tally, *statistic);
                Seen { value, unit: Unit::Micros, of: "attempted operations", count: tally.attempts() }
            }
            Metric::Throughput(name) => {
                let seconds: f64 = phases.iter().map(|&index| self.seconds_of(index)).sum();
                let value = Extended::Finite(self.tally(name, phases).completed() as f64 / seconds);
                Seen { value, unit: Unit::PerSecond, of: "seconds", count: seconds as u64 }
            }
            Metric::Outcome { operation, outcome } => {
                outcome_seen(&self.tally(operation, phases), outcome, objective.condition.bound)
            }
            Metric::Ledger { ledger, column } => {
                let counts = Ledgers::sum(phases.iter().map(|&index| &self.ledgers[index]));
                ledger_seen(&counts, ledger, column, objective.condition.bound)
            }
        }
    }

    fn tally(&self, operation: &str, phases: &[usize]) -> Tally {
        let index = self.run.operations.iter().position(|known| known.name == operation);
        index.map(|index| self.totals.tally(phases.iter().copied(), index)).unwrap_or_default()
    }

    /// How long a phase was, as far as the run came.
    fn seconds_of(&self, phase: usize) -> f64 {
        let window = &self.run.plan.phases()[phase].window;
        window.end.min(self.until).since(window.start).as_secs_f64()
    }
}

fn is_about_logins(metric: &Metric) -> bool {
    let logins = crate::activity::LOGIN_OPERATIONS;
    metric.operation().is_some_and(|name| logins.iter().any(|login| login.name == name))
}

/// A number, what it counts, and how much it was taken over.
struct Seen {
    value: Extended<f64>,
    unit: Unit,
    of: &'static str,
    count: u64,
}

fn response(tally: &Tally, statistic: Statistic) -> Extended<f64> {
    let finite = |value: Option<f64>| match value {
        _ if tally.infinite() > 0 => Extended::Infinite,
        None => Extended::Unsupported,
        Some(micros) => Extended::Finite(micros),
    };
    match statistic {
        Statistic::Percentile(quantile) => {
            tally.response.attempted(quantile, tally.infinite()).map(|micros| micros as f64)
        }
        Statistic::Mean => finite(tally.response.mean()),
        Statistic::Max => finite(tally.response.max().map(|micros| micros as f64)),
    }
}

/// A share is of the attempts; what is indeterminate is none, so its share is of everything asked.
fn outcome_seen(tally: &Tally, outcome: &str, bound: Bound) -> Seen {
    let belongs =
        |name: &str| name.strip_prefix(outcome).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let counted = tally.outcomes.iter().filter(|(name, _)| belongs(name)).map(|(_, &count)| count);
    let value = counted.fold(0, u64::saturating_add) as f64;
    let (of, count) = if outcome.starts_with("indeterminate") {
        ("operations asked", tally.asked())
    } else {
        ("attempted operations", tally.attempts())
    };
    count_or_share(value, bound, of, count)
}

/// A share is of the copies expected; a share of nothing is undecided.
fn ledger_seen(ledgers: &Ledgers, ledger: &str, column: &str, bound: Bound) -> Seen {
    let kind =
        LedgerKind::ALL.into_iter().find(|kind| kind.as_str() == ledger).unwrap_or(LedgerKind::Message);
    let counts = ledgers.of(kind);
    let value = counts.column(column).unwrap_or(0) as f64;
    count_or_share(value, bound, "expected copies", counts.expected)
}

/// A share of nothing is undecided.
fn count_or_share(value: f64, bound: Bound, of: &'static str, count: u64) -> Seen {
    let (value, unit) = match bound {
        Bound::Share(_) if count == 0 => (Extended::Unsupported, Unit::Share),
        Bound::Share(_) => (Extended::Finite(value / count as f64), Unit::Share),
        _ => (Extended::Finite(value), Unit::Count),
    };
    Seen { value, unit, of, count }
}

fn decide(objective: &Objective, seen: &Seen) -> (SloState, String) {
    let bound = match objective.condition.bound {
        Bound::Time(span) => span.as_secs_f64() * 1e6,
        Bound::Count(count) => count as f64,
        Bound::Share(share) => share,
        Bound::Rate(rate) => rate.as_per_second(),
    };
    let value = match seen.value {
        Extended::Unsupported => {
            return (SloState::Undecided, format!("too few observations: {} {}", seen.count, seen.of));
        }
        Extended::Finite(value) => value,
        Extended::Infinite => f64::INFINITY,
    };
    if seen.count == 0 && seen.unit == Unit::Count {
        return (SloState::Undecided, format!("there was nothing to count: 0 {}", seen.of));
    }
    if objective.condition.comparison.holds(value, bound) {
        (SloState::Passed, String::new())
    } else if value.is_infinite() {
        (SloState::Failed, "it lies among operations that never completed".to_owned())
    } else {
        (SloState::Failed, "beyond its bound".to_owned())
    }
}
