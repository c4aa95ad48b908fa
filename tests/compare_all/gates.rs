//! Gates: what passes, what fails, what nobody can say; and what is no gate.

use xmpp_bench::compare::{CompareError, Gate, GateState, Options, Run, TestKind, compare};
use xmpp_bench::results::Extended;

use crate::runs::{OPERATION, Values, around, compared, result, sides, template};

const OFF: [f64; 8] = [0.99, 1.0, 1.01, 1.02, 0.98, 1.005, 0.995, 1.015];
const CENTER: Values = Values { p50: 400e3, p99: 2_000e3, loss: 0.0 };

fn gates(texts: &[&str]) -> Options {
    let gates =
        texts.iter().map(|text| text.parse::<Gate>().unwrap_or_else(|error| panic!("{error}"))).collect();
    Options { gates, ..Options::default() }
}

/// What becomes of one gate where the new side takes so many times as long.
fn state(text: &str, slower: f64, runs: usize) -> GateState {
    let base = around(CENTER, &OFF[..runs]);
    // Turned about, so that pairs differ.
    let turned: Vec<f64> = OFF[..runs].iter().rev().map(|off| off * slower).collect();
    let comparison = compared(&base, &around(CENTER, &turned), &gates(&[text]));
    comparison.gates[0].state
}

#[test]
fn a_gate_passes_fails_or_lacks_evidence() {
    use GateState::{Failed, NotEnoughEvidence, Passed};
    let cases = [
        ("message.delivery.p99 <= +10%", 1.0, 8, Passed),
        ("message.delivery.p99 <= +10%", 1.3, 8, Failed),
        ("message.delivery.p99 <= +10%", 1.1, 8, NotEnoughEvidence),
        ("message.delivery.p99 <= +10%", 1.0, 2, NotEnoughEvidence),
        ("message.delivery.p99 <= +10%", 1.3, 1, NotEnoughEvidence),
        ("message.delivery.p99 <= -10%", 0.7, 8, Passed),
        ("message.delivery.p99 <= -10%", 1.0, 8, Failed),
        ("message.delivery.p50 <= +50ms", 1.0, 8, Passed),
        ("message.delivery.p50 <= +50ms", 1.3, 8, Failed),
        ("message.loss <= +0.1pp", 1.0, 8, Passed),
        ("message.loss == 0", 1.0, 1, Passed),
        // At its bound a gate is passed, if there are runs enough to say that it is not beyond.
        ("message.loss <= +0pp", 1.0, 8, Passed),
        ("message.loss <= +0pp", 1.0, 2, NotEnoughEvidence),
    ];
    for (text, slower, runs, wanted) in cases {
        assert_eq!(state(text, slower, runs), wanted, "{text}, {slower} times as long, {runs} runs");
    }
}

#[test]
fn failed_gates_speak_for_five_and_undecided_ones_for_six() {
    let base = around(CENTER, &OFF);
    let lossy = Values { p99: 3_000e3, loss: 0.02, ..CENTER };
    let new = around(lossy, &OFF);
    let all = gates(&["message.delivery.p50 <= +10%", "message.delivery.p99 <= +10%", "message.lost == 0"]);
    let comparison = compared(&base, &new, &all);
    let codes: Vec<u8> = comparison.exit.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!((comparison.exit.code, codes), (5, vec![5, 5]));
    let few = compared(&base[..2], &new[..2], &gates(&["message.delivery.p50 <= +10%"]));
    assert_eq!(few.exit.code, 6);
    let mixed =
        compared(&base[..2], &new[..2], &gates(&["message.delivery.p50 <= +10%", "message.loss == 0"]));
    assert_eq!(mixed.exit.code, 5, "a regression outweighs what is not known");
    assert_eq!(compared(&base, &new, &Options::default()).exit.code, 0, "without gates nothing can fail");
}

