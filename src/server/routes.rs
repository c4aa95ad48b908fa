//! Who is connected where, and whom a stanza to a JID reaches (RFC 6121 section 8).
//!
//! Accounts are numbered when their first resource binds and forgotten when the last one goes, so what is held is
//! bounded by the connections. Nothing here depends on the order of a hash table.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sample::UserIndex;
use crate::server::pipeline::SessionId;
use crate::units::Offset;

/// An account with at least one resource. A number is used again once its account is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub u32);

/// What a resource said of itself last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// RFC 6121 section 4.7.2.3.
    pub priority: i8,
    /// The presence as it came; empty where it had no content, as with most.
    pub stanza: Box<[u8]>,
    /// When it came.
    pub since: Offset,
}

/// A bound resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The session it belongs to.
    pub session: SessionId,
    /// The full JID.
    pub full: Arc<str>,
    /// Present once initial presence was sent.
    pub available: Option<Availability>,
    /// Whether it has read the roster, and so is told of changes.
    pub is_interested: bool,
    name_at: usize,
}

impl Resource {
    /// The part after the `/`.
    pub fn name(&self) -> &str {
        &self.full[self.name_at..]
    }

    /// Whether stanzas to the bare JID reach it.
    fn takes_bare(&self) -> bool {
        self.available.as_ref().is_some_and(|presence| presence.priority >= 0)
    }
}

/// An account and its resources, in the order in which they bound.
#[derive(Clone, Debug)]
pub struct Account {
    /// The part before the `@`.
    pub local: Arc<str>,
    /// The bare JID.
    pub bare: Arc<str>,
    /// Who it is in the directory, if anybody.
    pub user: Option<UserIndex>,
    /// Never empty while the account exists.
    pub resources: Vec<Resource>,
}

/// All accounts with resources.
#[derive(Debug, Default)]
pub struct Routes {
    accounts: Vec<Option<Account>>,
    free: Vec<u32>,
    by_local: HashMap<Arc<str>, AccountId>,
}

impl Routes {
    /// Adds a resource. The name must be free: the caller ends an older session of that name first.
    pub fn bind(
        &mut self,
        local: &Arc<str>,
        domain: &str,
        user: Option<UserIndex>,
        name: &str,
        session: SessionId,
    ) -> (AccountId, Arc<str>) {
        let id = self.enter(local, domain, user);
        let full: Arc<str> = format!("{local}@{domain}/{name}").into();
        let name_at = full.len() - name.len();
        if let Some(account) = self.get_mut(id) {
            account.resources.push(Resource {
                session,
                full: Arc::clone(&full),
                available: None,
                is_interested: false,
                name_at,
            });
        }
        (id, full)
    }

    /// Removes a session's resource; the account goes with its last one.
    pub fn unbind(&mut self, id: AccountId, session: SessionId) -> Option<Resource> {
        let account = self.get_mut(id)?;
        let at = account.resources.iter().position(|resource| resource.session == session)?;
        let resource = account.resources.remove(at);
        if account.resources.is_empty() {
            let local = Arc::clone(&account.local);
            self.by_local.remove(&local);
            self.accounts[id.0 as usize] = None;
            self.free.push(id.0);
        }
        Some(resource)
    }

    /// Sets what a session's resource says of itself; returns what it said before, or `None` without such a session.
    pub fn set_presence(
        &mut self,
        id: AccountId,
        session: SessionId,
        presence: Option<Availability>,
    ) -> Option<Option<Availability>> {
        let resources = &mut self.get_mut(id)?.resources;
        let resource = resources.iter_mut().find(|resource| resource.session == session)?;
        Some(std::mem::replace(&mut resource.available, presence))
    }

    /// A session's resource has read the roster.
    pub fn set_interested(&mut self, id: AccountId, session: SessionId) {
        let resources = self.get_mut(id).map(|account| account.resources.iter_mut()).into_iter().flatten();
        for resource in resources.filter(|resource| resource.session == session) {
            resource.is_interested = true;
        }
    }

    /// The account with resources that has this name.
    pub fn find(&self, local: &str) -> Option<AccountId> {
        self.by_local.get(local).copied()
    }

    /// An account by its number.
    pub fn get(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(id.0 as usize)?.as_ref()
    }

    /// The resources of whoever has this name; none for strangers.
    pub fn resources(&self, local: &str) -> &[Resource] {
        self.find(local).and_then(|id| self.get(id)).map_or(&[], |account| &account.resources)
    }

    fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(id.0 as usize)?.as_mut()
    }

    fn enter(&mut self, local: &Arc<str>, domain: &str, user: Option<UserIndex>) -> AccountId {
        if let Some(id) = self.find(local) {
            return id;
        }
        let bare = format!("{local}@{domain}").into();
        let account = Account { local: Arc::clone(local), bare, user, resources: Vec::new() };
        let id = self.free.pop().unwrap_or_else(|| {
            self.accounts.push(None);
            self.accounts.len() as u32 - 1
        });
        self.accounts[id as usize] = Some(account);
        self.by_local.insert(Arc::clone(local), AccountId(id));
        AccountId(id)
    }
}

/// The `type` of a message (RFC 6121 section 5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// One-to-one chat.
    Chat,
    /// In a room.
    Groupchat,
    /// An alert that is not worth keeping.
    Headline,
    /// Anything else: what is unknown is normal.
    Normal,
    /// An answer that says something went wrong.
    Error,
}

