//! What the server is and offers, found out for all users by a few of them.
//!
//! *Looking*: what the streams of a login offer is written down of the first logins, at most [`LOOKERS`] at a time, until one of
//! them has come online. *Asking*: whoever comes online asks what software the server is (XEP-0092), unless somebody has; one whose
//! session ends before the answer gives way to the next who comes online. So a first account with a wrong password, a target
//! that hangs or a first user that is cut leaves no result without a server's name; and a server is asked by one user at a time.

use std::sync::atomic::Ordering;

use crate::engine::shard::Shard;
use crate::engine::shard::report::Occasion;
use crate::machine::{Channel, Outbox};
use crate::units::Offset;
use crate::user::User;
use crate::xmpp::{Offered, Software};

/// So many logins are looked at at once: one may hang, and all of a storm would be work for nothing.
const LOOKERS: u32 = 4;

/// See the module text. Channels are this shard's.
#[derive(Debug, Default)]
pub(super) struct Scouts {
    looking: Vec<Channel>,
    asking: Option<Channel>,
    /// The server said to one of this shard's users what it is.
    is_named: bool,
    /// What was offered and is not handed over yet.
    pub(super) offered: Option<Box<Offered>>,
}

impl Scouts {
    pub(super) fn look(&self, channel: Channel) -> bool {
        self.looking.contains(&channel)
    }

    pub(super) fn note_offered(&mut self, offered: Offered) {
        self.offered.get_or_insert_default().add(offered);
    }
}

impl Shard {
    /// A user begins to log in.
    pub(super) fn may_look(&mut self, channel: Channel) {
        let run = &self.run;
        let one_more = |looking: u32| (looking < LOOKERS).then_some(looking + 1);
        if !run.is_described.load(Ordering::Relaxed)
            && run.looking.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
        {
            self.scouts.looking.push(channel);
        }
    }

    /// A user has come online.
    pub(super) fn scout_arrived(&mut self, now: Offset, channel: Channel, out: &mut Outbox) {
        if self.stop_looking(channel) {
            self.run.is_described.store(true, Ordering::Relaxed);
        }
        if !self.scouts.is_named && !self.run.has_asked.swap(true, Ordering::Relaxed) {
            self.scouts.asking = Some(channel);
            self.with_user(now, channel, out, User::ask_version);
        }
    }

    /// A user's stream is gone.
    pub(super) fn scout_ended(&mut self, channel: Channel) {
        self.stop_looking(channel);
        if self.scouts.asking.take_if(|asking| *asking == channel).is_some() && !self.scouts.is_named {
            self.run.has_asked.store(false, Ordering::Relaxed);
        }
    }

    fn stop_looking(&mut self, channel: Channel) -> bool {
        let Some(index) = self.scouts.looking.iter().position(|looking| *looking == channel) else {
            return false;
        };
        self.scouts.looking.swap_remove(index);
        self.run.looking.fetch_sub(1, Ordering::Relaxed);
        true
    }

    /// Once: a server that goes on saying it, asked or not, has said it.
    pub(super) fn note_software(&mut self, at: Offset, software: Box<Software>) {
        if !std::mem::replace(&mut self.scouts.is_named, true) {
            self.hand_over(at, Occasion::Named(software));
        }
    }
}
