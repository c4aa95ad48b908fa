//! The errand that makes contacts mutual, one side at a time (RFC 6121 section 3.1).
//!
//! The user reads its roster, asks every contact it does not see (`subscribe`), grants every contact that has asked and
//! does not see it yet (`subscribed`), and reads the roster again: a server handles what one session sends in order, so
//! that this second answer shows what the first part did. Nobody goes online: neither asking nor granting needs presence,
//! and so none is spread.
//!
//! A grant is sent only to those who are known to have asked: sent earlier it would be a pre-approval (section 3.4), which
//! servers may ignore and some get wrong.
//!
//! Rosters may contradict each other (one side was restored, or edited): then asking and granting changes nothing, because
//! a server does not pass on what the sender's roster says is so already. So in the pass that mends nobody asks or grants:
//! a contact that is not mutual by either side's roster is removed from both, pre-approvals and all, and the handshake
//! begins anew. (All in one pass would never end: one side asks while the other removes.)

use crate::accounts::errand::{Errand, Finding, Near, Outcome};
use crate::accounts::known::Left;
use crate::accounts::roster::Roster;
use crate::user::negotiation_fault;
use crate::xmpp::{Element, ElementKind, Failure, Subscription, write};

/// Contacts dealt with between two looks at the roster: what is written at once stays far below the limit of what a
/// connection may have unsent.
const BATCH: usize = 500;
const ROSTER_ID: &str = "roster";
const REMOVE_ID: &str = "remove";

/// How a user's contacts stand after its visit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactsSeen {
    /// `subscribe` sent.
    pub asked: u32,
    /// `subscribed` sent.
    pub granted: u32,
    /// Contacts that are not `both` in this user's roster.
    pub left: Vec<Left>,
}

/// See the module text.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    /// Contacts dealt with, in the topology's order.
    dealt_with: usize,
    asked: u32,
    granted: u32,
}

impl Errand for Contacts {
    fn begin(&mut self, _: &Near<'_>, out: &mut Vec<u8>) {
        write::roster_get(out, ROSTER_ID);
    }

    fn handle_stanza(&mut self, stanza: &Element<'_>, near: &Near<'_>, out: &mut Vec<u8>) -> Option<Outcome> {
        if stanza.kind() != ElementKind::Iq || stanza.id().as_deref() != Some(ROSTER_ID) {
            return None;
        }
        match stanza.stanza_type().as_deref() {
            Some("result") => {}
            Some("error") => return Some(Err(negotiation_fault(&Failure::from_iq("contacts", stanza)))),
            _ => return None,
        }
        let roster = Roster::read(stanza);
        if self.deal(&roster, near, out) {
            write::roster_get(out, ROSTER_ID);
            return None;
        }
        Some(Ok(Finding::Contacts(self.look(&roster, near))))
    }
}

impl Contacts {
    /// Asks and grants up to a batch of contacts; whether anything was sent.
    fn deal(&mut self, roster: &Roster, near: &Near<'_>, out: &mut Vec<u8>) -> bool {
        let mut sent = 0;
        for contact in near.people.contacts(near.user).skip(self.dealt_with) {
            if sent == BATCH {
                break;
            }
            self.dealt_with += 1;
            let jid = near.people.bare(contact);
            let moves = if near.known.is_for_mending() {
                mending(roster.subscription(&jid), near.known.is_complaint(contact, near.user))
            } else {
                needed(roster.subscription(&jid).unwrap_or_default(), near.known.has_asked(contact))
            };
            self.make(moves, &jid, out);
            sent += usize::from(moves != Moves::default());
        }
        sent > 0
    }

    fn make(&mut self, moves: Moves, jid: &str, out: &mut Vec<u8>) {
        if moves.remove {
            write::roster_remove(out, REMOVE_ID, jid);
        }
        if moves.ask {
            write::subscription(out, "subscribe", jid);
            self.asked += 1;
        }
        if moves.grant {
            write::subscription(out, "subscribed", jid);
            self.granted += 1;
        }
    }

    fn look(&self, roster: &Roster, near: &Near<'_>) -> ContactsSeen {
        let contacts = near.people.contacts(near.user).map(|contact| {
            let subscription = roster.subscription(&near.people.bare(contact)).unwrap_or_default();
            Left { contact, subscription }
        });
        let left = contacts.filter(|left| left.subscription != Subscription::Both).collect();
        ContactsSeen { asked: self.asked, granted: self.granted, left }
    }
}

/// What is done about a contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moves {
    remove: bool,
    ask: bool,
    grant: bool,
}

/// What is missing by this user's own roster. What was asked before and not granted is asked again: if the server lost it
/// on the way, that mends it; if not, it changes nothing (RFC 6121 section 3.1.2).
fn needed(own: Subscription, has_asked: bool) -> Moves {
    Moves { remove: false, ask: !own.sees(), grant: has_asked && !own.is_seen() }
}

/// Whatever is there and not mutual, by this roster or by the contact's.
fn mending(own: Option<Subscription>, contact_complains: bool) -> Moves {
    let is_mutual = own == Some(Subscription::Both) && !contact_complains;
    Moves { remove: own.is_some() && !is_mutual, ..Moves::default() }
}

#[cfg(test)]
mod tests {
    use Subscription as S;

    use super::*;

    #[test]
    fn what_is_missing_is_asked_and_granted_and_nothing_else() {
        for (own, has_asked, ask, grant) in [
            (S::None, false, true, false),
            (S::None, true, true, true),
            (S::To, false, false, false),
            (S::To, true, false, true),
            (S::From, true, true, false),
            (S::Both, true, false, false),
        ] {
            let expected = Moves { remove: false, ask, grant };
            assert_eq!(needed(own, has_asked), expected, "{own:?}, asked: {has_asked}");
        }
    }

    #[test]
    fn what_either_side_denies_is_removed() {
        for (own, complains, remove) in [
            (Some(S::Both), false, false),
            (Some(S::Both), true, true),
            (Some(S::To), false, true),
            (Some(S::None), false, true),
            (None, false, false),
            (None, true, false),
        ] {
            let expected = Moves { remove, ..Moves::default() };
            assert_eq!(mending(own, complains), expected, "{own:?}, complaint: {complains}");
        }
    }
}