impl MessageType {
    /// Reads the attribute.
    pub fn from_attribute(value: Option<&str>) -> Self {
        match value {
            Some("chat") => Self::Chat,
            Some("groupchat") => Self::Groupchat,
            Some("headline") => Self::Headline,
            Some("error") => Self::Error,
            _ => Self::Normal,
        }
    }
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To these sessions; never empty.
    Sessions(Vec<(SessionId, Arc<str>)>),
    /// To nobody, and the sender is told (`service-unavailable`).
    Nobody,
    /// To nobody, and nobody is told.
    Silence,
}

/// Whom a message of this type to one of `resources` (`name`), or to their bare JID, reaches: RFC 6121 sections
/// 8.5.2.1.1 and 8.5.3, with the choice that bare JIDs reach all resources of non-negative priority, and without a store.
pub fn message_reach(resources: &[Resource], name: Option<&str>, kind: MessageType) -> Reach {
    if let Some(name) = name {
        if let Some(found) = resources.iter().find(|resource| resource.name() == name) {
            return Reach::Sessions(vec![(found.session, Arc::clone(&found.full))]);
        }
        return match kind {
            MessageType::Chat => message_reach(resources, None, kind),
            MessageType::Normal | MessageType::Groupchat => Reach::Nobody,
            MessageType::Headline | MessageType::Error => Reach::Silence,
        };
    }
    let all: Vec<_> = match kind {
        MessageType::Groupchat => return Reach::Nobody,
        MessageType::Error => return Reach::Silence,
        MessageType::Chat | MessageType::Headline | MessageType::Normal => {
            resources.iter().filter(|r| r.takes_bare()).map(|r| (r.session, Arc::clone(&r.full))).collect()
        }
    };
    match (all.is_empty(), kind) {
        (false, _) => Reach::Sessions(all),
        (true, MessageType::Headline) => Reach::Silence,
        (true, _) => Reach::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Channel;

    fn session(number: u32) -> SessionId {
        SessionId { channel: Channel(number), serial: u64::from(number) }
    }

    /// Resources by name and priority; no priority is a resource without initial presence.
    fn routes(resources: &[(&str, Option<i8>)]) -> Routes {
        let mut routes = Routes::default();
        for (number, (name, priority)) in resources.iter().enumerate() {
            let session = session(number as u32);
            let (id, _) = routes.bind(&"bob".into(), "x", None, name, session);
            let presence = priority.map(|priority| Availability { priority, ..Availability::default() });
            routes.set_presence(id, session, presence).unwrap();
        }
        routes
    }

    #[test]
    fn messages_reach_whom_rfc_6121_says() {
        use MessageType::{Chat, Error, Groupchat, Headline, Normal};
        type Row<'a> = (&'a [(&'a str, Option<i8>)], Option<&'a str>, MessageType, &'a str);
        const TWO: &[(&str, Option<i8>)] =
            &[("a", Some(0)), ("b", Some(5)), ("neg", Some(-1)), ("mute", None)];
        const NEGATIVE: &[(&str, Option<i8>)] = &[("neg", Some(-1)), ("mute", None)];
        let table: &[Row<'_>] = &[
            (TWO, None, Chat, "bob@x/a bob@x/b"),
            (TWO, None, Normal, "bob@x/a bob@x/b"),
            (TWO, None, Headline, "bob@x/a bob@x/b"),
            (TWO, None, Groupchat, "nobody"),
            (TWO, None, Error, "silence"),
            (TWO, Some("b"), Chat, "bob@x/b"),
            (TWO, Some("neg"), Normal, "bob@x/neg"),
            (TWO, Some("mute"), Headline, "bob@x/mute"),
            (TWO, Some("a"), Groupchat, "bob@x/a"),
            (TWO, Some("gone"), Chat, "bob@x/a bob@x/b"),
            (TWO, Some("gone"), Normal, "nobody"),
            (TWO, Some("gone"), Groupchat, "nobody"),
            (TWO, Some("gone"), Headline, "silence"),
            (TWO, Some("gone"), Error, "silence"),
            (NEGATIVE, None, Chat, "nobody"),
            (NEGATIVE, None, Headline, "silence"),
            (&[], None, Chat, "nobody"),
            (&[], Some("gone"), Chat, "nobody"),
            (&[], None, Error, "silence"),
        ];
        for (resources, name, kind, expected) in table {
            let routes = routes(resources);
            let reached = match message_reach(routes.resources("bob"), *name, *kind) {
                Reach::Nobody => "nobody".to_owned(),
                Reach::Silence => "silence".to_owned(),
                Reach::Sessions(all) => all.iter().map(|(_, full)| &**full).collect::<Vec<_>>().join(" "),
            };
            assert_eq!(reached, *expected, "{name:?} {kind:?} of {resources:?}");
        }
    }

    #[test]
    fn accounts_are_forgotten_with_their_last_resource_and_numbers_used_again() {
        let mut routes = routes(&[("a", None), ("b", None)]);
        let id = routes.find("bob").unwrap();
        routes.unbind(id, session(0)).unwrap();
        assert_eq!(routes.find("bob"), Some(id));
        routes.unbind(id, session(1)).unwrap();
        assert_eq!(routes.find("bob"), None);
        let (other, _) = routes.bind(&"eve".into(), "x", None, "r", session(2));
        assert_eq!(other, id);
        assert_eq!(routes.set_presence(other, session(1), None), None);
    }
}
