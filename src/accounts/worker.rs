//! A stage's worker: one visit for each of a list of users, at a capped rate, with a bounded number of connections. A
//! machine like any other, so that it can be run against a peer in memory, in virtual time.
//!
//! A visit that failed in passing is tried again after a wait that doubles (1 s to 8 s), four times at most. When nothing
//! but failures has come for a while, the rest is not tried: the server is gone, or says no to everybody. Nor is it when so
//! many on end failed alike and for good ([`ALIKE_MAX`]).
//!
//! Life: running → stopping (no new visits; those under way end) → finished.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::accounts::People;
use crate::accounts::errand::{Finding, Outcome, Task, may_retry};
use crate::accounts::known::Known;
use crate::accounts::visit::Visit;
use crate::clock::RateCap;
use crate::machine::{Channel, Event, Machine, Outbox};
use crate::net::Host;
use crate::sample::{ErrorClass, Fault};
use crate::units::{Offset, Rate};

/// The longest a visit may take.
const VISIT_TIMEOUT: Duration = Duration::from_mins(2);
/// The longest that visits under way may take once it was said to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const RETRY_FIRST: Duration = Duration::from_secs(1);
const ATTEMPTS_MAX: u8 = 5;
/// So many failures in a row, over at least so long, and the rest is not tried.
const HOPELESS_FAILURES: u32 = 20;
const HOPELESS_AFTER: Duration = Duration::from_secs(8);

/// So many on end that fail alike, for good, and the rest is not tried: one second's at the usual rate, more than anybody
/// leaves out by mistake, and few beside a population.
pub const ALIKE_MAX: u32 = 100;

/// What a worker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Begin no more visits.
    Stop,
    /// End now; connections are dropped.
    Abort,
}

/// What a worker tells, as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A user's last visit ended.
    Ended(u32, Outcome),
    /// A visit failed and will be tried again.
    Again(u32, Fault),
    /// Nothing but failures: no more visits begin.
    Hopeless(Fault),
    /// So many on end failed like this, for good: no more visits begin.
    Alike(Fault),
}

/// What a stage is.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Who everybody is.
    pub people: Arc<People>,
    /// What the visits are for.
    pub task: Task,
    /// Whose visits, in this order.
    pub users: Vec<u32>,
    /// What is known of contacts before; that a user has asked is added after its visit.
    pub known: Known,
    /// No more visits begin than this.
    pub rate: Rate,
    /// No more connections than this at one time; at least one.
    pub connections: u16,
    /// Everybody is tried, even when one after the other fails alike.
    pub keep_going: bool,
}

/// See the module text.
pub struct Worker {
    people: Arc<People>,
    task: Task,
    known: Known,
    waiting: VecDeque<u32>,
    /// When, who, and how often it was tried.
    retries: BinaryHeap<Reverse<(Offset, u32, u8)>>,
    places: Vec<Place>,
    /// Places without a visit.
    free: Vec<u32>,
    /// When visits have taken too long; all may take equally long, so the first to begin is the first here.
    limits: VecDeque<(Offset, u32, u32)>,
    cap: Option<RateCap>,
    /// When the cap grants the next visit.
    open_at: Offset,
    life: Life,
    row: FailuresInARow,
    alike: Alike,
    keep_going: bool,
    outlet: Sender<Report>,
}

/// A channel's place: its visit, and how many it has had (which tells an old visit's limit apart).
#[derive(Default)]
struct Place {
    visit: Option<(Visit, u8)>,
    number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    Stopping { until: Option<Offset> },
    Finished,
}

#[derive(Default)]
struct FailuresInARow {
    count: u32,
    since: Offset,
}

impl FailuresInARow {
    /// Whether this failure says that the rest is in vain.
    fn one_more(&mut self, now: Offset) -> bool {
        if self.count == 0 {
            self.since = now;
        }
        self.count += 1;
        self.count >= HOPELESS_FAILURES && now.since(self.since) >= HOPELESS_AFTER
    }
}

