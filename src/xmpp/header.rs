//! Stream headers and stream errors (RFC 6120 sections 4.7 to 4.9), read and written.

use super::scan::{self, Attributes};
use super::strict::{self, StrictError};
use super::{ContentNamespace, Element, StreamCondition, StreamNamespaces, namespaces, write};

/// A stream header as the peer sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Who says to have sent it.
    pub from: Option<String>,
    /// Whom it is meant for.
    pub to: Option<String>,
    /// The stream's id, given by the server.
    pub id: Option<String>,
    /// Major and minor version; none where the attribute is missing, which means 0.9.
    pub version: Option<(u16, u16)>,
    /// `xml:lang`.
    pub lang: Option<String>,
    /// What stanzas are in.
    pub content: ContentNamespace,
    /// The prefixes it binds.
    pub namespaces: StreamNamespaces,
}

/// Why a header is none of an XMPP stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Broken XML.
    #[error(transparent)]
    Xml(#[from] StrictError),
    /// An encoding other than UTF-8 is declared.
    #[error("the stream declares an encoding other than UTF-8")]
    Encoding,
    /// An XML version other than 1.0, or a declaration that cannot be read.
    #[error("an XML declaration that cannot be read")]
    Declaration,
    /// The root is not a stream, or its content is in a namespace that is not known.
    #[error("the root element is not an XMPP stream")]
    Namespace,
    /// The version attribute is not a version.
    #[error("a version that is none")]
    Version,
}

impl HeaderError {
    /// The stream error to answer with (RFC 6120 section 4.9.3).
    pub const fn condition(&self) -> StreamCondition {
        match self {
            Self::Xml(error) => error.condition(),
            Self::Encoding => StreamCondition::UnsupportedEncoding,
            Self::Declaration => StreamCondition::NotWellFormed,
            Self::Namespace => StreamCondition::InvalidNamespace,
            Self::Version => StreamCondition::UnsupportedVersion,
        }
    }
}

impl Header {
    /// Reads the bytes of a framed header, strictly.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        strict::check_header(bytes)?;
        let text = scan::text(bytes).trim_ascii_start();
        let tag = match text.strip_prefix("<?xml") {
            Some(declaration) => {
                let (inside, tag) = declaration.split_once("?>").ok_or(HeaderError::Declaration)?;
                check_declaration(inside)?;
                tag.trim_ascii_start()
            }
            None => text,
        };
        let inside = tag.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/');
        Self::from_tag(inside)
    }

    fn from_tag(tag: &str) -> Result<Self, HeaderError> {
        let (name, attributes) = scan::split_tag(tag.as_bytes());
        let (prefix, local) = scan::split_name(name);
        let namespaces = bindings(attributes);
        if local != b"stream" || namespaces.resolve(scan::text(prefix)) != Some(namespaces::STREAMS) {
            return Err(HeaderError::Namespace);
        }
        let attribute = |name: &str| {
            let mut all = Attributes(attributes);
            all.find(|(found, _)| *found == name.as_bytes()).map(|(_, raw)| scan::value(raw).into_owned())
        };
        Ok(Self {
            from: attribute("from"),
            to: attribute("to"),
            id: attribute("id"),
            version: attribute("version")
                .map(|text| version(&text).ok_or(HeaderError::Version))
                .transpose()?,
            lang: attribute("xml:lang"),
            content: content(&namespaces, prefix)?,
            namespaces,
        })
    }
}

/// The header's own bindings, which hold for the whole stream.
fn bindings(attributes: &[u8]) -> StreamNamespaces {
    let found: Vec<_> = Attributes(attributes)
        .filter_map(|(name, raw)| {
            let prefix = match name.strip_prefix(b"xmlns")? {
                b"" => "",
                bound => scan::text(bound.strip_prefix(b":")?),
            };
            Some((prefix, scan::value(raw)))
        })
        .collect();
    StreamNamespaces::new(found.iter().map(|(prefix, name)| (*prefix, &**name)))
}

