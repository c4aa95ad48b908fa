//! What a person pastes into an issue: verdict, objectives, figures, account and errors, in Markdown.
//!
//! Whatever a file or a peer said stands in a code span, where nothing is markup, a link or a mention.

use crate::report::html::seen;
use crate::report::overlay::{Run, mismatches};
use crate::report::summary::observed::{Line, TITLE, lines};
use crate::report::summary::{
    LEGEND, attention, elsewhere, extended, headliners, held, meaning, objective, observation, remarks, span,
    tables, window_of,
};
use crate::results::{LedgerCounts, Operation, RunResult, VerdictState};
use crate::units::show_count;

/// The results one after the other.
pub fn render(runs: &[Run]) -> String {
    let mut text = String::new();
    for line in mismatches(runs) {
        text.push_str(&format!("- ! {}\n", code(&line)));
    }
    for run in runs {
        if !text.is_empty() {
            text.push('\n');
        }
        one(&mut text, run, runs.len() > 1);
    }
    // Spaces that bind a number to its unit are a page's matter.
    text.replace('\u{a0}', " ")
}

fn one(text: &mut String, run: &Run, several: bool) {
    let result = &run.result;
    let letter = if several { format!("{}: ", run.letter) } else { String::new() };
    text.push_str(&format!("## {letter}{} – {}\n\n", code(&run.name), result.verdict.state.as_str()));
    text.push_str(&format!("{}.\n\n", meaning(result)));
    subject(text, result);
    marks(text, result);
    objectives(text, result);
    figures(text, result);
    account(text, result);
    errors(text, result);
    observed(text, result);
}

fn observed(text: &mut String, result: &RunResult) {
    let lines = lines(result);
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!("### {TITLE}\n\n"));
    for line in &lines {
        match line {
            Line::Said(said) => text.push_str(&format!("- {}\n", code(said))),
            Line::Warned(warning) => text.push_str(&format!("- ! {}\n", code(warning))),
        }
    }
    text.push('\n');
}

fn subject(text: &mut String, result: &RunResult) {
    let server = result.target.identity.as_ref();
    let server = server.map_or_else(|| "unknown software".to_owned(), |server| code(&server.to_string()));
    text.push_str(&format!(
        "Profile {}, seed {}, against {server} at {}; made by {} on {}, {}.\n\n",
        code(&result.profile.name),
        result.seed,
        code(&result.target.urls.join(", ")),
        code(&format!("{} {}", result.tool.name, result.tool.version)),
        code(&result.started),
        code(&format!("{}, {} CPUs", result.host.system, result.host.cpus)),
    ));
}

fn marks(text: &mut String, result: &RunResult) {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let against = result.verdict.evidence.iter().filter(|evidence| evidence.state != VerdictState::Valid);
    lines
        .extend(against.map(|one| ("✗", format!("{}, which says {}", observation(one), one.state.as_str()))));
    lines.extend(held(&result.verdict.evidence).map(|held| ("✓", format!("held: {held}"))));
    lines.extend(remarks(result).into_iter().map(|remark| ("!", remark)));
    if let Some(findings) = attention::findings(result) {
        lines.extend(findings.all_well.map(|line| ("✓", line.to_owned())));
        lines.extend(findings.lines.into_iter().map(|line| ("!", line)));
        lines.extend(findings.advice.map(|line| ("!", line.to_owned())));
        lines.extend(findings.slowest.map(|line| ("·", line)));
    }
    for (mark, line) in &lines {
        text.push_str(&format!("- {mark} {}\n", code(line)));
    }
    text.push('\n');
}

fn objectives(text: &mut String, result: &RunResult) {
    if result.slo.is_empty() {
        return;
    }
    let rows = result.slo.iter().map(|slo| {
        let (mark, word) = objective(slo.state);
        let over = format!("{} {}", show_count(slo.population.count), slo.population.of);
        let texts = [&slo.name, &slo.bound, &extended(slo.observed, slo.unit), &over, &slo.phase]
            .map(|cell| code(cell));
        let outcome = if slo.reason.is_empty() {
            format!("{mark} {word}")
        } else {
            format!("{mark} {word}: {}", code(&slo.reason))
        };
        texts.into_iter().chain([outcome]).collect()
    });
    table(text, &["objective", "bound", "observed", "over", "phase", "outcome"], rows);
}

