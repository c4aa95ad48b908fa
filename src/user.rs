//! One simulated user as a machine: events, planned actions and time in; bytes, samples and ledger notes out.
//!
//! A user logs in (RFC 6120 negotiation, roster, initial presence), then writes what the plan asks and reads what comes, and
//! leaves when told. It owns one channel, no buffer while idle and no timer: its worker keeps one deadline per login under
//! way. Logging in lives in `login`, being online in `session`; this file is the life between them.
//!
//! Invariants: a user speaks only after it was told to begin; after its [`Report::Ended`] it is idle and can begin again;
//! every begun login ends in exactly one `login` sample.
//!
//! It refuses to decide when to come back after a failure, to keep the ledger, and to know any other user.

mod login;
mod names;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use login::negotiation_fault;
pub use names::{Names, RoomNames};
pub use session::RoomEvent;
pub use session::STRICT_SHARE;

use crate::machine::{
    Channel, CloseCause, CloseMode, Event, LocalLimit, Outbox, Request, Secured, Transport,
};
use crate::sample::{
    ErrorClass, Fault, GroupId, Indeterminate, Note, OperationId, Outcome, Place, Sample, UserIndex,
};
use crate::units::Offset;
use crate::user::login::Login;
use crate::user::session::Session;
use crate::xmpp::{
    ClientConfig, Credentials, ElementKind, Flow, Item, Limits, Mechanism, Offered, ReadError, Software,
    StreamError, StreamReader, header,
};

/// What all users of a group share.
#[derive(Debug)]
pub struct GroupSettings {
    /// The group.
    pub id: GroupId,
    /// How its users negotiate.
    pub client: Arc<ClientConfig>,
    /// The longest a login may take before it is given up.
    pub login_timeout: Duration,
    /// Later than this after intended is late.
    pub deadline: Duration,
}

/// The operations of every login, as the run numbers them.
#[derive(Clone, Copy, Debug)]
pub struct LoginOperations {
    /// `login`
    pub login: OperationId,
    /// `login.tcp`
    pub tcp: OperationId,
    /// `login.stream`
    pub stream: OperationId,
    /// `login.tls`
    pub tls: OperationId,
    /// `login.auth`
    pub auth: OperationId,
    /// `login.bind`
    pub bind: OperationId,
    /// `login.session`
    pub session: OperationId,
    /// `login.roster`
    pub roster: OperationId,
    /// `presence.echo`
    pub echo: OperationId,
}

/// What a user is given with every call; borrowed from its worker.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The user's number over the whole population.
    pub index: UserIndex,
    /// The channel it may use.
    pub channel: Channel,
    /// Its group.
    pub group: &'a GroupSettings,
    /// The operations of a login.
    pub operations: &'a LoginOperations,
    /// All users' JIDs.
    pub names: &'a Names,
    /// The rooms' JIDs.
    pub rooms: &'a RoomNames,
    /// Whether it is wanted what the server's roster says.
    pub wants_roster: bool,
    /// Whether it looks what the server offers, for all users.
    pub is_looking: bool,
    /// The instant.
    pub now: Offset,
}

/// Where a user's words go.
#[derive(Debug)]
pub struct Said<'a> {
    /// Bytes and requests.
    pub wire: &'a mut Outbox,
    /// Everything else, in order.
    pub reports: &'a mut Vec<Report>,
    /// Stanzas read and written, since it was made.
    pub stanzas: &'a mut Stanzas,
}

/// Stanzas of an online session, and those of a login from binding on; negotiation has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stanzas {
    /// Read.
    pub read: u64,
    /// Written.
    pub written: u64,
}

/// What a user tells its worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// For a ledger: its own or another worker's.
    Note(Note),
    /// A finished attempt that is in no ledger.
    Sample(Sample),
    /// Something went wrong.
    Fault(Fault),
    /// It is online: bound, roster read, presence sent.
    Online,
    /// The server showed it its own presence: from now on others' stanzas reach it.
    Settled,
    /// The bare JIDs its roster lets see its presence (RFC 6121 §2.1.2.5: `from` or `both`).
    Subscribers(Vec<Box<str>>),
    /// Something happened to its stay in a room.
    Room(Place, RoomEvent),
    /// A SCRAM key was needed: whether it came from the cache.
    Key {
        /// Whether no derivation was needed.
        cached: bool,
    },
    /// How its channel was secured.
    Secured(Box<Secured>),
    /// It proved by this who it is, and is bound.
    Authenticated(Mechanism),
    /// What the server offers on one of a login's streams; of those who look.
    Offered(Box<Offered>),
    /// What the server says it is (XEP-0092).
    Software(Box<Software>),
    /// It was asked to leave in good order, and this is what came of it. [`Report::Ended`] follows when its channel is gone.
    Farewell(Farewell),
    /// Its stream is gone and it is idle.
    Ended {
        /// It had been online.
        was_online: bool,
        /// Whose doing it was; `None` when it was asked to leave.
        class: Option<ErrorClass>,
        /// A new login may fare better.
        may_retry: bool,
    },
}

