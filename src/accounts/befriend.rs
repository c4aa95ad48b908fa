//! Contacts, pass by pass over the population, until every roster says `both` of every contact.
//!
//! Two passes do it: everybody asks, everybody grants. A third and fourth meet those whose neighbours were visiting at the
//! same time. What is left then contradicts itself: it is removed from both sides, and begins anew.

use std::collections::HashSet;

use serde::Serialize;

use crate::accounts::conduct::{Ending, Heard, Means, Standing, conduct};
use crate::accounts::contacts::ContactsSeen;
use crate::accounts::errand::{Finding, Task};
use crate::accounts::known::{Known, Left};
use crate::accounts::state::{Mark, State};
use crate::accounts::tally::Faults;
use crate::accounts::{Outcome, People};
use crate::seed::{Draw, Permutation, Stream};

/// What the passes are for. It ends as soon as everybody is complete: mostly after the second or third.
const PASSES: [Pass; 9] = [
    Pass::Ask,
    Pass::Grant,
    Pass::Grant,
    Pass::Grant,
    Pass::Mend,
    Pass::Ask,
    Pass::Grant,
    Pass::Grant,
    Pass::Grant,
];
/// Contacts that are not mutual yet, kept from one pass for the next.
const LEFT_MAX: usize = 1 << 20;
/// Examples of contacts that are not mutual.
const EXAMPLES: usize = 5;
/// The order in which users visit.
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

/// What was done about contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Befriended {
    /// Users whose own roster says `both` of every contact.
    pub complete: u64,
    /// Users who have contacts.
    pub of: u64,
    /// Passes over the population in this command.
    pub passes: usize,
    /// `subscribe` sent.
    pub asked: u64,
    /// `subscribed` sent.
    pub granted: u64,
    /// Contacts not `both` at the last look, of all users.
    pub left: u64,
    /// Some of them.
    pub examples: Vec<String>,
}

/// Makes all contacts mutual, going on from `state`.
pub fn befriend(
    means: &Means<'_>,
    state: &mut State,
    faults: &mut Faults,
    show: &mut dyn FnMut(&Standing),
) -> (Befriended, Ending) {
    let mut circle = Circle::new(means.people);
    let mut done = Befriended { of: circle.everyone.len() as u64, ..Befriended::default() };
    let mut ending = Ending::Complete;
    for number in 0..PASSES.len() {
        if circle.complete(state) == circle.everyone.len() as u64 {
            break;
        }
        let due = circle.due_in(number, state);
        circle.left.clear();
        (done.passes, done.left) = (number + 1, 0);
        let mut heed = |heard| match heard {
            Heard::Ended(user, Ok(Finding::Contacts(seen))) => {
                done.asked += u64::from(seen.asked);
                done.granted += u64::from(seen.granted);
                done.left += seen.left.len() as u64;
                circle.note(user, seen, state);
                Ok(())
            }
            Heard::Ended(user, outcome) => {
                circle.give_up(user, &outcome, faults);
                Ok(())
            }
            Heard::Pause => state.flush().map_err(|error| error.to_string()),
        };
        let name = format!("contacts, pass {}", done.passes);
        ending = conduct(means, &name, due, &mut heed, show);
        ending = state.flush_after(ending);
        circle.everyone.retain(|user| !circle.given_up.contains(user));
        if ending != Ending::Complete {
            break;
        }
    }
    done.examples = circle.examples();
    done.complete = circle.complete(state);
    (done, ending)
}

/// Those who have contacts, and what one pass has to tell the next.
struct Circle<'a> {
    people: &'a People,
    /// In the order of their visits, without those given up.
    everyone: Vec<u32>,
    given_up: HashSet<u32>,
    /// What was not mutual at the last look, by the user who looked.
    left: Vec<(u32, Left)>,
}

impl<'a> Circle<'a> {
    /// Everybody, scattered: neighbours in the graph seldom visit at the same time, and so seldom miss each other's asking.
    fn new(people: &'a People) -> Self {
        let population = people.population();
        let shuffle = Permutation::new(population, &mut Draw::new(0, ORDER, u64::from(population)));
        let has_contacts =
            |user: &u32| people.contacts(*user).len() > 0 && people.credentials(*user).is_some();
        let everyone = (0..population).map(|place| shuffle.apply(place)).filter(has_contacts).collect();
        Self { people, everyone, given_up: HashSet::new(), left: Vec::new() }
    }

    /// Whose visits a pass is, and what they know: whoever is not complete. In the first pass whoever has not asked yet, in
    /// this command or the one it goes on from. Since the pass that mends, those as well of whom somebody complained: what
    /// was removed may have been complete for them.
    fn due_in(&self, number: usize, state: &State) -> (Task, Vec<u32>, Known) {
        let has_asked = |user: u32| number == 0 && state.has(user, Mark::Asked);
        let known = match PASSES[number] {
            Pass::Ask => {
                let mut known = Known::nobody_asked(self.people.population());
                let before = self.everyone.iter().filter(|user| has_asked(**user));
                before.for_each(|user| known.note_asked(*user));
                known
            }
            Pass::Grant => Known::everyone_asked(),
            Pass::Mend => Known::complaints(self.left.iter().map(|(user, left)| (*user, left.contact))),
        };
        let has_mended = PASSES[..=number].contains(&Pass::Mend);
        let said = self.left.iter().filter(|_| has_mended);
        let complained_of: HashSet<u32> = said.map(|(_, left)| left.contact).collect();
        let is_due = |user: &u32| {
            !has_asked(*user) && (!state.has(*user, Mark::Mutual) || complained_of.contains(user))
        };
        (Task::Contacts, self.everyone.iter().copied().filter(is_due).collect(), known)
    }

    /// A user has visited, and looked.
    fn note(&mut self, user: u32, seen: ContactsSeen, state: &mut State) {
        state.note(user, Mark::Asked);
        if seen.left.is_empty() {
            state.note(user, Mark::Mutual);
        } else if state.has(user, Mark::Mutual) {
            state.note(user, Mark::Reopened);
        }
        let room = LEFT_MAX.saturating_sub(self.left.len());
        self.left.extend(seen.left.into_iter().take(room).map(|left| (user, left)));
    }

    fn give_up(&mut self, user: u32, outcome: &Outcome, faults: &mut Faults) {
        if let Err(fault) = outcome {
            faults.note(&self.people.bare(user), fault);
        }
        self.given_up.insert(user);
    }

    fn complete(&self, state: &State) -> u64 {
        self.everyone.iter().filter(|user| state.has(**user, Mark::Mutual)).count() as u64
    }

    fn examples(&self) -> Vec<String> {
        let describe = |(user, left): &(u32, Left)| {
            let [user, contact] = [*user, left.contact].map(|user| self.people.bare(user));
            format!("{user} with {contact}: {}", left.subscription.as_str())
        };
        self.left.iter().take(EXAMPLES).map(describe).collect()
    }
}
