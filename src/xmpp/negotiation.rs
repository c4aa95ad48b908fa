//! The client's way from an open connection to a bound session (RFC 6120), as a machine without I/O.
//!
//! What is done about what comes stands in one table (`negotiation/table.rs`); a test shows the whole of it. The
//! caller owns the channel and a [`super::StreamReader`], gives every item to the machine, and does what
//! [`Progress`] says. When a call fails, the farewell (`<abort/>`, stream error, end tag) is in `out` already: the
//! caller sends it and closes.
//!
//! Invariants: no credentials leave in the clear where TLS is required; ANONYMOUS is never used with credentials; the
//! session is not begun before the server has proven that it knows the password, where the mechanism can tell;
//! nothing offered before TLS is remembered after.

mod failure;
mod features;
pub(in crate::xmpp) mod opening;
mod table;

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use self::failure::{Blame, Failure};
pub use self::features::{Features, Offered};
use self::table::{Action, Input, State, transition};
use super::sasl::scram::{ScramClient, ScramError};
use super::sasl::{self, Choice};
use super::{Element, ElementKind, Header, Jid, Mechanism, ReadError, header, jid, namespaces, write};
use crate::machine::{Derivation, Hash};

const BIND_ID: &str = "bind";
const SESSION_ID: &str = "session";

/// Whether STARTTLS is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsPolicy {
    /// A server that does not offer it fails the login (RFC 7590: it may have been stripped).
    #[default]
    Required,
    /// Used where offered.
    Preferred,
    /// Not used, even if offered; required by the server it fails the login.
    Off,
}

/// What all users of a group have in common.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The XMPP domain: the header's `to`.
    pub domain: String,
    /// STARTTLS; of no meaning on a channel secured from its first byte.
    pub tls: TlsPolicy,
    /// Mechanisms allowed, in any order.
    pub mechanisms: Vec<Mechanism>,
    /// Whether PLAIN may be used in the clear.
    pub plain_without_tls: bool,
    /// Whether PLAIN names the account as authzid too.
    pub plain_authzid: bool,
}

/// One account's secret.
#[derive(Clone)]
pub struct Credentials {
    /// The localpart.
    pub username: Arc<str>,
    /// Never shown, not even by `Debug`.
    pub password: Arc<str>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.username)
    }
}

/// A step that ended; each began where the one before ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Our header to the peer's features. Once per stream: a login over STARTTLS has three.
    Stream,
    /// `<auth/>` to `<success/>`.
    Auth,
    /// The bind request to its result, where a session request follows; else see [`Progress::Bound`].
    Bind,
}

/// What the caller has to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Nothing; more input will come.
    Wait,
    /// Begin TLS ([`crate::machine::Request::StartTls`]) and stop reading until it is up; then
    /// [`Negotiation::handle_secured`].
    SecureNow,
    /// Have a key derived; then [`Negotiation::handle_key`].
    Derive(Derivation),
    /// A step ended.
    Finished(Step),
    /// `<success/>`: [`Step::Auth`] ended and a new stream begins. The reader must be restarted before the next byte
    /// ([`super::Flow::Restart`]).
    Restart,
    /// The session is bound: the session request or the bind request ended, and the negotiation with it.
    Bound(Bound),
}

/// A bound session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The full address the server gave.
    pub jid: Jid,
    /// By what it proved who it is.
    pub mechanism: Mechanism,
    /// Whether the server offers roster versioning.
    pub rosterver: bool,
    /// Whether the server offers stream management (XEP-0198).
    pub stream_management: bool,
    /// Whether the server offers client state indication (XEP-0352).
    pub client_state: bool,
    /// Whether a session request was needed.
    pub session: bool,
}

/// The machine. Made for a login, dropped when it is done.
#[derive(Debug)]
pub struct Negotiation {
    config: Arc<ClientConfig>,
    credentials: Option<Credentials>,
    resource: Option<Arc<str>>,
    nonce: [u8; Self::NONCE_LEN],
    state: State,
    secured: bool,
    authenticated: bool,
    /// The one in use, or used.
    chosen: Option<Mechanism>,
    scram: Option<Box<ScramClient>>,
    /// The latest features.
    features: Features,
    jid: Option<Jid>,
    /// What was wrong with the header. Told only when features come: a stream error explains more.
    objection: Option<Failure>,
}

