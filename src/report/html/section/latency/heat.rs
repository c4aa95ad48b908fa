//! Heat maps: how many operations of each column took how long.

use std::collections::BTreeMap;

use super::series_of;
use crate::report::html::chart::{Figure, Frame, Key, Scale};
use crate::report::html::context::{Context, anchor, each, rows_over_time, stage_of};
use crate::report::overlay::Run;
use crate::report::summary::quantity;
use crate::report::timeline::Responses;
use crate::results::Unit;
use crate::results::histogram::value_of;
use crate::units::show_count;

/// Rows of a map.
const ROWS: usize = 44;
/// Shades a count can have.
const SHADES: usize = 6;
/// Ranges its table has at most.
const RANGES_MAX: usize = 10;

/// The map of one operation of a run; nothing where nothing was attempted.
pub fn heat(context: &Context<'_>, run: &Run, name: &str) -> Option<Figure> {
    let series = series_of(run, name)?;
    let grid = context.grid;
    let columns = grid.responses(series);
    let scale = scale_of(context, name);
    let cells = cells(&columns, scale);
    let most = *cells.values().max()?;
    let beyond = columns.iter().any(|column| column.infinite > 0);
    let whose = if context.runs.len() > 1 { format!("{}: ", run.letter) } else { String::new() };
    let title = format!("{whose}{name}: heat map");
    let label = format!("{title}; how many took how long, over time; the numbers follow in a table");
    let mut frame = Frame::over_time(&label, grid, &stage_of(run), scale, Unit::Micros, beyond);
    for (shade, class) in CLASSES.into_iter().enumerate() {
        let of_shade = cells.iter().filter(|(_, count)| shade_of(**count, most) == shade);
        frame.cells(&of_shade.map(|(cell, _)| *cell).collect::<Vec<_>>(), ROWS, class);
    }
    Some(Figure {
        id: anchor(&format!("heat-{}", run.letter.to_ascii_lowercase()), name),
        title,
        caption: format!(
            "Operations of each {}: the stronger its shade, the more took so long; shades begin at the counts below.",
            each(grid)
        ),
        picture: frame.finish(),
        keys: keys(most),
        table: table(context, &columns, scale),
    })
}

const CLASSES: [&str; SHADES] = ["heat h0", "heat h1", "heat h2", "heat h3", "heat h4", "heat h5"];

/// One scale for all runs, so that their maps can be held beside each other.
fn scale_of(context: &Context<'_>, name: &str) -> Scale {
    let all = context.runs.iter().filter_map(|run| series_of(run, name));
    let columns: Vec<Responses> = all.flat_map(|series| context.grid.responses(series)).collect();
    let buckets = columns.iter().flat_map(|column| &column.buckets.0);
    Scale::log(buckets.map(|&(bucket, _)| value_of(bucket) as f64))
}

/// Counts by column and row.
fn cells(columns: &[Responses], scale: Scale) -> BTreeMap<(usize, usize), u64> {
    let mut cells: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for (index, column) in columns.iter().enumerate() {
        let mut add = |row: usize, count: u64| {
            let cell = cells.entry((index, row)).or_default();
            *cell = cell.saturating_add(count);
        };
        for &(bucket, count) in column.buckets.0.iter().filter(|(_, count)| *count > 0) {
            let row = (scale.place(value_of(bucket) as f64) * ROWS as f64) as usize;
            add(row.min(ROWS - 1), count);
        }
        if column.infinite > 0 {
            add(ROWS, column.infinite);
        }
    }
    cells
}

/// Shades are even in the logarithm: each stands for so many times more than the one before.
fn shade_of(count: u64, most: u64) -> usize {
    if most <= 1 {
        return SHADES - 1;
    }
    let share = (count as f64).ln() / (most as f64).ln();
    ((share * SHADES as f64) as usize).min(SHADES - 1)
}

fn keys(most: u64) -> Vec<Key> {
    let from = |shade: usize| (1..=most.min(1 << 20)).find(|&count| shade_of(count, most) == shade);
    let shades = (0..SHADES).filter_map(|shade| Some((shade, from(shade)?)));
    shades.map(|(shade, count)| Key::area(CLASSES[shade], format!("from {}", show_count(count)))).collect()
}

fn table(context: &Context<'_>, columns: &[Responses], scale: Scale) -> crate::report::html::chart::Table {
    let mut edges = scale.ticks();
    while edges.len() > RANGES_MAX {
        edges = edges.into_iter().step_by(2).collect();
    }
    let rest = if edges.is_empty() { "completed" } else { "less" };
    let heads: Vec<String> = std::iter::once(rest.to_owned())
        .chain(edges.iter().map(|&edge| format!("from {}", quantity(edge, Unit::Micros))))
        .chain(["never completed".to_owned()])
        .collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    rows_over_time(context.grid, &heads, |index| {
        let column = &columns[index];
        let mut counts = vec![0u64; edges.len() + 1];
        for &(bucket, count) in &column.buckets.0 {
            let range = edges.iter().take_while(|&&edge| edge <= value_of(bucket) as f64).count();
            counts[range] = counts[range].saturating_add(count);
        }
        counts.into_iter().chain([column.infinite]).map(show_count).collect()
    })
}
