//! The client's way from an open connection to a new account (XEP-0077 section 3.1), as a machine without I/O.
//!
//! It goes as far as a login does before authentication (header, features, STARTTLS, header, features, by the same
//! rules), then asks for the form, fills it in and reads the answer. What is done about what comes stands in one table
//! (`registration/table.rs`); a test shows the whole of it. The caller owns the channel and a [`super::StreamReader`],
//! gives every item to the machine, and does what [`Progress`] says. When all is said, well or not, the stream's end is
//! in `out` already: the caller sends it and closes.
//!
//! Invariants: the password leaves in the clear only where the group's `plain_without_tls` allows that; an account that
//! existed before is told apart from a new one, and left as it is.
//!
//! It refuses: forms that want a captcha, a web page, or anything but the fields of the XEP; more than one account per
//! stream, which servers need not allow.

mod form;
mod table;

use std::sync::Arc;

use self::form::Form;
use self::table::{Action, Input, State, transition};
use super::negotiation::{Features, opening};
use super::{
    Blame, ClientConfig, Credentials, Element, ElementKind, Failure, Header, ReadError, header, jid,
    namespaces, write,
};

const FORM_ID: &str = "form";
const ACCOUNT_ID: &str = "account";

/// What became of an account asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// It is new.
    Created,
    /// It was there before, with whatever password (`conflict`).
    Existed,
}

/// What the caller has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing; more input will come.
    Wait,
    /// Begin TLS ([`crate::machine::Request::StartTls`]) and stop reading until it is up; then
    /// [`Registration::handle_secured`].
    SecureNow,
    /// The account is there, and the stream's end is written.
    Done(Registered),
}

/// The machine. Made for one account, dropped when it is done.
#[derive(Debug)]
pub struct Registration {
    config: Arc<ClientConfig>,
    account: Credentials,
    state: State,
    secured: bool,
    /// The latest features.
    features: Features,
    /// What was wrong with the header. Told only when features come: a stream error explains more.
    objection: Option<Failure>,
}

impl Registration {
    /// For one account. `secured` says that the channel is encrypted from its first byte.
    pub fn new(config: Arc<ClientConfig>, account: Credentials, secured: bool) -> Self {
        let features = Features::default();
        Self { config, account, state: State::Header, secured, features, objection: None }
    }

    /// The channel is open (and secured, if it is so from its first byte): writes the stream header.
    pub fn handle_opened(&mut self, out: &mut Vec<u8>) {
        header::write_client(out, &self.config.domain, None);
    }

    /// A stream header came.
    pub fn handle_header(&mut self, header: &Header, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let done = match self.enter(Input::Header) {
            Action::Note => opening::check_header(header, &self.config.domain, out).map(|objection| {
                self.objection = objection;
                Progress::Wait
            }),
            _ => Err(self.violation("a stream header out of turn")),
        };
        self.farewell(done, out)
    }

    /// A first-level element came.
    pub fn handle_element(&mut self, element: &Element<'_>, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let done = self.element(element, out);
        self.farewell(done, out)
    }

    /// TLS is up: writes a new stream header. The caller restarts its reader.
    pub fn handle_secured(&mut self, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let done = match self.enter(Input::Secured) {
            Action::Open => {
                self.secured = true;
                self.handle_opened(out);
                Ok(Progress::Wait)
            }
            _ => Err(self.violation("TLS out of turn")),
        };
        self.farewell(done, out)
    }

    /// The stream's end tag came: answers it, unless the farewell was said already.
    pub fn handle_close(&mut self, out: &mut Vec<u8>) -> Failure {
        let step = self.step();
        if self.enter(Input::Close) == Action::Ended {
            header::write_close(out);
        }
        Failure::new(Blame::Server, step, "stream-closed", "the server ended the stream without an error")
    }

    /// What came cannot be read: writes the stream error and the end.
    pub fn handle_unreadable(&mut self, error: &ReadError, out: &mut Vec<u8>) -> Failure {
        let step = self.step();
        self.state = State::Failed;
        header::write_error(out, error.condition(), None);
        header::write_close(out);
        Failure { step, ..Failure::from(error.clone()) }
    }

