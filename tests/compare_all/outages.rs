//! What matters most must not read as nothing: percentiles beyond the deadline, losses in few runs, copies that were refused,
//! and what some runs did not measure at all.

use xmpp_bench::compare::{Comparison, End, Gate, GateState, Judgement, Options, Row, Run, compare};
use xmpp_bench::results::RunResult;

use crate::runs::{OPERATION, Values, around, compared, result, template};

const OFF: [f64; 8] = [0.99, 1.0, 1.01, 1.02, 0.98, 1.005, 0.995, 1.015];
const CENTER: Values = Values { p50: 400e3, p99: 2_000e3, loss: 0.0 };
const GONE: Values = Values { p99: f64::INFINITY, ..CENTER };

fn row<'a>(comparison: &'a Comparison, measure: &str) -> &'a Row {
    comparison.rows.iter().find(|row| row.measure == measure).unwrap_or_else(|| panic!("no {measure}"))
}

fn gates(texts: &[&str]) -> Options {
    Options { gates: texts.iter().map(|text| text.parse::<Gate>().unwrap()).collect(), ..Options::default() }
}

/// Eight runs that are changed before they are compared with eight that are not.
fn changed(change: impl Fn(usize, &mut RunResult)) -> Comparison {
    let side = |name: &str, change: &dyn Fn(usize, &mut RunResult)| -> Vec<Run> {
        let values = around(CENTER, &OFF);
        let one = |(index, values): (usize, &Values)| {
            let mut made = result(&template(), index as u64 + 1, name, *values);
            change(index, &mut made);
            Run::of(&format!("{name}{index}.json"), &made)
        };
        values.iter().enumerate().map(one).collect()
    };
    compare(&side("base", &|_, _| ()), &side("new", &change), &Options::default()).unwrap()
}

#[test]
fn a_percentile_that_never_completes_any_more_is_worse_without_end() {
    let comparison = compared(&around(CENTER, &OFF), &around(GONE, &OFF), &Options::default());
    let p99 = row(&comparison, "message.delivery.p99");
    assert_eq!(p99.judgement, Judgement::Worse);
    let interval = p99.interval.unwrap();
    assert_eq!((interval.low, interval.high), (End::Plus, End::Open), "all of it lies beyond the deadline");
    let text = comparison.text(200, false);
    assert!(text.contains("WORSE: message.delivery.p99: 2 s to > deadline, +∞ (+∞), p 0.023"), "{text}");
    assert!(!text.contains("-∞"), "{text}");
    let back = compared(&around(GONE, &OFF), &around(CENTER, &OFF), &Options::default());
    assert_eq!(row(&back, "message.delivery.p99").judgement, Judgement::Better);
    assert_eq!(row(&back, "message.delivery.p99").interval.unwrap().high, End::Minus);
}

#[test]
fn gates_on_it_fail_in_words() {
    let all = ["message.delivery.p99 <= +10%", "message.delivery.p50 <= +5ms"];
    let both = Values { p50: f64::INFINITY, ..GONE };
    for (texts, new) in [(&all[..1], GONE), (&all[..], both)] {
        let comparison = compared(&around(CENTER, &OFF), &around(new, &OFF), &gates(texts));
        for gate in &comparison.gates {
            assert_eq!((gate.state, gate.fail_limit), (GateState::Failed, End::Plus), "{gate:?}");
            assert_eq!(gate.reason, "no longer completes within the deadline, with confidence beyond +∞");
        }
    }
    let never = compared(&around(both, &OFF), &around(both, &OFF), &gates(&all));
    for gate in &never.gates {
        assert_eq!(gate.state, GateState::NotEnoughEvidence, "{gate:?}");
        assert!(gate.reason.starts_with("never completes within the deadline on either side"), "{gate:?}");
    }
}

#[test]
fn a_gate_without_enough_runs_says_how_many_it_takes() {
    let few = compared(
        &around(CENTER, &OFF[..2]),
        &around(CENTER, &OFF[..2]),
        &gates(&["message.delivery.p99 <= +10%"]),
    );
    assert!(
        few.gates[0].reason.contains("too few runs to decide it either way: 3 a side would do"),
        "{:?}",
        few.gates[0]
    );
}

