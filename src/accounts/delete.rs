//! The errand that removes the account it is logged in with (XEP-0077 section 3.2).
//!
//! A server that has removed an account may say so, end the stream with `not-authorized` (the XEP asks for both), or do
//! either alone; each is taken for what it is.

use crate::accounts::check::{Checked, judge};
use crate::accounts::errand::{Errand, Finding, Near, Outcome, Refusal};
use crate::user::negotiation_fault;
use crate::xmpp::{Element, ElementKind, Failure, StreamCondition, StreamError, write};

const REMOVE_ID: &str = "remove";

/// See the module text.
#[derive(Debug, Default)]
pub(super) struct Delete {
    is_asked: bool,
}

impl Errand for Delete {
    fn begin(&mut self, _: &Near<'_>, out: &mut Vec<u8>) {
        write::registration_remove(out, REMOVE_ID);
        self.is_asked = true;
    }

    fn handle_stanza(&mut self, stanza: &Element<'_>, _: &Near<'_>, _: &mut Vec<u8>) -> Option<Outcome> {
        if stanza.kind() != ElementKind::Iq || stanza.id().as_deref() != Some(REMOVE_ID) {
            return None;
        }
        match stanza.stanza_type().as_deref() {
            Some("result") => Some(Ok(Finding::Deleted)),
            Some("error") => Some(Err(negotiation_fault(&Failure::from_iq("delete", stanza)))),
            _ => None,
        }
    }

    fn handle_refusal(&mut self, refusal: &Refusal<'_>) -> Option<Finding> {
        (judge(refusal) == Some(Checked::NoAccount)).then_some(Finding::Absent)
    }

    fn handle_end(&mut self, error: Option<&StreamError>) -> Option<Finding> {
        let removed = error.is_some_and(|error| error.condition == StreamCondition::NotAuthorized);
        (self.is_asked && removed).then_some(Finding::Deleted)
    }
}