/// Those that failed last, on end, alike and for good.
#[derive(Default)]
struct Alike {
    kind: Option<(ErrorClass, &'static str, String)>,
    count: u32,
}

impl Alike {
    /// One more has ended; true when it is time to ask whether the others are worth a try.
    fn one_more(&mut self, fault: Option<&Fault>) -> bool {
        let kind = fault.map(|fault| (fault.class, fault.step, fault.condition.clone()));
        self.count = if kind.is_none() || kind != self.kind { 0 } else { self.count };
        self.count += u32::from(kind.is_some());
        self.kind = kind;
        self.count >= ALIKE_MAX
    }
}

impl Worker {
    /// A worker before its first visit.
    pub fn new(stage: Stage, outlet: Sender<Report>) -> Self {
        let Stage { people, task, users, known, rate, connections, keep_going } = stage;
        let connections = u32::from(connections.max(1));
        let life = if users.is_empty() { Life::Finished } else { Life::Running };
        Self {
            people,
            task,
            known,
            waiting: users.into(),
            retries: BinaryHeap::new(),
            places: (0..connections).map(|_| Place::default()).collect(),
            free: (0..connections).rev().collect(),
            limits: VecDeque::new(),
            cap: cap_of(rate),
            open_at: Offset::ZERO,
            life,
            row: FailuresInARow::default(),
            alike: Alike::default(),
            keep_going,
            outlet,
        }
    }

    /// The user whose visit may begin now, and how often it was tried before.
    fn take_due(&mut self, now: Offset) -> Option<(u32, u8)> {
        let retry_due = self.retries.peek().is_some_and(|Reverse((at, ..))| *at <= now);
        if self.life != Life::Running || self.free.is_empty() || (self.waiting.is_empty() && !retry_due) {
            return None;
        }
        if let Some(Err(later)) = self.cap.as_mut().map(|cap| cap.check(now)) {
            self.open_at = later;
            return None;
        }
        if retry_due {
            return self.retries.pop().map(|Reverse((_, user, tries))| (user, tries));
        }
        self.waiting.pop_front().map(|user| (user, 0))
    }

    fn begin(&mut self, now: Offset, user: u32, tries: u8, out: &mut Outbox) {
        let Some(number) = self.free.pop() else { return };
        let Some(visit) = Visit::begin(user, Channel(number), self.task, &self.people, out) else {
            self.free.push(number);
            let fault =
                Fault::new(ErrorClass::Misuse, "tcp", "no-account", "the profile gives it no account");
            return self.tell(Report::Ended(user, Err(fault)));
        };
        let place = &mut self.places[number as usize];
        place.number += 1;
        place.visit = Some((visit, tries));
        self.limits.push_back((now + VISIT_TIMEOUT, number, place.number));
    }

    fn ended(&mut self, now: Offset, user: u32, tries: u8, outcome: Outcome) {
        match &outcome {
            Ok(Finding::Contacts(seen)) => {
                self.known.note_asked(user);
                self.known.withdraw(user, self.people.contacts(user), &seen.left);
            }
            Ok(_) => {}
            Err(fault) => return self.failed(now, user, tries, fault.clone()),
        }
        self.row.count = 0;
        let fault = outcome.as_ref().ok().and_then(Finding::fault);
        self.tell(Report::Ended(user, outcome));
        self.note_alike(now, fault);
    }

    fn failed(&mut self, now: Offset, user: u32, tries: u8, fault: Fault) {
        let hopeless = self.row.one_more(now) && self.life == Life::Running;
        if may_retry(&fault) && tries + 1 < ATTEMPTS_MAX && !hopeless && self.life == Life::Running {
            self.retries.push(Reverse((now + RETRY_FIRST * 2u32.pow(u32::from(tries)), user, tries + 1)));
            return self.tell(Report::Again(user, fault));
        }
        self.tell(Report::Ended(user, Err(fault.clone())));
        if hopeless {
            self.tell(Report::Hopeless(fault));
            self.stop(Some(now + STOP_TIMEOUT));
        } else {
            self.note_alike(now, Some(fault));
        }
    }

