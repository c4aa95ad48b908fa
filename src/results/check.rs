//! Whether a result agrees with itself. Asserted at the end of every run, and of every file kept in `results/`.
//!
//! The JSON Schema says what a result looks like; this says what must be true of its numbers: the accounts' equation,
//! the sums over phases, groups and seconds, and that every printed percentile follows from the histogram beside it.

mod series;

use std::collections::BTreeMap;

use super::histogram::Histogram;
use super::totals::{is_completed, is_indeterminate};
use super::{
    Distribution, Figures, LedgerCounts, Ledgers, Observed, Operation, Phase, RunResult, SCHEMA,
    SchemaVersion,
};
use crate::sample::LedgerKind;

/// Since then a broadcast that was not sent is as many attempts as it would have owed copies.
const COPIES_UNSENT: SchemaVersion = SchemaVersion { major: 1, minor: 5 };

/// Everything in which a result contradicts itself, one line each; empty for a sound one, and for one of a later version, of which a
/// later version knows what must agree.
pub fn contradictions(result: &RunResult) -> Vec<String> {
    let mut found = Findings::default();
    if result.schema > SCHEMA && result.schema.check_readable().is_ok() {
        return found.0;
    }
    if let Err(error) = result.schema.check_readable() {
        found.say("schema", error);
    }
    check_judgement(&mut found, result);
    check_ledgers(&mut found, result);
    for (name, operation) in &result.operations {
        check_operation(&mut found, &format!("operations.{name}"), operation);
        check_sum_over_phases(&mut found, name, operation, &result.phases);
    }
    for phase in &result.phases {
        for (name, operation) in &phase.operations {
            check_operation(&mut found, &format!("phase {}: operations.{name}", phase.name), operation);
        }
    }
    series::check_series(&mut found, result);
    result.observed.iter().for_each(|observed| check_observed(&mut found, observed));
    found.0
}

/// Everything in which the accounts and the operations of a complete run disagree: they are kept apart, column by column and
/// sample by sample, and must come to the same.
pub fn unaccounted(result: &RunResult) -> Vec<String> {
    let mut found = Findings::default();
    result.phases.iter().for_each(|phase| check_deliveries(&mut found, result.schema, phase));
    found.0
}

#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn say(&mut self, place: &str, what: impl std::fmt::Display) {
        self.0.push(format!("{place}: {what}"));
    }

    fn equal(&mut self, place: &str, what: &str, left: u128, right: u128) {
        if left != right {
            self.say(place, format_args!("{what}: {left} is not {right}"));
        }
    }
}

fn check_judgement(found: &mut Findings, result: &RunResult) {
    let (verdict, exit) = (&result.verdict, &result.exit);
    if let Some(evidence) = verdict.evidence.iter().find(|evidence| evidence.state < verdict.state) {
        let (state, ignored) = (verdict.state.as_str(), evidence.state.as_str());
        found.say("verdict", format_args!("it is {state} though `{}` says {ignored}", evidence.predicate));
    }
    let backed = exit.reasons.iter().any(|reason| reason.code == exit.code);
    if backed == (exit.code == 0) {
        found.say("exit", format_args!("code {} does not agree with its reasons", exit.code));
    }
}

fn check_ledgers(found: &mut Findings, result: &RunResult) {
    check_equation(found, "ledger", &result.ledger);
    for phase in &result.phases {
        check_equation(found, &format!("phase {}: ledger", phase.name), &phase.ledger);
    }
    for kind in LedgerKind::ALL {
        let mut sums = [0u128; LedgerCounts::COLUMNS.len()];
        for phase in &result.phases {
            let counts = phase.ledger.of(kind);
            let columns = LedgerCounts::COLUMNS.iter().map(|(_, read)| u128::from(read(counts)));
            sums.iter_mut().zip(columns).for_each(|(sum, column)| *sum += column);
        }
        let place = format!("ledger.{}", kind.as_str());
        for ((name, read), sum) in LedgerCounts::COLUMNS.iter().zip(sums) {
            let whole = read(result.ledger.of(kind));
            found.equal(&place, &format!("{name} against the sum over phases"), whole.into(), sum);
        }
    }
}

