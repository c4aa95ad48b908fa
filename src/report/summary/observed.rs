//! What was seen of the server beside the load, a line each.

use super::text::{Page, Tone, bound, clean};
use crate::results::{ColumnKind, ColumnUnit, CostFigure, MemoryFigure, Observed, ObservedSource, RunResult};
use crate::units::{ByteCount, show_count, show_percent};

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
        if let Some(fault) = source.faults.iter().max_by_key(|fault| fault.count) {
            let (count, all) = (show_count(fault.count), show_count(source.readings));
            lines.push(Line::Warned(format!("{count} of {all} readings: {}", clean(&fault.what))));
        }
        if source.processes.iter().any(|one| one.last_s + 3.0 < last_reading(source)) {
            lines.push(Line::Warned(ENDED.to_owned()));
        }
    }
    lines.push(Line::Said(figures(observed)));
    lines
}

const ENDED: &str = "a process ended meanwhile: what it used after its last reading is missing";

/// `beam.smp: CPU 34 % of a core, memory 200 MiB, descriptors 230 at most`
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
    let others = source.columns.iter().filter(|(name, _)| !named.contains(&Some(name)));
    let chosen = others.filter(|_| source.processes.is_empty()).filter_map(|(name, column)| {
        let values = || column.values.iter().flatten().copied();
        let (word, value) = match column.kind {
            ColumnKind::Counter => ("grew by", values().next_back()? - values().next()?),
            ColumnKind::Gauge => ("at most", values().max_by(f64::total_cmp)?),
        };
        Some(format!("{} {word} {}", clean(name), bound(&quantity(value, column.unit))))
    });
    parts.extend(chosen.take(4));
    if parts.is_empty() {
        parts.push("nothing could be read".to_owned());
    }
    format!("{}: {}", clean(&source.name), parts.join(", "))
}

fn quantity(value: f64, unit: ColumnUnit) -> String {
    match unit {
        ColumnUnit::Bytes => ByteCount(value.max(0.0) as u64).to_string(),
        ColumnUnit::Share => show_percent(value),
        ColumnUnit::Seconds => format!("{value:.2} s"),
        ColumnUnit::Count if value.fract() == 0.0 && value >= 0.0 => show_count(value as u64),
        ColumnUnit::Count => format!("{value:.3}"),
    }
}

/// CPU seconds per second over the measured phases, between the readings that lie in them.
fn cpu_share(source: &ObservedSource, result: &RunResult) -> Option<f64> {
    let column = source.columns.get(source.cpu.as_ref()?)?;
    let (mut used, mut length) = (0.0, 0.0);
    for phase in result.phases.iter().filter(|phase| phase.measured) {
        let readings = source.at_s.iter().zip(&column.values).filter_map(|(at, value)| (*at).zip(*value));
        let inside: Vec<_> =
            readings.filter(|(at, _)| (phase.start_s..=phase.end_s + 0.1).contains(at)).collect();
        if let (Some((from, first)), Some((to, last))) = (inside.first(), inside.last()) {
            used += last - first;
            length += to - from;
        }
    }
    (length > 0.0 && used >= 0.0).then(|| used / length)
}

fn last_reading(source: &ObservedSource) -> f64 {
    source.at_s.iter().flatten().copied().fold(0.0, f64::max)
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
