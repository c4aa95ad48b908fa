//! The bounded inbox of a worker: the one way in for other threads.
//!
//! Messages travel in batches and wake the worker once per batch, and not at all if it has not yet taken the batch
//! before. Nothing here blocks for longer than it takes to move a batch.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// An inbox that holds at most `capacity` messages.
pub fn inbox<M>(capacity: usize) -> (InboxSender<M>, InboxReceiver<M>) {
    let state = State { messages: VecDeque::new(), waker: None, open: true };
    let shared = Arc::new(Shared { capacity, state: Mutex::new(state) });
    (InboxSender(Arc::clone(&shared)), InboxReceiver(shared))
}

/// The inbox is full, or its worker is gone: the messages were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InboxFull {
    /// No room now; try again later.
    #[error("a worker's inbox is full")]
    Full,
    /// Nobody will ever read them.
    #[error("a worker has ended")]
    Gone,
}

/// The sending side; clone it at will.
#[derive(Debug)]
pub struct InboxSender<M>(Arc<Shared<M>>);

impl<M> Clone for InboxSender<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> InboxSender<M> {
    /// Sends one message.
    pub fn try_send(&self, message: M) -> Result<(), InboxFull> {
        let mut batch = vec![message];
        self.try_send_batch(&mut batch)
    }

    /// Sends from the front of `batch` as many as there is room for, in order; those sent are removed from it. An
    /// error says that some are left.
    pub fn try_send_batch(&self, batch: &mut Vec<M>) -> Result<(), InboxFull> {
        if batch.is_empty() {
            return Ok(());
        }
        let (waker, result) = {
            let mut state = self.0.lock();
            if !state.open {
                return Err(InboxFull::Gone);
            }
            let was_empty = state.messages.is_empty();
            let room = self.0.capacity - state.messages.len();
            let taken = batch.len().min(room);
            state.messages.extend(batch.drain(..taken));
            let waker = if was_empty && taken > 0 { state.waker.clone() } else { None };
            (waker, if batch.is_empty() { Ok(()) } else { Err(InboxFull::Full) })
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }
}

/// The worker's side.
#[derive(Debug)]
pub struct InboxReceiver<M>(Arc<Shared<M>>);

impl<M> InboxReceiver<M> {
    /// Names whom to wake.
    pub(super) fn register(&self, waker: &Waker) {
        self.0.lock().waker = Some(waker.clone());
    }

    /// Whether there is nothing to take.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().messages.is_empty()
    }

    /// Takes everything; `into` must be empty and gets the messages, the inbox gets its room.
    pub(super) fn take(&self, into: &mut VecDeque<M>) {
        debug_assert!(into.is_empty());
        std::mem::swap(&mut self.0.lock().messages, into);
    }
}

impl<M> Drop for InboxReceiver<M> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.open = false;
        state.messages.clear();
    }
}

#[derive(Debug)]
struct Shared<M> {
    capacity: usize,
    state: Mutex<State<M>>,
}

#[derive(Debug)]
struct State<M> {
    messages: VecDeque<M>,
    waker: Option<Waker>,
    open: bool,
}

impl<M> Shared<M> {
    /// A sender that panicked leaves the queue whole: moving messages cannot tear it.
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_stays_with_the_sender_in_order() {
        let (sender, receiver) = inbox(3);
        assert_eq!(sender.try_send(1), Ok(()));
        let mut batch = vec![2, 3, 4, 5];
        assert_eq!(sender.try_send_batch(&mut batch), Err(InboxFull::Full));
        assert_eq!(batch, [4, 5]);
        let mut taken = VecDeque::new();
        receiver.take(&mut taken);
        assert_eq!(taken, [1, 2, 3]);
        assert_eq!(sender.try_send_batch(&mut batch), Ok(()));
        assert!(batch.is_empty());
    }

    #[test]
    fn a_worker_that_ended_takes_nothing() {
        let (sender, receiver) = inbox(1);
        drop(receiver);
        assert_eq!(sender.try_send(1), Err(InboxFull::Gone));
    }
}
