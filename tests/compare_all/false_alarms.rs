//! Two thousand comparisons of equal truths: how often anything at all is called better or worse, or is said to drift. And what is found where
//! the new side really is slower by a tenth.

use xmpp_bench::compare::{
    Comparison, Family, GateState, Judgement, MinEffect, Options, Run, TestKind, compare,
};
use xmpp_bench::stats::rank::{Scale, ShiftTest};

use crate::noise::{
    Deviation, SEEDS, Simulated, World, draw, quantile, recorded, recorded_costs, recorded_seconds,
    recorded_trials, upper_bound,
};
use crate::runs::{OPERATION, Values, compared, sides};

const RUNS: usize = 8;
const COMPARISONS: u64 = 200;
/// Where real repeats are kept.
const REPEATS: &[&str] = &["versus-im-consumer", "versus-chatty-stress"];
/// False alarms among all primary measures together.
const STATED: f64 = 0.05;

fn values(run: &Simulated) -> Values {
    let sorted = run.sorted();
    let lost = sorted.iter().filter(|value| value.is_infinite()).count();
    // Nanoseconds stand for microseconds, so that rounding plays no part.
    Values {
        p50: quantile(&sorted, 0.5) * 1e3,
        p99: quantile(&sorted, 0.99) * 1e3,
        loss: lost as f64 / sorted.len() as f64,
    }
}

/// Any change counts, however small: what is asked is how often a test is wrong.
fn options() -> Options {
    Options { min_effect: MinEffect { relative: 0.0, points: 0.0 }, ..Options::default() }
}

fn is_alarm(comparison: &Comparison) -> bool {
    comparison.rows.iter().any(|row| {
        row.family == Family::Primary && matches!(row.judgement, Judgement::Better | Judgement::Worse)
    })
}

/// What no Holm would make of the same rows: each measure held to the whole level.
fn is_alarm_uncorrected(comparison: &Comparison) -> bool {
    let mut primary = comparison.rows.iter().filter(|row| row.family == Family::Primary);
    primary.any(|row| row.p.is_some_and(|p| p <= STATED))
}

/// The commonest mistake: one run a side, its seconds taken for independent runs.
fn is_alarm_by_seconds(base: &Simulated, new: &Simulated) -> bool {
    let medians = |run: &Simulated| -> Vec<f64> {
        let median = |second: &Vec<f64>| {
            let mut sorted = second.clone();
            sorted.sort_by(f64::total_cmp);
            quantile(&sorted, 0.5)
        };
        run.seconds.iter().map(median).collect()
    };
    ShiftTest::unpaired(&medians(base), &medians(new), Scale::Ratio).p_two_sided(0.0) <= STATED
}

/// The same for two sides of which no run has a partner: by sizes that differ.
fn is_alarm_unpaired(base: &[Run], new: &[Run]) -> bool {
    let (base, more) = base.split_at(RUNS - 1);
    let comparison = compare(base, &[more, new].concat(), &options()).unwrap();
    assert_eq!(comparison.method.test, TestKind::MannWhitney);
    is_alarm(&comparison)
}

/// Gates at the truth itself, where passing is as wrong as failing: whether any failed, and whether any passed.
fn are_gates_wrong(base: &[Run], new: &[Run]) -> (bool, bool) {
    let gates = ["message.delivery.p50 <= +0%", "message.delivery.p99 <= +0%", "message.loss <= +0pp"];
    let gates = gates.iter().map(|gate| gate.parse().unwrap()).collect();
    let comparison = compare(base, new, &Options { gates, ..options() }).unwrap();
    let any = |state| comparison.gates.iter().any(|gate| gate.state == state);
    (any(GateState::Failed), any(GateState::Passed))
}

/// Runs of half a minute, 16 messages a second, on servers whose repeats lie apart as the recorded ones do.
const SHORT: World<'_> = World {
    noise: &[],
    level: 0.3,
    correlation: 0.8,
    seconds: 30,
    per_second: 16,
    median: 400.0,
    loss: 0.01,
};

