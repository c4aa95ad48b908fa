//! The append-only journal beside a running result: what a kill leaves behind.
//!
//! One record per line: the CRC-32 of the JSON in eight hexadecimal digits, a space, the JSON, a line feed. First the
//! [`Preamble`], then one [`Interval`] per interval of the run, numbered from 0, last the [`Conclusion`], which only a
//! run that came to its end writes. Intervals hold deltas ([`Delta`]) and levels (the ledgers as they stand).
//!
//! Every record is flushed to the kernel as it is written, so a killed process loses at most the interval under way.
//! It is not synced: a machine that loses power may lose more.
//!
//! A reader takes records up to the first one that is torn, corrupt, out of turn or impossible, and says what it left
//! out. Nothing a file holds makes it panic, and a line it will not hold in memory ends the reading.

mod reader;
mod writer;

pub use reader::{Journal, JournalReadError, Tail, TailReason, read};
pub use writer::{JournalWriteError, JournalWriter};

use serde::{Deserialize, Serialize};

use super::{Conclusion, Delta, Generator, KeyCache, Ledgers, Preamble, Reading};

/// The longest line, bytes.
pub const LINE_MAX: usize = 64 << 20;

/// One interval of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// When it was closed, seconds since the run's epoch.
    pub end_s: f64,
    /// What came in.
    pub delta: Delta,
    /// The accounts per phase as they stand, open entries and all.
    pub ledgers: Vec<Ledgers>,
    /// What the generator sees of itself, as it stands; left out if unchanged or not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<Generator>,
    /// SCRAM keys, as they stand.
    #[serde(default)]
    pub keys: KeyCache,
    /// What was read of the server meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
}

/// What a line can be, as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Record {
    Preamble(Box<Preamble>),
    Interval { number: u64, interval: Box<Interval> },
    Conclusion(Box<Conclusion>),
}

/// What a line can be, as it is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum RecordRef<'a> {
    Preamble(&'a Preamble),
    Interval { number: u64, interval: &'a Interval },
    Conclusion(&'a Conclusion),
}

/// The checksum that stands before a line's JSON.
const CHECKSUM_DIGITS: usize = 8;

/// Whether a file that begins with these bytes may be a journal, or what a kill left of one.
pub(super) fn begins(head: &[u8]) -> bool {
    let (sum, rest) = head.split_at_checked(CHECKSUM_DIGITS).unwrap_or((head, b""));
    let digits = sum.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    digits && rest.first().is_none_or(|&byte| byte == b' ')
}

fn checksum(json: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(json))
}
