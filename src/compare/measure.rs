//! What is compared: the table of measures, each with its unit, its sense and where in a result it comes from.
//!
//! A measure is a subject (an operation, an account of messages, `generator`, `server`) and a figure of it, written
//! `message.delivery.p99` as objectives are; `peak/message.delivery.p99` is of the phase `peak` alone. A new figure is a line of
//! a table here.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gate::Resolved;
use super::run::Run;
use crate::results::growth::{Growth, Step, steps};
use crate::results::{
    Extended, Figures, LedgerCounts, Observed, ObservedSource, Phase, RunResult, ThreadRole,
};
use crate::sample::LedgerKind;
use crate::stats::rank::Scale;

/// One thing that is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Measure {
    pub(super) subject: Subject,
    pub(super) figure: Figure,
}

/// What has figures. Over all phases first, then phase by phase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    /// The measured phase it is of alone.
    pub(super) phase: Option<String>,
    /// An operation, an account, `generator` or `server`.
    pub(super) name: String,
}

impl Subject {
    pub(super) fn whole(name: &str) -> Self {
        Self { phase: None, name: name.to_owned() }
    }

    pub(super) fn within(phase: &str, name: &str) -> Self {
        Self { phase: Some(phase.to_owned()), name: name.to_owned() }
    }

    /// It with each of these figures.
    pub(super) fn measures<'a>(&'a self, figures: &'a [Figure]) -> impl Iterator<Item = Measure> + 'a {
        figures.iter().map(|&figure| Measure { subject: self.clone(), figure })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.phase {
            Some(phase) => write!(f, "{phase}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
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
    Undelivered,
    Loss,
    Failed,
    Indeterminate,
    Duplicated,
    Misdelivered,
    Reordered,
    Cpu,
    Memory,
    CpuPerMessages,
    CpuPerLogins,
    MemoryPerUser,
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
    /// Bytes; changes are relative.
    Bytes,
}

impl Unit {
    /// How two numbers of it are compared.
    pub(super) const fn scale(self) -> Scale {
        match self {
            Self::Micros | Self::PerSecond | Self::Processors | Self::Bytes => Scale::Ratio,
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
    // Of the copies owed, those that certainly did not arrive: lost or refused.
    (Figure::Undelivered, "undelivered", Unit::Share, LowerIsBetter),
    // Each column of the account, of the copies owed.
    (Figure::Loss, "loss", Unit::Share, LowerIsBetter),
    (Figure::Failed, "failed", Unit::Share, LowerIsBetter),
    (Figure::Indeterminate, "indeterminate", Unit::Share, LowerIsBetter),
    (Figure::Duplicated, "duplicated", Unit::Share, LowerIsBetter),
    (Figure::Misdelivered, "misdelivered", Unit::Share, LowerIsBetter),
    (Figure::Reordered, "reordered", Unit::Share, LowerIsBetter),
    // Processor time over the run's time.
    (Figure::Cpu, "cpu", Unit::Processors, LowerIsBetter),
    // The most that was read at once.
    (Figure::Memory, "memory", Unit::Bytes, LowerIsBetter),
    // What load costs the server, where the run can tell (`observed.derived`): processor time of a thousand.
    (Figure::CpuPerMessages, "cpu_per_1000_messages", Unit::Micros, LowerIsBetter),
    (Figure::CpuPerLogins, "cpu_per_1000_logins", Unit::Micros, LowerIsBetter),
    (Figure::MemoryPerUser, "memory_per_user", Unit::Bytes, LowerIsBetter),
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

    /// What an account has.
    pub(super) const OF_ACCOUNTS: &[Self] = &[
        Self::Undelivered,
        Self::Loss,
        Self::Failed,
        Self::Indeterminate,
        Self::Duplicated,
        Self::Misdelivered,
        Self::Reordered,
    ];

    /// What an observed server has beside `cpu`.
    pub(super) const OF_OBSERVED: &[Self] =
        &[Self::Memory, Self::CpuPerMessages, Self::CpuPerLogins, Self::MemoryPerUser];

    /// What is shown of a phase that is one of several; a gate may name any other.
    const OF_PHASES: &[Self] = &[Self::P50, Self::P99, Self::Rate, Self::Errors, Self::Undelivered];

    fn line(self) -> &'static Line {
        LINES.iter().find(|line| line.0 == self).expect("every figure has its line; a test reads them all")
    }

    pub(super) fn name(self) -> &'static str {
        self.line().1
    }
}

impl Measure {
    /// Over all phases it belongs to.
    pub(super) fn new(name: &str, figure: Figure) -> Self {
        Self { subject: Subject::whole(name), figure }
    }

    /// Whether it has a row without being asked for: what is over all phases, and of one of several what matters most.
    pub(super) fn is_shown(&self, measured_phases: usize) -> bool {
        self.subject.phase.is_none() || measured_phases > 1 && Figure::OF_PHASES.contains(&self.figure)
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

impl FromStr for Measure {
    type Err = ();

    /// As it is displayed; `p99.9` has a dot of its own.
    fn from_str(text: &str) -> Result<Self, ()> {
        let split = |line: &Line| Some((text.strip_suffix(line.1)?.strip_suffix('.')?, line.0));
        let found = LINES.iter().find_map(split).filter(|(subject, _)| !subject.is_empty());
        let (subject, figure) = found.ok_or(())?;
        let subject = match subject.split_once('/') {
            Some((phase, name)) => Subject::within(phase, name),
            None => Subject::whole(subject),
        };
        Ok(Self { subject, figure })
    }
}

/// What is compared first, fixed before a value is looked at: the gates' measures (but for `== 0`, which takes no statistics);
/// without them p50 and p99 of the first delivery there is, and what was not delivered of every kind the runs sent; where nothing
/// is delivered, p50, p99 and errors of the first operation the profile plans.
pub(super) fn primary<'a>(gates: &[Resolved], runs: impl Iterator<Item = &'a Run> + Clone) -> Vec<Measure> {
    let tested = gates.iter().filter(|gate| gate.is_tested());
    let gated: BTreeSet<Measure> = tested.map(|gate| gate.measure.clone()).collect();
    if !gated.is_empty() {
        return gated.into_iter().collect();
    }
    let kinds = [LedgerKind::Message, LedgerKind::Groupchat, LedgerKind::Presence];
    let delivery = |kind: LedgerKind| format!("{}.delivery", kind.as_str());
    let sent: Vec<LedgerKind> = kinds
        .into_iter()
        .filter(|&kind| runs.clone().any(|run| run.has_operation(&delivery(kind))))
        .collect();
    if let Some(&first) = sent.first() {
        let times = [Figure::P50, Figure::P99].map(|figure| Measure::new(&delivery(first), figure));
        let accounts = sent.iter().map(|kind| Measure::new(kind.as_str(), Figure::Undelivered));
        return times.into_iter().chain(accounts).collect();
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
        // Of the series, the accounts, the server.
        _ => None,
    }
}

/// A figure of the observed server; nothing where the run cannot support it, or nothing positive came of it: an unused
/// process cannot be compared by ratio.
pub(super) fn of_observed(figure: Figure, observed: &Observed) -> Option<f64> {
    let derived = &observed.derived;
    let micros = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1e6);
    let value = match figure {
        Figure::Memory => memory_at_most(&observed.sources),
        Figure::CpuPerMessages => micros(derived.cpu_s_per_1000_messages.value),
        Figure::CpuPerLogins => micros(derived.cpu_s_per_1000_logins.value),
        Figure::MemoryPerUser => derived.memory_bytes_per_user.value,
        _ => None,
    };
    value.filter(|value| value.is_finite() && *value > 0.0)
}

/// The most memory all sources that know theirs had in one second, by the seconds in which all of them were read.
fn memory_at_most(sources: &[ObservedSource]) -> Option<f64> {
    let columns: Vec<&[Option<f64>]> = sources
        .iter()
        .filter_map(|source| source.columns.get(source.memory.as_ref()?))
        .map(|column| column.values.as_slice())
        .collect();
    let seconds = columns.iter().map(|column| column.len()).min()?;
    let sums =
        (0..seconds).filter_map(|second| columns.iter().map(|column| column[second]).sum::<Option<f64>>());
    sums.max_by(f64::total_cmp)
}

/// A column of an account, of the copies owed.
pub(super) fn of_accounts<'a>(
    figure: Figure,
    accounts: impl Iterator<Item = &'a LedgerCounts>,
) -> Option<f64> {
    let column = |counts: &LedgerCounts| match figure {
        Figure::Undelivered => counts.lost as f64 + counts.failed as f64,
        Figure::Loss => counts.lost as f64,
        Figure::Failed => counts.failed as f64,
        Figure::Indeterminate => counts.indeterminate as f64,
        Figure::Duplicated => counts.duplicated as f64,
        Figure::Misdelivered => counts.misdelivered as f64,
        Figure::Reordered => counts.reordered as f64,
        _ => 0.0,
    };
    let (sum, expected) =
        accounts.fold((0.0, 0.0), |sum, counts| (sum.0 + column(counts), sum.1 + counts.expected as f64));
    (expected > 0.0).then(|| sum / expected)
}

/// Processors used on average: by the generator's own threads, over the run; by the server as it was observed in the measured phases,
/// or where it was not and runs inside the process, by its threads over the run. Nothing where a source that counts processor
/// time could not be read: less than all would look like an improvement.
pub(super) fn processors(result: &RunResult, subject: &str) -> Option<f64> {
    let is_server = subject == SERVER;
    let sources = result.observed.iter().filter(|_| is_server).flat_map(|observed| &observed.sources);
    let counted: Vec<&ObservedSource> = sources.filter(|source| source.cpu.is_some()).collect();
    if !counted.is_empty() {
        return all_processors(&counted, &result.phases);
    }
    let threads =
        result.generator.threads.iter().filter(|thread| (thread.role == ThreadRole::Server) == is_server);
    let used: f64 = threads.map(|thread| thread.user_s + thread.system_s).sum();
    let seconds = f64::from(result.series.seconds);
    (used > 0.0 && seconds > 0.0).then_some(used / seconds)
}

fn all_processors(counted: &[&ObservedSource], phases: &[Phase]) -> Option<f64> {
    counted.iter().map(|source| observed_processors(source, phases)).sum()
}

/// Processor seconds per second of a source between readings of one measured phase.
fn observed_processors(source: &ObservedSource, phases: &[Phase]) -> Option<f64> {
    let counter = source.columns.get(source.cpu.as_ref()?)?;
    let is_measured = |step: &Step| {
        let mut measured = phases.iter().filter(|phase| phase.measured);
        measured.any(|phase| phase.start_s - NEAR_S <= step.from_s && step.to_s <= phase.end_s + NEAR_S)
    };
    let growth = Growth::over(steps(source, counter).filter(is_measured))?;
    (growth.by > 0.0).then(|| growth.rate())
}

/// A reading this near to a phase's end belongs to it, seconds.
const NEAR_S: f64 = 0.1;

/// The generator's own processor time.
pub(super) const GENERATOR: &str = "generator";
/// The server's processor time and memory, where they were recorded.
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::results::{Column, Ledgers};

    fn phase(measured: bool, start_s: f64, end_s: f64) -> Phase {
        let (name, operations, ledger) = ("steady".to_owned(), BTreeMap::new(), Ledgers::default());
        Phase { name, start_s, end_s, measured, operations, ledger, traffic: None }
    }

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
        assert_eq!(observed_processors(&source, &[phase(true, 0.0, 5.0)]), Some(2.0 / 4.0));
        let ramp = [phase(false, 0.0, 1.0), phase(true, 1.0, 5.0)];
        assert_eq!(observed_processors(&source, &ramp), Some(1.5 / 3.0), "measured phases only");
        // Readings a little before a phase's start and after its end are its own; those farther off are not.
        assert_eq!(observed_processors(&source, &[phase(true, 3.05, 3.95)]), None, "began anew");
        assert_eq!(observed_processors(&source, &[phase(true, 4.09, 4.91)]), Some(0.5));
        assert_eq!(observed_processors(&source, &[phase(true, 4.11, 4.89)]), None);
        let idle =
            ObservedSource { columns: [("cpu".into(), column(&[Some(7.0); 6]))].into(), ..source.clone() };
        assert_eq!(
            observed_processors(&idle, &[phase(true, 0.0, 5.0)]),
            None,
            "no ratio can be taken of nothing"
        );
        assert_eq!(observed_processors(&source, &[]), None);
        assert_eq!(observed_processors(&ObservedSource::default(), &ramp), None);
    }

