//! Folds what the shards report into totals, series, journal and the snapshot a person watches.
//!
//! Runs on the coordinator's thread: nothing here happens on a worker. Reports of several shards come in any order; deltas and
//! columns add up whatever it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::observe::Observing;
use crate::engine::run::Run;
use crate::engine::shard::{RoomOrder, ShardReport};
use crate::engine::verdict::PhaseObservation;
use crate::machine::Secured;
use crate::record::turns::TurnTimes;
use crate::results::journal::{Interval, JournalWriteError, JournalWriter};
use crate::results::{
    self, Generator, Histogram, KeyCache, Layout, Ledgers, ObservedLog, ObservedSource, OperationLayout,
    PhaseLayout, Reading, SecondFacts, SourceLayout, Totals, WorkerUse,
};
use crate::sample::{LedgerCounts, LedgerKind, Outcome, Place};
use crate::units::{Offset, Quantile};
use crate::user::Stanzas;
use crate::xmpp::{Mechanism, Offered, Software};

/// A phase cut short before this shows nothing: one turn would be all of it.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);

/// See the module text.
pub struct Aggregator {
    run: Arc<Run>,
    totals: Totals,
    journal: Option<JournalWriter<File>>,
    journal_error: Option<JournalWriteError>,
    shards: Vec<ShardState>,
    lags: Vec<Histogram>,
    unsent_ours: Vec<u64>,
    room_orders: Vec<RoomOrder>,
    recent: Recent,
    secured: Option<Secured>,
    software: Option<Software>,
    offered: Option<Offered>,
    observing: Option<Observing>,
    observed: ObservedLog,
    /// What the generator sees of itself; kept up to date by the observer.
    pub generator: Generator,
}

/// What is known of one shard.
#[derive(Clone, Default)]
struct ShardState {
    ledger: Vec<[LedgerCounts; 3]>,
    turns: Vec<TurnTimes>,
    online: u32,
    open: u64,
    keys: (u64, u64),
    logins: (u64, u64),
    hopeless_logins: u64,
    handshakes: (u64, u64),
    mechanisms: BTreeMap<Mechanism, u64>,
    /// Read and written.
    bytes: (u64, u64),
    /// The same by the phase of the second.
    phase_bytes: Vec<(u64, u64)>,
    stanzas: Vec<Stanzas>,
    queued: u64,
    established: u64,
    drained: bool,
    finished: bool,
}

/// Numbers of the last closed second, for the display.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Operations that ended, logins and their steps left out.
    pub ended: u64,
    /// Of these, completed.
    pub done: u64,
    /// Of these, failed, lost, timed out or unsent.
    pub errors: u64,
    /// Response times of the completed, whatever they are.
    pub response: Histogram,
    /// The same, operation by operation: those that ended.
    pub operations: BTreeMap<u16, RecentOperation>,
    /// offered − intended.
    pub lag: Histogram,
    /// Turn times, by shard.
    pub turns: BTreeMap<u16, TurnTimes>,
}

/// One operation's numbers of the last closed second.
#[derive(Clone, Debug, Default)]
pub struct RecentOperation {
    /// Completed.
    pub done: u64,
    /// Failed, lost, timed out or unsent.
    pub errors: u64,
    /// Response times of the completed.
    pub response: Histogram,
}

impl std::fmt::Debug for Aggregator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aggregator").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

impl Aggregator {
    /// Nothing reported yet.
    pub fn new(run: Arc<Run>, totals: Totals, journal: Option<JournalWriter<File>>, shards: usize) -> Self {
        let phases = run.plan.phases().len();
        let state = ShardState {
            ledger: vec![[LedgerCounts::default(); 3]; phases],
            turns: vec![TurnTimes::default(); phases],
            phase_bytes: vec![(0, 0); phases],
            ..ShardState::default()
        };
        Self {
            totals,
            journal,
            journal_error: None,
            shards: vec![state; shards],
            lags: vec![Histogram::new(); phases],
            unsent_ours: vec![0; phases],
            room_orders: Vec::new(),
            recent: Recent::default(),
            secured: None,
            software: None,
            offered: None,
            observing: None,
            observed: ObservedLog::default(),
            generator: Generator::default(),
            run,
        }
    }

