//! What can be known of a comparison before its runs are made: whether its gates name anything, and how many pairs it takes.
//!
//! Runs take hours; a misspelt gate or a series too short to decide anything is told before the first.

use std::collections::BTreeSet;

use super::Options;
use super::gate::{self, UnknownMeasure};
use super::measure::{Figure, GENERATOR, Measure, SERVER};
use crate::sample::LedgerKind;
use crate::stats::family::runs_needed;
use crate::stats::rank::Design;

/// What is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// How many measures or gates share the chance of a false alarm.
    pub family: usize,
    /// The fewest pairs of runs by which any of them could be decided.
    pub pairs_needed: usize,
}

/// Of runs that will measure these operations and keep these accounts.
pub fn foresee(
    operations: &[&str],
    accounts: &[LedgerKind],
    options: &Options,
) -> Result<Foreseen, UnknownMeasure> {
    let gates = gate::resolve(&options.gates, &measurable(operations, accounts))?;
    let tested = gates.iter().filter(|gate| gate.is_tested()).count();
    // Without gates: median and p99, and an account or errors.
    let family = if tested > 0 { tested } else { 2 + accounts.len().max(1) };
    let pairs = |runs| Design::Paired { pairs: runs };
    let is_two_sided = tested == 0;
    Ok(Foreseen { family, pairs_needed: runs_needed(pairs, family, options.alpha, is_two_sided) })
}

fn measurable(operations: &[&str], accounts: &[LedgerKind]) -> BTreeSet<Measure> {
    let is_step = |name: &str| name.rsplit_once('.').is_some_and(|(whole, _)| operations.contains(&whole));
    let whole = operations.iter().filter(|name| !is_step(name));
    let of = |subject: &str, figures: &[Figure]| -> Vec<Measure> {
        figures.iter().map(|&figure| Measure::new(subject, figure)).collect()
    };
    let mut all: BTreeSet<Measure> = whole.flat_map(|name| of(name, Figure::OF_OPERATIONS)).collect();
    all.extend(accounts.iter().flat_map(|kind| of(kind.as_str(), Figure::OF_ACCOUNTS)));
    all.extend(of(SERVER, Figure::OF_OBSERVED));
    all.extend([GENERATOR, SERVER].map(|subject| Measure::new(subject, Figure::Cpu)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATIONS: [&str; 3] = ["login", "login.tls", "message.delivery"];

    fn foreseen(gates: &[&str]) -> Result<Foreseen, String> {
        let gates = gates.iter().map(|text| text.parse().expect("a gate")).collect();
        let options = Options { gates, ..Options::default() };
        foresee(&OPERATIONS, &[LedgerKind::Message], &options).map_err(|error| error.to_string())
    }

    #[test]
    fn a_gate_that_names_nothing_is_told_before_the_first_run() {
        let error = foreseen(&["mesage.loss == 0"]).unwrap_err();
        assert!(error.contains("did you mean `message.loss`"), "{error}");
        assert!(foreseen(&["login.tls.p99 <= +10%"]).is_err(), "steps are not compared");
        assert!(foreseen(&["message.lost == 0", "server.memory <= +10%", "login.p99.9 <= +10%"]).is_ok());
    }

    #[test]
    fn pairs_needed_follow_the_family() {
        // Three measures two-sided at 5 %: 2/128 is the first below 0.0167. A gate one-sided: 1/32; three: 1/64.
        assert_eq!(foreseen(&[]), Ok(Foreseen { family: 3, pairs_needed: 7 }));
        let gates = ["message.delivery.p50 <= +5%", "message.delivery.p99 <= +5%", "login.p99 <= +5%"];
        assert_eq!(foreseen(&gates[..1]), Ok(Foreseen { family: 1, pairs_needed: 5 }));
        assert_eq!(foreseen(&gates), Ok(Foreseen { family: 3, pairs_needed: 6 }));
        // What takes no statistics takes no share of them.
        assert_eq!(foreseen(&["message.loss == 0"]), Ok(Foreseen { family: 3, pairs_needed: 7 }));
    }
}
