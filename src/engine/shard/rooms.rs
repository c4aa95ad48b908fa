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

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::run::{RoomSet, Run};
use crate::engine::shard::joins::{Joins, Wanted};
use crate::engine::shard::report::RoomOrder;
use crate::engine::shard::{Life, Message, Shard, Tracked};
use crate::engine::whereabouts::RoomState;
use crate::machine::{Channel, Outbox};
use crate::sample::ledger::Arrive;
use crate::sample::{ErrorClass, Note, Place, Token, TokenKind, Unsent, UserIndex};
use crate::units::Offset;
use crate::user::RoomEvent;
use crate::xmpp::muc;

/// How soon it is looked again whether a room that is not open is still in the making; that it is open is told.
const NOT_OPEN_YET: Duration = Duration::from_millis(20);
/// How soon a room that could not be made is tried again.
const NOT_MADE: Duration = Duration::from_secs(1);

/// The stays of a shard's users. Seats and rooms are numbered through the whole run.
#[derive(Default)]
pub(super) struct Stays {
    joins: Joins,
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
    /// The room was not made by the deadline: another may try.
    given_up: bool,
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
    /// Nobody anywhere, and what the plan wants of these users.
    pub(super) fn new(run: &Run, users: &Range<u32>) -> Self {
        Self { joins: Joins::planned(run, users), ..Self::default() }
    }

    /// When a join is due next.
    pub(super) fn next(&self) -> Option<Offset> {
        self.joins.next()
    }

    /// A user's session was ended by plan; nobody counts on it before `until`.
    pub(super) fn user_away(&mut self, user: u32, until: Offset) {
        self.joins.user_away(user, until);
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
            let set = set_of(run, seat)?;
            let Seen { count, digest, broken, .. } = *seen;
            Some(RoomOrder { place: set.place_of(seat), count, digest, broken })
        });
        orders.collect()
    }
}

impl Shard {
    /// A user came online: it makes its rooms that nobody has made, and joins the others when that is due.
    pub(super) fn plan_joins(&mut self, now: Offset, user: UserIndex) {
        self.stays.joins.user_back(user.0);
        if self.life != Life::Running {
            return;
        }
        let run = Arc::clone(&self.run);
        for set in &run.rooms {
            for seat in set.seats_of(user.0) {
                let planned = set.plan.joins_at(seat - set.first_seat).unwrap_or(now).max(now);
                let is_absent = self.whereabouts.room(set.place_of(seat)) == RoomState::Absent;
                let due = if is_absent { now } else { planned };
                self.stays.joins.want(seat, Wanted { due, intended: planned });
            }
        }
    }

    /// Begins one join that is due. Returns whether there was one.
    pub(super) fn attend_rooms(&mut self, now: Offset, out: &mut Outbox) -> bool {
        let Some((seat, Wanted { due, intended })) = self.stays.joins.take_due(now) else { return false };
        let run = Arc::clone(&self.run);
        let Some(set) = set_of(&run, seat) else { return true };
        let user = set.user_of(seat);
        if !self.users[(user - self.range.start) as usize].is_online() {
            self.miss_join(set, seat, intended);
            return true;
        }
        if self.whereabouts.is_seated(seat) || self.stays.under_way.contains_key(&seat) {
            return true;
        }
        let place = set.place_of(seat);
        match self.whereabouts.room(place) {
            RoomState::Absent if self.whereabouts.begin_room(place) => self.make_room(now, set, seat, out),
            RoomState::Absent | RoomState::InTheMaking => {
                // The longer it takes, the less often it is looked.
                let wait = (now.since(intended) / 4).clamp(NOT_OPEN_YET, NOT_MADE);
                self.stays.joins.want(seat, Wanted { due: now + wait, intended });
            }
            RoomState::Open if intended > now => {
                self.stays.joins.want(seat, Wanted { due: intended, intended });
            }
            RoomState::Open => {
                // That the room was not open is not this worker's being late.
                let since = due.max(intended);
                self.watch.lags[run.phase_of(intended)].record_nanos(now.signed_nanos_since(since));
                self.join_room(now, set, seat, intended, out);
            }
        }
        true
    }