    /// Takes what is read of the server into totals and journal from now on.
    pub fn watch_server(&mut self, layouts: &[SourceLayout], observing: Observing) {
        self.observed = ObservedLog::new(layouts);
        self.observing = Some(observing);
    }

    /// What was read of the server so far.
    pub const fn observed(&self) -> &ObservedLog {
        &self.observed
    }

    /// What was read of the server in all.
    pub fn observed_sources(&self) -> Vec<ObservedSource> {
        self.observed.sources().cloned().collect()
    }

    /// Takes in a report.
    pub fn take(&mut self, report: ShardReport) {
        for sample in &report.log.samples {
            let phase = self.run.phase_of(sample.intended);
            self.totals.record(phase, sample);
            // Logins are asked for beside the load that is judged: neither side of its shares has them.
            if usize::from(sample.operation.0) >= crate::activity::LOGIN_OPERATIONS.len() {
                if matches!(sample.outcome, Outcome::Unsent(reason) if reason.is_ours()) {
                    self.unsent_ours[phase] += u64::from(sample.attempts);
                }
                self.recent.take(sample);
            }
        }
        report.log.faults.iter().for_each(|fault| self.totals.note_error(fault));
        self.note_second(&report);
        for (phase, lags) in report.lags.iter().enumerate() {
            self.lags[phase].merge(lags);
            self.recent.lag.merge(lags);
        }
        if let Some(secured) = report.secured {
            self.secured.get_or_insert(*secured);
        }
        if let Some(offered) = report.offered {
            self.offered.get_or_insert_default().add(*offered);
        }
        if let Some(software) = report.software {
            self.software.get_or_insert(*software);
        }
        self.room_orders.extend(report.room_orders);
        let recent = self.recent.turns.entry(report.shard).or_default();
        let shard = &mut self.shards[usize::from(report.shard)];
        shard.stanzas = report.stanzas;
        for (phase, turns) in report.turns.iter().enumerate() {
            shard.turns[phase].merge(turns);
            recent.merge(turns);
        }
        shard.ledger = report.ledger;
        // What stands beside the plan is of a second's end; other reports come in its midst.
        if report.ticked || report.finished {
            shard.online = report.online;
        }
        shard.open = report.open;
        shard.keys = report.keys;
        shard.logins = report.logins;
        shard.hopeless_logins = report.hopeless_logins;
        shard.handshakes = report.handshakes;
        shard.mechanisms = report.mechanisms;
        shard.bytes = (report.stats.bytes_in, report.stats.bytes_out);
        shard.queued = report.stats.queued_bytes;
        shard.established = report.stats.established as u64;
        shard.drained |= report.drained;
        shard.finished |= report.finished;
    }

    /// The facts of the second that a regular report closes.
    fn note_second(&mut self, report: &ShardReport) {
        let shard = &mut self.shards[usize::from(report.shard)];
        let longest = report.turns.iter().map(TurnTimes::longest).max().unwrap_or_default();
        // A tick comes just after the second it closes.
        let second = if report.ticked { report.at.second().saturating_sub(1) } else { report.at.second() };
        let bytes_in = report.stats.bytes_in.saturating_sub(shard.bytes.0);
        let bytes_out = report.stats.bytes_out.saturating_sub(shard.bytes.1);
        let phase = self.run.phase_of(Offset::from_secs_f64(f64::from(second) + 0.5));
        if let Some((read, written)) = shard.phase_bytes.get_mut(phase) {
            *read += bytes_in;
            *written += bytes_out;
        }
        self.totals.note_second(&SecondFacts {
            second,
            users_online: report.ticked.then_some(u64::from(report.online)),
            // Lag belongs to the second an operation was intended in: the samples bring it.
            lag_max_us: None,
            turn_max_us: Some(u64::try_from(longest.as_micros()).unwrap_or(u64::MAX)),
            bytes_out,
            bytes_in,
        });
    }

    /// Closes a second: its delta joins the totals and goes into the journal. Returns its numbers for the display.
    pub fn close_second(&mut self, now: Offset) -> Recent {
        let readings = self.observing.as_ref().map_or_else(Vec::new, Observing::take);
        self.close_with(now, readings)
    }

    /// Closes the last second, and ends whatever is still being read. Returns its numbers for the display.
    pub fn close_last_second(&mut self, now: Offset) -> Recent {
        let readings = self.observing.take().map_or_else(Vec::new, Observing::end);
        self.close_with(now, readings)
    }

