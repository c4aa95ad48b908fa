//! Verdict, objectives, what to look at, and the numbers of each measured phase.

use crate::report::html::chart::Table;
use crate::report::html::context::{Context, section};
use crate::report::html::markup::Markup;
use crate::report::overlay::{Run, mismatches, operation};
use crate::report::summary::{
    LEGEND, attention, elsewhere, extended, headliners, held, meaning, objective, observation, quantity,
    remarks, span, subject, tables, window_of,
};
use crate::results::{Operation, RunResult, SloState, VerdictState};
use crate::units::show_count;

/// Verdicts of all runs, before anything else.
pub fn verdicts(page: &mut Markup, context: &Context<'_>) {
    section(page, "verdict", "Verdict", |page| {
        let mismatches = mismatches(context.runs);
        if !mismatches.is_empty() {
            page.within("ul", &[("class", "marks")], |page| {
                for text in &mismatches {
                    mark(page, "!", text);
                }
            });
        }
        for run in context.runs {
            verdict(page, run, context.runs.len() > 1);
        }
    });
}

/// Objectives and figures of all runs.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    if context.runs.iter().any(|run| !run.result.slo.is_empty()) {
        section(page, "objectives", "Objectives", |page| {
            for run in context.runs {
                heading(page, run, context);
                objectives(page, &run.result);
            }
        });
    }
    section(page, "figures", "Figures", |page| {
        page.leaf("p", &[("class", "note")], LEGEND);
        if context.single().is_none() {
            side_by_side(page, context);
        }
        for run in context.runs {
            heading(page, run, context);
            figures(page, run);
        }
    });
}

fn heading(page: &mut Markup, run: &Run, context: &Context<'_>) {
    if context.runs.len() > 1 {
        page.leaf("h3", &[], &format!("{}: {}", run.letter, run.name));
    }
}

fn verdict(page: &mut Markup, run: &Run, several: bool) {
    let result = &run.result;
    let state = result.verdict.state;
    let class = match state {
        VerdictState::Valid => "verdict good",
        VerdictState::Interrupted => "verdict warn",
        VerdictState::GeneratorLimited | VerdictState::ServerLimited => "verdict bad",
    };
    page.open("div", &[("class", class)]);
    if several {
        page.leaf("p", &[("class", "which")], &format!("{}: {}", run.letter, run.name));
    }
    page.leaf("p", &[("class", "state")], state.as_str());
    page.leaf("p", &[], meaning(result));
    page.leaf("p", &[("class", "note")], &subject(result));
    page.open("ul", &[("class", "marks")]);
    for evidence in result.verdict.evidence.iter().filter(|evidence| evidence.state != VerdictState::Valid) {
        mark(page, "✗", &format!("{}, which says {}", observation(evidence), evidence.state.as_str()));
    }
    if let Some(held) = held(&result.verdict.evidence) {
        mark(page, "✓", &format!("held: {held}"));
    }
    for remark in remarks(result) {
        mark(page, "!", &remark);
    }
    look_at(page, result);
    page.close();
    evidence(page, result, run);
    page.close();
    page.line();
}

fn look_at(page: &mut Markup, result: &RunResult) {
    let Some(findings) = attention::findings(result) else {
        return mark(page, "!", "no operation was attempted");
    };
    if let Some(all_well) = findings.all_well {
        mark(page, "✓", all_well);
    }
    for line in &findings.lines {
        mark(page, "!", line);
    }
    if let Some(line) = findings.advice {
        mark(page, "!", line);
    }
    if let Some(line) = &findings.slowest {
        mark(page, "·", line);
    }
}

/// A line behind a mark; what the line says it says without it.
fn mark(page: &mut Markup, mark: &str, text: &str) {
    page.within("li", &[], |page| {
        page.leaf("span", &[("class", "mark"), ("aria-hidden", "true")], mark);
        page.leaf("bdi", &[], text);
    });
}

