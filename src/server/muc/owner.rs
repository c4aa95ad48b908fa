//! What the owner may do: set a room up (XEP-0045 sections 10.1 and 10.2), destroy it (10.9).

use crate::machine::Outbox;
use crate::server::Server;
use crate::server::delivery::Column;
use crate::server::muc::notice::{Item, Notice, Reader};
use crate::server::muc::registry::Rooms;
use crate::server::muc::room::{Config, Room};
use crate::server::muc::{Author, OCCUPANTS_MAX, SUBJECT_MAX};
use crate::server::reply::{self, Denial, push};
use crate::xmpp::Element;
use crate::xmpp::namespaces::{MUC_OWNER, MUC_USER};
use crate::xmpp::write::attribute;

/// Forms (XEP-0004).
const FORMS: &str = "jabber:x:data";
const FORM_TYPE: &str = "http://jabber.org/protocol/muc#roomconfig";

impl Server {
    /// A `muc#owner` request: its answer's payload.
    pub(super) fn own(
        &mut self,
        rooms: &mut Rooms,
        author: &Author,
        query: &Element<'_>,
        (name, is_get): (&str, bool),
        out: &mut Outbox,
    ) -> Result<Vec<u8>, Denial> {
        let room = rooms.get_mut(name).ok_or(Denial::NOT_FOUND)?;
        if !room.is_owner(&author.bare) {
            return Err(Denial::FORBIDDEN);
        }
        if is_get {
            return Ok(write_form(&room.config));
        }
        if let Some(destroy) = query.child("destroy", MUC_OWNER) {
            self.destroy(rooms, name, &destroy, out)?;
            return Ok(Vec::new());
        }
        let form = query.child("x", FORMS).ok_or(Denial::BAD_REQUEST)?;
        match form.attribute("type").as_deref() {
            Some("submit") => self.configure(room, &form, out)?,
            Some("cancel") if room.is_locked => self.close_room(rooms, name, "<destroy/>", out),
            Some("cancel") => {}
            _ => return Err(Denial::BAD_REQUEST),
        }
        Ok(Vec::new())
    }

    /// A form without fields accepts the room as it is (section 10.1.2).
    fn configure(&mut self, room: &mut Room, form: &Element<'_>, out: &mut Outbox) -> Result<(), Denial> {
        room.config = read_form(form, room.config)?;
        if std::mem::take(&mut room.is_locked) {
            return Ok(());
        }
        for occupant in room.occupants() {
            let (session, full) = &occupant.recipient;
            self.hand(Column::History, *session, None, out, |bytes| {
                push(bytes, "<message");
                attribute(bytes, "from", &room.jid);
                attribute(bytes, "to", full);
                push(
                    bytes,
                    &format!(" type='groupchat'><x xmlns='{MUC_USER}'><status code='104'/></x></message>"),
                );
            });
        }
        Ok(())
    }

    fn destroy(
        &mut self,
        rooms: &mut Rooms,
        name: &str,
        request: &Element<'_>,
        out: &mut Outbox,
    ) -> Result<(), Denial> {
        if request.bytes().len() > SUBJECT_MAX {
            return Err(Denial::NOT_ACCEPTABLE);
        }
        let mut told = b"<destroy".to_vec();
        if let Some(elsewhere) = request.attribute("jid") {
            attribute(&mut told, "jid", &elsewhere);
        }
        told.push(b'>');
        if let Some(reason) = request.child_text("reason") {
            reply::element(&mut told, "reason", &reason);
        }
        push(&mut told, "</destroy>");
        self.close_room(rooms, name, &String::from_utf8_lossy(&told), out);
        Ok(())
    }

    /// Tells everybody in a room that it is no more, and forgets it.
    fn close_room(&mut self, rooms: &mut Rooms, name: &str, told: &str, out: &mut Outbox) {
        let Some(room) = rooms.remove(name) else { return };
        for occupant in room.occupants() {
            let item = Item { affiliation: "none", role: "none", behind: told, ..Item::default() };
            let notice = Notice::new(None, &occupant.address, Some("unavailable"), item);
            let (session, full) = &occupant.recipient;
            let jid = occupant.is_owner.then_some(&**full);
            let reader = Reader { to: full, jid, codes: &["110"] };
            self.hand(Column::Presence, *session, None, out, |bytes| notice.write(bytes, reader));
        }
    }
}

/// What a form says, on top of what holds already; fields that are not known here are let be.
fn read_form(form: &Element<'_>, mut config: Config) -> Result<Config, Denial> {
    for field in form.children().filter(|child| child.is("field", FORMS)) {
        let value = field.child_text("value").unwrap_or_default();
        let value = value.trim();
        let flag = || match value {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(Denial::NOT_ACCEPTABLE),
        };
        match field.attribute("var").as_deref() {
            Some("FORM_TYPE") if value != FORM_TYPE => return Err(Denial::NOT_ACCEPTABLE),
            Some("muc#roomconfig_maxusers") => config.max_users = read_max_users(value)?,
            Some("muc#roomconfig_persistentroom") => config.is_persistent = flag()?,
            Some("muc#roomconfig_publicroom") => config.is_public = flag()?,
            Some("muc#roomconfig_changesubject") => config.is_subject_free = flag()?,
            Some("muc#roomconfig_membersonly") if flag()? => return Err(Denial::NOT_ACCEPTABLE),
            _ => {}
        }
    }
    Ok(config)
}

fn read_max_users(value: &str) -> Result<usize, Denial> {
    match value.parse() {
        Ok(count @ 1..=OCCUPANTS_MAX) => Ok(count),
        Err(_) if value == "none" => Ok(OCCUPANTS_MAX),
        _ => Err(Denial::NOT_ACCEPTABLE),
    }
}

fn write_form(config: &Config) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, &format!("<query xmlns='{MUC_OWNER}'><x xmlns='{FORMS}' type='form'>"));
    push(&mut out, "<title>Room configuration</title>");
    let flag = |is_set: bool| if is_set { "1" } else { "0" };
    for (kind, var, label, value) in [
        ("hidden", "FORM_TYPE", "", FORM_TYPE),
        ("text-single", "muc#roomconfig_maxusers", "Most occupants", &*config.max_users.to_string()),
        ("boolean", "muc#roomconfig_persistentroom", "Stays when empty", flag(config.is_persistent)),
        ("boolean", "muc#roomconfig_publicroom", "Named to those who ask", flag(config.is_public)),
        (
            "boolean",
            "muc#roomconfig_changesubject",
            "Anybody may set the subject",
            flag(config.is_subject_free),
        ),
        ("boolean", "muc#roomconfig_membersonly", "Members only", "0"),
    ] {
        push(&mut out, "<field");
        attribute(&mut out, "type", kind);
        attribute(&mut out, "var", var);
        if !label.is_empty() {
            attribute(&mut out, "label", label);
        }
        push(&mut out, ">");
        reply::element(&mut out, "value", value);
        push(&mut out, "</field>");
    }
    push(&mut out, "</x></query>");
    out
}
