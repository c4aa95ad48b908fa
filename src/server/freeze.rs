//! Freezes in virtual time: what comes in while frozen waits, and is handled in order at the thaw.
//!
//! Over sockets the driver's thread does nothing instead, so that the kernel's buffers fill; the machine then has no
//! freezes of its own. Either way the truth says when it began and ended.

use std::collections::VecDeque;

use crate::machine::{Channel, CloseCause, DerivedKey, Event, Outbox};
use crate::server::Server;
use crate::server::fault::Freeze;
use crate::server::truth::{FreezeLine, Line};
use crate::units::Offset;

/// The most bytes that may wait for the thaw; a channel that sends more is reset.
const BACKLOG_MAX: usize = 256 << 20;

/// The freezes to come, and what waits while one lasts.
#[derive(Debug)]
pub(super) struct Frost {
    /// Start and end of each freeze to come.
    planned: VecDeque<(Offset, Offset)>,
    /// Since when, and until when.
    current: Option<(Offset, Offset)>,
    backlog: VecDeque<(Channel, Kept)>,
    kept_bytes: usize,
}

/// An event that waits.
#[derive(Debug)]
enum Kept {
    Accepted(std::net::SocketAddr),
    Secured(Box<crate::machine::Secured>),
    Data(Vec<u8>),
    Derived(DerivedKey),
    Closed(CloseCause),
}

impl Kept {
    /// Events without a meaning for a server are not kept.
    fn of(event: Event<'_>) -> Option<Self> {
        Some(match event {
            Event::Accepted(peer) => Self::Accepted(peer),
            Event::Secured(facts) => Self::Secured(facts),
            Event::Data(bytes) => Self::Data(bytes.to_vec()),
            Event::Derived(key) => Self::Derived(key),
            Event::Closed(cause) => Self::Closed(cause),
            Event::Resolved(_) | Event::Opened(_) | Event::Sent(_) => return None,
        })
    }
}

impl Frost {
    pub(super) fn new(freezes: &[Freeze], start: Offset) -> Self {
        let planned =
            freezes.iter().map(|freeze| (start + freeze.at, start + freeze.at + freeze.length)).collect();
        Self { planned, current: None, backlog: VecDeque::new(), kept_bytes: 0 }
    }

    pub(super) const fn is_frozen(&self) -> bool {
        self.current.is_some()
    }

    /// When the current freeze ends.
    pub(super) fn end(&self) -> Option<Offset> {
        self.current.map(|(_, end)| end)
    }

    /// When the next one starts.
    pub(super) fn next_start(&self) -> Option<Offset> {
        self.planned.front().map(|(start, _)| *start)
    }

    /// The next freeze begins now.
    pub(super) fn begin(&mut self, now: Offset) {
        self.current = self.planned.pop_front().map(|(_, end)| (now, end));
    }

    /// Keeps an event for the thaw, or names the channel that sent too much.
    pub(super) fn keep(&mut self, channel: Channel, event: Event<'_>) -> Result<(), Channel> {
        if let Event::Data(bytes) = event {
            if self.kept_bytes + bytes.len() > BACKLOG_MAX {
                return Err(channel);
            }
            self.kept_bytes += bytes.len();
        }
        self.backlog.extend(Kept::of(event).map(|kept| (channel, kept)));
        Ok(())
    }
}

impl Server {
    /// The freeze has ended: what waited is handled, in order, at the instant of the thaw.
    pub(super) fn thaw(&mut self, out: &mut Outbox) {
        let Some((start, _)) = self.frost.current.take() else { return };
        self.note(Line::Freeze(FreezeLine { start_ns: start.as_nanos(), end_ns: self.now.as_nanos() }));
        self.frost.kept_bytes = 0;
        for (channel, kept) in std::mem::take(&mut self.frost.backlog) {
            let event = match &kept {
                Kept::Accepted(peer) => Event::Accepted(*peer),
                Kept::Secured(facts) => Event::Secured(facts.clone()),
                Kept::Data(bytes) => Event::Data(bytes),
                Kept::Derived(key) => Event::Derived(key.clone()),
                Kept::Closed(cause) => Event::Closed(cause.clone()),
            };
            self.handle(channel, event, out);
        }
        self.release_copies(out);
    }
}