#[test]
fn equal_truths_are_called_different_no_more_often_than_stated_and_broken_tests_fail_that_check() {
    let noise = recorded(REPEATS, OPERATION);
    let world = World { noise: &noise, ..SHORT };
    let mut counts = [0; 7];
    let mut tried = 0;
    for seed in SEEDS {
        for index in 0..COMPARISONS {
            let mut draw = draw(seed, index);
            let runs: Vec<Simulated> = (0..2 * RUNS).map(|_| world.run(&mut draw)).collect();
            let all: Vec<Values> = runs.iter().map(values).collect();
            let (base, new) = sides(&all[..RUNS], &all[RUNS..]);
            let comparison = compare(&base, &new, &options()).unwrap();
            let (failed, passed) = are_gates_wrong(&base, &new);
            let wrong = [
                is_alarm(&comparison),
                is_alarm_unpaired(&base, &new),
                failed,
                passed,
                // Runs that do not know of each other do not drift.
                !comparison.drifts.is_empty(),
                is_alarm_uncorrected(&comparison),
                is_alarm_by_seconds(&runs[0], &runs[RUNS]),
            ];
            for (count, wrong) in counts.iter_mut().zip(wrong) {
                *count += usize::from(wrong);
            }
            tried += 1;
        }
    }
    let names = ["pairs", "no pairs", "gates failed", "gates passed", "drift", "without Holm", "by seconds"];
    let bounds = counts.map(|found| upper_bound(found, tried));
    for ((name, count), bound) in names.iter().zip(counts).zip(bounds) {
        println!("{name}: {count} of {tried} wrong, at most {bound:.3}");
    }
    assert!(tried >= 2_000);
    for (name, bound) in names.iter().zip(bounds).take(5) {
        assert!(bound <= 1.5 * STATED, "{name}: {counts:?} of {tried}");
    }
    assert!(counts[0] > 0 && counts[1] > 0 && counts[4] > 0, "a test that never errs finds nothing either");
    for (name, bound) in names.iter().zip(bounds).skip(5) {
        assert!(bound > 1.5 * STATED, "{name}: {counts:?} of {tried}");
    }
}

/// Comparisons that called both p50 and p99 worse, of so many, where the new side takes so many times as long.
fn found(noise: &[Deviation], slower: f64) -> (usize, usize) {
    let (level, correlation) = recorded_seconds("quickstart-prosody.json", OPERATION);
    let world = World { noise, level, correlation, seconds: 120, per_second: 400, loss: 0.0, ..SHORT };
    let slower = World { median: world.median * slower, ..world };
    let (mut both, mut tried) = (0, 0);
    for seed in SEEDS {
        let mut draw = draw(seed, 0);
        let base: Vec<Values> = (0..RUNS).map(|_| values(&world.run(&mut draw))).collect();
        let new: Vec<Values> = (0..RUNS).map(|_| values(&slower.run(&mut draw))).collect();
        let comparison = compared(&base, &new, &Options::default());
        let worse = |measure: &str| {
            let mut rows = comparison.rows.iter();
            rows.any(|row| row.measure == measure && row.judgement == Judgement::Worse)
        };
        both += usize::from(worse("message.delivery.p50") && worse("message.delivery.p99"));
        tried += 1;
    }
    (both, tried)
}

#[test]
fn a_tenth_slower_is_found_with_eight_runs_a_side_where_runs_lie_close() {
    let costs = recorded_costs("bench-20261124.json", "CPU per 100,000 messages");
    for (what, noise) in [("50 ms", recorded_trials("slower-far", OPERATION)), ("processor time", costs)] {
        let (both, tried) = found(&noise, 1.1);
        println!("a tenth, as repeats of {what}: {both} of {tried}");
        assert!(both * 10 >= tried * 9, "{what}: {both} of {tried}");
    }
}

/// On real servers short runs lie so far apart that only much larger changes are found: three times their spread.
#[test]
fn what_lies_three_spreads_away_is_found_where_runs_lie_as_real_servers_short_ones_do() {
    let noise = recorded(&["versus-chatty-stress"], OPERATION);
    let squares: f64 = noise.iter().map(|one| (one.median + one.tail).powi(2)).sum();
    let spread = (squares / noise.len() as f64).sqrt();
    let far = (3.0 * spread).exp();
    let ((tenth, tried), (found, _)) = (found(&noise, 1.1), found(&noise, far));
    println!(
        "real servers' repeats, p99 {spread:.2} apart: a tenth {tenth} of {tried}, {far:.1} times {found} of {tried}"
    );
    assert!(found * 10 >= tried * 9, "{far} times: {found} of {tried}");
}
