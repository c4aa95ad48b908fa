//! `presence`: changes of show and status (RFC 6121 §4.4), to all contacts or directed to one (§4.6).
//!
//! Sends `<presence>` with a token as its id and at the head of its status. A broadcast owes one copy to every contact online
//! by the tool's own view whose subscription the server has; a contact it lacks is unsent with that reason. What a login or a
//! probe shows again is stored, and counted as `replayed`. Seen to deliver: the embedded server, Prosody 0.12, ejabberd 23.01.

use std::sync::Arc;

use crate::activity::{Behaviour, Feature, Order};
use crate::profile::{
    KeySpec, Keys, KindSpec, Planned, Presence as Demand, Recipients, Reported, Shape, SizeDistribution,
};
use crate::sample::{LedgerKind, OperationSpec, TokenKind};
use crate::xmpp::write;

/// This activity.
pub const FEATURE: Feature = Feature {
    spec: KindSpec {
        kind: "presence",
        summary: "changes show and status (RFC 6121)",
        keys: &[
            KeySpec {
                name: "status",
                shape: Shape::Size,
                presence: Demand::Default("\"uniform(24, 60)\""),
                doc: "size of the status text in bytes: a number, \"uniform(24, 400)\" or \"lognormal(80, 0.8)\"",
            },
            KeySpec {
                name: "to",
                shape: Shape::Choice(&["contacts", "contact"]),
                presence: Demand::Default("\"contacts\""),
                doc: "who is told: all contacts, or one of them by directed presence",
            },
        ],
        operations: &["presence.delivery"],
        ledger: Some("presence"),
    },
    operations: &[OperationSpec {
        name: "presence.delivery",
        meaning: "from the intended change to one contact's having read it",
        ledger: Some(LedgerKind::Presence),
    }],
    token: TokenKind::Presence,
    read,
};

/// What users say of themselves, in turns; none is plainly available (RFC 6121 §4.7.2.1).
const SHOWS: [Option<&str>; 5] = [None, Some("away"), Some("chat"), Some("dnd"), Some("xa")];

#[derive(Debug)]
struct Presence {
    status: SizeDistribution,
    to: Recipients,
}

fn read(keys: &mut Keys<'_>) -> Result<Arc<dyn Behaviour>, Reported> {
    let status = keys.take("status")?;
    let to = keys.choose("to", &[("contacts", Recipients::Contacts), ("contact", Recipients::Contact)])?;
    Ok(Arc::new(Presence { status, to }))
}

impl Planned for Presence {
    fn recipients(&self) -> Recipients {
        self.to
    }

    fn size(&self) -> Option<&SizeDistribution> {
        Some(&self.status)
    }
}

impl Behaviour for Presence {
    fn write(&self, order: &Order<'_>, out: &mut Vec<u8>) {
        let change = write::Presence {
            to: Some(order.to).filter(|to| !to.is_empty()),
            id: order.id,
            show: SHOWS[(order.number % SHOWS.len() as u64) as usize],
            head: order.id,
            status_bytes: order.size as usize,
        };
        write::presence_change(out, &change);
    }
}