/// The content namespace. A stream that is itself in the default namespace (`<stream xmlns='…streams'>`, RFC 6120
/// section 4.8.3) leaves stanzas to declare their own; it counts as a client's.
fn content(namespaces: &StreamNamespaces, prefix: &[u8]) -> Result<ContentNamespace, HeaderError> {
    match namespaces.resolve("") {
        Some(namespaces::STREAMS) if prefix.is_empty() => Ok(ContentNamespace::Client),
        Some(name) => ContentNamespace::from_name(name).ok_or(HeaderError::Namespace),
        None => Err(HeaderError::Namespace),
    }
}

/// `version`, `encoding` and `standalone`, in this order (XML 1.0 section 2.8).
fn check_declaration(inside: &str) -> Result<(), HeaderError> {
    let mut attributes = Attributes(inside.as_bytes()).peekable();
    match attributes.next() {
        Some((b"version", b"1.0")) => {}
        _ => return Err(HeaderError::Declaration),
    }
    if let Some((_, name)) = attributes.next_if(|(name, _)| *name == b"encoding")
        && !name.eq_ignore_ascii_case(b"utf-8")
    {
        return Err(HeaderError::Encoding);
    }
    attributes.next_if(|(name, value)| *name == b"standalone" && matches!(*value, b"yes" | b"no"));
    if attributes.next().is_some() { Err(HeaderError::Declaration) } else { Ok(()) }
}

fn version(text: &str) -> Option<(u16, u16)> {
    let (major, minor) = text.split_once('.')?;
    let number =
        |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    Some((number(major)?, number(minor)?))
}

/// Writes a client's stream header with the XML declaration. `from` is sent only over a secured stream (RFC 6120
/// section 4.7.1).
pub fn write_client(out: &mut Vec<u8>, to: &str, from: Option<&str>) {
    begin(out);
    write::attribute(out, "to", to);
    if let Some(from) = from {
        write::attribute(out, "from", from);
    }
    out.push(b'>');
}

/// Writes a server's stream header with the XML declaration.
pub fn write_server(out: &mut Vec<u8>, from: &str, to: Option<&str>, id: &str) {
    begin(out);
    write::attribute(out, "id", id);
    write::attribute(out, "from", from);
    if let Some(to) = to {
        write::attribute(out, "to", to);
    }
    out.push(b'>');
}

fn begin(out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
          xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en'",
    );
}

/// Writes the stream's end.
pub fn write_close(out: &mut Vec<u8>) {
    out.extend_from_slice(b"</stream:stream>");
}

/// Writes a stream error, without the end that must follow.
pub fn write_error(out: &mut Vec<u8>, condition: StreamCondition, text: Option<&str>) {
    out.extend_from_slice(b"<stream:error><");
    out.extend_from_slice(condition.as_str().as_bytes());
    out.extend_from_slice(b" xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>");
    if let Some(text) = text {
        out.extend_from_slice(b"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>");
        write::escape(out, text);
        out.extend_from_slice(b"</text>");
    }
    out.extend_from_slice(b"</stream:error>");
}

/// A stream error as the peer sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// The condition; [`StreamCondition::UndefinedCondition`] for a name that is not known.
    pub condition: StreamCondition,
    /// The peer's text, or its unknown condition's name.
    pub text: Option<String>,
    /// Where `see-other-host` points.
    pub host: Option<String>,
}

impl StreamError {
    /// Reads a `<stream:error/>`.
    pub fn parse(element: &Element<'_>) -> Self {
        let mut error = Self { condition: StreamCondition::UndefinedCondition, text: None, host: None };
        for child in element.children().filter(|child| child.namespace() == namespaces::STREAM_ERRORS) {
            match (child.local(), StreamCondition::from_name(child.local())) {
                ("text", _) => error.text = Some(child.text().into_owned()),
                (_, Some(condition)) => error.condition = condition,
                (unknown, None) => {
                    error.text.get_or_insert_with(|| unknown.to_owned());
                }
            }
            if error.condition == StreamCondition::SeeOtherHost && child.local() == "see-other-host" {
                error.host = Some(child.text().trim().to_owned());
            }
        }
        error
    }
}

#[cfg(test)]
mod tests;
