//! What was seen of the server beside the load: its CPU, its memory, and whatever else was watched. Drawn where there is any.

use super::users::{Levels, figure, greatest};
use crate::report::html::chart::Scale;
use crate::report::html::context::{Context, anchor, section};
use crate::report::html::markup::Markup;
use crate::report::runs::{NamedSeries, Run};
use crate::report::summary::observed::{Line, TITLE, lines};

/// What was seen in words, and what the load cost the server.
fn said(page: &mut Markup, context: &Context<'_>, run: &Run) {
    let lines = lines(&run.result);
    if context.single().is_none() && !lines.is_empty() {
        page.leaf("h3", &[], &format!("{}: {}", run.letter, run.name));
    }
    for line in lines {
        match line {
            Line::Said(text) => page.leaf("p", &[], &text),
            Line::Warned(text) => page.leaf("p", &[], &format!("! {text}")),
        }
    }
}

/// Series a page has charts for.
const SERIES_MAX: usize = 24;

/// The section, if anything was observed: one chart for each name, with all runs that have it.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    let mut names: Vec<&NamedSeries> = Vec::new();
    for series in context.runs.iter().flat_map(|run| &run.observed) {
        if names.iter().all(|known| (&known.name, known.unit) != (&series.name, series.unit)) {
            names.push(series);
        }
    }
    if names.is_empty() {
        return;
    }
    section(page, "server", TITLE, |page| {
        for run in context.runs {
            said(page, context, run);
        }
        page.open("div", &[("class", "charts")]);
        for series in names.into_iter().take(SERIES_MAX) {
            let of = |run: &Run| {
                let found =
                    run.observed.iter().find(|one| (&one.name, one.unit) == (&series.name, series.unit));
                found.map_or_else(Vec::new, |one| one.values.clone())
            };
            let columns: Vec<Vec<Option<f64>>> = context.runs.iter().map(of).collect();
            let levels = Levels {
                id: anchor("server", &series.name),
                title: series.name.clone(),
                caption: "As read in each second, or since the reading before".to_owned(),
                unit: series.unit,
                scale: Scale::linear(greatest(&columns)),
            };
            if let Some(figure) = figure(context, levels, &columns) {
                figure.write(page);
            }
        }
        page.close();
    });
}
