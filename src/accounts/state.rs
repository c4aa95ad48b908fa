//! What of a `create` is done, in a file that outlives it: the same command goes on where it stopped.
//!
//! A text file, append-only: a head that names the population, then a line per thing done (`created 17`). What a kill left
//! of a last line is ignored, and cut off before anything is appended. A user's line may stand there twice.
//!
//! It is written in batches, by whoever conducts, never by a worker; a kill may lose the last fraction of a second, which
//! then is done again: an account that is there already is no error.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::accounts::conduct::Ending;

/// Something done for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its account was made.
    Created,
    /// Its account was there before.
    Existed,
    /// It has asked its contacts.
    Asked,
    /// Its roster says `both` of all its contacts.
    Mutual,
    /// It does so no more: takes [`Mark::Mutual`] back.
    Reopened,
}

impl Mark {
    const ALL: [Self; 5] = [Self::Created, Self::Existed, Self::Asked, Self::Mutual, Self::Reopened];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Existed => "existed",
            Self::Asked => "asked",
            Self::Mutual => "mutual",
            Self::Reopened => "reopened",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Takes it on a user's marks.
    const fn put(self, marks: &mut u8) {
        match self {
            Self::Reopened => *marks &= !Self::Mutual.bit(),
            Self::Created | Self::Existed | Self::Asked | Self::Mutual => *marks |= self.bit(),
        }
    }
}

/// Why a state cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("cannot use the state file {}: {why}; choose another with --state", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// It is no state.
    #[error(
        "{} is not a state file of `accounts create`; choose another with --state",
        .0.display()
    )]
    Foreign(PathBuf),
    /// It is of other accounts.
    #[error(
        "{} is of other accounts, another graph or another target; begin anew with --fresh, or choose another file with --state",
        .0.display()
    )]
    Other(PathBuf),
}

/// See the module text.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    file: File,
    marks: Vec<u8>,
    unwritten: String,
}

const HEAD: &str = "xmpp-bench accounts state 1";
/// The largest file read, bytes: some four lines for each of all users a profile can have.
const SIZE_MAX: u64 = 1 << 30;

impl State {
    /// Goes on with a file, or begins it. `fingerprint` and `population` are the people's; `fresh` forgets what the file says.
    pub fn open(path: &Path, fingerprint: &str, population: u32, fresh: bool) -> Result<Self, StateError> {
        let unusable = |why| StateError::Unusable { path: path.to_owned(), why };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(fresh).open(path).map_err(unusable)?;
        let mut text = String::new();
        if let Err(why) = io::Read::by_ref(&mut file).take(SIZE_MAX).read_to_string(&mut text) {
            let foreign = why.kind() == io::ErrorKind::InvalidData;
            return Err(if foreign { StateError::Foreign(path.to_owned()) } else { unusable(why) });
        }
        let head = format!("{HEAD} {fingerprint}\n");
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let mut marks = vec![0; population as usize];
        if whole.is_empty() && HEAD.starts_with(&text[..text.len().min(HEAD.len())]) {
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(head.as_bytes()))
        } else if !whole.starts_with(HEAD) {
            return Err(StateError::Foreign(path.to_owned()));
        } else if let Some(lines) = whole.strip_prefix(&head) {
            lines.lines().for_each(|line| note_line(&mut marks, line));
            let end = whole.len() as u64;
            file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map(|_| ())
        } else {
            return Err(StateError::Other(path.to_owned()));
        }
        .map_err(unusable)?;
        Ok(Self { path: path.to_owned(), file, marks, unwritten: String::new() })
    }

    /// Whether something is done for a user.
    pub fn has(&self, user: u32, mark: Mark) -> bool {
        self.marks.get(user as usize).is_some_and(|marks| marks & mark.bit() != 0)
    }

    /// Whether a user's account is known to be there.
    pub fn has_account(&self, user: u32) -> bool {
        self.has(user, Mark::Created) || self.has(user, Mark::Existed)
    }

    /// For how many users something is done.
    pub fn count(&self, mark: Mark) -> u64 {
        self.marks.iter().filter(|marks| *marks & mark.bit() != 0).count() as u64
    }

    /// Something is done for a user; [`State::flush`] writes it down.
    pub fn note(&mut self, user: u32, mark: Mark) {
        let Some(marks) = self.marks.get_mut(user as usize) else { return };
        mark.put(marks);
        self.unwritten.push_str(&format!("{} {user}\n", mark.as_str()));
    }

    /// Writes down what was noted.
    pub fn flush(&mut self) -> Result<(), StateError> {
        let unusable = |why| StateError::Unusable { path: self.path.clone(), why };
        self.file.write_all(self.unwritten.as_bytes()).map_err(unusable)?;
        self.unwritten.clear();
        Ok(())
    }

    /// The last of a stage is written down too; a stage that ended well and cannot be written down is broken.
    pub fn flush_after(&mut self, ending: Ending) -> Ending {
        match (self.flush(), ending) {
            (Err(error), Ending::Complete | Ending::Interrupted) => Ending::Broken(error.to_string()),
            (_, ending) => ending,
        }
    }

    /// Everything is done: the file goes, so that the next `create` looks at the server and not at what was.
    pub fn conclude(self) -> Result<(), StateError> {
        std::fs::remove_file(&self.path).map_err(|why| StateError::Unusable { path: self.path, why })
    }
}