    #[test]
    fn a_source_that_was_not_read_makes_no_server_cheaper() {
        let measured = [phase(true, 0.0, 2.0)];
        let source = |values: &[Option<f64>]| ObservedSource {
            cpu: Some("cpu".into()),
            at_s: (0..values.len()).map(|at| Some(at as f64)).collect(),
            columns: [("cpu".into(), Column { values: values.to_vec(), ..Column::default() })].into(),
            ..ObservedSource::default()
        };
        let (one, unread) = (source(&[Some(1.0), Some(1.5), Some(2.0)]), source(&[None, None, None]));
        assert_eq!(all_processors(&[&one, &one], &measured), Some(1.0));
        assert_eq!(all_processors(&[&one, &unread], &measured), None);
    }

    #[test]
    fn an_account_is_told_column_by_column() {
        let one = LedgerCounts {
            expected: 600,
            delivered: 594,
            lost: 1,
            failed: 2,
            indeterminate: 3,
            ..LedgerCounts::default()
        };
        let other = LedgerCounts {
            expected: 400,
            delivered: 400,
            duplicated: 4,
            misdelivered: 5,
            reordered: 6,
            ..LedgerCounts::default()
        };
        let shares =
            Figure::OF_ACCOUNTS.iter().map(|figure| of_accounts(*figure, [&one, &other].into_iter()));
        let shares: Vec<f64> = shares.map(|share| share.unwrap() * 1_000.0).collect();
        assert_eq!(shares, [3.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(of_accounts(Figure::Loss, std::iter::empty()), None, "nothing was owed");
    }

    #[test]
    fn memory_is_the_most_all_sources_had_at_once() {
        let source = |values: &[Option<f64>]| ObservedSource {
            memory: Some("rss".into()),
            columns: [("rss".into(), Column { values: values.to_vec(), ..Column::default() })].into(),
            ..ObservedSource::default()
        };
        let one = source(&[Some(50.0), Some(60.0), Some(90.0), None]);
        let other = source(&[Some(5.0), Some(7.0), None, Some(80.0)]);
        let observed = |sources| Observed { sources, ..Observed::default() };
        let both = observed(vec![one, other, ObservedSource::default()]);
        assert_eq!(of_observed(Figure::Memory, &both), Some(67.0), "the second in which both were read");
        assert_eq!(of_observed(Figure::Memory, &observed(Vec::new())), None);
        assert_eq!(of_observed(Figure::Memory, &observed(vec![source(&[Some(0.0)])])), None);
    }

    #[test]
    fn what_load_costs_is_taken_over_from_the_result() {
        let mut observed = Observed::default();
        assert_eq!(of_observed(Figure::CpuPerMessages, &observed), None);
        observed.derived.cpu_s_per_1000_messages.value = Some(0.25);
        observed.derived.cpu_s_per_1000_logins.value = Some(1.5);
        observed.derived.memory_bytes_per_user.value = Some(4096.0);
        let found = Figure::OF_OBSERVED.iter().map(|figure| of_observed(*figure, &observed));
        assert_eq!(found.collect::<Vec<_>>(), [None, Some(250_000.0), Some(1_500_000.0), Some(4096.0)]);
    }

    #[test]
    fn a_measure_is_read_as_it_is_written() {
        for &(figure, ..) in LINES {
            let whole = Measure::new("message.delivery", figure);
            let of_phase = Measure { subject: Subject::within("step-2", "login"), figure };
            for measure in [whole, of_phase] {
                assert_eq!(measure.to_string().parse(), Ok(measure));
            }
        }
        let nothing = ["", "p99", ".p99", "login", "login.p98", "login.tls/p99"];
        assert!(nothing.iter().all(|text| text.parse::<Measure>().is_err()), "{nothing:?}");
    }

    #[test]
    fn every_figure_has_its_line() {
        let figures = Figure::OF_OPERATIONS.iter().chain(Figure::OF_ACCOUNTS).chain(Figure::OF_OBSERVED);
        let figures = figures.chain(&[Figure::Cpu]);
        assert_eq!(figures.clone().count(), LINES.len());
        for &figure in figures {
            assert!(!figure.name().is_empty());
        }
    }
}
