//! Runs of several measured phases: what changed in one of them alone is seen there, and a gate can ask for it.

use xmpp_bench::compare::{
    CompareError, Comparison, Family, Gate, GateState, Judgement, Options, Run, compare,
};
use xmpp_bench::results::{Activity, Extended, Observed, ObservedSource, OperationSeries, Phase, RunResult};

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
                operations: [OPERATION, "ping", "groupchat.delivery"].map(str::to_owned).into(),
                ..Activity::default()
            }];
            Run::of(&format!("{name}{seed}.json"), &made)
        };
        OFF.iter().zip(1..).map(one).collect()
    };
    compare(&side("base", 1.0, 0), &side("new", 1.5, 10_000), options)
}

fn phase(made: &RunResult, name: &str, slower: f64, lost: u64) -> Phase {
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
    // Of what is done beside all activities, an account, and `== 0`: nothing at all is not none.
    let all = [
        "peak/ping.p99 <= +10%",
        "ping.p50 <= +10%",
        "logout.p99 <= +10%",
        "groupchat.loss <= +1pp",
        "ping.errors == 0",
        "peak/groupchat.lost == 0",
    ];
    let comparison = staircase(&gates(&all)).unwrap();
    assert_eq!(comparison.gates.len(), all.len());
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

/// Its source was there, and told nothing: no mistake either. Nobody reads a server phase by phase.
#[test]
fn a_server_that_could_not_be_read_is_no_evidence() {
    let template = template();
    let side = |name: &str| -> Vec<Run> {
        let one = |seed: u64| {
            let mut made = result(&template, seed, name, CENTER);
            made.phases = ["noon", "peak"].map(|name| phase(&made, name, 1.0, 0)).into();
            let unread = ObservedSource { cpu: Some("cpu".to_owned()), ..ObservedSource::default() };
            made.observed = Some(Observed { sources: vec![unread], ..Observed::default() });
            Run::of(&format!("{name}{seed}.json"), &made)
        };
        (1..=8).map(one).collect()
    };
    let asked = |gate: &str| compare(&side("base"), &side("new"), &gates(&[gate]));
    let comparison = asked("server.cpu <= +10%").unwrap();
    assert_eq!((comparison.gates[0].state, comparison.exit.code), (GateState::NotEnoughEvidence, 6));
    assert!(asked("peak/server.cpu <= +10%").is_err());
}

/// One side alone was asked for pings, and had none.
#[test]
fn what_one_side_planned_is_planned() {
    let template = template();
    let side = |name: &str, planned: &[&str]| -> Vec<Run> {
        let one = |seed: u64| {
            let mut made = result(&template, seed, name, CENTER);
            let operations = planned.iter().map(|&name| name.to_owned()).collect();
            made.profile.activities = vec![Activity { operations, ..Activity::default() }];
            Run::of(&format!("{name}{seed}.json"), &made)
        };
        (1..=8).map(one).collect()
    };
    let (without, with) = ([OPERATION], [OPERATION, "ping"]);
    let gate = gates(&["ping.p99 <= +10%"]);
    for (base, new) in [(&without[..], &with[..]), (&with, &without)] {
        let comparison = compare(&side("base", base), &side("new", new), &gate).unwrap();
        assert_eq!(comparison.exit.code, 6);
    }
    assert!(compare(&side("base", &without), &side("new", &without), &gate).is_err());
}

/// Half a minute at ten a second, and half a minute at twenty, of which the new side does half as many again and fails a tenth.
#[test]
fn a_phase_has_its_own_seconds_and_outcomes() {
    let template = template();
    let run = |name: &str, seed: u64, at_peak: u64, failed: u64| {
        let mut made = result(&template, seed, name, CENTER);
        let spans = [("noon", 0.0, 30.0, 0), ("peak", 30.0, 60.0, failed)];
        made.phases = spans
            .map(|(name, start_s, end_s, failed)| {
                let mut phase = Phase { start_s, end_s, ..phase(&made, name, 1.0, 0) };
                let figures = &mut phase.operations.get_mut(OPERATION).unwrap().figures;
                let outcomes = [("ok", 100 - failed), ("timeout", failed)];
                figures.outcomes = outcomes.map(|(name, count)| (name.to_owned(), count)).into();
                phase
            })
            .into();
        made.operations.get_mut(OPERATION).unwrap().phases = vec!["noon".into(), "peak".into()];
        made.series.seconds = 60;
        made.series.bytes_out = vec![0; 60];
        let done = [vec![10; 30], vec![at_peak; 30]].concat();
        made.series.operations =
            [(OPERATION.to_owned(), OperationSeries { done, ..OperationSeries::default() })].into();
        Run::of(&format!("{name}{seed}.json"), &made)
    };
    let side = |name: &str, at_peak, failed| -> Vec<Run> {
        (1..=8).map(|seed| run(name, seed, at_peak, failed)).collect()
    };
    let comparison = compare(&side("base", 20, 0), &side("new", 30, 10), &Options::default()).unwrap();
    let row = |comparison: &Comparison, measure: &str| {
        let found = comparison.rows.iter().find(|row| row.measure == measure).cloned();
        found.unwrap_or_else(|| panic!("no {measure}"))
    };
    let rate = row(&comparison, "peak/message.delivery.rate");
    assert_eq!((rate.base, rate.new), (Extended::Finite(20.0), Extended::Finite(30.0)), "of its seconds");
    assert_eq!(rate.judgement, Judgement::Better);
    assert_eq!(row(&comparison, "message.delivery.rate").base, Extended::Finite(15.0), "of both");
    assert_eq!(row(&comparison, "peak/message.delivery.errors").judgement, Judgement::Worse);
    // Its seconds are all alike: drawn again they come out the same, which those of both phases do not.
    let gate = gates(&["peak/message.delivery.rate >= -10%"]);
    let single = compare(&[run("base", 1, 20, 0)], &[run("new", 1, 30, 0)], &gate).unwrap();
    let within = row(&single, "peak/message.delivery.rate").interval.expect("half a minute is enough");
    let (low, high) = (within.low.at().unwrap(), within.high.at().unwrap());
    assert!((low - 0.5).abs() < 1e-9 && (high - 0.5).abs() < 1e-9, "{low} to {high}");
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

#[test]
fn a_phase_the_first_run_never_reached_is_shown() {
    let template = template();
    let side = |name: &str, cut_short: bool| -> Vec<Run> {
        let one = |seed: u64| {
            let mut made = result(&template, seed, name, CENTER);
            let all = ["noon", "peak"].map(|name| phase(&made, name, 1.0, 0));
            let reached = if cut_short && seed == 1 { 1 } else { 2 };
            made.phases = all.into_iter().take(reached).collect();
            Run::of(&format!("{name}{seed}.json"), &made)
        };
        (1..=8).map(one).collect()
    };
    let comparison = compare(&side("base", true), &side("new", false), &Options::default()).unwrap();
    let row = comparison.rows.iter().find(|row| row.measure == "peak/message.delivery.p99").unwrap();
    assert!(row.note.contains("not measured, in 1 file: base1.json"), "{row:?}");
}

/// What the plan paces is as fast as the plan has it, but for the last answers before a phase's end.
#[test]
fn rates_within_a_hundredth_are_alike() {
    let template = template();
    let side = |name: &str, done: u64| -> Vec<Run> {
        let one = |seed: u64| {
            let mut made = result(&template, seed, name, CENTER);
            let columns = OperationSeries { done: vec![done; 13], ..OperationSeries::default() };
            made.series.operations = [(OPERATION.to_owned(), columns)].into();
            Run::of(&format!("{name}{seed}.json"), &made)
        };
        (1..=8).map(one).collect()
    };
    for (done, has_row) in [(1_009, false), (1_011, true)] {
        let comparison = compare(&side("base", 1_000), &side("new", done), &Options::default()).unwrap();
        let found = comparison.rows.iter().any(|row| row.measure == "message.delivery.rate");
        assert_eq!(found, has_row, "1000 and {done} a second");
    }
}

/// A loss in one of many steps: the others are counted, not listed.
#[test]
fn a_long_staircase_is_told_in_short() {
    let template = template();
    let climbed = |steps: u64| {
        let side = |side: &str, lost: u64| -> Vec<Run> {
            let one = |seed: u64| {
                let mut made = result(&template, seed, side, CENTER);
                let step = |number: u64| {
                    phase(&made, &format!("step-{number}"), 1.0, if number == 7 { lost } else { 0 })
                };
                made.phases = (1..=steps).map(step).collect();
                Run::of(&format!("{side}{seed}.json"), &made)
            };
            (1..=8).map(one).collect()
        };
        compare(&side("base", 0), &side("new", 10_000), &Options::default()).unwrap()
    };
    let comparison = climbed(40);
    assert!(comparison.rows.iter().any(|row| row.measure == "step-7/message.undelivered"));
    let text = comparison.text(200, false);
    assert!(text.contains(" measures of single phases") && text.contains("step-7/message"), "{text}");
    assert!(text.contains("misdelivered"), "those over all phases are named: {text}");
    assert!(!text.contains("step-9/message"), "{text}");
    assert!(text.contains(" rows of single phases show nothing and are left out"), "{text}");
    assert!(
        comparison.rows.iter().any(|row| row.measure == "step-9/message.delivery.p99"),
        "in JSON they are"
    );
    // So many a person still reads.
    let text = climbed(8).text(200, false);
    assert!(text.contains("step-1/message.delivery") && !text.contains("are left out"), "{text}");
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
    let strange = ["a/b".to_owned(), "\u{1b}[31m".to_owned()];
    for (phases, told_apart) in [(&strange[..], false), (&many, false), (&many[1..], true)] {
        let comparison = compare(&side("base", phases), &side("new", phases), &Options::default()).unwrap();
        let measures = comparison.rows.iter().map(|row| &row.measure);
        let mut all = measures.chain(&comparison.unremarkable.alike);
        assert_eq!(all.any(|measure| measure.contains('/')), told_apart, "{}", phases.len());
    }
}
