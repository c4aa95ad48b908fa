//! `create`: accounts first, then contacts.

use serde::Serialize;

use crate::accounts::People;
use crate::accounts::befriend::{Befriended, befriend};
use crate::accounts::conduct::{Ending, Heard, Means, Standing, conduct};
use crate::accounts::errand::{Finding, Task};
use crate::accounts::known::Known;
use crate::accounts::state::{Mark, State};
use crate::accounts::tally::{FaultCount, Faults};
use crate::xmpp::Registered;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Created {
    /// Accounts the profile names.
    pub accounts: u64,
    /// Made by this command or the ones it goes on from.
    pub created: u64,
    /// There before.
    pub existed: u64,
    /// Given up.
    pub failed: u64,
    /// Not come to: the command was interrupted, or gave up.
    pub not_tried: u64,
    /// None where contacts were not asked for, or not come to.
    pub contacts: Option<Befriended>,
    /// What went wrong, by kind.
    pub faults: Vec<FaultCount>,
}

impl Created {
    /// Whether all accounts are there.
    pub const fn has_all_accounts(&self) -> bool {
        self.failed + self.not_tried == 0
    }
}

/// Makes the accounts, and the contacts if asked for, going on from `state`. Contacts wait until all accounts are there.
pub fn create(
    means: &Means<'_>,
    state: &mut State,
    contacts: bool,
    show: &mut dyn FnMut(&Standing),
) -> (Created, Ending) {
    let mut faults = Faults::default();
    let mut ending = register(means, state, &mut faults, show);
    let mut done = registered(means.people, state, &faults);
    if contacts && ending == Ending::Complete && done.has_all_accounts() {
        let (befriended, end) = befriend(means, state, &mut faults, show);
        done.contacts = Some(befriended);
        ending = end;
    }
    done.faults = faults.counts();
    (done, ending)
}

fn register(
    means: &Means<'_>,
    state: &mut State,
    faults: &mut Faults,
    show: &mut dyn FnMut(&Standing),
) -> Ending {
    let users: Vec<u32> = means.people.with_account().filter(|user| !state.has_account(*user)).collect();
    let mut heed = |heard| {
        match heard {
            Heard::Ended(user, Ok(Finding::Registered(Registered::Created))) => {
                state.note(user, Mark::Created);
            }
            Heard::Ended(user, Ok(_)) => state.note(user, Mark::Existed),
            Heard::Ended(user, Err(fault)) => faults.note(&means.people.bare(user), &fault),
            Heard::Pause => return state.flush().map_err(|error| error.to_string()),
        }
        Ok(())
    };
    let task = (Task::Register, users, Known::everyone_asked());
    let ending = conduct(means, "accounts", task, &mut heed, show);
    state.flush_after(ending)
}

fn registered(people: &People, state: &State, faults: &Faults) -> Created {
    let accounts = people.with_account().count() as u64;
    let created = state.count(Mark::Created);
    // An account whose answer a kill kept from being noted is met again, as one that existed.
    let there = people.with_account().filter(|user| state.has_account(*user)).count() as u64;
    let failed = faults.total();
    Created {
        accounts,
        created,
        existed: there - created.min(there),
        failed,
        not_tried: accounts.saturating_sub(there + failed),
        ..Created::default()
    }
}
