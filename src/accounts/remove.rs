//! `delete`: every account logs in and removes itself (XEP-0077 section 3.2).

use serde::Serialize;

use crate::accounts::conduct::{Ending, Heard, Means, Standing, conduct};
use crate::accounts::errand::{Finding, Task};
use crate::accounts::known::Known;
use crate::accounts::tally::{FaultCount, Faults};

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Removed {
    /// Accounts the profile names.
    pub accounts: u64,
    /// Removed by this command.
    pub deleted: u64,
    /// The server knew no such account.
    pub absent: u64,
    /// Given up.
    pub failed: u64,
    /// Not come to: the command was interrupted, or gave up.
    pub not_tried: u64,
    /// What went wrong, by kind.
    pub faults: Vec<FaultCount>,
}

/// Removes all accounts. What was removed before is absent, so that a command that was interrupted can be given again.
pub fn remove(means: &Means<'_>, show: &mut dyn FnMut(&Standing)) -> (Removed, Ending) {
    let people = means.people;
    let users: Vec<u32> = people.with_account().collect();
    let mut done = Removed { accounts: users.len() as u64, ..Removed::default() };
    let mut faults = Faults::default();
    let mut heed = |heard| {
        if let Heard::Ended(user, outcome) = heard {
            match outcome {
                Ok(Finding::Deleted) => done.deleted += 1,
                Ok(_) => done.absent += 1,
                Err(fault) => faults.note(&people.bare(user), &fault),
            }
        }
        Ok(())
    };
    let ending = conduct(means, "delete", (Task::Delete, users, Known::everyone_asked()), &mut heed, show);
    done.failed = faults.total();
    done.not_tried = done.accounts - (done.deleted + done.absent + done.failed);
    done.faults = faults.counts();
    (done, ending)
}
