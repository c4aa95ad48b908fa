//! Users online.

use crate::report::html::chart::{Figure, Frame, Key, Scale, run_class};
use crate::report::html::context::{Context, each, rows_over_time, section};
use crate::report::html::markup::Markup;
use crate::report::overlay::Run;
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
            scale: Scale::linear(ends(&columns).1),
            has_least: true,
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
    /// Whether the least of a column of the grid says something too: of what is a greatest value already it does not.
    pub has_least: bool,
}

/// The least and the greatest of all levels and zero.
pub fn ends(columns: &[Vec<Option<f64>>]) -> (f64, f64) {
    let all = columns.iter().flatten().flatten().copied().filter(|value| value.is_finite());
    all.fold((0.0, 0.0), |(least, greatest), value| (value.min(least), value.max(greatest)))
}

/// A chart of levels, one column per run: a line along the greatest of each column of the grid. Where seconds share a column an
/// area reaches down to the least; of several runs a thin line lies along it, for their areas would hide each other. Nothing
/// where nothing was noted.
pub fn figure(context: &Context<'_>, levels: Levels, columns: &[Vec<Option<f64>>]) -> Option<Figure> {
    let grid = context.grid;
    columns.iter().flatten().flatten().next()?;
    let found: Vec<Vec<Option<(f64, f64)>>> = columns.iter().map(|column| grid.extremes(column)).collect();
    let label = format!("{} over time; the numbers follow in a table", levels.title);
    let mut frame = Frame::over_time(&label, grid, &context.stage, levels.scale, levels.unit, false);
    let several = context.single().is_none();
    let shared = grid.width_s > 1;
    for (index, extremes) in found.iter().enumerate() {
        if shared && !several {
            frame.band(extremes, "band spread");
        }
        if shared && several && levels.has_least {
            let least: Vec<Option<f64>> =
                extremes.iter().map(|found| found.map(|(least, _)| least)).collect();
            frame.line(&least, &format!("{} least", run_class(index)));
        }
        let most: Vec<Option<f64>> = extremes.iter().map(|found| found.map(|(_, most)| most)).collect();
        frame.line(&most, run_class(index));
    }
    let spread = match (shared, several, levels.has_least) {
        (false, ..) => ".".to_owned(),
        (true, false, _) => {
            format!("; the line is the greatest of each {}, the area reaches down to the least.", each(grid))
        }
        (true, true, true) => {
            format!("; the thick line is the greatest of each {}, the thin one the least.", each(grid))
        }
        (true, true, false) => format!("; the line is the greatest of each {}.", each(grid)),
    };
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
