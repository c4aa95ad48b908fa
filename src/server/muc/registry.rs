//! All rooms there are, and who is in which.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::server::muc::room::Room;
use crate::server::muc::{HISTORY_TOTAL_MAX, NAME_MAX, ROOMS_MAX, STAYS_MAX};
use crate::server::pipeline::SessionId;
use crate::server::reply::Denial;

/// See the module text. Rooms are kept by name, so that nothing depends on the order of a hash table.
#[derive(Debug, Default)]
pub(in crate::server) struct Rooms {
    domain: String,
    by_name: BTreeMap<Arc<str>, Room>,
    /// The names of the rooms each session is in, in the order in which it entered; none is empty.
    stays: HashMap<SessionId, Vec<Arc<str>>>,
    /// The bytes of all histories together.
    kept: usize,
}

impl Rooms {
    /// None, at the service of this domain.
    pub(in crate::server) fn new(domain: &str) -> Self {
        Self { domain: format!("conference.{domain}"), ..Self::default() }
    }

    /// Where they are.
    pub(in crate::server) fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether a domain is where they are.
    pub(in crate::server) fn is_at(&self, domain: &str) -> bool {
        self.domain.eq_ignore_ascii_case(domain)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Room> {
        self.by_name.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Room> {
        self.by_name.get_mut(name)
    }

    /// By name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Room> {
        self.by_name.values()
    }

    /// Makes a room that is not there.
    pub(super) fn create(&mut self, name: &str, owner: &Arc<str>) -> Result<(), Denial> {
        if self.by_name.len() >= ROOMS_MAX {
            return Err(Denial::RESOURCE_CONSTRAINT);
        }
        if name.len() > NAME_MAX {
            return Err(Denial::NOT_ACCEPTABLE);
        }
        let room = Room::new(&format!("{name}@{}", self.domain), Arc::clone(owner));
        self.by_name.insert(name.into(), room);
        Ok(())
    }

    /// Forgets a room, and that anybody was in it.
    pub(super) fn remove(&mut self, name: &str) -> Option<Room> {
        let room = self.by_name.remove(name)?;
        self.kept -= room.history.bytes();
        for occupant in room.occupants() {
            self.note_exit(occupant.recipient.0, name);
        }
        Some(room)
    }

    /// The rooms a session is in.
    pub(super) fn stays(&self, session: SessionId) -> &[Arc<str>] {
        self.stays.get(&session).map_or(&[], Vec::as_slice)
    }

    /// Whether a session may enter one more.
    pub(super) fn check_stays(&self, session: SessionId) -> Result<(), Denial> {
        if self.stays(session).len() < STAYS_MAX { Ok(()) } else { Err(Denial::RESOURCE_CONSTRAINT) }
    }

    pub(super) fn note_entry(&mut self, session: SessionId, name: &str) {
        self.stays.entry(session).or_default().push(name.into());
    }

    pub(super) fn note_exit(&mut self, session: SessionId, name: &str) {
        let Some(names) = self.stays.get_mut(&session) else { return };
        names.retain(|entered| **entered != *name);
        if names.is_empty() {
            self.stays.remove(&session);
        }
    }

    /// How many bytes more may be kept of what is said.
    pub(super) const fn history_room(&self) -> usize {
        HISTORY_TOTAL_MAX - self.kept
    }

    /// A history of so many bytes has become one of so many.
    pub(super) const fn note_kept(&mut self, before: usize, after: usize) {
        self.kept = self.kept + after - before;
    }
}
