//! Conducts a run: starts the workers, folds what they report, moves them through stopping, settling and leaving together, and
//! draws the conclusion.
//!
//! It runs on the caller's thread and wakes up a few times a second; nothing waits for it on a worker. A run ends in one of these
//! ways, and always with a result: the plan ended and the ledger settled or the drain ran out; a rule of `[abort]` ended it (it
//! drains); nobody could log in; the user interrupted it once (it drains) or twice (it does not).

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Epoch;
use crate::engine::abort::{Glance, Watchdog};
use crate::engine::aggregate::{Aggregator, Recent, RecentOperation};
use crate::engine::own_use::OwnUse;
use crate::engine::run::Run;
use crate::engine::shard::{Message, Peers, Shard, ShardReport};
use crate::engine::whereabouts::Whereabouts;
use crate::net::{Driver, DriverConfig, DriverError, InboxSender, inbox, spawn_worker};
use crate::plan::curve::Window;
use crate::results::Histogram;
use crate::sample::OperationId;
use crate::units::Offset;

/// Messages a worker's inbox holds: notes of a second at a hundred thousand messages per second.
const INBOX_CAPACITY: usize = 1 << 17;
/// How often the coordinator looks up.
const LOOK_UP: Duration = Duration::from_millis(100);
/// How long after their leave timeout workers may take to say their last.
const LAST_WORDS: Duration = Duration::from_secs(8);
/// Seconds whose response times are shown together.
const RECENT_SECONDS: usize = 5;
/// Failed logins that no retry can mend, with none that succeeded, after which the run is given up.
const HOPELESS_LOGINS: u64 = 10;
/// How long logins may fail, with none that succeeds, before the run is given up: a server that is just starting is waited
/// for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a run is told from outside while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ctrl-C or SIGTERM.
    Interrupt,
}

/// Where a run stands, for whoever shows it.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// Now, since the run's epoch.
    pub now: Offset,
    /// What is going on.
    pub stage: Stage,
    /// Why the plan's part ended before its time, if it did.
    pub early: Option<&'a str>,
    /// The phase; empty between the phases and when their time is over, however that came.
    pub phase: &'a str,
    /// Its place among the phases, from 1, and how many there are.
    pub phase_number: (usize, usize),
    /// From when to when what is going on lasts, at most.
    pub window: (Offset, Offset),
    /// Users online at the end of the last closed second, and how many the plan wanted logged in then.
    pub online: (u32, u32),
    /// What the plan asked for per second in the last closed second, by operation: of those of which each action makes one (see
    /// [`crate::activity::wholes`]). Nothing was asked for when the phases' time was over.
    pub asked: Vec<(OperationId, f64)>,
    /// Ledger entries open.
    pub open: u64,
    /// The counts of the last closed second, the percentiles of the last few.
    pub recent: &'a Recent,
    /// Logins that succeeded, and attempts that failed.
    pub logins: (u64, u64),
    /// How many seconds have been closed.
    pub seconds_closed: u64,
    /// Everything folded so far.
    pub folded: Option<&'a Aggregator>,
}

