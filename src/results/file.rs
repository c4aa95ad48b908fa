//! The result file: made sure of before the run, written whole at its end, read back with clear errors.
//!
//! Before a run [`ResultFile::create`] opens the journal beside the result (`NAME.journal`), so that a path that cannot
//! be written fails then, and locks it, so that two runs cannot write one result. The result itself appears only at
//! the end, whole: written to a temporary file in the same folder, synced, renamed over the name; then the journal
//! goes ([`WriteStep`]). So at every instant there is a whole result of an earlier run, a journal, or a whole result; and a
//! journal that was concluded before holds the whole result too.
//!
//! This module refuses to leave half a file under the result's name, and to read one that is larger than
//! [`SIZE_MAX`].

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::journal::{self, Journal, JournalReadError, JournalWriteError, JournalWriter};
use super::{Preamble, RunResult, SchemaVersion, VersionError};

/// The largest result that is read, bytes.
pub const SIZE_MAX: u64 = 1 << 30;

/// The place of a result that is to be written: a path, and the locked journal beside it.
#[derive(Debug)]
pub struct ResultFile {
    path: PathBuf,
    journal: File,
}

/// A point in the order of writing a result at which a kill may come. They are passed in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteStep {
    /// The temporary file is begun and holds nothing.
    Begun,
    /// It is whole and synced.
    Written,
    /// It stands under the result's name.
    Renamed,
    /// The journal is gone.
    JournalRemoved,
}

/// Why a result cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Nothing can be written there; found before the run.
    #[error("cannot write `{}`: {source}; choose another place with --out", path.display())]
    Create {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The path is a folder.
    #[error("`{}` is a folder: name a file in it with --out", .0.display())]
    IsFolder(PathBuf),
    /// Neither a file nor nothing: a device, a pipe.
    #[error("`{}` is no file, and a result would take its place: choose another with --out", .0.display())]
    NotAFile(PathBuf),
    /// A result, or whatever it is, is there.
    #[error("`{}` is there already: choose another file with --out, or replace it with --force", .0.display())]
    Taken(PathBuf),
    /// A run that was killed has left its journal there.
    #[error(
        "`{}` holds what a run measured that was killed: read it (`xmpp-bench summary`) and move it away, choose another file with \
         --out, or drop it with --force", .0.display()
    )]
    JournalLeft(PathBuf),
    /// Another run holds the journal.
    #[error("another run is writing `{}`: choose another file with --out", .0.display())]
    InUse(PathBuf),
    /// The run's result could not be written; its journal stays.
    #[error(
        "cannot write the result to `{}`: {source}; the journal `{}` stays, and every command reads what it holds",
        path.display(), journal.display()
    )]
    Finish {
        /// The result.
        path: PathBuf,
        /// The journal.
        journal: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a file cannot be read as a result.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder.
    #[error("`{}` is a folder: name the results in it, `{}/*.json`", .0.display(), .0.display())]
    IsFolder(PathBuf),
    /// Neither a result nor a journal.
    #[error("`{}` is neither a result nor a journal of xmpp-bench: {why}", path.display())]
    NotAResult {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The JSON ends in the middle.
    #[error("`{}` is cut short (it ends at line {line}, column {column}): copy it again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The last line.
        line: usize,
        /// The last column.
        column: usize,
    },
    /// Another version's.
    #[error("cannot read `{}`: {source}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VersionError,
    },
    /// Larger than any result.
    #[error("`{}` is larger than {SIZE_MAX} bytes: no result is", .0.display())]
    TooLarge(PathBuf),
    /// What it says cannot be true at once.
    #[error("`{}` contradicts itself: {what}{more}; it was changed after it was written, or shows a bug: compare nothing with it", path.display())]
    Contradicts {
        /// The file.
        path: PathBuf,
        /// The first contradiction.
        what: String,
        /// How many more there are, in words; empty if none.
        more: String,
    },
    /// A journal nothing can be read from.
    #[error("cannot read `{}`: {source}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        source: JournalReadError,
    },
}

