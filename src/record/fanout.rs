//! The account of one worker's own broadcasts: presence to everybody who should see it, room messages to every occupant.
//!
//! One stanza, one token, many copies owed. Broadcasts stand in a ring in the order of their sequence numbers, their copies
//! in a second ring in the same order, each broadcast's sorted by recipient; so a copy is found by arithmetic and a binary
//! search. Sequence numbers are the account's own: what kind a token is says which account it belongs to.
//! Memory is `rate × horizon × (`[`BROADCAST_BYTES`]` + copies × `[`COPY_BYTES`]`)`.
//!
//! Invariant: for each kind and phase, `expected = delivered + lost + failed + indeterminate + open` copies, after every
//! call. When [`Fanouts::settle`] returns, open is 0.
//!
//! It refuses to guess who should have got a copy: recipients are fixed by the caller when the stanza is handed over.

use std::collections::VecDeque;
use std::time::Duration;

use crate::record::ledger::{LedgerConfig, phase_of};
use crate::sample::ledger::{Arrive, Place};
use crate::sample::{
    ErrorClass, GroupId, Indeterminate, Instants, LedgerCounts, LedgerKind, OperationId, Outcome, Sample,
    Token, TokenKind, UserIndex,
};
use crate::units::Offset;

/// What one broadcast takes, without its copies.
pub const BROADCAST_BYTES: usize = size_of::<Broadcast>();
/// What one copy takes.
pub const COPY_BYTES: usize = size_of::<Copy>();

/// No such sequence.
const NONE: u64 = u64::MAX;
/// Bytes not yet taken by the kernel.
const NOT_SENT: Offset = Offset::MAX;
/// How long after its session or stay began a reader may be shown what was sent just before: the worker that noted the
/// beginning and the one that sent may have read their clocks a little apart.
const BEGINNING_SLACK_NANOS: u64 = 1_000_000_000;

/// What is measured of a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measures {
    /// Every copy to somebody else.
    pub copy: OperationId,
    /// The sender's own copy, where one is owed.
    pub own: OperationId,
    /// The last copy; none where that is not measured.
    pub last: Option<OperationId>,
}

/// A broadcast as it was handed to the transport.
#[derive(Clone, Copy, Debug)]
pub struct Announce<'a> {
    /// The stanza. Its sequence must be [`Fanouts::next_sequence`].
    pub token: Token,
    /// The account it is kept in.
    pub kind: LedgerKind,
    /// What is measured.
    pub measures: Measures,
    /// The sender's group.
    pub group: GroupId,
    /// The room; [`Place::NOWHERE`] for presence.
    pub place: Place,
    /// Whom it should reach: sorted, no one twice; the sender among them if it is owed its own copy.
    pub recipients: &'a [UserIndex],
    /// When its bytes were handed to the transport.
    pub offered: Offset,
}

/// See the module text.
#[derive(Debug)]
pub struct Fanouts {
    config: LedgerConfig,
    broadcasts: VecDeque<Broadcast>,
    base: u64,
    copies: VecDeque<Copy>,
    copies_base: u64,
    open: u64,
    /// Nothing before this sequence has an open copy.
    oldest_open: u64,
    latest: Vec<u64>,
    counts: Vec<[LedgerCounts; 3]>,
}

#[derive(Clone, Copy, Debug)]
struct Broadcast {
    intended: Offset,
    offered: Offset,
    sent: Offset,
    /// When its latest copy was read.
    last_done: Offset,
    /// The sender's nearest earlier broadcast that may still have open copies.
    previous: u64,
    first_copy: u64,
    sender: u32,
    copies: u32,
    open: u32,
    place: Place,
    measures: Measures,
    group: GroupId,
    kind: LedgerKind,
    /// The gravest end of any copy so far, if one did not come.
    spoiled: Option<Outcome>,
}

#[derive(Clone, Copy, Debug)]
struct Copy {
    recipient: u32,
    state: State,
    overtaken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Delivered,
    Closed,
}

/// How a copy ends that does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Lost,
    Failed(ErrorClass),
    Unknown(Indeterminate),
}

impl Fanouts {
    /// An empty account. Of `config`, `capacity` bounds copies.
    pub fn new(config: LedgerConfig) -> Self {
        let phases = config.phase_starts.len().max(1);
        Self {
            latest: Vec::new(),
            counts: vec![[LedgerCounts::default(); 3]; phases],
            broadcasts: VecDeque::new(),
            base: 0,
            copies: VecDeque::new(),
            copies_base: 0,
            open: 0,
            oldest_open: 0,
            config,
        }
    }

