//! Logging in, timed step by step: transport, streams, TLS, authentication, binding, roster, initial presence.
//!
//! The protocol is [`Negotiation`]'s; here stand the instants. A step begins where the one before ended, so the steps add up
//! to the login. A login is done when the whole roster is there and initial presence was taken by the kernel; the echo of
//! one's own presence is not waited for, since some servers send none.

use std::sync::Arc;

use crate::machine::{Channel, Opened, Request};
use crate::sample::{ErrorClass, Fault, Indeterminate, Instants, OperationId, Outcome, Sample};
use crate::units::Offset;
use crate::user::session::Session;
use crate::user::{Beginning, Report, Said, Surroundings, ended_sample};
use crate::xmpp::negotiation::Blame;
use crate::xmpp::{
    Bound, ClientConfig, Element, ElementKind, Failure, Flow, Header, Negotiation, Offered, Progress,
    ReadError, Step, namespaces, write,
};

/// The id of the roster request; one per stream, so it need not be unique beyond it.
const ROSTER_ID: &str = "roster";

/// A login under way.
#[derive(Debug)]
pub(super) struct Login {
    intended: Offset,
    /// When `connect` was called; the intended instant until then.
    started: Offset,
    step_began: Offset,
    stage: Stage,
    offered_bytes: u64,
    /// The channel is secured before its first byte (XEP-0368), and is not yet.
    awaits_direct_tls: bool,
    /// The transport is connected.
    is_open: bool,
}

#[derive(Debug)]
enum Stage {
    Negotiating(Box<Negotiation>),
    Roster(Bound),
    /// Initial presence is out; its last byte is at this offset.
    Presence(Bound, u64),
}

/// Why a login cannot go on.
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) may_retry: bool,
}

/// Where a login's words go, with their bytes counted.
pub(super) struct Words<'a, 'b> {
    channel: Channel,
    out: &'a mut Said<'b>,
    written: u64,
}

impl<'a, 'b> Words<'a, 'b> {
    pub(super) fn new(channel: Channel, out: &'a mut Said<'b>) -> Self {
        Self { channel, out, written: 0 }
    }

    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    fn write<T>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut result = None;
        self.written += self.out.wire.write(self.channel, |bytes| result = Some(fill(bytes)));
        result.expect("the outbox fills once")
    }
}

impl Login {
    pub(super) fn new(beginning: Beginning, client: Arc<ClientConfig>) -> Self {
        let Beginning { intended, transport, credentials, nonce, .. } = beginning;
        let secured = transport == crate::machine::Transport::DirectTls;
        let negotiation = Negotiation::new(client, credentials, None, nonce, secured);
        let stage = Stage::Negotiating(Box::new(negotiation));
        Self {
            intended,
            started: intended,
            step_began: intended,
            stage,
            offered_bytes: 0,
            awaits_direct_tls: secured,
            is_open: false,
        }
    }

    /// Whether stanzas are exchanged already.
    pub(super) const fn is_bound(&self) -> bool {
        matches!(self.stage, Stage::Roster(_) | Stage::Presence(..))
    }

