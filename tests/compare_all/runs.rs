//! Results made to measure: a valid run whose values are what a test says.

use std::sync::OnceLock;

use xmpp_bench::compare::{Comparison, Options, Run, compare};
use xmpp_bench::results::{
    Extended, Layout, LedgerCounts, Ledgers, OperationLayout, PhaseLayout, Preamble, RunResult, Totals,
    VerdictState, assemble,
};

use crate::world;

pub const OPERATION: &str = "message.delivery";

/// What one run measured.
#[derive(Clone, Copy, Debug)]
pub struct Values {
    pub p50: f64,
    pub p99: f64,
    /// Share of the copies owed.
    pub loss: f64,
}

/// A small result to be changed: one operation, nothing measured beside it.
pub fn template() -> RunResult {
    static MADE: OnceLock<RunResult> = OnceLock::new();
    MADE.get_or_init(bare).clone()
}

fn bare() -> RunResult {
    let mut result = world::valid();
    result.operations.retain(|name, _| name == OPERATION);
    result.phases.retain(|phase| phase.measured);
    result.phases[0].operations.clear();
    result.series.operations.clear();
    result
}

fn micros(value: f64) -> Extended<u64> {
    if value.is_finite() { Extended::Finite(value.round() as u64) } else { Extended::Infinite }
}

pub fn result(template: &RunResult, seed: u64, side: &str, values: Values) -> RunResult {
    let mut result = template.clone();
    result.seed = seed;
    result.run_id = format!("{side}{seed}");
    result.started = started(seed, side);
    let operation = result.operations.get_mut(OPERATION).unwrap();
    let attempted = &mut operation.figures.response_us.attempted;
    (attempted.p50, attempted.p99) = (micros(values.p50), micros(values.p99));
    let message = &mut result.phases[0].ledger.message;
    message.expected = 1_000_000;
    message.lost = (values.loss * 1e6).round() as u64;
    message.delivered = message.expected - message.lost;
    result
}

/// A run of 2,000 messages, recorded as a run records them, so that its file agrees with itself: 19 of 20 take as long as the median,
/// the others as long as the p99.
pub fn recorded(seed: u64, side: &str, values: Values) -> RunResult {
    const MESSAGES: u64 = 2_000;
    let layout = Layout {
        phases: vec![PhaseLayout { name: "steady".into(), start_s: 0.0, end_s: 10.0, measured: true }],
        operations: vec![OperationLayout { name: OPERATION.into(), meaning: "a message".into() }],
        groups: vec!["all".into()],
    };
    let mut totals = Totals::new(layout.clone()).unwrap();
    for n in 0..MESSAGES {
        let micros = if n % 20 == 0 { values.p99 } else { values.p50 };
        totals.record(0, &world::completed(0, 0, n * 5_000, 0, 0, micros as u64));
    }
    totals.close_interval();
    let counts = LedgerCounts { expected: MESSAGES, delivered: MESSAGES, ..LedgerCounts::default() };
    let mut conclusion = world::conclusion(VerdictState::Valid, Vec::new(), counts);
    conclusion.ledgers = vec![Ledgers { message: counts, ..Ledgers::default() }];
    let preamble = Preamble {
        layout,
        seed,
        run_id: format!("{side}{seed}"),
        started: started(seed, side),
        ..world::preamble()
    };
    assemble(preamble, &totals, conclusion, true)
}

fn started(seed: u64, side: &str) -> String {
    format!("2026-11-24T10:{:02}:{}Z", seed % 60, if side == "base" { "00" } else { "30" })
}

pub fn sides(base: &[Values], new: &[Values]) -> (Vec<Run>, Vec<Run>) {
    let template = template();
    let side = |name: &str, all: &[Values]| {
        let one = |(values, seed): (&Values, u64)| {
            Run::of(&format!("{name}{seed}.json"), &result(&template, seed, name, *values))
        };
        all.iter().zip(1..).map(one).collect()
    };
    (side("base", base), side("new", new))
}

pub fn compared(base: &[Values], new: &[Values], options: &Options) -> Comparison {
    let (base, new) = sides(base, new);
    compare(&base, &new, options).unwrap()
}

/// Eight runs about these values, each a little off, the same way on both sides of a pair.
pub fn around(center: Values, off: &[f64]) -> Vec<Values> {
    let one = |off: &f64| Values { p50: center.p50 * off, p99: center.p99 * off, loss: center.loss };
    off.iter().map(one).collect()
}
