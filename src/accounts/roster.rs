//! A server's roster held against the topology.

use std::collections::HashMap;

use crate::accounts::People;
use crate::xmpp::{Element, Subscription, roster};

/// How many examples are kept of each kind of difference, per user.
const EXAMPLES: usize = 3;

/// A roster by address. Addresses are compared in lower case: servers normalise what they are told.
#[derive(Debug, Default)]
pub(super) struct Roster(HashMap<String, Subscription>);

impl Roster {
    /// From the answer to a roster request.
    pub(super) fn read(iq: &Element<'_>) -> Self {
        let mut items = HashMap::new();
        roster::for_each_item(iq, |item| {
            items.insert(item.jid.to_lowercase(), item.subscription);
        });
        Self(items)
    }

    /// How it stands with a contact; nothing if it is not there.
    pub(super) fn subscription(&self, jid: &str) -> Option<Subscription> {
        self.0.get(&jid.to_lowercase()).copied()
    }

    /// What differs from the topology.
    pub(super) fn compare(mut self, people: &People, user: u32) -> Differences {
        let mut found = Differences::default();
        let own = people.bare(user);
        for contact in people.contacts(user) {
            let jid = people.bare(contact);
            match self.0.remove(&jid.to_lowercase()) {
                Some(Subscription::Both) => found.mutual += 1,
                Some(other) => found.one_sided.add(|| format!("{own} with {jid}: {}", other.as_str())),
                None => found.missing.add(|| format!("{own} has not {jid}")),
            }
        }
        let mut surplus: Vec<_> = self.0.into_keys().collect();
        surplus.sort_unstable();
        for jid in surplus {
            found.surplus.add(|| format!("{own} has {jid}"));
        }
        found
    }
}

/// How a roster differs from the topology.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Contacts that are as they should be.
    pub mutual: u32,
    /// Contacts that are in the roster, and not `both`.
    pub one_sided: Listed,
    /// Contacts that are not in the roster.
    pub missing: Listed,
    /// Items that are no contacts.
    pub surplus: Listed,
}

/// A count with its first examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// How many.
    pub count: u32,
    /// The first few, each for a person.
    pub examples: Vec<String>,
}

impl Listed {
    fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }
}
