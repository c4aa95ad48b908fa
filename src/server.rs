//! The embedded server without I/O: one [`Machine`] that owns all its connections and takes time as an argument.
//!
//! It is no product server. It exists so that the first command works with nothing installed, so that the generator's
//! own ceiling can be measured, and so that the truth is known: it delays, drops, doubles, reorders, freezes and cuts
//! exactly as told ([`fault`], [`pipeline`]) and says what it really did ([`truth`]).
//!
//! It speaks RFC 6120 and 6121 (streams, STARTTLS, SASL, binding, roster, presence, routing), XEP-0045 (`muc`),
//! XEP-0077 where it is told to, XEP-0199, XEP-0030 and XEP-0092; accounts and rosters come from a [`Directory`].
//!
//! Invariants:
//! - Given the same options and the same events in the same order it does the same, to the byte.
//! - Whatever a peer sends is answered as the RFCs say, or ends that peer's stream with a stream error; nothing panics,
//!   and every connection's memory is bounded.
//! - An idle connection owns no buffer.
//! - A request is answered exactly once.
//!
//! What it refuses: to store messages, to talk to other servers, streams that bind prefixes of their
//! own. Its nonces are drawn from its seed, so that it can be repeated; they protect nobody.

mod accounts;
pub mod counts;
mod delivery;
mod directed;
pub mod directory;
pub mod fault;
mod form;
mod freeze;
mod iq;
mod login;
mod muc;
mod negotiate;
pub mod options;
pub mod pipeline;
mod presence;
mod registration;
mod reply;
mod roster;
pub mod routes;
mod session;
mod stamp;
mod stanza;
pub mod truth;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub use counts::{Counters, Counts};
pub use directory::{Directory, Population};
pub use fault::Faults;
pub use options::{Admission, Offline, ServerOptions, StartTls};
pub use truth::{Line, Truth};

use crate::machine::{Channel, CloseCause, CloseMode, Event, Hash, Machine, Outbox, Request};
use crate::sample::UserIndex;
use crate::server::accounts::Accounts;
use crate::server::directed::Directed;
use crate::server::fault::Cut;
use crate::server::freeze::Frost;
use crate::server::muc::Rooms;
use crate::server::pipeline::{Pipeline, SessionId};
use crate::server::roster::Rosters;
use crate::server::routes::Routes;
use crate::server::session::{Session, State};
use crate::units::Offset;
use crate::xmpp::sasl::scram::ScramKeys;
use crate::xmpp::{Flow, Item, Limits, ReadError, StreamCondition, header};

/// The deepest nesting read.
const DEPTH_MAX: u16 = 64;

/// The embedded server. See the module text.
pub struct Server {
    options: ServerOptions,
    accounts: Accounts,
    limits: Limits,
    sessions: HashMap<Channel, Session>,
    routes: Routes,
    rooms: Rooms,
    rosters: Rosters,
    /// Roster pushes sent: what their ids are made of.
    pushes: u64,
    directed: Directed,
    /// Keys of users who have proven that they know their password.
    keys: HashMap<(Hash, UserIndex), ScramKeys>,
    pipeline: Pipeline,
    frost: Frost,
    cuts: VecDeque<Cut>,
    /// When connections that are not online by then are ended; the oldest first.
    login_ends: VecDeque<(Offset, SessionId)>,
    truth: Vec<Line>,
    counters: Arc<Counters>,
    accepted: u64,
    /// Streams and exchanges begun: what their ids and nonces are drawn from.
    drawn: u64,
    now: Offset,
}

impl Server {
    /// A server nobody is connected to.
    pub fn new(options: ServerOptions, directory: Box<dyn Directory>) -> Self {
        let stanza_bytes_max = u32::try_from(options.stanza_max).unwrap_or(u32::MAX);
        Self {
            limits: Limits { stanza_bytes_max, depth_max: DEPTH_MAX },
            pipeline: Pipeline::new(&options.faults, options.seed),
            frost: Frost::new(&options.faults.freezes, options.start),
            cuts: options.faults.cuts.iter().copied().collect(),
            now: options.start,
            rooms: Rooms::new(&options.domain),
            options,
            accounts: Accounts::new(directory),
            sessions: HashMap::new(),
            routes: Routes::default(),
            directed: Directed::default(),
            rosters: Rosters::default(),
            pushes: 0,
            keys: HashMap::new(),
            login_ends: VecDeque::new(),
            truth: Vec::new(),
            counters: Arc::default(),
            accepted: 0,
            drawn: 0,
        }
    }