impl Standing<'_> {
    /// What the plan asked for per second, and what was done of the same operations, in the last closed second; nothing where no
    /// activity has any whose number the plan knows.
    pub fn asked_and_done(&self) -> Option<(f64, u64)> {
        let done =
            |operation: OperationId| self.recent.operations.get(&operation.0).map_or(0, |own| own.done);
        let sums = self.asked.iter().map(|(operation, rate)| (*rate, done(*operation)));
        sums.reduce(|sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The plan's phases.
    Phases,
    /// Nothing new begins; open entries are waited for.
    Draining,
    /// Streams are being closed.
    Leaving,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The plan came to its end.
    Planned,
    /// A rule of `[abort]` ended it; what was measured is judged like any other run.
    Aborted,
    /// Nobody could log in.
    NobodyCameOnline,
    /// Its user interrupted it; whether twice.
    Interrupted {
        /// The second time: open entries were not waited for.
        at_once: bool,
    },
    /// Workers ended before they should: a bug or a resource of ours.
    WorkersFailed,
}

/// A run that is over.
pub struct Ended {
    /// Everything folded.
    pub aggregator: Aggregator,
    /// Why.
    pub ending: Ending,
    /// When the plan's part ended: the plan's end, or before it.
    pub until: Offset,
    /// Why the plan's part ended before its time, if it did.
    pub early: Option<String>,
    /// Errors of workers that could not run.
    pub worker_errors: Vec<String>,
}

/// Runs to the end. `show` is called a few times a second, and once when everything is accounted for.
pub fn conduct(
    run: &Arc<Run>,
    ranges: Vec<Range<u32>>,
    driver: &DriverConfig,
    ledger_capacity: usize,
    aggregator: Aggregator,
    commands: &Receiver<Command>,
    show: &mut dyn FnMut(&Standing<'_>),
) -> std::io::Result<Ended> {
    let (outlet, reports) = channel();
    let workers = start_workers(run, ranges, driver, ledger_capacity, &outlet)?;
    drop(outlet);
    // What this thread does can wait; what a worker on the same CPU does cannot. Refused at worst.
    let _ = rustix::process::nice(19);
    let epoch = driver.epoch;
    let mut conductor = Conductor {
        run: Arc::clone(run),
        epoch,
        inboxes: workers.inboxes,
        aggregator,
        recent: Recent::default(),
        seconds: VecDeque::new(),
        first_failure: None,
        next_second: Offset::from_nanos(1_500_000_000),
        stage: Stage::Phases,
        stage_until: run.plan.end(),
        until: run.plan.end(),
        ending: Ending::Planned,
        early: None,
        watchdog: Watchdog::new(run.abort_rules()),
        seconds_closed: 0,
        closed: Window { start: Offset::ZERO, end: Offset::ZERO },
        online: (0, 0),
        own_use: OwnUse::default(),
    };
    while conductor.turn(&reports, commands) {
        show(&conductor.standing());
    }
    // A worker that has not said its last is stuck: waiting for it would hang the run with it.
    let worker_errors = if conductor.aggregator.all_finished() {
        join(workers.threads)
    } else {
        let stuck = workers.threads.iter().any(|thread| !thread.is_finished());
        if stuck {
            vec!["a worker did not end: this is a bug in xmpp-bench".to_owned()]
        } else {
            join(workers.threads)
        }
    };
    // Last words that came while nobody listened.
    while let Ok(report) = reports.try_recv() {
        conductor.aggregator.take(report);
    }
    conductor.aggregator.bury_the_dead();
    if !worker_errors.is_empty() {
        conductor.ending = Ending::WorkersFailed;
    }
    conductor.close_last_second();
    show(&conductor.standing());
    let Conductor { aggregator, ending, until, early, .. } = conductor;
    Ok(Ended { aggregator, ending, until, early, worker_errors })
}

struct Workers {
    inboxes: Vec<InboxSender<Message>>,
    threads: Vec<JoinHandle<Result<(), DriverError>>>,
}

fn start_workers(
    run: &Arc<Run>,
    ranges: Vec<Range<u32>>,
    driver: &DriverConfig,
    ledger_capacity: usize,
    outlet: &Sender<ShardReport>,
) -> std::io::Result<Workers> {
    let whereabouts = Arc::new(Whereabouts::nobody(run));
    let (inboxes, receivers): (Vec<_>, Vec<_>) = ranges.iter().map(|_| inbox(INBOX_CAPACITY)).unzip();
    let mut threads = Vec::new();
    for (number, receiver) in receivers.into_iter().enumerate() {
        let peers = Peers::new(inboxes.clone(), ranges.clone());
        let (run, whereabouts, outlet) = (Arc::clone(run), Arc::clone(&whereabouts), outlet.clone());
        let mut config = driver.clone();
        config.tls_client = config.tls_client.map(|tls| tls.unshared());
        threads.push(spawn_worker(&format!("xb-worker-{number}"), None, move || {
            let mut shard = Shard::new(run, number as u16, peers, whereabouts, ledger_capacity, outlet);
            Driver::new(config, Vec::new()).run(&mut shard, receiver)
        })?);
    }
    Ok(Workers { inboxes, threads })
}

fn join(threads: Vec<JoinHandle<Result<(), DriverError>>>) -> Vec<String> {
    let ended = threads.into_iter().map(JoinHandle::join);
    ended
        .filter_map(|result| match result {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("a worker panicked: this is a bug in xmpp-bench".to_owned()),
        })
        .collect()
}

struct Conductor {
    run: Arc<Run>,
    epoch: Epoch,
    inboxes: Vec<InboxSender<Message>>,
    aggregator: Aggregator,
    recent: Recent,
    seconds: VecDeque<Recent>,
    first_failure: Option<Offset>,
    next_second: Offset,
    stage: Stage,
    stage_until: Offset,
    until: Offset,
    ending: Ending,
    early: Option<String>,
    watchdog: Watchdog,
    seconds_closed: u64,
    /// The stretch the last closed second is: what is shown beside its counts belongs to it.
    closed: Window,
    /// Users online at its end, and planned to be.
    online: (u32, u32),
    own_use: OwnUse,
}

impl Conductor {
    /// One look: takes reports, heeds commands, moves on when it is time. False when all is over.
    fn turn(&mut self, reports: &Receiver<ShardReport>, commands: &Receiver<Command>) -> bool {
        let workers_alive = self.take_reports(reports);
        let now = self.epoch.now();
        if now >= self.next_second {
            self.own_use.look(now.second(), &mut self.aggregator.generator);
            let closed = self.aggregator.close_second(now);
            self.watch(now, &closed);
            self.note_closed(closed, Offset::from_nanos(u64::from(now.second()) * 1_000_000_000));
            self.next_second = Offset::from_nanos(u64::from(now.second()) * 1_000_000_000 + 1_500_000_000);
        }
        while let Ok(Command::Interrupt) = commands.try_recv() {
            self.interrupt(now);
        }
        self.move_on(now);
        let silent = self.stage == Stage::Leaving && now > self.stage_until;
        workers_alive && !self.aggregator.all_finished() && !silent
    }

    /// Ends the run early where the second that was closed completes a rule of `[abort]`.
    fn watch(&mut self, now: Offset, closed: &Recent) {
        let online = (self.aggregator.online(), self.run.plan.population().planned_online(now));
        let glance = Glance::new(closed, self.aggregator.open(), online);
        let alarm = self.watchdog.look(glance, self.aggregator.logins());
        if let (Stage::Phases, Some(alarm)) = (self.stage, alarm) {
            self.ending = Ending::Aborted;
            self.end_early(now, alarm.reason);
            self.drain(now);
        }
    }

    fn end_early(&mut self, now: Offset, reason: impl Into<String>) {
        self.until = self.until.min(now);
        self.early.get_or_insert_with(|| reason.into());
    }

    /// What was open when the workers left is settled only now: whoever watches is to see the last account.
    fn close_last_second(&mut self) {
        let now = self.epoch.now();
        let closed = self.aggregator.close_last_second(now);
        self.note_closed(closed, now);
    }

    fn note_closed(&mut self, closed: Recent, until: Offset) {
        self.note_recent(closed);
        self.seconds_closed += 1;
        self.closed = Window { start: self.closed.end, end: until.max(self.closed.end) };
        self.online = (self.aggregator.online(), self.due_online());
    }

    /// Counts are of the last second, percentiles of the last few: one second seldom holds enough for a p99.
    fn note_recent(&mut self, closed: Recent) {
        if self.seconds.len() == RECENT_SECONDS {
            self.seconds.pop_front();
        }
        let counts = |own: &RecentOperation| RecentOperation {
            done: own.done,
            errors: own.errors,
            response: Histogram::new(),
        };
        let mut shown = Recent {
            ended: closed.ended,
            done: closed.done,
            errors: closed.errors,
            operations: closed.operations.iter().map(|(operation, own)| (*operation, counts(own))).collect(),
            turns: closed.turns.clone(),
            ..Recent::default()
        };
        self.seconds.push_back(closed);
        for second in &self.seconds {
            shown.response.merge(&second.response);
            shown.lag.merge(&second.lag);
            for (operation, own) in &second.operations {
                shown.operations.entry(*operation).or_default().response.merge(&own.response);
            }
        }
        self.recent = shown;
    }

    fn take_reports(&mut self, reports: &Receiver<ShardReport>) -> bool {
        match reports.recv_timeout(LOOK_UP) {
            Ok(report) => self.aggregator.take(report),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        while let Ok(report) = reports.try_recv() {
            self.aggregator.take(report);
        }
        true
    }

    fn interrupt(&mut self, now: Offset) {
        match self.stage {
            Stage::Phases => {
                self.ending = Ending::Interrupted { at_once: false };
                self.end_early(now, "interrupted by its user");
                self.drain(now);
            }
            Stage::Draining => {
                let second_time = matches!(self.ending, Ending::Interrupted { .. });
                self.ending = Ending::Interrupted { at_once: second_time };
                if second_time {
                    self.leave(now, true);
                }
            }
            Stage::Leaving => {}
        }
    }

    fn move_on(&mut self, now: Offset) {
        let hopeless = self.stage == Stage::Phases && self.is_hopeless(now);
        match self.stage {
            Stage::Phases if now >= self.stage_until => self.drain(now),
            Stage::Phases if hopeless => {
                self.ending = Ending::NobodyCameOnline;
                self.end_early(now, "nobody could log in");
                self.leave(now, false);
            }
            Stage::Draining if self.aggregator.all_drained() || now >= self.stage_until => {
                self.leave(now, false);
            }
            _ => {}
        }
    }

    /// Nobody came online, and not for want of time: the target is wrong, or the accounts are.
    fn is_hopeless(&mut self, now: Offset) -> bool {
        let (succeeded, failed) = self.aggregator.logins();
        if succeeded > 0 || failed == 0 {
            return false;
        }
        let first_failure = *self.first_failure.get_or_insert(now);
        let hopeless = self.aggregator.hopeless_logins();
        hopeless >= HOPELESS_LOGINS.min(u64::from(self.run.users())) || now.since(first_failure) >= PATIENCE
    }

    fn drain(&mut self, now: Offset) {
        self.stage = Stage::Draining;
        self.stage_until = now + self.run.drain;
        self.tell(&Message::Stop(self.until));
    }

    fn leave(&mut self, now: Offset, interrupted: bool) {
        self.stage = Stage::Leaving;
        self.stage_until = now + LAST_WORDS;
        self.tell(&Message::Settle(interrupted));
    }

    fn tell(&self, message: &Message) {
        for inbox in &self.inboxes {
            // An inbox that is full empties within a turn of its worker; one that is gone has nobody to tell.
            let mut tries = 1_000;
            while inbox.try_send(message.clone()) == Err(crate::net::InboxFull::Full) && tries > 0 {
                std::thread::sleep(Duration::from_millis(1));
                tries -= 1;
            }
        }
    }

    fn standing(&self) -> Standing<'_> {
        let now = self.epoch.now();
        let phases = self.run.plan.phases();
        // A run that ends early drains while the clock is still within a phase's window, and is in that phase no more.
        let index = phases
            .iter()
            .position(|phase| phase.window.contains(now))
            .filter(|_| self.stage == Stage::Phases);
        let phase = index.map_or("", |index| &phases[index].name);
        let window = match (self.stage, index.map(|index| &phases[index].window)) {
            (Stage::Phases, Some(window)) => (window.start, window.end),
            (Stage::Phases, None) => (now, now),
            (Stage::Draining, _) => (self.stage_until - self.run.drain, self.stage_until),
            (Stage::Leaving, _) => (self.stage_until - LAST_WORDS, self.stage_until),
        };
        Standing {
            now,
            stage: self.stage,
            early: self.early.as_deref(),
            phase,
            phase_number: (index.map_or(0, |index| index + 1), phases.len()),
            window,
            online: self.online,
            asked: self.asked(),
            open: self.aggregator.open(),
            recent: &self.recent,
            logins: self.aggregator.logins(),
            seconds_closed: self.seconds_closed,
            folded: Some(&self.aggregator),
        }
    }

    /// Users the plan wanted logged in at the end of the last closed second; none once all are logged out.
    fn due_online(&self) -> u32 {
        if self.stage == Stage::Leaving {
            return 0;
        }
        // Once the run is to end nobody comes any more, whatever the phases said.
        self.run.plan.population().logged_in(self.closed.end.min(self.until))
    }

    /// What the plan asked for in the last closed second, or in as much of it as the phases lasted: their length times the rate in
    /// the middle, for what is done is counted over the same stretch.
    fn asked(&self) -> Vec<(OperationId, f64)> {
        let (start, end) = (self.closed.start, self.closed.end.min(self.until));
        let length = end.since(start);
        let middle = start + length / 2;
        let mut asked: Vec<(OperationId, f64)> = Vec::new();
        for (activity, planned) in (0..).zip(&self.run.activities) {
            let rate = self.run.plan.rate_at(activity, middle) * length.as_secs_f64();
            for &(operation, share) in &planned.wholes {
                match asked.iter_mut().find(|(known, _)| *known == operation) {
                    Some((_, sum)) => *sum += rate * share,
                    None => asked.push((operation, rate * share)),
                }
            }
        }
        asked
    }
}