#[test]
fn one_lossy_run_of_eight_is_not_nothing() {
    let base = around(CENTER, &OFF);
    let mut new = base.clone();
    new[5].loss = 0.001;
    let gate = &compared(&base, &new, &gates(&["message.loss == 0"])).gates[0];
    assert_eq!((gate.state, gate.reason.as_str()), (GateState::Failed, "not 0 in 1 of 8 new runs"));
}

/// One side has too few for a percentile: the other side's like are no help, and the runs are named.
#[test]
fn a_gate_says_which_runs_lack_its_measure() {
    let side = |name: &str, lacks: bool| -> Vec<Run> {
        let one = |seed: u64| {
            let mut made = result(&template(), seed, name, CENTER);
            let times = &mut made.operations.get_mut(OPERATION).unwrap().figures.response_us.attempted;
            times.p99 = if lacks { Extended::Unsupported } else { times.p99 };
            Run::of(&format!("{name}{seed}.json"), &made)
        };
        (1..=8).map(one).collect()
    };
    let gate = gates(&["message.delivery.p99 <= +10%"]);
    let comparison = compare(&side("base", false), &side("new", true), &gate).unwrap();
    let said = "too few observations, or not measured, in 8 of the runs (new1.json)";
    assert_eq!((comparison.gates[0].reason.as_str(), comparison.exit.code), (said, 6));
}

/// Six pairs can carry one gate, and could not carry five.
#[test]
fn what_takes_no_statistics_takes_no_share_of_them() {
    let base = around(CENTER, &OFF[..6]);
    let tested = "message.delivery.p99 <= +10%";
    let plain = ["loss", "failed", "duplicated", "reordered"].map(|figure| format!("message.{figure} == 0"));
    let all: Vec<&str> = [tested].into_iter().chain(plain.iter().map(String::as_str)).collect();
    for asked in [&all[..1], &all] {
        assert_eq!(compared(&base, &base, &gates(asked)).method.test, TestKind::SignedRank, "{asked:?}");
    }
}

#[test]
fn the_limit_shown_is_the_one_that_decided() {
    let base = around(CENTER, &OFF);
    for slower in [0.95, 1.0, 1.02, 1.05, 1.08, 1.1, 1.12, 1.15, 1.2] {
        let turned: Vec<f64> = OFF.iter().rev().map(|off| off * slower).collect();
        let comparison = compared(&base, &around(CENTER, &turned), &gates(&["message.delivery.p99 <= +10%"]));
        let gate = &comparison.gates[0];
        let (within, beyond) =
            (gate.pass_limit.at().unwrap() <= gate.bound, gate.fail_limit.at().unwrap() >= gate.bound);
        assert_eq!(gate.state == GateState::Passed, within, "{gate:?}");
        assert_eq!(gate.state == GateState::Failed, beyond, "{gate:?}");
    }
}

