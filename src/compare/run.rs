//! One run, reduced to what a comparison needs: its circumstances, its measures, and its seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::measure::{self, Figure, GENERATOR, Measure, SERVER, Subject};
use super::show::clean;
use crate::results::check;
use crate::results::file::{self, ReadError};
use crate::results::histogram::last_of;
use crate::results::{
    ExitReason, GENERATOR_LIMITED, Host, LedgerCounts, Operation, OperationSeries, Phase, Profile, RunResult,
    SourceKind, Target, VerdictState,
};
use crate::sample::LedgerKind;
use crate::stats::blocks::Intervals;

/// A run, read for comparing.
#[derive(Clone, Debug)]
pub struct Run {
    /// The file it comes from, or a name for it.
    pub name: String,
    /// What the run calls itself.
    pub(super) id: String,
    pub(super) started: String,
    pub(super) seed: u64,
    pub(super) verdict: VerdictState,
    /// The predicates that speak for the verdict, where it is not valid.
    pub(super) because: Vec<String>,
    /// Why it is no whole run, where the verdict does not say so.
    pub(super) endings: Vec<String>,
    /// Worker threads.
    pub(super) workers: usize,
    /// What was observed beside it: kinds, for names are each side's own.
    pub(super) observed: Vec<SourceKind>,
    pub(super) tool: String,
    pub(super) profile: Profile,
    pub(super) host: Host,
    pub(super) target: Target,
    /// The measured phases, in their order.
    pub(super) phases: Vec<String>,
    values: BTreeMap<Measure, f64>,
    /// Measures with too few observations for a number.
    unsupported: Vec<Measure>,
    seconds: BTreeMap<Subject, Seconds>,
}

/// What sessions do beside their activities, whether or not in every phase.
const OF_SESSIONS: [&str; 3] = ["login", "logout", "presence.echo"];

/// A measure, and its value where there are enough observations for one.
type Found = (Measure, Option<f64>);

/// An operation's measured intervals.
#[derive(Clone, Debug, Default)]
pub(super) struct Seconds {
    /// Response times.
    pub(super) times: Intervals,
    /// Asked, completed by intention, done, errors, unsent, per interval.
    pub(super) asked: Vec<f64>,
    pub(super) done_by_intended: Vec<f64>,
    pub(super) done: Vec<f64>,
    pub(super) errors: Vec<f64>,
    pub(super) unsent: Vec<f64>,
    /// Length of an interval, seconds.
    pub(super) length: u32,
}

