//! What a person should look at first: what did not end well, with its reasons; surplus and disorder; the first errors; and the
//! slowest operation. Everything said here stands in full further down or in the file.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::text::{Page, Tone, clean};
use super::{bound, headliners, tables};
use crate::report::advice;
use crate::results::{ErrorCount, Extended, Figures, LedgerCounts, Phase, RunResult};
use crate::units::{ByteCount, show_count, show_micros, show_percent};

/// Operations that did not end well, and kinds of errors, that are named.
const NAMED: usize = 3;
/// What an example may take of the page, characters.
const EXAMPLE_MAX: usize = 60;

/// The section, if anything was done at all.
pub(super) fn section(page: &mut Page, result: &RunResult) {
    let Some(Findings { lines, all_well, advice, slowest }) = findings(result) else { return };
    page.title("Look at");
    if let Some(all_well) = all_well {
        page.marked("✓", Tone::Good, all_well);
    }
    for line in &lines {
        page.marked("!", Tone::Warn, line);
    }
    if let Some(advice) = advice {
        page.marked("!", Tone::Warn, advice);
    }
    if let Some(slowest) = slowest {
        page.line(1, &slowest);
    }
}

/// What to look at first, in lines.
pub(in crate::report) struct Findings {
    /// What did not go well.
    pub lines: Vec<String>,
    /// What is said instead where all went well.
    pub all_well: Option<&'static str>,
    /// What to do about an error everybody meets.
    pub advice: Option<&'static str>,
    /// The slowest operation.
    pub slowest: Option<String>,
}

/// What to look at first, if anything was done at all.
pub(in crate::report) fn findings(result: &RunResult) -> Option<Findings> {
    let operations = over_all_phases(result);
    if operations.is_empty() && result.errors.is_empty() {
        return None;
    }
    let mut lines: Vec<String> =
        unwell(&operations).into_iter().chain(disorder(result)).chain(errors(&result.errors)).collect();
    if lines.is_empty() {
        lines = unaccounted(result);
    }
    let all_well = lines.is_empty().then_some(if result.ended_early.is_some() {
        "nothing was lost, nothing failed"
    } else {
        "nothing was lost, nothing failed, everything planned was begun"
    });
    let advice = result.errors.iter().find_map(|error| advice(&error.example));
    Some(Findings { lines, all_well, advice, slowest: slowest(result) })
}

/// How each operation ended, over the whole run.
fn over_all_phases(result: &RunResult) -> BTreeMap<&str, BTreeMap<&str, u64>> {
    let mut operations: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for phase in &result.phases {
        for (name, operation) in headliners(&phase.operations, result) {
            let outcomes = operations.entry(name).or_default();
            for (outcome, &count) in &operation.figures.outcomes {
                let sum = outcomes.entry(outcome).or_default();
                *sum = sum.saturating_add(count);
            }
        }
    }
    operations
}

/// The operations of which most did not end well.
fn unwell(operations: &BTreeMap<&str, BTreeMap<&str, u64>>) -> Vec<String> {
    let mut found: Vec<(u64, String)> = operations
        .iter()
        .filter_map(|(name, outcomes)| {
            let all = total(outcomes.values());
            let mut others: Vec<(&str, u64)> =
                outcomes.iter().filter(|(outcome, _)| **outcome != "ok").map(|(&o, &c)| (o, c)).collect();
            others.sort_by_key(|&(_, count)| Reverse(count));
            let sum = total(others.iter().map(|(_, count)| count));
            let reasons: Vec<String> = others
                .iter()
                .map(|(outcome, count)| format!("{} {}", show_count(*count), clean(outcome)))
                .collect();
            let share = show_percent(sum as f64 / all.max(1) as f64);
            let (sum_text, all) = (show_count(sum), show_count(all));
            let (name, reasons, share) = (clean(name), reasons.join(", "), bound(&share));
            (sum > 0)
                .then(|| (sum, format!("{name}: {sum_text} of {all} did not end well ({share}): {reasons}")))
        })
        .collect();
    found.sort_by_key(|(sum, _)| Reverse(*sum));
    found.into_iter().take(NAMED).map(|(_, text)| text).collect()
}

fn total<'a>(counts: impl IntoIterator<Item = &'a u64>) -> u64 {
    counts.into_iter().fold(0, |sum, &count| sum.saturating_add(count))
}

/// What the accounts miss, where the operations know nothing of it: those of a killed run.
fn unaccounted(result: &RunResult) -> Vec<String> {
    let missing = kinds(result).into_iter().filter_map(|(name, counts)| {
        let count = counts.expected.saturating_sub(counts.delivered);
        (count > 0).then(|| format!("{name} copies: {} not known to be delivered", show_count(count)))
    });
    missing.collect()
}