impl ResultFile {
    /// Makes sure that a result can be written to `path`, and takes its journal. What somebody measured is not lost: where there is a
    /// result, or a journal of more than a beginning, that is an error.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let place = Self::take(path)?;
        // Looked at under the lock: nobody else can finish a result here any more.
        if fs::metadata(&place.path).is_ok_and(|facts| facts.len() > 0) {
            if place.journal.metadata().is_ok_and(|facts| facts.len() == 0) {
                place.abandon();
            }
            return Err(WriteError::Taken(path.to_owned()));
        }
        if place.holds_measurements() {
            return Err(WriteError::JournalLeft(place.journal_path()));
        }
        Ok(place)
    }

    /// Likewise, over whatever result or journal is there. An earlier result of that name stays until the new one is whole.
    pub fn replace(path: &Path) -> Result<Self, WriteError> {
        Self::take(path)
    }

    /// Takes the journal's lock, and leaves what it holds.
    fn take(path: &Path) -> Result<Self, WriteError> {
        let fail = |source| WriteError::Create { path: path.to_owned(), source };
        // Where a link leads, and not in its place.
        let path = &followed(path).map_err(fail)?;
        if path.is_dir() {
            return Err(WriteError::IsFolder(path.to_owned()));
        }
        if path.exists() && !path.is_file() {
            return Err(WriteError::NotAFile(path.to_owned()));
        }
        let beside = journal_path(path);
        loop {
            let journal =
                OpenOptions::new().create(true).truncate(false).write(true).open(&beside).map_err(fail)?;
            match journal.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(WriteError::InUse(path.to_owned())),
                Err(TryLockError::Error(source)) => return Err(fail(source)),
            }
            // A run that finished meanwhile has removed it: what was locked has no name any more.
            let is_there = fs::metadata(&beside).is_ok_and(|facts| same_file(&facts, &journal));
            if is_there {
                return Ok(Self { path: path.to_owned(), journal });
            }
        }
    }

    /// Whether its journal has anything of a run, or is something else that nobody should lose.
    fn holds_measurements(&self) -> bool {
        let path = self.journal_path();
        let is_empty = self.journal.metadata().is_ok_and(|facts| facts.len() == 0);
        let is_of_a_run = |result: RunResult| result.complete || result.series.seconds > 0;
        !is_empty && read_journal(&path).map_or(true, |journal| is_of_a_run(journal.into_result()))
    }

    /// The result's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal's path.
    pub fn journal_path(&self) -> PathBuf {
        journal_path(&self.path)
    }

    /// Begins the journal. The place must outlive it: it holds the lock.
    pub fn begin_journal(&self, preamble: &Preamble) -> Result<JournalWriter<File>, JournalWriteError> {
        let mut journal = self.journal.try_clone()?;
        journal.set_len(0)?;
        journal.rewind()?;
        JournalWriter::begin(journal, preamble)
    }

    /// Writes the result, whole or not at all, and removes the journal. If it cannot, the journal stays: concluded
    /// before ([`JournalWriter::conclude`]), it holds the same.
    pub fn finish(self, result: &RunResult) -> Result<PathBuf, WriteError> {
        self.finish_watched(result, &mut |_| {})
    }

    /// Likewise, for whoever wants to know what a kill at any point would leave.
    pub fn finish_watched(
        self,
        result: &RunResult,
        reached: &mut dyn FnMut(WriteStep),
    ) -> Result<PathBuf, WriteError> {
        let fail = |source| WriteError::Finish {
            path: self.path.clone(),
            journal: journal_path(&self.path),
            source,
        };
        write_watched(&self.path, result, reached).map_err(fail)?;
        // The result is whole: a journal that cannot be removed is untidy, not wrong.
        let _ = fs::remove_file(journal_path(&self.path));
        reached(WriteStep::JournalRemoved);
        Ok(self.path)
    }

    /// Gives the place up before anything was written to it: the journal goes.
    pub fn abandon(self) {
        let _ = fs::remove_file(journal_path(&self.path));
    }
}

/// How many links are followed before it is a circle.
const LINKS_MAX: usize = 40;

/// Where a path leads, whether or not anything is there yet.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target)),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

fn same_file(named: &fs::Metadata, open: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    open.metadata().is_ok_and(|open| (open.dev(), open.ino()) == (named.dev(), named.ino()))
}

/// The journal of a result: the same name with `.journal` after it.
pub fn journal_path(result: &Path) -> PathBuf {
    beside(result, ".journal")
}

/// Writes a result under its name, whole or not at all: what stood there before stays until then.
pub fn write_whole(path: &Path, result: &RunResult) -> io::Result<()> {
    write_watched(path, result, &mut |_| {})
}

fn write_watched(path: &Path, result: &RunResult, reached: &mut dyn FnMut(WriteStep)) -> io::Result<()> {
    let temporary = beside(path, ".part");
    let written = write_synced(&temporary, result, reached).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Best effort: the error that matters is the one being returned.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    reached(WriteStep::Renamed);
    sync_folder(path)
}

