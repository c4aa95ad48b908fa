//! What was seen of the server beside the load, second by second, and what follows from it.
//!
//! A [`Reading`] is one look at one source at one instant; an [`ObservedLog`] puts readings on the run's seconds. Entry
//! *k* of a column is what was read in second *k*, as near to its beginning as could be; `at_s` says when. Counters are
//! kept as they were read, since a rate follows from two of them and not the other way round.
//!
//! This module reads nothing itself. It refuses a reading that cannot belong to its source.

mod derive;
pub mod growth;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use derive::{CostFigure, Derived, MemoryFigure, Stretch, derive};

/// What was seen of the server beside the load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// The sources, in the profile's order.
    pub sources: Vec<ObservedSource>,
    /// What follows from them.
    pub derived: Derived,
}

/// One source: a process, or a page of metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObservedSource {
    /// What it is.
    pub kind: SourceKind,
    /// How the profile names it (`beam.smp`, `http://127.0.0.1:9100/metrics`).
    pub name: String,
    /// The column that counts the server's processor seconds; null where none does.
    pub cpu: Option<String>,
    /// The column that is the server's memory; null where none is.
    pub memory: Option<String>,
    /// When each entry of the columns was read, seconds since the run's epoch; null where nothing was read in that second.
    pub at_s: Vec<Option<f64>>,
    /// Columns by name, each as long as `at_s`.
    pub columns: BTreeMap<String, Column>,
    /// The processes that were added up, in the order they were first seen; empty for a page of metrics.
    #[serde(default)]
    pub processes: Vec<SeenProcess>,
    /// What went wrong while reading, and how often.
    #[serde(default)]
    pub faults: Vec<SourceFault>,
    /// How many readings were made, failed ones included.
    pub readings: u64,
    /// The longest a reading took, microseconds.
    pub took_max_us: u64,
    /// What a reading took on average, microseconds.
    pub took_mean_us: f64,
}

/// What a source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Processes of the generator's machine.
    Process,
    /// The embedded server's threads, in the generator's own process.
    EmbeddedServer,
    /// A page of metrics in Prometheus' text format.
    Prometheus,
    /// What a later version may know.
    #[default]
    #[serde(other)]
    Other,
}

/// Numbers of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// What they count.
    pub unit: ColumnUnit,
    /// Whether they only grow.
    pub kind: ColumnKind,
    /// What they are, in one line.
    #[serde(default)]
    pub meaning: String,
    /// One per second; null where the reading failed or did not have it.
    pub values: Vec<Option<f64>>,
}

/// What a column counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnUnit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A share, 0 to 1.
    Share,
    /// A plain number, or a unit that is not known.
    #[default]
    #[serde(other)]
    Count,
}

/// Whether a column only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnKind {
    /// It only grows, and begins anew when the server does: what counts is its increase.
    Counter,
    /// A level.
    #[default]
    #[serde(other)]
    Gauge,
}

/// A process that was observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeenProcess {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// When it was first seen, seconds since the run's epoch.
    pub first_s: f64,
    /// When it was seen last; later readings did not find it.
    pub last_s: f64,
}

/// Something that went wrong while reading.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFault {
    /// What, in one line.
    pub what: String,
    /// How often.
    pub count: u64,
    /// When first, seconds since the run's epoch.
    pub first_s: f64,
}

/// A source as it is known before the run; part of the journal's header.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceLayout {
    /// What it is.
    pub kind: SourceKind,
    /// How the profile names it.
    pub name: String,
    /// Its columns.
    pub columns: Vec<ColumnLayout>,
    /// The position of the one that counts processor seconds.
    #[serde(default)]
    pub cpu: Option<usize>,
    /// The position of the one that is memory.
    #[serde(default)]
    pub memory: Option<usize>,
}

/// A column as it is known before the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnLayout {
    /// Its name.
    pub name: String,
    /// What it counts.
    pub unit: ColumnUnit,
    /// Whether it only grows.
    pub kind: ColumnKind,
    /// What it is, in one line.
    pub meaning: String,
}

/// One look at one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Which source, by position.
    pub source: u16,
    /// When, seconds since the run's epoch.
    pub at_s: f64,
    /// How long it took, microseconds.
    pub took_us: u64,
    /// A value for each of its columns; empty where the reading failed.
    pub values: Vec<Option<f64>>,
    /// The processes added up, where they are others than at the last reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<Vec<(u32, String)>>,
    /// What went wrong, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// Readings put on the run's seconds.
#[derive(Clone, Debug, Default)]
pub struct ObservedLog {
    sources: Vec<SourceLog>,
}

#[derive(Clone, Debug, Default)]
struct SourceLog {
    so_far: ObservedSource,
    names: Vec<String>,
    present: Vec<u32>,
    took_us: u64,
}

