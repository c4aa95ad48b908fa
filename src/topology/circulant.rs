//! Contacts at fixed distances on a circle of users.

use std::collections::BTreeSet;

use crate::seed::{Draw, Stream};

/// Changing these changes every `random` roster ever made.
const ROSTERS: u64 = 0x726f_7374_6572_0001;
const DISTANCES: Stream = Stream(0x0600_0000);

/// The graph joining `a` and `a ± s` (modulo the number of users) for every distance `s`.
#[derive(Clone, Debug)]
pub(super) struct Circulant {
    count: u32,
    /// Rising, each below half of `count`: each gives everyone two contacts.
    distances: Vec<u32>,
    /// Whether everyone also knows the one right across; `count` is even then.
    across: bool,
}

impl Circulant {
    /// `degree` contacts each, the nearest ones.
    pub(super) fn nearest(count: u32, degree: u32) -> Self {
        Self::with(count, degree, |pairs, _| (1..=pairs).collect())
    }

    /// `degree` contacts each, at distances drawn once and for all for each number of users.
    pub(super) fn scattered(count: u32, degree: u32) -> Self {
        Self::with(count, degree, |pairs, available| sample(pairs, available, u64::from(count)))
    }

    fn with(count: u32, degree: u32, distances: impl FnOnce(u32, u32) -> Vec<u32>) -> Self {
        let degree = degree.min(count.saturating_sub(1));
        let across = degree % 2 == 1 && count.is_multiple_of(2);
        Self { count, distances: distances(degree / 2, count.saturating_sub(1) / 2), across }
    }

    pub(super) fn degree(&self) -> u32 {
        2 * self.distances.len() as u32 + u32::from(self.across)
    }

    /// The `k`-th contact of `user`: forwards and backwards in turn, by rising distance, the one across last.
    pub(super) fn contact(&self, user: u32, k: u32) -> u32 {
        let Some(k) = k.checked_rem(self.degree()) else { return user };
        match self.distances.get(k as usize / 2) {
            None => self.forward(user, self.count / 2),
            Some(&distance) if k.is_multiple_of(2) => self.forward(user, distance),
            Some(&distance) => self.forward(user, self.count - distance),
        }
    }

    pub(super) fn joins(&self, a: u32, b: u32) -> bool {
        let forward = self.forward(b, self.count - a);
        let distance = forward.min(self.count - forward);
        self.distances.binary_search(&distance).is_ok() || (self.across && 2 * distance == self.count)
    }

    const fn forward(&self, user: u32, distance: u32) -> u32 {
        ((user as u64 + distance as u64) % self.count as u64) as u32
    }
}

/// `wanted` different numbers of `1..=available`, rising, by Floyd's method: one draw for each, however many there are.
fn sample(wanted: u32, available: u32, index: u64) -> Vec<u32> {
    let mut draw = Draw::new(ROSTERS, DISTANCES, index);
    let mut chosen = BTreeSet::new();
    for last in available - wanted + 1..=available {
        if !chosen.insert(1 + draw.below(last)) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}
