//! The account of one worker's own messages and requests: every entry from `sent` to the horizon.
//!
//! Entries stand in a ring in the order of their sequence numbers, so finding one is index arithmetic and forgetting
//! old ones is popping the front. An entry stays for the whole horizon, whatever became of it: that is how a second
//! copy is known to be one. Memory is therefore `rate × horizon × `[`ENTRY_BYTES`], and [`Ledger::expect`] refuses
//! beyond the capacity it was made with.
//!
//! Invariant: for each kind and phase, `expected = delivered + lost + failed + indeterminate + open`, after every call.
//! When [`Ledger::settle`] returns, open is 0.

use std::collections::VecDeque;
use std::time::Duration;

use crate::sample::ledger::{Arrive, Expect};
use crate::sample::{
    ErrorClass, GroupId, Indeterminate, Instants, LedgerCounts, LedgerKind, OperationId, Outcome, Sample,
    Token, TokenKind, UserIndex,
};
use crate::units::Offset;

/// What one entry takes.
pub const ENTRY_BYTES: usize = size_of::<Entry>();

/// No such sequence.
const NONE: u64 = u64::MAX;
/// Bytes not yet taken by the kernel.
const NOT_SENT: Offset = Offset::MAX;
/// How long an error waits for word that its recipient's session had ended: such ends are told to all ledgers at once, a little later.
const FAIL_HOLD: Duration = Duration::from_millis(250);

/// What a ledger must know of the run.
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// The run's number, as tokens carry it.
    pub run: u32,
    /// Later than this after intended is late.
    pub deadline: Duration,
    /// How long an entry is kept after it was offered.
    pub horizon: Duration,
    /// The most entries held at once.
    pub capacity: usize,
    /// The first of the users whose messages are accounted here.
    pub first_user: u32,
    /// How many users that is.
    pub user_count: u32,
    /// Where each phase begins; what is intended before the first belongs to it.
    pub phase_starts: Vec<Offset>,
    /// The ledger each operation is accounted in, by operation index; none for requests.
    pub kinds: Vec<Option<LedgerKind>>,
}

/// See the module text.
#[derive(Debug)]
pub struct Ledger {
    config: LedgerConfig,
    entries: VecDeque<Entry>,
    base: u64,
    open: u64,
    /// Nothing before this sequence is open.
    oldest_open: u64,
    latest: Vec<u64>,
    counts: Vec<[LedgerCounts; 3]>,
    /// Entries answered with an error, until when that waits; in the order they were answered.
    failing: VecDeque<(Offset, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    intended: Offset,
    offered: Offset,
    sent: Offset,
    /// The sender's nearest earlier entry that may still be open.
    previous: u64,
    sender: u32,
    recipient: u32,
    operation: OperationId,
    group: GroupId,
    state: State,
    overtaken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Answered with an error; still open, for the recipient's session may turn out to have ended.
    Failing(ErrorClass),
    Delivered,
    Closed,
}

impl Ledger {
    /// An empty account.
    pub fn new(config: LedgerConfig) -> Self {
        let phases = config.phase_starts.len().max(1);
        Self {
            latest: vec![NONE; config.user_count as usize],
            counts: vec![[LedgerCounts::default(); 3]; phases],
            entries: VecDeque::new(),
            base: 0,
            open: 0,
            oldest_open: 0,
            failing: VecDeque::new(),
            config,
        }
    }

    /// The sequence number the next entry must carry, or `None` when the ledger is full.
    pub fn next_sequence(&self) -> Option<u64> {
        self.has_room_for(1).then_some(self.base + self.entries.len() as u64)
    }

    /// Whether so many entries more can be held at once.
    pub fn has_room_for(&self, entries: usize) -> bool {
        self.entries.len() + entries <= self.config.capacity
    }

