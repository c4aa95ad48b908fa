//! Stream error conditions (RFC 6120 section 4.9.3).

use std::fmt;

macro_rules! conditions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A stream error condition (RFC 6120 section 4.9.3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum StreamCondition {
            $($(#[$doc])* $variant,)*
        }

        impl StreamCondition {
            /// Every condition, in the order of the RFC.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The element's name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

conditions! {
    /// XML that cannot be processed.
    BadFormat = "bad-format",
    /// A prefix that is not bound, or bound wrongly.
    BadNamespacePrefix = "bad-namespace-prefix",
    /// A newer stream of the same client took this one's place.
    Conflict = "conflict",
    /// The peer was silent too long.
    ConnectionTimeout = "connection-timeout",
    /// The host named in `to` is no longer served.
    HostGone = "host-gone",
    /// The host named in `to` is not served.
    HostUnknown = "host-unknown",
    /// A stanza between servers without `to` or `from`.
    ImproperAddressing = "improper-addressing",
    /// The server broke.
    InternalServerError = "internal-server-error",
    /// A `from` that is not the sender's.
    InvalidFrom = "invalid-from",
    /// A stream or content namespace that is not supported.
    InvalidNamespace = "invalid-namespace",
    /// Data that does not fit its schema.
    InvalidXml = "invalid-xml",
    /// Stanzas before authentication.
    NotAuthorized = "not-authorized",
    /// XML that is not well-formed.
    NotWellFormed = "not-well-formed",
    /// A local rule, a size limit among them.
    PolicyViolation = "policy-violation",
    /// The server could not reach another it needs.
    RemoteConnectionFailed = "remote-connection-failed",
    /// Features changed; begin anew.
    Reset = "reset",
    /// Out of resources.
    ResourceConstraint = "resource-constraint",
    /// A comment, a processing instruction, a DTD, or an entity that is not predefined.
    RestrictedXml = "restricted-xml",
    /// Go elsewhere.
    SeeOtherHost = "see-other-host",
    /// The server goes down.
    SystemShutdown = "system-shutdown",
    /// None of the others.
    UndefinedCondition = "undefined-condition",
    /// An encoding other than UTF-8.
    UnsupportedEncoding = "unsupported-encoding",
    /// A mandatory feature that is not known.
    UnsupportedFeature = "unsupported-feature",
    /// A first-level element that is not understood.
    UnsupportedStanzaType = "unsupported-stanza-type",
    /// A version of XMPP that is not supported.
    UnsupportedVersion = "unsupported-version",
}

impl StreamCondition {
    /// From the element's name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|condition| condition.as_str() == name)
    }
}

impl fmt::Display for StreamCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