impl Run {
    /// Reads a result, or the journal a killed run left. A file that contradicts itself is refused: decisions are made of this.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let result = file::read(path)?;
        let found = check::contradictions(&result);
        if let Some(first) = found.first() {
            let more =
                if found.len() > 1 { format!(" (and {} more)", found.len() - 1) } else { String::new() };
            return Err(ReadError::Contradicts { path: path.to_owned(), what: clean(first), more });
        }
        Ok(Self::of(&path.to_string_lossy(), &result))
    }

    /// From a result at hand; `name` is what it is called in what a person reads.
    pub fn of(name: &str, result: &RunResult) -> Self {
        let (values, unsupported) = measures(result);
        let evidence = result.verdict.evidence.iter().filter(|one| one.state == result.verdict.state);
        Self {
            name: name.to_owned(),
            id: result.run_id.clone(),
            started: result.started.clone(),
            seed: result.seed,
            verdict: result.verdict.state,
            because: evidence.fold(Vec::new(), |mut all, one| {
                if !all.contains(&one.predicate) {
                    all.push(one.predicate.clone());
                }
                all
            }),
            endings: endings(result),
            workers: result.generator.workers.iter().map(|one| one.worker).collect::<BTreeSet<_>>().len(),
            observed: result.observed.iter().flat_map(|one| &one.sources).map(|one| one.kind).collect(),
            tool: format!("{} {}", result.tool.name, result.tool.version),
            profile: result.profile.clone(),
            host: result.host.clone(),
            target: result.target.clone(),
            phases: told_apart(result).map(|phase| phase.name.clone()).collect(),
            values,
            unsupported,
            seconds: seconds(result),
        }
    }

    /// What can be compared, those with too few observations included.
    pub(super) fn measures(&self) -> impl Iterator<Item = &Measure> {
        self.values.keys().chain(&self.unsupported)
    }

    pub(super) fn value(&self, measure: &Measure) -> Option<f64> {
        // An empty sum is a negative zero.
        self.values.get(measure).map(|value| value + 0.0)
    }

    /// Whether its profile asks for it, whether or not anything came of it.
    pub(super) fn plans(&self, measure: &Measure) -> bool {
        let Subject { phase, name } = &measure.subject;
        let is_planned = |name: &str| OF_SESSIONS.contains(&name) || self.planned().any(|one| one == name);
        let is_known = match measure.figure {
            figure if Figure::OF_ACCOUNTS.contains(&figure) => is_planned(&format!("{name}.delivery")),
            figure if Figure::OF_OPERATIONS.contains(&figure) => is_planned(name),
            // Of the server, which may have been there and could not be read.
            _ => name == SERVER && phase.is_none() && !self.observed.is_empty(),
        };
        is_known && phase.as_ref().is_none_or(|phase| self.phases.contains(phase))
    }

    /// The operations anything was measured of.
    pub(super) fn operations(&self) -> impl Iterator<Item = &str> {
        let whole = self.seconds.keys().filter(|subject| subject.phase.is_none());
        whole.map(|subject| subject.name.as_str())
    }

    pub(super) fn has_operation(&self, name: &str) -> bool {
        self.seconds.contains_key(&Subject::whole(name))
    }

    /// The operations its profile plans, in their order.
    pub(super) fn planned(&self) -> impl Iterator<Item = &String> {
        self.profile.activities.iter().flat_map(|activity| &activity.operations)
    }

    pub(super) fn all_seconds(&self) -> impl Iterator<Item = (&Subject, &Seconds)> {
        self.seconds.iter()
    }

    pub(super) fn seconds(&self, subject: &Subject) -> Option<&Seconds> {
        self.seconds.get(subject)
    }
}

/// What an end was that leaves half a run, or numbers nobody vouches for.
fn endings(result: &RunResult) -> Vec<String> {
    // That a run was interrupted says already that it ended early.
    let early = result.ended_early.as_ref().filter(|_| result.verdict.state != VerdictState::Interrupted);
    let early = early.map(|early| format!("it ended early, {:.0} s in: {}", early.at_s, early.reason));
    // An internal error, nobody could log in, nothing was measured.
    let is_grave =
        |reason: &&ExitReason| [1, 3, 7].contains(&reason.code) && reason.reason != GENERATOR_LIMITED;
    let reasons = result.exit.reasons.iter().filter(is_grave);
    early.into_iter().chain(reasons.map(|reason| reason.reason.clone())).collect()
}

fn measures(result: &RunResult) -> (BTreeMap<Measure, f64>, Vec<Measure>) {
    let mut found = Vec::new();
    for (name, operation) in whole_operations(result, &result.operations) {
        found.extend(of_operation(result, &Subject::whole(name), operation));
    }
    for kind in LedgerKind::ALL {
        let accounts = measured(result).map(|phase| phase.ledger.of(kind));
        found.extend(of_accounts(&Subject::whole(kind.as_str()), accounts));
    }
    for phase in told_apart(result) {
        for (name, operation) in whole_operations(result, &phase.operations) {
            found.extend(of_operation(result, &Subject::within(&phase.name, name), operation));
        }
        for kind in LedgerKind::ALL {
            let account = std::iter::once(phase.ledger.of(kind));
            found.extend(of_accounts(&Subject::within(&phase.name, kind.as_str()), account));
        }
    }
    for subject in [GENERATOR, SERVER] {
        if let Some(used) = measure::processors(result, subject) {
            found.push((Measure::new(subject, Figure::Cpu), Some(used)));
        }
    }
    if let Some(observed) = &result.observed {
        let measures = Subject::whole(SERVER);
        let measures = measures.measures(Figure::OF_OBSERVED);
        found.extend(measures.map(|measure| {
            let value = measure::of_observed(measure.figure, observed);
            (measure, value)
        }));
    }
    let unsupported =
        found.iter().filter(|(_, value)| value.is_none()).map(|(measure, _)| measure.clone()).collect();
    (found.into_iter().filter_map(|(measure, value)| Some((measure, value?))).collect(), unsupported)
}

