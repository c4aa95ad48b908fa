//! What was seen of the server beside the load: its CPU, its memory, and whatever else was watched. Drawn where there is any.

use super::users::{Levels, figure, greatest};
use crate::report::html::chart::Scale;
use crate::report::html::context::{Context, anchor, section};
use crate::report::html::markup::Markup;
use crate::report::runs::NamedSeries;

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
    section(page, "server", "The server, as observed", |page| {
        page.open("div", &[("class", "charts")]);
        for series in names.into_iter().take(SERIES_MAX) {
            let of = |run: &crate::report::runs::Run| {
                let found =
                    run.observed.iter().find(|one| (&one.name, one.unit) == (&series.name, series.unit));
                found.map_or_else(Vec::new, |one| one.values.clone())
            };
            let columns: Vec<Vec<Option<f64>>> = context.runs.iter().map(of).collect();
            let levels = Levels {
                id: anchor("server", &series.name),
                title: series.name.clone(),
                caption: "As read in each second".to_owned(),
                unit: series.unit,
                scale: Scale::linear(greatest(&columns)),
            };
            figure(context, levels, &columns).into_iter().for_each(|figure| figure.write(page));
        }
        page.close();
    });
}
