use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xmpp_bench::compare::Comparison;
use xmpp_bench::results::{RunResult, check, result_schema};

use crate::world;

/// Everything that is wrong with a result's JSON: against the schema first, then against itself.
fn faults(json: &Value) -> Vec<String> {
    let schema = result_schema();
    let validator = jsonschema::validator_for(&schema).expect("our schema is one");
    let mut faults: Vec<String> =
        validator.iter_errors(json).map(|error| format!("{}: {error}", error.instance_path())).collect();
    match serde_json::from_value::<RunResult>(json.clone()) {
        Ok(result) => {
            faults.extend(check::contradictions(&result));
            if result.complete {
                faults.extend(check::unaccounted(&result));
            }
        }
        Err(error) => faults.push(error.to_string()),
    }
    faults
}

#[test]
fn every_result_kept_in_the_repository_fits_the_schema_and_agrees_with_itself() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    let mut checked = 0;
    for path in kept(&results) {
        let text = fs::read_to_string(&path).expect("readable");
        let json: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if json["schema"].as_str().is_some_and(|schema| schema.starts_with("xmpp-bench/result/")) {
            assert_eq!(faults(&json), Vec::<String>::new(), "{}", path.display());
            checked += 1;
        } else if json["schema"].as_str().is_some_and(|schema| schema.starts_with("xmpp-bench/comparison/")) {
            let read = serde_json::from_value::<Comparison>(json);
            assert!(read.is_ok(), "{}: {read:?}", path.display());
        }
    }
    println!("{checked} results checked");
}

/// Every JSON file of a folder and those within, but for what a person keeps to themselves.
fn kept(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("results/ is there");
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() && !path.ends_with("local") {
            files.extend(kept(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files
}

#[test]
fn a_sound_result_has_no_faults_and_survives_its_json() {
    let json = serde_json::to_value(world::valid()).expect("JSON");
    assert_eq!(faults(&json), Vec::<String>::new());
    assert_eq!(serde_json::from_value::<RunResult>(json).expect("our own"), world::valid());
}

/// What must agree in a later version is for that version to say; in ours and earlier ones it is for us.
#[test]
fn a_later_minor_version_is_not_judged() {
    let mut result = world::valid();
    result.ledger.message.delivered += 1;
    assert!(!check::contradictions(&result).is_empty());
    result.schema.minor += 1;
    assert_eq!(check::contradictions(&result), Vec::<String>::new());
    result.schema.major += 1;
    assert!(!check::contradictions(&result).is_empty(), "another generation is not read at all");
}

#[test]
fn the_names_that_were_promised_are_there() {
    let json = serde_json::to_value(world::valid()).expect("JSON");
    for pointer in [
        "/schema",
        "/complete",
        "/verdict/state",
        "/verdict/evidence/0/bound",
        "/profile/text",
        "/seed",
        "/host/clocksource",
        "/target/urls/0",
        "/series/operations/message.delivery/asked/3",
        "/slo/0/state",
        "/operations/message.delivery/outcomes/ok",
        "/phases/1/operations/ping/response_us/count",
        "/phases/1/ledger/message/expected",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer}");
    }
    for times in ["response_us", "service_us", "lag_us", "blocked_us"] {
        let times = &json["operations"]["message.delivery"][times];
        for name in ["count", "min", "mean", "p50", "p90", "p99", "p99_9", "max", "histogram"] {
            assert!(times.get(name).is_some(), "{name}");
        }
        for name in ["p50", "p90", "p99", "p99_9"] {
            assert!(times["attempted"].get(name).is_some(), "attempted {name}");
        }
    }
    for kind in ["message", "groupchat", "presence"] {
        let columns = json["ledger"][kind].as_object().expect("an account").len();
        assert_eq!(columns, 12, "{kind}");
    }
}

#[test]
fn each_way_of_breaking_a_result_is_found() {
    let breaks: [(&str, Value, &str); 17] = [
        ("/schema", json!("xmpp-bench/result/2.0"), "schema"),
        ("/verdict/state", json!("fine"), "verdict"),
        ("/verdict/evidence/0/state", json!("generator-limited"), "says generator-limited"),
        ("/exit/code", json!(4), "exit"),
        ("/ledger/message/lost", json!(1), "expected = delivered + lost"),
        ("/phases/1/ledger/message/delivered", json!(1_999), "expected = delivered + lost"),
        ("/phases/0/ledger/presence/stale", json!(3), "stale against the sum over phases"),
        ("/phases/1/ledger/message/late", json!(3_000), "3000 late of 2000 delivered"),
        ("/operations/ping/attempts", json!(101), "attempts against the sum of outcomes"),
        ("/operations/ping/outcomes/ok", json!(99), "count against ok + late"),
        ("/operations/ping/response_us/p50", json!(1), "do not follow from its histogram"),
        ("/operations/ping/response_us/negative", json!(1), "negative times"),
        ("/operations/ping/response_us/histogram", json!("AAAA"), "the histogram"),
        ("/operations/ping/response_us/attempted/p90", json!("soon"), "attempted/p90"),
        ("/phases/1/operations/message.delivery/groups/mobile/outcomes/ok", json!(7), "sum over groups"),
        ("/series/operations/ping/done/4", json!(500), "done against all phases"),
        ("/series/bytes_in", json!([1]), "length of a column"),
    ];
    for (pointer, value, expected) in breaks {
        let mut json = serde_json::to_value(world::valid()).expect("JSON");
        *json.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is there")) = value;
        let found = faults(&json);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{pointer}: {found:?}");
    }
}

#[test]
fn numbers_at_the_edge_of_their_type_are_found_without_overflow() {
    let mut json = serde_json::to_value(world::valid()).expect("JSON");
    for pointer in ["/ledger/message/lost", "/phases/1/ledger/message/failed", "/operations/ping/outcomes/ok"]
    {
        *json.pointer_mut(pointer).expect("there") = u64::MAX.into();
    }
    assert!(!faults(&json).is_empty());
}
