//! The errand that makes contacts mutual, one side at a time (RFC 6121 section 3.1).
//!
//! The user reads its roster, asks every contact it does not see (`subscribe`), grants every contact that has asked and
//! does not see it yet (`subscribed`), and reads the roster again: a server handles what one session sends in order, so
//! that this second answer shows what the first part did. Nobody goes online: neither asking nor granting needs presence,
//! and so none is spread.
//!
//! A grant is sent only to those who are known to have asked: sent earlier it would be a pre-approval (section 3.4), which
//! servers may ignore and some get wrong.

use crate::accounts::errand::{Errand, Finding, Near, Outcome};
use crate::accounts::roster::{Roster, Standing};
use crate::user::negotiation_fault;
use crate::xmpp::{Element, ElementKind, Failure, write};

/// Contacts dealt with between two looks at the roster: what is written at once stays far below the limit of what a
/// connection may have unsent.
const BATCH: usize = 500;
const ROSTER_ID: &str = "roster";

/// How a user's contacts stand after its visit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactsSeen {
    /// `subscribe` sent.
    pub asked: u32,
    /// `subscribed` sent.
    pub granted: u32,
    /// Contacts that are not `both` in this user's roster.
    pub left: u32,
    /// One of them, and how it stands with it.
    pub example: Option<String>,
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
            let (ask, grant) =
                needed(roster.standing(&jid).unwrap_or_default(), near.asked.contains(contact));
            if ask {
                write::subscription(out, "subscribe", &jid);
                self.asked += 1;
            }
            if grant {
                write::subscription(out, "subscribed", &jid);
                self.granted += 1;
            }
            sent += usize::from(ask || grant);
        }
        sent > 0
    }

    fn look(&self, roster: &Roster, near: &Near<'_>) -> ContactsSeen {
        let mut seen = ContactsSeen { asked: self.asked, granted: self.granted, ..ContactsSeen::default() };
        for contact in near.people.contacts(near.user) {
            let jid = near.people.bare(contact);
            let standing = roster.standing(&jid);
            if standing
                .is_some_and(|standing| standing.subscription.sees() && standing.subscription.is_seen())
            {
                continue;
            }
            seen.left += 1;
            if seen.example.is_none() {
                let how = standing.map_or("not in its roster", |standing| standing.subscription.as_str());
                seen.example = Some(format!("{} with {jid}: {how}", near.people.bare(near.user)));
            }
        }
        seen
    }
}

/// Whether to ask a contact, and whether to grant it. What was asked before and not granted is asked again: if the server
/// lost it on the way, that mends it; if not, it changes nothing (RFC 6121 section 3.1.2).
const fn needed(standing: Standing, has_asked: bool) -> (bool, bool) {
    (!standing.subscription.sees(), has_asked && !standing.subscription.is_seen())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::Subscription;

    #[test]
    fn what_is_missing_is_asked_and_granted_and_nothing_else() {
        for (subscription, ask, has_asked, expected) in [
            (Subscription::None, false, false, (true, false)),
            (Subscription::None, true, false, (true, false)),
            (Subscription::None, false, true, (true, true)),
            (Subscription::To, false, false, (false, false)),
            (Subscription::To, false, true, (false, true)),
            (Subscription::From, true, true, (true, false)),
            (Subscription::Both, false, true, (false, false)),
        ] {
            let standing = Standing { subscription, ask };
            assert_eq!(needed(standing, has_asked), expected, "{standing:?}, asked: {has_asked}");
        }
    }
}