/// How a session ended that was closed in good order (RFC 6120 §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The server closed its side too: by its closing tag, or by ending the connection. Or nothing was waited for.
    Answered,
    /// The connection broke first.
    Broken(ErrorClass),
    /// The server was not waited for any longer.
    Unanswered,
}

/// What a login begins with.
#[derive(Debug)]
pub struct Beginning {
    /// When the plan wanted it.
    pub intended: Offset,
    /// Where to connect to.
    pub address: SocketAddr,
    /// How.
    pub transport: Transport,
    /// Whom to be; `None` for anonymous users.
    pub credentials: Option<Credentials>,
    /// Unpredictable bytes for SCRAM.
    pub nonce: [u8; 18],
}

/// See the module text.
#[derive(Debug)]
pub struct User {
    reader: StreamReader,
    state: State,
    offered_bytes: u64,
    sent_bytes: u64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Login(Box<Login>),
    Online(Session),
    /// Our closing tag is out; the server's, then the end of the channel are awaited.
    Leaving,
    /// Cut; the end of the channel is awaited.
    Cut,
    /// Nothing more is expected of the stream; the end of the channel is awaited.
    Left,
    /// Broken and told so; the end of the channel is awaited.
    Failed(Ending),
}

/// What will be said when the channel is gone.
#[derive(Clone, Copy, Debug)]
struct Ending {
    was_online: bool,
    class: ErrorClass,
    may_retry: bool,
}

impl Default for User {
    fn default() -> Self {
        Self {
            reader: StreamReader::new(Limits::default()),
            state: State::Idle,
            offered_bytes: 0,
            sent_bytes: 0,
        }
    }
}

impl User {
    /// Begins a login: opens the channel.
    pub fn begin(&mut self, beginning: Beginning, near: &Surroundings<'_>, out: &mut Said<'_>) {
        debug_assert!(self.is_idle(), "a user begins only when idle");
        out.wire.request(Request::Open(near.channel, beginning.address, beginning.transport));
        let login = Login::new(beginning, Arc::clone(&near.group.client));
        *self = Self { state: State::Login(Box::new(login)), ..Self::default() };
    }

    /// Whether it can be asked to write.
    pub const fn is_online(&self) -> bool {
        matches!(self.state, State::Online(_))
    }

    /// Whether its session or login is over but for the end of its channel.
    pub const fn is_ending(&self) -> bool {
        matches!(self.state, State::Leaving | State::Cut | State::Left | State::Failed(_))
    }

    /// Where what was written so far ends, as an offset in its channel.
    pub const fn offered_bytes(&self) -> u64 {
        self.offered_bytes
    }

    /// Whether it can be told to begin.
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Bytes written and not yet taken by the kernel.
    pub const fn queued_bytes(&self) -> u64 {
        self.offered_bytes - self.sent_bytes
    }

    /// Writes to the channel; returns the offset at which what was written ends.
    pub fn write(&mut self, channel: Channel, wire: &mut Outbox, fill: impl FnOnce(&mut Vec<u8>)) -> u64 {
        self.offered_bytes += wire.write(channel, fill);
        self.offered_bytes
    }

    /// Asks what software the server is; [`Report::Software`] is the answer.
    pub fn ask_version(&mut self, near: &Surroundings<'_>, out: &mut Said<'_>) {
        if self.is_online() {
            out.stanzas.written += 1;
            self.write(near.channel, out.wire, |bytes| session::ask_version(bytes, near));
        }
    }

    /// Cuts its connection without a word.
    pub fn cut(&mut self, near: &Surroundings<'_>, out: &mut Said<'_>) {
        if self.is_online() {
            out.wire.request(Request::Close(near.channel, CloseMode::Reset));
            self.state = State::Cut;
        }
    }

