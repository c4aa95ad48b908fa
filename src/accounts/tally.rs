//! What went wrong, counted by class, step and condition, each with its first examples.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::sample::{ErrorClass, Fault};

/// Kinds of faults told apart; beyond, they are one.
const KINDS_MAX: usize = 64;
/// Examples kept of each kind.
const EXAMPLES: usize = 3;

/// One kind of fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultCount {
    /// Who is at fault.
    pub class: &'static str,
    /// Where it happened.
    pub step: &'static str,
    /// The condition.
    pub condition: String,
    /// How often.
    pub count: u64,
    /// The first few: whose, and what was said.
    pub examples: Vec<String>,
}

/// See the module text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    kinds: BTreeMap<(ErrorClass, &'static str, String), (u64, Vec<String>)>,
}

impl Faults {
    /// One more, of `who`.
    pub fn note(&mut self, who: &str, fault: &Fault) {
        let mut key = (fault.class, fault.step, fault.condition.clone());
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&key) {
            key = (fault.class, "various", "various".to_owned());
        }
        let (count, examples) = self.kinds.entry(key).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            let said = if fault.text.is_empty() { String::new() } else { format!(": {}", fault.text) };
            examples.push(format!("{who}{said}"));
        }
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.kinds.values().map(|(count, _)| count).sum()
    }

    /// The kinds, the most frequent first.
    pub fn counts(&self) -> Vec<FaultCount> {
        let mut counts: Vec<_> = self
            .kinds
            .iter()
            .map(|((class, step, condition), (count, examples))| FaultCount {
                class: class.as_str(),
                step,
                condition: condition.clone(),
                count: *count,
                examples: examples.clone(),
            })
            .collect();
        counts.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_examples_are_bounded_and_the_frequent_come_first() {
        let mut faults = Faults::default();
        for number in 0..1_000 {
            let condition = format!("made-up-{number}");
            faults.note("u0@x", &Fault::new(ErrorClass::Server, "register", &condition, "no"));
        }
        for _ in 0..5 {
            faults.note("u1@x", &Fault::new(ErrorClass::Network, "tcp", "refused", ""));
        }
        assert_eq!(faults.total(), 1_005);
        let counts = faults.counts();
        assert!(counts.len() <= KINDS_MAX + 2, "{}", counts.len());
        assert_eq!((counts[0].condition.as_str(), counts[0].count), ("various", 936));
        assert_eq!(counts[0].examples, ["u0@x: no"; 3]);
        assert!(counts.iter().any(|kind| kind.class == "network"));
    }
}
