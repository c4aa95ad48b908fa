//! The summary a person understands in ten seconds, printed to stdout after a run.
//!
//! Order of importance: whether the numbers can be trusted, what to look at, whether the objectives were met, the numbers of each
//! measured phase, the account of messages, errors, where the rest is. Every mark (✓ ✗ ? !) has a word beside it, and
//! colour only repeats what the words say.
//!
//! This module computes nothing a result file does not hold, and shows nothing it does not support: a percentile with
//! too few observations is a dash, one that lies among attempts that never completed is `> deadline`.

pub(super) mod attention;
pub(super) mod observed;
pub(super) mod tables;

use std::collections::BTreeMap;

pub use crate::report::text::Style;
use crate::report::text::{Page, Tone, bound};
use crate::results::{
    ErrorCount, Evidence, ExitReason, Extended, LedgerCounts, Operation, Phase, RoomOrder, RunResult, Slo,
    SloState, Unit, VerdictState, check,
};
use crate::units::{
    ByteCount, Rate, clean, show_count, show_duration, show_micros, show_number, show_percent,
};

/// The summary of a result. `place` says where the result file is, if there is one.
pub fn render(result: &RunResult, place: Option<&str>, style: Style) -> String {
    let mut page = Page::new(style);
    verdict(&mut page, result);
    attention::section(&mut page, result);
    objectives(&mut page, &result.slo);
    measurements(&mut page, result);
    accounts(&mut page, result);
    observed::section(&mut page, result);
    errors(&mut page, &result.errors);
    ending(&mut page, result, place);
    page.into_text()
}

/// What the verdict's word means for this result.
fn meaning_of(result: &RunResult) -> (Tone, &'static str) {
    match result.verdict.state {
        VerdictState::Valid => {
            (Tone::Good, "the numbers say how the server answered the load that was asked for")
        }
        VerdictState::ServerLimited => {
            (Tone::Bad, "the server did not keep up with the load that was asked for")
        }
        VerdictState::GeneratorLimited => {
            (Tone::Bad, "the generator was the limit: do not judge the server by these numbers")
        }
        VerdictState::Interrupted if ended_unmeasured(result) => {
            (Tone::Warn, "the run ended by itself before anything was measured")
        }
        VerdictState::Interrupted => {
            (Tone::Warn, "the run was cut short: what is here is true, but not all of it")
        }
    }
}

fn verdict(page: &mut Page, result: &RunResult) {
    let state = result.verdict.state;
    let (tone, meaning) = meaning_of(result);
    page.headline("Verdict: ", state.as_str(), tone, meaning);
    page.line(1, &subject(result));
    for evidence in result.verdict.evidence.iter().filter(|evidence| evidence.state != VerdictState::Valid) {
        page.marked(
            "✗",
            Tone::Bad,
            &format!("{}, which says {}", observation(evidence), evidence.state.as_str()),
        );
    }
    if let Some(held) = held(&result.verdict.evidence) {
        page.marked("✓", Tone::Good, &format!("held: {held}"));
    }
    for remark in remarks(result) {
        page.marked("!", Tone::Warn, &remark);
    }
}

/// What decides nothing but belongs beside the verdict.
pub(super) fn remarks(result: &RunResult) -> Vec<String> {
    let relief = (result.verdict.state == VerdictState::GeneratorLimited).then_some(RELIEF);
    let notes = result.verdict.notes.iter().map(String::as_str);
    let insecure = result.target.insecure.then_some("certificates were not verified (insecure)");
    let known = relief.into_iter().chain(notes).chain(insecure).map(str::to_owned);
    contradictions(result).into_iter().chain(known).collect()
}

/// What a file says that cannot be true at once: it was edited, or is a bug of ours. Either way it is said.
pub fn contradictions(result: &RunResult) -> Vec<String> {
    const SHOWN: usize = 3;
    let found = check::contradictions(result);
    let shown = found.iter().take(SHOWN);
    let mut lines: Vec<String> =
        shown.map(|finding| format!("the file contradicts itself: {}", clean(finding))).collect();
    if found.len() > SHOWN {
        let more = show_count((found.len() - SHOWN) as u64);
        lines.push(format!("and {more} more contradictions: do not use this file"));
    }
    lines
}

/// What the verdict's word means for this result, in one line.
pub(super) fn meaning(result: &RunResult) -> &'static str {
    meaning_of(result).1
}