/// Reads a result, or the journal of a run that was killed, whichever the file is. If there is no file of that name
/// but a journal beside it, reads the journal.
pub fn read(path: &Path) -> Result<RunResult, ReadError> {
    if path.is_dir() {
        return Err(ReadError::IsFolder(path.to_owned()));
    }
    let fail = |source| ReadError::Io { path: path.to_owned(), source };
    let (path, file) = open_either(path, &mut |path| File::open(path)).map_err(fail)?;
    let path = path.as_path();
    let fail = |source| ReadError::Io { path: path.to_owned(), source };
    let mut input = BufReader::new(file);
    let head = input.fill_buf().map_err(fail)?;
    match head.first() {
        None => Err(ReadError::NotAResult { path: path.to_owned(), why: "it is empty".to_owned() }),
        Some(_) if journal::begins(head) => fold_journal(path, input).map(Journal::into_result),
        Some(_) => read_result(path, input),
    }
}

/// Reads a journal.
pub fn read_journal(path: &Path) -> Result<Journal, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    fold_journal(path, BufReader::new(file))
}

fn fold_journal(path: &Path, input: impl BufRead) -> Result<Journal, ReadError> {
    journal::read(input).map_err(|source| ReadError::Journal { path: path.to_owned(), source })
}

/// What there is to be read of a result: the file of its name; while there is none, its journal. The run may put the one in
/// the place of the other between two looks, so the third is for the result again.
fn open_either<F>(path: &Path, open: &mut dyn FnMut(&Path) -> io::Result<F>) -> io::Result<(PathBuf, F)> {
    for path in [path, &journal_path(path)] {
        match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return Ok((path.to_owned(), opened?)),
        }
    }
    Ok((path.to_owned(), open(path)?))
}

fn read_result(path: &Path, input: impl Read) -> Result<RunResult, ReadError> {
    let mut bytes = Vec::new();
    let read = input.take(SIZE_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(ReadError::TooLarge(path.to_owned()));
    }
    parse(&bytes).map_err(|error| error.at(path, &bytes))
}

/// Reads a result from memory: first its version, so that another version's shape is no riddle.
fn parse(bytes: &[u8]) -> Result<RunResult, ParseError> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    let head: Head = serde_json::from_slice(bytes)?;
    head.schema.parse::<SchemaVersion>()?.check_readable()?;
    Ok(serde_json::from_slice(bytes)?)
}

enum ParseError {
    Json(serde_json::Error),
    Version(VersionError),
}

impl ParseError {
    fn at(self, path: &Path, bytes: &[u8]) -> ReadError {
        let path = path.to_owned();
        match self {
            Self::Version(source) => ReadError::Version { path, source },
            Self::Json(error) if error.is_eof() || (error.is_syntax() && is_at_end(&error, bytes)) => {
                ReadError::Truncated { path, line: error.line(), column: error.column() }
            }
            Self::Json(error) => ReadError::NotAResult { path, why: error.to_string() },
        }
    }
}

/// A number or word cut in its middle is a mistake in the grammar, and nothing stands behind it.
fn is_at_end(error: &serde_json::Error, bytes: &[u8]) -> bool {
    let lines = bytes.split(|&byte| byte == b'\n');
    let (number, last) = lines.enumerate().last().unwrap_or_default();
    bytes.first() == Some(&b'{') && (error.line(), error.column()) == (number + 1, last.len())
}

impl From<serde_json::Error> for ParseError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<VersionError> for ParseError {
    fn from(error: VersionError) -> Self {
        Self::Version(error)
    }
}

fn write_synced(path: &Path, result: &RunResult, reached: &mut dyn FnMut(WriteStep)) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    reached(WriteStep::Begun);
    serde_json::to_writer(&mut out, result)?;
    out.write_all(b"\n")?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    reached(WriteStep::Written);
    Ok(())
}

/// Makes the rename last: on Unix a folder is synced like a file.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens names out of a folder that changes between any two looks.
    fn read_while(changes: &[&[&str]]) -> io::Result<(PathBuf, ())> {
        let mut looks = changes.iter();
        open_either(Path::new("run.json"), &mut |path| {
            let there = looks.next().expect("no more looks than that");
            let is_there = there.iter().any(|name| Path::new(name) == path);
            is_there.then_some(()).ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    #[test]
    fn a_result_that_takes_its_journals_place_between_two_looks_is_found() {
        let (result, journal) = ("run.json", "run.json.journal");
        for (changes, found) in [
            (&[&[result, journal][..]][..], Some(result)),
            (&[&[journal], &[journal]], Some(journal)),
            (&[&[journal], &[result], &[result]], Some(result)),
            (&[&[], &[], &[]], None),
        ] {
            let path = read_while(changes).ok().map(|(path, ())| path);
            assert_eq!(path.as_deref(), found.map(Path::new), "{changes:?}");
        }
    }
}
