//! `report` at the keyboard and in a script: where it writes, what it refuses, what it reads.

use std::fs;
use std::path::Path;

use crate::shell::Shell;

fn kept(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(name).to_string_lossy().into_owned()
}

#[test]
fn a_pipe_gets_the_report_and_nothing_else() {
    let shell = Shell::new();
    let result = kept("quickstart-prosody.json");
    for (format, begins) in [
        ("html", "<!DOCTYPE html>\n"),
        ("markdown", "## `quickstart-prosody.json` – valid\n"),
        ("csv", "run,second_s,phase,measured,users_online_count,"),
        ("hlog", "#[Histogram log format version 1.3]\n"),
    ] {
        let piped = shell.run(&["report", &result, "--format", format]);
        assert_eq!((piped.code, piped.err.as_str()), (0, ""), "{format}");
        assert!(piped.out.starts_with(begins), "{format}: {:.80}", piped.out);
        let asked = shell.run(&["report", &result, "--format", format, "--out", "-"]);
        assert_eq!(asked.out, piped.out, "{format}");
    }
    let rows = shell.run(&["report", &result, "--format", "csv", "--csv", "operations"]);
    assert!(rows.out.starts_with("run,phase,measured,operation,group,attempts_count,"), "{:.80}", rows.out);
    let implied = shell.run(&["report", &result, "--csv", "operations"]);
    assert_eq!((implied.code, &implied.out), (0, &rows.out), "who names its rows wants a csv");
    let both = shell.run(&["report", &result, &kept("quickstart-ejabberd.json")]);
    assert!(both.out.contains("<h1>2 results</h1>"));
}

#[test]
fn a_file_is_not_overwritten_unless_told_to() {
    let shell = Shell::new();
    let result = kept("quickstart-prosody.json");
    let first = shell.run(&["report", &result, "--out", "a.html"]);
    assert_eq!((first.code, first.out.as_str(), first.err.as_str()), (0, "", "report: a.html\n"));
    shell.write("a.html", "mine");
    let again = shell.run(&["report", &result, "--out", "a.html"]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("overwrite it with --force"), "{}", again.err);
    assert_eq!(fs::read_to_string(shell.path("a.html")).unwrap(), "mine");
    assert_eq!(shell.run(&["report", &result, "--out", "a.html", "--force"]).code, 0);
    assert!(fs::read_to_string(shell.path("a.html")).unwrap().starts_with("<!DOCTYPE html>"));
    let nowhere = shell.run(&["report", &result, "--out", "no/such/a.html"]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.err.contains("choose another place with --out"), "{}", nowhere.err);
}

/// A report that took the place of the result it was made of would have destroyed an evening's measurement.
#[test]
fn a_result_is_never_overwritten_by_its_report() {
    let shell = Shell::new();
    let whole = fs::read(kept("quickstart-prosody.json")).unwrap();
    fs::write(shell.path("r.json"), &whole).unwrap();
    std::os::unix::fs::symlink(shell.path("r.json"), shell.path("link.json")).unwrap();
    for out in ["r.json", "./r.json", "link.json"] {
        let said = shell.run(&["report", "r.json", "--out", out, "--force"]);
        assert_eq!(said.code, 2, "{out}");
        assert!(said.err.contains("is a result the report is made of"), "{}", said.err);
        assert_eq!(fs::read(shell.path("r.json")).unwrap(), whole);
    }
    fs::write(shell.path("killed.json.journal"), "a journal").unwrap();
    let said = shell.run(&["report", "killed.json", "--out", "killed.json.journal", "--force"]);
    assert!(said.err.contains("is a result the report is made of"), "{}", said.err);
}

#[test]
fn a_forced_report_replaces_a_file_whole_and_leaves_nothing_beside_it() {
    let shell = Shell::new();
    fs::create_dir(shell.path("out")).unwrap();
    shell.write("out/a.html", "mine");
    std::os::unix::fs::symlink("a.html", shell.path("out/link.html")).unwrap();
    let result = kept("quickstart-prosody.json");
    assert_eq!(shell.run(&["report", &result, "--out", "out/link.html", "--force"]).code, 0);
    assert!(fs::read_to_string(shell.path("out/a.html")).unwrap().ends_with("</html>\n"));
    assert!(fs::symlink_metadata(shell.path("out/link.html")).unwrap().is_symlink(), "the link is still one");
    assert_eq!(fs::read_dir(shell.path("out")).unwrap().count(), 2);
}

#[test]
fn what_is_no_whole_result_is_refused_in_words() {
    let shell = Shell::new();
    let whole = fs::read_to_string(kept("quickstart-prosody.json")).unwrap();
    let later = whole.replacen("xmpp-bench/result/1.", "xmpp-bench/result/9.", 1);
    let half: String = whole.chars().take(whole.len() / 2).collect();
    for (text, says) in
        [(half.as_str(), "is cut short"), (&later, "use a newer xmpp-bench"), ("", "it is empty")]
    {
        shell.write("r.json", text);
        let said = shell.run(&["report", "r.json"]);
        assert_eq!((said.code, said.out.as_str()), (2, ""));
        assert!(said.err.contains(says), "{}", said.err);
    }
}

#[test]
fn a_journal_left_by_a_kill_has_a_report_too() {
    let shell = Shell::new();
    let run = shell.run(&["run", "small.toml", "--out", "r.json", "--quiet"]);
    assert!(shell.path("r.json").exists(), "{run:?}");
    // Of a run that is over only the result stays; its journal is what a run of the same words writes meanwhile.
    let mut child = shell.command(&["run", "small.toml", "--out", "killed.json", "--quiet"]).spawn().unwrap();
    let journal = shell.path("killed.json.journal");
    let has_intervals = || fs::read_to_string(&journal).is_ok_and(|text| text.lines().count() >= 3);
    let mut tries = 0;
    while !has_intervals() && tries < 600 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(20));
        tries += 1;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said = shell.run(&["report", "killed.json"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(
        said.out.contains("<p class=\"state\">interrupted</p>") && said.out.contains("the run was killed")
    );
}
