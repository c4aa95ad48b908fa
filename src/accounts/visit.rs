//! One visit: a user connects, registers or logs in, does its errand, and leaves. A machine on one channel.
//!
//! Invariants: a visit ends in exactly one outcome, told when its channel is gone; a user's own password is in no fault,
//! whatever the server echoes.

use std::sync::Arc;

use crate::accounts::errand::{Errand, Near, Outcome, Refusal, Task, errand_of};
use crate::accounts::known::Known;
use crate::accounts::{Finding, People};
use crate::engine::reach;
use crate::machine::{Channel, CloseCause, CloseMode, Event, Outbox, Request, Transport};
use crate::sample::{ErrorClass, Fault};
use crate::user::{closed_fault, negotiation_fault, stream_fault};
use crate::xmpp::registration;
use crate::xmpp::{
    Element, ElementKind, Failure, Flow, Item, Limits, Negotiation, Progress, ReadError, Registration,
    StreamError, StreamReader, header, namespaces, write,
};

/// See the module text.
pub struct Visit {
    user: u32,
    channel: Channel,
    reader: StreamReader,
    stage: Stage,
    /// None where the visit is for registering.
    errand: Option<Box<dyn Errand>>,
    /// The transport is connected.
    is_open: bool,
    /// The channel is secured before its first byte (XEP-0368), and is not yet.
    awaits_direct_tls: bool,
    password: Arc<str>,
}

enum Stage {
    Registering(Box<Registration>),
    LoggingIn {
        negotiation: Box<Negotiation>,
        /// The server named salt and rounds.
        was_challenged: bool,
    },
    Inside,
    /// The farewell is out; the end of the channel is awaited.
    Over(Outcome),
}

impl Visit {
    /// Begins a visit: opens the channel. Nothing for a user without an account or without an address.
    pub fn begin(user: u32, channel: Channel, task: Task, people: &People, out: &mut Outbox) -> Option<Self> {
        let (address, transport) = people.address(user)?;
        let account = people.credentials(user)?;
        let secured = transport == Transport::DirectTls;
        let (client, password) = (Arc::clone(people.client(user)), Arc::clone(&account.password));
        let errand = errand_of(task);
        let stage = if errand.is_none() {
            Stage::Registering(Box::new(Registration::new(client, account, secured)))
        } else {
            let negotiation = Negotiation::new(client, Some(account), None, reach::nonce(), secured);
            Stage::LoggingIn { negotiation: Box::new(negotiation), was_challenged: false }
        };
        out.request(Request::Open(channel, address, transport));
        let reader = StreamReader::new(Limits::default());
        let visit = Self {
            user,
            channel,
            reader,
            stage,
            errand,
            is_open: false,
            awaits_direct_tls: secured,
            password,
        };
        Some(visit)
    }

    /// Whose visit it is.
    pub const fn user(&self) -> u32 {
        self.user
    }

    /// It took too long.
    pub fn give_up(&mut self, out: &mut Outbox) {
        if !matches!(self.stage, Stage::Over(_)) {
            let fault = Fault::new(ErrorClass::Network, self.step(), "timeout", "the visit took too long");
            self.stage = Stage::Over(Err(fault));
        }
        out.request(Request::Close(self.channel, CloseMode::Reset));
    }

    /// Something happened on the channel. An outcome says that the visit is over and the channel gone.
    pub fn handle_event(
        &mut self,
        event: Event<'_>,
        people: &People,
        known: &Known,
        out: &mut Outbox,
    ) -> Option<Outcome> {
        let mut scene = Scene { near: Near { people, user: self.user, known }, out };
        match event {
            Event::Opened(_) => {
                self.is_open = true;
                if !self.awaits_direct_tls {
                    self.open_stream(&mut scene);
                }
            }
            Event::Secured(_) => self.handle_secured(&mut scene),
            Event::Data(bytes) => self.handle_data(bytes, &mut scene),
            Event::Derived(key) => self.handle_key(&key.key, &mut scene),
            Event::Closed(cause) => return Some(self.closed(&cause)),
            Event::Sent(_) | Event::Accepted(_) | Event::Resolved(_) => {}
        }
        None
    }

    fn open_stream(&mut self, scene: &mut Scene<'_>) {
        scene.out.write(self.channel, |bytes| match &mut self.stage {
            Stage::Registering(registration) => registration.handle_opened(bytes),
            Stage::LoggingIn { negotiation, .. } => negotiation.handle_opened(bytes),
            Stage::Inside | Stage::Over(_) => {}
        });
    }

    fn handle_secured(&mut self, scene: &mut Scene<'_>) {
        self.reader.restart();
        if std::mem::take(&mut self.awaits_direct_tls) {
            return self.open_stream(scene);
        }
        self.negotiate(scene, Registration::handle_secured, Negotiation::handle_secured);
    }