fn evidence(page: &mut Markup, result: &RunResult, run: &Run) {
    if result.verdict.evidence.is_empty() {
        return;
    }
    let mut table = Table::new(&["predicate", "observed", "bound", "over", "phase", "speaks for"]);
    table.rows = result
        .verdict
        .evidence
        .iter()
        .map(|one| {
            vec![
                one.predicate.clone(),
                extended(one.observed, one.unit),
                quantity(one.bound, one.unit),
                one.window.clone(),
                one.phase.clone().unwrap_or_else(|| "whole run".to_owned()),
                one.state.as_str().to_owned(),
            ]
        })
        .collect();
    page.within("details", &[], |page| {
        page.leaf("summary", &[], &format!("All {} predicates", show_count(table.rows.len() as u64)));
        table.write(page, &format!("Predicates of {}", run.name));
    });
}

fn objectives(page: &mut Markup, result: &RunResult) {
    if result.slo.is_empty() {
        page.leaf("p", &[], "None were set.");
        return;
    }
    // The outcome comes second, where a narrow screen shows it without being moved.
    let mut table = Table::new(&["objective", "outcome", "bound", "observed", "over", "phase", "why"]);
    table.rows = result
        .slo
        .iter()
        .map(|slo| {
            let (mark, word) = objective(slo.state);
            vec![
                slo.name.clone(),
                format!("{mark} {word}"),
                slo.bound.clone(),
                extended(slo.observed, slo.unit),
                format!("{} {}", show_count(slo.population.count), slo.population.of),
                slo.phase.clone(),
                slo.reason.clone(),
            ]
        })
        .collect();
    let passed = result.slo.iter().filter(|slo| slo.state == SloState::Passed).count();
    page.leaf("p", &[], &format!("{passed} of {} passed.", result.slo.len()));
    table.write(page, "Objectives");
}

/// What a result's own sums are over.
const OVER: &str = "Over the measured phases; logins, and what happened in none of them, over the whole run.";

/// Each operation of all runs, one under the other, over the phases their results sum up.
fn side_by_side(page: &mut Markup, context: &Context<'_>) {
    page.leaf("h3", &[], "Side by side");
    page.leaf("p", &[("class", "note")], OVER);
    let mut table = Table::new(&tables::TIMES);
    for name in &context.names {
        for run in context.runs {
            let Some(found) = operation(run, name) else { continue };
            table.rows.extend(tables::time_rows(&[(&format!("{name}, {}", run.letter), found)]));
        }
    }
    table.write(page, "Response times of all runs");
}

fn figures(page: &mut Markup, run: &Run) {
    let result = &run.result;
    for phase in result.phases.iter().filter(|phase| phase.measured) {
        let window = window_of(result, phase);
        if window.seconds() <= 0.0 {
            page.leaf("h4", &[], &format!("Phase {}, not reached", phase.name));
            continue;
        }
        page.leaf("h4", &[], &format!("Phase {}, {} measured", phase.name, span(window.seconds())));
        if phase.operations.is_empty() {
            page.leaf("p", &[], "No operation was attempted in this phase.");
            continue;
        }
        let operations = headliners(&phase.operations, result);
        times(page, &operations, &phase.name);
        let mut table = Table::new(&tables::THROUGHPUT);
        table.rows = tables::throughput_rows(&operations, window, &result.series);
        table.write(page, &format!("Throughput in phase {}", phase.name));
        if let Some(traffic) = attention::traffic(result, phase) {
            page.leaf("p", &[("class", "note")], &traffic);
        }
    }
    let elsewhere = elsewhere(result);
    if !elsewhere.is_empty() {
        page.leaf("h4", &[], "Outside the measured phases, over the whole run");
        times(page, &headliners(&elsewhere, result), "the whole run");
    }
}

fn times(page: &mut Markup, operations: &[(&str, &Operation)], of: &str) {
    let mut table = Table::new(&tables::TIMES);
    table.rows = tables::time_rows(operations);
    table.write(page, &format!("Response times in {of}"));
}
