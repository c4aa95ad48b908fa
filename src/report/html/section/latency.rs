//! Response time over time: percentile bands and a heat map of one run, percentiles of several laid over each other.

use crate::report::html::chart::{Figure, Frame, Key, Scale, run_class};
use crate::report::html::context::{Context, anchor, each, rows_over_time, section};
use crate::report::html::markup::Markup;
use crate::report::html::section::latency::heat::heat;
use crate::report::overlay::Run;
use crate::report::summary::tables;
use crate::report::timeline::{Grid, Responses};
use crate::results::{Extended, OperationSeries, Unit};
use crate::units::{Quantile, show_count};

mod heat;

/// The section.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    section(page, "latency", "Latency over time", |page| {
        page.leaf("p", &[("class", "note")], NOTE);
        for name in &context.names {
            let figures = figures(context, name);
            if figures.is_empty() {
                continue;
            }
            page.leaf("h3", &[], name);
            page.open("div", &[("class", "charts")]);
            for figure in figures {
                figure.write(page);
            }
            page.close();
        }
    });
}

fn figures(context: &Context<'_>, name: &str) -> Vec<Figure> {
    let percentiles = match context.single() {
        Some(run) => bands(context, run, name).into_iter().collect(),
        None => overlays(context, name),
    };
    percentiles.into_iter().chain(context.runs.iter().filter_map(|run| heat(context, run, name))).collect()
}

const NOTE: &str = "Response time from the intended instant, by the second it was intended in. Percentiles are over all \
                    attempts; what never completed lies beyond every deadline. Where a column has too few attempts for a \
                    percentile there is a gap.";

/// The percentiles drawn, with the class of their lines.
const DRAWN: [(Quantile, &str, &str); 3] = [
    (Quantile::P50, "p50", "line q50"),
    (Quantile::P90, "p90", "line q90"),
    (Quantile::P99, "p99", "line q99"),
];

fn series_of<'a>(run: &'a Run, name: &str) -> Option<&'a OperationSeries> {
    run.result.series.operations.get(name)
}

fn bands(context: &Context<'_>, run: &Run, name: &str) -> Option<Figure> {
    let series = series_of(run, name)?;
    let grid = Grid::for_percentiles(context.seconds, [series].into_iter());
    let columns = grid.responses(series);
    let lines: Vec<Vec<Option<f64>>> = DRAWN.iter().map(|(quantile, ..)| line(&columns, *quantile)).collect();
    let mut frame = frame(context, grid, &format!("{name}: response time percentiles over time"), &lines)?;
    for (lower, upper, class) in [(&lines[0], &lines[1], "band near"), (&lines[1], &lines[2], "band far")] {
        let between = lower.iter().zip(upper.iter()).map(|(low, high)| Some(((*low)?, (*high)?)));
        frame.band(&between.collect::<Vec<_>>(), class);
    }
    for ((.., class), line) in DRAWN.iter().zip(&lines) {
        frame.line(line, class);
    }
    let table = rows_over_time(grid, &["attempts", "never completed", "p50", "p90", "p99"], |column| {
        let responses = &columns[column];
        let counts = [show_count(responses.attempts()), show_count(responses.infinite)];
        let percentiles = DRAWN.iter().map(|(quantile, ..)| tables::time(responses.attempted(*quantile)));
        counts.into_iter().chain(percentiles).collect()
    });
    let drawn = DRAWN.iter().zip(&lines).filter(|(_, line)| line.iter().any(Option::is_some));
    let keys: Vec<Key> = drawn.map(|((_, label, class), _)| Key::line(class, *label)).collect();
    let missing = DRAWN.iter().zip(&lines).find(|(_, line)| line.iter().all(Option::is_none));
    let note = missing.map_or_else(String::new, |((quantile, label, _), _)| {
        let needed = (10.0 / (1.0 - quantile.as_fraction())).round() as u64;
        format!(" None has the {} attempts {label} needs.", show_count(needed))
    });
    Some(Figure {
        id: anchor("latency", name),
        title: format!("{name}: percentiles"),
        caption: format!("Over all attempts of each {}; areas lie between the lines.{note}", each(grid)),
        picture: frame.finish(),
        keys,
        table,
    })
}

/// Of several runs one percentile a chart: the median, and the highest that most columns can tell.
fn overlays(context: &Context<'_>, name: &str) -> Vec<Figure> {
    let all: Vec<(usize, &Run, &OperationSeries)> = context
        .runs
        .iter()
        .enumerate()
        .filter_map(|(index, run)| Some((index, run, series_of(run, name)?)))
        .collect();
    let grid = Grid::for_percentiles(context.seconds, all.iter().map(|(_, _, series)| *series));
    let columns: Vec<Vec<Responses>> = all.iter().map(|(_, _, series)| grid.responses(series)).collect();
    let tells = |quantile| columns.iter().any(|columns| line(columns, quantile).iter().any(Option::is_some));
    let high = DRAWN.iter().rev().find(|(quantile, ..)| tells(*quantile));
    let mut wanted: Vec<&(Quantile, &str, &str)> = vec![&DRAWN[0]];
    wanted.extend(high.filter(|(quantile, ..)| *quantile != Quantile::P50));
    let figures = wanted.into_iter().filter_map(|(quantile, label, _)| {
        let lines: Vec<Vec<Option<f64>>> = columns.iter().map(|columns| line(columns, *quantile)).collect();
        let title = format!("{name}: {label}");
        let mut frame = frame(context, grid, &format!("{title} of each run over time"), &lines)?;
        for ((index, ..), line) in all.iter().zip(&lines) {
            frame.line(line, run_class(*index));
        }
        let head: Vec<String> = all.iter().map(|(_, run, _)| format!("{} {label}", run.letter)).collect();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        let table = rows_over_time(grid, &head, |column| {
            columns.iter().map(|columns| tables::time(columns[column].attempted(*quantile))).collect()
        });
        Some(Figure {
            id: anchor(&format!("latency-{label}"), name),
            title,
            caption: format!("Over all attempts of each {}.", each(grid)),
            picture: frame.finish(),
            keys: all.iter().map(|(index, run, _)| key(*index, run)).collect(),
            table,
        })
    });
    figures.collect()
}

/// The key of a run's lines.
pub fn key(index: usize, run: &Run) -> Key {
    Key::line(run_class(index), format!("{}: {}", run.letter, run.name))
}

/// A percentile of each column: a gap where it is not known, infinite beyond every deadline.
fn line(columns: &[Responses], quantile: Quantile) -> Vec<Option<f64>> {
    let value = |column: &Responses| match column.attempted(quantile) {
        Extended::Unsupported => None,
        Extended::Finite(micros) => Some(micros as f64),
        Extended::Infinite => Some(f64::INFINITY),
    };
    columns.iter().map(value).collect()
}

fn frame(context: &Context<'_>, grid: Grid, label: &str, lines: &[Vec<Option<f64>>]) -> Option<Frame> {
    let values = || lines.iter().flatten().flatten().copied();
    values().next()?;
    let beyond = values().any(f64::is_infinite);
    let label = format!("{label}; the numbers follow in a table");
    Some(Frame::over_time(&label, grid, &context.stage, Scale::log(values()), Unit::Micros, beyond))
}
