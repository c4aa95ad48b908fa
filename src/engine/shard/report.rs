//! What a shard hands to the aggregator: once a second, when its log is full, and at turning points.

use std::collections::BTreeMap;

use crate::engine::shard::{Log, Shard};
use crate::machine::Secured;
use crate::net::DriverStats;
use crate::record::turns::TurnTimes;
use crate::results::Histogram;
use crate::sample::{LedgerCounts, Place};
use crate::units::Offset;
use crate::user::Stanzas;
use crate::xmpp::{Mechanism, Offered, Software};

/// See the module text. Counts are since the run began; the log, lags and turns since the last report.
#[derive(Clone, Debug)]
pub struct ShardReport {
    /// Which shard.
    pub shard: u16,
    /// When.
    pub at: Offset,
    /// Finished attempts and errors.
    pub log: Log,
    /// The ledger's columns, by phase and kind.
    pub ledger: Vec<[LedgerCounts; 3]>,
    /// Users online now.
    pub online: u32,
    /// Entries open now.
    pub open: u64,
    /// offered − intended of everything offered, by phase.
    pub lags: Vec<Histogram>,
    /// Turn times, by phase.
    pub turns: Vec<TurnTimes>,
    /// What the driver counts.
    pub stats: DriverStats,
    /// SCRAM keys found in the cache, and those that had to be derived.
    pub keys: (u64, u64),
    /// Logins that succeeded, and attempts that failed.
    pub logins: (u64, u64),
    /// Of the failed logins, those no retry can mend.
    pub hopeless_logins: u64,
    /// TLS handshakes done in full, and resumed ones.
    pub handshakes: (u64, u64),
    /// How often each mechanism was used.
    pub mechanisms: BTreeMap<Mechanism, u64>,
    /// Facts of one channel's TLS, the first time one is secured.
    pub secured: Option<Box<Secured>>,
    /// What the server offered those who looked, since the last report.
    pub offered: Option<Box<Offered>>,
    /// What the server says it is, when it says so.
    pub software: Option<Box<Software>>,
    /// Stanzas read and written, by phase.
    pub stanzas: Vec<Stanzas>,
    /// What its users saw of their rooms' messages; with the last report only.
    pub room_orders: Vec<RoomOrder>,
    /// Whether it closes a second.
    pub ticked: bool,
    /// Nothing it began is open; it keeps reading for others.
    pub drained: bool,
    /// Its last report.
    pub finished: bool,
}

/// What one occupant saw of its room's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomOrder {
    /// The room.
    pub place: Place,
    /// How many messages.
    pub count: u64,
    /// A digest of their sequence: equal for two occupants who saw the same messages in the same order.
    pub digest: u64,
    /// It left or came back meanwhile, so that its sequence is not the whole.
    pub broken: bool,
}

/// Why a report is made.
#[derive(Debug)]
pub(super) enum Occasion {
    /// A second is over.
    Tick,
    /// The log is full, or the account settled.
    Between,
    /// The first channel was secured.
    Secured(Box<Secured>),
    /// The server said what it is.
    Named(Box<Software>),
    /// Everything is over.
    Last,
}

impl Shard {
    /// Hands everything over. The aggregator may be gone already; then nobody wants it.
    pub(super) fn hand_over(&mut self, at: Offset, occasion: Occasion) {
        let phases = self.run.plan.phases().len();
        let (is_last, is_tick) = (matches!(occasion, Occasion::Last), matches!(occasion, Occasion::Tick));
        let room_orders = if is_last { self.stays.orders(&self.run) } else { Vec::new() };
        let (mut secured, mut software) = (None, None);
        match occasion {
            Occasion::Secured(it) => secured = Some(it),
            Occasion::Named(it) => software = Some(it),
            Occasion::Tick | Occasion::Between | Occasion::Last => {}
        }
        let online = if self.is_leaving() { 0 } else { self.online_count };
        let watch = &mut self.watch;
        let _ = self.outlet.send(ShardReport {
            shard: self.number,
            at,
            log: self.recorder.take_log(Log::default()),
            ledger: self.recorder.ledger_counts(),
            online,
            open: self.recorder.open(),
            lags: std::mem::replace(&mut watch.lags, vec![Histogram::new(); phases]),
            turns: std::mem::replace(&mut watch.turns, vec![TurnTimes::default(); phases]),
            stats: watch.stats.clone(),
            keys: watch.keys,
            logins: watch.logins,
            hopeless_logins: watch.hopeless_logins,
            handshakes: watch.handshakes,
            mechanisms: watch.mechanisms.clone(),
            ticked: is_tick,
            finished: is_last,
            stanzas: watch.stanzas.clone(),
            room_orders,
            secured,
            offered: self.scouts.offered.take(),
            software,
            drained: watch.drained,
        });
    }

    pub(super) fn note_secured(&mut self, at: Offset, secured: Box<Secured>) {
        let first = self.watch.handshakes == (0, 0);
        self.watch.handshakes.0 += u64::from(!secured.resumed);
        self.watch.handshakes.1 += u64::from(secured.resumed);
        if first {
            self.hand_over(at, Occasion::Secured(secured));
        }
    }
}
