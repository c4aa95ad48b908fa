//! Markup in the making. Elements and attribute names are the program's own words, written in its source; everything
//! else is text and escaped. So nothing a file or a peer said can become markup.
//!
//! What comes out is well-formed as XML too: every element is closed, every attribute quoted.

use super::escape::escape;

/// Attributes: names of ours, values of anybody.
pub type Attributes<'a> = &'a [(&'static str, &'a str)];

/// Elements and text.
#[derive(Clone, Debug, Default)]
pub struct Markup {
    text: String,
    open: Vec<&'static str>,
}

impl Markup {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins an element.
    pub fn open(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.tag(tag, attributes);
        self.text.push('>');
        self.open.push(tag);
    }

    /// Ends the element begun last.
    pub fn close(&mut self) {
        if let Some(tag) = self.open.pop() {
            self.text.extend(["</", tag, ">"]);
        }
    }

    /// An element that holds nothing.
    pub fn empty(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.tag(tag, attributes);
        self.text.push_str("/>");
    }

    /// An element that holds text.
    pub fn leaf(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.open(tag, attributes);
        self.text(text);
        self.close();
    }

    /// An element with what `fill` puts into it.
    pub fn within(&mut self, tag: &'static str, attributes: Attributes<'_>, fill: impl FnOnce(&mut Self)) {
        self.open(tag, attributes);
        fill(self);
        self.close();
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        self.text.push_str(&escape(text));
    }

    /// Something of ours, as it stands in the source: the style sheet and the script.
    pub fn verbatim(&mut self, ours: &'static str) {
        self.text.push_str(ours);
    }

    /// What was made elsewhere.
    pub fn append(&mut self, other: Self) {
        self.text.push_str(&other.into_text());
    }

    /// Whether an element of this id is in it.
    pub fn has_id(&self, id: &str) -> bool {
        self.text.contains(&format!(" id=\"{}\"", escape(id)))
    }

    /// Begins a new line of the source, for those who read it.
    pub fn line(&mut self) {
        self.text.push('\n');
    }

    /// The whole, every element closed.
    pub fn into_text(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn tag(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.text.extend(["<", tag]);
        for (name, value) in attributes {
            self.text.extend([" ", name, "=\"", &escape(value), "\""]);
        }
    }
}

/// A length in a drawing: a tenth of a unit is finer than any eye.
pub fn length(value: f64) -> String {
    let value = if value.is_finite() { value.clamp(-1e5, 1e5) } else { 0.0 };
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}