    /// The sequence number the next broadcast must carry, or `None` when there is no room for so many copies.
    pub fn next_sequence(&self, copies: usize) -> Option<u64> {
        let room = self.copies.len() + copies <= self.config.capacity
            && self.broadcasts.len() < self.config.capacity;
        room.then_some(self.base + self.broadcasts.len() as u64)
    }

    /// Opens the account of a broadcast.
    pub fn announce(&mut self, announce: &Announce<'_>) {
        let sequence = self.base + self.broadcasts.len() as u64;
        debug_assert_eq!(announce.token.sequence, sequence, "sequence numbers come from next_sequence");
        debug_assert!(announce.recipients.is_sorted(), "copies are found by binary search");
        let local = self.local(announce.token.sender);
        let previous = std::mem::replace(&mut self.latest[local], sequence);
        let copies = announce.recipients.len() as u32;
        self.broadcasts.push_back(Broadcast {
            intended: announce.token.intended,
            offered: announce.offered,
            sent: NOT_SENT,
            last_done: Offset::ZERO,
            previous,
            first_copy: self.copies_base + self.copies.len() as u64,
            sender: announce.token.sender.0,
            copies,
            open: copies,
            place: announce.place,
            measures: announce.measures,
            group: announce.group,
            kind: announce.kind,
            spoiled: None,
        });
        let open =
            |recipient: &UserIndex| Copy { recipient: recipient.0, state: State::Open, overtaken: false };
        self.copies.extend(announce.recipients.iter().map(open));
        self.open += u64::from(copies);
        self.counts_at(announce.kind, announce.token.intended).expected += u64::from(copies);
    }

    /// The write that took the broadcast's last byte returned at `at`.
    pub fn sent(&mut self, sequence: u64, at: Offset) {
        if let Some(index) = self.index_of(sequence) {
            self.broadcasts[index].sent = at;
        }
    }

    /// Counts a planned broadcast, or a copy of one, that could not be started.
    pub fn unsent(&mut self, kind: LedgerKind, intended: Offset) {
        self.counts_at(kind, intended).unsent += 1;
    }

    /// A stanza with one of our tokens was read somewhere. A first good copy completes its operation; the last one its
    /// broadcast's.
    pub fn arrive(&mut self, note: Arrive, ended: &mut Vec<Sample>) {
        let Some(index) = self.broadcast_of(&note.token) else { return self.count_stray(&note) };
        let broadcast = self.broadcasts[index];
        let Some(at) = self.find_copy(&broadcast, note.recipient.0) else {
            return self.count_unowed(&broadcast, &note);
        };
        let state = self.copies[at].state;
        let meant = note.intact && note.place == broadcast.place;
        let counts = self.counts_at(broadcast.kind, broadcast.intended);
        match (meant, note.stored, state) {
            (false, _, _) => counts.misdelivered += 1,
            // A stored copy answers a probe or a join; it is not the broadcast's own, even where it comes first.
            (true, true, _) => counts.replayed += 1,
            // Shown again to a later session of the reader's.
            (true, false, State::Delivered | State::Closed)
                if broadcast.kind == LedgerKind::Presence && broadcast.offered < note.since =>
            {
                counts.replayed += 1;
            }
            (true, false, State::Open) => self.deliver(index, at, note.done, ended),
            (true, false, State::Delivered) => counts.duplicated += 1,
            (true, false, State::Closed) => counts.stale += 1,
        }
    }

    /// The server refused the stanza: no copy of it will come.
    pub fn fail(&mut self, token: &Token, class: ErrorClass, ended: &mut Vec<Sample>) {
        if let Some(index) = self.broadcast_of(token) {
            self.close_copies(index, |_| Some(Loss::Failed(class)), ended);
        }
    }

    /// Some users' streams ended, each when `ended_at` says: what was handed over by then, is open from or to them and not
    /// overdue is indeterminate.
    pub fn void(&mut self, ended_at: impl Fn(UserIndex) -> Option<Offset>, ended: &mut Vec<Sample>) {
        let deadline = self.config.deadline;
        self.each_open(Offset::MAX, |account, index| {
            let broadcast = account.broadcasts[index];
            let end_of = |user| ended_at(UserIndex(user)).filter(|at| broadcast.offered <= *at);
            if let Some(at) = end_of(broadcast.sender) {
                let unsent = broadcast.sent == NOT_SENT;
                let reason = if unsent { Indeterminate::NeverSent } else { Indeterminate::SenderStream };
                let loss = broadcast.unless_overdue(deadline, reason, at);
                account.close_copies(index, |_| Some(loss), ended);
            } else {
                let loss = |at| broadcast.unless_overdue(deadline, Indeterminate::RecipientStream, at);
                account.close_copies(index, |copy| end_of(copy.recipient).map(loss), ended);
            }
        });
    }

