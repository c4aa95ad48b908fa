//! A run as its workers see it: the profile resolved, names and addresses made, numbers given out.
//!
//! Everything here is fixed before the first worker starts and shared without a lock. What changes while a run goes on is
//! who is where ([`crate::engine::whereabouts`]).

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use crate::activity::{self, Activity, Behaviour};
use crate::engine::reach;
use crate::machine::Transport;
use crate::plan::{Plan, RoomPlan};
use crate::profile::{AbortRule, Pace, Profile};
use crate::record::fanout::Measures;
use crate::record::ledger::LedgerConfig;
use crate::sample::{GroupId, LedgerKind, OperationId, OperationSpec, Place, TokenKind};
use crate::topology::Topology;
use crate::units::Offset;
use crate::user::{GroupSettings, LoginOperations, Names, RoomNames};
use crate::xmpp::Credentials;

/// A login that takes longer is given up, however long the deadline.
const LOGIN_TIMEOUT: Duration = Duration::from_mins(1);

/// See the module text.
#[derive(Debug)]
pub struct Run {
    /// The run's number, as its tokens carry it.
    pub number: u32,
    /// The plan.
    pub plan: Arc<Plan>,
    /// Later is late.
    pub deadline: Duration,
    /// The longest the run waits for open entries after the last phase.
    pub drain: Duration,
    /// The domain, ready to stand in XML.
    pub domain: String,
    /// All users' JIDs.
    pub names: Names,
    /// The operations, in the order of their ids.
    pub operations: Vec<OperationSpec>,
    /// The operations of a login.
    pub login_operations: LoginOperations,
    /// The operation of a planned logout.
    pub logout: OperationId,
    /// The activities, in the profile's order.
    pub activities: Vec<PlannedActivity>,
    /// Who knows whom.
    pub topology: Arc<Topology>,
    /// The rooms of the activities that have some, in the profile's order.
    pub rooms: Vec<RoomSet>,
    /// The rooms' JIDs.
    pub room_names: RoomNames,
    /// Whether presence goes to contacts, so that it matters what the server's rosters say.
    pub needs_subscriptions: bool,
    /// The groups, in the profile's order.
    pub groups: Vec<GroupSettings>,
    /// Where each group begins.
    group_starts: Vec<u32>,
    /// Login ceilings, by group.
    pub login_rates: Vec<Option<f64>>,
    /// How many logins are looked at for what the server offers.
    pub looking: AtomicU32,
    /// One of them has come online.
    pub is_described: AtomicBool,
    /// Whether a user has asked what the server is.
    pub has_asked: AtomicBool,
    /// Where users connect to, round robin.
    pub targets: Vec<(SocketAddr, Transport)>,
    /// What users log in with.
    profile: Arc<Profile<Activity>>,
}

/// An activity with its numbers.
#[derive(Debug)]
pub struct PlannedActivity {
    /// What it writes.
    pub behaviour: Arc<dyn Behaviour>,
    /// What it measures; an action that cannot be started counts as the first.
    pub operations: Vec<OperationId>,
    /// Those of which an action makes exactly one, with the share of actions that make it; see [`activity::wholes`].
    pub wholes: Vec<(OperationId, f64)>,
    /// What its tokens say it is.
    pub token: TokenKind,
    /// The account its broadcasts are kept in, if it makes any.
    pub broadcasts: Option<LedgerKind>,
    /// Where its rooms stand in [`Run::rooms`], if it has some.
    pub rooms: Option<usize>,
    /// How often.
    pub pace: Pace,
}

impl PlannedActivity {
    /// What an action counts as that cannot be started.
    pub fn operation(&self) -> OperationId {
        self.operations[0]
    }

    /// What is measured of its broadcasts: of presence every copy; of room messages the copies, the echo and the last.
    pub fn measures(&self) -> Measures {
        let copy = self.operations[0];
        match self.token {
            TokenKind::Groupchat => {
                Measures { copy, own: self.operations[1], last: Some(self.operations[2]) }
            }
            _ => Measures { copy, own: copy, last: None },
        }
    }

    /// What is measured of a broadcast beside its copies, once each.
    pub fn measured_beside(&self) -> impl Iterator<Item = OperationId> + use<> {
        let measures = self.broadcasts.map(|_| self.measures());
        let own = measures.and_then(|it| (it.own != it.copy).then_some(it.own));
        own.into_iter().chain(measures.and_then(|it| it.last))
    }
}

/// The rooms of one activity. Rooms and seats are numbered through the whole run.
#[derive(Debug)]
pub struct RoomSet {
    /// Which activity's, by its place in the profile.
    pub activity: u16,
    /// The number of its first room.
    pub first_place: u32,
    /// The number of its first seat.
    pub first_seat: u32,
    /// Who is in which room, and from when on.
    pub plan: RoomPlan,
    /// `groupchat.join`: to the subject.
    pub join: OperationId,
    /// `groupchat.join.self`: to one's own presence.
    pub enter: OperationId,
    /// `groupchat.create`.
    pub create: OperationId,
}

