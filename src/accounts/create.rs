//! `create`: accounts first, then contacts, pass by pass, until every roster says `both` of every contact.

use std::collections::HashSet;

use serde::Serialize;

use crate::accounts::conduct::{Ending, Heard, Means, Standing, conduct};
use crate::accounts::errand::{Finding, Task};
use crate::accounts::known::{Known, Left};
use crate::accounts::state::{Mark, State, StateError};
use crate::accounts::tally::{FaultCount, Faults};
use crate::accounts::{Outcome, People};
use crate::seed::{Draw, Permutation, Stream};
use crate::xmpp::Registered;

/// What the passes over the population are for. It ends as soon as everybody is complete: mostly after the third.
const PASSES: [Pass; 9] = [
    Pass::Ask,
    Pass::Grant,
    // Those whose contacts were visiting at the same time.
    Pass::Grant,
    Pass::Grant,
    // Those whose rosters contradict each other: from the beginning with them.
    Pass::Mend,
    Pass::Ask,
    Pass::Grant,
    Pass::Grant,
    Pass::Grant,
];
/// Contacts that are not mutual yet, kept from one pass for the next.
const LEFT_MAX: usize = 1 << 20;
/// Examples of users whose contacts are not complete.
const EXAMPLES: usize = 5;
/// The order in which users visit for their contacts.
const ORDER: Stream = Stream(0x0600_0003);

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// Everybody asks; those who have are granted.
    Ask,
    /// Everybody has asked, and is granted.
    Grant,
    /// What is not mutual is removed.
    Mend,
}

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

/// What was done about contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Befriended {
    /// Users whose own roster says `both` of every contact.
    pub complete: u64,
    /// Users who have contacts.
    pub of: u64,
    /// Passes over the population in this command.
    pub passes: u32,
    /// `subscribe` sent.
    pub asked: u64,
    /// `subscribed` sent.
    pub granted: u64,
    /// Contacts not `both` at the last look, of all users.
    pub left: u64,
    /// Some of them.
    pub examples: Vec<String>,
}

impl Created {
    /// Whether all accounts are there.
    pub const fn has_all_accounts(&self) -> bool {
        self.failed + self.not_tried == 0
    }
}