    fn close_with(&mut self, now: Offset, mut readings: Vec<Reading>) -> Recent {
        // Only a bug of ours makes a reading that is no reading; it must not spoil the journal.
        readings.retain(|reading| self.observed.take(reading).is_ok());
        let delta = self.totals.close_interval();
        self.note_levels();
        let interval = Interval {
            end_s: now.as_secs_f64(),
            delta,
            ledgers: self.ledgers(),
            generator: Some(self.generator.clone()),
            keys: self.keys(),
            readings,
        };
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.interval(&interval)
        {
            // Said once, at the end and on the display; the run goes on, since its totals are in memory.
            self.journal = None;
            self.journal_error = Some(error);
        }
        std::mem::take(&mut self.recent).added_up()
    }

    fn note_levels(&mut self) {
        self.generator.ledger_entries.note(self.open());
        self.generator.queued_bytes.note(self.shards.iter().map(|shard| shard.queued).sum());
        self.generator.ports.note(self.shards.iter().map(|shard| shard.established).sum());
    }

    /// The totals so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The journal, to write its end.
    pub const fn take_journal(&mut self) -> Option<JournalWriter<File>> {
        self.journal.take()
    }

    /// Why the journal broke off, if it did.
    pub const fn journal_error(&self) -> Option<&JournalWriteError> {
        self.journal_error.as_ref()
    }

    /// The accounts, per phase.
    pub fn ledgers(&self) -> Vec<Ledgers> {
        let mut phases = vec![Ledgers::default(); self.lags.len()];
        for shard in &self.shards {
            for (phase, counts) in phases.iter_mut().zip(&shard.ledger) {
                for kind in LedgerKind::ALL {
                    phase.of_mut(kind).add(&counts[kind as usize]);
                }
            }
        }
        phases
    }

    /// SCRAM keys from the cache and derived.
    pub fn keys(&self) -> KeyCache {
        let sum = |pick: fn(&ShardState) -> u64| self.shards.iter().map(pick).sum();
        KeyCache { hits: sum(|shard| shard.keys.0), misses: sum(|shard| shard.keys.1) }
    }

    /// Bytes read from sockets, and written to them.
    pub fn bytes(&self) -> (u64, u64) {
        self.shards.iter().fold((0, 0), |sum, shard| (sum.0 + shard.bytes.0, sum.1 + shard.bytes.1))
    }

    /// Users online now.
    pub fn online(&self) -> u32 {
        self.shards.iter().map(|shard| shard.online).sum()
    }

    /// Ledger entries open now.
    pub fn open(&self) -> u64 {
        self.shards.iter().map(|shard| shard.open).sum()
    }

    /// Logins that succeeded, and attempts that failed.
    pub fn logins(&self) -> (u64, u64) {
        self.shards.iter().fold((0, 0), |sum, shard| (sum.0 + shard.logins.0, sum.1 + shard.logins.1))
    }

    /// Of the failed logins, those no retry can mend.
    pub fn hopeless_logins(&self) -> u64 {
        self.shards.iter().map(|shard| shard.hopeless_logins).sum()
    }

    /// A shard that died kept accounts nobody can settle: what was open in them is indeterminate. Gives the dead ones.
    pub fn bury_the_dead(&mut self) -> Vec<usize> {
        let mut dead = Vec::new();
        for (number, shard) in self.shards.iter_mut().enumerate().filter(|(_, shard)| !shard.finished) {
            for counts in shard.ledger.iter_mut().flatten() {
                counts.indeterminate += counts.open();
            }
            shard.open = 0;
            dead.push(number);
        }
        dead
    }

    /// TLS handshakes done in full, and resumed ones.
    pub fn handshakes(&self) -> (u64, u64) {
        self.shards.iter().fold((0, 0), |sum, shard| (sum.0 + shard.handshakes.0, sum.1 + shard.handshakes.1))
    }

    /// Stanzas read and written, per phase.
    pub fn stanzas(&self) -> Vec<Stanzas> {
        let mut phases = vec![Stanzas::default(); self.lags.len()];
        for shard in &self.shards {
            for (sum, stanzas) in phases.iter_mut().zip(&shard.stanzas) {
                sum.read += stanzas.read;
                sum.written += stanzas.written;
            }
        }
        phases
    }