    /// This user's stay in a room ended at `at`, though its stream goes on.
    pub fn void_stay(&mut self, user: UserIndex, place: Place, at: Offset, ended: &mut Vec<Sample>) {
        self.each_open(at, |account, index| {
            if account.broadcasts[index].place == place {
                let deadline = account.config.deadline;
                let loss =
                    account.broadcasts[index].unless_overdue(deadline, Indeterminate::RecipientStay, at);
                account.close_copies(index, |copy| (copy.recipient == user.0).then_some(loss), ended);
            }
        });
    }

    /// Forgets broadcasts older than the horizon; copies still open are lost.
    pub fn expire(&mut self, now: Offset, ended: &mut Vec<Sample>) {
        let horizon = self.config.horizon;
        while self.broadcasts.front().is_some_and(|broadcast| now.since(broadcast.offered) > horizon) {
            let loss = self.when_nothing_came(0, false);
            self.close_copies(0, |_| Some(loss), ended);
            if let Some(gone) = self.broadcasts.pop_front() {
                self.copies.drain(..gone.copies as usize);
                self.copies_base += u64::from(gone.copies);
                self.base += 1;
            }
        }
    }

    /// Closes the account at the end of the run: what is still open is lost, or indeterminate if the run was cut short
    /// (`interrupted`) or the bytes never left us.
    pub fn settle(&mut self, interrupted: bool, ended: &mut Vec<Sample>) {
        for index in 0..self.broadcasts.len() {
            let loss = self.when_nothing_came(index, interrupted);
            self.close_copies(index, |_| Some(loss), ended);
        }
        debug_assert_eq!(self.open, 0, "a settled ledger has nothing open");
    }

    /// Copies neither delivered nor closed.
    pub const fn open(&self) -> u64 {
        self.open
    }

    /// The columns so far, by phase and kind.
    pub fn counts(&self) -> &[[LedgerCounts; 3]] {
        &self.counts
    }

    /// A copy for somebody to whom none is owed: not there when it was sent by the tool's own view.
    fn count_unowed(&mut self, broadcast: &Broadcast, note: &Arrive) {
        // A sender's own presence comes back to it and is owed to nobody.
        if note.recipient.0 == broadcast.sender && broadcast.kind == LedgerKind::Presence {
            return;
        }
        let shown_at_beginning = note.stored || is_before(note, broadcast.offered);
        let counts = self.counts_at(broadcast.kind, broadcast.intended);
        if shown_at_beginning {
            counts.replayed += 1;
        } else {
            counts.misdelivered += 1;
        }
    }

    /// Calls `each` for every broadcast handed over by `at` that has open copies.
    fn each_open(&mut self, at: Offset, mut each: impl FnMut(&mut Self, usize)) {
        self.skip_closed();
        for index in (self.oldest_open - self.base) as usize..self.broadcasts.len() {
            let Broadcast { open, offered, .. } = self.broadcasts[index];
            if open > 0 && offered <= at {
                each(self, index);
            }
        }
    }

    /// Moves the mark before which nothing is open: each broadcast is passed once in its life.
    fn skip_closed(&mut self) {
        self.oldest_open = self.oldest_open.max(self.base);
        let end = self.base + self.broadcasts.len() as u64;
        while self.oldest_open < end && self.broadcasts[(self.oldest_open - self.base) as usize].open == 0 {
            self.oldest_open += 1;
        }
    }

    fn when_nothing_came(&self, index: usize, interrupted: bool) -> Loss {
        match (self.broadcasts[index].sent == NOT_SENT, interrupted) {
            (true, _) => Loss::Unknown(Indeterminate::NeverSent),
            (false, true) => Loss::Unknown(Indeterminate::Interrupted),
            (false, false) => Loss::Lost,
        }
    }

