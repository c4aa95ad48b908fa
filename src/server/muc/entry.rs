//! Entering a room, changing one's presence or nick in it, leaving it (XEP-0045 sections 7.2, 7.6, 7.7, 7.14).

use std::sync::Arc;

use crate::machine::Outbox;
use crate::server::Server;
use crate::server::delivery::Column;
use crate::server::muc::history::Wanted;
use crate::server::muc::notice::{Item, Notice, Reader};
use crate::server::muc::registry::Rooms;
use crate::server::muc::room::{Occupant, Room, standing};
use crate::server::muc::{Author, NAME_MAX, OCCUPANTS_MAX};
use crate::server::pipeline::SessionId;
use crate::server::reply::Denial;
use crate::xmpp::Element;
use crate::xmpp::namespaces::MUC;

/// Whom a notice is about, and what is added for them and for everybody else.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) nick: &'a str,
    /// The full JID, for the owner to see.
    pub(super) jid: &'a str,
    pub(super) own_codes: &'static [&'static str],
    pub(super) codes: &'static [&'static str],
}

impl Server {
    /// Presence without a type to a nick: its sender enters, or changes what it shows.
    pub(super) fn enter(
        &mut self,
        rooms: &mut Rooms,
        author: &Author,
        element: &Element<'_>,
        (name, nick): (&str, &str),
        out: &mut Outbox,
    ) -> Result<(), Denial> {
        if nick.len() > NAME_MAX {
            return Err(Denial::NOT_ACCEPTABLE);
        }
        let wants_in = element.child("x", MUC).is_some();
        if let Some(room) = rooms.get_mut(name)
            && let Some(at) = room.place(author.id)
        {
            if *room.occupants()[at].nick != *nick {
                return self.change_nick(room, at, element, nick, out);
            }
            self.change_presence(room, at, element, out);
            if wants_in {
                self.show_room(room, author, element, out);
            }
            return Ok(());
        }
        if !wants_in {
            return Err(Denial::NOT_ACCEPTABLE);
        }
        rooms.check_stays(author.id)?;
        match rooms.get(name) {
            Some(room) => may_enter(room, author, nick)?,
            None => rooms.create(name, &author.bare)?,
        }
        rooms.note_entry(author.id, name);
        if let Some(room) = rooms.get_mut(name) {
            self.admit(room, author, element, nick, out);
        }
        Ok(())
    }

    /// A session leaves a room, if it is there: with this presence, or by its end.
    pub(super) fn leave(
        &mut self,
        rooms: &mut Rooms,
        id: SessionId,
        name: &str,
        element: Option<&Element<'_>>,
        out: &mut Outbox,
    ) {
        let Some(room) = rooms.get_mut(name) else { return };
        let Some(at) = room.place(id) else { return };
        let (affiliation, _) = room.occupants()[at].standing();
        let item = Item { affiliation, role: "none", ..Item::default() };
        let notice = Notice::new(element, &room.occupants()[at].address, Some("unavailable"), item);
        self.put_out(rooms, name, at, &notice, (&["110"], &[]), out);
    }

