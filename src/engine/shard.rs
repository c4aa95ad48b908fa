//! One worker's share of a run: its users, its part of the plan, its ledger. A machine like any other, so that it can be run
//! against the embedded server in memory, in virtual time.
//!
//! A shard handles one due thing per call of [`Machine::handle_timeout`], so that every operation is offered at the instant
//! its bytes really are handed over: lateness is lag, and not hidden in a batch.
//!
//! What is due goes in this order: the second's tick (so that a shard that can't keep up still reports), planned actions and logouts, then
//! joins of rooms, logins and retries. Logins wait for others' messages, never the other way round.
//!
//! Carrying out what is planned lives in `act`, rooms in `rooms`, logins in `logins`, ends of sessions in `leaving`; this file is the
//! life around them.
//!
//! Life: running → stopping (no new operations; users stay online; the ledger settles) → leaving (streams are closed) →
//! finished. The coordinator moves all shards through it together, because a shard whose own account is settled still reads
//! what others' users wrote.
//!
//! Invariants: every planned action of the range ends in exactly one sample, a broadcast in one per copy owed; an entry's `sent` is the instant the kernel took
//! its last byte; notes of one reader reach an owner in the order they were read.

mod act;
mod joins;
mod leaving;
mod logins;
mod report;
mod rooms;
mod scout;
mod settling;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub use report::{RoomOrder, ShardReport};

use crate::engine::reach;
use crate::engine::run::Run;
use crate::engine::shard::leaving::Leavings;
use crate::engine::shard::logins::{Due, Logins, Readiness};
use crate::engine::shard::report::Occasion;
use crate::engine::shard::rooms::Stays;
use crate::engine::shard::scout::Scouts;
use crate::engine::shard::settling::Settling;
use crate::engine::whereabouts::{Presence, Whereabouts};
use crate::machine::{Channel, Event, Machine, Outbox};
use crate::net::{DriverStats, Host, InboxSender, Turn};
use crate::plan::Cursor;
use crate::plan::curve::Window;
use crate::record::turns::TurnTimes;
use crate::record::{Log, Recorder};
use crate::results::Histogram;
use crate::sample::{ErrorClass, Indeterminate, Note, Place, TokenKind, Unsent, UserIndex};
use crate::units::Offset;
use crate::user::{Beginning, Report, Said, Stanzas, Surroundings, User};
use crate::xmpp::Mechanism;

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
    /// These users' streams ended, each when it says.
    Void(Arc<HashMap<UserIndex, Offset>>),
    /// A user's stay in a room ended, though its stream goes on.
    VoidStay(UserIndex, Place, Offset),
    /// A room is open to all its users.
    RoomOpened(Place),
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
    /// When the plan's part ended; not before that is known.
    until: Offset,
    users: Vec<User>,
    /// Since when each is there to be sent things.
    since: Vec<Offset>,
    whereabouts: Arc<Whereabouts>,
    online_count: u32,
    cursor: Cursor,
    logins: Logins,
    settling: Settling,
    stays: Stays,
    leavings: Leavings,
    scouts: Scouts,
    /// Who should see whose presence and, by the server's roster, does not: the changing one and its contact.
    unsubscribed: HashSet<(u32, u32)>,
    recorder: Recorder,
    written: Written,
    peers: Peers,
    /// Whose streams ended, and when; told to all ledgers [`VOID_DELAY`] later.
    voided: VecDeque<(Offset, UserIndex)>,
    /// Up to when such ends have been told.
    last_spread: Offset,
    reports: Vec<Report>,
    /// Joins and logins take turns.
    rooms_next: bool,
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
    last: Option<(Channel, Tracked)>,
    blocked: HashMap<Channel, VecDeque<Tracked>>,
}

/// A tracked stanza on its way: where its bytes end in its channel, and where its entry stands.
#[derive(Clone, Copy)]
struct Tracked {
    end: u64,
    kind: TokenKind,
    sequence: u64,
}

impl Written {
    fn push(&mut self, channel: Channel, tracked: Tracked) {
        if let Some((channel, tracked)) = self.last.replace((channel, tracked)) {
            self.blocked.entry(channel).or_default().push_back(tracked);
        }
    }

    fn taken(&mut self, channel: Channel, offset: u64, mut sent: impl FnMut(&Tracked)) {
        if !self.blocked.is_empty()
            && let Some(queue) = self.blocked.get_mut(&channel)
        {
            while let Some(tracked) = queue.pop_front_if(|tracked| tracked.end <= offset) {
                sent(&tracked);
            }
            if queue.is_empty() {
                self.blocked.remove(&channel);
            }
        }
        if let Some((_, tracked)) = self.last.take_if(|(on, tracked)| *on == channel && tracked.end <= offset)
        {
            sent(&tracked);
        }
    }

