//! Who is away by plan: sessions that an activity ends, until they are planned back.
//!
//! A [`crate::plan::Cursor`] walks the ends of everybody's sessions in time order, whichever range of users it serves, so every
//! cursor knows the same users away at the same instant. That is what keeps picks of senders and recipients a function of
//! profile and seed with sessions coming and going.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use std::time::Duration;

use crate::profile::Absence;
use crate::seed::Draw;
use crate::units::Offset;

/// How a session ends, and how long its user stays away: cut or not, and the time.
pub fn draw(absence: &Absence, draw: &mut Draw) -> (bool, Duration) {
    (draw.unit() < absence.cut, absence.away.sample(draw))
}

/// See the module text.
#[derive(Debug, Default)]
pub struct Away {
    /// From when on each may be counted on again.
    until: HashMap<u32, Offset>,
    ends: BinaryHeap<Reverse<(Offset, u32)>>,
}

impl Away {
    /// Whether a user is away at an instant no earlier than any asked for before.
    pub fn is_away(&self, user: u32, at: Offset) -> bool {
        !self.until.is_empty() && self.until.get(&user).is_some_and(|until| at < *until)
    }

    /// A user goes away, and may be counted on again from `until`.
    pub fn add(&mut self, user: u32, at: Offset, until: Offset) {
        while let Some(Reverse((end, user))) =
            self.ends.peek().copied().filter(|Reverse((end, _))| *end <= at)
        {
            self.ends.pop();
            if self.until.get(&user) == Some(&end) {
                self.until.remove(&user);
            }
        }
        self.until.insert(user, until);
        self.ends.push(Reverse((until, user)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Offset {
        Offset::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn whoever_went_away_is_away_until_it_is_back_and_is_then_forgotten() {
        let mut away = Away::default();
        away.add(1, s(1), s(5));
        away.add(2, s(2), s(3));
        assert!(away.is_away(1, s(4)) && away.is_away(2, s(2)));
        assert!(!away.is_away(2, s(3)) && !away.is_away(1, s(5)) && !away.is_away(7, s(2)));
        away.add(2, s(6), s(9));
        assert_eq!(away.until.len(), 1, "what is over is forgotten");
    }
}
