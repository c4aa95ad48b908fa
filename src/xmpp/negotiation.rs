//! The client's way from an open connection to a bound session (RFC 6120), as a machine without I/O.

use std::fmt;
use std::sync::Arc;

use super::{Element, Header, Jid, Mechanism, ReadError};
use crate::machine::Derivation;

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
    /// Whether the server offers roster versioning.
    pub rosterver: bool,
    /// Whether the server offers stream management (XEP-0198).
    pub stream_management: bool,
    /// Whether the server offers client state indication (XEP-0352).
    pub client_state: bool,
    /// Whether a session request was needed.
    pub session: bool,
}

/// Who is at fault for a failed login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Blame {
    /// A considered answer of the server (`not-authorized`).
    Server,
    /// The server asks to slow down.
    Throttled,
    /// The server enforces a rule.
    Policy,
    /// The server broke the protocol, or sent what is refused.
    Protocol,
    /// What was asked cannot be: no acceptable mechanism, no TLS, no bind.
    Misuse,
}

/// Why a login failed. What has to be said to the server about it was written already; the caller closes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{condition} ({text})")]
pub struct Failure {
    /// Who is at fault.
    pub blame: Blame,
    /// Where: `stream`, `starttls`, `auth`, `bind`, `session`.
    pub step: &'static str,
    /// The defined condition, or a short name of ours.
    pub condition: String,
    /// The peer's text or an explanation.
    pub text: String,
    /// Where the server sent us, if it did (`see-other-host`).
    pub see_other_host: Option<String>,
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self {
            blame: Blame::Protocol,
            step: "stream",
            condition: error.condition().as_str().to_owned(),
            text: error.to_string(),
            see_other_host: None,
        }
    }
}

/// The machine. Made for a login, dropped when it is done.
#[derive(Debug)]
pub struct Negotiation {
    config: Arc<ClientConfig>,
    credentials: Option<Credentials>,
    resource: Option<Arc<str>>,
    nonce: [u8; 18],
    secured: bool,
}

impl Negotiation {
    /// For one login. `credentials` none means ANONYMOUS. `resource` none lets the server choose. `nonce` is
    /// unpredictable. `secured` says that the channel is encrypted from its first byte.
    pub fn new(
        config: Arc<ClientConfig>,
        credentials: Option<Credentials>,
        resource: Option<Arc<str>>,
        nonce: [u8; 18],
        secured: bool,
    ) -> Self {
        Self { config, credentials, resource, nonce, secured }
    }

    /// The channel is open (and secured, if it is so from its first byte): writes the stream header.
    pub fn handle_opened(&mut self, out: &mut Vec<u8>) {
        let _ = (&self.config, &self.credentials, &self.resource, self.nonce, self.secured, out);
    }

    /// A stream header came.
    pub fn handle_header(&mut self, header: &Header, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let _ = (header, out);
        Ok(Progress::Wait)
    }

    /// A first-level element came.
    pub fn handle_element(&mut self, element: &Element<'_>, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let _ = (element, out);
        Ok(Progress::Wait)
    }

    /// TLS is up: writes a new stream header. The caller restarts its reader.
    pub fn handle_secured(&mut self, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let _ = out;
        Ok(Progress::Wait)
    }

    /// The key asked for by [`Progress::Derive`].
    pub fn handle_key(&mut self, key: &[u8], out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let _ = (key, out);
        Ok(Progress::Wait)
    }

    /// The stream's end tag came.
    pub fn handle_close(&mut self, out: &mut Vec<u8>) -> Failure {
        let _ = out;
        Failure {
            blame: Blame::Server,
            step: "stream",
            condition: String::new(),
            text: String::new(),
            see_other_host: None,
        }
    }

    /// What came cannot be read: writes the stream error and the end.
    pub fn handle_unreadable(&mut self, error: &ReadError, out: &mut Vec<u8>) -> Failure {
        let _ = out;
        Failure::from(error.clone())
    }

    /// The step under way, for whoever has to say where a login stands or was cut.
    pub fn step(&self) -> &'static str {
        "stream"
    }
}
