//! When things happen and to whom: a pure, invertible function of profile and seed.
//!
//! The plan does not know workers, processes or hosts. Arrivals, sender, recipient and size come from counter-based
//! generators over the whole population, and a [`Cursor`] hands out one range of users' share of it; all ranges
//! together are the whole plan, whatever the ranges are.
//!
//! A user is **planned online** from [`LOGIN_GRACE`] after its login was due until its logout is, and away from the end an
//! activity plans for its session to as long after its planned return. Picks are made among those online and not away;
//! whether the picked one really is online is for the run to find out, and to count.
//!
//! It refuses to catch up: what is due is due at its instant, however late the caller asks for it.

mod absence;
pub mod arrivals;
mod cursor;
pub mod curve;
pub mod rooms;

use std::sync::Arc;
use std::time::Duration;

pub use cursor::Cursor;
pub use rooms::RoomPlan;

use crate::plan::absence::Away;
use crate::plan::arrivals::{Process, SessionEnds};
use crate::plan::curve::{RateCurve, Stay, UserCurve, Window};
use crate::profile::{Absence, Arrivals, Pace, Planned, Profile, Recipients, SizeDistribution};
use crate::seed::{Draw, Permutation, Stream};
use crate::topology::Topology;
use crate::units::Offset;

/// How long after its login was due a user is counted on by the plan.
pub const LOGIN_GRACE: Duration = Duration::from_secs(1);
/// How often a pick that falls on somebody who is away is made again.
const PICKS_MAX: u32 = 64;
/// How many seats in a row are then looked at for one that is taken.
const SEATS_SCANNED: u32 = 4_096;

/// Something a user does at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Action {
    /// The activity, by its place in the profile.
    pub activity: u16,
    /// Identifies it within the activity.
    pub number: u64,
    /// When.
    pub at: Offset,
    /// Who.
    pub sender: u32,
    /// To whom.
    pub to: To,
    /// Body size in bytes, for activities that have one.
    pub size: u32,
}

impl Action {
    /// The one other user it is for, if there is one.
    pub const fn recipient(&self) -> Option<u32> {
        match self.to {
            To::User(user) => Some(user),
            To::Server | To::Contacts | To::Room { .. } | To::Away { .. } => None,
        }
    }
}

/// Whom an action is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum To {
    /// The sender's own server.
    Server,
    /// One other user.
    User(u32),
    /// Whichever of the sender's contacts are online.
    Contacts,
    /// The occupants of a room, from the sender's seat in it.
    Room {
        /// The sender's seat, among those of the activity's rooms.
        seat: u32,
    },
    /// Nobody: the sender's session ends.
    Away {
        /// When its next one is to begin; none where the user is planned to have logged out by then.
        until: Option<Offset>,
        /// Without a word, instead of by closing its stream.
        cut: bool,
    },
}

/// The resolved plan of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    seed: u64,
    phases: Vec<PhaseWindow>,
    population: Population,
    activities: Vec<ActivityPlan>,
}

/// A phase as the plan sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseWindow {
    /// Its name.
    pub name: String,
    /// From when to when.
    pub window: Window,
    /// Whether it counts.
    pub measured: bool,
}

/// Who logs in and out when, and who is planned online.
#[derive(Clone, Debug)]
pub struct Population {
    groups: Vec<GroupCurve>,
    topology: Arc<Topology>,
}

#[derive(Clone, Debug)]
struct GroupCurve {
    first: u32,
    curve: UserCurve,
    order: Permutation,
}

#[derive(Clone, Debug)]
struct ActivityPlan {
    process: Process,
    recipients: Recipients,
    size: Option<SizeDistribution>,
    rooms: Option<RoomPlan>,
    absence: Option<Absence>,
}

impl Plan {
    /// Resolves a profile under a seed.
    pub fn new<A: Planned>(profile: &Profile<A>, topology: Arc<Topology>, seed: u64) -> Self {
        let population = Population::new(profile, topology, seed);
        let activities = (0..profile.activities.len())
            .map(|index| ActivityPlan {
                process: process(profile, index, seed, &population),
                recipients: profile.activities[index].activity.recipients(),
                size: profile.activities[index].activity.size().copied(),
                rooms: profile.activities[index]
                    .activity
                    .rooms()
                    .map(|spec| RoomPlan::new(spec, index as u16, profile.users(), &profile.phases)),
                absence: profile.activities[index].activity.absence().copied(),
            })
            .collect();
        let phases = profile
            .phases
            .iter()
            .map(|phase| PhaseWindow {
                name: phase.name.clone(),
                window: Window { start: phase.start, end: phase.end() },
                measured: phase.measure,
            })
            .collect();
        Self { seed, phases, population, activities }
    }