    /// What it counts, readable from any thread while it runs.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Connections it knows.
    pub fn connections(&self) -> usize {
        self.sessions.len()
    }

    /// Moves what is settled of the truth to `lines`. Nothing unless [`ServerOptions::truth`] is set.
    pub fn take_truth(&mut self, lines: &mut Vec<Line>) {
        lines.append(&mut self.truth);
    }

    /// Adds a line about something that was done around the server: a freeze its driver carried out.
    pub fn note(&mut self, line: Line) {
        if self.options.truth {
            self.truth.push(line);
        }
    }

    /// Settles what is still open, as the server stops: copies that wait are undeliverable, copies the kernel did not
    /// take are unwritten. Then the totals.
    pub fn finish(&mut self) {
        self.abandon_copies();
        let mut channels: Vec<Channel> = self.sessions.keys().copied().collect();
        channels.sort_unstable();
        for channel in channels {
            self.forget_unwritten(channel);
        }
        self.note(Line::End(self.counters.snapshot()));
    }

    /// Carries out what is due by `now`, in the order of its instants; false while frozen.
    fn advance(&mut self, now: Offset, out: &mut Outbox) -> bool {
        self.now = self.now.max(now);
        while let Some(due) = self.poll_timeout().filter(|due| *due <= self.now) {
            if self.frost.is_frozen() {
                self.thaw(out);
            } else if self.frost.next_start() == Some(due) {
                self.frost.begin(self.now);
            } else {
                self.release_copies(out);
                self.cut_sessions(out);
                self.end_late_logins(out);
            }
        }
        !self.frost.is_frozen()
    }

    fn handle(&mut self, channel: Channel, event: Event<'_>, out: &mut Outbox) {
        match event {
            Event::Accepted(_) => self.accept(channel),
            Event::Secured(_) => self.secured(channel),
            Event::Data(bytes) => self.read(channel, bytes, out),
            Event::Sent(offset) => self.settle_written(channel, offset),
            Event::Derived(derived) => self.derived(channel, &derived.key, out),
            Event::Closed(cause) => self.closed(channel, &cause, out),
            // What only the opening side is told.
            Event::Resolved(_) | Event::Opened(_) => {}
        }
    }

    fn accept(&mut self, channel: Channel) {
        self.counters.accepted.add_one();
        self.accepted += 1;
        self.sessions.insert(channel, Session::new(self.accepted, self.limits));
        // Whole seconds, so that a storm of logins makes one wake-up per second later and not one each.
        let end = self.now + self.options.login_timeout;
        let end = Offset::from_nanos((u64::from(end.second()) + 1) * 1_000_000_000);
        self.login_ends.push_back((end, SessionId { channel, serial: self.accepted }));
    }

