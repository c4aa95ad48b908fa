//! What load costs the server: processor seconds per 1,000 messages and per 1,000 logins, memory per online user.
//!
//! All three say what they were taken over, and are null with a reason where the run cannot support them: where
//! something else was going on that cost as well, where too little happened, where memory did not follow the users.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Column, ObservedSource};
use crate::results::{OperationSeries, Phase, Series};
use crate::stats::Slope;

/// What follows from what was observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Derived {
    /// Processor seconds per 1,000 one-to-one messages delivered, over the measured phases.
    pub cpu_s_per_1000_messages: CostFigure,
    /// Processor seconds per 1,000 logins, over the seconds in which users logged in.
    pub cpu_s_per_1000_logins: CostFigure,
    /// Memory per user online, over the phases in which their number rose.
    pub memory_bytes_per_user: MemoryFigure,
}

/// Processor seconds per 1,000 operations, idle work included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostFigure {
    /// The figure: `1000 · cpu_s / operations`; null where the run does not support it.
    pub value: Option<f64>,
    /// Why it is null; empty where it is not.
    pub reason: String,
    /// Processor seconds of all sources that count them, over the stretches; null where they were not read.
    pub cpu_s: Option<f64>,
    /// Operations done in the stretches.
    pub operations: u64,
    /// Whole seconds it was taken over.
    pub stretches: Vec<Stretch>,
    /// Other operations done in them, by name: their cost is in the figure too.
    pub beside: BTreeMap<String, u64>,
}

/// Memory per user online: the slope of a straight line through memory over users.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryFigure {
    /// The slope, bytes per user; null where the run does not support it.
    pub value: Option<f64>,
    /// The slope's interval that holds the truth with probability 99.9 %, autocorrelation accounted for.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Why it is null; empty where it is not.
    pub reason: String,
    /// The fewest users online at a reading it was fitted to.
    pub users_from: u64,
    /// The most.
    pub users_to: u64,
    /// Readings it was fitted to.
    pub points: u64,
    /// Whole seconds it was taken over.
    pub stretches: Vec<Stretch>,
}

/// Whole seconds of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stretch {
    /// The first second.
    pub from_s: u32,
    /// The end: the first second that is not part of it.
    pub to_s: u32,
}

/// Operations besides those a figure is of may be this share of them.
const BESIDE_MAX: f64 = 0.1;
/// So far apart what was asked for and what was done may be: what is begun and not done costs as well.
const BEHIND_MAX: f64 = 0.1;
/// A login costs a server far more than a message: beside messages there may be this share of logins.
const LOGINS_BESIDE_MAX: f64 = 0.01;
/// With fewer operations chance decides.
const OPERATIONS_MIN: u64 = 100;
/// The kernel counts processor time in ticks of 10 ms at each end.
const CPU_MIN_S: f64 = 0.2;
/// Between two readings further apart than this nothing is interpolated, seconds.
const GAP_MAX_S: f64 = 3.0;
/// A reading this near to an instant stands for it, seconds.
const NEAR_S: f64 = 0.1;
/// Memory over fewer users than this is the allocator's mood.
const USERS_MIN: u64 = 50;

/// Derives everything. `until_s` is when the run's phases ended, if before their time.
pub fn derive(sources: &[ObservedSource], series: &Series, phases: &[Phase], until_s: f64) -> Derived {
    let seen = Seen { sources, series, phases, until_s };
    Derived {
        cpu_s_per_1000_messages: seen.messages(),
        cpu_s_per_1000_logins: seen.logins(),
        memory_bytes_per_user: seen.memory(),
    }
}

struct Seen<'a> {
    sources: &'a [ObservedSource],
    series: &'a Series,
    phases: &'a [Phase],
    until_s: f64,
}

const MESSAGES: &str = "message.delivery";
const LOGINS: &str = "login";

