//! One worker's share of a run: its users, its part of the plan, its ledger. A machine like any other, so that it can be run
//! against the embedded server in memory, in virtual time.
//!
//! A shard handles one due thing per call of [`Machine::handle_timeout`], so that every operation is offered at the instant
//! its bytes really are handed over: lateness is lag, and not hidden in a batch.
//!
//! What is due goes in this order: the second's tick (so that a shard that can't keep up still reports), planned actions, then
//! logins and retries. Logins wait for others' messages, never the other way round.
//!
//! Life: running → stopping (no new operations; users stay online; the ledger settles) → leaving (streams are closed) →
//! finished. The coordinator moves all shards through it together, because a shard whose own account is settled still reads
//! what others' users wrote.
//!
//! Invariants: every planned action of the range ends in exactly one sample; an entry's `sent` is the instant the kernel took
//! its last byte; notes of one reader reach an owner in the order they were read.

mod logins;
mod report;

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub use report::ShardReport;

use crate::activity::Order;
use crate::engine::reach;
use crate::engine::run::{Online, Presence, Run};
use crate::engine::shard::logins::Logins;
use crate::engine::shard::report::Occasion;
use crate::machine::{Channel, Event, Machine, Outbox};
use crate::net::{DriverStats, Host, InboxSender, Turn};
use crate::plan::curve::Window;
use crate::plan::{Action, Cursor};
use crate::record::turns::TurnTimes;
use crate::record::{Log, Recorder};
use crate::results::Histogram;
use crate::sample::ledger::Expect;
use crate::sample::{ErrorClass, Note, Token, Unsent, UserIndex};
use crate::units::Offset;
use crate::user::{Beginning, Report, Said, Surroundings, User};

/// Bytes a user may have written and the peer not taken; above it operations are unsent. Far below the driver's own limit,
/// which would end the connection.
const QUEUE_BYTES_MAX: u64 = 256 * 1024;
/// How long after a stream's end the ledgers hear of it: copies that were read before it, on whatever worker, have been
/// noted by then, and the streams of one failure are told together.
const VOID_DELAY: Duration = Duration::from_millis(50);
/// The longest that closing all streams may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a shard is sent: by other shards, and by the coordinator.
#[derive(Clone, Debug)]
pub enum Message {
    /// About one of the shard's own entries.
    Note(Note),
    /// These users' streams ended.
    Void(Arc<HashSet<UserIndex>>, Offset),
    /// Start nothing new. What was intended before this instant and is not under way was missed.
    Stop(Offset),
    /// Close the account as it is (`true`: the user cut the run short), then leave.
    Settle(bool),
}

/// Where a shard stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    Stopping,
    Leaving { until: Offset },
    Finished,
}

/// See the module text.
pub struct Shard {
    run: Arc<Run>,
    number: u16,
    range: Range<u32>,
    life: Life,
    users: Vec<User>,
    online: Arc<Online>,
    online_count: u32,
    cursor: Cursor,
    logins: Logins,
    recorder: Recorder,
    written: Written,
    peers: Peers,
    voided: HashSet<UserIndex>,
    reports: Vec<Report>,
    watch: Watch,
    outlet: std::sync::mpsc::Sender<ShardReport>,
}

/// The other shards, and what they are to be told.
pub struct Peers {
    /// Everybody's inbox, by shard number; our own is not used.
    pub inboxes: Vec<InboxSender<Message>>,
    /// Everybody's users, in order.
    pub ranges: Vec<Range<u32>>,
    /// What could not be sent yet, by shard number.
    pub outgoing: Vec<Vec<Message>>,
}

impl Peers {
    /// Nothing to tell anybody.
    pub fn new(inboxes: Vec<InboxSender<Message>>, ranges: Vec<Range<u32>>) -> Self {
        let outgoing = ranges.iter().map(|_| Vec::new()).collect();
        Self { inboxes, ranges, outgoing }
    }

    fn owner_of(&self, user: UserIndex) -> usize {
        self.ranges.partition_point(|range| range.end <= user.0).min(self.ranges.len() - 1)
    }

    fn flush(&mut self) {
        for (inbox, batch) in self.inboxes.iter().zip(&mut self.outgoing) {
            if !batch.is_empty() && inbox.try_send_batch(batch) == Err(crate::net::InboxFull::Gone) {
                batch.clear();
            }
        }
    }

    fn is_flushed(&self) -> bool {
        self.outgoing.iter().all(Vec::is_empty)
    }
}

/// Tracked stanzas whose bytes the kernel has not taken. Nearly always it takes them at once, so the last one is kept apart.
#[derive(Default)]
struct Written {
    last: Option<(Channel, u64, u64)>,
    blocked: HashMap<Channel, VecDeque<(u64, u64)>>,
}

