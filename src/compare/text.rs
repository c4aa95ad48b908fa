//! The comparison for a terminal: what it says first, then what it rests on.

use std::collections::BTreeSet;

use comfy_table::Table;

use super::outcome::{Comparison, Family, GateState, Group, Judgement, Row, TestKind};
use super::show;
use crate::report::table::{align, left, table};
use crate::units::{show_percent, show_points};

/// The narrowest page.
const WIDTH_MIN: u16 = 80;

impl Comparison {
    /// The comparison for a person, `width` columns wide (at least 80), with colour where that may be.
    pub fn text(&self, width: u16, colour: bool) -> String {
        let width = width.max(WIDTH_MIN);
        let mut page = Page { width: usize::from(width), colour, text: String::new() };
        page.line(0, &self.heading());
        page.line(2, &format!("base: {}", side(&self.base)));
        page.line(2, &format!("new:  {}", side(&self.new)));
        for difference in &self.differences {
            page.line(2, &format!("! {}", difference.what));
        }
        for drift in self.drift_lines() {
            page.line(2, &format!("! {drift}"));
        }
        page.gap();
        self.gates_text(&mut page);
        for line in self.conclusions() {
            page.verdict(&line);
        }
        page.gap();
        self.tables(&mut page, width);
        page.line(0, &self.remarks());
        page.text
    }

    /// What was compared, in one line.
    pub(super) fn heading(&self) -> String {
        let runs = |count: usize| if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
        let pairs = if self.method.test == TestKind::SignedRank { ", paired by seed" } else { "" };
        let (base, new) = (runs(self.method.base_runs), runs(self.method.new_runs));
        format!(
            "Compared: {base} of the base with {new} of the new side, {}{pairs}",
            show::clean(&self.base.profile)
        )
    }

    /// What it comes to: one line per primary measure that is news, or that there is none.
    pub(super) fn conclusions(&self) -> Vec<Conclusion> {
        if self.method.is_single() {
            let text = format!(
                "one run a side shows how seconds differ, not how runs do: no measure here can be called better or worse. {}",
                self.needed()
            );
            return vec![Conclusion { word: "CANNOT SAY", text }];
        }
        if !self.method.reachable {
            let text = format!(
                "no measure here can be called better or worse, whatever these files hold: the least two-sided p of {} against {} \
                 runs is {}, and the first of {} must reach {}. {}",
                self.method.base_runs,
                self.method.new_runs,
                show::p(Some(self.method.least_p)),
                counted(self.method.family, "primary measure"),
                show::p(Some(self.method.needed_p)),
                self.needed()
            );
            return vec![Conclusion { word: "CANNOT SAY", text }];
        }
        let news = |wanted| self.primary().filter(move |row| row.judgement == wanted);
        let say = |word: &'static str, row: &Row| Conclusion { word, text: summary(row) };
        let untested = || self.primary().filter(|row| row.p.is_none());
        let unsaid = |row: &Row| Conclusion {
            word: "CANNOT SAY",
            text: format!("{}: {}", show::clean(&row.measure), show::clean(&row.note)),
        };
        let mut lines: Vec<Conclusion> = untested().map(unsaid).collect();
        lines.extend(news(Judgement::Worse).map(|row| say("WORSE", row)));
        lines.extend(news(Judgement::Better).map(|row| say("BETTER", row)));
        let tested = self.primary().count() - untested().count();
        if lines.len() == untested().count() && tested > 0 {
            let which = if tested == self.primary().count() { "no" } else { "no other" };
            let text = format!(
                "{which} primary measure changed by what is news; the intervals say how large a change could have gone unseen"
            );
            lines.push(Conclusion { word: "NO DIFFERENCE SHOWN", text });
        }
        lines
    }

    fn needed(&self) -> String {
        let needed = self.method.runs_needed;
        let pairs = format!("{} make use of pairs of equal seeds", needed.paired);
        format!("{} runs a side would do; {pairs}.", needed.unpaired.min(needed.paired))
    }