    /// Takes whoever is at a place out of a room, tells them and the others, and forgets the room if nobody is left.
    pub(super) fn put_out(
        &mut self,
        rooms: &mut Rooms,
        name: &str,
        at: usize,
        notice: &Notice,
        (own_codes, codes): (&'static [&'static str], &'static [&'static str]),
        out: &mut Outbox,
    ) {
        let Some(room) = rooms.get_mut(name) else { return };
        let (gone, is_last) = room.remove(at);
        let (session, full) = &gone.recipient;
        let reader = Reader { to: full, jid: gone.is_owner.then_some(&**full), codes: own_codes };
        self.hand(Column::Presence, *session, None, out, |bytes| notice.write(bytes, reader));
        if is_last {
            let about = About { nick: &gone.nick, jid: full, own_codes, codes };
            self.announce(room, about, notice, out);
        }
        if room.occupants().is_empty() && !room.config.is_persistent {
            rooms.remove(name);
        }
        rooms.note_exit(*session, name);
    }

    /// Tells everybody in a room.
    pub(super) fn announce(&mut self, room: &Room, about: About<'_>, notice: &Notice, out: &mut Outbox) {
        for occupant in room.occupants() {
            let (session, full) = &occupant.recipient;
            let codes = if *occupant.nick == *about.nick { about.own_codes } else { about.codes };
            let jid = occupant.is_owner.then_some(about.jid);
            let reader = Reader { to: full, jid, codes };
            self.hand(Column::Presence, *session, None, out, |bytes| notice.write(bytes, reader));
        }
    }

    /// Who enters is shown who is there, then itself as the others see it, then what was said (section 7.2.2).
    fn admit(
        &mut self,
        room: &mut Room,
        author: &Author,
        element: &Element<'_>,
        nick: &str,
        out: &mut Outbox,
    ) {
        let is_new = room.is_locked && room.occupants().is_empty();
        self.show_occupants(room, author, out);
        let (affiliation, role) = standing(room.is_owner(&author.bare));
        let item = Item { affiliation, role, ..Item::default() };
        let notice = Notice::new(Some(element), &room.address(nick), None, item);
        room.add(nick, (author.id, Arc::clone(&author.full)), &author.bare, notice.clone());
        let own_codes: &[_] = if is_new { &["110", "201"] } else { &["110"] };
        let about = About { nick, jid: &author.full, own_codes, codes: &[] };
        self.announce(room, about, &notice, out);
        self.show_talk(room, author, element, out);
    }

    /// Shows an occupant everything once more, as it asked to enter again.
    fn show_room(&mut self, room: &Room, author: &Author, element: &Element<'_>, out: &mut Outbox) {
        self.show_occupants(room, author, out);
        self.show_talk(room, author, element, out);
    }

    fn show_occupants(&mut self, room: &Room, author: &Author, out: &mut Outbox) {
        let sees_jids = room.is_owner(&author.bare);
        for other in room.nicks().filter(|other| other.recipient.0 != author.id) {
            let jid = sees_jids.then_some(&*other.recipient.1);
            let reader = Reader { to: &author.full, jid, codes: &[] };
            self.hand(Column::Presence, author.id, None, out, |bytes| other.notice.write(bytes, reader));
        }
    }

    fn show_talk(&mut self, room: &Room, author: &Author, element: &Element<'_>, out: &mut Outbox) {
        let wanted = Wanted::of(element);
        for (form, at) in room.history.pick(&wanted, self.now, |at| self.stamp(at)) {
            let form = form.clone().with(&self.delay(&room.jid, *at));
            self.hand(Column::History, author.id, None, out, |bytes| form.write(bytes, &author.full));
        }
        self.show_subject(room, author, out);
    }

    fn change_presence(&mut self, room: &mut Room, at: usize, element: &Element<'_>, out: &mut Outbox) {
        let occupant = &room.occupants()[at];
        let notice = Notice::new(Some(element), &occupant.address, None, item_of(occupant));
        room.show(at, notice.clone());
        let occupant = &room.occupants()[at];
        let about =
            About { nick: &occupant.nick, jid: &occupant.recipient.1, own_codes: &["110"], codes: &[] };
        self.announce(room, about, &notice, out);
    }

    /// Section 7.6: gone under the old nick, with the new one told; there under the new one.
    fn change_nick(
        &mut self,
        room: &mut Room,
        at: usize,
        element: &Element<'_>,
        nick: &str,
        out: &mut Outbox,
    ) -> Result<(), Denial> {
        if room.find_nick(nick).is_some() {
            return Err(Denial::CONFLICT);
        }
        if room.shares_nick(at) {
            return Err(Denial::NOT_ACCEPTABLE);
        }
        let occupant = &room.occupants()[at];
        let (old, full) = (Arc::clone(&occupant.nick), Arc::clone(&occupant.recipient.1));
        let item = item_of(occupant);
        let gone =
            Notice::new(None, &occupant.address, Some("unavailable"), Item { nick: Some(nick), ..item });
        let notice = Notice::new(Some(element), &room.address(nick), None, item);
        let about = About { nick: &old, jid: &full, own_codes: &["303", "110"], codes: &["303"] };
        self.announce(room, about, &gone, out);
        room.rename(at, nick, notice.clone());
        let about = About { nick, jid: &full, own_codes: &["110"], codes: &[] };
        self.announce(room, about, &notice, out);
        Ok(())
    }
}

/// Whether somebody who is not in a room may enter it (section 7.2.5 and following).
fn may_enter(room: &Room, author: &Author, nick: &str) -> Result<(), Denial> {
    let is_owner = room.is_owner(&author.bare);
    if room.is_locked && !is_owner {
        return Err(Denial::NOT_FOUND);
    }
    if room.find_nick(nick).is_some_and(|holder| holder.bare != author.bare) {
        return Err(Denial::CONFLICT);
    }
    let count = room.occupants().len();
    if count >= OCCUPANTS_MAX || (count >= room.config.max_users && !is_owner) {
        return Err(Denial::FULL);
    }
    Ok(())
}

fn item_of(occupant: &Occupant) -> Item<'static> {
    let (affiliation, role) = occupant.standing();
    Item { affiliation, role, ..Item::default() }
}
