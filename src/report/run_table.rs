//! Several runs of one profile, a line each, and how far they lie apart.
//!
//! How far they lie apart is said of the runs whose numbers are the server's: not of one that was cut short, nor of one whose
//! generator was the limit. Those stand in the list, and how many they are is said.
//!
//! A percentile is never averaged: of the runs' percentiles the smallest, the median and the largest are shown, each of them
//! one that a run measured.

use comfy_table::Table;

use crate::report::summary::tables::{MISSING, time};
use crate::report::table::{align, left, table};
use crate::report::text::{Page, Style, Tone};
use crate::results::{Attempted, Exit, Extended, Figures, RunResult, VerdictState};
use crate::units::{show_count, show_percent};

/// One of the runs.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Its place, from 1.
    pub number: u32,
    /// Which side it is of, where two are compared.
    pub side: Option<&'static str>,
    /// Its seed.
    pub seed: u64,
    /// Where its result is.
    pub place: String,
    /// What it measured; nothing if it left no result.
    pub seen: Option<Seen>,
    /// How it ended.
    pub exit: Exit,
}

/// What of a result stands in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    verdict: VerdictState,
    operation: String,
    attempts: u64,
    done: u64,
    response: Attempted,
}

impl Seen {
    /// Out of a result: its verdict, and the first operation of the profile's first activity.
    pub fn of(result: &RunResult) -> Self {
        let activity = result.profile.activities.first();
        let operation =
            activity.and_then(|activity| activity.operations.first()).cloned().unwrap_or_default();
        let none = Figures::default();
        let figures = result.operations.get(&operation).map_or(&none, |operation| &operation.figures);
        Self {
            verdict: result.verdict.state,
            attempts: figures.attempts,
            done: figures.response_us.count,
            response: figures.response_us.attempted,
            operation,
        }
    }

    /// Whether its numbers are the server's.
    const fn counts(&self) -> bool {
        self.attempts > 0 && matches!(self.verdict, VerdictState::Valid | VerdictState::ServerLimited)
    }

    /// In words, for who watches: `valid, message.delivery p99 3.2 ms`.
    pub fn in_words(&self) -> String {
        let seen = std::slice::from_ref(self);
        let figure = main_percentile(seen.iter())
            .map(|main| format!(", {} {} {}", self.operation, main.name, time((main.pick)(&self.response))));
        format!("{}{}", self.verdict.as_str(), figure.unwrap_or_default())
    }
}

/// The table, what lies between the runs, and those that did not end well.
pub fn render(rows: &[RunRow], style: Style) -> String {
    let seen = || rows.iter().filter_map(|row| row.seen.as_ref());
    let main = main_percentile(seen());
    let operation = seen().map(|seen| seen.operation.as_str()).find(|name| !name.is_empty());
    let mut page = Page::new(style);
    page.title("Runs");
    page.table(&all_runs(rows, main.as_ref(), operation, page.width()));
    if let Some(main) = &main {
        page.gap();
        apart(&mut page, rows, main, operation.unwrap_or_default());
    }
    let unwell = unwell(rows);
    if !unwell.is_empty() {
        page.gap();
    }
    for ((code, reason), numbers) in unwell {
        let plural = if numbers.len() == 1 { "" } else { "s" };
        let text = format!("run{plural} {}: exit code {code}: {reason}", numbers.join(", "));
        page.marked("✗", Tone::Bad, &text);
    }
    page.gap();
    results(&mut page, rows);
    page.into_text()
}

