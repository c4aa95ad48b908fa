//! `churn`: sessions that end and come back.
//!
//! A session ends by closing its stream (`churn.close`, RFC 6120 §4.4) or is cut without a word (`churn.cut`: the connection is
//! reset, as a phone that leaves its network seems to do once the server writes to it). The user is away as long as the profile
//! says, then logs in again: a `login` like any. What was under way from or to it is indeterminate, by that reason.

use std::sync::Arc;

use crate::activity::{Behaviour, Feature, Order};
use crate::profile::{
    Absence, DurationDistribution, KeySpec, Keys, KindSpec, Planned, Presence as Demand, Recipients,
    Reported, Shape, Share, SizeDistribution,
};
use crate::sample::{OperationSpec, TokenKind};

/// This activity.
pub const FEATURE: Feature = Feature {
    spec: KindSpec {
        kind: "churn",
        summary: "ends sessions and begins them again",
        keys: &[
            KeySpec {
                name: "session",
                shape: Shape::Durations,
                presence: Demand::Optional,
                doc: "how long sessions last, instead of a `rate` or `every` at which they end: \"10min\", \"exponential(10min)\", \"lognormal(5min, 1.0)\"",
            },
            KeySpec {
                name: "away",
                shape: Shape::Durations,
                presence: Demand::Default("\"exponential(5s)\""),
                doc: "how long a user stays away before it logs in again",
            },
            KeySpec {
                name: "cut",
                shape: Shape::Share,
                presence: Demand::Default("0"),
                doc: "the share of sessions that are cut without a word; the others close their stream",
            },
        ],
        operations: &["churn.close", "churn.cut"],
        ledger: None,
    },
    operations: &[
        OperationSpec {
            name: "churn.close",
            meaning: "from the intended end of a session to the server's having closed its side",
            ledger: None,
        },
        OperationSpec {
            name: "churn.cut",
            meaning: "from the intended cut to the connection's being gone",
            ledger: None,
        },
    ],
    token: TokenKind::Request,
    read,
};

#[derive(Debug)]
struct Churn(Absence);

fn read(keys: &mut Keys<'_>) -> Result<Arc<dyn Behaviour>, Reported> {
    let session = keys.find::<DurationDistribution>("session");
    let away = keys.take("away");
    let cut = keys.take::<Share>("cut");
    Ok(Arc::new(Churn(Absence { session: session?, away: away?, cut: cut?.0 })))
}

impl Planned for Churn {
    fn recipients(&self) -> Recipients {
        Recipients::Oneself
    }

    fn size(&self) -> Option<&SizeDistribution> {
        None
    }

    fn absence(&self) -> Option<&Absence> {
        Some(&self.0)
    }
}

impl Behaviour for Churn {
    /// Nothing: ending a stream is its user's own business.
    fn write(&self, _: &Order<'_>, _: &mut Vec<u8>) {}
}