impl ObservedLog {
    /// More seconds than a run can have.
    const SECONDS_MAX: f64 = 400_000.0;
    /// Kinds of faults kept apart, and processes named, per source.
    const KEPT_MAX: usize = 100;

    /// Nothing read yet.
    pub fn new(layouts: &[SourceLayout]) -> Self {
        Self { sources: layouts.iter().map(SourceLog::new).collect() }
    }

    /// Whether anything is observed at all.
    pub const fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Takes a reading in; or says why it cannot be one of these sources.
    pub fn take(&mut self, reading: &Reading) -> Result<(), String> {
        let number = reading.source;
        let source = self
            .sources
            .get_mut(usize::from(number))
            .ok_or_else(|| format!("there is no source {number}"))?;
        if !(0.0..Self::SECONDS_MAX).contains(&reading.at_s) {
            return Err(format!("a reading at {} s", reading.at_s));
        }
        if !reading.values.is_empty() && reading.values.len() != source.names.len() {
            return Err(format!("{} values for {} columns", reading.values.len(), source.names.len()));
        }
        if reading.values.iter().flatten().any(|value| !value.is_finite()) {
            return Err("a value that is no number".to_owned());
        }
        source.take(reading);
        Ok(())
    }

    /// The sources as they stand.
    pub fn sources(&self) -> impl Iterator<Item = &ObservedSource> {
        self.sources.iter().map(|source| &source.so_far)
    }

    /// The sources of a run that is over.
    pub fn into_sources(self) -> Vec<ObservedSource> {
        self.sources.into_iter().map(|source| source.so_far).collect()
    }
}

impl SourceLog {
    fn new(layout: &SourceLayout) -> Self {
        let name_of = |column: Option<usize>| Some(layout.columns.get(column?)?.name.clone());
        let columns = layout.columns.iter().map(|column| {
            let ColumnLayout { name, unit, kind, meaning } = column.clone();
            (name, Column { unit, kind, meaning, values: Vec::new() })
        });
        let so_far = ObservedSource {
            kind: layout.kind,
            name: layout.name.clone(),
            cpu: name_of(layout.cpu),
            memory: name_of(layout.memory),
            columns: columns.collect(),
            ..ObservedSource::default()
        };
        let names = layout.columns.iter().map(|column| column.name.clone()).collect();
        Self { so_far, names, ..Self::default() }
    }

    fn take(&mut self, reading: &Reading) {
        let source = &mut self.so_far;
        source.readings += 1;
        self.took_us = self.took_us.saturating_add(reading.took_us);
        source.took_max_us = source.took_max_us.max(reading.took_us);
        source.took_mean_us = self.took_us as f64 / source.readings as f64;
        for fault in &reading.faults {
            note_fault(&mut source.faults, fault, reading.at_s);
        }
        self.note_processes(reading);
        self.put(reading);
    }

    /// The first reading of a second is the one that is kept: it is the nearest to its beginning.
    fn put(&mut self, reading: &Reading) {
        let source = &mut self.so_far;
        let second = reading.at_s as usize;
        if source.at_s.len() <= second {
            source.at_s.resize(second + 1, None);
            source.columns.values_mut().for_each(|column| column.values.resize(second + 1, None));
        }
        if reading.values.is_empty() || source.at_s[second].is_some() {
            return;
        }
        source.at_s[second] = Some(reading.at_s);
        for (name, value) in self.names.iter().zip(&reading.values) {
            if let Some(column) = source.columns.get_mut(name) {
                column.values[second] = *value;
            }
        }
    }

    fn note_processes(&mut self, reading: &Reading) {
        let seen = &mut self.so_far.processes;
        if let Some(processes) = &reading.processes {
            self.present = processes.iter().map(|(pid, _)| *pid).collect();
            for (pid, name) in processes {
                let known = seen.iter().any(|one| one.pid == *pid && one.name == *name);
                if !known && seen.len() < ObservedLog::KEPT_MAX {
                    let (first_s, last_s) = (reading.at_s, reading.at_s);
                    seen.push(SeenProcess { pid: *pid, name: name.clone(), first_s, last_s });
                }
            }
        }
        for one in seen.iter_mut().filter(|one| self.present.contains(&one.pid)) {
            one.last_s = reading.at_s;
        }
    }
}

fn note_fault(faults: &mut Vec<SourceFault>, what: &str, at_s: f64) {
    if let Some(fault) = faults.iter_mut().find(|fault| fault.what == what) {
        fault.count += 1;
    } else if faults.len() < ObservedLog::KEPT_MAX {
        faults.push(SourceFault { what: what.to_owned(), count: 1, first_s: at_s });
    }
}