impl RoomSet {
    /// The room of one of its seats.
    pub fn place_of(&self, seat: u32) -> Place {
        Place(self.first_place + self.plan.seating().room_of(seat - self.first_seat))
    }

    /// The seats of one of its rooms.
    pub fn seats(&self, place: Place) -> Range<u32> {
        let seats = self.plan.seating().seats(place.0 - self.first_place);
        self.first_seat + seats.start..self.first_seat + seats.end
    }

    /// Who has one of its seats.
    pub fn user_of(&self, seat: u32) -> u32 {
        self.plan.seating().user_of(seat - self.first_seat)
    }

    /// A user's seat in one of its rooms.
    pub fn seat_in(&self, place: Place, user: u32) -> Option<u32> {
        Some(self.first_seat + self.plan.seating().seat_in(place.0 - self.first_place, user)?)
    }

    /// A user's seats.
    pub fn seats_of(&self, user: u32) -> impl Iterator<Item = u32> + '_ {
        self.plan.seating().seats_of(user).iter().map(|seat| self.first_seat + seat)
    }
}

impl Run {
    /// Resolves a profile; `targets` are its endpoints as addresses, in order.
    pub fn new(
        profile: Arc<Profile<Activity>>,
        seed: u64,
        number: u32,
        targets: Vec<(SocketAddr, Transport)>,
    ) -> Self {
        let topology = Arc::new(Topology::new(&profile.groups));
        let plan = Arc::new(Plan::new(&profile, Arc::clone(&topology), seed));
        let operations = activity::operations(profile.activities.iter().map(|plan| &plan.activity));
        let rooms = room_sets(&plan, profile.activities.len(), &operations);
        let activities = planned_activities(&profile, &operations, &rooms);
        Self {
            looking: AtomicU32::new(0),
            is_described: AtomicBool::new(false),
            has_asked: AtomicBool::new(false),
            room_names: room_names(number, &profile, &rooms),
            needs_subscriptions: activities.iter().any(|one| one.broadcasts == Some(LedgerKind::Presence)),
            rooms,
            topology,
            number,
            plan,
            deadline: profile.deadline,
            drain: profile.drain,
            domain: profile.target.domain.clone(),
            names: names(&profile),
            login_operations: login_operations(&operations),
            logout: id_of(&operations, "logout"),
            operations,
            activities,
            groups: group_settings(&profile),
            group_starts: profile.groups.iter().map(|group| group.first).collect(),
            login_rates: profile
                .groups
                .iter()
                .map(|g| g.login_rate.map(super::super::units::Rate::as_per_second))
                .collect(),
            targets,
            profile,
        }
    }

    /// How many users there are.
    pub fn users(&self) -> u32 {
        self.profile.users()
    }

    /// The rooms a room belongs to.
    pub fn room_set(&self, place: Place) -> Option<&RoomSet> {
        let before = self.rooms.partition_point(|set| set.first_place <= place.0);
        self.rooms.get(before.checked_sub(1)?)
    }

    /// How many rooms, and how many seats, there are in all.
    pub fn room_totals(&self) -> (u32, u32) {
        self.rooms.last().map_or((0, 0), |set| {
            let seating = set.plan.seating();
            (set.first_place + seating.len(), set.first_seat + seating.seat_count())
        })
    }

    /// The users of each of `count` workers: contiguous ranges as equal as can be.
    pub fn shards(&self, count: u32) -> Vec<Range<u32>> {
        let users = u64::from(self.users());
        let count = u64::from(count.clamp(1, self.users().max(1)));
        (0..count).map(|i| (users * i / count) as u32..(users * (i + 1) / count) as u32).collect()
    }

    /// A user's group.
    pub fn group_of(&self, user: u32) -> &GroupSettings {
        &self.groups[self.group_starts.partition_point(|&first| first <= user).saturating_sub(1)]
    }

    /// How many users a group has.
    pub fn group_size(&self, group: usize) -> u32 {
        self.profile.groups[group].count
    }

    /// What ends the run early, if anything.
    pub fn abort_rules(&self) -> &[AbortRule] {
        &self.profile.abort
    }

    /// Where a user connects to.
    pub fn target_of(&self, user: u32) -> (SocketAddr, Transport) {
        self.targets[user as usize % self.targets.len()]
    }

    /// What a user logs in with; `None` for anonymous users.
    pub fn credentials_of(&self, user: u32) -> Option<Credentials> {
        let account = self.profile.account_of(user)?;
        Some(Credentials {
            username: account.local.as_ref().into(),
            password: account.password.reveal().into(),
        })
    }