    /// The phases in order.
    pub fn phases(&self) -> &[PhaseWindow] {
        &self.phases
    }

    /// When the last phase ends.
    pub fn end(&self) -> Offset {
        self.phases.last().map_or(Offset::ZERO, |phase| phase.window.end)
    }

    /// The run's seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Who logs in and out when.
    pub const fn population(&self) -> &Population {
        &self.population
    }

    /// Arrivals per second of one activity at an instant, as expected; none where nobody is planned online to act.
    pub fn rate_at(&self, activity: u16, at: Offset) -> f64 {
        if self.population.planned_online(at) == 0 {
            return 0.0;
        }
        match &self.activities[usize::from(activity)].process {
            Process::Rate { curve, .. } => curve.rate_at(at),
            Process::Habit { period, end, .. } if at < *end => {
                f64::from(self.population.planned_online(at)) / period.as_secs_f64()
            }
            Process::Sessions(sessions) if at < sessions.end => {
                f64::from(self.population.planned_online(at)) / sessions.length.mean().as_secs_f64()
            }
            Process::Habit { .. } | Process::Sessions(_) => 0.0,
        }
    }

    /// The rooms of an activity, if it has any.
    pub fn rooms(&self, activity: u16) -> Option<&RoomPlan> {
        self.activities[usize::from(activity)].rooms.as_ref()
    }

    /// The share of the plan whose senders are users `first..end`, from the run's start.
    pub fn cursor(self: &Arc<Self>, first: u32, end: u32) -> Cursor {
        Cursor::new(Arc::clone(self), first, end)
    }

    /// Fills in who acts in one arrival; `None` if nobody is planned online to do it, in which case it is not part of the plan.
    fn resolve(
        &self,
        activity: u16,
        number: u64,
        at: Offset,
        bound: Option<u32>,
        present: &Present<'_>,
    ) -> Option<Choice> {
        let online = present.roll.online;
        if online == 0 {
            return None;
        }
        let population = &self.population;
        let mut draw = Draw::new(self.seed, Stream::choices(activity), number);
        if let Some(rooms) = &self.activities[usize::from(activity)].rooms {
            let count = rooms.seating().seat_count();
            let is_taken = |seat: &u32| {
                population.is_present(rooms.seating().user_of(*seat), present)
                    && rooms.is_planned_joined(*seat, at)
            };
            let picked = (0..PICKS_MAX).map(|_| draw.below(count)).find(is_taken);
            // Where few seats are taken, the next one that is, from a place drawn anew.
            let seat = picked.or_else(|| {
                let start = draw.below(count);
                (0..count.min(SEATS_SCANNED)).map(|step| (start + step) % count).find(is_taken)
            })?;
            return Some(Choice { sender: rooms.seating().user_of(seat), seat: Some(seat), at, draw });
        }
        let sender = match bound {
            Some(user) => population.is_present(user, present).then_some(user)?,
            None => (0..PICKS_MAX)
                .map(|_| population.online_user(draw.below(online), present.roll))
                .find(|&user| !present.away.is_away(user, at))?,
        };
        Some(Choice { sender, seat: None, at, draw })
    }

    /// Fills in to whom and how much. Whoever has nobody to write to writes to nobody, and that is the plan.
    fn complete(&self, activity: u16, number: u64, choice: Choice, present: &Present<'_>) -> Option<Action> {
        let Choice { sender, seat, at, mut draw } = choice;
        let plan = &self.activities[usize::from(activity)];
        let to = match plan.recipients {
            Recipients::Server => To::Server,
            Recipients::Online => To::User(self.population.other_online(sender, present, &mut draw)?),
            Recipients::Contact => To::User(self.population.contact_online(sender, present, &mut draw)?),
            Recipients::Contacts => To::Contacts,
            Recipients::Room => To::Room { seat: seat? },
            Recipients::Oneself => {
                let absence = plan.absence.as_ref()?;
                let (cut, length) = absence::draw(absence, &mut draw);
                let logout = self.population.stay_of(sender, at)?.logout;
                let until = Some(at + length).filter(|until| logout.is_none_or(|logout| *until < logout));
                To::Away { until, cut }
            }
        };
        let size = plan.size.map_or(0, |size| size.sample(&mut draw));
        Some(Action { activity, number, at, sender, to, size })
    }

