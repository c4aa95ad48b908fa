//! When an activity's arrivals come: the instants of a superposed process over the whole population.
//!
//! N users who each act at rate r are one process of rate N·r whose arrivals pick a random user; so there is one
//! process per activity and no timer per user. Expected-count space is cut into cells of `CELL` expected arrivals.
//! What falls into a cell is a function of (seed, activity, cell) alone, so any part of the process can be made without
//! the part before it, and nothing accumulates rounding. Within a cell a Poisson process has a Poisson number of
//! arrivals at sorted uniform places; constant arrivals stand one apart.
//!
//! A periodic habit needs no process: each user has a fixed phase, and index arithmetic says who is next.
//!
//! Ends of sessions are the one process with a past: a user's next session begins where the one before ended. It is walked
//! from the run's start with one entry per user. A session that a planned logout ends before its time has no end of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rand::distr::Distribution;
use rand_distr::Poisson;

use crate::plan::curve::{RateCurve, Stay};
use crate::plan::{Population, absence};
use crate::profile::{Absence, DurationDistribution};
use crate::seed::{Draw, Permutation, Stream};
use crate::units::Offset;

/// Expected arrivals per cell.
const CELL: u32 = 64;
/// Room for a cell's arrivals in an arrival's number: far beyond what a Poisson count of mean 64 reaches.
const CELL_ROOM: u64 = 1 << 10;

/// One arrival.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// Identifies the arrival within its activity; of a rate or a habit it rises with time, not without gaps.
    pub number: u64,
    /// When.
    pub at: Offset,
    /// The user it is bound to, where the process binds one (periodic habits): an index into the population.
    pub user: Option<u32>,
}

/// An arrival process: a function from place to instant, made cell by cell.
#[derive(Clone, Debug)]
pub enum Process {
    /// Arrivals along a rate curve.
    Rate {
        /// The run's seed.
        seed: u64,
        /// The activity's index.
        activity: u16,
        /// Expected arrivals over time.
        curve: RateCurve,
        /// Random places if true, one apart if not.
        poisson: bool,
    },
    /// Every user once per period, at its own fixed phase.
    Habit {
        /// The time between two arrivals of one user.
        period: Duration,
        /// Which user stands at which place of the period.
        order: Permutation,
        /// The number of users.
        population: u32,
        /// When the last arrival may be.
        end: Offset,
    },
    /// The ends of everybody's sessions.
    Sessions(SessionEnds),
}

/// The ends of everybody's sessions: how long each lasts, and how long it is until the next begins.
#[derive(Clone, Debug)]
pub struct SessionEnds {
    /// The run's seed.
    pub seed: u64,
    /// The activity's index.
    pub activity: u16,
    /// How long sessions last.
    pub length: DurationDistribution,
    /// How long users stay away after one; without it nobody comes back.
    pub absence: Option<Absence>,
    /// Between which logins and logouts sessions lie.
    pub population: Population,
    /// The number of users.
    pub users: u32,
    /// When the last end may be.
    pub end: Offset,
}

impl SessionEnds {
    /// Everybody's first.
    fn first(&self) -> impl Iterator<Item = SessionEnd> + '_ {
        (0..self.users).filter_map(|user| self.next(user, Offset::ZERO, 0))
    }

    /// The first end of a user's sessions that begin at `from` or later, `count` having ended before.
    fn next(&self, user: u32, from: Offset, mut count: u32) -> Option<SessionEnd> {
        let ahead = |stay: &Stay| stay.logout.is_none_or(|logout| from < logout);
        for stay in self.population.stays_of(user).filter(ahead) {
            let mut draw = Draw::new(self.seed, Stream::sessions(self.activity), self.number(user, count));
            // A session of no length at all would stop the clock.
            let length = self.length.sample(&mut draw).max(Duration::from_millis(1));
            let end = SessionEnd { at: stay.login.max(from) + length, user, count };
            if stay.contains(end.at) {
                return Some(end);
            }
            count += 1;
        }
        None
    }

    /// The end of the session after one that ended: away as long as the plan draws it for that end, then on again.
    fn after(&self, end: &SessionEnd) -> Option<SessionEnd> {
        let number = self.number(end.user, end.count);
        let mut draw = Draw::new(self.seed, Stream::choices(self.activity), number);
        let (_, away) = absence::draw(self.absence.as_ref()?, &mut draw);
        self.next(end.user, end.at + away, end.count + 1)
    }

    /// Identifies an end within the activity.
    fn number(&self, user: u32, count: u32) -> u64 {
        u64::from(count) * u64::from(self.users) + u64::from(user)
    }
}

