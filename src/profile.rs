//! The profile: what a run does, as a person writes it, and as nobody can get it wrong.
//!
//! TOML goes in, a [`Profile`] comes out whose values have been checked against each other, or a [`Problems`] that says
//! for each mistake where it is, what is wrong and what to do. A key nobody knows is a mistake. `--set` overrides are
//! put into the document before anything is checked, so there is one set of rules.
//!
//! Activities are known only through a [`Registry`] handed in. Files named in a profile (accounts, certificates) are
//! read through [`Files`]: this module itself touches no disk.
//!
//! Invariants of a [`Profile`]: at least one group, one phase and one measured phase; user indices `0..users()` divided
//! among the groups in order; users never fall from phase to phase and never exceed their group; no phase asks for more
//! logins than a group's ceiling; every SLO names something this profile measures; `drain ≥ deadline`.
//!
//! It refuses: sessions that end before the run does (that comes with churn), more users than a token can name, a run
//! longer than a token can time.

pub mod abort;
mod document;
pub mod group;
pub mod keys;
pub mod load;
mod mask;
pub mod observe;
pub mod phase;
pub mod problem;
mod read;
pub mod registry;
mod schema;
mod set;
mod shipped;
pub mod slo;
pub mod target;
pub mod value;

use std::time::Duration;

pub use abort::{AbortRule, Sign};
pub use group::{Account, Accounts, Graph, Group, Mechanism, Row, Secret};
pub use keys::{Keys, Reported};
pub use load::{Files, Input, PROFILE_KEYS};
pub use observe::{Observe, ObservedProcess, Scrape, Selector};
pub use phase::Phase;
pub use problem::{Problems, Wrong};
pub use read::Share;
pub use read::abort::ABORT_KEYS;
pub use read::activities::ACTIVITY_KEYS;
pub use read::observe::OBSERVE_KEYS;
pub use read::phases::PHASE_KEYS;
pub use read::target::TARGET_KEYS;
pub use read::users::USERS_KEYS;
pub use registry::{
    Absence, Join, KeySpec, KindSpec, Planned, Presence, Recipients, Registry, Rooms, Shape, Vocabulary,
};
pub use schema::schema;
pub use shipped::{SHIPPED, Shipped};
pub use slo::{Bound, Comparison, Condition, Metric, Slo, Statistic};
pub use target::{Endpoint, Target, Tls, Trust};
pub use value::{Arrivals, DurationDistribution, Pace, RoomSizes, SizeDistribution};

use crate::units::Offset;

/// A validated profile. `A` is what the registry makes of an activity's own keys.
#[derive(Clone, Debug)]
pub struct Profile<A> {
    /// Where it came from, passwords masked: fit for a result file.
    pub source: Source,
    /// Later than this is late.
    pub deadline: Duration,
    /// At most this long after the last phase; at least [`Profile::deadline`].
    pub drain: Duration,
    /// The run's seed, if the profile fixes it.
    pub seed: Option<u64>,
    /// Where the users connect to.
    pub target: Target,
    /// The users, in order; never empty.
    pub groups: Vec<Group>,
    /// The phases, in order; never empty, at least one measured.
    pub phases: Vec<Phase>,
    /// What the users do, in the profile's order.
    pub activities: Vec<ActivityPlan<A>>,
    /// What the run is held against, in the profile's order.
    pub slos: Vec<Slo>,
    /// What ends the run early, if anything.
    pub abort: Vec<AbortRule>,
    /// What is watched of the server meanwhile, in the profile's order.
    pub observe: Vec<Observe>,
}

/// Something users do, and how often.
#[derive(Clone, Debug)]
pub struct ActivityPlan<A> {
    /// Its kind, one of the registry's.
    pub kind: &'static str,
    /// How often.
    pub pace: Pace,
    /// How its instants are spread.
    pub arrivals: Arrivals,
    /// Its own keys.
    pub activity: A,
}

/// Where a profile came from. Passwords in its texts are masked with stars of the same length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's name, or a shipped profile's.
    pub name: String,
    /// The TOML text, passwords masked.
    pub text: String,
    /// The `--set` overrides in the order given, passwords masked.
    pub overrides: Vec<String>,
}

impl<A> Profile<A> {
    /// How many users there are in all groups.
    pub fn users(&self) -> u32 {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// The position in [`Profile::groups`] of a user's group; the last one for an index beyond the population.
    pub fn group_index_of(&self, user: u32) -> usize {
        self.groups.partition_point(|group| group.first <= user).saturating_sub(1)
    }

    /// The account of a user; none for an anonymous one.
    pub fn account_of(&self, user: u32) -> Option<Account<'_>> {
        let group = &self.groups[self.group_index_of(user)];
        group.account(user.checked_sub(group.first)?)
    }

    /// When the last phase ends and the drain begins.
    pub fn end_of_phases(&self) -> Offset {
        self.phases.last().map_or(Offset::ZERO, Phase::end)
    }

    /// The most users ever online, over all groups.
    pub fn peak_online(&self) -> u32 {
        self.phases.iter().map(Phase::online_total).max().unwrap_or(0)
    }

    /// The factor on `pace` at the beginning of a phase (by position).
    pub fn factor_at_start(&self, phase: usize, pace: Pace) -> f64 {
        match phase.checked_sub(1) {
            Some(before) => self.phases[before].factor,
            None => pace.factor_before_first_phase(),
        }
    }
}
