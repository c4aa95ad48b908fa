//! A page as an XML parser sees it: it is well-formed, so what the parser finds is what there is.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// What is in a page.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Elements by name.
    pub elements: BTreeMap<String, usize>,
    /// Names of attributes.
    pub attributes: BTreeSet<String>,
    /// Where links lead.
    pub links: Vec<String>,
    /// Values of `id`.
    pub ids: Vec<String>,
    /// All text, but that of the style sheet and the script.
    pub text: String,
    /// The most elements one stood within.
    pub depth: usize,
}

/// Parses a page; anything that is not well-formed is a panic.
pub fn parse(page: &str) -> Parsed {
    let mut reader = Reader::from_str(page);
    reader.config_mut().check_end_names = true;
    let mut parsed = Parsed::default();
    let mut open: Vec<String> = Vec::new();
    loop {
        match reader.read_event().expect("the page is well-formed") {
            Event::Start(tag) => {
                parsed.take(&tag);
                open.push(tag.name().as_ref().to_owned());
                parsed.depth = parsed.depth.max(open.len());
            }
            Event::Empty(tag) => parsed.take(&tag),
            Event::End(_) => {
                open.pop();
            }
            Event::Text(text) if !open.iter().any(|tag| tag == "style" || tag == "script") => {
                parsed.text.push_str(&text);
            }
            Event::GeneralRef(reference) => {
                let c = match &*reference {
                    "lt" => '<',
                    "gt" => '>',
                    "amp" => '&',
                    "quot" => '"',
                    "#39" => '\'',
                    other => panic!("a reference the page does not make: {other}"),
                };
                parsed.text.push(c);
            }
            Event::Comment(_) | Event::PI(_) | Event::CData(_) | Event::Decl(_) => {
                panic!("nothing of this kind is in a page")
            }
            Event::Text(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    parsed
}

impl Parsed {
    fn take(&mut self, tag: &BytesStart<'_>) {
        let name = tag.name().as_ref().to_owned();
        *self.elements.entry(name).or_default() += 1;
        for attribute in tag.attributes() {
            let attribute = attribute.expect("attributes are well-formed and none stands twice");
            let key = attribute.key.as_ref().to_owned();
            let value = attribute.value.into_owned();
            match key.as_str() {
                "href" => self.links.push(value),
                "id" => self.ids.push(value),
                _ => {}
            }
            self.attributes.insert(key);
        }
    }

    /// How many elements of a name there are.
    pub fn count(&self, name: &str) -> usize {
        self.elements.get(name).copied().unwrap_or(0)
    }
}