    fn handle_key(&mut self, key: &[u8], scene: &mut Scene<'_>) {
        let too_late = |_: &mut Registration, _: &mut Vec<u8>| Ok(registration::Progress::Wait);
        self.negotiate(scene, too_late, |negotiation, bytes| negotiation.handle_key(key, bytes));
    }

    fn handle_data(&mut self, bytes: &[u8], scene: &mut Scene<'_>) {
        // The reader is taken out while it lends stanzas to the rest of the visit.
        let mut reader = std::mem::replace(&mut self.reader, StreamReader::new(Limits::default()));
        let result: Result<usize, ReadError> = reader.push(bytes, |item| Ok(self.handle_item(&item, scene)));
        self.reader = reader;
        match result {
            Ok(0) => {}
            Ok(_) => {
                let text = "bytes in the clear after <proceed/>";
                let fault = Fault::new(ErrorClass::Protocol, "starttls", "injected-before-tls", text);
                self.end(Err(fault), scene);
            }
            Err(error) => self.handle_unreadable(&error, scene),
        }
    }

    fn handle_item(&mut self, item: &Item<'_>, scene: &mut Scene<'_>) -> Flow {
        match (&self.stage, item) {
            (Stage::Over(_), _) => Flow::Continue,
            (Stage::Inside, Item::Element(element)) => self.handle_stanza(element, scene),
            (Stage::Inside, Item::Header(_)) => {
                let text = "a second stream header";
                let fault = Fault::new(ErrorClass::Protocol, "session", "not-well-formed", text);
                self.leave(Err(fault), scene)
            }
            (Stage::Inside, Item::Close) => {
                let text = "the server closed the stream";
                let fault = Fault::new(ErrorClass::Server, "session", "stream-closed", text);
                let outcome = self.made_of_end(None).ok_or(fault);
                self.leave(outcome, scene)
            }
            (_, Item::Header(header)) => self.negotiate(
                scene,
                |registration, bytes| registration.handle_header(header, bytes),
                |negotiation, bytes| negotiation.handle_header(header, bytes),
            ),
            (_, Item::Element(element)) => self.negotiate(
                scene,
                |registration, bytes| registration.handle_element(element, bytes),
                |negotiation, bytes| negotiation.handle_element(element, bytes),
            ),
            (_, Item::Close) => self.negotiate(
                scene,
                |registration, bytes| Err(registration.handle_close(bytes)),
                |negotiation, bytes| Err(negotiation.handle_close(bytes)),
            ),
        }
    }

    /// Runs a step of the registration or the login, and does what it concludes.
    fn negotiate(
        &mut self,
        scene: &mut Scene<'_>,
        register: impl FnOnce(&mut Registration, &mut Vec<u8>) -> Result<registration::Progress, Failure>,
        log_in: impl FnOnce(&mut Negotiation, &mut Vec<u8>) -> Result<Progress, Failure>,
    ) -> Flow {
        match &mut self.stage {
            Stage::Registering(registration) => {
                let progress = scene.write(self.channel, |bytes| register(registration, bytes));
                self.follow_registration(progress, scene)
            }
            Stage::LoggingIn { negotiation, .. } => {
                let progress = scene.write(self.channel, |bytes| log_in(negotiation, bytes));
                self.follow_login(progress, scene)
            }
            Stage::Inside | Stage::Over(_) => Flow::Continue,
        }
    }

    fn follow_registration(
        &mut self,
        progress: Result<registration::Progress, Failure>,
        scene: &mut Scene<'_>,
    ) -> Flow {
        match progress {
            Ok(registration::Progress::Wait) => Flow::Continue,
            Ok(registration::Progress::SecureNow) => self.secure(scene),
            Ok(registration::Progress::Done(registered)) => {
                self.end(Ok(Finding::Registered(registered)), scene);
                Flow::Continue
            }
            Err(failure) => {
                self.end(Err(negotiation_fault(&failure)), scene);
                Flow::Continue
            }
        }
    }

    fn follow_login(&mut self, progress: Result<Progress, Failure>, scene: &mut Scene<'_>) -> Flow {
        match progress {
            Ok(Progress::Wait | Progress::Finished(_)) => {}
            Ok(Progress::SecureNow) => return self.secure(scene),
            Ok(Progress::Derive(derivation)) => {
                if let Stage::LoggingIn { was_challenged, .. } = &mut self.stage {
                    *was_challenged = true;
                }
                scene.out.request(Request::Derive(self.channel, derivation));
            }
            Ok(Progress::Restart) => return Flow::Restart,
            Ok(Progress::Bound(_)) => self.begin_errand(scene),
            Err(failure) => {
                let finding = self.made_of_refusal(&failure);
                self.end(finding.ok_or_else(|| negotiation_fault(&failure)), scene);
            }
        }
        Flow::Continue
    }

    fn made_of_refusal(&mut self, failure: &Failure) -> Option<Finding> {
        let Stage::LoggingIn { negotiation, was_challenged } = &self.stage else { return None };
        let mechanism = negotiation.mechanism();
        let refusal = Refusal { failure, mechanism, was_challenged: *was_challenged };
        self.errand.as_mut()?.handle_refusal(&refusal)
    }