    /// Whether an activity ends its users' sessions.
    fn ends_sessions(&self, activity: u16) -> bool {
        self.activities[usize::from(activity)].absence.is_some()
    }
}

/// A sender, and what is left to draw from.
struct Choice {
    sender: u32,
    seat: Option<u32>,
    at: Offset,
    draw: Draw,
}

/// How many users are planned online at an instant: in all, and of each group.
#[derive(Clone, Debug, Default)]
struct Roll {
    at: Offset,
    online: u32,
    by_group: Vec<u32>,
}

/// Who can be picked at an instant: whoever is planned online and not away.
struct Present<'a> {
    roll: &'a Roll,
    away: &'a Away,
}

impl Population {
    fn new<A>(profile: &Profile<A>, topology: Arc<Topology>, seed: u64) -> Self {
        let groups = profile.groups.iter().enumerate().map(|(index, group)| {
            let curve = UserCurve::new(
                profile
                    .phases
                    .iter()
                    .map(|phase| (Window { start: phase.start, end: phase.end() }, phase.online[index])),
            );
            let mut draw = Draw::new(seed, Stream::login_order(index as u16), 0);
            GroupCurve { first: group.first, curve, order: Permutation::new(group.count, &mut draw) }
        });
        Self { groups: groups.collect(), topology }
    }

    /// How many users ever log in.
    pub fn ever_logged_in(&self) -> u32 {
        self.groups.iter().map(|group| group.curve.peak()).sum()
    }

    /// How many log in, and how many log out, from `start` to `end`.
    pub fn turns_within(&self, start: Offset, end: Offset) -> (u32, u32) {
        let turns =
            self.groups.iter().map(|group| (group.curve.logged_in(start), group.curve.logged_in(end)));
        turns.fold((0, 0), |(ins, outs), (before, after)| {
            (ins + after.saturating_sub(before), outs + before.saturating_sub(after))
        })
    }

    /// The most connections at once that the curves ask for: one group's may still be closing while another's open.
    pub fn connections_at_once(&self, phases: &[PhaseWindow]) -> u32 {
        let at_once = |phase: &PhaseWindow| -> u32 {
            let most = |curve: &UserCurve| {
                curve.logged_in(phase.window.start).max(curve.logged_in(phase.window.end))
            };
            self.groups.iter().map(|group| most(&group.curve)).sum()
        };
        phases.iter().map(at_once).max().unwrap_or(0)
    }