    /// Leaves without the server's closing tag: it had its time.
    pub fn stop_waiting(&mut self, near: &Surroundings<'_>, out: &mut Said<'_>) {
        if matches!(self.state, State::Leaving) {
            out.wire.request(Request::Close(near.channel, CloseMode::Reset));
            self.state = State::Left;
            out.reports.push(Report::Farewell(Farewell::Unanswered));
        }
    }

    /// Leaves: closes the stream in good order (RFC 6120 §4.4), or breaks off a login, for this reason.
    pub fn leave(&mut self, reason: Indeterminate, near: &Surroundings<'_>, out: &mut Said<'_>) {
        match &self.state {
            State::Online(_) => {
                self.write(near.channel, out.wire, header::write_close);
                self.state = State::Leaving;
            }
            State::Login(login) => {
                out.reports.extend(login.broken_off(reason, near));
                out.wire.request(Request::Close(near.channel, CloseMode::Reset));
                self.state = State::Left;
            }
            State::Idle | State::Leaving | State::Cut | State::Left | State::Failed(_) => {}
        }
    }

    /// Its login took too long.
    pub fn give_up(&mut self, near: &Surroundings<'_>, out: &mut Said<'_>) {
        if let State::Login(login) = &self.state {
            let fault = Fault::new(ErrorClass::Network, login.step(), "timeout", "the login took too long");
            self.fail(fault, true, near, out);
        }
    }

    /// Something happened on the channel.
    pub fn handle_event(&mut self, event: Event<'_>, near: &Surroundings<'_>, out: &mut Said<'_>) {
        match event {
            Event::Data(bytes) => self.handle_data(bytes, near, out),
            Event::Sent(offset) => self.handle_sent(offset, near, out),
            Event::Opened(opened) => {
                self.during_login(near, out, |login, near, said| login.handle_opened(&opened, near, said));
            }
            Event::Secured(secured) => self.handle_secured(secured, near, out),
            Event::Derived(key) => {
                out.reports.push(Report::Key { cached: key.cached });
                self.during_login(near, out, |login, near, said| login.handle_key(&key.key, near, said));
            }
            Event::Closed(cause) => self.handle_closed(&cause, near, out),
            Event::Accepted(_) | Event::Resolved(_) => {}
        }
    }

    fn handle_data(&mut self, bytes: &[u8], near: &Surroundings<'_>, out: &mut Said<'_>) {
        // The reader is taken out while it lends stanzas to the rest of the user.
        let mut reader = std::mem::replace(&mut self.reader, StreamReader::new(Limits::default()));
        let result: Result<usize, ReadError> =
            reader.push(bytes, |item| Ok(self.handle_item(&item, near, out)));
        self.reader = reader;
        match result {
            Ok(0) => {}
            Ok(_) => self.handle_left_over(near, out),
            Err(error) => self.handle_unreadable(&error, near, out),
        }
    }

    fn handle_item(&mut self, item: &Item<'_>, near: &Surroundings<'_>, out: &mut Said<'_>) -> Flow {
        match (&mut self.state, item) {
            (State::Idle | State::Cut | State::Left | State::Failed(_), _) => Flow::Stop,
            (State::Leaving, Item::Close) => {
                self.end_with(Farewell::Answered, near, out);
                Flow::Stop
            }
            (State::Leaving, Item::Element(element)) if element.kind() == ElementKind::StreamError => {
                let fault = stream_fault(&StreamError::parse(element));
                self.end_with(Farewell::Broken(fault.class), near, out);
                out.reports.push(Report::Fault(fault));
                Flow::Stop
            }
            // What was on its way to it is counted and not heeded: nobody says it came.
            (State::Leaving, item) => {
                out.stanzas.read += u64::from(matches!(item, Item::Element(_)));
                Flow::Continue
            }
            (State::Login(_), Item::Close) => {
                self.during_login(near, out, Login::handle_close_tag);
                Flow::Stop
            }
            (State::Online(_), Item::Close) => {
                self.write(near.channel, out.wire, header::write_close);
                self.fail(ended_by_server(), true, near, out);
                Flow::Stop
            }
            (State::Login(_), Item::Header(header)) => {
                self.during_login(near, out, |login, near, said| login.handle_header(header, near, said))
            }
            (State::Login(login), Item::Element(element)) => {
                out.stanzas.read += u64::from(login.is_bound());
                self.during_login(near, out, |login, near, said| login.handle_element(element, near, said))
            }
            (State::Online(_), Item::Element(element)) if element.kind() == ElementKind::StreamError => {
                let error = StreamError::parse(element);
                self.fail(stream_fault(&error), may_retry_after(&error), near, out);
                Flow::Stop
            }
            (State::Online(session), Item::Element(element)) => {
                out.stanzas.read += 1;
                let written = session.handle_element(element, near, out);
                self.offered_bytes += written;
                Flow::Continue
            }
            (State::Online(_), Item::Header(_)) => {
                let fault =
                    Fault::new(ErrorClass::Protocol, "stream", "not-well-formed", "a second stream header");
                self.fail(fault, false, near, out);
                Flow::Stop
            }
        }
    }

