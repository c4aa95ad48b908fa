//! A run as its workers see it: the profile resolved, names and addresses made, numbers given out.
//!
//! Everything here is fixed before the first worker starts and shared without a lock. What changes while a run goes on is
//! who is online ([`Online`]), one byte per user, written by the user's own worker and read by all.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::activity::{self, Activity, Behaviour};
use crate::engine::reach;
use crate::machine::Transport;
use crate::plan::Plan;
use crate::profile::{Pace, Profile};
use crate::record::ledger::LedgerConfig;
use crate::sample::{GroupId, OperationId, OperationSpec, TokenKind, Unsent, UserIndex};
use crate::topology::Topology;
use crate::units::Offset;
use crate::user::{GroupSettings, LoginOperations, Names};
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
    /// The activities, in the profile's order.
    pub activities: Vec<PlannedActivity>,
    /// The groups, in the profile's order.
    pub groups: Vec<GroupSettings>,
    /// Where each group begins.
    group_starts: Vec<u32>,
    /// Login ceilings, by group.
    pub login_rates: Vec<Option<f64>>,
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
    /// What it measures.
    pub operation: OperationId,
    /// What its tokens say it is.
    pub token: TokenKind,
    /// How often.
    pub pace: Pace,
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
        let plan = Arc::new(Plan::new(&profile, topology, seed));
        let operations = activity::operations(profile.activities.iter().map(|plan| &plan.activity));
        let activities = planned_activities(&profile, &operations);
        Self {
            number,
            plan,
            deadline: profile.deadline,
            drain: profile.drain,
            domain: profile.target.domain.clone(),
            names: names(&profile),
            login_operations: login_operations(&operations),
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

fn planned_activities(profile: &Profile<Activity>, operations: &[OperationSpec]) -> Vec<PlannedActivity> {
    profile
        .activities
        .iter()
        .map(|plan| PlannedActivity {
            behaviour: Arc::clone(&plan.activity.behaviour),
            operation: id_of(operations, plan.activity.feature.operation.name),
            token: plan.activity.feature.token,
            pace: plan.pace,
        })
        .collect()
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

/// Where a user stands, by the tool's own view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Presence {
    /// Not there: not yet, no more, or beginning or ending a session.
    Offline = 0,
    /// Bound and available.
    Online = 1,
    /// Not there, and it is our doing: a limit of this machine, or a login that could not work as asked.
    OfflineByUs = 2,
}

/// Who is online.
#[derive(Debug)]
pub struct Online(Vec<AtomicU8>);

impl Online {
    /// Nobody.
    pub fn nobody(users: u32) -> Self {
        Self((0..users).map(|_| AtomicU8::new(Presence::Offline as u8)).collect())
    }

    /// Whether a user is bound, available, and neither beginning nor ending a session.
    pub fn contains(&self, user: UserIndex) -> bool {
        self.0
            .get(user.0 as usize)
            .is_some_and(|place| place.load(Ordering::Relaxed) == Presence::Online as u8)
    }

    /// Our own doing, if that is why a user is not online.
    pub fn whose_fault(&self, user: UserIndex) -> Option<Unsent> {
        let place = self.0.get(user.0 as usize)?.load(Ordering::Relaxed);
        (place == Presence::OfflineByUs as u8).then_some(Unsent::OurLimit)
    }

    /// Only the user's own worker says so.
    pub fn set(&self, user: UserIndex, presence: Presence) {
        if let Some(place) = self.0.get(user.0 as usize) {
            place.store(presence as u8, Ordering::Relaxed);
        }
    }
}
