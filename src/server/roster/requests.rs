//! Reading and changing a roster, and the pushes that tell it (RFC 6121 sections 2.1 to 2.5).

use std::sync::Arc;

use crate::machine::{Channel, Outbox};
use crate::server::Server;
use crate::server::reply::{Denial, element as write_element, folded, push};
use crate::server::roster::link::Word;
use crate::server::roster::{Item, TEXT_MAX};
use crate::server::session::Bound;
use crate::xmpp::namespaces::ROSTER;
use crate::xmpp::write::attribute;
use crate::xmpp::{Element, Jid};

impl Server {
    /// The roster; from here on the asker's session is told of changes.
    pub(in crate::server) fn show_roster(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        out: &mut Outbox,
    ) {
        let Some(id) = self.session_id(channel) else { return };
        let Some(local) = self.routes.get(bound.account).map(|account| Arc::clone(&account.local)) else {
            return;
        };
        self.routes.set_interested(bound.account, id);
        let items = self.roster_items(&local);
        self.reply(channel, bound, element, out, |bytes| {
            push(bytes, &format!("<query xmlns='{ROSTER}'>"));
            for (jid, item) in items.iter().filter(|(_, item)| item.is_listed) {
                write_item(bytes, jid, Some(item));
            }
            push(bytes, "</query>");
        });
    }

    /// One item added, changed or removed.
    pub(in crate::server) fn set_roster(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        out: &mut Outbox,
    ) {
        let Some(local) = self.routes.get(bound.account).map(|account| Arc::clone(&account.local)) else {
            return;
        };
        match self.read_change(&local, element) {
            Ok((jid, None)) => {
                self.reply(channel, bound, element, out, |_| ());
                self.remove_contact(&local, &jid, out);
            }
            Ok((jid, Some(change))) => {
                let before = self.rosters.item(&local, &jid).cloned().unwrap_or_default();
                self.rosters.put(&local, &jid, Item { link: before.link, ..change });
                self.reply(channel, bound, element, out, |_| ());
                self.push_item(&local, &jid, out);
            }
            Err(denial) => self.refuse_iq(channel, bound, element, denial, out),
        }
    }

    /// Ends whatever there is between an account and a contact, on both sides (section 2.5.2).
    pub(in crate::server) fn remove_contact(&mut self, local: &Arc<str>, jid: &str, out: &mut Outbox) {
        let kept = self.keep_roster(local).ok().and_then(|()| self.rosters.item(local, jid).cloned());
        let Some(Item { link, is_listed, .. }) = kept else { return };
        self.rosters.put(local, jid, Item::default());
        if is_listed {
            self.push_item(local, jid, out);
        }
        if link.sees || link.asks {
            self.convey(local, jid, (Word::Unsubscribe, link), None, out);
        }
        if link.is_seen || link.is_asked {
            self.convey(local, jid, (Word::Unsubscribed, link), None, out);
        }
    }

    /// Tells an account's sessions that have read the roster how it stands with a contact (section 2.1.6).
    pub(super) fn push_item(&mut self, local: &str, jid: &str, out: &mut Outbox) {
        let item = self.rosters.item(local, jid).filter(|item| item.is_listed).cloned();
        let resources = self.routes.resources(local).iter().filter(|resource| resource.is_interested);
        let readers: Vec<_> =
            resources.map(|resource| (resource.session.channel, Arc::clone(&resource.full))).collect();
        for (channel, full) in readers {
            self.pushes += 1;
            let id = format!("push{}", self.pushes);
            self.send(channel, out, |bytes| {
                push(bytes, "<iq type='set'");
                attribute(bytes, "id", &id);
                attribute(bytes, "to", &full);
                push(bytes, &format!("><query xmlns='{ROSTER}'>"));
                write_item(bytes, jid, item.as_ref());
                push(bytes, "</query></iq>");
            });
        }
    }

    /// The contact a change is about, and what it is to be; nothing where it is to go.
    fn read_change(
        &mut self,
        local: &Arc<str>,
        element: &Element<'_>,
    ) -> Result<(Box<str>, Option<Item>), Denial> {
        let query = element.child("query", ROSTER).ok_or(Denial::BAD_REQUEST)?;
        let mut items = query.children();
        let (Some(item), None) = (items.next(), items.next()) else { return Err(Denial::BAD_REQUEST) };
        let jid = item.attribute("jid").ok_or(Denial::BAD_REQUEST)?;
        let jid: Jid = jid.parse().map_err(|_| Denial::JID_MALFORMED)?;
        if !item.is("item", ROSTER) || jid.resource().is_some() {
            return Err(Denial::BAD_REQUEST);
        }
        let jid: Box<str> = folded(jid.as_str()).into();
        if *jid == *self.bare(local) {
            return Err(Denial::NOT_ALLOWED);
        }
        self.keep_roster(local)?;
        let known = self.rosters.item(local, &jid);
        if item.attribute("subscription").as_deref() == Some("remove") {
            let is_listed = known.is_some_and(|known| known.is_listed);
            return if is_listed { Ok((jid, None)) } else { Err(Denial::NOT_FOUND) };
        }
        if known.is_none() {
            self.rosters.check_space(local)?;
        }
        Ok((jid, Some(read_item(&item)?)))
    }
}

fn read_item(item: &Element<'_>) -> Result<Item, Denial> {
    let name = item.attribute("name").unwrap_or_default();
    let groups = item.children().filter(|child| child.is("group", ROSTER));
    let groups: Box<[Box<str>]> = groups.map(|group| group.text().into()).collect();
    let length: usize = groups.iter().map(|group| group.len().max(16)).sum();
    if name.len() + length > TEXT_MAX {
        return Err(Denial::NOT_ACCEPTABLE);
    }
    Ok(Item { name: name.into(), groups, is_listed: true, ..Item::default() })
}

/// An item as the RFC writes it; none is one that was removed.
fn write_item(out: &mut Vec<u8>, jid: &str, item: Option<&Item>) {
    push(out, "<item");
    attribute(out, "jid", jid);
    let Some(item) = item else { return push(out, " subscription='remove'/>") };
    if !item.name.is_empty() {
        attribute(out, "name", &item.name);
    }
    attribute(out, "subscription", item.link.subscription());
    if item.link.asks {
        attribute(out, "ask", Word::Subscribe.as_str());
    }
    if item.groups.is_empty() {
        return push(out, "/>");
    }
    push(out, ">");
    for group in &item.groups {
        write_element(out, "group", group);
    }
    push(out, "</item>");
}
