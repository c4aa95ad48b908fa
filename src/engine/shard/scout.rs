//! The scout: one user of the run at a time who looks what the server is and offers, for all of them.
//!
//! Whoever begins to log in first is it. One whose session ends before the server has said what it is gives way to the next
//! who logs in: a first user with a wrong password, or one that is cut, does not leave the result without a name. A server
//! that does not tell is asked once by each scout, never by two at a time.

use std::sync::atomic::Ordering;

use crate::engine::shard::Shard;
use crate::engine::shard::report::Occasion;
use crate::machine::Channel;
use crate::units::Offset;
use crate::xmpp::{Offered, Software};

/// See the module text.
#[derive(Debug, Default)]
pub(super) struct Scout {
    /// On which channel it is, if it is one of this shard's.
    channel: Option<Channel>,
    /// The server said to one of this shard's users what it is.
    is_named: bool,
}

impl Scout {
    pub(super) fn is(&self, channel: Channel) -> bool {
        self.channel == Some(channel)
    }
}

impl Shard {
    /// A user begins to log in: it is the scout if there is none.
    pub(super) fn may_scout(&mut self, channel: Channel) {
        if !self.run.has_scout.swap(true, Ordering::Relaxed) {
            self.scout.channel = Some(channel);
        }
    }

    /// A user's stream is gone.
    pub(super) fn scout_ended(&mut self, channel: Channel) {
        if self.scout.is(channel) && !self.scout.is_named {
            self.scout.channel = None;
            self.run.has_scout.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn note_offered(&mut self, at: Offset, offered: Box<Offered>) {
        self.hand_over(at, Occasion::Offered(offered));
    }

    /// Once: a server that goes on saying it, asked or not, has said it.
    pub(super) fn note_software(&mut self, at: Offset, software: Box<Software>) {
        if !std::mem::replace(&mut self.scout.is_named, true) {
            self.hand_over(at, Occasion::Named(software));
        }
    }
}
