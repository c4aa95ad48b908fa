//! Stays in rooms: who makes them, who enters when, who is in, and whether all occupants see one order (XEP-0045).
//!
//! The first of a room's users to come online makes it, whichever worker it belongs to; the others' joins are due when the plan
//! says, and wait while the room is not open. A join is two requests in the ledger, to one's own presence and to the subject;
//! so its deadline, its loss and what a stream's end makes of it are the ledger's business.
//!
//! Invariants: a seat is taken from one's own presence out of the room to one's leaving, being put out, or the session's end;
//! what is in doubt then is told to all ledgers.
//!
//! It refuses to try a refused join again, a room that is not open yet apart.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::run::{RoomSet, Run};
use crate::engine::shard::report::RoomOrder;
use crate::engine::shard::{Life, Message, Shard, Tracked};
use crate::engine::whereabouts::RoomState;
use crate::machine::{Channel, Outbox};
use crate::sample::ledger::Arrive;
use crate::sample::{ErrorClass, Note, Place, Token, TokenKind, Unsent, UserIndex};
use crate::units::Offset;
use crate::user::RoomEvent;
use crate::xmpp::muc;

/// How soon it is looked again whether a room is open.
const NOT_OPEN_YET: Duration = Duration::from_millis(20);
/// How soon a room that could not be made is tried again.
const NOT_MADE: Duration = Duration::from_secs(1);

/// The stays of a shard's users. Seats and rooms are numbered through the whole run.
#[derive(Default)]
pub(super) struct Stays {
    /// Joins to come: not before, which seat, and when intended.
    due: BinaryHeap<Reverse<(Offset, u32, Offset)>>,
    under_way: HashMap<u32, Joining>,
    /// Rooms in the making, by the sequence of the request that makes them.
    making: HashMap<u64, u32>,
    /// What each occupant saw, for the comparison of orders.
    seen: HashMap<u32, Seen>,
    /// When each last entered its room, or left it.
    changed: HashMap<u32, Offset>,
}

/// A join under way: what is still waited for.
#[derive(Clone, Copy, Debug, Default)]
struct Joining {
    entered: Option<Token>,
    joined: Option<Token>,
    made: Option<Token>,
    began: Offset,
}

/// What an occupant saw of its room's messages: a digest of the whole sequence.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: u64,
    digest: u64,
    last: u64,
    /// It left or entered again meanwhile: its sequence is not the whole.
    broken: bool,
}

impl Seen {
    fn add(&mut self, token: &Token) {
        let key = mix(u64::from(token.sender.0) << 40 ^ token.sequence);
        // A surplus copy right behind the first is the ledger's to count; it changes no order.
        if key != self.last {
            self.count += 1;
            self.digest = mix(self.digest ^ key);
            self.last = key;
        }
    }
}

impl Stays {
    /// When a join is due next.
    pub(super) fn next(&self) -> Option<Offset> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// When a user last entered a room, or left it.
    pub(super) fn changed(&self, run: &Run, user: UserIndex, place: Place) -> Option<Offset> {
        if place == Place::NOWHERE || self.changed.is_empty() {
            return None;
        }
        let seat = run.room_set(place)?.seat_in(place, user.0)?;
        self.changed.get(&seat).copied()
    }

    /// A room message was read by one of the shard's users.
    pub(super) fn heed_note(&mut self, note: &Note, run: &Run) {
        let Note::Arrive(Arrive { token, recipient, stored: false, place, .. }) = note else { return };
        if token.kind != TokenKind::Groupchat {
            return;
        }
        let seat = run.room_set(*place).and_then(|set| set.seat_in(*place, recipient.0));
        if let Some(seat) = seat {
            self.seen.entry(seat).or_default().add(token);
        }
    }

    /// What every occupant saw.
    pub(super) fn orders(&self, run: &Run) -> Vec<RoomOrder> {
        let orders = self.seen.iter().filter_map(|(&seat, seen)| {
            let set = run.rooms.iter().rev().find(|set| set.first_seat <= seat)?;
            let Seen { count, digest, broken, .. } = *seen;
            Some(RoomOrder { place: set.place_of(seat), count, digest, broken })
        });
        orders.collect()
    }
}