impl Written {
    fn push(&mut self, channel: Channel, end: u64, sequence: u64) {
        if let Some((channel, end, sequence)) = self.last.replace((channel, end, sequence)) {
            self.blocked.entry(channel).or_default().push_back((end, sequence));
        }
    }

    fn taken(&mut self, channel: Channel, offset: u64, mut sent: impl FnMut(u64)) {
        if !self.blocked.is_empty()
            && let Some(queue) = self.blocked.get_mut(&channel)
        {
            while let Some((_, sequence)) = queue.pop_front_if(|(end, _)| *end <= offset) {
                sent(sequence);
            }
            if queue.is_empty() {
                self.blocked.remove(&channel);
            }
        }
        if let Some((_, _, sequence)) = self.last.take_if(|(on, end, _)| *on == channel && *end <= offset) {
            sent(sequence);
        }
    }

    fn forget(&mut self, channel: Channel) {
        self.blocked.remove(&channel);
        self.last.take_if(|(on, _, _)| *on == channel);
    }
}

/// What the shard observes of itself since the last report.
struct Watch {
    next_tick: Offset,
    voids_due: Option<Offset>,
    lags: Vec<Histogram>,
    turns: Vec<TurnTimes>,
    stats: DriverStats,
    /// From the cache, and derived.
    keys: (u64, u64),
    /// Succeeded, and failed.
    logins: (u64, u64),
    /// Of the failed, those no retry can mend.
    hopeless_logins: u64,
    /// Full, and resumed.
    handshakes: (u64, u64),
    drained: bool,
}

impl Watch {
    fn new(phases: usize) -> Self {
        Self {
            next_tick: Offset::from_nanos(1_000_000_000),
            voids_due: None,
            lags: vec![Histogram::new(); phases],
            turns: vec![TurnTimes::default(); phases],
            stats: DriverStats::default(),
            keys: (0, 0),
            logins: (0, 0),
            hopeless_logins: 0,
            handshakes: (0, 0),
            drained: false,
        }
    }
}

impl Shard {
    /// A shard at the beginning of its run. `capacity` bounds its ledger.
    pub fn new(
        run: Arc<Run>,
        number: u16,
        peers: Peers,
        online: Arc<Online>,
        capacity: usize,
        outlet: std::sync::mpsc::Sender<ShardReport>,
    ) -> Self {
        let range = peers.ranges[usize::from(number)].clone();
        Self {
            number,
            life: Life::Running,
            users: (0..range.len()).map(|_| User::default()).collect(),
            online,
            online_count: 0,
            cursor: run.plan.cursor(range.start, range.end),
            logins: Logins::new(&run, &range),
            recorder: Recorder::new(run.ledger_config(&range, capacity)),
            written: Written::default(),
            peers,
            voided: HashSet::new(),
            reports: Vec::new(),
            watch: Watch::new(run.plan.phases().len()),
            outlet,
            range,
            run,
        }
    }

    /// Whether everything it began has ended.
    fn is_settled(&self) -> bool {
        self.recorder.open() == 0
            && self.voided.is_empty()
            && self.peers.is_flushed()
            && !self.logins.any_under_way()
    }

    /// Carries out one planned action, or counts why not.
    fn act(&mut self, now: Offset, action: &Action, out: &mut Outbox) {
        let run = Arc::clone(&self.run);
        let activity = &run.activities[usize::from(action.activity)];
        let group = run.group_of(action.sender).id;
        match self.obstacle(action) {
            Some(reason) => self.recorder.unsent(activity.operation, group, action.at, reason),
            None => {
                let Some(sequence) = self.recorder.next_sequence() else {
                    return self.recorder.unsent(activity.operation, group, action.at, Unsent::OurLimit);
                };
                let sender = UserIndex(action.sender);
                let token =
                    Token { kind: activity.token, run: run.number, sender, sequence, intended: action.at };
                let recipient = UserIndex(action.recipient.unwrap_or(action.sender));
                let to = action.recipient.map_or("", |recipient| run.names.bare(recipient));
                let id = token.to_text();
                let order = Order { id: id.as_str(), to, domain: &run.domain, size: action.size };
                let channel = Channel(action.sender - self.range.start);
                let user = &mut self.users[channel.0 as usize];
                let end = user.write(channel, out, |bytes| activity.behaviour.write(&order, bytes));
                self.written.push(channel, end, sequence);
                let expect = Expect { token, operation: activity.operation, group, recipient, offered: now };
                self.recorder.note(Note::Expect(expect));
                self.watch.lags[run.phase_of(action.at)].record_nanos(now.signed_nanos_since(action.at));
            }
        }
    }