    /// Whether all occupants of each room saw one order; nothing where nothing was said. In each room, whoever was there for as
    /// many messages as anybody is compared with the order most of them saw.
    pub fn room_order(&self) -> Option<results::RoomOrder> {
        let mut rooms: BTreeMap<Place, Vec<&RoomOrder>> = BTreeMap::new();
        for order in &self.room_orders {
            rooms.entry(order.place).or_default().push(order);
        }
        let mut found = results::RoomOrder { rooms: rooms.len() as u64, ..results::RoomOrder::default() };
        for occupants in rooms.values() {
            let most = occupants.iter().filter(|seen| !seen.broken).map(|seen| seen.count).max();
            let mut digests: BTreeMap<u64, u64> = BTreeMap::new();
            for seen in occupants.iter().filter(|seen| !seen.broken && Some(seen.count) == most) {
                *digests.entry(seen.digest).or_default() += 1;
            }
            let compared = digests.values().sum::<u64>();
            found.compared += compared;
            found.differing += compared - digests.values().max().copied().unwrap_or(0);
            found.not_compared += occupants.len() as u64 - compared;
        }
        (found.rooms > 0).then_some(found)
    }

    /// Whether every shard's account is settled.
    pub fn all_drained(&self) -> bool {
        self.shards.iter().all(|shard| shard.drained || shard.finished)
    }

    /// Whether every shard has said its last.
    pub fn all_finished(&self) -> bool {
        self.shards.iter().all(|shard| shard.finished)
    }

    /// Logins that came as far as binding, by the mechanism they used.
    pub fn mechanisms(&self) -> BTreeMap<Mechanism, u64> {
        let mut sum = BTreeMap::new();
        for (&mechanism, count) in self.shards.iter().flat_map(|shard| &shard.mechanisms) {
            *sum.entry(mechanism).or_default() += count;
        }
        sum
    }

    /// What the server said it is.
    pub const fn software(&self) -> Option<&Software> {
        self.software.as_ref()
    }

    /// What the server offered the users who looked.
    pub const fn offered(&self) -> Option<&Offered> {
        self.offered.as_ref()
    }

    /// Facts of the first channel that was secured.
    pub const fn secured(&self) -> Option<&Secured> {
        self.secured.as_ref()
    }

    /// What the measured phases showed, for the verdict. Where the run was cut short, phases it did not reach, or was in for less
    /// than `SHORTEST_LOOK`, are left out.
    pub fn observations(&self, until: Offset) -> Vec<PhaseObservation> {
        let phases = self.run.plan.phases().iter().enumerate();
        phases
            .filter(|(_, phase)| {
                let seen = until.since(phase.window.start) >= SHORTEST_LOOK;
                phase.measured && (seen || phase.window.end <= until)
            })
            .map(|(index, _)| self.observe(index, until))
            .collect()
    }

    fn observe(&self, index: usize, until: Offset) -> PhaseObservation {
        let phase = &self.run.plan.phases()[index];
        let elapsed = phase.window.end.min(until).since(phase.window.start);
        let logins = crate::activity::LOGIN_OPERATIONS.len();
        let mut seen = PhaseObservation {
            name: phase.name.clone(),
            lag_p99: high_quantile(&self.lags[index]),
            turn_p99: Some(self.worst_turn(index, elapsed)),
            busy_max: self.shards.iter().map(|s| s.turns[index].busy().as_secs_f64()).fold(0.0, f64::max)
                / elapsed.as_secs_f64(),
            unsent_ours: self.unsent_ours[index],
            backlog: self.backlog(index, until),
            ..PhaseObservation::default()
        };
        let mut response = Histogram::new();
        for operation in logins..self.run.operations.len() {
            let tally = self.totals.tally([index], operation);
            seen.asked += tally.attempts();
            seen.done += tally.completed();
            response.merge(&tally.response);
        }
        seen.response_p99 = high_quantile(&response);
        seen
    }

    fn worst_turn(&self, phase: usize, elapsed: Duration) -> Duration {
        self.shards
            .iter()
            .map(|shard| shard.turns[phase].quantile(Quantile::P99, elapsed))
            .max()
            .unwrap_or_default()
    }

