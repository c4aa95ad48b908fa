//! What can be known of a comparison before its runs are made: whether its gates name anything, and how many pairs it takes.
//!
//! Runs take hours; a misspelt gate or a series too short to decide anything is told before the first.

use std::collections::BTreeSet;

use super::Options;
use super::gate::{self, UnknownMeasure};
use super::measure::{Figure, GENERATOR, Measure, SERVER, Subject};
use super::text::counted;
use crate::sample::LedgerKind;
use crate::stats::family::runs_needed;
use crate::stats::rank::Design;

/// What is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// How many measures or gates share the chance of a false alarm.
    pub family: usize,
    /// Whether they are gates.
    pub is_gated: bool,
    /// The fewest pairs of runs by which any of them could be decided.
    pub pairs_needed: usize,
}

impl Foreseen {
    /// Says so if this many pairs decide nothing, whatever they measure.
    pub fn too_few(&self, pairs: usize) -> Option<String> {
        let what = if self.is_gated { "gate" } else { "primary measure" };
        (pairs < self.pairs_needed).then(|| {
            format!(
                "{} cannot decide anything about {}; {} could",
                counted(pairs, "pair"),
                counted(self.family, what),
                self.pairs_needed
            )
        })
    }
}

/// What runs will measure.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    /// The operations.
    pub operations: &'a [&'a str],
    /// The accounts that will be kept.
    pub accounts: &'a [LedgerKind],
    /// The measured phases.
    pub phases: &'a [&'a str],
}

/// Of a comparison of such runs.
pub fn foresee(planned: Planned<'_>, options: &Options) -> Result<Foreseen, UnknownMeasure> {
    let gates = gate::resolve(&options.gates, &planned.measurable(), |_| false)?;
    let tested = gates.iter().filter(|gate| gate.is_tested()).count();
    // Without gates: median and p99, and an account or errors.
    let is_gated = tested > 0;
    let family = if is_gated { tested } else { 2 + planned.accounts.len().max(1) };
    let pairs = |runs| Design::Paired { pairs: runs };
    Ok(Foreseen { family, is_gated, pairs_needed: runs_needed(pairs, family, options.alpha, !is_gated) })
}

impl Planned<'_> {
    fn measurable(&self) -> BTreeSet<Measure> {
        let is_step =
            |name: &str| name.rsplit_once('.').is_some_and(|(whole, _)| self.operations.contains(&whole));
        let operations: Vec<&str> = self.operations.iter().copied().filter(|name| !is_step(name)).collect();
        let phases = self.phases.iter().map(|phase| Some((*phase).to_owned())).chain([None]);
        let mut all = BTreeSet::new();
        for phase in phases {
            let of = |name: &str| Subject { phase: phase.clone(), name: name.to_owned() };
            all.extend(operations.iter().flat_map(|name| all_of(&of(name), Figure::OF_OPERATIONS)));
            all.extend(self.accounts.iter().flat_map(|kind| all_of(&of(kind.as_str()), Figure::OF_ACCOUNTS)));
        }
        all.extend(all_of(&Subject::whole(SERVER), Figure::OF_OBSERVED));
        all.extend([GENERATOR, SERVER].map(|subject| Measure::new(subject, Figure::Cpu)));
        all
    }
}

fn all_of(subject: &Subject, figures: &[Figure]) -> Vec<Measure> {
    subject.measures(figures).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATIONS: [&str; 3] = ["login", "login.tls", "message.delivery"];

    fn foreseen(gates: &[&str]) -> Result<Foreseen, String> {
        let gates = gates.iter().map(|text| text.parse().expect("a gate")).collect();
        let options = Options { gates, ..Options::default() };
        let planned =
            Planned { operations: &OPERATIONS, accounts: &[LedgerKind::Message], phases: &["noon", "peak"] };
        foresee(planned, &options).map_err(|error| error.to_string())
    }

    #[test]
    fn a_gate_that_names_nothing_is_told_before_the_first_run() {
        let error = foreseen(&["mesage.loss == 0"]).unwrap_err();
        assert!(error.contains("did you mean `message.loss`"), "{error}");
        assert!(foreseen(&["login.tls.p99 <= +10%"]).is_err(), "steps are not compared");
        let error = foreseen(&["paek/message.delivery.p99 <= +10%"]).unwrap_err();
        assert!(error.contains("did you mean `peak/message.delivery.p99`"), "{error}");
        assert!(foreseen(&["peak/message.delivery.p99 <= +10%", "noon/message.lost == 0"]).is_ok());
        assert!(foreseen(&["message.lost == 0", "server.memory <= +10%", "login.p99.9 <= +10%"]).is_ok());
    }

    #[test]
    fn pairs_needed_follow_the_family() {
        // Three measures two-sided at 5 %: 2/128 is the first below 0.0167. A gate one-sided: 1/32; three: 1/64.
        let told = |gates: &[&str]| {
            let foreseen = foreseen(gates).unwrap();
            (foreseen.family, foreseen.is_gated, foreseen.pairs_needed)
        };
        assert_eq!(told(&[]), (3, false, 7));
        let gates = ["message.delivery.p50 <= +5%", "message.delivery.p99 <= +5%", "login.p99 <= +5%"];
        assert_eq!(told(&gates[..1]), (1, true, 5));
        assert_eq!(told(&gates), (3, true, 6));
        // What takes no statistics takes no share of them.
        assert_eq!(told(&["message.loss == 0"]), (3, false, 7));
    }

    #[test]
    fn a_series_too_short_to_decide_is_told() {
        let told = |gates: &[&str], pairs| foreseen(gates).unwrap().too_few(pairs);
        let gates = ["message.delivery.p50 <= +5%"];
        assert_eq!(told(&gates, 4).unwrap(), "4 pairs cannot decide anything about 1 gate; 5 could");
        assert_eq!(told(&gates, 5), None);
        // What takes no statistics is no gate to be decided.
        let plain = "1 pair cannot decide anything about 3 primary measures; 7 could";
        assert_eq!(told(&["message.loss == 0"], 1).unwrap(), plain);
    }
}
