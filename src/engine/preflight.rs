//! Names the limits that would bind a run before it starts, and refuses what cannot work.
//!
//! Descriptors, ports and memory are arithmetic: a run that needs more than there is would fail half-way with errors that look
//! like the server's.

use crate::engine::run::{PlannedActivity, Run};
use crate::net::facts::{self, HostFacts};
use crate::profile::{Pace, Recipients};
use crate::record::fanout::{BROADCAST_BYTES, COPY_BYTES};
use crate::record::ledger::ENTRY_BYTES;
use crate::results::{Host, HostLimits};
use crate::units::{ByteCount, show_count};

/// Descriptors kept for everything that is not a user's connection.
const DESCRIPTORS_RESERVED: u64 = 200;
/// The most memory a ledger may take unless told otherwise: a quarter of what there is.
const LEDGER_SHARE: u64 = 4;
/// A ledger is never smaller than this, entries.
const LEDGER_ENTRIES_MIN: usize = 1 << 16;

/// What a preflight found.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// The machine, for the result.
    pub host: Host,
    /// Room for each worker's ledger, entries.
    pub ledger_capacity: usize,
    /// Worth knowing, not fatal.
    pub warnings: Vec<String>,
}

/// Why a run is refused before it starts; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreflightError {
    /// More connections than descriptors.
    #[error(
        "this run needs {needed} descriptors and the process may have {limit}: raise the hard limit (ulimit -Hn), or plan \
         at most {users} users"
    )]
    Descriptors {
        /// Needed.
        needed: String,
        /// Allowed.
        limit: String,
        /// What would fit.
        users: String,
    },
    /// More connections to one address than ports.
    #[error(
        "this run needs {needed} local ports for one target and source address, and there are {available}: give more \
         addresses (target.source_addresses) or widen net.ipv4.ip_local_port_range"
    )]
    Ports {
        /// Needed.
        needed: String,
        /// There.
        available: String,
    },
    /// A ledger beyond memory.
    #[error(
        "the ledger would need {needed} ({rate} tracked operations per second, kept for {horizon_s} s each) and may have \
         {allowed}: lower the rates, or deadline and drain"
    )]
    Memory {
        /// Needed.
        needed: ByteCount,
        /// Tracked operations per second.
        rate: String,
        /// Seconds each is kept.
        horizon_s: u64,
        /// Allowed.
        allowed: ByteCount,
    },
}

/// Looks at the machine and the run. `own_server` says that the server's descriptors are this process's too.
pub fn look(run: &Run, sources: usize, own_server: bool) -> Result<Preflight, PreflightError> {
    let limit = facts::raise_descriptor_limit();
    let host = facts::host();
    check_descriptors(run, limit, own_server)?;
    check_ports(run, &host, sources)?;
    let ledger_capacity = ledger_capacity(run, &host)?;
    let warnings = warnings(&host, ServerPlace::of(run, own_server));
    let host = describe(&host, limit, warnings.clone());
    Ok(Preflight { host, ledger_capacity, warnings })
}

/// Connections at once.
pub(super) fn connections(run: &Run) -> u64 {
    u64::from(run.plan.population().connections_at_once(run.plan.phases()))
}

/// Descriptors needed.
pub(super) fn descriptors(run: &Run, own_server: bool) -> u64 {
    connections(run) * sides(own_server) + DESCRIPTORS_RESERVED
}

/// Ends of a connection that are this process's.
const fn sides(own_server: bool) -> u64 {
    if own_server { 2 } else { 1 }
}

/// Ports of one source address towards one target.
pub(super) fn ports(run: &Run, sources: usize) -> u64 {
    connections(run).div_ceil((run.targets.len() * sources.max(1)) as u64)
}

fn check_descriptors(run: &Run, limit: Option<u64>, own_server: bool) -> Result<(), PreflightError> {
    let per_user = sides(own_server);
    let needed = descriptors(run, own_server);
    match limit {
        Some(limit) if needed > limit => Err(PreflightError::Descriptors {
            needed: show_count(needed),
            limit: show_count(limit),
            users: show_count(limit.saturating_sub(DESCRIPTORS_RESERVED) / per_user),
        }),
        _ => Ok(()),
    }
}

