//! A TOML document as a tree in which every key and value knows where it was written.
//!
//! serde loses places as soon as a structure is flattened or untagged, so the tree is walked by hand
//! ([`super::keys`]). Texts are numbered: 0 is the file, the others are `--set` overrides in their order.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

/// Where something was written: a text's number and a range of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) text: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Place {
    pub(super) const fn new(text: usize, span: &Range<usize>) -> Self {
        Self { text, start: span.start, end: span.end }
    }

    /// Whether it came from `--set`.
    pub(super) const fn is_override(&self) -> bool {
        self.text > 0
    }
}

/// A value and its place.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
    /// The text of an override that happens to be a number or the like: where text is wanted, it is that.
    pub(super) bare: Option<String>,
}

#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    /// Saturated at the ends of its range; every key's bounds are far narrower.
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
}

impl Value {
    /// What to call it in a message.
    pub(super) fn describe(&self) -> Cow<'static, str> {
        match self {
            Self::Text(text) => format!("\"{}\"", shorten(text)).into(),
            Self::Integer(number) => format!("the number {number}").into(),
            Self::Float(number) => format!("the number {number}").into(),
            Self::Boolean(value) => format!("{value}").into(),
            Self::Date => "a date".into(),
            Self::List(_) => "a list".into(),
            Self::Table(_) => "a table".into(),
        }
    }
}

/// A text short enough for a message.
pub(super) fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text[..end].escape_debug()),
        None => text.escape_debug().to_string(),
    }
}

/// A table's entries in the order they were written, overrides last.
#[derive(Clone, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    /// Puts `node` at `key`, in place of what is there.
    pub(super) fn put(&mut self, key: &str, place: Place, node: Node) {
        match self.get_mut(key) {
            Some(entry) => (entry.place, entry.node) = (place, node),
            None => self.entries.push(Entry { key: key.to_owned(), place, node }),
        }
    }
}

/// A mistake of TOML itself.
#[derive(Clone, Debug)]
pub(super) struct SyntaxError {
    pub(super) message: String,
    pub(super) span: Range<usize>,
}

/// Reads a file's text.
pub(super) fn parse(text: &str) -> Result<Node, Vec<SyntaxError>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let span = table.span();
        let value = Value::Table(convert_table(table.into_inner(), 0, 0));
        return Ok(Node { place: Place::new(0, &span), value, bare: None });
    }
    Err(errors.into_iter().map(|error| syntax_error(&error, text)).collect())
}

/// Reads the value in an override's `text` from byte `from` on: TOML where it is TOML, else the bare text.
pub(super) fn parse_override(number: usize, text: &str, from: usize) -> Node {
    let place = Place { text: number, start: from, end: text.len() };
    let bare = &text[from..];
    let value = match DeValue::parse(bare) {
        Ok(value) => convert_value(value.into_inner(), number, from),
        Err(_) => Value::Text(bare.to_owned()),
    };
    let bare = matches!(value, Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Date);
    Node { place, value, bare: bare.then(|| text[from..].to_owned()) }
}

fn syntax_error(error: &toml::de::Error, text: &str) -> SyntaxError {
    let span = error.span().unwrap_or(text.len()..text.len());
    SyntaxError { message: error.message().to_owned(), span }
}

fn convert_table(table: DeTable<'_>, text: usize, shift: usize) -> Table {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, node)| Entry {
            place: place(&key.span(), text, shift),
            key: key.into_inner().into_owned(),
            node: convert(node, text, shift),
        })
        .collect();
    entries.sort_by(|a, b| a.place.cmp(&b.place));
    Table { entries }
}

fn convert(node: Spanned<DeValue<'_>>, text: usize, shift: usize) -> Node {
    let place = place(&node.span(), text, shift);
    Node { place, value: convert_value(node.into_inner(), text, shift), bare: None }
}

fn convert_value(value: DeValue<'_>, text: usize, shift: usize) -> Value {
    match value {
        DeValue::String(string) => Value::Text(string.into_owned()),
        DeValue::Integer(number) => Value::Integer(integer(&number)),
        DeValue::Float(number) => Value::Float(float(&number)),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => {
            Value::List(items.into_iter().map(|item| convert(item, text, shift)).collect())
        }
        DeValue::Table(table) => Value::Table(convert_table(table, text, shift)),
    }
}

const fn place(span: &Range<usize>, text: usize, shift: usize) -> Place {
    Place { text, start: span.start + shift, end: span.end + shift }
}

fn integer(number: &DeInteger<'_>) -> i128 {
    let saturated = if number.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
    i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(saturated)
}

fn float(number: &DeFloat<'_>) -> f64 {
    number.as_str().parse().unwrap_or(f64::NAN)
}
