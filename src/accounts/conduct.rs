//! Conducts a stage: starts its worker, hears what it reports, heeds Ctrl-C, says where it stands.
//!
//! It runs on the caller's thread and wakes up a few times a second; nothing waits for it on the worker.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::accounts::People;
use crate::accounts::errand::{Outcome, Task};
use crate::accounts::known::Known;
use crate::accounts::worker::{Message, Report, Stage, Worker};
use crate::clock::Epoch;
use crate::engine::coordinator::Command;
use crate::net::{Driver, DriverConfig, DriverError, InboxSender, inbox, spawn_worker};
use crate::sample::Fault;
use crate::units::{Offset, Rate};

/// How often the conductor looks up.
const LOOK_UP: Duration = Duration::from_millis(100);
/// Over how long the rate shown is taken.
const RATE_OVER: Duration = Duration::from_secs(5);
/// How long the worker may take to end once it was told to at once.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// With what a stage is done.
pub struct Means<'a> {
    /// Who everybody is.
    pub people: &'a Arc<People>,
    /// How connections are made.
    pub driver: &'a DriverConfig,
    /// No more visits begin than this.
    pub rate: Rate,
    /// No more connections than this at one time.
    pub connections: u16,
    /// Everybody is tried, even when one after the other fails alike.
    pub keep_going: bool,
    /// What is said from outside.
    pub commands: &'a Receiver<Command>,
}

/// Where a stage stands, for whoever shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// What is going on: `accounts`, `contacts, pass 2`.
    pub name: String,
    /// Since the stage began.
    pub elapsed: Duration,
    /// Users done, and in all.
    pub done: u64,
    /// In all.
    pub total: u64,
    /// Visits ended lately, per second.
    pub rate: Rate,
    /// Users given up.
    pub failed: u64,
    /// Visits that failed and are tried again.
    pub retried: u64,
    /// No more visits begin; those under way are waited for.
    pub is_stopping: bool,
}

/// Why a stage ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everybody's turn came.
    Complete,
    /// Ctrl-C.
    Interrupted,
    /// Nothing but failures: the rest was not tried.
    Hopeless(Fault),
    /// [`crate::accounts::worker::ALIKE_MAX`] on end failed like this, for good: the rest was not tried.
    Alike(Fault),
    /// The worker could not run, or what was done could not be written down.
    Broken(String),
}

/// Runs a stage to its end. `heed` is given every user's outcome; an error it returns stops the stage. `show` is called a few
/// times a second.
pub fn conduct(
    means: &Means<'_>,
    name: &str,
    (task, users, known): (Task, Vec<u32>, Known),
    heed: &mut dyn FnMut(Heard) -> Result<(), String>,
    show: &mut dyn FnMut(&Standing),
) -> Ending {
    if users.is_empty() {
        return Ending::Complete;
    }
    let total = users.len() as u64;
    let people = Arc::clone(means.people);
    let Means { rate, connections, keep_going, .. } = *means;
    let stage = Stage { people, task, users, known, rate, connections, keep_going };
    let epoch = Epoch::start();
    let mut running = match Running::start(stage, DriverConfig { epoch, ..means.driver.clone() }) {
        Ok(running) => running,
        Err(error) => return Ending::Broken(format!("cannot start the worker: {error}")),
    };
    let mut conductor = Conductor {
        epoch,
        standing: Standing {
            name: name.to_owned(),
            elapsed: Duration::ZERO,
            done: 0,
            total,
            rate: Rate::ZERO,
            failed: 0,
            retried: 0,
            is_stopping: false,
        },
        lately: VecDeque::new(),
        ending: Ending::Complete,
        leave_by: None,
    };
    while conductor.turn(&mut running, means.commands, heed) {
        show(&conductor.standing);
    }
    show(&conductor.standing);
    match running.end() {
        Some(error) if conductor.leave_by.is_none() => Ending::Broken(error),
        _ => conductor.ending,
    }
}

/// What is heard of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A user's outcome.
    Ended(u32, Outcome),
    /// No more for now: time to write down what was heard.
    Pause,
}

/// The worker on its thread.
struct Running {
    inbox: InboxSender<Message>,
    reports: Receiver<Report>,
    thread: JoinHandle<Result<(), DriverError>>,
}