    fn deliver(&mut self, index: usize, at: usize, done: Offset, ended: &mut Vec<Sample>) {
        self.mark_overtaken_before(index, self.copies[at].recipient);
        let deadline = self.config.deadline;
        let copy = &mut self.copies[at];
        copy.state = State::Delivered;
        let (recipient, overtaken) = (copy.recipient, copy.overtaken);
        let broadcast = &mut self.broadcasts[index];
        broadcast.open -= 1;
        broadcast.last_done = broadcast.last_done.max(done);
        let broadcast = *broadcast;
        let late = done.since(broadcast.intended) > deadline;
        self.open -= 1;
        let counts = self.counts_at(broadcast.kind, broadcast.intended);
        counts.delivered += 1;
        counts.late += u64::from(late);
        counts.reordered += u64::from(overtaken);
        let operation =
            if recipient == broadcast.sender { broadcast.measures.own } else { broadcast.measures.copy };
        ended.push(Sample::completed(operation, broadcast.group, broadcast.instants(done), late));
        self.conclude(index, ended);
    }

    /// Ends the open copies for which `how` has an answer.
    fn close_copies(&mut self, index: usize, how: impl Fn(&Copy) -> Option<Loss>, ended: &mut Vec<Sample>) {
        let broadcast = self.broadcasts[index];
        if broadcast.open == 0 {
            return;
        }
        let first = (broadcast.first_copy - self.copies_base) as usize;
        for at in first..first + broadcast.copies as usize {
            let copy = self.copies[at];
            if copy.state != State::Open {
                continue;
            }
            let Some(loss) = how(&copy) else { continue };
            self.copies[at].state = State::Closed;
            self.broadcasts[index].open -= 1;
            self.open -= 1;
            let counts = self.counts_at(broadcast.kind, broadcast.intended);
            match loss {
                Loss::Lost => counts.lost += 1,
                Loss::Failed(_) => counts.failed += 1,
                Loss::Unknown(_) => counts.indeterminate += 1,
            }
            let measures = broadcast.measures;
            let operation = if copy.recipient == broadcast.sender { measures.own } else { measures.copy };
            ended.push(Sample::ended(operation, broadcast.group, broadcast.intended, loss.outcome()));
            if !loss.left() {
                let spoiled = &mut self.broadcasts[index].spoiled;
                *spoiled = Some(spoiled.map_or(loss.outcome(), |before| graver(before, loss.outcome())));
            }
        }
        if self.broadcasts[index].open == 0 {
            self.conclude(index, ended);
        }
    }

    /// Once nothing is open, the broadcast as a whole has ended: with its last copy, or as its gravest one. Whoever left meanwhile is
    /// none of those it waits for; were they in doubt, a busy room would have no fan-out but its fastest.
    fn conclude(&self, index: usize, ended: &mut Vec<Sample>) {
        let broadcast = &self.broadcasts[index];
        let Some(operation) = broadcast.measures.last.filter(|_| broadcast.open == 0) else { return };
        let nobody = (broadcast.last_done == Offset::ZERO)
            .then_some(Outcome::Indeterminate(Indeterminate::RecipientStream));
        ended.push(match broadcast.spoiled.or(nobody) {
            Some(outcome) => Sample::ended(operation, broadcast.group, broadcast.intended, outcome),
            None => {
                let late = broadcast.last_done.since(broadcast.intended) > self.config.deadline;
                Sample::completed(operation, broadcast.group, broadcast.instants(broadcast.last_done), late)
            }
        });
    }

    /// What the same sender sent earlier to the same place and this recipient has not got yet is now out of order, if it
    /// comes. Broadcasts without open copies are cut out of the chain on the way, so that the walk costs what is open.
    fn mark_overtaken_before(&mut self, index: usize, recipient: u32) {
        let Broadcast { place, kind, .. } = self.broadcasts[index];
        let mut later = index;
        loop {
            let earlier = self.nearest_open(self.broadcasts[later].previous);
            self.broadcasts[later].previous = earlier;
            let Some(index) = self.index_of(earlier) else { return };
            let broadcast = self.broadcasts[index];
            if broadcast.place == place
                && broadcast.kind == kind
                && let Some(at) = self.find_copy(&broadcast, recipient)
            {
                match self.copies[at].state {
                    State::Open => self.copies[at].overtaken = true,
                    // Its delivery marked everything before it.
                    State::Delivered => return,
                    State::Closed => {}
                }
            }
            later = index;
        }
    }

    fn nearest_open(&self, mut sequence: u64) -> u64 {
        while sequence != NONE && sequence >= self.base {
            let broadcast = &self.broadcasts[(sequence - self.base) as usize];
            if broadcast.open > 0 {
                return sequence;
            }
            sequence = broadcast.previous;
        }
        NONE
    }

