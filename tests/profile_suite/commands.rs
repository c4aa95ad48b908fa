//! `profile check|show|list|schema`, as functions that write.

use std::path::PathBuf;

use xmpp_bench::cli::profile::{ProfileArgs, ProfileCommand, ProfileError, ProfileSource, run};

use crate::registry::Kinds;

fn source(profile: &str, set: &[&str]) -> ProfileSource {
    ProfileSource { profile: PathBuf::from(profile), set: set.iter().map(|&text| text.to_owned()).collect() }
}

fn output(command: ProfileCommand) -> Result<String, ProfileError> {
    let mut out = Vec::new();
    run(&ProfileArgs { command }, &Kinds, &mut out)?;
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
    let text = output(ProfileCommand::Show(source("quickstart", &["users.0.password=hunter2"]))).unwrap();
    assert_eq!(text, SHOWN);
}

#[test]
fn list_and_schema_print() {
    let list = output(ProfileCommand::List).unwrap();
    assert!(list.starts_with("quickstart     A first run"), "{list}");
    let schema: serde_json::Value = serde_json::from_str(&output(ProfileCommand::Schema).unwrap()).unwrap();
    assert_eq!(schema["properties"]["target"]["properties"]["tls"]["enum"][0], "required");
}

const SHOWN: &str = "\
profile    profiles/quickstart.toml
           --set users.0.password=*******
target     loopback: (domain localhost, tls required)
deadline   5 s, drain at most 5 s
users      users: 1,000, 20.0 contacts each (ring), SCRAM-SHA-256 SCRAM-SHA-1 PLAIN
phase      ramp: 8 s from 0.000 s, users 0 to 1,000 (125/s logins), factor to 1
phase      settle: 2 s from 8.000 s, users 1,000 to 1,000 (0/s logins), factor to 1
phase      steady: 20 s from 10.000 s, users 1,000 to 1,000 (0/s logins), factor to 1, measured
activity   message: 200/s (poisson), at most 200/s, bodies lognormal(80, 0.8) bytes, on average 111: 21.6 KiB/s of bodies at the peak
activity   ping: every 10 s, at most 100/s
peak       300/s operations, about 68.5 KiB/s sent
needs      1,000 connections, 2,064 descriptors, 1,000 of about 28,232 ports
slo        message.delivery.p99 <= 250ms
slo        message.lost == 0
";
