//! Putting somebody out of a room (XEP-0045 section 8.2). No other change of roles is done here.

use crate::machine::Outbox;
use crate::server::Server;
use crate::server::muc::notice::{Item, Notice};
use crate::server::muc::registry::Rooms;
use crate::server::muc::{Author, MUC_ADMIN, SUBJECT_MAX};
use crate::server::reply::{self, Denial};
use crate::xmpp::Element;

impl Server {
    /// A `muc#admin` request that changes something.
    pub(super) fn kick(
        &mut self,
        rooms: &mut Rooms,
        author: &Author,
        query: &Element<'_>,
        name: &str,
        out: &mut Outbox,
    ) -> Result<(), Denial> {
        let room = rooms.get(name).ok_or(Denial::NOT_FOUND)?;
        if !room.is_owner(&author.bare) {
            return Err(Denial::FORBIDDEN);
        }
        let item = query.child("item", MUC_ADMIN).ok_or(Denial::BAD_REQUEST)?;
        let nick = item.attribute("nick").ok_or(Denial::BAD_REQUEST)?;
        if item.attribute("role").as_deref() != Some("none") || item.attribute("affiliation").is_some() {
            return Err(Denial::NOT_ALLOWED);
        }
        if query.bytes().len() > SUBJECT_MAX {
            return Err(Denial::NOT_ACCEPTABLE);
        }
        let kicked = room.find_nick(&nick).ok_or(Denial::NOT_FOUND)?;
        if kicked.is_owner {
            return Err(Denial::NOT_ALLOWED);
        }
        let mut reason = Vec::new();
        if let Some(text) = item.child_text("reason") {
            reply::element(&mut reason, "reason", &text);
        }
        let inside = String::from_utf8_lossy(&reason);
        let item = Item { affiliation: "none", role: "none", inside: &inside, ..Item::default() };
        let notice = Notice::new(None, &kicked.address, Some("unavailable"), item);
        // All sessions with the nick go; each is told once, the others when the last of them went.
        while let Some(at) = rooms.get(name).and_then(|room| room.place_of(&nick)) {
            self.put_out(rooms, name, at, &notice, (&["110", "307"], &["307"]), out);
        }
        Ok(())
    }
}
