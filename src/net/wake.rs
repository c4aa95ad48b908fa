//! Who is ready: the list every channel's waker writes on and the loop reads once per turn.
//!
//! The runtime's reactor runs on the worker's own thread, so the lock is never contended; only the first entry of a
//! batch wakes the loop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// What became ready: a channel's number, or a listener's counted down from the highest number.
pub(super) type Key = u32;

/// Keys that became ready since the last turn. A key may stand there twice, or be stale: looking at a channel that is
/// not ready costs no system call.
#[derive(Debug, Default)]
pub(super) struct ReadyList(Mutex<Ready>);

#[derive(Debug, Default)]
struct Ready {
    keys: Vec<Key>,
    main: Option<Waker>,
}

impl ReadyList {
    /// Names the loop to be woken.
    pub(super) fn register(&self, main: &Waker) {
        self.lock().main = Some(main.clone());
    }

    /// Takes the keys; `into` must be empty, and its room is used for the next ones.
    pub(super) fn take(&self, into: &mut Vec<Key>) {
        debug_assert!(into.is_empty());
        std::mem::swap(&mut self.lock().keys, into);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().keys.is_empty()
    }

    /// The waker of one key: 32 bytes, made once per channel.
    pub(super) fn waker(self: &Arc<Self>, key: Key) -> Waker {
        Waker::from(Arc::new(KeyWaker { key, list: Arc::clone(self) }))
    }

    fn push(&self, key: Key) {
        let mut ready = self.lock();
        ready.keys.push(key);
        if ready.keys.len() == 1
            && let Some(main) = &ready.main
        {
            main.wake_by_ref();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ready> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct KeyWaker {
    key: Key,
    list: Arc<ReadyList>,
}

impl Wake for KeyWaker {
    fn wake(self: Arc<Self>) {
        self.list.push(self.key);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.list.push(self.key);
    }
}
