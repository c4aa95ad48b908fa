//! What is said in a room: to everybody (XEP-0045 section 7.4), to one (7.5), and what it is about (8.1).

use crate::machine::Outbox;
use crate::server::Server;
use crate::server::delivery::{Column, Parcel};
use crate::server::form::{Form, Id};
use crate::server::muc::registry::Rooms;
use crate::server::muc::room::Room;
use crate::server::muc::{Author, SUBJECT_MAX};
use crate::server::reply::{Denial, push};
use crate::server::stanza::token_of;
use crate::xmpp::Element;
use crate::xmpp::namespaces::MUC_USER;
use crate::xmpp::write::attribute;

impl Server {
    /// A message to everybody: one copy to each session, the sender's own included, all with its id.
    pub(super) fn say(
        &mut self,
        rooms: &mut Rooms,
        author: &Author,
        element: &Element<'_>,
        name: &str,
        out: &mut Outbox,
    ) -> Result<(), Denial> {
        let left = rooms.history_room();
        let room = rooms.get_mut(name).ok_or(Denial::NOT_FOUND)?;
        let occupant = room.find(author.id).ok_or(Denial::NOT_ACCEPTABLE)?;
        let form = Form::new(element.bytes(), Id::Kept, &occupant.address);
        let has_body = element.child_text("body").is_some();
        if !has_body && element.child_text("subject").is_some() {
            if !occupant.is_owner && !room.config.is_subject_free {
                return Err(Denial::FORBIDDEN);
            }
            if element.bytes().len() > SUBJECT_MAX {
                return Err(Denial::NOT_ACCEPTABLE);
            }
            let subject = Form::new(element.bytes(), Id::Removed, &occupant.address);
            room.subject = Some((subject, self.now));
        }
        let parcel = Parcel {
            form: &form,
            column: Column::Groupchat,
            token: token_of(element),
            sender: author.account,
            from_bare: &author.bare,
            to: None,
        };
        for occupant in room.occupants() {
            self.give(&parcel, &occupant.recipient, out);
        }
        if has_body {
            let before = room.history.bytes();
            room.history.keep(form, self.now, left);
            let after = room.history.bytes();
            rooms.note_kept(before, after);
        }
        Ok(())
    }

    /// A message to one nick.
    pub(super) fn whisper(
        &mut self,
        rooms: &Rooms,
        author: &Author,
        element: &Element<'_>,
        (name, nick): (&str, &str),
        out: &mut Outbox,
    ) -> Result<(), Denial> {
        let room = rooms.get(name).ok_or(Denial::NOT_FOUND)?;
        let occupant = room.find(author.id).ok_or(Denial::NOT_ACCEPTABLE)?;
        room.find_nick(nick).ok_or(Denial::NOT_FOUND)?;
        let mark = format!("<x xmlns='{MUC_USER}'/>");
        let form = Form::new(element.bytes(), Id::Kept, &occupant.address).with(&mark);
        let parcel = Parcel {
            form: &form,
            column: Column::Message,
            token: token_of(element),
            sender: author.account,
            from_bare: &author.bare,
            to: None,
        };
        for other in room.occupants().iter().filter(|other| *other.nick == *nick) {
            self.give(&parcel, &other.recipient, out);
        }
        Ok(())
    }

    /// The subject, with which entering a room is over: always, though there may be none (section 7.2.15).
    pub(super) fn show_subject(&mut self, room: &Room, author: &Author, out: &mut Outbox) {
        let set = room.subject.as_ref();
        let set = set.map(|(form, at)| form.clone().with(&self.delay(&room.jid, *at)));
        self.hand(Column::History, author.id, None, out, |bytes| match &set {
            Some(form) => form.write(bytes, &author.full),
            None => {
                push(bytes, "<message");
                attribute(bytes, "from", &room.jid);
                attribute(bytes, "to", &author.full);
                push(bytes, " type='groupchat'><subject></subject></message>");
            }
        });
    }
}