    /// A copy without a broadcast: of another run, after the horizon, or made up.
    fn count_stray(&mut self, note: &Arrive) {
        let Some(kind) = kind_of(note.token.kind) else { return };
        let other_run = note.token.run != self.config.run;
        let forgotten = note.token.sequence < self.base;
        let intended = if other_run { note.done } else { note.token.intended };
        let counts = self.counts_at(kind, intended);
        if other_run || (forgotten && note.stored) {
            counts.replayed += 1;
        } else if forgotten {
            counts.stale += 1;
        } else {
            counts.misdelivered += 1;
        }
    }

    /// The broadcast a token names, if the token is one we wrote.
    fn broadcast_of(&self, token: &Token) -> Option<usize> {
        let index = self.index_of(token.sequence)?;
        let broadcast = &self.broadcasts[index];
        let ours = token.run == self.config.run
            && broadcast.sender == token.sender.0
            && broadcast.intended == token.intended
            && Some(broadcast.kind) == kind_of(token.kind);
        ours.then_some(index)
    }

    fn index_of(&self, sequence: u64) -> Option<usize> {
        let index = usize::try_from(sequence.checked_sub(self.base)?).ok()?;
        (index < self.broadcasts.len()).then_some(index)
    }

    /// Where the copy for a recipient stands, if one is owed.
    fn find_copy(&self, broadcast: &Broadcast, recipient: u32) -> Option<usize> {
        let first = (broadcast.first_copy - self.copies_base) as usize;
        let (mut low, mut high) = (first, first + broadcast.copies as usize);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.copies[middle].recipient < recipient {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let end = first + broadcast.copies as usize;
        (low < end && self.copies[low].recipient == recipient).then_some(low)
    }

    fn counts_at(&mut self, kind: LedgerKind, intended: Offset) -> &mut LedgerCounts {
        let phase = phase_of(&self.config.phase_starts, intended);
        &mut self.counts[phase][kind as usize]
    }

    /// A sender's place among the worker's own users. The table is made at the first broadcast: most runs have none.
    fn local(&mut self, user: UserIndex) -> usize {
        if self.latest.is_empty() {
            self.latest = vec![NONE; self.config.user_count.max(1) as usize];
        }
        let local = user.0.wrapping_sub(self.config.first_user);
        local.min(self.config.user_count.saturating_sub(1)) as usize
    }
}

impl Broadcast {
    /// What became of a copy that was still open at `at`.
    fn unless_overdue(&self, deadline: Duration, reason: Indeterminate, at: Offset) -> Loss {
        let overdue = at.since(self.intended) > deadline;
        if overdue && reason != Indeterminate::NeverSent { Loss::Lost } else { Loss::Unknown(reason) }
    }

    /// The instants of a copy read at `done`. A copy proves that its stanza had been sent: a worker that is put aside between
    /// the write and its reading of the clock notes the write later than another worker read the copy.
    fn instants(&self, done: Offset) -> Instants {
        Instants { intended: self.intended, offered: self.offered, sent: self.sent.min(done), done }
    }
}

impl Loss {
    /// Whether it says no more than that the recipient left.
    const fn left(self) -> bool {
        matches!(self, Self::Unknown(Indeterminate::RecipientStream | Indeterminate::RecipientStay))
    }

    const fn outcome(self) -> Outcome {
        match self {
            Self::Lost => Outcome::Lost,
            Self::Failed(class) => Outcome::Failed(class),
            Self::Unknown(reason) => Outcome::Indeterminate(reason),
        }
    }
}

/// Lost is graver than failed, failed than unknown: what is said of the whole must not be better than of its parts.
const fn graver(a: Outcome, b: Outcome) -> Outcome {
    const fn rank(outcome: Outcome) -> u8 {
        match outcome {
            Outcome::Lost => 2,
            Outcome::Failed(_) => 1,
            _ => 0,
        }
    }
    if rank(b) > rank(a) { b } else { a }
}

/// Whether the stanza was sent before the reader's session or stay began, by the clocks of two workers.
fn is_before(note: &Arrive, offered: Offset) -> bool {
    offered.as_nanos() <= note.since.as_nanos().saturating_add(BEGINNING_SLACK_NANOS)
}

/// The account a token's stanza is kept in here.
const fn kind_of(kind: TokenKind) -> Option<LedgerKind> {
    match kind {
        TokenKind::Groupchat => Some(LedgerKind::Groupchat),
        TokenKind::Presence => Some(LedgerKind::Presence),
        TokenKind::Message | TokenKind::Request => None,
    }
}

#[cfg(test)]
mod tests;
