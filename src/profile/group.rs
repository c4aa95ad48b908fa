//! `[[users]]`: groups of users alike, and the accounts they log in with.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use crate::units::Rate;

/// Users alike. Groups divide the population: this one holds the user indices `first .. first + count`.
#[derive(Clone, Debug)]
pub struct Group {
    /// Unique; `users` where there is a single group and it has no name.
    pub name: String,
    /// The index of its first user over the whole population.
    pub first: u32,
    /// How many users; at least 1.
    pub count: u32,
    /// Whom they log in as.
    pub accounts: Accounts,
    /// The mechanisms allowed; the strongest one offered is used. Never empty.
    pub auth: Vec<Mechanism>,
    /// Whether PLAIN may be used on an unencrypted connection.
    pub plain_without_tls: bool,
    /// How many contacts each user has; with [`Graph::Zipf`] the mean. The exact number is the topology's to say.
    pub contacts: u32,
    /// How contacts are spread.
    pub graph: Graph,
    /// No more logins than this, if anything; all phases keep below it.
    pub login_rate: Option<Rate>,
}

impl Group {
    /// The account of the group's `n`-th user, counted from 0; none for anonymous users.
    pub fn account(&self, n: u32) -> Option<Account<'_>> {
        match &self.accounts {
            Accounts::Anonymous => None,
            Accounts::Pattern { local, password } => Some(Account {
                local: Cow::Owned(local.expand(n)),
                password: Cow::Owned(Secret::new(password.expand(n))),
            }),
            Accounts::File { rows, .. } => rows.get(n as usize).map(|row| Account {
                local: Cow::Borrowed(row.local.as_ref()),
                password: Cow::Borrowed(&row.password),
            }),
        }
    }

    /// Whether `user` (an index over the whole population) is one of this group.
    pub const fn contains(&self, user: u32) -> bool {
        user >= self.first && user - self.first < self.count
    }
}

/// Whom the users of a group log in as. Every account is at [`crate::profile::Target::domain`], and no two users of a
/// profile share one.
#[derive(Clone, Debug)]
pub enum Accounts {
    /// Names and passwords made by counting.
    Pattern {
        /// The part of the JID before the `@`.
        local: Pattern,
        /// The password.
        password: Pattern,
    },
    /// Names and passwords out of a file, one row per user.
    File {
        /// Where they were read from.
        path: PathBuf,
        /// At least as many rows as users; only those needed are kept.
        rows: Vec<Row>,
    },
    /// No accounts: SASL ANONYMOUS (RFC 4505).
    Anonymous,
}

/// One row of an accounts file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The part of the JID before the `@`.
    pub local: Box<str>,
    /// The password.
    pub password: Secret,
}

/// What a user logs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account<'a> {
    /// The part of the JID before the `@`.
    pub local: Cow<'a, str>,
    /// The password.
    pub password: Cow<'a, Secret>,
}

/// A text with `{n}` in it, or not: a constant.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<String>,
}

impl Pattern {
    /// Splits `text` at every `{n}`. Other placeholders are replaced before.
    pub fn new(text: &str) -> Self {
        Self { pieces: text.split("{n}").map(str::to_owned).collect() }
    }

    /// The text with `n` in place of every `{n}`.
    pub fn expand(&self, n: u32) -> String {
        self.pieces.join(&n.to_string())
    }

    /// Whether every `n` gives another text.
    pub fn counts(&self) -> bool {
        self.pieces.len() > 1
    }

    /// The text before the first `{n}`.
    pub fn prefix(&self) -> &str {
        self.pieces.first().map_or("", String::as_str)
    }
}

impl fmt::Debug for Pattern {
    /// Without the text: it may be a password's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.counts() { "Pattern(counting)" } else { "Pattern(constant)" })
    }
}

/// A password. It is shown nowhere: its `Debug` is three stars and it has no `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps `text` to itself.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The password, for whoever logs in with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A SASL mechanism a profile may allow, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802.
    ScramSha1,
    /// RFC 4616.
    Plain,
    /// RFC 4505; never together with credentials.
    Anonymous,
}

impl Mechanism {
    /// All, strongest first.
    pub const ALL: [Self; 4] = [Self::ScramSha256, Self::ScramSha1, Self::Plain, Self::Anonymous];
    /// What is allowed unless a profile says otherwise.
    pub const DEFAULT: [Self; 3] = [Self::ScramSha256, Self::ScramSha1, Self::Plain];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
            Self::Anonymous => "ANONYMOUS",
        }
    }
}

/// How contacts are spread over a group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Graph {
    /// The nearest by index.
    #[default]
    Ring,
    /// Scattered, everyone equally many.
    Random,
    /// Scattered, a few with very many: popularity falls with this power of the rank.
    Zipf(f64),
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring => f.write_str("ring"),
            Self::Random => f.write_str("random"),
            Self::Zipf(exponent) => write!(f, "zipf({exponent})"),
        }
    }
}
