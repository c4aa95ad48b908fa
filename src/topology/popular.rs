//! Contacts by popularity: most users have about as many as they chose, a few are known to nearly everybody.

use crate::seed::{Draw, Permutation, Stream};

/// Changing these changes every `zipf` roster ever made.
const ROSTERS: u64 = 0x726f_7374_6572_0002;
const RANKS: Stream = Stream(0x0600_0001);
const CHOICES: Stream = Stream(0x0600_0002);
/// After so many draws of somebody already chosen, the next free one by rank is taken.
const ATTEMPTS: u32 = 32;

/// Contact lists one after the other, each sorted.
#[derive(Clone, Debug)]
pub(super) struct Popular {
    /// Where each user's list begins, and the end of the last.
    starts: Vec<u32>,
    contacts: Vec<u32>,
}

impl Popular {
    /// Every user chooses half of `mean` others, the user of rank r with a weight of r^−`exponent`; whoever chooses or
    /// is chosen is a contact. (Of an odd `mean`, users of even index choose the larger half.)
    pub(super) fn new(count: u32, mean: u32, exponent: f64) -> Self {
        let mean = mean.min(count.saturating_sub(1));
        let ranks = Ranks::new(count, exponent);
        let mut pairs = Vec::with_capacity(2 * count as usize * mean.div_ceil(2) as usize);
        let mut chosen = Vec::new();
        for user in 0..count {
            let wanted = if user.is_multiple_of(2) { mean.div_ceil(2) } else { mean / 2 };
            ranks.choose(user, wanted, &mut chosen);
            pairs.extend(chosen.iter().flat_map(|&other| [(user, other), (other, user)]));
        }
        pairs.sort_unstable();
        pairs.dedup();
        Self::from_pairs(count, &pairs)
    }

    pub(super) fn contacts(&self, user: u32) -> &[u32] {
        let user = user as usize;
        &self.contacts[self.starts[user] as usize..self.starts[user + 1] as usize]
    }

    fn from_pairs(count: u32, pairs: &[(u32, u32)]) -> Self {
        let mut starts = vec![0; count as usize + 1];
        for &(user, _) in pairs {
            starts[user as usize + 1] += 1;
        }
        for user in 0..count as usize {
            starts[user + 1] += starts[user];
        }
        Self { starts, contacts: pairs.iter().map(|&(_, other)| other).collect() }
    }
}

/// Who has which popularity. Ranks are scattered over the indices, so that the popular ones neither log in first nor
/// fall to one worker.
struct Ranks {
    users: Permutation,
    /// The weights added up to each rank.
    cumulative: Vec<f64>,
}

impl Ranks {
    fn new(count: u32, exponent: f64) -> Self {
        let mut total = 0.0;
        let weigh = |rank: u32| {
            total += f64::from(rank + 1).powf(-exponent);
            total
        };
        Self {
            cumulative: (0..count).map(weigh).collect(),
            users: Permutation::new(count, &mut Draw::new(ROSTERS, RANKS, u64::from(count))),
        }
    }

    /// Puts `wanted` different users other than `user` into `chosen`, sorted.
    fn choose(&self, user: u32, wanted: u32, chosen: &mut Vec<u32>) {
        chosen.clear();
        let mut draw = Draw::new(ROSTERS, CHOICES, u64::from(user));
        while chosen.len() < wanted as usize {
            let (place, other) = self.next(user, chosen, &mut draw);
            chosen.insert(place, other);
        }
    }

    /// Somebody not yet chosen, and where in the sorted list they belong.
    fn next(&self, user: u32, chosen: &[u32], draw: &mut Draw) -> (usize, u32) {
        let free = |rank: u32| {
            let other = self.users.apply(rank);
            let place = chosen.binary_search(&other).err().filter(|_| other != user)?;
            Some((place, other))
        };
        let mut rank = 0;
        for _ in 0..ATTEMPTS {
            rank = self.rank_at(draw.unit());
            if let Some(found) = free(rank) {
                return found;
            }
        }
        let count = self.cumulative.len() as u32;
        (0..count)
            .find_map(|step| free((rank + step) % count))
            .expect("fewer are wanted than there are others")
    }

    fn rank_at(&self, share: f64) -> u32 {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let rank = self.cumulative.partition_point(|&weight| weight <= share * total);
        rank.min(self.cumulative.len() - 1) as u32
    }
}
