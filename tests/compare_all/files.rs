//! Files as they come: cut short, of other versions, of other runs, counted twice; and the command's exit codes.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use xmpp_bench::compare::{CompareError, Options, Run, Topic, compare};
use xmpp_bench::results::{
    AccountsFile, EndedEarly, ExitReason, IntervalHistogram, OperationSeries, RunResult, VerdictState, file,
};

use crate::runs::{OPERATION, Values, recorded, result, template};

const VALUES: Values = Values { p50: 457.0, p99: 1_633.0, loss: 0.0 };

fn runs(side: &str, seeds: std::ops::RangeInclusive<u64>, change: impl Fn(&mut RunResult)) -> Vec<Run> {
    let one = |seed| {
        let mut made = result(&template(), seed, side, VALUES);
        change(&mut made);
        Run::of(&format!("{side}{seed}.json"), &made)
    };
    seeds.map(one).collect()
}

fn refusal(base: &[Run], new: &[Run], allow: &[Topic]) -> String {
    let options = Options { allow: allow.to_vec(), ..Options::default() };
    match compare(base, new, &options) {
        Err(CompareError::Refused(refusal)) => refusal.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn runs_that_were_asked_something_else_are_refused_and_every_difference_is_named() {
    let base = runs("base", 1..=5, |_| ());
    let profile = |text: &'static str| runs("new", 1..=5, move |run| run.profile.text = text.into());
    let said = refusal(&base, &profile("deadline = \"10s\"\n[slo]\n\"ping.p99\" = \"<= 1s\"\n"), &[]);
    assert!(
        said.contains("profile deadline: \"10s\" here, \"30s\" in the base (new1.json … new5.json, 5 files)"),
        "{said}"
    );
    assert!(said.contains("--allow profile") && !said.contains("slo"), "{said}");
    let other = runs("new", 1..=5, |run| {
        run.profile.overrides = vec!["users.0.count=9".into(), "target.url=xmpp://b".into()];
    });
    let said = refusal(&base, &other, &[]);
    assert!(said.contains("--set users.0.count=9") && !said.contains("target.url"), "{said}");
    let other = runs("new", 1..=5, |run| {
        run.host.cpus = 8;
        run.verdict.state = VerdictState::GeneratorLimited;
    });
    let said = refusal(&base, &other, &[]);
    assert!(
        said.contains("host: linux x86_64, 8 ×") && said.contains("verdict: generator-limited"),
        "{said}"
    );
    assert!(!refusal(&base, &other, &[Topic::Host]).contains("8 ×"));
    let names = |side: &str, digest: &'static str| {
        runs(side, 1..=5, move |run| {
            run.profile.accounts_files = vec![AccountsFile {
                group: "staff".into(),
                names_sha256: digest.into(),
                ..Default::default()
            }];
        })
    };
    let said = refusal(&names("base", "1f"), &names("new", "2f"), &[]);
    assert!(
        said.contains("accounts_file of staff had other names (new1.json … new5.json, 5 files)"),
        "{said}"
    );
    let older = compare(&base, &names("new", "2f"), &Options::default());
    assert!(older.is_ok(), "what nobody wrote down does not differ: {older:?}");
    let options = Options { allow: vec![Topic::Host, Topic::Verdict], ..Options::default() };
    let differences = compare(&base, &other, &options).unwrap().differences;
    assert_eq!(differences.iter().filter(|one| one.allowed.is_some()).count(), 2, "{differences:?}");
}

#[test]
fn a_profile_written_otherwise_is_the_same_profile() {
    let base = runs("base", 1..=5, |_| ());
    let other =
        "# The same, with a comment.\n\n\ndeadline   = '30s'\n[target]\nurl = \"xmpp://elsewhere\"\n[slo]\n";
    assert!(
        compare(&base, &runs("new", 1..=5, |run| run.profile.text = other.into()), &Options::default())
            .is_ok()
    );
}

#[test]
fn a_value_is_compared_whole_and_shown_in_part_and_passwords_are_no_load() {
    let long = "x".repeat(80);
    let text = |end: &str, password: &str| {
        format!("accounts_file = \"{long}{end}\"\npassword = \"{password}\"\nseed = 7\n")
    };
    let side = |side: &str, end: &str, password: &str| {
        runs(side, 1..=5, |run| run.profile.text = text(end, password))
    };
    let said = refusal(&side("base", "a", "**"), &side("new", "b", "**"), &[]);
    assert!(said.contains("profile accounts_file: \"xxx") && said.contains("xxx… here"), "{said}");
    assert!(compare(&side("base", "a", "**"), &side("new", "a", "****"), &Options::default()).is_ok());
}

#[test]
fn half_a_run_is_no_run() {
    let base = runs("base", 1..=5, |_| ());
    let aborted = runs("new", 1..=5, |run| {
        let reason = "offline > 20% for 3s: 34 %".to_owned();
        run.ended_early = Some(EndedEarly { reason, at_s: 63.0 });
    });
    let Err(CompareError::Refused(refused)) = compare(&base, &aborted, &Options::default()) else {
        panic!("compared");
    };
    let said = refused.to_string();
    assert!(said.contains("ending: it ended early, 63 s in: offline > 20% for 3s: 34 %"), "{said}");
    assert!(refused.untrustworthy && said.contains("--allow ending"), "{said}");
    let options = Options { allow: vec![Topic::Ending], ..Options::default() };
    assert_eq!(compare(&base, &aborted, &options).unwrap().differences[0].allowed.as_deref(), Some("ending"));
    for (code, is_refused) in [(1, true), (3, true), (7, true), (4, false)] {
        let ended = runs("new", 1..=5, |run| {
            run.exit.reasons = vec![ExitReason { code, reason: "nothing was measured".into() }];
        });
        assert_eq!(compare(&base, &ended, &Options::default()).is_err(), is_refused, "exit code {code}");
    }
}

#[test]
fn what_was_started_in_turns_is_told_from_blocks() {
    let orders = |minutes: &dyn Fn(u64) -> u64, side: &str| runs_started(side, 1..=8, minutes);
    // A B B A …, and four of one side at a time.
    let turns = |at: u64| 2 * at;
    let blocks = |at: u64| at + 4 * ((at - 1) / 4);
    let in_turns = compare(&orders(&turns, "base"), &orders(&|at| 2 * at + 1, "new"), &Options::default());
    let in_blocks =
        compare(&orders(&blocks, "base"), &orders(&|at| blocks(at) + 4, "new"), &Options::default());
    let order = |comparison: &xmpp_bench::compare::Comparison| {
        comparison.differences.iter().find(|one| one.what.starts_with("order")).map(|one| one.what.clone())
    };
    assert_eq!(order(&in_turns.unwrap()), None);
    let said = order(&in_blocks.unwrap()).expect("marked");
    assert!(said.starts_with("order: 4 runs of one side in a row"), "{said}");
}

fn runs_started(side: &str, seeds: std::ops::RangeInclusive<u64>, minute: &dyn Fn(u64) -> u64) -> Vec<Run> {
    let one = |seed| {
        let mut made = result(&template(), seed, side, VALUES);
        made.started = format!("2026-11-24T10:{:02}:00Z", minute(seed));
        Run::of(&format!("{side}{seed}.json"), &made)
    };
    seeds.map(one).collect()
}

#[test]
fn one_run_is_counted_once() {
    let base = runs("base", 1..=5, |_| ());
    let said = refusal(&base, &base, &Topic::ALL);
    assert!(said.contains("base1.json and base1.json are one run; count it once"), "{said}");
}

#[test]
fn what_only_belongs_beside_the_numbers_is_marked() {
    let late = |run: &mut RunResult| {
        run.started = run.started.replace("T10", "T12");
        run.tool.version = "9.9.9".into();
    };
    let comparison =
        compare(&runs("base", 1..=5, |_| ()), &runs("new", 2..=6, late), &Options::default()).unwrap();
    let said: Vec<&str> = comparison.differences.iter().map(|one| one.what.as_str()).collect();
    for what in [
        "tool: xmpp-bench 9.9.9, not xmpp-bench 0.1.0",
        "seeds: 2 of the runs have no run of their seed on the other side",
        "order: 5 runs of one side in a row",
    ] {
        assert!(said.iter().any(|one| one.starts_with(what)), "{what}: {said:?}");
    }
    assert!(comparison.method.pairs.is_empty(), "other seeds are no pairs");
    for (new, seed, what) in
        [(6..=9, None, "the sides ran other plans"), (1..=5, Some(7), "one seed has several runs on a side")]
    {
        let again = |run: &mut RunResult| {
            run.started = run.started.replace("T10", "T12");
            run.seed = seed.unwrap_or(run.seed);
        };
        let comparison =
            compare(&runs("base", 1..=5, |_| ()), &runs("new", new, again), &Options::default()).unwrap();
        let said: Vec<&str> = comparison.differences.iter().map(|one| one.what.as_str()).collect();
        assert!(said.iter().any(|one| one.starts_with("seeds: ") && one.contains(what)), "{what}: {said:?}");
    }
    let on = |side: &str, machine: &'static str| {
        runs(side, 1..=5, move |run| {
            run.host.machine = Some(machine.into());
            run.host.limits.cpu_quota = (machine == "b").then(|| "1.5".into());
        })
    };
    let marked = |comparison: xmpp_bench::compare::Comparison| {
        comparison.differences.into_iter().map(|one| one.what).collect::<Vec<_>>().join("\n")
    };
    let other = marked(compare(&on("base", "a"), &on("new", "b"), &Options::default()).unwrap());
    for what in [
        "machine: another one than that of base1.json (new1.json … new5.json, 5 files)",
        "limits: 1.5 processors, not none",
    ] {
        assert!(other.contains(what), "{what}: {other}");
    }
    let same = marked(compare(&on("base", "a"), &on("new", "a"), &Options::default()).unwrap());
    assert!(!same.contains("machine") && !same.contains("limits"), "{same}");
    let paired =
        compare(&runs("base", 1..=7, |_| ()), &runs("new", 1..=7, |_| ()), &Options::default()).unwrap();
    assert_eq!(paired.method.pairs, [0, 1, 2, 3, 4, 5, 6]);
}