impl Shard {
    /// A user came online: it makes its rooms that nobody has made, and joins the others when that is due.
    pub(super) fn plan_joins(&mut self, now: Offset, user: UserIndex) {
        if self.life != Life::Running {
            return;
        }
        let run = Arc::clone(&self.run);
        for set in &run.rooms {
            for seat in set.seats_of(user.0) {
                let planned = set.plan.joins_at(seat - set.first_seat).unwrap_or(now);
                let due = if self.whereabouts.room(set.place_of(seat)) == RoomState::Absent {
                    now
                } else {
                    planned
                };
                self.stays.due.push(Reverse((due.max(now), seat, planned.max(now))));
            }
        }
    }

    /// Begins one join that is due. Returns whether there was one.
    pub(super) fn attend_rooms(&mut self, now: Offset, out: &mut Outbox) -> bool {
        let Some(Reverse((due, seat, intended))) =
            self.stays.due.peek().copied().filter(|Reverse((at, ..))| *at <= now)
        else {
            return false;
        };
        self.stays.due.pop();
        let run = Arc::clone(&self.run);
        let Some(set) = run.rooms.iter().rev().find(|set| set.first_seat <= seat) else { return true };
        let user = set.user_of(seat);
        let is_online = self.users[(user - self.range.start) as usize].is_online();
        if !is_online || self.whereabouts.is_seated(seat) || self.stays.under_way.contains_key(&seat) {
            return true;
        }
        let place = set.place_of(seat);
        match self.whereabouts.room(place) {
            RoomState::Absent if self.whereabouts.begin_room(place) => self.make_room(now, set, seat, out),
            RoomState::Absent | RoomState::InTheMaking => {
                // The longer it takes, the less often it is looked.
                let wait = (now.since(intended) / 4).clamp(NOT_OPEN_YET, NOT_MADE);
                self.stays.due.push(Reverse((now + wait, seat, intended)));
            }
            RoomState::Open if intended > now => self.stays.due.push(Reverse((intended, seat, intended))),
            RoomState::Open => {
                // That the room was not open is not this worker's being late.
                let since = due.max(intended);
                self.watch.lags[run.phase_of(intended)].record_nanos(now.signed_nanos_since(since));
                self.join_room(now, set, seat, intended, out);
            }
        }
        true
    }

    fn make_room(&mut self, now: Offset, set: &RoomSet, seat: u32, out: &mut Outbox) {
        let user = UserIndex(set.user_of(seat));
        let Some(made) = self.expect_making(now, set, seat) else {
            self.stays.due.push(Reverse((now + NOT_MADE, seat, now + NOT_MADE)));
            return self.whereabouts.end_room(set.place_of(seat), RoomState::Absent);
        };
        self.write_join(now, set.place_of(seat), user, &[made], out);
    }

    /// Opens the account of a room's making.
    fn expect_making(&mut self, now: Offset, set: &RoomSet, seat: u32) -> Option<Token> {
        let user = UserIndex(set.user_of(seat));
        let Some(made) = self.expect_request(now, user, set.create, now) else {
            let group = self.run.group_of(user.0).id;
            self.recorder.unsent(set.create, group, now, Unsent::OurLimit);
            return None;
        };
        self.stays.making.insert(made.sequence, seat);
        let joining = self.stays.under_way.entry(seat).or_default();
        (joining.made, joining.began) = (Some(made), now);
        Some(made)
    }

    fn join_room(&mut self, now: Offset, set: &RoomSet, seat: u32, intended: Offset, out: &mut Outbox) {
        let user = UserIndex(set.user_of(seat));
        let joined = self.expect_request(now, user, set.join, intended);
        let entered = joined.and_then(|_| self.expect_request(now, user, set.enter, intended));
        let (Some(joined), Some(entered)) = (joined, entered) else {
            let group = self.run.group_of(user.0).id;
            return self.recorder.unsent(set.join, group, intended, Unsent::OurLimit);
        };
        let joining = Joining { entered: Some(entered), joined: Some(joined), made: None, began: now };
        self.stays.under_way.insert(seat, joining);
        self.write_join(now, set.place_of(seat), user, &[joined, entered], out);
    }

    fn write_join(&mut self, now: Offset, place: Place, user: UserIndex, tokens: &[Token], out: &mut Outbox) {
        let run = Arc::clone(&self.run);
        let id = tokens[0].to_text();
        let room = run.room_names.bare(place);
        self.write_request(now, user, tokens, out, |bytes| {
            muc::enter(bytes, &room, run.names.local(user.0), id.as_str());
        });
    }

