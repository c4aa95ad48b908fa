//! Runs of several measured phases: what changed in one of them alone is seen there, and a gate can ask for it.

use xmpp_bench::compare::{
    CompareError, Comparison, Family, Gate, GateState, Judgement, Options, Run, compare,
};
use xmpp_bench::results::{Activity, Extended, RunResult};

use crate::runs::{OPERATION, Values, result, template};

const OFF: [f64; 8] = [0.99, 1.0, 1.01, 1.02, 0.98, 1.005, 0.995, 1.015];
const CENTER: Values = Values { p50: 400e3, p99: 2_000e3, loss: 0.0 };

fn gates(texts: &[&str]) -> Options {
    Options { gates: texts.iter().map(|text| text.parse::<Gate>().unwrap()).collect(), ..Options::default() }
}

/// Eight a side, of two measured phases named so that their order is not the alphabet's; at the peak the new side takes half
/// as long again and loses a hundredth, which all phases together do not show.
fn staircase(options: &Options) -> Result<Comparison, CompareError> {
    let template = template();
    let side = |name: &str, slower: f64, lost: u64| -> Vec<Run> {
        let one = |(off, seed): (&f64, u64)| {
            let values = Values { p50: CENTER.p50 * off, p99: CENTER.p99 * off, loss: 0.0 };
            let mut made = result(&template, seed, name, values);
            let (noon, peak) = (phase(&made, "noon", 1.0, 0), phase(&made, "peak", slower, lost));
            made.phases = vec![peak, noon];
            // Of a login that began before the phase only later steps are in it.
            let step = made.operations[OPERATION].clone();
            made.phases[0].operations.insert("login.auth".to_owned(), step.clone());
            made.operations.extend(["login", "login.auth"].map(|name| (name.to_owned(), step.clone())));
            made.profile.activities = vec![Activity {
                operations: vec![OPERATION.to_owned(), "ping".to_owned()],
                ..Activity::default()
            }];
            Run::of(&format!("{name}{seed}.json"), &made)
        };
        OFF.iter().zip(1..).map(one).collect()
    };
    compare(&side("base", 1.0, 0), &side("new", 1.5, 10_000), options)
}

fn phase(made: &RunResult, name: &str, slower: f64, lost: u64) -> xmpp_bench::results::Phase {
    let mut phase = made.phases[0].clone();
    name.clone_into(&mut phase.name);
    let mut operation = made.operations[OPERATION].clone();
    operation.phases = vec![phase.name.clone()];
    let attempted = &mut operation.figures.response_us.attempted;
    let times = |value: Extended<u64>| Extended::Finite((value.finite().unwrap() as f64 * slower) as u64);
    (attempted.p50, attempted.p99) = (times(attempted.p50), times(attempted.p99));
    phase.operations.insert(OPERATION.to_owned(), operation);
    let message = &mut phase.ledger.message;
    (message.lost, message.delivered) = (lost, message.expected - lost);
    phase
}

#[test]
fn what_got_worse_in_one_phase_alone_stands_in_its_own_row() {
    let comparison = staircase(&Options::default()).unwrap();
    let row = |measure: &str| {
        let found = comparison.rows.iter().find(|row| row.measure == measure);
        found.unwrap_or_else(|| panic!("no {measure}"))
    };
    assert_eq!(row("message.delivery.p99").judgement, Judgement::NoDifferenceShown, "of all phases");
    assert_eq!(row("noon/message.delivery.p99").judgement, Judgement::NoDifferenceShown);
    for measure in ["peak/message.delivery.p50", "peak/message.delivery.p99", "peak/message.undelivered"] {
        assert_eq!(
            (row(measure).judgement, row(measure).family),
            (Judgement::Worse, Family::Exploratory),
            "{measure}"
        );
    }
    let of_phases: Vec<&str> = comparison
        .rows
        .iter()
        .filter_map(|row| row.measure.split_once('/'))
        .map(|(phase, _)| phase)
        .collect();
    assert!(of_phases.is_sorted_by(|one, next| one >= next), "in their own order, peak first: {of_phases:?}");
    assert!(comparison.rows.iter().all(|row| !row.measure.contains("login.auth")), "steps are not compared");
    let rare = |measure: &str| comparison.rows.iter().any(|row| row.measure == measure);
    assert!(!rare("peak/message.delivery.p90"), "what matters most");
    let alike = &comparison.unremarkable.alike;
    assert!(alike.contains(&"noon/message.undelivered".to_owned()), "not so the whole: {alike:?}");
    assert!(!alike.iter().any(|one| one.starts_with("peak/")), "{alike:?}");
}

#[test]
fn a_gate_asks_for_one_phase() {
    let all = gates(&[
        "noon/message.delivery.p99 <= +10%",
        "peak/message.delivery.p99 <= +10%",
        "peak/message.delivery.p90 <= +10%",
        "noon/message.lost == 0",
        "peak/message.lost == 0",
    ]);
    let comparison = staircase(&all).unwrap();
    let states: Vec<GateState> = comparison.gates.iter().map(|gate| gate.state).collect();
    assert_eq!(states[..2], [GateState::Passed, GateState::Failed], "{:?}", comparison.gates);
    assert_eq!(states[3..], [GateState::Passed, GateState::Failed], "{:?}", comparison.gates);
    let primary: Vec<&str> = comparison
        .rows
        .iter()
        .filter(|row| row.family == Family::Primary)
        .map(|row| row.measure.as_str())
        .collect();
    assert_eq!(
        primary,
        ["noon/message.delivery.p99", "peak/message.delivery.p90", "peak/message.delivery.p99"]
    );
}

