//! Who was the limit: a table of predicates over what the run observed of itself and of the server.
//!
//! The table is [`RULES`]; `docs/verdict.md` is generated from it. Every rule is judged for every measured phase and all
//! findings are kept; the state is the first of interrupted, generator-limited, server-limited, valid.
//!
//! This module refuses to weigh or guess: a rule holds or it does not, and its bound is printed beside what was seen.

use std::fmt::Write as _;
use std::time::Duration;

use crate::stats::Slope;
use crate::units::{show_count, show_duration, show_percent};

/// What a run is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The run was cut short by its user.
    Interrupted,
    /// The generator was the limit: the latencies are not the server's.
    GeneratorLimited,
    /// The server did not keep up with what was asked; the numbers can be trusted and say so.
    ServerLimited,
    /// Neither was the limit.
    Valid,
}

impl State {
    /// The public name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::GeneratorLimited => "generator-limited",
            Self::ServerLimited => "server-limited",
            Self::Valid => "valid",
        }
    }
}

/// What one measured phase showed.
#[derive(Clone, Debug, Default)]
pub struct PhaseObservation {
    /// The phase's name.
    pub name: String,
    /// 99th percentile of offered − intended over everything offered in the phase.
    pub lag_p99: Option<Duration>,
    /// 99th percentile of the workers' turn time in the phase, by time: the share of time spent in longer turns.
    pub turn_p99: Option<Duration>,
    /// 99th percentile of the response time over completed operations that are not logins.
    pub response_p99: Option<Duration>,
    /// The busiest worker's share of time spent working.
    pub busy_max: f64,
    /// Attempts intended in the phase.
    pub asked: u64,
    /// Of these, completed.
    pub done: u64,
    /// Of these, not started for our own reasons.
    pub unsent_ours: u64,
    /// Asked minus done at the end of each second.
    pub backlog: Vec<f64>,
}

/// What a rule found in a phase: the observed value and the bound, as text, if it holds.
type Judge = fn(&PhaseObservation) -> Option<(String, String)>;

/// One row of the table.
pub struct Rule {
    /// A stable name.
    pub predicate: &'static str,
    /// The bound in words.
    pub bound: &'static str,
    /// Over what it is taken.
    pub window: &'static str,
    /// What it means when it holds.
    pub state: State,
    judge: Judge,
}

/// The table.
pub const RULES: &[Rule] = &[
    Rule {
        predicate: "lag",
        bound: "p99 of offered − intended > max(1 ms, 5 % of the response p99)",
        window: "measured phase, everything offered",
        state: State::GeneratorLimited,
        judge: |phase| slower_than_allowed(phase.lag_p99?, phase.response_p99),
    },
    Rule {
        predicate: "turn",
        bound: "p99 of turn time > max(1 ms, 5 % of the response p99)",
        window: "measured phase, all workers, weighted by time",
        state: State::GeneratorLimited,
        judge: |phase| slower_than_allowed(phase.turn_p99?, phase.response_p99),
    },
    Rule {
        predicate: "busy",
        bound: "a worker is busy for more than 85 % of the time",
        window: "measured phase, the busiest worker",
        state: State::GeneratorLimited,
        judge: |phase| over(phase.busy_max, 0.85),
    },
    Rule {
        predicate: "unsent",
        bound: "more than 0.1 % of what was asked was not started for reasons of ours",
        window: "measured phase",
        state: State::GeneratorLimited,
        judge: |phase| over(phase.unsent_ours as f64 / phase.asked.max(1) as f64, 0.001),
    },
    Rule {
        predicate: "done",
        bound: "less than 99 % of what was asked was done",
        window: "measured phase, by intended instant, until the drain ends",
        state: State::ServerLimited,
        judge: |phase| {
            let share = phase.done as f64 / phase.asked.max(1) as f64;
            (phase.asked > 0 && share < 0.99).then(|| {
                let seen = format!(
                    "{} of {} ({})",
                    show_count(phase.done),
                    show_count(phase.asked),
                    show_percent(share)
                );
                (seen, "99 %".to_owned())
            })
        },
    },
    Rule {
        predicate: "backlog",
        bound: "asked − done grows: the 99.9 % interval of its slope lies above 0, and it grew by more than 1 % of a second's load",
        window: "measured phase, at the end of each second",
        state: State::ServerLimited,
        judge: growing_backlog,
    },
];

fn slower_than_allowed(seen: Duration, response_p99: Option<Duration>) -> Option<(String, String)> {
    let bound = response_p99.map_or(Duration::ZERO, |p99| p99.mul_f64(0.05)).max(Duration::from_millis(1));
    (seen > bound).then(|| (show_duration(seen), show_duration(bound)))
}

fn over(seen: f64, bound: f64) -> Option<(String, String)> {
    (seen > bound).then(|| (show_percent(seen), show_percent(bound)))
}

