//! Cheap views of elements: names, attributes, children and text, found when asked for.
//!
//! A view borrows the bytes of the element and allocates nothing, unless a value it is asked for holds a reference
//! (`&amp;`), which has to be replaced. Namespaces are resolved through the element's own declarations, its parents'
//! and the stream header's.

use std::borrow::Cow;

use super::scan::{self, Attributes, Token, Tokens};
use super::{StreamNamespaces, namespaces};

/// What a first-level element is, by namespace and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ElementKind {
    /// `<message/>` in the stream's content namespace.
    Message,
    /// `<presence/>` in the stream's content namespace.
    Presence,
    /// `<iq/>` in the stream's content namespace.
    Iq,
    /// `<stream:features/>`.
    Features,
    /// `<stream:error/>`.
    StreamError,
    /// `<starttls/>`: a client asks for TLS.
    StartTls,
    /// `<proceed/>`: TLS may begin.
    Proceed,
    /// `<failure/>` of STARTTLS.
    TlsFailure,
    /// `<auth/>`: a client begins SASL.
    Auth,
    /// SASL `<challenge/>`.
    Challenge,
    /// SASL `<response/>`.
    Response,
    /// SASL `<abort/>`.
    Abort,
    /// SASL `<success/>`.
    Success,
    /// SASL `<failure/>`.
    SaslFailure,
    /// Anything else.
    Other,
}

/// A view of one whole element.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    bytes: &'a [u8],
    name: &'a [u8],
    attributes: &'a [u8],
    content: &'a [u8],
    parent: Option<&'a Self>,
    stream: &'a StreamNamespaces,
}

/// A start tag that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a start tag that cannot be read")]
pub struct BadTag;

impl<'a> Element<'a> {
    /// Reads the start tag of one whole element, as framed.
    pub fn parse(bytes: &'a [u8], stream: &'a StreamNamespaces) -> Result<Self, BadTag> {
        Self::cut(bytes, None, stream).ok_or(BadTag)
    }

    fn cut(bytes: &'a [u8], parent: Option<&'a Self>, stream: &'a StreamNamespaces) -> Option<Self> {
        let end = scan::tag_end(bytes)?;
        let tag = bytes.get(1..end)?;
        let (tag, content) = match tag.strip_suffix(b"/") {
            Some(tag) => (tag, &b""[..]),
            None => (tag, bytes.get(end + 1..memchr::memrchr(b'<', bytes)?)?),
        };
        let (name, attributes) = scan::split_tag(tag);
        Some(Self { bytes, name, attributes, content, parent, stream })
    }

    /// All its bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What it is as a first-level element.
    pub fn kind(&self) -> ElementKind {
        use ElementKind as Kind;
        let (kind, namespace) = match scan::split_name(self.name).1 {
            b"message" => (Kind::Message, self.stream.content().as_str()),
            b"presence" => (Kind::Presence, self.stream.content().as_str()),
            b"iq" => (Kind::Iq, self.stream.content().as_str()),
            b"features" => (Kind::Features, namespaces::STREAMS),
            b"error" => (Kind::StreamError, namespaces::STREAMS),
            b"starttls" => (Kind::StartTls, namespaces::TLS),
            b"proceed" => (Kind::Proceed, namespaces::TLS),
            b"failure" if self.is("failure", namespaces::TLS) => (Kind::TlsFailure, namespaces::TLS),
            b"auth" => (Kind::Auth, namespaces::SASL),
            b"challenge" => (Kind::Challenge, namespaces::SASL),
            b"response" => (Kind::Response, namespaces::SASL),
            b"abort" => (Kind::Abort, namespaces::SASL),
            b"success" => (Kind::Success, namespaces::SASL),
            b"failure" => (Kind::SaslFailure, namespaces::SASL),
            _ => return Kind::Other,
        };
        if self.namespace() == namespace { kind } else { Kind::Other }
    }

