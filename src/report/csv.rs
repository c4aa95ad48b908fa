//! Numbers for a spreadsheet (RFC 4180): the run second by second, or the operations' figures.
//!
//! Every heading of a number ends in its unit (`_count`, `_us`, `_s`, `_seconds`, `_bytes`, `_ratio`, `_per_s`), and a number
//! is in the unit the result has it in; numbers are plain, without thousands set apart; what is not known is an empty cell,
//! what never completed is `inf`. A text that a spreadsheet would take for a formula has an apostrophe before it.

use crate::report::html::seen;
use crate::report::overlay::Run;
use crate::report::summary::window_of;
use crate::results::histogram::last_of;
use crate::results::{Extended, Figures, Operation, Phase};

/// Which numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// One row per second of each run.
    Seconds,
    /// One row per phase and operation of each run.
    Operations,
}

/// The lines, the first of them the headings.
pub fn render(runs: &[Run], rows: Rows) -> String {
    match rows {
        Rows::Seconds => seconds(runs),
        Rows::Operations => operations(runs),
    }
}

/// Columns of one operation: what they count, and where it stands.
const COLUMNS: [&str; 7] =
    ["asked", "done", "done_by_intended", "errors", "unsent", "indeterminate", "response_max_us"];

fn seconds(runs: &[Run]) -> String {
    let mut names: Vec<&str> =
        runs.iter().flat_map(|run| run.result.series.operations.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let mut observed: Vec<&str> =
        runs.iter().flat_map(|run| &run.observed).map(|series| series.heading.as_str()).collect();
    observed.sort_unstable();
    observed.dedup();
    let fixed = [
        "run",
        "second_s",
        "phase",
        "measured",
        "users_online_count",
        "lag_max_us",
        "turn_max_us",
        "written_bytes",
        "read_bytes",
    ];
    let mut heads: Vec<String> = fixed.map(str::to_owned).to_vec();
    for name in &names {
        heads.extend(COLUMNS.map(|column| {
            let unit = if column.ends_with("_us") { "" } else { "_count" };
            format!("{name}.{column}{unit}")
        }));
    }
    heads.extend(observed.iter().map(|name| format!("observed.{name}")));
    let mut text = String::new();
    line(&mut text, heads.into_iter());
    for run in runs {
        for second in 0..run.seconds() {
            line(&mut text, second_row(run, second, &names, &observed).into_iter());
        }
    }
    text
}

fn second_row(run: &Run, second: usize, names: &[&str], observed: &[&str]) -> Vec<String> {
    let series = &run.result.series;
    let known = |column: &[Option<u64>]| column.get(second).copied().flatten();
    let count = |column: &[u64]| shown(column.get(second).copied());
    let at = second as f64;
    let is_in = |phase: &&Phase| {
        let window = window_of(&run.result, phase);
        (window.start_s..window.end_s).contains(&at)
    };
    let phase = run.result.phases.iter().find(is_in);
    let mut row = vec![
        run.name.clone(),
        second.to_string(),
        phase.map_or_else(String::new, |phase| phase.name.clone()),
        phase.map_or_else(String::new, |phase| u8::from(phase.measured).to_string()),
        shown(known(&series.users_online)),
        shown(known(&series.lag_max_us)),
        shown(known(&series.turn_max_us)),
        count(&series.bytes_out),
        count(&series.bytes_in),
    ];
    for name in names {
        let Some(one) = series.operations.get(*name) else {
            row.extend(COLUMNS.map(|_| String::new()));
            continue;
        };
        let columns =
            [&one.asked, &one.done, &one.done_by_intended, &one.errors, &one.unsent, &one.indeterminate];
        row.extend(columns.map(|column| count(column)));
        row.push(shown(slowest(one, second)));
    }
    for name in observed {
        let series = run.observed.iter().find(|series| series.heading == **name);
        let value = series.and_then(|series| series.values.get(second).copied().flatten());
        row.push(value.map_or_else(String::new, |value| value.to_string()));
    }
    row
}

/// The longest response time of the interval that begins in this second, microseconds: one a second in the first ten
/// minutes, one each ten seconds after.
fn slowest(series: &crate::results::OperationSeries, second: usize) -> Option<u64> {
    let place = series.response.binary_search_by_key(&second, |interval| interval.start_s as usize).ok()?;
    let buckets = &series.response[place].buckets;
    let (last, _) =
        buckets.0.iter().rev().find(|(_, count)| *count > 0).filter(|_| buckets.check().is_ok())?;
    Some(last_of(*last))
}

fn operations(runs: &[Run]) -> String {
    let times = ["response", "service", "lag", "blocked"];
    let figures = ["count", "mean_us", "min_us", "p50_us", "p90_us", "p99_us", "p99_9_us", "max_us"];
    let attempted = ["p50_us", "p90_us", "p99_us", "p99_9_us"];
    let mut heads: Vec<String> =
        ["run", "phase", "measured", "operation", "group", "attempts_count", "ok_count"]
            .map(str::to_owned)
            .to_vec();
    heads.extend(attempted.map(|figure| format!("response.attempted.{figure}")));
    for time in times {
        heads.extend(figures.map(|figure| format!("{time}.completed.{figure}")));
    }
    let mut text = String::new();
    line(&mut text, heads.into_iter());
    for run in runs {
        for phase in &run.result.phases {
            for (name, operation) in &phase.operations {
                let head = [
                    run.name.clone(),
                    phase.name.clone(),
                    u8::from(phase.measured).to_string(),
                    name.clone(),
                ];
                for (group, figures) in with_groups(operation) {
                    let head = head.iter().cloned().chain([group.to_owned()]);
                    line(&mut text, head.chain(figure_cells(figures)));
                }
            }
        }
    }
    text
}

fn with_groups(operation: &Operation) -> impl Iterator<Item = (&str, &Figures)> {
    let groups = operation.groups.iter().map(|(group, figures)| (group.as_str(), figures));
    std::iter::once(("", &operation.figures)).chain(groups)
}

fn figure_cells(figures: &Figures) -> Vec<String> {
    let ok = figures.outcomes.get("ok").copied().unwrap_or(0);
    let mut cells = vec![figures.attempts.to_string(), ok.to_string()];
    let attempted = figures.response_us.attempted;
    cells.extend([attempted.p50, attempted.p90, attempted.p99, attempted.p99_9].map(|value| match value {
        Extended::Unsupported => String::new(),
        Extended::Finite(micros) => micros.to_string(),
        Extended::Infinite => "inf".to_owned(),
    }));
    for times in [&figures.response_us, &figures.service_us, &figures.lag_us, &figures.blocked_us] {
        cells.push(times.count.to_string());
        cells.push(times.mean.map_or_else(String::new, |mean| format!("{mean:.3}")));
        cells.extend([times.min, times.p50, times.p90, times.p99, times.p99_9, times.max].map(shown));
    }
    cells
}

fn shown(value: Option<u64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

fn quoted(cell: &str) -> String {
    let cell = seen(cell);
    let is_formula = cell.starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err();
    let cell = if is_formula { format!("'{cell}") } else { cell };
    if cell.contains([',', '"', ';']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stays_one_cell_and_no_formula() {
        for (cell, written) in [
            ("ping", "ping"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("-12.5", "-12.5"),
            ("two\r\nlines", "two␍␊lines"),
        ] {
            assert_eq!(quoted(cell), written);
        }
    }
}