    /// The plan wanted a join of somebody who was not there. Whoever ended its session by plan, or is not due yet, joins when it comes.
    fn miss_join(&mut self, set: &RoomSet, seat: u32, intended: Offset) {
        let user = set.user_of(seat);
        if self.stays.joins.counts_on(&self.run, user, intended) {
            let reason = self.whose_fault(user).unwrap_or(Unsent::SenderOffline);
            self.recorder.unsent(set.join, self.run.group_of(user).id, intended, reason);
        }
    }

    fn make_room(&mut self, now: Offset, set: &RoomSet, seat: u32, out: &mut Outbox) {
        let user = UserIndex(set.user_of(seat));
        let Some(made) = self.expect_making(now, set, seat) else {
            self.try_again(now, seat);
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
        (joining.made, joining.began, joining.given_up) = (Some(made), now, false);
        Some(made)
    }

    /// A room that could not be made, or was not open yet: not at once again.
    fn try_again(&mut self, now: Offset, seat: u32) {
        if self.life == Life::Running {
            let at = now + NOT_MADE;
            self.stays.joins.want(seat, Wanted { due: at, intended: at });
        }
    }

    fn join_room(&mut self, now: Offset, set: &RoomSet, seat: u32, intended: Offset, out: &mut Outbox) {
        let user = UserIndex(set.user_of(seat));
        // Both or none: one alone would be waited for in vain.
        let both = self.recorder.has_room_for(2).then(|| {
            let joined = self.expect_request(now, user, set.join, intended);
            let entered = self.expect_request(now, user, set.enter, intended);
            joined.zip(entered)
        });
        let Some((joined, entered)) = both.flatten() else {
            let group = self.run.group_of(user.0).id;
            return self.recorder.unsent(set.join, group, intended, Unsent::OurLimit);
        };
        let joining =
            Joining { entered: Some(entered), joined: Some(joined), began: now, ..Joining::default() };
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
        // An answer beyond the horizon has no request any more; its user is in the room all the same.
        let joining = self.stays.under_way.get_mut(&seat);
        let (entered, made) = joining.map_or((None, None), |joining| (joining.entered.take(), joining.made));
        let is_new = self.whereabouts.seat(seat, true);
        if is_new || entered.is_some() {
            self.stays.changed.insert(seat, now);
        }
        self.answer(now, entered);
        // A room that had gone with its last occupant was made anew by this join: it has to be opened like any.
        let made = if created && made.is_none() {
            self.whereabouts.end_room(set.place_of(seat), RoomState::InTheMaking);
            self.expect_making(now, set, seat)
        } else {
            if made.is_none() && self.whereabouts.reopen(set.place_of(seat)) {
                self.tell_open(now, set.place_of(seat));
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
    pub(super) fn heed_answer(&mut self, now: Offset, note: &Note) {
        if self.stays.making.is_empty() {
            return;
        }
        let token = match note {
            Note::Arrive(arrive) => &arrive.token,
            Note::Fail { token, .. } => token,
            Note::Expect(_) => return,
        };
        if token.kind == TokenKind::Request {
            self.made(now, token.sequence);
        }
    }

    /// A room that was not made by the deadline may be tried by another. What was not answered within the horizon is the ledger's no
    /// more; until then an answer is late, and counts.
    pub(super) fn give_up_joins(&mut self, now: Offset) {
        let run = Arc::clone(&self.run);
        let (deadline, horizon) = (run.deadline, run.horizon());
        let mut over = Vec::new();
        for (&seat, joining) in &mut self.stays.under_way {
            let age = now.since(joining.began);
            if joining.made.is_some() && age > deadline && !joining.given_up {
                joining.given_up = true;
                if let Some(set) = set_of(&run, seat) {
                    self.whereabouts.end_room(set.place_of(seat), RoomState::Absent);
                }
            }
            if age > horizon {
                over.push((seat, joining.made));
            }
        }
        for (seat, made) in over {
            self.stays.under_way.remove(&seat);
            if let Some(made) = made {
                self.stays.making.remove(&made.sequence);
                self.try_again(now, seat);
            }
        }
    }

    /// No join begins any more. Those intended before `until` that did not begin are counted: for want of the room, or of our time.
    pub(super) fn stop_joins(&mut self, until: Offset) {
        let run = Arc::clone(&self.run);
        for (seat, Wanted { intended, .. }) in self.stays.joins.stop() {
            let Some(set) = set_of(&run, seat).filter(|_| intended < until) else { continue };
            if !self.users[(set.user_of(seat) - self.range.start) as usize].is_online() {
                self.miss_join(set, seat, intended);
            } else if !self.whereabouts.is_seated(seat) && !self.stays.under_way.contains_key(&seat) {
                self.drop_join(set, seat, intended);
            }
        }
    }

    /// A join whose time had come does not begin any more.
    fn drop_join(&mut self, set: &RoomSet, seat: u32, intended: Offset) {
        let is_open = self.whereabouts.room(set.place_of(seat)) == RoomState::Open;
        let reason = if is_open { Unsent::Stopped } else { Unsent::NotJoined };
        self.recorder.unsent(set.join, self.run.group_of(set.user_of(seat)).id, intended, reason);
    }

    /// A room was made.
    fn made(&mut self, now: Offset, sequence: u64) {
        let Some(seat) = self.stays.making.remove(&sequence) else { return };
        if let Some(joining) = self.stays.under_way.get_mut(&seat) {
            joining.made = None;
        }
        self.forget_if_over(seat);
        let place = set_of(&self.run, seat).map(|set| set.place_of(seat));
        if let Some(place) = place {
            self.whereabouts.end_room(place, RoomState::Open);
            self.tell_open(now, place);
        }
    }

    /// Has everybody know that waits for a room.
    fn tell_open(&mut self, now: Offset, place: Place) {
        self.room_opened(now, place);
        for (number, batch) in self.peers.outgoing.iter_mut().enumerate() {
            if number != usize::from(self.number) {
                batch.push(Message::RoomOpened(place));
            }
        }
    }

    /// A room is open: whoever waited for it joins now.
    pub(super) fn room_opened(&mut self, now: Offset, place: Place) {
        let Some(set) = self.run.room_set(place) else { return };
        for seat in set.seats(place) {
            self.stays.joins.hurry(now, seat);
        }
    }

    fn refused(&mut self, now: Offset, place: Place, seat: u32, class: ErrorClass, is_locked: bool) {
        let Some(joining) = self.stays.under_way.remove(&seat) else { return };
        for token in [joining.joined, joining.entered, joining.made].into_iter().flatten() {
            self.recorder.note(Note::Fail { token, class, done: now });
        }
        self.stop_making(place, joining);
        if is_locked || joining.made.is_some() {
            self.try_again(now, seat);
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
    pub(super) fn leave_rooms(&mut self, now: Offset, user: UserIndex) {
        let run = Arc::clone(&self.run);
        for set in &run.rooms {
            for seat in set.seats_of(user.0) {
                self.put_off_join(now, set, seat);
                if self.whereabouts.seat(seat, false) {
                    self.break_order(seat);
                    self.whereabouts.vacate(set.place_of(seat), set.seats(set.place_of(seat)));
                }
                if let Some(joining) = self.stays.under_way.remove(&seat) {
                    self.stop_making(set.place_of(seat), joining);
                }
            }
        }
    }

    /// Its user's session ended before a join began: one whose time had come never will, one to come is looked at when it is due.
    fn put_off_join(&mut self, now: Offset, set: &RoomSet, seat: u32) {
        match self.stays.joins.take(seat) {
            Some(Wanted { intended, .. }) if intended > now => {
                self.stays.joins.want(seat, Wanted { due: intended, intended });
            }
            Some(Wanted { intended, .. }) => self.drop_join(set, seat, intended),
            None => {}
        }
    }

    /// Whoever was making a room does not any more; where it had been given up already, another may be at it.
    fn stop_making(&mut self, place: Place, joining: Joining) {
        let Some(made) = joining.made else { return };
        self.stays.making.remove(&made.sequence);
        if !joining.given_up {
            self.whereabouts.end_room(place, RoomState::Absent);
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

/// The set of rooms a seat is in.
fn set_of(run: &Run, seat: u32) -> Option<&RoomSet> {
    run.rooms.iter().rev().find(|set| set.first_seat <= seat)
}

/// Spreads a key over 64 bits (`SplitMix64`'s finaliser).
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
