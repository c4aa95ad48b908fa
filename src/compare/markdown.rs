//! The comparison as Markdown, for a comment on a pull request. Whatever files and servers say is text, never markup.

use super::outcome::{Comparison, Family, GateState, Row};
use super::show;
use super::text::{cells, noted};

impl Comparison {
    /// GitHub's Markdown: the conclusion, the primary measures, and the rest folded away.
    pub fn markdown(&self) -> String {
        let mut text = String::from("### xmpp-bench: comparison\n\n");
        for conclusion in self.conclusions() {
            text += &format!("**{}**: {}\n\n", conclusion.word, escape(&conclusion.text));
        }
        text += &self.gate_table();
        text += &format!("{}\n\n", escape(&self.primary_title()));
        text += &rows(self.primary());
        let notes: Vec<String> =
            self.primary().filter_map(noted).map(|note| format!("- {}\n", escape(&note))).collect();
        if !notes.is_empty() {
            text += &format!("\n{}", notes.concat());
        }
        if self.exploratory().next().is_some() {
            text += &format!("\n<details><summary>{}</summary>\n\n", escape(&self.exploratory_title()));
            text += &rows(self.exploratory());
            text += "\n</details>\n";
        }
        text += &format!("\n{}\n", escape(&self.heading()));
        for (name, group) in [("base", &self.base), ("new", &self.new)] {
            let said = [group.servers.join(", "), group.targets.join(", "), show::files(&group.files)];
            let said: Vec<String> =
                said.into_iter().filter(|part| !part.is_empty()).map(|part| escape(&part)).collect();
            text += &format!("- {name}: {}\n", said.join("; "));
        }
        for difference in &self.differences {
            text += &format!("- differs: {}\n", escape(&difference.what));
        }
        for drift in self.drift_lines() {
            text += &format!("- {}\n", escape(&drift));
        }
        text + &format!("\n{}\n", escape(&self.remarks()))
    }

    fn gate_table(&self) -> String {
        if self.gates.is_empty() {
            return String::new();
        }
        let mut text = String::from("| gate | | |\n|---|---|---|\n");
        for gate in &self.gates {
            let state = match gate.state {
                GateState::Passed => "passed",
                GateState::Failed => "**failed**",
                GateState::NotEnoughEvidence => "**not enough evidence**",
            };
            text += &format!("| {} | {state} | {} |\n", escape(&gate.gate), escape(&gate.reason));
        }
        text + "\n"
    }
}

fn rows<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut text = String::from(
        "| | base | new | change | interval | p | difference |\n|---|--:|--:|--:|--:|--:|---|\n",
    );
    for row in rows {
        let cells = cells(row, &row.measure, row.family == Family::Primary).map(|cell| escape(&cell));
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// Text that stays text: on one line, and whatever could be markup, a mention or a tag as a character reference.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in show::clean(text).chars() {
        match c {
            'a'..='z'
            | 'A'..='Z'
            | '0'..='9'
            | ' '
            | '.'
            | ','
            | ';'
            | '('
            | ')'
            | '%'
            | '/'
            | '+'
            | '-'
            | '?' => escaped.push(c),
            c if c.is_ascii() => escaped.push_str(&format!("&#{};", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}
