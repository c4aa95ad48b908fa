//! What a run comes to, before anybody runs it: users, rates, bytes and what it takes of the machine, phase by phase.
//!
//! Rates are the plan's own expectation, and needs are the preflight's own arithmetic, so that what is shown is what is done.
//! Sizes are those of the stanzas the activities really write. What is a guess is called one: memory beside the ledger, and
//! the size of answers. Bytes leave out logins, presence at logins, and TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::activity::{Activity, Order};
use crate::engine::preflight;
use crate::engine::run::{PlannedActivity, Run};
use crate::machine::Transport;
use crate::plan::curve::Window;
use crate::profile::{Endpoint, Profile, Recipients, SizeDistribution, Tls};
use crate::sample::{Place, Token, UserIndex};
use crate::units::Offset;

/// Memory of a run with hardly any users, bytes; a guess from measurements (docs/bench.md).
const BASE_BYTES: u64 = 40 << 20;
/// Memory of one user in the clear, bytes; likewise.
const USER_BYTES: u64 = 2_560;
/// What TLS adds to one end of a connection, bytes; likewise.
const TLS_BYTES: u64 = 8_192;
/// Looks at each phase's rates: they go in straight lines, or with the users online.
const LOOKS: u32 = 200;

/// See the module text.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// Users in all groups.
    pub users: u32,
    /// The most users the plan brings online.
    pub peak_online: u32,
    /// How long the phases are, seconds.
    pub phases_s: f64,
    /// At most this much longer, for what is still open, seconds.
    pub drain_s: f64,
    /// Phase by phase.
    pub phases: Vec<PhaseForecast>,
    /// Activity by activity.
    pub activities: Vec<ActivityForecast>,
    /// The highest load of any phase.
    pub peak: Load,
    /// What the run takes of the machine.
    pub needs: Needs,
}

/// A phase.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseForecast {
    /// Its name.
    pub name: String,
    /// When it begins, seconds since the run's epoch.
    pub start_s: f64,
    /// When it ends.
    pub end_s: f64,
    /// Whether it is measured.
    pub measured: bool,
    /// Users online at its beginning and at its end.
    pub users: (u32, u32),
    /// The factor on activities reached at its end.
    pub factor: f64,
    /// Planned logins per second, those of sessions that an activity ends and begins again apart.
    pub logins_per_s: f64,
    /// Planned logouts per second.
    pub logouts_per_s: f64,
    /// Operations in all.
    pub operations: f64,
    /// Operations per second at its beginning and just before its end.
    pub operations_per_s: (f64, f64),
    /// Its highest load.
    pub peak: Load,
}

/// An activity.
#[derive(Clone, Debug, Serialize)]
pub struct ActivityForecast {
    /// Its kind.
    pub kind: &'static str,
    /// Its highest rate, operations per second.
    pub peak_per_s: f64,
    /// Its stanzas' mean size, bytes; 0 where it writes none.
    pub stanza_bytes: f64,
    /// How many copies or answers one operation brings, on average and at most: all who could be there are.
    pub copies_each: f64,
}

/// How much goes on at once.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Load {
    /// Operations begun per second.
    pub operations_per_s: f64,
    /// Copies and answers per second, if all that is begun is done.
    pub copies_per_s: f64,
    /// Bytes written per second.
    pub written_bytes_per_s: f64,
    /// Bytes read per second.
    pub read_bytes_per_s: f64,
}

/// What a run takes of the machine.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Needs {
    /// Connections at once.
    pub connections: u64,
    /// Descriptors, those of an embedded server among them.
    pub descriptors: u64,
    /// Ports of one source address towards one target.
    pub ports: u64,
    /// Memory of the ledger, bytes: what the rates leave in it over deadline and drain.
    pub ledger_bytes: u64,
    /// Memory in all, bytes; a guess but for the ledger.
    pub memory_bytes: u64,
}

/// Looks ahead.
pub fn forecast(profile: &Arc<Profile<Activity>>) -> Forecast {
    let run = resolved(profile);
    let activities: Vec<ActivityForecast> = profile
        .activities
        .iter()
        .zip(&run.activities)
        .enumerate()
        .map(|(index, (plan, activity))| activity_forecast(&run, index, plan.kind, activity))
        .collect();
    let mut before = 0;
    let phases: Vec<PhaseForecast> = profile
        .phases
        .iter()
        .map(|phase| {
            let online = phase.online_total();
            let users = (std::mem::replace(&mut before, online), online);
            let window = Window { start: phase.start, end: phase.end() };
            let rates = Rates { run: &run, activities: &activities, window };
            let (logins, logouts) = run.plan.population().turns_within(window.start, window.end);
            PhaseForecast {
                name: phase.name.clone(),
                start_s: window.start.as_secs_f64(),
                end_s: window.end.as_secs_f64(),
                measured: phase.measure,
                users,
                factor: phase.factor,
                logins_per_s: f64::from(logins) / phase.duration.as_secs_f64(),
                logouts_per_s: f64::from(logouts) / phase.duration.as_secs_f64(),
                operations: rates.total(),
                operations_per_s: rates.ends(),
                peak: rates.peak(),
            }
        })
        .collect();
    Forecast {
        users: profile.users(),
        peak_online: profile.peak_online(),
        phases_s: profile.end_of_phases().as_secs_f64(),
        drain_s: profile.drain.as_secs_f64(),
        peak: phases.iter().map(|phase| phase.peak).fold(Load::default(), Load::max),
        needs: needs(profile, &run),
        phases,
        activities,
    }
}

