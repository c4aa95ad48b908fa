//! Joins of rooms that are to come: for each seat at most one, not before an instant, and since when it is intended.
//!
//! A join that the plan wants in a phase stands here from the beginning, whether or not its user is there; one that is wanted as soon
//! as its user is online comes with the user and goes with it.
//!
//! It refuses to hold two for one seat: a user that comes and goes is not counted twice.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::engine::run::Run;
use crate::plan::LOGIN_GRACE;
use crate::units::Offset;

/// A join to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Not before this.
    pub(super) due: Offset,
    /// When the plan wants it, or its user came online.
    pub(super) intended: Offset,
}

/// See the module text.
#[derive(Default)]
pub(super) struct Joins {
    wanted: HashMap<u32, Wanted>,
    order: BTreeSet<(Offset, u32)>,
    /// Who ended its session by plan, and until when nobody counts on it.
    away: HashMap<u32, Offset>,
}

impl Joins {
    /// What the plan wants of these users, by instants of its own.
    pub(super) fn planned(run: &Run, users: &Range<u32>) -> Self {
        let mut joins = Self::default();
        for set in run.rooms.iter().filter(|set| set.plan.joins_at(0).is_some()) {
            for seat in users.clone().flat_map(|user| set.seats_of(user)) {
                if let Some(at) = set.plan.joins_at(seat - set.first_seat) {
                    joins.want(seat, Wanted { due: at, intended: at });
                }
            }
        }
        joins
    }

    /// When one is due next.
    pub(super) fn next(&self) -> Option<Offset> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Wants a seat to be taken; whatever was wanted of it before gives way.
    pub(super) fn want(&mut self, seat: u32, wanted: Wanted) {
        self.take(seat);
        self.order.insert((wanted.due, seat));
        self.wanted.insert(seat, wanted);
    }

    /// The first that is due.
    pub(super) fn take_due(&mut self, now: Offset) -> Option<(u32, Wanted)> {
        let (_, seat) = *self.order.first().filter(|(due, _)| *due <= now)?;
        Some((seat, self.take(seat)?))
    }

    /// What is wanted of a seat, no longer wanted now.
    pub(super) fn take(&mut self, seat: u32) -> Option<Wanted> {
        let wanted = self.wanted.remove(&seat)?;
        self.order.remove(&(wanted.due, seat));
        Some(wanted)
    }

    /// A join that waits for its room waits no more.
    pub(super) fn hurry(&mut self, now: Offset, seat: u32) {
        if let Some(wanted) = self.wanted.get(&seat).copied().filter(|it| it.intended <= now && now < it.due)
        {
            self.want(seat, Wanted { due: now, ..wanted });
        }
    }

    /// No join begins any more; gives those that were to come.
    pub(super) fn stop(&mut self) -> impl Iterator<Item = (u32, Wanted)> + use<> {
        self.order.clear();
        std::mem::take(&mut self.wanted).into_iter()
    }

    /// A user's session was ended by plan; nobody counts on it before `until`.
    pub(super) fn user_away(&mut self, user: u32, until: Offset) {
        self.away.insert(user, until);
    }

    /// A user came online.
    pub(super) fn user_back(&mut self, user: u32) {
        self.away.remove(&user);
    }

    /// Whether the plan counts on a user to be online at an instant: as long as it does where it picks senders.
    pub(super) fn counts_on(&self, run: &Run, user: u32, at: Offset) -> bool {
        let stay = run.plan.population().stay_of(user, at);
        let is_there = stay.is_some_and(|stay| stay.login + LOGIN_GRACE <= at);
        is_there && self.away.get(&user).is_none_or(|until| *until <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Offset {
        Offset::from_nanos(seconds * 1_000_000_000)
    }

    const fn wanted(due: u64, intended: u64) -> Wanted {
        Wanted { due: s(due), intended: s(intended) }
    }

    #[test]
    fn a_seat_is_wanted_once_and_in_order() {
        let mut joins = Joins::default();
        joins.want(7, wanted(3, 3));
        joins.want(8, wanted(2, 2));
        joins.want(7, wanted(1, 1));
        assert_eq!((joins.next(), joins.take_due(s(0))), (Some(s(1)), None));
        assert_eq!(joins.take_due(s(5)), Some((7, wanted(1, 1))));
        assert_eq!(joins.take_due(s(5)), Some((8, wanted(2, 2))));
        assert_eq!((joins.next(), joins.take_due(s(5))), (None, None));
    }

    #[test]
    fn who_waits_for_a_room_is_called_and_who_is_not_yet_due_is_not() {
        let mut joins = Joins::default();
        joins.want(1, wanted(9, 2));
        joins.want(2, wanted(9, 9));
        for seat in 1..4 {
            joins.hurry(s(3), seat);
        }
        assert_eq!(joins.take_due(s(3)), Some((1, wanted(3, 2))));
        assert_eq!(joins.take_due(s(8)), None);
        assert_eq!(joins.stop().collect::<Vec<_>>(), [(2, wanted(9, 9))]);
        assert_eq!(joins.next(), None);
    }
}
