//! When a user that came online is counted on: a server that has its presence shows it to it (RFC 6121 §4.2.2).
//!
//! Until then a message to it may be stored or refused, and presence withheld, rightly: it is "starting a session". A server that
//! was never heard to echo gets a fixed while instead; one that echoes is waited for, however long a busy one takes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::shard::Shard;
use crate::engine::whereabouts::Presence;
use crate::sample::UserIndex;
use crate::units::Offset;

/// How long a server may take to echo presence before its silence is taken for consent.
const PATIENCE: Duration = Duration::from_millis(500);

/// Who waits for its echo. Users are numbered within the shard.
#[derive(Default)]
pub(super) struct Settling {
    /// Until when, who, and which of its logins it was.
    waiting: VecDeque<(Offset, u32, u32)>,
    /// The server shows users their own presence: its silence is no consent.
    echoes: bool,
}

impl Settling {
    /// A user sent its initial presence.
    pub(super) fn begin(&mut self, now: Offset, local: u32, attempt: u32) {
        if !self.echoes {
            self.waiting.push_back((now + PATIENCE, local, attempt));
        }
    }

    /// The server showed somebody its own presence.
    pub(super) fn heard_echo(&mut self) {
        self.echoes = true;
        self.waiting.clear();
    }

    /// Whose patience is over.
    pub(super) fn take_due(&mut self, now: Offset) -> Option<(u32, u32)> {
        self.waiting.pop_front_if(|(until, _, _)| *until <= now).map(|(_, local, attempt)| (local, attempt))
    }

    /// When the next one's is.
    pub(super) fn next(&self) -> Option<Offset> {
        self.waiting.front().map(|(until, _, _)| *until)
    }
}

impl Shard {
    /// The server showed a user its own presence, or had its time to.
    pub(super) fn settle_user(&mut self, now: Offset, local: u32) {
        self.since[local as usize] = now;
        self.whereabouts.set(UserIndex(self.range.start + local), Presence::Online);
    }

    /// The same, unless it was long ago or that session is gone.
    pub(super) fn settle_if_still(&mut self, now: Offset, (local, attempt): (u32, u32)) {
        let user = UserIndex(self.range.start + local);
        let same = self.users[local as usize].is_online() && self.logins.attempt(local) == attempt;
        if same && !self.whereabouts.is_online(user) {
            self.settle_user(now, local);
        }
    }
}
