//! What is compared: the table of measures, each with its unit, its sense and where in a result it comes from.
//!
//! A measure is a subject (an operation, an account of messages, `generator`, `server`) and a figure of it, written
//! `message.delivery.p99` as objectives are. A new figure is a line of a table here.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gate::Resolved;
use super::run::Run;
use crate::results::{Extended, Figures, LedgerCounts, ObservedSource, RunResult, ThreadRole};
use crate::stats::rank::Scale;

/// One thing that is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Measure {
    pub(super) subject: String,
    pub(super) figure: Figure,
}

/// A figure of a subject; ordered as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Figure {
    P50,
    P90,
    P99,
    P99_9,
    Max,
    Rate,
    Done,
    Errors,
    Unsent,
    Loss,
    Cpu,
}

/// What a measure's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Microseconds; changes are relative.
    #[serde(rename = "us")]
    Micros,
    /// Events per second; changes are relative.
    PerSecond,
    /// A share, 0 to 1; changes are differences.
    Share,
    /// Processors in use on average; changes are relative.
    Processors,
}

impl Unit {
    /// How two numbers of it are compared.
    pub(super) const fn scale(self) -> Scale {
        match self {
            Self::Micros | Self::PerSecond | Self::Processors => Scale::Ratio,
            Self::Share => Scale::Difference,
        }
    }
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sense {
    /// Less is better.
    LowerIsBetter,
    /// More is better.
    HigherIsBetter,
}

/// Figure, its name, its unit, which way is better.
type Line = (Figure, &'static str, Unit, Sense);

use Sense::{HigherIsBetter, LowerIsBetter};

const LINES: &[Line] = &[
    // Response time over all attempts: what never completed is infinite.
    (Figure::P50, "p50", Unit::Micros, LowerIsBetter),
    (Figure::P90, "p90", Unit::Micros, LowerIsBetter),
    (Figure::P99, "p99", Unit::Micros, LowerIsBetter),
    (Figure::P99_9, "p99.9", Unit::Micros, LowerIsBetter),
    (Figure::Max, "max", Unit::Micros, LowerIsBetter),
    // Completed per second, by the second it was done.
    (Figure::Rate, "rate", Unit::PerSecond, HigherIsBetter),
    // Completed of what was asked.
    (Figure::Done, "done", Unit::Share, HigherIsBetter),
    // Lost, timed out or failed, of what was asked.
    (Figure::Errors, "errors", Unit::Share, LowerIsBetter),
    // Never started, of what was asked.
    (Figure::Unsent, "unsent", Unit::Share, LowerIsBetter),
    // Copies that never came, of those owed.
    (Figure::Loss, "loss", Unit::Share, LowerIsBetter),
    // Processor time over the run's time.
    (Figure::Cpu, "cpu", Unit::Processors, LowerIsBetter),
];

impl Figure {
    /// What an operation has.
    pub(super) const OF_OPERATIONS: &[Self] = &[
        Self::P50,
        Self::P90,
        Self::P99,
        Self::P99_9,
        Self::Max,
        Self::Rate,
        Self::Done,
        Self::Errors,
        Self::Unsent,
    ];

    fn line(self) -> &'static Line {
        LINES.iter().find(|line| line.0 == self).expect("every figure has its line; a test reads them all")
    }

    pub(super) fn name(self) -> &'static str {
        self.line().1
    }
}

impl Measure {
    pub(super) fn new(subject: &str, figure: Figure) -> Self {
        Self { subject: subject.to_owned(), figure }
    }

    pub(super) fn unit(&self) -> Unit {
        self.figure.line().2
    }

    pub(super) fn sense(&self) -> Sense {
        self.figure.line().3
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.subject, self.figure.name())
    }
}

/// What is compared first, fixed before a value is looked at: the gates' measures; without gates delivery's p50, p99 and
/// loss; where nothing is delivered, p50, p99 and errors of the first operation its profile plans.
pub(super) fn primary<'a>(gates: &[Resolved], runs: impl Iterator<Item = &'a Run> + Clone) -> Vec<Measure> {
    let gated: BTreeSet<Measure> = gates.iter().map(|gate| gate.measure.clone()).collect();
    if !gated.is_empty() {
        return gated.into_iter().collect();
    }
    let delivered = [
        ("message.delivery", "message"),
        ("groupchat.delivery", "groupchat"),
        ("presence.delivery", "presence"),
    ];
    for (operation, ledger) in delivered {
        if runs.clone().any(|run| run.has_operation(operation)) {
            return vec![
                Measure::new(operation, Figure::P50),
                Measure::new(operation, Figure::P99),
                Measure::new(ledger, Figure::Loss),
            ];
        }
    }
    let planned = runs
        .clone()
        .flat_map(Run::planned)
        .find(|operation| runs.clone().any(|run| run.has_operation(operation)));
    let operation = planned.map_or("login", String::as_str);
    [Figure::P50, Figure::P99, Figure::Errors]
        .into_iter()
        .map(|figure| Measure::new(operation, figure))
        .collect()
}

