//! `check`: every account is logged in to and its roster compared with the topology.

use serde::Serialize;

use crate::accounts::check::Checked;
use crate::accounts::conduct::{Ending, Heard, Means, Standing, conduct};
use crate::accounts::errand::{Finding, Task};
use crate::accounts::known::Known;
use crate::accounts::roster::{Differences, Listed};
use crate::accounts::tally::{FaultCount, Faults};

/// Examples kept of each kind of difference.
const EXAMPLES: usize = 5;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Audit {
    /// Accounts the profile names.
    pub accounts: u64,
    /// Accounts that logged in.
    pub let_in: u64,
    /// Accounts the server does not know.
    pub no_account: Found,
    /// Accounts whose password it refused.
    pub wrong_password: Found,
    /// Accounts it refused without telling which of the two.
    pub not_let_in: Found,
    /// Accounts that could not be looked at.
    pub failed: u64,
    /// Accounts not come to: the command was interrupted, or gave up.
    pub not_tried: u64,
    /// Contacts, counted from either end, of accounts that logged in.
    pub contacts: Contacts,
    /// What went wrong, by kind.
    pub faults: Vec<FaultCount>,
}

/// What the rosters say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contacts {
    /// As they should be: `both`.
    pub mutual: u64,
    /// In the roster, and not `both`.
    pub one_sided: Found,
    /// Not in the roster.
    pub missing: Found,
    /// In the roster, and no contacts.
    pub surplus: Found,
}

/// A count with its first examples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How many.
    pub count: u64,
    /// The first few, each for a person.
    pub examples: Vec<String>,
}

impl Found {
    fn add(&mut self, count: u64, examples: impl IntoIterator<Item = String>) {
        self.count += count;
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(examples.into_iter().take(room));
    }

    fn merge(&mut self, listed: Listed) {
        self.add(u64::from(listed.count), listed.examples);
    }
}

impl Audit {
    /// Accounts that did not log in, for whatever reason.
    pub const fn not_in(&self) -> u64 {
        self.accounts - self.let_in
    }

    /// Contacts that are not as they should be.
    pub const fn differences(&self) -> u64 {
        let Contacts { one_sided, missing, surplus, .. } = &self.contacts;
        one_sided.count + missing.count + surplus.count
    }

    fn note(&mut self, jid: String, checked: Checked) {
        match checked {
            Checked::NoAccount => self.no_account.add(1, [jid]),
            Checked::WrongPassword => self.wrong_password.add(1, [jid]),
            Checked::NotLetIn => self.not_let_in.add(1, [jid]),
            Checked::LetIn(Differences { mutual, one_sided, missing, surplus }) => {
                self.let_in += 1;
                self.contacts.mutual += u64::from(mutual);
                self.contacts.one_sided.merge(one_sided);
                self.contacts.missing.merge(missing);
                self.contacts.surplus.merge(surplus);
            }
        }
    }
}

/// Looks at all accounts.
pub fn audit(means: &Means<'_>, show: &mut dyn FnMut(&Standing)) -> (Audit, Ending) {
    let people = means.people;
    let users: Vec<u32> = people.with_account().collect();
    let mut found = Audit { accounts: users.len() as u64, ..Audit::default() };
    let (mut faults, mut seen) = (Faults::default(), 0);
    let mut heed = |heard| {
        if let Heard::Ended(user, outcome) = heard {
            seen += 1;
            match outcome {
                Ok(Finding::Checked(checked)) => found.note(people.bare(user), checked),
                Ok(_) => {}
                Err(fault) => faults.note(&people.bare(user), &fault),
            }
        }
        Ok(())
    };
    let ending = conduct(means, "check", (Task::Check, users, Known::everyone_asked()), &mut heed, show);
    found.failed = faults.total();
    found.not_tried = found.accounts - seen;
    found.faults = faults.counts();
    (found, ending)
}