    /// What was open at the end of each second of a phase and would be done later, over all operations but logins. What
    /// ended any other way waits for nothing: it counts against `done`, not here. Of a run that ended early only the seconds
    /// before that: afterwards nothing new began.
    fn backlog(&self, index: usize, until: Offset) -> Vec<f64> {
        let window = self.run.plan.phases()[index].window;
        let (first, last) = (window.start.second() as usize, window.end.min(until).second() as usize);
        let series = self.totals.series();
        let logins = &self.run.operations[..crate::activity::LOGIN_OPERATIONS.len()];
        let mut level = 0.0;
        let mut levels = Vec::with_capacity(last.saturating_sub(first));
        for second in first..last {
            for (name, columns) in &series.operations {
                if !logins.iter().any(|login| login.name == name) {
                    let at = |column: &Vec<u64>| column.get(second).copied().unwrap_or(0) as f64;
                    level += at(&columns.done_by_intended) - at(&columns.done);
                }
            }
            levels.push(level);
        }
        levels
    }

    /// How busy each worker was in each phase.
    pub fn workers(&self, ranges: &[std::ops::Range<u32>], until: Offset) -> Vec<WorkerUse> {
        let mut all = Vec::new();
        for (number, shard) in self.shards.iter().enumerate() {
            let phases = self.run.plan.phases().iter().zip(&shard.turns).zip(&shard.phase_bytes);
            for ((phase, turns), &(bytes_in, bytes_out)) in phases {
                let elapsed = phase.window.end.min(until).since(phase.window.start);
                if elapsed.is_zero() {
                    continue;
                }
                let p99 = turns.quantile(Quantile::P99, elapsed);
                all.push(WorkerUse {
                    worker: number as u32,
                    phase: phase.name.clone(),
                    busy: turns.busy().as_secs_f64() / elapsed.as_secs_f64(),
                    turns: turns.count(),
                    turn_p99_us: Some(u64::try_from(p99.as_micros()).unwrap_or(u64::MAX)),
                    turn_max_us: u64::try_from(turns.longest().as_micros()).unwrap_or(u64::MAX),
                    users: ranges.get(number).map_or(0, |range| range.end - range.start),
                    bytes_out,
                    bytes_in,
                });
            }
        }
        all
    }
}

impl Recent {
    /// offered − intended, 99th percentile.
    pub fn lag_p99(&self) -> Option<Duration> {
        high_quantile(&self.lag)
    }

    /// The worst worker's turn time, 99th percentile by time.
    pub fn turn_p99(&self) -> Option<Duration> {
        self.turns.values().map(|turns| turns.quantile(Quantile::P99, Duration::from_secs(1))).max()
    }

    fn take(&mut self, sample: &crate::sample::Sample) {
        self.ended += 1;
        let own = self.operations.entry(sample.operation.0).or_default();
        if let Some(instants) = &sample.instants {
            self.done += 1;
            own.done += 1;
            own.response.record_nanos(instants.response_nanos());
        } else if sample.outcome.is_attempt() {
            self.errors += 1;
            own.errors += 1;
        }
    }

    /// With the response times of all operations together, which are added up once and not sample by sample.
    fn added_up(mut self) -> Self {
        self.operations.values().for_each(|own| self.response.merge(&own.response));
        self
    }
}

/// The 99th percentile, or what comes nearest to it where there are too few: nothing is let off for being rare.
fn high_quantile(histogram: &Histogram) -> Option<Duration> {
    let mut supported = [Quantile::P99, Quantile::P90, Quantile::P50].into_iter();
    let micros = supported.find_map(|quantile| histogram.quantile(quantile)).or_else(|| histogram.max());
    micros.map(Duration::from_micros)
}

/// The shape of a run's totals.
pub fn layout(run: &Run, groups: Vec<String>) -> Layout {
    Layout {
        phases: run
            .plan
            .phases()
            .iter()
            .map(|phase| PhaseLayout {
                name: phase.name.clone(),
                start_s: phase.window.start.as_secs_f64(),
                end_s: phase.window.end.as_secs_f64(),
                measured: phase.measured,
            })
            .collect(),
        operations: run
            .operations
            .iter()
            .map(|operation| OperationLayout {
                name: operation.name.to_owned(),
                meaning: operation.meaning.to_owned(),
            })
            .collect(),
        groups,
    }
}
