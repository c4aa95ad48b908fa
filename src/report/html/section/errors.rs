//! What did not end well, by class over time, and the peers' own words.

use crate::report::html::chart::{Figure, Frame, Key, Scale, Table};
use crate::report::html::context::{Context, anchor, each, rows_over_time, section, stage_of};
use crate::report::html::markup::Markup;
use crate::report::overlay::Run;
use crate::report::summary::{attention, quantity, tables::MISSING};
use crate::report::timeline::Grid;
use crate::results::{OperationSeries, Unit};
use crate::units::show_count;

/// The section.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    section(page, "errors", "Errors", |page| {
        let mut figures = Vec::new();
        let mut words: Vec<String> =
            context.runs.iter().flat_map(|run| of_the_account(context, run)).collect();
        for name in context.names.iter().chain(&context.left_out) {
            let is_drawn = context.names.contains(name);
            for run in context.runs {
                match figure(context, run, name).filter(|_| is_drawn) {
                    Some(figure) => figures.push(figure),
                    None => words.extend(undrawn(context, run, name)),
                }
            }
        }
        if figures.is_empty() && words.is_empty() {
            let nothing = context.names.is_empty();
            let all = if nothing { "No operation was attempted." } else { "Every operation ended well." };
            page.leaf("p", &[], all);
        }
        for text in &words {
            page.leaf("p", &[], &format!("! {text}"));
        }
        if !figures.is_empty() {
            page.leaf("p", &[("class", "note")], NOTE);
            page.open("div", &[("class", "charts")]);
            for figure in figures {
                figure.write(page);
            }
            page.close();
        }
        for run in context.runs {
            kinds(page, context, run);
        }
    });
}

/// How many of an operation did not end well over the whole run, and of how many.
fn ended_otherwise(run: &Run, name: &str) -> (u64, u64) {
    let phases = run.result.phases.iter().filter_map(|phase| phase.operations.get(name));
    let outcomes = phases.flat_map(|operation| &operation.figures.outcomes);
    outcomes.fold((0u64, 0u64), |(otherwise, all), (outcome, &count)| {
        let not_ok = if outcome == "ok" { 0 } else { count };
        (otherwise.saturating_add(not_ok), all.saturating_add(count))
    })
}

/// An operation that did not always end well and has no chart.
fn undrawn(context: &Context<'_>, run: &Run, name: &str) -> Option<String> {
    let (otherwise, all) = ended_otherwise(run, name);
    let (count, all) = (show_count(otherwise), show_count(all));
    (otherwise > 0)
        .then(|| format!("{}{name}: {count} of {all} did not end well; no chart", whose(context, run)))
}

/// What no operation knows of: copies that only the account holds, and whatever else was open when a run was killed.
fn of_the_account(context: &Context<'_>, run: &Run) -> Vec<String> {
    const KILLED: &str = "the run was killed: what was open then, and what came after its journal's last record, is in no operation";
    let mut operations = run.result.operations.keys();
    let is_told = operations.any(|name| ended_otherwise(run, name).0 > 0);
    let mut lines = Vec::new();
    if !run.result.complete {
        lines.push(KILLED.to_owned());
    }
    if !run.result.complete || !is_told {
        lines.extend(attention::unaccounted(&run.result));
    }
    lines.into_iter().map(|line| format!("{}{line}", whose(context, run))).collect()
}

fn whose(context: &Context<'_>, run: &Run) -> String {
    if context.single().is_some() { String::new() } else { format!("{}: ", run.letter) }
}

const NOTE: &str = "Attempts that did not end well, by class and by the second they were intended in. Operations without any \
                    are not drawn.";

/// Classes told apart in a chart; the rest stand together.
const CLASSES_MAX: usize = 9;

/// A class and its counts.
type Class = (String, Vec<Option<u64>>);