/// Takes a line; one that is none is left out.
fn note_line(marks: &mut [u8], line: &str) {
    let Some((word, user)) = line.split_once(' ') else { return };
    let mark = Mark::ALL.into_iter().find(|mark| mark.as_str() == word);
    let place = user.parse::<usize>().ok().and_then(|user| marks.get_mut(user));
    if let (Some(mark), Some(place)) = (mark, place) {
        mark.put(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<State, StateError> {
        State::open(path, "f00d", 10, false)
    }

    #[test]
    fn what_was_done_is_still_done_after_a_kill_at_any_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut state = open(&path).unwrap();
        for (user, mark) in [(3, Mark::Created), (4, Mark::Existed), (3, Mark::Asked), (3, Mark::Mutual)] {
            state.note(user, mark);
        }
        state.note(99, Mark::Created);
        state.flush().unwrap();
        assert!(state.has(3, Mark::Mutual) && state.has_account(4) && !state.has_account(5));
        drop(state);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut state = open(&path).unwrap();
            let lines = whole[..cut].split(|byte| *byte == b'\n').count().saturating_sub(2);
            let seen = Mark::ALL.iter().map(|mark| state.count(*mark)).sum::<u64>();
            assert_eq!(seen, lines as u64, "cut at {cut}");
            // What is appended to a torn file is read again.
            state.note(7, Mark::Created);
            state.flush().unwrap();
            assert!(open(&path).unwrap().has_account(7), "cut at {cut}");
        }
    }

    #[test]
    fn what_was_taken_back_is_not_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut state = open(&path).unwrap();
        for mark in [Mark::Asked, Mark::Mutual, Mark::Reopened] {
            state.note(1, mark);
        }
        state.flush().unwrap();
        for state in [state, open(&path).unwrap()] {
            assert!(state.has(1, Mark::Asked) && !state.has(1, Mark::Mutual));
        }
    }

    #[test]
    fn another_file_or_other_accounts_are_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        for text in ["my notes", "my notes\nand more\n", "xmpp-bench accounts state 2 f00d\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(open(&path), Err(StateError::Foreign(_))), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::write(&path, "xmpp-bench accounts state 1 beef\ncreated 1\n").unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, StateError::Other(_)) && error.to_string().contains("--fresh"));
        let fresh = State::open(&path, "f00d", 10, true).unwrap();
        assert!(!fresh.has_account(1));
        fresh.conclude().unwrap();
        assert!(!path.exists());
    }
}
