//! What was seen of the server beside the load, a line each.

use super::{Window, quantity, window_of};
use crate::report::observed::shown_in;
use crate::report::text::{Page, Tone, bound, clean};
use crate::results::growth::{Growth, Step, steps};
use crate::results::{
    Column, ColumnKind, ColumnUnit, CostFigure, MemoryFigure, Observed, ObservedSource, RunResult,
};
use crate::units::{ByteCount, show_count, show_elapsed, show_percent};

/// The section, where anything was observed.
pub(super) fn section(page: &mut Page, result: &RunResult) {
    let lines = lines(result);
    if lines.is_empty() {
        return;
    }
    page.title(TITLE);
    for line in &lines {
        match line {
            Line::Said(text) => page.line(1, text),
            Line::Warned(text) => page.marked("!", Tone::Warn, text),
        }
    }
}

/// What the section is called.
pub(in crate::report) const TITLE: &str = "Server, observed beside the load";

/// A line of the section.
pub(in crate::report) enum Line {
    /// What was seen.
    Said(String),
    /// What is wrong with it.
    Warned(String),
}

/// What was seen, and what is wrong with it; nothing where nothing was observed.
pub(in crate::report) fn lines(result: &RunResult) -> Vec<Line> {
    let Some(observed) = &result.observed else { return Vec::new() };
    let mut lines = Vec::new();
    for source in &observed.sources {
        lines.push(Line::Said(describe(source, result)));
        lines.extend(wrong(source).into_iter().map(Line::Warned));
    }
    lines.push(Line::Said(figures(observed)));
    lines
}

/// Kinds of faults named for each source.
const FAULTS_SHOWN: usize = 6;

/// What is wrong with what a source shows: first whether it was there at all, then whatever else went wrong.
fn wrong(source: &ObservedSource) -> Vec<String> {
    let mut lines: Vec<String> = unread(source).into_iter().chain(ended(source)).collect();
    let mut faults: Vec<_> = source.faults.iter().collect();
    // What was so from the beginning is a condition; what came later is news.
    faults.sort_by(|a, b| b.first_s.total_cmp(&a.first_s));
    for fault in faults.iter().take(FAULTS_SHOWN) {
        let (count, all) = (show_count(fault.count), show_count(source.readings));
        lines.push(format!(
            "{count} of {all} readings, first at {}: {}",
            at(fault.first_s),
            clean(&fault.what)
        ));
    }
    if faults.len() > FAULTS_SHOWN {
        lines.push(format!("and {} more kinds of faults, in the result file", faults.len() - FAULTS_SHOWN));
    }
    lines.extend(fallen(source));
    lines
}

/// Whether there were seconds in which nothing could be read, and whether they were the last.
fn unread(source: &ObservedSource) -> Option<String> {
    let missing = source.at_s.iter().filter(|at| at.is_none()).count();
    if missing == 0 || source.faults.is_empty() {
        return None;
    }
    let all = show_count(source.at_s.len() as u64);
    let last = source.at_s.iter().rposition(Option::is_some)?;
    let since = source.at_s.len() - 1 - last;
    if since == 0 {
        return Some(format!("in {} of {all} seconds nothing could be read", show_count(missing as u64)));
    }
    Some(format!(
        "it was last read at {}: after that, in the last {} of {all} seconds, nothing could be read",
        show_elapsed(last as u64),
        show_count(since as u64)
    ))
}

/// The processes that ended before the last look at them, whether that look found any or not.
fn ended(source: &ObservedSource) -> Option<String> {
    const SLACK_S: f64 = 3.0;
    let last_look = source.at_s.len().checked_sub(1)? as f64;
    let gone: Vec<_> = source.processes.iter().filter(|one| one.last_s + SLACK_S < last_look).collect();
    let latest = gone.iter().map(|one| one.last_s).fold(0.0, f64::max);
    match gone[..] {
        [] => None,
        [one] => Some(format!(
            "process {} ({}) was last seen at {}: what it used after that is missing",
            one.pid,
            clean(&one.name),
            at(latest)
        )),
        _ => Some(format!(
            "{} processes ended meanwhile, the last was seen at {}: what they used after their last readings is missing",
            show_count(gone.len() as u64),
            at(latest)
        )),
    }
}

/// Counters that fell.
fn fallen(source: &ObservedSource) -> Option<String> {
    const NAMED: usize = 3;
    let falls = |column: &Column| steps(source, column).filter(|step| step.growth.is_none()).count();
    let counters = source.columns.iter().filter(|(_, column)| column.kind == ColumnKind::Counter);
    let fallen: Vec<(&String, usize)> =
        counters.map(|(name, column)| (name, falls(column))).filter(|(_, falls)| *falls > 0).collect();
    let times = |falls: usize| if falls == 1 { "once".to_owned() } else { format!("{falls} times") };
    let named = fallen.iter().take(NAMED);
    let mut named: Vec<String> =
        named.map(|(name, falls)| format!("{} {}", clean(name), times(*falls))).collect();
    if fallen.len() > NAMED {
        named.push(format!("{} more", fallen.len() - NAMED));
    }
    (!named.is_empty()).then(|| {
        format!("began anew: {}; what they grew by in those steps is in no figure here", named.join(", "))
    })
}

