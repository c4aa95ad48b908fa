//! Users online.

use crate::report::html::chart::{Figure, Frame, Key, Scale, run_class};
use crate::report::html::context::{Context, each, rows_over_time, section};
use crate::report::html::markup::Markup;
use crate::report::runs::Run;
use crate::report::summary::{quantity, tables::MISSING};
use crate::report::timeline::Grid;
use crate::results::Unit;

/// The section.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    let columns: Vec<Vec<Option<f64>>> = context
        .runs
        .iter()
        .map(|run| {
            run.result.series.users_online.iter().map(|users| users.map(|users| users as f64)).collect()
        })
        .collect();
    section(page, "users", "Users online", |page| {
        page.open("div", &[("class", "charts")]);
        let levels = Levels {
            id: "users-online".to_owned(),
            title: "Users online".to_owned(),
            caption: "At the end of each second".to_owned(),
            unit: Unit::Count,
            scale: Scale::linear(greatest(&columns)),
        };
        match figure(context, levels, &columns) {
            Some(figure) => figure.write(page),
            None => page.leaf("p", &[], "Not noted in this result."),
        }
        page.close();
    });
}

/// A chart of levels in the making.
pub struct Levels {
    /// Its anchor.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// When the levels were noted.
    pub caption: String,
    /// What they count.
    pub unit: Unit,
    /// The upright axis.
    pub scale: Scale,
}

/// The greatest of all levels.
pub fn greatest(columns: &[Vec<Option<f64>>]) -> f64 {
    columns.iter().flatten().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// A chart of levels, one column per run: a line along the greatest of each column of the grid, and an area down to the
/// least where they differ. Nothing where nothing was noted.
pub fn figure(context: &Context<'_>, levels: Levels, columns: &[Vec<Option<f64>>]) -> Option<Figure> {
    let grid = context.grid;
    columns.iter().flatten().flatten().next()?;
    let found: Vec<Vec<Option<(f64, f64)>>> = columns.iter().map(|column| grid.extremes(column)).collect();
    let label = format!("{} over time; the numbers follow in a table", levels.title);
    let mut frame = Frame::over_time(&label, grid, &context.stage, levels.scale, levels.unit, false);
    for (index, extremes) in found.iter().enumerate() {
        if grid.width_s > 1 && context.single().is_some() {
            frame.band(extremes, "band spread");
        }
        let most: Vec<Option<f64>> = extremes.iter().map(|found| found.map(|(_, most)| most)).collect();
        frame.line(&most, run_class(index));
    }
    let spread = if grid.width_s > 1 {
        format!("; the line is the greatest of each {}, the area reaches down to the least.", each(grid))
    } else {
        ".".to_owned()
    };
    let several = context.single().is_none();
    let keys = context.runs.iter().enumerate().filter(|_| several);
    Some(Figure {
        id: levels.id,
        title: levels.title,
        caption: format!("{}{spread}", levels.caption),
        picture: frame.finish(),
        keys: keys
            .map(|(index, run)| Key::line(run_class(index), format!("{}: {}", run.letter, run.name)))
            .collect(),
        table: table(context.runs, grid, &found, levels.unit),
    })
}

fn table(
    runs: &[Run],
    grid: Grid,
    found: &[Vec<Option<(f64, f64)>>],
    unit: Unit,
) -> crate::report::html::chart::Table {
    let whose = |run: &Run| if runs.len() > 1 { format!("{} ", run.letter) } else { String::new() };
    let heads: Vec<String> = runs
        .iter()
        .flat_map(|run| [format!("{}least", whose(run)), format!("{}greatest", whose(run))])
        .collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let show = |value: Option<f64>| value.map_or_else(|| MISSING.to_owned(), |value| quantity(value, unit));
    rows_over_time(grid, &heads, |column| {
        let cells = found.iter().map(|extremes| extremes[column]);
        cells
            .flat_map(|cell| [show(cell.map(|(least, _)| least)), show(cell.map(|(_, most)| most))])
            .collect()
    })
}
