//! Walks one range of users' share of the plan in time order.

use std::sync::Arc;

use crate::plan::absence::Away;
use crate::plan::arrivals::{Arrival, ProcessCursor};
use crate::plan::{Action, LOGIN_GRACE, Plan, Present, Roll, To};
use crate::units::Offset;

/// Arrivals looked at in one search.
const SEARCH_MAX: usize = 64;

/// See the module text. Logins are not in it: they are asked of [`crate::plan::Population::logins_of`].
#[derive(Debug)]
pub struct Cursor {
    plan: Arc<Plan>,
    first: u32,
    end: u32,
    processes: Vec<ProcessCursor>,
    away: Away,
    roll: Roll,
    next: Option<Action>,
}

impl Cursor {
    pub(super) fn new(plan: Arc<Plan>, first: u32, end: u32) -> Self {
        let processes =
            plan.activities.iter().map(|activity| ProcessCursor::new(activity.process.clone())).collect();
        let mut cursor =
            Self { plan, first, end, processes, away: Away::default(), roll: Roll::default(), next: None };
        cursor.advance();
        cursor
    }

    /// When there is something to be taken, or to be looked for; none at the plan's end.
    pub fn next_at(&self) -> Option<Offset> {
        self.next.map(|action| action.at).or_else(|| self.earliest().map(|(_, arrival)| arrival.at))
    }

    /// Takes the next action if it is due.
    pub fn take_due(&mut self, now: Offset) -> Option<Action> {
        while self.next_at()? <= now {
            let action = self.next.take();
            self.advance();
            if action.is_some() {
                return action;
            }
        }
        None
    }

    /// Looks for the next action whose sender is in the range, through so many arrivals at most: at night, when nobody acts, the
    /// search must not hold up whoever asks. Other ranges' arrivals cost a draw and no more: the recipient and the size
    /// are drawn for our own only. But whose session ends is everybody's business.
    fn advance(&mut self) {
        for _ in 0..SEARCH_MAX {
            let Some((activity, arrival)) = self.earliest() else { return };
            self.processes[activity].advance();
            let index = activity as u16;
            let Arrival { number, at, user } = arrival;
            self.plan.population.call_roll(at, &mut self.roll);
            let present = Present { roll: &self.roll, away: &self.away };
            let Some(choice) = self.plan.resolve(index, number, at, user, &present) else { continue };
            let is_ours = (self.first..self.end).contains(&choice.sender);
            if !is_ours && !self.plan.ends_sessions(index) {
                continue;
            }
            let action = self.plan.complete(index, number, choice, &present);
            if let Some(Action { sender, to: To::Away { until, .. }, .. }) = action {
                // Whoever has no return of its own is away until it is logged out.
                let back = until.map(|until| until + LOGIN_GRACE);
                let logout = || self.plan.population.stay_of(sender, at)?.logout;
                self.away.add(sender, at, back.or_else(logout).unwrap_or(Offset::MAX));
            }
            self.next = action.filter(|_| is_ours);
            if self.next.is_some() {
                return;
            }
        }
    }

    fn earliest(&self) -> Option<(usize, Arrival)> {
        let heads = self.processes.iter().enumerate();
        heads
            .filter_map(|(index, process)| Some((index, process.peek()?)))
            .min_by_key(|(_, arrival)| arrival.at)
    }
}