impl Seen<'_> {
    fn messages(&self) -> CostFigure {
        let measured = self.phases.iter().filter(|phase| phase.measured);
        let stretches = measured.filter_map(|phase| self.whole_seconds(phase)).collect();
        let figure = self.cost(MESSAGES, stretches, "no phase was measured");
        let logins = figure.beside.get(LOGINS).copied().unwrap_or(0);
        if figure.value.is_some() && logins as f64 > figure.operations as f64 * LOGINS_BESIDE_MAX {
            let reason = format!(
                "{logins} logins were done beside {} messages: their cost cannot be told apart",
                figure.operations
            );
            return CostFigure { value: None, reason, ..figure };
        }
        figure
    }

    fn logins(&self) -> CostFigure {
        let stretches = self.phases.iter().filter_map(|phase| self.busy_with_logins(phase)).collect();
        let mut figure = self.cost(LOGINS, stretches, "nobody logged in");
        if figure.reason.ends_with(APART) {
            figure.reason += "; `rate = 0` in the phases users come online in keeps them apart";
        }
        figure
    }

    /// The whole seconds of a phase, as far as the run came.
    fn whole_seconds(&self, phase: &Phase) -> Option<Stretch> {
        let end_s = phase.end_s.min(self.until_s).min(f64::from(self.series.seconds));
        let (from_s, to_s) = (phase.start_s.ceil().max(0.0) as u32, end_s.floor().max(0.0) as u32);
        (from_s < to_s).then_some(Stretch { from_s, to_s })
    }

    /// From the first second of a phase in which anybody was to log in to the last.
    fn busy_with_logins(&self, phase: &Phase) -> Option<Stretch> {
        let Stretch { from_s, to_s } = self.whole_seconds(phase)?;
        let login = self.series.operations.get(LOGINS)?;
        let busy = |second: &u32| login.asked.get(*second as usize).is_some_and(|&asked| asked > 0);
        let first = (from_s..to_s).find(busy)?;
        let last = (from_s..to_s).rfind(busy)?;
        Some(Stretch { from_s: first, to_s: last + 1 })
    }

    fn cost(&self, operation: &str, stretches: Vec<Stretch>, nothing: &str) -> CostFigure {
        let none = |reason: &str| CostFigure { reason: reason.to_owned(), ..CostFigure::default() };
        if self.sources.iter().all(|source| source.cpu.is_none()) {
            return none("no source counts the server's processor seconds");
        }
        if stretches.is_empty() {
            return none(nothing);
        }
        let cut: Result<Vec<(Stretch, f64)>, String> =
            stretches.into_iter().map(|stretch| self.cpu_over(stretch)).collect();
        let cut = match cut {
            Ok(cut) => cut,
            Err(reason) => return none(&reason),
        };
        let stretches: Vec<Stretch> = cut.iter().map(|(stretch, _)| *stretch).collect();
        let mut beside = self.done_in(&stretches);
        let operations = beside.remove(operation).unwrap_or(0);
        let cpu_s: f64 = cut.iter().map(|(_, cpu_s)| cpu_s).sum();
        let asked = self.asked_in(operation, &stretches);
        let reason = why_not(operation, (operations, asked), cpu_s, &beside);
        let value = reason.is_empty().then(|| 1_000.0 * cpu_s / operations as f64);
        CostFigure { value, reason, cpu_s: Some(cpu_s), operations, stretches, beside }
    }

    /// Processor seconds of all sources over a stretch, which is cut to where all of them were read.
    fn cpu_over(&self, stretch: Stretch) -> Result<(Stretch, f64), String> {
        let columns: Vec<(&ObservedSource, &Column)> = self
            .sources
            .iter()
            .filter_map(|source| Some((source, column(source, source.cpu.as_ref())?)))
            .collect();
        let known =
            |second: &u32| columns.iter().all(|(source, column)| value_at(source, column, *second).is_some());
        let unread = || "processor seconds were not read then".to_owned();
        let from_s = (stretch.from_s..stretch.to_s).find(known).ok_or_else(unread)?;
        let to_s = (from_s + 1..=stretch.to_s).rfind(known).ok_or_else(unread)?;
        let mut sum = 0.0;
        for (source, column) in columns {
            let inside = column.values.iter().take(to_s as usize + 1).skip(from_s as usize).flatten();
            let inside: Vec<f64> = inside.copied().collect();
            if inside.windows(2).any(|pair| pair[1] < pair[0]) {
                return Err(format!(
                    "the processor seconds of {} began anew then: it restarted",
                    source.name
                ));
            }
            let ends = value_at(source, column, from_s).zip(value_at(source, column, to_s));
            sum += ends.map_or(0.0, |(first, last)| last - first);
        }
        Ok((Stretch { from_s, to_s }, sum))
    }

    /// How many of an operation the plan wanted started in these seconds.
    fn asked_in(&self, operation: &str, stretches: &[Stretch]) -> u64 {
        let Some(series) = self.series.operations.get(operation) else { return 0 };
        let asked = |stretch: &Stretch| -> u64 {
            series.asked.iter().take(stretch.to_s as usize).skip(stretch.from_s as usize).sum()
        };
        stretches.iter().map(asked).sum()
    }

    /// What was done in these seconds, by operation. Steps of another operation are left out: they are that one's cost.
    fn done_in(&self, stretches: &[Stretch]) -> BTreeMap<String, u64> {
        let whole = |name: &&String| {
            let prefix = name.rsplit_once('.').map(|(prefix, _)| prefix);
            // One's own presence comes back at a login, room messages come back to their sender: parts of the same thing.
            name.strip_suffix(".echo").is_none()
                && prefix.is_none_or(|prefix| !self.series.operations.contains_key(prefix))
        };
        let sum = |series: &OperationSeries| -> u64 {
            let done = |stretch: &Stretch| -> u64 {
                series.done.iter().take(stretch.to_s as usize).skip(stretch.from_s as usize).sum()
            };
            stretches.iter().map(done).sum()
        };
        let counted = self.series.operations.iter().filter(|(name, _)| whole(name));
        counted.map(|(name, series)| (name.clone(), sum(series))).filter(|(_, count)| *count > 0).collect()
    }

    fn memory(&self) -> MemoryFigure {
        let none = |reason: &str| MemoryFigure { reason: reason.to_owned(), ..MemoryFigure::default() };
        let columns: Vec<(&ObservedSource, &Column)> = self
            .sources
            .iter()
            .filter_map(|source| Some((source, column(source, source.memory.as_ref())?)))
            .collect();
        if columns.is_empty() {
            return none("no source knows the server's memory");
        }
        let stretches: Vec<Stretch> = self.phases.iter().filter_map(|phase| self.rise(phase)).collect();
        let mut points = Vec::new();
        for second in stretches.iter().flat_map(|stretch| stretch.from_s..stretch.to_s) {
            let users = self.series.users_online.get(second as usize).copied().flatten();
            // Users are counted at the end of a second, which is where the next one's reading stands.
            let memory: Option<f64> =
                columns.iter().map(|(source, column)| value_at(source, column, second + 1)).sum();
            points.extend(users.zip(memory));
        }
        let users_from = points.iter().map(|(users, _)| *users).min().unwrap_or(0);
        let users_to = points.iter().map(|(users, _)| *users).max().unwrap_or(0);
        let count = points.len() as u64;
        let figure =
            MemoryFigure { users_from, users_to, points: count, stretches, ..MemoryFigure::default() };
        if users_to - users_from < USERS_MIN {
            let reason = format!("users online rose by fewer than {USERS_MIN} while memory was read");
            return MemoryFigure { reason, ..figure };
        }
        let (users, memory): (Vec<f64>, Vec<f64>) =
            points.into_iter().map(|(users, memory)| (users as f64, memory)).unzip();
        let Some(slope) = Slope::over(&users, &memory) else {
            let reason = format!("{count} readings while users rose are too few for a slope");
            return MemoryFigure { reason, ..figure };
        };
        let (low, high) = slope.interval();
        let (value, reason) = if low > 0.0 {
            (Some(slope.per_step), String::new())
        } else {
            (None, "memory did not follow the users (the slope's interval holds 0); a server that has had users keeps memory for more: \
                 start it anew".to_owned())
        };
        MemoryFigure { value, low: Some(low), high: Some(high), reason, ..figure }
    }

    /// The seconds of a phase in which users came online, if those were a tenth of all: where a few come and go, memory
    /// has other reasons to change.
    fn rise(&self, phase: &Phase) -> Option<Stretch> {
        let Stretch { from_s, to_s } = self.whole_seconds(phase)?;
        let online = |second: u32| self.series.users_online.get(second as usize).copied().flatten();
        let all = self.series.users_online.iter().flatten().max().copied().unwrap_or(0);
        let most = (from_s..to_s).filter_map(online).max()?;
        let before = from_s.checked_sub(1).and_then(online).unwrap_or(0);
        let reached = (from_s..to_s).find(|&second| online(second) == Some(most))?;
        (10 * most.saturating_sub(before) >= all.max(1)).then_some(Stretch { from_s, to_s: reached + 1 })
    }
}