/// Whether the run, and not its user, ended it before a measured phase began.
fn ended_unmeasured(result: &RunResult) -> bool {
    let by_user = result.exit.reasons.iter().any(|reason| reason.code == INTERRUPTED);
    let mut measured = result.phases.iter().filter(|phase| phase.measured);
    result.ended_early.is_some()
        && !by_user
        && measured.all(|phase| window_of(result, phase).seconds() <= 0.0)
}

/// What makes a generator faster that was the limit.
const RELIEF: &str = "What helps: end whatever else runs on this machine, put the server on another one, or ask for \
                      fewer users and lower rates.";

pub(super) const LEGEND: &str = "Response time: from the instant the plan wanted it. Percentiles are over all attempts; what \
                      never completed ranks as > deadline. –: too few attempts for that percentile.";

pub(super) fn subject(result: &RunResult) -> String {
    let target = result.target.urls.join(", ");
    let server = result.target.identity.as_ref();
    let server = server.map_or_else(String::new, |server| format!(" ({server})"));
    let phases = result.phases.iter().filter(|phase| phase.measured);
    let measured = phases.map(|phase| window_of(result, phase).seconds()).sum::<f64>();
    let measured = if measured > 0.0 { bound(&span(measured)) } else { "nothing".to_owned() };
    format!("{} against {target}{server}, {measured} measured", result.profile.name)
}

/// The predicates that held, each where it came closest to its bound.
pub(super) fn held(evidence: &[Evidence]) -> Option<String> {
    let mut closest: BTreeMap<&str, (&Evidence, f64)> = BTreeMap::new();
    for one in evidence.iter().filter(|one| one.state == VerdictState::Valid) {
        let share = one.observed.finite().map_or(0.0, |seen| seen / one.bound);
        let entry = closest.entry(&one.predicate).or_insert((one, share));
        if share > entry.1 {
            *entry = (one, share);
        }
    }
    let brief = |one: &Evidence| {
        let (seen, limit) = (extended(one.observed, one.unit), quantity(one.bound, one.unit));
        format!("{} {seen} (bound {limit})", one.predicate)
    };
    let texts: Vec<String> = closest.values().map(|(one, _)| brief(one)).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

pub(super) fn observation(evidence: &Evidence) -> String {
    let Evidence { predicate, bound: limit, observed, unit, window, phase, .. } = evidence;
    let place = phase.as_deref().map_or_else(String::new, |phase| format!(" in {phase}"));
    format!("{predicate} {}, bound {}{place} ({window})", extended(*observed, *unit), quantity(*limit, *unit))
}

/// An objective's outcome as mark, tone and word.
fn outcome_of(state: SloState) -> (&'static str, Tone, &'static str) {
    match state {
        SloState::Passed => ("✓", Tone::Good, "passed"),
        SloState::Failed => ("✗", Tone::Bad, "failed"),
        SloState::Undecided => ("?", Tone::Warn, "undecided"),
    }
}

/// An objective's outcome as mark and word.
pub(super) fn objective(state: SloState) -> (&'static str, &'static str) {
    let (mark, _, word) = outcome_of(state);
    (mark, word)
}

fn objectives(page: &mut Page, slos: &[Slo]) {
    if slos.is_empty() {
        return;
    }
    page.title("Objectives");
    for slo in slos {
        let (mark, tone, word) = outcome_of(slo.state);
        let reason = if slo.reason.is_empty() { String::new() } else { format!("; {}", slo.reason) };
        let seen = match slo.observed {
            Extended::Unsupported => String::new(),
            observed => {
                let (count, of) = (show_count(slo.population.count), &slo.population.of);
                format!(": {} over {count} {of}", extended(observed, slo.unit))
            }
        };
        page.marked(
            mark,
            tone,
            &format!("{word}: {} {}{seen} in {}{reason}", slo.name, slo.bound, slo.phase),
        );
    }
}

fn measurements(page: &mut Page, result: &RunResult) {
    if result.operations.is_empty() {
        page.title("Nothing was measured");
        page.line(1, "No operation was attempted in this run.");
        return;
    }
    for phase in result.phases.iter().filter(|phase| phase.measured) {
        let window = window_of(result, phase);
        if window.seconds() <= 0.0 {
            page.title(&format!("Phase {}, not reached: the run ended before it began", phase.name));
            continue;
        }
        page.title(&format!("Phase {}, {} measured", phase.name, span(window.seconds())));
        if phase.operations.is_empty() {
            page.line(1, "No operation was attempted in this phase.");
            continue;
        }
        page.table(&tables::times(&headliners(&phase.operations, result), page.width()));
        page.gap();
        page.table(&tables::throughput(
            &headliners(&phase.operations, result),
            window,
            &result.series,
            page.width(),
        ));
        if let Some(traffic) = attention::traffic(result, phase) {
            page.gap();
            page.line(1, &traffic);
        }
    }
    let elsewhere = elsewhere(result);
    if !elsewhere.is_empty() {
        page.title("Outside the measured phases, over the whole run");
        page.table(&tables::times(&headliners(&elsewhere, result), page.width()));
        page.gap();
        page.table(&tables::outcomes(&headliners(&elsewhere, result), page.width()));
    }
    page.gap();
    page.line(1, LEGEND);
}

/// Operations that happened in no measured phase.
pub(super) fn elsewhere(result: &RunResult) -> BTreeMap<String, Operation> {
    let measured = |name: &String| {
        result.phases.iter().any(|phase| phase.measured && phase.operations.contains_key(name))
    };
    let operations = result.operations.iter().filter(|(name, _)| !measured(name));
    operations.map(|(name, operation)| (name.clone(), operation.clone())).collect()
}

/// All operations but the steps of another one of the run (`login.tls` of `login`): those are in the result file.
pub(super) fn headliners<'a>(
    operations: &'a BTreeMap<String, Operation>,
    result: &RunResult,
) -> Vec<(&'a str, &'a Operation)> {
    let shown = operations.iter().filter(|(name, _)| !is_step(name, result));
    shown.map(|(name, operation)| (name.as_str(), operation)).collect()
}