/// A figure of an operation, by its numbers over what it covers; rates are taken from the series elsewhere.
pub(super) fn of_operation(figure: Figure, figures: &Figures) -> Option<f64> {
    let times = &figures.response_us;
    let share = |belongs: fn(&str) -> bool| {
        let counts = figures.outcomes.iter();
        let sum = |all: bool| {
            counts
                .clone()
                .filter(|(name, _)| all || belongs(name))
                .map(|(_, count)| *count as f64)
                .sum::<f64>()
        };
        (sum(true) > 0.0).then(|| sum(false) / sum(true))
    };
    match figure {
        Figure::P50 => number(times.attempted.p50),
        Figure::P90 => number(times.attempted.p90),
        Figure::P99 => number(times.attempted.p99),
        Figure::P99_9 => number(times.attempted.p99_9),
        Figure::Max if times.attempted.count > times.count => Some(f64::INFINITY),
        Figure::Max => times.max.map(|micros| micros as f64),
        Figure::Done => share(|name| name == "ok" || name == "late"),
        Figure::Errors => share(|name| name == "lost" || name == "timeout" || name.starts_with("failed")),
        Figure::Unsent => share(|name| name.starts_with("unsent")),
        Figure::Rate | Figure::Loss | Figure::Cpu => None,
    }
}

/// The share of the copies owed that never came.
pub(super) fn loss<'a>(accounts: impl Iterator<Item = &'a LedgerCounts>) -> Option<f64> {
    let add = |(lost, expected), counts: &LedgerCounts| {
        (lost + counts.lost as f64, expected + counts.expected as f64)
    };
    let (lost, expected): (f64, f64) = accounts.fold((0.0, 0.0), add);
    (expected > 0.0).then(|| lost / expected)
}

/// Processors used on average over the run: by the generator's own threads; by the server as it was observed, or where it was
/// not and runs inside the process, by its threads.
pub(super) fn processors(result: &RunResult, subject: &str) -> Option<f64> {
    let is_server = subject == SERVER;
    let observed = result.observed.iter().filter(|_| is_server).flat_map(|observed| &observed.sources);
    let observed: Vec<f64> = observed.filter_map(observed_processors).collect();
    if !observed.is_empty() {
        return Some(observed.iter().sum());
    }
    let threads =
        result.generator.threads.iter().filter(|thread| (thread.role == ThreadRole::Server) == is_server);
    let used: f64 = threads.map(|thread| thread.user_s + thread.system_s).sum();
    let seconds = f64::from(result.series.seconds);
    (used > 0.0 && seconds > 0.0).then_some(used / seconds)
}

/// What a source's counter of processor seconds grew by, over the time between its readings. A counter that falls has begun
/// anew: that step is left out.
fn observed_processors(source: &ObservedSource) -> Option<f64> {
    let counter = source.columns.get(source.cpu.as_ref()?)?;
    let readings: Vec<(f64, f64)> =
        source.at_s.iter().zip(&counter.values).filter_map(|(at, value)| Some(((*at)?, (*value)?))).collect();
    let steps = readings.windows(2).map(|pair| (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1));
    let grown = steps.filter(|(time, growth)| *time > 0.0 && *growth >= 0.0);
    let (time, growth) = grown.fold((0.0, 0.0), |sum, step| (sum.0 + step.0, sum.1 + step.1));
    (time > 0.0 && growth > 0.0).then(|| growth / time)
}

/// The generator's own processor time.
pub(super) const GENERATOR: &str = "generator";
/// The server's processor time, where it was recorded.
pub(super) const SERVER: &str = "server";

fn number(value: Extended<u64>) -> Option<f64> {
    match value {
        Extended::Unsupported => None,
        Extended::Finite(micros) => Some(micros as f64),
        Extended::Infinite => Some(f64::INFINITY),
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the sums are exact")]
mod tests {
    use super::*;
    use crate::results::Column;

    #[test]
    fn what_an_observed_server_used_is_its_counters_growth_over_time() {
        let column = |values: &[Option<f64>]| Column { values: values.to_vec(), ..Column::default() };
        let source = ObservedSource {
            cpu: Some("cpu".into()),
            at_s: vec![Some(0.0), Some(1.0), None, Some(3.0), Some(4.0), Some(5.0)],
            // It began anew between 3 and 4.
            columns: [(
                "cpu".into(),
                column(&[Some(10.0), Some(10.5), None, Some(11.5), Some(0.1), Some(0.6)]),
            )]
            .into(),
            ..ObservedSource::default()
        };
        assert_eq!(observed_processors(&source), Some(2.0 / 4.0));
        assert_eq!(observed_processors(&ObservedSource::default()), None);
    }

    #[test]
    fn every_figure_has_its_line() {
        let figures = Figure::OF_OPERATIONS.iter().chain(&[Figure::Loss, Figure::Cpu]);
        assert_eq!(figures.clone().count(), LINES.len());
        for &figure in figures {
            assert!(!figure.name().is_empty());
        }
    }
}