fn growing_backlog(phase: &PhaseObservation) -> Option<(String, String)> {
    let slope = Slope::fit(&phase.backlog)?;
    let (low, high) = slope.interval();
    let growth = slope.per_step * phase.backlog.len() as f64;
    let load_per_second = phase.asked as f64 / phase.backlog.len() as f64;
    (low > 0.0 && growth > load_per_second * 0.01)
        .then(|| (format!("+{:.2}/s (interval {low:.2} to {high:.2})", slope.per_step), "0/s".to_owned()))
}

/// One rule that held in one phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name.
    pub predicate: &'static str,
    /// What it means.
    pub state: State,
    /// The phase.
    pub phase: String,
    /// What was seen.
    pub observed: String,
    /// What was allowed.
    pub bound: String,
}

/// The verdict on a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The first that applies.
    pub state: State,
    /// Everything found.
    pub findings: Vec<Finding>,
}

/// Judges the measured phases by the table.
pub fn judge(interrupted: bool, phases: &[PhaseObservation]) -> Verdict {
    let findings: Vec<Finding> = phases
        .iter()
        .flat_map(|phase| RULES.iter().filter_map(move |rule| Some((rule, phase, (rule.judge)(phase)?))))
        .map(|(rule, phase, (observed, bound))| Finding {
            predicate: rule.predicate,
            state: rule.state,
            phase: phase.name.clone(),
            observed,
            bound,
        })
        .collect();
    let worst = findings.iter().map(|finding| finding.state).min().unwrap_or(State::Valid);
    let state = if interrupted { State::Interrupted } else { worst };
    Verdict { state, findings }
}

/// The table as Markdown, for `docs/verdict.md`.
pub fn rules_markdown() -> String {
    let mut text = String::from("| predicate | holds when | window | state |\n|---|---|---|---|\n");
    text.push_str(
        "| `interrupted` | the run was stopped by its user (Ctrl-C, SIGTERM) | whole run | interrupted |\n",
    );
    for rule in RULES {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            rule.predicate,
            rule.bound,
            rule.window,
            rule.state.as_str()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> PhaseObservation {
        PhaseObservation {
            name: "steady".to_owned(),
            lag_p99: Some(Duration::from_micros(80)),
            turn_p99: Some(Duration::from_micros(200)),
            response_p99: Some(Duration::from_millis(3)),
            busy_max: 0.2,
            asked: 20_000,
            done: 20_000,
            unsent_ours: 0,
            backlog: vec![0.0; 20],
        }
    }

    #[test]
    fn each_row_of_the_table_convicts_and_no_other_does() {
        let cases: Vec<(&str, State, PhaseObservation)> = vec![
            (
                "lag",
                State::GeneratorLimited,
                PhaseObservation { lag_p99: Some(Duration::from_micros(1_001)), ..healthy() },
            ),
            (
                "turn",
                State::GeneratorLimited,
                PhaseObservation { turn_p99: Some(Duration::from_micros(1_001)), ..healthy() },
            ),
            ("busy", State::GeneratorLimited, PhaseObservation { busy_max: 0.86, ..healthy() }),
            ("unsent", State::GeneratorLimited, PhaseObservation { unsent_ours: 21, ..healthy() }),
            ("done", State::ServerLimited, PhaseObservation { done: 19_799, ..healthy() }),
            (
                "backlog",
                State::ServerLimited,
                PhaseObservation { backlog: (0..20).map(|s| f64::from(s) * 5.0).collect(), ..healthy() },
            ),
        ];
        for (predicate, state, phase) in cases {
            let verdict = judge(false, &[healthy(), phase]);
            assert_eq!(verdict.state, state, "{predicate}");
            let found: Vec<&str> = verdict.findings.iter().map(|finding| finding.predicate).collect();
            assert_eq!(found, [predicate]);
        }
        assert_eq!(judge(false, &[healthy()]), Verdict { state: State::Valid, findings: vec![] });
    }

    #[test]
    fn slow_servers_allow_more_lag_and_the_generator_goes_before_the_server() {
        let slow = PhaseObservation {
            lag_p99: Some(Duration::from_millis(40)),
            response_p99: Some(Duration::from_secs(1)),
            ..healthy()
        };
        assert_eq!(judge(false, &[slow.clone()]).state, State::Valid);
        let both = PhaseObservation { lag_p99: Some(Duration::from_millis(51)), done: 0, ..slow };
        let verdict = judge(false, &[both.clone()]);
        assert_eq!((verdict.state, verdict.findings.len()), (State::GeneratorLimited, 2));
        assert_eq!(judge(true, &[both]).state, State::Interrupted);
    }

    #[test]
    fn the_document_holds_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verdict.md");
        let text = std::fs::read_to_string(path).expect("docs/verdict.md");
        assert!(text.contains(&rules_markdown()), "docs/verdict.md must hold:\n{}", rules_markdown());
    }
}