    fn forget(&mut self, channel: Channel) {
        self.blocked.remove(&channel);
        self.last.take_if(|(on, _)| *on == channel);
    }
}

/// What the shard observes of itself since the last report.
struct Watch {
    next_tick: Offset,
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
    /// How often each was used.
    mechanisms: BTreeMap<Mechanism, u64>,
    /// By the phase in which they were read or written.
    stanzas: Vec<Stanzas>,
    drained: bool,
}

impl Watch {
    fn new(phases: usize) -> Self {
        Self {
            next_tick: Offset::from_nanos(1_000_000_000),
            lags: vec![Histogram::new(); phases],
            turns: vec![TurnTimes::default(); phases],
            stats: DriverStats::default(),
            keys: (0, 0),
            logins: (0, 0),
            hopeless_logins: 0,
            handshakes: (0, 0),
            mechanisms: BTreeMap::new(),
            stanzas: vec![Stanzas::default(); phases],
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
        whereabouts: Arc<Whereabouts>,
        capacity: usize,
        outlet: std::sync::mpsc::Sender<ShardReport>,
    ) -> Self {
        let range = peers.ranges[usize::from(number)].clone();
        Self {
            number,
            life: Life::Running,
            until: Offset::MAX,
            users: (0..range.len()).map(|_| User::default()).collect(),
            since: vec![Offset::ZERO; range.len()],
            whereabouts,
            online_count: 0,
            cursor: run.plan.cursor(range.start, range.end),
            logins: Logins::new(&run, &range),
            settling: Settling::default(),
            stays: Stays::new(&run, &range),
            leavings: Leavings::new(&run, &range),
            scouts: Scouts::default(),
            unsubscribed: HashSet::new(),
            recorder: Recorder::new(run.ledger_config(&range, capacity)),
            written: Written::default(),
            peers,
            voided: VecDeque::new(),
            last_spread: Offset::ZERO,
            rooms_next: false,
            reports: Vec::new(),
            watch: Watch::new(run.plan.phases().len()),
            outlet,
            range,
            run,
        }
    }

    /// Whether its users are being logged out for good, or are: none counts as online any more.
    const fn is_leaving(&self) -> bool {
        matches!(self.life, Life::Leaving { .. } | Life::Finished)
    }

    /// Whether everything it began has ended.
    fn is_settled(&self) -> bool {
        self.recorder.open() == 0
            && self.voided.is_empty()
            && self.peers.is_flushed()
            && self.leavings.is_empty()
            && !self.logins.any_under_way()
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
        let run = &self.run;
        let near = Surroundings {
            index,
            channel,
            group: run.group_of(index.0),
            operations: &run.login_operations,
            names: &run.names,
            rooms: &run.room_names,
            wants_roster: run.needs_subscriptions,
            is_looking: self.scouts.look(channel),
            now,
        };
        let mut reports = std::mem::take(&mut self.reports);
        let stanzas = &mut self.watch.stanzas[run.phase_of(now)];
        call(user, &near, &mut Said { wire: out, reports: &mut reports, stanzas });
        for report in reports.drain(..) {
            self.heed(now, index, channel, report, out);
        }
        self.reports = reports;
    }

    fn heed(&mut self, now: Offset, user: UserIndex, channel: Channel, report: Report, out: &mut Outbox) {
        match report {
            Report::Note(mut note) => {
                // Only now: what came before it in the same read may have begun a stay.
                if let Note::Arrive(arrive) = &mut note {
                    arrive.since = self.there_since(now, user, arrive.place);
                }
                self.stays.heed_note(&note, &self.run);
                self.heed_answer(now, &note);
                self.pass_on(note);
            }
            Report::Sample(sample) => self.recorder.sample(sample),
            Report::Fault(fault) => self.recorder.fault(fault),
            Report::Key { cached: true } => self.watch.keys.0 += 1,
            Report::Key { cached: false } => self.watch.keys.1 += 1,
            Report::Secured(secured) => self.note_secured(now, secured),
            Report::Authenticated(mechanism) => *self.watch.mechanisms.entry(mechanism).or_default() += 1,
            Report::Offered(offered) => self.scouts.note_offered(*offered),
            Report::Software(software) => self.note_software(now, software),
            Report::Subscribers(jids) => self.compare_roster(user, &jids),
            Report::Room(place, event) => self.heed_room(now, user, place, event, out),
            Report::Online => {
                // What comes from now on may be meant for this session, or shown at its beginning.
                self.since[channel.0 as usize] = now;
                self.online_count += 1;
                self.watch.logins.0 += 1;
                self.logins.succeeded(channel.0);
                self.settling.begin(now, channel.0, self.logins.attempt(channel.0));
                self.plan_joins(now, user);
                self.scout_arrived(now, channel, out);
            }
            Report::Settled => {
                self.settling.heard_echo();
                self.settle_user(now, channel.0);
            }
            Report::Farewell(farewell) => self.heed_farewell(now, user, farewell),
            Report::Ended { class: None, .. } => {
                self.whereabouts.set(user, Presence::Offline);
                self.written.forget(channel);
                self.scout_ended(channel);
                self.logins.left(now, channel.0);
            }
            Report::Ended { was_online, may_retry, class: Some(class) } => {
                let ours = matches!(class, ErrorClass::Local | ErrorClass::Misuse);
                if was_online {
                    self.go_offline(now, user);
                } else {
                    self.watch.logins.1 += 1;
                    self.watch.hopeless_logins += u64::from(!may_retry);
                }
                self.whereabouts.set(user, if ours { Presence::OfflineByUs } else { Presence::Offline });
                self.written.forget(channel);
                self.scout_ended(channel);
                let again = may_retry && self.life == Life::Running;
                self.logins.ended(now, channel.0, self.stay_end(now, user.0).filter(|_| again));
            }
        }
    }

    /// Until when a user is planned logged in; none if it is not now.
    fn stay_end(&self, now: Offset, user: u32) -> Option<Offset> {
        let stay = self.run.plan.population().stay_of(user, now)?;
        Some(stay.logout.unwrap_or(Offset::MAX).min(self.run.plan.end()))
    }

    /// Since when a user is there to be sent what comes from a place: its session, and its stay if it is a room.
    fn there_since(&self, now: Offset, user: UserIndex, place: Place) -> Offset {
        if !self.whereabouts.is_online(user) {
            return now;
        }
        let session = self.since[(user.0 - self.range.start) as usize];
        session.max(self.stays.changed(&self.run, user, place).unwrap_or(Offset::ZERO))
    }

    /// A user's session is over, or about to be: nothing is owed to it any more, and what was is in doubt.
    fn go_offline(&mut self, now: Offset, user: UserIndex) {
        self.whereabouts.set(user, Presence::Offline);
        self.online_count -= 1;
        self.voided.push_back((now, user));
        self.leave_rooms(now, user);
    }

    /// Gives a note to the ledger that owns its entry: ours, or another shard's.
    fn pass_on(&mut self, note: Note) {
        let owner = self.peers.owner_of(note.sender());
        if owner == usize::from(self.number) {
            self.recorder.note(note);
        } else {
            self.peers.outgoing[owner].push(Message::Note(note));
        }
    }

    /// Tells all ledgers, ours included, of the streams that ended by `at`.
    fn spread_voids(&mut self, at: Offset) {
        let mut ended = HashMap::new();
        while let Some((at, user)) = self.voided.pop_front_if(|(ended, _)| *ended <= at) {
            ended.insert(user, at);
        }
        if ended.is_empty() {
            return;
        }
        self.last_spread = at;
        let ended = Arc::new(ended);
        self.recorder.void(&ended);
        for (number, batch) in self.peers.outgoing.iter_mut().enumerate() {
            if number != usize::from(self.number) {
                batch.push(Message::Void(Arc::clone(&ended)));
            }
        }
    }

    /// When the next streams' ends are told: no more often than once in [`VOID_DELAY`], for every telling is a walk through all
    /// that is open.
    fn voids_due(&self) -> Option<Offset> {
        self.voided.front().map(|(ended, _)| (*ended).max(self.last_spread + VOID_DELAY) + VOID_DELAY)
    }

    /// Books a turn on the phases it lies in, each with its part; what comes after the plan, or after a run was ended early,
    /// belongs to none.
    fn note_turn(&mut self, turn: Turn) {
        for (phase, turns) in self.run.plan.phases().iter().zip(&mut self.watch.turns) {
            let window = Window { start: phase.window.start, end: phase.window.end.min(self.until) };
            let part = |start: Offset| turn.ended.min(window.end).since(start.max(window.start));
            if turn.due < window.end && window.start < turn.ended {
                turns.record(part(turn.due), part(turn.started));
            }
        }
    }

    /// Does the next thing planned if it is due: an action, or a logout. Returns whether it was.
    fn take_planned(&mut self, now: Offset, out: &mut Outbox) -> bool {
        let first = self.cursor.next_at().map_or(now, |at| at.min(now));
        if let Some((intended, local)) = self.leavings.take_logout(first) {
            self.log_out(now, intended, local, out);
        } else if let Some(action) = self.cursor.take_due(now) {
            self.act(now, &action, out);
        } else {
            return false;
        }
        true
    }

    /// Begins, or gives up, whatever login business is due.
    fn attend_logins(&mut self, now: Offset, out: &mut Outbox) {
        let run = Arc::clone(&self.run);
        let (users, first) = (&self.users, self.range.start);
        let readiness = |local: u32, intended: Offset| {
            let stay = run.plan.population().stay_of(first + local, now);
            if stay.is_none_or(|stay| intended < stay.login) {
                return Readiness::TooLate;
            }
            let user = &users[local as usize];
            match (user.is_idle(), user.is_ending()) {
                (true, _) => Readiness::Ready,
                (false, true) => Readiness::Ending,
                (false, false) => Readiness::Busy,
            }
        };
        match self.logins.take_due(now, readiness) {
            Some(Due::Begin(local, intended)) => self.log_in(now, intended, local, out),
            Some(Due::Missed(local, intended, reason)) => self.miss_login(local, intended, reason),
            None => {
                if let Some(local) = self.logins.take_overdue(now) {
                    self.with_user(now, Channel(local), out, User::give_up);
                }
            }
        }
    }

    fn log_in(&mut self, now: Offset, intended: Offset, local: u32, out: &mut Outbox) {
        let run = Arc::clone(&self.run);
        let user = self.range.start + local;
        self.logins.began(local, now + run.group_of(user).login_timeout);
        self.may_look(Channel(local));
        self.with_user(now, Channel(local), out, |user_machine, near, said| {
            let (address, transport) = run.target_of(user);
            let credentials = run.credentials_of(user);
            let nonce = reach::nonce();
            user_machine.begin(Beginning { intended, address, transport, credentials, nonce }, near, said);
        });
    }

    /// A login that was due never began.
    fn miss_login(&mut self, local: u32, intended: Offset, reason: Unsent) {
        let group = self.run.group_of(self.range.start + local).id;
        self.recorder.unsent(self.run.login_operations.login, group, intended, reason);
    }

    /// Once a second: old entries are forgotten, and the log is handed over.
    fn tick(&mut self, now: Offset) {
        self.recorder.expire(now);
        self.give_up_joins(now);
        self.hand_over(now, Occasion::Tick);
        self.watch.next_tick = Offset::from_nanos((u64::from(now.second()) + 1) * 1_000_000_000);
    }

    /// Starts nothing new. What should have been started by now was held up by us, and is counted so.
    fn stop(&mut self, until: Offset) {
        if self.life != Life::Running {
            return;
        }
        self.life = Life::Stopping;
        self.until = until;
        while let Some(action) = self.cursor.take_due(until - Duration::from_nanos(1)) {
            self.not_begun(&action, Unsent::Stopped);
        }
        self.stop_logouts(until);
        self.stop_joins(until);
        for (local, intended, reason) in self.logins.stop(until) {
            self.miss_login(local, intended, reason);
        }
    }

    /// Closes the account and every stream.
    fn settle(&mut self, interrupted: bool, now: Offset, out: &mut Outbox) {
        if self.is_leaving() {
            return;
        }
        self.stop(now);
        self.spread_voids(now);
        self.recorder.settle(interrupted);
        self.settle_leaving();
        self.life = Life::Leaving { until: now + LEAVE_TIMEOUT };
        for local in 0..self.users.len() {
            let user = UserIndex(self.range.start + local as u32);
            self.whereabouts.set(user, Presence::Offline);
            self.with_user(now, Channel(local as u32), out, |user, near, said| {
                user.leave(Indeterminate::Interrupted, near, said);
            });
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
            self.written.taken(channel, *offset, |it| recorder.sent(it.kind, it.sequence, now));
            self.leavings.taken(now, channel, *offset);
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
        if self.voids_due().is_some_and(|due| due <= now) {
            return self.spread_voids(now - VOID_DELAY);
        }
        if self.life == Life::Running && self.take_planned(now, out) {
            return;
        }
        if self.give_up_leaving(now, out) {
            return;
        }
        if let Some(local) = self.settling.take_due(now) {
            return self.settle_if_still(now, local);
        }
        self.rooms_next = !self.rooms_next;
        if self.rooms_next && self.attend_rooms(now, out) {
            return;
        }
        self.attend_logins(now, out);
        self.finish_if_gone(now);
    }

    fn poll_timeout(&self) -> Option<Offset> {
        let planned = [self.cursor.next_at(), self.leavings.next_logout()];
        let planned = planned.into_iter().flatten().min().filter(|_| self.life == Life::Running);
        let until = if let Life::Leaving { until } = self.life { Some(until) } else { None };
        let watch = &self.watch;
        let limit = self.leavings.next_limit();
        let own = [self.settling.next(), self.stays.next(), self.voids_due(), Some(watch.next_tick)];
        [planned, self.logins.next(), limit, until].into_iter().chain(own).flatten().min()
    }
}

impl Host for Shard {
    type Message = Message;

    fn handle_message(&mut self, now: Offset, message: Message, out: &mut Outbox) {
        match message {
            Message::Note(note) => self.recorder.note(note),
            Message::Void(users) => self.recorder.void(&users),
            Message::VoidStay(user, place, at) => self.recorder.void_stay(user, place, at),
            Message::RoomOpened(place) => self.room_opened(now, place),
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
