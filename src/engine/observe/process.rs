//! Processes as a source: one and its descendants, or those of a name; or the embedded server's threads.
//!
//! CPU time is a counter over all processes ever seen: one that has ended keeps what it had used when it was last seen, so
//! that the sum never falls. What it used after that, and what ran for less than a second, is missing.

use std::collections::BTreeMap;

use super::{Look, Source};
use crate::net::facts;
use crate::net::process::{self, ProcessSight};
use crate::profile::ObservedProcess;
use crate::results::{ColumnKind, ColumnLayout, ColumnUnit, SourceKind, SourceLayout};

/// Why a process will not do. Each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// No such number.
    #[error("no process has the number {0}: start the server first, or name it with `process`")]
    NoSuchPid(u32),
    /// No such name.
    #[error(
        "no process is called `{name}`{like}: start the server first; `ps -e` shows the names on this machine"
    )]
    NoSuchName {
        /// The name.
        name: String,
        /// One like it.
        like: String,
    },
    /// The generator, or what it was started by.
    #[error(
        "process {pid} ({name}) is xmpp-bench or what started it, and what is observed is the server; the embedded \
         server's threads are process = \"loopback:\""
    )]
    Ourselves {
        /// Its number.
        pid: u32,
        /// Its name.
        name: String,
    },
    /// Several of one name that have nothing to do with each other.
    #[error(
        "the processes called `{name}` are not one server: {pids}. Say which one with pid = NUMBER (its descendants are \
         counted too)"
    )]
    SeveralServers {
        /// The name.
        name: String,
        /// Their numbers.
        pids: String,
    },
}

/// Finds what a profile names.
pub(super) fn find(wanted: &ObservedProcess) -> Result<Box<dyn Source>, ProcessError> {
    match wanted {
        ObservedProcess::EmbeddedServer => Ok(Box::new(EmbeddedServer)),
        ObservedProcess::Pid(_) | ObservedProcess::Named(_) => {
            ProcessTree::find(wanted.clone()).map(|tree| Box::new(tree) as Box<dyn Source>)
        }
    }
}

/// Looks between two searches for new processes: a search reads every process of the machine.
const SEARCH_EVERY: u32 = 5;

const CPU: &str = "cpu_seconds";

/// See the module text.
struct ProcessTree {
    wanted: ObservedProcess,
    /// The processes, by number and beginning, with the CPU seconds they had used when last seen.
    members: BTreeMap<(u32, u64), f64>,
    /// CPU seconds of those that have ended.
    ended_cpu_s: f64,
    /// The members have changed since they were last told.
    changed: bool,
    until_search: u32,
}

impl ProcessTree {
    fn find(wanted: ObservedProcess) -> Result<Self, ProcessError> {
        let mut tree = Self {
            wanted,
            members: BTreeMap::new(),
            ended_cpu_s: 0.0,
            changed: true,
            until_search: SEARCH_EVERY,
        };
        for member in tree.search(&process::all())? {
            tree.members.insert((member.pid, member.began), member.cpu.as_secs_f64());
        }
        Ok(tree)
    }

    /// The processes wanted that are there now; at least one.
    fn search(&self, all: &[ProcessSight]) -> Result<Vec<ProcessSight>, ProcessError> {
        let roots = match &self.wanted {
            ObservedProcess::Pid(pid) => self.by_number(*pid, all)?,
            ObservedProcess::Named(name) => self.by_name(name, all)?,
            ObservedProcess::EmbeddedServer => Vec::new(),
        };
        let found = with_descendants(&roots, all);
        match found.iter().find(|one| one.pid == process::own()) {
            None => Ok(found),
            Some(_) => {
                let root = roots.first().and_then(|pid| all.iter().find(|one| one.pid == *pid));
                let (pid, name) = root.map_or((0, String::new()), |one| (one.pid, one.name.clone()));
                Err(ProcessError::Ourselves { pid, name })
            }
        }
    }