/// How far the runs lie apart, and which are left out of that.
fn apart(page: &mut Page, rows: &[RunRow], main: &Main, operation: &str) {
    let seen = || rows.iter().filter_map(|row| row.seen.as_ref());
    if seen().any(Seen::counts) {
        page.table(&spreads(rows, main, page.width()));
    }
    let count = |is: fn(&Seen) -> bool| seen().filter(|seen| is(seen)).count();
    let limited = count(|seen| seen.verdict == VerdictState::GeneratorLimited);
    let cut_short = count(|seen| seen.verdict == VerdictState::Interrupted);
    let left_out: Vec<String> = [(limited, "whose generator was the limit"), (cut_short, "cut short")]
        .into_iter()
        .filter(|(runs, _)| *runs > 0)
        .map(|(runs, why)| format!("{runs} {why}"))
        .collect();
    if !left_out.is_empty() {
        page.marked("!", Tone::Warn, &format!("left out of min, median and max: {}", left_out.join(", ")));
    }
    page.line(
        1,
        &format!(
            "{} of {operation}: over all attempts of the measured phases; what never completed ranks as > deadline. The median \
             of an even number is the lower of the middle two: no percentile is averaged.",
            main.name
        ),
    );
}

/// The runs that did not end well, by what the first reason is, in their order.
fn unwell(rows: &[RunRow]) -> Vec<((u8, &str), Vec<String>)> {
    let mut groups: Vec<((u8, &str), Vec<String>)> = Vec::new();
    for row in rows.iter().filter(|row| row.exit.code != 0) {
        let reason = row.exit.reasons.first().map_or("", |reason| reason.reason.as_str());
        let key = (row.exit.code, reason);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, numbers)) => numbers.push(row.number.to_string()),
            None => groups.push((key, vec![row.number.to_string()])),
        }
    }
    groups
}

/// The percentile that stands for a run.
struct Main {
    name: &'static str,
    pick: fn(&Attempted) -> Extended<u64>,
}

/// The highest that every run whose numbers count can support; if none counts, every one that has any but those cut short.
fn main_percentile<'a>(seen: impl Iterator<Item = &'a Seen> + Clone) -> Option<Main> {
    let picks: [Main; 3] = [
        Main { name: "p99", pick: |times| times.p99 },
        Main { name: "p90", pick: |times| times.p90 },
        Main { name: "p50", pick: |times| times.p50 },
    ];
    let any_counts = seen.clone().any(Seen::counts);
    let is_whole = |seen: &&Seen| seen.attempts > 0 && seen.verdict != VerdictState::Interrupted;
    let whole: Vec<&Seen> =
        seen.filter(|seen| if any_counts { seen.counts() } else { is_whole(seen) }).collect();
    if whole.is_empty() {
        return None;
    }
    picks
        .into_iter()
        .find(|main| whole.iter().all(|seen| (main.pick)(&seen.response) != Extended::Unsupported))
}

fn all_runs(rows: &[RunRow], main: Option<&Main>, operation: Option<&str>, width: u16) -> Table {
    let sides = rows.iter().any(|row| row.side.is_some());
    let figure = format!("{} {}", operation.unwrap_or("–"), main.map_or("", |main| main.name));
    let mut header = vec!["run"];
    header.extend(sides.then_some("side"));
    header.extend(["seed", "verdict", figure.trim_end(), "done", "asked", "exit"]);
    let mut table = table(&header, width);
    for row in rows {
        let mut cells = vec![row.number.to_string()];
        cells.extend(sides.then(|| row.side.unwrap_or_default().to_owned()));
        cells.push(row.seed.to_string());
        cells.extend(match &row.seen {
            None => ["no result", "–", "–", "–"].map(str::to_owned),
            Some(seen) => [
                seen.verdict.as_str().to_owned(),
                main.map_or_else(|| MISSING.to_owned(), |main| time((main.pick)(&seen.response))),
                show_count(seen.done),
                show_count(seen.attempts),
            ],
        });
        cells.push(row.exit.code.to_string());
        table.add_row(cells);
    }
    align(&mut table, 0);
    left(&mut table, header.len() - 5);
    table
}

/// What was not done of what was asked. The share done would be shown as 100 % where a few of many are missing.
fn share_undone(seen: &Seen) -> Option<f64> {
    (seen.attempts > 0).then(|| seen.attempts.saturating_sub(seen.done) as f64 / seen.attempts as f64)
}

