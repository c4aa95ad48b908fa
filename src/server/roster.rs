//! Rosters (RFC 6121 sections 2 and 3): who is whose contact, and who sees whose presence.
//!
//! An account's roster is what the directory says, its contacts, all of them mutual, until something in it changes; from then
//! on it is kept here. (Or it is empty in the beginning, where
//! [`ServerOptions::empty_rosters`](super::ServerOptions) says so.) So rosters nobody touches cost no memory.
//!
//! Invariants: what one side of a subscription says, the other side hears at once, so that two rosters never
//! contradict each other; requests that nobody has answered are kept for the contact's next login; what is kept is bounded.
//!
//! What it refuses: contacts at other servers' presence, pre-approval, roster versions.

mod handshake;
mod link;
mod requests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::server::Server;
use crate::server::reply::Denial;
use crate::server::routes::Account;
use link::Link;

/// Most items of one roster, pending requests included.
const ITEMS_MAX: usize = 10_000;
/// The bytes of all rosters that are kept, beyond which nothing is added.
const TOTAL_MAX: usize = 512 << 20;
/// The longest name of an item and its groups, together, in bytes.
const TEXT_MAX: usize = 1_024;
/// What an item costs beside its texts.
const ITEM_COST: usize = 128;

/// The rosters that have changed, by localpart.
#[derive(Debug, Default)]
pub(super) struct Rosters {
    changed: HashMap<Arc<str>, Roster>,
    bytes: usize,
}

/// One account's, by the contacts' bare JIDs.
#[derive(Debug, Default)]
struct Roster {
    items: BTreeMap<Box<str>, Item>,
}

/// One contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Item {
    name: Box<str>,
    groups: Box<[Box<str>]>,
    link: Link,
    /// Whether the owner sees it in the roster: a request that was not answered is there and is not seen.
    is_listed: bool,
}

impl Rosters {
    fn get(&self, local: &str) -> Option<&Roster> {
        self.changed.get(local)
    }

    /// How it stands with a contact in a roster that has changed.
    fn item(&self, local: &str, jid: &str) -> Option<&Item> {
        self.get(local)?.items.get(jid)
    }

    /// Whether an item may be added to a roster that has changed.
    fn check_space(&self, local: &str) -> Result<(), Denial> {
        let count = self.get(local).map_or(0, |roster| roster.items.len());
        if count < ITEMS_MAX && self.bytes < TOTAL_MAX { Ok(()) } else { Err(Denial::RESOURCE_CONSTRAINT) }
    }

    /// Puts an item in the place of what was there; one without any content is no item.
    fn put(&mut self, local: &str, jid: &str, item: Item) {
        let Some(roster) = self.changed.get_mut(local) else { return };
        if let Some(before) = roster.items.remove(jid) {
            self.bytes -= before.cost(jid);
        }
        if item.is_listed || item.link != Link::default() {
            self.bytes += item.cost(jid);
            roster.items.insert(jid.into(), item);
        }
    }

    /// Keeps a roster from here on.
    fn keep(&mut self, local: &Arc<str>, roster: Roster) {
        self.forget(local);
        self.bytes += roster.cost();
        self.changed.insert(Arc::clone(local), roster);
    }

    fn forget(&mut self, local: &str) {
        self.bytes -= self.changed.remove(local).map_or(0, |roster| roster.cost());
    }
}

impl Roster {
    fn cost(&self) -> usize {
        self.items.iter().map(|(jid, item)| item.cost(jid)).sum()
    }
}

impl Item {
    /// As the directory's contacts are.
    fn mutual() -> Self {
        Self { link: Link::MUTUAL, is_listed: true, ..Self::default() }
    }

    fn cost(&self, jid: &str) -> usize {
        let groups: usize = self.groups.iter().map(|group| group.len() + 16).sum();
        ITEM_COST + jid.len() + self.name.len() + groups
    }
}

impl Server {
    /// Those contacts who are online and whom an account's broadcasts reach.
    pub(super) fn each_watcher(&self, account: &Account, visit: impl FnMut(&Account)) {
        self.each_contact(account, |link| link.is_seen, visit);
    }

    /// Those contacts who are online and whose presence an account sees.
    pub(super) fn each_watched(&self, account: &Account, visit: impl FnMut(&Account)) {
        self.each_contact(account, |link| link.sees, visit);
    }

    fn each_contact(&self, account: &Account, is_meant: fn(Link) -> bool, mut visit: impl FnMut(&Account)) {
        let mut visit = |local: &str| {
            if let Some(contact) = self.routes.find(local).and_then(|id| self.routes.get(id)) {
                visit(contact);
            }
        };
        if let Some(roster) = self.rosters.get(&account.local) {
            let meant = roster.items.iter().filter(|(_, item)| is_meant(item.link));
            meant.filter_map(|(jid, _)| self.local_contact(jid)).for_each(visit);
        } else if !self.options.empty_rosters
            && let Some(user) = account.user
        {
            self.accounts.contacts(user, &mut |contact| {
                if let Some(local) = self.accounts.local(contact) {
                    visit(&local);
                }
            });
        }
    }

    /// An account's roster as it stands: the one that is kept, or the directory's.
    fn roster_items(&self, local: &str) -> Vec<(Box<str>, Item)> {
        if let Some(roster) = self.rosters.get(local) {
            return roster.items.iter().map(|(jid, item)| (jid.clone(), item.clone())).collect();
        }
        let mut items = Vec::new();
        if let Some(user) = self.accounts.find(local).filter(|_| !self.options.empty_rosters) {
            self.accounts.contacts(user, &mut |contact| {
                items.extend(self.accounts.local(contact).map(|local| (self.bare(&local), Item::mutual())));
            });
        }
        items
    }

    /// From here on an account's roster is kept, for it is about to change. Who has no account has no roster.
    fn keep_roster(&mut self, local: &Arc<str>) -> Result<(), Denial> {
        if self.accounts.find(local).is_none() {
            return Err(Denial::NOT_ALLOWED);
        }
        if self.rosters.get(local).is_none() {
            let items = self.roster_items(local).into_iter().collect();
            self.rosters.keep(local, Roster { items });
        }
        Ok(())
    }

    /// The localpart of a contact's JID, if it is at this server.
    fn local_contact<'a>(&self, jid: &'a str) -> Option<&'a str> {
        let (local, domain) = jid.split_once('@')?;
        (*domain == *self.options.domain).then_some(local)
    }

    fn bare(&self, local: &str) -> Box<str> {
        format!("{local}@{}", self.options.domain).into()
    }
}
