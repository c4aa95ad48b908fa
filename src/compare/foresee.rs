//! What can be known of a comparison before its runs are made: whether its gates name anything, and how many pairs it takes.
//!
//! Runs take hours; a misspelt gate or a series too short to decide anything is told before the first.

use std::collections::BTreeSet;

use super::gate::{self, UnknownMeasure};
use super::measure::{Figure, GENERATOR, Measure, SERVER, Subject};
use super::text::counted;
use super::{Options, design};
use crate::sample::LedgerKind;
use crate::stats::family::runs_needed;

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
    pub phases: &'a [PlannedPhase<'a>],
    /// Whether every phase is measured: without that logins have no rate.
    pub measures_all: bool,
    /// Whether the server is observed, and all that is known of it.
    pub observes: bool,
    /// Whether it is the embedded one, whose processor time is known.
    pub is_embedded: bool,
}

/// A measured phase.
#[derive(Clone, Copy, Debug)]
pub struct PlannedPhase<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether anybody logs in in it.
    pub logs_in: bool,
}

/// Of a comparison of such runs.
pub fn foresee(planned: Planned<'_>, options: &Options) -> Result<Foreseen, UnknownMeasure> {
    let gates = gate::resolve(&options.gates, &planned.measurable(), |_| false)?;
    let tested = gates.iter().filter(|gate| gate.is_tested());
    let measures: BTreeSet<&Measure> = tested.clone().map(|gate| &gate.measure).collect();
    let is_gated = !measures.is_empty();
    // Without gates: median and p99, and an account or errors.
    let plain = 2 + planned.accounts.len().max(1);
    let (primary, family) = if is_gated { (measures.len(), tested.count()) } else { (plain, plain) };
    let design = |pairs| design::design((pairs, pairs), true, options.alpha / primary as f64);
    Ok(Foreseen { family, is_gated, pairs_needed: runs_needed(design, family, options.alpha, !is_gated) })
}

impl Planned<'_> {
    fn measurable(&self) -> BTreeSet<Measure> {
        let is_step =
            |name: &str| name.rsplit_once('.').is_some_and(|(whole, _)| self.operations.contains(&whole));
        let operations: Vec<&str> = self.operations.iter().copied().filter(|name| !is_step(name)).collect();
        let mut all = BTreeSet::new();
        for phase in self.phases.iter().map(Some).chain([None]) {
            let of = |name: &str| Subject {
                phase: phase.map(|phase| phase.name.to_owned()),
                name: name.to_owned(),
            };
            let happens = |name: &str| name != LOGIN || phase.is_none_or(|phase| phase.logs_in);
            let happening = operations.iter().filter(|name| happens(name));
            all.extend(happening.flat_map(|name| all_of(&of(name), Figure::OF_OPERATIONS)));
            all.extend(self.accounts.iter().flat_map(|kind| all_of(&of(kind.as_str()), Figure::OF_ACCOUNTS)));
        }
        if !self.measures_all {
            all.remove(&Measure::new(LOGIN, Figure::Rate));
        }
        if self.observes {
            all.extend(all_of(&Subject::whole(SERVER), Figure::OF_OBSERVED));
        }
        if self.observes || self.is_embedded {
            all.insert(Measure::new(SERVER, Figure::Cpu));
        }
        all.insert(Measure::new(GENERATOR, Figure::Cpu));
        all
    }
}

/// What every run does, but not in every phase.
const LOGIN: &str = "login";

fn all_of(subject: &Subject, figures: &[Figure]) -> Vec<Measure> {
    subject.measures(figures).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANNED: Planned<'_> = Planned {
        operations: &["login", "login.tls", "message.delivery"],
        accounts: &[LedgerKind::Message],
        phases: &[
            PlannedPhase { name: "noon", logs_in: true },
            PlannedPhase { name: "peak", logs_in: false },
        ],
        measures_all: false,
        observes: true,
        is_embedded: false,
    };

    fn foreseen(gates: &[&str]) -> Result<Foreseen, String> {
        let gates = gates.iter().map(|text| text.parse().expect("a gate")).collect();
        let options = Options { gates, ..Options::default() };
        foresee(PLANNED, &options).map_err(|error| error.to_string())
    }

    #[test]
    fn a_gate_that_names_nothing_is_told_before_the_first_run() {
        let error = foreseen(&["mesage.loss == 0"]).unwrap_err();
        assert!(error.contains("did you mean `message.loss`"), "{error}");
        assert!(foreseen(&["login.tls.p99 <= +10%"]).is_err(), "steps are not compared");
        let error = foreseen(&["paek/message.delivery.p99 <= +10%"]).unwrap_err();
        assert!(error.contains("did you mean `peak/message.delivery.p99`"), "{error}");
        assert!(foreseen(&["peak/message.delivery.p99 <= +10%", "noon/message.lost == 0"]).is_ok());
        assert!(foreseen(&["noon/login.p99 <= +10%", "login.p99 <= +10%"]).is_ok());
        for never in ["peak/login.p99 <= +10%", "login.rate >= -5%"] {
            assert!(foreseen(&[never]).is_err(), "{never}: nobody logs in there, or nothing counts it");
        }
        let blind = Planned { observes: false, ..PLANNED };
        let gates = vec!["server.cpu <= +10%".parse().expect("a gate")];
        let error = foresee(blind, &Options { gates, ..Options::default() }).unwrap_err().to_string();
        assert!(error.contains("they observe no server ([observe] in the profile)"), "{error}");
        assert!(foreseen(&["message.lost == 0", "server.memory <= +10%", "login.p99.9 <= +10%"]).is_ok());
    }

    #[test]
    fn pairs_needed_follow_the_family() {
        // Without the use of pairs, which fewer runs can carry. Three measures two-sided at 5 %: 2/252 is the first below 0.0167. A gate
        // one-sided: 1/20; three: 1/70.
        let told = |gates: &[&str]| {
            let foreseen = foreseen(gates).unwrap();
            (foreseen.family, foreseen.is_gated, foreseen.pairs_needed)
        };
        assert_eq!(told(&[]), (3, false, 5));
        let gates = ["message.delivery.p50 <= +5%", "message.delivery.p99 <= +5%", "login.p99 <= +5%"];
        assert_eq!(told(&gates[..1]), (1, true, 3));
        assert_eq!(told(&gates), (3, true, 4));
        // What takes no statistics takes no share of them.
        assert_eq!(told(&["message.loss == 0"]), (3, false, 5));
    }

    #[test]
    fn a_series_too_short_to_decide_is_told() {
        let told = |gates: &[&str], pairs| foreseen(gates).unwrap().too_few(pairs);
        let gates = ["message.delivery.p50 <= +5%"];
        assert_eq!(told(&gates, 2).unwrap(), "2 pairs cannot decide anything about 1 gate; 3 could");
        assert_eq!(told(&gates, 3), None);
        // What takes no statistics is no gate to be decided.
        let plain = "1 pair cannot decide anything about 3 primary measures; 5 could";
        assert_eq!(told(&["message.loss == 0"], 1).unwrap(), plain);
    }
}