/// The run, with addresses nobody will connect to.
fn resolved(profile: &Arc<Profile<Activity>>) -> Run {
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let targets = profile.target.endpoints.iter().map(|endpoint| match endpoint {
        Endpoint::DirectTls { .. } => (nowhere, Transport::DirectTls),
        Endpoint::Tcp { .. } | Endpoint::Loopback => (nowhere, Transport::Tcp),
    });
    Run::new(Arc::clone(profile), profile.seed.unwrap_or(0), 0, targets.collect())
}

fn activity_forecast(
    run: &Run,
    index: usize,
    kind: &'static str,
    activity: &PlannedActivity,
) -> ActivityForecast {
    ActivityForecast {
        kind,
        peak_per_s: preflight::peak_rate(run, index, activity.pace),
        stanza_bytes: stanza_bytes(run, activity),
        copies_each: match activity.behaviour.recipients() {
            // Whose session ends gets nothing more.
            Recipients::Oneself => 0.0,
            _ => preflight::copies_each(run, activity),
        },
    }
}

/// The size of one stanza with a body of the mean size, from and to users in the middle of the population.
fn stanza_bytes(run: &Run, activity: &PlannedActivity) -> f64 {
    let user = run.users() / 2;
    let token = Token {
        kind: activity.token,
        run: run.number,
        sender: UserIndex(user),
        sequence: 0,
        intended: Offset::ZERO,
    };
    let id = token.to_text();
    let to = match activity.behaviour.recipients() {
        Recipients::Contact | Recipients::Online => run.names.bare(user).to_owned(),
        Recipients::Room => activity
            .rooms
            .map(|set| run.room_names.bare(Place(run.rooms[set].first_place)))
            .unwrap_or_default(),
        Recipients::Server | Recipients::Contacts | Recipients::Oneself => String::new(),
    };
    let size = activity.behaviour.size().map_or(0.0, SizeDistribution::mean_bytes).round() as u32;
    let order = Order { id: id.as_str(), to: &to, domain: &run.domain, size, number: 0 };
    let mut bytes = Vec::new();
    activity.behaviour.write(&order, &mut bytes);
    bytes.len() as f64
}

/// What a server adds to a copy, bytes; a guess: ` from='JID/RESOURCE'`.
const FROM_BYTES: f64 = 40.0;

/// The rates of one phase.
struct Rates<'a> {
    run: &'a Run,
    activities: &'a [ActivityForecast],
    window: Window,
}

impl Rates<'_> {
    /// The load at an instant.
    fn at(&self, at: Offset) -> Load {
        let mut load = Load::default();
        for (index, activity) in self.activities.iter().enumerate() {
            let rate = self.run.plan.rate_at(index as u16, at);
            let copies = rate * activity.copies_each;
            load.operations_per_s += rate;
            load.copies_per_s += copies;
            load.written_bytes_per_s += rate * activity.stanza_bytes;
            load.read_bytes_per_s += copies * (activity.stanza_bytes + FROM_BYTES);
        }
        load
    }

    fn ends(&self) -> (f64, f64) {
        let just_before = self.window.end - Duration::from_nanos(1);
        (self.at(self.window.start).operations_per_s, self.at(just_before).operations_per_s)
    }

    fn middles(&self) -> impl Iterator<Item = Load> + '_ {
        let step = self.window.end.since(self.window.start) / LOOKS;
        (0..LOOKS).map(move |look| self.at(self.window.start + step * look + step / 2))
    }

    fn total(&self) -> f64 {
        let seconds = self.window.end.since(self.window.start).as_secs_f64();
        self.middles().map(|load| load.operations_per_s).sum::<f64>() * seconds / f64::from(LOOKS)
    }

    fn peak(&self) -> Load {
        let just_before = self.window.end - Duration::from_nanos(1);
        let ends = [self.at(self.window.start), self.at(just_before)];
        self.middles().chain(ends).fold(Load::default(), Load::max)
    }
}

impl Load {
    fn max(self, other: Self) -> Self {
        Self {
            operations_per_s: self.operations_per_s.max(other.operations_per_s),
            copies_per_s: self.copies_per_s.max(other.copies_per_s),
            written_bytes_per_s: self.written_bytes_per_s.max(other.written_bytes_per_s),
            read_bytes_per_s: self.read_bytes_per_s.max(other.read_bytes_per_s),
        }
    }
}

fn needs(profile: &Profile<Activity>, run: &Run) -> Needs {
    let own_server = profile.target.uses_loopback();
    let connections = preflight::connections(run);
    let direct = profile.target.endpoints.iter().any(|one| matches!(one, Endpoint::DirectTls { .. }));
    let secured = direct || profile.target.tls != Tls::Off;
    let sides = if own_server { 2 } else { 1 };
    let tls = if secured { TLS_BYTES * sides } else { 0 };
    let ledger_bytes = preflight::ledger_bytes(run);
    Needs {
        connections,
        descriptors: preflight::descriptors(run, own_server),
        ports: preflight::ports(run, profile.target.source_addresses.len()),
        ledger_bytes,
        memory_bytes: BASE_BYTES + connections * (USER_BYTES + tls) + ledger_bytes,
    }
}
