//! Channels by number. Numbers below 2³¹ are the machine's, the others the driver's own for accepted channels.
//!
//! Every slot counts the lives it has had, so that an answer or a deadline meant for one channel is never given to the
//! next one of the same number.

use super::conn::Conn;
use crate::machine::Channel;

/// The first number of accepted channels.
pub(super) const ACCEPTED: u32 = 1 << 31;
/// The first number that means a listener, as a key of the ready list.
pub(super) const LISTENERS: u32 = u32::MAX - 255;

#[derive(Default)]
struct Slot {
    generation: u32,
    conn: Option<Box<Conn>>,
}

/// All channels of a driver.
pub(super) struct Table {
    limit: usize,
    opened: Vec<Slot>,
    accepted: Vec<Slot>,
    free: Vec<u32>,
    count: usize,
}

impl Table {
    /// Machines may use numbers below `limit`.
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, opened: Vec::new(), accepted: Vec::new(), free: Vec::new(), count: 0 }
    }

    /// Whether a number is a machine's to give.
    pub(super) const fn may_insert(&self, channel: Channel) -> bool {
        channel.0 < ACCEPTED && (channel.0 as usize) < self.limit
    }

    /// Channels there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&mut self, channel: Channel) -> Option<&mut Conn> {
        self.slot(channel)?.conn.as_deref_mut()
    }

    /// Which life of this number it is; a number never used is in its first.
    pub(super) fn generation(&mut self, channel: Channel) -> u32 {
        self.slot(channel).map_or(0, |slot| slot.generation)
    }

    /// Puts a channel the machine numbered; false if the number is taken or not the machine's to give.
    pub(super) fn insert(&mut self, channel: Channel, conn: Conn) -> bool {
        if !self.may_insert(channel) {
            return false;
        }
        let index = channel.0 as usize;
        if index >= self.opened.len() {
            self.opened.resize_with(index + 1, Slot::default);
        }
        let slot = &mut self.opened[index];
        if slot.conn.is_some() {
            return false;
        }
        slot.conn = Some(Box::new(conn));
        self.count += 1;
        true
    }

    /// The number the next accepted channel will have.
    pub(super) fn next_accepted(&self) -> Channel {
        Channel(ACCEPTED + self.free.last().copied().unwrap_or(self.accepted.len() as u32))
    }

    /// Puts an accepted channel at [`Table::next_accepted`].
    pub(super) fn insert_accepted(&mut self, conn: Conn) {
        let index = self.free.pop().map_or(self.accepted.len(), |index| index as usize);
        if index == self.accepted.len() {
            self.accepted.push(Slot::default());
        }
        self.accepted[index].conn = Some(Box::new(conn));
        self.count += 1;
    }

    /// Ends a life.
    pub(super) fn remove(&mut self, channel: Channel) -> Option<Box<Conn>> {
        let slot = self.slot(channel)?;
        let conn = slot.conn.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.count -= 1;
        Some(conn)
    }

    /// Makes the number of an accepted channel free again: once its machine knows that it is gone.
    pub(super) fn release(&mut self, channel: Channel) {
        if channel.0 >= ACCEPTED {
            self.free.push(channel.0 - ACCEPTED);
        }
    }

    fn slot(&mut self, channel: Channel) -> Option<&mut Slot> {
        if channel.0 >= ACCEPTED {
            self.accepted.get_mut((channel.0 - ACCEPTED) as usize)
        } else {
            self.opened.get_mut(channel.0 as usize)
        }
    }
}
