//! What a run looks like at an instant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::Classic;
use crate::results::Ledgers;

/// What does not change while a run goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Facts {
    /// The program's version.
    pub version: String,
    /// The profile's name.
    pub profile: String,
    /// Where the users connect to.
    pub target: String,
    /// How long the phases take in all, seconds.
    pub length_s: f64,
    /// The operations that are drawn second by second.
    pub operations: Vec<Drawn>,
}

/// An operation that is drawn second by second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Drawn {
    /// Its name.
    pub name: String,
    /// Whether the plan says how many of it there are to be, so that what is done can be held against it.
    pub is_asked: bool,
    /// Whether its response times are drawn: it is what its activity is about.
    pub is_timed: bool,
}

/// A run at an instant.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What does not change.
    pub facts: Arc<Facts>,
    /// Seconds since the run's epoch.
    pub elapsed_s: f64,
    /// `phases`, `draining`, `leaving`, or `over`.
    pub stage: &'static str,
    /// The phase that is going on; empty between and after them.
    pub phase: String,
    /// Users online.
    pub online: u64,
    /// Users the plan wanted logged in at the end of the last second counted.
    pub planned: u64,
    /// The last second of each of [`Facts::operations`], in their order.
    pub now: Vec<OperationNow>,
    /// Of the last second: operations that failed, were lost, timed out or could not be sent, logins left out.
    pub errors_per_s: u64,
    /// Lag of the last few seconds, 90th percentile.
    pub lag_p90: Option<Duration>,
    /// Lag of the last few seconds, 99th percentile.
    pub lag_p99: Option<Duration>,
    /// Turn time of the last second, 99th percentile of the worst worker.
    pub turn_p99: Option<Duration>,
    /// Ledger entries open.
    pub open: u64,
    /// Logins that succeeded, and attempts that failed.
    pub logins: (u64, u64),
    /// Operations by phase.
    pub operations: Vec<Operation>,
    /// The accounts over the whole run.
    pub ledger: Ledgers,
    /// Errors by class.
    pub errors: BTreeMap<String, u64>,
    /// Bytes written to sockets.
    pub bytes_out: u64,
    /// Bytes read from sockets.
    pub bytes_in: u64,
    /// CPU seconds of this process by what its threads are for: `worker`, `server`, `helper`.
    pub cpu_s: BTreeMap<&'static str, f64>,
    /// Memory of this process, bytes.
    pub memory_bytes: u64,
    /// Descriptors this process has open.
    pub descriptors: u64,
    /// What is observed of the server.
    pub observed: Vec<ObservedNow>,
    /// What became of it, once it is over.
    pub over: Option<Over>,
}

/// One operation in the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OperationNow {
    /// What the plan asks for per second; nothing where it cannot be said beforehand.
    pub asked_per_s: Option<f64>,
    /// How many completed.
    pub done_per_s: u64,
    /// How many failed, were lost, timed out or could not be sent.
    pub errors_per_s: u64,
    /// Response time of the last few seconds, median.
    pub p50: Option<Duration>,
    /// Response time of the last few seconds, 90th percentile of the completed.
    pub p90: Option<Duration>,
    /// Response time of the last few seconds, 99th percentile of the completed.
    pub p99: Option<Duration>,
}

/// One operation in one phase, whether any of it has ended or not.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// The phase.
    pub phase: String,
    /// How attempts ended.
    pub outcomes: BTreeMap<String, u64>,
    /// Response times of the completed.
    pub response: Classic,
    /// How late they were offered.
    pub lag: Classic,
}

/// The last reading of one source of `[observe]`. One that failed, or is old, has no values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedNow {
    /// Its name, unlike every other's.
    pub source: String,
    /// Whether the last reading succeeded, and a short while ago; nothing before the first.
    pub is_up: Option<bool>,
    /// Whether it counts the server's CPU seconds.
    pub has_cpu: bool,
    /// Whether it knows the server's memory.
    pub has_memory: bool,
    /// The server's CPU seconds.
    pub cpu_s: Option<f64>,
    /// When they were read.
    pub at_s: f64,
    /// Its memory, bytes.
    pub memory_bytes: Option<f64>,
    /// Its descriptors.
    pub descriptors: Option<f64>,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Over {
    /// The verdict; empty where the run did not come to one.
    pub verdict: String,
    /// The exit code.
    pub exit: u8,
    /// In one line: the reason of the exit code, or why there is no result.
    pub reason: String,
}