/// An end of a session, ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SessionEnd {
    at: Offset,
    user: u32,
    count: u32,
}

impl Process {
    /// The arrivals of one cell, in time order, into `cell_arrivals`; false when the process ends before it.
    fn fill(&self, cell: u64, cell_arrivals: &mut Vec<Arrival>) -> bool {
        cell_arrivals.clear();
        match self {
            Self::Rate { seed, activity, curve, poisson } => {
                let base = cell as f64 * f64::from(CELL);
                if base >= curve.expected_total() {
                    return false;
                }
                let places = if *poisson { random_places(*seed, *activity, cell) } else { even_places() };
                let instants = places.iter().map_while(|place| curve.instant_of(base + place));
                cell_arrivals.extend(instants.zip(0..CELL_ROOM).map(|(at, index)| Arrival {
                    number: cell * CELL_ROOM + index,
                    at,
                    user: None,
                }));
                true
            }
            Self::Habit { period, order, population, end } => {
                let first = cell * u64::from(CELL);
                for number in first..first + u64::from(CELL) {
                    let at = habit_instant(*period, *population, number);
                    if at >= *end {
                        break;
                    }
                    let place = (number % u64::from(*population)) as u32;
                    cell_arrivals.push(Arrival { number, at, user: Some(order.apply(place)) });
                }
                !cell_arrivals.is_empty()
            }
            // Has no cells: its cursor walks it.
            Self::Sessions(_) => false,
        }
    }

    /// How many arrivals come before `at`. The cost grows with the time since the run's start: for checks and
    /// displays, not for the hot path.
    pub fn count_until(&self, at: Offset) -> u64 {
        let mut cursor = ProcessCursor::new(self.clone());
        let mut count = 0;
        while cursor.peek().is_some_and(|arrival| arrival.at < at) {
            cursor.advance();
            count += 1;
        }
        count
    }
}

/// Walks a process in time order, holding one cell, or the next end of everybody's session.
#[derive(Clone, Debug)]
pub struct ProcessCursor {
    process: Process,
    cell: u64,
    arrivals: Vec<Arrival>,
    next: usize,
    ended: bool,
    ends: BinaryHeap<Reverse<SessionEnd>>,
}

impl ProcessCursor {
    /// At the process's first arrival.
    pub fn new(process: Process) -> Self {
        let ends = match &process {
            Process::Sessions(sessions) => sessions.first().map(Reverse).collect(),
            _ => BinaryHeap::new(),
        };
        let mut cursor = Self { process, cell: 0, arrivals: Vec::new(), next: 0, ended: false, ends };
        cursor.ended = !cursor.process.fill(0, &mut cursor.arrivals);
        cursor.skip_empty();
        cursor
    }

    /// The arrival the cursor stands at.
    pub fn peek(&self) -> Option<Arrival> {
        let Process::Sessions(sessions) = &self.process else { return self.arrivals.get(self.next).copied() };
        let Reverse(end) = self.ends.peek().filter(|Reverse(end)| end.at < sessions.end)?;
        Some(Arrival { number: sessions.number(end.user, end.count), at: end.at, user: Some(end.user) })
    }

    /// On to the next arrival.
    pub fn advance(&mut self) {
        if let Process::Sessions(sessions) = &self.process {
            let next = self.ends.pop().and_then(|Reverse(end)| sessions.after(&end));
            self.ends.extend(next.filter(|next| next.at < sessions.end).map(Reverse));
            return;
        }
        self.next += 1;
        self.skip_empty();
    }

    fn skip_empty(&mut self) {
        while !self.ended && self.next >= self.arrivals.len() {
            self.cell += 1;
            self.next = 0;
            self.ended = !self.process.fill(self.cell, &mut self.arrivals);
        }
    }
}

