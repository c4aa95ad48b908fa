//! A side that changes from run to run is told of, whatever the order of its files, and nothing is judged otherwise for it.

use xmpp_bench::compare::{Comparison, Drift, Options, Run, Side, compare, comparison_schema};
use xmpp_bench::results::Extended;

use crate::noise::{Deviation, SEEDS, draw, recorded_costs};
use crate::runs::{Values, around, compared, result, sides, template};

const OFF: [f64; 8] = [0.99, 1.0, 1.01, 1.02, 0.98, 1.005, 0.995, 1.015];
const STEADY: Values = Values { p50: 457.0, p99: 1_633.0, loss: 0.0 };

/// The runs of Prosody in `results/versus-chatty-stress` of 28 November 2026, in the order they were made: p99, milliseconds.
const RECORDED: [f64; 8] = [10.3, 16.0, 14.3, 21.8, 27.1, 30.8, 50.5, 27.6];

fn recorded() -> Vec<Values> {
    let run = |(steady, p99): (Values, f64)| Values { p99: p99 * 1e3, ..steady };
    around(STEADY, &OFF).into_iter().zip(RECORDED).map(run).collect()
}

fn told(comparison: &Comparison) -> Vec<(Side, &str)> {
    comparison.drifts.iter().map(|drift| (drift.side, drift.measure.as_str())).collect()
}

#[test]
fn a_server_that_got_worse_from_run_to_run_is_told_of() {
    let comparison = compared(&recorded(), &around(STEADY, &OFF), &Options::default());
    let [drift] = &comparison.drifts[..] else { panic!("{:?}", comparison.drifts) };
    assert_eq!((drift.side, drift.measure.as_str()), (Side::Base, "message.delivery.p99"));
    assert_eq!((drift.early, drift.late), (Extended::Finite(14_300.0), Extended::Finite(27_600.0)));
    // Of the three measures of two sides nothing was lost on either: four looks. p is 222 of 40,320 orders.
    assert!((drift.p - 4.0 * 222.0 / 40_320.0).abs() < 1e-12 && drift.tau > 0.7, "{drift:?}");
    let head: Vec<String> = comparison.text(80, false).lines().take(9).map(str::to_owned).collect();
    insta::assert_snapshot!(
        "table_80",
        head.join(
            "
"
        )
    );
    let markdown = comparison.markdown();
    assert!(markdown.contains("\n- drift&#58; the base changes from run to run"), "{markdown}");
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!(json["drifts"][0]["side"], "base");
    assert!(jsonschema::is_valid(&comparison_schema(), &json), "{json}");
    let junit = comparison.junit();
    assert!(junit.contains("drift: the base changes from run to run"), "{junit}");
}

#[test]
fn what_both_sides_share_pairs_take_off() {
    let worse = |factor: f64| {
        recorded().into_iter().map(move |run| Values { p99: run.p99 * factor, ..run }).collect()
    };
    let (base, new): (Vec<Values>, Vec<Values>) = (recorded(), worse(1.1));
    let comparison = compared(&base, &new, &Options::default());
    let p99 = "message.delivery.p99";
    assert_eq!(told(&comparison), [(Side::Base, p99), (Side::New, p99)]);
    let text = comparison.text(200, false);
    assert!(text.contains("both sides change alike") && text.contains("pairs take off"), "{text}");
    assert!(!text.contains("--settle"), "{text}");
    // Without pairs nothing is taken off; and a side that gets better while the other gets worse shares nothing.
    let unpaired = compared(&base, &new[..7], &Options::default()).text(200, false);
    assert!(unpaired.contains("the base changes") && unpaired.contains("--settle"), "{unpaired}");
    let turned: Vec<Values> = base.iter().rev().copied().collect();
    let text = compared(&base, &turned, &Options::default()).text(200, false);
    assert!(text.contains("the base changes") && text.contains("the new side changes"), "{text}");
}