#[test]
fn what_is_no_gate_is_refused_with_the_way_out() {
    let cases = [
        ("message.delivery.p99", "write it like"),
        ("<= +10%", "write it like"),
        ("message.delivery.p99 <= 250ms", "an objective, in [slo]"),
        ("message.delivery.p99 <= 10%", "its bound has a sign: +10%"),
        ("message.delivery.p99 <= +10", "`+10` is no bound"),
        ("message.delivery.p99 <= +NaN%", "is no bound"),
        ("message.delivery.p99 <= +-1%", "is no bound"),
        ("message.delivery.p99 <= -100%", "nothing falls by 100 %"),
        ("message.loss == 1", "takes 0 alone"),
        ("message.loss <= ", "has a sign"),
        ("message.loss <= +µ", "is no bound"),
    ];
    for (text, says) in cases {
        let error = text.parse::<Gate>().expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    let (base, new) = sides(&around(CENTER, &OFF), &around(CENTER, &OFF));
    let cases = [
        ("mesage.delivery.p99 <= +10%", "did you mean `message.delivery.p99`?"),
        ("message.delivery.p98 <= +10%", "did you mean `message.delivery.p9"),
        ("nonsense <= +10%", "they have message, message.delivery"),
        ("message.loss <= +10%", "`<= +0.1pp`"),
        ("message.delivery.p99 <= +1pp", "`<= +10%`"),
        ("message.delivery.done >= +1ms", "`<= +0.1pp`"),
        ("message.delivery.done <= +1pp", "more of `message.delivery.done` is better"),
        ("message.delivery.p99 >= +10%", "less of `message.delivery.p99` is better"),
    ];
    for (text, says) in cases {
        let error = compare(&base, &new, &gates(&[text])).expect_err(text);
        assert!(matches!(error, CompareError::UnknownMeasure(_)), "{text}: {error}");
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

#[test]
fn gates_are_corrected_over_all_of_them() {
    // One of forty equal gates would fail by itself now and then; a limit for forty lies farther out than for one.
    let base = around(CENTER, &OFF);
    let turned: Vec<f64> = OFF.iter().rev().map(|off| off * 1.05).collect();
    let new = around(CENTER, &turned);
    let limit = |texts: &[&str]| compared(&base, &new, &gates(texts)).gates[0].pass_limit.at().unwrap();
    let one = limit(&["message.delivery.p99 <= +10%"]);
    let many = limit(&[
        "message.delivery.p99 <= +10%",
        "message.delivery.p50 <= +6%",
        "message.loss <= +1pp",
        "message.delivery.p50 <= +5%",
        "message.delivery.p99 <= +5%",
    ]);
    assert!(many > one, "{one} {many}");
}

/// Most runs lose nothing; a few that did are not outvoted by those that lie at the bound together.
#[test]
fn a_few_lossy_runs_do_not_pass_at_the_bound() {
    let lossless = around(CENTER, &[1.0; 10]);
    let lossy = |count: usize| -> Vec<Values> {
        let some =
            |(index, one): (usize, Values)| Values { loss: if index < count { 1.0 } else { 0.0 }, ..one };
        lossless.iter().copied().enumerate().map(some).collect()
    };
    let gate = gates(&["message.loss <= +0pp"]);
    // With pairs, and without: nine against ten.
    for base in [&lossless[..], &lossless[..9]] {
        let state = |count: usize| compared(base, &lossy(count), &gate).gates[0].state;
        assert_eq!(state(0), GateState::Passed);
        for count in [1, 2] {
            assert_eq!(
                state(count),
                GateState::NotEnoughEvidence,
                "{count} of ten, {} of the base",
                base.len()
            );
        }
    }
}

#[test]
fn a_gate_said_twice_is_one() {
    let p99 = "message.delivery.p99 <= +10%";
    let three = around(CENTER, &OFF[..3]);
    // Three runs a side carry one gate and no two.
    let held = |texts: &[&str]| {
        let comparison = compared(&three, &three, &gates(texts));
        comparison.gates.iter().map(|gate| gate.state).collect::<Vec<_>>()
    };
    assert_eq!(held(&[p99]), [GateState::Passed]);
    assert_eq!(held(&[p99, " message.delivery.p99  <=  +10.0% "]), [GateState::Passed]);
    let other = "message.delivery.p99 <= +11%";
    assert_eq!(held(&[p99, other]), [GateState::NotEnoughEvidence; 2]);
}

#[test]
fn how_many_runs_would_do_is_the_same_however_few_there_are() {
    let gate = "message.delivery.p99 <= +10%";
    for runs in [1, 2] {
        let some = around(CENTER, &OFF[..runs]);
        let reason = &compared(&some, &some, &gates(&[gate])).gates[0].reason;
        assert!(reason.contains("3 a side would do"), "{runs}: {reason}");
    }
    let three = around(CENTER, &OFF[..3]);
    assert_eq!(compared(&three, &three, &gates(&[gate])).gates[0].state, GateState::Passed);
}