    /// Opens an entry. Its token's sequence must be [`Ledger::next_sequence`].
    pub fn expect(&mut self, note: Expect) {
        let sequence = self.base + self.entries.len() as u64;
        debug_assert_eq!(note.token.sequence, sequence, "sequence numbers come from next_sequence");
        let local = self.local(note.token.sender);
        let previous = std::mem::replace(&mut self.latest[local], sequence);
        self.entries.push_back(Entry {
            intended: note.token.intended,
            offered: note.offered,
            sent: NOT_SENT,
            previous,
            sender: note.token.sender.0,
            recipient: note.recipient.0,
            operation: note.operation,
            group: note.group,
            state: State::Open,
            overtaken: false,
        });
        self.open += 1;
        if let Some(counts) = self.counts_of(note.operation, note.token.intended) {
            counts.expected += 1;
        }
    }

    /// The write that took the entry's last byte returned at `at`.
    pub fn sent(&mut self, sequence: u64, at: Offset) {
        if let Some(entry) = self.entry(sequence) {
            entry.sent = at;
        }
    }

    /// Counts a planned message that could not be started.
    pub fn unsent(&mut self, operation: OperationId, intended: Offset) {
        if let Some(counts) = self.counts_of(operation, intended) {
            counts.unsent += 1;
        }
    }

    /// A stanza with one of our tokens was read somewhere. A first good copy completes the operation.
    pub fn arrive(&mut self, note: Arrive) -> Option<Sample> {
        let sequence = note.token.sequence;
        let Some(entry) = self.entry_of(&note.token) else {
            self.count_stray(&note);
            return None;
        };
        let meant = entry.recipient == note.recipient.0 && note.intact;
        let (state, operation, intended) = (entry.state, entry.operation, entry.intended);
        if meant && state == State::Open {
            return Some(self.deliver(sequence, note.done));
        }
        if let Some(counts) = self.counts_of(operation, intended) {
            match (meant, note.stored, state) {
                (false, _, _) => counts.misdelivered += 1,
                (true, true, _) => counts.replayed += 1,
                (true, false, State::Delivered) => counts.duplicated += 1,
                (true, false, _) => counts.stale += 1,
            }
        }
        None
    }

    /// The server answered the stanza with an error. That a message came back because its recipient's session had just ended is known
    /// for certain only a little later: until then its entry stays open.
    pub fn fail(&mut self, token: &Token, class: ErrorClass, done: Offset) -> Option<Sample> {
        let entry = self.entry_of(token).filter(|entry| entry.state == State::Open)?;
        entry.state = State::Failing(class);
        if entry.recipient != entry.sender {
            self.failing.push_back((done + FAIL_HOLD, token.sequence));
            return None;
        }
        self.conclude_failure(token.sequence)
    }

    /// Some users' streams ended, each when `ended_at` says: what was handed over by then, is open from or to them and not
    /// overdue is indeterminate.
    pub fn void(&mut self, ended_at: impl Fn(UserIndex) -> Option<Offset>, ended: &mut Vec<Sample>) {
        self.skip_closed();
        for index in (self.oldest_open - self.base) as usize..self.entries.len() {
            let entry = self.entries[index];
            let is_failing = matches!(entry.state, State::Failing(_));
            if entry.state != State::Open && !is_failing {
                continue;
            }
            let end_of = |user| ended_at(UserIndex(user)).filter(|at| entry.offered <= *at);
            // Whose error was read has had its answer, whatever becomes of its stream.
            let (at, reason) = match (end_of(entry.sender).filter(|_| !is_failing), end_of(entry.recipient)) {
                (Some(at), _) if entry.sent == NOT_SENT => (at, Indeterminate::NeverSent),
                (Some(at), _) => (at, Indeterminate::SenderStream),
                (None, Some(at)) => (at, Indeterminate::RecipientStream),
                (None, None) => continue,
            };
            let overdue =
                at.since(entry.intended) > self.config.deadline && reason != Indeterminate::NeverSent;
            ended.push(if overdue { self.lose(index) } else { self.suspend(index, reason) });
        }
    }

    /// Forgets entries older than the horizon; those still open are lost.
    pub fn expire(&mut self, now: Offset, ended: &mut Vec<Sample>) {
        self.conclude_failures(now, ended);
        while self.entries.front().is_some_and(|entry| now.since(entry.offered) > self.config.horizon) {
            // Nothing is failing any more at that age: the horizon is longer than an error waits, but where one came at its end.
            if let State::Failing(_) = self.entries[0].state {
                ended.extend(self.conclude_failure(self.base));
            }
            if self.entries[0].state == State::Open {
                let sample = if self.entries[0].sent == NOT_SENT {
                    self.suspend(0, Indeterminate::NeverSent)
                } else {
                    self.lose(0)
                };
                ended.push(sample);
            }
            self.entries.pop_front();
            self.base += 1;
        }
    }

