//! `message`: one-to-one chat messages (RFC 6121 §5), to contacts or to anyone online.
//!
//! Sends `<message type='chat'>` to the recipient's bare JID, whose body is the token and padding up to the drawn size. One
//! copy is owed to the recipient's one session. What bounces is `failed`, by the condition's class.
//! Seen to deliver: the embedded server, Prosody 0.12, ejabberd 23.01.

use std::sync::Arc;

use crate::activity::{Behaviour, Feature, Order};
use crate::profile::{
    KeySpec, Keys, KindSpec, Planned, Presence, Recipients, Reported, Shape, SizeDistribution,
};
use crate::sample::{LedgerKind, OperationSpec, TokenKind};
use crate::xmpp::write;

/// This activity.
pub const FEATURE: Feature = Feature {
    spec: KindSpec {
        kind: "message",
        summary: "writes one-to-one messages (RFC 6121)",
        keys: &[
            KeySpec {
                name: "body",
                shape: Shape::Size,
                presence: Presence::Default("\"lognormal(80, 0.8)\""),
                doc: "size of the body in bytes: a number, \"uniform(24, 400)\" or \"lognormal(80, 0.8)\"",
            },
            KeySpec {
                name: "to",
                shape: Shape::Choice(&["contact", "online"]),
                presence: Presence::Default("\"contact\""),
                doc: "whom users write to: one of their contacts, or anyone online",
            },
        ],
        operations: &["message.delivery"],
        ledger: Some("message"),
    },
    operations: &[OperationSpec {
        name: "message.delivery",
        meaning: "from the intended message to the recipient's having read it",
        ledger: Some(LedgerKind::Message),
    }],
    token: TokenKind::Message,
    read,
};

#[derive(Debug)]
struct Message {
    body: SizeDistribution,
    to: Recipients,
}

fn read(keys: &mut Keys<'_>) -> Result<Arc<dyn Behaviour>, Reported> {
    let body = keys.take("body")?;
    let to = keys.choose("to", &[("contact", Recipients::Contact), ("online", Recipients::Online)])?;
    Ok(Arc::new(Message { body, to }))
}

impl Planned for Message {
    fn recipients(&self) -> Recipients {
        self.to
    }

    fn size(&self) -> Option<&SizeDistribution> {
        Some(&self.body)
    }
}

impl Behaviour for Message {
    fn write(&self, order: &Order<'_>, out: &mut Vec<u8>) {
        let message = write::Message {
            to: order.to,
            id: order.id,
            kind: Some("chat"),
            head: order.id,
            body_bytes: order.size as usize,
        };
        write::message(out, &message);
    }
}
