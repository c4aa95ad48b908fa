//! Two results of an hour's run each are compared in a moment.

use std::time::Duration;

use xmpp_bench::clock::Epoch;
use xmpp_bench::compare::{Options, Run, compare};
use xmpp_bench::results::{
    Layout, LedgerCounts, Ledgers, OperationLayout, PhaseLayout, Preamble, Totals, VerdictState, assemble,
    file,
};
use xmpp_bench::sample::{GroupId, Instants, OperationId, Sample};
use xmpp_bench::units::Offset;

use crate::noise::draw;
use crate::world;

const HOUR: u64 = 3_600;
const OPERATIONS: [&str; 4] = ["message.delivery", "groupchat.delivery", "presence.delivery", "ping"];

fn layout() -> Layout {
    let phase = PhaseLayout { name: "steady".into(), start_s: 0.0, end_s: HOUR as f64, measured: true };
    let operation = |name: &&str| OperationLayout { name: (*name).into(), meaning: "one of them".into() };
    Layout {
        phases: vec![phase],
        operations: OPERATIONS.iter().map(operation).collect(),
        groups: vec!["all".into()],
    }
}

/// An hour of 4 operations, 6 a second each, their times spread widely.
fn hour(seed: u64) -> xmpp_bench::results::RunResult {
    let mut totals = Totals::new(layout()).unwrap();
    let mut draw = draw(seed, 0);
    for second in 0..HOUR {
        for n in 0..6 {
            for operation in 0..OPERATIONS.len() as u16 {
                let intended = Offset::from_nanos(second * 1_000_000_000 + n * 160_000_000);
                let done = intended + Duration::from_secs_f64(0.000_3 * (1.0 - draw.unit()).powf(-0.8));
                let instants = Instants { intended, offered: intended, sent: intended, done };
                totals.record(0, &Sample::completed(OperationId(operation), GroupId(0), instants, false));
            }
        }
        totals.note_second(&xmpp_bench::results::SecondFacts { second: second as u32, ..Default::default() });
        totals.close_interval();
    }
    let mut conclusion = world::conclusion(VerdictState::Valid, Vec::new(), LedgerCounts::default());
    conclusion.ledgers = vec![Ledgers::default()];
    let preamble = Preamble { layout: layout(), seed, run_id: seed.to_string(), ..world::preamble() };
    assemble(preamble, &totals, conclusion, true)
}

#[test]
fn two_hours_are_compared_and_both_are_whole() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = |seed: u64| folder.path().join(format!("{seed}.json"));
    for seed in [1, 2] {
        file::write_whole(&path(seed), &hour(seed)).unwrap();
    }
    let size = std::fs::metadata(path(1)).unwrap().len();
    let begun = Epoch::start();
    let runs = [1, 2].map(|seed| Run::read(&path(seed)).unwrap());
    let read = begun.now();
    let comparison = compare(&runs[..1], &runs[1..], &Options::default()).unwrap();
    println!("two results of {size} bytes: read by {read}, compared by {}", begun.now());
    let row = comparison.rows.iter().find(|row| row.measure == "message.delivery.p50").unwrap();
    let interval = row.interval.expect("an hour is long enough for blocks");
    assert!(
        interval.low.at().unwrap() < 0.0 && interval.high.at().unwrap() > 0.0,
        "equal truths: {interval:?}"
    );
    assert!(interval.high.at().unwrap() < 0.1, "and an hour leaves little room: {interval:?}");
}
