//! Totals as the result file shows them.

use std::collections::BTreeMap;

use super::Totals;
use crate::results::series::interval_of;
use crate::results::{
    ErrorCount, Figures, IntervalHistogram, Ledgers, Operation, OperationSeries, Phase, Series,
};

impl Totals {
    /// The phases, with the account of each; a phase without one has an empty account.
    pub fn phases(&self, ledgers: &[Ledgers]) -> Vec<Phase> {
        let phases = self.layout.phases.iter().enumerate();
        phases
            .map(|(index, phase)| Phase {
                name: phase.name.clone(),
                start_s: phase.start_s,
                end_s: phase.end_s,
                measured: phase.measured,
                operations: self.operations_of(&[index]),
                ledger: ledgers.get(index).copied().unwrap_or_default(),
                traffic: None,
            })
            .collect()
    }

    /// Operations over the measured phases; those that happened in none of them, and those of logins, over all phases: a few
    /// users who come back must not stand for the thousands of the ramp.
    pub fn operations(&self) -> BTreeMap<String, Operation> {
        let all: Vec<usize> = (0..self.layout.phases.len()).collect();
        let measured: Vec<usize> =
            all.iter().copied().filter(|&at| self.layout.phases[at].measured).collect();
        let mut operations = self.operations_of(&all);
        let of_logins = |name: &str| name == "login" || name.starts_with("login.");
        operations.extend(self.operations_of(&measured).into_iter().filter(|(name, _)| !of_logins(name)));
        operations
    }

    /// Errors, most frequent first.
    pub fn errors(&self) -> Vec<ErrorCount> {
        let mut errors: Vec<_> = self
            .errors
            .0
            .iter()
            .map(|((class, step, condition), (count, example))| ErrorCount {
                class: class.clone(),
                step: step.clone(),
                condition: condition.clone(),
                count: *count,
                example: example.clone(),
            })
            .collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        errors
    }

    /// The run second by second.
    pub fn series(&self) -> Series {
        let columns = self.series.iter().map(Vec::len);
        let seconds = columns.max().unwrap_or(0).max(self.seconds.len());
        let column = |pick: fn(&super::SecondColumns) -> Option<u64>| -> Vec<Option<u64>> {
            (0..seconds).map(|second| self.seconds.get(second).and_then(pick)).collect()
        };
        let sums = |pick: fn(&super::SecondColumns) -> u64| -> Vec<u64> {
            (0..seconds).map(|second| self.seconds.get(second).map_or(0, pick)).collect()
        };
        Series {
            seconds: seconds as u32,
            users_online: column(|row| row.users_online),
            lag_max_us: column(|row| row.lag_max_us),
            turn_max_us: column(|row| row.turn_max_us),
            bytes_out: sums(|row| row.bytes_out),
            bytes_in: sums(|row| row.bytes_in),
            operations: self.operation_series(seconds),
        }
    }

    fn operations_of(&self, phases: &[usize]) -> BTreeMap<String, Operation> {
        let names = phases.iter().map(|&phase| self.layout.phases[phase].name.clone());
        let names: Vec<String> = names.collect();
        let mut operations = BTreeMap::new();
        for (index, operation) in self.layout.operations.iter().enumerate() {
            let tally = self.tally(phases.iter().copied(), index);
            if tally.is_empty() {
                continue;
            }
            let shown = Operation {
                meaning: operation.meaning.clone(),
                phases: names.clone(),
                figures: tally.figures(),
                groups: self.groups_of(phases, index),
            };
            operations.insert(operation.name.clone(), shown);
        }
        operations
    }

    fn groups_of(&self, phases: &[usize], operation: usize) -> BTreeMap<String, Figures> {
        if self.layout.groups.len() < 2 {
            return BTreeMap::new();
        }
        let mut groups = BTreeMap::new();
        for (index, name) in self.layout.groups.iter().enumerate() {
            let mut sum = super::Tally::default();
            phases
                .iter()
                .filter_map(|&phase| self.leaf(phase, operation, index))
                .for_each(|leaf| sum.merge(leaf));
            if !sum.is_empty() {
                groups.insert(name.clone(), sum.figures());
            }
        }
        groups
    }

    fn operation_series(&self, seconds: usize) -> BTreeMap<String, OperationSeries> {
        let operations = self.layout.operations.iter().enumerate();
        let present = operations.filter(|&(index, _)| !self.series[index].is_empty());
        present.map(|(index, operation)| (operation.name.clone(), self.one_series(index, seconds))).collect()
    }

    fn one_series(&self, operation: usize, seconds: usize) -> OperationSeries {
        let rows = &self.series[operation];
        let column = |pick: fn(&super::OperationSecond) -> u64| -> Vec<u64> {
            (0..seconds).map(|second| rows.get(second).map_or(0, pick)).collect()
        };
        OperationSeries {
            asked: column(super::OperationSecond::asked),
            done_by_intended: column(|row| row.done_by_intended),
            done: column(|row| row.done),
            errors: column(|row| row.errors),
            unsent: column(|row| row.unsent),
            indeterminate: column(|row| row.indeterminate),
            outcomes: self.outcomes_of(operation as u16),
            response: self.intervals_of(operation as u16),
        }
    }

    fn outcomes_of(&self, operation: u16) -> BTreeMap<String, Vec<(u32, u64)>> {
        let own = self.outcomes.range((operation, String::new())..);
        let own = own.take_while(|((of, _), _)| *of == operation);
        own.map(|((_, outcome), seconds)| {
            (outcome.clone(), seconds.iter().map(|(&second, &count)| (second, count)).collect())
        })
        .collect()
    }

    fn intervals_of(&self, operation: u16) -> Vec<IntervalHistogram> {
        let intervals = self.intervals.range((operation, 0)..=(operation, u32::MAX));
        intervals
            .map(|(&(_, second), buckets)| {
                let (start_s, length_s) = interval_of(second);
                IntervalHistogram { start_s, length_s, buckets: buckets.clone() }
            })
            .collect()
    }
}
