//! What a room or the service answers: what it is, what is there (XEP-0045 section 6), pings (XEP-0410 among them).

use crate::machine::{Channel, Outbox};
use crate::server::Server;
use crate::server::muc::registry::Rooms;
use crate::server::muc::room::Room;
use crate::server::muc::{Address, Author, ITEMS_MAX, MUC_ADMIN};
use crate::server::reply::{Denial, push};
use crate::server::session::Bound;
use crate::xmpp::Element;
use crate::xmpp::namespaces::{DISCO_INFO, DISCO_ITEMS, MUC, MUC_OWNER, PING};
use crate::xmpp::write::attribute;

impl Server {
    /// A request to the service itself.
    pub(in crate::server) fn rooms_iq(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        out: &mut Outbox,
    ) {
        let is_get = element.stanza_type().as_deref() == Some("get");
        let answer = match element.children().next() {
            Some(child) if is_get && child.is("ping", PING) => Ok(Vec::new()),
            Some(child) if is_get && child.is("query", DISCO_INFO) => {
                no_node(&child).map(|()| service_info())
            }
            Some(child) if is_get && child.is("query", DISCO_ITEMS) => {
                no_node(&child).map(|()| service_items(&self.rooms))
            }
            _ => Err(Denial::UNAVAILABLE),
        };
        self.answer_with(channel, bound, element, answer, out);
    }

    /// A request to a room or an occupant: its answer's payload.
    pub(super) fn answer_for_room(
        &mut self,
        rooms: &mut Rooms,
        author: &Author,
        element: &Element<'_>,
        (name, nick): Address<'_>,
        out: &mut Outbox,
    ) -> Result<Vec<u8>, Denial> {
        let room = rooms.get(name).ok_or(Denial::NOT_FOUND)?;
        let child = element.children().next().ok_or(Denial::BAD_REQUEST)?;
        let is_get = element.stanza_type().as_deref() == Some("get");
        if let Some(nick) = nick {
            return answer_for_occupant(room, author, nick, is_get && child.is("ping", PING));
        }
        match (child.local(), &*child.namespace(), is_get) {
            ("ping", PING, true) => Ok(Vec::new()),
            ("query", DISCO_INFO, true) => no_node(&child).map(|()| room_info(room)),
            ("query", DISCO_ITEMS, true) => no_node(&child).map(|()| room_items(room)),
            ("query", MUC_OWNER, _) => self.own(rooms, author, &child, (name, is_get), out),
            ("query", MUC_ADMIN, false) => self.kick(rooms, author, &child, name, out).map(|()| Vec::new()),
            _ => Err(Denial::UNAVAILABLE),
        }
    }
}

/// A ping to one's own nick asks whether one is still in the room (XEP-0410); nothing else is answered for an occupant.
fn answer_for_occupant(room: &Room, author: &Author, nick: &str, is_ping: bool) -> Result<Vec<u8>, Denial> {
    let own = room.find(author.id).ok_or(Denial::NOT_ACCEPTABLE)?;
    if is_ping && *own.nick == *nick { Ok(Vec::new()) } else { Err(Denial::UNAVAILABLE) }
}

fn no_node(query: &Element<'_>) -> Result<(), Denial> {
    if query.attribute("node").is_none() { Ok(()) } else { Err(Denial::NOT_FOUND) }
}

fn service_info() -> Vec<u8> {
    info("xmpp-bench rooms", &[MUC, DISCO_INFO, DISCO_ITEMS, PING])
}

fn room_info(room: &Room) -> Vec<u8> {
    let public = if room.config.is_public { "muc_public" } else { "muc_hidden" };
    let persistent = if room.config.is_persistent { "muc_persistent" } else { "muc_temporary" };
    let features = [
        MUC,
        "http://jabber.org/protocol/muc#stable_id",
        "http://jabber.org/protocol/muc#self-ping-optimization",
        "muc_open",
        "muc_semianonymous",
        "muc_unmoderated",
        "muc_unsecured",
        public,
        persistent,
        DISCO_INFO,
        DISCO_ITEMS,
        PING,
    ];
    info(&room.jid, &features)
}

fn info(name: &str, features: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, &format!("<query xmlns='{DISCO_INFO}'><identity category='conference' type='text'"));
    attribute(&mut out, "name", name);
    push(&mut out, "/>");
    for feature in features {
        push(&mut out, &format!("<feature var='{feature}'/>"));
    }
    push(&mut out, "</query>");
    out
}

/// The rooms that are open and public; no more than [`ITEMS_MAX`].
fn service_items(rooms: &Rooms) -> Vec<u8> {
    let shown = rooms.iter().filter(|room| room.config.is_public && !room.is_locked);
    items(shown.take(ITEMS_MAX).map(|room| &*room.jid))
}

fn room_items(room: &Room) -> Vec<u8> {
    items(room.nicks().map(|occupant| &*occupant.address))
}

fn items<'a>(addresses: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, &format!("<query xmlns='{DISCO_ITEMS}'>"));
    for address in addresses {
        push(&mut out, "<item");
        attribute(&mut out, "jid", address);
        push(&mut out, "/>");
    }
    push(&mut out, "</query>");
    out
}
