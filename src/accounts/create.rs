//! `create`: accounts first, then contacts, pass by pass, until every roster says `both` of every contact.

use serde::Serialize;

use crate::accounts::conduct::{Ending, Heard, Means, Standing, conduct};
use crate::accounts::errand::{Asked, Finding, Task};
use crate::accounts::state::{Mark, State, StateError};
use crate::accounts::tally::{FaultCount, Faults};
use crate::accounts::{Outcome, People};
use crate::seed::{Draw, Permutation, Stream};
use crate::xmpp::Registered;

/// Passes over the population, at most. Two are needed; a third meets those whose contacts were visiting at the same time;
/// more mend what was disturbed.
const PASSES_MAX: u32 = 8;
/// From this pass on, one in which nobody became complete is the last.
const PASSES_USUAL: u32 = 3;
/// Examples of users whose contacts are not complete.
const EXAMPLES: usize = 5;
/// The order in which users visit for their contacts.
const ORDER: Stream = Stream(0x0600_0003);

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
    /// Whether everything asked for is there.
    pub fn is_complete(&self) -> bool {
        self.failed + self.not_tried == 0
            && self.contacts.as_ref().is_none_or(|contacts| contacts.complete == contacts.of)
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
    let ending = conduct(means, "accounts", (Task::Register, users, Asked::everyone()), &mut heed, show);
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
    let everyone = visiting_order(means.people);
    let mut done = Befriended { of: everyone.len() as u64, ..Befriended::default() };
    let mut ending = Ending::Complete;
    for pass in 1..=PASSES_MAX {
        let due = due_in(pass, &everyone, means.people, state);
        let before = complete(&everyone, state);
        if before == done.of {
            break;
        }
        let mut look = Look::default();
        let name = format!("contacts, pass {pass}");
        let mut heed = |heard| match heard {
            Heard::Ended(user, Ok(Finding::Contacts(seen))) => {
                look.left += u64::from(seen.left);
                done.asked += u64::from(seen.asked);
                done.granted += u64::from(seen.granted);
                if let Some(example) = seen.example.filter(|_| look.examples.len() < EXAMPLES) {
                    look.examples.push(example);
                }
                note(state, user, Mark::Asked)?;
                if seen.left == 0 { note(state, user, Mark::Mutual) } else { Ok(()) }
            }
            Heard::Ended(user, outcome) => {
                blame(faults, means.people, user, &outcome);
                Ok(())
            }
            Heard::Pause => flushed(state.flush()),
        };
        ending = conduct(means, &name, due, &mut heed, show);
        ending = written(state, ending);
        (done.passes, done.left, done.examples) = (pass, look.left, look.examples);
        let stuck = pass >= PASSES_USUAL && complete(&everyone, state) == before;
        if ending != Ending::Complete || stuck {
            break;
        }
    }
    done.complete = complete(&everyone, state);
    (done, ending)
}

/// What a pass saw.
#[derive(Default)]
struct Look {
    left: u64,
    examples: Vec<String>,
}

/// Users who have contacts, scattered: neighbours in the graph seldom visit at the same time, and so seldom miss each
/// other's asking.
fn visiting_order(people: &People) -> Vec<u32> {
    let population = people.population();
    let shuffle = Permutation::new(population, &mut Draw::new(0, ORDER, u64::from(population)));
    let all = (0..population).map(|place| shuffle.apply(place));
    all.filter(|user| people.contacts(*user).len() > 0 && people.credentials(*user).is_some()).collect()
}

/// Whose visits a pass is: in the first whoever has not asked yet, knowing who has; later whoever is not complete, when all
/// have asked.
fn due_in(pass: u32, everyone: &[u32], people: &People, state: &State) -> (Task, Vec<u32>, Asked) {
    if pass > 1 {
        let due = everyone.iter().copied().filter(|user| !state.has(*user, Mark::Mutual));
        return (Task::Contacts, due.collect(), Asked::everyone());
    }
    let mut asked = Asked::nobody(people.population());
    let (before, due): (Vec<u32>, Vec<u32>) =
        everyone.iter().copied().partition(|user| state.has(*user, Mark::Asked));
    before.into_iter().for_each(|user| asked.insert(user));
    (Task::Contacts, due, asked)
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
