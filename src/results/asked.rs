//! Whether two runs were asked for the same load: by their profiles' keys and not their text, so that a comment or an order of lines
//! makes no difference.

use std::collections::{BTreeMap, BTreeSet};

use super::Profile;

/// What another run was asked that the first was not, in one line, each called by its name (`here`, `in the base`); none where both were asked for the same load. Where the target is,
/// what must hold and what is observed change no load, nor do passwords; seeds stand in the results themselves.
pub fn load_difference(
    (first, first_name): (&Profile, &str),
    (other, other_name): (&Profile, &str),
) -> Option<String> {
    let (one, two) = (keys_of(&first.text), keys_of(&other.text));
    let overrides = |profile: &Profile| -> BTreeSet<String> {
        let is_load = |text: &&String| !NOT_LOAD.iter().any(|table| text.starts_with(&format!("{table}.")));
        profile.overrides.iter().filter(is_load).cloned().collect()
    };
    let keys: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    let differing = keys.into_iter().filter(|key| one.get(*key) != two.get(*key));
    let value = |map: &BTreeMap<String, String>, key: &String| {
        let value = map.get(key).map_or("not set", String::as_str);
        let cut = if value.chars().count() > VALUE_MAX { "…" } else { "" };
        value.chars().take(VALUE_MAX).chain(cut.chars()).collect::<String>()
    };
    let mut found: Vec<String> = differing
        .map(|key| format!("{key}: {} {other_name}, {} {first_name}", value(&two, key), value(&one, key)))
        .collect();
    found.extend(other_names(first, other));
    let (one, two) = (overrides(first), overrides(other));
    found.extend(two.difference(&one).map(|text| format!("--set {text}")));
    found.extend(one.difference(&two).map(|text| format!("without --set {text}")));
    if found.is_empty() {
        return None;
    }
    let more = found.len().saturating_sub(NAMED_MAX);
    found.truncate(NAMED_MAX);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    Some(format!("profile {}{rest}", found.join("; ")))
}

/// Groups whose accounts files gave them other names; who is in a roster may differ with them.
fn other_names(first: &Profile, other: &Profile) -> Vec<String> {
    let pairs = first.accounts_files.iter().zip(&other.accounts_files);
    let differing = pairs.filter(|(one, two)| one.group == two.group && one.names_sha256 != two.names_sha256);
    differing.map(|(one, _)| format!("accounts_file of {} had other names", one.group)).collect()
}

/// More differing keys are counted, not named.
const NAMED_MAX: usize = 5;
/// More of a value is not shown.
const VALUE_MAX: usize = 60;
/// Keys that change no load: a run's own seed stands in its result, and a password is another on each server.
const NOT_ASKED: [&str; 2] = ["seed", "password"];

/// A profile's keys and values, flat, but for what load does not depend on. A text that is no TOML stands for itself.
fn keys_of(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    match text.parse::<toml::Table>() {
        Ok(table) => {
            for (key, value) in table.iter().filter(|(key, _)| !NOT_LOAD.contains(&key.as_str())) {
                flatten(key, value, &mut found);
            }
        }
        Err(_) => {
            found.insert("text".to_owned(), text.to_owned());
        }
    }
    found
}

fn flatten(path: &str, value: &toml::Value, found: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            table.iter().for_each(|(key, value)| flatten(&format!("{path}.{key}"), value, found));
        }
        toml::Value::Array(all) => {
            all.iter()
                .enumerate()
                .for_each(|(index, value)| flatten(&format!("{path}.{index}"), value, found));
        }
        value => {
            let key = path.rsplit('.').next().unwrap_or_default();
            if !NOT_ASKED.contains(&key) {
                found.insert(path.to_owned(), value.to_string());
            }
        }
    }
}

/// What an asked-for load does not depend on.
const NOT_LOAD: [&str; 3] = ["target", "slo", "observe"];