    pub(super) fn primary(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.family == Family::Primary)
    }

    /// The exploratory rows a person is shown: of more phases than these those in which something may have changed.
    pub(super) fn exploratory(&self) -> impl Iterator<Item = &Row> {
        const PHASES: usize = 8;
        let all = self.rows.iter().filter(|row| row.family == Family::Exploratory);
        let phases: BTreeSet<&str> =
            all.clone().filter_map(|row| row.measure.split_once('/')).map(|(phase, _)| phase).collect();
        let are_few = phases.len() <= PHASES;
        all.filter(move |row| are_few || row.significant || !row.measure.contains('/'))
    }

    /// How many it leaves out.
    fn left_out(&self) -> usize {
        self.rows.len() - self.primary().count() - self.exploratory().count()
    }

    fn gates_text(&self, page: &mut Page) {
        for gate in &self.gates {
            let word = match gate.state {
                GateState::Passed => "PASSED",
                GateState::Failed => "FAILED",
                GateState::NotEnoughEvidence => "NOT ENOUGH EVIDENCE",
            };
            page.verdict(&Conclusion {
                word,
                text: format!("gate {}: {}", show::clean(&gate.gate), gate.reason),
            });
        }
    }

    fn tables(&self, page: &mut Page, width: u16) {
        page.line(0, &self.primary_title());
        let mut primary = table(&HEADER, width);
        for row in self.primary() {
            primary.add_row(cells(row, &row.measure, true));
        }
        page.table(finished(&mut primary));
        self.notes(page);
        if self.exploratory().next().is_some() {
            page.gap();
            page.line(0, &self.exploratory_title());
            let mut other = table(&HEADER, width);
            let mut subject = "";
            for row in self.exploratory() {
                let (of, figure) = split(&row.measure);
                if of != subject {
                    other.add_row([show::clean(of)]);
                    subject = of;
                }
                other.add_row(cells(row, &format!("  {figure}"), false));
            }
            page.table(finished(&mut other));
        }
        page.gap();
    }

    fn notes(&self, page: &mut Page) {
        for note in self.primary().filter_map(noted) {
            page.line(2, &note);
        }
    }

    /// What the primary table is, and what its intervals are.
    pub(super) fn primary_title(&self) -> String {
        let levels: Vec<String> =
            self.primary().filter_map(|row| row.interval.as_ref()).map(show::confidence).collect();
        let level = match (levels.iter().min(), levels.iter().max()) {
            (Some(low), Some(high)) if low == high => format!("; intervals of {low}"),
            (Some(low), Some(high)) => format!("; intervals of {low} to {high}"),
            _ => String::new(),
        };
        let alpha = show_percent(self.method.alpha);
        if self.method.is_single() {
            return format!("Primary measures{level} within the run");
        }
        format!("Primary measures, named before the data was seen and held to {alpha} together (Holm){level}")
    }

    /// What the other table is.
    pub(super) fn exploratory_title(&self) -> String {
        let level = self.exploratory().find_map(|row| row.interval.as_ref());
        let level = level.map_or_else(|| "95 %".to_owned(), show::confidence);
        let left_out = match self.left_out() {
            0 => String::new(),
            rows => format!(". {rows} rows of single phases show nothing and are left out (--json has them)"),
        };
        format!("Exploratory, each by itself: of many, some differ by chance. Intervals of {level}{left_out}")
    }

    /// The assumptions, in a paragraph.
    pub(super) fn remarks(&self) -> String {
        let exact = if self.method.exact { "exact" } else { "by normal approximation" };
        let test = match (self.method.is_single(), self.method.test) {
            (true, _) => "Intervals within the run: seconds drawn again in blocks, 400 times; they assume a steady run.".to_owned(),
            (false, TestKind::SignedRank) => format!(
                "Test: Wilcoxon's signed ranks over pairs of equal seed, {exact}; assumes pairs that do not influence each other, and \
                 differences symmetric about their middle. Change: median of averages of ratios in pairs (Hodges–Lehmann)."
            ),
            (false, TestKind::MannWhitney) => format!(
                "Test: Wilcoxon–Mann–Whitney, {exact}; assumes runs that do not influence each other, and for the interval that \
                 the sides differ by one factor. Change: median of ratios of runs (Hodges–Lehmann)."
            ),
        };
        let effect = self.min_effect;
        let mut text = format!(
            "{test} News is what is significant and at least {} (of shares {} in either direction).",
            show_percent(effect.relative),
            show_points(effect.points)
        );
        let lists = [
            ("Alike or without fault in every run", &self.unremarkable.alike),
            ("Too few observations, or none", &self.unremarkable.unsupported),
        ];
        for (what, measures) in lists.into_iter().filter(|(_, measures)| !measures.is_empty()) {
            text += &format!(" {what}: {}.", show::clean(&in_short(measures)));
        }
        text
    }
}

