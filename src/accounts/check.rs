//! The errand that looks: logs in, reads the roster, compares it with the topology.
//!
//! A server says `not-authorized` to a wrong password and to a name it does not know, on purpose. With SCRAM the two can
//! mostly be told apart all the same: salt and rounds belong to an account, so a server that refuses before it has named
//! them has none. A server may hide that by making them up; then a missing account is called one with a wrong password.
//! With PLAIN nothing tells.

use crate::accounts::errand::{Errand, Finding, Near, Outcome, Refusal};
use crate::accounts::roster::{Differences, Roster};
use crate::sample::{ErrorClass, Fault};
use crate::user::negotiation_fault;
use crate::xmpp::{Blame, Element, ElementKind, Failure, Mechanism, write};

const ROSTER_ID: &str = "roster";

/// How an account stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Refused before a challenge: the server knows no such account.
    NoAccount,
    /// Refused after the proof.
    WrongPassword,
    /// Refused, and the mechanism (PLAIN) tells no more.
    NotLetIn,
    /// It logged in.
    LetIn(Differences),
}

impl Checked {
    /// What an account that was not let in lacks, as a fault; its condition is for programs too.
    pub fn fault(&self) -> Option<Fault> {
        let condition = match self {
            Self::NoAccount => "no-account",
            Self::WrongPassword => "wrong-password",
            Self::NotLetIn => "not-let-in",
            Self::LetIn(_) => return None,
        };
        Some(Fault::new(ErrorClass::Server, "auth", condition, ""))
    }
}

/// See the module text.
#[derive(Debug)]
pub(super) struct Check;

impl Errand for Check {
    fn begin(&mut self, _: &Near<'_>, out: &mut Vec<u8>) {
        write::roster_get(out, ROSTER_ID);
    }

    fn handle_stanza(&mut self, stanza: &Element<'_>, near: &Near<'_>, _: &mut Vec<u8>) -> Option<Outcome> {
        if stanza.kind() != ElementKind::Iq || stanza.id().as_deref() != Some(ROSTER_ID) {
            return None;
        }
        match stanza.stanza_type().as_deref() {
            Some("result") => {
                let differences = Roster::read(stanza).compare(near.people, near.user);
                Some(Ok(Finding::Checked(Checked::LetIn(differences))))
            }
            Some("error") => Some(Err(negotiation_fault(&Failure::from_iq("roster", stanza)))),
            _ => None,
        }
    }

    fn handle_refusal(&mut self, refusal: &Refusal<'_>) -> Option<Finding> {
        judge(refusal).map(Finding::Checked)
    }
}

/// What a refused login says of the account; nothing if it says something else (throttled, a server in trouble).
pub(super) fn judge(refusal: &Refusal<'_>) -> Option<Checked> {
    let Failure { blame, step, condition, .. } = refusal.failure;
    let says_no = *step == "auth"
        && *blame == Blame::Server
        && matches!(*condition, "not-authorized" | "scram-refused");
    if !says_no {
        return None;
    }
    Some(match refusal.mechanism {
        Some(Mechanism::ScramSha1 | Mechanism::ScramSha256) if refusal.was_challenged => {
            Checked::WrongPassword
        }
        Some(Mechanism::ScramSha1 | Mechanism::ScramSha256) => Checked::NoAccount,
        _ => Checked::NotLetIn,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_by_when_it_came() {
        let failure = |blame, step, condition| Failure {
            blame,
            step,
            condition,
            text: String::new(),
            see_other_host: None,
        };
        let no = failure(Blame::Server, "auth", "not-authorized");
        let scram = Some(Mechanism::ScramSha256);
        for (failure, mechanism, was_challenged, expected) in [
            (&no, scram, false, Some(Checked::NoAccount)),
            (&no, scram, true, Some(Checked::WrongPassword)),
            (&no, Some(Mechanism::Plain), false, Some(Checked::NotLetIn)),
            (&failure(Blame::Server, "auth", "temporary-auth-failure"), scram, false, None),
            (&failure(Blame::Policy, "auth", "encryption-required"), scram, false, None),
            (&failure(Blame::Server, "bind", "conflict"), scram, true, None),
        ] {
            assert_eq!(judge(&Refusal { failure, mechanism, was_challenged }), expected, "{failure}");
        }
    }
}
