use std::fs;
use std::path::Path;

use xmpp_bench::results::file::WriteStep::{self, Begun, JournalRemoved, Renamed, Written};
use xmpp_bench::results::file::{self, ReadError, ResultFile, WriteError, journal_path};
use xmpp_bench::results::journal::Interval;
use xmpp_bench::results::{self, LedgerCounts, RunResult};

use crate::{journal, world};

#[test]
fn a_result_is_written_whole_read_back_and_its_journal_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    let place = ResultFile::create(&path).expect("a writable place");
    let mut journal = place.begin_journal(&world::preamble()).expect("a journal");
    journal
        .interval(&Interval { ledgers: world::ledgers(LedgerCounts::default()), ..Interval::default() })
        .expect("room");
    assert!(!path.exists(), "nothing stands under the result's name before it is whole");
    place.finish(&world::valid()).expect("written");
    assert_eq!(file::read(&path).expect("a result"), world::valid());
    let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_killed_run_is_read_by_the_name_its_result_would_have_had() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    let place = ResultFile::create(&path).expect("a writable place");
    drop(place.begin_journal(&world::preamble()).expect("a journal"));
    drop(place);
    for name in [&path, &journal_path(&path)] {
        assert!(!file::read(name).expect("a journal").complete);
    }
}

#[test]
fn killed_at_any_point_of_writing_a_run_leaves_something_whole() {
    let (journal, _) = journal::journal(true);
    let concluded = results::journal::read(journal.as_slice()).expect("a journal").into_result();
    assert!(concluded.complete);
    for earlier in [None, Some(RunResult { seed: 77, ..world::valid() })] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.json");
        if let Some(earlier) = &earlier {
            file::write_whole(&path, earlier).expect("written");
        }
        let place = ResultFile::replace(&path).expect("a place");
        fs::write(journal_path(&path), &journal).expect("a journal that has ended");
        let mut points = Vec::new();
        let path_in = &path;
        let mut watch = |step: WriteStep| {
            points.push(step);
            let read = file::read(path_in).unwrap_or_else(|error| panic!("{step:?}: {error}"));
            let is_new = matches!(step, Renamed | JournalRemoved);
            let expected = match &earlier {
                _ if is_new => world::valid(),
                Some(earlier) => earlier.clone(),
                None => concluded.clone(),
            };
            assert_eq!(read, expected, "{step:?}");
            let journal = file::read(&journal_path(path_in));
            match step {
                JournalRemoved => assert!(journal.is_err()),
                _ => assert_eq!(journal.expect("still there"), concluded, "{step:?}"),
            }
        };
        place.finish_watched(&world::valid(), &mut watch).expect("written");
        assert_eq!(points, [Begun, Written, Renamed, JournalRemoved]);
    }
}

#[test]
fn what_cannot_be_written_is_said_before_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = ResultFile::create(&folder.path().join("no/such/folder/run.json")).expect_err("no folder");
    assert!(missing.to_string().contains("choose another place with --out"), "{missing}");
    let is_folder = ResultFile::create(folder.path()).expect_err("a folder");
    assert!(matches!(is_folder, WriteError::IsFolder(_)), "{is_folder}");
    let path = folder.path().join("run.json");
    let held = ResultFile::create(&path).expect("a writable place");
    let second = ResultFile::create(&path).expect_err("held");
    assert!(second.to_string().contains("another run is writing"), "{second}");
    // Its journal is not one that a killed run has left, however much is in it.
    journal_of_a_run(&held);
    for second in [ResultFile::create(&path), ResultFile::replace(&path)] {
        let second = second.expect_err("held").to_string();
        assert!(second.contains("another run is writing"), "{second}");
    }
}

#[test]
fn what_was_measured_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    ResultFile::create(&path).expect("a place").finish(&world::valid()).expect("written");
    let taken = ResultFile::create(&path).expect_err("there is a result").to_string();
    assert!(taken.contains("is there already") && taken.contains("--force"), "{taken}");
    let killed = folder.path().join("killed.json");
    journal_of_a_run(&ResultFile::create(&killed).expect("a place"));
    let left = ResultFile::create(&killed).expect_err("there is a journal").to_string();
    assert!(left.contains("killed.json.journal` holds what a run measured that was killed"), "{left}");
    assert!(file::read(&journal_path(&killed)).is_ok(), "it is still there");
    ResultFile::replace(&killed).expect("told to").finish(&world::valid()).expect("written");
    // What was begun and came to nothing holds nothing; nor does a file that was only made.
    let begun = folder.path().join("begun.json");
    fs::write(journal_path(&begun), "").expect("written");
    drop(ResultFile::create(&begun).expect("a place").begin_journal(&world::preamble()).expect("a journal"));
    fs::write(&begun, "").expect("made");
    ResultFile::create(&begun).expect("a place").finish(&world::valid()).expect("written");
    // What is no journal is somebody's all the same.
    let strange = folder.path().join("strange.json");
    fs::write(journal_path(&strange), "a diary").expect("written");
    assert!(matches!(ResultFile::create(&strange), Err(WriteError::JournalLeft(_))));
    assert_eq!(fs::read_to_string(journal_path(&strange)).expect("still there"), "a diary");
}