/// Smallest, median (of an even number the lower), largest.
fn spread<T: Copy>(mut values: Vec<T>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Option<[T; 3]> {
    values.sort_by(order);
    let (first, last) = (*values.first()?, *values.last()?);
    Some([first, values[(values.len() - 1) / 2], last])
}

/// Where a time stands among others: what never completed is the longest.
fn rank(micros: &Extended<u64>) -> (u8, u64) {
    match *micros {
        Extended::Unsupported => (0, 0),
        Extended::Finite(micros) => (1, micros),
        Extended::Infinite => (2, 0),
    }
}

/// Smallest, median and largest of each side.
fn spreads(rows: &[RunRow], main: &Main, width: u16) -> Table {
    let mut table = table(&["between the runs", "runs", "min", "median", "max"], width);
    let sides: std::collections::BTreeSet<Option<&str>> = rows.iter().map(|row| row.side).collect();
    for side in sides {
        let of_side = rows.iter().filter(|row| row.side == side).filter_map(|row| row.seen.as_ref());
        let counted: Vec<&Seen> = of_side.filter(|seen| seen.counts()).collect();
        let of = side.map_or_else(String::new, |side| format!("{side}, "));
        let times = counted.iter().map(|seen| (main.pick)(&seen.response)).collect();
        if let Some(times) = spread(times, |a, b| rank(a).cmp(&rank(b))) {
            let head = [format!("{of}{}", main.name), counted.len().to_string()];
            table.add_row(head.into_iter().chain(times.map(time)));
        }
        let undone = counted.iter().filter_map(|seen| share_undone(seen)).collect();
        if let Some(undone) = spread(undone, f64::total_cmp) {
            let head = [format!("{of}not done"), counted.len().to_string()];
            table.add_row(head.into_iter().chain(undone.map(show_percent)));
        }
    }
    align(&mut table, 1);
    table
}

/// Where the results are: all of them, for a few; else the first and the last.
fn results(page: &mut Page, rows: &[RunRow]) {
    let places: Vec<&str> =
        rows.iter().filter(|row| row.seen.is_some()).map(|row| row.place.as_str()).collect();
    match places.as_slice() {
        [] => page.unbroken("There is no result."),
        [one] => page.unbroken(&format!("Result: {one}")),
        [first, .., last] => {
            let count = places.len();
            page.unbroken(&format!("{count} results: {first}"));
            let width = count.to_string().len() + 9;
            page.unbroken(&format!("{:>width$} {last}", "…"));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::results::ExitReason;

    fn row(number: u32, side: Option<&'static str>, seen: Option<Seen>, exit: (u8, &str)) -> RunRow {
        let reasons =
            if exit.0 == 0 { vec![] } else { vec![ExitReason { code: exit.0, reason: exit.1.to_owned() }] };
        let place = format!("base-{number}-seed{}.json", 40 + number);
        RunRow {
            number,
            side,
            seed: 40 + u64::from(number),
            place,
            seen,
            exit: Exit { code: exit.0, reasons },
        }
    }

    fn seen(verdict: VerdictState, done: u64, p90: Extended<u64>, p99: Extended<u64>) -> Seen {
        let response = Attempted { count: 1_200, p50: Finite(310), p90, p99, ..Attempted::default() };
        Seen { verdict, operation: "message.delivery".to_owned(), attempts: 1_200, done, response }
    }

    use Extended::{Finite, Infinite, Unsupported};
    use VerdictState::{GeneratorLimited, Interrupted, ServerLimited, Valid};

    #[test]
    fn a_series_with_failures() {
        let rows = [
            row(1, None, Some(seen(Valid, 1_200, Finite(800), Finite(3_120))), (0, "")),
            row(
                2,
                None,
                Some(seen(GeneratorLimited, 1_200, Finite(900), Finite(4_800))),
                (7, "the generator was the limit"),
            ),
            row(
                3,
                None,
                Some(seen(ServerLimited, 1_100, Finite(950), Infinite)),
                (4, "SLO message.delivery.p99 <= 250ms failed in phase steady: beyond its bound"),
            ),
            row(4, None, None, (1, "it was killed by signal 9")),
            row(
                5,
                None,
                Some(seen(GeneratorLimited, 1_199, Finite(700), Finite(2_950))),
                (7, "the generator was the limit"),
            ),
            row(
                6,
                None,
                Some(seen(Interrupted, 300, Unsupported, Unsupported)),
                (130, "the run was interrupted"),
            ),
        ];
        insta::assert_snapshot!(render(&rows, Style::default()));
    }

    /// A generator that was the limit says nothing of the server: its times stand in the list and nowhere else.
    #[test]
    fn runs_whose_generator_was_the_limit_lie_between_no_others() {
        let limited = |number, p99| {
            let seen = seen(GeneratorLimited, 1_200, Finite(800), Finite(p99));
            row(number, None, Some(seen), (7, "the generator was the limit"))
        };
        let valid =
            |number, p99| row(number, None, Some(seen(Valid, 1_200, Finite(800), Finite(p99))), (0, ""));
        let text = render(&[valid(1, 3_000), limited(2, 90_000), valid(3, 4_000)], Style::default());
        let between = text.lines().find(|line| line.starts_with(" p99 ")).expect("its row");
        let between: Vec<&str> = between.split_whitespace().collect();
        assert_eq!(between.join(" "), "p99 2 3 ms 3 ms 4 ms", "{text}");
        assert!(text.contains("90 ms"), "it stands in the list: {text}");
        assert!(text.contains("min, median and max: 1 whose generator was the limit\n"), "{text}");
        let text = render(&[limited(1, 80_000), limited(2, 90_000)], Style::default());
        assert!(text.contains("message.delivery p99") && text.contains("80 ms"), "{text}");
        assert!(!text.contains(" between the runs") && text.contains(": 2 whose generator"), "{text}");
    }

    #[test]
    fn two_sides_whose_p99_not_every_run_supports() {
        let rows = [
            row(1, Some("a"), Some(seen(Valid, 1_200, Finite(800), Finite(3_120))), (0, "")),
            row(2, Some("b"), Some(seen(Valid, 1_200, Finite(900), Unsupported)), (0, "")),
            row(3, Some("b"), Some(seen(Valid, 1_200, Finite(850), Finite(3_000))), (0, "")),
            row(4, Some("a"), Some(seen(Valid, 1_200, Finite(1_020), Finite(3_000))), (0, "")),
        ];
        insta::assert_snapshot!(render(&rows, Style { width: 120, ..Style::default() }));
    }

    #[test]
    fn nothing_at_all() {
        let text = render(
            &[row(1, None, None, (3, "it ended with an error of its own, told above"))],
            Style::default(),
        );
        assert!(text.contains("no result") && text.ends_with("There is no result.\n"), "{text}");
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        let long = "a reason that goes on and on \u{1b}[31m ".repeat(9);
        let wide = seen(GeneratorLimited, u64::MAX / 2, Finite(3_599_000_000), Finite(3_599_000_000));
        let rows: Vec<RunRow> = (990..=1_000)
            .map(|number| RunRow { seed: u64::MAX, ..row(number, Some("a"), Some(wide.clone()), (4, &long)) })
            .collect();
        let text = render(&rows, Style::default());
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        assert!(widest <= 81, "{widest} columns:\n{text}");
        assert!(!text.contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn what_lies_between_runs_was_measured_by_one_of_them(values in prop::collection::vec(any::<u64>(), 0..20)) {
            let order = |a: &u64, b: &u64| a.cmp(b);
            match spread(values.clone(), order) {
                None => prop_assert!(values.is_empty()),
                Some([min, median, max]) => {
                    prop_assert_eq!((Some(&min), Some(&max)), (values.iter().min(), values.iter().max()));
                    prop_assert!(values.contains(&median));
                    let below = values.iter().filter(|value| **value < median).count();
                    let above = values.iter().filter(|value| **value > median).count();
                    prop_assert!(below <= (values.len() - 1) / 2 && above <= values.len() / 2);
                }
            }
        }
    }
}
