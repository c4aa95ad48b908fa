//! Addresses: `local@domain/resource` (RFC 7622).
//!
//! What is checked is the shape: parts that are there are not empty and not beyond 1023 bytes, and hold no character
//! the RFC forbids by name. PRECIS (case mapping, width mapping, normalisation, bidirectional rules) and IDNA are not
//! done: an address is kept as it was written, and accounts are compared with ASCII case folded. Two spellings that
//! only PRECIS makes equal count as two accounts here; profiles that need them are rare and can be written in the
//! normal form.

use std::fmt;
use std::str::FromStr;

/// An address, valid in its shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jid {
    text: Box<str>,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    /// A part is missing though its separator is there.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A part is beyond 1023 bytes.
    #[error("the {0} is longer than 1023 bytes")]
    TooLong(&'static str),
    /// A character that the part may not hold.
    #[error("the {0} holds {1:?}, which it may not")]
    Forbidden(&'static str, char),
}

impl Jid {
    /// The longest a part may be, in bytes (RFC 7622 section 3.1).
    pub const PART_MAX: usize = 1023;

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before `@`.
    pub fn local(&self) -> Option<&str> {
        split(&self.text).0
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        split(&self.text).1
    }

    /// The part after the first `/`.
    pub fn resource(&self) -> Option<&str> {
        split(&self.text).2
    }

    /// The address without its resource.
    pub fn bare(&self) -> &str {
        bare(&self.text)
    }
}

/// An address without its resource.
pub fn bare(jid: &str) -> &str {
    jid.split_once('/').map_or(jid, |(bare, _)| bare)
}

/// Whether two addresses are of the same account: bare parts equal but for ASCII case.
pub fn same_account(one: &str, other: &str) -> bool {
    bare(one).eq_ignore_ascii_case(bare(other))
}

/// The resource begins behind the first `/`, the domain behind the first `@` before it (RFC 7622 section 3.1).
fn split(jid: &str) -> (Option<&str>, &str, Option<&str>) {
    let (bare, resource) = jid.split_once('/').map_or((jid, None), |(bare, rest)| (bare, Some(rest)));
    match bare.split_once('@') {
        Some((local, domain)) => (Some(local), domain, resource),
        None => (None, bare, resource),
    }
}

impl FromStr for Jid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        let (local, domain, resource) = split(text);
        if let Some(local) = local {
            check("localpart", local, |c| {
                matches!(c, '"' | '&' | '\'' | '/' | ':' | '<' | '>' | '@') || blank(c)
            })?;
        }
        check("domainpart", domain, |c| matches!(c, '@' | '"' | '&' | '\'' | '<' | '>' | '\\') || blank(c))?;
        if let Some(resource) = resource {
            check("resourcepart", resource, char::is_control)?;
        }
        Ok(Self { text: text.into() })
    }
}

fn blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

fn check(part: &'static str, text: &str, forbidden: impl Fn(char) -> bool) -> Result<(), JidError> {
    if text.is_empty() {
        return Err(JidError::Empty(part));
    }
    if text.len() > Jid::PART_MAX {
        return Err(JidError::TooLong(part));
    }
    match text.chars().find(|&c| forbidden(c) || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        Some(c) => Err(JidError::Forbidden(part, c)),
        None => Ok(()),
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_apart_at_the_first_slash_then_the_first_at() {
        for (text, local, domain, resource) in [
            ("juliet@example.com/balcony", Some("juliet"), "example.com", Some("balcony")),
            ("example.com", None, "example.com", None),
            ("example.com/a@b/c", None, "example.com", Some("a@b/c")),
            ("a@b/c@d/e f", Some("a"), "b", Some("c@d/e f")),
            ("\u{3c0}@[::1]", Some("\u{3c0}"), "[::1]", None),
        ] {
            let jid: Jid = text.parse().expect(text);
            assert_eq!((jid.local(), jid.domain(), jid.resource()), (local, domain, resource), "{text}");
            assert_eq!(jid.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_says_which_part() {
        let long = "x".repeat(1024);
        for (text, error) in [
            (String::new(), JidError::Empty("domainpart")),
            ("@d".to_owned(), JidError::Empty("localpart")),
            ("a@".to_owned(), JidError::Empty("domainpart")),
            ("d/".to_owned(), JidError::Empty("resourcepart")),
            ("/r".to_owned(), JidError::Empty("domainpart")),
            ("a@@b".to_owned(), JidError::Forbidden("domainpart", '@')),
            ("a b@c".to_owned(), JidError::Forbidden("localpart", ' ')),
            ("a:b@c".to_owned(), JidError::Forbidden("localpart", ':')),
            ("a@b c".to_owned(), JidError::Forbidden("domainpart", ' ')),
            ("a@b/\0".to_owned(), JidError::Forbidden("resourcepart", '\0')),
            (format!("{long}@b"), JidError::TooLong("localpart")),
            (long.clone(), JidError::TooLong("domainpart")),
            (format!("a@b/{long}"), JidError::TooLong("resourcepart")),
        ] {
            assert_eq!(text.parse::<Jid>(), Err(error), "{text}");
        }
        assert!(format!("{}@b", "x".repeat(1023)).parse::<Jid>().is_ok());
    }

    #[test]
    fn accounts_are_compared_without_resource_and_case() {
        assert!(same_account("A@b.C/x", "a@B.c"));
        assert!(!same_account("a@b", "a@b.c"));
    }
}