/// `schema` is the file's: up to 1.4 a broadcast that was not sent was one attempt, whatever its copies.
fn check_deliveries(found: &mut Findings, schema: SchemaVersion, phase: &Phase) {
    for kind in LedgerKind::ALL {
        let operations: Vec<&Operation> =
            kind.operations().iter().filter_map(|name| phase.operations.get(*name)).collect();
        if operations.is_empty() {
            continue;
        }
        let counts = phase.ledger.of(kind);
        let place = format!("phase {}: {}", phase.name, kind.operations().join(" and "));
        let outcomes = |belongs: fn(&str) -> bool| -> u128 {
            let all = operations.iter().flat_map(|operation| &operation.figures.outcomes);
            all.filter(|(outcome, _)| belongs(outcome)).map(|(_, &count)| u128::from(count)).sum()
        };
        for (column, count, belongs) in [
            ("delivered", counts.delivered, is_completed as fn(&str) -> bool),
            ("lost", counts.lost, |outcome| outcome == "lost"),
            ("failed", counts.failed, |outcome| outcome.starts_with("failed-")),
            ("indeterminate", counts.indeterminate, |outcome| outcome.starts_with("indeterminate-")),
        ] {
            found.equal(&place, &format!("{column} in the ledger"), count.into(), outcomes(belongs));
        }
        // One per stanza: it stands with the first operation, there once for each copy it would have owed, and again wherever else it was to
        // be measured.
        let first = kind.operations().first().and_then(|name| phase.operations.get(*name));
        let unsent = first.map_or(0, |operation| {
            let own = operation.figures.outcomes.iter().filter(|(outcome, _)| outcome.starts_with("unsent-"));
            own.map(|(_, &count)| u128::from(count)).sum()
        });
        if kind == LedgerKind::Message || schema < COPIES_UNSENT {
            found.equal(&place, "unsent in the ledger", counts.unsent.into(), unsent);
        } else if unsent < u128::from(counts.unsent) || counts.unsent == 0 && unsent > 0 {
            let counted = counts.unsent;
            found.say(
                &place,
                format_args!("{counted} unsent in the ledger, and {unsent} attempts at their copies"),
            );
        }
    }
}

fn check_equation(found: &mut Findings, place: &str, ledgers: &Ledgers) {
    for kind in LedgerKind::ALL {
        let counts = ledgers.of(kind);
        let place = format!("{place}.{}", kind.as_str());
        let settled = [counts.delivered, counts.lost, counts.failed, counts.indeterminate];
        let settled = settled.into_iter().map(u128::from).sum();
        let equation = "expected = delivered + lost + failed + indeterminate";
        found.equal(&place, equation, counts.expected.into(), settled);
        for (name, within) in [("late", counts.late), ("reordered", counts.reordered)] {
            if within > counts.delivered {
                found.say(&place, format_args!("{within} {name} of {} delivered", counts.delivered));
            }
        }
    }
}

fn check_operation(found: &mut Findings, place: &str, operation: &Operation) {
    check_figures(found, place, &operation.figures);
    if operation.groups.is_empty() {
        return;
    }
    let mut outcomes = BTreeMap::new();
    for (name, figures) in &operation.groups {
        check_figures(found, &format!("{place}.groups.{name}"), figures);
        add_outcomes(&mut outcomes, figures);
    }
    check_outcomes(found, &format!("{place}, sum over groups"), &operation.figures, &outcomes);
}

fn check_figures(found: &mut Findings, place: &str, figures: &Figures) {
    let sum = |wanted: fn(&str) -> bool| -> u128 {
        let counts = figures.outcomes.iter().filter(|(outcome, _)| wanted(outcome));
        counts.map(|(_, &count)| u128::from(count)).sum()
    };
    let attempted = sum(|outcome| !is_indeterminate(outcome));
    let completed = sum(is_completed);
    found.equal(place, "attempts against the sum of outcomes", figures.attempts.into(), attempted);
    for (name, times) in [
        ("response_us", &figures.response_us),
        ("service_us", &figures.service_us),
        ("lag_us", &figures.lag_us),
        ("blocked_us", &figures.blocked_us),
    ] {
        let place = format!("{place}.{name}");
        found.equal(&place, "count against ok + late", times.count.into(), completed);
        found.equal(&place, "attempted.count against attempts", times.attempted.count.into(), attempted);
        check_distribution(found, &place, times);
    }
}

