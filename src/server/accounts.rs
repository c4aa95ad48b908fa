//! Who has an account: those of the [`Directory`], and those made since the server's start, in memory.
//!
//! Registered accounts are numbered from [`REGISTERED`] on, beyond every population. An account of the directory keeps
//! its number, and with it its contacts, when its password changes or when it is removed and registered again.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::sample::UserIndex;
use crate::server::Directory;
use crate::server::reply::Denial;

/// The first number of a registered account.
const REGISTERED: u32 = 1 << 31;
/// Most registered accounts.
const ACCOUNTS_MAX: usize = 1_000_000;

/// See the module text. Passwords are in it: it is never shown.
pub(super) struct Accounts {
    directory: Box<dyn Directory>,
    /// By number, from [`REGISTERED`] on; none where the account was removed.
    registered: Vec<Option<Account>>,
    free: Vec<u32>,
    by_local: HashMap<Arc<str>, UserIndex>,
    /// Of the directory's accounts, those whose passwords are others now.
    passwords: HashMap<UserIndex, Box<str>>,
    /// Of the directory's accounts, those that are no more.
    removed: HashSet<UserIndex>,
    changes: u64,
}

struct Account {
    local: Arc<str>,
    password: Box<str>,
}

impl Accounts {
    pub(super) fn new(directory: Box<dyn Directory>) -> Self {
        Self {
            directory,
            registered: Vec::new(),
            free: Vec::new(),
            by_local: HashMap::new(),
            passwords: HashMap::new(),
            removed: HashSet::new(),
            changes: 0,
        }
    }

    /// Whose account this is; `local` is the part of the JID before the `@`.
    pub(super) fn find(&self, local: &str) -> Option<UserIndex> {
        let registered = self.by_local.get(local).copied();
        registered.or_else(|| self.directory.find(local).filter(|user| !self.removed.contains(user)))
    }

    /// The part before the `@` of a user's JID.
    pub(super) fn local(&self, user: UserIndex) -> Option<Cow<'_, str>> {
        match slot(user) {
            Some(slot) => self.registered.get(slot)?.as_ref().map(|account| Cow::Borrowed(&*account.local)),
            None => self.directory.local(user),
        }
    }

    /// A user's password.
    pub(super) fn password(&self, user: UserIndex) -> Option<Cow<'_, str>> {
        match slot(user) {
            Some(slot) => {
                self.registered.get(slot)?.as_ref().map(|account| Cow::Borrowed(&*account.password))
            }
            None => match self.passwords.get(&user) {
                Some(password) => Some(Cow::Borrowed(password)),
                None => self.directory.password(user),
            },
        }
    }

    /// Calls `each` for every contact the directory gives a user.
    pub(super) fn contacts(&self, user: UserIndex, each: &mut dyn FnMut(UserIndex)) {
        self.directory.contacts(user, each);
    }

    /// Whether this is an account that was registered, and the directory never had.
    pub(super) fn is_registered(&self, local: &str) -> bool {
        self.by_local.contains_key(local)
    }

    /// Makes an account.
    pub(super) fn create(&mut self, local: &Arc<str>, password: &str) -> Result<(), Denial> {
        if self.find(local).is_some() {
            return Err(Denial::CONFLICT);
        }
        self.changes += 1;
        if let Some(user) = self.directory.find(local) {
            self.removed.remove(&user);
            self.passwords.insert(user, password.into());
            return Ok(());
        }
        let account = Some(Account { local: Arc::clone(local), password: password.into() });
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.registered.len() >= ACCOUNTS_MAX => return Err(Denial::RESOURCE_CONSTRAINT),
            None => {
                self.registered.push(None);
                self.registered.len() as u32 - 1
            }
        };
        self.registered[slot as usize] = account;
        self.by_local.insert(Arc::clone(local), UserIndex(REGISTERED + slot));
        Ok(())
    }

    /// Gives an account another password.
    pub(super) fn change_password(&mut self, user: UserIndex, password: &str) {
        self.changes += 1;
        match slot(user) {
            Some(slot) => {
                if let Some(Some(account)) = self.registered.get_mut(slot) {
                    account.password = password.into();
                }
            }
            None => drop(self.passwords.insert(user, password.into())),
        }
    }

    /// Takes an account away.
    pub(super) fn remove(&mut self, user: UserIndex) {
        self.changes += 1;
        let Some(slot) = slot(user) else {
            self.passwords.remove(&user);
            self.removed.insert(user);
            return;
        };
        if let Some(account) = self.registered.get_mut(slot).and_then(Option::take) {
            self.by_local.remove(&account.local);
            self.free.push(slot as u32);
        }
    }

    /// Rises whenever a password changes: what was derived from an earlier one is told by it.
    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }
}

/// A registered account's place.
fn slot(user: UserIndex) -> Option<usize> {
    user.0.checked_sub(REGISTERED).map(|slot| slot as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Population;

    #[test]
    fn accounts_come_change_and_go_beside_those_of_the_directory() {
        let mut accounts = Accounts::new(Box::new(Population::counted("u{n}", "p{n}", 10, 2)));
        let password = |accounts: &Accounts, local: &str| {
            accounts.find(local).and_then(|user| accounts.password(user).map(Cow::into_owned))
        };
        for local in ["u3", "eve"] {
            let local: Arc<str> = local.into();
            let before = accounts.find(&local);
            if before.is_some() {
                assert_eq!(accounts.create(&local, "x"), Err(Denial::CONFLICT));
            } else {
                accounts.create(&local, "x").unwrap();
            }
            let user = accounts.find(&local).unwrap();
            accounts.change_password(user, "changed");
            assert_eq!(password(&accounts, &local).as_deref(), Some("changed"));
            assert_eq!(accounts.local(user).as_deref(), Some(&*local));
            accounts.remove(user);
            assert_eq!(accounts.find(&local), None);
            accounts.create(&local, "again").unwrap();
            assert_eq!(password(&accounts, &local).as_deref(), Some("again"));
            assert_eq!(accounts.find(&local), Some(user), "the number is the same");
        }
        assert_eq!(password(&accounts, "u4").as_deref(), Some("p4"));
    }
}