    fn handle_sent(&mut self, offset: u64, near: &Surroundings<'_>, out: &mut Said<'_>) {
        self.sent_bytes = offset;
        if let State::Login(login) = &mut self.state
            && let Some(session) = login.handle_sent(offset, near, out)
        {
            self.reader.set_strict(Session::is_read_strictly(near.index));
            self.state = State::Online(session);
            out.reports.push(Report::Online);
        }
    }

    fn handle_secured(&mut self, secured: Box<Secured>, near: &Surroundings<'_>, out: &mut Said<'_>) {
        self.reader.restart();
        let started = secured.started;
        out.reports.push(Report::Secured(secured));
        self.during_login(near, out, |login, near, said| login.handle_secured(started, near, said));
    }

    /// Runs a step of the login and does what it concludes: goes on, or fails.
    fn during_login(
        &mut self,
        near: &Surroundings<'_>,
        out: &mut Said<'_>,
        step: impl FnOnce(&mut Login, &Surroundings<'_>, &mut login::Words<'_, '_>) -> Result<Flow, login::Failed>,
    ) -> Flow {
        let State::Login(login) = &mut self.state else { return Flow::Stop };
        let mut words = login::Words::new(near.channel, out);
        let result = step(login, near, &mut words);
        self.offered_bytes += words.written();
        login.note_offered(self.offered_bytes);
        match result {
            Ok(flow) => flow,
            Err(failed) => {
                self.fail(failed.fault, failed.may_retry, near, out);
                Flow::Stop
            }
        }
    }

    /// Bytes in the clear behind the step that secures the stream: injected, or a broken server.
    fn handle_left_over(&mut self, near: &Surroundings<'_>, out: &mut Said<'_>) {
        if let State::Login(_) = self.state {
            let text = "bytes in the clear after <proceed/>";
            self.fail(
                Fault::new(ErrorClass::Protocol, "starttls", "injected-before-tls", text),
                false,
                near,
                out,
            );
        }
    }

    fn handle_unreadable(&mut self, error: &ReadError, near: &Surroundings<'_>, out: &mut Said<'_>) {
        match self.state {
            State::Login(_) => {
                self.during_login(near, out, |login, _, words| login.handle_unreadable(error, words));
                return;
            }
            State::Online(_) => {
                self.write(near.channel, out.wire, |bytes| {
                    header::write_error(bytes, error.condition(), None);
                    header::write_close(bytes);
                });
            }
            // Our side is closed: nothing may follow its closing tag.
            State::Leaving => {}
            State::Idle | State::Cut | State::Left | State::Failed(_) => return,
        }
        let fault =
            Fault::new(ErrorClass::Protocol, "session", error.condition().as_str(), &error.to_string());
        self.fail(fault, false, near, out);
    }

    /// Something broke: it is reported now, the channel is ended, and [`Report::Ended`] follows when it is gone.
    fn fail(&mut self, fault: Fault, may_retry: bool, near: &Surroundings<'_>, out: &mut Said<'_>) {
        let class = fault.class;
        out.reports.push(Report::Fault(fault));
        match &self.state {
            State::Login(login) => out.reports.extend(login.failed(class, near)),
            State::Leaving => return self.end_with(Farewell::Broken(class), near, out),
            _ => {}
        }
        out.wire.request(Request::Close(near.channel, CloseMode::Finish));
        self.state = State::Failed(Ending { was_online: self.is_online(), class, may_retry });
    }

    /// A session that was to end has: its channel is let go.
    fn end_with(&mut self, farewell: Farewell, near: &Surroundings<'_>, out: &mut Said<'_>) {
        out.reports.push(Report::Farewell(farewell));
        out.wire.request(Request::Close(near.channel, CloseMode::Finish));
        self.state = State::Left;
    }

    fn handle_closed(&mut self, cause: &CloseCause, near: &Surroundings<'_>, out: &mut Said<'_>) {
        let state = std::mem::take(&mut self.state);
        let step = match &state {
            State::Login(login) => login.step(),
            _ => "session",
        };
        let ended = match state {
            State::Idle => return,
            State::Left => Report::Ended { was_online: false, class: None, may_retry: false },
            State::Leaving | State::Cut => {
                out.reports.push(Report::Farewell(match cause {
                    CloseCause::Finished | CloseCause::Truncated => Farewell::Answered,
                    _ if matches!(state, State::Cut) => Farewell::Answered,
                    _ => Farewell::Broken(closed_fault(cause, step).class),
                }));
                Report::Ended { was_online: false, class: None, may_retry: false }
            }
            State::Failed(Ending { was_online, class, may_retry }) => {
                Report::Ended { was_online, class: Some(class), may_retry }
            }
            State::Login(_) | State::Online(_) => {
                let fault = closed_fault(cause, step);
                let class = fault.class;
                if let State::Login(login) = &state {
                    out.reports.extend(login.failed(class, near));
                }
                out.reports.push(Report::Fault(fault));
                let may_retry = !matches!(class, ErrorClass::Misuse | ErrorClass::Protocol);
                Report::Ended { was_online: matches!(state, State::Online(_)), class: Some(class), may_retry }
            }
        };
        *self = Self::default();
        out.reports.push(ended);
    }
}

/// A sample of an attempt that did not complete.
fn ended_sample(
    operation: OperationId,
    near: &Surroundings<'_>,
    intended: Offset,
    outcome: Outcome,
) -> Sample {
    Sample::ended(operation, near.group.id, intended, outcome)
}

fn ended_by_server() -> Fault {
    Fault::new(ErrorClass::Server, "session", "stream-closed", "the server closed the stream")
}

/// A stream error while online, by who is at fault (RFC 6120 §4.9.3).
pub fn stream_fault(error: &StreamError) -> Fault {
    let condition = error.condition.as_str();
    let class = match condition {
        "resource-constraint" => ErrorClass::Throttled,
        "policy-violation" => ErrorClass::Policy,
        _ => ErrorClass::Server,
    };
    Fault::new(class, "session", condition, error.text.as_deref().unwrap_or(""))
}

/// A session replaced by another one of the same resource must not come back and replace that (RFC 6120 §4.9.3.3).
fn may_retry_after(error: &StreamError) -> bool {
    !matches!(error.condition.as_str(), "conflict" | "host-unknown" | "not-authorized")
}

/// A channel that ended unasked, by whose doing it was; `step` is what was under way.
pub fn closed_fault(cause: &CloseCause, step: &'static str) -> Fault {
    let (class, condition, text) = match cause {
        CloseCause::Asked => (ErrorClass::Local, "closed", "closed by ourselves"),
        CloseCause::Finished => (ErrorClass::Server, "connection-closed", "the server closed the connection"),
        CloseCause::Truncated => {
            (ErrorClass::Network, "truncated", "the connection ended without close_notify")
        }
        CloseCause::Reset => (ErrorClass::Network, "reset", "the connection was reset"),
        CloseCause::Refused => (ErrorClass::Network, "refused", "nobody listens at the target"),
        CloseCause::ConnectTimeout => (ErrorClass::Network, "connect-timeout", "connecting took too long"),
        CloseCause::HandshakeTimeout => {
            (ErrorClass::Network, "handshake-timeout", "the TLS handshake took too long")
        }
        CloseCause::HandshakeCut => {
            (ErrorClass::Network, "handshake-cut", "the server ended the connection in the handshake")
        }
        CloseCause::Tls(reason) => (ErrorClass::Misuse, "tls", reason.as_str()),
        CloseCause::InjectedBeforeTls => {
            (ErrorClass::Protocol, "injected-before-tls", "bytes in the clear after <proceed/>")
        }
        CloseCause::LocalLimit(limit) => {
            (ErrorClass::Local, local_limit(*limit), "a limit of this machine or process")
        }
        CloseCause::Io(reason) => (ErrorClass::Network, "io", reason.as_str()),
    };
    Fault::new(class, step, condition, text)
}

const fn local_limit(limit: LocalLimit) -> &'static str {
    match limit {
        LocalLimit::Descriptors => "out-of-descriptors",
        LocalLimit::Ports => "out-of-ports",
        LocalLimit::Memory => "out-of-socket-memory",
        LocalLimit::Queue => "queue-full",
    }
}
