//! Who is in which room: seats, filled from a fixed shuffle of the population, never from a run's seed.
//!
//! Seats are numbered through all rooms in order; a room's are adjacent and sorted by user. Nobody sits twice in one room. Once
//! round the population everybody has one seat, and those of the next round one more, so users' numbers of rooms differ by one
//! at most. Stored: 8 bytes a seat, 4 a user and 4 a room.

use std::ops::Range;

use crate::profile::Rooms as Spec;
use crate::seed::{Draw, Permutation, Stream};

/// The rooms of one activity.
#[derive(Clone, Debug)]
pub struct Rooms {
    /// Where each room's seats end.
    ends: Vec<u32>,
    /// Who sits there, by seat.
    users: Vec<u32>,
    /// All seats, by user.
    seats: Vec<u32>,
    /// Where each user's part of `seats` ends.
    seat_ends: Vec<u32>,
}

impl Rooms {
    /// The rooms of an activity (by its place in the profile) among so many users. No room may be larger than the population.
    pub fn new(spec: &Spec, activity: u16, population: u32) -> Self {
        let order = Permutation::new(population, &mut Draw::new(0, Stream::seats(activity), 0));
        let mut users = Vec::new();
        let mut ends = Vec::with_capacity(spec.sizes.len());
        for &size in &spec.sizes {
            let first = users.len();
            let next = first as u64;
            let seated = (next..next + u64::from(size.min(population)))
                .map(|seat| order.apply((seat % u64::from(population.max(1))) as u32));
            users.extend(seated);
            users[first..].sort_unstable();
            ends.push(users.len() as u32);
        }
        let (seats, seat_ends) = by_user(&users, population);
        Self { ends, users, seats, seat_ends }
    }

    /// How many rooms there are.
    pub fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many seats all rooms have.
    pub fn seat_count(&self) -> u32 {
        self.users.len() as u32
    }

    /// A room's seats.
    pub fn seats(&self, room: u32) -> Range<u32> {
        let room = room as usize;
        let first = room.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        first..self.ends.get(room).copied().unwrap_or(first)
    }

    /// Who has a seat.
    pub fn user_of(&self, seat: u32) -> u32 {
        self.users[seat as usize]
    }

    /// Whose room a seat is in.
    pub fn room_of(&self, seat: u32) -> u32 {
        self.ends.partition_point(|&end| end <= seat) as u32
    }

    /// A user's seats, one per room it is in.
    pub fn seats_of(&self, user: u32) -> &[u32] {
        let user = user as usize;
        let first = user.checked_sub(1).and_then(|before| self.seat_ends.get(before)).copied().unwrap_or(0);
        let end = self.seat_ends.get(user).copied().unwrap_or(first);
        &self.seats[first as usize..end as usize]
    }

    /// A user's seat in a room.
    pub fn seat_in(&self, room: u32, user: u32) -> Option<u32> {
        let seats = self.seats(room);
        let users = &self.users[seats.start as usize..seats.end as usize];
        users.binary_search(&user).ok().map(|place| seats.start + place as u32)
    }
}

/// The seats of every user: counted, then laid out.
fn by_user(users: &[u32], population: u32) -> (Vec<u32>, Vec<u32>) {
    let mut ends = vec![0u32; population as usize];
    for &user in users {
        ends[user as usize] += 1;
    }
    let mut sum = 0;
    for end in &mut ends {
        sum += *end;
        *end = sum;
    }
    let mut next: Vec<u32> = std::iter::once(0).chain(ends.iter().copied()).collect();
    let mut seats = vec![0u32; users.len()];
    for (seat, &user) in users.iter().enumerate() {
        seats[next[user as usize] as usize] = seat as u32;
        next[user as usize] += 1;
    }
    (seats, ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Join;

    proptest::proptest! {
        #[test]
        fn everybody_sits_once_in_a_room_and_is_found_there(sizes in proptest::collection::vec(2u32..30, 0..20),
                                                            more in 0u32..50) {
            let population = sizes.iter().copied().max().unwrap_or(1) + more;
            let rooms = Rooms::new(&Spec { sizes: sizes.clone(), join: Join::Login }, 3, population);
            proptest::prop_assert_eq!(rooms.len() as usize, sizes.len());
            for (room, &size) in (0..).zip(&sizes) {
                let seats = rooms.seats(room);
                proptest::prop_assert_eq!(seats.end - seats.start, size);
                let users: Vec<u32> = seats.clone().map(|seat| rooms.user_of(seat)).collect();
                proptest::prop_assert!(users.windows(2).all(|pair| pair[0] < pair[1]), "{users:?}");
                for seat in seats {
                    let user = rooms.user_of(seat);
                    proptest::prop_assert_eq!(rooms.room_of(seat), room);
                    proptest::prop_assert_eq!(rooms.seat_in(room, user), Some(seat));
                    proptest::prop_assert!(rooms.seats_of(user).contains(&seat));
                }
            }
            let counts: Vec<usize> = (0..population).map(|user| rooms.seats_of(user).len()).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            proptest::prop_assert!(most - least <= 1, "{counts:?}");
            proptest::prop_assert_eq!(counts.iter().sum::<usize>(), rooms.seat_count() as usize);
        }
    }
}
