//! Every profile that comes with the tool, run scaled down against the embedded server: nothing may be lost or in doubt but by
//! the sessions that end.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What makes each profile small: a few seconds, a few dozen users, and rates at which each of its activities happens.
const SCALED: &[(&str, &[&str])] = &[
    (
        "quickstart",
        &["users.0.count=100", "phase.ramp.users=100", "phase.ramp.duration=2s", "phase.steady.duration=4s"],
    ),
    (
        "idle-mobile",
        &[
            "users.0.count=100",
            "phase.ramp.users=100",
            "phase.ramp.duration=2s",
            "phase.settle.duration=1s",
            "phase.idle.duration=4s",
            "activity.0.every=2s",
            "activity.1.session=uniform(1s, 6s)",
            "activity.1.away=exponential(1s)",
        ],
    ),
    (
        "im-consumer",
        &[
            "users.0.count=500",
            "phase.ramp.users=100",
            "phase.ramp.duration=2s",
            "phase.settle.duration=2s",
            "phase.steady.duration=4s",
            "activity.0.rate=30/s",
            "activity.1.rate=5/s",
            "activity.2.session=exponential(10s)",
            "activity.2.away=exponential(1s)",
        ],
    ),
    (
        "presence-heavy",
        &[
            "users.0.count=100",
            "phase.ramp.users=100",
            "phase.ramp.duration=2s",
            "phase.settle.duration=2s",
            "phase.steady.duration=4s",
            "activity.0.rate=10/s",
            "activity.1.session=exponential(10s)",
            "activity.1.away=exponential(1s)",
        ],
    ),
    (
        "enterprise-9am",
        &[
            "users.0.count=100",
            "phase.morning.users=100",
            "phase.morning.duration=3s",
            "phase.day.duration=4s",
            "activity.0.rate=20/s",
            "activity.1.rate=5/s",
        ],
    ),
    (
        "muc-small",
        &[
            "users.0.count=60",
            "phase.ramp.users=60",
            "phase.ramp.duration=2s",
            "phase.settle.duration=2s",
            "phase.talk.duration=4s",
            "activity.0.rooms=30",
            "activity.0.rate=20/s",
        ],
    ),
    (
        "game-rooms",
        &[
            "users.0.count=100",
            "phase.ramp.users=100",
            "phase.ramp.duration=2s",
            "phase.settle.duration=2s",
            "phase.play.duration=4s",
            "activity.0.rooms=10",
            "activity.0.occupants=zipf(0.85, 30)",
        ],
    ),
    (
        "chatty-stress",
        &[
            "users.0.count=50",
            "phase.ramp.users=50",
            "phase.ramp.duration=2s",
            "phase.settle.duration=1s",
            "phase.chat.duration=4s",
        ],
    ),
    (
        "webinar-join",
        &[
            "users.0.count=60",
            "phase.ramp.users=60",
            "phase.ramp.duration=2s",
            "phase.settle.duration=1s",
            "phase.storm.duration=3s",
            "phase.talk.duration=4s",
            "activity.0.occupants=60",
            "activity.0.join_rate=60/s",
        ],
    ),
    (
        "presence-flood",
        &[
            "users.0.count=60",
            "users.0.contacts=30",
            "phase.ramp.users=60",
            "phase.ramp.duration=2s",
            "phase.settle.duration=1s",
            "phase.flood.duration=4s",
            "activity.0.rate=20/s",
        ],
    ),
];

#[test]
fn every_profile_that_comes_with_the_tool_is_tried() {
    let tried: Vec<&str> = SCALED.iter().map(|(name, _)| *name).collect();
    let shipped: Vec<&str> = xmpp_bench::profile::SHIPPED.iter().map(|shipped| shipped.name).collect();
    assert_eq!(tried, shipped);
}

#[test]
fn scaled_down_each_profile_accounts_for_everything_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, changes) in SCALED {
        let result = run(name, changes, folder.path());
        for kind in ["message", "presence", "groupchat"] {
            check_ledger(name, kind, &result["ledger"][kind]);
        }
        check_measured(name, &result);
        let order = &result["room_order"];
        assert!(order["differing"].as_u64().unwrap_or(0) == 0, "{name}: rooms keep one order: {order}");
    }
}

/// Runs a profile with these changes; its result. The drain and deadline are short: nothing here should need them.
fn run(name: &str, changes: &[&str], folder: &Path) -> Value {
    let out = folder.join(format!("{name}.json"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmpp-bench"));
    command.args(["run", name, "--quiet", "--seed", "5", "--set", "target.tls=off", "--out"]).arg(&out);
    for change in changes {
        command.args(["--set", change]);
    }
    let output = command.output().expect("the tool runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = std::fs::read_to_string(&out).unwrap_or_else(|error| panic!("{name}: {error}: {said}"));
    serde_json::from_str(&text).expect("a result is JSON")
}

/// The equation, and what a sound server must not do. What churn leaves in doubt is in doubt by a stream's end.
fn check_ledger(name: &str, kind: &str, ledger: &Value) {
    let count = |column: &str| ledger[column].as_u64().unwrap_or_else(|| panic!("{name}: {kind}.{column}"));
    let settled = count("delivered") + count("lost") + count("failed") + count("indeterminate");
    assert_eq!(count("expected"), settled, "{name}: {kind}");
    for column in ["lost", "failed", "duplicated", "misdelivered", "reordered"] {
        assert_eq!(count(column), 0, "{name}: {kind}.{column}: {ledger}");
    }
}

/// Each activity did what it is for in some measured phase, and nothing ended in doubt but by a session's end.
fn check_measured(name: &str, result: &Value) {
    let operations = result["operations"].as_object().expect("operations");
    for activity in result["profile"]["activities"].as_array().expect("activities") {
        let names = activity["operations"].as_array().expect("names");
        let done: u64 =
            names.iter().filter_map(|name| operations.get(name.as_str()?)?["outcomes"]["ok"].as_u64()).sum();
        assert!(done > 0, "{name}: {activity} did nothing: {operations:?}");
    }
    for (operation, figures) in operations {
        for outcome in figures["outcomes"].as_object().expect("outcomes").keys() {
            let explained =
                ["ok", "late", "unsent-sender-offline", "unsent-recipient-offline", "unsent-not-joined"]
                    .contains(&outcome.as_str())
                    || outcome.starts_with("indeterminate-recipient-stream")
                    || outcome.starts_with("indeterminate-sender-stream");
            assert!(explained, "{name}: {operation} ended {outcome}: {figures}");
        }
    }
}
