//! The result file: one JSON object that explains itself. `results/README.md` describes it for readers.
//!
//! Names end in their unit where they have one (`_us` microseconds, `_s` seconds, `_bytes`). Times within a run are
//! seconds since its epoch.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

use super::{
    Extended, Generator, Host, KeyCache, Ledgers, Observed, Operation, Profile, SchemaVersion, Series,
    Target, Tool,
};

/// The result of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "xmpp-bench result")]
pub struct RunResult {
    /// The schema's name and version.
    pub schema: SchemaVersion,
    /// Whether the run came to its end and said so. False: folded from the journal of a run that was killed.
    pub complete: bool,
    /// Why the run ended before its plan did, and when; null where it did not.
    #[serde(default)]
    pub ended_early: Option<EndedEarly>,
    /// Whether the numbers can be trusted, and why.
    pub verdict: Verdict,
    /// The exit code and everything that speaks for one.
    pub exit: Exit,
    /// The program that made it.
    pub tool: Tool,
    /// Names this run; stands in the tokens of its messages.
    pub run_id: String,
    /// When the run began, by the wall clock, RFC 3339.
    pub started: String,
    /// The command line, passwords blotted out.
    pub command: Vec<String>,
    /// The seed: profile and seed make the plan.
    pub seed: u64,
    /// What was asked for.
    pub profile: Profile,
    /// The machine the generator ran on.
    pub host: Host,
    /// The server under test.
    pub target: Target,
    /// Objectives and what became of them, per measured phase.
    pub slo: Vec<Slo>,
    /// Operations by name, summed over the measured phases; `login` and its steps, and one that happened in no measured
    /// phase, are summed over all phases. Each says which in its `phases`.
    pub operations: BTreeMap<String, Operation>,
    /// The accounts of messages over the whole run, all phases.
    pub ledger: Ledgers,
    /// The stretches of the run, in their order.
    pub phases: Vec<Phase>,
    /// Errors, most frequent first.
    pub errors: Vec<ErrorCount>,
    /// SCRAM keys.
    pub keys: KeyCache,
    /// What the generator saw of itself.
    pub generator: Generator,
    /// The run second by second.
    pub series: Series,
    /// Whether rooms kept one order; absent where nothing was said in any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_order: Option<RoomOrder>,
    /// What was seen of the server beside the load; absent where nothing was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
}

/// The JSON Schema of [`RunResult`], made from the types.
pub fn result_schema() -> serde_json::Value {
    schema_for!(RunResult).to_value()
}

/// A run that ended before its plan did. What was intended after that instant was never begun.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndedEarly {
    /// What ended it, in one line: a rule of `[abort]` with what was seen, or its user.
    pub reason: String,
    /// When, seconds since the run's epoch. Phases that begin later were not reached.
    pub at_s: f64,
}

/// Whether the numbers can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The first of interrupted, generator-limited, server-limited, valid that the evidence speaks for.
    pub state: VerdictState,
    /// Every predicate that was looked at, those that decided first.
    pub evidence: Vec<Evidence>,
    /// Remarks that decide nothing but belong beside the numbers.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What a run's numbers are worth. Ordered: the first that applies is the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictState {
    /// The run was cut short; what is there is true, but it is not the run that was asked for.
    Interrupted,
    /// The generator was the limit: the numbers say nothing about the server.
    GeneratorLimited,
    /// The server did not keep up with what was asked: the numbers are true, latency depends on how long one waits.
    ServerLimited,
    /// The numbers say how the server answered the load that was asked for.
    Valid,
}

impl VerdictState {
    /// The name in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::GeneratorLimited => "generator-limited",
            Self::ServerLimited => "server-limited",
            Self::Valid => "valid",
        }
    }
}

/// One predicate of the verdict's table, as it came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The predicate (`lag p99`).
    pub predicate: String,
    /// The bound it is held against, in `unit`.
    pub bound: f64,
    /// What was seen, in `unit`.
    pub observed: Extended<f64>,
    /// The unit of both.
    pub unit: Unit,
    /// Over what: `phase`, `worst 10 s`, `run`.
    pub window: String,
    /// The phase it was seen in; null for the whole run.
    pub phase: Option<String>,
    /// What it speaks for: `valid` where it held.
    pub state: VerdictState,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Unit {
    /// Microseconds.
    #[serde(rename = "us")]
    Micros,
    /// Events per second.
    #[serde(rename = "per-second")]
    PerSecond,
    /// A share, 0 to 1.
    #[serde(rename = "share")]
    Share,
    /// A plain number.
    #[serde(rename = "count")]
    Count,
    /// Bytes.
    #[serde(rename = "bytes")]
    Bytes,
}