    /// Writes a stanza for a user and keeps track of its bytes, for each of the requests it is.
    fn write_request(
        &mut self,
        now: Offset,
        user: UserIndex,
        tokens: &[Token],
        out: &mut Outbox,
        fill: impl FnOnce(&mut Vec<u8>),
    ) {
        let channel = Channel(user.0 - self.range.start);
        let end = self.users[channel.0 as usize].write(channel, out, fill);
        self.watch.stanzas[self.run.phase_of(now)].written += 1;
        for token in tokens {
            self.written.push(channel, Tracked { end, kind: token.kind, sequence: token.sequence });
        }
    }

    /// A room said something to one of its users.
    pub(super) fn heed_room(
        &mut self,
        now: Offset,
        user: UserIndex,
        place: Place,
        event: RoomEvent,
        out: &mut Outbox,
    ) {
        let run = Arc::clone(&self.run);
        let Some(set) = run.room_set(place) else { return };
        let Some(seat) = set.seat_in(place, user.0) else { return };
        match event {
            RoomEvent::Entered { created } => self.entered(now, user, set, seat, created, out),
            RoomEvent::Subject => {
                let joined = self.stays.under_way.get_mut(&seat).and_then(|joining| joining.joined.take());
                self.answer(now, joined);
                self.forget_if_over(seat);
            }
            RoomEvent::Refused { class, is_locked } => self.refused(now, place, seat, class, is_locked),
            RoomEvent::Left => self.left_room(now, user, place, seat),
        }
    }

    fn entered(
        &mut self,
        now: Offset,
        user: UserIndex,
        set: &RoomSet,
        seat: u32,
        created: bool,
        out: &mut Outbox,
    ) {
        let Some(joining) = self.stays.under_way.get_mut(&seat) else { return };
        let (entered, made) = (joining.entered.take(), joining.made);
        self.answer(now, entered);
        self.stays.changed.insert(seat, now);
        self.whereabouts.seat(seat, true);
        // A room that had gone with its last occupant was made anew by this join: it has to be opened like any.
        let made = if created && made.is_none() {
            self.whereabouts.end_room(set.place_of(seat), RoomState::InTheMaking);
            self.expect_making(now, set, seat)
        } else {
            if made.is_none() {
                self.whereabouts.reopen(set.place_of(seat));
            }
            made
        };
        if let Some(made) = made {
            self.open_room(now, user, set, seat, made, out);
        }
        self.forget_if_over(seat);
    }

    /// Configures a room as its owner, which opens it to others.
    fn open_room(
        &mut self,
        now: Offset,
        user: UserIndex,
        set: &RoomSet,
        seat: u32,
        made: Token,
        out: &mut Outbox,
    ) {
        let run = Arc::clone(&self.run);
        let place = set.place_of(seat);
        let seats = set.seats(place);
        let (room, id) = (run.room_names.bare(place), made.to_text());
        self.write_request(now, user, &[], out, |bytes| {
            muc::open(bytes, &room, seats.end - seats.start + SPARE_SEATS, id.as_str());
        });
    }

    /// A request of ours was answered: it may be one that makes a room. Whatever the answer, the room is there and its maker in it; a
    /// refusal is counted, and what others make of the room is counted with them.
    pub(super) fn heed_answer(&mut self, note: &Note) {
        if self.stays.making.is_empty() {
            return;
        }
        let token = match note {
            Note::Arrive(arrive) => &arrive.token,
            Note::Fail { token, .. } => token,
            Note::Expect(_) => return,
        };
        if token.kind == TokenKind::Request {
            self.made(token.sequence, RoomState::Open);
        }
    }

    /// Joins that have been waited for longer than the deadline are over; a room that was not made by then may be tried by another.
    pub(super) fn give_up_joins(&mut self, now: Offset) {
        let deadline = self.run.deadline;
        let late = self.stays.under_way.iter().filter(|(_, joining)| now.since(joining.began) > deadline);
        let late: Vec<(u32, Option<Token>)> = late.map(|(seat, joining)| (*seat, joining.made)).collect();
        for (seat, made) in late {
            self.stays.under_way.remove(&seat);
            if let Some(made) = made {
                self.made(made.sequence, RoomState::Absent);
                if self.life == Life::Running {
                    self.stays.due.push(Reverse((now + NOT_MADE, seat, now + NOT_MADE)));
                }
            }
        }
    }

