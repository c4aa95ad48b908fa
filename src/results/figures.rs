//! The numbers of an operation: distributions, outcomes, and the accounts of messages.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::sample::{LedgerCounts, LedgerKind};

/// A number that may be missing for want of observations, or infinite because the attempt never completed.
///
/// In JSON: `null`, a number, or the string `"+inf"`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Extended<T> {
    /// Too few observations for it: nobody can say.
    #[default]
    Unsupported,
    /// The number.
    Finite(T),
    /// It lies among the attempts that never completed: beyond every deadline.
    Infinite,
}

impl<T> Extended<T> {
    /// The number, if it is one.
    pub fn finite(self) -> Option<T> {
        match self {
            Self::Finite(value) => Some(value),
            Self::Unsupported | Self::Infinite => None,
        }
    }

    /// The same with its number converted.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Extended<U> {
        match self {
            Self::Unsupported => Extended::Unsupported,
            Self::Finite(value) => Extended::Finite(convert(value)),
            Self::Infinite => Extended::Infinite,
        }
    }
}

/// One measured thing: what it means, its numbers, and the same numbers per group of users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// What one sample of it is, in one line.
    pub meaning: String,
    /// The phases these numbers are summed over, by name.
    pub phases: Vec<String>,
    /// The numbers over all groups.
    #[serde(flatten)]
    pub figures: Figures,
    /// The same numbers for each group of users; left out where there is only one group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Figures>,
}

/// The numbers of one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// Attempts: every planned start that ended, unsent ones included, indeterminate ones not. The population of the
    /// `attempted` percentiles, and the sum of all outcomes but the `indeterminate-*` ones.
    pub attempts: u64,
    /// How the attempts ended: outcome class → count. `ok` and `late` are the completed ones.
    pub outcomes: BTreeMap<String, u64>,
    /// Response time, microseconds: done − intended. The headline.
    pub response_us: Distribution,
    /// Service time, microseconds: done − sent.
    pub service_us: Distribution,
    /// Lag, microseconds: offered − intended. How late the generator was.
    pub lag_us: Distribution,
    /// Blocked, microseconds: sent − offered. The peer not reading.
    pub blocked_us: Distribution,
}

/// A distribution of one time over completed operations, and its percentiles over all attempted ones.
///
/// Percentiles are the highest value of their HDR bucket (three significant digits). A percentile q of n observations
/// is null where n·(1−q) < 10.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    /// Completed operations in the histogram.
    pub count: u64,
    /// The smallest, microseconds (lower edge of its bucket); null without observations.
    pub min: Option<u64>,
    /// The mean, microseconds, from bucket midpoints; null without observations.
    pub mean: Option<f64>,
    /// The median of the completed, microseconds.
    pub p50: Option<u64>,
    /// The 90th percentile of the completed, microseconds.
    pub p90: Option<u64>,
    /// The 99th percentile of the completed, microseconds.
    pub p99: Option<u64>,
    /// The 99.9th percentile of the completed, microseconds.
    pub p99_9: Option<u64>,
    /// The largest, microseconds (upper edge of its bucket); null without observations.
    pub max: Option<u64>,
    /// Values above one hour, recorded as one hour.
    pub clamped: u64,
    /// Values below zero, recorded as zero. Not 0 means a bug in xmpp-bench.
    pub negative: u64,
    /// The whole histogram: base 64 of HdrHistogram V2 + deflate; microseconds, 1 to 3 600 000 000, three digits.
    pub histogram: String,
    /// The percentiles over all attempts: what never completed ranks as `"+inf"`.
    pub attempted: Attempted,
}

/// Percentiles over all attempts, microseconds. Lost, timed-out, failed and unsent attempts rank as `"+inf"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempted {
    /// The population: completed operations and those that count as infinite.
    pub count: u64,
    /// The median, microseconds.
    pub p50: Extended<u64>,
    /// The 90th percentile, microseconds.
    pub p90: Extended<u64>,
    /// The 99th percentile, microseconds.
    pub p99: Extended<u64>,
    /// The 99.9th percentile, microseconds.
    pub p99_9: Extended<u64>,
}

/// The accounts of every tracked message, one per kind.
/// In each: `expected = delivered + lost + failed + indeterminate`, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ledgers {
    /// One-to-one messages.
    pub message: LedgerCounts,
    /// Room messages, one expected copy per occupant.
    pub groupchat: LedgerCounts,
    /// Presence broadcasts, one expected copy per contact online.
    pub presence: LedgerCounts,
}

impl Ledgers {
    /// The account of one kind.
    pub const fn of(&self, kind: LedgerKind) -> &LedgerCounts {
        match kind {
            LedgerKind::Message => &self.message,
            LedgerKind::Groupchat => &self.groupchat,
            LedgerKind::Presence => &self.presence,
        }
    }

    /// The account of one kind, to be written.
    pub const fn of_mut(&mut self, kind: LedgerKind) -> &mut LedgerCounts {
        match kind {
            LedgerKind::Message => &mut self.message,
            LedgerKind::Groupchat => &mut self.groupchat,
            LedgerKind::Presence => &mut self.presence,
        }
    }

    /// Adds other accounts, column by column.
    pub fn add(&mut self, other: &Self) {
        for kind in LedgerKind::ALL {
            self.of_mut(kind).add(other.of(kind));
        }
    }

    /// The sum of several phases' accounts.
    pub fn sum<'a>(phases: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut total = Self::default();
        phases.into_iter().for_each(|phase| total.add(phase));
        total
    }

    /// Makes every open entry indeterminate: what a run that was cut short can honestly say of them.
    pub fn close(&mut self) {
        for kind in LedgerKind::ALL {
            let counts = self.of_mut(kind);
            counts.indeterminate += counts.open();
        }
    }
}

const INFINITE: &str = "+inf";

impl<T: Serialize> Serialize for Extended<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unsupported => serializer.serialize_none(),
            Self::Finite(value) => value.serialize(serializer),
            Self::Infinite => serializer.serialize_str(INFINITE),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Extended<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw<'a, T> {
            Number(T),
            #[serde(borrow)]
            Word(Cow<'a, str>),
        }
        match Option::<Raw<'de, T>>::deserialize(deserializer)? {
            None => Ok(Self::Unsupported),
            Some(Raw::Number(value)) => Ok(Self::Finite(value)),
            Some(Raw::Word(word)) if word == INFINITE => Ok(Self::Infinite),
            Some(Raw::Word(word)) => {
                Err(de::Error::invalid_value(de::Unexpected::Str(&word), &"null, a number or \"+inf\""))
            }
        }
    }
}

impl<T: JsonSchema> JsonSchema for Extended<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Extended_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "null: too few observations. \"+inf\": among the attempts that never completed.",
            "anyOf": [{ "type": "null" }, generator.subschema_for::<T>(), { "const": INFINITE }]
        })
    }
}