fn figure(context: &Context<'_>, run: &Run, name: &str) -> Option<Figure> {
    let series = run.result.series.operations.get(name)?;
    let grid = context.grid;
    let classes = few(classes(series, grid));
    if classes.is_empty() {
        return None;
    }
    let rates: Vec<Vec<f64>> = classes.iter().map(|(_, counts)| per_second(counts, grid)).collect();
    let total = |column: usize| rates.iter().map(|rates| rates[column]).sum::<f64>();
    let most = (0..grid.columns()).map(total).fold(0.0, f64::max);
    let title = format!("{}{name}: not well ended", whose(context, run));
    let label = format!("{title}, per second over time, by class; the numbers follow in a table");
    let mut frame =
        Frame::over_time(&label, grid, &stage_of(run), Scale::linear(most), Unit::PerSecond, false);
    let mut floor = vec![0.0; grid.columns()];
    for (index, rates) in rates.iter().enumerate() {
        let band = floor.iter().zip(rates).map(|(&low, &rate)| (rate > 0.0).then_some((low, low + rate)));
        frame.stacked(&band.collect::<Vec<_>>(), index);
        floor.iter_mut().zip(rates).for_each(|(low, rate)| *low += rate);
    }
    let heads: Vec<&str> = classes.iter().map(|(class, _)| class.as_str()).collect();
    let table = rows_over_time(grid, &heads, |column| {
        classes
            .iter()
            .map(|(_, counts)| counts[column].map_or_else(|| MISSING.to_owned(), show_count))
            .collect()
    });
    let keys = classes.iter().enumerate().map(|(index, (class, counts))| {
        let sum = counts.iter().flatten().copied().fold(0, u64::saturating_add);
        Key::stacked(index, format!("{class}: {}", show_count(sum)))
    });
    Some(Figure {
        id: anchor(&format!("errors-{}", run.letter.to_ascii_lowercase()), name),
        title,
        caption: format!(
            "Per second, over each {}; at most {}.",
            each(grid),
            quantity(most, Unit::PerSecond)
        ),
        picture: frame.finish(),
        keys: keys.collect(),
        table,
    })
}

/// The classes a series tells apart that have any, most frequent first.
fn classes(series: &OperationSeries, grid: Grid) -> Vec<Class> {
    let told: Vec<Class> = if series.outcomes.is_empty() {
        // A result before 1.3 tells no more.
        let told = [
            ("lost, timed out or failed", &series.errors),
            ("unsent", &series.unsent),
            ("indeterminate", &series.indeterminate),
        ];
        told.into_iter().map(|(class, counts)| (class.to_owned(), grid.sums(counts))).collect()
    } else {
        let told = series.outcomes.iter();
        told.map(|(class, counts)| (class.clone(), grid.sparse_sums(counts, series.asked.len()))).collect()
    };
    let mut classes: Vec<Class> = told.into_iter().filter(|(_, counts)| total(counts) > 0).collect();
    classes.sort_by_key(|(_, counts)| std::cmp::Reverse(total(counts)));
    classes
}

fn total(counts: &[Option<u64>]) -> u64 {
    counts.iter().flatten().copied().fold(0, u64::saturating_add)
}

/// As many as can be told apart.
fn few(mut classes: Vec<Class>) -> Vec<Class> {
    if classes.len() > CLASSES_MAX {
        let rest = classes.split_off(CLASSES_MAX);
        let columns = rest.first().map_or(0, |(_, counts)| counts.len());
        let sum =
            |column: usize| rest.iter().filter_map(|(_, counts)| counts[column]).reduce(u64::saturating_add);
        classes.push(("others".to_owned(), (0..columns).map(sum).collect()));
    }
    classes
}

fn per_second(counts: &[Option<u64>], grid: Grid) -> Vec<f64> {
    let seconds = |column| grid.range(column).len().max(1) as f64;
    counts.iter().enumerate().map(|(column, count)| count.unwrap_or(0) as f64 / seconds(column)).collect()
}

/// Errors as the peers put them.
fn kinds(page: &mut Markup, context: &Context<'_>, run: &Run) {
    if run.result.errors.is_empty() {
        return;
    }
    if context.single().is_none() {
        page.leaf("h3", &[], &format!("{}: {}", run.letter, run.name));
    }
    let mut table = Table::new(&["count", "whose", "step", "condition", "example"]);
    table.rows = run
        .result
        .errors
        .iter()
        .take(KINDS_MAX)
        .map(|error| {
            vec![
                show_count(error.count),
                error.class.clone(),
                error.step.clone(),
                error.condition.clone(),
                shortened(&error.example),
            ]
        })
        .collect();
    table.write(page, &format!("Errors of {}", run.name));
    if run.result.errors.len() > KINDS_MAX {
        page.leaf(
            "p",
            &[("class", "note")],
            &format!("And {} more kinds, in the result file.", run.result.errors.len() - KINDS_MAX),
        );
    }
}

const KINDS_MAX: usize = 50;
const EXAMPLE_MAX: usize = 400;

fn shortened(example: &str) -> String {
    let mut text: String = example.chars().take(EXAMPLE_MAX).collect();
    if example.chars().count() > EXAMPLE_MAX {
        text.push('…');
    }
    text
}