    /// Closes the account at the end of the run: what is still open is lost, or indeterminate if the run was cut short
    /// (`interrupted`) or the bytes never left us.
    pub fn settle(&mut self, interrupted: bool, ended: &mut Vec<Sample>) {
        self.conclude_failures(Offset::MAX, ended);
        for index in 0..self.entries.len() {
            if self.entries[index].state != State::Open {
                continue;
            }
            ended.push(if self.entries[index].sent == NOT_SENT {
                self.suspend(index, Indeterminate::NeverSent)
            } else if interrupted {
                self.suspend(index, Indeterminate::Interrupted)
            } else {
                self.lose(index)
            });
        }
        debug_assert_eq!(self.open, 0, "a settled ledger has nothing open");
    }

    /// Entries neither delivered nor closed.
    pub const fn open(&self) -> u64 {
        self.open
    }

    /// The columns so far, by phase and kind.
    pub fn counts(&self) -> &[[LedgerCounts; 3]] {
        &self.counts
    }

    /// Moves the mark before which nothing is open: each entry is passed once in its life.
    fn skip_closed(&mut self) {
        self.oldest_open = self.oldest_open.max(self.base);
        let end = self.base + self.entries.len() as u64;
        while self.oldest_open < end
            && matches!(
                self.entries[(self.oldest_open - self.base) as usize].state,
                State::Delivered | State::Closed
            )
        {
            self.oldest_open += 1;
        }
    }

    fn deliver(&mut self, sequence: u64, done: Offset) -> Sample {
        self.mark_overtaken_before(sequence);
        let deadline = self.config.deadline;
        let entry = &mut self.entries[(sequence - self.base) as usize];
        entry.state = State::Delivered;
        // The copy proves that its message had been sent: a worker that is put aside between the write and its reading
        // of the clock notes the write later than another worker, on another CPU, read the copy.
        let sent = entry.sent.min(done);
        let instants = Instants { intended: entry.intended, offered: entry.offered, sent, done };
        let late = done.since(entry.intended) > deadline;
        let (operation, group, overtaken) = (entry.operation, entry.group, entry.overtaken);
        self.open -= 1;
        if let Some(counts) = self.counts_of(operation, instants.intended) {
            counts.delivered += 1;
            counts.late += u64::from(late);
            counts.reordered += u64::from(overtaken);
        }
        Sample::completed(operation, group, instants, late)
    }

    /// What the same sender sent earlier to the same recipient and has not come yet is now out of order, if it comes.
    /// Closed entries are cut out of the chain on the way, so that the walk costs what is open.
    fn mark_overtaken_before(&mut self, sequence: u64) {
        let recipient = self.entries[(sequence - self.base) as usize].recipient;
        let operation = self.entries[(sequence - self.base) as usize].operation;
        let mut later = sequence;
        loop {
            let earlier = self.nearest_open(self.entries[(later - self.base) as usize].previous);
            self.entries[(later - self.base) as usize].previous = earlier;
            let Some(entry) = self.entry(earlier) else { return };
            entry.overtaken |= entry.recipient == recipient && entry.operation == operation;
            later = earlier;
        }
    }

    fn nearest_open(&self, mut sequence: u64) -> u64 {
        while sequence != NONE && sequence >= self.base {
            let entry = &self.entries[(sequence - self.base) as usize];
            if entry.state == State::Open {
                return sequence;
            }
            sequence = entry.previous;
        }
        NONE
    }

    /// Errors that have waited long enough.
    fn conclude_failures(&mut self, now: Offset, ended: &mut Vec<Sample>) {
        while let Some((_, sequence)) = self.failing.pop_front_if(|(until, _)| *until <= now) {
            ended.extend(self.conclude_failure(sequence));
        }
    }