    /// The name without its prefix.
    pub fn local(&self) -> &'a str {
        scan::text(scan::split_name(self.name).1)
    }

    /// The namespace it is in; empty if in none.
    pub fn namespace(&self) -> Cow<'a, str> {
        self.resolve(scan::split_name(self.name).0).unwrap_or_default()
    }

    /// Whether it has this name and namespace.
    pub fn is(&self, local: &str, namespace: &str) -> bool {
        scan::split_name(self.name).1 == local.as_bytes() && self.namespace() == namespace
    }

    /// An attribute by its whole name (`id`, `xml:lang`), references replaced.
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name.as_bytes()).map(scan::value)
    }

    /// The attribute `id`.
    pub fn id(&self) -> Option<Cow<'a, str>> {
        self.attribute("id")
    }

    /// The attribute `type` (RFC 6120 section 8.1.4).
    pub fn stanza_type(&self) -> Option<Cow<'a, str>> {
        self.attribute("type")
    }

    /// The attribute `from`.
    pub fn from(&self) -> Option<Cow<'a, str>> {
        self.attribute("from")
    }

    /// The attribute `to`.
    pub fn to(&self) -> Option<Cow<'a, str>> {
        self.attribute("to")
    }

    /// Its children, in order.
    pub fn children(&self) -> Children<'_> {
        Children { parent: self, tokens: Tokens::new(self.content) }
    }

    /// The first child with this name and namespace.
    pub fn child(&self, local: &str, namespace: &str) -> Option<Element<'_>> {
        self.children().find(|child| child.is(local, namespace))
    }

    /// Its own text (not its children's), references replaced and CDATA opened. Line ends stay as they were sent.
    pub fn text(&self) -> Cow<'a, str> {
        if memchr::memchr(b'<', self.content).is_none() {
            return scan::unescape(self.content);
        }
        let (mut text, mut tokens) = (String::new(), Tokens::new(self.content));
        while let Some(token) = tokens.next() {
            match token {
                Token::Text(raw) => scan::unescape_into(raw, &mut text),
                Token::CData(inside) => text.push_str(scan::text(inside)),
                Token::Start(_, false) => tokens.skip_element(),
                Token::Start(_, true) | Token::End => {}
            }
        }
        Cow::Owned(text)
    }

    /// The text of the first child with this name in the element's own namespace.
    pub fn child_text(&self, local: &str) -> Option<Cow<'_, str>> {
        self.child(local, &self.namespace()).map(|child| child.text())
    }

    /// The body's first bytes, up to its first reference or tag: where a token stands. Never allocates.
    pub fn body_prefix(&self) -> Option<&[u8]> {
        self.child_prefix("body")
    }

    /// The first bytes of the first child with this name in the element's own namespace, as of a body.
    pub fn child_prefix(&self, local: &str) -> Option<&[u8]> {
        let child = self.child(local, &self.namespace())?;
        Some(match Tokens::new(child.content).next() {
            Some(Token::Text(raw)) => &raw[..memchr::memchr(b'&', raw).unwrap_or(raw.len())],
            Some(Token::CData(inside)) => inside,
            _ => b"",
        })
    }

    /// Whether it is marked as delayed (XEP-0203).
    pub fn has_delay(&self) -> bool {
        memchr::memmem::find(self.content, b"delay").is_some()
            && self.child("delay", namespaces::DELAY).is_some()
    }

    fn raw(&self, name: &[u8]) -> Option<&'a [u8]> {
        Attributes(self.attributes).find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The namespace bound to `prefix` here: by the nearest declaration.
    fn resolve(&self, prefix: &[u8]) -> Option<Cow<'a, str>> {
        let mut element = *self;
        loop {
            if let Some(name) = element.declared(prefix) {
                return Some(scan::value(name));
            }
            match element.parent {
                Some(parent) => element = *parent,
                None => return self.stream.resolve(scan::text(prefix)).map(Cow::Borrowed),
            }
        }
    }

    fn declared(&self, prefix: &[u8]) -> Option<&'a [u8]> {
        Attributes(self.attributes)
            .find(|(name, _)| match name.strip_prefix(b"xmlns") {
                Some(b"") => prefix.is_empty(),
                Some([b':', bound @ ..]) => !prefix.is_empty() && bound == prefix,
                _ => false,
            })
            .map(|(_, value)| value)
    }
}

/// The children of an element.
#[derive(Clone, Debug)]
pub struct Children<'a> {
    parent: &'a Element<'a>,
    tokens: Tokens<'a>,
}

impl<'a> Iterator for Children<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let start = self.tokens.position();
            if let Token::Start(_, empty) = self.tokens.next()? {
                if !empty {
                    self.tokens.skip_element();
                }
                let bytes = &self.parent.content[start..self.tokens.position()];
                return Element::cut(bytes, Some(self.parent), self.parent.stream);
            }
        }
    }
}

#[cfg(test)]
mod tests;
