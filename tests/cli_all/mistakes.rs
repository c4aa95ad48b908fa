//! Mistakes at the keyboard: each is refused before anything is sent, with the exit code of its kind and the way out.

use crate::shell::Shell;

#[test]
fn a_mistake_is_named_and_ends_with_two() {
    let shell = Shell::new();
    shell.write("broken.toml", "deadline = \n");
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage: xmpp-bench <COMMAND>"),
        (&["bogus"], "unrecognized subcommand 'bogus'"),
        (&["run"], "<PROFILE>"),
        (&["run", "nope.toml"], "profiles that come with the tool can be named instead: quickstart"),
        (&["run", "broken.toml"], "broken.toml:1:"),
        (&["run", "small.toml", "--workers", "0"], "1..=512"),
        (&["run", "small.toml", "--set", "nonsense"], "an override must be key=value"),
        (&["run", "small.toml", "--set", "users.0.cuont=3"], "did you mean `count`?"),
        (&["run", "small.toml", "--set", "users.0.count=many"], "--set:1:15"),
        (&["run", "small.toml", "--target", "http://example.org"], "must begin with xmpp: or xmpps:"),
        (&["run", "small.toml", "--fault", "los=1%"], "did you mean `loss`?"),
        (
            &["run", "small.toml", "--fault", "loss=1%", "--target", "xmpp://127.0.0.1:1"],
            "--target loopback:",
        ),
        (&["run", "small.toml", "--truth", "t", "--target", "xmpp://127.0.0.1:1"], "--target loopback:"),
        (&["run", "small.toml", "--out", "no-such-folder/r.json"], "choose another place with --out"),
        (&["run", "small.toml", "--out", "."], "is a folder"),
        (&["run", "small.toml", "--set", "target.ca_file=none.pem"], "none.pem"),
        (&["profile", "check", "nope.toml"], "nope.toml"),
        (&["profile", "check", "broken.toml"], "broken.toml:1:"),
        (&["profile", "show", "broken.toml"], "broken.toml:1:"),
        (&["serve", "--fault", "freeze=2s"], "write it like `freeze=2s@10s`"),
        (&["serve", "--listen", "0.0.0.0:0"], "--allow-remote"),
        (&["summary", "nope.json"], "cannot read `nope.json`"),
        (&["summary", "small.toml"], "is it a profile?"),
        (&["report"], "<RESULTS>..."),
        (&["report", "nope.json"], "cannot read `nope.json`"),
        (&["report", "small.toml"], "is it a profile?"),
        (&["report", "a", "--format", "pdf"], "[possible values: html, markdown, csv, hlog]"),
        (&["report", "a", "b", "--format", "hlog"], "a histogram log is of one result"),
        (&["report", "a", "--format", "html", "--csv", "operations"], "leave one of them out"),
        (
            &["report", "small.toml", "--out", "./small.toml", "--force"],
            "is a result the report is made of: choose another file",
        ),
        (&["report", "1", "2", "3", "4", "5", "6", "7", "8", "9"], "at most 8"),
        (
            &["report", "small.toml", "--out", "small.toml"],
            "`small.toml` exists: choose another file with --out",
        ),
    ];
    for (words, says) in cases {
        let said = shell.run(words);
        assert_eq!(said.code, 2, "{words:?}: {said:#?}");
        assert_eq!(said.out, "", "stdout is data: {words:?}");
        assert!(said.err.contains(says), "{words:?} should say `{says}`: {}", said.err);
    }
    let left: Vec<_> = std::fs::read_dir(shell.folder()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".json")), "nothing is left: {left:?}");
}

/// Presence has no `to = "online"`, so it is not advised.
#[test]
fn advice_can_be_followed() {
    let shell = Shell::new();
    let lonely = |activity: &str| {
        let said =
            shell.run(&["profile", "check", "small.toml", "--set", "users.0.contacts=0", "--set", activity]);
        assert_eq!(said.code, 2, "{said:#?}");
        said.err
    };
    assert!(lonely("activity.0.kind=message").contains("or write to = \"online\""));
    let presence = lonely("activity.0.kind=presence");
    assert!(presence.contains("set `contacts` in [[users]]"), "{presence}");
    assert!(!presence.contains("online\""), "{presence}");
}

