//! Presence (RFC 6121 section 4): to those who may see it, and of those one may see.
//!
//! What was said earlier is shown with its time (`<delay/>`) and without its id, so that nobody takes it for news.

use std::sync::Arc;

use crate::machine::{Channel, Outbox};
use crate::server::Server;
use crate::server::delivery::{Column, Parcel};
use crate::server::form::{self, Form, Id};
use crate::server::pipeline::SessionId;
use crate::server::reply::{self, Denial};
use crate::server::routes::{Account, Availability, Resource};
use crate::server::session::{Bound, State};
use crate::server::stanza::{Target, token_of};
use crate::xmpp::Element;

/// Presence with more content than this is shown to contacts now, but later without its content.
const CONTENT_MAX: usize = 4096;

/// A session, and its full JID.
pub(super) type Recipient = (SessionId, Arc<str>);

impl Server {
    pub(super) fn presence(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        out: &mut Outbox,
    ) {
        self.counters.presences_in.add_one();
        if let Some(Target::Room { name, nick }) = element.to().map(|to| self.target(&to)) {
            return self.room_presence(channel, bound, element, (&name, nick.as_deref()), out);
        }
        match (element.stanza_type().as_deref(), element.to()) {
            (None | Some("unavailable" | "error"), Some(to)) => {
                self.directed(channel, bound, element, &to, out);
            }
            (None, None) => self.available(channel, bound, element, out),
            (Some("unavailable"), None) => self.unavailable(channel, bound, element, out),
            (Some("probe"), Some(to)) => self.probe(bound, &to, out),
            (Some("error" | "probe"), None) => {}
            (Some(_), _) if self.subscription(channel, bound, element, out) => {}
            (Some(_), _) => self.deny(channel, bound, element, Denial::BAD_REQUEST, out),
        }
    }

    /// Presence to contacts and oneself; the first time, theirs in return (section 4.2.2).
    fn available(&mut self, channel: Channel, bound: &Bound, element: &Element<'_>, out: &mut Outbox) {
        let stanza = element.bytes();
        let kept = !form::is_empty(stanza) && stanza.len() <= CONTENT_MAX;
        let priority = element.child_text("priority").and_then(|text| text.trim().parse().ok());
        let presence = Availability {
            priority: priority.unwrap_or(0),
            stanza: if kept { stanza.into() } else { Box::default() },
            since: self.now,
        };
        let Some(id) = self.session_id(channel) else { return };
        let before = self.routes.set_presence(bound.account, id, Some(presence));
        self.broadcast(bound, element, None, out);
        if before == Some(None) {
            self.show_contacts(bound, &(id, Arc::clone(&bound.full)), out);
        }
    }

    fn unavailable(&mut self, channel: Channel, bound: &Bound, element: &Element<'_>, out: &mut Outbox) {
        let Some(id) = self.session_id(channel) else { return };
        // Told to oneself as well (section 4.5.2), so before the resource stops being available.
        self.broadcast(bound, element, Some(id), out);
        self.routes.set_presence(bound.account, id, None);
        self.leave_rooms(id, out);
    }

    /// A copy to every available resource of every contact, and an echo to one's own, oneself included. Echoes are
    /// no deliveries to anybody: faults and truth leave them alone. Where a session is `leaving`, those it told itself
    /// that it is there get one too, and the others only if it was available.
    fn broadcast(
        &mut self,
        bound: &Bound,
        element: &Element<'_>,
        leaving: Option<SessionId>,
        out: &mut Outbox,
    ) {
        let Some(account) = self.routes.get(bound.account).cloned() else { return };
        let is_available = |id| find(&account, id).is_some_and(|resource| resource.available.is_some());
        let (mut readers, own) = match leaving {
            Some(id) if !is_available(id) => (Vec::new(), Vec::new()),
            _ => (self.contacts_online(&account), recipients(&account.resources)),
        };
        if let Some(id) = leaving {
            readers.extend(self.settle_directed(id, &[&*readers, &*own].concat()));
        }
        let form = Form::new(element.bytes(), Id::Kept, &bound.full);
        let parcel = Parcel {
            form: &form,
            column: Column::Presence,
            token: token_of(element),
            sender: bound.account,
            from_bare: &account.bare,
            to: None,
        };
        for reader in &readers {
            self.give(&parcel, reader, out);
        }
        let echo = Parcel { token: None, ..parcel };
        for own in &own {
            self.give(&echo, own, out);
        }
    }

