//! What the generator saw of itself: its lag and its turns over time, how busy its workers were, what its threads took.

use super::users::{Levels, figure};
use crate::report::html::chart::{Figure, Frame, Key, Scale, Table, run_class};
use crate::report::html::context::{Context, rows_over_time, section};
use crate::report::html::markup::Markup;
use crate::report::overlay::Run;
use crate::report::summary::{quantity, tables::MISSING};
use crate::results::{Gauge, Series, ThreadRole, Unit};
use crate::units::{ByteCount, show_count, show_micros, show_percent};

/// The section.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    section(page, "generator", "The generator", |page| {
        page.open("div", &[("class", "charts")]);
        for (id, title, caption, pick) in [
            ("generator-lag", "Lag", LAG, (|series| &series.lag_max_us) as Pick),
            ("generator-turns", "Turns", TURNS, |series| &series.turn_max_us),
        ] {
            if let Some(figure) = times(context, id, title, caption, pick) {
                figure.write(page);
            }
        }
        if let Some(figure) = busy(context) {
            figure.write(page);
        }
        page.close();
        for run in context.runs {
            let whose =
                if context.runs.len() > 1 { format!("{}: {}", run.letter, run.name) } else { String::new() };
            if !whose.is_empty() {
                page.leaf("h3", &[], &whose);
            }
            threads(page, run);
            levels(page, run);
        }
    });
}

const LAG: &str = "How late the generator was at worst, of the operations intended in each second";
const TURNS: &str =
    "The longest turn of any worker that ended in each second: while one lasts nothing is read";

type Pick = fn(&Series) -> &Vec<Option<u64>>;

fn times(context: &Context<'_>, id: &str, title: &str, caption: &str, pick: Pick) -> Option<Figure> {
    let columns: Vec<Vec<Option<f64>>> = context
        .runs
        .iter()
        .map(|run| pick(&run.result.series).iter().map(|micros| micros.map(|micros| micros as f64)).collect())
        .collect();
    let scale = Scale::log(columns.iter().flatten().flatten().copied());
    let levels = Levels {
        id: id.to_owned(),
        title: title.to_owned(),
        caption: caption.to_owned(),
        unit: Unit::Micros,
        scale,
        has_least: false,
    };
    figure(context, levels, &columns)
}

/// The busiest worker of each phase, drawn over the phase: the result keeps one number for each.
fn busy(context: &Context<'_>) -> Option<Figure> {
    let grid = context.grid;
    let columns: Vec<Vec<Option<f64>>> = context
        .runs
        .iter()
        .map(|run| {
            (0..grid.columns()).map(|column| busiest_at(run, grid.range(column).start as f64)).collect()
        })
        .collect();
    columns.iter().flatten().flatten().next()?;
    let label = "CPU of the busiest worker in each phase; the numbers follow in a table";
    let mut frame = Frame::over_time(label, grid, &context.stage, Scale::linear(1.0), Unit::Share, false);
    for (index, column) in columns.iter().enumerate() {
        frame.line(column, run_class(index));
    }
    let heads: Vec<&str> = context.runs.iter().map(|run| run.letter).collect();
    let several = context.single().is_none();
    let table = rows_over_time(grid, if several { &heads } else { &["busiest worker"] }, |column| {
        let show = |share: Option<f64>| share.map_or_else(|| MISSING.to_owned(), show_percent);
        columns.iter().map(|line| show(line[column])).collect()
    });
    let keys = context.runs.iter().enumerate().filter(|_| several);
    Some(Figure {
        id: "generator-busy".to_owned(),
        title: "CPU of the busiest worker".to_owned(),
        caption: "Share of each phase its loop was busy; one number a phase.".to_owned(),
        picture: frame.finish(),
        keys: keys
            .map(|(index, run)| Key::line(run_class(index), format!("{}: {}", run.letter, run.name)))
            .collect(),
        table,
    })
}

fn busiest_at(run: &Run, second: f64) -> Option<f64> {
    let early = run.result.ended_early.as_ref().map_or(f64::INFINITY, |early| early.at_s);
    let phase =
        run.result.phases.iter().find(|phase| (phase.start_s..phase.end_s.min(early)).contains(&second))?;
    let workers = run.result.generator.workers.iter().filter(|worker| worker.phase == phase.name);
    workers.map(|worker| worker.busy).reduce(f64::max)
}

fn threads(page: &mut Markup, run: &Run) {
    let generator = &run.result.generator;
    if !generator.workers.is_empty() {
        let mut table = Table::new(&[
            "worker", "phase", "busy", "turns", "turn p99", "turn max", "users", "written", "read",
        ]);
        table.rows = generator
            .workers
            .iter()
            .map(|worker| {
                vec![
                    worker.worker.to_string(),
                    worker.phase.clone(),
                    show_percent(worker.busy),
                    show_count(worker.turns),
                    worker.turn_p99_us.map_or_else(|| MISSING.to_owned(), show_micros),
                    show_micros(worker.turn_max_us),
                    show_count(worker.users.into()),
                    ByteCount(worker.bytes_out).to_string(),
                    ByteCount(worker.bytes_in).to_string(),
                ]
            })
            .collect();
        table.write(page, &format!("Workers of {}", run.name));
    }
    if !generator.threads.is_empty() {
        let seconds = |seconds: f64| quantity(seconds * 1e6, Unit::Micros);
        let mut table = Table::new(&["thread", "there for", "CPU", "user", "system"]);
        table.rows = generator
            .threads
            .iter()
            .map(|thread| {
                let role = match thread.role {
                    ThreadRole::Worker => "users",
                    ThreadRole::Server => "the embedded server",
                    ThreadRole::Helper => "everything else",
                };
                let (user, system) = (thread.user_s, thread.system_s);
                vec![
                    thread.name.clone(),
                    role.to_owned(),
                    seconds(user + system),
                    seconds(user),
                    seconds(system),
                ]
            })
            .collect();
        table.write(page, &format!("CPU by thread of {}", run.name));
    }
}

/// A name, its gauge, and how its numbers are shown.
type Level = (&'static str, Gauge, fn(u64) -> String);

fn levels(page: &mut Markup, run: &Run) {
    let generator = &run.result.generator;
    let bytes = |level: u64| ByteCount(level).to_string();
    let rows: [Level; 5] = [
        ("memory", generator.memory_bytes, bytes),
        ("descriptors", generator.descriptors, show_count),
        ("ports", generator.ports, show_count),
        ("ledger entries", generator.ledger_entries, show_count),
        ("queued", generator.queued_bytes, bytes),
    ];
    let mut table = Table::new(&["level", "highest", "last", "limit"]);
    table.rows = rows
        .into_iter()
        .map(|(name, gauge, show)| {
            let limit = gauge.limit.map_or_else(|| MISSING.to_owned(), show);
            vec![name.to_owned(), show(gauge.max), show(gauge.last), limit]
        })
        .collect();
    table.write(page, &format!("Levels of {}", run.name));
}