impl Negotiation {
    /// Bytes of a nonce.
    pub const NONCE_LEN: usize = 18;

    /// For one login. `credentials` none means ANONYMOUS. `resource` none lets the server choose. `nonce` is
    /// unpredictable. `secured` says that the channel is encrypted from its first byte.
    pub fn new(
        config: Arc<ClientConfig>,
        credentials: Option<Credentials>,
        resource: Option<Arc<str>>,
        nonce: [u8; Self::NONCE_LEN],
        secured: bool,
    ) -> Self {
        Self {
            config,
            credentials,
            resource,
            nonce,
            state: State::Header,
            secured,
            authenticated: false,
            chosen: None,
            scram: None,
            features: Features::default(),
            jid: None,
            objection: None,
        }
    }

    /// The channel is open (and secured, if it is so from its first byte): writes the stream header.
    pub fn handle_opened(&mut self, out: &mut Vec<u8>) {
        self.open(out);
    }

    /// A stream header came.
    pub fn handle_header(&mut self, header: &Header, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let done = match self.enter(Input::Header) {
            Action::Note => self.note(header, out),
            _ => Err(self.violation("a stream header out of turn")),
        };
        self.farewell(done, out)
    }

    /// A first-level element came.
    pub fn handle_element(&mut self, element: &Element<'_>, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let done = self.element(element, out);
        self.farewell(done, out)
    }

    /// TLS is up: writes a new stream header. The caller restarts its reader. What was offered in the clear is
    /// forgotten (RFC 6120 section 5.4.3.3).
    pub fn handle_secured(&mut self, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let done = match self.enter(Input::Secured) {
            Action::Open => {
                self.secured = true;
                self.open(out);
                Ok(Progress::Wait)
            }
            _ => Err(self.violation("TLS out of turn")),
        };
        self.farewell(done, out)
    }