/// Makes the accounts, and the contacts if asked for, going on from `state`.
pub fn create(
    means: &Means<'_>,
    state: &mut State,
    contacts: bool,
    show: &mut dyn FnMut(&Standing),
) -> (Created, Ending) {
    let mut faults = Faults::default();
    let mut ending = register(means, state, &mut faults, show);
    let mut done = registered(means.people, state, &faults);
    if contacts && ending == Ending::Complete && done.failed == 0 {
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
    let mut heed = |heard| match heard {
        Heard::Ended(user, Ok(Finding::Registered(Registered::Created))) => note(state, user, Mark::Created),
        Heard::Ended(user, Ok(Finding::Registered(Registered::Existed))) => note(state, user, Mark::Existed),
        Heard::Ended(user, outcome) => {
            blame(faults, means.people, user, &outcome);
            Ok(())
        }
        Heard::Pause => flushed(state.flush()),
    };
    let ending =
        conduct(means, "accounts", (Task::Register, users, Known::everyone_asked()), &mut heed, show);
    written(state, ending)
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

fn befriend(
    means: &Means<'_>,
    state: &mut State,
    faults: &mut Faults,
    show: &mut dyn FnMut(&Standing),
) -> (Befriended, Ending) {
    let mut everyone = visiting_order(means.people);
    let mut given_up = HashSet::new();
    let mut done = Befriended { of: everyone.len() as u64, ..Befriended::default() };
    let mut ending = Ending::Complete;
    let mut left = Vec::new();
    for (number, pass) in (1..).zip(PASSES) {
        if complete(&everyone, state) == everyone.len() as u64 {
            break;
        }
        let due = due_in(pass, number == 1, &everyone, means.people, state, &left);
        left.clear();
        done.left = 0;
        let mut heed = |heard| match heard {
            Heard::Ended(user, Ok(Finding::Contacts(seen))) => {
                done.asked += u64::from(seen.asked);
                done.granted += u64::from(seen.granted);
                note(state, user, Mark::Asked)?;
                if seen.left.is_empty() {
                    return note(state, user, Mark::Mutual);
                }
                done.left += seen.left.len() as u64;
                let room = LEFT_MAX.saturating_sub(left.len());
                left.extend(seen.left.into_iter().take(room).map(|contact| (user, contact)));
                if state.has(user, Mark::Mutual) { note(state, user, Mark::Reopened) } else { Ok(()) }
            }
            Heard::Ended(user, outcome) => {
                blame(faults, means.people, user, &outcome);
                given_up.insert(user);
                Ok(())
            }
            Heard::Pause => flushed(state.flush()),
        };
        ending = conduct(means, &format!("contacts, pass {number}"), due, &mut heed, show);
        ending = written(state, ending);
        done.passes = number;
        everyone.retain(|user| !given_up.contains(user));
        if ending != Ending::Complete {
            break;
        }
    }
    done.examples =
        left.iter().take(EXAMPLES).map(|(user, left)| describe(means.people, *user, *left)).collect();
    done.complete = complete(&everyone, state);
    (done, ending)
}

fn describe(people: &People, user: u32, left: Left) -> String {
    let [user, contact] = [user, left.contact].map(|user| people.bare(user));
    format!("{user} with {contact}: {}", left.subscription.as_str())
}

/// Users who have contacts, scattered: neighbours in the graph seldom visit at the same time, and so seldom miss each
/// other's asking.
fn visiting_order(people: &People) -> Vec<u32> {
    let population = people.population();
    let shuffle = Permutation::new(population, &mut Draw::new(0, ORDER, u64::from(population)));
    let all = (0..population).map(|place| shuffle.apply(place));
    all.filter(|user| people.contacts(*user).len() > 0 && people.credentials(*user).is_some()).collect()
}

/// Whose visits a pass is, and what they know: whoever is not complete, or is not so for a contact. The first pass is of
/// those who have not asked yet, in this command or the one it goes on from.
fn due_in(
    pass: Pass,
    is_first: bool,
    everyone: &[u32],
    people: &People,
    state: &State,
    left: &[(u32, Left)],
) -> (Task, Vec<u32>, Known) {
    let has_asked = |user: &u32| is_first && state.has(*user, Mark::Asked);
    let known = match pass {
        Pass::Ask => {
            let mut known = Known::nobody_asked(people.population());
            everyone.iter().filter(|user| has_asked(user)).for_each(|user| known.note_asked(*user));
            known
        }
        Pass::Grant => Known::everyone_asked(),
        Pass::Mend => Known::complaints(left.iter().map(|(user, left)| (*user, left.contact))),
    };
    let complained_of: HashSet<u32> = left.iter().map(|(_, left)| left.contact).collect();
    let is_due =
        |user: &u32| !has_asked(user) && (!state.has(*user, Mark::Mutual) || complained_of.contains(user));
    (Task::Contacts, everyone.iter().copied().filter(is_due).collect(), known)
}

fn complete(everyone: &[u32], state: &State) -> u64 {
    everyone.iter().filter(|user| state.has(**user, Mark::Mutual)).count() as u64
}

fn note(state: &mut State, user: u32, mark: Mark) -> Result<(), String> {
    state.note(user, mark);
    Ok(())
}

fn blame(faults: &mut Faults, people: &People, user: u32, outcome: &Outcome) {
    if let Err(fault) = outcome {
        faults.note(&people.bare(user), fault);
    }
}

fn flushed(result: Result<(), StateError>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

/// The last of a stage is written down too.
fn written(state: &mut State, ending: Ending) -> Ending {
    match (state.flush(), ending) {
        (Err(error), Ending::Complete | Ending::Interrupted) => Ending::Broken(error.to_string()),
        (_, ending) => ending,
    }
}