    /// What contacts' probes would have brought: the presence of each of their available resources, and of one's own.
    fn show_contacts(&mut self, bound: &Bound, reader: &Recipient, out: &mut Outbox) {
        let Some(account) = self.routes.get(bound.account).cloned() else { return };
        let own = account.resources.iter().filter(|resource| resource.full != reader.1).cloned();
        let mut shown: Vec<Resource> = own.collect();
        self.each_watched(&account, |contact| shown.extend_from_slice(&contact.resources));
        self.show(&shown, reader, out);
        self.show_requests(&account, reader, out);
    }

    fn probe(&mut self, bound: &Bound, to: &str, out: &mut Outbox) {
        let Target::User { local, .. } = self.target(to) else { return };
        let Some(account) = self.routes.get(bound.account).cloned() else { return };
        let mut shown = Vec::new();
        self.each_watched(&account, |contact| {
            if *contact.local == *local {
                shown.clone_from(&contact.resources);
            }
        });
        if let Some(me) = account.resources.iter().find(|resource| resource.full == bound.full) {
            self.show(&shown, &(me.session, Arc::clone(&me.full)), out);
        }
    }

    /// Writes the presence of available resources to one reader.
    pub(super) fn show(&mut self, resources: &[Resource], reader: &Recipient, out: &mut Outbox) {
        for resource in resources {
            let Some(presence) = &resource.available else { continue };
            let stanza = if presence.stanza.is_empty() { b"<presence/>" } else { &*presence.stanza };
            let mark = self.delay(&resource.full, presence.since);
            let form = Form::new(stanza, Id::Removed, &resource.full).with(&mark);
            self.hand(Column::Presence, reader.0, None, out, |bytes| form.write(bytes, &reader.1));
        }
    }

    /// A session ends, in whatever way: its resource goes, and contacts are told if it was available.
    pub(super) fn go_offline(&mut self, channel: Channel, out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        let id = SessionId { channel, serial: session.serial };
        let State::Bound(bound) = std::mem::replace(&mut session.state, State::Closing) else { return };
        self.leave_rooms(id, out);
        let Some(account) = self.routes.get(bound.account).cloned() else { return };
        let Some(resource) = self.routes.unbind(bound.account, id) else { return };
        let mut readers = Vec::new();
        if resource.available.is_some() {
            let others = account.resources.iter().filter(|other| other.session != id);
            readers = self.contacts_online(&account);
            readers.extend(recipients(others));
        }
        readers.extend(self.settle_directed(id, &readers));
        for (reader, full) in readers {
            self.hand(Column::Presence, reader, None, out, |bytes| {
                reply::presence(bytes, Some("unavailable"), &resource.full, &full);
            });
        }
    }

    /// Whether a user's broadcasts reach an account.
    pub(super) fn tells(&self, bound: &Bound, local: &str) -> bool {
        let Some(account) = self.routes.get(bound.account) else { return false };
        let mut tells = *account.local == *local;
        self.each_watcher(account, |contact| tells |= *contact.local == *local);
        tells
    }

    fn contacts_online(&self, account: &Account) -> Vec<Recipient> {
        let mut online = Vec::new();
        self.each_watcher(account, |contact| online.append(&mut recipients(&contact.resources)));
        online
    }

    pub(super) fn session_id(&self, channel: Channel) -> Option<SessionId> {
        self.sessions.get(&channel).map(|session| SessionId { channel, serial: session.serial })
    }
}

/// Those of the resources that are available.
pub(super) fn recipients<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Vec<Recipient> {
    let available = resources.into_iter().filter(|resource| resource.available.is_some());
    available.map(|resource| (resource.session, Arc::clone(&resource.full))).collect()
}

fn find(account: &Account, id: SessionId) -> Option<&Resource> {
    account.resources.iter().find(|resource| resource.session == id)
}