    fn made_of_end(&mut self, error: Option<&StreamError>) -> Option<Finding> {
        self.errand.as_mut()?.handle_end(error)
    }

    fn secure(&self, scene: &mut Scene<'_>) -> Flow {
        scene.out.request(Request::StartTls(self.channel));
        Flow::Stop
    }

    fn begin_errand(&mut self, scene: &mut Scene<'_>) {
        self.stage = Stage::Inside;
        let Some(errand) = &mut self.errand else { return };
        let near = scene.near;
        scene.write(self.channel, |bytes| errand.begin(&near, bytes));
    }

    fn handle_stanza(&mut self, element: &Element<'_>, scene: &mut Scene<'_>) -> Flow {
        if element.kind() == ElementKind::StreamError {
            let error = StreamError::parse(element);
            let outcome = self.made_of_end(Some(&error)).ok_or_else(|| stream_fault(&error));
            return self.leave(outcome, scene);
        }
        let Some(errand) = &mut self.errand else { return Flow::Continue };
        let near = scene.near;
        let outcome = scene.write(self.channel, |bytes| {
            answer_request(element, bytes);
            errand.handle_stanza(element, &near, bytes)
        });
        match outcome {
            Some(outcome) => self.leave(outcome, scene),
            None => Flow::Continue,
        }
    }

    fn handle_unreadable(&mut self, error: &ReadError, scene: &mut Scene<'_>) {
        match &mut self.stage {
            Stage::Over(_) => {}
            Stage::Inside => {
                scene.out.write(self.channel, |bytes| header::write_error(bytes, error.condition(), None));
                let condition = error.condition().as_str();
                let fault = Fault::new(ErrorClass::Protocol, "session", condition, &error.to_string());
                self.leave(Err(fault), scene);
            }
            Stage::Registering(_) | Stage::LoggingIn { .. } => {
                self.negotiate(
                    scene,
                    |registration, bytes| Err(registration.handle_unreadable(error, bytes)),
                    |negotiation, bytes| Err(negotiation.handle_unreadable(error, bytes)),
                );
            }
        }
    }

    /// Ends the stream, and the visit.
    fn leave(&mut self, outcome: Outcome, scene: &mut Scene<'_>) -> Flow {
        scene.out.write(self.channel, header::write_close);
        self.end(outcome, scene);
        Flow::Continue
    }

    /// The stream's end was said: the visit is over once the channel is gone.
    fn end(&mut self, outcome: Outcome, scene: &mut Scene<'_>) {
        scene.out.request(Request::Close(self.channel, CloseMode::Finish));
        self.stage = Stage::Over(outcome.map_err(|fault| without(&self.password, fault)));
    }

    fn closed(&mut self, cause: &CloseCause) -> Outcome {
        let fault = closed_fault(cause, self.step());
        match &self.stage {
            Stage::Over(outcome) => outcome.clone(),
            Stage::Inside => self.made_of_end(None).ok_or(fault),
            Stage::Registering(_) | Stage::LoggingIn { .. } => Err(fault),
        }
    }

    fn step(&self) -> &'static str {
        match &self.stage {
            Stage::Registering(_) | Stage::LoggingIn { .. } if !self.is_open => "tcp",
            Stage::Registering(_) | Stage::LoggingIn { .. } if self.awaits_direct_tls => "tls",
            Stage::Registering(registration) => registration.step(),
            Stage::LoggingIn { negotiation, .. } => negotiation.step(),
            Stage::Inside | Stage::Over(_) => "session",
        }
    }
}

/// What a step is given beside the visit itself.
struct Scene<'a> {
    near: Near<'a>,
    out: &'a mut Outbox,
}

impl Scene<'_> {
    fn write<T>(&mut self, channel: Channel, fill: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut result = None;
        self.out.write(channel, |bytes| result = Some(fill(bytes)));
        result.expect("the outbox fills once")
    }
}

/// Answers what the server asks of a client (RFC 6120 section 8.2.3): roster pushes and pings are taken, everything else is
/// told to be unknown.
fn answer_request(element: &Element<'_>, out: &mut Vec<u8>) {
    let kind = element.stanza_type();
    if element.kind() != ElementKind::Iq || !matches!(kind.as_deref(), Some("get" | "set")) {
        return;
    }
    let (id, from) = (element.id(), element.from());
    let id = id.as_deref().unwrap_or("");
    let is_known = element.child("query", namespaces::ROSTER).is_some()
        || element.child("ping", namespaces::PING).is_some();
    if is_known {
        write::iq_result(out, id, from.as_deref());
    } else {
        write::iq_error(out, id, from.as_deref(), "cancel", "service-unavailable");
    }
}

/// A fault without a password a server may have echoed.
fn without(password: &str, fault: Fault) -> Fault {
    if password.is_empty() || !fault.text.contains(password) {
        return fault;
    }
    Fault { text: fault.text.replace(password, "***"), ..fault }
}