#[test]
fn refused_copies_are_not_delivered_and_primary() {
    let comparison = changed(|_, run| {
        let message = &mut run.phases[0].ledger.message;
        message.failed = 9_000;
        message.delivered -= 9_000;
    });
    let undelivered = row(&comparison, "message.undelivered");
    assert_eq!(undelivered.judgement, Judgement::Worse, "{undelivered:?}");
    assert!(comparison.text(200, false).contains("WORSE: message.undelivered: 0 % to 0.9 %"));
    assert!(
        comparison.unremarkable.alike.contains(&"message.loss".to_owned()),
        "nothing was lost in the narrow sense"
    );
}

#[test]
fn what_comes_twice_is_seen() {
    let comparison = changed(|_, run| run.phases[0].ledger.message.duplicated = 1_000_000);
    assert_eq!(row(&comparison, "message.duplicated").judgement, Judgement::Worse);
}

#[test]
fn a_loss_in_few_runs_is_told_beside_the_median() {
    let comparison = changed(|index, run| {
        let lost = if index < 2 { 50_000 } else { 0 };
        let message = &mut run.phases[0].ledger.message;
        message.lost = lost;
        message.delivered -= lost;
    });
    let undelivered = row(&comparison, "message.undelivered");
    assert_eq!(undelivered.judgement, Judgement::NoDifferenceShown, "two of eight may be chance");
    assert_eq!(undelivered.note, "runs with any: base 0 of 8, at most 0 %, new 2 of 8, at most 5 %");
    assert!(comparison.markdown().contains("new 2 of 8"), "a pull request is told as well");
}

#[test]
fn a_loss_that_is_significant_is_no_trifle_because_most_runs_had_none() {
    let side = |name: &str, seed: u64, lossy: usize| -> Vec<Run> {
        let one = |index: usize| {
            let loss = if index < lossy { 0.05 } else { 0.0 };
            let made = result(&template(), seed + index as u64, name, Values { loss, ..CENTER });
            Run::of(&format!("{name}{index}.json"), &made)
        };
        (0..16).map(one).collect()
    };
    let comparison = compare(&side("base", 1, 0), &side("new", 101, 7), &Options::default()).unwrap();
    let undelivered = row(&comparison, "message.undelivered");
    assert!(undelivered.significant, "{undelivered:?}");
    assert_eq!(undelivered.judgement, Judgement::Worse, "{undelivered:?}");
}

#[test]
fn what_one_run_lacks_is_said_first() {
    let comparison = changed(|index, run| {
        if index == 3 {
            let operation = run.operations.get_mut(OPERATION).unwrap();
            operation.figures.response_us.attempted.p99 = xmpp_bench::results::Extended::Unsupported;
        }
    });
    let text = comparison.text(200, false);
    let said =
        "CANNOT SAY: message.delivery.p99: too few observations, or not measured, in 1 file: new3.json";
    assert!(text.contains(said), "{text}");
    assert!(text.contains("NO DIFFERENCE SHOWN: no other primary measure"), "{text}");
}

#[test]
fn what_one_side_never_did_is_not_without_fault() {
    let comparison = changed(|_, run| {
        let operation = run.operations.remove(OPERATION).unwrap();
        run.operations.insert("groupchat.delivery".to_owned(), operation);
        run.phases[0].ledger.groupchat.expected = 500;
        run.phases[0].ledger.groupchat.delivered = 500;
    });
    let said: Vec<&str> = comparison.differences.iter().map(|one| one.what.as_str()).collect();
    assert!(said.contains(&"measured on the base side alone: message.delivery"), "{said:?}");
    assert!(said.contains(&"measured on the new side alone: groupchat.delivery"), "{said:?}");
    assert!(
        comparison.unremarkable.alike.iter().all(|measure| !measure.starts_with("groupchat")),
        "{comparison:?}"
    );
    let lacking = row(&comparison, "groupchat.undelivered");
    assert_eq!(lacking.judgement, Judgement::CannotSay);
    assert!(lacking.note.contains("not measured, in 8 files"), "{lacking:?}");
}
