//! Being online: reading what comes and telling whom it concerns.
//!
//! What is tracked says so by its token: in the id, or at the head of the body where a server replaced the id. So one reader
//! serves every activity whose stanzas carry tokens. What is not tracked is counted nowhere and answered where the protocol
//! demands an answer (RFC 6120 §8.2.3).

use crate::sample::{Arrive, ErrorClass, Fault, Instants, Note, Place, Sample, Token, TokenKind, UserIndex};
use crate::units::Offset;
use crate::user::{Report, Said, Surroundings};
use crate::xmpp::{Element, ElementKind, Jid, Software, jid, namespaces, version, write};

/// Of how many sessions one is read strictly to its end; all are until they are online.
pub const STRICT_SHARE: u32 = 64;

/// What a room told one of its occupants of itself (XEP-0045).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomEvent {
    /// Its own presence came back: it is an occupant; `created` says that the room is new and waits to be configured.
    Entered {
        /// Status 201.
        created: bool,
    },
    /// The subject came: joining is over.
    Subject,
    /// It may not enter, or its request about the room failed.
    Refused {
        /// Who is at fault.
        class: ErrorClass,
        /// The room is there, but not open yet: it may be tried again.
        is_locked: bool,
    },
    /// It is in no more: it left, was put out, or the room is gone.
    Left,
}

/// A user's session.
#[derive(Debug)]
pub(super) struct Session {
    jid: Jid,
    /// When initial presence was sent; gone once its echo was seen.
    presence_sent: Option<Offset>,
}

impl Session {
    pub(super) const fn new(jid: Jid, presence_sent: Offset) -> Self {
        Self { jid, presence_sent: Some(presence_sent) }
    }

    /// Whether this session's stanzas are held against the strict level: a fixed share, stated in the result.
    pub(super) const fn is_read_strictly(user: UserIndex) -> bool {
        user.0.is_multiple_of(STRICT_SHARE)
    }

    /// A stanza came. Returns how many bytes were written in answer.
    pub(super) fn handle_element(
        &mut self,
        element: &Element<'_>,
        near: &Surroundings<'_>,
        out: &mut Said<'_>,
    ) -> u64 {
        match element.kind() {
            ElementKind::Message => {
                handle_message(element, near, out);
                0
            }
            ElementKind::Iq => handle_iq(element, near, out),
            ElementKind::Presence => {
                self.handle_presence(element, near, out);
                0
            }
            _ => 0,
        }
    }

    fn handle_presence(&mut self, element: &Element<'_>, near: &Surroundings<'_>, out: &mut Said<'_>) {
        let from = element.from();
        if let Some((place, nick)) = from.as_deref().and_then(|from| near.rooms.read(from)) {
            return handle_occupant(place, nick, element, near, out);
        }
        if self.presence_sent.is_some()
            && from.as_deref().is_some_and(|from| from == self.jid.as_str())
            && element.stanza_type().is_none()
            && let Some(sent) = self.presence_sent.take()
        {
            let instants = Instants::begun(sent, near.now);
            let sample = Sample::completed(near.operations.echo, near.group.id, instants, false);
            out.reports.push(Report::Sample(sample));
            out.reports.push(Report::Settled);
        }
        match element.stanza_type().as_deref() {
            None => handle_change(element, near, out),
            Some("error") => handle_refused_change(element, near, out),
            Some(_) => {}
        }
    }
}

/// A contact's presence: tracked if it carries a token, in its id or at the head of its status.
fn handle_change(element: &Element<'_>, near: &Surroundings<'_>, out: &mut Said<'_>) {
    let in_id = element.id().and_then(|id| Token::decode(id.as_bytes()));
    let in_status = element.child_prefix("status").and_then(Token::decode);
    let Some(token) = in_id.or(in_status).filter(|token| token.kind == TokenKind::Presence) else { return };
    out.reports.push(Report::Note(Note::Arrive(Arrive {
        token,
        recipient: near.index,
        done: near.now,
        stored: element.has_delay(),
        intact: in_status == Some(token),
        place: Place::NOWHERE,
        since: Offset::ZERO,
    })));
}

/// The server sent a change of presence back: no copy of it will come.
fn handle_refused_change(element: &Element<'_>, near: &Surroundings<'_>, out: &mut Said<'_>) {
    let in_id = element.id().and_then(|id| Token::decode(id.as_bytes()));
    let own = in_id.filter(|token| token.sender == near.index && token.kind == TokenKind::Presence);
    out.reports.extend(own.map(|token| Report::Note(failed(token, element, near))));
}

/// Presence out of a room: only one's own is of interest.
fn handle_occupant(
    place: Place,
    nick: &str,
    element: &Element<'_>,
    near: &Surroundings<'_>,
    out: &mut Said<'_>,
) {
    let event = match element.stanza_type().as_deref() {
        Some("error") => {
            let error = StanzaError::of(element);
            let is_locked = error.condition == "item-not-found";
            if !is_locked {
                let fault = Fault::new(error.class, "groupchat.join", &error.condition, &error.text);
                out.reports.push(Report::Fault(fault));
            }
            RoomEvent::Refused { class: error.class, is_locked }
        }
        _ if nick != near.names.local(near.index.0) && !has_status(element, "110") => return,
        // Another nick from now on, in the same room (§7.6).
        Some("unavailable") if has_status(element, "303") => return,
        Some("unavailable") => RoomEvent::Left,
        None => RoomEvent::Entered { created: has_status(element, "201") },
        Some(_) => return,
    };
    out.reports.push(Report::Room(place, event));
}

