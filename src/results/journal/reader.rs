//! Reading a journal, whole or torn.

use std::io::{self, BufRead, Read};

use super::{CHECKSUM_DIGITS, Interval, LINE_MAX, Record, checksum};
use crate::results::{
    Conclusion, Generator, KeyCache, LayoutError, LedgerCounts, Ledgers, ObservedLog, Preamble, RunResult,
    Totals, VersionError, assemble,
};
use crate::sample::LedgerKind;

/// A journal as it was read: everything up to the first record that cannot be trusted.
#[derive(Debug)]
pub struct Journal {
    /// What was known before the run.
    pub preamble: Preamble,
    /// The fold of all intervals.
    pub totals: Totals,
    /// The accounts per phase as they last stood.
    pub ledgers: Vec<Ledgers>,
    /// What the generator last saw of itself.
    pub generator: Generator,
    /// SCRAM keys as they last stood.
    pub keys: KeyCache,
    /// What was read of the server.
    pub observed: ObservedLog,
    /// Intervals read.
    pub intervals: u64,
    /// When the last interval was closed, seconds since the run's epoch.
    pub end_s: f64,
    /// The conclusion, if the run came to its end.
    pub conclusion: Option<Conclusion>,
    /// What was left out.
    pub tail: Option<Tail>,
}

/// The part of a journal that was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Where it begins, bytes from the start of the file.
    pub offset: u64,
    /// Why it was not read.
    pub reason: TailReason,
}

/// Why reading ended before the end of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TailReason {
    /// The last line has no end: the writer was killed in the middle of it.
    #[error("the last record is torn")]
    Torn,
    /// A line is not what was written.
    #[error("a record is corrupt: {0}")]
    Corrupt(String),
    /// A line is longer than any record.
    #[error("a record is longer than {LINE_MAX} bytes")]
    TooLong,
    /// A record is missing before this one, or it comes after the end.
    #[error("a record is out of turn")]
    OutOfTurn,
    /// A record cannot belong to this run.
    #[error("a record cannot belong to this run: {0}")]
    Impossible(String),
}

