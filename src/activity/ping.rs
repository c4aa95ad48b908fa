//! `ping`: XEP-0199 to the server, the plainest round trip there is.
//!
//! Sends `<iq type='get'><ping/></iq>` to the user's own server and expects one answer. An answer that is an error still
//! is an answer the server was made to give (XEP-0199 §4.1: a server without support answers `service-unavailable`), but is
//! counted as failed. Seen to answer: the embedded server, Prosody 0.12, ejabberd 23.01.

use std::sync::Arc;

use crate::activity::{Behaviour, Feature, Order};
use crate::profile::{Keys, KindSpec, Planned, Recipients, Reported, SizeDistribution};
use crate::sample::{OperationSpec, TokenKind};
use crate::xmpp::write;

/// This activity.
pub const FEATURE: Feature = Feature {
    spec: KindSpec {
        kind: "ping",
        summary: "asks the server for an answer (XEP-0199)",
        keys: &[],
        operations: &["ping"],
        ledger: None,
    },
    operations: &[OperationSpec {
        name: "ping",
        meaning: "from the intended ping to its answer",
        ledger: None,
    }],
    token: TokenKind::Request,
    read,
};

#[derive(Debug)]
struct Ping;

fn read(_: &mut Keys<'_>) -> Result<Arc<dyn Behaviour>, Reported> {
    Ok(Arc::new(Ping))
}

impl Planned for Ping {
    fn recipients(&self) -> Recipients {
        Recipients::Server
    }

    fn size(&self) -> Option<&SizeDistribution> {
        None
    }
}

impl Behaviour for Ping {
    fn write(&self, order: &Order<'_>, out: &mut Vec<u8>) {
        write::ping(out, order.id, Some(order.domain));
    }
}
