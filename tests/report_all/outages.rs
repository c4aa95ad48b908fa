//! Runs that went wrong: cut short, killed, with an outage, or with everything lost. A report must not make them look well.

use xmpp_bench::report::{Run, csv, html};
use xmpp_bench::results::{EndedEarly, LedgerCounts, RunResult, Totals, VerdictState, assemble};
use xmpp_bench::sample::Outcome;

use crate::forms::rows;
use crate::page::{assert_sound, chart, run_of};
use crate::world;

fn cut_short() -> RunResult {
    let early = EndedEarly { reason: "interrupted by its user".into(), at_s: 7.0 };
    RunResult { ended_early: Some(early), ..world::valid() }
}

fn two(a: RunResult, b: RunResult) -> String {
    let page = html::render(&Run::all([("a.json".to_owned(), a), ("b.json".to_owned(), b)]));
    assert_sound(&page);
    page
}

#[test]
fn what_came_after_an_early_end_is_in_no_phase() {
    let rows = rows(&csv::render(&run_of("a.json", cut_short()), csv::Rows::Seconds));
    let phase = |second: usize| (rows[1 + second][2].as_str(), rows[1 + second][3].as_str());
    assert_eq!(
        (phase(1), phase(6), phase(7), phase(12)),
        (("ramp", "0"), ("steady", "1"), ("", ""), ("", ""))
    );
    let page = html::render(&run_of("a.json", cut_short()));
    assert_sound(&page);
    assert!(page.contains(">ended early</text>"));
    assert!(page.contains("<td>not reached</td>"), "the phase after");
}

#[test]
fn an_overlay_says_which_run_ended_early_and_where() {
    let page = two(world::valid(), cut_short());
    assert!(page.contains("B ended before its plan did, at 0:07: interrupted by its user."));
    assert!(chart(&page, "Users online").contains("class=\"ending r1\""));
    assert!(chart(&page, "Users online").contains(">B ended</text>"));
    assert!(page.contains("The runs&#39; phases differ"));
    let heat = |run: &str| chart(&page, &format!("{run}: message.delivery: heat map")).to_owned();
    assert!(
        !heat("A").contains(" ended") && heat("B").contains(">ended early</text>"),
        "a chart of one run has its end"
    );
    assert!(!two(world::valid(), world::valid()).contains("ended before its plan did"));
}

/// An hour of a thousand users; for a quarter of a minute within one column there are none.
fn hour(outage: std::ops::Range<usize>) -> RunResult {
    let mut result = world::valid();
    result.series.users_online =
        (0..3_600).map(|second| Some(if outage.contains(&second) { 0 } else { 1_000 })).collect();
    result
}

#[test]
fn an_outage_shorter_than_a_column_shows_in_an_overlay_too() {
    let page = two(hour(0..0), hour(1_803..1_818));
    let users = chart(&page, "Users online");
    assert!(users.contains("the thick line is the greatest of each 20 seconds, the thin one the least."));
    let least = |run: &str| {
        let (_, path) =
            users.split_once(&format!("<path class=\"line {run} least\" d=\"")).expect("its line");
        path.split('"').next().expect("its end").to_owned()
    };
    assert!(!least("r0").contains('V') && least("r1").contains('V'), "a flat line, and one that falls");
    assert!(chart(&page, "Turns").contains("the line is the greatest of each 20 seconds."));
    let one = html::render(&run_of("b.json", hour(1_803..1_818)));
    assert!(chart(&one, "Users online").contains("the area reaches down to the least."));
}

fn all_lost() -> RunResult {
    let mut totals = Totals::new(world::layout()).expect("a small layout");
    world::feed(&mut totals, 2_000, |_| Outcome::Lost);
    totals.close_interval();
    let counts = LedgerCounts { expected: 2_000, lost: 2_000, ..LedgerCounts::default() };
    let conclusion = world::conclusion(VerdictState::ServerLimited, Vec::new(), counts);
    assemble(world::preamble(), &totals, conclusion, true)
}

#[test]
fn an_operation_that_lost_everything_is_drawn_beyond_every_deadline() {
    let page = html::render(&run_of("a.json", all_lost()));
    assert_sound(&page);
    let curve = chart(&page, "message.delivery: percentile curve");
    assert!(curve.contains("<td class=\"n\">&gt; deadline</td>"), "its table is there: {curve}");
    let heat = chart(&page, "message.delivery: heat map");
    assert!(heat.contains("<path class=\"heat h5\"") && heat.contains(">200</td>"), "{heat}");
    let page = two(world::valid(), all_lost());
    let curve = chart(&page, "message.delivery: percentile curve");
    let (picture, _) = curve.split_once("</svg>").expect("the picture ends");
    assert_eq!(picture.matches("<path class=\"line r").count(), 2, "both runs have their line: {picture}");
}

const ALL_WELL: &str = "Every operation ended well.";

#[test]
fn that_all_ended_well_is_said_only_where_operations_and_account_agree() {
    assert!(html::render(&run_of("a.json", world::valid())).contains(ALL_WELL));
    let mut killed = RunResult { complete: false, ..world::valid() };
    let page = html::render(&run_of("a.json", killed.clone()));
    assert!(!page.contains(ALL_WELL) && page.contains("the run was killed: what was open then"));
    // What was open when it was killed stands in the account alone.
    killed.ledger.message.expected += 3;
    killed.ledger.message.indeterminate = 3;
    let page = html::render(&run_of("a.json", killed.clone()));
    assert!(page.contains("! message copies: 3 not known to be delivered"));
    let page = two(world::valid(), killed);
    assert!(!page.contains(ALL_WELL) && page.contains("! B: message copies: 3 not known to be delivered"));
}

#[test]
fn what_went_wrong_in_an_operation_without_a_chart_is_said() {
    let mut result = world::valid();
    let ping = result.operations["ping"].clone();
    for number in 0..24 {
        result.operations.insert(format!("a{number:02}"), ping.clone());
    }
    let mut lost = ping;
    lost.figures.outcomes = [("lost".to_owned(), 5), ("ok".to_owned(), 95)].into();
    result.operations.insert("zeta".into(), lost.clone());
    result.phases[1].operations.insert("zeta".into(), lost);
    let page = html::render(&run_of("a.json", result));
    assert_sound(&page);
    assert!(!page.contains(ALL_WELL) && page.contains("! zeta: 5 of 100 did not end well; no chart"));
}