    fn secured(&mut self, channel: Channel) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        session.secured = true;
        session.opened = false;
        if matches!(session.state, State::Securing) {
            session.state = State::login();
        }
        if let Some(reader) = &mut session.reader {
            reader.restart();
        }
    }

    fn read(&mut self, channel: Channel, bytes: &[u8], out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        if matches!(session.state, State::Closing) {
            return;
        }
        let serial = session.serial;
        let Some(mut reader) = session.reader.take() else { return };
        let read = reader.push(bytes, |item| Ok::<Flow, ReadError>(self.item(channel, item, out)));
        match self.sessions.get_mut(&channel).filter(|session| session.serial == serial) {
            Some(session) => session.reader = Some(reader),
            None => return,
        }
        match read {
            Ok(0) => {}
            // Sent in the clear behind `<starttls/>`: RFC 6120 section 5.4.3.3.
            Ok(_) if self.is_securing(channel) => self.close(channel, CloseMode::Reset, out),
            Ok(_) => {}
            Err(error) => self.fail(channel, error.condition(), out),
        }
    }

    fn item(&mut self, channel: Channel, item: Item<'_>, out: &mut Outbox) -> Flow {
        match item {
            Item::Header(header) => self.header(channel, &header, out),
            Item::Element(element) => return self.element(channel, &element, out),
            Item::Close => self.end_stream(channel, out),
        }
        self.flow(channel)
    }

    /// How reading goes on after an item.
    fn flow(&self, channel: Channel) -> Flow {
        match self.sessions.get(&channel).map(|session| &session.state) {
            None | Some(State::Closing | State::Securing) => Flow::Stop,
            Some(_) => Flow::Continue,
        }
    }

    fn is_securing(&self, channel: Channel) -> bool {
        self.sessions.get(&channel).is_some_and(|session| matches!(session.state, State::Securing))
    }

    /// The peer closed its stream: so do we (RFC 6120 section 4.4).
    fn end_stream(&mut self, channel: Channel, out: &mut Outbox) {
        self.send(channel, out, header::write_close);
        self.close(channel, CloseMode::Finish, out);
    }

    /// Ends a stream with an error (RFC 6120 section 4.9.1), after our header if the peer has not seen it.
    fn fail(&mut self, channel: Channel, condition: StreamCondition, out: &mut Outbox) {
        let Some(session) = self.sessions.get(&channel) else { return };
        if matches!(session.state, State::Closing) {
            return;
        }
        self.counters.stream_errors.add_one();
        if !session.opened {
            self.send_header(channel, out);
        }
        self.send(channel, out, |bytes| {
            header::write_error(bytes, condition, None);
            header::write_close(bytes);
        });
        self.close(channel, CloseMode::Finish, out);
    }

    /// Ends a channel and whatever session it carried.
    fn close(&mut self, channel: Channel, mode: CloseMode, out: &mut Outbox) {
        self.go_offline(channel, out);
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.state = State::Closing;
            out.request(Request::Close(channel, mode));
        }
    }

    fn closed(&mut self, channel: Channel, _cause: &CloseCause, out: &mut Outbox) {
        self.go_offline(channel, out);
        self.forget_unwritten(channel);
        if self.sessions.remove(&channel).is_some() {
            self.counters.closed.add_one();
        }
    }

    fn end_late_logins(&mut self, out: &mut Outbox) {
        while let Some(&(_, id)) = self.login_ends.front().filter(|(end, _)| *end <= self.now) {
            self.login_ends.pop_front();
            let late = |session: &Session| session.serial == id.serial && session.bound().is_none();
            if self.sessions.get(&id.channel).is_some_and(late) {
                self.fail(id.channel, StreamCondition::ConnectionTimeout, out);
            }
        }
    }

    /// Writes to a channel, keeping count of its bytes.
    fn send(&mut self, channel: Channel, out: &mut Outbox, fill: impl FnOnce(&mut Vec<u8>)) {
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.written += out.write(channel, fill);
        }
    }
}

impl Machine for Server {
    fn handle_event(&mut self, now: Offset, channel: Channel, event: Event<'_>, out: &mut Outbox) {
        // What the kernel took is a fact about earlier writes, frozen or not.
        if let Event::Sent(offset) = event {
            self.now = self.now.max(now);
            return self.settle_written(channel, offset);
        }
        if self.advance(now, out) {
            self.handle(channel, event, out);
            self.release_copies(out);
        } else if let Err(channel) = self.frost.keep(channel, event) {
            out.request(Request::Close(channel, CloseMode::Reset));
        }
    }

    fn handle_timeout(&mut self, now: Offset, out: &mut Outbox) {
        self.advance(now, out);
    }

    fn poll_timeout(&self) -> Option<Offset> {
        if let Some(end) = self.frost.end() {
            return Some(end);
        }
        let cut = self.cuts.front().map(|cut| self.options.start + cut.at);
        let login = self.login_ends.front().map(|(end, _)| *end);
        [self.frost.next_start(), cut, login, self.pipeline.poll_timeout()].into_iter().flatten().min()
    }
}
