//! What a driver drives, and what it tells about itself.

use std::time::Duration;

use crate::machine::{Machine, Outbox};
use crate::units::Offset;

/// The owner of all channels of one worker: a machine that also takes messages from elsewhere and watches the loop.
///
/// The drain rule of [`Machine`] holds for [`Host::handle_message`] too.
pub trait Host: Machine {
    /// What others send to this worker's inbox.
    type Message: Send;

    /// A message from the inbox.
    fn handle_message(&mut self, now: Offset, message: Self::Message, out: &mut Outbox);

    /// A turn ended. What the host wants to write or ask for waits for its next `handle_*`; it makes that come at once
    /// by answering [`Machine::poll_timeout`] with an instant that has passed.
    fn turn_ended(&mut self, turn: Turn, stats: &DriverStats) {
        let _ = (turn, stats);
    }

    /// Whether the driver is to return. Asked after every turn. Channels still open are then dropped without events.
    fn is_finished(&self) -> bool {
        false
    }
}

/// One pass of a worker's loop, from poll to the end of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When the loop ought to have woken up: the instant its timer was set to if that passed first, the end of the turn
    /// before if work was left over, else [`Turn::started`]. A stopped or starved process shows here and nowhere else.
    pub due: Offset,
    /// When the loop woke up.
    pub started: Offset,
    /// When everything that was ready had been handled.
    pub ended: Offset,
}

impl Turn {
    /// How long bytes may have lain in a socket unread, and due sends unsent: from `due` to the end.
    pub const fn span(self) -> Duration {
        self.ended.since(self.due)
    }

    /// How long the loop worked.
    pub const fn busy(self) -> Duration {
        self.ended.since(self.started)
    }
}

/// What a driver counts about itself, since it started unless said otherwise.
#[derive(Clone, Debug, Default)]
pub struct DriverStats {
    /// Turns made.
    pub turns: u64,
    /// Time spent in turns, in all; the rest was spent waiting.
    pub busy: Duration,
    /// Channels now: waiting, connecting, in handshake, open or closing.
    pub channels: usize,
    /// Channels now established.
    pub established: usize,
    /// Connects, accepts and handshake steps now waiting for their share of a turn.
    pub setup_waiting: usize,
    /// Bytes now written by the machine and not yet taken by the kernel.
    pub queued_bytes: u64,
    /// Key derivations and look-ups now waiting for their answer.
    pub pending_answers: usize,
    /// Sockets now abandoned and kept open.
    pub abandoned: usize,
    /// Bytes read (plaintext).
    pub bytes_in: u64,
    /// Bytes the kernel took (plaintext).
    pub bytes_out: u64,
    /// Reads that brought bytes.
    pub reads: u64,
    /// Writes the kernel took something of.
    pub writes: u64,
    /// Connects begun.
    pub connects: u64,
    /// Connections accepted.
    pub accepts: u64,
    /// Accepts that failed for want of descriptors or memory.
    pub accept_failures: u64,
    /// TLS handshakes completed.
    pub handshakes: u64,
    /// Effects on a channel that is gone or ending: the machine could not know yet, or it is wrong.
    pub ignored: u64,
}
