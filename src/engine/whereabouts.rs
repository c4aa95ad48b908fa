//! Who is where while a run goes on, by the tool's own view: online or not, in which rooms, and which rooms there are.
//!
//! One byte per user, seat and room, read by all workers without a lock. A user's and a seat's are written by the user's own
//! worker alone; whose business it is to make a room is settled by who first says so.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::engine::run::Run;
use crate::sample::{Place, Unsent, UserIndex};

/// Where a user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Presence {
    /// Not there: not yet, no more, or beginning or ending a session.
    Offline = 0,
    /// Bound and available, and the server has shown that it knows.
    Online = 1,
    /// Not there, and it is our doing: a limit of this machine, or a login that could not work as asked.
    OfflineByUs = 2,
}

/// Where a room stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RoomState {
    /// Nobody has made it.
    Absent = 0,
    /// Somebody is making it.
    InTheMaking = 1,
    /// It is open to all its users.
    Open = 2,
}

/// See the module text.
#[derive(Debug)]
pub struct Whereabouts {
    users: Vec<AtomicU8>,
    seats: Vec<AtomicU8>,
    rooms: Vec<AtomicU8>,
}

impl Whereabouts {
    /// Nobody anywhere.
    pub fn nobody(run: &Run) -> Self {
        let zeros = |count: u32| (0..count).map(|_| AtomicU8::new(0)).collect();
        let (rooms, seats) = run.room_totals();
        Self { users: zeros(run.users()), seats: zeros(seats), rooms: zeros(rooms) }
    }

    /// Whether a user is bound, available, and neither beginning nor ending a session.
    pub fn is_online(&self, user: UserIndex) -> bool {
        self.users.get(user.0 as usize).is_some_and(|place| read(place) == Presence::Online as u8)
    }

    /// Our own doing, if that is why a user is not online.
    pub fn whose_fault(&self, user: UserIndex) -> Option<Unsent> {
        let place = read(self.users.get(user.0 as usize)?);
        (place == Presence::OfflineByUs as u8).then_some(Unsent::OurLimit)
    }

    /// Only the user's own worker says so.
    pub fn set(&self, user: UserIndex, presence: Presence) {
        if let Some(place) = self.users.get(user.0 as usize) {
            place.store(presence as u8, Ordering::Relaxed);
        }
    }

    /// Whether the user of a seat is in its room.
    pub fn is_seated(&self, seat: u32) -> bool {
        self.seats.get(seat as usize).is_some_and(|seat| read(seat) == 1)
    }

    /// Takes or leaves a seat: only its user's own worker does. Returns whether that changed anything.
    pub fn seat(&self, seat: u32, taken: bool) -> bool {
        let seat = self.seats.get(seat as usize);
        seat.is_some_and(|seat| seat.swap(u8::from(taken), Ordering::Relaxed) != u8::from(taken))
    }

    /// Where a room stands.
    pub fn room(&self, place: Place) -> RoomState {
        match self.rooms.get(place.0 as usize).map(read) {
            Some(1) => RoomState::InTheMaking,
            Some(2) => RoomState::Open,
            _ => RoomState::Absent,
        }
    }

    /// Takes it upon oneself to make a room: true for the first who says so.
    pub fn begin_room(&self, place: Place) -> bool {
        let (absent, making) = (RoomState::Absent as u8, RoomState::InTheMaking as u8);
        self.rooms.get(place.0 as usize).is_some_and(|room| {
            room.compare_exchange(absent, making, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        })
    }

    /// A seat was left: an open room without occupants is gone (XEP-0045 §10.1.3, rooms are temporary), and the next one in makes it.
    pub fn vacate(&self, place: Place, mut seats: Range<u32>) {
        if self.room(place) == RoomState::Open && !seats.any(|seat| self.is_seated(seat)) {
            self.change_room(place, RoomState::Open, RoomState::Absent);
        }
    }

    /// A room that was taken for gone was there when somebody entered. Returns whether it was taken for gone.
    pub fn reopen(&self, place: Place) -> bool {
        self.change_room(place, RoomState::Absent, RoomState::Open)
    }

    /// Where it stands elsewhere by now, somebody else knows better.
    fn change_room(&self, place: Place, from: RoomState, to: RoomState) -> bool {
        let (from, to) = (from as u8, to as u8);
        let room = self.rooms.get(place.0 as usize);
        room.is_some_and(|room| room.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok())
    }

    /// What came of making it.
    pub fn end_room(&self, place: Place, state: RoomState) {
        if let Some(room) = self.rooms.get(place.0 as usize) {
            room.store(state as u8, Ordering::Relaxed);
        }
    }
}

fn read(place: &AtomicU8) -> u8 {
    place.load(Ordering::Relaxed)
}
