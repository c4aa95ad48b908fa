//! Who knows whom: pure functions of a profile's groups, never of a run's seed, so that rosters made once stay true.
//!
//! Contacts lie within a group. They are mutual (if b is among a's contacts, a is among b's), nobody is their own, and
//! nobody is listed twice.
//!
//! | graph | contacts of a user | stored |
//! |---|---|---|
//! | `ring` | the nearest by index, exactly `contacts` | 4 bytes per two contacts and group |
//! | `random` | at fixed pseudo-random distances by index, exactly `contacts` | the same |
//! | `zipf(s)` | everyone picks half of `contacts` by popularity; about `contacts` on average, a few have very many | at most 4·(contacts + 2) bytes per user |
//!
//! "Exactly" has one exception, by arithmetic: an odd number of users cannot each have an odd number of mutual
//! contacts, so with both odd each has one fewer than the profile says.
//!
//! `ring` and `random` are circulant graphs: the contacts of `a` are `a ± s` for a fixed set of distances `s`, which
//! makes counting, listing and looking up index arithmetic. A circulant with scattered distances is not a uniformly
//! random graph (everybody's neighbourhood looks the same), but it has what a load needs of one: contacts anywhere in
//! the population, hardly any triangles, and no user that stands out.
//!
//! Rooms are seated the same way ([`Rooms`]).
//!
//! It refuses to know who is online: that is the plan's.

mod circulant;
mod popular;
mod rooms;

pub use rooms::Rooms;

use crate::profile::{Graph, Group};
use circulant::Circulant;
use popular::Popular;

/// The contacts of every user of a profile. Users are indices over the whole population.
#[derive(Clone, Debug)]
pub struct Topology {
    circles: Vec<Circle>,
}

/// A group's range of the population and the graph over it.
#[derive(Clone, Debug)]
struct Circle {
    first: u32,
    count: u32,
    graph: Edges,
}

#[derive(Clone, Debug)]
enum Edges {
    Circulant(Circulant),
    Popular(Popular),
}

impl Topology {
    /// The topology of a profile's groups.
    pub fn new(groups: &[Group]) -> Self {
        Self { circles: groups.iter().map(Circle::of).collect() }
    }

    /// How many contacts a user has; 0 for an index beyond the population.
    pub fn contact_count(&self, user: u32) -> u32 {
        self.place(user).map_or(0, |(circle, local)| match &circle.graph {
            Edges::Circulant(graph) => graph.degree(),
            Edges::Popular(graph) => graph.contacts(local).len() as u32,
        })
    }

    /// A user's `k`-th contact. `k` wraps at the number of contacts; a user without any is told of itself, which a
    /// validated profile never asks for.
    pub fn contact(&self, user: u32, k: u32) -> u32 {
        let Some((circle, local)) = self.place(user) else { return user };
        circle.first
            + match &circle.graph {
                Edges::Circulant(graph) => graph.contact(local, k),
                Edges::Popular(graph) => {
                    let contacts = graph.contacts(local);
                    if contacts.is_empty() { local } else { contacts[k as usize % contacts.len()] }
                }
            }
    }

    /// All contacts of a user, in the order of [`Topology::contact`].
    pub fn contacts(&self, user: u32) -> impl ExactSizeIterator<Item = u32> + '_ {
        let count = self.contact_count(user) as usize;
        (0..count).map(move |k| self.contact(user, k as u32))
    }

    /// Whether two users are in each other's rosters.
    pub fn are_contacts(&self, a: u32, b: u32) -> bool {
        let Some((circle, local)) = self.place(a) else { return false };
        let Some(other) = b.checked_sub(circle.first).filter(|&other| other < circle.count) else {
            return false;
        };
        match &circle.graph {
            Edges::Circulant(graph) => graph.joins(local, other),
            Edges::Popular(graph) => graph.contacts(local).binary_search(&other).is_ok(),
        }
    }

    fn place(&self, user: u32) -> Option<(&Circle, u32)> {
        let position = self.circles.partition_point(|circle| circle.first <= user).checked_sub(1)?;
        let circle = &self.circles[position];
        let local = user - circle.first;
        (local < circle.count).then_some((circle, local))
    }
}

impl Circle {
    fn of(group: &Group) -> Self {
        let Group { first, count, contacts, graph, .. } = *group;
        let graph = match graph {
            Graph::Ring => Edges::Circulant(Circulant::nearest(count, contacts)),
            Graph::Random => Edges::Circulant(Circulant::scattered(count, contacts)),
            Graph::Zipf(exponent) => Edges::Popular(Popular::new(count, contacts, exponent)),
        };
        Self { first, count, graph }
    }
}
