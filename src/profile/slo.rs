//! `[slo]`: what a run is held against.

use std::time::Duration;

use crate::units::{Quantile, Rate};

/// One objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo {
    /// Its name as the profile spells it (`message.delivery.p99`, `steady/message.delivery.p99`).
    pub name: String,
    /// The phase it holds in; `None` for every measured one. Only an objective on logins may name a phase that is not
    /// measured: that is where most of them happen.
    pub phase: Option<String>,
    /// Its bound as the profile spells it (`<= 250ms`).
    pub text: String,
    /// What is looked at.
    pub metric: Metric,
    /// How it is compared, with which bound.
    pub condition: Condition,
}

/// What an objective looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// A statistic of an operation's response time over all attempted ones; the bound is a [`Bound::Time`].
    Response(String, Statistic),
    /// Completed operations per second; the bound is a [`Bound::Rate`].
    Throughput(String),
    /// How many of an operation's attempts ended in one way; the bound is a [`Bound::Count`], or a [`Bound::Share`] of the
    /// attempts (for what is indeterminate: of everything asked).
    Outcome {
        /// The operation (`login`).
        operation: String,
        /// An outcome (`failed-throttled`), or a family of them (`failed`).
        outcome: String,
    },
    /// A ledger's column; the bound is a [`Bound::Count`], or a [`Bound::Share`] of `expected`.
    Ledger {
        /// The ledger (`message`).
        ledger: String,
        /// Its column (`lost`).
        column: String,
    },
}

impl Metric {
    /// The operation it is about, if it is about one.
    pub fn operation(&self) -> Option<&str> {
        match self {
            Self::Response(operation, _) | Self::Throughput(operation) | Self::Outcome { operation, .. } => {
                Some(operation)
            }
            Self::Ledger { .. } => None,
        }
    }
}

/// A statistic of a time. What never completed counts as infinite in each of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// `p99`
    Percentile(Quantile),
    /// `mean`
    Mean,
    /// `max`
    Max,
}

/// A comparison with a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub bound: Bound,
}

/// How a value is compared with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

impl Comparison {
    /// Whether `value` keeps to `bound`, both in the same unit.
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Equal => (value - bound).abs() < f64::EPSILON,
            Self::AtLeast => value >= bound,
            Self::Above => value > bound,
        }
    }
}

/// What a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A duration.
    Time(Duration),
    /// A number of messages.
    Count(u64),
    /// A share, 0..=1.
    Share(f64),
    /// Events per second.
    Rate(Rate),
}