#[test]
fn the_order_is_that_of_the_runs_not_of_their_files() {
    let (base, new) = sides(&recorded(), &around(STEADY, &OFF));
    let shuffled = [3, 0, 6, 1, 7, 2, 5, 4].map(|at: usize| base[at].clone());
    let [one, other] = [&base[..], &shuffled].map(|base| compare(base, &new, &Options::default()).unwrap());
    assert!(!one.drifts.is_empty());
    assert_eq!(one.drifts, other.drifts);
}

/// Several generators at once: which run came first is not known, and beside each other they load the server together.
#[test]
fn runs_that_began_together_have_no_order() {
    let side = |name: &str, all: &[Values]| -> Vec<Run> {
        let one = |(values, seed): (&Values, u64)| {
            let mut made = result(&template(), seed, name, *values);
            if name == "base" && seed == 2 {
                made.started = result(&template(), 1, name, *values).started;
            }
            Run::of(&format!("{name}{seed}.json"), &made)
        };
        all.iter().zip(1..).map(one).collect()
    };
    let (base, new) = (side("base", &recorded()), side("new", &recorded()));
    let comparison = compare(&base, &new, &Options::default()).unwrap();
    assert_eq!(told(&comparison), [(Side::New, "message.delivery.p99")]);
}

#[test]
fn a_drift_marks_and_judges_nothing() {
    let turned: Vec<Values> = [3, 0, 6, 1, 7, 2, 5, 4].iter().map(|&at| recorded()[at as usize]).collect();
    let [drifting, chance] =
        [recorded(), turned].map(|base| compared(&base, &[STEADY; 8], &Options::default()));
    assert!(!drifting.drifts.is_empty() && chance.drifts.is_empty(), "{:?}", chance.drifts);
    let judged = |comparison: &Comparison| -> Vec<_> {
        comparison.rows.iter().map(|row| (row.measure.clone(), row.judgement, row.p)).collect()
    };
    assert_eq!(judged(&drifting), judged(&chance));
    assert_eq!(drifting.exit, chance.exit);
}

#[test]
fn four_runs_are_too_few_for_any_drift_and_six_are_enough() {
    for (runs, is_found) in [(4, false), (5, false), (6, true)] {
        let rising: Vec<Values> = (0..runs).map(|run| slower(STEADY, 1.1f64.powi(run))).collect();
        let comparison = compared(&rising, &around(STEADY, &OFF[..runs as usize]), &Options::default());
        assert_eq!(!comparison.drifts.is_empty(), is_found, "{runs} runs: {:?}", comparison.drifts);
    }
}

#[test]
fn runs_each_a_tenth_worse_than_the_one_before_are_found_where_runs_lie_close() {
    let noise = recorded_costs("bench-20261124.json", "CPU per 100,000 messages");
    let (mut drifted, mut steady) = (0, 0);
    for seed in SEEDS {
        let mut draw = draw(seed, 0);
        let mut off = || -> Deviation { noise[draw.below(noise.len() as u32) as usize] };
        let base: Vec<Values> = (0..8).map(|_| slower(STEADY, off().median.exp())).collect();
        let new: Vec<Values> =
            (0..8).map(|run| slower(STEADY, off().median.exp() * 1.1f64.powi(run))).collect();
        let comparison = compared(&base, &new, &Options::default());
        let any = |is: fn(&Drift) -> bool| usize::from(comparison.drifts.iter().any(is));
        drifted += any(|drift| drift.side == Side::New && drift.tau > 0.0);
        steady += any(|drift| drift.side == Side::Base);
    }
    println!("a tenth from run to run: {drifted} of 10 found; {steady} of 10 told of the steady side");
    assert!(drifted == SEEDS.len() && steady <= 1, "{drifted} {steady}");
}

fn slower(values: Values, factor: f64) -> Values {
    Values { p50: values.p50 * factor, p99: values.p99 * factor, ..values }
}
