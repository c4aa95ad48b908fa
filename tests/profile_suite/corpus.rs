//! Bad profiles and exactly what is said of them.
//!
//! Each `tests/bad-profiles/NAME.toml` has its message in `NAME.txt` beside it. Lines `#:set KEY=VALUE` at a profile's
//! head are its overrides. After a change of wording: `UPDATE_MESSAGES=1 cargo test --test profile_suite`, and read
//! what became of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::registry;

#[test]
fn every_bad_profile_gets_exactly_the_message_beside_it() {
    let update = std::env::var_os("UPDATE_MESSAGES").is_some();
    let profiles = bad_profiles();
    assert!(profiles.len() >= 35, "the corpus has shrunk to {}", profiles.len());
    let mut wrong = Vec::new();
    for path in profiles {
        let message = message(&path);
        let beside = path.with_extension("txt");
        if update {
            fs::write(&beside, &message).unwrap();
        } else if fs::read_to_string(&beside).unwrap_or_default() != message {
            wrong.push(format!("{}: now says\n{message}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_message_is_without_its_profile() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.with_extension("toml").exists(), "{} explains nothing", path.display());
    }
}

#[test]
fn no_message_shows_a_password() {
    for path in bad_profiles() {
        let message = message(&path);
        assert!(!message.contains("secret"), "{} gives a password away:\n{message}", path.display());
    }
}

fn message(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let overrides: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#:set ")).collect();
    let name = path.file_name().unwrap().to_string_lossy();
    match registry::read(&name, &text, &overrides) {
        Ok(_) => panic!("{name} is not bad"),
        Err(problems) => format!("{problems}\n"),
    }
}

fn bad_profiles() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    paths.sort();
    paths
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-profiles")
}