/// Whether a room's presence carries this status code (XEP-0045 §15.6.2).
fn has_status(element: &Element<'_>, code: &str) -> bool {
    let Some(x) = element.child("x", namespaces::MUC_USER) else { return false };
    x.children().any(|child| child.local() == "status" && child.attribute("code").as_deref() == Some(code))
}

fn handle_message(element: &Element<'_>, near: &Surroundings<'_>, out: &mut Said<'_>) {
    let kind = element.stanza_type();
    let in_id = element.id().and_then(|id| Token::decode(id.as_bytes()));
    if kind.as_deref() == Some("error") {
        // An error is the sender's to hear: anybody else's was misdirected and settles nothing.
        if let Some(token) = in_id.filter(|token| token.sender == near.index) {
            out.reports.push(Report::Note(failed(token, element, near)));
        }
        return;
    }
    let place = if kind.as_deref() == Some("groupchat") {
        element.from().and_then(|from| near.rooms.read(&from).map(|(place, _)| place))
    } else {
        None
    };
    let in_body = element.body_prefix().and_then(Token::decode);
    let Some(token) = in_id.or(in_body) else {
        if let Some(place) = place.filter(|_| element.children().any(|child| child.local() == "subject")) {
            out.reports.push(Report::Room(place, RoomEvent::Subject));
        }
        return;
    };
    out.reports.push(Report::Note(Note::Arrive(Arrive {
        token,
        recipient: near.index,
        done: near.now,
        stored: element.has_delay(),
        intact: in_body == Some(token),
        place: place.unwrap_or(Place::NOWHERE),
        since: Offset::ZERO,
    })));
}

fn handle_iq(element: &Element<'_>, near: &Surroundings<'_>, out: &mut Said<'_>) -> u64 {
    let id = element.id();
    let token = id
        .as_deref()
        .and_then(|id| Token::decode(id.as_bytes()))
        .filter(|token| token.kind == TokenKind::Request);
    match (element.stanza_type().as_deref(), token) {
        (Some("result"), Some(token)) if token.sender == near.index => {
            let (recipient, done) = (near.index, near.now);
            let (place, since) = (Place::NOWHERE, Offset::ZERO);
            let arrive = Arrive { token, recipient, done, stored: false, intact: true, place, since };
            out.reports.push(Report::Note(Note::Arrive(arrive)));
            0
        }
        (Some("error"), Some(token)) if token.sender == near.index => {
            out.reports.push(Report::Note(failed(token, element, near)));
            0
        }
        (Some("result"), None) if id.as_deref() == Some(VERSION_ID) => {
            let is_servers =
                element.from().is_none_or(|from| jid::same_account(&from, &near.group.client.domain));
            let software = is_servers.then(|| Software::of(element)).flatten();
            out.reports.extend(software.map(|it| Report::Software(Box::new(it))));
            0
        }
        (Some("get" | "set"), _) => answer(element, id.as_deref().unwrap_or(""), near, out),
        _ => 0,
    }
}

/// No token: it is in no ledger.
const VERSION_ID: &str = "version";

/// Writes the question what software the server is.
pub(super) fn ask_version(bytes: &mut Vec<u8>, near: &Surroundings<'_>) {
    version::ask(bytes, VERSION_ID, &near.group.client.domain);
}

/// Answers a request: pings are, everything else is told to be unknown.
fn answer(element: &Element<'_>, id: &str, near: &Surroundings<'_>, out: &mut Said<'_>) -> u64 {
    let from = element.from();
    out.stanzas.written += 1;
    out.wire.write(near.channel, |bytes| {
        if element.child("ping", namespaces::PING).is_some() {
            write::iq_result(bytes, id, from.as_deref());
        } else {
            write::iq_error(bytes, id, from.as_deref(), "cancel", "service-unavailable");
        }
    })
}

fn failed(token: Token, element: &Element<'_>, near: &Surroundings<'_>) -> Note {
    Note::Fail { token, class: StanzaError::of(element).class, done: near.now }
}

/// A stanza error (RFC 6120 §8.3), by who is at fault.
pub(super) struct StanzaError {
    pub(super) class: ErrorClass,
    pub(super) condition: String,
    pub(super) text: String,
}

impl StanzaError {
    pub(super) fn of(element: &Element<'_>) -> Self {
        let error = element.children().find(|child| child.local() == "error");
        let mut condition = "undefined-condition".to_owned();
        let mut text = String::new();
        for child in error.iter().flat_map(Element::children) {
            if child.namespace() != namespaces::STANZAS {
                continue;
            }
            if child.local() == "text" {
                text = child.text().into_owned();
            } else {
                child.local().clone_into(&mut condition);
            }
        }
        let class = match condition.as_str() {
            "resource-constraint" => ErrorClass::Throttled,
            "policy-violation" | "not-allowed" | "forbidden" => ErrorClass::Policy,
            "bad-request" | "jid-malformed" => ErrorClass::Misuse,
            _ => ErrorClass::Server,
        };
        Self { class, condition, text }
    }
}
