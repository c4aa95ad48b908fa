//! Whether the series agree with themselves and with the phases.

use std::collections::BTreeMap;

use super::Findings;
use crate::results::totals::{is_completed, is_indeterminate};
use crate::results::{OperationSeries, RunResult, SchemaVersion};

pub(super) fn check_series(found: &mut Findings, result: &RunResult) {
    let (series, phases) = (&result.series, &result.phases);
    let told = result.schema >= OUTCOMES_SINCE;
    let lengths = [
        series.users_online.len(),
        series.lag_max_us.len(),
        series.turn_max_us.len(),
        series.bytes_out.len(),
        series.bytes_in.len(),
    ];
    for length in lengths {
        found.equal("series", "length of a column", length as u128, series.seconds.into());
    }
    for (name, columns) in &series.operations {
        let place = format!("series.operations.{name}");
        check_columns(found, &place, columns, series.seconds);
        if told || !columns.outcomes.is_empty() {
            check_outcome_columns(found, &place, columns);
        }
        let asked = phases.iter().filter_map(|phase| phase.operations.get(name));
        let outcomes = asked.flat_map(|operation| &operation.figures.outcomes);
        let (mut all, mut completed) = (0, 0);
        for (outcome, &count) in outcomes {
            all += u128::from(count);
            completed += if is_completed(outcome) { u128::from(count) } else { 0 };
        }
        found.equal(&place, "asked against all phases", total(&columns.asked), all);
        found.equal(&place, "done against all phases", total(&columns.done), completed);
        found.equal(
            &place,
            "done_by_intended against all phases",
            total(&columns.done_by_intended),
            completed,
        );
        let buckets = columns.response.iter().flat_map(|interval| &interval.buckets.0);
        let recorded = buckets.map(|&(_, count)| u128::from(count)).sum();
        found.equal(&place, "response histograms against all phases", recorded, completed);
    }
}

fn check_columns(found: &mut Findings, place: &str, columns: &OperationSeries, seconds: u32) {
    let OperationSeries {
        asked,
        done_by_intended,
        done,
        errors,
        unsent,
        indeterminate,
        outcomes: _,
        response: _,
    } = columns;
    for column in [asked, done_by_intended, done, errors, unsent, indeterminate] {
        found.equal(place, "length of a column", column.len() as u128, seconds.into());
    }
    let at = |column: &[u64], second: usize| u128::from(column.get(second).copied().unwrap_or(0));
    for second in 0..asked.len() {
        let ended: u128 = [done_by_intended, errors, unsent, indeterminate]
            .into_iter()
            .map(|column| at(column, second))
            .sum();
        let what = format!("second {second}: asked = done_by_intended + errors + unsent + indeterminate");
        found.equal(place, &what, at(asked, second), ended);
    }
}

/// From this version on series tell outcomes apart.
const OUTCOMES_SINCE: SchemaVersion = SchemaVersion { major: 1, minor: 3 };

/// What did not end `ok`, class by class, adds up to the columns that hold it, second by second.
fn check_outcome_columns(found: &mut Findings, place: &str, columns: &OperationSeries) {
    let mut sums: [BTreeMap<u32, u128>; 4] = Default::default();
    for (outcome, seconds) in &columns.outcomes {
        let family = match outcome.as_str() {
            "late" => 0,
            unsent if unsent.starts_with("unsent-") => 2,
            unknown if is_indeterminate(unknown) => 3,
            _ => 1,
        };
        for &(second, count) in seconds {
            *sums[family].entry(second).or_default() += u128::from(count);
        }
    }
    let [late, errors, unsent, indeterminate] = sums;
    for (name, sums, column) in [
        ("errors", errors, &columns.errors),
        ("unsent", unsent, &columns.unsent),
        ("indeterminate", indeterminate, &columns.indeterminate),
    ] {
        let told: BTreeMap<u32, u128> = (0..)
            .zip(column)
            .filter(|(_, count)| **count > 0)
            .map(|(second, &count)| (second, u128::from(count)))
            .collect();
        if told != sums {
            found.say(place, format_args!("{name} are not the sum of their outcomes in every second"));
        }
    }
    let done = |second: u32| columns.done_by_intended.get(second as usize).copied().unwrap_or(0);
    if late.iter().any(|(&second, &count)| count > done(second).into()) {
        found.say(place, format_args!("more late than done in a second"));
    }
}

fn total(column: &[u64]) -> u128 {
    column.iter().copied().map(u128::from).sum()
}
