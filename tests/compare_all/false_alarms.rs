//! Two thousand comparisons of equal truths: how often anything at all is called better or worse. And what is found where
//! the new side really is slower by a tenth.

use xmpp_bench::compare::{Comparison, Family, Judgement, MinEffect, Options};
use xmpp_bench::stats::rank::{Scale, ShiftTest};

use crate::noise::{SEEDS, Simulated, World, draw, quantile, recorded, recorded_seconds, upper_bound};
use crate::runs::{Values, compared};

const RUNS: usize = 8;
const COMPARISONS: u64 = 200;
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

#[test]
fn equal_truths_are_called_different_no_more_often_than_stated_and_broken_tests_fail_that_check() {
    let noise = recorded("bench-20261124.json", "CPU per");
    let world = World {
        noise: &noise,
        tail_noise: &noise,
        level: 0.3,
        correlation: 0.8,
        seconds: 30,
        per_second: 16,
        median: 400.0,
        loss: 0.01,
    };
    let (mut alarms, mut uncorrected, mut by_seconds, mut tried) = (0, 0, 0, 0);
    for seed in SEEDS {
        for index in 0..COMPARISONS {
            let mut draw = draw(seed, index);
            let runs: Vec<Simulated> = (0..2 * RUNS).map(|_| world.run(&mut draw)).collect();
            let all: Vec<Values> = runs.iter().map(values).collect();
            let comparison = compared(&all[..RUNS], &all[RUNS..], &options());
            alarms += usize::from(is_alarm(&comparison));
            uncorrected += usize::from(is_alarm_uncorrected(&comparison));
            by_seconds += usize::from(is_alarm_by_seconds(&runs[0], &runs[RUNS]));
            tried += 1;
        }
    }
    let bounds = [alarms, uncorrected, by_seconds].map(|found| upper_bound(found, tried));
    println!(
        "of {tried}: {alarms} alarms, {uncorrected} without Holm, {by_seconds} by seconds; bounds {bounds:.3?}"
    );
    assert!(tried >= 2_000);
    assert!(bounds[0] <= 1.5 * STATED, "{alarms} of {tried}");
    assert!(alarms > 0, "a test that never errs finds nothing either");
    assert!(bounds[1] > 1.5 * STATED, "without Holm: {uncorrected} of {tried}");
    assert!(bounds[2] > 1.5 * STATED, "seconds as runs: {by_seconds} of {tried}");
}

/// Comparisons that called both p50 and p99 worse, of so many, where the new side takes a tenth longer.
fn found(noise: &[f64], per_seed: u64) -> (usize, usize) {
    let (level, correlation) = recorded_seconds("quickstart-prosody.json", "message.delivery");
    let world = World {
        noise,
        tail_noise: &[0.0],
        level,
        correlation,
        seconds: 120,
        per_second: 400,
        median: 400.0,
        loss: 0.0,
    };
    let slower = World { median: 440.0, ..world };
    let (mut both, mut tried) = (0, 0);
    for seed in SEEDS {
        for index in 0..per_seed {
            let mut draw = draw(seed, index);
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
    }
    (both, tried)
}

#[test]
fn a_tenth_slower_is_found_with_eight_runs_a_side() {
    let (both, tried) = found(&recorded("bench-20261124.json", "CPU per 100,000 messages"), 1);
    println!("quiet machine: {both} of {tried}");
    assert!(both * 10 >= tried * 9, "{both} of {tried}");
}