    /// A user's last visit ended, with this fault if any.
    fn note_alike(&mut self, now: Offset, fault: Option<Fault>) {
        let is_enough = self.alike.one_more(fault.as_ref());
        let are_others = !(self.waiting.is_empty() && self.retries.is_empty());
        if let Some(fault) = fault.filter(|_| is_enough && are_others && !self.keep_going)
            && self.life == Life::Running
        {
            self.tell(Report::Alike(fault));
            self.stop(Some(now + STOP_TIMEOUT));
        }
    }

    fn stop(&mut self, until: Option<Offset>) {
        self.waiting.clear();
        self.retries.clear();
        self.life = Life::Stopping { until };
    }

    /// Gives up whoever has taken too long, or, once stopping has, everybody.
    fn give_up_overdue(&mut self, now: Offset, out: &mut Outbox) {
        if matches!(self.life, Life::Stopping { until: Some(until) } if until <= now) {
            self.life = Life::Stopping { until: None };
            for (visit, _) in self.places.iter_mut().filter_map(|place| place.visit.as_mut()) {
                visit.give_up(out);
            }
        }
        while let Some((_, number, of)) = self.limits.pop_front_if(|(at, ..)| *at <= now) {
            let place = &mut self.places[number as usize];
            if let Some((visit, _)) = place.visit.as_mut().filter(|_| place.number == of) {
                visit.give_up(out);
            }
        }
    }

    /// Nobody under way, nobody to come.
    fn look_at_end(&mut self) {
        let idle = self.free.len() == self.places.len();
        if idle && self.waiting.is_empty() && self.retries.is_empty() {
            self.life = Life::Finished;
        }
    }

    fn tell(&self, report: Report) {
        // Whoever listened has gone: then nobody wants to know.
        let _ = self.outlet.send(report);
    }
}

impl Machine for Worker {
    fn handle_event(&mut self, now: Offset, channel: Channel, event: Event<'_>, out: &mut Outbox) {
        let Some(place) = self.places.get_mut(channel.0 as usize) else { return };
        let Some((visit, tries)) = &mut place.visit else { return };
        let (user, tries) = (visit.user(), *tries);
        if let Some(outcome) = visit.handle_event(event, &self.people, &self.known, out) {
            place.visit = None;
            self.free.push(channel.0);
            self.ended(now, user, tries, outcome);
            self.look_at_end();
        }
    }

    fn handle_timeout(&mut self, now: Offset, out: &mut Outbox) {
        self.give_up_overdue(now, out);
        if let Some((user, tries)) = self.take_due(now) {
            self.begin(now, user, tries, out);
        }
        self.look_at_end();
    }

    fn poll_timeout(&self) -> Option<Offset> {
        let may_begin = self.life == Life::Running && !self.free.is_empty();
        let retry = self.retries.peek().map(|Reverse((at, ..))| *at);
        let due = if self.waiting.is_empty() { retry } else { Some(Offset::ZERO) };
        let begin = due.filter(|_| may_begin).map(|due| due.max(self.open_at));
        let limit = self.limits.front().map(|(at, ..)| *at);
        let stop = match self.life {
            Life::Stopping { until } => until,
            Life::Running | Life::Finished => None,
        };
        [begin, limit, stop].into_iter().flatten().min()
    }
}

impl Host for Worker {
    type Message = Message;

    fn handle_message(&mut self, now: Offset, message: Message, _: &mut Outbox) {
        match message {
            Message::Stop => self.stop(Some(now + STOP_TIMEOUT)),
            Message::Abort => self.life = Life::Finished,
        }
        if self.life != Life::Finished {
            self.look_at_end();
        }
    }

    fn is_finished(&self) -> bool {
        self.life == Life::Finished
    }
}

/// A ceiling with a burst of a tenth of a second; none for a rate of zero, which is no ceiling.
fn cap_of(rate: Rate) -> Option<RateCap> {
    let rate = rate.as_per_second();
    let period = Duration::try_from_secs_f64(1.0 / rate).ok()?;
    RateCap::new(period, NonZeroU32::new((rate / 10.0) as u32).unwrap_or(NonZeroU32::MIN))
}
