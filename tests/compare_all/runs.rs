//! Results made to measure: a valid run whose values are what a test says.

use std::sync::OnceLock;

use xmpp_bench::compare::{Comparison, Options, Run, compare};
use xmpp_bench::results::{Extended, RunResult};

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
    result.started = format!("2026-11-24T10:{:02}:{}Z", seed % 60, if side == "base" { "00" } else { "30" });
    let operation = result.operations.get_mut(OPERATION).unwrap();
    let attempted = &mut operation.figures.response_us.attempted;
    (attempted.p50, attempted.p99) = (micros(values.p50), micros(values.p99));
    let message = &mut result.phases[0].ledger.message;
    message.expected = 1_000_000;
    message.lost = (values.loss * 1e6).round() as u64;
    message.delivered = message.expected - message.lost;
    result
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