/// Whether it is a step of another operation of the run.
pub(super) fn is_step(name: &str, result: &RunResult) -> bool {
    name.rsplit_once('.').is_some_and(|(whole, _)| result.operations.contains_key(whole))
}

fn accounts(page: &mut Page, result: &RunResult) {
    let ledger = &result.ledger;
    let kinds = [("message", ledger.message), ("groupchat", ledger.groupchat), ("presence", ledger.presence)];
    let used: Vec<_> = kinds.into_iter().filter(|(_, counts)| *counts != LedgerCounts::default()).collect();
    if used.is_empty() {
        return;
    }
    page.title("Delivery account, whole run");
    for (name, counts) in used {
        account(page, name, &counts);
    }
    if let Some(order) = &result.room_order {
        let RoomOrder { rooms, compared, differing, not_compared } = *order;
        let (mark, tone) = if differing == 0 { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
        let text = format!(
            "order in {} rooms: {} occupants compared, {} saw another than most; {} not compared (came late, left, or \
             missed a copy)",
            show_count(rooms),
            show_count(compared),
            show_count(differing),
            show_count(not_compared),
        );
        page.marked(mark, tone, &text);
    }
}

fn account(page: &mut Page, name: &str, counts: &LedgerCounts) {
    let LedgerCounts { expected, delivered, lost, failed, indeterminate, .. } = *counts;
    let settled = [delivered, lost, failed, indeterminate].into_iter().map(u128::from).sum::<u128>();
    let equation = format!(
        "{name}: {} expected = {} delivered + {} lost + {} failed + {} indeterminate",
        show_count(expected),
        show_count(delivered),
        show_count(lost),
        show_count(failed),
        show_count(indeterminate),
    );
    if settled != u128::from(expected) {
        page.marked("✗", Tone::Bad, &format!("{equation}: DOES NOT ADD UP, a bug of xmpp-bench"));
    } else if expected == 0 {
        page.marked("!", Tone::Warn, &format!("{name}: no copy was owed to anybody"));
    } else if delivered == expected {
        page.marked("✓", Tone::Good, &format!("{equation}: all delivered"));
    } else {
        page.marked("!", Tone::Warn, &equation);
    }
    page.line(3, &beside(counts));
}

/// The columns beside the equation that hold anything.
fn beside(counts: &LedgerCounts) -> String {
    let LedgerCounts { late, reordered, duplicated, misdelivered, unsent, replayed, stale, .. } = *counts;
    let named = |columns: &[(&str, u64)]| -> String {
        let present = columns.iter().filter(|(_, count)| *count > 0);
        let texts: Vec<String> =
            present.map(|(name, count)| format!("{} {name}", show_count(*count))).collect();
        if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
    };
    let within = named(&[("late", late), ("reordered", reordered)]);
    let outside = named(&[
        ("duplicated", duplicated),
        ("misdelivered", misdelivered),
        ("unsent", unsent),
        ("replayed", replayed),
        ("stale", stale),
    ]);
    format!("late or reordered among the delivered: {within}; beside the account: {outside}")
}

/// Kinds of errors shown; the file has all.
const ERRORS_SHOWN: usize = 8;

fn errors(page: &mut Page, errors: &[ErrorCount]) {
    if errors.is_empty() {
        return;
    }
    let total: u128 = errors.iter().map(|error| u128::from(error.count)).sum();
    page.title(&format!("Errors: {}", show_count(u64::try_from(total).unwrap_or(u64::MAX))));
    page.table(&tables::errors(&errors[..errors.len().min(ERRORS_SHOWN)], page.width()));
    if errors.len() > ERRORS_SHOWN {
        page.line(1, &format!("and {} more kinds, in the result file", errors.len() - ERRORS_SHOWN));
    }
}

fn ending(page: &mut Page, result: &RunResult, place: Option<&str>) {
    page.gap();
    let (objectives, others): (Vec<&ExitReason>, Vec<&ExitReason>) =
        result.exit.reasons.iter().partition(|reason| reason.code == OBJECTIVE);
    for reason in others {
        page.line(0, &format!("Exit code {}: {}", reason.code, reason.reason));
    }
    match objectives[..] {
        [] => {}
        [one] => page.line(0, &format!("Exit code {}: {}", one.code, one.reason)),
        _ => {
            let count = |state| result.slo.iter().filter(|slo| slo.state == state).count();
            let (failed, undecided) = (count(SloState::Failed), count(SloState::Undecided));
            page.line(
                0,
                &format!(
                    "Exit code {OBJECTIVE}: of the objectives {failed} failed and {undecided} are undecided"
                ),
            );
        }
    }
    if let Some(place) = place {
        page.line(0, &format!("Result: {place} (seed {})", result.seed));
    }
}

/// The exit code of objectives, which stand in a list of their own.
const OBJECTIVE: u8 = 4;

/// The exit code of a run its user stopped.
const INTERRUPTED: u8 = 130;

/// A stretch of the run, seconds since its epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) start_s: f64,
    pub(super) end_s: f64,
}

