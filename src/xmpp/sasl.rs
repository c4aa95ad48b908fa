//! SASL (RFC 4422) as XMPP uses it (RFC 6120 section 6): the choice of a mechanism, and both halves of each.
//!
//! PBKDF2 is never done here: [`scram`] asks for it as a [`crate::machine::Derivation`] and goes on with the key.

pub mod scram;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

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

/// What a mechanism may be chosen by.
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
    /// The strongest mechanism that is both allowed and offered, whatever the order of either. With credentials it is
    /// never ANONYMOUS, without them nothing else.
    pub fn strongest(&self, offered: &[Mechanism]) -> Option<Mechanism> {
        offered.iter().copied().filter(|&mechanism| self.admits(mechanism)).max()
    }

    fn admits(&self, mechanism: Mechanism) -> bool {
        let fits = match mechanism {
            Mechanism::Anonymous => !self.credentials,
            Mechanism::Plain => self.credentials && (self.secured || self.plain_without_tls),
            Mechanism::ScramSha1 | Mechanism::ScramSha256 => self.credentials,
        };
        fits && self.allowed.contains(&mechanism)
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

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plain({:?} as {:?})", self.username, self.authzid)
    }
}

impl Plain {
    /// Whether the password is this one, in a time that does not tell where they differ.
    pub fn is_password(&self, password: &str) -> bool {
        self.password.as_bytes().ct_eq(password.as_bytes()).into()
    }
}

/// Reads a PLAIN message (server half).
pub fn read_plain(message: &[u8]) -> Option<Plain> {
    let text = std::str::from_utf8(message).ok()?;
    let mut parts = text.split('\0');
    let (authzid, username, password) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || username.is_empty() || password.is_empty() {
        return None;
    }
    Some(Plain { authzid: authzid.into(), username: username.into(), password: password.into() })
}

/// SASL data as the text of an element: base64, `=` for data that is there and empty (RFC 6120 section 6.4.2).
pub fn encode(data: &[u8]) -> String {
    if data.is_empty() { "=".to_owned() } else { STANDARD.encode(data) }
}

/// Reads the text of an element; empty text and `=` are no data. White space, wrong padding and characters beyond the
/// alphabet are refused (RFC 6120 section 13.9.1).
pub fn decode(text: &str) -> Option<Vec<u8>> {
    match text {
        "" | "=" => Some(Vec::new()),
        text => STANDARD.decode(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases 29 to 33.
    #[test]
    fn the_strongest_mechanism_is_chosen_whatever_the_order() {
        use Mechanism::{Anonymous, Plain, ScramSha1, ScramSha256};
        let open =
            Choice { allowed: &Mechanism::ALL, credentials: true, secured: true, plain_without_tls: false };
        let clear = Choice { secured: false, ..open };
        for (choice, offered, chosen) in [
            (open, &[Plain, Anonymous][..], Some(Plain)),
            (open, &[Anonymous], None),
            (open, &[], None),
            (open, &[Plain, ScramSha1, ScramSha256, Anonymous], Some(ScramSha256)),
            (open, &[ScramSha256, Plain, ScramSha1], Some(ScramSha256)),
            (clear, &[Plain], None),
            (clear, &[Plain, ScramSha1], Some(ScramSha1)),
            (Choice { plain_without_tls: true, ..clear }, &[Plain], Some(Plain)),
            (
                Choice { allowed: &[Plain, ScramSha1], ..open },
                &[ScramSha256, ScramSha1, Plain],
                Some(ScramSha1),
            ),
            (Choice { credentials: false, ..open }, &[Plain, ScramSha1, Anonymous], Some(Anonymous)),
        ] {
            assert_eq!(choice.strongest(offered), chosen, "{choice:?} of {offered:?}");
        }
    }

    #[test]
    fn plain_is_read_as_written_and_its_password_not_shown() {
        let read = read_plain(&plain("", "user", "pässword")).unwrap();
        assert_eq!((&*read.authzid, &*read.username), ("", "user"));
        assert!(read.is_password("pässword") && !read.is_password("password"));
        assert!(!format!("{read:?}").contains("pässword"));
        for wrong in [&b""[..], b"user", b"\0user", b"\0\0password", b"\0user\0", b"\0a\0b\0c", b"\0\xff\0b"]
        {
            assert_eq!(read_plain(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    /// Cases 42, 43.
    #[test]
    fn base64_is_strict() {
        assert_eq!(encode(b""), "=");
        for (text, data) in
            [("", Some(&b""[..])), ("=", Some(b"")), ("dg==", Some(b"v")), ("dmU=", Some(b"ve"))]
        {
            assert_eq!(decode(text).as_deref(), data, "{text}");
        }
        for text in ["dg", "dg=", "d g==", "dg==\n", " dg==", "dh==", "dg===", "d===", "d-_="] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
