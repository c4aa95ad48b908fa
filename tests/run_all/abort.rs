//! A run that its profile ends early: complete, with the reason, and judged over what was measured.

use xmpp_bench::results::{SloState, VerdictState};

use crate::world::World;

/// Every second copy is dropped, so that what is open only grows. Nobody waits for the minutes that were planned.
const PROFILE: &str = r#"
deadline = "2s"
drain = "2s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 20
jid = "u{n}@{domain}"
password = "p{n}"
contacts = 4
[[phase]]
name = "ramp"
duration = "1s"
users = 20
[[phase]]
name = "first"
duration = "10m"
measure = true
[[phase]]
name = "second"
duration = "10m"
measure = true
[[activity]]
kind = "message"
rate = "100/s"
[abort]
backlog = "> 60 for 2s"
[slo]
"message.delivery.p99" = "<= 1s"
"message.lost" = "== 0"
"#;

#[test]
fn a_rule_of_the_profile_ends_a_run_with_a_whole_result() {
    let world = World::new(PROFILE);
    let ended = world.run(&["--fault", "loss=50%"]);
    let result = &ended.result;
    let early = result.ended_early.as_ref().expect("a run of twenty minutes ended early");
    assert!(early.reason.starts_with("backlog > 60 for 2s: "), "{early:?}");
    assert!(early.at_s > 2.0 && early.at_s < 600.0, "{early:?}");
    assert!(result.complete);
    assert!(result.verdict.notes.iter().any(|note| note.contains(&early.reason)), "{:?}", result.verdict);
    assert_ne!(result.verdict.state, VerdictState::Interrupted, "nobody interrupted it");

    let ledger = result.ledger.message;
    assert!(ledger.lost > 60 && ledger.delivered > 0, "it drained, and what was open is lost: {ledger:?}");
    assert_eq!(ledger.indeterminate, 0, "{ledger:?}");
    let became: Vec<_> = result.slo.iter().map(|slo| (slo.phase.as_str(), slo.state)).collect();
    let (failed, undecided) = (SloState::Failed, SloState::Undecided);
    assert_eq!((became[1], became[3]), (("second", undecided), ("second", undecided)), "{became:?}");
    assert_eq!(became[2], ("first", failed), "{became:?}");
    assert!(!result.exit.reasons.iter().any(|reason| reason.code == 130), "{:?}", result.exit);
    assert!(result.exit.reasons.iter().any(|reason| reason.code == 4), "{:?}", result.exit);
}