    /// A user's stays, in time order: when its logins are due, and its logouts.
    pub fn stays_of(&self, user: u32) -> impl Iterator<Item = Stay> + '_ {
        let group = self.group_of(user);
        group.curve.stays(group.rank_of(user))
    }

    /// The stay that an instant lies in.
    pub fn stay_of(&self, user: u32, at: Offset) -> Option<Stay> {
        self.stays_of(user).find(|stay| stay.contains(at))
    }

    /// The logins of users `first..end` in time order.
    pub fn logins_of(&self, first: u32, end: u32) -> Vec<(Offset, u32)> {
        in_order((first..end).flat_map(|user| self.stays_of(user).map(move |stay| (stay.login, user))))
    }

    /// Their logouts, likewise.
    pub fn logouts_of(&self, first: u32, end: u32) -> Vec<(Offset, u32)> {
        in_order(
            (first..end)
                .flat_map(|user| self.stays_of(user).filter_map(move |stay| Some((stay.logout?, user)))),
        )
    }

    /// How many users are planned to have logged in and not out at `at`.
    pub fn logged_in(&self, at: Offset) -> u32 {
        self.groups.iter().map(|group| group.curve.logged_in(at)).sum()
    }

    /// How many users are planned online at `at`.
    pub fn planned_online(&self, at: Offset) -> u32 {
        self.groups.iter().map(|group| group.planned_online(at)).sum()
    }

    /// Counts those planned online at `at`, once for whatever is asked of that instant.
    fn call_roll(&self, at: Offset, roll: &mut Roll) {
        roll.by_group.clear();
        roll.by_group.extend(self.groups.iter().map(|group| group.planned_online(at)));
        roll.online = roll.by_group.iter().sum();
        roll.at = at;
    }

    fn is_present(&self, user: u32, present: &Present<'_>) -> bool {
        let group = self.group_index_of(user);
        let rank = self.groups[group].rank_of(user);
        rank < present.roll.by_group[group] && !present.away.is_away(user, present.roll.at)
    }

    /// The planned-online user of this rank, ranks counted through the groups in order.
    fn online_user(&self, mut rank: u32, roll: &Roll) -> u32 {
        for (group, &online) in self.groups.iter().zip(&roll.by_group) {
            if rank < online {
                return group.first + group.order.apply(rank);
            }
            rank -= online;
        }
        self.groups.last().map_or(0, |group| group.first)
    }

    /// Any planned-online user but the sender, all equally likely.
    fn other_online(&self, sender: u32, present: &Present<'_>, draw: &mut Draw) -> Option<u32> {
        let others = present.roll.online.checked_sub(1).filter(|&others| others > 0)?;
        let mut pick = || {
            let pick = self.online_user(draw.below(others), present.roll);
            // The last rank stands in for the sender's own, so that every other user has one.
            if pick == sender { self.online_user(others, present.roll) } else { pick }
        };
        (0..PICKS_MAX).map(|_| pick()).find(|&user| !present.away.is_away(user, present.roll.at))
    }

    /// A contact of the sender that is planned online: a random one, or the next after it in the sender's list.
    fn contact_online(&self, sender: u32, present: &Present<'_>, draw: &mut Draw) -> Option<u32> {
        let count = self.topology.contact_count(sender);
        let start = draw.below(count);
        (0..count)
            .map(|step| self.topology.contact(sender, (start + step) % count))
            .find(|&contact| self.is_present(contact, present))
    }

    fn group_of(&self, user: u32) -> &GroupCurve {
        &self.groups[self.group_index_of(user)]
    }

    fn group_index_of(&self, user: u32) -> usize {
        self.groups.partition_point(|group| group.first <= user).saturating_sub(1)
    }
}

impl GroupCurve {
    /// The place of one of its users among its comings.
    fn rank_of(&self, user: u32) -> u32 {
        self.order.invert(user - self.first)
    }

    fn planned_online(&self, at: Offset) -> u32 {
        self.curve.logged_in_throughout(at - LOGIN_GRACE, at)
    }
}

fn in_order(turns: impl Iterator<Item = (Offset, u32)>) -> Vec<(Offset, u32)> {
    let mut turns: Vec<(Offset, u32)> = turns.collect();
    turns.sort_unstable();
    turns
}

fn process<A: Planned>(profile: &Profile<A>, index: usize, seed: u64, population: &Population) -> Process {
    let activity = index as u16;
    let plan = &profile.activities[index];
    match plan.pace {
        Pace::Every(period) => {
            let population = profile.users();
            let mut draw = Draw::new(seed, Stream::phases(activity), 0);
            let order = Permutation::new(population, &mut draw);
            Process::Habit { period, order, population, end: profile.end_of_phases() }
        }
        Pace::Session(length) => Process::Sessions(SessionEnds {
            seed,
            activity,
            length,
            absence: plan.activity.absence().copied(),
            population: population.clone(),
            users: profile.users(),
            end: profile.end_of_phases(),
        }),
        Pace::Total(_) | Pace::PerUser(_) => Process::Rate {
            seed,
            activity,
            curve: rate_curve(profile, plan.pace),
            poisson: plan.arrivals == Arrivals::Poisson,
        },
    }
}

fn rate_curve<A>(profile: &Profile<A>, pace: Pace) -> RateCurve {
    let mut curve = RateCurve::default();
    let mut users_before = 0.0;
    for (index, phase) in profile.phases.iter().enumerate() {
        let window = Window { start: phase.start, end: phase.end() };
        let factors = (profile.factor_at_start(index, pace), phase.factor);
        let users = f64::from(phase.online_total());
        match pace {
            Pace::PerUser(rate) => {
                let rate = rate.as_per_second();
                curve.push_per_user(window, (users_before, users), (rate * factors.0, rate * factors.1));
            }
            _ => {
                let rate = pace.over(phase.online_total()).as_per_second();
                curve.push_linear(window, rate * factors.0, rate * factors.1);
            }
        }
        users_before = users;
    }
    curve
}