const APART: &str = "their cost cannot be told apart";

/// Why a figure cannot be given; empty where it can.
fn why_not(
    operation: &str,
    (operations, asked): (u64, u64),
    cpu_s: f64,
    beside: &BTreeMap<String, u64>,
) -> String {
    let others: u64 = beside.values().sum();
    if operations < OPERATIONS_MIN {
        format!("{operations} of {operation} are too few")
    } else if operations.abs_diff(asked) as f64 > asked as f64 * BEHIND_MAX {
        format!(
            "of {operation} {asked} were asked for in those seconds and {operations} done: what was begun costs too"
        )
    } else if cpu_s < CPU_MIN_S {
        format!("{cpu_s:.2} s of processor time are too few to be told from rounding")
    } else if others as f64 > operations as f64 * BESIDE_MAX {
        let list: Vec<String> = beside.iter().map(|(name, count)| format!("{count} {name}")).collect();
        format!("beside {operations} of {operation} were done {}: {APART}", list.join(", "))
    } else {
        String::new()
    }
}

fn column<'a>(source: &'a ObservedSource, name: Option<&String>) -> Option<&'a Column> {
    source.columns.get(name?)
}

/// A column's value at the beginning of a second: between the readings around it, or a reading right beside it.
fn value_at(source: &ObservedSource, column: &Column, second: u32) -> Option<f64> {
    let instant = f64::from(second);
    let reading = |index: usize| {
        let at = source.at_s.get(index).copied().flatten()?;
        Some((at, column.values.get(index).copied().flatten()?))
    };
    let index = second as usize;
    let reach = GAP_MAX_S as usize;
    let before =
        (index.saturating_sub(reach)..=index).rev().filter_map(reading).find(|(at, _)| *at <= instant);
    let after = (index..=index + reach).filter_map(reading).find(|(at, _)| *at >= instant);
    match (before, after) {
        (_, Some((at, value))) if at <= instant => Some(value),
        (Some((early, first)), Some((late, last))) if late - early <= GAP_MAX_S => {
            Some((last - first).mul_add((instant - early) / (late - early), first))
        }
        (_, Some((at, value))) if at - instant <= NEAR_S => Some(value),
        (Some((at, value)), _) if instant - at <= NEAR_S => Some(value),
        _ => None,
    }
}
