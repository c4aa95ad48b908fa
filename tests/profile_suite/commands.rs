//! `profile check|show|list|schema`, as functions that write.

use std::path::PathBuf;
use std::sync::Arc;

use xmpp_bench::cli::profile::show::{self, Limits};
use xmpp_bench::cli::profile::{ProfileArgs, ProfileCommand, ProfileError, ProfileSource, load, run};
use xmpp_bench::engine::forecast::forecast;
use xmpp_bench::profile::SHIPPED;

fn source(profile: &str, set: &[&str]) -> ProfileSource {
    ProfileSource { profile: PathBuf::from(profile), set: set.iter().map(|&text| text.to_owned()).collect() }
}

fn output(command: ProfileCommand) -> Result<String, ProfileError> {
    let mut out = Vec::new();
    run(&ProfileArgs { command }, 80, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn check_says_ok_with_what_it_found() {
    let text = output(ProfileCommand::Check(source("quickstart", &[]))).unwrap();
    assert_eq!(text, "profiles/quickstart.toml: ok (1,000 users, 3 phases, 30 s)\n");
}

#[test]
fn check_of_a_bad_profile_is_all_that_is_wrong_with_it() {
    let error = output(ProfileCommand::Check(source("tests/bad-profiles/several.toml", &[]))).unwrap_err();
    assert_eq!(error.to_string().matches("error: ").count(), 4, "{error}");
}

#[test]
fn a_profile_that_is_not_there_is_named_with_what_could_be() {
    let error = output(ProfileCommand::Check(source("quickstrat", &[]))).unwrap_err().to_string();
    assert!(error.contains("quickstrat") && error.contains("instead: quickstart"), "{error}");
}

#[test]
fn paths_in_a_file_begin_at_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let text = "users = [{ count = 1, accounts_file = \"one.csv\" }]\n\
                phase = [{ name = \"only\", duration = \"5s\", users = 1, measure = true }]\n\
                activity = [{ kind = \"ping\", every = \"1s\" }]\n[target]\nurl = \"loopback:\"\n";
    std::fs::write(folder.path().join("profile.toml"), text).unwrap();
    std::fs::write(folder.path().join("one.csv"), "anna,a\n").unwrap();
    let path = folder.path().join("profile.toml");
    let text = output(ProfileCommand::Check(source(path.to_str().unwrap(), &[]))).unwrap();
    assert!(text.ends_with("ok (1 users, 1 phases, 5 s)\n"), "{text}");
}

#[test]
fn show_resolves_what_a_profile_comes_to() {
    let source = source("quickstart", &["users.0.password=hunter2", "slo.login.p99=<= 1s"]);
    let profile = Arc::new(load(&source).unwrap());
    let limits = Limits { descriptors: Some(1_024), ports: Some(28_232), memory_bytes: Some(8 << 30) };
    let mut out = Vec::new();
    show::render(&profile, &forecast(&profile), &limits, 80, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn shown_as_json_it_is_the_same() {
    let text = output(ProfileCommand::Show { source: source("quickstart", &[]), json: true }).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    let forecast = &shown["forecast"];
    assert_eq!((&forecast["peak_online"], &forecast["phases"][2]["name"]), (&1_000.into(), &"steady".into()));
    let total = forecast["phases"][2]["operations"].as_f64().unwrap();
    assert!((total - 6_340.0).abs() < 1.0, "317 a second for 20 s: {total}");
    assert_eq!(shown["slo"][1], serde_json::json!({ "name": "message.lost", "bound": "== 0" }));
    let needed = forecast["needs"]["descriptors"].as_u64().unwrap();
    assert_eq!(needed, 2 * 1_000 + 200, "both ends of each connection are this process's");
}

#[test]
fn what_a_room_costs_is_what_its_occupants_read() {
    let rooms = "activity=[{kind='groupchat',rooms=10,occupants=20,rate='5/s',body=100}]";
    let text = output(ProfileCommand::Show { source: source("quickstart", &[rooms, "slo={}"]), json: true });
    let shown: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
    let activity = &shown["forecast"]["activities"][0];
    assert_eq!(activity["copies_each"], 20.0, "everybody in the room, its sender too");
    let (peak, stanza) = (&shown["forecast"]["peak"], activity["stanza_bytes"].as_f64().unwrap());
    assert_eq!(peak["copies_per_s"], 100.0);
    assert!(stanza > 150.0 && stanza < 300.0, "a body of 100 bytes and what is around it: {stanza}");
    assert_eq!(peak["written_bytes_per_s"], 5.0 * stanza);
}

#[test]
fn list_and_schema_print() {
    let list = output(ProfileCommand::List { json: false }).unwrap();
    assert!(list.starts_with("profile") && list.contains("\nquickstart"), "{list}");
    for line in list.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let all: serde_json::Value =
        serde_json::from_str(&output(ProfileCommand::List { json: true }).unwrap()).unwrap();
    assert_eq!(all.as_array().unwrap().len(), SHIPPED.len());
    assert!(all[0]["for"].as_str().unwrap().starts_with("A first run"), "{all}");
    let schema: serde_json::Value = serde_json::from_str(&output(ProfileCommand::Schema).unwrap()).unwrap();
    assert_eq!(schema["properties"]["target"]["properties"]["tls"]["enum"][0], "required");
}
