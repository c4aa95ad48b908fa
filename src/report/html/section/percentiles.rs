//! Percentile curves: the whole distribution of each operation's response time.

use crate::report::html::chart::{Curve, Figure, Key, Table, curves, run_class};
use crate::report::html::context::{Context, anchor, section};
use crate::report::html::markup::Markup;
use crate::report::html::section::latency::key;
use crate::report::overlay::{Run, operation};
use crate::report::summary::tables;
use crate::report::timeline::Responses;
use crate::results::{Figures, Histogram};
use crate::units::{Quantile, show_count};

/// The section.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    section(page, "percentiles", "Percentile curves", |page| {
        page.leaf("p", &[("class", "note")], NOTE);
        page.open("div", &[("class", "charts")]);
        context.names.iter().filter_map(|name| figure(context, name)).for_each(|figure| figure.write(page));
        page.close();
    });
}

const NOTE: &str = "Over the measured phases; logins, and what happened in none of them, over the whole run. A curve is drawn \
                    as far as ten attempts lie beyond it.";

/// Fractions in the tables.
const FRACTIONS: [f64; 9] = [0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.999_99];

/// All times of one operation.
struct Whole {
    attempted: Responses,
    completed: Responses,
}

fn figure(context: &Context<'_>, name: &str) -> Option<Figure> {
    let wholes: Vec<(usize, &Run, Whole)> = context
        .runs
        .iter()
        .enumerate()
        .filter_map(|(index, run)| Some((index, run, whole(&operation(run, name)?.figures)?)))
        .collect();
    let fewer = wholes.iter().any(|(_, _, whole)| whole.attempted.infinite > 0);
    let drawn: Vec<Curve<'_>> = match (&wholes[..], context.single()) {
        ([(_, _, whole)], Some(_)) => {
            let mut drawn = vec![Curve { responses: &whole.attempted, class: "line r0" }];
            drawn.extend(fewer.then_some(Curve { responses: &whole.completed, class: "line r1" }));
            drawn
        }
        _ => wholes
            .iter()
            .map(|(index, _, whole)| Curve { responses: &whole.attempted, class: run_class(*index) })
            .collect(),
    };
    let title = format!("{name}: percentile curve");
    let picture = curves(&format!("{title}; the numbers follow in a table"), &drawn)?;
    let keys = match (context.single(), fewer) {
        (Some(_), true) => {
            vec![Key::line("line r0", "over all attempts"), Key::line("line r1", "over the completed only")]
        }
        (Some(_), false) => Vec::new(),
        (None, _) => wholes.iter().map(|(index, run, whole)| key_of(*index, run, whole)).collect(),
    };
    let counts: Vec<String> = wholes
        .iter()
        .map(|(_, run, whole)| {
            let count = show_count(whole.attempted.attempts());
            if context.single().is_some() { count } else { format!("{} {count}", run.letter) }
        })
        .collect();
    Some(Figure {
        id: anchor("curve", name),
        title,
        caption: format!("Attempts: {}.", counts.join(", ")),
        picture,
        keys,
        table: table(context, &wholes, fewer),
    })
}

/// The key of a run's curve, which may have none.
fn key_of(index: usize, run: &Run, whole: &Whole) -> Key {
    let Key { class, text, .. } = key(index, run);
    let is_drawn = whole.attempted.told().is_some();
    Key::line(&class, if is_drawn { text } else { format!("{text} (too few attempts for a curve)") })
}

fn whole(figures: &Figures) -> Option<Whole> {
    let times = &figures.response_us;
    let buckets = Histogram::decode(&times.histogram).ok()?.buckets();
    let infinite = figures.attempts.saturating_sub(buckets.count());
    let completed = Responses { buckets, infinite: 0 };
    Some(Whole { attempted: Responses { infinite, ..completed.clone() }, completed })
}

fn table(context: &Context<'_>, wholes: &[(usize, &Run, Whole)], fewer: bool) -> Table {
    let mut columns: Vec<(String, &Responses)> = Vec::new();
    for (_, run, whole) in wholes {
        let whose = if context.single().is_some() { String::new() } else { format!("{} ", run.letter) };
        columns.push((format!("{whose}over all attempts"), &whole.attempted));
        if fewer {
            columns.push((format!("{whose}over the completed"), &whole.completed));
        }
    }
    let heads: Vec<&str> =
        ["percentile"].into_iter().chain(columns.iter().map(|(head, _)| head.as_str())).collect();
    let mut table = Table::new(&heads);
    table.rows = FRACTIONS
        .iter()
        .filter_map(|&fraction| Quantile::new(fraction))
        .map(|quantile| {
            let cells = columns.iter().map(|(_, responses)| tables::time(responses.attempted(quantile)));
            [quantile.to_string()].into_iter().chain(cells).collect()
        })
        .collect();
    table
}
