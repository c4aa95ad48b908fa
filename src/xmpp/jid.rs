//! Addresses: `local@domain/resource` (RFC 7622).

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
        Ok(Self { text: text.into() })
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
