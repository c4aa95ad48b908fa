//! Who was the limit: a table of predicates over what the run observed of itself and of the server.
//!
//! The table is [`RULES`]; `docs/verdict.md` is generated from it. Every rule is judged for every measured phase and all
//! findings are kept; the state is the first of interrupted, generator-limited, server-limited, valid.
//!
//! This module refuses to weigh or guess: a rule holds or it does not, and its bound is printed beside what was seen.

use std::fmt::Write as _;
use std::time::Duration;

use crate::results::{Evidence, Extended, Unit, Verdict, VerdictState};
use crate::stats::Slope;

/// What one measured phase showed.
#[derive(Clone, Debug, Default)]
pub struct PhaseObservation {
    /// The phase's name.
    pub name: String,
    /// 99th percentile of offered − intended over everything offered in the phase.
    pub lag_p99: Option<Duration>,
    /// 99th percentile of the workers' turn time in the phase, by time: the share of time spent in longer turns.
    pub turn_p99: Option<Duration>,
    /// 99th percentile of the response time over completed operations that are not logins; with too few of them the highest
    /// percentile they support, as for lag.
    pub response_p99: Option<Duration>,
    /// The busiest worker's share of time spent working.
    pub busy_max: f64,
    /// Attempts intended in the phase.
    pub asked: u64,
    /// Of these, completed.
    pub done: u64,
    /// Of these, not started for our own reasons.
    pub unsent_ours: u64,
    /// What was open at the end of each second and would be done later.
    pub backlog: Vec<f64>,
}

/// What a rule saw in a phase; nothing where there was nothing to judge.
type Judge = fn(&PhaseObservation) -> Option<Seen>;

/// What was seen, the bound it is held against, and whether that convicts.
struct Seen {
    observed: f64,
    bound: f64,
    unit: Unit,
    convicts: bool,
}

/// One row of the table.
pub struct Rule {
    /// A stable name.
    pub predicate: &'static str,
    /// The bound in words.
    pub holds_when: &'static str,
    /// Over what it is taken.
    pub window: &'static str,
    /// What it means when it holds.
    pub state: VerdictState,
    judge: Judge,
}

/// The table.
pub const RULES: &[Rule] = &[
    Rule {
        predicate: "lag p99",
        holds_when: "p99 of offered − intended > max(1 ms, 5 % of the response p99)",
        window: "measured phase, everything offered",
        state: VerdictState::GeneratorLimited,
        judge: |phase| Some(slower_than_allowed(phase.lag_p99?, phase.response_p99)),
    },
    Rule {
        predicate: "turn p99",
        holds_when: "p99 of turn time > max(1 ms, 5 % of the response p99)",
        window: "measured phase in which anything was done, the worst worker, weighted by time",
        state: VerdictState::GeneratorLimited,
        // Long turns make what is read look late: where nothing was read they say nothing, and must not outrank a dead server.
        judge: |phase| {
            Some(slower_than_allowed(phase.turn_p99.filter(|_| phase.done > 0)?, phase.response_p99))
        },
    },
    Rule {
        predicate: "busy",
        holds_when: "a worker is busy for more than 85 % of the time",
        window: "measured phase, the busiest worker",
        state: VerdictState::GeneratorLimited,
        judge: |phase| Some(more_than(phase.busy_max, 0.85)),
    },
    Rule {
        predicate: "unsent by us",
        holds_when: "more than 0.1 % of what was asked was not started for reasons of ours",
        window: "measured phase",
        state: VerdictState::GeneratorLimited,
        judge: |phase| Some(more_than(phase.unsent_ours as f64 / phase.asked.max(1) as f64, 0.001)),
    },
    Rule {
        predicate: "done",
        holds_when: "less than 99 % of what was asked was done",
        window: "measured phase, by intended instant, until the drain ends",
        state: VerdictState::ServerLimited,
        judge: |phase| {
            let observed = (phase.asked > 0).then(|| phase.done as f64 / phase.asked as f64)?;
            Some(Seen { observed, bound: 0.99, unit: Unit::Share, convicts: observed < 0.99 })
        },
    },
    Rule {
        predicate: "backlog slope",
        holds_when: "what is open grows: the 99.9 % interval of its slope lies above 0 and it grew by more than 1 % of a \
                     second's load",
        window: "measured phase, at the end of each second",
        state: VerdictState::ServerLimited,
        judge: growing_backlog,
    },
];

/// How long lag and turns may be: what a response time of this 99th percentile hides.
pub fn allowed_delay(response_p99: Option<Duration>) -> Duration {
    response_p99.map_or(Duration::ZERO, |p99| p99.mul_f64(0.05)).max(Duration::from_millis(1))
}

fn slower_than_allowed(seen: Duration, response_p99: Option<Duration>) -> Seen {
    let bound = allowed_delay(response_p99);
    let micros = |span: Duration| span.as_secs_f64() * 1e6;
    Seen { observed: micros(seen), bound: micros(bound), unit: Unit::Micros, convicts: seen > bound }
}

fn more_than(observed: f64, bound: f64) -> Seen {
    Seen { observed, bound, unit: Unit::Share, convicts: observed > bound }
}

