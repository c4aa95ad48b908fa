//! What a user does during its visit, and what comes of it.
//!
//! Registering happens before a login and has a machine of its own ([`crate::xmpp::Registration`]); everything else is an
//! errand of a user that is logged in.

use crate::accounts::People;
use crate::accounts::check::{Check, Checked};
use crate::accounts::contacts::{Contacts, ContactsSeen};
use crate::accounts::delete::Delete;
use crate::accounts::known::Known;
use crate::sample::{ErrorClass, Fault};
use crate::xmpp::{Element, Failure, Mechanism, Registered, StreamError};

/// What the visits of a stage are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Make the account.
    Register,
    /// Bring the roster nearer to the topology.
    Contacts,
    /// Log in and compare the roster with the topology.
    Check,
    /// Remove the account.
    Delete,
}

/// What a visit that did its work found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The account is there.
    Registered(Registered),
    /// What the roster says after this visit.
    Contacts(ContactsSeen),
    /// How account and roster stand.
    Checked(Checked),
    /// The account is gone, by this visit.
    Deleted,
    /// There was no such account.
    Absent,
}

impl Finding {
    /// What was found amiss with the account itself, if anything.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Checked(checked) => checked.fault(),
            Self::Registered(_) | Self::Contacts(_) | Self::Deleted | Self::Absent => None,
        }
    }
}

/// How a visit ended.
pub type Outcome = Result<Finding, Fault>;

/// Whose visit it is, and what is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Near<'a> {
    pub(super) people: &'a People,
    pub(super) user: u32,
    pub(super) known: &'a Known,
}

/// A login the server refused.
#[derive(Debug)]
pub(super) struct Refusal<'a> {
    pub(super) failure: &'a Failure,
    pub(super) mechanism: Option<Mechanism>,
    /// The server had named salt and rounds: it acted as if it knew the account.
    pub(super) was_challenged: bool,
}

/// What a user does once it is bound. It writes stanzas only; the visit owns the stream.
pub(super) trait Errand: Send {
    /// The session is bound.
    fn begin(&mut self, near: &Near<'_>, out: &mut Vec<u8>);

    /// A stanza came. An outcome ends the visit.
    fn handle_stanza(&mut self, stanza: &Element<'_>, near: &Near<'_>, out: &mut Vec<u8>) -> Option<Outcome>;

    /// The server refused the login. Nothing makes it a failure.
    fn handle_refusal(&mut self, refusal: &Refusal<'_>) -> Option<Finding> {
        let _ = refusal;
        None
    }

    /// The server ended the session, with or without an error. Nothing makes it a failure.
    fn handle_end(&mut self, error: Option<&StreamError>) -> Option<Finding> {
        let _ = error;
        None
    }
}

/// The errand of a task; none for registering.
pub(super) fn errand_of(task: Task) -> Option<Box<dyn Errand>> {
    match task {
        Task::Register => None,
        Task::Contacts => Some(Box::new(Contacts::default())),
        Task::Check => Some(Box::new(Check)),
        Task::Delete => Some(Box::new(Delete::default())),
    }
}

/// Whether another visit may fare better: the server asked for patience, the network failed, or the server had trouble of
/// its own.
pub(super) fn may_retry(fault: &Fault) -> bool {
    let passing = [
        "connection-closed",
        "internal-server-error",
        "stream-closed",
        "system-shutdown",
        "temporary-auth-failure",
    ];
    match fault.class {
        ErrorClass::Throttled | ErrorClass::Network => true,
        ErrorClass::Server => passing.contains(&fault.condition.as_str()),
        ErrorClass::Local | ErrorClass::Misuse | ErrorClass::Policy | ErrorClass::Protocol => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_get_better_is_not_tried_again() {
        let fault = |class, condition: &str| Fault::new(class, "register", condition, "");
        assert!(may_retry(&fault(ErrorClass::Throttled, "resource-constraint")));
        assert!(may_retry(&fault(ErrorClass::Network, "refused")));
        assert!(may_retry(&fault(ErrorClass::Server, "internal-server-error")));
        assert!(!may_retry(&fault(ErrorClass::Server, "not-authorized")));
        assert!(!may_retry(&fault(ErrorClass::Policy, "not-allowed")));
        assert!(!may_retry(&fault(ErrorClass::Misuse, "tls")));
    }
}