    /// Why an action cannot be started, if it cannot.
    fn obstacle(&self, action: &Action) -> Option<Unsent> {
        let user = &self.users[(action.sender - self.range.start) as usize];
        if !user.is_online() {
            return Some(self.online.whose_fault(UserIndex(action.sender)).unwrap_or(Unsent::SenderOffline));
        }
        if let Some(recipient) = action.recipient.map(UserIndex)
            && !self.online.contains(recipient)
        {
            return Some(self.online.whose_fault(recipient).unwrap_or(Unsent::RecipientOffline));
        }
        (user.queued_bytes() > QUEUE_BYTES_MAX).then_some(Unsent::QueueFull)
    }

    /// Calls a user, then does what it reported.
    fn with_user(
        &mut self,
        now: Offset,
        channel: Channel,
        out: &mut Outbox,
        call: impl FnOnce(&mut User, &Surroundings<'_>, &mut Said<'_>),
    ) {
        let index = UserIndex(self.range.start + channel.0);
        let Some(user) = self.users.get_mut(channel.0 as usize) else { return };
        let group = self.run.group_of(index.0);
        let near = Surroundings { index, channel, group, operations: &self.run.login_operations, now };
        let mut reports = std::mem::take(&mut self.reports);
        call(user, &near, &mut Said { wire: out, reports: &mut reports });
        for report in reports.drain(..) {
            self.heed(now, index, channel, report);
        }
        self.reports = reports;
    }

    fn heed(&mut self, now: Offset, user: UserIndex, channel: Channel, report: Report) {
        match report {
            Report::Note(note) => self.pass_on(note),
            Report::Sample(sample) => self.recorder.sample(sample),
            Report::Fault(fault) => self.recorder.fault(fault),
            Report::Key { cached: true } => self.watch.keys.0 += 1,
            Report::Key { cached: false } => self.watch.keys.1 += 1,
            Report::Secured(secured) => self.note_secured(now, secured),
            Report::Online => {
                self.online.set(user, Presence::Online);
                self.online_count += 1;
                self.watch.logins.0 += 1;
                self.logins.succeeded(channel.0);
            }
            Report::Ended { was_online, may_retry, class } => {
                let ours = matches!(class, Some(ErrorClass::Local | ErrorClass::Misuse));
                self.online.set(user, if ours { Presence::OfflineByUs } else { Presence::Offline });
                if was_online {
                    self.online_count -= 1;
                    self.voided.insert(user);
                    self.watch.voids_due.get_or_insert(now + VOID_DELAY);
                } else {
                    self.watch.logins.1 += u64::from(class.is_some());
                    self.watch.hopeless_logins += u64::from(class.is_some() && !may_retry);
                }
                self.written.forget(channel);
                let again = may_retry && self.life == Life::Running;
                self.logins.ended(now, channel.0, again.then(|| self.run.plan.end()));
            }
        }
    }

    /// Gives a note to the ledger that owns its entry: ours, or another shard's.
    fn pass_on(&mut self, note: Note) {
        let sender = match &note {
            Note::Expect(expect) => expect.token.sender,
            Note::Arrive(arrive) => arrive.token.sender,
            Note::Fail { token, .. } => token.sender,
        };
        let owner = self.peers.owner_of(sender);
        if owner == usize::from(self.number) {
            self.recorder.note(note);
        } else {
            self.peers.outgoing[owner].push(Message::Note(note));
        }
    }

    /// Tells all ledgers, ours included, of the streams that ended lately.
    fn spread_voids(&mut self, now: Offset) {
        if self.voided.is_empty() {
            return;
        }
        let voided = Arc::new(std::mem::take(&mut self.voided));
        self.watch.voids_due = None;
        self.recorder.void(&voided, now);
        for (number, batch) in self.peers.outgoing.iter_mut().enumerate() {
            if number != usize::from(self.number) {
                batch.push(Message::Void(Arc::clone(&voided), now));
            }
        }
    }

    /// Books a turn on the phases it lies in, each with its part; what comes after the plan belongs to none.
    fn note_turn(&mut self, turn: Turn) {
        let part = |start: Offset, window: &Window| {
            let (from, to) = (start.max(window.start), turn.ended.min(window.end));
            to.since(from)
        };
        for (phase, turns) in self.run.plan.phases().iter().zip(&mut self.watch.turns) {
            if turn.due < phase.window.end && phase.window.start < turn.ended {
                turns.record(part(turn.due, &phase.window), part(turn.started, &phase.window));
            }
        }
    }

