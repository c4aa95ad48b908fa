//! Presence to one address (RFC 6121 section 4.6), and the debt it makes: who was told in this way that somebody is there
//! is told when they go (section 4.6.3), however they go.
//!
//! Contacts hear of it anyway, and rooms are left by [`Server::leave_rooms`](super::Server): neither is remembered here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::machine::{Channel, Outbox};
use crate::server::Server;
use crate::server::delivery::{Column, Parcel};
use crate::server::form::{Form, Id};
use crate::server::pipeline::SessionId;
use crate::server::presence::{Recipient, recipients};
use crate::server::reply::Denial;
use crate::server::session::Bound;
use crate::server::stanza::{Target, token_of};
use crate::xmpp::Element;

/// Most addresses remembered for one session; presence to one more is refused.
const ADDRESSES_MAX: usize = 256;

/// Whom each session has told that it is there.
#[derive(Debug, Default)]
pub(super) struct Directed {
    told: HashMap<SessionId, Vec<Box<str>>>,
}

impl Directed {
    fn note(&mut self, session: SessionId, to: &str) -> Result<(), Denial> {
        let told = self.told.entry(session).or_default();
        if told.iter().any(|known| **known == *to) {
            return Ok(());
        }
        if told.len() >= ADDRESSES_MAX {
            return Err(Denial::RESOURCE_CONSTRAINT);
        }
        told.push(to.into());
        Ok(())
    }

    fn forget(&mut self, session: SessionId, to: &str) {
        let Some(told) = self.told.get_mut(&session) else { return };
        told.retain(|known| **known != *to);
        if told.is_empty() {
            self.told.remove(&session);
        }
    }
}

impl Server {
    /// Presence with a `to`, or an error on its way back.
    pub(super) fn directed(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        to: &str,
        out: &mut Outbox,
    ) {
        let result = match self.target(to) {
            Target::User { local, resource } => {
                self.note_directed(channel, bound, element, (&local, to)).map(|()| {
                    self.pass_directed(bound, element, (&local, resource.as_deref(), to), out);
                })
            }
            Target::Domain | Target::Rooms | Target::Room { .. } => Ok(()),
            Target::Remote => Err(Denial::NO_REMOTE),
            Target::Malformed => Err(Denial::JID_MALFORMED),
        };
        if let Err(denial) = result {
            self.deny(channel, bound, element, denial, out);
        }
    }

    /// Those whom a session has told that it is there and whom nobody in `others` is; it owes them nothing from here on.
    pub(super) fn settle_directed(&mut self, session: SessionId, others: &[Recipient]) -> Vec<Recipient> {
        let Some(addresses) = self.directed.told.remove(&session) else { return Vec::new() };
        let mut reached: Vec<Recipient> = addresses.iter().flat_map(|to| self.reached(to)).collect();
        let mut told: HashSet<SessionId> = others.iter().map(|(other, _)| *other).collect();
        reached.retain(|(reader, _)| *reader != session && told.insert(*reader));
        reached
    }

    fn note_directed(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        (local, to): (&str, &str),
    ) -> Result<(), Denial> {
        let session = self.session_id(channel).ok_or(Denial::NOT_ALLOWED)?;
        match element.stanza_type().as_deref() {
            None if self.tells(bound, local) => Ok(()),
            None => self.directed.note(session, to),
            Some("unavailable") => {
                self.directed.forget(session, to);
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    fn pass_directed(
        &mut self,
        bound: &Bound,
        element: &Element<'_>,
        (local, resource, to): (&str, Option<&str>, &str),
        out: &mut Outbox,
    ) {
        let Some(bare) = self.routes.get(bound.account).map(|account| Arc::clone(&account.bare)) else {
            return;
        };
        let reached = self.reached_resources(local, resource);
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

    /// The available resources an address means.
    fn reached(&self, to: &str) -> Vec<Recipient> {
        match self.target(to) {
            Target::User { local, resource } => self.reached_resources(&local, resource.as_deref()),
            _ => Vec::new(),
        }
    }

    fn reached_resources(&self, local: &str, name: Option<&str>) -> Vec<Recipient> {
        let resources = self.routes.resources(local).iter();
        recipients(resources.filter(|resource| name.is_none_or(|name| resource.name() == name)))
    }
}