    /// How long an entry stays in the ledger after it was offered.
    pub fn horizon(&self) -> Duration {
        self.deadline + self.drain
    }

    /// The ledger of one worker, with room for `capacity` entries.
    pub fn ledger_config(&self, users: &Range<u32>, capacity: usize) -> LedgerConfig {
        LedgerConfig {
            run: self.number,
            deadline: self.deadline,
            horizon: self.horizon(),
            capacity,
            first_user: users.start,
            user_count: users.end - users.start,
            phase_starts: self.plan.phases().iter().map(|phase| phase.window.start).collect(),
            kinds: activity::ledgers(&self.operations),
        }
    }

    /// The phase an intended instant belongs to.
    pub fn phase_of(&self, intended: Offset) -> usize {
        let phases = self.plan.phases();
        phases.partition_point(|phase| phase.window.start <= intended).saturating_sub(1)
    }
}

fn planned_activities(
    profile: &Profile<Activity>,
    operations: &[OperationSpec],
    rooms: &[RoomSet],
) -> Vec<PlannedActivity> {
    let all: Vec<&Activity> = profile.activities.iter().map(|plan| &plan.activity).collect();
    let wholes = activity::wholes(&all).into_iter();
    (0u16..)
        .zip(&profile.activities)
        .zip(wholes)
        .map(|((index, plan), wholes)| {
            let feature = plan.activity.feature;
            PlannedActivity {
                behaviour: Arc::clone(&plan.activity.behaviour),
                operations: feature.operations.iter().map(|spec| id_of(operations, spec.name)).collect(),
                wholes: wholes.into_iter().map(|(name, share)| (id_of(operations, name), share)).collect(),
                token: feature.token,
                broadcasts: match feature.token {
                    TokenKind::Presence => Some(LedgerKind::Presence),
                    TokenKind::Groupchat => Some(LedgerKind::Groupchat),
                    TokenKind::Message | TokenKind::Request => None,
                },
                rooms: rooms.iter().position(|set| set.activity == index),
                pace: plan.pace,
            }
        })
        .collect()
}

/// Rooms and seats, numbered through all activities in order.
fn room_sets(plan: &Plan, activities: usize, operations: &[OperationSpec]) -> Vec<RoomSet> {
    let (mut first_place, mut first_seat) = (0, 0);
    let with_rooms = (0..activities as u16).filter_map(|activity| Some((activity, plan.rooms(activity)?)));
    with_rooms
        .map(|(activity, plan)| {
            let set = RoomSet {
                activity,
                first_place,
                first_seat,
                plan: plan.clone(),
                join: id_of(operations, "groupchat.join"),
                enter: id_of(operations, "groupchat.join.self"),
                create: id_of(operations, "groupchat.create"),
            };
            first_place += plan.seating().len();
            first_seat += plan.seating().seat_count();
            set
        })
        .collect()
}

fn room_names(run: u32, profile: &Profile<Activity>, rooms: &[RoomSet]) -> RoomNames {
    let service = |set: &RoomSet| {
        let behaviour = &profile.activities[usize::from(set.activity)].activity.behaviour;
        behaviour.room_service().unwrap_or_default().replace("{domain}", &profile.target.domain)
    };
    RoomNames::new(run, rooms.iter().map(|set| (set.first_place, service(set))).collect())
}

fn id_of(operations: &[OperationSpec], name: &str) -> OperationId {
    let index = operations.iter().position(|operation| operation.name == name);
    OperationId(index.expect("every name asked for stands in the table") as u16)
}

fn login_operations(operations: &[OperationSpec]) -> LoginOperations {
    let id = |name| id_of(operations, name);
    LoginOperations {
        login: id("login"),
        tcp: id("login.tcp"),
        stream: id("login.stream"),
        tls: id("login.tls"),
        auth: id("login.auth"),
        bind: id("login.bind"),
        session: id("login.session"),
        roster: id("login.roster"),
        echo: id("presence.echo"),
    }
}

fn group_settings(profile: &Profile<Activity>) -> Vec<GroupSettings> {
    profile
        .groups
        .iter()
        .enumerate()
        .map(|(index, group)| GroupSettings {
            id: GroupId(index as u16),
            client: Arc::new(reach::client_config(&profile.target, group)),
            login_timeout: LOGIN_TIMEOUT.max(profile.deadline),
            deadline: profile.deadline,
        })
        .collect()
}

fn names(profile: &Profile<Activity>) -> Names {
    let domain = &profile.target.domain;
    let locals = (0..profile.users()).map(|user| profile.account_of(user).map(|account| account.local));
    Names::new(locals.map(|local| local.map_or_else(String::new, |local| format!("{local}@{domain}"))))
}
