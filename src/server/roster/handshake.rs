//! Subscriptions asked for, granted, refused and ended (RFC 6121 section 3).

use std::sync::Arc;

use crate::machine::{Channel, Outbox};
use crate::server::Server;
use crate::server::delivery::Column;
use crate::server::form::{Form, Id};
use crate::server::presence::{Recipient, recipients};
use crate::server::reply::{self, Denial};
use crate::server::roster::Item;
use crate::server::roster::link::{Heard, Link, Word};
use crate::server::routes::Account;
use crate::server::session::Bound;
use crate::server::stanza::Target;
use crate::xmpp::Element;

impl Server {
    /// Presence of one of the four types that are about a subscription; false for any other.
    pub(in crate::server) fn subscription(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        out: &mut Outbox,
    ) -> bool {
        let Some(word) = element.stanza_type().as_deref().and_then(Word::from_type) else { return false };
        let account = self.routes.get(bound.account).map(|account| Arc::clone(&account.local));
        let (Some(local), Some(to)) = (account, element.to()) else {
            self.deny(channel, bound, element, Denial::BAD_REQUEST, out);
            return true;
        };
        let result = match self.target(&to) {
            Target::User { local: contact, .. } if *contact == *local => Err(Denial::NOT_ALLOWED),
            Target::User { local: contact, .. } => {
                let jid = self.bare(&contact);
                let may = self.may_declare(&local, &jid, word);
                may.map(|()| self.declare(&local, &jid, word, Some(element), out))
            }
            Target::Domain | Target::Rooms | Target::Room { .. } => Err(Denial::NOT_ALLOWED),
            Target::Remote => Err(Denial::NO_REMOTE),
            Target::Malformed => Err(Denial::JID_MALFORMED),
        };
        if let Err(denial) = result {
            self.deny(channel, bound, element, denial, out);
        }
        true
    }

    /// Requests that came while the account was away, and whatever was not answered since (section 3.1.3).
    pub(in crate::server) fn show_requests(
        &mut self,
        account: &Account,
        reader: &Recipient,
        out: &mut Outbox,
    ) {
        let Some(roster) = self.rosters.get(&account.local) else { return };
        let asking = roster.items.iter().filter(|(_, item)| item.link.is_asked);
        let asking: Vec<Box<str>> = asking.map(|(jid, _)| jid.clone()).collect();
        for jid in asking {
            self.hand(Column::Presence, reader.0, None, out, |bytes| {
                reply::presence(bytes, Some(Word::Subscribe.as_str()), &jid, &account.bare);
            });
        }
    }

    /// An account ends: nobody has it for a contact any more, and it has none.
    pub(in crate::server) fn end_contacts(&mut self, local: &Arc<str>, out: &mut Outbox) {
        for (jid, _) in self.roster_items(local) {
            self.remove_contact(local, &jid, out);
        }
        if self.accounts.is_registered(local) {
            self.rosters.forget(local);
        }
    }

    /// An account says a word about a subscription; `stanza` is how it was said, if by a user.
    fn declare(
        &mut self,
        local: &Arc<str>,
        jid: &str,
        word: Word,
        stanza: Option<&Element<'_>>,
        out: &mut Outbox,
    ) {
        let before = self.rosters.item(local, jid).cloned().unwrap_or_default();
        let mut link = before.link;
        if link.say(word) {
            let is_listed = before.is_listed || link.asks || link.is_seen;
            self.set_item(local, jid, &before, Item { link, is_listed, ..before.clone() }, out);
            self.convey(local, jid, (word, before.link), stanza, out);
        }
    }

    /// What an account has said comes to the contact, and each sees what it may see from here on. The link is what was
    /// between them before, on the account's side.
    pub(super) fn convey(
        &mut self,
        local: &Arc<str>,
        jid: &str,
        (word, before): (Word, Link),
        stanza: Option<&Element<'_>>,
        out: &mut Outbox,
    ) {
        let Some(contact) = self.local_contact(jid).map(Arc::<str>::from) else { return };
        if self.accounts.find(&contact).is_none() {
            if word == Word::Subscribe {
                // Nobody is there to be asked (section 3.1.3).
                self.hear(local, jid, Word::Unsubscribed, None, out);
            }
            return;
        }
        let heard = self.hear(&contact, &self.bare(local), word, stanza, out);
        match word {
            Word::Subscribe if heard == Heard::Granted => {
                self.hear(local, jid, Word::Subscribed, None, out);
                self.show_each(&contact, local, out);
            }
            Word::Subscribed => self.show_each(local, &contact, out),
            Word::Unsubscribed if before.is_seen => self.hide_each(local, &contact, out),
            Word::Unsubscribe if before.sees => self.hide_each(&contact, local, out),
            _ => {}
        }
    }

    /// What the contact at `jid` said comes to an account.
    fn hear(
        &mut self,
        local: &Arc<str>,
        jid: &str,
        word: Word,
        stanza: Option<&Element<'_>>,
        out: &mut Outbox,
    ) -> Heard {
        let before = self.keep_roster(local).ok().and_then(|()| self.rosters.item(local, jid).cloned());
        if before.is_none() && self.rosters.check_space(local).is_err() {
            return Heard::Ignored;
        }
        let before = before.unwrap_or_default();
        let mut link = before.link;
        let heard = link.hear(word);
        if heard != Heard::Delivered {
            return heard;
        }
        self.set_item(local, jid, &before, Item { link, ..before.clone() }, out);
        let bare = self.bare(local);
        let made = format!("<presence type='{}'/>", word.as_str());
        let form = Form::new(stanza.map_or(made.as_bytes(), |stanza| stanza.bytes()), Id::Kept, jid);
        for (reader, _) in recipients(self.routes.resources(local)) {
            self.hand(Column::Presence, reader, None, out, |bytes| form.write(bytes, &bare));
        }
        heard
    }

    /// Puts an item, and tells its owner if there is something to be seen of it.
    fn set_item(&mut self, local: &str, jid: &str, before: &Item, item: Item, out: &mut Outbox) {
        let seen = |item: &Item| (item.is_listed, item.link.subscription(), item.link.asks);
        let is_seen = item.is_listed && seen(before) != seen(&item);
        self.rosters.put(local, jid, item);
        if is_seen {
            self.push_item(local, jid, out);
        }
    }

    /// Whether somebody has a roster, and room in it for what would be kept.
    fn may_declare(&mut self, local: &Arc<str>, jid: &str, word: Word) -> Result<(), Denial> {
        self.keep_roster(local)?;
        let is_new = self.rosters.item(local, jid).is_none();
        if is_new && word == Word::Subscribe { self.rosters.check_space(local) } else { Ok(()) }
    }

    /// Shows one account's presence to another.
    fn show_each(&mut self, shown: &str, reader: &str, out: &mut Outbox) {
        let resources = self.routes.resources(shown).to_vec();
        for reader in recipients(self.routes.resources(reader)) {
            self.show(&resources, &reader, out);
        }
    }

    /// Takes one account's presence away from another.
    fn hide_each(&mut self, hidden: &str, reader: &str, out: &mut Outbox) {
        let gone = recipients(self.routes.resources(hidden));
        for (reader, to) in recipients(self.routes.resources(reader)) {
            for (_, from) in &gone {
                self.hand(Column::Presence, reader, None, out, |bytes| {
                    reply::presence(bytes, Some("unavailable"), from, &to);
                });
            }
        }
    }
}