    /// The step under way, for errors.
    pub(super) fn step(&self) -> &'static str {
        match &self.stage {
            Stage::Negotiating(_) if !self.is_open => "tcp",
            Stage::Negotiating(_) if self.awaits_direct_tls => "tls",
            Stage::Negotiating(negotiation) => negotiation.step(),
            Stage::Roster(_) => "roster",
            Stage::Presence(..) => "presence",
        }
    }

    /// The samples of a login that failed: its own, and that of the step it failed in.
    pub(super) fn failed(&self, class: ErrorClass, near: &Surroundings<'_>) -> impl Iterator<Item = Report> {
        self.ended(Outcome::Failed(class), near)
    }

    /// The samples of a login that was broken off, for this reason: nobody can say how long it would have taken. One that is late
    /// already has timed out, or the slowest would leave the account.
    pub(super) fn broken_off(
        &self,
        reason: Indeterminate,
        near: &Surroundings<'_>,
    ) -> impl Iterator<Item = Report> {
        let is_late = near.now.since(self.intended) > near.group.deadline;
        self.ended(if is_late { Outcome::Timeout } else { Outcome::Indeterminate(reason) }, near)
    }

    fn ended(&self, outcome: Outcome, near: &Surroundings<'_>) -> impl Iterator<Item = Report> {
        let login = ended_sample(near.operations.login, near, self.intended, outcome);
        let step = self.step_operation(near).map(|step| ended_sample(step, near, self.step_began, outcome));
        std::iter::once(login).chain(step).map(Report::Sample)
    }

    /// What is measured of the step under way; nothing of initial presence, which nobody answers.
    fn step_operation(&self, near: &Surroundings<'_>) -> Option<OperationId> {
        let operations = near.operations;
        match self.step() {
            "tcp" => Some(operations.tcp),
            "starttls" | "tls" => Some(operations.tls),
            "auth" => Some(operations.auth),
            "bind" => Some(operations.bind),
            "session" => Some(operations.session),
            "roster" => Some(operations.roster),
            "presence" => None,
            _ => Some(operations.stream),
        }
    }

    /// How many bytes were handed to the transport so far; initial presence ends there once it is written.
    pub(super) const fn note_offered(&mut self, offered_bytes: u64) {
        self.offered_bytes = offered_bytes;
        if let Stage::Presence(_, end) = &mut self.stage
            && *end == 0
        {
            *end = offered_bytes;
        }
    }

    pub(super) fn handle_opened(
        &mut self,
        opened: &Opened,
        near: &Surroundings<'_>,
        words: &mut Words<'_, '_>,
    ) -> Result<Flow, Failed> {
        self.is_open = true;
        self.started = opened.started;
        self.step_began = opened.started;
        self.finish_step(near.operations.tcp, near, words);
        if !self.awaits_direct_tls {
            self.open_stream(words);
        }
        Ok(Flow::Continue)
    }

    fn open_stream(&mut self, words: &mut Words<'_, '_>) {
        if let Stage::Negotiating(negotiation) = &mut self.stage {
            words.write(|bytes| negotiation.handle_opened(bytes));
        }
    }

    pub(super) fn handle_secured(
        &mut self,
        started: Offset,
        near: &Surroundings<'_>,
        words: &mut Words<'_, '_>,
    ) -> Result<Flow, Failed> {
        // With STARTTLS the step began with <starttls/>, before the handshake's own first byte.
        self.step_began = self.step_began.min(started);
        self.finish_step(near.operations.tls, near, words);
        if std::mem::take(&mut self.awaits_direct_tls) {
            self.open_stream(words);
            return Ok(Flow::Continue);
        }
        let Stage::Negotiating(negotiation) = &mut self.stage else { return Ok(Flow::Continue) };
        let progress = words.write(|bytes| negotiation.handle_secured(bytes));
        self.go_on(progress?, near, words)
    }

    pub(super) fn handle_key(
        &mut self,
        key: &[u8],
        near: &Surroundings<'_>,
        words: &mut Words<'_, '_>,
    ) -> Result<Flow, Failed> {
        let Stage::Negotiating(negotiation) = &mut self.stage else { return Ok(Flow::Continue) };
        let progress = words.write(|bytes| negotiation.handle_key(key, bytes));
        self.go_on(progress?, near, words)
    }

    pub(super) fn handle_header(
        &mut self,
        header: &Header,
        near: &Surroundings<'_>,
        words: &mut Words<'_, '_>,
    ) -> Result<Flow, Failed> {
        let Stage::Negotiating(negotiation) = &mut self.stage else { return Ok(Flow::Continue) };
        let progress = words.write(|bytes| negotiation.handle_header(header, bytes));
        self.go_on(progress?, near, words)
    }

    pub(super) fn handle_element(
        &mut self,
        element: &Element<'_>,
        near: &Surroundings<'_>,
        words: &mut Words<'_, '_>,
    ) -> Result<Flow, Failed> {
        match &mut self.stage {
            Stage::Negotiating(negotiation) => {
                if near.is_looking && element.kind() == ElementKind::Features {
                    words.out.reports.push(Report::Offered(Box::new(Offered::parse(element))));
                }
                let progress = words.write(|bytes| negotiation.handle_element(element, bytes));
                self.go_on(progress?, near, words)
            }
            Stage::Roster(_) => self.handle_roster(element, near, words),
            Stage::Presence(..) => Ok(Flow::Continue),
        }
    }

    pub(super) fn handle_close_tag(
        &mut self,
        _: &Surroundings<'_>,
        words: &mut Words<'_, '_>,
    ) -> Result<Flow, Failed> {
        Err(match &mut self.stage {
            Stage::Negotiating(negotiation) => words.write(|bytes| negotiation.handle_close(bytes)).into(),
            Stage::Roster(_) | Stage::Presence(..) => Failed {
                fault: Fault::new(
                    ErrorClass::Server,
                    self.step(),
                    "stream-closed",
                    "the server closed the stream",
                ),
                may_retry: true,
            },
        })
    }

    pub(super) fn handle_unreadable(
        &mut self,
        error: &ReadError,
        words: &mut Words<'_, '_>,
    ) -> Result<Flow, Failed> {
        Err(match &mut self.stage {
            Stage::Negotiating(negotiation) => {
                words.write(|bytes| negotiation.handle_unreadable(error, bytes)).into()
            }
            Stage::Roster(_) | Stage::Presence(..) => Failure::from(error.clone()).into(),
        })
    }

    /// The kernel took bytes: once initial presence is among them the login is done.
    pub(super) fn handle_sent(
        &mut self,
        offset: u64,
        near: &Surroundings<'_>,
        out: &mut Said<'_>,
    ) -> Option<Session> {
        let Stage::Presence(bound, end) = &self.stage else { return None };
        if offset < *end {
            return None;
        }
        let instants =
            Instants { intended: self.intended, offered: self.started, sent: self.started, done: near.now };
        let late = near.now.since(self.intended) > near.group.deadline;
        let sample = Sample::completed(near.operations.login, near.group.id, instants, late);
        out.reports.push(Report::Sample(sample));
        Some(Session::new(bound.jid.clone(), near.now))
    }

    /// Does what the negotiation asks for, and times the step it ended.
    fn go_on(
        &mut self,
        progress: Progress,
        near: &Surroundings<'_>,
        words: &mut Words<'_, '_>,
    ) -> Result<Flow, Failed> {
        let operations = near.operations;
        match progress {
            Progress::Wait => {}
            Progress::SecureNow => {
                words.out.wire.request(Request::StartTls(near.channel));
                return Ok(Flow::Stop);
            }
            Progress::Derive(derivation) => words.out.wire.request(Request::Derive(near.channel, derivation)),
            Progress::Finished(Step::Stream) => self.finish_step(operations.stream, near, words),
            Progress::Finished(Step::Auth) => self.finish_step(operations.auth, near, words),
            Progress::Finished(Step::Bind) => self.finish_step(operations.bind, near, words),
            Progress::Restart => {
                self.finish_step(operations.auth, near, words);
                return Ok(Flow::Restart);
            }
            Progress::Bound(bound) => {
                let last = if bound.session { operations.session } else { operations.bind };
                self.finish_step(last, near, words);
                words.out.reports.push(Report::Authenticated(bound.mechanism));
                words.write(|bytes| write::roster_get(bytes, ROSTER_ID));
                words.out.stanzas.written += 1;
                self.stage = Stage::Roster(bound);
            }
        }
        Ok(Flow::Continue)
    }

    fn handle_roster(
        &mut self,
        element: &Element<'_>,
        near: &Surroundings<'_>,
        words: &mut Words<'_, '_>,
    ) -> Result<Flow, Failed> {
        let is_answer = element.kind() == ElementKind::Iq && element.id().as_deref() == Some(ROSTER_ID);
        if !is_answer {
            return Ok(Flow::Continue);
        }
        if element.stanza_type().as_deref() == Some("error") {
            let error = crate::user::session::StanzaError::of(element);
            let fault = Fault::new(error.class, "roster", &error.condition, &error.text);
            return Err(Failed { fault, may_retry: true });
        }
        self.finish_step(near.operations.roster, near, words);
        if near.wants_roster {
            words.out.reports.push(Report::Subscribers(subscribers(element)));
        }
        words.write(write::presence);
        words.out.stanzas.written += 1;
        if let Stage::Roster(bound) = &self.stage {
            self.stage = Stage::Presence(bound.clone(), 0);
        }
        Ok(Flow::Continue)
    }

    fn finish_step(&mut self, operation: OperationId, near: &Surroundings<'_>, words: &mut Words<'_, '_>) {
        let instants = Instants::begun(self.step_began, near.now);
        let sample = Sample::completed(operation, near.group.id, instants, false);
        words.out.reports.push(Report::Sample(sample));
        self.step_began = near.now;
    }
}