fn at(seconds: f64) -> String {
    show_elapsed(seconds.clamp(0.0, 1e9) as u64)
}

/// Columns of a page of metrics that are named.
const COLUMNS_SHOWN: usize = 4;

/// `beam.smp: CPU 34 % of a core while measured, memory 200 MiB at most, 230 descriptors at most`
fn describe(source: &ObservedSource, result: &RunResult) -> String {
    let mut parts = Vec::new();
    if let Some(share) = cpu_share(source, result) {
        parts.push(format!("CPU {} of a core while measured", bound(&show_percent(share))));
    }
    let most = |name: &str| {
        let column = source.columns.get(name)?;
        column.values.iter().flatten().copied().max_by(f64::total_cmp)
    };
    if let Some(bytes) = source.memory.as_deref().and_then(most) {
        parts.push(format!("memory {} at most", bound(&ByteCount(bytes as u64).to_string())));
    }
    if let Some(count) = most("descriptors") {
        parts.push(format!("{} descriptors at most", show_count(count as u64)));
    }
    let named = [source.cpu.as_deref(), source.memory.as_deref(), Some("descriptors")];
    let others = source.columns.iter().filter(|(name, _)| !named.contains(&Some(name.as_str())));
    let others: Vec<String> = others
        .filter(|_| source.processes.is_empty())
        .filter_map(|(name, column)| Some(format!("{} {}", clean(name), range(source, column)?)))
        .collect();
    parts.extend(others.iter().take(COLUMNS_SHOWN).cloned());
    if others.len() > COLUMNS_SHOWN {
        parts.push(format!("{} more columns in the result file", others.len() - COLUMNS_SHOWN));
    }
    if parts.is_empty() {
        parts.push("nothing could be read".to_owned());
    }
    format!("{}: {}", clean(&source.name), parts.join(", "))
}

/// How far a column went: `grew by 8,900`, `at most 0.49`.
fn range(source: &ObservedSource, column: &Column) -> Option<String> {
    match column.kind {
        ColumnKind::Counter => {
            let Growth { by, falls, .. } = Growth::over(steps(source, column))?;
            let least = if falls > 0 { "at least " } else { "" };
            Some(format!("grew by {least}{}", amount(by, column.unit)))
        }
        ColumnKind::Gauge => {
            let most = column.values.iter().flatten().copied().max_by(f64::total_cmp)?;
            Some(format!("at most {}", amount(most, column.unit)))
        }
    }
}

/// So much of what a column counts, whether it is a level or what a counter grew by.
fn amount(value: f64, unit: ColumnUnit) -> String {
    let (shown, times) = shown_in(unit, ColumnKind::Gauge);
    quantity(value * times, shown)
}

/// CPU seconds per second over the measured phases as far as the run came, between the readings that lie in them.
fn cpu_share(source: &ObservedSource, result: &RunResult) -> Option<f64> {
    /// A reading this long after a phase's end stands for it.
    const NEAR_S: f64 = 0.1;
    let column = source.columns.get(source.cpu.as_ref()?)?;
    let measured = result.phases.iter().filter(|phase| phase.measured);
    let windows: Vec<Window> = measured.map(|phase| window_of(result, phase)).collect();
    let is_inside = |step: &Step| {
        windows.iter().any(|window| step.from_s >= window.start_s && step.to_s <= window.end_s + NEAR_S)
    };
    Growth::over(steps(source, column).filter(is_inside)).map(|growth| growth.rate())
}

fn figures(observed: &Observed) -> String {
    let derived = &observed.derived;
    let figures = [
        cost("1,000 messages", &derived.cpu_s_per_1000_messages),
        cost("1,000 logins", &derived.cpu_s_per_1000_logins),
        memory(&derived.memory_bytes_per_user),
    ];
    figures.join("; ")
}

fn cost(of: &str, figure: &CostFigure) -> String {
    match figure.value {
        Some(value) => {
            format!(
                "{} of CPU per {of} (over {})",
                bound(&format!("{value:.3} s")),
                show_count(figure.operations)
            )
        }
        None => format!("CPU per {of}: – ({})", clean(&figure.reason)),
    }
}

fn memory(figure: &MemoryFigure) -> String {
    let bytes = |value: f64| bound(&ByteCount(value.max(0.0) as u64).to_string());
    match (figure.value, figure.low, figure.high) {
        (Some(value), Some(low), Some(high)) => format!(
            "memory per user online {} ({} … {}, from {} to {} users)",
            bytes(value),
            bytes(low),
            bytes(high),
            show_count(figure.users_from),
            show_count(figure.users_to),
        ),
        _ => format!("memory per user online: – ({})", clean(&figure.reason)),
    }
}
