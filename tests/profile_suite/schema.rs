//! The JSON schema agrees with the reader.

use serde_json::{Value, json};
use xmpp_bench::activity::Features;
use xmpp_bench::profile::{Profile, SHIPPED, schema};

use crate::registry::{BASE, Kinds, SHELF};

fn as_json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

#[test]
fn shipped_profiles_are_valid_to_both() {
    // By the tool's own activities, since these use all of them.
    let validator = jsonschema::validator_for(&schema(&Features)).unwrap();
    for shipped in SHIPPED {
        let errors: Vec<String> =
            validator.iter_errors(&as_json(shipped.text)).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", shipped.name);
        let read = Profile::read(&shipped.input(), &Features, &SHELF);
        assert!(
            read.is_ok(),
            "{}: {}",
            shipped.name,
            read.err().map(|wrong| wrong.to_string()).unwrap_or_default()
        );
        assert!(!shipped.description().is_empty());
    }
}

#[test]
fn what_an_editor_can_see_is_refused_by_the_schema_too() {
    let validator = jsonschema::validator_for(&schema(&Kinds)).unwrap();
    let mut good = as_json(BASE);
    good["abort"] = json!({ "errors": "> 10% for 5s", "generator-limited": "for 10s" });
    assert!(validator.is_valid(&good));
    for (pointer, key, value) in [
        ("", "dealine", json!("30s")),
        ("", "deadline", json!(30)),
        ("/target", "domian", json!("localhost")),
        ("/target", "tls", json!("require")),
        ("/users/0", "count", json!(0)),
        ("/users/0", "auth", json!(["SCRAM"])),
        ("/phase/0", "users", json!(-1)),
        ("/activity/0", "kind", json!("mesage")),
        ("/activity/0", "every", json!("5s")),
        ("/activity/1", "body", json!(100)),
        ("/slo", "message.lost", json!(0)),
        ("/abort", "errors", json!("10% for 5s")),
        ("/abort", "backlog", json!(10_000)),
        ("/abort", "generator-limited", json!("> 5 for 10s")),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).unwrap()[key] = value.clone();
        assert!(!validator.is_valid(&bad), "{pointer}/{key} = {value} is taken for valid");
    }
}
