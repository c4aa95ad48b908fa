//! The schema's version, and who can read what.
//!
//! The rule: a new field raises the minor number, and every reader of the same major number can read it. A field that
//! goes away or changes its meaning raises the major number, and older or newer readers refuse the file.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The version this program writes.
pub const SCHEMA: SchemaVersion = SchemaVersion { major: 1, minor: 5 };

const PREFIX: &str = "xmpp-bench/result/";

/// A version of the result file, written `xmpp-bench/result/1.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchemaVersion {
    /// Raised when something changes its meaning or goes away.
    pub major: u16,
    /// Raised when something is added.
    pub minor: u16,
}

/// Why a version cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not a version of ours at all.
    #[error(
        "`{0}` is not a result version: expected `xmpp-bench/result/MAJOR.MINOR`; \
         is this a file that xmpp-bench wrote?"
    )]
    Unknown(String),
    /// Written by a later generation of the program.
    #[error(
        "the file has schema {found}, this program reads {SCHEMA} and later 1.x: \
         use a newer xmpp-bench to read it"
    )]
    TooNew {
        /// What the file says.
        found: SchemaVersion,
    },
    /// Written by an earlier generation of the program.
    #[error(
        "the file has schema {found}, this program reads {SCHEMA}: \
         read it with the xmpp-bench that wrote it (see `tool.version`), or run again"
    )]
    TooOld {
        /// What the file says.
        found: SchemaVersion,
    },
}

impl SchemaVersion {
    /// Whether this program can read a file of this version: the same major number, any minor one. Fields that a
    /// later minor version added are ignored.
    pub fn check_readable(self) -> Result<(), VersionError> {
        match self.major.cmp(&SCHEMA.major) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(VersionError::TooNew { found: self }),
            std::cmp::Ordering::Less => Err(VersionError::TooOld { found: self }),
        }
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}.{}", self.major, self.minor)
    }
}

impl FromStr for SchemaVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let parse = || {
            let (major, minor) = text.strip_prefix(PREFIX)?.split_once('.')?;
            Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
        };
        parse().ok_or_else(|| VersionError::Unknown(text.chars().take(80).collect()))
    }
}

impl Serialize for SchemaVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SchemaVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for SchemaVersion {
    fn schema_name() -> Cow<'static, str> {
        "SchemaVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^xmpp-bench/result/1\\.[0-9]+$",
            "description": "The schema's name and version. Readers accept any minor version of their major one."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_survives_its_text() {
        assert_eq!(SCHEMA.to_string(), "xmpp-bench/result/1.5");
        assert_eq!("xmpp-bench/result/1.17".parse(), Ok(SchemaVersion { major: 1, minor: 17 }));
        for wrong in ["", "1.0", "xmpp-bench/result/1", "xmpp-bench/result/1.x", "other/result/1.0"] {
            assert!(wrong.parse::<SchemaVersion>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_same_major_is_readable_and_another_is_refused_with_advice() {
        assert_eq!(SchemaVersion { major: 1, minor: 9 }.check_readable(), Ok(()));
        let newer = SchemaVersion { major: 2, minor: 0 }.check_readable().expect_err("major 2");
        assert!(newer.to_string().contains("newer xmpp-bench"), "{newer}");
        let older = SchemaVersion { major: 0, minor: 3 }.check_readable().expect_err("major 0");
        assert!(older.to_string().contains("the xmpp-bench that wrote it"), "{older}");
    }
}