fn check_ports(run: &Run, host: &HostFacts, sources: usize) -> Result<(), PreflightError> {
    let Some((first, last)) = host.local_ports else { return Ok(()) };
    let available = u64::from(last.saturating_sub(first)) + 1;
    let needed = ports(run, sources);
    if needed > available {
        return Err(PreflightError::Ports { needed: show_count(needed), available: show_count(available) });
    }
    Ok(())
}

/// Entries, and copies of broadcasts, a worker may hold: the highest rates over the horizon, half as much again. Each may hold as
/// many as all together, for who sends is not shared out evenly; room is taken only as it is used.
fn ledger_capacity(run: &Run, host: &HostFacts) -> Result<usize, PreflightError> {
    let LedgerLoad { rate, copies, bytes } = ledger_load(run);
    let horizon = run.horizon().as_secs_f64();
    let kept = |per_second: f64| (per_second * horizon * 1.5) as u64;
    // Every seat's join is two requests, and all may be within one horizon.
    let joins = u64::from(run.room_totals().1) * 2;
    let needed = ByteCount(kept(bytes) + joins * ENTRY_BYTES as u64);
    let allowed = ByteCount(host.memory_for_us().map_or(u64::MAX, |memory| memory.0 / LEDGER_SHARE));
    if needed > allowed {
        let rate = format!("{rate:.0}");
        return Err(PreflightError::Memory { needed, rate, horizon_s: horizon as u64, allowed });
    }
    let entries = kept(rate + copies) + joins;
    Ok((entries as usize).max(LEDGER_ENTRIES_MIN))
}

/// What the ledger holds at the highest rates, bytes.
pub(super) fn ledger_bytes(run: &Run) -> u64 {
    (ledger_load(run).bytes * run.horizon().as_secs_f64()) as u64
}

/// What comes into the ledger in a second at the highest rates.
struct LedgerLoad {
    /// Operations.
    rate: f64,
    /// Copies of broadcasts.
    copies: f64,
    /// Bytes of both.
    bytes: f64,
}

fn ledger_load(run: &Run) -> LedgerLoad {
    let (mut rate, mut copies, mut bytes) = (0.0, 0.0, 0.0);
    for (index, activity) in run.activities.iter().enumerate() {
        let own = peak_rate(run, index, activity.pace);
        rate += own;
        match activity.broadcasts {
            None => bytes += own * ENTRY_BYTES as f64,
            Some(_) => {
                let each = copies_each(run, activity);
                copies += own * each;
                bytes += own * (BROADCAST_BYTES as f64 + each * COPY_BYTES as f64);
            }
        }
    }
    LedgerLoad { rate, copies, bytes }
}

/// How many copies one broadcast of an activity owes on average.
pub(super) fn copies_each(run: &Run, activity: &PlannedActivity) -> f64 {
    if let Some(set) = activity.rooms.map(|index| &run.rooms[index]) {
        // A pick of a seat falls into a room the more often the larger it is.
        let seating = set.plan.seating();
        let sizes = (0..seating.len()).map(|room| f64::from(seating.seats(room).len() as u32));
        return sizes.map(|size| size * size).sum::<f64>() / f64::from(seating.seat_count().max(1));
    }
    if activity.behaviour.recipients() != Recipients::Contacts {
        return 1.0;
    }
    let users = run.users();
    let contacts: u64 = (0..users).map(|user| u64::from(run.topology.contact_count(user))).sum();
    contacts as f64 / f64::from(users.max(1))
}

/// The highest rate of an activity, operations per second.
pub(super) fn peak_rate(run: &Run, index: usize, pace: Pace) -> f64 {
    if let Pace::Every(_) | Pace::Session(_) = pace {
        return pace.over(run.users()).as_per_second();
    }
    let phases = run.plan.phases().iter();
    // Users may rise while the factor falls: the highest rate need not be at an end.
    let ends = phases.flat_map(|phase| {
        let just_before = phase.window.end - std::time::Duration::from_nanos(1);
        let middle = phase.window.start + phase.window.end.since(phase.window.start) / 2;
        [phase.window.start, middle, just_before].map(|at| run.plan.rate_at(index as u16, at))
    });
    ends.fold(0.0, f64::max)
}

