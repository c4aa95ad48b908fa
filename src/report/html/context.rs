//! What all sections of a page know.

use super::chart::{Ending, Shade, Stage, Table};
use super::markup::Markup;
use crate::report::overlay::{Run, headliners};
use crate::report::summary::window_of;
use crate::report::timeline::Grid;
use crate::units::show_elapsed;

/// The runs, and what their charts share.
pub struct Context<'a> {
    /// The results.
    pub runs: &'a [Run],
    /// What was measured in any of them.
    pub names: Vec<&'a str>,
    /// What more was measured than a page has room for.
    pub left_out: Vec<&'a str>,
    /// Phases behind the charts, which are the first run's, and where any of the runs ended early.
    pub stage: Stage,
    /// Seconds of the longest run.
    pub seconds: usize,
    /// Columns as fine as there is room for.
    pub grid: Grid,
}

/// Operations a page has charts for.
const OPERATIONS_MAX: usize = 24;
/// Phases drawn.
const SHADES_MAX: usize = 60;

impl<'a> Context<'a> {
    /// Of these runs.
    pub fn new(runs: &'a [Run]) -> Self {
        let seconds = runs.iter().map(Run::seconds).max().unwrap_or(0);
        let mut names = headliners(runs);
        let left_out = names.split_off(names.len().min(OPERATIONS_MAX));
        Self { runs, names, left_out, stage: stage(runs), seconds, grid: Grid::over(seconds) }
    }

    /// The only run, if there is only one.
    pub const fn single(&self) -> Option<&'a Run> {
        match self.runs {
            [run] => Some(run),
            _ => None,
        }
    }

    /// Whether all runs had the phases that are drawn.
    pub fn phases_agree(&self) -> bool {
        self.runs.iter().all(|run| shades(run) == self.stage.shades)
    }
}

/// Begins a section of a page.
pub fn section(page: &mut Markup, id: &'static str, title: &'static str, fill: impl FnOnce(&mut Markup)) {
    let heading = format!("{id}-heading");
    page.within("section", &[("id", id), ("aria-labelledby", &heading)], |page| {
        page.leaf("h2", &[("id", &heading)], title);
        page.line();
        fill(page);
    });
    page.line();
}

/// A table with one row for each column of a grid: when it begins, and what `cells` says of it.
pub fn rows_over_time(grid: Grid, head: &[&str], cells: impl Fn(usize) -> Vec<String>) -> Table {
    let head: Vec<&str> = ["from"].into_iter().chain(head.iter().copied()).collect();
    let mut table = Table::new(&head);
    table.rows = (0..grid.columns())
        .map(|column| {
            let start = show_elapsed(grid.range(column).start as u64);
            [start].into_iter().chain(cells(column)).collect()
        })
        .collect();
    table
}

/// How long a column is, for a caption.
pub fn each(grid: Grid) -> String {
    if grid.width_s == 1 { "second".to_owned() } else { format!("{} seconds", grid.width_s) }
}

/// An anchor of a section's chart. Names of ours are told apart by their letters, any others by a checksum too.
pub fn anchor(topic: &str, name: &str) -> String {
    const LETTERS: usize = 40;
    let is_ours = |c: char| c.is_ascii_lowercase() || c == '.';
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let letters: String = name.chars().map(plain).take(LETTERS).collect();
    if name.len() <= LETTERS && name.chars().all(is_ours) {
        return format!("{topic}-{letters}");
    }
    format!("{topic}-{letters}-{:08x}", crc32fast::hash(name.as_bytes()))
}

/// What lies behind a chart of one run alone: its own phases, and its own end.
pub fn stage_of(run: &Run) -> Stage {
    stage(std::slice::from_ref(run))
}

fn stage(runs: &[Run]) -> Stage {
    let several = runs.len() > 1;
    let endings = runs.iter().enumerate().filter_map(|(index, run)| {
        let at_s = run.result.ended_early.as_ref()?.at_s;
        Some(if several {
            Ending { at_s, class: format!("ending r{index}"), name: format!("{} ended", run.letter) }
        } else {
            Ending { at_s, class: "ending".to_owned(), name: "ended early".to_owned() }
        })
    });
    Stage { shades: runs.first().map_or_else(Vec::new, shades), endings: endings.collect() }
}

/// The phases as far as the run came.
fn shades(run: &Run) -> Vec<Shade> {
    let phases = run.result.phases.iter().take(SHADES_MAX);
    phases
        .map(|phase| Shade {
            name: phase.name.clone(),
            start_s: phase.start_s,
            end_s: window_of(&run.result, phase).end_s,
            measured: phase.measured,
        })
        .collect()
}
