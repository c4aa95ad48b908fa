//! Stanzas of users who are online: whose they are, and where messages go (RFC 6120 section 8, RFC 6121 section 8).

use std::borrow::Cow;
use std::sync::Arc;

use crate::machine::{Channel, Outbox};
use crate::sample::Token;
use crate::server::delivery::{Column, Parcel};
use crate::server::form::{Form, Id};
use crate::server::reply::{self, Answer, Denial, folded};
use crate::server::routes::{MessageType, Reach, message_reach};
use crate::server::session::Bound;
use crate::server::{Offline, Server};
use crate::xmpp::{Element, ElementKind, Jid, StreamCondition};

/// Whom a stanza is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The server, or the sender's own account as far as an IQ is concerned.
    Domain,
    /// An account here, or one resource of it.
    User { local: String, resource: Option<String> },
    /// The room service.
    Rooms,
    /// A room, or one of its occupants.
    Room { name: String, nick: Option<String> },
    /// Somewhere else.
    Remote,
    /// Not an address.
    Malformed,
}

impl Server {
    pub(super) fn stanza(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        out: &mut Outbox,
    ) {
        if !self.is_own_from(bound, element.from()) {
            return self.fail(channel, StreamCondition::InvalidFrom, out);
        }
        match element.kind() {
            ElementKind::Message => self.message(channel, bound, element, out),
            ElementKind::Presence => self.presence(channel, bound, element, out),
            ElementKind::Iq => self.iq(channel, bound, element, out),
            _ => self.fail(channel, StreamCondition::UnsupportedStanzaType, out),
        }
    }

    fn message(&mut self, channel: Channel, bound: &Bound, element: &Element<'_>, out: &mut Outbox) {
        let kind = MessageType::from_attribute(element.stanza_type().as_deref());
        let column = match kind {
            MessageType::Groupchat => Column::Groupchat,
            _ => Column::Message,
        };
        match column {
            Column::Groupchat => self.counters.groupchats_in.add_one(),
            _ => self.counters.messages_in.add_one(),
        }
        let Some(account) = self.routes.get(bound.account) else { return };
        let own = Arc::clone(&account.bare);
        let to = element.to().unwrap_or(Cow::Borrowed(&*own));
        let token = token_of(element);
        let reach = match self.target(&to) {
            Target::User { local, resource } => {
                message_reach(self.routes.resources(&local), resource.as_deref(), kind)
            }
            Target::Room { name, nick } => {
                return self.room_message(channel, bound, element, (&name, nick.as_deref()), kind, out);
            }
            Target::Domain | Target::Rooms if kind == MessageType::Headline => Reach::Silence,
            Target::Domain | Target::Rooms => Reach::Nobody,
            Target::Remote => return self.refuse_message(channel, bound, element, Denial::NO_REMOTE, out),
            Target::Malformed => {
                return self.refuse_message(channel, bound, element, Denial::JID_MALFORMED, out);
            }
        };
        match reach {
            Reach::Sessions(sessions) => {
                let form = Form::new(element.bytes(), Id::Kept, &bound.full);
                let parcel = Parcel {
                    form: &form,
                    column,
                    token,
                    sender: bound.account,
                    from_bare: &own,
                    to: Some(&to),
                };
                for session in &sessions {
                    self.give(&parcel, session, out);
                }
            }
            Reach::Nobody if self.options.offline == Offline::Refuse => {
                self.refuse_message(channel, bound, element, Denial::UNAVAILABLE, out);
            }
            Reach::Nobody | Reach::Silence => self.reached_nobody(token, &own, &to),
        }
    }

    pub(super) fn refuse_message(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        denial: Denial,
        out: &mut Outbox,
    ) {
        if let Some(account) = self.routes.get(bound.account) {
            let own = Arc::clone(&account.bare);
            self.reached_nobody(token_of(element), &own, element.to().as_deref().unwrap_or(&own));
        }
        self.deny(channel, bound, element, denial, out);
    }

    /// Answers a message or presence with an error, unless it is one itself (RFC 6120 section 8.3.1).
    pub(super) fn deny(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        denial: Denial,
        out: &mut Outbox,
    ) {
        if element.stanza_type().as_deref() == Some("error") {
            return;
        }
        self.counters.errors_out.add_one();
        let (id, from) = (element.id(), element.to());
        let answer = Answer { id: id.as_deref(), from: from.as_deref(), to: Some(&bound.full) };
        self.send(channel, out, |bytes| reply::denial(bytes, element.local(), answer, denial));
    }

    /// Whom an address means, by the one domain served here and its room service.
    pub(super) fn target(&self, address: &str) -> Target {
        let Ok(jid) = address.parse::<Jid>() else { return Target::Malformed };
        let (local, resource) = (jid.local().map(folded), jid.resource().map(str::to_owned));
        let is_here = jid.domain().eq_ignore_ascii_case(&self.options.domain);
        match local.map(Cow::into_owned) {
            None if is_here => Target::Domain,
            Some(local) if is_here => Target::User { local, resource },
            _ if !self.rooms.is_at(jid.domain()) => Target::Remote,
            None => Target::Rooms,
            Some(name) => Target::Room { name, nick: resource },
        }
    }

    /// A `from` must be the sender's own (RFC 6120 section 8.1.2.1).
    fn is_own_from(&self, bound: &Bound, from: Option<Cow<'_, str>>) -> bool {
        let Some(from) = from else { return true };
        let bare = self.routes.get(bound.account).map(|account| &*account.bare);
        *from == *bound.full || bare.is_some_and(|bare| bare.eq_ignore_ascii_case(&from))
    }
}

/// What a stanza's id says, if it is tracked.
pub(super) fn token_of(element: &Element<'_>) -> Option<Token> {
    let id = element.id()?;
    (id.len() == Token::LEN).then(|| Token::decode(id.as_bytes())).flatten()
}
