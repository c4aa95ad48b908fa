//! The tables of the summary.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table};

use super::Window;
use crate::report::table::{align, left, table};
use crate::report::text::clean;
use crate::results::{ErrorCount, Extended, Figures, Operation, Series};
use crate::units::{Rate, show_count, show_micros};

/// What stands for a time that never ended.
pub(in crate::report) const BEYOND: &str = "> deadline";
pub(in crate::report) const MISSING: &str = "–";

/// Response times over all attempts, and under them over the completed ones where these are fewer.
pub(super) fn times(operations: &[(&str, &Operation)], width: u16) -> Table {
    let mut table = table(&TIMES, width);
    for row in time_rows(operations) {
        table.add_row(row);
    }
    align(&mut table, 1);
    table
}

/// The columns of [`times`].
pub(in crate::report) const TIMES: [&str; 7] =
    ["response time", "attempts", "p50", "p90", "p99", "p99.9", "max"];

/// The rows of [`times`].
pub(in crate::report) fn time_rows(operations: &[(&str, &Operation)]) -> Vec<Vec<String>> {
    let rows = operations.iter().flat_map(|(name, operation)| {
        let figures = &operation.figures;
        let fewer = figures.response_us.count < figures.attempts;
        [Some(attempted_row(name, figures)), fewer.then(|| completed_row(figures))]
    });
    rows.flatten().collect()
}

fn attempted_row(name: &str, figures: &Figures) -> Vec<String> {
    let times = &figures.response_us;
    let max = match (times.max, times.count < times.attempted.count) {
        (_, true) => Extended::Infinite,
        (Some(max), false) => Extended::Finite(max),
        (None, false) => Extended::Unsupported,
    };
    let attempted = times.attempted;
    let percentiles = [attempted.p50, attempted.p90, attempted.p99, attempted.p99_9, max];
    let head = [clean(name), show_count(figures.attempts)];
    head.into_iter().chain(percentiles.map(time)).collect()
}

fn completed_row(figures: &Figures) -> Vec<String> {
    let times = &figures.response_us;
    let percentiles = [times.p50, times.p90, times.p99, times.p99_9, times.max];
    let head = ["  completed only".to_owned(), show_count(times.count)];
    head.into_iter()
        .chain(percentiles.map(|micros| micros.map_or_else(|| MISSING.to_owned(), show_micros)))
        .collect()
}

/// Rates asked and done, and how the attempts ended.
pub(super) fn throughput(
    operations: &[(&str, &Operation)],
    window: Window,
    series: &Series,
    width: u16,
) -> Table {
    let mut table = table(&THROUGHPUT, width);
    for row in throughput_rows(operations, window, series) {
        table.add_row(row);
    }
    align(&mut table, 1);
    left(&mut table, 4);
    table
}

/// The columns of [`throughput`].
pub(in crate::report) const THROUGHPUT: [&str; 5] = ["throughput", "asked", "done", "ok", "ended otherwise"];

/// The rows of [`throughput`].
pub(in crate::report) fn throughput_rows(
    operations: &[(&str, &Operation)],
    window: Window,
    series: &Series,
) -> Vec<Vec<String>> {
    let row = |(name, operation): &(&str, &Operation)| {
        let (asked, done) = rates(name, operation, window, series);
        vec![clean(name), asked, done, ok(&operation.figures), otherwise(&operation.figures)]
    };
    operations.iter().map(row).collect()
}

/// How the attempts ended.
pub(super) fn outcomes(operations: &[(&str, &Operation)], width: u16) -> Table {
    let mut table = table(&["outcomes", "ok", "ended otherwise"], width);
    for (name, operation) in operations {
        table.add_row([clean(name), ok(&operation.figures), otherwise(&operation.figures)]);
    }
    align(&mut table, 1);
    left(&mut table, 2);
    table
}

/// Errors by class with an example.
pub(super) fn errors(errors: &[ErrorCount], width: u16) -> Table {
    let mut table = table(&["count", "whose", "step", "condition", "example"], width);
    for error in errors {
        let words = [&error.class, &error.step, &error.condition, &error.example];
        table.add_row([show_count(error.count)].into_iter().chain(words.map(|word| clean(word))));
    }
    if let Some(column) = table.column_mut(0) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Asked and done per second over the window's whole seconds: done counts what was read in them, whenever it was
/// wanted, so that a server that falls behind shows.
fn rates(name: &str, operation: &Operation, window: Window, series: &Series) -> (String, String) {
    let (first, end) = (window.start_s.max(0.0).ceil() as usize, window.end_s.max(0.0).floor() as usize);
    let columns = series.operations.get(name).filter(|_| end > first);
    let rate = |count: u64, seconds: f64| {
        Rate::per_second(count as f64 / seconds).map_or_else(|| MISSING.to_owned(), |rate| rate.to_string())
    };
    if let Some(columns) = columns {
        let seconds = (end - first) as f64;
        let sum = |column: &[u64]| column.iter().take(end).skip(first).copied().fold(0, u64::saturating_add);
        return (rate(sum(&columns.asked), seconds), rate(sum(&columns.done), seconds));
    }
    let seconds = window.seconds();
    let figures = &operation.figures;
    (rate(asked(figures), seconds), rate(figures.response_us.count, seconds))
}

fn asked(figures: &Figures) -> u64 {
    figures.outcomes.values().copied().fold(0, u64::saturating_add)
}

fn ok(figures: &Figures) -> String {
    show_count(figures.outcomes.get("ok").copied().unwrap_or(0))
}

fn otherwise(figures: &Figures) -> String {
    let others: BTreeMap<_, _> = figures.outcomes.iter().filter(|(name, _)| *name != "ok").collect();
    let texts: Vec<String> =
        others.iter().map(|(name, count)| format!("{} {}", show_count(**count), clean(name))).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

/// A time that may be missing or beyond every deadline.
pub(in crate::report) fn time(micros: Extended<u64>) -> String {
    match micros {
        Extended::Unsupported => MISSING.to_owned(),
        Extended::Finite(micros) => show_micros(micros),
        Extended::Infinite => BEYOND.to_owned(),
    }
}