/// Of a roster result, whom it lets see one's presence.
fn subscribers(roster: &Element<'_>) -> Vec<Box<str>> {
    let query = roster.child("query", namespaces::ROSTER);
    let items = query.iter().flat_map(Element::children).filter(|item| item.local() == "item");
    let seeing =
        items.filter(|item| matches!(item.attribute("subscription").as_deref(), Some("both" | "from")));
    seeing.filter_map(|item| Some(item.attribute("jid")?.as_ref().into())).collect()
}

/// A negotiation that failed, as it is counted and shown.
pub fn negotiation_fault(failure: &Failure) -> Fault {
    let class = match failure.blame {
        Blame::Server => ErrorClass::Server,
        Blame::Throttled => ErrorClass::Throttled,
        Blame::Policy => ErrorClass::Policy,
        Blame::Protocol => ErrorClass::Protocol,
        Blame::Misuse => ErrorClass::Misuse,
    };
    Fault::new(class, failure.step, failure.condition, &failure.text)
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let fault = negotiation_fault(&failure);
        // A password that is wrong once is wrong twice, and a server that counts failures would lock the account.
        let hopeless = matches!(fault.class, ErrorClass::Protocol | ErrorClass::Misuse)
            || (fault.class == ErrorClass::Server
                && failure.step == "auth"
                && failure.condition != "temporary-auth-failure");
        Self { fault, may_retry: !hopeless }
    }
}
