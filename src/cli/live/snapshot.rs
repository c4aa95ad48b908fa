//! How a run stands, as those who watch it are shown it. Pure: from a [`Standing`] to a [`Snapshot`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::aggregate::Aggregator;
use crate::engine::coordinator::{Stage, Standing};
use crate::live::{Classic, Facts, ObservedNow, Operation, OperationNow, Snapshot};
use crate::results::{Ledgers, ObservedSource, ThreadRole, ThreadUse};
use crate::sample::Outcome;
use crate::units::Quantile;

/// A reading older than this says nothing of now. Sources are read once a second, and a page may take two.
const STALE_S: f64 = 4.0;

/// The run as it stands.
pub(super) fn of(standing: &Standing<'_>, facts: &Arc<Facts>) -> Snapshot {
    let recent = standing.recent;
    let lag = |quantile| recent.lag.quantile(quantile).map(Duration::from_micros);
    let mut snapshot = Snapshot {
        facts: Arc::clone(facts),
        elapsed_s: standing.now.as_secs_f64(),
        stage: match standing.stage {
            Stage::Phases => "phases",
            Stage::Draining => "draining",
            Stage::Leaving => "leaving",
        },
        phase: standing.phase.to_owned(),
        online: u64::from(standing.online.0),
        planned: u64::from(standing.online.1),
        errors_per_s: recent.errors,
        lag_p90: lag(Quantile::P90),
        lag_p99: lag(Quantile::P99),
        turn_p99: recent.turn_p99(),
        open: standing.open,
        logins: standing.logins,
        ..Snapshot::default()
    };
    if let Some(folded) = standing.folded {
        snapshot.now =
            facts.operations.iter().map(|one| operation_now(&one.name, standing, folded)).collect();
        add_totals(&mut snapshot, folded);
    }
    snapshot
}

/// The last second of one operation, and response times of the last few.
fn operation_now(name: &str, standing: &Standing<'_>, folded: &Aggregator) -> OperationNow {
    let all = &folded.totals().layout().operations;
    let Some(id) = all.iter().position(|operation| operation.name == name) else {
        return OperationNow::default();
    };
    let asked = standing.asked.iter().find(|(operation, _)| usize::from(operation.0) == id);
    let asked_per_s = asked.map(|(_, rate)| *rate);
    let Some(recent) = standing.recent.operations.get(&(id as u16)) else {
        return OperationNow { asked_per_s, ..OperationNow::default() };
    };
    let response = |quantile| recent.response.quantile(quantile).map(Duration::from_micros);
    OperationNow {
        asked_per_s,
        done_per_s: recent.done,
        errors_per_s: recent.errors,
        p50: response(Quantile::P50),
        p90: response(Quantile::P90),
        p99: response(Quantile::P99),
    }
}

fn add_totals(snapshot: &mut Snapshot, folded: &Aggregator) {
    let layout = folded.totals().layout();
    for (phase, phase_layout) in layout.phases.iter().enumerate() {
        for (number, operation) in layout.operations.iter().enumerate() {
            let tally = folded.totals().tally([phase], number);
            let mut outcomes = no_outcomes();
            for (name, count) in &tally.outcomes {
                outcomes.insert(name.to_string(), *count);
            }
            snapshot.operations.push(Operation {
                name: operation.name.clone(),
                phase: phase_layout.name.clone(),
                outcomes,
                response: Classic::of(&tally.response),
                lag: Classic::of(&tally.lag),
            });
        }
    }
    snapshot.ledger = Ledgers::sum(&folded.ledgers());
    snapshot.errors = no_errors();
    for error in folded.totals().errors() {
        *snapshot.errors.entry(error.class).or_default() += error.count;
    }
    (snapshot.bytes_in, snapshot.bytes_out) = folded.bytes();
    let generator = &folded.generator;
    snapshot.cpu_s = cpu_by_role(&generator.threads);
    snapshot.memory_bytes = generator.memory_bytes.last;
    snapshot.descriptors = generator.descriptors.last;
    snapshot.observed = observed(folded.observed().sources(), snapshot.elapsed_s);
}

/// None of anything, for every way an operation can end.
fn no_outcomes() -> BTreeMap<String, u64> {
    Outcome::ALL.iter().map(|outcome| (outcome.as_str().to_owned(), 0)).collect()
}