/// A word to be seen from afar, and what it is about.
pub(super) struct Conclusion {
    pub(super) word: &'static str,
    pub(super) text: String,
}

const HEADER: [&str; 7] = ["", "base", "new", "change", "interval", "p", "difference"];

/// A measure's line.
pub(super) fn cells(row: &Row, name: &str, is_primary: bool) -> [String; 7] {
    [
        show::clean(name),
        show::value(row.unit, row.base),
        show::value(row.unit, row.new),
        show::change(row.unit, row.change),
        show::interval(row),
        show::p(row.p_adjusted.or(row.p)),
        show::judgement(row, is_primary).to_owned(),
    ]
}

/// What belongs beside a measure's line.
pub(super) fn noted(row: &Row) -> Option<String> {
    (!row.note.is_empty()).then(|| format!("{}: {}", show::clean(&row.measure), show::clean(&row.note)))
}

/// A change in a sentence.
pub(super) fn summary(row: &Row) -> String {
    format!(
        "{}: {} to {}, {} ({}), p {}",
        show::clean(&row.measure),
        show::value(row.unit, row.base),
        show::value(row.unit, row.new),
        show::change(row.unit, row.change),
        show::interval(row),
        show::p(row.p_adjusted)
    )
}

/// Measures by subject: `login (done, errors)`.
fn grouped(measures: &[String]) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for measure in measures {
        let (subject, figure) = split(measure);
        match groups.last_mut().filter(|(of, _)| *of == subject) {
            Some((_, figures)) => figures.push(figure),
            None => groups.push((subject, vec![figure])),
        }
    }
    let texts: Vec<String> =
        groups.iter().map(|(subject, figures)| format!("{subject} ({})", figures.join(", "))).collect();
    texts.join("; ")
}

/// Measures by subject, and those of single phases by their number where they are more than a person reads.
fn in_short(measures: &[String]) -> String {
    const NAMED: usize = 12;
    let (of_phases, whole): (Vec<String>, Vec<String>) =
        measures.iter().cloned().partition(|measure| measure.contains('/'));
    if of_phases.len() <= NAMED {
        return grouped(measures);
    }
    let rest = format!("{} measures of single phases", of_phases.len());
    if whole.is_empty() { rest } else { format!("{}; {rest}", grouped(&whole)) }
}

pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A measure's subject and figure; `p99.9` has a dot of its own.
pub(super) fn split(measure: &str) -> (&str, &str) {
    let at = if measure.ends_with(".p99.9") {
        measure.len() - ".p99.9".len()
    } else {
        measure.rfind('.').unwrap_or(0)
    };
    (&measure[..at], measure[at..].trim_start_matches('.'))
}

fn side(group: &Group) -> String {
    let servers =
        if group.servers.is_empty() { "unknown software".to_owned() } else { group.servers.join(", ") };
    format!(
        "{} at {} ({})",
        show::clean(&servers),
        show::clean(&group.targets.join(", ")),
        show::files(&group.files)
    )
}

fn finished(table: &mut Table) -> &Table {
    align(table, 1);
    left(table, 6);
    table
}

/// Text in the making.
struct Page {
    width: usize,
    colour: bool,
    text: String,
}

impl Page {
    fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A paragraph, wrapped, its later lines two columns in.
    fn line(&mut self, indent: usize, text: &str) {
        let mut line = " ".repeat(indent);
        let mut is_empty = true;
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if !is_empty && line.chars().count() + 1 + word.chars().count() > self.width {
                self.push(&line);
                line = " ".repeat(indent + 2);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.push(&line);
    }

    /// A line that begins with a word in capitals, painted where there is colour.
    fn verdict(&mut self, conclusion: &Conclusion) {
        let start = self.text.len();
        self.line(0, &format!("{}: {}", conclusion.word, conclusion.text));
        if self.colour {
            let code = match conclusion.word {
                "WORSE" | "FAILED" => 31,
                "BETTER" | "PASSED" => 32,
                _ => 33,
            };
            let painted = format!("\u{1b}[1;{code}m{}\u{1b}[0m", conclusion.word);
            self.text.replace_range(start..start + conclusion.word.len(), &painted);
        }
    }

    fn table(&mut self, table: &Table) {
        for line in table.lines() {
            self.push(&format!(" {line}"));
        }
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}
