//! The ledger against what the embedded server really did, copy by copy.

use std::collections::BTreeSet;

use xmpp_bench::sample::TokenKind;
use xmpp_bench::server::truth::Action;

use crate::world::{World, is_generator_limited};

const PROFILE: &str = r#"
deadline = "3s"
drain = "3s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 60
jid = "u{n}@{domain}"
password = "p{n}"
contacts = 2
[[phase]]
name = "ramp"
duration = "2s"
users = 60
[[phase]]
name = "steady"
duration = "4s"
measure = true
[[activity]]
kind = "message"
rate = "400/s"
body = "lognormal(80, 0.8)"
to = "contact"
[slo]
"message.lost" = "== 0"
"#;

const FAULTS: &str = "delay=20ms,loss=3%,duplicate=2%,reorder=3%";

#[test]
fn the_ledger_is_what_the_server_really_did() {
    let world = World::new(PROFILE);
    let ended = world.run(&["--fault", FAULTS, "--truth", "truth.jsonl", "--workers", "2"]);
    let truth = world.truth("truth.jsonl");
    let done = |action| truth.count(TokenKind::Message, action);
    let ledger = ended.result.ledger.message;

    assert_eq!(ledger.delivered, done(Action::Delivered) + done(Action::Reordered), "delivered");
    assert_eq!(ledger.lost, done(Action::Dropped), "lost");
    assert_eq!(ledger.duplicated, done(Action::Duplicated), "duplicated");
    assert_eq!(ledger.reordered, done(Action::Reordered), "reordered");
    assert_eq!(ledger.expected, ledger.delivered + ledger.lost, "nothing failed, nobody left");
    let others = [ledger.misdelivered, ledger.replayed, ledger.stale, ledger.indeterminate, ledger.failed];
    assert_eq!(others, [0; 5]);
    assert_eq!([done(Action::Undeliverable), done(Action::Unwritten)], [0; 2]);
    // A run in which nothing went wrong would have shown nothing.
    let provoked = [ledger.lost, ledger.duplicated, ledger.reordered];
    assert!(provoked.iter().all(|&count| count >= 5), "lost, duplicated, reordered: {provoked:?}");

    // What the workers wrote and read, phase by phase, is what was written and read second by second.
    let workers = &ended.result.generator.workers;
    let (written, read): (u64, u64) =
        workers.iter().fold((0, 0), |sum, one| (sum.0 + one.bytes_out, sum.1 + one.bytes_in));
    let series = &ended.result.series;
    assert_eq!(written, series.bytes_out.iter().sum::<u64>());
    assert_eq!(read, series.bytes_in.iter().sum::<u64>());

    // One user asked what the server is, and all told how they logged in.
    let target = &ended.result.target;
    let server = target.identity.as_ref().expect("it says what it is");
    assert_eq!(server.to_string(), format!("xmpp-bench embedded server {}", env!("CARGO_PKG_VERSION")));
    let logins = ended.result.operations["login"].figures.response_us.count;
    let used: Vec<(&str, u64)> =
        target.mechanisms_used.iter().map(|(name, &count)| (name.as_str(), count)).collect();
    assert_eq!(used, [("SCRAM-SHA-256", logins)]);

    // Nothing came sooner than it was let go.
    let soonest = ended.result.operations["message.delivery"].figures.response_us.min.unwrap();
    assert!(soonest >= 19_900, "a copy that was held for 20 ms came after {soonest} µs");

    assert!(ended.result.exit.reasons.iter().any(|r| r.code == 4 && r.reason.contains("message.lost")));
    let expected = if is_generator_limited(&ended.result) { 7 } else { 4 };
    assert_eq!(ended.code, expected, "{:?}", ended.result.exit);
}

#[test]
fn what_reaches_the_server_is_the_plan_of_profile_and_seed() {
    let world = World::new(PROFILE);
    let seven = world.plan(7);
    let ended = world.run(&["--truth", "truth.jsonl"]);
    let came: BTreeSet<_> = world
        .truth("truth.jsonl")
        .copies
        .iter()
        .map(|copy| {
            let local = copy.to.split('@').next().unwrap();
            let recipient: u32 = local[1..].parse().unwrap();
            (copy.token.intended, copy.token.sender.0, recipient)
        })
        .collect();
    let planned = |actions: &[xmpp_bench::plan::Action]| -> BTreeSet<_> {
        actions.iter().filter_map(|a| Some((a.at, a.sender, a.recipient()?))).collect()
    };
    let (seven, eight) = (planned(&seven), planned(&world.plan(8)));
    // What was unsent (a login took longer than planned) is missing, and counted.
    let strangers: Vec<_> = came.difference(&seven).collect();
    assert!(strangers.is_empty(), "not of the plan: {strangers:?}");
    assert_eq!(came.len() as u64, ended.result.ledger.message.expected);
    assert!(
        seven.len() - came.len() <= ended.result.ledger.message.unsent as usize,
        "{} of the plan are missing",
        seven.len() - came.len()
    );
    // On a busy machine logins are late, and much is unsent; some hundreds are enough to show whose plan it was.
    assert!(came.len() > 200, "only {} came", came.len());
    assert!(seven.len() > 1_000 && seven.is_disjoint(&eight), "another seed is another plan");
}