/// No errors, of every class.
fn no_errors() -> BTreeMap<String, u64> {
    let classes = Outcome::ALL.iter().filter_map(|outcome| match outcome {
        Outcome::Failed(class) => Some(class.as_str().to_owned()),
        _ => None,
    });
    classes.map(|class| (class, 0)).collect()
}

fn cpu_by_role(threads: &[ThreadUse]) -> BTreeMap<&'static str, f64> {
    let name = |role| match role {
        ThreadRole::Worker => "worker",
        ThreadRole::Server => "server",
        ThreadRole::Helper => "helper",
    };
    let roles = [ThreadRole::Worker, ThreadRole::Server, ThreadRole::Helper];
    let mut sums: BTreeMap<&'static str, f64> = roles.into_iter().map(|role| (name(role), 0.0)).collect();
    for thread in threads {
        *sums.entry(name(thread.role)).or_default() += thread.user_s + thread.system_s;
    }
    sums
}

/// What each source told last, if that was now.
fn observed<'a>(sources: impl Iterator<Item = &'a ObservedSource>, now_s: f64) -> Vec<ObservedNow> {
    let mut all: Vec<ObservedNow> = Vec::new();
    for source in sources {
        // Readings that failed take up a second as well, and have nothing in it.
        let row = source.at_s.len().checked_sub(1);
        let read_s = row.and_then(|row| source.at_s[row]).filter(|read_s| now_s - read_s <= STALE_S);
        let value = |column: Option<&str>| {
            read_s?;
            *source.columns.get(column?)?.values.get(row?)?
        };
        all.push(ObservedNow {
            source: source.name.clone(),
            is_up: row.map(|_| read_s.is_some()),
            has_cpu: source.cpu.is_some(),
            has_memory: source.memory.is_some(),
            cpu_s: value(source.cpu.as_deref()),
            at_s: read_s.unwrap_or(0.0),
            memory_bytes: value(source.memory.as_deref()),
            descriptors: value(Some("descriptors")),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Column;

    /// A source whose readings were these, one a second, seen at an instant.
    fn seen(readings: &[Option<f64>], now_s: f64) -> ObservedNow {
        let at_s = readings.iter().enumerate().map(|(second, read)| read.map(|_| second as f64 + 0.1));
        let column = Column { values: readings.to_vec(), ..Column::default() };
        let source = ObservedSource {
            name: "beam.smp".to_owned(),
            cpu: Some("cpu_seconds".to_owned()),
            at_s: at_s.collect(),
            columns: [("cpu_seconds".to_owned(), column)].into(),
            ..ObservedSource::default()
        };
        observed([&source].into_iter(), now_s).remove(0)
    }

    #[test]
    fn a_server_that_cannot_be_read_any_more_has_no_values() {
        let told = |readings: &[Option<f64>], now_s| {
            let seen = seen(readings, now_s);
            (seen.is_up, seen.cpu_s)
        };
        let alive = [Some(1.0), Some(1.5), Some(2.0)];
        assert_eq!(seen(&alive, 2.5).source, "beam.smp");
        assert_eq!(told(&[], 0.0), (None, None), "not looked at yet");
        assert_eq!(told(&alive, 2.5), (Some(true), Some(2.0)));
        assert_eq!(told(&alive, 60.0), (Some(false), None), "nothing was read for long");
        let dead = [Some(1.0), Some(1.5), None];
        assert_eq!(told(&dead, 2.5), (Some(false), None), "the last reading failed");
        let back = [Some(1.0), None, Some(0.1)];
        assert_eq!(told(&back, 2.5), (Some(true), Some(0.1)));
    }

    #[test]
    fn counts_begin_at_nothing_for_whatever_can_be() {
        let outcomes = no_outcomes();
        assert!(outcomes.len() == Outcome::ALL.len() && outcomes.values().all(|count| *count == 0));
        let errors: Vec<String> = no_errors().into_keys().collect();
        assert_eq!(errors, ["local", "misuse", "network", "policy", "protocol", "server", "throttled"]);
        let roles: Vec<&str> = cpu_by_role(&[]).into_keys().collect();
        assert_eq!(roles, ["helper", "server", "worker"]);
    }
}