/// The exit code, and everything that speaks for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// The code the process ended with: of several the most serious, in the order 130, 1, 2, 3, 7, then the rest.
    pub code: u8,
    /// All reasons, the one that decided first; empty for 0.
    pub reasons: Vec<ExitReason>,
}

/// The reason a verdict of generator-limited gives by itself.
pub const GENERATOR_LIMITED: &str = "the generator was the limit";

/// One reason for an exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitReason {
    /// The code it speaks for.
    pub code: u8,
    /// Why, in one line.
    pub reason: String,
}

/// A stretch of the run. Operations and messages belong to the phase of their intended instant, whenever they end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Its first instant, seconds since the run's epoch.
    pub start_s: f64,
    /// Its end, seconds since the run's epoch.
    pub end_s: f64,
    /// Whether its numbers are measurements, held against the objectives.
    pub measured: bool,
    /// Operations by name.
    pub operations: BTreeMap<String, Operation>,
    /// The accounts of messages.
    pub ledger: Ledgers,
    /// Everything that went over the wire meanwhile, asked for or not; absent in results before 1.1 and in a journal's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
}

/// What went over the wire in a phase, by the instant it was read or written. Stanzas are counted from binding on; streams'
/// negotiation has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// Stanzas written by users.
    pub stanzas_out: u64,
    /// Stanzas read by users.
    pub stanzas_in: u64,
    /// Stanzas read for each one written: what the server makes of the load. Null where none was written.
    pub amplification: Option<f64>,
    /// Bytes written to sockets, of the phase's whole seconds.
    pub bytes_out: u64,
    /// Bytes read from sockets, of the phase's whole seconds.
    pub bytes_in: u64,
}

impl Traffic {
    /// From what was counted.
    pub fn of(stanzas_out: u64, stanzas_in: u64, bytes_out: u64, bytes_in: u64) -> Self {
        let amplification = (stanzas_out > 0).then(|| stanzas_in as f64 / stanzas_out as f64);
        Self { stanzas_out, stanzas_in, amplification, bytes_out, bytes_in }
    }
}

/// Whether all occupants of a room saw its messages in one order (XEP-0045 leaves the order to the room, and a room has one).
/// Two occupants are compared who were there from the first message to the last and saw equally many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomOrder {
    /// Rooms in which anything was said.
    pub rooms: u64,
    /// Occupants compared.
    pub compared: u64,
    /// Of them, those who saw another order than most of their room.
    pub differing: u64,
    /// Occupants not compared: they came later, left, or missed a copy.
    pub not_compared: u64,
}

/// An objective in one measured phase, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slo {
    /// What it is about (`message.delivery.p99`).
    pub name: String,
    /// The bound as the profile states it (`<= 250ms`).
    pub bound: String,
    /// What was seen, in `unit`.
    pub observed: Extended<f64>,
    /// The unit of what was seen.
    pub unit: Unit,
    /// What it was taken over.
    pub population: Population,
    /// The phase's name.
    pub phase: String,
    /// What became of it.
    pub state: SloState,
    /// Why, in one line; empty where it passed.
    #[serde(default)]
    pub reason: String,
}

/// What a number was taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Population {
    /// `attempted`, `expected copies`, `seconds`.
    pub of: String,
    /// How many.
    pub count: u64,
}

/// What became of an objective. Undecided is no pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SloState {
    /// Within its bound.
    Passed,
    /// Beyond its bound.
    Failed,
    /// Too few observations to say.
    Undecided,
}

/// Errors of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorCount {
    /// Who is at fault: `server`, `throttled`, `policy`, `protocol`, `network`, `local`, `misuse`.
    pub class: String,
    /// Where it happened (`auth`).
    pub step: String,
    /// The defined condition (`not-authorized`), or a short name of ours.
    pub condition: String,
    /// How many.
    pub count: u64,
    /// One example of the peer's own words, cut to a bounded length.
    pub example: String,
}