/// Everything printed must follow from the histogram beside it.
fn check_distribution(found: &mut Findings, place: &str, times: &Distribution) {
    if times.negative > 0 {
        found.say(place, format_args!("{} negative times: a bug of xmpp-bench", times.negative));
    }
    let mut histogram = match Histogram::decode(&times.histogram) {
        Ok(histogram) => histogram,
        Err(error) => return found.say(place, error),
    };
    histogram.add_counters(times.clamped, times.negative);
    let Some(infinite) = times.attempted.count.checked_sub(histogram.count()) else {
        return found.say(place, "more completed than attempted");
    };
    let derived = histogram.distribution(infinite);
    let means_agree = match (derived.mean, times.mean) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * a.abs(),
        (a, b) => a == b,
    };
    let text = times.histogram.clone();
    let derived = Distribution { mean: times.mean, histogram: text, ..derived };
    if !means_agree || derived != *times {
        found.say(place, "its numbers do not follow from its histogram");
    }
}

fn check_sum_over_phases(found: &mut Findings, name: &str, operation: &Operation, phases: &[Phase]) {
    let place = format!("operations.{name}, sum over its phases");
    let mut outcomes = BTreeMap::new();
    let mut response = Histogram::new();
    for phase in phases.iter().filter(|phase| operation.phases.contains(&phase.name)) {
        let Some(part) = phase.operations.get(name) else { continue };
        add_outcomes(&mut outcomes, &part.figures);
        if let Ok(part) = Histogram::decode(&part.figures.response_us.histogram) {
            response.merge(&part);
        }
    }
    check_outcomes(found, &place, &operation.figures, &outcomes);
    if Histogram::decode(&operation.figures.response_us.histogram).is_ok_and(|whole| whole != response) {
        found.say(&place, "its response histogram is not theirs");
    }
}

fn check_outcomes(found: &mut Findings, place: &str, whole: &Figures, parts: &BTreeMap<String, u128>) {
    let whole: BTreeMap<_, _> =
        whole.outcomes.iter().map(|(name, &count)| (name, u128::from(count))).collect();
    let parts: BTreeMap<_, _> = parts.iter().map(|(name, &count)| (name, count)).collect();
    if whole != parts {
        found.say(place, format_args!("outcomes {whole:?} are not {parts:?}"));
    }
}

fn add_outcomes(sums: &mut BTreeMap<String, u128>, figures: &Figures) {
    for (outcome, &count) in &figures.outcomes {
        *sums.entry(outcome.clone()).or_default() += u128::from(count);
    }
}

fn check_observed(found: &mut Findings, observed: &Observed) {
    for source in &observed.sources {
        let place = format!("observed: {}", source.name);
        for (name, column) in &source.columns {
            let what = format!("length of the column {name}");
            found.equal(&place, &what, column.values.len() as u128, source.at_s.len() as u128);
        }
        let misplaced = |(second, at): (usize, &Option<f64>)| at.is_some_and(|at| at as usize != second);
        if source.at_s.iter().enumerate().any(misplaced) {
            found.say(&place, "a reading stands in another second than its own");
        }
        for name in [&source.cpu, &source.memory].into_iter().flatten() {
            if !source.columns.contains_key(name) {
                found.say(&place, format_args!("there is no column {name}"));
            }
        }
    }
    let derived = &observed.derived;
    for (name, figure) in [
        ("cpu_s_per_1000_messages", &derived.cpu_s_per_1000_messages),
        ("cpu_s_per_1000_logins", &derived.cpu_s_per_1000_logins),
    ] {
        let follows = figure.cpu_s.map(|cpu_s| 1_000.0 * cpu_s / figure.operations as f64);
        let agrees =
            |value: f64| follows.is_some_and(|follows| (follows - value).abs() <= 1e-9 * value.abs());
        if figure.value.is_some_and(|value| !agrees(value))
            || figure.value.is_some() != figure.reason.is_empty()
        {
            found.say("observed", format_args!("{name} does not follow from what stands beside it"));
        }
    }
}