    /// The number must still be the process's that had it first.
    fn by_number(&self, pid: u32, all: &[ProcessSight]) -> Result<Vec<u32>, ProcessError> {
        let known =
            |one: &&ProcessSight| self.members.is_empty() || self.members.contains_key(&(one.pid, one.began));
        let found = all.iter().filter(|one| one.pid == pid).find(known);
        found.map(|one| vec![one.pid]).ok_or(ProcessError::NoSuchPid(pid))
    }

    /// Those of a name. Those that began while others still run have to belong to them.
    fn by_name(&self, name: &str, all: &[ProcessSight]) -> Result<Vec<u32>, ProcessError> {
        let is_called = |one: &&ProcessSight| {
            one.pid != process::own()
                && (one.name == name || process::also_called(one.pid).iter().any(|other| other == name))
        };
        let called: Vec<&ProcessSight> = all.iter().filter(is_called).collect();
        let mut tops: Vec<u32> = called.iter().map(|one| topmost(one.pid, &called, all)).collect();
        tops.sort_unstable();
        tops.dedup();
        let known: Vec<u32> =
            tops.iter().copied().filter(|top| self.members.keys().any(|(pid, _)| pid == top)).collect();
        match (&tops[..], &known[..]) {
            ([], _) => Err(ProcessError::NoSuchName { name: name.to_owned(), like: like(name, all) }),
            (_, [_, ..]) => Ok(known),
            ([_], []) => Ok(tops),
            (several, []) => {
                let pids: Vec<String> = several.iter().take(10).map(ToString::to_string).collect();
                Err(ProcessError::SeveralServers { name: name.to_owned(), pids: pids.join(", ") })
            }
        }
    }

    /// Takes in who is there now; who is not has ended.
    fn note(&mut self, present: &[ProcessSight]) {
        let gone: Vec<(u32, u64)> = self
            .members
            .keys()
            .filter(|key| !present.iter().any(|one| (one.pid, one.began) == **key))
            .copied()
            .collect();
        for key in gone {
            self.ended_cpu_s += self.members.remove(&key).unwrap_or(0.0);
            self.changed = true;
        }
        for one in present {
            let cpu_s = one.cpu.as_secs_f64();
            self.changed |= self.members.insert((one.pid, one.began), cpu_s).is_none();
        }
    }
}

impl Source for ProcessTree {
    fn layout(&self) -> SourceLayout {
        let name = match &self.wanted {
            ObservedProcess::Pid(pid) => format!("pid {pid}"),
            ObservedProcess::Named(name) => name.clone(),
            ObservedProcess::EmbeddedServer => String::new(),
        };
        let columns = vec![
            column(CPU, ColumnUnit::Seconds, ColumnKind::Counter, "CPU time in user mode and in the kernel"),
            column(
                "memory_bytes",
                ColumnUnit::Bytes,
                ColumnKind::Gauge,
                "resident memory; pages that several share count for each",
            ),
            column("descriptors", ColumnUnit::Count, ColumnKind::Gauge, "open file descriptors"),
            column("threads", ColumnUnit::Count, ColumnKind::Gauge, "threads"),
            column("processes", ColumnUnit::Count, ColumnKind::Gauge, "processes that were added up"),
        ];
        SourceLayout { kind: SourceKind::Process, name, columns, cpu: Some(0), memory: Some(1) }
    }

