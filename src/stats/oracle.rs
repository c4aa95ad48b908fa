//! The tests and block lengths against scipy's and arch's, from a table whose origin stands in it (`scripts/oracles/rank.py`).

use serde::Deserialize;

use super::effective::block_length;
use super::rank::{Scale, ShiftTest, Side};
use super::trend::Trend;

#[derive(Deserialize)]
struct Table {
    origin: String,
    ranks: Vec<Case>,
    blocks: Vec<Blocks>,
    trends: Vec<Ordered>,
}

#[derive(Deserialize)]
struct Case {
    paired: bool,
    base: Vec<f64>,
    new: Vec<f64>,
    two_sided: f64,
    above: f64,
    below: f64,
    estimate: Option<f64>,
    interval_95: Option<(Option<f64>, Option<f64>)>,
}

#[derive(Deserialize)]
struct Blocks {
    series: Vec<f64>,
    block: f64,
}

#[derive(Deserialize)]
struct Ordered {
    series: Vec<f64>,
    two_sided: f64,
    tau: f64,
}

fn table() -> Table {
    serde_json::from_str(include_str!("oracle.json")).expect("the table is JSON")
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < 1e-9
}

#[test]
fn p_values_estimates_and_intervals_are_scipys() {
    let table = table();
    assert!(table.ranks.len() >= 18 && table.origin.contains("scipy"), "{}", table.origin);
    for case in &table.ranks {
        let make = if case.paired { ShiftTest::paired } else { ShiftTest::unpaired };
        let test = make(&case.base, &case.new, Scale::Difference);
        let found =
            [test.p_two_sided(0.0), test.p_one_sided(0.0, Side::Above), test.p_one_sided(0.0, Side::Below)];
        let wanted = [case.two_sided, case.above, case.below];
        assert!(
            found.iter().zip(wanted).all(|(a, b)| close(*a, b)),
            "{found:?} {wanted:?} {:?} {:?}",
            case.base,
            case.new
        );
        if let (Some(estimate), Some((low, high))) = (case.estimate, case.interval_95) {
            assert!(
                test.estimate().is_some_and(|found| close(found, estimate)),
                "{:?} {estimate}",
                test.estimate()
            );
            let found = test.interval(0.05);
            let wanted = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
            assert!(close(found.low, wanted.0) && close(found.high, wanted.1), "{found:?} {wanted:?}");
        }
    }
}

#[test]
fn block_lengths_are_archs() {
    for blocks in table().blocks {
        let found = block_length(&blocks.series);
        assert!((found / blocks.block.max(1.0) - 1.0).abs() < 0.02, "{found} {}", blocks.block);
    }
}

#[test]
fn trends_are_scipys() {
    let table = table();
    assert!(table.trends.len() >= 12, "{}", table.trends.len());
    for series in &table.trends {
        let trend = Trend::of(&series.series);
        let found = trend.p_two_sided();
        assert!(close(found, series.two_sided), "{found} {} {:?}", series.two_sided, series.series);
        assert!(close(trend.tau(), series.tau), "{} {}", trend.tau(), series.tau);
    }
}
