//! Who has an account here, with what password, and who knows whom.
//!
//! The server asks through [`Directory`] alone. [`Population`] is the one made of a profile's groups: names are found
//! by reading patterns backwards, so a million accounts cost no memory until they log in.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::profile::group::Pattern;
use crate::profile::{Accounts, Graph, Group, Mechanism, Secret};
use crate::sample::UserIndex;
use crate::topology::Topology;

/// What the server knows of accounts before anybody logs in.
pub trait Directory: Send {
    /// Whose account this is; `local` is the part of the JID before the `@`.
    fn find(&self, local: &str) -> Option<UserIndex>;

    /// The part before the `@` of a user's JID.
    fn local(&self, user: UserIndex) -> Option<Cow<'_, str>>;

    /// A user's password.
    fn password(&self, user: UserIndex) -> Option<Cow<'_, str>>;

    /// Calls `each` for every contact of a user. Contacts are mutual.
    fn contacts(&self, user: UserIndex, each: &mut dyn FnMut(UserIndex));
}

/// The accounts and contacts of a profile's groups.
#[derive(Debug)]
pub struct Population {
    groups: Vec<Group>,
    topology: Topology,
    /// Accounts out of files, which no pattern can be read backwards from.
    listed: HashMap<Box<str>, UserIndex>,
}

impl Population {
    /// Everybody in `groups`, which divide the population as a validated profile's do.
    pub fn new(groups: Vec<Group>) -> Self {
        let topology = Topology::new(&groups);
        let listed = groups.iter().flat_map(listed_accounts).collect();
        Self { groups, topology, listed }
    }

    /// `count` users by two patterns with `{n}` in them, each with `contacts` contacts: what `serve` has without a profile.
    pub fn counted(local: &str, password: &str, count: u32, contacts: u32) -> Self {
        if count == 0 {
            return Self::new(Vec::new());
        }
        Self::new(vec![Group {
            name: "users".to_owned(),
            first: 0,
            count,
            accounts: Accounts::Pattern { local: Pattern::new(local), password: Pattern::new(password) },
            auth: Mechanism::DEFAULT.to_vec(),
            plain_without_tls: false,
            contacts: contacts.min(count - 1),
            graph: Graph::Ring,
            login_rate: None,
        }])
    }

    fn group(&self, user: UserIndex) -> Option<(&Group, u32)> {
        let group = self.groups.iter().find(|group| group.contains(user.0))?;
        Some((group, user.0 - group.first))
    }
}

impl Directory for Population {
    fn find(&self, local: &str) -> Option<UserIndex> {
        self.listed.get(local).copied().or_else(|| {
            self.groups.iter().find_map(|group| match &group.accounts {
                Accounts::Pattern { local: pattern, .. } => {
                    let n = read_backwards(pattern, local).filter(|&n| n < group.count)?;
                    Some(UserIndex(group.first + n))
                }
                Accounts::File { .. } | Accounts::Anonymous => None,
            })
        })
    }

    fn local(&self, user: UserIndex) -> Option<Cow<'_, str>> {
        let (group, n) = self.group(user)?;
        group.account(n).map(|account| account.local)
    }

    fn password(&self, user: UserIndex) -> Option<Cow<'_, str>> {
        let (group, n) = self.group(user)?;
        Some(match group.account(n)?.password {
            Cow::Borrowed(secret) => Cow::Borrowed(secret.reveal()),
            Cow::Owned(secret) => Cow::Owned(Secret::reveal(&secret).to_owned()),
        })
    }

    fn contacts(&self, user: UserIndex, each: &mut dyn FnMut(UserIndex)) {
        self.topology.contacts(user.0).for_each(|contact| each(UserIndex(contact)));
    }
}

fn listed_accounts(group: &Group) -> Vec<(Box<str>, UserIndex)> {
    let Accounts::File { rows, .. } = &group.accounts else { return Vec::new() };
    let users = (0..group.count).map(|n| UserIndex(group.first + n));
    rows.iter().map(|row| row.local.clone()).zip(users).collect()
}

/// The `n` for which the pattern gives `text`. Only the way it would be written counts: `u07` is not `u7`.
fn read_backwards(pattern: &Pattern, text: &str) -> Option<u32> {
    let rest = text.strip_prefix(pattern.prefix())?;
    if !pattern.counts() {
        return rest.is_empty().then_some(0);
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    // A digit may follow the number in the pattern itself (`u{n}0`), so shorter readings are tried as well.
    (1..=digits.min(10)).rev().find_map(|length| {
        let n = rest[..length].parse().ok()?;
        (pattern.expand(n) == text).then_some(n)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_the_way_they_are_made() {
        for local in ["u{n}", "u{n}-x", "{n}", "7{n}0", "a{n}b{n}"] {
            let people = Population::counted(local, "p{n}", 200, 4);
            for n in [0, 1, 7, 10, 99, 199] {
                let name = people.local(UserIndex(n)).unwrap().into_owned();
                assert_eq!(people.find(&name), Some(UserIndex(n)), "{name}");
            }
            assert_eq!(people.local(UserIndex(200)), None);
        }
    }

    #[test]
    fn strangers_are_not_found() {
        let people = Population::counted("u{n}", "p{n}", 10, 2);
        for stranger in ["", "u", "u10", "u01", "x1", "u1x", "u99999999999999"] {
            assert_eq!(people.find(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn passwords_and_mutual_contacts_come_from_the_profile() {
        let people = Population::counted("u{n}", "p{n}", 10, 4);
        assert_eq!(people.password(UserIndex(3)).as_deref(), Some("p3"));
        let contacts = |user| {
            let mut all = Vec::new();
            people.contacts(UserIndex(user), &mut |contact| all.push(contact.0));
            all
        };
        assert_eq!(contacts(3).len(), 4);
        assert!(contacts(3).iter().all(|&other| contacts(other).contains(&3)));
    }
}
