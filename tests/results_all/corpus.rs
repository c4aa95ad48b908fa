//! Files of every version of the schema stay readable for ever.

use std::fs;
use std::path::{Path, PathBuf};

use xmpp_bench::report::summary::{self, Style};
use xmpp_bench::results::{check, file};

/// What has to be there: a file that is gone is a promise that was broken.
const KEPT: &[&str] = &[
    "1.0-quickstart.json",
    "1.1-evening.json",
    "1.1-killed.json.journal",
    "1.2-observed.json",
    "1.3-outcomes.json",
    "1.4-accounts.json",
    "1.5-unsent.json",
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/results_all/corpus")
}

#[test]
fn every_file_ever_kept_is_there_and_every_file_there_is_kept() {
    let mut found: Vec<String> = fs::read_dir(corpus())
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name != "README.md")
        .collect();
    found.sort_unstable();
    assert_eq!(found, KEPT);
}

#[test]
fn files_of_every_version_are_read_and_agree_with_themselves() {
    for name in KEPT {
        let result = file::read(&corpus().join(name)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(check::contradictions(&result), Vec::<String>::new(), "{name}");
        assert_eq!(result.complete, !name.ends_with(".journal"), "{name}");
        assert!(result.ledger.message.expected > 100, "{name}: {:?}", result.ledger.message);
        assert!(result.operations.contains_key("login"), "{name}");
    }
}

#[test]
fn files_of_every_version_have_a_summary() {
    for name in KEPT {
        let result = file::read(&corpus().join(name)).unwrap_or_else(|error| panic!("{error}"));
        let text = summary::render(&result, None, Style { width: 80, colour: false });
        assert!(text.contains("message"), "{name}: {text}");
    }
}

/// Cut anywhere, a file is an error that says so, or, if only space is missing, itself: never a panic, never half a result.
#[test]
fn a_result_cut_at_any_byte_is_an_error_that_names_it() {
    let whole = fs::read(corpus().join("1.1-evening.json")).expect("kept");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cut.json");
    let ends = (0..400).chain((400..whole.len()).step_by(397)).chain(whole.len() - 40..whole.len());
    for end in ends {
        fs::write(&path, &whole[..end]).expect("written");
        match file::read(&path) {
            Ok(_) => assert!(whole[end..].iter().all(u8::is_ascii_whitespace), "cut at {end} and read"),
            Err(error) => assert!(error.to_string().contains("cut.json"), "cut at {end}: {error}"),
        }
    }
}

/// A journal cut anywhere is read up to its last whole record; before the first it is an error.
#[test]
fn a_journal_cut_at_any_byte_is_read_as_far_as_it_is_whole() {
    let whole = fs::read(corpus().join("1.1-killed.json.journal")).expect("kept");
    let first = whole.iter().position(|&byte| byte == b'\n').expect("a record");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cut.json.journal");
    for end in (0..whole.len()).step_by(1_301).chain(first.saturating_sub(20)..first + 20) {
        fs::write(&path, &whole[..end]).expect("written");
        match file::read(&path) {
            Ok(result) => {
                assert!(end > first && !result.complete, "cut at {end}");
                assert_eq!(check::contradictions(&result), Vec::<String>::new(), "cut at {end}");
            }
            Err(error) => {
                assert!(end <= first, "cut at {end}, behind the first record: {error}");
                assert!(error.to_string().contains("cut.json.journal"), "cut at {end}: {error}");
            }
        }
    }
}