impl Window {
    pub(super) fn seconds(self) -> f64 {
        (self.end_s - self.start_s).max(0.0)
    }
}

/// A phase as far as the run came.
pub(super) fn window_of(result: &RunResult, phase: &Phase) -> Window {
    let until = result.ended_early.as_ref().map_or(f64::INFINITY, |early| early.at_s);
    Window { start_s: phase.start_s, end_s: phase.end_s.min(until) }
}

pub(super) fn span(seconds: f64) -> String {
    std::time::Duration::try_from_secs_f64(seconds).map_or_else(|_| "?".to_owned(), show_duration)
}

pub(super) fn extended(value: Extended<f64>, unit: Unit) -> String {
    match (value, unit) {
        (Extended::Unsupported, _) => "–".to_owned(),
        (Extended::Infinite, Unit::Micros) => bound(tables::BEYOND),
        (Extended::Infinite, _) => "∞".to_owned(),
        (Extended::Finite(value), unit) => quantity(value, unit),
    }
}

/// A number for a person, with its sign and with what fraction three digits have room for.
pub(super) fn quantity(value: f64, unit: Unit) -> String {
    let size = value.abs();
    let text = match unit {
        Unit::Micros => micros(size),
        Unit::PerSecond => Rate::per_second(size).unwrap_or(Rate::ZERO).to_string(),
        Unit::Share => show_percent(size),
        Unit::Count => show_number(size),
        Unit::Bytes => ByteCount(size.round() as u64).to_string(),
    };
    let sign = if value < 0.0 { "-" } else { "" };
    bound(&format!("{sign}{text}"))
}

fn micros(micros: f64) -> String {
    const SECOND: f64 = 1e6;
    let span = std::time::Duration::try_from_secs_f64(micros / SECOND);
    span.map_or_else(|_| show_micros(micros.round() as u64), show_duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A load average under one and a temperature below zero are numbers too.
    #[test]
    fn a_quantity_keeps_its_sign_and_its_fraction() {
        for (value, unit, text) in [
            (0.49, Unit::Count, "0.49"),
            (1.5, Unit::Count, "1.5"),
            (-12.26, Unit::Count, "-12.3"),
            (12_345.0, Unit::Count, "12,345"),
            (-40_000.0, Unit::Micros, "-40 ms"),
            (0.25, Unit::Micros, "0.25 µs"),
            (1_609.0, Unit::Micros, "1.61 ms"),
            (-2_048.0, Unit::Bytes, "-2 KiB"),
            (-3.0, Unit::PerSecond, "-3/s"),
            (-0.5, Unit::Share, "-50 %"),
        ] {
            assert_eq!(quantity(value, unit).replace('\u{a0}', " "), text, "{value} {unit:?}");
        }
    }
}
