//! The numbers of one operation as they are added up.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::results::{Figures, Histogram};
use crate::sample::{Instants, Outcome, Sample};

/// Counts and times of one operation: of one phase and group, or a sum of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Outcome class → count.
    pub outcomes: BTreeMap<Cow<'static, str>, u64>,
    /// done − intended of the completed.
    pub response: Histogram,
    /// done − sent of the completed.
    pub service: Histogram,
    /// offered − intended of the completed.
    pub lag: Histogram,
    /// sent − offered of the completed.
    pub blocked: Histogram,
}

impl Tally {
    /// Records a finished attempt.
    pub fn record(&mut self, sample: &Sample) {
        *self.outcomes.entry(Cow::Borrowed(sample.outcome.as_str())).or_default() +=
            u64::from(sample.attempts);
        if let Some(instants) = completed(sample) {
            self.response.record_nanos(instants.response_nanos());
            self.service.record_nanos(instants.service_nanos());
            self.lag.record_nanos(instants.lag_nanos());
            self.blocked.record_nanos(instants.blocked_nanos());
        }
    }

    /// Adds another's numbers.
    pub fn merge(&mut self, other: &Self) {
        for (outcome, &count) in &other.outcomes {
            self.add_outcome(outcome, count);
        }
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.lag.merge(&other.lag);
        self.blocked.merge(&other.blocked);
    }

    /// Attempts: all outcomes but the indeterminate ones.
    pub fn attempts(&self) -> u64 {
        let attempted = self.outcomes.iter().filter(|(outcome, _)| !is_indeterminate(outcome));
        attempted.fold(0, |sum, (_, &count)| sum.saturating_add(count))
    }

    /// Everything that ended, indeterminate ones included: what the plan asked for.
    pub fn asked(&self) -> u64 {
        self.outcomes.values().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Attempts that were started, however they ended.
    pub fn started(&self) -> u64 {
        let started = self.outcomes.iter().filter(|(outcome, _)| !outcome.starts_with("unsent-"));
        started.fold(0, |sum, (_, &count)| sum.saturating_add(count))
    }

    /// Attempts that completed, late ones included.
    pub fn completed(&self) -> u64 {
        self.response.count()
    }

    /// Attempts that rank as infinite.
    pub fn infinite(&self) -> u64 {
        self.attempts().saturating_sub(self.completed())
    }

    /// As the result file has it.
    pub fn figures(&self) -> Figures {
        let infinite = self.infinite();
        Figures {
            attempts: self.attempts(),
            outcomes: self.outcomes.iter().map(|(outcome, &count)| (outcome.to_string(), count)).collect(),
            response_us: self.response.distribution(infinite),
            service_us: self.service.distribution(infinite),
            lag_us: self.lag.distribution(infinite),
            blocked_us: self.blocked.distribution(infinite),
        }
    }

    pub(super) fn add_outcome(&mut self, outcome: &str, count: u64) {
        match self.outcomes.get_mut(outcome) {
            Some(sum) => *sum = sum.saturating_add(count),
            None => {
                self.outcomes.insert(Cow::Owned(outcome.to_owned()), count);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// Forgets everything but keeps the histograms' room for the next interval.
    pub(super) fn clear(&mut self) {
        self.outcomes.clear();
        for histogram in [&mut self.response, &mut self.service, &mut self.lag, &mut self.blocked] {
            histogram.clear();
        }
    }
}

/// The four instants, if the sample is a completed one.
pub(super) fn completed(sample: &Sample) -> Option<&Instants> {
    sample.instants.as_ref().filter(|_| sample.outcome.is_completed())
}

/// Whether an outcome's name says that nobody can say: such are no attempts. See [`Outcome::is_attempt`].
pub(in crate::results) fn is_indeterminate(outcome: &str) -> bool {
    outcome.starts_with("indeterminate-")
}

/// Whether an outcome's name says that it completed. See [`Outcome::is_completed`].
pub(in crate::results) fn is_completed(outcome: &str) -> bool {
    outcome == Outcome::Ok.as_str() || outcome == Outcome::Late.as_str()
}
