//! What was seen of the server beside the load: its CPU, its memory, and whatever else was watched. Drawn where there is any.

use super::users::{Levels, ends, figure};
use crate::report::html::chart::{Figure, Scale};
use crate::report::html::context::{Context, anchor, section};
use crate::report::html::markup::Markup;
use crate::report::observed::NamedSeries;
use crate::report::overlay::Run;
use crate::report::summary::observed::{Line, TITLE, lines};
use crate::results::{ColumnKind, Unit};

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
    let mut all: Vec<&NamedSeries> = Vec::new();
    for series in context.runs.iter().flat_map(|run| &run.observed) {
        if all.iter().all(|known| !is_same(known, series)) {
            all.push(series);
        }
    }
    if all.is_empty() {
        return;
    }
    section(page, "server", TITLE, |page| {
        for run in context.runs {
            said(page, context, run);
        }
        page.open("div", &[("class", "charts")]);
        let figures = all.iter().take(SERIES_MAX).filter_map(|series| chart(context, series));
        figures.for_each(|figure| figure.write(page));
        page.close();
        if all.len() > SERIES_MAX {
            let more = all.len() - SERIES_MAX;
            let text =
                format!("No charts for {more} more columns: they are in the result file, and in the CSV.");
            page.leaf("p", &[("class", "note")], &text);
        }
    });
}

/// Whether two series can lie over each other.
fn is_same(one: &NamedSeries, other: &NamedSeries) -> bool {
    (&one.name, one.unit, one.kind) == (&other.name, other.unit, other.kind)
}

fn chart(context: &Context<'_>, series: &NamedSeries) -> Option<Figure> {
    let of = |run: &Run| {
        let found = run.observed.iter().find(|one| is_same(one, series));
        found.map_or_else(Vec::new, |one| one.drawn().1)
    };
    let columns: Vec<Vec<Option<f64>>> = context.runs.iter().map(of).collect();
    let (least, greatest) = ends(&columns);
    let (unit, _) = series.drawn();
    let levels = Levels {
        id: anchor("server", &series.name),
        title: series.name.clone(),
        caption: match series.kind {
            ColumnKind::Gauge => "At the end of each second".to_owned(),
            ColumnKind::Counter => "Growth in each second, or since the reading before".to_owned(),
        },
        unit,
        scale: if unit == Unit::Bytes && least >= 0.0 {
            Scale::bytes(greatest)
        } else {
            Scale::spanning(least, greatest)
        },
        has_least: true,
    };
    figure(context, levels, &columns)
}
