//! `groupchat`: rooms that are made, entered, talked in and gone after the run (XEP-0045).
//!
//! The first of a room's users to come online makes and opens it (`groupchat.create`); the others enter when the profile says
//! (`groupchat.join`, and its first part `groupchat.join.self`). A message owes one copy to every occupant by the tool's own
//! view, the sender's own among them (`groupchat.echo`); `groupchat.fanout` ends with the last of them. Rooms are temporary:
//! they go with their last occupant. Joins ask for no history. Seen to work: the embedded server, Prosody 0.12, ejabberd 23.01.

use std::sync::Arc;

use crate::activity::{Behaviour, Feature, Order};
use crate::profile::{
    Join, KeySpec, Keys, KindSpec, Planned, Presence as Demand, Recipients, Reported, RoomSizes, Rooms,
    Shape, SizeDistribution,
};
use crate::sample::{LedgerKind, OperationSpec, TokenKind};
use crate::units::Rate;
use crate::xmpp::write;

/// This activity.
pub const FEATURE: Feature = Feature {
    spec: KindSpec {
        kind: "groupchat",
        summary: "makes rooms, joins them and talks in them (XEP-0045)",
        keys: &[
            KeySpec {
                name: "rooms",
                shape: Shape::Integer(1, 1_000_000),
                presence: Demand::Required,
                doc: "how many rooms there are",
            },
            KeySpec {
                name: "occupants",
                shape: Shape::RoomSizes,
                presence: Demand::Required,
                doc: "how many users each has: a number, \"uniform(5, 50)\", or \"zipf(1.1, 200)\" for sizes that fall by rank from the largest",
            },
            KeySpec {
                name: "service",
                shape: Shape::Text,
                presence: Demand::Default("\"conference.{domain}\""),
                doc: "the room service's address",
            },
            KeySpec {
                name: "join",
                shape: Shape::Text,
                presence: Demand::Default("\"login\""),
                doc: "when users join: \"login\" for as soon as they are online, or the name of a phase",
            },
            KeySpec {
                name: "join_rate",
                shape: Shape::Rate,
                presence: Demand::Optional,
                doc: "how fast they join from the beginning of that phase on; all at once without it",
            },
            KeySpec {
                name: "body",
                shape: Shape::Size,
                presence: Demand::Default("\"lognormal(80, 0.8)\""),
                doc: "size of the body in bytes: a number, \"uniform(24, 400)\" or \"lognormal(80, 0.8)\"",
            },
        ],
        operations: &[
            "groupchat.delivery",
            "groupchat.echo",
            "groupchat.fanout",
            "groupchat.join",
            "groupchat.join.self",
            "groupchat.create",
        ],
        ledger: Some("groupchat"),
    },
    operations: &[
        OperationSpec {
            name: "groupchat.delivery",
            meaning: "from the intended room message to another occupant's having read it",
            ledger: Some(LedgerKind::Groupchat),
        },
        OperationSpec {
            name: "groupchat.echo",
            meaning: "from the intended room message to its sender's having read its own copy",
            ledger: Some(LedgerKind::Groupchat),
        },
        OperationSpec {
            name: "groupchat.fanout",
            meaning: "from the intended room message to the last occupant's having read it",
            ledger: None,
        },
        OperationSpec {
            name: "groupchat.join",
            meaning: "from the intended join to the room's subject, with which it is over",
            ledger: None,
        },
        OperationSpec {
            name: "groupchat.join.self",
            meaning: "from the intended join to one's own presence out of the room",
            ledger: None,
        },
        OperationSpec {
            name: "groupchat.create",
            meaning: "from the wish for a new room to its being open to others",
            ledger: None,
        },
    ],
    token: TokenKind::Groupchat,
    read,
};

#[derive(Debug)]
struct Groupchat {
    rooms: Rooms,
    service: String,
    body: SizeDistribution,
}

fn read(keys: &mut Keys<'_>) -> Result<Arc<dyn Behaviour>, Reported> {
    let rooms = keys.take::<u32>("rooms");
    let occupants = keys.take::<RoomSizes>("occupants");
    let service = keys.take("service");
    let join = keys.take::<String>("join");
    let rate = keys.find::<Rate>("join_rate");
    let body = keys.take("body");
    let join = match join? {
        login if login == "login" => Join::Login,
        phase => Join::Phase(phase, rate?),
    };
    let rooms = Rooms { sizes: occupants?.of(rooms?), join };
    Ok(Arc::new(Groupchat { rooms, service: service?, body: body? }))
}

impl Planned for Groupchat {
    fn recipients(&self) -> Recipients {
        Recipients::Room
    }

    fn size(&self) -> Option<&SizeDistribution> {
        Some(&self.body)
    }

    fn rooms(&self) -> Option<&Rooms> {
        Some(&self.rooms)
    }
}

impl Behaviour for Groupchat {
    fn write(&self, order: &Order<'_>, out: &mut Vec<u8>) {
        let message = write::Message {
            to: order.to,
            id: order.id,
            kind: Some("groupchat"),
            head: order.id,
            body_bytes: order.size as usize,
        };
        write::message(out, &message);
    }

    fn room_service(&self) -> Option<&str> {
        Some(&self.service)
    }
}