    /// Begins, or gives up, whatever login business is due.
    fn attend_logins(&mut self, now: Offset, out: &mut Outbox) {
        if let Some((local, intended)) = self.logins.take_due(now) {
            let run = Arc::clone(&self.run);
            let user = self.range.start + local;
            let target = run.target_of(user);
            let timeout = now + run.group_of(user).login_timeout;
            self.logins.began(local, timeout);
            self.with_user(now, Channel(local), out, |user_machine, near, said| {
                let (address, transport) = target;
                let credentials = run.credentials_of(user);
                let nonce = reach::nonce();
                user_machine.begin(
                    Beginning { intended, address, transport, credentials, nonce },
                    near,
                    said,
                );
            });
        } else if let Some(local) = self.logins.take_overdue(now) {
            self.with_user(now, Channel(local), out, User::give_up);
        }
    }

    /// Once a second: old entries are forgotten, and the log is handed over.
    fn tick(&mut self, now: Offset) {
        self.recorder.expire(now);
        self.hand_over(now, Occasion::Tick);
        self.watch.next_tick = Offset::from_nanos((u64::from(now.second()) + 1) * 1_000_000_000);
    }

    /// Starts nothing new. What should have been started by now was held up by us, and is counted so.
    fn stop(&mut self, until: Offset) {
        if self.life != Life::Running {
            return;
        }
        self.life = Life::Stopping;
        let run = Arc::clone(&self.run);
        while self.cursor.peek().is_some_and(|action| action.at < until)
            && let Some(action) = self.cursor.take_due(until)
        {
            let operation = run.activities[usize::from(action.activity)].operation;
            self.recorder.unsent(operation, run.group_of(action.sender).id, action.at, Unsent::Stopped);
        }
        for (local, intended) in self.logins.stop(until) {
            let group = run.group_of(self.range.start + local).id;
            self.recorder.unsent(run.login_operations.login, group, intended, Unsent::Stopped);
        }
    }

    /// Closes the account and every stream.
    fn settle(&mut self, interrupted: bool, now: Offset, out: &mut Outbox) {
        if matches!(self.life, Life::Leaving { .. } | Life::Finished) {
            return;
        }
        self.stop(now);
        self.spread_voids(now);
        self.recorder.settle(interrupted);
        self.life = Life::Leaving { until: now + LEAVE_TIMEOUT };
        for local in 0..self.users.len() {
            let user = UserIndex(self.range.start + local as u32);
            self.online.set(user, Presence::Offline);
            self.with_user(now, Channel(local as u32), out, User::leave);
        }
    }

    fn finish_if_gone(&mut self, now: Offset) {
        if let Life::Leaving { until } = self.life
            && (now >= until || self.users.iter().all(User::is_idle))
        {
            self.life = Life::Finished;
            self.hand_over(now, Occasion::Last);
        }
    }
}

impl Machine for Shard {
    fn handle_event(&mut self, now: Offset, channel: Channel, event: Event<'_>, out: &mut Outbox) {
        if let Event::Sent(offset) = &event {
            let recorder = &mut self.recorder;
            self.written.taken(channel, *offset, |sequence| recorder.sent(sequence, now));
        }
        self.with_user(now, channel, out, |user, near, said| user.handle_event(event, near, said));
        if self.recorder.is_full() {
            self.hand_over(now, Occasion::Between);
        }
    }

    fn handle_timeout(&mut self, now: Offset, out: &mut Outbox) {
        if now >= self.watch.next_tick {
            return self.tick(now);
        }
        if self.watch.voids_due.is_some_and(|due| due <= now) {
            return self.spread_voids(now);
        }
        if self.life == Life::Running
            && let Some(action) = self.cursor.take_due(now)
        {
            return self.act(now, &action, out);
        }
        self.attend_logins(now, out);
        self.finish_if_gone(now);
    }

    fn poll_timeout(&self) -> Option<Offset> {
        let action = self.cursor.peek().map(|action| action.at).filter(|_| self.life == Life::Running);
        let until = if let Life::Leaving { until } = self.life { Some(until) } else { None };
        [action, self.logins.next(), until, self.watch.voids_due, Some(self.watch.next_tick)]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Host for Shard {
    type Message = Message;

    fn handle_message(&mut self, now: Offset, message: Message, out: &mut Outbox) {
        match message {
            Message::Note(note) => self.recorder.note(note),
            Message::Void(users, at) => self.recorder.void(&users, at),
            Message::Stop(until) => self.stop(until),
            Message::Settle(interrupted) => self.settle(interrupted, now, out),
        }
    }

    fn turn_ended(&mut self, turn: Turn, stats: &DriverStats) {
        self.note_turn(turn);
        self.watch.stats = stats.clone();
        self.peers.flush();
        if self.life == Life::Stopping && !self.watch.drained && self.is_settled() {
            self.watch.drained = true;
            self.hand_over(turn.ended, Occasion::Between);
        }
        self.finish_if_gone(turn.ended);
    }

    fn is_finished(&self) -> bool {
        self.life == Life::Finished
    }
}