#[test]
fn what_was_planned_and_never_happened_is_no_evidence_and_no_mistake() {
    let comparison = staircase(&gates(&["peak/ping.p99 <= +10%", "ping.p50 <= +10%"])).unwrap();
    for gate in &comparison.gates {
        assert_eq!(gate.state, GateState::NotEnoughEvidence, "{gate:?}");
        assert!(gate.reason.contains("none, in every run: more runs like these decide nothing"), "{gate:?}");
    }
    assert_eq!(comparison.exit.code, 6);
    let error = staircase(&gates(&["paek/message.delivery.p99 <= +10%"])).unwrap_err().to_string();
    assert!(error.contains("did you mean `peak/message.delivery.p99`?"), "{error}");
    assert!(staircase(&gates(&["peak/generator.cpu <= +10%"])).is_err(), "no phase has its own");
    let error = staircase(&gates(&["server.memory <= +10%"])).unwrap_err().to_string();
    assert!(error.contains("it takes a source of [observe] that knows it"), "{error}");
}

/// With one measured phase its rows would say the same twice.
#[test]
fn one_measured_phase_has_no_rows_of_its_own() {
    let template = template();
    let side = |name: &str| -> Vec<Run> {
        let one = |seed: u64| {
            let mut made = result(&template, seed, name, CENTER);
            made.phases = vec![phase(&made, "steady", 1.0, 0)];
            Run::of(&format!("{name}{seed}.json"), &made)
        };
        (1..=8).map(one).collect()
    };
    let gate = gates(&["steady/message.delivery.p99 <= +10%"]);
    for (options, rows) in [(Options::default(), 0), (gate, 1)] {
        let comparison = compare(&side("base"), &side("new"), &options).unwrap();
        let of_phases = comparison.rows.iter().filter(|row| row.measure.contains('/')).count();
        assert_eq!(of_phases, rows);
    }
}

#[test]
fn of_one_run_a_side_phases_are_shown_where_a_gate_names_them() {
    let template = template();
    let run = |side: &str| {
        let mut made = result(&template, 1, side, CENTER);
        made.phases = ["noon", "peak"].map(|name| phase(&made, name, 1.0, 0)).into();
        vec![Run::of(side, &made)]
    };
    for (options, rows) in [(Options::default(), 0), (gates(&["peak/message.delivery.p99 <= +10%"]), 1)] {
        let comparison = compare(&run("base"), &run("new"), &options).unwrap();
        assert_eq!(comparison.rows.iter().filter(|row| row.measure.contains('/')).count(), rows);
    }
}

/// A loss in one of many steps: the others are counted, not listed.
#[test]
fn a_long_staircase_is_told_in_short() {
    let template = template();
    let side = |side: &str, lost: u64| -> Vec<Run> {
        let one = |seed: u64| {
            let mut made = result(&template, seed, side, CENTER);
            let step = |number: u64| {
                phase(&made, &format!("step-{number}"), 1.0, if number == 7 { lost } else { 0 })
            };
            made.phases = (1..=40).map(step).collect();
            Run::of(&format!("{side}{seed}.json"), &made)
        };
        (1..=8).map(one).collect()
    };
    let comparison = compare(&side("base", 0), &side("new", 10_000), &Options::default()).unwrap();
    assert!(comparison.rows.iter().any(|row| row.measure == "step-7/message.undelivered"));
    let text = comparison.text(200, false);
    assert!(text.contains(" measures of single phases") && text.contains("step-7/message"), "{text}");
    assert!(!text.contains("step-9/message"), "{text}");
    assert!(text.contains(" rows of single phases show nothing and are left out"), "{text}");
    assert!(
        comparison.rows.iter().any(|row| row.measure == "step-9/message.delivery.p99"),
        "in JSON they are"
    );
}

/// Names no profile may have, and more phases than anybody can read.
#[test]
fn strange_phases_have_no_measures_of_their_own() {
    let template = template();
    let side = |name: &str, phases: &[String]| -> Vec<Run> {
        let one = |seed: u64| {
            let mut made = result(&template, seed, name, CENTER);
            made.phases = phases.iter().map(|name| phase(&made, name, 1.0, 0)).collect();
            Run::of(&format!("{name}{seed}.json"), &made)
        };
        (1..=8).map(one).collect()
    };
    let many: Vec<String> = (0..201).map(|number| format!("step-{number}")).collect();
    for phases in [vec!["a/b".to_owned(), "\u{1b}[31m".to_owned()], many] {
        let comparison = compare(&side("base", &phases), &side("new", &phases), &Options::default()).unwrap();
        let measures = comparison.rows.iter().map(|row| &row.measure);
        let all: Vec<&String> = measures.chain(&comparison.unremarkable.alike).collect();
        assert!(all.iter().all(|measure| !measure.contains('/')), "{all:?}");
    }
}
