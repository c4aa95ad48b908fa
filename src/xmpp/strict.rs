//! The strict level: whether one whole element is well-formed and its namespaces hold (XML 1.0, Namespaces in XML
//! 1.0, RFC 6120 section 11).
//!
//! quick-xml cuts the element into events and matches end names; it lets pass unbound prefixes, control characters,
//! unknown entities, `]]>` in text, `<` in attributes and names like `1a`. Those are checked here.
//!
//! It costs a few allocations, so it runs on everything before a session is bound, on the embedded server's input,
//! and on a share of the stanzas after.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::{StreamCondition, StreamNamespaces, namespaces, scan};

/// What is wrong with an element.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrictError {
    /// Broken XML; the text says how.
    #[error("not well-formed: {0}")]
    NotWellFormed(&'static str),
    /// A DTD, a comment, a processing instruction, or a reference to an entity that is not predefined.
    #[error("restricted XML: {0}")]
    Restricted(&'static str),
    /// A namespace rule is broken.
    #[error("namespaces: {0}")]
    Namespace(&'static str),
    /// A bound of ours: too many attributes or bindings.
    #[error("too much: {0}")]
    Policy(&'static str),
}

impl StrictError {
    /// The stream error to answer with (RFC 6120 section 4.9.3).
    pub const fn condition(&self) -> StreamCondition {
        match self {
            Self::NotWellFormed(_) => StreamCondition::NotWellFormed,
            Self::Restricted(_) => StreamCondition::RestrictedXml,
            Self::Namespace(_) => StreamCondition::BadNamespacePrefix,
            Self::Policy(_) => StreamCondition::PolicyViolation,
        }
    }
}

/// Most attributes of one element, declarations included.
pub const ATTRIBUTES_MAX: usize = 256;
/// Most namespace declarations in scope at once, the stream header's aside.
pub const BINDINGS_MAX: usize = 128;

/// Checks one whole first-level element of a stream.
pub fn check(element: &[u8], namespaces: &StreamNamespaces) -> Result<(), StrictError> {
    let mut checker = Checker { stream: namespaces, bindings: Vec::new(), depth: 0 };
    let mut reader = Reader::from_str(utf8(element)?);
    let mut roots = 0;
    loop {
        let event = reader.read_event().map_err(|error| syntax(&error))?;
        roots += usize::from(checker.depth == 0 && matches!(event, Event::Start(_) | Event::Empty(_)));
        match event {
            Event::Start(tag) => checker.open(&tag)?,
            Event::Empty(tag) => {
                checker.open(&tag)?;
                checker.close();
            }
            Event::End(tag) if is_qname(tag.trim_ascii_end()) => checker.close(),
            Event::End(_) => return Err(StrictError::NotWellFormed("an end tag that is none")),
            Event::Eof if checker.depth == 0 && roots == 1 => return Ok(()),
            Event::Eof => return Err(StrictError::NotWellFormed("not exactly one whole element")),
            other => check_content(&other, checker.depth)?,
        }
    }
}

/// Checks a stream header: an optional XML declaration and a start tag. What the declaration says is not looked at.
pub fn check_header(header: &[u8]) -> Result<(), StrictError> {
    let text = utf8(header)?;
    let tag = match text.strip_prefix("<?xml") {
        Some(declaration) => {
            let (inside, tag) = declaration
                .split_once("?>")
                .ok_or(StrictError::NotWellFormed("an XML declaration without an end"))?;
            attributes(inside)?;
            tag.trim_matches(SPACE)
        }
        None => text,
    };
    let inside = tag.strip_prefix('<').and_then(|tag| tag.strip_suffix('>'));
    let inside = inside.ok_or(StrictError::NotWellFormed("a stream header that is no tag"))?;
    let nothing = StreamNamespaces::new(std::iter::empty());
    let mut checker = Checker { stream: &nothing, bindings: Vec::new(), depth: 0 };
    checker.open(inside.strip_suffix('/').unwrap_or(inside))
}

fn check_content(event: &Event<'_>, depth: usize) -> Result<(), StrictError> {
    match event {
        _ if depth == 0 => Err(StrictError::NotWellFormed("something beside the element")),
        Event::Text(text) if text.contains("]]>") => Err(StrictError::NotWellFormed("`]]>` in text")),
        Event::Text(text) => check_characters(text),
        Event::CData(text) => check_characters(text),
        Event::GeneralRef(name) => check_reference(name),
        Event::Comment(_) => Err(StrictError::Restricted("a comment")),
        Event::PI(_) | Event::Decl(_) => Err(StrictError::Restricted("a processing instruction")),
        Event::DocType(_) => Err(StrictError::Restricted("a document type declaration")),
        _ => Err(StrictError::NotWellFormed("markup out of place")),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, StrictError> {
    std::str::from_utf8(bytes).map_err(|_| StrictError::NotWellFormed("bytes that are not UTF-8"))
}

fn syntax(error: &quick_xml::Error) -> StrictError {
    StrictError::NotWellFormed(match error {
        quick_xml::Error::IllFormed(_) => "an end tag or a reference that does not fit",
        quick_xml::Error::Syntax(_) => "markup without an end",
        _ => "markup that cannot be read",
    })
}

/// The bindings in scope.
struct Checker<'a> {
    stream: &'a StreamNamespaces,
    bindings: Vec<Binding>,
    depth: usize,
}

struct Binding {
    depth: usize,
    prefix: String,
    name: String,
}

impl Checker<'_> {
    /// A start tag's inside.
    fn open(&mut self, tag: &str) -> Result<(), StrictError> {
        self.depth += 1;
        let (name, rest) = tag.split_at(tag.find(SPACE).unwrap_or(tag.len()));
        if !is_qname(name) {
            return Err(StrictError::NotWellFormed("an element name that is none"));
        }
        let attributes = attributes(rest)?;
        for (name, value) in &attributes {
            self.declare(name, value)?;
        }
        self.check_element(name)?;
        self.check_expanded(&attributes)
    }

    fn close(&mut self) {
        self.depth -= 1;
        while self.bindings.pop_if(|binding| binding.depth > self.depth).is_some() {}
    }

    /// Takes a namespace declaration into scope (Namespaces in XML sections 2.2 and 3).
    fn declare(&mut self, attribute: &str, value: &str) -> Result<(), StrictError> {
        let prefix = match attribute.strip_prefix("xmlns") {
            Some("") => "",
            Some(bound) if bound.starts_with(':') => &bound[1..],
            _ => return Ok(()),
        };
        let name = scan::value(value.as_bytes());
        match (prefix, &*name) {
            ("xmlns", _) => return Err(StrictError::Namespace("the prefix xmlns is bound")),
            ("xml", namespaces::XML) => return Ok(()),
            ("xml", _) | (_, namespaces::XML | namespaces::XMLNS) => {
                return Err(StrictError::Namespace("xml or xmlns is bound anew"));
            }
            (prefix, "") if !prefix.is_empty() => {
                return Err(StrictError::Namespace("a prefix is bound to nothing"));
            }
            _ if self.bindings.len() == BINDINGS_MAX => {
                return Err(StrictError::Policy("namespace declarations in scope"));
            }
            _ => {}
        }
        self.bindings.push(Binding { depth: self.depth, prefix: prefix.to_owned(), name: name.into_owned() });
        Ok(())
    }

    fn resolve(&self, prefix: &str) -> Option<&str> {
        match self.bindings.iter().rev().find(|binding| binding.prefix == prefix) {
            Some(binding) => Some(&binding.name),
            None => self.stream.resolve(prefix),
        }
    }

    fn check_element(&self, name: &str) -> Result<(), StrictError> {
        match name.split_once(':') {
            Some(("xmlns", _)) => Err(StrictError::Namespace("an element with the prefix xmlns")),
            Some((prefix, _)) if self.resolve(prefix).is_none() => {
                Err(StrictError::Namespace("an element's prefix is not bound"))
            }
            _ => Ok(()),
        }
    }

    /// Attribute prefixes are bound, and no two attributes are the same one by namespace.
    fn check_expanded(&self, attributes: &[(&str, &str)]) -> Result<(), StrictError> {
        let mut expanded = Vec::new();
        for (name, _) in attributes {
            match name.split_once(':') {
                None | Some(("xmlns", _)) => {}
                Some((prefix, local)) => match self.resolve(prefix) {
                    Some(namespace) => expanded.push((namespace, local)),
                    None => return Err(StrictError::Namespace("an attribute's prefix is not bound")),
                },
            }
        }
        if is_unique(&mut expanded) {
            Ok(())
        } else {
            Err(StrictError::NotWellFormed("the same attribute twice"))
        }
    }
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// The attributes of a tag, as (name, raw value), each checked by itself, none there twice.
fn attributes(mut rest: &str) -> Result<Vec<(&str, &str)>, StrictError> {
    const BROKEN: StrictError = StrictError::NotWellFormed("an attribute that is none");
    let mut found = Vec::new();
    loop {
        let next = rest.trim_start_matches(SPACE);
        if next.is_empty() {
            break;
        }
        if next.len() == rest.len() {
            return Err(BROKEN);
        }
        if found.len() == ATTRIBUTES_MAX {
            return Err(StrictError::Policy("attributes"));
        }
        let (name, behind) = next.split_once('=').ok_or(BROKEN)?;
        let name = name.trim_end_matches(SPACE);
        let behind = behind.trim_start_matches(SPACE);
        let quote = behind.chars().next().filter(|quote| matches!(quote, '\'' | '"')).ok_or(BROKEN)?;
        let (value, after) = behind[1..].split_once(quote).ok_or(BROKEN)?;
        if !is_qname(name) {
            return Err(BROKEN);
        }
        check_value(value)?;
        found.push((name, value));
        rest = after;
    }
    let mut names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    if is_unique(&mut names) {
        Ok(found)
    } else {
        Err(StrictError::NotWellFormed("the same attribute twice"))
    }
}

fn is_unique<T: Ord>(items: &mut [T]) -> bool {
    items.sort_unstable();
    items.is_sorted_by(|one, next| one < next)
}

/// An attribute's raw value: no `<`, known references, allowed characters.
fn check_value(value: &str) -> Result<(), StrictError> {
    if value.contains('<') {
        return Err(StrictError::NotWellFormed("`<` in an attribute"));
    }
    check_characters(value)?;
    for behind in value.split('&').skip(1) {
        let (name, _) = behind.split_once(';').ok_or(StrictError::NotWellFormed("`&` alone"))?;
        check_reference(name)?;
    }
    Ok(())
}

fn check_reference(name: &str) -> Result<(), StrictError> {
    match scan::reference(name) {
        Some(_) => Ok(()),
        None if is_ncname(name) => Err(StrictError::Restricted("a reference to an entity")),
        None => Err(StrictError::NotWellFormed("a reference to no character")),
    }
}

fn check_characters(text: &str) -> Result<(), StrictError> {
    if text.chars().all(scan::is_character) {
        Ok(())
    } else {
        Err(StrictError::NotWellFormed("a character that XML cannot hold"))
    }
}

/// Namespaces in XML `QName`.
fn is_qname(name: &str) -> bool {
    match name.split_once(':') {
        Some((prefix, local)) => is_ncname(prefix) && is_ncname(local),
        None => is_ncname(name),
    }
}

/// Namespaces in XML `NCName`.
fn is_ncname(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(is_name_start) && characters.all(is_name)
}

/// XML 1.0 `NameStartChar`, the colon aside.
const fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

/// XML 1.0 `NameChar`, the colon aside.
const fn is_name(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

#[cfg(test)]
mod tests;