/// The observed value is the lower end of the slope's interval: what the growth is at least.
fn growing_backlog(phase: &PhaseObservation) -> Option<Seen> {
    let slope = Slope::fit(&phase.backlog)?;
    let (low, _) = slope.interval();
    let growth = slope.per_step * phase.backlog.len() as f64;
    let load_per_second = phase.asked as f64 / phase.backlog.len() as f64;
    let convicts = low > 0.0 && growth > load_per_second * 0.01;
    Some(Seen { observed: low, bound: 0.0, unit: Unit::PerSecond, convicts })
}

/// Judges the measured phases by the table. What convicts stands first in the evidence. A run that reached no measured phase
/// was cut short, whoever did it: nothing was seen that could be valid.
pub fn judge(interrupted: bool, phases: &[PhaseObservation]) -> Verdict {
    let mut evidence: Vec<Evidence> = phases
        .iter()
        .flat_map(|phase| {
            RULES.iter().filter_map(move |rule| Some(rule.evidence(phase, (rule.judge)(phase)?)))
        })
        .collect();
    evidence.sort_by_key(|evidence| evidence.state);
    let worst = evidence.first().map_or(VerdictState::Valid, |evidence| evidence.state);
    let state = if interrupted || phases.is_empty() { VerdictState::Interrupted } else { worst };
    Verdict { state, evidence, notes: Vec::new() }
}

impl Rule {
    fn evidence(&self, phase: &PhaseObservation, seen: Seen) -> Evidence {
        Evidence {
            predicate: self.predicate.to_owned(),
            bound: seen.bound,
            observed: Extended::Finite(seen.observed),
            unit: seen.unit,
            window: self.window.to_owned(),
            phase: Some(phase.name.clone()),
            state: if seen.convicts { self.state } else { VerdictState::Valid },
        }
    }
}

/// The table as Markdown, for `docs/verdict.md`.
pub fn rules_markdown() -> String {
    let mut text = String::from("| predicate | holds when | window | state |\n|---|---|---|---|\n");
    text.push_str(
        "| `interrupted` | the run was stopped by its user (Ctrl-C, SIGTERM) | whole run | interrupted |\n",
    );
    for rule in RULES {
        let state = rule.state.as_str();
        let _ = writeln!(text, "| `{}` | {} | {} | {state} |", rule.predicate, rule.holds_when, rule.window);
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

    fn convicted(verdict: &Verdict) -> Vec<&str> {
        let evidence = verdict.evidence.iter().filter(|evidence| evidence.state != VerdictState::Valid);
        evidence.map(|evidence| evidence.predicate.as_str()).collect()
    }

    #[test]
    fn each_row_of_the_table_convicts_and_no_other_does() {
        let cases: Vec<(&str, VerdictState, PhaseObservation)> = vec![
            (
                "lag p99",
                VerdictState::GeneratorLimited,
                PhaseObservation { lag_p99: Some(Duration::from_micros(1_001)), ..healthy() },
            ),
            (
                "turn p99",
                VerdictState::GeneratorLimited,
                PhaseObservation { turn_p99: Some(Duration::from_micros(1_001)), ..healthy() },
            ),
            ("busy", VerdictState::GeneratorLimited, PhaseObservation { busy_max: 0.86, ..healthy() }),
            (
                "unsent by us",
                VerdictState::GeneratorLimited,
                PhaseObservation { unsent_ours: 21, ..healthy() },
            ),
            ("done", VerdictState::ServerLimited, PhaseObservation { done: 19_799, ..healthy() }),
            (
                "backlog slope",
                VerdictState::ServerLimited,
                PhaseObservation { backlog: (0..20).map(|s| f64::from(s) * 5.0).collect(), ..healthy() },
            ),
        ];
        for (predicate, state, phase) in cases {
            let verdict = judge(false, &[healthy(), phase]);
            assert_eq!(verdict.state, state, "{predicate}");
            assert_eq!(convicted(&verdict), [predicate]);
        }
        let verdict = judge(false, &[healthy()]);
        assert_eq!((verdict.state, convicted(&verdict).len()), (VerdictState::Valid, 0));
        assert_eq!(verdict.evidence.len(), RULES.len(), "what was looked at is kept");
    }

    #[test]
    fn slow_servers_allow_more_lag_and_the_generator_goes_before_the_server() {
        let slow = PhaseObservation {
            lag_p99: Some(Duration::from_millis(40)),
            response_p99: Some(Duration::from_secs(1)),
            ..healthy()
        };
        assert_eq!(judge(false, std::slice::from_ref(&slow)).state, VerdictState::Valid);
        let dead = PhaseObservation { turn_p99: Some(Duration::from_millis(5)), done: 0, ..healthy() };
        let verdict = judge(false, &[dead]);
        assert_eq!((verdict.state, convicted(&verdict)), (VerdictState::ServerLimited, vec!["done"]));
        let both = PhaseObservation { lag_p99: Some(Duration::from_millis(51)), done: 0, ..slow };
        let verdict = judge(false, std::slice::from_ref(&both));
        assert_eq!((verdict.state, convicted(&verdict).len()), (VerdictState::GeneratorLimited, 2));
        assert_eq!(judge(true, &[both]).state, VerdictState::Interrupted);
    }

    #[test]
    fn the_document_holds_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verdict.md");
        let text = std::fs::read_to_string(path).expect("docs/verdict.md");
        assert!(text.contains(&rules_markdown()), "docs/verdict.md must hold:\n{}", rules_markdown());
    }
}
