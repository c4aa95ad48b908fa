//! A chart as a page holds it: its picture, the key to its lines, what it shows in words, and all its numbers in a table.

use crate::report::html::markup::{Attributes, Markup};

/// A chart with its words and its numbers.
pub struct Figure {
    /// Its anchor on the page.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// How it is to be read, and what it is taken over.
    pub caption: String,
    /// The picture.
    pub picture: Markup,
    /// What its lines and areas are.
    pub keys: Vec<Key>,
    /// Its numbers.
    pub table: Table,
}

/// What a line or an area of a picture is.
pub struct Key {
    /// How it looks: the class it is drawn with.
    pub class: String,
    /// Whether it is an area.
    pub is_area: bool,
    /// What it is.
    pub text: String,
}

impl Key {
    /// Of a line.
    pub fn line(class: &str, text: impl Into<String>) -> Self {
        Self { class: class.to_owned(), is_area: false, text: text.into() }
    }

    /// Of an area.
    pub fn area(class: &str, text: impl Into<String>) -> Self {
        Self { class: class.to_owned(), is_area: true, text: text.into() }
    }
}

/// Numbers in rows; the first cell of a row is its heading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns' headings.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// With these headings and no rows.
    pub fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&text| text.to_owned()).collect(), rows: Vec::new() }
    }

    /// Writes it, in a box of its own that scrolls where there is no room.
    pub fn write(&self, page: &mut Markup, label: &str) {
        page.within(
            "div",
            &[("class", "scroll"), ("role", "region"), ("tabindex", "0"), ("aria-label", label)],
            |page| {
                let numbers = self.numbers();
                page.open("table", &[]);
                page.within("thead", &[], |page| {
                    page.within("tr", &[], |page| {
                        for (place, text) in self.head.iter().enumerate() {
                            cell(page, "th", &[("scope", "col")], numbers.get(place) == Some(&true), text);
                        }
                    });
                });
                page.within("tbody", &[], |page| {
                    self.rows.iter().for_each(|cells| row(page, cells, &numbers));
                });
                page.close();
            },
        );
        page.line();
    }

    /// Which columns hold numbers only, so that these can stand under each other.
    fn numbers(&self) -> Vec<bool> {
        let is_number = |cell: &String| {
            const LONGEST: usize = 14;
            let first = cell.chars().next().filter(|_| cell.chars().count() <= LONGEST);
            first.is_some_and(|c| c.is_ascii_digit() || matches!(c, '–' | '-' | '>' | '∞'))
        };
        let column =
            |place: usize| place > 0 && self.rows.iter().filter_map(|row| row.get(place)).all(is_number);
        (0..self.head.len()).map(column).collect()
    }
}

impl Figure {
    /// Writes it.
    pub fn write(self, page: &mut Markup) {
        let caption = format!("{}-caption", self.id);
        page.open("figure", &[("id", &self.id), ("aria-labelledby", &caption)]);
        page.within("figcaption", &[("id", &caption)], |page| {
            page.leaf("strong", &[], &self.title);
            page.text(" ");
            page.leaf("span", &[], &self.caption);
        });
        page.within("div", &[("class", "plot")], |page| page.append(self.picture));
        if !self.keys.is_empty() {
            page.within("ul", &[("class", "keys")], |page| {
                self.keys.iter().for_each(|key| write_key(page, key));
            });
        }
        page.within("details", &[], |page| {
            page.within("summary", &[], |page| {
                page.text("Numbers");
                page.leaf("span", &[("class", "unseen")], &format!(" of {}", self.title));
            });
            self.table.write(page, &format!("Numbers of {}", self.title));
        });
        page.close();
        page.line();
    }
}

fn row(page: &mut Markup, cells: &[String], numbers: &[bool]) {
    page.open("tr", &[]);
    for (place, text) in cells.iter().enumerate() {
        if place == 0 {
            // A row that says more of the one above is set in.
            let own = text.trim_start();
            let class = if own.len() < text.len() { "sub" } else { "" };
            let attributes = [("scope", "row"), ("class", class)];
            page.leaf("th", &attributes[..if class.is_empty() { 1 } else { 2 }], own);
        } else {
            cell(page, "td", &[], numbers.get(place) == Some(&true), text);
        }
    }
    page.close();
}

fn cell(page: &mut Markup, tag: &'static str, attributes: Attributes<'_>, is_number: bool, text: &str) {
    match (attributes, is_number) {
        (attributes, false) => page.leaf(tag, attributes, text),
        ([], true) => page.leaf(tag, &[("class", "n")], text),
        ([first, ..], true) => page.leaf(tag, &[*first, ("class", "n")], text),
    }
}

fn write_key(page: &mut Markup, key: &Key) {
    page.within("li", &[], |page| {
        page.within("svg", &[("viewBox", "0 0 28 12"), ("aria-hidden", "true")], |page| {
            if key.is_area {
                page.empty("rect", &[("class", &key.class), ("width", "28"), ("height", "12")]);
            } else {
                page.empty("path", &[("class", &key.class), ("d", "M0 6H28")]);
            }
        });
        page.leaf("span", &[], &key.text);
    });
}
