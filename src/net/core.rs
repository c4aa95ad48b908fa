//! The state of a running driver, and what holds its parts together: settling, time, the end of a channel.
//!
//! `effects` carries out what a machine asks, `transfer` moves bytes, `setup` connects, accepts and secures.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use super::config::{DriverConfig, Listener};
use super::conn::{self, Conn};
use super::derive::Answer;
use super::host::{DriverStats, Host};
use super::inbox::InboxSender;
use super::setup::{Sources, Waiting};
use super::table::Table;
use super::timer::{Deadline, Deadlines, Wait};
use super::wake::{Key, ReadyList};
use crate::machine::{Channel, CloseCause, Event, LocalLimit, Outbox};
use crate::units::Offset;

/// Due things done one after another before channels have their turn: a backlog must not cost a poll for each.
const DUE_MAX: usize = 64;

/// Everything of a worker that does not depend on its host.
pub(super) struct Core {
    pub config: DriverConfig,
    pub table: Table,
    pub ready: Arc<ReadyList>,
    /// Channels to be read again next turn: they had more than their share.
    pub again: Vec<Key>,
    pub setup: VecDeque<Waiting>,
    pub listeners: Vec<super::setup::ActiveListener>,
    pub sources: Sources,
    pub stats: DriverStats,
    pub deadlines: Deadlines,
    pub answer_to: InboxSender<Answer>,
    pub derivations: usize,
    pub lookups: usize,
    pub read_buffer: Box<[u8]>,
    /// Writes to one channel in a row, not yet handed to its socket.
    pub gathered: Vec<u8>,
    pub gathered_for: Option<Channel>,
    pub abandoned: VecDeque<TcpStream>,
    pub out: Outbox,
    pub told: VecDeque<(Offset, Channel, Event<'static>)>,
    now: Offset,
}

impl Core {
    /// Must be called inside the runtime.
    pub(super) fn new(
        config: DriverConfig,
        listeners: Vec<Listener>,
        answer_to: InboxSender<Answer>,
    ) -> io::Result<Self> {
        let ready = Arc::new(ReadyList::default());
        let limits = &config.limits;
        Ok(Self {
            listeners: super::setup::activate(listeners, &ready)?,
            sources: Sources::new(&config.source_addresses),
            deadlines: Deadlines::new(limits.connect_timeout, limits.handshake_timeout, limits.linger),
            read_buffer: vec![0; limits.read_bytes.max(1)].into_boxed_slice(),
            table: Table::new(limits.channels),
            ready,
            again: Vec::new(),
            setup: VecDeque::new(),
            stats: DriverStats::default(),
            answer_to,
            derivations: 0,
            lookups: 0,
            gathered: Vec::new(),
            gathered_for: None,
            abandoned: VecDeque::new(),
            out: Outbox::new(),
            told: VecDeque::new(),
            now: Offset::ZERO,
            config,
        })
    }

    /// Reads the clock.
    pub(super) fn touch(&mut self) -> Offset {
        self.now = self.now.max(self.config.epoch.now());
        self.now
    }

    /// The last reading.
    pub(super) const fn now(&self) -> Offset {
        self.now
    }

    pub(super) const fn outbox(&mut self) -> &mut Outbox {
        &mut self.out
    }

    /// Holds the drain rule: carries out everything asked, then tells what came of it, one event at a time.
    pub(super) fn settle<H: Host>(&mut self, host: &mut H) {
        loop {
            self.carry_out_all();
            let Some((at, channel, event)) = self.told.pop_front() else { return };
            let closed = matches!(event, Event::Closed(_));
            host.handle_event(at, channel, event, &mut self.out);
            if closed {
                self.table.release(channel);
            }
        }
    }

    /// Whether the schedule has something due at the last reading of the clock.
    pub(super) fn is_due<H: Host>(&self, host: &H) -> bool {
        host.poll_timeout().is_some_and(|at| at <= self.now)
    }

    /// Lets the schedule do what is due.
    pub(super) fn run_due<H: Host>(&mut self, host: &mut H) {
        for _ in 0..DUE_MAX {
            if !self.is_due(host) {
                return;
            }
            host.handle_timeout(self.now, &mut self.out);
            self.settle(host);
        }
    }

    /// Queues an event with the instant of the last reading.
    pub(super) fn tell(&mut self, channel: Channel, event: Event<'static>) {
        self.told.push_back((self.now, channel, event));
    }

    /// Ends a channel now; its cause is `cause` unless the end was already under way.
    pub(super) fn end(&mut self, channel: Channel, cause: CloseCause) {
        let Some(mut conn) = self.table.remove(channel) else { return };
        self.touch();
        let cause = conn.ending.take().unwrap_or(cause);
        if cause == CloseCause::LocalLimit(LocalLimit::Queue) {
            conn.reset_on_close();
        }
        self.forget(&conn);
        self.tell(channel, Event::Closed(cause));
    }

    /// Ends a channel without a word on the wire: its socket stays open and unread.
    pub(super) fn abandon(&mut self, channel: Channel) {
        let Some(conn) = self.table.remove(channel) else { return };
        self.touch();
        self.forget(&conn);
        self.abandoned.extend(conn.into_socket());
        if self.abandoned.len() > self.config.limits.abandoned
            && let Some(oldest) = self.abandoned.pop_front()
        {
            conn::reset(&oldest);
        }
        self.tell(channel, Event::Closed(CloseCause::Asked));
    }

    /// Takes a channel out of the counts.
    fn forget(&mut self, conn: &Conn) {
        self.stats.queued_bytes -= conn.written - conn.sent;
        self.stats.established -= usize::from(conn.is_established());
    }

    /// Ends what took too long.
    pub(super) fn expire<H: Host>(&mut self, host: &mut H) {
        while let Some(due) = self.deadlines.pop_due(self.now) {
            if is_stale(&mut self.table, &due) {
                continue;
            }
            let cause = match due.wait {
                Wait::Connect => CloseCause::ConnectTimeout,
                Wait::Handshake => CloseCause::HandshakeTimeout,
                Wait::Linger => CloseCause::Asked,
            };
            self.end(due.channel, cause);
            self.settle(host);
        }
        self.wake_listeners();
    }

    /// The earliest instant the driver itself waits for.
    pub(super) fn next_deadline(&mut self) -> Option<Offset> {
        let table = &mut self.table;
        let waits = self.deadlines.next(|deadline| is_stale(table, deadline));
        [waits, self.next_listener()].into_iter().flatten().min()
    }

    /// Whether work is left for the next turn.
    pub(super) fn has_carry(&self) -> bool {
        !self.again.is_empty() || !self.setup.is_empty()
    }

    /// Fills in the numbers of this instant.
    pub(super) fn count(&mut self) {
        self.stats.channels = self.table.len();
        self.stats.setup_waiting = self.setup.len();
        self.stats.pending_answers = self.derivations + self.lookups;
        self.stats.abandoned = self.abandoned.len();
    }
}

/// Whether a deadline's channel has moved on.
fn is_stale(table: &mut Table, deadline: &Deadline) -> bool {
    use super::conn::Link;
    if table.generation(deadline.channel) != deadline.generation {
        return true;
    }
    let Some(conn) = table.get(deadline.channel) else { return true };
    match deadline.wait {
        Wait::Connect => !matches!(conn.link, Link::Connecting(_)),
        Wait::Handshake => !matches!(conn.link, Link::Handshake(_)),
        Wait::Linger => conn.ending.is_none(),
    }
}