/// Results of before it was written down say nothing of it, whichever side they are.
#[test]
fn another_mechanism_is_marked_where_both_were_written_down() {
    let by = |mechanism: &'static str| {
        move |run: &mut RunResult| {
            let used = Some(mechanism).filter(|name| !name.is_empty());
            run.target.mechanisms_used = used.map(|name| (name.to_owned(), 40)).into_iter().collect();
        }
    };
    let marked = |base, new| {
        let (base, new) = (runs("base", 1..=5, by(base)), runs("new", 1..=5, by(new)));
        let differences = compare(&base, &new, &Options::default()).unwrap().differences;
        differences.into_iter().map(|one| one.what).find(|what| what.starts_with("mechanism"))
    };
    let said = "mechanism: PLAIN, not SCRAM-SHA-1 (new1.json … new5.json, 5 files)";
    assert_eq!(marked("SCRAM-SHA-1", "PLAIN").as_deref(), Some(said));
    for (base, new) in [("PLAIN", "PLAIN"), ("", "PLAIN"), ("PLAIN", ""), ("", "")] {
        assert_eq!(marked(base, new), None, "`{base}` and `{new}`");
    }
}

#[test]
fn a_forged_file_is_no_reason_to_fall_over() {
    let forged = |run: &mut RunResult| {
        run.phases[0].start_s = -1e300;
        run.phases[0].end_s = 1e300;
        run.series.seconds = u32::MAX;
        let wild = IntervalHistogram { start_s: 3, length_s: 0, ..IntervalHistogram::default() };
        let mut huge = IntervalHistogram { start_s: 5, length_s: u32::MAX, ..IntervalHistogram::default() };
        huge.buckets.0 = vec![(u16::MAX, u64::MAX), (0, u64::MAX), (7, 1)];
        let columns = OperationSeries {
            asked: vec![u64::MAX; 40],
            errors: vec![u64::MAX; 3],
            unsent: vec![u64::MAX; 90],
            response: vec![wild, huge],
            ..OperationSeries::default()
        };
        run.series.operations.insert(OPERATION.to_owned(), columns);
        let operation = run.operations.get_mut(OPERATION).unwrap();
        operation.figures.outcomes =
            [("ok", u64::MAX), ("lost", u64::MAX)].map(|(name, count)| (name.to_owned(), count)).into();
        run.phases[0].ledger.message.expected = u64::MAX;
        run.generator.threads =
            vec![xmpp_bench::results::ThreadUse { user_s: -5.0, system_s: 1e308, ..Default::default() }];
    };
    for seeds in [1..=1, 1..=8] {
        let comparison =
            compare(&runs("base", seeds.clone(), forged), &runs("new", seeds, forged), &Options::default())
                .unwrap();
        assert!(!comparison.text(80, false).is_empty() && !comparison.markdown().is_empty());
    }
}

