//! The on-disk schema and its versions: the result file, and the journal beside a running one.
//!
//! Everything a run says about itself is here, in three shapes of one thing:
//!
//! - [`RunResult`]: the one JSON file written at the end, described by [`result_schema`] and by `results/README.md`.
//! - [`journal`]: the same numbers while the run goes on, one checksummed record per line, as *deltas*.
//! - [`Totals`]: the same numbers in memory; samples go in, deltas and result structures come out.
//!
//! Invariant: the fold of a journal's deltas equals the totals they were cut from, exactly. It holds by construction:
//! [`Totals`] grows only by applying deltas, whether they were just cut or read back, and histograms and counters add
//! without loss in any order.
//!
//! This module refuses to judge: verdicts and objectives come in as data. It reads no clock, and it measures nothing.

mod asked;
mod assemble;
pub mod check;
mod context;
mod figures;
pub mod file;
pub mod histogram;
pub mod journal;
mod observed;
mod schema;
mod series;
mod totals;
mod version;

pub use asked::load_difference;
pub use assemble::{Conclusion, Preamble, assemble};
pub use context::{
    AccountsFile, Activity, Certificate, Gauge, Generator, Host, HostLimits, KeyCache, Profile,
    ServerIdentity, Target, ThreadRole, ThreadUse, TlsFacts, Tool, WorkerUse,
};
pub use figures::{Attempted, Distribution, Extended, Figures, Ledgers, Operation};
pub use histogram::{Buckets, Histogram, HistogramError};
pub use observed::{
    Column, ColumnKind, ColumnLayout, ColumnUnit, CostFigure, Derived, MemoryFigure, Observed, ObservedLog,
    ObservedSource, Reading, SeenProcess, SourceFault, SourceKind, SourceLayout, Stretch, derive, growth,
};
pub use schema::{
    EndedEarly, ErrorCount, Evidence, Exit, ExitReason, GENERATOR_LIMITED, Phase, Population, RoomOrder,
    RunResult, Slo, SloState, Traffic, Unit, Verdict, VerdictState, result_schema,
};
pub use series::{IntervalHistogram, OperationSeries, Series};
pub use totals::{
    Delta, DeltaError, Layout, LayoutError, OperationLayout, PhaseLayout, SecondFacts, Tally, Totals,
};
pub use version::{SCHEMA, SchemaVersion, VersionError};

pub use crate::sample::{LedgerCounts, LedgerKind};
