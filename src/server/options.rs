//! What an embedded server is told before it starts.

use std::time::Duration;

use crate::server::fault::Faults;
use crate::units::Offset;
use crate::xmpp::sasl::Mechanism;

/// Whether STARTTLS is there, on connections that are not secured already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartTls {
    /// Offered, and nothing else works before it.
    #[default]
    Required,
    /// Offered; logging in without it works.
    Offered,
    /// Not offered.
    Absent,
}

/// Who may log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// Accounts of the directory with their password; anybody else with any password by PLAIN (SCRAM needs a password
    /// known here).
    #[default]
    Anybody,
    /// Accounts of the directory with their password only.
    Known,
}

/// What happens to a message for somebody without an available resource. There is no offline store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offline {
    /// The sender is told: `service-unavailable`.
    #[default]
    Refuse,
    /// It is swallowed, as some servers do when their store is full or off.
    Swallow,
}

/// Everything an embedded server is told.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The one domain it serves.
    pub domain: String,
    /// STARTTLS on connections that are not secured.
    pub starttls: StartTls,
    /// Mechanisms offered, in this order.
    pub mechanisms: Vec<Mechanism>,
    /// Whether PLAIN is offered on connections that are not secured.
    pub plain_without_tls: bool,
    /// Who may log in.
    pub admission: Admission,
    /// Whether accounts may be registered, changed and cancelled in-band (XEP-0077).
    pub registration: bool,
    /// Whether everybody begins without contacts, whatever the directory says.
    pub empty_rosters: bool,
    /// Messages for those who are not there.
    pub offline: Offline,
    /// Whether the obsolete session feature (RFC 3921) is announced, as optional.
    pub session_feature: bool,
    /// SCRAM iterations.
    pub iterations: u32,
    /// The largest stanza read, in bytes.
    pub stanza_max: usize,
    /// How long a connection may take until it has bound a resource.
    pub login_timeout: Duration,
    /// What to do wrong.
    pub faults: Faults,
    /// The seed of the faults' draws.
    pub seed: u64,
    /// Whether the truth is kept, to be taken with [`Server::take_truth`](crate::server::Server::take_truth).
    pub truth: bool,
    /// When its offset zero was, counted from 1970: what the stamps of what is shown later are made of.
    pub epoch_unix: Duration,
    /// The server's start: freezes and cuts count from it.
    pub start: Offset,
}

impl ServerOptions {
    /// STARTTLS required, all mechanisms but ANONYMOUS, anybody may log in, nothing done wrong, no truth kept.
    pub fn new(domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            starttls: StartTls::Required,
            mechanisms: vec![Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::Plain],
            plain_without_tls: false,
            admission: Admission::Anybody,
            registration: false,
            empty_rosters: false,
            offline: Offline::Refuse,
            session_feature: false,
            iterations: 4096,
            stanza_max: 256 * 1024,
            login_timeout: Duration::from_mins(1),
            faults: Faults::default(),
            seed: 0,
            truth: false,
            epoch_unix: Duration::ZERO,
            start: Offset::ZERO,
        }
    }
}
