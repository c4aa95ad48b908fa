//! Stream headers and stream errors (RFC 6120 sections 4.7 to 4.9), read and written.

use super::strict::StrictError;
use super::{ContentNamespace, Element, StreamCondition, StreamNamespaces};

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
        let _ = bytes;
        Ok(Self::default())
    }
}

/// Writes a client's stream header with the XML declaration. `from` is sent only over a secured stream (RFC 6120
/// section 4.7.1).
pub fn write_client(out: &mut Vec<u8>, to: &str, from: Option<&str>) {
    let _ = (out, to, from);
}

/// Writes a server's stream header with the XML declaration.
pub fn write_server(out: &mut Vec<u8>, from: &str, to: Option<&str>, id: &str) {
    let _ = (out, from, to, id);
}

/// Writes the stream's end.
pub fn write_close(out: &mut Vec<u8>) {
    out.extend_from_slice(b"</stream:stream>");
}

/// Writes a stream error, without the end that must follow.
pub fn write_error(out: &mut Vec<u8>, condition: StreamCondition, text: Option<&str>) {
    let _ = (out, condition, text);
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
        let _ = element;
        Self { condition: StreamCondition::UndefinedCondition, text: None, host: None }
    }
}
