//! What can be known of a comparison before its runs are made: whether its gates name anything, and how many pairs it takes.
//!
//! Runs take hours; a misspelt gate or a series too short to decide anything is told before the first.

use std::collections::BTreeSet;

use super::Options;
use super::design::Claims;
use super::gate::{self, UnknownMeasure};
use super::measure::{Figure, GENERATOR, Measure, SERVER, Subject};
use super::run::PHASES_MAX;
use super::text::counted;
use crate::sample::LedgerKind;

/// What is known beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Foreseen {
    /// How many measures or gates share the chance of a false alarm.
    pub family: usize,
    /// Whether they are gates.
    pub is_gated: bool,
    claims: Claims,
}

impl Foreseen {
    /// Whether so many pairs of runs could decide anything.
    pub fn can_decide(&self, pairs: usize) -> bool {
        self.claims.can(self.claims.design((pairs, pairs), true))
    }

    /// Says so if this many pairs decide nothing, whatever they measure.
    pub fn too_few(&self, pairs: usize) -> Option<String> {
        let what = if self.is_gated { "gate" } else { "primary measure" };
        let needed = (pairs..=RUNS_MAX).find(|&pairs| self.can_decide(pairs)).unwrap_or(RUNS_MAX);
        (needed > pairs).then(|| {
            format!(
                "{} cannot decide anything about {}; {needed} could",
                counted(pairs, "pair"),
                counted(self.family, what)
            )
        })
    }
}

/// More runs a side than this are not thought about.
const RUNS_MAX: usize = 1_000;

/// What runs will measure.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    /// The operations, whether or not they will happen in every phase.
    pub operations: &'a [&'a str],
    /// The accounts that will be kept.
    pub accounts: &'a [LedgerKind],
    /// The measured phases.
    pub phases: &'a [&'a str],
    /// What will be known of the server.
    pub server: PlannedServer,
}

/// What will be known of the server, on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedServer {
    /// The processor time of all of it.
    pub cpu: bool,
    /// That by a source of `[observe]`, second by second, so that it can be told what load costs.
    pub observed_cpu: bool,
    /// Its memory.
    pub memory: bool,
}

/// Of a comparison of such runs.
pub fn foresee(planned: Planned<'_>, options: &Options) -> Result<Foreseen, UnknownMeasure> {
    let gates = gate::resolve(&options.gates, &planned.measurable(), |_| false)?;
    let tested = gates.iter().filter(|gate| gate.is_tested());
    let measures: BTreeSet<&Measure> = tested.clone().map(|gate| &gate.measure).collect();
    let is_gated = !measures.is_empty();
    // Without gates: median and p99, and an account or errors.
    let primary = if is_gated { measures.len() } else { 2 + planned.accounts.len().max(1) };
    let claims = Claims { primary, gates: tested.count(), alpha: options.alpha };
    Ok(Foreseen { family: if is_gated { claims.gates } else { primary }, is_gated, claims })
}

impl Planned<'_> {
    fn measurable(&self) -> BTreeSet<Measure> {
        let is_step =
            |name: &str| name.rsplit_once('.').is_some_and(|(whole, _)| self.operations.contains(&whole));
        let operations: Vec<&str> = self.operations.iter().copied().filter(|name| !is_step(name)).collect();
        let phases = if self.phases.len() <= PHASES_MAX { self.phases } else { &[] };
        let mut all = BTreeSet::new();
        for phase in phases.iter().map(Some).chain([None]) {
            let of =
                |name: &str| Subject { phase: phase.map(|phase| (*phase).to_owned()), name: name.to_owned() };
            all.extend(operations.iter().flat_map(|name| all_of(&of(name), Figure::OF_OPERATIONS)));
            all.extend(self.accounts.iter().flat_map(|kind| all_of(&of(kind.as_str()), Figure::OF_ACCOUNTS)));
        }
        let PlannedServer { cpu, observed_cpu, memory } = self.server;
        let of_server = [
            (cpu, Figure::Cpu),
            (memory, Figure::Memory),
            (observed_cpu, Figure::CpuPerMessages),
            (observed_cpu, Figure::CpuPerLogins),
            (memory, Figure::MemoryPerUser),
        ];
        let known = of_server.into_iter().filter(|(is_known, _)| *is_known);
        all.extend(known.map(|(_, figure)| Measure::new(SERVER, figure)));
        all.insert(Measure::new(GENERATOR, Figure::Cpu));
        all
    }
}