impl Running {
    fn start(stage: Stage, driver: DriverConfig) -> std::io::Result<Self> {
        let (inbox, receiver) = inbox(16);
        let (outlet, reports) = channel();
        let thread = spawn_worker("xb-worker-0", None, move || {
            Driver::new(driver, Vec::new()).run(&mut Worker::new(stage, outlet), receiver)
        })?;
        Ok(Self { inbox, reports, thread })
    }

    fn tell(&self, message: Message) {
        // It takes no more than a few in its life; one that has ended needs none.
        let _ = self.inbox.try_send(message);
    }

    /// What went wrong with the worker itself, if anything did. One that does not end is left to itself.
    fn end(self) -> Option<String> {
        let clock = Epoch::start();
        while !self.thread.is_finished() && clock.now().since(Offset::ZERO) < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(1));
        }
        if !self.thread.is_finished() {
            return Some("the worker did not end: this is a bug in xmpp-bench".to_owned());
        }
        match self.thread.join() {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the worker panicked: this is a bug in xmpp-bench".to_owned()),
        }
    }
}

struct Conductor {
    epoch: Epoch,
    standing: Standing,
    /// Instants, and how many visits had ended by then.
    lately: VecDeque<(Offset, u64)>,
    ending: Ending,
    /// When the worker, told to end at once, is no longer waited for.
    leave_by: Option<Offset>,
}

impl Conductor {
    /// One look; false when the stage is over.
    fn turn(
        &mut self,
        running: &mut Running,
        commands: &Receiver<Command>,
        heed: &mut dyn FnMut(Heard) -> Result<(), String>,
    ) -> bool {
        let alive = self.take_reports(running, heed);
        if let Err(why) = heed(Heard::Pause) {
            self.break_off(running, why);
        }
        while let Ok(Command::Interrupt) = commands.try_recv() {
            self.interrupt(running);
        }
        self.note_time();
        alive && self.leave_by.is_none_or(|by| self.epoch.now() < by)
    }

    fn take_reports(
        &mut self,
        running: &mut Running,
        heed: &mut dyn FnMut(Heard) -> Result<(), String>,
    ) -> bool {
        let mut report = match running.reports.recv_timeout(LOOK_UP) {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        let until = self.epoch.now() + LOOK_UP;
        while let Some(one) = report {
            self.take(one, running, heed);
            report = if self.epoch.now() < until { running.reports.try_recv().ok() } else { None };
        }
        true
    }

    fn take(&mut self, report: Report, running: &Running, heed: &mut dyn FnMut(Heard) -> Result<(), String>) {
        match report {
            Report::Ended(user, outcome) => {
                self.standing.done += 1;
                self.standing.failed += u64::from(outcome.is_err());
                if let Err(why) = heed(Heard::Ended(user, outcome)) {
                    self.break_off(running, why);
                }
            }
            Report::Again(..) => self.standing.retried += 1,
            Report::Hopeless(fault) => {
                self.standing.is_stopping = true;
                self.ending = Ending::Hopeless(fault);
            }
            Report::Alike(fault) => {
                self.standing.is_stopping = true;
                self.ending = Ending::Alike(fault);
            }
        }
    }

    /// The first time those under way are waited for, the second time nobody is.
    fn interrupt(&mut self, running: &Running) {
        if self.ending == Ending::Interrupted {
            running.tell(Message::Abort);
            self.leave_by = Some(self.epoch.now() + LAST_WORDS);
            return;
        }
        self.ending = Ending::Interrupted;
        self.standing.is_stopping = true;
        running.tell(Message::Stop);
    }

    fn break_off(&mut self, running: &Running, why: String) {
        if !matches!(self.ending, Ending::Broken(_)) {
            self.ending = Ending::Broken(why);
            running.tell(Message::Stop);
        }
    }

    fn note_time(&mut self) {
        let now = self.epoch.now();
        self.standing.elapsed = now.since(Offset::ZERO);
        self.lately.push_back((now, self.standing.done));
        while self.lately.len() > 2 && self.lately.front().is_some_and(|(at, _)| now.since(*at) > RATE_OVER) {
            self.lately.pop_front();
        }
        if let (Some((first, before)), Some((last, after))) = (self.lately.front(), self.lately.back()) {
            let seconds = last.since(*first).as_secs_f64();
            self.standing.rate = Rate::per_second((after - before) as f64 / seconds).unwrap_or(Rate::ZERO);
        }
    }
}
