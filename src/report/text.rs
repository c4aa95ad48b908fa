//! A page of text: wrapping, indenting, marking, painting.

use comfy_table::Table;

pub(super) use crate::units::clean;

/// How a page is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The terminal's width, columns; at least 80 are used.
    pub width: u16,
    /// Whether colour may be used (a terminal, and no `NO_COLOR`).
    pub colour: bool,
}

impl Style {
    /// The narrowest page.
    pub const WIDTH_MIN: u16 = 80;
}

impl Default for Style {
    /// For a pipe: 80 columns, no colour.
    fn default() -> Self {
        Self { width: Self::WIDTH_MIN, colour: false }
    }
}

/// What a painted word says anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Warn,
    Bad,
}

/// Text in the making.
pub(super) struct Page {
    style: Style,
    text: String,
}

impl Page {
    pub(super) fn new(style: Style) -> Self {
        Self { style: Style { width: style.width.max(Style::WIDTH_MIN), ..style }, text: String::new() }
    }

    pub(super) const fn width(&self) -> u16 {
        self.style.width
    }

    /// The first words of the page: `head`, one painted word, and what it means.
    pub(super) fn headline(&mut self, head: &str, word: &str, tone: Tone, meaning: &str) {
        let painted = self.paint(tone, &word.to_uppercase());
        self.text.extend([head, &painted, "\n"]);
        self.line(1, meaning);
    }

    pub(super) fn title(&mut self, title: &str) {
        self.gap();
        self.line(0, title);
    }

    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A paragraph, wrapped.
    pub(super) fn line(&mut self, indent: usize, text: &str) {
        self.wrapped(indent, indent, None, text);
    }

    /// A paragraph behind a mark.
    pub(super) fn marked(&mut self, mark: &str, tone: Tone, text: &str) {
        self.wrapped(1, 3, Some((mark, tone)), text);
    }

    /// A line that is never broken: the name of a file is copied.
    pub(super) fn unbroken(&mut self, text: &str) {
        self.text.push_str(&clean(text));
        self.text.push('\n');
    }

    pub(super) fn table(&mut self, table: &Table) {
        for line in table.lines() {
            self.text.push(' ');
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text.replace(BOUND_SPACE, " ")
    }

    fn wrapped(&mut self, first: usize, rest: usize, mark: Option<(&str, Tone)>, text: &str) {
        let width = usize::from(self.style.width);
        let mut line = " ".repeat(first);
        let mut columns = first;
        if let Some((mark, tone)) = mark {
            line.push_str(&self.paint(tone, mark));
            columns += 1;
        }
        let mut empty = mark.is_none();
        for word in clean(text).split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            if !empty && columns + 1 + length > width {
                self.text.push_str(&line);
                self.text.push('\n');
                line = " ".repeat(rest);
                columns = rest;
                empty = true;
            }
            if !empty {
                line.push(' ');
                columns += 1;
            }
            line.push_str(word);
            columns += length;
            empty = false;
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.style.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => 32,
            Tone::Warn => 33,
            Tone::Bad => 31,
        };
        format!("\u{1b}[1;{code}m{text}\u{1b}[0m")
    }
}

/// A space at which a line is not broken; it leaves the page as an ordinary one.
const BOUND_SPACE: char = '\u{a0}';

/// A text that stays on one line: a number and its unit.
pub(super) fn bound(text: &str) -> String {
    text.replace(' ', &BOUND_SPACE.to_string())
}
