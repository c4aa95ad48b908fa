//! The truth file, written by a thread of its own so that neither encoding nor the disk delays a copy.
//!
//! Lines travel in batches through a bounded channel. If the disk cannot follow, the server's thread keeps up to
//! `PENDING_MAX` lines and then waits for it: a truth with holes would be none.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::server::truth::{Line, Truth, TruthError};
use crate::units::Offset;

/// Lines kept by the server's thread while the writer is behind.
const PENDING_MAX: usize = 500_000;
/// A batch is sent when it has this many lines, or is this old.
const BATCH: usize = 2_048;
const BATCH_AGE: Duration = Duration::from_millis(100);
/// Batches under way to the writer.
const CHANNEL: usize = 64;

/// A truth file that could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TruthFileError {
    /// The operating system said no.
    #[error("cannot {what} the truth file {}: {source}", path.display())]
    Io {
        /// Create, write or read.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: TruthError,
    },
}

/// Reads a whole truth file.
pub fn load(path: &Path) -> Result<Truth, TruthFileError> {
    let text = std::fs::read_to_string(path).map_err(|source| TruthFileError::Io {
        what: "read",
        path: path.to_owned(),
        source,
    })?;
    Truth::parse(&text).map_err(|source| TruthFileError::Content { path: path.to_owned(), source })
}

/// The writing thread.
#[derive(Debug)]
pub(super) struct TruthWriter {
    path: PathBuf,
    sender: SyncSender<Vec<Line>>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl TruthWriter {
    pub(super) fn create(path: &Path) -> Result<Self, TruthFileError> {
        let failed = |source| TruthFileError::Io { what: "create", path: path.to_owned(), source };
        let file = File::create(path).map_err(failed)?;
        let (sender, receiver) = sync_channel(CHANNEL);
        let thread = std::thread::Builder::new()
            .name("xb-server-truth".to_owned())
            .spawn(move || write(file, &receiver))
            .map_err(failed)?;
        Ok(Self { path: path.to_owned(), sender, thread })
    }

    pub(super) fn sender(&self) -> TruthSender {
        TruthSender { sender: self.sender.clone(), batch: Vec::new(), sent: Offset::ZERO }
    }

    /// Waits until everything sent is written. All senders must be gone.
    pub(super) fn finish(self) -> Result<(), TruthFileError> {
        drop(self.sender);
        let failed = |source| TruthFileError::Io { what: "write", path: self.path, source };
        match self.thread.join() {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(failed(std::io::Error::other("its thread panicked; this is a bug"))),
        }
    }
}

/// The server's side: gathers lines and sends them on.
#[derive(Debug)]
pub(super) struct TruthSender {
    sender: SyncSender<Vec<Line>>,
    batch: Vec<Line>,
    sent: Offset,
}

impl TruthSender {
    /// Where lines are put.
    pub(super) const fn batch(&mut self) -> &mut Vec<Line> {
        &mut self.batch
    }

    /// Whether the last batch was sent long enough ago for another, however small.
    pub(super) fn is_old(&self, now: Offset) -> bool {
        now.since(self.sent) >= BATCH_AGE
    }

    /// Sends what has gathered if it is enough or old enough, without waiting unless far too much has.
    pub(super) fn turn_ended(&mut self, now: Offset) {
        let ripe = self.batch.len() >= BATCH || self.is_old(now);
        if !ripe || self.batch.is_empty() {
            return;
        }
        if self.batch.len() >= PENDING_MAX {
            return self.flush();
        }
        self.sent = now;
        match self.sender.try_send(std::mem::take(&mut self.batch)) {
            // The writer failed; its error is told when it is finished.
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(batch)) => self.batch = batch,
        }
    }

    /// Sends everything, waiting for room.
    pub(super) fn flush(&mut self) {
        // A writer that failed takes nothing; its error is told when it is finished.
        let _ = self.sender.send(std::mem::take(&mut self.batch));
    }
}

fn write(mut file: File, batches: &Receiver<Vec<Line>>) -> std::io::Result<()> {
    let mut text = Vec::new();
    while let Ok(batch) = batches.recv() {
        text.clear();
        for line in &batch {
            line.write(&mut text);
        }
        file.write_all(&text)?;
    }
    file.flush()
}