    /// The step under way, for whoever has to say where a registration stands or was cut.
    pub const fn step(&self) -> &'static str {
        match self.state {
            State::Header | State::Features => "stream",
            State::Proceed => "starttls",
            State::Handshake => "tls",
            State::Form | State::Answer => "register",
            State::Done => "done",
            State::Failed => "failed",
        }
    }

    /// Takes the table's row.
    fn enter(&mut self, input: Input) -> Action {
        let (action, next) = transition(self.state, input);
        // A failure is told with the step it happened in.
        if next != State::Failed || !matches!(action, Action::Violation | Action::Refused) {
            self.state = next;
        }
        action
    }

    fn element(&mut self, element: &Element<'_>, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let input = self.classify(element)?;
        match self.enter(input) {
            Action::AskTls => out.extend_from_slice(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            Action::Secure => return Ok(Progress::SecureNow),
            Action::AskForm => write::registration_get(out, FORM_ID),
            Action::FillIn => self.fill_in(element, out)?,
            Action::Created => return Ok(done(Registered::Created, out)),
            Action::Existed => return Ok(done(Registered::Existed, out)),
            Action::Refused => return Err(self.refused(input, element)),
            Action::Ignore => {}
            _ => return Err(self.violation(&format!("<{}/> out of turn", element.local()))),
        }
        Ok(Progress::Wait)
    }

    /// What an element is to the table.
    fn classify(&mut self, element: &Element<'_>) -> Result<Input, Failure> {
        Ok(match element.kind() {
            ElementKind::Features => self.offer(element)?,
            ElementKind::Proceed => Input::Proceed,
            ElementKind::TlsFailure => Input::TlsFailure,
            ElementKind::StreamError => Input::StreamError,
            ElementKind::Iq => self.answer(element)?,
            ElementKind::Message | ElementKind::Presence => Input::Stanza,
            _ => Input::Unknown,
        })
    }

    /// What features allow next. Registration is asked for even where it is not advertised (which is only a SHOULD).
    fn offer(&mut self, element: &Element<'_>) -> Result<Input, Failure> {
        if self.state != State::Features {
            return Err(self.violation("features out of turn"));
        }
        if let Some(objection) = self.objection.take() {
            return Err(objection);
        }
        self.features = Features::parse(element);
        if opening::tls_is_due(self.config.tls, &self.features, self.secured)? {
            return Ok(Input::OffersTls);
        }
        if !self.secured && !self.config.plain_without_tls {
            let text =
                "the password would be sent in the clear: use TLS, or allow it with plain_without_tls = true";
            return Err(Failure::new(Blame::Misuse, "register", "tls-needed", text));
        }
        Ok(Input::Offers)
    }

    /// An iq: the answer to our request, or something that may be left alone.
    fn answer(&self, iq: &Element<'_>) -> Result<Input, Failure> {
        let expected = match self.state {
            State::Form => FORM_ID,
            State::Answer => ACCOUNT_ID,
            _ => return Ok(Input::Stanza),
        };
        let kind = iq.stanza_type();
        if !matches!(kind.as_deref(), Some("result" | "error")) {
            return Ok(Input::Stanza);
        }
        if iq.id().as_deref() != Some(expected) {
            return Err(self.violation("an answer to no request"));
        }
        if iq.from().is_some_and(|from| !jid::same_account(&from, &self.config.domain)) {
            return Err(self.violation("an answer from someone else"));
        }
        let error = iq.child("error", &iq.namespace());
        Ok(match (kind.as_deref(), error) {
            (Some("error"), Some(error)) if error.child("conflict", namespaces::STANZAS).is_some() => {
                Input::Conflict
            }
            (Some("error"), _) => Input::Refusal,
            _ => Input::Result,
        })
    }

    fn fill_in(&self, iq: &Element<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
        let form = Form::read(iq)
            .map_err(|why| Failure::new(Blame::Policy, "register", why.condition, why.text.to_owned()))?;
        form.fill_in(&self.account, &self.config.domain, |fields| {
            write::registration_set(out, ACCOUNT_ID, fields);
        });
        Ok(())
    }

    fn refused(&self, input: Input, element: &Element<'_>) -> Failure {
        let mut failure = match input {
            Input::TlsFailure => {
                return Failure::new(Blame::Server, "starttls", "tls-failure", "the server cannot begin TLS");
            }
            Input::StreamError => return Failure::from_stream_error(self.step(), element),
            _ => Failure::from_iq(self.step(), element),
        };
        if !self.features.registration {
            let said = if failure.text.is_empty() { String::new() } else { format!(": {}", failure.text) };
            failure.text = format!("the server does not offer in-band registration{said}");
        }
        failure
    }

    fn violation(&self, text: &str) -> Failure {
        Failure::violation(self.step(), text)
    }

    fn farewell(&mut self, done: Result<Progress, Failure>, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        if done.is_err() {
            header::write_close(out);
            self.state = State::Failed;
        }
        done
    }
}

fn done(registered: Registered, out: &mut Vec<u8>) -> Progress {
    header::write_close(out);
    Progress::Done(registered)
}