fn random_places(seed: u64, activity: u16, cell: u64) -> Vec<f64> {
    let mut draw = Draw::new(seed, Stream::arrivals(activity), cell);
    let count = Poisson::new(f64::from(CELL)).map_or(0.0, |poisson| poisson.sample(&mut draw)) as u64;
    let mut places: Vec<f64> = (0..count.min(CELL_ROOM - 1)).map(|_| draw.unit() * f64::from(CELL)).collect();
    places.sort_unstable_by(f64::total_cmp);
    places
}

/// Half-way into each unit of expected count: the first arrival of a constant process comes half a gap after its
/// start, so that two processes side by side do not fire together at the phase's first instant.
fn even_places() -> Vec<f64> {
    (0..CELL).map(|place| f64::from(place) + 0.5).collect()
}

fn habit_instant(period: Duration, population: u32, number: u64) -> Offset {
    let population = u64::from(population.max(1));
    let period_nanos = period.as_nanos();
    let within = period_nanos * u128::from(number % population) / u128::from(population);
    let nanos = period_nanos * u128::from(number / population) + within;
    Offset::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::curve::Window;

    fn seconds(s: f64) -> Offset {
        Offset::from_secs_f64(s)
    }

    fn at_rate(rate: f64, end_s: f64, poisson: bool, seed: u64) -> Process {
        let mut curve = RateCurve::default();
        curve.push_linear(Window { start: Offset::ZERO, end: seconds(end_s) }, rate, rate);
        Process::Rate { seed, activity: 0, curve, poisson }
    }

    fn all(process: Process) -> Vec<Arrival> {
        let mut cursor = ProcessCursor::new(process);
        std::iter::from_fn(move || {
            let arrival = cursor.peek()?;
            cursor.advance();
            Some(arrival)
        })
        .collect()
    }

    #[test]
    fn constant_arrivals_are_even_and_exactly_as_many_as_asked() {
        let arrivals = all(at_rate(1_000.0, 20.0, false, 1));
        assert_eq!(arrivals.len(), 20_000);
        for (index, pair) in arrivals.windows(2).enumerate() {
            let gap = pair[1].at.since(pair[0].at).as_nanos();
            assert!((999_990..=1_000_010).contains(&gap), "gap {gap} ns after arrival {index}");
        }
    }

    #[test]
    fn poisson_arrivals_have_exponential_gaps() {
        let arrivals = all(at_rate(1_000.0, 100.0, true, 7));
        let gaps: Vec<f64> =
            arrivals.windows(2).map(|w| w[1].at.since(w[0].at).as_secs_f64() * 1_000.0).collect();
        let count = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / count;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
        let beyond_three = gaps.iter().filter(|&&gap| gap > 3.0).count() as f64 / count;
        assert!((mean - 1.0).abs() < 0.015, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
        assert!((beyond_three - (-3.0f64).exp()).abs() < 0.003, "P(gap > 3) {beyond_three}");
    }

    #[test]
    fn numbers_rise_with_time_and_count_until_agrees_with_the_cursor() {
        let process = at_rate(50.0, 30.0, true, 3);
        let arrivals = all(process.clone());
        assert!(arrivals.windows(2).all(|w| w[0].number < w[1].number && w[0].at <= w[1].at));
        for at in [0.0, 0.5, 7.3, 29.9, 40.0] {
            let before = arrivals.iter().filter(|arrival| arrival.at < seconds(at)).count() as u64;
            assert_eq!(process.count_until(seconds(at)), before);
        }
    }

    #[test]
    fn a_habit_is_every_user_once_a_period_at_its_own_phase() {
        let order = Permutation::new(7, &mut Draw::new(5, Stream::phases(0), 0));
        let habit =
            Process::Habit { period: Duration::from_secs(5), order, population: 7, end: seconds(20.0) };
        let arrivals = all(habit);
        assert_eq!(arrivals.len(), 28);
        for user in 0..7 {
            let own: Vec<Offset> = arrivals.iter().filter(|a| a.user == Some(user)).map(|a| a.at).collect();
            assert_eq!(own.len(), 4);
            assert!(own.windows(2).all(|w| w[1].since(w[0]) == Duration::from_secs(5)), "{own:?}");
        }
    }
}