/// A folder with five runs a side, the new one slower by half.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        for seed in 1..=5 {
            let off = 1.0 + seed as f64 / 500.0;
            let values =
                |slower: f64| Values { p50: 457.0 * off * slower, p99: 1_633.0 * off * slower, loss: 0.0 };
            file::write_whole(
                &folder.path(&format!("base{seed}.json")),
                &recorded(seed, "base", values(1.0)),
            )
            .unwrap();
            file::write_whole(&folder.path(&format!("new{seed}.json")), &recorded(seed, "new", values(1.5)))
                .unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn compare(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmpp-bench"));
        let said = command
            .arg("compare")
            .args(words)
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(said.stdout), text(said.stderr));
        assert!(!err.contains("panicked"), "{err}");
        (said.status.code().unwrap(), out, err)
    }

    /// Five against five, and more words.
    fn five(&self, more: &[&str]) -> (i32, String, String) {
        let names = |side: &str| (1..=5).map(|seed| format!("{side}{seed}.json")).collect::<Vec<_>>();
        let (base, new) = (names("base"), names("new"));
        let words = base.iter().map(String::as_str).chain(["--with"]).chain(new.iter().map(String::as_str));
        self.compare(&words.chain(more.iter().copied()).collect::<Vec<_>>())
    }
}

