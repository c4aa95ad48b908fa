//! SASL (RFC 4422) as XMPP uses it (RFC 6120 section 6): the choice of a mechanism, and both halves of each.
//!
//! PBKDF2 is never done here: [`scram`] asks for it as a [`crate::machine::Derivation`] and goes on with the key.

pub mod scram;

/// A mechanism, in order of strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// RFC 4505: no credentials.
    Anonymous,
    /// RFC 4616: the password itself.
    Plain,
    /// RFC 5802.
    ScramSha1,
    /// RFC 7677.
    ScramSha256,
}

impl Mechanism {
    /// Every mechanism, weakest first.
    pub const ALL: [Self; 4] = [Self::Anonymous, Self::Plain, Self::ScramSha1, Self::ScramSha256];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "ANONYMOUS",
            Self::Plain => "PLAIN",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
        }
    }

    /// From the registered name, exactly as registered.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.as_str() == name)
    }
}

/// What a mechanism may be chosen from.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// What the profile allows.
    pub allowed: &'a [Mechanism],
    /// Whether there is a username and a password.
    pub credentials: bool,
    /// Whether the stream is encrypted.
    pub secured: bool,
    /// Whether PLAIN may be used in the clear.
    pub plain_without_tls: bool,
}

impl Choice<'_> {
    /// The strongest mechanism that is both allowed and offered, whatever the order of either.
    pub fn strongest(&self, offered: &[Mechanism]) -> Option<Mechanism> {
        let _ = offered;
        None
    }
}

/// The PLAIN message (RFC 4616): authzid (may be empty), username, password.
pub fn plain(authzid: &str, username: &str, password: &str) -> Vec<u8> {
    [authzid, "\0", username, "\0", password].concat().into_bytes()
}

/// A PLAIN message taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Plain {
    /// Whom to act as; empty for oneself.
    pub authzid: String,
    /// Who.
    pub username: String,
    /// The password. Never shown.
    pub password: String,
}

/// Reads a PLAIN message (server half).
pub fn read_plain(message: &[u8]) -> Option<Plain> {
    let _ = message;
    None
}

/// SASL data as the text of an element: base64, `=` for data that is there and empty (RFC 6120 section 6.4.2).
pub fn encode(data: &[u8]) -> String {
    let _ = data;
    String::new()
}

/// Reads the text of an element; empty text and `=` are no data. White space and wrong padding are refused (RFC 6120
/// section 13.9.1).
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let _ = text;
    None
}