/// Where the server runs, as far as that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerPlace {
    /// In this process.
    Own,
    /// In another process on this machine.
    Here,
    Elsewhere,
}

impl ServerPlace {
    fn of(run: &Run, own_server: bool) -> Self {
        match run.targets.iter().any(|(address, _)| address.ip().is_loopback()) {
            true if own_server => Self::Own,
            true => Self::Here,
            false => Self::Elsewhere,
        }
    }
}

fn warnings(host: &HostFacts, server: ServerPlace) -> Vec<String> {
    let mut found = Vec::new();
    // A generator that was given one of several CPUs shares it with a server inside it only.
    let shared = match server {
        ServerPlace::Own => host.cpus < 2,
        ServerPlace::Here => host.cpus_online < 2,
        ServerPlace::Elsewhere => false,
    };
    if shared {
        found.push(
            "only one CPU: generator and server take turns on it, and latencies include that".to_owned(),
        );
    }
    if let Some(cpus) = host.control_group.cpus.filter(|&cpus| cpus < host.cpus as f64) {
        found.push(format!(
            "a control group leaves this process {cpus} of {} CPUs: whenever that is used up the kernel stops it for a while, \
             and latencies include that",
            host.cpus
        ));
    }
    if let Some(source) =
        host.clock_source.as_deref().filter(|&source| source != "tsc" && source != "arch_sys_counter")
    {
        found
            .push(format!("the kernel's clock source is {source}: reading the clock may cost a microsecond"));
    }
    if cfg!(debug_assertions) {
        found.push(
            "this is an unoptimised build: use cargo run --release for numbers that mean something"
                .to_owned(),
        );
    }
    found
}

fn describe(host: &HostFacts, limit: Option<u64>, preflight: Vec<String>) -> Host {
    Host {
        system: format!("{} {}", std::env::consts::OS, host.architecture),
        kernel: Some(host.kernel.clone()),
        machine: host.machine.clone(),
        cpu_model: host.cpu_model.clone(),
        cpus: host.cpus as u32,
        memory_bytes: host.memory.map(|memory| memory.0),
        clocksource: host.clock_source.clone(),
        limits: HostLimits {
            descriptors: limit.or(host.descriptors_soft),
            port_first: host.local_ports.map(|(first, _)| first),
            port_last: host.local_ports.map(|(_, last)| last),
            processes: host.processes,
            cpu_quota: host.control_group.cpus.map(|cpus| cpus.to_string()),
            memory_bytes: host.control_group.memory_bytes,
        },
        preflight,
        ..Host::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::control_group::ControlGroup;

    #[test]
    fn processors_are_warned_of_where_they_are_shared_or_rationed() {
        use ServerPlace::{Elsewhere, Here, Own};
        const SHARED: &str = "only one CPU: generator and server take turns";
        const RATIONED: &str = "a control group leaves this process 0.5 of 1 CPUs";
        let quota = |cpus| ControlGroup { cpus: Some(cpus), memory_bytes: None };
        let none = ControlGroup::default();
        for (cpus, cpus_online, control_group, server, expected) in [
            (1, 1, none, Own, &[SHARED][..]),
            (1, 1, none, Here, &[SHARED]),
            (1, 1, none, Elsewhere, &[]),
            // Pinned: the server may have the other one.
            (1, 2, none, Own, &[SHARED]),
            (1, 2, none, Here, &[]),
            (2, 2, none, Own, &[]),
            (1, 2, quota(0.5), Here, &[RATIONED]),
            (1, 2, quota(1.0), Here, &[]),
        ] {
            let host = HostFacts {
                cpus,
                cpus_online,
                control_group,
                clock_source: Some("tsc".to_owned()),
                ..facts::host()
            };
            let mut found = warnings(&host, server);
            found.retain(|warning| !warning.contains("unoptimised"));
            let fits = found.len() == expected.len()
                && found.iter().zip(expected).all(|(warning, beginning)| warning.starts_with(beginning));
            assert!(fits, "{cpus} of {cpus_online}, {control_group:?}, {server:?}: {found:?}");
        }
    }
}
