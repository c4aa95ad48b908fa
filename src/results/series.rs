//! The run second by second: columns of numbers, and response times as sparse histograms.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Buckets;

/// Columns with one entry per second since the run's epoch; entry 0 is the first second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// How many seconds there are: the length of every column.
    pub seconds: u32,
    /// Users online at the end of the second; null where it was not noted.
    pub users_online: Vec<Option<u64>>,
    /// The greatest lag of an operation intended in the second, microseconds; null where there is none.
    pub lag_max_us: Vec<Option<u64>>,
    /// The longest turn of any worker that ended in the second, microseconds; null where there is none.
    pub turn_max_us: Vec<Option<u64>>,
    /// Bytes written to sockets in the second.
    pub bytes_out: Vec<u64>,
    /// Bytes read from sockets in the second.
    pub bytes_in: Vec<u64>,
    /// Columns per operation.
    pub operations: BTreeMap<String, OperationSeries>,
}

/// Columns of one operation, one entry per second.
/// `asked = done_by_intended + errors + unsent + indeterminate`, in every second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationSeries {
    /// Operations the plan wanted started in the second.
    pub asked: Vec<u64>,
    /// Those of them that completed, whenever they did.
    pub done_by_intended: Vec<u64>,
    /// Operations that completed in the second, whenever they were wanted.
    pub done: Vec<u64>,
    /// Those wanted in the second that were lost, timed out or failed.
    pub errors: Vec<u64>,
    /// Those wanted in the second that could not be started.
    pub unsent: Vec<u64>,
    /// Those wanted in the second of which nobody can say what became.
    pub indeterminate: Vec<u64>,
    /// How those wanted in the second ended that did not end `ok`: outcome class → second and count, for the seconds that have
    /// any. Their sums are `errors`, `unsent`, `indeterminate`, and `late` within `done_by_intended`. Absent where all ended
    /// `ok`, and in results before 1.3.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<String, Vec<(u32, u64)>>,
    /// Response times of completed operations by their intended instant: one histogram per second in the first ten
    /// minutes, one per ten seconds after; intervals without any are left out.
    pub response: Vec<IntervalHistogram>,
}

/// Response times of the operations intended in one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IntervalHistogram {
    /// The interval's first second since the run's epoch.
    pub start_s: u32,
    /// Its length, seconds.
    pub length_s: u32,
    /// Bucket index and count, for the buckets that hold anything.
    pub buckets: Buckets,
}

/// After this second histograms cover ten seconds each.
const FINE_SECONDS: u32 = 600;
const COARSE_LENGTH: u32 = 10;

/// The interval of response histograms a second lies in: its first second and its length.
pub(super) const fn interval_of(second: u32) -> (u32, u32) {
    if second < FINE_SECONDS { (second, 1) } else { (second / COARSE_LENGTH * COARSE_LENGTH, COARSE_LENGTH) }
}