fn all_of(subject: &Subject, figures: &[Figure]) -> Vec<Measure> {
    subject.measures(figures).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANNED: Planned<'_> = Planned {
        operations: &["login", "login.tls", "message.delivery"],
        accounts: &[LedgerKind::Message],
        phases: &["noon", "peak"],
        server: PlannedServer { cpu: true, observed_cpu: true, memory: true },
    };

    fn foreseen(planned: Planned<'_>, gates: &[&str]) -> Result<Foreseen, String> {
        let gates = gates.iter().map(|text| text.parse().expect("a gate")).collect();
        foresee(planned, &Options { gates, ..Options::default() }).map_err(|error| error.to_string())
    }

    #[test]
    fn a_gate_that_names_nothing_is_told_before_the_first_run() {
        let told = |gate: &str| foreseen(PLANNED, &[gate]).unwrap_err();
        assert!(told("mesage.loss == 0").contains("did you mean `message.loss`"));
        assert!(
            told("paek/message.delivery.p99 <= +10%").contains("did you mean `peak/message.delivery.p99`")
        );
        assert!(told("login.tls.p99 <= +10%").contains("no `login.tls.p99`"), "steps are not compared");
        let known = [
            "message.lost == 0",
            "server.memory <= +10%",
            "login.p99.9 <= +10%",
            "peak/message.delivery.p99 <= +10%",
            "noon/message.lost == 0",
        ];
        assert!(foreseen(PLANNED, &known).is_ok());
        let many: Vec<String> = (0..=PHASES_MAX).map(|number| format!("step-{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let too_many = Planned { phases: &many, ..PLANNED };
        assert!(foreseen(too_many, &["step-7/message.lost == 0"]).is_err(), "they are not told apart");
        let just_few_enough = Planned { phases: &many[1..], ..PLANNED };
        assert!(foreseen(just_few_enough, &["step-7/message.lost == 0"]).is_ok());
    }

    #[test]
    fn so_is_one_on_what_nobody_will_know_of_the_server() {
        let unknown = PlannedServer { cpu: false, observed_cpu: false, memory: false };
        let loopback = PlannedServer { cpu: true, ..unknown };
        let page_of_cpu = PlannedServer { observed_cpu: true, ..loopback };
        let page_of_memory = PlannedServer { memory: true, ..unknown };
        let figures = ["cpu", "cpu_per_1000_messages", "cpu_per_1000_logins", "memory", "memory_per_user"];
        for (server, known) in [
            (unknown, &[][..]),
            (loopback, &figures[..1]),
            (page_of_cpu, &figures[..3]),
            (page_of_memory, &figures[3..]),
        ] {
            let planned = Planned { server, ..PLANNED };
            assert!(foreseen(planned, &["generator.cpu <= +10%"]).is_ok(), "that is always known");
            for figure in figures {
                let told = foreseen(planned, &[&format!("server.{figure} <= +10%")]);
                assert_eq!(told.is_ok(), known.contains(&figure), "{figure}, {server:?}");
                let error = told.err().unwrap_or_default();
                assert!(
                    error.is_empty() || error.contains("it takes a source of [observe] that knows it"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn what_can_decide_follows_the_family() {
        let least = |gates: &[&str]| {
            let foreseen = foreseen(PLANNED, gates).unwrap();
            let least = (1..100).find(|&pairs| foreseen.can_decide(pairs));
            (foreseen.family, foreseen.is_gated, least.unwrap())
        };
        // Without the use of pairs, which fewer runs can carry. Three measures two-sided at 5 %: 2/252 is the first below 0.0167. A gate
        // one-sided: 1/20; three: 1/70.
        assert_eq!(least(&[]), (3, false, 5));
        let gates = ["message.delivery.p50 <= +5%", "message.delivery.p99 <= +5%", "login.p99 <= +5%"];
        assert_eq!(least(&gates[..1]), (1, true, 3));
        assert_eq!(least(&gates), (3, true, 4));
        // What takes no statistics takes no share of them.
        assert_eq!(least(&["message.loss == 0"]), (3, false, 5));
        let nothing_delivered = Planned { operations: &["login", "ping"], accounts: &[], ..PLANNED };
        assert_eq!(foreseen(nothing_delivered, &[]).unwrap().family, 3, "errors stand for the account");
    }

    /// Six pairs could carry one measure, and not four gates on it: then they are not made use of.
    #[test]
    fn more_pairs_never_decide_less() {
        let bounds: Vec<String> =
            (1..=15).map(|bound| format!("message.delivery.p99 <= +{bound}%")).collect();
        let others = ["message.delivery.p50 <= +5%", "login.p99 <= +5%"];
        for count in 1..=bounds.len() {
            for others in [&[][..], &others[..1], &others] {
                let gates: Vec<&str> =
                    bounds[..count].iter().map(String::as_str).chain(others.iter().copied()).collect();
                let foreseen = foreseen(PLANNED, &gates).unwrap();
                let able: Vec<bool> = (1..40).map(|pairs| foreseen.can_decide(pairs)).collect();
                assert!(able.is_sorted(), "{count} gates and {}: {able:?}", others.len());
            }
        }
    }

    #[test]
    fn a_series_too_short_to_decide_is_told() {
        let told = |gates: &[&str], pairs| foreseen(PLANNED, gates).unwrap().too_few(pairs);
        let gates = ["message.delivery.p50 <= +5%"];
        assert_eq!(told(&gates, 2).unwrap(), "2 pairs cannot decide anything about 1 gate; 3 could");
        assert_eq!(told(&gates, 3), None);
        // What takes no statistics is no gate to be decided.
        let plain = "1 pair cannot decide anything about 3 primary measures; 5 could";
        assert_eq!(told(&["message.loss == 0"], 1).unwrap(), plain);
    }
}
