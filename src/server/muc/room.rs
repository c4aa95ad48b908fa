//! One room: who is in it, how it is set up, what it keeps.

use std::sync::Arc;

use crate::server::form::Form;
use crate::server::muc::OCCUPANTS_MAX;
use crate::server::muc::history::History;
use crate::server::muc::notice::Notice;
use crate::server::pipeline::SessionId;
use crate::units::Offset;

/// See the module text.
#[derive(Debug)]
pub(super) struct Room {
    /// Its bare JID.
    pub(super) jid: Arc<str>,
    /// The bare JID of whoever made it.
    pub(super) owner: Arc<str>,
    /// Whether nobody but the owner may enter yet.
    pub(super) is_locked: bool,
    pub(super) config: Config,
    /// What it was set to last, and when.
    pub(super) subject: Option<(Form, Offset)>,
    pub(super) history: History,
    occupants: Vec<Occupant>,
}

/// What the owner may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// Most occupants.
    pub(super) max_users: usize,
    /// Whether it stays when nobody is in it.
    pub(super) is_persistent: bool,
    /// Whether the service names it to those who ask.
    pub(super) is_public: bool,
    /// Whether every occupant may change the subject.
    pub(super) is_subject_free: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_users: OCCUPANTS_MAX, is_persistent: false, is_public: true, is_subject_free: false }
    }
}

/// A session in a room. Sessions of one account may share a nick; to the others they are one occupant.
#[derive(Debug)]
pub(super) struct Occupant {
    pub(super) nick: Arc<str>,
    /// The room's JID with the nick.
    pub(super) address: Arc<str>,
    /// The session, and its full JID.
    pub(super) recipient: (SessionId, Arc<str>),
    /// The account's bare JID.
    pub(super) bare: Arc<str>,
    pub(super) is_owner: bool,
    /// Its presence as the room shows it.
    pub(super) notice: Notice,
    /// Whether it is the first of the sessions with its nick.
    is_first: bool,
}

impl Room {
    pub(super) fn new(jid: &str, owner: Arc<str>) -> Self {
        Self {
            jid: jid.into(),
            owner,
            is_locked: true,
            config: Config::default(),
            subject: None,
            history: History::default(),
            occupants: Vec::new(),
        }
    }

    /// Everybody, in the order in which they entered.
    pub(super) fn occupants(&self) -> &[Occupant] {
        &self.occupants
    }

    /// One for each nick.
    pub(super) fn nicks(&self) -> impl Iterator<Item = &Occupant> {
        self.occupants.iter().filter(|occupant| occupant.is_first)
    }

    pub(super) fn is_owner(&self, bare: &str) -> bool {
        *self.owner == *bare
    }

    /// The place of a session among the occupants.
    pub(super) fn place(&self, session: SessionId) -> Option<usize> {
        self.occupants.iter().position(|occupant| occupant.recipient.0 == session)
    }

    pub(super) fn find(&self, session: SessionId) -> Option<&Occupant> {
        self.place(session).map(|at| &self.occupants[at])
    }

    /// Whoever has a nick; the first of them.
    pub(super) fn find_nick(&self, nick: &str) -> Option<&Occupant> {
        self.nicks().find(|occupant| *occupant.nick == *nick)
    }

    /// The place of a session with a nick.
    pub(super) fn place_of(&self, nick: &str) -> Option<usize> {
        self.occupants.iter().position(|occupant| *occupant.nick == *nick)
    }

    /// The room's JID with a nick.
    pub(super) fn address(&self, nick: &str) -> Arc<str> {
        format!("{}/{nick}", self.jid).into()
    }

    /// Adds a session that is not there, under a nick that is free or its own account's.
    pub(super) fn add(
        &mut self,
        nick: &str,
        recipient: (SessionId, Arc<str>),
        bare: &Arc<str>,
        notice: Notice,
    ) {
        let occupant = Occupant {
            nick: nick.into(),
            address: self.address(nick),
            recipient,
            bare: Arc::clone(bare),
            is_owner: self.is_owner(bare),
            notice,
            is_first: self.find_nick(nick).is_none(),
        };
        self.occupants.push(occupant);
    }

    /// Takes out who is at a place; whether its nick has gone with it.
    pub(super) fn remove(&mut self, at: usize) -> (Occupant, bool) {
        let gone = self.occupants.remove(at);
        let next = self.occupants.iter_mut().find(|occupant| occupant.nick == gone.nick);
        let is_last = next.is_none();
        if let Some(next) = next {
            next.is_first |= gone.is_first;
        }
        (gone, is_last)
    }

    /// Whether another session has the nick of the one at a place.
    pub(super) fn shares_nick(&self, at: usize) -> bool {
        let nick = &self.occupants[at].nick;
        self.occupants.iter().filter(|occupant| occupant.nick == *nick).nth(1).is_some()
    }

    /// Gives who is at a place another presence.
    pub(super) fn show(&mut self, at: usize, notice: Notice) {
        self.occupants[at].notice = notice;
    }

    /// Gives who is at a place a nick that is free.
    pub(super) fn rename(&mut self, at: usize, nick: &str, notice: Notice) {
        let address = self.address(nick);
        let occupant = &mut self.occupants[at];
        occupant.nick = nick.into();
        occupant.address = address;
        occupant.notice = notice;
    }
}

impl Occupant {
    /// Affiliation and role.
    pub(super) const fn standing(&self) -> (&'static str, &'static str) {
        standing(self.is_owner)
    }
}

/// Affiliation and role of an owner, or of anybody else.
pub(super) const fn standing(is_owner: bool) -> (&'static str, &'static str) {
    if is_owner { ("owner", "moderator") } else { ("none", "participant") }
}