/// More measured phases than this are not told apart.
pub(super) const PHASES_MAX: usize = 200;

/// The measured phases that have measures of their own: those a gate could name (`results/README.md`), unless they are too many.
fn told_apart(result: &RunResult) -> impl Iterator<Item = &Phase> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let all: Vec<&Phase> = measured(result).filter(|phase| phase.name.chars().all(is_plain)).collect();
    let are_few = all.len() <= PHASES_MAX;
    all.into_iter().filter(move |_| are_few)
}

fn measured(result: &RunResult) -> impl Iterator<Item = &Phase> + Clone {
    result.phases.iter().filter(|phase| phase.measured)
}

fn of_operation(result: &RunResult, subject: &Subject, operation: &Operation) -> Vec<Found> {
    // Logins of a ramp are as many a second as the ramp asks for: nothing to compare.
    let has_rate = is_measured(result, &operation.phases);
    let measures = subject.measures(Figure::OF_OPERATIONS);
    let measures = measures.filter(|measure| has_rate || measure.figure != Figure::Rate);
    let one = |measure: Measure| {
        let value = match measure.figure {
            Figure::Rate => rate(result, &subject.name, &operation.phases),
            figure => measure::of_operation(figure, &operation.figures),
        };
        (measure, value)
    };
    measures.map(one).collect()
}

/// The columns of accounts in which anything was owed.
fn of_accounts<'a>(
    subject: &Subject,
    accounts: impl Iterator<Item = &'a LedgerCounts> + Clone,
) -> Vec<Found> {
    let measures = subject.measures(Figure::OF_ACCOUNTS);
    let share = |measure: Measure| {
        let share = measure::of_accounts(measure.figure, accounts.clone())?;
        Some((measure, Some(share)))
    };
    measures.filter_map(share).collect()
}

/// Some of a run's operations, without the steps of others (`login.tls` is a step of `login`). A phase may have steps of logins
/// that began before it.
fn whole_operations<'a>(
    result: &'a RunResult,
    some: &'a BTreeMap<String, Operation>,
) -> impl Iterator<Item = (&'a String, &'a Operation)> {
    let is_step =
        |name: &str| name.rsplit_once('.').is_some_and(|(whole, _)| result.operations.contains_key(whole));
    some.iter().filter(move |(name, _)| !is_step(name))
}

fn is_measured(result: &RunResult, phases: &[String]) -> bool {
    let mut named = result.phases.iter().filter(|phase| phases.contains(&phase.name));
    named.all(|phase| phase.measured)
}

/// Done per second over the whole seconds of these phases.
fn rate(result: &RunResult, operation: &str, phases: &[String]) -> Option<f64> {
    let columns = result.series.operations.get(operation)?;
    let windows = windows(result, phases);
    let seconds: usize = windows.iter().map(|(start, end)| end - start).sum();
    let done = windows.iter().flat_map(|&(start, end)| columns.done.get(start..end).unwrap_or_default());
    (seconds > 0).then(|| done.map(|&count| count as f64).sum::<f64>() / seconds as f64)
}

/// First second and end of these phases' whole seconds, as far as the run came: in order, none twice.
fn windows(result: &RunResult, phases: &[String]) -> Vec<(usize, usize)> {
    let recorded = result.series.bytes_out.len().min(result.series.seconds as usize) as f64;
    let until = result.ended_early.as_ref().map_or(recorded, |early| early.at_s.min(recorded));
    let window = |phase: &Phase| {
        let (start, end) = (phase.start_s.max(0.0).ceil(), phase.end_s.min(until).max(0.0).floor());
        (end > start).then_some((start as usize, end as usize))
    };
    let named = result.phases.iter().filter(|phase| phases.contains(&phase.name));
    let mut windows: Vec<(usize, usize)> = named.filter_map(window).collect();
    windows.sort_unstable();
    windows.dedup_by(|later, earlier| {
        let overlap = later.0 < earlier.1;
        earlier.1 = if overlap { earlier.1.max(later.1) } else { earlier.1 };
        overlap
    });
    windows
}

