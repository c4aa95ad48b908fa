//! Freezing a driver from outside: a fault of the embedded server.
//!
//! While frozen a driver's thread does nothing at all: it neither reads, writes nor accepts, and no timer runs, so the
//! kernel's buffers fill as they do behind a stopped process. What really happened is written down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::clock::Epoch;
use crate::units::Offset;

/// A handle on the freezes of one or more drivers; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Freeze(Arc<Shared>);

/// A freeze that happened: what was really kept, not what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// The name of the driver's thread.
    pub thread: String,
    /// The first instant at which it did nothing.
    pub started: Offset,
    /// When it went on.
    pub ended: Offset,
}

impl Freeze {
    /// No freeze asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a freeze from `start` to `end`; a start that has passed is now. Windows are kept in the order asked,
    /// and each is to start after the one before has ended.
    pub fn between(&self, start: Offset, end: Offset) {
        let wakers = {
            let mut state = self.0.lock();
            state.windows.push((start, end));
            self.0.version.fetch_add(1, Ordering::Release);
            state.wakers.clone()
        };
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    /// Ends every freeze asked so far, now.
    pub fn thaw(&self) {
        let mut state = self.0.lock();
        state.thawed = state.windows.len();
        self.0.version.fetch_add(1, Ordering::Release);
        self.0.changed.notify_all();
    }

    /// What really happened, in the order in which it ended.
    pub fn history(&self) -> Vec<Frozen> {
        self.0.lock().history.clone()
    }
}

#[derive(Debug, Default)]
struct Shared {
    /// Changes whenever the windows do, so that a driver need not lock to see that they did not.
    version: AtomicU64,
    changed: Condvar,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    windows: Vec<(Offset, Offset)>,
    /// Windows before this index are over.
    thawed: usize,
    wakers: Vec<Waker>,
    history: Vec<Frozen>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One driver's view of a [`Freeze`].
#[derive(Debug)]
pub(super) struct Watch {
    freeze: Freeze,
    epoch: Epoch,
    cursor: usize,
    seen: u64,
    next: Option<(Offset, Offset)>,
}

impl Watch {
    pub(super) fn new(freeze: Freeze, epoch: Epoch, waker: &Waker) -> Self {
        freeze.0.lock().wakers.push(waker.clone());
        Self { freeze, epoch, cursor: 0, seen: u64::MAX, next: None }
    }

    /// Whether somebody asked for something since the last look.
    pub(super) fn has_news(&self) -> bool {
        self.freeze.0.version.load(Ordering::Acquire) != self.seen
    }

    /// When the next freeze starts.
    pub(super) fn next_start(&self) -> Option<Offset> {
        self.next.map(|(start, _)| start)
    }

    /// Holds the thread while a freeze lasts; false, at once, if there is none at `now`.
    pub(super) fn hold(&mut self, now: Offset) -> bool {
        let mut held = false;
        if self.has_news() {
            self.look();
        }
        while let Some((_, end)) = self.next.filter(|(start, _)| *start <= now) {
            if now < end {
                self.keep(end);
                held = true;
            }
            self.cursor += 1;
            self.look();
        }
        held
    }

    fn look(&mut self) {
        let state = self.freeze.0.lock();
        self.seen = self.freeze.0.version.load(Ordering::Acquire);
        self.cursor = self.cursor.max(state.thawed);
        self.next = state.windows.get(self.cursor).copied();
    }

    fn keep(&self, end: Offset) {
        let started = self.epoch.now();
        let mut state = self.freeze.0.lock();
        while state.thawed <= self.cursor && self.epoch.now() < end {
            let rest = end.since(self.epoch.now());
            let waited = self.freeze.0.changed.wait_timeout(state, rest);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        state.history.push(Frozen { thread, started, ended: self.epoch.now() });
    }
}