    /// An entry that was answered with an error ends so, unless it ended otherwise meanwhile.
    fn conclude_failure(&mut self, sequence: u64) -> Option<Sample> {
        let entry = self.entry(sequence)?;
        let State::Failing(class) = entry.state else { return None };
        entry.state = State::Closed;
        let (operation, group, intended) = (entry.operation, entry.group, entry.intended);
        self.open -= 1;
        if let Some(counts) = self.counts_of(operation, intended) {
            counts.failed += 1;
        }
        Some(Sample::ended(operation, group, intended, Outcome::Failed(class)))
    }

    fn lose(&mut self, index: usize) -> Sample {
        let entry = &mut self.entries[index];
        entry.state = State::Closed;
        let (operation, group, intended) = (entry.operation, entry.group, entry.intended);
        self.open -= 1;
        let mut outcome = Outcome::Timeout;
        if let Some(counts) = self.counts_of(operation, intended) {
            counts.lost += 1;
            outcome = Outcome::Lost;
        }
        Sample::ended(operation, group, intended, outcome)
    }

    fn suspend(&mut self, index: usize, reason: Indeterminate) -> Sample {
        let entry = &mut self.entries[index];
        entry.state = State::Closed;
        let (operation, group, intended) = (entry.operation, entry.group, entry.intended);
        self.open -= 1;
        if let Some(counts) = self.counts_of(operation, intended) {
            counts.indeterminate += 1;
        }
        Sample::ended(operation, group, intended, Outcome::Indeterminate(reason))
    }

    /// A copy without an entry: of another run, after the horizon, or made up.
    fn count_stray(&mut self, note: &Arrive) {
        let known = note.token.run != self.config.run || note.token.sequence < self.base;
        let Some(kind) = kind_of(note.token.kind) else { return };
        let other_run = note.token.run != self.config.run;
        let intended = if other_run { note.done } else { note.token.intended };
        let phase = self.phase_of(intended);
        let counts = &mut self.counts[phase][kind as usize];
        match (known, other_run || note.stored) {
            (true, true) => counts.replayed += 1,
            (true, false) => counts.stale += 1,
            (false, _) => counts.misdelivered += 1,
        }
    }

    fn entry(&mut self, sequence: u64) -> Option<&mut Entry> {
        let index = sequence.checked_sub(self.base)?;
        self.entries.get_mut(usize::try_from(index).ok()?)
    }

    /// The entry a token names, if the token is one we wrote.
    fn entry_of(&mut self, token: &Token) -> Option<&mut Entry> {
        let index = usize::try_from(token.sequence.checked_sub(self.base)?).ok()?;
        let entry = self.entries.get_mut(index)?;
        let kind = self.config.kinds.get(usize::from(entry.operation.0)).copied().flatten();
        let ours = token.run == self.config.run
            && entry.sender == token.sender.0
            && entry.intended == token.intended
            && kind == kind_of(token.kind);
        ours.then_some(entry)
    }

    fn counts_of(&mut self, operation: OperationId, intended: Offset) -> Option<&mut LedgerCounts> {
        let kind = self.config.kinds.get(usize::from(operation.0)).copied().flatten()?;
        let phase = self.phase_of(intended);
        Some(&mut self.counts[phase][kind as usize])
    }

    fn phase_of(&self, intended: Offset) -> usize {
        phase_of(&self.config.phase_starts, intended)
    }

    fn local(&self, user: UserIndex) -> usize {
        user.0.wrapping_sub(self.config.first_user).min(self.config.user_count.saturating_sub(1)) as usize
    }
}

/// The account a token's stanza is kept in; none for requests.
const fn kind_of(kind: TokenKind) -> Option<LedgerKind> {
    match kind {
        TokenKind::Message => Some(LedgerKind::Message),
        TokenKind::Groupchat => Some(LedgerKind::Groupchat),
        TokenKind::Presence => Some(LedgerKind::Presence),
        TokenKind::Request => None,
    }
}

/// The phase an intended instant belongs to: the last that began before it; what comes before all belongs to the
/// first, what comes after all to the last.
pub fn phase_of(starts: &[Offset], intended: Offset) -> usize {
    starts.partition_point(|start| *start <= intended).saturating_sub(1)
}

#[cfg(test)]
mod tests;