/// A documentation address (RFC 5737): if the question were not asked, nobody would be hit.
#[test]
fn load_on_another_machine_is_not_put_there_unasked() {
    let shell = Shell::new();
    for url in ["xmpp://192.0.2.1:5222", "xmpps://example.invalid:5223"] {
        let said = shell.run(&["run", "small.toml", "--target", url]);
        assert_eq!((said.code, said.out.as_str()), (2, ""));
        for part in [url, "not on this machine", "2 users at most", "message 20/s", "--yes"] {
            assert!(said.err.contains(part), "`{part}` is missing: {}", said.err);
        }
    }
    let said = shell.run(&["run", "small.toml", "--yes", "--target", "xmpp://example.invalid:5222"]);
    assert_eq!(said.code, 3, "with --yes it is tried: {said:#?}");
    assert!(said.err.contains("cannot resolve `example.invalid`"), "{}", said.err);
}

/// What neither side, or one side alone, will know of its server is told before the first run; and so is a phase not measured.
#[test]
fn a_gate_on_what_a_series_will_not_know_is_refused() {
    let shell = Shell::new();
    let refused = |gates: &[&str], sources: &[&str], b: &str| {
        let mut words =
            vec!["ab", "small.toml", "--a", "loopback:", "--b", b, "--repeat", "2", "--settle", "0s"];
        words.extend(sources.iter().flat_map(|set| ["--set", set]));
        words.extend(gates.iter().flat_map(|gate| ["--gate", gate]));
        let said = shell.run(&words);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{words:?}: {said:#?}");
        said.err
    };
    // The first gate that is wrong is named: those before it are none.
    let wrong = "nothing.p99 <= +10%";
    let only_cpu = "observe=[{prometheus=\"http://127.0.0.1:9/metrics\", cpu=\"process_cpu_seconds_total\"}]";
    let page =
        "observe=[{prometheus=\"http://127.0.0.1:9/metrics\", memory=\"process_resident_memory_bytes\"}]";
    let cases: [(&[&str], &[&str], &str, &str); 8] = [
        (&["server.cpu <= +10%", "generator.cpu <= +10%", wrong], &[], "loopback:", "nothing.p99"),
        (&["server.cpu <= +10%"], &[], "xmpp://127.0.0.1:1", "server.cpu"),
        (&["server.memory <= +10%"], &["observe=[{process=\"loopback:\"}]"], "loopback:", "server.memory"),
        (
            &["server.memory <= +10%", "server.memory_per_user <= +10%", wrong],
            &[page],
            "loopback:",
            "nothing.p99",
        ),
        (
            &["server.cpu_per_1000_logins <= +10%", "server.memory <= +10%"],
            &[only_cpu],
            "loopback:",
            "server.memory",
        ),
        (&["server.cpu_per_1000_logins <= +10%"], &[page], "loopback:", "server.cpu_per_1000_logins"),
        (&["steady/message.delivery.p99 <= +10%", wrong], &[], "loopback:", "nothing.p99"),
        (&["ramp/message.delivery.p99 <= +10%"], &[], "loopback:", "ramp/message.delivery.p99"),
    ];
    for (gates, sources, b, named) in cases {
        let said = refused(gates, sources, b);
        assert!(
            said.contains(&format!("these runs have no `{named}`")),
            "{gates:?} of {sources:?}, {b}: {said}"
        );
    }
    let phase = refused(&["ramp/message.delivery.p99 <= +10%"], &[], "loopback:");
    assert!(phase.contains(": of the phases they measured steady, and not `ramp`"), "{phase}");
    let note = "1 pair cannot decide anything about";
    let mut words =
        vec!["ab", "small.toml", "--a", "loopback:", "--b", "xmpp://192.0.2.1:5222", "--repeat", "1"];
    assert!(shell.run(&words).err.contains(note), "told before it is asked whether to go on");
    words.push("--quiet");
    assert!(!shell.run(&words).err.contains(note));
}

#[test]
fn a_run_says_json_where_it_is_asked_to() {
    let shell = Shell::new();
    let said = shell.run(&["run", "small.toml", "--json", "--quiet", "--out", "r.json"]);
    let result: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(result["complete"], true);
    assert_eq!(i64::from(said.code), result["exit"]["code"].as_i64().unwrap());
    let again = shell.run(&["summary", "--json", "r.json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&again.out).unwrap(), result);
    let person = shell.run(&["summary", "r.json"]);
    assert!(person.code == 0 && person.out.contains("Delivery account"), "{}", person.out);
}