fn seconds(result: &RunResult) -> BTreeMap<Subject, Seconds> {
    let whole = whole_operations(result, &result.operations).map(|(name, one)| (Subject::whole(name), one));
    let mut all: Vec<(Subject, &Operation)> = whole.collect();
    for phase in told_apart(result) {
        let operations = whole_operations(result, &phase.operations);
        all.extend(operations.map(|(name, one)| (Subject::within(&phase.name, name), one)));
    }
    let of = |(subject, operation): (Subject, &Operation)| {
        let columns = result.series.operations.get(&subject.name);
        let seconds = columns.map(|columns| cut(columns, &windows(result, &operation.phases)));
        (subject, seconds.unwrap_or_default())
    };
    all.into_iter().map(of).collect()
}

/// The columns and histograms of some windows, in intervals of one length: seconds, or where histograms cover more, that.
fn cut(columns: &OperationSeries, windows: &[(usize, usize)]) -> Seconds {
    let inside = |second: u32| windows.iter().any(|&(start, end)| (start..end).contains(&(second as usize)));
    let histograms: Vec<_> = columns.response.iter().filter(|one| inside(one.start_s)).collect();
    let length = histograms.iter().map(|one| one.length_s).max().unwrap_or(1).max(1);
    let starts: Vec<usize> = windows
        .iter()
        .flat_map(|&(start, end)| {
            let first = start.next_multiple_of(length as usize);
            (first..end).step_by(length as usize).filter(move |at| at + length as usize <= end)
        })
        .collect();
    let sums = |column: &[u64]| -> Vec<f64> {
        let sum = |&at: &usize| column.iter().skip(at).take(length as usize).map(|&count| count as f64).sum();
        starts.iter().map(sum).collect()
    };
    let infinite = |at: &usize| {
        let sum = |column: &[u64]| {
            column.iter().skip(*at).take(length as usize).fold(0u64, |a, &b| a.saturating_add(b))
        };
        sum(&columns.errors).saturating_add(sum(&columns.unsent))
    };
    Seconds {
        times: attempted(Intervals {
            infinite: starts.iter().map(infinite).collect(),
            ..joined(&histograms, &starts, length)
        }),
        asked: sums(&columns.asked),
        done_by_intended: sums(&columns.done_by_intended),
        done: sums(&columns.done),
        errors: sums(&columns.errors),
        unsent: sums(&columns.unsent),
        length,
    }
}

/// The intervals in which anything was attempted: the others say nothing of times.
fn attempted(all: Intervals) -> Intervals {
    let kept = all
        .cells
        .into_iter()
        .zip(all.infinite)
        .filter(|(cells, infinite)| !cells.is_empty() || *infinite > 0);
    let (cells, infinite) = kept.unzip();
    Intervals { values: all.values, cells, infinite }
}

/// Histograms put into intervals, their buckets numbered without gaps.
fn joined(histograms: &[&crate::results::IntervalHistogram], starts: &[usize], length: u32) -> Intervals {
    let mut buckets: Vec<u16> =
        histograms.iter().flat_map(|one| one.buckets.0.iter().map(|&(bucket, _)| bucket)).collect();
    buckets.sort_unstable();
    buckets.dedup();
    let slots: BTreeMap<u16, u32> = buckets.iter().zip(0..).map(|(&bucket, slot)| (bucket, slot)).collect();
    let mut cells: Vec<BTreeMap<u32, u32>> = vec![BTreeMap::new(); starts.len()];
    for one in histograms {
        let own = starts.partition_point(|&start| start <= one.start_s as usize).checked_sub(1);
        let own = own.filter(|&own| (one.start_s as usize) < starts[own] + length as usize);
        for &(bucket, count) in own.iter().flat_map(|_| &one.buckets.0) {
            let cell = cells[own.expect("the loop is empty without one")].entry(slots[&bucket]).or_default();
            *cell = cell.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }
    let upper = |&bucket: &u16| last_of(bucket) as f64;
    Intervals {
        values: buckets.iter().map(upper).collect(),
        cells: cells.into_iter().map(|cell| cell.into_iter().collect()).collect(),
        infinite: Vec::new(),
    }
}