#[test]
fn a_result_takes_no_place_but_a_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, link) = (folder.path().join("run.json"), folder.path().join("latest.json"));
    fs::write(&path, "an earlier one").expect("written");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    ResultFile::replace(&link).expect("a place").finish(&world::valid()).expect("written");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(file::read(&path).expect("where the link leads"), world::valid());
    let (early, later) = (folder.path().join("early.json"), folder.path().join("later.json"));
    std::os::unix::fs::symlink("later.json", &early).expect("a link to what is not there yet");
    ResultFile::create(&early).expect("a place").finish(&world::valid()).expect("written");
    assert!(fs::symlink_metadata(&early).expect("there").is_symlink());
    assert_eq!(file::read(&later).expect("where it leads"), world::valid());
    let circle = folder.path().join("circle");
    std::os::unix::fs::symlink("circle", &circle).expect("a link");
    assert!(ResultFile::replace(&circle).is_err());
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    for place in [pipe.as_path(), Path::new("/dev/null")] {
        for made in [ResultFile::create(place), ResultFile::replace(place)] {
            let error = made.expect_err("no file").to_string();
            assert!(error.contains("is no file"), "{error}");
        }
    }
    assert!(!journal_path(Path::new("/dev/null")).exists());
}

#[test]
fn an_earlier_result_stands_until_the_new_one_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    ResultFile::create(&path).expect("a place").finish(&world::valid()).expect("written");
    let place = ResultFile::replace(&path).expect("a place");
    assert_eq!(file::read(&path).expect("the earlier one"), world::valid());
    place.abandon();
    assert_eq!(file::read(&path).expect("the earlier one"), world::valid());
    assert!(!journal_path(&path).exists());
}

#[test]
fn a_result_that_cannot_be_written_at_the_end_leaves_its_journal_and_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    let place = ResultFile::create(&path).expect("a place");
    drop(place.begin_journal(&world::preamble()).expect("a journal"));
    // A folder in the way of the rename: as root, permissions would stop nobody.
    fs::create_dir_all(path.join("in the way")).expect("a folder");
    let error = place.finish(&world::valid()).expect_err("cannot rename over a folder");
    assert!(error.to_string().contains("run.json.journal` stays"), "{error}");
    assert!(file::read(&journal_path(&path)).is_ok());
}

#[test]
fn every_wrong_file_gets_an_error_that_says_what_it_is() {
    let whole = serde_json::to_string(&world::valid()).expect("JSON");
    let in_a_number = format!("{}\"seed\": -", &whole[..1]);
    let written = results::SCHEMA.to_string().replacen("xmpp-bench/", "", 1);
    let version = |version: &str| whole.replacen(&written, version, 1);
    let cases = [
        ("", "it is empty"),
        ("<html>", "neither a result nor a journal"),
        ("{}", "missing field `schema`"),
        ("deadline = \"5s\"\n", "neither a result nor a journal"),
        ("{\"schema\": nonsense, \"more\": 1}\n", "neither a result nor a journal"),
        (&whole[..whole.len() / 2], "is cut short"),
        (&in_a_number, "is cut short"),
        (&version("result/2.1"), "use a newer xmpp-bench"),
        (&version("result/0.1"), "the xmpp-bench that wrote it"),
        (r#"{"schema":"xmpp-bench/result/1.0"}"#, "missing field"),
        (r#"{"schema":"something else"}"#, "is this a file that xmpp-bench wrote?"),
        ("deadbeef {}\n", "holds no complete first record"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    for (number, (text, expected)) in cases.into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.json"));
        fs::write(&path, text).expect("a file");
        let error = file::read(&path).expect_err(expected);
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    let missing = file::read(&folder.path().join("none.json")).expect_err("no file");
    assert!(matches!(missing, ReadError::Io { .. }), "{missing}");
}

#[test]
fn a_later_minor_version_with_more_fields_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    let mut json = serde_json::to_value(world::valid()).expect("JSON");
    json["schema"] = "xmpp-bench/result/1.7".into();
    json["invented_later"] = serde_json::json!({ "more": true });
    fs::write(&path, json.to_string()).expect("a file");
    assert_eq!(file::read(&path).expect("readable").operations, world::valid().operations);
}

/// Fills a place's journal as far as a run of some seconds does.
fn journal_of_a_run(place: &ResultFile) {
    fs::write(place.journal_path(), journal::journal(false).0).expect("written");
}
