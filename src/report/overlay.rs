//! What a report is about: one result, or several laid over each other.

use super::observed::{self, NamedSeries};
use super::summary::is_step;
use crate::results::{LedgerCounts, LedgerKind, Operation, RunResult, load_difference};
use crate::units::clean;

/// Results one report can hold: as many as there are lines a person can tell apart.
pub const RUNS_MAX: usize = 8;

/// One result as a report speaks of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// The letter it has in charts that show several: `A`, `B`, ….
    pub letter: &'static str,
    /// What a person knows it by: the file's name.
    pub name: String,
    /// What was measured.
    pub result: RunResult,
    /// What was seen of the server meanwhile, on the run's seconds; empty where nobody looked.
    pub observed: Vec<NamedSeries>,
}

/// Letters in the order of the results.
const LETTERS: [&str; RUNS_MAX] = ["A", "B", "C", "D", "E", "F", "G", "H"];

impl Run {
    /// Results in the order in which they were named; those beyond [`RUNS_MAX`] are left out.
    pub fn all(results: impl IntoIterator<Item = (String, RunResult)>) -> Vec<Self> {
        let lettered = LETTERS.iter().zip(results);
        lettered
            .map(|(letter, (name, result))| {
                let observed = result.observed.as_ref().map_or_else(Vec::new, observed::series);
                Self { letter, name, result, observed }
            })
            .collect()
    }

    /// Seconds its longest series has.
    pub fn seconds(&self) -> usize {
        let series = &self.result.series;
        let own = [series.users_online.len(), series.lag_max_us.len(), series.turn_max_us.len()];
        let operations = series.operations.values().map(|columns| columns.asked.len());
        let observed = self.observed.iter().map(|series| series.values.len());
        operations.chain(own).chain(observed).max().unwrap_or(0)
    }

    /// The kinds of messages it has an account of.
    pub fn kinds(&self) -> impl Iterator<Item = LedgerKind> {
        let used = |kind: &LedgerKind| *self.result.ledger.of(*kind) != LedgerCounts::default();
        LedgerKind::ALL.into_iter().filter(used)
    }
}

/// What keeps results from being laid over each other without a word: another load, or one run that stands for two.
pub fn mismatches(runs: &[Run]) -> Vec<String> {
    let Some((first, others)) = runs.split_first() else { return Vec::new() };
    let mut found = Vec::new();
    for (index, run) in others.iter().enumerate() {
        let is_same = |other: &&Run| {
            (&other.result.run_id, &other.result.started) == (&run.result.run_id, &run.result.started)
        };
        if let Some(twin) = runs[..=index].iter().find(is_same) {
            found.push(format!("{} and {} are one run", twin.letter, run.letter));
        } else if let Some(what) = load_difference(
            (&first.result.profile, &format!("in {}", first.letter)),
            (&run.result.profile, &format!("in {}", run.letter)),
        ) {
            found.push(format!(
                "{} was asked for another load than {}: {}",
                run.letter,
                first.letter,
                clean(&what)
            ));
        }
    }
    found
}

/// The names of what was measured in any of the runs: first what activities do, in the profile's order, then the rest by name; steps of another operation (`login.tls` of `login`) left out.
pub fn headliners(runs: &[Run]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        let all = run.result.operations.keys().map(String::as_str);
        names.extend(all.filter(|name| !is_step(name, &run.result)));
    }
    let planned: Vec<&str> = runs.iter().flat_map(|run| planned(&run.result)).collect();
    let place = |name: &str| planned.iter().position(|one| *one == name).unwrap_or(usize::MAX);
    names.sort_unstable_by_key(|name| (place(name), *name));
    names.dedup();
    names
}

fn planned(result: &RunResult) -> impl Iterator<Item = &str> {
    result.profile.activities.iter().flat_map(|activity| &activity.operations).map(String::as_str)
}

/// An operation of a run, over the phases its result sums up.
pub fn operation<'a>(run: &'a Run, name: &str) -> Option<&'a Operation> {
    run.result.operations.get(name)
}
