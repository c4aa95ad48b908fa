//! Holds a run against its objectives (SLOs), per measured phase.
//!
//! Percentiles are over all attempted operations: what never completed is infinitely slow. A percentile with too few
//! observations is undecided, and undecided is no pass. Objectives on logins are held against all phases together, since logins
//! belong to the ramp, which is not measured.

use crate::engine::run::Run;
use crate::profile::{Bound, Metric, Slo as Objective};
use crate::results::{Extended, Ledgers, Population, Slo, SloState, Totals, Unit};
use crate::sample::LedgerKind;

/// Judges every objective in every measured phase.
pub fn judge(run: &Run, objectives: &[Objective], totals: &Totals, ledgers: &[Ledgers]) -> Vec<Slo> {
    let phases: Vec<usize> =
        (0..run.plan.phases().len()).filter(|&index| run.plan.phases()[index].measured).collect();
    let everything: Vec<usize> = (0..run.plan.phases().len()).collect();
    let mut judged = Vec::new();
    for objective in objectives {
        if is_about_logins(&objective.metric) {
            judged.push(judge_one(run, objective, totals, ledgers, &everything, "all phases"));
            continue;
        }
        for &phase in &phases {
            let name = &run.plan.phases()[phase].name;
            judged.push(judge_one(run, objective, totals, ledgers, &[phase], name));
        }
    }
    judged
}

fn is_about_logins(metric: &Metric) -> bool {
    let logins = crate::activity::LOGIN_OPERATIONS;
    matches!(metric, Metric::Response(name, _) | Metric::Throughput(name) if logins.iter().any(|l| l.name == name))
}

fn judge_one(
    run: &Run,
    objective: &Objective,
    totals: &Totals,
    ledgers: &[Ledgers],
    phases: &[usize],
    phase: &str,
) -> Slo {
    let seen = match &objective.metric {
        Metric::Response(name, quantile) => {
            let tally = totals.tally(phases.iter().copied(), operation(run, name));
            let value = tally.response.attempted(*quantile, tally.infinite()).map(|micros| micros as f64);
            Seen { value, unit: Unit::Micros, of: "attempted operations", count: tally.attempts() }
        }
        Metric::Throughput(name) => {
            let tally = totals.tally(phases.iter().copied(), operation(run, name));
            let seconds: f64 = phases.iter().map(|&index| run.plan.phases()[index].window.seconds()).sum();
            let value = Extended::Finite(tally.completed() as f64 / seconds);
            Seen { value, unit: Unit::PerSecond, of: "seconds", count: seconds as u64 }
        }
        Metric::Ledger { ledger, column } => {
            let counts = Ledgers::sum(phases.iter().map(|&index| &ledgers[index]));
            ledger_seen(&counts, ledger, column, objective.condition.bound)
        }
    };
    let (state, reason) = decide(objective, &seen);
    Slo {
        name: objective.name.clone(),
        bound: objective.text.clone(),
        observed: seen.value,
        unit: seen.unit,
        population: Population { of: seen.of.to_owned(), count: seen.count },
        phase: phase.to_owned(),
        state,
        reason,
    }
}

struct Seen {
    value: Extended<f64>,
    unit: Unit,
    of: &'static str,
    count: u64,
}

fn operation(run: &Run, name: &str) -> usize {
    run.operations.iter().position(|operation| operation.name == name).unwrap_or(usize::MAX)
}

/// A share is of the copies expected; a share of nothing is undecided.
fn ledger_seen(ledgers: &Ledgers, ledger: &str, column: &str, bound: Bound) -> Seen {
    let kind =
        LedgerKind::ALL.into_iter().find(|kind| kind.as_str() == ledger).unwrap_or(LedgerKind::Message);
    let counts = ledgers.of(kind);
    let value = counts.column(column).unwrap_or(0) as f64;
    let expected = counts.expected;
    let of = "expected copies";
    match bound {
        Bound::Share(_) if expected == 0 => {
            Seen { value: Extended::Unsupported, unit: Unit::Share, of, count: 0 }
        }
        Bound::Share(_) => {
            Seen { value: Extended::Finite(value / expected as f64), unit: Unit::Share, of, count: expected }
        }
        _ => Seen { value: Extended::Finite(value), unit: Unit::Count, of, count: expected },
    }
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
        return (SloState::Undecided, "nothing was expected: the ledger is empty".to_owned());
    }
    if objective.condition.comparison.holds(value, bound) {
        (SloState::Passed, String::new())
    } else if value.is_infinite() {
        (SloState::Failed, "it lies among operations that never completed".to_owned())
    } else {
        (SloState::Failed, "beyond its bound".to_owned())
    }
}
