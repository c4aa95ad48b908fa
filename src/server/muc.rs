//! Rooms (XEP-0045), at `conference.DOMAIN`.
//!
//! A room is made by the first who enters it, stays locked until its owner has configured or accepted it, and goes with
//! its last occupant unless it was made persistent. It is semi-anonymous: only its owner sees who is behind a nick.
//!
//! Invariants:
//! - A room is one line: what it is told is handed to all its occupants before anything else is read, so that all of
//!   them see one order, the sender included. Only faults disturb it.
//! - Who enters is shown, in this order, who is there, itself (110), what was said before, the subject; then what is
//!   said from there on.
//! - A session is an occupant only while it is bound. However it ends, the others are told.
//! - Copies of what is said are tracked like messages; presence out of a room carries no token, and faults leave it
//!   alone.
//! - Everything is bounded: see the constants here.
//!
//! What it refuses: members-only and password-protected rooms, affiliations other than the owner's, voice requests,
//! invitations.

mod admin;
mod disco;
mod entry;
mod history;
mod notice;
mod owner;
mod registry;
mod room;
mod talk;

use std::sync::Arc;

pub(super) use registry::Rooms;

use crate::machine::{Channel, Outbox};
use crate::server::Server;
use crate::server::pipeline::SessionId;
use crate::server::reply::{self, Answer, Denial};
use crate::server::routes::{AccountId, MessageType};
use crate::server::session::Bound;
use crate::xmpp::Element;
use crate::xmpp::namespaces::MUC;

/// Changes of roles and affiliations.
const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";

/// Most rooms at once.
const ROOMS_MAX: usize = 100_000;
/// Most occupants of one room, which is what a new one allows.
const OCCUPANTS_MAX: usize = 10_000;
/// Most rooms one session may be in.
const STAYS_MAX: usize = 1_000;
/// The longest name of a room, and the longest nick, in bytes.
const NAME_MAX: usize = 256;
/// Presence with more content than this, in bytes, is told to a room without its content.
const CONTENT_MAX: usize = 1_024;
/// The longest subject message, in bytes.
const SUBJECT_MAX: usize = 4_096;
/// How many messages a room keeps for those who enter, and their bytes.
const HISTORY_MAX: usize = 20;
const HISTORY_BYTES_MAX: usize = 64 << 10;
/// The bytes of messages that all rooms together keep.
const HISTORY_TOTAL_MAX: usize = 64 << 20;
/// Most rooms named when the service is asked for them.
const ITEMS_MAX: usize = 1_000;

/// A room, or an occupant of it, as addressed: the room's name and the nick.
pub(super) type Address<'a> = (&'a str, Option<&'a str>);

/// Who a stanza for a room comes from.
#[derive(Clone, Debug)]
struct Author {
    id: SessionId,
    account: AccountId,
    full: Arc<str>,
    bare: Arc<str>,
}

impl Server {
    /// Presence to a room: entering, changing, leaving.
    pub(super) fn room_presence(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        (name, nick): Address<'_>,
        out: &mut Outbox,
    ) {
        let result = self.with_rooms(channel, bound, |server, rooms, author| {
            match (element.stanza_type().as_deref(), nick) {
                (None, Some(nick)) => server.enter(rooms, author, element, (name, nick), out),
                (None, None) => Err(Denial::JID_MALFORMED),
                (Some("unavailable"), _) => {
                    server.leave(rooms, author.id, name, Some(element), out);
                    Ok(())
                }
                (Some("error"), _) => Ok(()),
                (Some(_), _) => Err(Denial::NOT_ALLOWED),
            }
        });
        if let Err(denial) = result {
            self.counters.errors_out.add_one();
            let (id, from) = (element.id(), element.to());
            let answer = Answer { id: id.as_deref(), from: from.as_deref(), to: Some(&bound.full) };
            let wish = format!("<x xmlns='{MUC}'/>");
            self.send(channel, out, |bytes| {
                reply::denial_with(bytes, element.local(), answer, &wish, denial);
            });
        }
    }

    /// A message to a room or to one of its occupants.
    pub(super) fn room_message(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        (name, nick): Address<'_>,
        kind: MessageType,
        out: &mut Outbox,
    ) {
        if kind == MessageType::Error {
            return;
        }
        let result = self.with_rooms(channel, bound, |server, rooms, author| match (kind, nick) {
            (MessageType::Groupchat, None) => server.say(rooms, author, element, name, out),
            (MessageType::Groupchat, Some(_)) | (_, None) => Err(Denial::BAD_REQUEST),
            (_, Some(nick)) => server.whisper(rooms, author, element, (name, nick), out),
        });
        if let Err(denial) = result {
            self.refuse_message(channel, bound, element, denial, out);
        }
    }

    /// A request to a room or to one of its occupants.
    pub(super) fn room_iq(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        address: Address<'_>,
        out: &mut Outbox,
    ) {
        let answer = self.with_rooms(channel, bound, |server, rooms, author| {
            server.answer_for_room(rooms, author, element, address, out)
        });
        self.answer_with(channel, bound, element, answer, out);
    }

    fn answer_with(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        answer: Result<Vec<u8>, Denial>,
        out: &mut Outbox,
    ) {
        match answer {
            Ok(payload) => {
                let fill = |bytes: &mut Vec<u8>| bytes.extend_from_slice(&payload);
                self.reply(channel, bound, element, out, fill);
            }
            Err(denial) => self.refuse_iq(channel, bound, element, denial, out),
        }
    }

    /// A session is no more available to anybody: it leaves all its rooms.
    pub(super) fn leave_rooms(&mut self, id: SessionId, out: &mut Outbox) {
        let mut rooms = std::mem::take(&mut self.rooms);
        for name in rooms.stays(id).to_vec() {
            self.leave(&mut rooms, id, &name, None, out);
        }
        self.rooms = rooms;
    }

    /// Does something with the rooms in hand, so that their occupants can be written to meanwhile. Nothing that is
    /// handed to write comes back here.
    fn with_rooms<T>(
        &mut self,
        channel: Channel,
        bound: &Bound,
        act: impl FnOnce(&mut Self, &mut Rooms, &Author) -> Result<T, Denial>,
    ) -> Result<T, Denial> {
        let id = self.session_id(channel).ok_or(Denial::NOT_ALLOWED)?;
        let account = self.routes.get(bound.account).ok_or(Denial::NOT_ALLOWED)?;
        let (full, bare) = (Arc::clone(&bound.full), Arc::clone(&account.bare));
        let author = Author { id, account: bound.account, full, bare };
        let mut rooms = std::mem::take(&mut self.rooms);
        let result = act(self, &mut rooms, &author);
        self.rooms = rooms;
        result
    }
}
