//! Passwords stay in the profile: not in results, journals, truth files, key caches or anything printed.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::shell::{PROFILE, Shell};

const SECRET: &str = "hunter2";

/// What would give the secret away: itself, and as SASL PLAIN carries it for user 0.
fn traces() -> [String; 3] {
    let plain = STANDARD.encode(format!("\0u0\0{SECRET}"));
    [SECRET.to_owned(), STANDARD.encode(SECRET), plain]
}

fn with_secret() -> String {
    PROFILE.replace("\"p{n}\"", &format!("\"{SECRET}\""))
}

#[track_caller]
fn assert_silent(place: &str, bytes: &[u8]) {
    for trace in traces() {
        let found = bytes.windows(trace.len()).any(|part| part == trace.as_bytes());
        assert!(!found, "{place} holds `{trace}`");
    }
}

/// Every file below a folder but the profiles and accounts a person wrote.
fn assert_folder_silent(folder: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += assert_folder_silent(&path);
        } else if !path.extension().is_some_and(|end| end == "toml" || end == "csv") {
            assert_silent(&path.display().to_string(), &std::fs::read(&path).unwrap());
            count += 1;
        }
    }
    count
}

#[test]
fn a_run_keeps_its_passwords_to_itself() {
    let shell = Shell::new();
    shell.write("secret.toml", &with_secret());
    let options = ["--out", "r.json", "--truth", "t.jsonl", "--seed", "1"];
    let override_it = format!("users.0.password={SECRET}");
    let in_one_word = format!("--set=users.0.password = {SECRET}");
    let ways: [&[&str]; 4] = [
        &["run", "secret.toml"],
        &["run", "small.toml", "--set", &override_it],
        &["run", "small.toml", &in_one_word],
        &["run", "secret.toml", "--json", "--set", "users.0.auth=[\"PLAIN\"]"],
    ];
    for way in ways {
        let said = shell.run(&[way, &options].concat());
        assert_silent("stdout", said.out.as_bytes());
        assert_silent("stderr", said.err.as_bytes());
        let result = std::fs::read_to_string(shell.path("r.json")).unwrap();
        assert!(result.contains("password"), "that there was one is told, and it is masked");
        assert!(assert_folder_silent(shell.folder()) >= 2, "result and truth were looked at");
    }
}

#[test]
fn a_password_that_is_refused_is_not_shown() {
    let shell = Shell::new();
    shell.write("accounts.csv", &format!("jid,password\nu0@localhost,{SECRET}\nu1@localhost,{SECRET}\n"));
    let accounts = PROFILE
        .replace("jid = \"u{n}@{domain}\"\n", "accounts_file = \"accounts.csv\"\n")
        .replace("password = \"p{n}\"\n", "");
    shell.write("accounts.toml", &accounts);
    shell.write("wrong.toml", &with_secret().replace("deadline", "dedline"));
    let mut serve =
        shell.command(&["serve", "--listen", "127.0.0.1:0", "--known-only", "--ca-out", "ca.pem"]);
    let mut server = serve.stderr(std::fs::File::create(shell.path("serve.err")).unwrap()).spawn().unwrap();
    let target = (0..1_000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        let text = std::fs::read_to_string(shell.path("serve.err")).ok()?;
        Some(format!("xmpp://{}", text.split_once("listening on ")?.1.split_once(';')?.0))
    });
    let reach = ["--target", &target.unwrap(), "--set", "target.ca_file=ca.pem", "--out", "r.json"];
    let refused = shell.run(&[&["run", "accounts.toml"], &reach[..]].concat());
    let _ = server.kill();
    let _ = server.wait();
    assert_eq!(refused.code, 3, "{refused:#?}");
    assert!(refused.out.contains("not-authorized"), "{}", refused.out);
    assert_silent("stdout", refused.out.as_bytes());
    assert_silent("stderr", refused.err.as_bytes());
    // An error in the profile shows its own line, never the password's.
    let wrong = shell.run(&["profile", "check", "wrong.toml"]);
    assert_eq!(wrong.code, 2);
    assert_silent("stderr", wrong.err.as_bytes());
    assert_silent("profile show", shell.run(&["profile", "show", "accounts.toml"]).out.as_bytes());
    assert_folder_silent(shell.folder());
}

#[test]
fn the_journal_of_a_killed_run_holds_none_either() {
    let shell = Shell::new();
    shell.write("secret.toml", &with_secret());
    let mut run = shell.command(&["run", "secret.toml", "--quiet", "--out", "r.json"]).spawn().unwrap();
    let journal = shell.path("r.json.journal");
    let begun = (0..1_000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        std::fs::metadata(&journal).is_ok_and(|meta| meta.len() > 0)
    });
    let _ = run.kill();
    let _ = run.wait();
    assert!(begun, "the journal never began");
    assert_silent("journal", &std::fs::read(&journal).unwrap());
    let summary = shell.run(&["summary", "--json", "r.json.journal"]);
    assert_eq!(summary.code, 0, "{summary:#?}");
    assert_silent("summary", summary.out.as_bytes());
}
