//! What the command says of itself.

use crate::shell::Shell;

/// Every subcommand's help, as reviewed.
#[test]
fn help_is_as_reviewed() {
    let shell = Shell::new();
    let commands: &[&[&str]] = &[
        &[],
        &["run"],
        &["ab"],
        &["serve"],
        &["accounts"],
        &["accounts", "create"],
        &["accounts", "check"],
        &["accounts", "delete"],
        &["accounts", "list"],
        &["profile"],
        &["profile", "check"],
        &["profile", "show"],
        &["profile", "schema"],
        &["profile", "list"],
        &["summary"],
        &["compare"],
        &["report"],
        &["result-schema"],
        &["completions"],
        &["man"],
    ];
    for words in commands {
        let said = shell.run(&[*words, &["--help"]].concat());
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{words:?}");
        let name = if words.is_empty() { "xmpp-bench".to_owned() } else { words.join("-") };
        insta::assert_snapshot!(name, said.out);
    }
}

#[test]
fn what_is_hidden_is_not_in_the_help_and_what_was_measured_with_is_named() {
    let shell = Shell::new();
    assert!(!shell.run(&["run", "--help"]).out.contains("--socket-buffer"));
    assert_eq!(shell.run(&["--version"]).out, format!("xmpp-bench {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_schemas_are_json_schemas() {
    let shell = Shell::new();
    for words in [&["result-schema"][..], &["profile", "schema"]] {
        let said = shell.run(words);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        let schema: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{words:?}: {error}"));
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(!validator.is_valid(&serde_json::json!({ "no": "such thing" })), "{words:?} allows anything");
    }
}

#[test]
fn shipped_profiles_are_listed_checked_and_shown() {
    let shell = Shell::new();
    let list = shell.run(&["profile", "list", "--json"]);
    assert_eq!(list.code, 0);
    let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    let names: Vec<&str> = list.as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"quickstart"), "{names:?}");
    for name in names {
        for word in ["check", "show"] {
            let said = shell.run(&["profile", word, name]);
            assert_eq!((said.code, said.err.as_str()), (0, ""), "profile {word} {name}");
        }
    }
    assert!(shell.run(&["profile", "check", "small.toml"]).out.starts_with("small.toml: ok (2 users"));
}

#[test]
fn shells_can_complete_every_subcommand_and_man_has_a_page_for_each() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = shell.run(&["completions", name]);
        assert_eq!((script.code, script.err.as_str()), (0, ""), "{name}");
        assert!(script.out.contains("result-schema") && script.out.contains("seed"), "{name}");
    }
    assert_eq!(shell.run(&["completions", "tcsh"]).code, 2);
    let first = shell.run(&["man"]);
    assert_eq!((first.code, first.err.as_str()), (0, ""));
    assert!(
        first.out.contains(".TH xmpp\\-bench 1") || first.out.contains(".TH xmpp-bench 1"),
        "{}",
        first.out
    );
    assert_eq!(shell.run(&["man", "--dir", "man1"]).code, 0);
    for page in ["xmpp-bench", "xmpp-bench-run", "xmpp-bench-profile", "xmpp-bench-profile-show"] {
        let text = std::fs::read_to_string(shell.path("man1").join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".SH EXAMPLES AND NOTES\nExamples:"), "{page}");
    }
    assert_eq!(shell.run(&["man", "--dir", "small.toml"]).code, 2, "a file is in its place");
}