    /// No join begins any more. Those intended before `until` that did not begin are counted: for want of the room, or of our time.
    pub(super) fn stop_joins(&mut self, until: Offset) {
        let run = Arc::clone(&self.run);
        for Reverse((_, seat, intended)) in std::mem::take(&mut self.stays.due) {
            let Some(set) = run.rooms.iter().rev().find(|set| set.first_seat <= seat) else { continue };
            let user = set.user_of(seat);
            let is_online = self.users[(user - self.range.start) as usize].is_online();
            if intended >= until || !is_online || self.whereabouts.is_seated(seat) {
                continue;
            }
            let is_open = self.whereabouts.room(set.place_of(seat)) == RoomState::Open;
            let reason = if is_open { Unsent::Stopped } else { Unsent::NotJoined };
            self.recorder.unsent(set.join, run.group_of(user).id, intended, reason);
        }
    }

    /// What came of making a room; gives the maker's seat.
    fn made(&mut self, sequence: u64, state: RoomState) -> Option<u32> {
        let seat = self.stays.making.remove(&sequence)?;
        if let Some(joining) = self.stays.under_way.get_mut(&seat) {
            joining.made = None;
        }
        self.forget_if_over(seat);
        let run = Arc::clone(&self.run);
        let set = run.rooms.iter().rev().find(|set| set.first_seat <= seat)?;
        if state == RoomState::Absent {
            self.whereabouts.seat(seat, false);
        }
        self.whereabouts.end_room(set.place_of(seat), state);
        Some(seat)
    }

    fn refused(&mut self, now: Offset, place: Place, seat: u32, class: ErrorClass, is_locked: bool) {
        let Some(joining) = self.stays.under_way.remove(&seat) else { return };
        for token in [joining.joined, joining.entered, joining.made].into_iter().flatten() {
            self.recorder.note(Note::Fail { token, class, done: now });
        }
        if let Some(made) = joining.made {
            self.stays.making.remove(&made.sequence);
            self.whereabouts.end_room(place, RoomState::Absent);
        }
        if (is_locked || joining.made.is_some()) && self.life == Life::Running {
            self.stays.due.push(Reverse((now + NOT_MADE, seat, now + NOT_MADE)));
        }
    }

    /// It is in the room no more, though its session goes on.
    fn left_room(&mut self, now: Offset, user: UserIndex, place: Place, seat: u32) {
        self.stays.changed.insert(seat, now);
        self.break_order(seat);
        if !self.whereabouts.seat(seat, false) {
            return;
        }
        if let Some(set) = self.run.room_set(place) {
            self.whereabouts.vacate(place, set.seats(place));
        }
        self.recorder.void_stay(user, place, now);
        for (number, batch) in self.peers.outgoing.iter_mut().enumerate() {
            if number != usize::from(self.number) {
                batch.push(Message::VoidStay(user, place, now));
            }
        }
    }

    /// A user's session is over: so are its stays. What was under way is the ledger's to end.
    pub(super) fn leave_rooms(&mut self, user: UserIndex) {
        let run = Arc::clone(&self.run);
        for set in &run.rooms {
            for seat in set.seats_of(user.0) {
                if self.whereabouts.seat(seat, false) {
                    self.break_order(seat);
                    self.whereabouts.vacate(set.place_of(seat), set.seats(set.place_of(seat)));
                }
                if let Some(made) = self.stays.under_way.remove(&seat).and_then(|joining| joining.made) {
                    self.stays.making.remove(&made.sequence);
                    self.whereabouts.end_room(set.place_of(seat), RoomState::Absent);
                }
            }
        }
    }

    fn break_order(&mut self, seat: u32) {
        self.stays.seen.entry(seat).or_default().broken = true;
    }

    /// A room's word is the answer to one of our requests.
    fn answer(&mut self, now: Offset, token: Option<Token>) {
        let Some(token) = token else { return };
        let (recipient, place) = (token.sender, Place::NOWHERE);
        let arrive =
            Arrive { token, recipient, done: now, stored: false, intact: true, place, since: Offset::ZERO };
        self.recorder.note(Note::Arrive(arrive));
    }

    fn forget_if_over(&mut self, seat: u32) {
        let is_over = |joining: &Joining| {
            joining.entered.is_none() && joining.joined.is_none() && joining.made.is_none()
        };
        if self.stays.under_way.get(&seat).is_some_and(is_over) {
            self.stays.under_way.remove(&seat);
        }
    }
}

/// Places beyond the planned occupants: a session that was cut may still sit in the room when its user comes back.
const SPARE_SEATS: u32 = 50;

/// Spreads a key over 64 bits (`SplitMix64`'s finaliser).
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