#[test]
fn the_command_ends_as_its_gates_say() {
    let folder = Folder::new();
    let (code, out, err) = folder.five(&[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("WORSE: message.delivery.p99"), "{out}");
    std::fs::write(
        folder.path("release.gates"),
        "# What a release must hold.\nmessage.delivery.p99 <= +10%   # p99\n\nmessage.loss == 0\n",
    )
    .unwrap();
    // As an editor on another system leaves it.
    std::fs::write(folder.path("marked.gates"), "\u{feff}message.loss == 0\r\n").unwrap();
    assert_eq!(folder.five(&["--gates", "marked.gates"]).0, 0);
    std::fs::write(folder.path("wrong.gates"), "message.loss == 0\nmessage.loss ==\n").unwrap();
    assert_eq!(folder.five(&["--gate", "message.delivery.p99 <= +80%"]).0, 0);
    assert_eq!(folder.five(&["--gates", "release.gates"]).0, 5);
    assert_eq!(folder.five(&["--gate", "message.delivery.p99 <= +50%"]).0, 6);
    let (code, out, err) = folder.five(&["--gates", "wrong.gates"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("wrong.gates:2: `message.loss ==` is no gate"), "{err}");
    let (code, out, err) = folder.five(&["--gates", "release.gates", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, value["exit"]["code"].as_u64()), (5, Some(5)));
    assert!(err.contains("gate message.delivery.p99 <= +10%: changed by +50 %"), "{err}");
    for (format, begins) in
        [("markdown", "### xmpp-bench"), ("junit", "<?xml"), ("table", "Compared: 5 runs")]
    {
        let (code, out, _) = folder.five(&["--gates", "release.gates", "--format", format]);
        assert!(code == 5 && out.starts_with(begins), "{format}: {out}");
    }
    // Median, p90, p99 and the longest: all take half as long again.
    assert_eq!(folder.five(&["--min-effect", "60%"]).1.matches("trifle").count(), 4);
}

#[test]
fn files_that_cannot_be_compared_are_named_with_what_is_wrong() {
    let folder = Folder::new();
    let whole = std::fs::read(folder.path("base1.json")).unwrap();
    std::fs::write(folder.path("cut.json"), &whole[..whole.len() / 2]).unwrap();
    let text = String::from_utf8(whole).unwrap();
    std::fs::write(folder.path("later.json"), text.replace("xmpp-bench/result/1.", "xmpp-bench/result/2."))
        .unwrap();
    std::fs::write(
        folder.path("limited.json"),
        text.replace("\"state\":\"valid\",\"evidence\"", "\"state\":\"generator-limited\",\"evidence\""),
    )
    .unwrap();
    std::fs::write(folder.path("empty.json"), "").unwrap();
    std::fs::write(folder.path("edited.json"), text.replace("\"delivered\":2000", "\"delivered\":1999"))
        .unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["base1.json", "--with", "cut.json"], 2, "`cut.json` is cut short"),
        (&["base1.json", "--with", "later.json"], 2, "use a newer xmpp-bench"),
        (&["base1.json", "--with", "empty.json"], 2, "it is empty"),
        (&["new1.json", "--with", "edited.json"], 2, "`edited.json` contradicts itself"),
        (&["base1.json", "--with", "none.json"], 2, "cannot read `none.json`"),
        (&["base1.json", "--with", "limited.json"], 2, "are one run"),
        (&["new1.json", "--with", "limited.json"], 7, "verdict: generator-limited"),
        (&["base1.json"], 2, "--with"),
        (&["base1.json", "--with", "new1.json", "--alpha", "0%"], 2, "--alpha must be"),
        (&["base1.json", "--with", "new1.json", "--min-effect", "5"], 2, "--min-effect must be like"),
        (
            &["base1.json", "--with", "new1.json", "--allow", "luck"],
            2,
            "none of profile, host, verdict, ending",
        ),
        (&["base1.json", "--with", "new1.json", "--gates", "none"], 2, "cannot read the gates in `none`"),
        (&["base1.json", "--with", "new1.json", "--gate", "message.delivery.p99 <= +1%"], 6, ""),
    ];
    for (words, code, says) in cases {
        let (ended, out, err) = folder.compare(words);
        assert_eq!(ended, *code, "{words:?}: {err}");
        assert!(err.contains(says), "{words:?} should say `{says}`: {err}");
        assert!(*code == 6 || out.is_empty(), "stdout is data: {words:?}");
    }
}

#[test]
fn a_journal_is_read_and_what_a_killed_run_left_is_not_trusted() {
    let folder = Folder::new();
    std::fs::write(folder.path("gone.json.journal"), journal()).unwrap();
    let (code, _, err) = folder.compare(&["base1.json", "--with", "gone.json", "--allow", "profile"]);
    assert_eq!(code, 7, "{err}");
    assert!(err.contains("verdict: interrupted"), "{err}");
    let (code, out, _) = folder.compare(&["base1.json", "--with", "gone.json", "--allow", "verdict,profile"]);
    assert_eq!(code, 0);
    assert!(out.contains("! verdict: interrupted"), "{out}");
}

fn journal() -> Vec<u8> {
    use xmpp_bench::results::journal::JournalWriter;
    let preamble = xmpp_bench::results::Preamble { run_id: "gone".into(), ..crate::world::preamble() };
    let mut bytes = Vec::new();
    JournalWriter::begin(&mut bytes, &preamble).unwrap();
    bytes
}
