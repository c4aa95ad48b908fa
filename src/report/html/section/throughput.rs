//! Throughput asked against done.

use crate::report::html::chart::{Figure, Frame, Key, Scale, run_class};
use crate::report::html::context::{Context, anchor, each, rows_over_time, section};
use crate::report::html::markup::Markup;
use crate::report::html::section::latency::key;
use crate::report::overlay::Run;
use crate::report::summary::{quantity, tables::MISSING};
use crate::report::timeline::Grid;
use crate::results::{OperationSeries, Unit};

/// The section.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    section(page, "throughput", "Throughput", |page| {
        page.leaf("p", &[("class", "note")], NOTE);
        page.open("div", &[("class", "charts")]);
        context.names.iter().filter_map(|name| figure(context, name)).for_each(|figure| figure.write(page));
        page.close();
    });
}

const NOTE: &str = "Asked: what the plan wanted begun. Done: what completed in that time, whenever it was wanted, so that a \
                    server that falls behind shows.";

struct Rates<'a> {
    index: usize,
    run: &'a Run,
    asked: Vec<Option<f64>>,
    done: Vec<Option<f64>>,
    extremes: Vec<Option<(f64, f64)>>,
}

fn figure(context: &Context<'_>, name: &str) -> Option<Figure> {
    let grid = context.grid;
    let all: Vec<Rates<'_>> = context
        .runs
        .iter()
        .enumerate()
        .filter_map(|(index, run)| Some(rates(index, run, run.result.series.operations.get(name)?, grid)))
        .collect();
    let lines = || all.iter().flat_map(|one| one.asked.iter().chain(&one.done).flatten().copied());
    lines().next()?;
    let peaks = all.iter().flat_map(|one| one.extremes.iter().flatten().map(|&(_, most)| most));
    let scale = Scale::linear(lines().chain(peaks).fold(0.0, f64::max));
    let title = format!("{name}: asked and done");
    let label = format!("{title}, per second over time; the numbers follow in a table");
    let mut frame = Frame::over_time(&label, grid, &context.stage, scale, Unit::PerSecond, false);
    if grid.width_s > 1 && context.single().is_some() {
        for one in &all {
            frame.band(&one.extremes, "band spread");
        }
    }
    for one in &all {
        if context.single().is_some() || one.index == 0 {
            frame.line(&one.asked, "line asked");
        }
        frame.line(&one.done, run_class(one.index));
    }
    let heads: Vec<String> = all
        .iter()
        .flat_map(|one| {
            let whose =
                if context.single().is_some() { String::new() } else { format!("{} ", one.run.letter) };
            [format!("{whose}asked"), format!("{whose}done")]
        })
        .collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let table = rows_over_time(grid, &heads, |column| {
        let cells = all.iter().flat_map(|one| [one.asked[column], one.done[column]]);
        cells
            .map(|rate| rate.map_or_else(|| MISSING.to_owned(), |rate| quantity(rate, Unit::PerSecond)))
            .collect()
    });
    Some(Figure {
        id: anchor("throughput", name),
        title,
        caption: caption(context),
        picture: frame.finish(),
        keys: keys(context, &all),
        table,
    })
}

fn caption(context: &Context<'_>) -> String {
    let whose = if context.single().is_some() { "" } else { " What was asked is the first run's." };
    let spread = if context.grid.width_s > 1 && context.single().is_some() {
        " The area spans the least and the most done in any one second."
    } else {
        ""
    };
    format!("Per second, over each {}.{whose}{spread}", each(context.grid))
}

fn keys(context: &Context<'_>, all: &[Rates<'_>]) -> Vec<Key> {
    let mut keys = vec![Key::line("line asked", "asked")];
    match context.single() {
        Some(_) => keys.push(Key::line(run_class(0), "done")),
        None => keys.extend(all.iter().map(|one| key(one.index, one.run))),
    }
    keys
}

fn rates<'a>(index: usize, run: &'a Run, series: &OperationSeries, grid: Grid) -> Rates<'a> {
    let per_second = |counts: &[u64]| -> Vec<Option<f64>> {
        let sums = grid.sums(counts).into_iter().enumerate();
        sums.map(|(column, sum)| Some(sum? as f64 / seconds(grid, column, counts.len()))).collect()
    };
    let each: Vec<Option<u64>> = series.done.iter().copied().map(Some).collect();
    let extremes = grid.extremes(&each).into_iter();
    let extremes = extremes.map(|found| found.map(|(least, most)| (least as f64, most as f64))).collect();
    Rates { index, run, asked: per_second(&series.asked), done: per_second(&series.done), extremes }
}

/// Seconds of a column that the run had.
fn seconds(grid: Grid, column: usize, length: usize) -> f64 {
    let range = grid.range(column);
    range.end.min(length).saturating_sub(range.start).max(1) as f64
}
