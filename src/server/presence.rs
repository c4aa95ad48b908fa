//! Presence (RFC 6121 section 4) over rosters that are mutual and never change.
//!
//! Unavailable presence goes to contacts alone; those who were only sent directed presence are not told.

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

type Recipient = (SessionId, Arc<str>);

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
            (Some("subscribe" | "subscribed" | "unsubscribe" | "unsubscribed"), _) => {
                self.deny(channel, bound, element, Denial::NOT_ALLOWED, out);
            }
            (Some("error" | "probe"), None) => {}
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
        };
        let Some(id) = self.session_id(channel) else { return };
        let before = self.routes.set_presence(bound.account, id, Some(presence));
        self.broadcast(bound, element, out);
        if before == Some(None) {
            self.show_contacts(bound, &(id, Arc::clone(&bound.full)), out);
        }
    }

    fn unavailable(&mut self, channel: Channel, bound: &Bound, element: &Element<'_>, out: &mut Outbox) {
        let Some(id) = self.session_id(channel) else { return };
        // Told to oneself as well (section 4.5.2), so before the resource stops being available.
        if matches!(self.routes.get(bound.account).and_then(|a| find(a, id)), Some(r) if r.available.is_some())
        {
            self.broadcast(bound, element, out);
            self.routes.set_presence(bound.account, id, None);
        }
        self.leave_rooms(id, out);
    }

    /// A copy to every available resource of every contact, and an echo to one's own, oneself included. Echoes are
    /// no deliveries to anybody: faults and truth leave them alone.
    fn broadcast(&mut self, bound: &Bound, element: &Element<'_>, out: &mut Outbox) {
        let Some(account) = self.routes.get(bound.account).cloned() else { return };
        let form = Form::new(element.bytes(), Id::Kept, &bound.full);
        let parcel = Parcel {
            form: &form,
            column: Column::Presence,
            token: token_of(element),
            sender: bound.account,
            from_bare: &account.bare,
            to: None,
        };
        for contact in self.contacts_online(&account) {
            self.give(&parcel, &contact, out);
        }
        let echo = Parcel { token: None, ..parcel };
        for own in recipients(&account.resources) {
            self.give(&echo, &own, out);
        }
    }

    /// What contacts' probes would have brought: the presence of each of their available resources, and of one's own.
    fn show_contacts(&mut self, bound: &Bound, reader: &Recipient, out: &mut Outbox) {
        let Some(account) = self.routes.get(bound.account).cloned() else { return };
        let own = account.resources.iter().filter(|resource| resource.full != reader.1).cloned();
        let mut shown: Vec<Resource> = own.collect();
        self.each_contact(&account, |contact| shown.extend_from_slice(&contact.resources));
        self.show(&shown, reader, out);
    }

    fn probe(&mut self, bound: &Bound, to: &str, out: &mut Outbox) {
        let Target::User { local, .. } = self.target(to) else { return };
        let Some(account) = self.routes.get(bound.account).cloned() else { return };
        let mut shown = Vec::new();
        self.each_contact(&account, |contact| {
            if *contact.local == *local {
                shown.clone_from(&contact.resources);
            }
        });
        if let Some(me) = account.resources.iter().find(|resource| resource.full == bound.full) {
            self.show(&shown, &(me.session, Arc::clone(&me.full)), out);
        }
    }

    /// Writes the presence of available resources to one reader.
    fn show(&mut self, resources: &[Resource], reader: &Recipient, out: &mut Outbox) {
        for resource in resources {
            let Some(presence) = &resource.available else { continue };
            self.hand(Column::Presence, reader.0, None, out, |bytes| {
                if presence.stanza.is_empty() {
                    reply::presence(bytes, None, &resource.full, &reader.1);
                } else {
                    Form::new(&presence.stanza, Id::Removed, &resource.full).write(bytes, &reader.1);
                }
            });
        }
    }

    /// Presence to one address (section 4.6), or an error on its way back.
    fn directed(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        to: &str,
        out: &mut Outbox,
    ) {
        let (local, resource) = match self.target(to) {
            Target::User { local, resource } => (local, resource),
            Target::Domain | Target::Rooms | Target::Room { .. } => return,
            Target::Remote => return self.deny(channel, bound, element, Denial::NO_REMOTE, out),
            Target::Malformed => return self.deny(channel, bound, element, Denial::JID_MALFORMED, out),
        };
        let Some(bare) = self.routes.get(bound.account).map(|account| Arc::clone(&account.bare)) else {
            return;
        };
        let resources = self.routes.resources(&local);
        let reached = match &resource {
            Some(name) => recipients(resources.iter().filter(|r| r.name() == name)),
            None => recipients(resources),
        };
        let token = token_of(element);
        if reached.is_empty() {
            self.reached_nobody(token, &bare, to);
        }
        let form = Form::new(element.bytes(), Id::Kept, &bound.full);
        let parcel = Parcel {
            form: &form,
            column: Column::Presence,
            token,
            sender: bound.account,
            from_bare: &bare,
            to: Some(to),
        };
        for recipient in &reached {
            self.give(&parcel, recipient, out);
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
        if resource.available.is_none() {
            return;
        }
        let others = account.resources.iter().filter(|other| other.session != id);
        for (reader, full) in self.contacts_online(&account).into_iter().chain(recipients(others)) {
            self.hand(Column::Presence, reader, None, out, |bytes| {
                reply::presence(bytes, Some("unavailable"), &resource.full, &full);
            });
        }
    }

    fn contacts_online(&self, account: &Account) -> Vec<Recipient> {
        let mut online = Vec::new();
        self.each_contact(account, |contact| online.append(&mut recipients(&contact.resources)));
        online
    }

    fn each_contact(&self, account: &Account, mut visit: impl FnMut(&Account)) {
        let Some(user) = account.user else { return };
        self.directory.contacts(user, &mut |contact| {
            let local = self.directory.local(contact);
            let id = local.and_then(|local| self.routes.find(&local));
            if let Some(contact) = id.and_then(|id| self.routes.get(id)) {
                visit(contact);
            }
        });
    }

    pub(super) fn session_id(&self, channel: Channel) -> Option<SessionId> {
        self.sessions.get(&channel).map(|session| SessionId { channel, serial: session.serial })
    }
}

/// Those of the resources that are available.
fn recipients<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Vec<Recipient> {
    let available = resources.into_iter().filter(|resource| resource.available.is_some());
    available.map(|resource| (resource.session, Arc::clone(&resource.full))).collect()
}

fn find(account: &Account, id: SessionId) -> Option<&Resource> {
    account.resources.iter().find(|resource| resource.session == id)
}