fn figures(text: &mut String, result: &RunResult) {
    for phase in result.phases.iter().filter(|phase| phase.measured) {
        let window = window_of(result, phase);
        if window.seconds() <= 0.0 || phase.operations.is_empty() {
            text.push_str(&format!("### Phase {}: nothing was measured\n\n", code(&phase.name)));
            continue;
        }
        text.push_str(&format!("### Phase {}, {} measured\n\n", code(&phase.name), span(window.seconds())));
        let operations = headliners(&phase.operations, result);
        times(text, &operations);
        table(text, &tables::THROUGHPUT, coded(tables::throughput_rows(&operations, window, &result.series)));
    }
    let elsewhere = elsewhere(result);
    if !elsewhere.is_empty() {
        text.push_str("### Outside the measured phases, over the whole run\n\n");
        times(text, &headliners(&elsewhere, result));
    }
    text.push_str(&format!("{}\n\n", LEGEND.replace('>', "\\>")));
}

fn times(text: &mut String, operations: &[(&str, &Operation)]) {
    table(text, &tables::TIMES, coded(tables::time_rows(operations)));
}

fn account(text: &mut String, result: &RunResult) {
    let kinds = crate::results::LedgerKind::ALL.into_iter().map(|kind| (kind, *result.ledger.of(kind)));
    let used: Vec<_> = kinds.filter(|(_, counts)| *counts != LedgerCounts::default()).collect();
    if used.is_empty() {
        return;
    }
    text.push_str(
        "### Delivery account, whole run\n\nexpected = delivered + lost + failed + indeterminate\n\n",
    );
    let columns = LedgerCounts::COLUMNS;
    let heads: Vec<&str> = ["account"].into_iter().chain(columns.iter().map(|(name, _)| *name)).collect();
    let rows = used.iter().map(|(kind, counts)| {
        let cells = columns.iter().map(|(_, read)| show_count(read(counts)));
        [kind.as_str().to_owned()].into_iter().chain(cells).collect()
    });
    table(text, &heads, rows);
}

fn errors(text: &mut String, result: &RunResult) {
    const SHOWN: usize = 20;
    const EXAMPLE_MAX: usize = 120;
    if result.errors.is_empty() {
        return;
    }
    text.push_str("### Errors\n\n");
    let rows = result.errors.iter().take(SHOWN).map(|error| {
        let example: String = error.example.chars().take(EXAMPLE_MAX).collect();
        let words = [&error.class, &error.step, &error.condition, &example].map(|word| code(word));
        [show_count(error.count)].into_iter().chain(words).collect()
    });
    table(text, &["count", "whose", "step", "condition", "example"], rows);
    if result.errors.len() > SHOWN {
        text.push_str(&format!("And {} more kinds.\n\n", result.errors.len() - SHOWN));
    }
}

/// A table; its cells are safe already.
fn table(text: &mut String, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    text.push_str(&format!("| {} |\n", heads.join(" | ")));
    text.push_str(&format!("|{}\n", "---|".repeat(heads.len())));
    for row in rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text.push('\n');
}

fn coded(rows: Vec<Vec<String>>) -> impl Iterator<Item = Vec<String>> {
    rows.into_iter().map(|row| row.iter().map(|cell| code(cell)).collect())
}

/// A code span that holds the text whatever it is: its fence is longer than any run of backticks in it, and a bar would end
/// a table's cell even there.
fn code(text: &str) -> String {
    let text = seen(text.trim());
    if text.is_empty() {
        return "–".to_owned();
    }
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{}{pad}{fence}", text.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_holds_any_text() {
        for (text, span) in [
            ("ping", "`ping`"),
            ("", "–"),
            ("a|b", "`a\\|b`"),
            ("`x`", "`` `x` ``"),
            ("a``b`c", "```a``b`c```"),
            ("<img src=x onerror=1> @all\n# no", "`<img src=x onerror=1> @all␊# no`"),
        ] {
            assert_eq!(code(text), span);
        }
    }
}