fn kinds(result: &RunResult) -> [(&'static str, LedgerCounts); 3] {
    let ledger = &result.ledger;
    [("message", ledger.message), ("groupchat", ledger.groupchat), ("presence", ledger.presence)]
}

/// Copies too many, in the wrong place or in the wrong order.
fn disorder(result: &RunResult) -> Vec<String> {
    let mut lines: Vec<String> = kinds(result)
        .iter()
        .filter_map(|(name, counts)| {
            let LedgerCounts { duplicated, misdelivered, reordered, .. } = *counts;
            let columns =
                [(duplicated, "duplicated"), (misdelivered, "misdelivered"), (reordered, "out of order")];
            let seen = columns.iter().filter(|(count, _)| *count > 0);
            let texts: Vec<String> =
                seen.map(|(count, what)| format!("{} {what}", show_count(*count))).collect();
            (!texts.is_empty()).then(|| format!("{name} copies: {}", texts.join(", ")))
        })
        .collect();
    if let Some(order) = result.room_order.as_ref().filter(|order| order.differing > 0) {
        let (differing, compared) = (show_count(order.differing), show_count(order.compared));
        lines.push(format!(
            "rooms: {differing} of {compared} occupants saw another order than most of their room"
        ));
    }
    lines
}

/// The first errors; most frequent first.
fn errors(errors: &[ErrorCount]) -> Vec<String> {
    let shown = errors.iter().take(NAMED).map(|error| {
        let (condition, step, class) = (clean(&error.condition), clean(&error.step), clean(&error.class));
        let example: String = clean(&error.example).chars().take(EXAMPLE_MAX).collect();
        let cut = if error.example.chars().count() > EXAMPLE_MAX { "…" } else { "" };
        let example = if example.is_empty() { String::new() } else { format!(": {example}{cut}") };
        format!("error, {} times: {condition} at {step} ({class}){example}", show_count(error.count))
    });
    shown.collect()
}

/// The operation with the longest high percentile, in whatever measured phase it was slowest, and how it usually is.
fn slowest(result: &RunResult) -> Option<String> {
    let measured = result.phases.iter().filter(|phase| phase.measured);
    let operations = measured.flat_map(|phase| {
        headliners(&phase.operations, result)
            .into_iter()
            .map(|(name, operation)| (name, operation, phase.name.as_str()))
    });
    let ranked = operations.filter_map(|(name, operation, phase)| {
        let (label, value) = high(&operation.figures)?;
        Some((value, label, name, operation, phase))
    });
    let (value, label, name, operation, phase) = ranked.max_by_key(|(value, ..)| *value)?;
    let usual = match operation.figures.response_us.attempted.p50 {
        Extended::Finite(p50) if label != "p50" => format!(", p50 {}", bound(&show_micros(p50))),
        Extended::Finite(_) | Extended::Infinite | Extended::Unsupported => String::new(),
    };
    let time = if value == u64::MAX { tables::BEYOND.to_owned() } else { show_micros(value) };
    Some(format!("Slowest: {} {label} {}{usual}, in {}", clean(name), bound(&time), clean(phase)))
}

/// The highest percentile up to p99 that there is, microseconds; what never completed is beyond all.
fn high(figures: &Figures) -> Option<(&'static str, u64)> {
    let attempted = figures.response_us.attempted;
    [("p99", attempted.p99), ("p90", attempted.p90), ("p50", attempted.p50)].into_iter().find_map(
        |(label, value)| match value {
            Extended::Finite(micros) => Some((label, micros)),
            Extended::Infinite => Some((label, u64::MAX)),
            Extended::Unsupported => None,
        },
    )
}

/// What one phase put on the wire.
pub(in crate::report) fn traffic(phase: &Phase, seconds: f64) -> Option<String> {
    let traffic = phase.traffic.as_ref().filter(|traffic| traffic.stanzas_out > 0)?;
    let each =
        traffic.amplification.map_or_else(String::new, |each| format!(" ({each:.1} for each one out)"));
    let per_second = |bytes: u64| bound(&format!("{}/s", ByteCount((bytes as f64 / seconds) as u64)));
    Some(format!(
        "On the wire: {} stanzas out, {} in{each}; {} out, {} in",
        show_count(traffic.stanzas_out),
        show_count(traffic.stanzas_in),
        per_second(traffic.bytes_out),
        per_second(traffic.bytes_in),
    ))
}
