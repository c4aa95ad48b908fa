//! When whom is planned to be in a room.

use std::sync::Arc;
use std::time::Duration;

use crate::profile::{Join, Phase, Rooms as Spec};
use crate::topology::Rooms;
use crate::units::Offset;

/// How long after its join was due an occupant is counted on by the plan.
pub const JOIN_GRACE: Duration = Duration::from_secs(1);

/// The rooms of one activity, and when their users join.
#[derive(Clone, Debug)]
pub struct RoomPlan {
    seating: Arc<Rooms>,
    /// When the first join is due and how long it is to the next; none where everybody joins once it is online.
    joins: Option<(Offset, Duration)>,
}

impl RoomPlan {
    pub(super) fn new(spec: &Spec, activity: u16, population: u32, phases: &[Phase]) -> Self {
        let joins = match &spec.join {
            Join::Login => None,
            Join::Phase(name, rate) => {
                let start =
                    phases.iter().find(|phase| phase.name == *name).map_or(Offset::ZERO, |phase| phase.start);
                let gap = rate.map_or(0.0, |rate| 1.0 / rate.as_per_second());
                Some((start, Duration::try_from_secs_f64(gap).unwrap_or(Duration::MAX)))
            }
        };
        Self { seating: Arc::new(Rooms::new(spec, activity, population)), joins }
    }

    /// Who is in which room.
    pub const fn seating(&self) -> &Arc<Rooms> {
        &self.seating
    }

    /// When the user of a seat is to join; none: as soon as it is online.
    pub fn joins_at(&self, seat: u32) -> Option<Offset> {
        self.joins.map(|(first, gap)| first + gap.saturating_mul(seat))
    }

    /// Whether a seat is planned to be taken, its user's session apart.
    pub(super) fn is_planned_joined(&self, seat: u32, at: Offset) -> bool {
        self.joins_at(seat).is_none_or(|join| join + JOIN_GRACE <= at)
    }
}
