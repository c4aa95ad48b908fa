//! Writing a journal.

use std::io::{self, Write};

use super::{Interval, LINE_MAX, RecordRef, checksum};
use crate::results::{Conclusion, Preamble};

/// Appends records to a journal.
///
/// After an error the last line may be torn, and whatever followed it would never be read: the writer then refuses
/// everything more. The run itself goes on; its result lives in memory.
#[derive(Debug)]
pub struct JournalWriter<W: Write> {
    out: W,
    intervals: u64,
    broken: bool,
}

/// Why a record was not written.
#[derive(Debug, thiserror::Error)]
pub enum JournalWriteError {
    /// The disk or a quota on it is full.
    #[error("no space is left for the journal ({0})")]
    NoSpace(#[source] io::Error),
    /// Any other failure.
    #[error("the journal cannot be written: {0}")]
    Io(#[source] io::Error),
    /// A record no reader would take.
    #[error("a record of {0} bytes is too long for the journal")]
    TooLong(usize),
    /// An earlier record failed.
    #[error("the journal ended when an earlier record could not be written")]
    Broken,
}

impl<W: Write> JournalWriter<W> {
    /// Begins a journal.
    pub fn begin(out: W, preamble: &Preamble) -> Result<Self, JournalWriteError> {
        let mut writer = Self { out, intervals: 0, broken: false };
        writer.append(&RecordRef::Preamble(preamble))?;
        Ok(writer)
    }

    /// Writes an interval.
    pub fn interval(&mut self, interval: &Interval) -> Result<(), JournalWriteError> {
        self.append(&RecordRef::Interval { number: self.intervals, interval })?;
        self.intervals += 1;
        Ok(())
    }

    /// Writes the conclusion and gives the file back.
    pub fn conclude(mut self, conclusion: &Conclusion) -> Result<W, JournalWriteError> {
        self.append(&RecordRef::Conclusion(conclusion))?;
        Ok(self.out)
    }

    /// Gives the file back as it is.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn append(&mut self, record: &RecordRef<'_>) -> Result<(), JournalWriteError> {
        if self.broken {
            return Err(JournalWriteError::Broken);
        }
        let json = serde_json::to_vec(record).map_err(|error| JournalWriteError::Io(error.into()))?;
        if json.len() + super::CHECKSUM_DIGITS + 2 > LINE_MAX {
            return Err(JournalWriteError::TooLong(json.len()));
        }
        let mut line = checksum(&json).into_bytes();
        line.push(b' ');
        line.extend_from_slice(&json);
        line.push(b'\n');
        self.out.write_all(&line).and_then(|()| self.out.flush()).map_err(|error| {
            self.broken = true;
            JournalWriteError::from(error)
        })
    }
}

impl From<io::Error> for JournalWriteError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace(error),
            _ => Self::Io(error),
        }
    }
}
