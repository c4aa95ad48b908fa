//! The interval within a run holds the truth about as often as it says, and one that takes neighbouring seconds for independent
//! does not.

use xmpp_bench::stats::blocks::{Intervals, interval_95};
use xmpp_bench::units::Quantile;

use crate::noise::{Deviation, SEEDS, Simulated, World, draw, quantile, upper_bound};

const COMPARISONS: u64 = 40;
const RESAMPLES: usize = 120;
const SECONDS: usize = 240;
const QUANTILES: [Quantile; 2] = [Quantile::P50, Quantile::P99];
/// 95 % intervals may miss in one of twenty.
const STATED: f64 = 0.05;

/// As HDR buckets are: so many values to a doubling, for speed fewer here.
fn bucket(value: f64) -> f64 {
    ((value.log2() * 64.0).round() / 64.0).exp2()
}

fn intervals(run: &Simulated) -> Intervals {
    let mut values: Vec<f64> =
        run.sorted().into_iter().filter(|value| value.is_finite()).map(bucket).collect();
    values.dedup();
    let slot = |value: &f64| values.partition_point(|known| *known < bucket(*value)) as u32;
    let finite = |second: &Vec<f64>| {
        second.iter().filter(|value| value.is_finite()).map(|value| (slot(value), 1)).collect()
    };
    let lost = |second: &Vec<f64>| second.iter().filter(|value| value.is_infinite()).count() as u64;
    let (cells, infinite) =
        (run.seconds.iter().map(finite).collect(), run.seconds.iter().map(lost).collect());
    Intervals { cells, infinite, values }
}

/// Comparisons of two runs of equal truth whose interval leaves out no change at all: of the median, of p99, of so many each.
fn misses(block: impl Fn(&Intervals) -> usize) -> ([usize; 2], usize) {
    let world = World {
        noise: &[Deviation::default()],
        level: 0.3,
        correlation: 0.8,
        seconds: SECONDS,
        per_second: 8,
        median: 400.0,
        loss: 0.001,
    };
    let (mut missed, mut tried) = ([0; 2], 0);
    for seed in SEEDS {
        for index in 0..COMPARISONS {
            let mut draw = draw(seed, index);
            let runs = [world.run(&mut draw), world.run(&mut draw)];
            let sides = runs.each_ref().map(intervals);
            let blocks = sides.each_ref().map(&block);
            let drawn =
                [0, 1].map(|side| sides[side].resample(&QUANTILES, blocks[side], RESAMPLES, &mut draw));
            let length = blocks[0].max(blocks[1]) as f64;
            for (which, of) in QUANTILES.iter().enumerate() {
                let pairs = drawn[0][which].iter().zip(&drawn[1][which]);
                let differences = pairs.map(|(base, new)| (new / base).ln()).collect();
                let point = runs.each_ref().map(|run| quantile(&run.sorted(), of.as_fraction()));
                let (low, high) =
                    interval_95((point[1] / point[0]).ln(), differences, SECONDS as f64 / length);
                missed[which] += usize::from(low > 0.0 || high < 0.0);
            }
            tried += 1;
        }
    }
    (missed, tried)
}

#[test]
fn an_interval_within_a_run_holds_the_truth_as_often_as_it_says() {
    let (missed, tried) = misses(|side| side.block(&QUANTILES).unwrap());
    for (quantile, missed) in QUANTILES.iter().zip(missed) {
        let bound = upper_bound(missed, tried);
        println!("{quantile}: {missed} of {tried} missed, at most {bound:.3}");
        assert!(bound <= 1.5 * STATED, "{quantile}: {missed} of {tried}");
    }
}

#[test]
fn seconds_taken_for_independent_fail_that_check() {
    let ([missed, _], tried) = misses(|_| 1);
    println!("block length 1: {missed} of {tried} missed");
    assert!(upper_bound(missed, tried) > 1.5 * STATED, "{missed} of {tried}");
}