/// Why there is nothing to be read from a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalReadError {
    /// The file cannot be read.
    #[error("the journal cannot be read: {0}")]
    Io(#[from] io::Error),
    /// There is no first record.
    #[error("the journal holds no complete first record ({0}): the run was killed before it began")]
    NoPreamble(TailReason),
    /// Another version's.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The run's shape is refused.
    #[error("the journal's run cannot be: {0}")]
    Layout(#[from] LayoutError),
}

/// Columns of an account beyond this are forged; sums of smaller ones cannot overflow.
const LEDGER_MAX: u64 = 1 << 44;

/// Reads a journal to its end, or to the first record that cannot be trusted.
pub fn read(input: impl BufRead) -> Result<Journal, JournalReadError> {
    let mut lines = Lines { input, offset: 0, line: Vec::new() };
    let mut journal = begin(&mut lines)?;
    loop {
        let offset = lines.offset;
        let step = match lines.next()? {
            Line::End => return Ok(journal),
            Line::Record(record) => journal.take(record),
            Line::Bad(reason) => Err(reason),
        };
        if let Err(reason) = step {
            journal.tail = Some(Tail { offset, reason });
            return Ok(journal);
        }
    }
}

fn begin(lines: &mut Lines<impl BufRead>) -> Result<Journal, JournalReadError> {
    let preamble = match lines.next()? {
        Line::Record(Record::Preamble(preamble)) => preamble,
        Line::Record(_) => return Err(JournalReadError::NoPreamble(TailReason::OutOfTurn)),
        Line::End => return Err(JournalReadError::NoPreamble(TailReason::Torn)),
        Line::Bad(reason) => {
            return Err(lines.version().map_or(JournalReadError::NoPreamble(reason), Into::into));
        }
    };
    preamble.schema.check_readable()?;
    Ok(Journal {
        totals: Totals::new(preamble.layout.clone())?,
        ledgers: vec![Ledgers::default(); preamble.layout.phases.len()],
        observed: ObservedLog::new(&preamble.observe),
        preamble: *preamble,
        generator: Generator::default(),
        keys: KeyCache::default(),
        intervals: 0,
        end_s: 0.0,
        conclusion: None,
        tail: None,
    })
}

impl Journal {
    /// The result of the run: complete if it concluded and nothing is missing.
    pub fn into_result(self) -> RunResult {
        let complete = self.conclusion.is_some() && self.tail.is_none();
        let mut conclusion = self.conclusion.unwrap_or_else(|| {
            Conclusion::of_a_killed_run(&self.preamble, self.ledgers, self.generator, self.keys, self.end_s)
        });
        if let Some(Tail { offset, reason }) = &self.tail {
            conclusion.verdict.notes.push(format!("the journal was read up to byte {offset}: {reason}"));
        }
        conclusion.observed = self.observed.into_sources();
        assemble(self.preamble, &self.totals, conclusion, complete)
    }

    fn take(&mut self, record: Record) -> Result<(), TailReason> {
        if self.conclusion.is_some() {
            return Err(TailReason::OutOfTurn);
        }
        match record {
            Record::Interval { number, interval } if number == self.intervals => {
                self.take_interval(*interval)
            }
            Record::Preamble(_) | Record::Interval { .. } => Err(TailReason::OutOfTurn),
            Record::Conclusion(conclusion) => {
                self.check_ledgers(&conclusion.ledgers)?;
                self.conclusion = Some(*conclusion);
                Ok(())
            }
        }
    }

    fn take_interval(&mut self, interval: Interval) -> Result<(), TailReason> {
        self.check_ledgers(&interval.ledgers)?;
        self.totals.apply(&interval.delta).map_err(|error| TailReason::Impossible(error.to_string()))?;
        for reading in &interval.readings {
            self.observed.take(reading).map_err(TailReason::Impossible)?;
        }
        self.intervals += 1;
        self.end_s = interval.end_s;
        self.ledgers = interval.ledgers;
        self.keys = interval.keys;
        if let Some(generator) = interval.generator {
            self.generator = generator;
        }
        Ok(())
    }

    fn check_ledgers(&self, ledgers: &[Ledgers]) -> Result<(), TailReason> {
        let columns = ledgers.iter().flat_map(|ledgers| LedgerKind::ALL.map(|kind| *ledgers.of(kind)));
        let possible = columns.into_iter().all(|counts| is_possible(&counts));
        if ledgers.len() == self.preamble.layout.phases.len() && possible {
            return Ok(());
        }
        Err(TailReason::Impossible("its accounts are not those of the phases".to_owned()))
    }
}

fn is_possible(counts: &LedgerCounts) -> bool {
    let LedgerCounts {
        expected,
        delivered,
        lost,
        failed,
        indeterminate,
        late,
        reordered,
        duplicated,
        misdelivered,
        unsent,
        replayed,
        stale,
    } = *counts;
    let owed = [expected, delivered, lost, failed, indeterminate];
    let beside = [late, reordered, duplicated, misdelivered, unsent, replayed, stale];
    let bounded = owed.into_iter().chain(beside).all(|column| column < LEDGER_MAX);
    bounded && delivered + lost + failed + indeterminate <= expected
}

/// The lines of a journal, one at a time.
struct Lines<R> {
    input: R,
    offset: u64,
    line: Vec<u8>,
}

enum Line {
    Record(Record),
    Bad(TailReason),
    End,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> io::Result<Line> {
        self.line.clear();
        let taken = (&mut self.input).take(LINE_MAX as u64).read_until(b'\n', &mut self.line)?;
        self.offset += taken as u64;
        Ok(match self.line.pop() {
            None => Line::End,
            Some(b'\n') => parse(&self.line).map_or_else(Line::Bad, Line::Record),
            Some(_) if taken == LINE_MAX => Line::Bad(TailReason::TooLong),
            Some(_) => Line::Bad(TailReason::Torn),
        })
    }

    /// The version error behind a first record that does not parse, if it is one: another major version's record may
    /// have any shape.
    fn version(&self) -> Option<VersionError> {
        #[derive(serde::Deserialize)]
        struct Head {
            schema: String,
        }
        #[derive(serde::Deserialize)]
        struct First {
            preamble: Head,
        }
        let json = json_of(&self.line).ok()?;
        let first: First = serde_json::from_slice(json).ok()?;
        match first.preamble.schema.parse::<crate::results::SchemaVersion>() {
            Ok(version) => version.check_readable().err(),
            Err(error) => Some(error),
        }
    }
}

fn parse(line: &[u8]) -> Result<Record, TailReason> {
    serde_json::from_slice(json_of(line)?).map_err(|error| TailReason::Corrupt(error.to_string()))
}

/// The JSON of a line whose checksum agrees.
fn json_of(line: &[u8]) -> Result<&[u8], TailReason> {
    let corrupt = |what: &str| TailReason::Corrupt(what.to_owned());
    let (sum, rest) = line.split_at_checked(CHECKSUM_DIGITS).ok_or_else(|| corrupt("too short"))?;
    let json = rest.strip_prefix(b" ").ok_or_else(|| corrupt("no checksum"))?;
    if sum != checksum(json).as_bytes() {
        return Err(corrupt("its checksum does not agree"));
    }
    Ok(json)
}