    /// The key asked for by [`Progress::Derive`].
    pub fn handle_key(&mut self, key: &[u8], out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let done = match (self.enter(Input::Key), self.scram.as_mut()) {
            (Action::Prove, Some(scram)) => {
                scram.handle_key(key).map_err(Failure::from_scram).map(|message| {
                    write_sasl(out, "response", message.as_bytes());
                    Progress::Wait
                })
            }
            _ => Err(self.violation("a key out of turn")),
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

    /// The step under way, for whoever has to say where a login stands or was cut.
    pub const fn step(&self) -> &'static str {
        match self.state {
            State::Header | State::Features => "stream",
            State::Proceed => "starttls",
            State::Handshake => "tls",
            State::Challenge | State::Key | State::Signature | State::Verified | State::Verdict => "auth",
            State::Bind => "bind",
            State::Session => "session",
            State::Bound => "bound",
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
            Action::AskTls => {
                out.extend_from_slice(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
                Ok(Progress::Finished(Step::Stream))
            }
            Action::Secure => Ok(Progress::SecureNow),
            Action::StartScram | Action::StartSimple => self.authenticate(out),
            Action::Derive => self.derive(element),
            Action::Verify => {
                self.verify(element)?;
                out.extend_from_slice(b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
                Ok(Progress::Wait)
            }
            Action::VerifyRestart => {
                self.verify(element)?;
                Ok(self.restart(out))
            }
            Action::Restart => Ok(self.restart(out)),
            Action::AskBind => {
                write::bind(out, BIND_ID, self.resource.as_deref());
                Ok(Progress::Finished(Step::Stream))
            }
            Action::AdoptAskSession => {
                self.adopt(element)?;
                write::session(out, SESSION_ID);
                Ok(Progress::Finished(Step::Bind))
            }
            Action::Adopt => {
                self.adopt(element)?;
                self.finish()
            }
            Action::Finish => self.finish(),
            Action::Refused => Err(self.refused(input, element)),
            Action::Ignore => Ok(Progress::Wait),
            _ => Err(self.violation(&format!("<{}/> out of turn", element.local()))),
        }
    }

    /// What an element is to the table.
    fn classify(&mut self, element: &Element<'_>) -> Result<Input, Failure> {
        Ok(match element.kind() {
            ElementKind::Features => self.offer(element)?,
            ElementKind::Proceed => Input::Proceed,
            ElementKind::TlsFailure => Input::TlsFailure,
            ElementKind::Challenge => Input::Challenge,
            ElementKind::Success => Input::Success,
            ElementKind::SaslFailure => Input::SaslFailure,
            ElementKind::StreamError => Input::StreamError,
            ElementKind::Iq => self.answer(element)?,
            ElementKind::Message | ElementKind::Presence => Input::Stanza,
            _ => Input::Unknown,
        })
    }

    /// What features allow next.
    fn offer(&mut self, element: &Element<'_>) -> Result<Input, Failure> {
        if self.state != State::Features {
            return Err(self.violation("features out of turn"));
        }
        if let Some(objection) = self.objection.take() {
            return Err(objection);
        }
        self.features = Features::parse(element);
        if self.authenticated {
            return if self.features.bind {
                Ok(Input::OffersBind)
            } else {
                Err(self.violation("no resource binding"))
            };
        }
        if opening::tls_is_due(self.config.tls, &self.features, self.secured)? {
            return Ok(Input::OffersTls);
        }
        match self.mechanism() {
            Some(Mechanism::ScramSha1 | Mechanism::ScramSha256) => Ok(Input::OffersScram),
            Some(Mechanism::Plain | Mechanism::Anonymous) => Ok(Input::OffersSimple),
            None if self.features.unknown_required && self.features.mechanisms.is_empty() => {
                Err(Failure::new(
                    Blame::Protocol,
                    "stream",
                    "unsupported-feature",
                    "a required feature is not known",
                ))
            }
            None => Err(Failure::new(
                Blame::Misuse,
                "auth",
                "no-mechanism",
                "the server offers no mechanism that is allowed",
            )),
        }
    }

    /// The mechanism the latest features allow, the strongest that is both allowed and offered.
    pub fn mechanism(&self) -> Option<Mechanism> {
        let choice = Choice {
            allowed: &self.config.mechanisms,
            credentials: self.credentials.is_some(),
            secured: self.secured,
            plain_without_tls: self.config.plain_without_tls,
        };
        choice.strongest(&self.features.mechanisms)
    }

    /// An iq while binding: the answer to our request, or something that may be left alone.
    fn answer(&self, iq: &Element<'_>) -> Result<Input, Failure> {
        let expected = match self.state {
            State::Bind => BIND_ID,
            State::Session => SESSION_ID,
            _ => return Ok(Input::Stanza),
        };
        let kind = iq.stanza_type();
        if !matches!(kind.as_deref(), Some("result" | "error")) {
            return Ok(Input::Stanza);
        }
        if iq.id().as_deref() != Some(expected) {
            return Err(self.violation("an answer to no request"));
        }
        if iq.from().is_some_and(|from| !self.is_own_server(&from)) {
            return Err(self.violation("an answer from someone else"));
        }
        Ok(match (kind.as_deref(), self.state) {
            (Some("error"), _) => Input::Refusal,
            (_, State::Bind) if self.features.session => Input::ResultSessionDue,
            _ => Input::Result,
        })
    }

    /// Whether an answer may come from here: the server, or our own account on whose behalf it answers.
    fn is_own_server(&self, from: &str) -> bool {
        let own = |bare: &str| {
            self.credentials.as_ref().is_some_and(|own| {
                jid::same_account(bare, &format!("{}@{}", own.username, self.config.domain))
            })
        };
        jid::same_account(from, &self.config.domain)
            || own(from)
            || self.jid.as_ref().is_some_and(|jid| jid::same_account(from, jid.as_str()))
    }

    fn note(&mut self, header: &Header, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        self.objection = opening::check_header(header, &self.config.domain, out)?;
        Ok(Progress::Wait)
    }

    fn open(&self, out: &mut Vec<u8>) {
        let from = self.credentials.as_ref().filter(|_| self.secured);
        let from = from.map(|own| format!("{}@{}", own.username, self.config.domain));
        header::write_client(out, &self.config.domain, from.as_deref());
    }

    fn restart(&mut self, out: &mut Vec<u8>) -> Progress {
        self.authenticated = true;
        self.scram = None;
        self.open(out);
        Progress::Restart
    }

    fn authenticate(&mut self, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let mechanism = self.mechanism().ok_or_else(|| self.violation("no mechanism"))?;
        self.chosen = Some(mechanism);
        let message = match (mechanism, &self.credentials) {
            (Mechanism::ScramSha1, Some(own)) => self.begin_scram(Hash::Sha1, &own.clone())?,
            (Mechanism::ScramSha256, Some(own)) => self.begin_scram(Hash::Sha256, &own.clone())?,
            (Mechanism::Plain, Some(own)) => {
                let account = format!("{}@{}", own.username, self.config.domain);
                sasl::plain(
                    if self.config.plain_authzid { &account } else { "" },
                    &own.username,
                    &own.password,
                )
            }
            _ => Vec::new(),
        };
        out.extend_from_slice(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'");
        write::attribute(out, "mechanism", mechanism.as_str());
        out.push(b'>');
        out.extend_from_slice(sasl::encode(&message).as_bytes());
        out.extend_from_slice(b"</auth>");
        Ok(Progress::Finished(Step::Stream))
    }

    fn begin_scram(&mut self, hash: Hash, own: &Credentials) -> Result<Vec<u8>, Failure> {
        let nonce = STANDARD.encode(self.nonce);
        let scram = ScramClient::new(hash, &own.username, Arc::clone(&own.password), &nonce);
        let scram = self.scram.insert(Box::new(scram.map_err(Failure::from_scram)?));
        Ok(scram.first().into_bytes())
    }

    fn derive(&mut self, element: &Element<'_>) -> Result<Progress, Failure> {
        let message = read_sasl(element)?;
        let scram = self.scram.as_mut().ok_or_else(|| Failure::from_scram(ScramError::Order))?;
        scram.handle_challenge(&message).map(Progress::Derive).map_err(Failure::from_scram)
    }

    fn verify(&mut self, element: &Element<'_>) -> Result<(), Failure> {
        let message = read_sasl(element)?;
        let scram = self.scram.as_mut().ok_or_else(|| Failure::from_scram(ScramError::Order))?;
        scram.handle_final(&message).map_err(Failure::from_scram)
    }

    /// Takes the address the server gave, whatever was asked for (RFC 6120 section 7.6.1).
    fn adopt(&mut self, iq: &Element<'_>) -> Result<(), Failure> {
        let bind = iq.child("bind", namespaces::BIND);
        let text = bind.as_ref().and_then(|bind| bind.child_text("jid"));
        let jid: Option<Jid> = text.and_then(|text| text.trim().parse().ok());
        match jid.filter(|jid| jid.local().is_some() && jid.resource().is_some()) {
            Some(jid) => self.jid = Some(jid),
            None => return Err(Failure::violation("bind", "the server gave no full address")),
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Progress, Failure> {
        let jid = self.jid.take().ok_or_else(|| Failure::violation("bind", "bound to no address"))?;
        let mechanism = self.chosen.ok_or_else(|| self.violation("bound by nobody"))?;
        Ok(Progress::Bound(Bound {
            jid,
            mechanism,
            rosterver: self.features.rosterver,
            stream_management: self.features.stream_management,
            client_state: self.features.client_state,
            session: self.features.session,
        }))
    }

    fn refused(&self, input: Input, element: &Element<'_>) -> Failure {
        match input {
            Input::TlsFailure => {
                Failure::new(Blame::Server, "starttls", "tls-failure", "the server cannot begin TLS")
            }
            Input::SaslFailure => Failure::from_sasl(element),
            Input::StreamError => Failure::from_stream_error(self.step(), element),
            _ => Failure::from_iq(self.step(), element),
        }
    }

    fn violation(&self, text: &str) -> Failure {
        Failure::violation(self.step(), text)
    }

    /// What is said to the server about a failure: an exchange under way is aborted, and the stream ended.
    fn farewell(&mut self, done: Result<Progress, Failure>, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let Err(failure) = &done else { return done };
        let ours = matches!(failure.blame, Blame::Protocol | Blame::Policy) && failure.condition != "aborted";
        if self.step() == "auth" && ours {
            out.extend_from_slice(b"<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        }
        header::write_close(out);
        self.state = State::Failed;
        done
    }
}

fn write_sasl(out: &mut Vec<u8>, name: &str, data: &[u8]) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b" xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>");
    out.extend_from_slice(sasl::encode(data).as_bytes());
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

fn read_sasl(element: &Element<'_>) -> Result<Vec<u8>, Failure> {
    sasl::decode(&element.text()).ok_or_else(|| Failure::violation("auth", "SASL data that is not base64"))
}