    fn look(&mut self) -> Look {
        let mut look = Look::default();
        let mut present: Vec<ProcessSight> = self
            .members
            .keys()
            .filter_map(|(pid, began)| process::sight(*pid).filter(|one| one.began == *began))
            .collect();
        self.until_search = self.until_search.saturating_sub(1);
        if self.until_search == 0 || present.is_empty() || present.len() < self.members.len() {
            self.until_search = SEARCH_EVERY;
            match self.search(&process::all()) {
                Ok(found) => present = found,
                Err(error) if present.is_empty() => look.faults.push(error.to_string()),
                // Descendants of one that ended go on being counted.
                Err(_) => {}
            }
        }
        self.note(&present);
        if std::mem::take(&mut self.changed) {
            look.processes = Some(present.iter().map(|one| (one.pid, one.name.clone())).collect());
        }
        if present.is_empty() {
            return look;
        }
        let descriptors: Option<u64> = present.iter().map(|one| process::descriptors(one.pid)).sum();
        if descriptors.is_none() {
            look.faults.push("descriptors are not for us to see: run as the server's user".to_owned());
        }
        let sum = |number: fn(&ProcessSight) -> u64| Some(present.iter().map(number).sum::<u64>() as f64);
        look.values = vec![
            Some(self.ended_cpu_s + self.members.values().sum::<f64>()),
            sum(|one| one.resident.0),
            descriptors.map(|count| count as f64),
            sum(|one| one.threads),
            Some(present.len() as f64),
        ];
        look
    }
}

/// The highest ancestor that is called so too.
fn topmost(pid: u32, called: &[&ProcessSight], all: &[ProcessSight]) -> u32 {
    let (mut top, mut here) = (pid, pid);
    // A table read while processes come and go may hold a circle.
    for _ in 0..all.len() {
        let Some(parent) = all.iter().find(|one| one.pid == here).map(|one| one.parent) else { break };
        if called.iter().any(|one| one.pid == parent) {
            top = parent;
        }
        here = parent;
    }
    top
}

fn with_descendants(roots: &[u32], all: &[ProcessSight]) -> Vec<ProcessSight> {
    let mut inside: Vec<u32> = roots.to_vec();
    let mut next = 0;
    while next < inside.len() {
        let parent = inside[next];
        let children = all.iter().filter(|one| one.parent == parent).map(|one| one.pid);
        let new: Vec<u32> = children.filter(|pid| !inside.contains(pid)).collect();
        inside.extend(new);
        next += 1;
    }
    all.iter().filter(|one| inside.contains(&one.pid)).cloned().collect()
}

/// `; did you mean …?`, or nothing.
fn like(name: &str, all: &[ProcessSight]) -> String {
    let likeness = |other: &str| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
    let called = |one: &ProcessSight| {
        let others = process::also_called(one.pid);
        std::iter::once(one.name.clone())
            .chain(others)
            .map(|called| (likeness(&called), called))
            .collect::<Vec<_>>()
    };
    let nearest = all.iter().flat_map(called).max_by(|a, b| a.0.total_cmp(&b.0));
    let near = nearest.filter(|(likeness, _)| *likeness > 0.8);
    near.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

fn column(name: &str, unit: ColumnUnit, kind: ColumnKind, meaning: &str) -> ColumnLayout {
    ColumnLayout { name: name.to_owned(), unit, kind, meaning: meaning.to_owned() }
}

/// The embedded server's threads. They share memory and descriptors with the generator: only their CPU time is their own.
struct EmbeddedServer;

impl Source for EmbeddedServer {
    fn layout(&self) -> SourceLayout {
        let columns = vec![
            column(
                CPU,
                ColumnUnit::Seconds,
                ColumnKind::Counter,
                "CPU time of the embedded server's threads",
            ),
            column("threads", ColumnUnit::Count, ColumnKind::Gauge, "threads"),
        ];
        let name = "loopback:".to_owned();
        SourceLayout { kind: SourceKind::EmbeddedServer, name, columns, cpu: Some(0), memory: None }
    }

    fn look(&mut self) -> Look {
        let threads: Vec<_> =
            facts::threads().into_iter().filter(|thread| thread.name.starts_with("xb-server")).collect();
        let cpu_s: f64 = threads.iter().map(|thread| thread.total.as_secs_f64()).sum();
        Look { values: vec![Some(cpu_s), Some(threads.len() as f64)], ..Look::default() }
    }
}
